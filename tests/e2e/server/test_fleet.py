# SPDX-License-Identifier: Apache-2.0
"""Findings follow from stored inventories and the vulnerability data, whoever is silent: new advisories, pages, ARNs,
hosts that never change, exclusion."""
import collections
import os
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position
import clients
import harness
from fleets import TYPES, Caller, ecosystem_of, key_of, ready, record, slow_match, stored
from servers import Server

PAGED_HOSTS = int(os.environ.get("SONDE_PAGED_HOSTS", "170"))  # 120 findings each; the slow suite has 1,000 of them
NOBODY = record(0, "npm", "nobody-has-this")
# A feed that loses much of what it had is refused: one record of many may go.
OTHERS = [record(900 + i, "npm", f"nobody-has-{i}") for i in range(60)]


def pick(inventories, n, seed=4242):
    """Advisories about packages that some have: each fixed in a version that is there, so that some are affected."""
    versions = collections.defaultdict(set)
    for (_, type_name), rows in inventories.items():
        for row in rows:
            versions[ecosystem_of(type_name, row), row["Name"]].add(row["Version"])
    rng = random.Random(seed)
    chosen = rng.sample(sorted(place for place, found in versions.items() if len(found) > 1), n)
    return [record(1 + i, ecosystem, name, fixed=sorted(versions[ecosystem, name])[-1])
            for i, (ecosystem, name) in enumerate(chosen)]


def host_requests(server, since=0):
    """Lines of the access log, from a byte on, of requests that hosts make: Systems Manager's all go to "/"."""
    text = server.log.read_bytes()[since:].decode()
    return re.findall(r"^.*method=POST path=/ status=.*$", text, re.M)


def land(server, records):
    """New data, and wait until they count."""
    before = server.generation()
    server.advise(records)
    server.wait_generation(before)


