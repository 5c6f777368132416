#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every sample report as JSON and checks the contract "sonde.scan/1" key by key.

Usage: check_json.py PRINT_SAMPLE
"""

import base64
import json
import subprocess
import sys

TEXT, WHOLE, NUMBER, FLAG, NONE = str, int, (int, float), bool, type(None)
SEVERITIES = {"UNTRIAGED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

PACKAGE = {
    "purl": TEXT, "type": TEXT, "name": TEXT, "version": TEXT, "path": TEXT,
    "owner": (TEXT, NONE), "confidence": TEXT, "notes": [TEXT],
}
REASON = {
    "advisory": TEXT, "source": TEXT, "ecosystem": TEXT, "package": TEXT,
    "range": TEXT, "comparison": TEXT, "fixed_in": (TEXT, NONE),
    "affects_fix": FLAG,
}
FINDING = {
    "id": TEXT, "aliases": [TEXT], "purl": TEXT, "name": TEXT, "version": TEXT,
    "path": TEXT, "fixed_in": (TEXT, NONE), "fix_state": TEXT, "severity": TEXT,
    "score": (int, float, NONE), "epss": (int, float, NONE), "kev": FLAG, "source": TEXT,
    "cvss": [{"version": TEXT, "vector": TEXT, "score": NUMBER, "source": TEXT}],
    "why": {"reasons": [REASON], "evidence": {"file": TEXT, "reader": TEXT}},
}
INVENTORY = {
    "schema": TEXT, "tool": {"name": TEXT, "version": TEXT}, "host": {"root": TEXT},
    "remarks": [TEXT], "packages": [PACKAGE],
    "ledger": {"skipped": [{"path": TEXT, "reason": TEXT, "count": WHOLE}]},
}
SCAN = dict(
    INVENTORY,
    database={"digest": TEXT, "built_at": TEXT, "sources": [{"name": TEXT}]},
    findings=[FINDING],
    suppressed=[dict(FINDING, reason=TEXT)],
)


def check(value, shape, where):
    """Every key of the shape is there, with a value of its kind; other keys may be."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        for key, inner in shape.items():
            assert key in value, f"{where}: no {key}"
            check(value[key], inner, f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for i, item in enumerate(value):
            check(item, shape[0], f"{where}[{i}]")
    else:
        assert isinstance(value, shape), f"{where}: {value!r}"
        if shape in (WHOLE, NUMBER):
            assert not isinstance(value, bool), where


def refuse_twice(pairs):
    """A key that stands twice in an object is lost to most readers."""
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)


def check_paths(value, where):
    """Beside each text that lost bytes to U+FFFD stand the exact bytes."""
    if isinstance(value, dict):
        for key in ("path", "file", "root"):
            if isinstance(value.get(key), str) and "\ufffd" in value[key]:
                exact = base64.b64decode(value[key + "_base64"], validate=True)
                assert exact.decode("utf-8", "replace").count("\ufffd") > 0, where
        for key, inner in value.items():
            check_paths(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            check_paths(inner, where)


def read(program, name):
    """The sample, as strict JSON in UTF-8."""
    raw = subprocess.run([program, "json", name], check=True, capture_output=True).stdout
    text = raw.decode("utf-8")
    assert text.endswith("}\n")
    assert not any(ord(c) < 0x20 and c != "\n" for c in text)
    return json.loads(text, object_pairs_hook=refuse_twice,
                      parse_constant=lambda c: sys.exit(f"not JSON: {c}"))


def main(program):
    for name in ("scan", "hostile", "empty", "inventory"):
        document = read(program, name)
        check(document, INVENTORY if name == "inventory" else SCAN, name)
        check_paths(document, name)
        assert document["schema"] == "sonde.scan/1"
        for finding in document.get("findings", []) + document.get("suppressed", []):
            assert finding["severity"] in SEVERITIES
            assert finding["fix_state"] in {"fixed", "partial", "affected"}
            assert (finding["fixed_in"] is not None) == (finding["fix_state"] != "affected")
        for package in document["packages"]:
            assert package["confidence"] in {"high", "medium", "low"}
            assert package["purl"].startswith("pkg:" + package["type"] + "/")
            assert package["purl"].isascii()

    document = read(program, "inventory")
    assert not {"findings", "suppressed", "database"} & set(document)
    document = read(program, "hostile")
    assert base64.b64decode(document["packages"][0]["path_base64"]).startswith(b"/srv/a\x1b]0;")
    print("4 samples")


if __name__ == "__main__":
    main(sys.argv[1])
