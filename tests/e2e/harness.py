# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the program under test, scratch folders, host trees, skips.

A test file defines functions named test_*; run(globals()) calls each with a fresh scratch folder, prints a line
per test and ends with the counts. Skips are named. Exit status: 1 when a test failed, 77 when all were skipped.
"""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

SONDE = os.environ.get("SONDE", "sonde")
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
SHARED = pathlib.Path(os.environ.get("SONDE_SHARED", "/nonexistent"))


class Skip(Exception):
    """Raised with what is missing."""


def shared(*parts):
    """A path in the reference data, or a skip."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        raise Skip("reference data " + "/".join(parts))
    return path


def tool(name):
    """The path of an installed tool, or a skip."""
    path = shutil.which(name)
    if not path:
        raise Skip("the tool " + name)
    return path


def environment(**more):
    """An environment without the user's own settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SONDE_") or k in ("SONDE_SHARED",)}
    for name in [n for n in env if n.lower().endswith("_proxy")]:
        del env[name]
    env["SONDE_CONFIG"] = "/dev/null"
    env.update(more)
    return env


def sonde(*args, code=0, env=None, **kwargs):
    """Run sonde; fail unless it ends with `code` (None: any). Gives the finished process, text captured."""
    done = subprocess.run([SONDE, *map(str, args)], capture_output=True, text=True, errors="surrogateescape",
                          env=env or environment(), timeout=300, check=False, **kwargs)
    if done.returncode < 0 or (code is not None and done.returncode != code):
        raise AssertionError(f"sonde {' '.join(map(str, args))}: exit {done.returncode}, expected {code}\n"
                             f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def scan(*args, code=0, **kwargs):
    """A scan's JSON report."""
    return json.loads(sonde("scan", "--format", "json", "-q", *args, code=code, **kwargs).stdout)


def inventory(*args, code=0, **kwargs):
    """An inventory's JSON report."""
    return json.loads(sonde("inventory", "--format", "json", "-q", *args, code=code, **kwargs).stdout)


def write(path, text="", mode=0o644):
    """Write a file and its folders."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text)
    path.chmod(mode)
    return path


def os_release(root, os_id="debian", version="12", name="Debian GNU/Linux 12 (bookworm)"):
    """Make a folder the root of a host."""
    write(root / "etc/os-release", f'ID={os_id}\nVERSION_ID="{version}"\nPRETTY_NAME="{name}"\n')


def pip_package(site, name, version, code="x = 1\n"):
    """Lay a package down as pip does: code, METADATA, WHEEL, INSTALLER, RECORD with digests."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                            f"Summary: made for a test\n\nA description.\nVersion: 99\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/INSTALLER": "pip\n",
        f"{info}/top_level.txt": name + "\n",
    }
    record = ""
    for path, text in files.items():
        write(site / path, text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    write(site / info / "RECORD", record + f"{info}/RECORD,,\n")
    return site / info / "METADATA"


def npm_package(modules, name, version, **more):
    """Lay a package down as npm does."""
    return write(modules / name / "package.json", json.dumps({"name": name, "version": version, **more}))


def dpkg_package(root, name, version, files=(), arch="all", source=None, status="install ok installed"):
    """Add a package to a root's dpkg database."""
    info = root / "var/lib/dpkg"
    info.mkdir(parents=True, exist_ok=True)
    with open(info / "status", "a", encoding="utf-8") as out:
        out.write(f"Package: {name}\nStatus: {status}\nArchitecture: {arch}\n")
        if source:
            out.write(f"Source: {source}\n")
        out.write(f"Version: {version}\nMaintainer: A Person <a@debian.org>\nDescription: made for a test\n\n")
    write(info / "info" / f"{name}.list", "/.\n" + "".join(f + "\n" for f in files))


def osv(record_id, ecosystem, package, fixed=None, introduced="0", aliases=(), upstream=(), severity=(), **more):
    """An OSV record."""
    events = [{"introduced": introduced}] + ([{"fixed": fixed}] if fixed else [])
    return {"schema_version": "1.7.0", "id": record_id, "modified": "2026-11-01T00:00:00Z",
            "published": "2026-01-01T00:00:00Z", "summary": f"a flaw in {package}", "aliases": list(aliases),
            "upstream": list(upstream), "severity": list(severity),
            "affected": [{"package": {"ecosystem": ecosystem, "name": package},
                          "ranges": [{"type": "ECOSYSTEM", "events": events}]}], **more}


def database(scratch, records):
    """Import and build a database of OSV records; gives its folder."""
    folder = scratch / "advisories"
    for record in records:
        write(folder / (record["id"] + ".json"), json.dumps(record))
    db = scratch / "db"
    sonde("db", "import", "-q", "--data", scratch / "data", "--db", db, folder)
    return db


def pack_database(scratch, *sources):
    """Import and build a database of parts of the reference feeds ("osv/PyPI"); gives its folder."""
    paths = [shared("feeds", source) for source in sources]
    db = scratch / "db"
    sonde("db", "import", "-q", "--data", scratch / "data", "--db", db, *paths)
    return db


def run(names):
    """Run every test_* of a module."""
    passed = failed = skipped = 0
    only = sys.argv[1:]
    for name, test in list(names.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="sonde-e2e-"))
        try:
            test(scratch)
            passed += 1
            print(f"ok {name}", flush=True)
        except Skip as skip:
            skipped += 1
            print(f"skipped: {name}: {skip}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or passed + skipped == 0 else 77 if passed == 0 else 0)
