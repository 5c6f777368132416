# SPDX-License-Identifier: Apache-2.0
"""Two published articles about deep inspection, replayed with Amazon's own clients against a real server with four real
agents: one on paths and METADATA files (2023), one on the tag that excludes an instance (October 2023).

The accounts are those of an organisation that has scanned since before deep inspection was there: its members and an
account of its own have it switched off. `member` has two alike hosts of Debian and one of an rpm distribution, `second`
the host of Debian that is tagged."""
import atexit
import datetime
import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "server"))
# pylint: disable=wrong-import-position
import clients
import harness
from articles_hosts import APP, SITE, Agent, debian, read_line, replace_text, rpm, user_tree
from servers import Server

ADVISORIES = pathlib.Path(__file__).resolve().parents[2] / "data/advisories"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/plugin-log.md"
INVOKE = "InvokeInspectorLinuxSsmPlugin-do-not-delete"
METRICS = "Custom:InspectorMetrics"
PACKAGES = "Custom:InspectorThirdPartyPackage"
METADATA = f"/{SITE}/numpy-1.21.3.dist-info/METADATA"
LODASH = f"/{APP}/node_modules/lodash/package.json"
NUMPY_CVE = "CVE-2021-34141"
PATIENCE_S = 300 if harness.SANITIZED else 60


