# SPDX-License-Identifier: Apache-2.0
"""The six experiments on METADATA of a published article about deep inspection, with --detection strict:
on a tree made as pip makes it, and on a real pip install."""
import pathlib
import re
import subprocess
import sys

from harness import Skip, os_release, pack_database, pip_package, run, scan

SITE = "home/ssm-user/.local/lib/python3.9/site-packages"
NOT_AFFECTED = {"CVE-2021-33430", "CVE-2021-41495", "CVE-2021-41496"}


def numpy_findings(root, db, *args):
    """The findings about numpy, after a check that packages and findings agree."""
    report = scan("--root", root, "--db", db, "--detection", "strict", *args, code=None)
    packages = {(p["version"], p["path"]) for p in report["packages"] if p["name"] == "numpy"}
    found = [f for f in report["findings"] if f["name"] == "numpy"]
    assert {(f["version"], f["path"]) for f in found} <= packages
    assert bool(found) == bool(packages), (found, packages)
    return found


def check_affected(found, version, path):
    """CVE-2021-34141 through one GHSA record alone, and none of the three that other ranges exclude."""
    ids = [f["id"] for f in found]
    assert ids.count("CVE-2021-34141") == 1, ids
    assert not NOT_AFFECTED & set(ids), ids
    finding = found[ids.index("CVE-2021-34141")]
    assert finding["version"] == version and finding["path"] == path, finding
    assert [r["advisory"] for r in finding["why"]["reasons"]] == ["GHSA-fpfv-jqm9-f5jm"], finding["why"]
    assert finding["fixed_in"] == "1.22", finding
    assert finding["purl"] == f"pkg:pypi/numpy@{version}", finding["purl"]


def experiments(root, db, metadata):
    """`metadata`: the file below root, of numpy 1.21.3. Each change is undone before the next."""
    path = "/" + str(metadata.relative_to(root))
    home = ("--path", "/home/ssm-user")
    text = metadata.read_text(encoding="utf-8")

    assert not numpy_findings(root, db), "1: the root is not scanned, so nothing is found"
    check_affected(numpy_findings(root, db, *home), "1.21.3", path)  # 2

    renamed = metadata.rename(metadata.with_name("METADATAtest"))
    assert not numpy_findings(root, db, *home), "2-2: another file name"
    renamed.rename(metadata)

    up = metadata.rename(metadata.parent.parent / "METADATA")
    assert not numpy_findings(root, db, *home), "2-3: not below a dist-info folder"
    up.rename(metadata)

    (root / "tmp").mkdir(exist_ok=True)
    away = metadata.rename(root / "tmp" / "METADATA")
    assert not numpy_findings(root, db, *home, "--path", "/tmp"), "2-4: moved away"
    away.rename(metadata)

    metadata.write_text(re.sub(r"(?m)^Version: .*$", "Version: 1.21.0", text, count=1), encoding="utf-8")
    check_affected(numpy_findings(root, db, *home), "1.21.0", path)  # 2-5
    metadata.write_text(text, encoding="utf-8")
    check_affected(numpy_findings(root, db, *home), "1.21.3", path)


def test_experiments__on_a_tree_made_as_pip_makes_it(scratch):
    db = pack_database(scratch, "osv/PyPI")
    root = scratch / "root"
    os_release(root)
    (root / "usr/lib").mkdir(parents=True)
    experiments(root, db, pip_package(root / SITE, "numpy", "1.21.3"))


def test_experiments__on_a_real_pip_install(scratch):
    db = pack_database(scratch, "osv/PyPI")
    root = scratch / "root"
    os_release(root)
    site = root / SITE
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", site, "--no-deps",
                           "--disable-pip-version-check", "--ignore-requires-python", "--only-binary=:all:", "--python-version", "3.9",
                           "--platform", "manylinux2014_x86_64", "numpy==1.21.3"],
                          capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        raise Skip("a package index with numpy 1.21.3: " + (done.stderr.strip().splitlines() or ["no pip"])[-1])
    [metadata] = list(pathlib.Path(site).glob("numpy-1.21.3.dist-info/METADATA"))
    experiments(root, db, metadata)


if __name__ == "__main__":
    run(globals())
