# SPDX-License-Identifier: Apache-2.0
"""What an agent keeps while it has nothing to do: its processes, their memory, how often they wake, what they write."""
import os
import pathlib
import subprocess
import time

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def certificate(folder):
    """A certificate for 127.0.0.1, and one list of it and of all that this system believes."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.pem"), "-days", "2", "-subj", "/CN=own",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    text = (folder / "tls.pem").read_text()
    system = next((pathlib.Path(path) for path in BUNDLES if pathlib.Path(path).exists()), None)
    (folder / "believed.pem").write_text((system.read_text() if system else "") + text)
    return (folder / "believed.pem").read_text().count("BEGIN CERTIFICATE")


def tree(pid):
    """A process and all below it."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass
    return found


def fields(path):
    """The "Name: number ..." lines of a file of /proc."""
    rows = {}
    for line in pathlib.Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            rows[name] = int(words[0])
    return rows


def name_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def pss_kib(pid):
    """Proportional memory of one process, in KiB."""
    return fields(f"/proc/{pid}/smaps_rollup")["Pss"]


def memory(pid):
    """Name and proportional memory of each process of a tree; nothing when one of them ended meanwhile."""
    try:
        return sorted((name_of(one), pss_kib(one)) for one in tree(pid))
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return []


def written_bytes(pid):
    """What a process caused to be sent to a disk, so far."""
    return fields(f"/proc/{pid}/io")["write_bytes"]


def written(pid):
    """The same for each process of a tree. Readers come and go: one that has ended meanwhile is left out."""
    found = {}
    for one in tree(pid):
        try:
            found[one] = written_bytes(one)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def runs(pid):
    """How often the threads of a process were given a processor, so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[2])
    return total


def files(folder):
    """Each file and folder below one, with when it was last changed, and how large it is."""
    seen = {}
    for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
        try:
            at = path.lstat()
            seen[str(path)] = (at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino)
        except OSError:
            pass
    return seen


def watch(pid, seconds, look_s=0.25, quiet_s=1.0):
    """
    Look at an agent for a while. Gives how often it woke: a wake-up is a moment at which any of its processes ran, or
    one came or went, after `quiet_s` in which none did; and how often any was given a processor in all.
    """
    before, last, wakes, switches = None, 0.0, 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = {}
        for one in tree(pid):
            try:
                now[one] = runs(one)
            except OSError:
                pass
        if before is not None and now != before:
            switches += sum(max(0, n - before.get(one, 0)) for one, n in now.items())
            if time.monotonic() - last > quiet_s:
                wakes += 1
            last = time.monotonic()
        before = now
        time.sleep(look_s)
    return wakes, switches