def until(ask, what, seconds=PATIENCE_S):
    """The first true answer; polls."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


class Story:
    """The server, its accounts and the four hosts."""

    def __init__(self, scratch):
        clients.load()
        self.scratch = scratch
        scratch.chmod(0o711)  # sonde-net is nobody's
        records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(ADVISORIES.glob("*.json"))]
        self.server = Server(scratch, records).start()
        atexit.register(self.server.kill)
        self.ids = {name: self.server.account(name, *flags) for name, flags in {
            "management": [], "delegated": [], "member": ["--legacy"], "second": ["--legacy"],
            "alone": ["--legacy"]}.items()}
        self.server.organisation(*(self.ids[name] for name in ("management", "delegated", "member", "second")),
                                 delegated=self.ids["delegated"])
        self.keys = {name: self.server.key(account) for name, account in self.ids.items()}
        self.made = {}
        self.agents = {}
        self.n_owned = {}

    def make_hosts(self):
        home = user_tree(self.scratch / "home-tree")
        store = self.scratch / "store"
        roots = {name: self.scratch / name for name in ("one", "two", "red", "tagged")}
        for name in ("one", "two", "tagged"):
            debian(roots[name], home)
        self.n_owned = {**dict.fromkeys(roots, 1), "red": rpm(roots["red"], home, self.scratch)}
        for name, root in roots.items():
            self.agents[name] = Agent(name, root, store, is_compat=name != "two")

    # -- Amazon's clients --
    def client(self, service, name):
        if (service, name) not in self.made:
            self.made[(service, name)] = self.server.client(service, self.keys[name])
        return self.made[(service, name)]

    def inspector(self, name):
        return self.client("inspector2", name)

    def ssm(self, name):
        return self.client("ssm", name)

    def aws(self, name, *words):
        """The AWS command line as the administrator of an account."""
        return clients.ask(clients.command_line(self.scratch, self.server.url, *self.keys[name]), *words)

    # -- what is asked again and again --
    def account_of(self, host):
        return "second" if host == "tagged" else "member"

    def ec2_id(self, host):
        """Inspector's name of a managed node."""
        return self.agents[host].id.replace("mi-", "i-")

    def findings(self, host, **more):
        """The active findings of a host: {(vulnerability, package): (version, path)}."""
        criteria = {"resourceId": [{"comparison": "EQUALS", "value": self.ec2_id(host)}],
                    "findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}], **more}
        pages = self.inspector("delegated").get_paginator("list_findings").paginate(filterCriteria=criteria)
        found = {}
        for row in (row for page in pages for row in page["findings"]):
            details = row["packageVulnerabilityDetails"]
            for package in details["vulnerablePackages"]:
                found[(details["vulnerabilityId"], package["name"])] = (package["version"], package.get("filePath"))
        return found

    def numpy(self, host):
        """Version and path of numpy, as its finding has them; None without one."""
        return self.findings(host).get((NUMPY_CVE, "numpy"))

    def coverage(self, *hosts):
        rows = [row for page in self.inspector("delegated").get_paginator("list_coverage").paginate()
                for row in page["coveredResources"]]
        states = {row["resourceId"]: (row["scanStatus"]["statusCode"], row["scanStatus"]["reason"]) for row in rows}
        return {host: states.get(self.ec2_id(host)) for host in hosts or self.agents}

    def usage(self, name):
        """Hours of an account, as the delegated administrator reads them."""
        [row] = self.inspector("delegated").list_usage_totals(accountIds=[self.ids[name]])["totals"]
        return sum(use["total"] for use in row["usage"] if use["type"] == "EC2_INSTANCE_HOURS")

    def associations(self, name):
        rows = self.ssm(name).list_associations()["Associations"]
        return {row["AssociationName"]: row["AssociationId"] for row in rows}

    def rounds(self, name):
        """How often each host of an account has run the plugin."""
        return {host: len(agent.runs()) for host, agent in self.agents.items() if self.account_of(host) == name}

    def newest_round(self, name, association):
        rows = self.ssm(name).describe_association_executions(AssociationId=association)["AssociationExecutions"]
        return max(rows, key=lambda row: row["CreatedTime"])

    def apply(self, name, by_hand=False):
        """Apply the association of the plugin now, and see every host of the account through."""
        one = self.associations(name)[INVOKE]
        before = self.rounds(name)
        if by_hand:
            self.aws(name, "ssm", "start-associations-once", "--association-ids", one)
        else:
            self.ssm(name).start_associations_once(AssociationIds=[one])
        self.ended(name, before)

    def ended(self, name, before):
        """Every host has run the plugin once more, and the association says that it went well."""
        one = self.associations(name)[INVOKE]
        until(lambda: all(n > before[host] for host, n in self.rounds(name).items()), f"a run on each host of {name}")
        until(lambda: self.newest_round(name, one)["Status"] == "Success", f"the end of the round of {name}")

    def paths(self, name, *paths):
        self.inspector(name).update_ec2_deep_inspection_configuration(packagePaths=list(paths))


# ---- the steps ----

def enabled(story):
    """Enable: the delegated administrator, for itself and for the members."""
    on = story.aws("delegated", "inspector2", "enable", "--resource-types", "EC2")
    assert on["accounts"][0]["resourceStatus"]["ec2"] in ("ENABLED", "ENABLING"), on
    members = [story.ids[name] for name in ("member", "second")]
    for member in members:
        story.inspector("delegated").associate_member(accountId=member)
    on = story.aws("delegated", "inspector2", "enable", "--resource-types", "EC2", "--account-ids", *members)
    assert {row["accountId"] for row in on["accounts"]} == set(members) and not on.get("failedAccounts"), on
    story.aws("alone", "inspector2", "enable", "--resource-types", "EC2")


def old_accounts_activate_deep_inspection(story):
    """An account that was there before deep inspection has it switched off, and switches it on."""
    told = story.aws("alone", "inspector2", "get-ec2-deep-inspection-configuration")
    assert (told["status"], told["packagePaths"]) == ("DEACTIVATED", []), told
    assert INVOKE not in story.associations("alone")
    told = story.aws("alone", "inspector2", "update-ec2-deep-inspection-configuration", "--activate-deep-inspection")
    assert told["status"] == "ACTIVATED", told
    one = story.ssm("alone").describe_association(AssociationId=story.associations("alone")[INVOKE])
    assert one["AssociationDescription"]["ScheduleExpression"] == "rate(6 hours)", one


def the_organisation_activates_it(story):
    """All members at once, by the delegated administrator; a member cannot go back."""
    admin = story.inspector("delegated")
    members = [story.ids[name] for name in ("member", "second")]

    def states():
        rows = admin.batch_get_member_ec2_deep_inspection_status(accountIds=members)["accountIds"]
        return {row["accountId"]: row["status"] for row in rows}

    assert states() == dict.fromkeys(members, "DEACTIVATED"), states()
    told = story.aws("delegated", "inspector2", "batch-update-member-ec2-deep-inspection-status", "--account-ids",
                     *(f"accountId={member},activateDeepInspection=true" for member in members))
    assert {row["status"] for row in told["accountIds"]} == {"ACTIVATED"} and not told.get("failedAccountIds"), told
    assert states() == dict.fromkeys(members, "ACTIVATED"), states()
    for name in ("member", "second"):
        code = clients.error_code(story.inspector(name).update_ec2_deep_inspection_configuration,
                                  activateDeepInspection=False)
        assert code == "AccessDeniedException", code
        assert story.inspector(name).get_ec2_deep_inspection_configuration()["status"] == "ACTIVATED"
        assert INVOKE in story.associations(name)


def agents_appear(story):
    """Four agents register: managed nodes, and covered once they have reported."""
    for name, agent in story.agents.items():
        agent.start(story.server, story.ssm(story.account_of(name)))

    def nodes():
        rows = [row for account in ("member", "second")
                for row in story.ssm(account).describe_instance_information()["InstanceInformationList"]]
        return rows if len(rows) == 4 and all(row.get("PlatformName") for row in rows) else None

    for row in until(nodes, "four managed nodes"):
        agent = story.agents[row["Name"]]
        agent.id = row["InstanceId"]
        assert row["PingStatus"] == "Online", row
        assert row["PlatformName"] == ("Amazon Linux" if row["Name"] == "red" else "Debian GNU/Linux"), row
    listed = story.aws("member", "ssm", "describe-instance-information")["InstanceInformationList"]
    assert {row["InstanceId"] for row in listed} == {story.agents[name].id for name in ("one", "two", "red")}, listed
    for name in ("member", "second"):
        story.ended(name, {host: 0 for host in story.rounds(name)})
    whole = dict.fromkeys(story.agents, ("ACTIVE", "SUCCESSFUL"))
    until(lambda: story.coverage() == whole, f"coverage of four hosts: {story.coverage()}")
    rows = story.aws("delegated", "inspector2", "list-coverage")["coveredResources"]
    assert {row["resourceId"] for row in rows} == {story.ec2_id(name) for name in story.agents}, rows


def default_roots_alone_show_no_numpy(story):
    """Experiment 1. Packages of the system and of the default roots are known, and numpy of a home is not."""
    for name, agent in story.agents.items():
        roots = [said for said in agent.last() if said.startswith("scanning directory")]
        assert roots == [f'scanning directory "{root}"' for root in (
            "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")], roots
        found = story.findings(name)
        assert not {key for key in found if key[1] in ("numpy", "lodash")}, found
        rows = story.ssm(story.account_of(name)).list_inventory_entries(
            InstanceId=agent.id, TypeName=PACKAGES)["Entries"]
        assert [(row["Name"], row["Version"], row["PackageManager"]) for row in rows] == \
            [("idna", "3.7", "PYTHONPKG")], rows
    assert any(key[1] == "libssl3" for key in story.findings("one")), story.findings("one")
    assert story.findings("one") == story.findings("two") == story.findings("tagged")


def python_of_the_system_is_located_and_left_out(story):
    """As the published log has it: metadata that the package manager owns is located, and not reported."""
    for name, agent in story.agents.items():
        located, = [re.fullmatch(r"located '(\d+)' metadata files for python packages installed via platform package "
                                 r"manager", said) for said in agent.last() if said.startswith("located")]
        told, = story.ssm(story.account_of(name)).list_inventory_entries(InstanceId=agent.id, TypeName=METRICS)["Entries"]
        assert (told["OwnedPackages"], told["Packages"]) == (str(story.n_owned[name]), "1"), told
        assert int(located.group(1)) >= story.n_owned[name], located


def plain(text):
    """A line without what differs from run to run: ids, digests, numbers."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|mi-[0-9a-f]{17}", "ID", text)
    return re.sub(r"\d+", "0", text)


def without_more_patterns(lines):
    """One line stands for those of all patterns: there is one for each that a reader has."""
    return [line for i, line in enumerate(lines)
            if "extracted suffix" not in line[1] or "extracted suffix" not in lines[i - 1][1]]


def the_page_shows_such_a_run(story):
    """docs/plugin-log.md, line by line, is the first run of a host: place by place in the published layout, part by part
    in ours."""
    rows = re.findall(r"^\| \d+ \| `([^`]*)` \| [^|]* \| `(\w+)` \| `([^`]*)` \|$", PAGE.read_text(encoding="utf-8"), re.M)
    for name, column in (("red", 0), ("two", 1)):
        told = without_more_patterns([(row[column], plain(row[2])) for row in rows])
        run = without_more_patterns([(place, plain(text)) for place, text in map(read_line, story.agents[name].runs()[0])])
        assert run == told, "\n".join(f"{got}\n{want}\n" for got, want in zip(run, told) if got != want) or (run, told)


def a_custom_path_shows_numpy_and_lodash(story):
    """Experiment 2: the path is added, the association applied by hand, and findings name their files."""
    told = story.aws("member", "inspector2", "update-ec2-deep-inspection-configuration", "--package-paths", "/home/ssm-user")
    assert told["packagePaths"] == ["/home/ssm-user"] and told["status"] == "ACTIVATED", told
    story.paths("second", "/home/ssm-user")
    story.apply("member", by_hand=True)
    story.apply("second")
    for name, agent in story.agents.items():
        found = until(lambda host=name: story.numpy(host) and story.findings(host), f"numpy of {name}")
        assert found[(NUMPY_CVE, "numpy")] == ("1.21.3", METADATA), found
        assert found[("CVE-2020-8203", "lodash")] == ("4.17.15", LODASH), found
        saved = (agent.plugin / "var/output/packages.txt").read_text().splitlines()
        assert METADATA in saved and LODASH in saved, saved
    # On the rpm host one is the system's and one the user's: only the user's is judged.
    rows = story.aws("member", "inspector2", "list-findings", "--filter-criteria", json.dumps({
        "vulnerabilityId": [{"comparison": "EQUALS", "value": NUMPY_CVE}],
        "resourceId": [{"comparison": "EQUALS", "value": story.ec2_id("red")}]}))["findings"]
    [package] = rows[0]["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert len(rows) == 1 and (package["name"], package["filePath"]) == ("numpy", METADATA), rows
    assert (package["packageManager"], package["fixedInVersion"]) == ("PYTHONPKG", "1.22"), package


def each_experiment_moves_the_finding(story):
    """Experiments 2-2 to 2-5: what is changed on one host is seen there, and its twin stays as it was."""
    agent = story.agents["one"]
    metadata, elsewhere = agent.root / METADATA[1:], agent.root / "tmp/METADATA"
    text = metadata.read_text(encoding="utf-8")

    def expect(want, why):
        story.apply("member")
        until(lambda: story.numpy("one") == want, f"{why}: {story.numpy('one')}")
        assert story.numpy("two") == ("1.21.3", METADATA), story.numpy("two")
        assert story.findings("one")[("CVE-2020-8203", "lodash")] == ("4.17.15", LODASH)

    renamed = metadata.rename(metadata.with_name("METADATAtest"))
    expect(None, "2-2: another file name")
    up = renamed.rename(metadata.parent.parent / "METADATA")
    expect(None, "2-3: not in a dist-info folder")
    away = up.rename(elsewhere)
    expect(None, "2-4: moved to /tmp")
    away.rename(metadata)
    expect(("1.21.3", METADATA), "back where it was")
    replace_text(metadata, re.sub(r"(?m)^Version: .*$", "Version: 1.21.0", text, count=1))
    expect(("1.21.0", METADATA), "2-5: the content counts")


def the_last_run_is_read_back(story):
    """Statistics, histograms, ledger and the tail of the log of each host's last run, from the server."""
    for name, agent in story.agents.items():
        ssm = story.ssm(story.account_of(name))
        page = ssm.list_inventory_entries(InstanceId=agent.id, TypeName=METRICS)
        [told] = page["Entries"]
        lines = agent.runs()[-1]
        said = [read_line(line)[1] for line in lines]
        assert page["CaptureTime"] >= told["RunAt"], page
        assert f"scan elapsed(ms)={told['ElapsedMs']} directories={told['Directories']} files={told['Files']} " \
            f"packages={told['Packages']}" in said, (told, said)
        for what, words in (("Cpu", "cpu"), ("Memory", "mem")):
            assert f"scan {words} pct samples={told[what + 'Samples']} histogram=[{told[what + 'Histogram']}]" in said, told
        assert (told["TimeLimitSeconds"], told["CpuLimitPercent"], told["Error"]) == ("900", "65", ""), told
        assert "false" == told["TimeLimitReached"] == told["PackageLimitReached"] == told["MemoryLimitReached"], told
        if name != "red":
            assert re.search(r"^damaged 1: .*Version", told["Ledger"], re.M), told["Ledger"]
        # The tail is what the file had when the metrics were made: behind it stand the lines about sending them.
        tail = told["LogTail"].splitlines()
        end = len(lines) - 1 - lines[::-1].index(tail[-1])
        assert tail == lines[end - len(tail) + 1:end + 1] and len(tail) > 3, (tail, lines)
        assert said[end - 2] == "succeeded posting package collection inventory item", (end, said)
        assert said[-4] == "packages scan completed", said
    entities = story.aws("member", "ssm", "get-inventory", "--result-attributes", f"TypeName={METRICS}")["Entities"]
    rows = {row["Id"]: row["Data"][METRICS]["Content"] for row in entities}
    assert {story.agents[name].id for name in ("one", "two", "red")} == set(rows), rows
    assert all(len(content) == 1 and content[0]["RunAt"] for content in rows.values()), rows


def the_interval_is_changed(story):
    """Another schedule is applied at once, is taken by the agents, and they run by it."""
    one = story.associations("member")[INVOKE]
    before = story.rounds("member")
    told = story.aws("member", "ssm", "update-association", "--association-id", one, "--schedule-expression",
                     "rate(1 hour)")["AssociationDescription"]
    assert told["ScheduleExpression"] == "rate(1 hour)", told
    story.ended("member", before)
    for name in ("one", "two", "red"):
        agent = story.agents[name]
        until(lambda it=agent: re.search(rf"version={told['AssociationVersion']} schedule=rate\(1 hour\) "
                                         rf"association={one}", it.said()), f"{name} takes the interval")
    # Seen within the test's own time: one moment instead of an interval. The change runs it once, and the moment again.
    before = story.rounds("member")
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60 if harness.SANITIZED else 8)
    story.ssm("member").update_association(AssociationId=one, ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})")
    until(lambda: all(n == before[host] + 2 for host, n in story.rounds("member").items()),
          f"two runs more on each host: {before}", 2 * PATIENCE_S)
    for name in ("one", "two", "red"):
        began = story.agents[name].runs()[-1][0]
        moment = datetime.datetime.strptime(began[:24], "%a %b %d %H:%M:%S %Y").replace(tzinfo=datetime.timezone.utc)
        assert moment >= at.replace(microsecond=0), (began, at)
    story.ssm("member").update_association(AssociationId=one, ScheduleExpression="rate(6 hours)")


