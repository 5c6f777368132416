#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/run-fleet, the second half of `make run`: a server and an agent, what they show, and how they end."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import harness

SOURCE = pathlib.Path(os.environ["SOURCE"])
SERVER = os.environ["SONDE_SERVER"]
STATUS = ("Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\n"
          "Version: 1:1.2.13.dfsg-1\nMaintainer: Z <z@example.org>\nDescription: z\n\n")


def needs_namespace():
    for more in ([], ["--map-root-user"]):
        if subprocess.run(["unshare", *more, "--mount", "mount", "-t", "tmpfs", "none", "/opt"], capture_output=True,
                          check=False).returncode == 0:
            return
    raise harness.Skip("no mount namespace can be made here")


def command(scratch):
    """A host with a package of the system and a prepared tree, and the sample of advisories."""
    scratch.chmod(0o711)  # sonde-net is started by processes that are nobody
    programs = scratch / "programs"
    programs.mkdir()
    for name, path in (("sonde", harness.SONDE), ("sonde-server", SERVER)):
        (programs / name).symlink_to(os.path.realpath(shutil.which(path) or path))
    harness.write(scratch / "host/etc/os-release", 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n')
    harness.write(scratch / "host/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    harness.write(scratch / "host/var/lib/dpkg/status", STATUS)
    subprocess.run([SOURCE / "scripts/make-sample-tree", scratch / "host/srv/tree"], check=True)
    harness.sonde("db", "import", "-q", "--data", scratch / "feeds", "--db", scratch / "db", SOURCE / "data/advisories")
    return [str(SOURCE / "scripts/run-fleet"), "--programs", str(programs), "--net", shutil.which("sonde-net"), "--db",
            str(scratch / "db"), "--work", str(scratch / "work"), "--tree", "/srv/tree", "--root", str(scratch / "host")]


def left_over(scratch):
    """Processes that were started from the scratch folder and still run."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(scratch / "work/bin") in os.readlink(folder / "exe"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            pass
    return found


def check_shown(text):
    for word in ("AmazonInspector2-InvokeInspectorSsmPluginLinux", "ACTIVE", "SUCCESSFUL", "CVE-2021-34141", "CVE-2020-8203",
                 "/srv/tree/opt/app/node_modules/lodash/package.json", "AWS_ENDPOINT_URL=http://127.0.0.1:"):
        assert word in text, f"it does not say {word}:\n{text}"
    assert "Failed" not in text, text


def test_run_fleet__without_a_terminal_it_ends_by_itself(scratch):
    needs_namespace()
    done = subprocess.run(command(scratch), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=harness.environment(), timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check_shown(done.stdout)
    assert "\r" not in done.stdout and "\033" not in done.stdout, done.stdout
    assert not left_over(scratch), left_over(scratch)
    assert {path.name for path in scratch.iterdir()} == {"programs", "host", "feeds", "db", "work"}


def test_run_fleet__on_a_terminal_it_goes_on_until_it_is_interrupted(scratch):
    needs_namespace()
    words = command(scratch)
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(words[0], words, harness.environment())
    text, deadline = "", time.monotonic() + 300
    while "Ctrl-C ends them" not in text and time.monotonic() < deadline:
        if select.select([fd], [], [], 1)[0]:
            text += os.read(fd, 4096).decode(errors="replace")
    check_shown(text)
    url = re.search(r"AWS_ENDPOINT_URL=(\S+)", text).group(1)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url + "/healthz", timeout=30) as answer:
        assert answer.status == 200
    assert any(" agent " in line for line in left_over(scratch)), left_over(scratch)
    os.write(fd, b"\x03")
    while True:
        try:
            piece = os.read(fd, 4096).decode(errors="replace")
        except OSError:
            break
        if not piece:
            break
        text += piece
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert "Ending the agent and the server" in text and "killed" not in text, text
    assert not left_over(scratch), left_over(scratch)


def listing(folder):
    return sorted((str(path), path.lstat().st_mtime) for path in [folder, *folder.rglob("*")] if path.exists())


def test_run_fleet__without_a_namespace_nothing_is_written_elsewhere(scratch):
    words = command(scratch)
    harness.write(scratch / "tools/unshare", "#!/bin/sh\nexit 1\n", 0o755)
    before = listing(pathlib.Path("/opt/aws"))
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
                          env=harness.environment(PATH=f"{scratch / 'tools'}:{os.environ['PATH']}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DEEP INSPECTION IS LEFT OUT" in done.stdout and "SUCCESSFUL" in done.stdout, done.stdout
    assert listing(pathlib.Path("/opt/aws")) == before
    assert (scratch / "work/opt/aws/inspector/bin/inspectorssmplugin").is_symlink()


def test_run_fleet__a_server_that_cannot_start_is_told(scratch):
    words = command(scratch)
    shutil.rmtree(scratch / "db")
    (scratch / "db").write_text("no database")
    broken = scratch / "programs/sonde-server"
    broken.unlink()
    harness.write(broken, '#!/bin/sh\n[ "$1" != run ] || { echo "out of order" >&2; exit 3; }\nexec ' + SERVER + ' "$@"\n', 0o755)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=harness.environment(),
                          timeout=300, check=False)
    assert done.returncode == 1 and "the server did not start" in done.stderr and "out of order" in done.stderr, done


if __name__ == "__main__":
    harness.run(globals())
