#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables have every operation of the descriptions; and make-shapes refuses what it does not understand.

Usage: test_shapes.py ANSWER     ($SOURCE: the tree)
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

BAD = {
    "an unknown type": "operation A POST /\n\tin\n\t\tx Nothing\n",
    "a type nobody uses": "type Lonely = string\n",
    "a name twice": "struct A\n\tx string\n\nstruct A\n\ty string\n",
    "a member twice": "operation A POST /\n\tin\n\t\tx string\n\t\tx string\n",
    "a label without a member": "operation A POST /{id}\n",
    "a member of nothing": "\tx string\n",
    "an unknown location": "operation A POST /\n\tin\n\t\tx string @cookie\n",
    "a back-reference": "type P = string /(a)\\1/\n\noperation A POST /\n\tin\n\t\tx P\n",
    "a lookahead in the middle": "type P = string /a(?!b)c/\n\noperation A POST /\n\tin\n\t\tx P\n",
    "a class without an end": "type P = string /[a/\n\noperation A POST /\n\tin\n\t\tx P\n",
    "a pattern that is too large": "type P = string /a{1,5000}/\n\noperation A POST /\n\tin\n\t\tx P\n",
    "an unknown escape": "type P = string /\\y/\n\noperation A POST /\n\tin\n\t\tx P\n",
}


def main():
    answer, source = sys.argv[1], os.environ["SOURCE"]
    tool = os.path.join(source, "tools/make-shapes")
    failed = []
    passed = 0

    def check(name, good):
        nonlocal passed
        print(f"{'ok' if good else 'FAILED'} {name}")
        passed += good
        if not good:
            failed.append(name)

    wanted = set()
    for path in glob.glob(os.path.join(source, "src/aws/shapes/*.shapes")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        service = re.search(r"^service (\S+)$", text, re.M).group(1)
        wanted |= {(service, *words) for words in re.findall(r"^operation (\S+) (\S+) (\S+)$", text, re.M)}
    lines = subprocess.run([answer, "shapes"], check=True, capture_output=True).stdout.decode().splitlines()
    check("every operation is in the tables", {tuple(line.split()[:4]) for line in lines} == wanted)
    check("the tables are sorted", [l.split()[:2] for l in lines] == sorted(l.split()[:2] for l in lines))
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "x.shapes"), os.path.join(folder, "x.c")
        for name, text in BAD.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write("service x\n\n" + text)
            run = subprocess.run([tool, "--c", out, path], capture_output=True, check=False)
            check("refused: " + name, run.returncode == 1 and b"make-shapes: " in run.stderr and not os.path.exists(out))
    print(f"{passed} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
