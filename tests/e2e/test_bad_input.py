# SPDX-License-Identifier: Apache-2.0
"""Hostile and damaged input: a clear sentence or a ledger entry, the rest still scanned, no signal."""
import hashlib
import json
import os
import random
import re
import socket
import subprocess
import threading
import time
import zipfile

from harness import (SONDE, Skip, database, dpkg_package, environment, inventory, npm_package, os_release, osv, pip_package,
                     run, scan, sonde, tool, write)


def good_root(scratch):
    root = scratch / "root"
    os_release(root)
    pip_package(root / "usr/lib/python3/site-packages", "good", "1.0")
    return root


def reasons(report, path):
    return [e["reason"] for e in report["ledger"]["skipped"] if e["path"] == path]


def names(report):
    return sorted(p["name"] for p in report["packages"])


def test_bad_input__special_files_named_like_metadata(scratch):
    root = good_root(scratch)
    site = root / "usr/lib/python3/site-packages"
    for kind in ("fifo", "socket", "link", "folder", "device"):
        (site / f"{kind}-1.dist-info").mkdir()
    os.mkfifo(site / "fifo-1.dist-info/METADATA")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(site)  # a socket's path is short
        server.bind("socket-1.dist-info/METADATA")
    os.chdir("/")
    (site / "link-1.dist-info/METADATA").symlink_to("/etc/passwd")
    (site / "folder-1.dist-info/METADATA").mkdir()
    devices = os.geteuid() == 0
    if devices:
        os.mknod(site / "device-1.dist-info/METADATA", 0o600 | 0o020000, os.makedev(1, 5))
    report = inventory("--root", root)
    assert names(report) == ["good"]
    for kind in ["fifo", "socket", "link"] + ["device"] * devices:
        assert reasons(report, f"/usr/lib/python3/site-packages/{kind}-1.dist-info/METADATA"), kind


def test_bad_input__huge_metadata_and_long_versions(scratch):
    root = good_root(scratch)
    site = root / "usr/lib/python3/site-packages"
    sparse = write(site / "sparse-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: sparse\nVersion: 1.5\n\n")
    os.truncate(sparse, 1 << 30)
    noend = write(site / "noend-1.dist-info/METADATA", "X-Filler: " + "a" * 100)
    os.truncate(noend, 1 << 30)
    write(site / "long-1.dist-info/METADATA", f"Name: long\nVersion: {'1.' * 5000}0\n\n")
    report = inventory("--root", root, code=3)
    assert {"good", "sparse"} <= set(names(report)), names(report)
    assert "noend" not in names(report)
    assert reasons(report, "/usr/lib/python3/site-packages/noend-1.dist-info/METADATA")
    assert reasons(report, "/usr/lib/python3/site-packages/long-1.dist-info/METADATA") or any(
        p["name"] == "long" for p in report["packages"])


def test_bad_input__a_long_version_is_matched_or_told(scratch):
    root = good_root(scratch)
    npm_package(root / "usr/lib/node_modules", "long", "1." + "1" * 10000)
    db = database(scratch, [osv("GHSA-1111-2222-3333", "npm", "long", fixed="9.9.9")])
    report = scan("--root", root, "--db", db)
    told = [e for e in report["ledger"]["skipped"] if "node_modules/long/" in e["path"]]
    assert told or report["findings"], report["ledger"]


def test_bad_input__loops_vanishing_and_replaced_files(scratch):
    root = good_root(scratch)
    lib = root / "usr/lib"
    (lib / "loop").symlink_to("..")
    (lib / "self").symlink_to("self")
    stop = threading.Event()

    def churn():
        rng = random.Random(7)
        n = 0
        while not stop.is_set():
            n += 1
            metadata = pip_package(lib / f"churn/{n % 20}", f"c{n % 5}", f"1.{n}")
            if rng.random() < 0.5:
                os.truncate(metadata, rng.randrange(40))
            if rng.random() < 0.5:
                metadata.unlink()
            if rng.random() < 0.2:
                subprocess.run(["rm", "-rf", lib / f"churn/{n % 20}"], check=False)

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(15):
            report = inventory("--root", root)
            assert "good" in names(report)
            assert not any("signal" in e["reason"] for e in report["ledger"]["skipped"]), report["ledger"]
    finally:
        stop.set()
        worker.join()


def test_bad_input__names_that_are_not_utf8(scratch):
    root = good_root(scratch)
    site = os.fsencode(root / "usr/lib") + b"/\xff\xfe\x1b[31m"
    os.makedirs(site + b"/bad-1.dist-info")
    with open(site + b"/bad-1.dist-info/METADATA", "wb") as out:
        out.write(b"Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n\n")
    report = inventory("--root", root)
    assert len(report["packages"]) == 2, names(report)
    [odd] = [p for p in report["packages"] if p["name"] != "good"]
    import base64
    assert base64.b64decode(odd["path_base64"]).startswith(b"/usr/lib/\xff\xfe"), odd
    table = sonde("inventory", "--root", root).stdout
    assert "\x1b" not in table, "an escape sequence reached the terminal"


