# SPDX-License-Identifier: Apache-2.0
"""The command line: help, manual pages, completion, configuration, exit codes, terminals."""
import json
import os
import pty
import re
import resource
import select
import shutil
import subprocess

from harness import (SONDE, Skip, database, environment, inventory, npm_package, os_release, osv, pip_package, run,
                     scan, sonde, tool, write)

COMMANDS = ("scan", "inventory", "db", "version", "config", "help")


def host(scratch):
    root = scratch / "root"
    os_release(root)
    npm_package(root / "usr/lib/node_modules", "lodash", "4.17.15")
    npm_package(root / "usr/lib/node_modules", "ms", "2.0.0")
    critical = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    low = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}]
    return root, [osv("GHSA-aaaa-aaaa-aaaa", "npm", "lodash", fixed="4.17.21", aliases=["CVE-2099-0001"],
                      severity=critical),
                  osv("GHSA-bbbb-bbbb-bbbb", "npm", "ms", aliases=["CVE-2099-0002"], severity=low)]


def test_cli__help_of_every_command_names_every_flag_it_takes(_scratch):
    for command in COMMANDS:
        text = sonde(command, "--help").stdout
        assert text.startswith(f"usage: sonde {command}"), text
        flags = re.findall(r"^ {2,6}(?:-.,)? +(--[a-z-]+)", text, re.M)
        assert len(flags) >= 2 and (command != "scan" or "--detection" in flags), flags
        for flag in set(flags) - {"--help", "--version"}:
            done = sonde(command, flag + "=", code=None)
            assert "no such flag" not in done.stderr, (command, flag)
        assert all(len(line) <= 80 for line in text.splitlines()), command
    assert "usage: sonde COMMAND" in sonde("--help").stdout
    assert re.fullmatch(r"sonde \d+\.\d+\.\d+\n", sonde("--version").stdout)


def test_cli__manual_pages_are_clean(_scratch):
    groff = tool("groff")
    for words in ([], *([c] for c in COMMANDS)):
        page = sonde("help", "--as", "man", *words).stdout
        done = subprocess.run([groff, "-man", "-Tascii", "-ww", "-P-cbu"], input=page, capture_output=True, text=True, check=True)
        assert done.stderr == "", (words, done.stderr)
        assert "EXIT STATUS" in done.stdout


def test_cli__completions_are_scripts(scratch):
    bash = write(scratch / "sonde.bash", sonde("help", "--as", "bash").stdout)
    script = f". {bash}; COMP_WORDS=(sonde scan --det); COMP_CWORD=2; _sonde; echo \"${{COMPREPLY[*]}}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "--detection" and not done.stderr, done
    script = f". {bash}; COMP_WORDS=(sonde scan --format j); COMP_CWORD=3; _sonde; echo \"${{COMPREPLY[*]}}\""
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "json"
    for shell in ("zsh", "fish"):
        text = sonde("help", "--as", shell).stdout
        assert "fail-on" in text
        if shutil.which(shell):
            subprocess.run([shell, "-n", write(scratch / shell, text)], check=True)


def test_cli__exit_codes(scratch):
    root, records = host(scratch)
    db = database(scratch, records)
    here = ("--root", root, "--db", db)
    sonde("scan", *here, code=0)
    sonde("scan", *here, "--fail-on", "critical", code=1)
    sonde("scan", *here, "--fail-on=low", "--only-fixed", code=1)
    (root / "usr/lib/node_modules/lodash/package.json").unlink()
    sonde("scan", *here, "--fail-on", "high", code=0)
    sonde("scan", *here, "--fail-on", "low", code=1)
    sonde("scan", *here, "--fail-on", "low", "--only-fixed", code=0)
    sonde("scan", "--root", scratch / "no-such-root", "--db", db, code=3)
    sonde("scan", *here, "/no/such/folder", code=3)
    (scratch / "empty/etc").mkdir(parents=True)
    os_release(scratch / "empty")
    sonde("scan", "--root", scratch / "empty", "--db", db, code=4)
    for bad in (["--no-such-flag"], ["--fail-on", "bad"], ["--format", "xml"], ["--timeout", "-1"], ["--path", "relative"]):
        done = sonde("scan", *here, *bad, code=2)
        assert done.stderr.startswith("sonde: "), done.stderr
    sonde("no-such-command", code=2)
    sonde("db", "import", code=2)
    sonde("version", "compare", "deb", "1", code=2)