def a_tag_excludes_a_host(story):
    """The tag: no longer scanned, without findings, free of charge; while its own log shows that it goes on."""
    agent, node = story.agents["tagged"], story.ec2_id("tagged")
    before = {row["findingArn"] for row in story.inspector("second").list_findings()["findings"]}
    found = story.findings("tagged")
    assert found and before
    story.aws("second", "ec2", "create-tags", "--resources", node, "--tags", "Key=InspectorEc2Exclusion,Value=")
    assert story.coverage("tagged") == {"tagged": ("INACTIVE", "EXCLUDED_BY_TAG")}, story.coverage("tagged")
    assert story.findings("tagged") == {}, story.findings("tagged")
    hours, others = story.usage("second"), story.usage("member")
    story.apply("second")
    said = agent.last()
    assert "succeeded posting package collection inventory item" in said and said[-4] == "packages scan completed", said
    rows = story.ssm("second").list_inventory_entries(InstanceId=agent.id, TypeName=PACKAGES)["Entries"]
    assert METADATA in {row["Path"] for row in rows}, rows
    assert story.findings("tagged") == {} and story.coverage("tagged") == {"tagged": ("INACTIVE", "EXCLUDED_BY_TAG")}
    told = story.aws("delegated", "inspector2", "list-usage-totals", "--account-ids", story.ids["second"])["totals"]
    assert [use["total"] for use in told[0]["usage"] if use["type"] == "EC2_INSTANCE_HOURS"] == [hours], (told, hours)
    until(lambda: story.usage("member") > others, "the hours of the others go on")
    assert story.usage("second") == hours
    # Untagged while its agent is away: what is found again is found without the host.
    agent.stop()
    log = agent.log()
    story.aws("second", "ec2", "delete-tags", "--resources", node, "--tags", "Key=InspectorEc2Exclusion")
    assert story.coverage("tagged") == {"tagged": ("ACTIVE", "SUCCESSFUL")}, story.coverage("tagged")
    assert story.findings("tagged") == found, (story.findings("tagged"), found)
    again = {row["findingArn"] for row in story.inspector("second").list_findings()["findings"]}
    assert again == before and agent.log() == log and agent.process.poll() == 0
    until(lambda: story.usage("second") > hours, "its hours go on")


def test_articles__replayed(scratch):
    story = Story(scratch)
    story.make_hosts()
    for step in (enabled, old_accounts_activate_deep_inspection, the_organisation_activates_it, agents_appear,
                 default_roots_alone_show_no_numpy, python_of_the_system_is_located_and_left_out,
                 the_page_shows_such_a_run,
                 a_custom_path_shows_numpy_and_lodash, each_experiment_moves_the_finding, the_last_run_is_read_back,
                 the_interval_is_changed, a_tag_excludes_a_host):
        began = time.monotonic()
        try:
            step(story)
        except AssertionError:
            for agent in story.agents.values():
                print(f"-- {agent.name}\n{agent.said()[-1500:]}\n" + "\n".join(agent.log()[-30:]))
            raise
        print(f"   {time.monotonic() - began:5.1f} s  {step.__name__}", flush=True)
    for agent in story.agents.values():
        if agent.process.poll() is None:
            agent.stop()
        assert "Sanitizer" not in agent.said() and "error:" not in agent.said(), agent.said()[-2000:]
    story.server.stop()


if __name__ == "__main__":
    harness.run(globals())
