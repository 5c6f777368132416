#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an agent costs its host while it has nothing to do, beside a server of its own that speaks TLS.

    bench_agent.py SCRATCH [--minutes N]

Needs SONDE, SONDE_SERVER and sonde-net in $PATH. Prints one JSON line per measurement:
- memory: the proportional set sizes of all processes that it keeps, after what is due at the start has ended;
- the same where nobody else on the host uses any of the libraries, not even the C library: the most that it can be;
- wake-ups and turns on a processor per minute, with the times that it has by itself;
- bytes that its processes caused to be written to a disk, and files that changed in the state folder.
The agent believes the authorities of this system and the server's own, as one file: as large a list as there is.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/e2e/server"), str(ROOT / "bench")]
# pylint: disable=wrong-import-position
import idle
from bench_server import say
from test_agent import Fleet, stop, wait_for

QUIET_S = 30


def own_libraries(folder, programs):
    """Copies of all libraries of the programs, which then nobody else uses."""
    folder.mkdir()
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for path in re.findall(r"(?:=> )?(/\S+) \(0x", said):
            if not (folder / pathlib.Path(path).name).exists():
                shutil.copy(path, folder)
    folder.chmod(0o755)


def memory(agent):
    parts = [(idle.name_of(pid), idle.pss_kib(pid)) for pid in idle.tree(agent.pid)]
    return parts, sum(kib for _, kib in parts)


def is_quiet(agent, seconds):
    return idle.watch(agent.pid, seconds) == (0, 0)


def settle(fleet, name, agent):
    """Wait until what is due at the start is over and nothing has moved for a while."""
    wait_for(lambda: "an association ended" in fleet.log(name), 120)
    wait_for(lambda: is_quiet(agent, QUIET_S), 600)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=12)
    args = parser.parse_args()
    if not shutil.which("openssl") or not pathlib.Path("/proc/self/smaps_rollup").exists():
        print("skipped: openssl, or /proc/<pid>/smaps_rollup")
        return 77
    scratch = args.scratch / "agent"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    n = idle.certificate(scratch)
    os.environ["AWS_CA_BUNDLE"] = str(scratch / "tls.pem")
    fleet = Fleet(scratch, args=["--tls-cert", str(scratch / "tls.pem"), "--tls-key", str(scratch / "tls.key")])
    ca = ("--ca", str(scratch / "believed.pem"))
    own_libraries(scratch / "lib", [fleet.program, fleet.program.parent / "sonde-net"])
    for name, what, more in (("agent_idle_memory", "KiB, proportional", {}),
                             ("agent_idle_memory_alone", "KiB, no library shared with others",
                              {"LD_LIBRARY_PATH": str(scratch / "lib")})):
        agent = fleet.start(name, *fleet.activation(), *ca, env=more)
        settle(fleet, name, agent)
        parts, total = memory(agent)
        say(name, what, [total], processes={f"{part}-{i}": kib for i, (part, kib) in enumerate(parts)},
            authorities=n, tls=True)
        if more:
            stop(agent)
            continue
        written = idle.written(agent.pid)
        kept = set(written)
        files = idle.files(scratch / f"{name}-state")
        began = time.monotonic()
        wakes, turns = idle.watch(agent.pid, args.minutes * 60)
        minutes = (time.monotonic() - began) / 60
        now = set(idle.tree(agent.pid))
        changed = [path for path, at in idle.files(scratch / f"{name}-state").items() if files.get(path) != at]
        say("agent_idle_wakeups", "per minute", [wakes / minutes], minutes=round(minutes, 1), wakeups=wakes)
        say("agent_idle_turns", "turns on a processor per minute", [turns / minutes])
        say("agent_idle_writes", "bytes", [sum(idle.written_bytes(pid) - written[pid] for pid in kept & now)],
            files_changed=len(changed), processes_kept=len(kept & now))
        _, total = memory(agent)
        say("agent_idle_memory_later", "KiB, proportional, after those minutes", [total])
        stop(agent)
    fleet.server.stop()
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
