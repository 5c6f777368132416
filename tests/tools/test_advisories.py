#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sample in data/advisories is well formed, and make-sample-tree makes what the sample speaks of. $SOURCE: the project."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["SOURCE"])
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def check_record(path, record):
    assert record["id"] == path.stem, f"{path.name}: its id is {record['id']}"
    assert RFC3339.match(record["modified"]) and RFC3339.match(record["published"]), path.name
    assert record["summary"] and record["details"] and record["references"], path.name
    assert record.get("aliases") or record.get("upstream"), f"{path.name}: no CVE"
    for severity in record.get("severity", []):
        assert severity["score"].startswith("CVSS:3.1/"), path.name
    for affected in record["affected"]:
        assert affected["package"]["ecosystem"] and affected["package"]["name"], path.name
        for ranges in affected["ranges"]:
            kinds = [list(event) for event in ranges["events"]]
            assert kinds == [["introduced"], ["fixed"]], f"{path.name}: {kinds}"


def main():
    paths = sorted((SOURCE / "data" / "advisories").glob("*.json"))
    assert len(paths) >= 10, f"{len(paths)} advisories"
    for path in paths:
        check_record(path, json.loads(path.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        tool = SOURCE / "scripts" / "make-sample-tree"
        tree = pathlib.Path(folder) / "tree"
        for _ in range(2):
            subprocess.run([sys.executable, tool, tree], check=True)
        info = tree / "opt/app/lib/python3.9/site-packages/numpy-1.21.3.dist-info"
        assert "\nVersion: 1.21.3\n" in (info / "METADATA").read_text(encoding="utf-8")
        lodash = json.loads((tree / "opt/app/node_modules/lodash/package.json").read_text(encoding="utf-8"))
        assert lodash["version"] == "4.17.15"
        other = pathlib.Path(folder) / "other"
        other.mkdir()
        (other / "precious").write_text("mine\n", encoding="utf-8")
        refused = subprocess.run([sys.executable, tool, other], stderr=subprocess.DEVNULL, check=False)
        assert refused.returncode == 1 and (other / "precious").exists(), "a folder of others is not replaced"
    print(f"{len(paths)} advisories")


if __name__ == "__main__":
    main()