def test_cli__fail_on_takes_the_words_as_reports_print_them(scratch):
    root, records = host(scratch)
    here = ("--root", root, "--db", database(scratch, records))
    sonde("scan", *here, "--fail-on", "HIGH", code=1)
    (root / "usr/lib/node_modules/lodash/package.json").unlink()
    sonde("scan", *here, "--fail-on", "HIGH", code=0)
    sonde("scan", *here, "--fail-on", "LOW", code=1)


def test_cli__limits_give_a_partial_report(scratch):
    root, _ = host(scratch)
    report = inventory("--root", root, "--max-packages", "1", code=3)
    assert len(report["packages"]) >= 1
    assert any("--max-packages" in e["reason"] for e in report["ledger"]["skipped"])
    for wrong in ("--cpu-limit=x", "--cpu-limit=6401", "--max-memory=1M", "--max-memory=64T", "--max-memory=M"):
        sonde("inventory", "--root", root, wrong, code=2)
    for right in ("--cpu-limit=50", "--max-memory=64m", "--max-memory=0"):
        sonde("inventory", "--root", root, right)


def test_cli__configuration_and_its_origin(scratch):
    conf = write(scratch / "sonde.conf", "# comment\nformat = json\nexclude = /a:/b\n")
    env = environment(SONDE_CONFIG=str(conf), SONDE_TIMEOUT="7")
    text = sonde("config", env=env).stdout
    assert re.search(r"^format = json  # .*sonde.conf", text, re.M), text
    assert re.search(r"^exclude = /a:/b  #", text, re.M), text
    assert re.search(r"^timeout = 7  # SONDE_TIMEOUT$", text, re.M), text
    assert re.search(r"^detection = strict  # default$", text, re.M), text
    root, _ = host(scratch)
    assert json.loads(sonde("inventory", "--root", root, env=env).stdout)["schema"] == "sonde.scan/1"
    assert sonde("inventory", "--root", root, "--format", "table", env=env).stdout[0] != "{"
    for bad in ("nonsense\n", "no-such-key = 1\n", "timeout = soon\n", "[section]\nformat = json\n"):
        done = sonde("config", env=environment(SONDE_CONFIG=str(write(scratch / "bad.conf", bad))), code=2)
        assert "bad.conf" in done.stderr, done.stderr


def test_cli__every_path_of_the_configuration_is_kept(scratch):
    root, _ = host(scratch)
    long = "/srv/" + "/".join(["d" * 200] * 15)
    paths = [f"/srv/{i}" for i in range(40)] + [long]
    conf = write(scratch / "sonde.conf", "".join(f"path = {path}\n" for path in paths))
    env = environment(SONDE_CONFIG=str(conf))
    [shown] = re.findall(r"^path = (.*?)  # .*sonde.conf", sonde("config", env=env).stdout, re.M)
    assert shown.split(":") == paths, shown
    # Each is missed, as it is not there.
    report = inventory("--root", root, env=env, code=3)
    assert {e["path"] for e in report["ledger"]["skipped"] if e["kind"] == "failure"} == set(paths)


def test_cli__json_contract(scratch):
    root, records = host(scratch)
    report = scan("--root", root, "--db", database(scratch, records))
    assert report["schema"] == "sonde.scan/1"
    for key in ("tool", "host", "database", "packages", "findings", "suppressed", "ledger"):
        assert key in report, key
    assert set(report["database"]) >= {"digest", "built_at", "sources"}
    for package in report["packages"]:
        assert set(package) >= {"purl", "type", "name", "version", "path", "owner", "confidence", "notes"}
        assert package["owner"] is None and package["confidence"] == "high" and isinstance(package["notes"], list)
    first, second = report["findings"]
    for finding in (first, second):
        assert set(finding) >= {"id", "aliases", "purl", "name", "version", "path", "fixed_in", "fix_state", "severity",
                                "score", "cvss", "epss", "kev", "source", "why"}
    assert (first["id"], first["severity"], first["score"]) == ("CVE-2099-0001", "CRITICAL", 9.8), first
    assert first["fixed_in"] == "4.17.21" and first["fix_state"] == "fixed" and first["kev"] is False
    assert first["path"] == "/usr/lib/node_modules/lodash/package.json"
    assert (second["id"], second["severity"], second["fixed_in"]) == ("CVE-2099-0002", "LOW", None), second
    assert isinstance(first["why"], dict) and first["aliases"] == ["GHSA-aaaa-aaaa-aaaa"], first
    listed = inventory("--root", root)
    assert listed["packages"] == report["packages"] and "findings" not in listed


