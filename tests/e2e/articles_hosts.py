# SPDX-License-Identifier: Apache-2.0
"""Hosts for test_articles.py: roots of Debian and of an rpm distribution with trees that pip and npm have made, and the
real agent on each, in a mount namespace and a root of its own where that may be made."""
import atexit
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import uuid

import harness

SITE = "home/ssm-user/.local/lib/python3.9/site-packages"
APP = "home/ssm-user/app"
SPEC = """Name: python3-tools
Version: 1.0
Release: 1.amzn2023
Summary: Python packages as a distribution has them
Vendor: Amazon Linux
License: none
BuildArch: noarch
AutoReqProv: no
%description
Made for a test.
%install
mkdir -p %{buildroot}/usr/lib/python3.9/site-packages/numpy-1.21.3.dist-info
cd %{buildroot}/usr/lib/python3.9/site-packages
printf 'Metadata-Version: 2.1\\nName: numpy\\nVersion: 1.21.3\\n' >numpy-1.21.3.dist-info/METADATA
printf 'Metadata-Version: 1.1\\nName: distro\\nVersion: 1.5.0\\n' >distro-1.5.0-py3.9.egg-info
%files
/usr/lib/python3.9/site-packages
"""


# ---- trees, made once by the real tools ----

def made_by(words, **more):
    """Did a tool do its work?"""
    if not shutil.which(words[0]):
        return False
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False, **more)
    if done.returncode != 0:
        print(f"   {words[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}", flush=True)
    return done.returncode == 0


def user_tree(folder):
    """What a user has below the home: numpy of pip, lodash of npm; laid down by hand where they find no index."""
    site, app = folder / SITE, folder / APP
    if not made_by([sys.executable, "-m", "pip", "install", "-q", "--target", str(site), "--no-deps",
                    "--disable-pip-version-check", "--ignore-requires-python", "--only-binary=:all:",
                    "--python-version", "3.9", "--platform", "manylinux2014_x86_64", "numpy==1.21.3"]):
        print("   no package index: numpy is laid down by hand", flush=True)
        harness.pip_package(site, "numpy", "1.21.3")
    app.mkdir(parents=True)
    if not made_by(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".", "lodash@4.17.15"],
                   cwd=app):
        print("   no package index: lodash is laid down by hand", flush=True)
        harness.npm_package(app / "node_modules", "lodash", "4.17.15")
    [metadata] = site.glob("numpy-1.21.3.dist-info/METADATA")
    assert "\nVersion: 1.21.3\n" in metadata.read_text(encoding="utf-8")
    return folder


def linked(source, target):
    """The same tree again, its files shared: what changes one of them must replace it."""
    shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)


def default_roots(root, os_id, version, name, pretty):
    """What makes a folder the root of a host, and the places that are always looked at."""
    harness.write(root / "etc/os-release", f'ID={os_id}\nVERSION_ID="{version}"\nNAME="{name}"\nPRETTY_NAME="{pretty}"\n')
    harness.write(root / "etc/machine-id", uuid.uuid4().hex + "\n")
    for folder in ("usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64", "tmp", "opt", "var/log"):
        (root / folder).mkdir(parents=True, exist_ok=True)


def debian(root, home):
    """A Debian with Python of its own, with a package of pip beside it, and the user's tree."""
    default_roots(root, "debian", "12", "Debian GNU/Linux", "Debian GNU/Linux 12 (bookworm)")
    owned = "/usr/lib/python3/dist-packages/numpy-1.21.3.egg-info"
    harness.write(root / owned[1:], "Metadata-Version: 1.1\nName: numpy\nVersion: 1.21.3\n")
    harness.dpkg_package(root, "python3-numpy", "1:1.21.3-1", [owned])
    harness.dpkg_package(root, "libssl3", "3.0.9-1", arch="amd64", source="openssl")
    harness.pip_package(root / "usr/local/lib/python3.11/dist-packages", "idna", "3.7")
    # No Version: what is left out has to be told.
    harness.write(root / "usr/local/lib/python3.11/dist-packages/broken-1.0.dist-info/METADATA", "Name: broken\n")
    linked(home, root)
    return root


def rpm_of_reference(root):
    """Where rpm builds nothing: a database of the reference data that owns the one file of rpm's own Python module."""
    egg = "rpm-4.16.0-py3.9.egg-info"
    for folder in sorted(harness.shared("fixtures", "rpm", "rpmdb").iterdir()):
        if (folder / "rpmdb.sqlite").exists() and egg.encode() in (folder / "rpmdb.sqlite").read_bytes():
            for path in folder.glob("rpmdb.sqlite*"):
                shutil.copy(path, root / "var/lib/rpm" / path.name)
            harness.write(root / "usr/lib64/python3.9/site-packages" / egg, "Metadata-Version: 1.2\nName: rpm\nVersion: 4.16.0\n")
            return 1
    raise harness.Skip("rpm and rpmbuild")


def rpm(root, home, scratch):
    """An rpm distribution whose database rpm itself has made: it owns numpy, and pip's idna lies beside. Gives how many
    metadata files of Python it owns and has."""
    default_roots(root, "amzn", "2023", "Amazon Linux", "Amazon Linux 2023")
    (root / "var/lib/rpm").mkdir(parents=True)
    spec = harness.write(scratch / "tools.spec", SPEC)
    built = made_by(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {scratch / 'rpmbuild'}", str(spec)])
    packages = [str(path) for path in (scratch / "rpmbuild/RPMS").rglob("*.rpm")] if built else []
    words = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "-i", "--nodeps", "--noscripts"]
    is_made = packages and (made_by(words + ["--force-debian", *packages]) or made_by(words + packages))
    n_owned = 2 if is_made else rpm_of_reference(root)
    harness.pip_package(root / "usr/lib/python3.9/site-packages", "idna", "3.7")
    linked(home, root)
    return n_owned


