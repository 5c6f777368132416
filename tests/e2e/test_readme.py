#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What README.md says is true: its commands run, its flags, commands and files exist."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SONDE, environment, run, sonde  # noqa: E402  pylint: disable=wrong-import-position

SOURCE = pathlib.Path(os.environ["SOURCE"])
SERVER = os.environ["SONDE_SERVER"]
README = (SOURCE / "README.md").read_text(encoding="utf-8")


def test_readme__marked_commands_run(scratch):
    """Every block of shell under "<!-- checked -->" runs, in order, as a user types it in the project's folder."""
    blocks = re.findall(r"<!-- checked -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2, "README.md has lost its checked blocks"
    for name in ("scripts", "data"):
        (scratch / name).symlink_to(SOURCE / name)
    (scratch / "build").mkdir()
    (scratch / "bin").mkdir()
    (scratch / "bin" / "sonde").symlink_to(os.path.realpath(SONDE))
    (scratch / "bin" / "sonde-server").symlink_to(os.path.realpath(SERVER))
    env = environment(PATH=f"{scratch / 'bin'}:{os.environ['PATH']}")
    text = ""
    for block in blocks:
        done = subprocess.run(["sh", "-eu", "-c", block], cwd=scratch, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        text += done.stdout
    for word in ("CVE-2021-34141", "CVE-2020-8203", "lodash", "<"):
        assert word in text, f"{word} is not in what the commands print:\n{text}"
    shown = re.search(r"```\n(SEVERITY.*?)```", README, re.DOTALL)
    assert shown, "README.md has lost what the scan prints"
    printed = {" ".join(line.split()) for line in text.splitlines()}
    for line in shown.group(1).splitlines():
        assert " ".join(line.split()) in printed, f"the scan does not print what README.md shows: {line}\n{text}"


def test_readme__flags_exist(scratch):
    """Every flag that the README speaks of is one of the program, in the help of some command."""
    del scratch
    known = "".join(sonde("help", word).stdout for word in ("scan", "inventory", "db", "version", "config", "agent"))
    for word in ("run", "account", "key", "activation", "backup"):
        known += subprocess.run([SERVER, "help", word], capture_output=True, text=True, check=True).stdout
    ours = "\n".join(line for line in README.splitlines() if not line.startswith("aws "))
    for flag in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours))):
        assert re.search(re.escape(flag) + r"(?![\w-])", known), f"{flag} is in README.md and in no help"


def test_readme__files_exist(scratch):
    """Every file and folder of the project that it names or links is there."""
    del scratch
    named = set(re.findall(r"\]\(([^)#]+)\)", README)) | set(re.findall(r"`((?:scripts|data|docs|src|tests)/[\w./-]+)`", README))
    assert named, "README.md names no file"
    for name in sorted(named):
        assert (SOURCE / name).exists(), f"README.md names {name}"


def test_readme__make_targets_exist(scratch):
    """Every `make` word is a target of the Makefile."""
    del scratch
    makefile = (SOURCE / "Makefile").read_text(encoding="utf-8")
    text = README + (SOURCE / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for word in sorted(set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.MULTILINE))):
        target = word[0] or word[1]
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target} is no target"


if __name__ == "__main__":
    run(globals())