def test_fleet__an_advisory_reaches_a_thousand_hosts_that_say_nothing(scratch):
    server = Server(scratch, records=[NOBODY], args=["--log", "debug"]).start()
    fleet = ready(server, 1000)
    caller = Caller(server, fleet.key)
    inventories = stored(caller, fleet.ids())
    assert len(inventories) == 2000 and all(inventories.values())
    assert len(host_requests(server)) >= 6000  # the log does tell of hosts
    assert not caller.findings()
    records = pick(inventories, 8)
    since = server.log.stat().st_size
    land(server, records)
    found = caller.findings(filterCriteria={"findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}]})
    assert not host_requests(server, since), host_requests(server, since)[:3]
    expected = slow_match(inventories, records)
    assert 1000 < len(expected) < 8000, len(expected)
    assert len(found) == len(expected)
    assert {key_of(finding) for finding in found} == expected
    server.stop()


def test_fleet__findings_are_paged_while_advisories_land(scratch):
    server = Server(scratch, records=[NOBODY]).start()
    fleet = ready(server, PAGED_HOSTS, sets=50)
    caller = Caller(server, fleet.key)
    some = stored(caller, fleet.ids()[:60])  # the sets come in turns: these have them all
    names = sorted({(ecosystem_of(type_name, row), row["Name"]) for (_, type_name), rows in some.items() for row in rows})
    records = [record(100 + 4 * i + k, *place) for i, place in enumerate(names) for k in range(4)]
    land(server, records)
    late = [record(5000 + i, *names[i]) for i in range(3)]

    def disturb():
        for one in late:
            land(server, [one])
    worker = threading.Thread(target=disturb)
    arns, pairs, n_pages = set(), collections.Counter(), 0
    for page in caller.pages("/findings/list", "findings", maxResults=100):
        n_pages += 1
        if n_pages == 50:
            worker.start()
        arns.update(finding["findingArn"] for finding in page)
        pairs.update(key_of(finding) for finding in page)
    worker.join()
    assert max(pairs.values()) == 1 and len(arns) == len(pairs)
    # Every host has one package at each of thirty places, with four advisories each, of the generation paged.
    assert len(pairs) == PAGED_HOSTS * 30 * 4 and n_pages == len(pairs) // 100, (len(pairs), n_pages)
    assert not {name for _, name in pairs} & {one["id"].split("-", 1)[1] for one in late}
    for one in late:
        name = one["id"].split("-", 1)[1]
        hosts = {host for host, _ in slow_match(some, [one])}
        now = caller.findings(filterCriteria={"vulnerabilityId": [{"comparison": "EQUALS", "value": name}]})
        assert hosts and hosts <= {key_of(finding)[0] for finding in now}
    server.stop()


def altered(arn, rng):
    at = rng.randrange(len(arn) - 32, len(arn))
    return arn[:at] + rng.choice([c for c in "0123456789abcdef" if c != arn[at]]) + arn[at + 1:]


def test_fleet__finding_arns_resolve_after_a_restart_and_altered_ones_do_not(scratch):
    server = Server(scratch, records=[NOBODY]).start()
    fleet = ready(server, 50)
    caller = Caller(server, fleet.key)
    inventories = stored(caller, fleet.ids())
    names = sorted({(ecosystem_of(type_name, row), row["Name"]) for (_, type_name), rows in inventories.items()
                    for row in rows})
    land(server, [record(1 + i, *place) for i, place in enumerate(names)])
    before = {finding["findingArn"]: finding for finding in caller.findings()}
    arns = sorted(before)[:1000]
    assert len(arns) == 1000
    server.stop()
    server.start()
    caller = Caller(server, fleet.key)
    rng = random.Random(7)
    for i in range(0, 1000, 10):
        ten = arns[i:i + 10]
        false = [altered(arn, rng) for arn in ten]
        criteria = {"findingArn": [{"comparison": "EQUALS", "value": arn} for arn in ten]}
        listed = caller.findings(filterCriteria=criteria)
        assert {f["findingArn"] for f in listed} == set(ten)
        assert all(key_of(f) == key_of(before[f["findingArn"]]) for f in listed)
        told = caller.inspector("/findings/details/batch/get", findingArns=ten)
        assert {detail["findingArn"] for detail in told["findingDetails"]} == set(ten), told
        told = caller.inspector("/findings/details/batch/get", findingArns=false)
        assert not told.get("findingDetails") and {e["findingArn"] for e in told["errors"]} == set(false), told
        criteria = {"findingArn": [{"comparison": "EQUALS", "value": arn} for arn in false]}
        assert not caller.findings(filterCriteria=criteria)
    server.stop()


def counted(server, name):
    return int(re.search(rf"^{name} (\d+)", server.get("/metrics"), re.M).group(1))


def by_status(caller, name):
    found = caller.findings(filterCriteria={"vulnerabilityId": [{"comparison": "EQUALS", "value": name}]})
    return {status: {f["findingArn"] for f in found if f["status"] == status} for status in ("ACTIVE", "CLOSED")}


def test_fleet__a_host_that_never_changes_gets_what_is_new_and_loses_what_is_withdrawn(scratch):
    server = Server(scratch, records=OTHERS).start()
    fleet = ready(server, 5, sets=5)
    caller = Caller(server, fleet.key)
    fleet.run("load", "--requests", 20)  # hashes alone
    n_content = counted(server, "sonde_fleet_reports_total") - counted(server, "sonde_fleet_reports_hash_only_total")
    row = caller.inventory(fleet.ids()[0], TYPES[0])[0][0]
    one = record(1, "Debian:12", row["Name"])
    name = one["upstream"][0]
    land(server, [one])
    first = by_status(caller, name)
    assert first["ACTIVE"] and not first["CLOSED"], first
    fleet.run("load", "--requests", 20)
    assert by_status(caller, name) == first
    land(server, [{**one, "withdrawn": "2026-11-02T00:00:00Z", "modified": "2026-11-02T00:00:00Z"}])
    assert by_status(caller, name) == {"ACTIVE": set(), "CLOSED": first["ACTIVE"]}
    land(server, [{**one, "modified": "2026-11-03T00:00:00Z"}])
    assert by_status(caller, name) == first
    assert n_content == (counted(server, "sonde_fleet_reports_total") -
                         counted(server, "sonde_fleet_reports_hash_only_total"))
    server.stop()


def of_host(caller, host):
    digits = "i-" + host.split("-")[1]
    return {f["findingArn"] for f in caller.findings(filterCriteria={
        "resourceId": [{"comparison": "EQUALS", "value": digits}],
        "findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}]})}


def coverage(caller, host):
    digits = "i-" + host.split("-")[1]
    found = [c for page in caller.pages("/coverage/list", "coveredResources") for c in page
             if c["resourceId"] == digits]
    return {(c["scanStatus"]["statusCode"], c["scanStatus"]["reason"]) for c in found}


def test_fleet__an_excluded_host_is_not_scanned_until_its_tag_goes(scratch):
    server = Server(scratch, records=[NOBODY], args=["--log", "debug"]).start()
    fleet = ready(server, 3, sets=3)
    caller = Caller(server, fleet.key)
    ec2 = server.client("ec2", fleet.key)
    hosts = fleet.ids()
    instance = "i-" + hosts[0].split("-")[1]
    rows = caller.inventory(hosts[0], TYPES[0])[0]
    land(server, [record(1 + i, "Debian:12", row["Name"]) for i, row in enumerate(rows[:5])])
    own, other = of_host(caller, hosts[0]), of_host(caller, hosts[1])
    assert len(own) == 5 and coverage(caller, hosts[0]) == {("ACTIVE", "SUCCESSFUL")}, coverage(caller, hosts[0])

    ec2.create_tags(Resources=[instance], Tags=[{"Key": "InspectorEc2Exclusion", "Value": ""}])
    assert coverage(caller, hosts[0]) == {("INACTIVE", "EXCLUDED_BY_TAG")}
    assert not of_host(caller, hosts[0]) and of_host(caller, hosts[1]) == other
    done = fleet.run("load", "--requests", 30, "--changes", 100)  # ten times each, every other a changed inventory
    assert not done["errors"], done
    assert coverage(caller, hosts[0]) == {("INACTIVE", "EXCLUDED_BY_TAG")} and not of_host(caller, hosts[0])
    land(server, [record(50, "Debian:12", rows[6]["Name"])])
    assert not of_host(caller, hosts[0])

    since = server.log.stat().st_size
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "InspectorEc2Exclusion"}])
    again = of_host(caller, hosts[0])
    requests = host_requests(server, since)
    assert len(requests) == 1, requests  # DeleteTags itself; none of a host
    assert own < again and len(again) == 6, (own, again)  # and what came to be known meanwhile
    assert coverage(caller, hosts[0]) == {("ACTIVE", "SUCCESSFUL")}
    server.stop()


def usage(caller):
    rows = caller.inspector("/usage/list")["totals"][0]["usage"]
    return next((row["total"] for row in rows if row["type"] == "EC2_INSTANCE_HOURS"), 0)


def wait_for_usage(caller, above):
    deadline = time.monotonic() + 60
    while usage(caller) <= above:
        assert time.monotonic() < deadline, usage(caller)
        time.sleep(0.05)


def test_fleet__usage_of_an_excluded_host_stands_still(scratch):
    server = Server(scratch, records=[NOBODY]).start()
    fleet = ready(server, 10)
    caller = Caller(server, fleet.key)
    resources = {f"ResourceId.{1 + i}": "i-" + host.split("-")[1] for i, host in enumerate(fleet.ids())}
    wait_for_usage(caller, 0)
    caller.ec2("CreateTags", **resources, **{"Tag.1.Key": "InspectorEc2Exclusion", "Tag.1.Value": "yes"})
    used = usage(caller)
    fleet.run("load", "--seconds", 2, "--rate", 20)
    assert usage(caller) == used
    caller.ec2("DeleteTags", **resources, **{"Tag.1.Key": "InspectorEc2Exclusion"})
    fleet.run("load", "--requests", 10)
    wait_for_usage(caller, used)
    server.stop()


def test_fleet__a_tag_that_a_host_reports_does_not_exclude_it(scratch):
    server = Server(scratch, records=[NOBODY]).start()
    fleet = ready(server, 1)
    host = fleet.hosts()[0]
    own = clients.client("ssm", server.url, host["key"], host["secret"], host["token"])
    for type_name in ("AWS:Tag", "Custom:Tags"):
        code = clients.error_code(own.put_inventory, InstanceId=host["id"], Items=[{
            "TypeName": type_name, "SchemaVersion": "1.0", "CaptureTime": "2026-11-01T00:00:00Z", "ContentHash": "1" * 32,
            "Content": [{"Key": "InspectorEc2Exclusion", "Value": "true"}]}])
        assert code is None or type_name == "AWS:Tag", code
    caller = Caller(server, fleet.key)
    assert coverage(caller, host["id"]) == {("ACTIVE", "SUCCESSFUL")}
    server.stop()


harness.run(globals())