def test_bad_input__unreadable_folder_is_incomplete(scratch):
    if os.geteuid() != 0:
        raise Skip("root, to become somebody who may not read")
    root = good_root(scratch)
    secret = root / "usr/lib/secret"
    secret.mkdir(mode=0o700)
    for folder in (scratch, root):
        folder.chmod(0o755)

    def as_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    args = [SONDE, "inventory", "--format", "json", "--root", str(root)]
    done = subprocess.run(args, capture_output=True, text=True, preexec_fn=as_nobody, env=environment(), check=False)
    assert done.returncode == 3, (done.returncode, done.stderr)
    report = json.loads(done.stdout)
    assert names(report) == ["good"]
    assert reasons(report, "/usr/lib/secret")
    done = subprocess.run(args + ["--allow-incomplete"], capture_output=True, preexec_fn=as_nobody, env=environment(),
                          check=False)
    assert done.returncode == 0, done.returncode


def test_bad_input__damaged_package_json_and_dpkg(scratch):
    root = good_root(scratch)
    modules = root / "usr/lib/node_modules"
    npm_package(modules, "fine", "1.0.0")
    for name, text in {"cut": '{"name": "cut", "ver', "deep": "[" * 100000, "empty": "", "nul": '{"name":"nul\0"}',
                       "array": "[]", "bomb": '{"name":"bomb","version":{"a":1}}'}.items():
        write(modules / name / "package.json", text)
    write(root / "var/lib/dpkg/status", b"\0\xff\xfe garbage\nPackage\n: :\n\nPackage: real\nStatus: install ok installed\n"
                                        b"Architecture: all\nVersion: 1\n\n" + b"x" * 70000)
    report = inventory("--root", root)
    assert names(report) == ["fine", "good", "real"], names(report)
    for name in ("cut", "deep", "empty", "nul", "array", "bomb"):
        assert reasons(report, f"/usr/lib/node_modules/{name}/package.json"), name
    assert reasons(report, "/var/lib/dpkg/status")


def test_bad_input__file_lists_that_name_millions_of_metadata_paths(scratch):
    root = good_root(scratch)
    npm_package(root / "usr/lib/node_modules", "fine", "1.0.0")
    for n in range(8):
        dpkg_package(root, f"liar{n}", "1")
        write(root / f"var/lib/dpkg/info/liar{n}.list", "/package.json\n" * 300000)
    dpkg_package(root, "owner", "2", ["/usr/lib/node_modules/fine/package.json"])
    db = database(scratch, [osv("GHSA-good-good-good", "PyPI", "good", fixed="9"),
                            osv("GHSA-fine-fine-fine", "npm", "fine", fixed="9")])
    report = scan("--root", root, "--db", db)
    assert names(report) == ["fine", "good"] + [f"liar{n}" for n in range(8)] + ["owner"], names(report)
    assert [f["name"] for f in report["findings"]] == ["good"]
    assert [f["name"] for f in report["suppressed"]] == ["fine"]


def test_bad_input__file_lists_of_more_metadata_than_memory_holds(scratch):
    root = good_root(scratch)
    for n in range(8):
        dpkg_package(root, f"liar{n}", "1")
        write(root / f"var/lib/dpkg/info/liar{n}.list", "".join(f"/{n}/{i}/package.json\n" for i in range(300000)))
    db = database(scratch, [osv("GHSA-good-good-good", "PyPI", "good", fixed="9")])
    report = scan("--root", root, "--db", db, code=3)
    assert names(report) == ["good"] + [f"liar{n}" for n in range(8)], names(report)
    assert [f["name"] for f in report["findings"]] == ["good"]
    assert any("more metadata files than memory allows" in e["reason"] for e in report["ledger"]["skipped"])


