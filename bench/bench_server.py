#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server under a simulated fleet, beside what bounds it on the same machine in the same run.

    bench_server.py SCRATCH [--hosts N] [--seconds S] [--runs N]

Needs SONDE, SONDE_SERVER, SONDE_FLEET_SIM and SONDE_BENCH_HTTP. Prints one JSON line per measurement:
- check-ins (two hashes) and changed inventories a second, over 64 connections, each durable before its reply; beside
  them a bare loop of write and fdatasync on the same disk, and the bare HTTP core;
- memory (proportional set size) per 1,000 hosts of 900 packages, one host in twenty with a set of its own, and all;
- from new data in place to the finding in a list; the first page of a list;
- 64 busy TLS connections beside 1,000 idle ones.
The load is made on the same processors as the answers.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/e2e/server")]
# pylint: disable=wrong-import-position
import harness
from fleets import TYPES, Caller, ecosystem_of, ready, record
from servers import Server

CONNECTIONS = 64


def say(name, unit, values, **more):
    values = sorted(values)
    print(json.dumps({"name": name, "unit": unit, "runs": len(values), "median": round(values[len(values) // 2], 3),
                      "p10": round(values[len(values) // 10], 3), "p90": round(values[len(values) * 9 // 10], 3), **more}),
          flush=True)


def pss_kib(server):
    """Proportional set size of the server, in KiB."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss")


def restarted(server):
    """Memory without what the heap kept from earlier work, and without the pages of the store that the look for damage
    leaves in SQLite's cache, which has a limit of its own."""
    server.stop()
    server.args = ["--no-check"]
    server.start()
    server.args = []
    server.get("/metrics")
    return pss_kib(server)


def cpu_s(server):
    """Processor time of the server so far."""
    words = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def bare_sync(scratch, seconds):
    """write and fdatasync, 4 KiB each, one after the other: what one commit for each reply could be at best."""
    n, begin = 0, time.monotonic()
    fd = os.open(scratch / "sync", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    while time.monotonic() - begin < seconds:
        os.write(fd, b"\0" * 4096)
        os.fdatasync(fd)
        n += 1
    os.close(fd)
    (scratch / "sync").unlink()
    return n / (time.monotonic() - begin)


def bare_http(scratch):
    """Requests a second of the HTTP core with a handler that does nothing."""
    program = os.environ.get("SONDE_BENCH_HTTP")
    if not program:
        return {}
    done = subprocess.run([program, str(scratch / "http"), "1", "20000"], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        row = json.loads(line) if line.startswith("{") else {}
        if row.get("name") == "http_post" and row["server"] == "sonde" and not row["tls"]:
            return {"bare_http_per_s": row["requests_per_s"]}
    return {}


def rates(name, unit, fleet, args, *words, **more):
    before = cpu_s(fleet.server)
    lines = [fleet.run("load", "--seconds", args.seconds, *words) for _ in range(args.runs)]
    used = (cpu_s(fleet.server) - before) / sum(line["requests"] for line in lines)
    bad = [line["errors"] for line in lines if line["errors"]]
    if bad:
        raise AssertionError(f"{name}: {bad}")
    say(name, unit, [line["per_s"] for line in lines], p50_us=sorted(line["p50_us"] for line in lines)[len(lines) // 2],
        p99_us=max(line["p99_us"] for line in lines), server_cpu_us=round(used * 1e6, 1), connections=CONNECTIONS, **more)


def measure_advisory(server, fleet, args):
    caller = Caller(server, fleet.key)
    row = caller.inventory(fleet.ids()[0], TYPES[1])[0][0]
    times, renewals = [], []
    for i in range(max(args.runs, 5)):
        one = record(2000 + i, ecosystem_of(TYPES[1], row), row["Name"])
        criteria = {"vulnerabilityId": [{"comparison": "EQUALS", "value": one["aliases"][0]}]}
        server.advise([one])
        placed = (server.data / "db" / "manifest.json").stat().st_mtime
        while not caller.inspector("/findings/list", filterCriteria=criteria, maxResults=1)["findings"]:
            time.sleep(0.002)
        times.append((time.time() - placed) * 1000)
        text = server.get("/metrics")
        renewals.append(int(text.split("\nsonde_fleet_renewal_microseconds ")[1].split()[0]) / 1000)
    n = len(caller.findings(filterCriteria=criteria))
    say("server_advisory", "ms from new data in place to the finding in a list (looked for once a second)", times,
        exchange_ms=round(sorted(renewals)[len(renewals) // 2], 3), affected_hosts=n)


def measure_page(server, fleet):
    caller = Caller(server, fleet.key)
    times, before = [], cpu_s(server)
    for _ in range(50):
        begin = time.monotonic()
        page = caller.inspector("/findings/list", maxResults=100, sortCriteria={"field": "SEVERITY", "sortOrder": "DESC"})
        times.append((time.monotonic() - begin) * 1000)
    used = cpu_s(server) - before
    text = server.get("/metrics")
    say("server_first_page", "ms, the client's own work included", times, server_cpu_ms=round(used * 1000 / 50, 2), findings_in_page=len(page["findings"]),
        matches=int(text.split("\nsonde_fleet_matches ")[1].split()[0]))


def advise_many(server, fleet):
    """Advisories of a tenth of the packages, so that there is something to list."""
    caller = Caller(server, fleet.key)
    rows = {(ecosystem_of(t, row), row["Name"]) for h in fleet.ids()[:20] for t in TYPES for row in caller.inventory(h, t)[0]}
    before = server.generation()
    server.advise([record(i, *place) for i, place in enumerate(sorted(rows)[::10])])
    server.wait_generation(before, 120)


def certificate(scratch):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", str(scratch / "key.pem"), "-out", str(scratch / "cert.pem")],
                   check=True, capture_output=True)
    return ["--tls-cert", str(scratch / "cert.pem"), "--tls-key", str(scratch / "key.pem")]


def run(args, scratch):
    server = Server(scratch, records=[record(0, "npm", "nobody-has-this")]).start()
    empty = restarted(server)
    fleet = ready(server, args.hosts, "alike", packages=(600, 300), connections=CONNECTIONS)
    alike = restarted(server)
    say("server_memory", "KiB (PSS) per 1,000 hosts of 900 packages", [(alike - empty) * 1000 / args.hosts],
        sets_pct=5, hosts=args.hosts, empty_kib=empty)
    few = max(args.hosts // 4, 1)
    ready(server, few, "distinct", packages=(600, 300), sets=few, seed=3, connections=CONNECTIONS)
    say("server_memory", "KiB (PSS) per 1,000 hosts of 900 packages", [(restarted(server) - alike) * 1000 / few],
        sets_pct=100, hosts=few)

    peers = bare_http(scratch)
    sync = bare_sync(scratch, args.seconds)
    rates("server_check_in", "check-ins/s, durable", fleet, args, bare_sync_per_s=round(sync, 1), **peers)
    sync = bare_sync(scratch, args.seconds)
    for kind in ("language", "os"):
        rates("server_changed_inventory", "changed inventories/s, durable", fleet, args, "--changes", 100, "--change", kind,
              rows=300 if kind == "language" else 600, bare_sync_per_s=round(sync, 1))
    advise_many(server, fleet)
    measure_advisory(server, fleet, args)
    measure_page(server, fleet)
    server.stop()

    server.args = certificate(scratch)
    server.start()
    rates("server_tls_busy", "check-ins/s over TLS", fleet, args, idle=0)
    rates("server_tls_busy", "check-ins/s over TLS beside idle connections", fleet, args, "--idle", 1000, idle=1000)
    server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    scratch = args.scratch / "server"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        run(args, scratch)
    except harness.Skip as skip:
        print(f"skipped: {skip}")
        return 77
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
