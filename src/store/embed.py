#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the numbered migrations as rows of a C table. Usage: embed.py OUTPUT FILE..."""

import os
import re
import sys


def row(number, path):
    name = os.path.basename(path)
    if not re.fullmatch(rf"{number:04}-[a-z0-9-]+\.sql", name):
        sys.exit(f"{path}: expected the name of migration {number:04}-<word>.sql")
    with open(path, encoding="ascii") as file:
        text = file.read()
    lines = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") for line in text.splitlines()]
    return f'{{ {number}, "{name}",\n' + "\n".join(f'\t"{line}\\n"' for line in lines) + " },\n"


def main():
    output, paths = sys.argv[1], sorted(sys.argv[2:])
    rows = [row(i + 1, path) for i, path in enumerate(paths)]
    with open(output, "w", encoding="ascii") as file:
        file.write("".join(rows))


main()