def test_bad_input__a_lost_package_database_makes_the_scan_incomplete(scratch):
    root = good_root(scratch)
    write(root / "var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + b"\xff" * 5000)
    report = inventory("--root", root, code=3)
    assert names(report) == ["good"] and reasons(report, "/var/lib/rpm/rpmdb.sqlite"), report["ledger"]
    write(root / "var/lib/rpm/Packages.db", b"RpmP")
    (root / "var/lib/rpm/rpmdb.sqlite").unlink()
    report = inventory("--root", root, code=3)
    assert reasons(report, "/var/lib/rpm/Packages.db"), report["ledger"]


def test_bad_input__feeds_that_are_not_what_they_say(scratch):
    good = json.dumps(osv("GHSA-good-good-good", "npm", "thing", fixed="2.0.0"))
    folder = scratch / "osv/npm"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("GHSA-good-good-good.json", good)
        out.writestr("bad.json", '{"id": "GHSA-bad"')
        out.writestr("huge.json", random.Random(1).randbytes(17 << 20))
    args = ("--data", scratch / "data", "--db", scratch / "db")
    done = sonde("db", "import", *args, scratch / "osv")
    assert "osv/npm: 3 records, 1 used" in done.stdout, done.stdout
    assert "GHSA-good-good-good" in sonde("db", "show", *args, "GHSA-good-good-good").stdout

    # A cut zip is refused with a sentence; the old data stand.
    whole = (folder / "all.zip").read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        (folder / "all.zip").write_bytes(whole[:cut])
        done = sonde("db", "import", *args, scratch / "osv", code=3)
        assert "npm" in done.stderr and len(done.stderr.strip()) > 20, done.stderr
        assert "GHSA-good-good-good" in sonde("db", "show", *args, "GHSA-good-good-good").stdout


def test_bad_input__a_damaged_source_is_told_and_the_others_answer(scratch):
    root = good_root(scratch)
    npm_package(root / "usr/lib/node_modules", "fine", "1.0.0")
    for ecosystem, name in (("PyPI", "good"), ("npm", "fine")):
        for i in range(50):
            record = osv(f"GHSA-{ecosystem.lower()}-0000-{i:04d}", ecosystem, name if i == 0 else f"p{i}", fixed="2.0.0")
            write(scratch / "osv" / ecosystem / (record["id"] + ".json"), json.dumps(record))
    db = scratch / "db"
    sonde("db", "import", "-q", "--data", scratch / "data", "--db", db, scratch / "osv/PyPI", scratch / "osv/npm")

    def answer():
        """What is found, and the sources that the ledger calls left out; None for both without a report."""
        done = sonde("scan", "--root", root, "--db", db, "--format", "json", "-q", code=None)
        if not done.stdout:
            assert done.returncode == 3 and done.stderr.startswith("sonde: "), (done.returncode, done.stderr)
            return None, None
        report = json.loads(done.stdout)
        told = [e["reason"] for e in report["ledger"]["skipped"] if e["kind"] == "failure"]
        assert done.returncode == (3 if told else 0), (done.returncode, told)
        return sorted(f["id"] for f in report["findings"]), told

    right = ["GHSA-npm-0000-0000", "GHSA-pypi-0000-0000"]
    assert answer() == (right, [])
    rng = random.Random(11)
    seen = set()
    for file in sorted(db.iterdir()):
        bytes_ = file.read_bytes()
        if not bytes_:
            continue
        source = next((s for s in ("osv/PyPI", "osv/npm") if file.name.startswith(s.replace("/", "-"))), None)
        cases = [bytes_[:n] for n in (0, 1, len(bytes_) // 2, len(bytes_) - 1)]
        for _ in range(12):
            at = rng.randrange(len(bytes_))
            cases.append(bytes_[:at] + bytes([bytes_[at] ^ (1 << rng.randrange(8))]) + bytes_[at + 1:])
        for case in cases:
            file.write_bytes(case)
            found, told = answer()
            if file.name == "manifest.json":
                assert found is None, (file.name, found)
            elif source:
                other = [right[0] if source == "osv/PyPI" else right[1]]
                assert found == other and len(told) == 1 and source in told[0], (file.name, found, told)
            else:
                assert found == right, (file.name, found, told)
        file.write_bytes(bytes_)
        assert answer() == (right, [])
        seen.add(source or file.suffix)
    assert seen >= {"osv/PyPI", "osv/npm", ".json"}, seen
    sonde("db", "verify", "-q", "--db", db)


def test_bad_input__a_foreign_database_is_named(scratch):
    root = good_root(scratch)
    write(scratch / "notdb/manifest.json", '{"hello": "world"}')
    write(scratch / "nojson/manifest.json", b"\0\1\2")
    write(scratch / "nofolder", "x")
    (scratch / "empty").mkdir()
    (scratch / "fifo").mkdir()
    os.mkfifo(scratch / "fifo/manifest.json")
    made = database(scratch, [osv("GHSA-good-good-good", "PyPI", "good", fixed="9")]) / "manifest.json"
    text = made.read_text()
    write(scratch / "changed/manifest.json", text.replace("osv", "osw", 1))
    body, version, rest = re.fullmatch(r'(\{\n  "format": "[a-z.-]+/)(\d+)(.*,\n)  "digest": .*', text, re.S).groups()
    for folder, number in (("newer", int(version) + 1), ("older", int(version) - 1)):
        forged = f"{body}{number}{rest}"
        digest = hashlib.sha256(forged.encode()).hexdigest()
        write(scratch / folder / "manifest.json", f'{forged}  "digest": "{digest}"\n}}\n')
    foreign = "manifest.json: not the manifest of a vulnerability database"
    for folder, sentence in (("notdb", foreign), ("nojson", foreign), ("fifo", "manifest.json: not a regular file"),
                             ("missing", "no vulnerability data: run 'sonde db update'"),
                             ("empty", "no vulnerability data: run 'sonde db update'"),
                             ("nofolder", "cannot open the folder: Not a directory"),
                             ("changed", "damaged: its digest differs; build the database again"),
                             ("newer", f"made by a newer program (version {int(version) + 1}); update this one"),
                             ("older", "made by an older program: build it again")):
        done = subprocess.run([SONDE, "scan", "--root", root, "--db", scratch / folder], capture_output=True, text=True,
                              env=environment(), timeout=10, check=False)
        assert done.returncode == 3 and done.stdout == "", (folder, done)
        assert done.stderr.startswith(f"sonde: {scratch / folder}"), done.stderr
        assert sentence in done.stderr, done.stderr


def test_bad_input__a_full_disk_leaves_the_old_data(scratch):
    if os.geteuid() != 0:
        raise Skip("root, to mount a small filesystem")
    small = scratch / "small"
    small.mkdir()
    if subprocess.run([tool("mount"), "-t", "tmpfs", "-o", "size=3m", "none", small], check=False).returncode != 0:
        raise Skip("leave to mount a small filesystem")
    try:
        args = ("--data", small / "data", "--db", small / "db")
        write(scratch / "a/one.json", json.dumps(osv("GHSA-old-old-old", "npm", "old")))
        sonde("db", "import", "-q", *args, scratch / "a")
        rng = random.Random(3)
        for i in range(400):
            noise = "".join(chr(rng.randrange(32, 127)) for _ in range(20000))
            write(scratch / f"a/{i}.json", json.dumps(osv(f"GHSA-new-{i:04d}", "npm", f"p{i}", details=noise)))
        done = sonde("db", "import", *args, scratch / "a", code=3)
        assert "space" in done.stderr, done.stderr
        assert "GHSA-old-old-old" in sonde("db", "show", *args, "GHSA-old-old-old").stdout
        sonde("db", "verify", "-q", "--db", small / "db")
        left = [f for f in small.rglob("*") if f.is_file() and (".new" in f.name or ".tmp" in f.name)]
        assert not left, left
    finally:
        subprocess.run(["umount", "-l", small], check=False)


def test_bad_input__kill_9_while_building_leaves_a_database(scratch):
    feeds = [scratch / "a/osv", scratch / "b/osv"]
    for fixed, feed in enumerate(feeds):
        (feed / "npm").mkdir(parents=True)
        with zipfile.ZipFile(feed / "npm/all.zip", "w") as out:
            for i in range(6000):
                out.writestr(f"{i}.json", json.dumps(osv(f"GHSA-{i:04d}", "npm", f"p{i}", fixed=f"1.0.{fixed}")))
    args = ("--data", str(scratch / "data"), "--db", str(scratch / "db"))
    sonde("db", "import", "-q", *args, feeds[0])
    before = (scratch / "db/manifest.json").read_bytes()
    begun = time.monotonic()
    sonde("db", "import", "-q", *args, feeds[1])
    whole = time.monotonic() - begun
    rng = random.Random(5)
    n_killed = 0
    for turn in range(40):
        if n_killed >= 12:
            break
        child = subprocess.Popen([SONDE, "db", "import", "-q", *args, str(feeds[turn % 2])], env=environment(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert child.wait(timeout=rng.random() * whole) == 0
        except subprocess.TimeoutExpired:
            child.kill()
            n_killed += child.wait() == -9
        assert "GHSA-0042" in sonde("db", "show", *args, "GHSA-0042").stdout
    assert n_killed >= 3, f"only {n_killed} fell before the end"
    sonde("db", "import", "-q", *args, feeds[0])
    sonde("db", "verify", "-q", "--db", scratch / "db")
    assert (scratch / "db/manifest.json").read_bytes() == before, "the same input gives the same bytes"
    stale = [f.name for f in (scratch / "db").iterdir() if "new" in f.name or "tmp" in f.name]
    assert not stale, stale


def test_bad_input__a_fifo_as_configuration_is_named_and_not_waited_for(scratch):
    os.mkfifo(scratch / "sonde.conf")
    done = subprocess.run([SONDE, "config"], capture_output=True, text=True, timeout=10, check=False,
                          env=environment(SONDE_CONFIG=str(scratch / "sonde.conf")))
    assert done.returncode in (2, 3) and "sonde.conf" in done.stderr, done


if __name__ == "__main__":
    run(globals())
