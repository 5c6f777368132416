# SPDX-License-Identifier: Apache-2.0
"""sonde db: the whole of the reference feeds, twice; update from a loopback server in production's layout."""
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.request
import zipfile

from harness import Skip, database, os_release, osv, pip_package, run, scan, shared, sonde

SERVER = pathlib.Path(__file__).resolve().parent.parent / "net" / "feed_server.py"


def digest_of(folder):
    """One digest of the names and bytes of a database's files."""
    whole = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in (".sqlite", ".json"):
            whole.update(file.name.encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


def records_in(*folders):
    return sum(len(zipfile.ZipFile(z).namelist()) for f in folders for z in f.glob("*/all.zip"))


def test_db__all_reference_feeds_import_and_give_the_same_bytes_twice(scratch):
    folders = [shared("feeds", "osv"), shared("feeds", "osv-derived")]
    digests = []
    for turn, threads in (("a", 1), ("b", 2)):
        done = sonde("db", "import", "--data", scratch / turn, "--db", scratch / turn / "db", "--threads", threads,
                     *folders, shared("feeds", "epss"), shared("feeds", "kev"))
        rows = re.findall(r"^(osv[^:]*): (\d+) records, (\d+) used(.*)$", done.stdout, re.M)
        for name, total, used, rest in rows:
            others = [int(n) for n in re.findall(r", (\d+) ", rest)]
            assert int(used) + sum(others) == int(total), (name, total, used, rest)
        assert sum(int(r[1]) for r in rows) == records_in(*folders)
        assert len(rows) == sum(len(list(f.glob("*/all.zip"))) for f in folders)
        assert "other" not in done.stdout.lower()
        digests.append(digest_of(scratch / turn / "db"))
    assert digests[0] == digests[1]
    sonde("db", "verify", "-q", "--db", scratch / "a/db")
    status = json.loads(sonde("db", "status", "--format", "json", "--db", scratch / "a/db").stdout)
    assert {"epss", "kev", "osv/PyPI", "osv-derived/Debian"} <= {s["name"] for s in status["sources"]}
    shown = sonde("db", "show", "CVE-2021-34141", "--db", scratch / "a/db").stdout
    assert "PYSEC-2021-855" in shown and "GHSA-fpfv-jqm9-f5jm" in shown and "EPSS" in shown, shown
    assert "GHSA-fpfv-jqm9-f5jm" in sonde("db", "show", "pkg:pypi/numpy", "--db", scratch / "a/db").stdout


def test_db__an_older_kev_issue_never_replaces_a_newer_one(scratch):
    args = ("--data", scratch / "data", "--db", scratch / "db")
    sonde("db", "import", "-q", *args, shared("feeds", "kev"))
    before = json.loads(sonde("db", "status", "--format", "json", *args[2:]).stdout)
    sonde("db", "import", "-v", *args, shared("feeds", "kev", "2025-08-25"))
    after = json.loads(sonde("db", "status", "--format", "json", *args[2:]).stdout)
    assert before["sources"] == after["sources"]


def test_db__traps_of_the_osv_format(scratch):
    root = scratch / "root"
    os_release(root, "alpine", "3.18", "Alpine 3.18")
    pip_package(root / "usr/lib/python3/site-packages", "thing", "1.5")
    def record(n, affected, **more):
        return {"id": f"GHSA-trap-0000-{n:04d}", "modified": "0001-01-01T00:00:00Z", "affected": affected, **more}
    def about(**more):
        return {"package": {"ecosystem": "PyPI", "name": "Thing"}, **more}
    def span(*events, kind="ECOSYSTEM"):
        return {"type": kind, "events": list(events)}
    yes = [
        record(1, [about(versions=["1.4", "1.5"])]),
        record(2, [about(ranges=[span({"fixed": "1.6"}, {"introduced": "1.0"})])]),
        record(3, [about(ranges=[span({"introduced": "0"}, {"fixed": "0.5"}, {"introduced": "1.5"}, {"last_affected": "1.5.0"})])]),
        record(4, [about(ranges=[span({"introduced": "3.0"}), span({"introduced": "0"}, {"fixed": "2"})])]),
        record(5, [about(ranges=[span({"introduced": "0"}, {"fixed": "abc"}, kind="GIT"), span({"introduced": "1.5"})])]),
    ]
    no = [
        record(11, [about(ranges=[span({"introduced": "0"}, {"fixed": "1.5"})])]),
        record(12, [about(ranges=[span({"introduced": "0"})])], withdrawn="2024-01-01T00:00:00Z"),
        record(13, [about(ranges=[span({"introduced": "0"}, {"last_affected": "1.4"})])]),
        record(14, [{"package": {"ecosystem": "Alpine", "name": "thing"}, "ranges": [span({"introduced": "0"})]}]),
        record(15, [about(versions=["1.50"])]),
    ]
    report = scan("--root", root, "--db", database(scratch, yes + no))
    assert sorted(f["id"] for f in report["findings"]) == [r["id"] for r in yes]


def test_db__two_sources_about_one_cve_are_one_finding(scratch):
    root = scratch / "root"
    os_release(root)
    pip_package(root / "usr/lib/python3/site-packages", "thing", "1.5")
    report = scan("--root", root, "--db", database(scratch, [
        osv("PYSEC-2099-1", "PyPI", "thing", fixed="1.2", aliases=["CVE-2099-0007"]),
        osv("GHSA-wide-wide-wide", "PyPI", "thing", fixed="1.9", aliases=["CVE-2099-0007"]),
        osv("PYSEC-2099-2", "PyPI", "thing", fixed="1.8", aliases=["GHSA-wide-wide-wide"])]))
    [finding] = report["findings"]
    assert finding["id"] == "CVE-2099-0007" and finding["fixed_in"] == "1.9", finding
    assert [r["advisory"] for r in finding["why"]["reasons"]] == ["GHSA-wide-wide-wide", "PYSEC-2099-2"], finding["why"]


def test_db__a_fix_that_another_record_calls_affected_is_partial(scratch):
    root = scratch / "root"
    os_release(root)
    pip_package(root / "usr/lib/python3/site-packages", "thing", "1.5")
    pip_package(root / "usr/lib/python3/site-packages", "other", "1.5")
    lists = osv("PYSEC-2099-9", "PyPI", "other", aliases=["CVE-2099-0009"])
    lists["affected"][0].update(ranges=[], versions=["1.4", "1.5"])
    here = ("--root", root, "--db", database(scratch, [
        osv("GHSA-ends-ends-ends", "PyPI", "thing", fixed="1.9", aliases=["CVE-2099-0008"]),
        osv("PYSEC-2099-8", "PyPI", "thing", aliases=["CVE-2099-0008"]),
        osv("GHSA-also-also-also", "PyPI", "other", fixed="1.6", aliases=["CVE-2099-0009"]), lists]))
    partial, fixed = sorted(scan(*here)["findings"], key=lambda f: f["id"])
    assert (partial["fixed_in"], partial["fix_state"]) == ("1.9", "partial"), partial
    assert [(r["advisory"], r["affects_fix"]) for r in partial["why"]["reasons"]] == [
        ("GHSA-ends-ends-ends", False), ("PYSEC-2099-8", True)], partial["why"]
    assert (fixed["fixed_in"], fixed["fix_state"]) == ("1.6", "fixed") and len(fixed["why"]["reasons"]) == 2, fixed
    assert [f["id"] for f in scan(*here, "--only-fixed")["findings"]] == ["CVE-2099-0009"]
    assert "1.9 (partial)" in sonde("scan", *here, "-q").stdout


class Server:
    """The loopback server, for the length of a with block."""

    def __init__(self, *args):
        self.args = [sys.executable, str(SERVER), *map(str, args)]

    def __enter__(self):
        self.child = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = "http://127.0.0.1:" + re.search(r"\d+", self.child.stdout.readline()).group()
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()


def test_db__update_from_a_server_in_productions_layout(scratch):
    args = ("--data", scratch / "data", "--db", scratch / "db")
    only = ("--ecosystems", "PyPI", "--ecosystems", "npm")
    with Server("--feeds", shared("feeds")) as server:
        done = sonde("db", "update", *args, *only, "--mirror", server.url)
        assert "osv/PyPI" in done.stdout and "kev" in done.stdout and "epss" in done.stdout, done.stdout
        first = digest_of(scratch / "db")
        assert "nothing has changed" in sonde("db", "update", *args, *only, "--mirror", server.url).stderr
        # A killed update is finished by the next, though nothing is new on the network.
        (scratch / "data/fetched/.dirty").write_text("")
        for file in (scratch / "db").iterdir():
            file.unlink()
        sonde("db", "update", *args, *only, "--mirror", server.url)
        assert digest_of(scratch / "db") == first
        assert not (scratch / "data/fetched/.dirty").exists()
    # The server is gone: a sentence, and the old data stand.
    done = sonde("db", "update", *args, *only, "--mirror", server.url, code=3)
    assert "127.0.0.1" in done.stderr and "old data stand" in done.stderr, done.stderr
    assert digest_of(scratch / "db") == first


if __name__ == "__main__":
    run(globals())
