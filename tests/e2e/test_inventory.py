# SPDX-License-Identifier: Apache-2.0
"""`sonde inventory` against what the native package managers list."""
import csv
import json
import os
import shutil
import subprocess

from harness import (SANITIZED, SONDE, Skip, database, environment, dpkg_package, inventory, npm_package, os_release, osv, pip_package, run, scan,
                     shared, sonde, tool, write)


def test_inventory__this_machine_equals_dpkg_query(_scratch):
    done = subprocess.run([tool("dpkg-query"), "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"],
                          capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    native = sorted(tuple(row[1:]) for row in rows if row[0][1] in "iWtUFH")
    report = inventory(code=None)
    ours = [p for p in report["packages"] if p["type"] == "deb"]
    # The architecture stands in the package URL.
    mine = sorted((p["name"], p["version"], p["purl"].split("arch=")[1].split("&")[0]) for p in ours)
    assert mine == native, (set(native) ^ set(mine))
    assert {p["path"] for p in ours} == {"/var/lib/dpkg/status"}


def test_inventory__every_rpm_sqlite_database_equals_rpm(scratch):
    compared = 0
    for folder in sorted(shared("fixtures", "rpm", "rpmdb").iterdir()):
        if not (folder / "rpmdb.sqlite").exists() or not (folder / "rpm-qa.tsv").exists():
            continue
        root = scratch / folder.name
        os_release(root, "fedora", "35", folder.name)
        place = root / "var/lib/rpm"
        place.mkdir(parents=True)
        for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, place / name)
        with open(folder / "rpm-qa.tsv", encoding="utf-8") as tsv:
            rows = list(csv.reader(tsv, delimiter="\t", quoting=csv.QUOTE_NONE))
        native = sorted((r[0], r[1].removeprefix("0:").removeprefix("(none):")) for r in rows
                        if r[0] != "gpg-pubkey" and not r[0].startswith("#"))
        ours = sorted((p["name"], p["version"]) for p in inventory("--root", root, code=None)["packages"]
                      if p["type"] == "rpm")
        assert ours == native, (folder.name, set(native) ^ set(ours))
        compared += 1
    assert compared >= 2, compared


def test_inventory__a_real_npm_install_equals_npm_query(scratch):
    npm = tool("npm")
    app = scratch / "root/opt/app"
    write(app / "package.json", json.dumps({"name": "an-app", "version": "1.0.0", "dependencies": {
        "express": "4.16.0", "lodash": "4.17.15", "webpack": "4.44.0", "eslint": "7.0.0", "mocha": "8.0.0"}}))
    done = subprocess.run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=app,
                          capture_output=True, text=True, timeout=420, check=False)
    if done.returncode != 0:
        raise Skip("a package registry for npm: " + (done.stderr.strip().splitlines() or ["?"])[-1])
    query = subprocess.run([npm, "query", "*"], cwd=app, capture_output=True, text=True, timeout=120, check=True)
    native = {(n["name"], n["version"], os.path.relpath(n["path"], scratch / "root")) for n in json.loads(query.stdout)}
    report = inventory("--root", scratch / "root", "/opt", code=None)
    ours = {(p["name"], p["version"], p["path"].removesuffix("/package.json").lstrip("/"))
            for p in report["packages"] if p["type"] == "npm"}
    assert len(native) >= 300, len(native)
    assert ours == native, (sorted(ours ^ native))
    # package.json files that are no package's root are told, not dropped.
    helpers = sum(1 for _ in app.rglob("package.json")) - len(ours)
    told = sum(e["count"] for e in report["ledger"]["skipped"] if e["path"].endswith("package.json"))
    assert told == helpers, (told, helpers)


def test_inventory__python_packages_of_dpkg_are_owned_and_suppressed(scratch):
    root = scratch / "root"
    os_release(root)
    site = root / "usr/lib/python3/dist-packages"
    metadata = pip_package(site, "numpy", "1.21.3")
    inside = "/" + str(metadata.relative_to(root))
    dpkg_package(root, "python3-numpy", "1:1.21.3-1", [inside])
    pip_package(root / "usr/local/lib/python3.11/dist-packages", "numpy", "1.21.3")
    db = database(scratch, [osv("GHSA-aaaa-bbbb-cccc", "PyPI", "numpy", fixed="1.22", aliases=["CVE-2099-1"])])
    report = scan("--root", root, "--db", db)
    packages = {p["path"]: p for p in report["packages"] if p["type"] == "pypi"}
    assert len(packages) == 2, packages
    assert packages[inside]["owner"] == "deb python3-numpy 1:1.21.3-1"
    [mine] = report["findings"]
    assert mine["path"].startswith("/usr/local/lib/"), mine
    [theirs] = report["suppressed"]
    assert theirs["path"] == inside and "python3-numpy" in theirs["reason"], theirs


