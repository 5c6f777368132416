#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every pattern of the shapes decides as Python's re does, on samples that match and on changed ones.

Usage: test_patterns.py ANSWER     ($SOURCE: the tree)

The samples are drawn from Python's own parse of the expression, which knows nothing of ours.
"""

import glob
import json
import os
import random
import re
import subprocess
import sys
import unicodedata
import warnings

warnings.simplefilter("ignore")
try:
    import re._parser as sre_parse
except ImportError:
    import sre_parse

SEED = 3
SAMPLES = 150
NOISE = "aZ09-_./:%*+ \n\t\\@é中\u00a0\U0001f600"


def python_pattern(text):
    """Python's re has no \\p{..}: a class of ranges stands for it."""
    def category(letter):
        if letter not in category.known:
            ranges, start = [], None
            for code in range(sys.maxunicode + 2):
                inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] == letter
                if inside and start is None:
                    start = code
                elif not inside and start is not None:
                    ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
                    start = None
            category.known[letter] = "".join(ranges)
        return category.known[letter]

    category.known = python_pattern.known
    return re.sub(r"\\p\{(\w)\}", lambda m: category(m.group(1)), text)


python_pattern.known = {}


class Sampler:
    """Draws strings from a parsed expression; assertions are left to chance."""

    def __init__(self, rng):
        self.rng = rng

    def char_in(self, items):
        negate = items and str(items[0][0]) == "NEGATE"
        for _ in range(200):
            op, arg = self.rng.choice(items[1:] if negate else items)
            char = self.member(str(op), arg)
            if not negate:
                return char
            char = self.rng.choice(NOISE)
            if re.fullmatch("[" + "".join(self.source(str(o), a) for o, a in items) + "]", char):
                return char
        return "x"

    def source(self, op, arg):
        if op == "NEGATE":
            return "^"
        if op == "LITERAL":
            return re.escape(chr(arg))
        if op == "RANGE":
            return f"{re.escape(chr(arg[0]))}-{re.escape(chr(arg[1]))}"
        return {"CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S"}[str(arg)]

    def member(self, op, arg):
        if op == "LITERAL":
            return chr(arg)
        if op == "RANGE":
            code = self.rng.choice([arg[0], arg[1], self.rng.randint(*arg)])
            return chr(code) if not 0xD800 <= code < 0xE000 else "x"
        return self.rng.choice({"CATEGORY_DIGIT": "0159", "CATEGORY_WORD": "aZ_9", "CATEGORY_SPACE": " \t\n",
                                "CATEGORY_NOT_SPACE": "a.é-"}.get(str(arg), "a"))

    def draw(self, tree):
        out = []
        for op, arg in tree:
            name = str(op)
            if name == "LITERAL":
                out.append(chr(arg))
            elif name == "NOT_LITERAL":
                out.append(self.rng.choice([c for c in NOISE if ord(c) != arg]))
            elif name == "ANY":
                out.append(self.rng.choice(NOISE.replace("\n", "")))
            elif name == "IN":
                out.append(self.char_in(arg))
            elif name == "BRANCH":
                out.append(self.draw(self.rng.choice(arg[1])))
            elif name == "SUBPATTERN":
                out.append(self.draw(arg[-1]))
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                low, high = arg[0], min(int(arg[1]), arg[0] + 4)
                out += [self.draw(arg[2]) for _ in range(self.rng.randint(low, high))]
        return "".join(out)


def mutate(rng, text):
    i = rng.randint(0, len(text))
    kind = rng.randrange(4)
    if kind == 0:
        return text[:i] + rng.choice(NOISE) + text[i:]
    if kind == 1:
        return text[:i] + text[i + 1 :]
    if kind == 2:
        return text[:i] + rng.choice(NOISE) + text[i + 1 :]
    return text[:i] + text[rng.randint(0, len(text)) :]


def main():
    answer, source = sys.argv[1], os.environ["SOURCE"]
    shapes = sorted(glob.glob(os.path.join(source, "src/aws/shapes/*.shapes")))
    patterns = subprocess.run([os.path.join(source, "tools/make-shapes"), "--patterns"] + shapes, check=True,
                              capture_output=True).stdout.decode().splitlines()
    rng = random.Random(SEED)
    questions, wanted, positive = [], [], {}
    for pattern in patterns:
        translated = python_pattern(pattern)
        compiled = re.compile(translated, re.ASCII)
        sampler, tree = Sampler(rng), sre_parse.parse(translated, re.ASCII)
        for n in range(SAMPLES):
            text = sampler.draw(tree)
            for _ in range(n % 3):
                text = mutate(rng, text)
            matches = compiled.fullmatch(text) is not None
            positive[pattern] = positive.get(pattern, 0) + matches
            questions.append({"pattern": pattern, "text": text.replace("\0", "x")})
            wanted.append("yes" if compiled.fullmatch(questions[-1]["text"]) else "no")
    text = "".join(json.dumps(q) + "\n" for q in questions)
    run = subprocess.run([answer, "pattern"], input=text.encode(), stdout=subprocess.PIPE, check=True)
    got = run.stdout.decode().split()
    wrong = {q["pattern"]: (q["text"], w, g) for q, w, g in zip(questions, wanted, got) if w != g}
    for pattern in patterns:
        if pattern in wrong:
            print(f"{pattern}: {wrong[pattern]}")
        elif not positive[pattern]:
            wrong[pattern] = "no sample matched"
            print(f"{pattern}: no sample matched")
    print(f"{len(questions)} samples, {sum(w == 'yes' for w in wanted)} of which match")
    for pattern in wrong:
        print(f"FAILED {pattern}")
    print(f"{len(patterns) - len(wrong)} passed, {len(wrong)} failed, 0 skipped")
    sys.exit(1 if wrong or len(got) != len(wanted) else 0)


if __name__ == "__main__":
    main()
