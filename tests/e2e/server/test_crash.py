# SPDX-License-Identifier: Apache-2.0
"""What the server acknowledged is there: after kill -9 at any moment, on a full disk, in a backup taken under load."""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position
import harness
from fleets import FLEET_SIM, TYPES, Caller, Fleet, digits, ecosystem_of, key_of, ready, record, slow_match, stored
from servers import SERVER, Server

FILTERS = 300  # what one account may have, and less than lists take long for
ROUNDS = int(os.environ.get("SONDE_ROUNDS", "50"))
NOBODY = record(0, "npm", "nobody-has-this")


class Writer:
    """Changes through the control plane, one after the other, until the server is gone. What was answered counts as
    acknowledged; the one under way when it died may have been taken or not."""

    def __init__(self, host):
        self.host = "i-" + digits(host)
        self.acknowledged = collections.defaultdict(dict)
        self.under_way = None
        self.n = 0
        self.thread = self.error = None

    def start(self, server, key):
        self.thread = threading.Thread(target=self.work, args=(Caller(server, key),))
        self.thread.start()

    def work(self, caller):
        try:
            while True:
                self.n += 1
                kind = ("filter", "parameter", "tag")[self.n % 3]
                if kind == "filter" and len(self.acknowledged[kind]) >= FILTERS:
                    kind = "parameter"
                name, value = f"{kind}-{self.n % 60}" if kind != "filter" else f"filter-{self.n}", str(self.n)
                self.under_way = kind, name, value
                if kind == "filter":
                    caller.inspector("/filters/create", name=name, action="NONE", filterCriteria={
                        "severity": [{"comparison": "EQUALS", "value": "LOW"}]})
                elif kind == "parameter":
                    caller.ssm("PutParameter", Name=name, Value=value, Type="String", Overwrite=True)
                else:
                    caller.ec2("CreateTags", **{"ResourceId.1": self.host, "Tag.1.Key": name, "Tag.1.Value": value})
                self.acknowledged[kind][name] = value
                self.under_way = None
        except (OSError, http.client.HTTPException):
            pass  # the server was killed
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def check(self, caller):
        """Everything acknowledged is there, and nothing that was never asked for."""
        self.thread.join()
        assert self.error is None, repr(self.error)
        filters = {f["name"]: f["name"].split("-")[1] for page in caller.pages("/filters/list", "filters", maxResults=100)
                   for f in page}
        tags = {t.findtext("key"): t.findtext("value") for t in caller.ec2("DescribeTags").iter("item")}
        parameters, names = {}, sorted(set(self.acknowledged["parameter"]) | (
            {self.under_way[1]} if self.under_way and self.under_way[0] == "parameter" else set()))
        for i in range(0, len(names), 10):
            parameters.update((p["Name"], p["Value"]) for p in caller.ssm("GetParameters", Names=names[i:i + 10])["Parameters"])
        for kind, found in (("filter", filters), ("tag", tags), ("parameter", parameters)):
            expected = self.acknowledged[kind]
            if found != expected:
                assert self.under_way and self.under_way[0] == kind, (kind, found, expected)
                expected[self.under_way[1]] = self.under_way[2]
                assert found == expected, (kind, found, expected, self.under_way)
        self.under_way = None


def shown(fleet):
    """(host, type) -> rows that the simulated hosts have, as acknowledged."""
    done = subprocess.run([FLEET_SIM, "--url", "http://127.0.0.1:1", "--mode", "show", *fleet.words], capture_output=True,
                          text=True, check=True, timeout=60)
    hosts = [json.loads(line) for line in done.stdout.splitlines()]
    return {(host["id"], type_name): host[type_name] for host in hosts for type_name in TYPES}