def test_inventory__ownership_follows_merged_usr_and_links(scratch):
    root = scratch / "root"
    os_release(root)
    metadata = pip_package(root / "usr/lib/python3/dist-packages", "six", "1.16.0")
    (root / "lib").symlink_to("usr/lib")
    dpkg_package(root, "python3-six", "1.16.0-4",
                 ["/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA"])
    [six] = [p for p in inventory("--root", root)["packages"] if p["type"] == "pypi"]
    assert six["owner"] == "deb python3-six 1.16.0-4", six
    assert six["path"] == "/" + str(metadata.relative_to(root))


def test_inventory__ownership_by_a_real_rpm_database(scratch):
    folder = shared("fixtures", "rpm", "rpmdb")
    for db in sorted(folder.glob("*/rpmdb.sqlite")):
        root = scratch / db.parent.name
        os_release(root, "fedora", "35")
        (root / "var/lib/rpm").mkdir(parents=True)
        shutil.copy(db, root / "var/lib/rpm/rpmdb.sqlite")
        if shutil.which("rpm") is None:
            raise Skip("the tool rpm")
        files = subprocess.run(["rpm", "--dbpath", root / "var/lib/rpm", "-qa", "--list"], capture_output=True,
                               text=True, check=False).stdout.splitlines()
        owned = [f for f in files if f.endswith(".dist-info/METADATA") or f.endswith(".egg-info/PKG-INFO")]
        for path in owned:
            write(root / path.lstrip("/"), "Metadata-Version: 2.1\nName: thing\nVersion: 1\n\n")
        if owned:
            packages = [p for p in inventory("--root", root, "/usr", code=None)["packages"] if p["type"] == "pypi"]
            assert len(packages) == len(set(owned)), (len(packages), len(set(owned)))
            assert all(p["owner"] and p["owner"].startswith("rpm ") for p in packages), packages
            return
    raise Skip("an rpm database of the reference data that owns Python metadata")


def test_inventory__threads_never_change_the_result(scratch):
    root = scratch / "root"
    os_release(root)
    for i in range(200):
        pip_package(root / f"usr/lib/{i % 7}/{i}/site-packages", f"p{i}", "1.0")
        npm_package(root / f"usr/lib/{i % 5}/{i}/node_modules", f"@s/n{i}", "1.0.0")
    dpkg_package(root, "zlib1g", "1:1.2.13", arch="amd64", source="zlib")
    results = set()
    for threads in (1, 2, 8):
        report = inventory("--root", root, "--threads", threads)
        assert len(report["packages"]) == 401
        report["ledger"].pop("elapsed_ms", None)
        results.add(json.dumps([report["packages"], report["ledger"]]))
    assert len(results) == 1


def test_inventory__another_roots_database_is_pointed_at(scratch):
    root = scratch / "root"
    os_release(root)
    dpkg_package(root, "bash", "5.2-1")
    dpkg_package(root / "srv/jail", "bash", "4.0-1")
    report = inventory("--root", root, "/")
    assert [p["version"] for p in report["packages"]] == ["5.2-1"]
    [entry] = [e for e in report["ledger"]["skipped"] if e["path"] == "/srv/jail/var/lib/dpkg/status"]
    assert "--root" in entry["reason"]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as text:
        return dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)


def test_inventory__parsers_run_without_privileges(scratch):
    if os.geteuid() != 0:
        raise Skip("root, which the parsers give up")
    root = scratch / "root"
    os_release(root)
    for i in range(3000):
        npm_package(root / "usr/lib/node_modules", f"n{i}", "1.0.0")
    seen = []
    for _ in range(20):
        with subprocess.Popen([SONDE, "inventory", "-q", "--root", str(root), "-f", "json"], env=environment(),
                              stdout=subprocess.DEVNULL) as child:
            while child.poll() is None:
                try:
                    with open(f"/proc/{child.pid}/task/{child.pid}/children", encoding="utf-8") as pids:
                        for pid in pids.read().split():
                            seen.append(status_of(pid))
                except (FileNotFoundError, ProcessLookupError):
                    pass
        ready = [s for s in seen if s.get("NoNewPrivs") == "1" and s.get("Uid", "").split()[:3] == ["65534"] * 3]
        if ready and (SANITIZED or any(s["Seccomp"] == "2" for s in ready)):
            assert all(int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0 for s in ready), ready[-1]
            return
    raise AssertionError(seen[-3:])


def test_inventory__os_release_matters_to_os_packages_only(scratch):
    root = scratch / "root"
    npm_package(root / "usr/lib/node_modules", "lodash", "4.17.15")
    report = inventory("--root", root)
    assert any(e["path"] == "/etc/os-release" for e in report["ledger"]["skipped"])
    dpkg_package(root, "bash", "5")
    inventory("--root", root, code=3)


def test_inventory__table_lists_paths(scratch):
    root = scratch / "root"
    os_release(root)
    npm_package(root / "usr/lib/node_modules", "lodash", "4.17.15")
    text = sonde("inventory", "--root", root).stdout
    assert "lodash" in text and "/usr/lib/node_modules/lodash/package.json" in text, text


if __name__ == "__main__":
    run(globals())