def test_cli__output_file_is_replaced_whole(scratch):
    root, _ = host(scratch)
    out = write(scratch / "report.json", "old")
    done = sonde("inventory", "--root", root, "--format", "json", "-o", out)
    assert done.stdout == "" and json.loads(out.read_text())["packages"]
    sonde("inventory", "--root", root, "-o", scratch / "no/such/folder/x", code=3)
    # What is no file is written to, not replaced: as root, /dev/null must live.
    os.mkfifo(scratch / "fifo")
    with subprocess.Popen(["cat", scratch / "fifo"], stdout=subprocess.PIPE) as reader:
        sonde("inventory", "--root", root, "--format", "json", "-o", scratch / "fifo")
        assert json.loads(reader.stdout.read())["packages"]
    assert (scratch / "fifo").is_fifo()
    (scratch / "fifo").unlink()
    assert sorted(p.name for p in scratch.iterdir()) == ["report.json", "root"]


def test_cli__output_goes_to_a_bare_name_where_it_is_run(scratch):
    root, records = host(scratch)
    db = database(scratch, records)
    here = scratch / "here"
    here.mkdir()
    done = sonde("scan", "--root", root, "--db", db, "--format", "json", "-q", "-o", "report.json", cwd=here)
    assert done.stdout == "" and len(json.loads((here / "report.json").read_text())["findings"]) == 2
    write(here / "report.json", "old")
    sonde("inventory", "--root", root, "--format", "json", "-q", "--output", "report.json", cwd=here)
    assert json.loads((here / "report.json").read_text())["packages"]
    assert [p.name for p in here.iterdir()] == ["report.json"]


def test_cli__output_onto_a_link_replaces_its_target(scratch):
    root, _ = host(scratch)
    target = write(scratch / "there/real.json", "old")
    link = scratch / "here/link.json"
    link.parent.mkdir()
    for to in (target, "../there/real.json"):
        target.write_text("old")
        link.symlink_to(to)
        sonde("inventory", "--root", root, "--format", "json", "-q", "-o", link)
        assert link.is_symlink() and os.readlink(link) == str(to)
        assert not target.is_symlink() and json.loads(target.read_text())["packages"]
        link.unlink()
    assert [p.name for p in target.parent.iterdir()] == ["real.json"] and not list(link.parent.iterdir())


def test_cli__a_result_that_cannot_be_written_is_an_error(scratch):
    root, records = host(scratch)
    db = database(scratch, records)
    for args in (["scan", "--root", root, "--db", db], ["scan", "--root", root, "--db", db, "--format", "json"],
                 ["inventory", "--root", root], ["config"], ["help"], ["--help"], ["scan", "--help"], ["--version"],
                 ["help", "--as", "bash"], ["db", "status", "--db", db], ["db", "show", "--db", db, "CVE-2099-0001"],
                 ["version", "compare", "deb", "1", "2"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SONDE, *map(str, args)], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=environment(), timeout=60, check=False)
        assert done.returncode == 3, (args, done.returncode, done.stderr)
        assert "write" in done.stderr, (args, done.stderr)


def test_cli__a_limit_on_file_sizes_is_an_error_like_a_full_disk(scratch):
    root, records = host(scratch)
    db = database(scratch, records)
    out = write(scratch / "out/report.json", "old")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

    done = sonde("scan", "--root", root, "--db", db, "--format", "json", "-o", out, code=3, preexec_fn=small_files)
    assert "report.json" in done.stderr and "File too large" in done.stderr, done.stderr
    assert out.read_text() == "old" and [p.name for p in out.parent.iterdir()] == ["report.json"]
    before = {p.relative_to(scratch): p.stat().st_mtime_ns for p in (scratch / "data").rglob("*") if p.is_file()}
    write(scratch / "more/one.json", json.dumps(osv("GHSA-more-more-more", "npm", "more")))
    done = sonde("db", "import", "--data", scratch / "data", "--db", db, scratch / "more", code=3,
                 preexec_fn=small_files)
    assert "File too large" in done.stderr, done.stderr
    after = {p.relative_to(scratch): p.stat().st_mtime_ns for p in (scratch / "data").rglob("*") if p.is_file()}
    left = [p for p in [*after, *(f.relative_to(scratch) for f in db.rglob("*"))] if "new" in p.name or "tmp" in p.name]
    assert not left and set(after) >= set(before), (left, set(before) - set(after))
    sonde("db", "verify", "-q", "--db", db)
    assert len(scan("--root", root, "--db", db)["findings"]) == 2