def sorted_rows(rows):
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def check_findings(caller, inventories, records, is_thorough=True):
    """Findings are what the slow matcher finds, each once, and the counts say the same; thoroughly: closed ones too
    are there once."""
    found = caller.findings(filterCriteria={"findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}]})
    pairs = collections.Counter(key_of(finding) for finding in found)
    expected = slow_match(inventories, records)
    assert set(pairs) == expected, (set(pairs) ^ expected)
    assert not pairs or max(pairs.values()) == 1, [pair for pair, n in pairs.items() if n > 1]
    assert len({finding["findingArn"] for finding in found}) == len(found)
    everything = [key_of(finding) for finding in caller.findings()] if is_thorough else []
    assert len(set(everything)) == len(everything), [p for p, n in collections.Counter(everything).items() if n > 1]
    rows = [row for page in caller.pages("/findings/aggregation/list", "responses", aggregationType="ACCOUNT")
            for row in page]
    assert sum(row["accountAggregation"]["severityCounts"]["all"] for row in rows) == len(found), (rows, len(found))
    return len(found)


def check_hosts(caller, fleet):
    """Nothing acknowledged is lost: by hash, by content, by capture time."""
    acknowledged = fleet.acknowledged()
    fleet.run("verify")
    inventories = {}
    for (host, type_name), rows in shown(fleet).items():
        there, captured = caller.inventory(host, type_name)
        assert sorted_rows(there) == sorted_rows(rows), (host, type_name)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(acknowledged[host, type_name][1]))
        assert captured >= at, (host, type_name, captured, at)
        inventories[host, type_name] = there
    return inventories


def advisories(inventories):
    """One of each fourth package, whatever its version; and fixed ones."""
    names = sorted({(ecosystem_of(type_name, row), row["Name"]) for (_, type_name), rows in inventories.items() for row in rows})
    first = [record(1 + i, *place) for i, place in enumerate(names[::4])]
    versions = {(ecosystem_of(type_name, row), row["Name"]): row["Version"]
                for (_, type_name), rows in inventories.items() for row in rows}
    return first + [record(500 + i, *place, fixed=versions[place]) for i, place in enumerate(names[1::4])]


def test_crash__what_was_acknowledged_survives_kills_at_any_moment(scratch):
    rng = random.Random(4242)
    server = Server(scratch, records=[NOBODY]).start()
    fleet = ready(server, 30, packages=(10, 6), connections=8)
    records = advisories(stored(Caller(server, fleet.key), fleet.ids()))
    before = server.generation()
    server.advise(records)
    server.wait_generation(before)
    writer = Writer(fleet.ids()[0])
    n_requests = n_found = 0
    for number in range(ROUNDS):
        load = fleet.start("load", "--seconds", 60, "--changes", 50, "--until-broken")
        writer.start(server, fleet.key)
        time.sleep(rng.uniform(0.01, 0.5))  # a moment, at random
        server.kill()
        done = Fleet.finish(load)
        assert not done["errors"] and done["broken"] > 0, (number, done)
        n_requests += done["requests"]
        server.start()
        caller = Caller(server, fleet.key)
        writer.check(caller)
        n_found += check_findings(caller, check_hosts(caller, fleet), records, number % 10 == 9)
    assert n_requests > 20 * ROUNDS and n_found > 0 and len(writer.acknowledged["filter"]) > ROUNDS / 2, n_requests
    print(f"{ROUNDS} kills, {n_requests} acknowledged reports, {writer.n} changes, {n_found // ROUNDS} findings each time")
    server.stop()


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A file system of its own, where we may mount one."""
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "sonde-small", str(folder)],
                          capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def put(server, key, name, value):
    """Status of a PutParameter."""
    status, answer = Caller(server, key).call("ssm", "/", {"X-Amz-Target": "AmazonSSM.PutParameter",
                                                           "Content-Type": "application/x-amz-json-1.1"}, {
        "Name": name, "Value": value, "Type": "String", "Overwrite": True})
    assert status in (200, 503), (status, answer)
    return status


def fill(path):
    """Take all space that there is."""
    with open(path, "wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    out.write(b"\0" * size)


def test_crash__a_full_disk_refuses_writes_serves_reads_and_recovers(scratch):
    with small_disk(scratch / "server", 48) as folder:
        if folder is None:
            raise harness.Skip("the right to mount a small file system")
        server = Server(scratch, records=[NOBODY]).start()
        try:
            fleet = ready(server, 10, packages=(10, 6))
            caller = Caller(server, fleet.key)
            records = advisories(stored(caller, fleet.ids()))
            before = server.generation()
            server.advise(records)
            server.wait_generation(before)
            n = check_findings(caller, check_hosts(caller, fleet), records)
            assert put(server, fleet.key, "kept", "1") == 200
            fill(folder / "filler")
            statuses, value = collections.Counter(), 1
            for i in range(2, 400):
                statuses[put(server, fleet.key, "kept", str(i))] += 1
                if not statuses[503]:
                    value = i
                if statuses[503] >= 20:
                    break
            assert statuses[503] >= 20, statuses  # the log's spare room may have taken some
            refused = fleet.run("load", "--requests", 200, "--changes", 100)
            assert sum(refused["errors"].values()) > 0, refused
            assert caller.ssm("GetParameter", Name="kept")["Parameter"]["Value"] == str(value)
            assert check_findings(caller, stored(caller, fleet.ids()), records) >= 0 and n > 0
            (folder / "filler").unlink()
            deadline = time.monotonic() + 60
            while put(server, fleet.key, "after", "1") != 200:
                assert time.monotonic() < deadline, server.tail()
                time.sleep(0.1)
            done = fleet.run("load", "--requests", 200, "--changes", 50)
            assert not done["errors"], done
            for again in range(2):
                caller = Caller(server, fleet.key)
                check_findings(caller, check_hosts(caller, fleet), records)
                assert caller.ssm("GetParameter", Name="kept")["Parameter"]["Value"] == str(value)
                if not again:
                    server.kill()
                    server.start()
        finally:
            server.kill()


def test_crash__a_file_size_limit_refuses_writes_and_loses_nothing(scratch):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, resource.RLIM_INFINITY))
    server = Server(scratch, records=[NOBODY]).start(preexec=limit)
    fleet = ready(server, 10, packages=(10, 6))
    for _ in range(200):
        done = fleet.run("load", "--requests", 1000, "--changes", 100)
        if done["errors"]:
            break
    assert done["errors"], "the limit was never reached"
    assert server.process.poll() is None, server.tail()
    statuses = {put(server, fleet.key, "more", str(i)) for i in range(5)}
    assert 503 in statuses, statuses
    caller = Caller(server, fleet.key)
    assert len(stored(caller, fleet.ids())) == 20
    server.kill()
    server.start()
    check_hosts(Caller(server, fleet.key), fleet)
    server.stop()


def test_crash__a_backup_taken_under_load_starts_elsewhere(scratch):
    server = Server(scratch, records=[NOBODY]).start()
    quiet = ready(server, 10, "quiet", packages=(10, 6))
    busy = ready(server, 20, "busy", packages=(10, 6), seed=2)
    records = advisories(stored(Caller(server, busy.key), busy.ids()))
    before = server.generation()
    server.advise(records)
    server.wait_generation(before)
    busy.run("load", "--requests", 200, "--changes", 50)
    earlier = busy.acknowledged()
    load = busy.start("load", "--seconds", 3, "--changes", 50)
    time.sleep(0.5)
    server.run_command("backup", str(scratch / "backup"))
    assert load.poll() is None  # it was taken while they wrote
    assert not Fleet.finish(load)["errors"]
    later = busy.acknowledged()
    server.stop()

    other = Server.__new__(Server)
    other.__dict__.update(server.__dict__)
    other.data, other.log = scratch / "elsewhere", scratch / "elsewhere.log"
    other.run_command("restore", str(scratch / "backup"))
    shutil.copytree(server.data / "db", other.data / "db")
    other.start()
    quiet.server = other
    check_hosts(Caller(other, quiet.key), quiet)
    caller = Caller(other, busy.key)
    inventories = {}
    for host in busy.ids():
        for type_name in TYPES:
            rows, captured = caller.inventory(host, type_name)
            times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(known[host, type_name][1])) for known in (earlier, later)]
            assert times[0] <= captured <= times[1], (host, captured, times)
            inventories[host, type_name] = rows
    assert check_findings(caller, inventories, records) > 0
    done = Fleet(other, busy.account, busy.key, 20, packages=(10, 6), seed=2).run("load", "--requests", 100, "--changes", 50)
    assert done["requests"] == 100, done
    other.stop()


def test_crash__a_second_server_on_a_folder_is_refused(scratch):
    server = Server(scratch).start()
    done = subprocess.run([SERVER, "run", "--data", str(server.data), "--listen", "127.0.0.1:0"], capture_output=True,
                          text=True, env=harness.environment(), timeout=60, check=False)
    assert done.returncode == 3 and not done.stdout, (done.returncode, done.stdout)
    sentence = done.stderr.strip().splitlines()[-1]
    assert "another" in sentence or "in use" in sentence or "already" in sentence, sentence
    place = urllib.parse.urlparse(server.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    server.stop()


harness.run(globals())
