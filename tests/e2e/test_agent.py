# SPDX-License-Identifier: Apache-2.0
"""The agent against a real server: registering, associations, commands, refusals, a server that is away, kill -9."""
import atexit
import json
import os
import pathlib
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "server"))
# pylint: disable=wrong-import-position
import clients
import harness
import idle
from servers import Server

SONDE = os.environ.get("SONDE", "sonde")
OS_RELEASE = ('NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
              'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
STATUS = ("Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\n"
          "Version: 1:1.2.13.dfsg-1\nMaintainer: Z <z@example.org>\nDescription: z\n\n")
SHELL = {"schemaVersion": "2.2", "parameters": {"word": {"type": "String", "default": "x"}}, "mainSteps": [
    {"action": "aws:runShellScript", "name": "say", "inputs": {"runCommand": ["echo said-{{ word }}", "id -u"]}}]}
NUMPY = {"schema_version": "1.4.0", "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2021-41496"],
         "modified": "2024-01-01T00:00:00Z", "published": "2022-01-01T00:00:00Z", "summary": "overflow",
         "affected": [{"package": {"ecosystem": "PyPI", "name": "numpy"}, "ranges": [
             {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.22.0"}]}]}],
         "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]}


def make_root(folder, machine="0123456789abcdef0123456789abcdef"):
    harness.write(folder / "etc/os-release", OS_RELEASE)
    harness.write(folder / "etc/machine-id", machine + "\n")
    harness.write(folder / "var/lib/dpkg/status", STATUS)
    return folder


class Fleet:
    """A server with one account, and agents of it."""

    def __init__(self, scratch, records=None, enable=True, deep=False, args=()):
        clients.load()
        self.scratch = pathlib.Path(scratch)
        self.server = Server(scratch, records, args).start()
        atexit.register(self.server.kill)
        # As installed: scripts have a path of their own, and find sonde-net beside sonde.
        self.program = self.scratch / "bin/sonde"
        self.program.parent.mkdir()
        self.scratch.chmod(0o711)  # sonde-net is started by processes that are nobody
        shutil.copy(shutil.which(SONDE) or SONDE, self.program)
        shutil.copy(shutil.which("sonde-net"), self.program.parent)
        self.key = self.server.key(self.server.account("one"))
        self.ssm = self.server.client("ssm", self.key)
        self.inspector = self.server.client("inspector2", self.key)
        if enable:
            self.inspector.enable(resourceTypes=["EC2"])
        if enable and not deep:
            self.inspector.update_ec2_deep_inspection_configuration(activateDeepInspection=False)

    def activation(self, n=10):
        made = self.ssm.create_activation(IamRole="role", RegistrationLimit=n)
        return ["--activation-id", made["ActivationId"], "--activation-code", made["ActivationCode"]]

    def command(self, name, *more, root=None):
        root = root or self.scratch / f"{name}-root"
        if not root.exists():
            make_root(root, f"{abs(hash(name)):032x}"[:32])
        return [str(self.program), "agent", "--server", self.server.url, "--state", str(self.scratch / f"{name}-state"), "--root",
                str(root), "--walk-cpu-limit", "0", *more]

    def once(self, name, *more, code=0, root=None, wrap=()):
        done = subprocess.run([*wrap, *self.command(name, "--once", *more, root=root)], capture_output=True, text=True,
                              env=harness.environment(), timeout=120, check=False)
        assert code is None or done.returncode == code, (done.returncode, done.stderr, self.server.tail())
        assert "Sanitizer" not in done.stderr, done.stderr
        return done

    def start(self, name, *more, env=None):
        log = open(self.scratch / f"{name}.log", "ab")  # pylint: disable=consider-using-with
        agent = subprocess.Popen(self.command(name, "--start-delay", "0", *more), stderr=log,
                                 env=harness.environment(**(env or {})))
        atexit.register(agent.kill)  # when a test fails before it stops it
        return agent

    def log(self, name):
        return (self.scratch / f"{name}.log").read_text(errors="replace")

    def nodes(self):
        return self.ssm.describe_instance_information()["InstanceInformationList"]

    def node(self):
        return self.nodes()[0]["InstanceId"]

    def send(self, instance, document, **more):
        sent = self.ssm.send_command(InstanceIds=[instance], DocumentName=document, **more)
        return sent["Command"]["CommandId"]

    def result(self, instance, command, seconds=60):
        def ended():
            got = self.ssm.get_command_invocation(CommandId=command, InstanceId=instance)
            return got if got["Status"] not in ("Pending", "InProgress", "Cancelling", "Delayed") else None
        return wait_for(ended, seconds)


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = what()
        if got:
            return got
        time.sleep(0.1)
    raise AssertionError("it did not come to pass in time")


def stop(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def statuses(fleet, instance):
    found = fleet.ssm.describe_instance_associations_status(InstanceId=instance)["InstanceAssociationStatusInfos"]
    return {one["Name"]: one.get("DetailedStatus") for one in found}


def test_agent__registers_and_reports_its_packages(scratch):
    fleet = Fleet(scratch)
    fleet.once("a", *fleet.activation(), code=None)
    node = fleet.nodes()[0]
    assert node["PingStatus"] == "Online" and node["PlatformName"] == "Debian GNU/Linux", node
    assert statuses(fleet, node["InstanceId"])["AWS-GatherSoftwareInventory"] == "Success"
    rows = fleet.ssm.list_inventory_entries(InstanceId=node["InstanceId"], TypeName="AWS:Application")["Entries"]
    assert [(one["Name"], one["Version"]) for one in rows] == [("zlib1g", "1:1.2.13.dfsg-1")], rows
    own = fleet.ssm.list_inventory_entries(InstanceId=node["InstanceId"], TypeName="Custom:SondeInventory")
    assert own["ContentHash"] if "ContentHash" in own else own["Entries"], own
    state = fleet.scratch / "a-state"
    assert state.stat().st_mode & 0o777 == 0o700
    for path in state.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    # The same identity the next time, without the activation.
    fleet.once("a", code=None)
    assert [one["InstanceId"] for one in fleet.nodes()] == [node["InstanceId"]]
    fleet.server.stop()


def copies(fleet):
    """What the server says of hosts that were copied."""
    return fleet.ssm.list_compliance_items(Filters=[{"Key": "ComplianceType", "Values": ["Custom:Identity"]}])["ComplianceItems"]


def test_agent__two_machines_that_cannot_be_told_apart_are_told_of(scratch):
    fleet = Fleet(scratch, enable=False)
    root = make_root(fleet.scratch / "a-root")
    fleet.once("a", *fleet.activation(), code=None)
    shutil.copytree(fleet.scratch / "a-state", fleet.scratch / "b-state")
    shutil.copytree(root, fleet.scratch / "b-root")
    assert copies(fleet) == []
    agents = [fleet.start(name, "--heartbeat", "5") for name in "ab"]
    [item] = wait_for(lambda: copies(fleet))
    assert (item["ResourceId"], item["Id"]) == (fleet.node(), "twin"), item
    for agent in agents:
        stop(agent)
    fleet.server.stop()


def test_agent__a_copied_state_folder_takes_nothing_over(scratch):
    fleet = Fleet(scratch)
    fleet.once("a", *fleet.activation(), code=None)
    shutil.copytree(fleet.scratch / "a-state", fleet.scratch / "b-state")
    refused = fleet.once("b", code=3)
    assert "copied from another machine" in refused.stderr, refused.stderr
    assert len(fleet.nodes()) == 1
    # Whoever runs the fleet sees of which host there is a copy, and where; the host itself goes on.
    own = fleet.node()
    [item] = copies(fleet)
    assert (item["ResourceId"], item["Id"], item["Severity"]) == (own, "refused", "CRITICAL"), item
    assert item["Details"]["Address"] == "127.0.0.1", item
    assert "was refused" in fleet.server.tail() and own[3:] in fleet.server.tail(), fleet.server.tail()
    assert "\nsonde_clones_total 1\n" in fleet.server.get("/metrics")
    fleet.once("a", code=None)
    fleet.once("b", *fleet.activation(), code=None)
    assert len({one["InstanceId"] for one in fleet.nodes()}) == 2
    fleet.server.stop()


def test_agent__runs_no_document_of_the_server_unless_allowed(scratch):
    fleet = Fleet(scratch, enable=False)
    fleet.ssm.create_document(Name="Say", Content=json.dumps(SHELL), DocumentType="Command")
    agent = fleet.start("a", *fleet.activation())
    instance = wait_for(lambda: fleet.nodes() and fleet.node())
    for document, values in (("Say", {"word": ["a"]}), ("AWS-RunShellScript", {"commands": ["touch " + str(scratch) + "/x"]})):
        got = fleet.result(instance, fleet.send(instance, document, Parameters=values))
        assert got["Status"] == "Failed", got
        assert "allow_documents" in got["StandardErrorContent"], got
    stop(agent)
    assert not (fleet.scratch / "x").exists()
    agent = fleet.start("a", "--allow-documents")
    got = fleet.result(instance, fleet.send(instance, "Say", Parameters={"word": ["hello"]}))
    assert got["Status"] == "Success" and got["ResponseCode"] == 0, got
    assert got["StandardOutputContent"].splitlines() == ["said-hello", str(os.getuid())], got
    stop(agent)
    fleet.server.stop()


def test_agent__commands_end_by_time_out_cancel_and_limits(scratch):
    fleet = Fleet(scratch, enable=False)
    agent = fleet.start("a", *fleet.activation(), "--allow-documents")
    instance = wait_for(lambda: fleet.nodes() and fleet.node())

    def shell(lines, **more):
        return fleet.send(instance, "AWS-RunShellScript", Parameters={"commands": lines, **more})
    got = fleet.result(instance, shell(["sleep 600"], executionTimeout=["5"]))
    assert got["Status"] == "TimedOut", got
    got = fleet.result(instance, shell(["i=0; while [ $i -lt 9000 ]; do echo 0123456789; i=$((i+1)); done; exit 7"]))
    assert got["Status"] == "Failed" and got["ResponseCode"] == 7, got
    assert len(got["StandardOutputContent"]) == 24000, len(got["StandardOutputContent"])
    assert got["StandardOutputContent"].endswith("--output truncated--")
    got = fleet.result(instance, shell(["exit 194"]))
    assert got["Status"] == "Failed" and "reboot" in got["StandardErrorContent"], got
    command = shell([f"touch {scratch}/begun; sleep 600"])
    wait_for((fleet.scratch / "begun").exists)
    fleet.ssm.cancel_command(CommandId=command)
    got = fleet.result(instance, command)
    assert got["Status"] == "Cancelled", got
    stop(agent)
    assert not list((fleet.scratch / "a-state/jobs").iterdir())
    fleet.server.stop()


def test_agent__an_idle_one_writes_nothing_and_keeps_little(scratch):
    if not pathlib.Path("/proc/self/smaps_rollup").exists() or not pathlib.Path("/proc/self/io").exists():
        raise harness.Skip("/proc/<pid>/smaps_rollup and io")
    harness.tool("openssl")
    idle.certificate(pathlib.Path(scratch))
    os.environ["AWS_CA_BUNDLE"] = str(scratch / "tls.pem")
    fleet = Fleet(scratch, args=["--tls-cert", str(scratch / "tls.pem"), "--tls-key", str(scratch / "tls.key")])
    del os.environ["AWS_CA_BUNDLE"]
    ca = ("--ca", str(scratch / "believed.pem"))
    state, context = fleet.scratch / "a-state", ssl.create_default_context(cafile=scratch / "tls.pem")

    def calls():
        with urllib.request.urlopen(fleet.server.url + "/metrics", context=context, timeout=30) as answer:
            text = answer.read().decode()
        names = ("UpdateInstanceInformation", "ListInstanceAssociations")
        return [int(re.search(f'operation="{name}",outcome="good"}} (\\d+)', text).group(1)) for name in names]
    # Hurried: what it does by itself is done several times, and none of it leaves a trace.
    agent = fleet.start("a", *fleet.activation(), *ca, "--heartbeat", "5", "--poll", "5")
    wait_for(lambda: fleet.log("a").count("an association ended") >= 2, 120)
    wait_for(lambda: not list((state / "jobs").iterdir()) and not list((state / "spool").iterdir()))
    files, written, before = idle.files(state), idle.written(agent.pid), calls()
    wait_for(lambda: all(now >= then + 3 for now, then in zip(calls(), before)), 120)
    assert idle.files(state) == files
    now_written = idle.written(agent.pid)
    kept = set(written) & set(now_written)
    assert agent.pid in kept and all(now_written[pid] == written[pid] for pid in kept)
    stop(agent)
    # At its own pace: what asked at the start goes, and one waits for messages.
    agent = fleet.start("a", *ca)
    most = None if os.environ.get("SONDE_SANITIZER") else 8000

    def is_idle():
        found = idle.memory(agent.pid)
        return [name for name, _ in found] == ["sonde", "sonde", "sonde-net"] and (
            most is None or sum(kib for _, kib in found) < most)
    wait_for(is_idle, 120)
    stop(agent)
    fleet.server.stop()


def test_agent__stops_at_the_switch_and_goes_on_without_it(scratch):
    fleet = Fleet(scratch)
    fleet.once("a", *fleet.activation(), "--stopped")
    instance = fleet.node()
    assert "Success" not in statuses(fleet, instance).values()
    (fleet.scratch / "a-state/stop").touch()
    fleet.once("a")
    assert "Success" not in statuses(fleet, instance).values()
    (fleet.scratch / "a-state/stop").unlink()
    fleet.once("a", code=None)
    assert statuses(fleet, instance)["AWS-GatherSoftwareInventory"] == "Success"
    fleet.server.stop()


def test_agent__uninstalling_removes_its_folder_only(scratch):
    fleet = Fleet(scratch)
    fleet.once("a", *fleet.activation(), code=None)
    done = subprocess.run([SONDE, "agent", "--state", str(fleet.scratch / "a-state"), "--uninstall"],
                          env=harness.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not (fleet.scratch / "a-state").exists() and (fleet.scratch / "a-root").exists()
    fleet.server.stop()


def test_agent__start_associations_once_is_heard(scratch):
    fleet = Fleet(scratch)
    fleet.once("a", *fleet.activation(), code=None)
    agent = fleet.start("a")
    wait_for(lambda: "server=" in fleet.log("a"))
    found = fleet.ssm.list_associations()["Associations"]
    one = next(one for one in found if one["Name"] == "AWS-GatherSoftwareInventory")["AssociationId"]
    runs = fleet.log("a").count("an association ended")
    fleet.ssm.start_associations_once(AssociationIds=[one])
    wait_for(lambda: fleet.log("a").count("an association ended") > runs)
    stop(agent)
    fleet.server.stop()


def associate(fleet, name, lines, **more):
    """A document of a script, associated with every host. Gives the association's id."""
    content = {**SHELL, "mainSteps": [{**SHELL["mainSteps"][0], "inputs": {"runCommand": lines}}]}
    fleet.ssm.create_document(Name=name, Content=json.dumps(content), DocumentType="Command")
    made = fleet.ssm.create_association(Name=name, AssociationName=name, Targets=[{"Key": "InstanceIds", "Values": ["*"]}],
                                        **more)
    return made["AssociationDescription"]["AssociationId"]


def test_agent__an_association_that_is_changed_while_it_runs_is_run_as_it_is_then(scratch):
    fleet = Fleet(scratch, enable=False)
    said, gate = fleet.scratch / "said", fleet.scratch / "gate"
    agent = fleet.start("a", *fleet.activation(), "--allow-documents")
    wait_for(lambda: fleet.nodes())
    one = associate(fleet, "Say", [f"echo {{{{ word }}}} >> {said}", f"while [ ! -e {gate} ]; do sleep 0.1; done"],
                    Parameters={"word": ["old"]}, ScheduleExpression="rate(1 day)")
    wait_for(said.exists)
    commands = fleet.log("a").count("a command ended")
    fleet.ssm.update_association(AssociationId=one, Parameters={"word": ["new"]}, ScheduleExpression="rate(2 days)")
    wait_for(lambda: fleet.log("a").count("a command ended") > commands)
    gate.touch()
    wait_for(lambda: said.read_text().splitlines()[-1] == "new")
    assert f"version=2 schedule=rate(2 days) association={one}" in fleet.log("a"), fleet.log("a")
    stop(agent)
    fleet.server.stop()


def test_agent__what_has_begun_since_it_was_asked_for_is_not_run_again(scratch):
    fleet = Fleet(scratch, enable=False)
    gate = fleet.scratch / "gate"
    agent = fleet.start("a", *fleet.activation(), "--allow-documents", "--poll", "5")
    instance = wait_for(lambda: fleet.nodes() and fleet.node())
    # A command that takes its time: what the server asks for meanwhile waits behind it.
    command = fleet.send(instance, "AWS-RunShellScript", Parameters={"commands": [
        f"touch {gate}.begun; while [ ! -e {gate} ]; do sleep 0.1; done"]})
    wait_for(pathlib.Path(f"{gate}.begun").exists)
    one = associate(fleet, "Say", ["echo once"])
    wait_for(lambda: fleet.log("a").count("an association ended") == 1)
    gate.touch()
    assert fleet.result(instance, command)["Status"] == "Success"
    wait_for(lambda: fleet.log("a").count("a command ended") == 2)
    stop(agent)
    assert fleet.log("a").count(f"an association runs document=Say association={one}") == 1, fleet.log("a")
    fleet.server.stop()


def test_agent__what_a_server_that_was_away_missed_arrives(scratch):
    fleet = Fleet(scratch)
    agent = fleet.start("a", *fleet.activation(), "--allow-documents")
    instance = wait_for(lambda: fleet.nodes() and fleet.node())
    gate = fleet.scratch / "gate"
    command = fleet.send(instance, "AWS-RunShellScript", Parameters={"commands": [
        f"touch {gate}.begun; while [ ! -e {gate} ]; do sleep 0.1; done; echo done"]})
    wait_for(pathlib.Path(f"{gate}.begun").exists)
    port = int(fleet.server.url.rsplit(":", 1)[1])
    fleet.server.kill()
    gate.touch()
    # Its reply, not what an association has to say at the same time.
    spool = fleet.scratch / "a-state/spool"
    wait_for(lambda: any(b"SendReply" in path.read_bytes() for path in spool.iterdir() if not path.name.startswith(".")))
    # Killed while the report waits: the next life delivers it.
    agent.kill()
    agent.wait(timeout=30)
    fleet.server.start(port=port)
    fleet.ssm = fleet.server.client("ssm", fleet.key)
    life = fleet.once("a", code=None)
    got = fleet.result(instance, command)
    assert got["Status"] == "Success" and got["StandardOutputContent"] == "done\n", got
    # Also what was being written as it was killed.
    left = [path.name for path in spool.iterdir()]
    assert not left, (left, life.stderr)
    fleet.server.stop()


def test_agent__killed_at_any_moment_it_leaves_no_half_state(scratch):
    fleet = Fleet(scratch)
    activation = fleet.activation(100)
    chance = random.Random(7)
    rounds = int(os.environ.get("SONDE_KILLS", "20"))
    root = make_root(fleet.scratch / "a-root")
    # Another shows how long a life takes from registering to its end: kills fall on every part of it, on any machine.
    began = time.monotonic()
    fleet.once("b", *activation, code=None)
    whole, killed = time.monotonic() - began, 0
    for i in range(rounds):
        harness.write(root / "var/lib/dpkg/status", STATUS.replace("1:1.2.13", f"1:1.2.{100 + i}"))
        agent = subprocess.Popen(fleet.command("a", "--once", *activation), stderr=subprocess.DEVNULL,
                                 env=harness.environment())
        if i % 2 == 0:  # there is something to do each second time
            associations = [one["AssociationId"] for one in fleet.ssm.list_associations()["Associations"]]
            fleet.ssm.start_associations_once(AssociationIds=associations)
        try:
            agent.wait(timeout=chance.uniform(0.01, whole * 0.8))
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait(timeout=30)
            killed += 1
    assert killed >= rounds / 4, killed
    associations = [one["AssociationId"] for one in fleet.ssm.list_associations()["Associations"]]
    fleet.ssm.start_associations_once(AssociationIds=associations)
    fleet.once("a", *activation, code=None)
    state = fleet.scratch / "a-state"
    own = json.loads((state / "registration.json").read_text())["InstanceId"]
    assert own in [one["InstanceId"] for one in fleet.nodes()]
    assert statuses(fleet, own)["AWS-GatherSoftwareInventory"] == "Success"
    # The last word is the right one, whatever was cut off before it.
    rows = fleet.ssm.list_inventory_entries(InstanceId=own, TypeName="AWS:Application")["Entries"]
    assert [one["Version"] for one in rows] == [f"1:1.2.{100 + rounds - 1}.dfsg-1"], rows
    assert not list((state / "jobs").iterdir()) and not list((state / "spool").iterdir())
    assert {path.name for path in state.iterdir()} <= {"owner", "registration.json", "key.pem", "jobs", "spool",
                                                      "next.pem"}, list(state.iterdir())
    fleet.server.stop()


def test_agent__finds_numpy_once_its_folder_is_named(scratch):
    """The story of deep inspection, in a mount namespace of its own: the plugin is where the document wants it."""
    wrap = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /opt && exec "$@"', "sh"]
    able = subprocess.run([*wrap, "true"], capture_output=True, check=False)
    if able.returncode != 0:
        raise harness.Skip("no mount namespace can be made here")
    fleet = Fleet(scratch, [NUMPY], deep=True)
    os.environ["SONDE_PLUGIN_LOG_DIR"] = str(fleet.scratch / "log")
    root = make_root(fleet.scratch / "a-root")
    metadata = "/srv/app/numpy-1.21.0.dist-info/METADATA"
    harness.write(root / metadata[1:], "Metadata-Version: 2.1\nName: numpy\nVersion: 1.21.0\n\n")
    (root / "opt/aws/inspector/var/output").mkdir(parents=True)
    fleet.once("a", *fleet.activation(), wrap=wrap)
    instance = fleet.node()
    assert set(statuses(fleet, instance).values()) == {"Success"}, statuses(fleet, instance)
    assert fleet.inspector.list_findings()["findings"] == []
    fleet.inspector.update_ec2_deep_inspection_configuration(packagePaths=["/srv/app"])
    found = fleet.ssm.list_associations()["Associations"]
    fleet.ssm.start_associations_once(AssociationIds=[one["AssociationId"] for one in found])
    fleet.once("a", wrap=wrap)
    findings = wait_for(lambda: fleet.inspector.list_findings()["findings"], 30)
    package = findings[0]["packageVulnerabilityDetails"]["vulnerablePackages"][0]
    assert package["name"] == "numpy" and package["filePath"] == metadata, package
    fleet.server.stop()


if __name__ == "__main__":
    harness.run(globals())