def test_cli__two_scans_differ_in_their_duration_only(scratch):
    root, records = host(scratch)
    for n in range(200):
        npm_package(root / f"srv/{n % 7}/node_modules", f"p{n}", "1.0.0")
        write(root / f"srv/bad{n}/node_modules/x/package.json", "{")
    db = database(scratch, records)
    reports = []
    for threads in (1, 2, 8, 0):
        report = scan("--root", root, "--db", db, "--threads", threads)
        assert isinstance(report["ledger"].pop("elapsed_ms"), int)
        reports.append(json.dumps(report))
    assert reports[1:] == reports[:1] * 3


def test_cli__evidence_says_that_it_does_no_more_yet(scratch):
    root, records = host(scratch)
    done = sonde("scan", "--root", root, "--db", database(scratch, records), "--detection", "evidence")
    assert "no more than strict" in done.stdout + done.stderr


def test_cli__data_that_do_not_cover_the_release_are_said(scratch):
    root, records = host(scratch)
    write(root / "var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\nArchitecture: all\nVersion: 5\n\n")
    done = sonde("scan", "--root", root, "--db", database(scratch, records))
    assert "do not cover Debian GNU/Linux 12" in done.stdout, done.stdout
    few = [osv(f"DSA-{i}-1", "Debian:12", f"p{i}", fixed="2") for i in range(3)]
    done = sonde("scan", "--root", root, "--db", database(scratch, records + few))
    assert "hardly cover Debian GNU/Linux 12" in done.stdout and "name 3 affected" in done.stdout, done.stdout
    many = [osv(f"DSA-{i}-1", "Debian:12", f"p{i}", fixed="2") for i in range(400)]
    done = sonde("scan", "--root", root, "--db", database(scratch, records + many))
    assert "cover Debian" not in done.stdout, done.stdout


def on_terminal(args, columns=100, env=None):
    """What a command prints on a terminal of that many columns."""
    import fcntl
    import struct
    import termios
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen([SONDE, *map(str, args)], stdin=theirs, stdout=theirs, stderr=theirs,
                             env=env or environment(TERM="xterm-256color"), close_fds=True)
    os.close(theirs)
    seen = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 30)
        try:
            chunk = os.read(ours, 65536) if ready else b""
        except OSError:
            chunk = b""
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    child.wait()
    return seen.decode(errors="replace")


def test_cli__colours_and_width_only_on_a_terminal(scratch):
    root, records = host(scratch)
    args = ["scan", "--root", root, "--db", database(scratch, records)]
    assert "\x1b[" not in sonde(*args).stdout
    coloured = on_terminal(args + ["-q"])
    assert re.search(r"\x1b\[1;31m *CRITICAL", coloured) and re.search(r"\x1b\[36m *LOW", coloured), coloured
    assert not re.search(r"\x1b\[[0-9;]*m", on_terminal(args + ["-q", "--color", "never"]))
    for env in (environment(TERM="xterm", NO_COLOR="1"), environment(TERM="dumb")):
        plain = re.sub(r"\r(\x1b\[K)?", "", on_terminal(args + ["-q"], env=env))
        assert "\x1b[" not in plain, plain
    for columns in (80, 120, 200):
        text = re.sub(r"\x1b\[[0-9;]*[mK]", "", on_terminal(args + ["-q"], columns))
        table = [line.rstrip("\r") for line in text.split("\n\r")[0].split("\r\n\r\n")[0].split("\n")]
        assert max(map(len, table)) <= columns, (columns, max(table, key=len))
    assert "/usr/lib/node_modules/lodash/package.json" in on_terminal(args + ["-q"], 200)


def test_cli__version_compare_and_check(scratch):
    for scheme, a, sign, b in (("deb", "1.0~rc1", "<", "1.0"), ("rpm", "1.0^1", ">", "1.0"), ("pep440", "1.0", "=", "1.0.0"),
                               ("npm", "1.0.0-rc.1", "<", "1.0.0"), ("semver", "1.0.0+a", "=", "1.0.0+b")):
        assert sonde("version", "compare", scheme, a, b).stdout == sign + "\n", (scheme, a, b)
    assert sonde("version", "compare", "pep440", "not a version", "1", code=1).stdout == "?\n"
    table = write(scratch / "t.tsv", "1.0\t<\t2.0\n1.0\t>\t2.0\n")
    done = sonde("version", "check", "deb", table, code=1)
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed" and "t.tsv:2" in done.stderr
    sonde("version", "compare", "klingon", "1", "2", code=2)


if __name__ == "__main__":
    run(globals())
