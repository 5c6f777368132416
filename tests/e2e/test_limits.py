# SPDX-License-Identifier: Apache-2.0
"""A million files on a small machine: a limit on processor time, and a control group with little memory and no swap."""
import json
import os
import pathlib
import subprocess

from harness import SONDE, Skip, environment, os_release, pip_package, run

MEMORY = 96 << 20
FILES = 1000000


class Group:
    """A control group for memory, of version 2 or 1."""

    def __init__(self, limit):
        self.limit = limit
        self.path = None

    def __enter__(self):
        tried = []
        for base, limit, swap, value in (("/sys/fs/cgroup", "memory.max", "memory.swap.max", "0"),
                                         ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
                                          str(self.limit))):
            path = pathlib.Path(base) / f"sonde-test-{os.getpid()}"
            try:
                path.mkdir()
                if not (path / limit).exists():
                    path.rmdir()
                    raise OSError("no controller of memory there")
                (path / limit).write_text(str(self.limit))
                if (path / swap).exists():
                    (path / swap).write_text(value)
                self.path = path
                return self
            except OSError as error:
                tried.append(f"{path}: {error}")
        raise Skip("a control group for memory: " + "; ".join(tried))

    def __exit__(self, *_):
        self.path.rmdir()

    def join(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def count(self, key):
        """How often the kernel did something here: "oom_kill"."""
        for name in ("memory.events", "memory.oom_control"):
            if (self.path / name).exists():
                rows = dict(line.split() for line in (self.path / name).read_text().splitlines())
                return int(rows[key]) if key in rows else None
        return None

    def peak_bytes(self):
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            if (self.path / name).exists():
                return int((self.path / name).read_text())
        return 0


def test_limits__a_million_files_in_little_memory(scratch):
    if os.environ.get("SONDE_SANITIZER"):
        raise Skip("a build without sanitizers: their shadow memory is larger than what is allowed here")
    maker = os.environ.get("MAKE_TREE")
    if not maker:
        raise Skip("$MAKE_TREE, the maker of large trees")
    with Group(MEMORY) as group:
        root = scratch / "root"
        os_release(root)
        subprocess.run([maker, root / "usr/lib/tree", "--files", str(FILES), "--seed", "7"], check=True,
                       stdout=subprocess.DEVNULL, timeout=1200)
        # Last in the order of names, so that a walk that ended early would not have it.
        pip_package(root / "usr/lib/zzz/site-packages", "numpy", "1.21.0")
        done = subprocess.run([SONDE, "inventory", "--root", root, "--format", "json", "-q", "--cpu-limit", "65"],
                              stdout=open(scratch / "out", "wb"), stderr=subprocess.PIPE, env=environment(), timeout=1200,
                              check=False, preexec_fn=group.join)
        assert done.returncode == 0, (done.returncode, done.stderr[-3000:], group.count("oom_kill"))
        assert not group.count("oom_kill"), group.count("oom_kill")
        report = json.loads((scratch / "out").read_bytes())
        print(f"   {len(report['packages'])} packages, peak {group.peak_bytes() >> 20} MB", flush=True)
        ledger = report["ledger"]
        assert ledger["files"] >= FILES * 0.99 and ledger["failures"] == 0 and not ledger["skipped"], ledger
        assert "numpy" in {one["name"] for one in report["packages"]}


if __name__ == "__main__":
    run(globals())