# ---- a root to live in ----

def libraries(program):
    """The files that the loader takes for a program."""
    told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True, timeout=60).stdout
    return {match for match in re.findall(r"(?:=>\s+|^\s+)(/\S+)", told, re.M)}


def furnish(root, store):
    """Put the programs and all that they load into a root; `store` has one copy of each for all roots."""
    programs = {harness.tool(name): to for name, to in (
        (harness.SONDE, "usr/bin/sonde"), ("sonde-net", "usr/bin/sonde-net"), ("bash", "bin/bash"), ("sh", "bin/sh"),
        ("sleep", "bin/sleep"))}
    wanted = {path: path[1:] for program in programs for path in libraries(program)}
    for source, to in {**wanted, **programs}.items():
        kept = store / to
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, kept)
        place = root / to
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.link(kept, place)
    harness.write(root / "etc/ld.so.conf", "".join(f"{folder}\n" for folder in sorted(
        {os.path.dirname(path) for path in wanted})))
    ldconfig = shutil.which("ldconfig", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if ldconfig:
        subprocess.run([ldconfig, "-r", str(root)], capture_output=True, check=False, timeout=60)
    for name in ("proc", "dev"):
        (root / name).mkdir(exist_ok=True)


INSIDE = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
PLUGIN = pathlib.Path("/opt/aws/inspector")
LENT = []  # the folder, while agents without a root of their own use it


def may_enter(root):
    """Can a program live in that root, in a mount namespace of its own?"""
    return bool(shutil.which("unshare")) and subprocess.run(
        ["unshare", "--mount", "sh", "-c", INSIDE, str(root), "/usr/bin/sonde", "--version"],
        env=harness.environment(), capture_output=True, check=False, timeout=60).returncode == 0


def lend_plugin_folder():
    """Without a root of its own an agent installs the plugin on this machine: only where there is none, for a while."""
    if PLUGIN.parent.exists() or not os.access("/opt", os.W_OK):
        raise harness.Skip("the right to make a mount namespace, or to write /opt/aws/inspector")
    PLUGIN.mkdir(parents=True)
    LENT.append(PLUGIN)
    atexit.register(shutil.rmtree, PLUGIN.parent, ignore_errors=True)


class Agent:
    """`sonde agent` on one root. Its state, its log and the plugin's are where a host has them, below the root: it lives
    there, or is given the root where it may not. The plugin's log has the published layout, or ours."""

    def __init__(self, name, root, store, is_compat=True):
        self.name, self.root = name, root
        self.process = self.id = None
        self.err = root / "var/log/agent.log"
        self.plugin = root / "opt/aws/inspector"
        self.prefix = "scitor.log" if is_compat else "sonde.log"
        self.env = harness.environment(**({"SONDE_PLUGIN_LOG_COMPAT": "1"} if is_compat else {}))
        furnish(root, store)
        if may_enter(root):
            self.words = ["unshare", "--mount", "sh", "-c", INSIDE, str(root), "/usr/bin/sonde", "agent", "--state",
                          "/var/lib/sonde"]
            return
        if not LENT:
            lend_plugin_folder()
        self.plugin = PLUGIN
        self.words = [str(root / "usr/bin/sonde"), "agent", "--state", str(root / "var/lib/sonde"), "--root", str(root)]
        self.env["SONDE_PLUGIN_LOG_DIR"] = str(root / "var/log/amazon/inspector")

    def start(self, server, ssm):
        """Registered by an activation of its own, the first time."""
        words = [*self.words, "--server", server.url, "--region", "eu-central-1", "--start-delay", "0", "--walk-cpu-limit",
                 "0"]
        if self.id is None:
            made = ssm.create_activation(IamRole="SSMServiceRole", DefaultInstanceName=self.name, RegistrationLimit=1)
            words += ["--activation-id", made["ActivationId"], "--activation-code", made["ActivationCode"]]
        with open(self.err, "ab") as log:
            self.process = subprocess.Popen(words, stderr=log, stdout=log, env=self.env)
        atexit.register(self.process.kill)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        assert code == 0, (self.name, code, self.said()[-2000:])

    def said(self):
        """What the agent itself has logged."""
        return self.err.read_text(errors="replace") if self.err.exists() else ""

    def log(self):
        """The lines of the plugin's log, the oldest first."""
        folder = self.root / "var/log/amazon/inspector"
        return [line for path in sorted(folder.glob(self.prefix + ".*")) for line in path.read_text().splitlines()]

    def runs(self):
        """The plugin's log, run by run, as far as they are over."""
        runs = []
        for line in self.log():
            if ": Version: " in line:
                runs.append([])
            runs[-1].append(line)
        return [run for run in runs if run[-1].endswith(": logs cleanup completed")]

    def last(self):
        """What the lines of the last run say."""
        return [message(line) for line in self.runs()[-1]]


LINE = re.compile(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} UTC (?:scitor|sonde) \d+-0@\S+:0 \[(?:INFO|ERROR)\] "
                  r"(?:MandoSecurityContentEvaluator/(\S+) \S+\(\)|(\w+)): (.*)")


def read_line(line):
    """(place in the published layout or part in ours, message)"""
    place, part, text = LINE.fullmatch(line).groups()
    return place or part, text


def message(line):
    return read_line(line)[1]


def replace_text(path, text):
    """Write a file anew, so that others that share it keep theirs."""
    new = pathlib.Path(str(path) + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
