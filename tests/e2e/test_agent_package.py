# SPDX-License-Identifier: Apache-2.0
"""aws:configurePackage with a package that a real server hosts: signed or not, whole or not, killed in the middle."""
import fcntl
import hashlib
import io
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import harness
import test_agent as agents

DOCUMENT = "AmazonInspector2-ConfigureInspectorSsmPluginLinux"
NAME = "Example-Thing"
# What a package does here: it writes its version to where its argument says.
INSTALL = 'set -eu\necho "$0 {v} $BWS_PLATFORM_NAME" >>"$SSM_PLACE.log"\necho {v} >"$SSM_PLACE"\n'
UNINSTALL = 'set -eu\necho "$0 {v}" >>"$SSM_PLACE.log"\nrm -f "$SSM_PLACE"\n'


def openssl(*args):
    return subprocess.run([harness.tool("openssl"), *map(str, args)], check=True, capture_output=True).stdout


def make_key(path):
    openssl("genpkey", "-algorithm", "ed25519", "-out", path)
    return path


def public(*keys):
    return b"".join(openssl("pkey", "-in", key, "-pubout") for key in keys).decode()


def scripts(version, **more):
    made = {"install.sh": INSTALL, "update.sh": INSTALL, "uninstall.sh": UNINSTALL, **more}
    return {name: text.format(v=version) for name, text in made.items() if text is not None}


def pack(files):
    """A zip of names and texts; a name may be a ZipInfo."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


class Host:
    """A server with packages, an agent that trusts a key, and associations that install."""

    def __init__(self, scratch):
        self.fleet = agents.Fleet(scratch, enable=False)
        self.place = self.fleet.scratch / "place"
        self.key = make_key(self.fleet.scratch / "key.pem")
        self.trusted = harness.write(self.fleet.scratch / "trusted.pem", public(self.key))
        self.state = self.fleet.scratch / "a-state"
        self.fleet.once("a", *self.fleet.activation())
        self.instance = self.fleet.node()

    def publish(self, version, files=None, key=None, archive=None, change=None):
        """A version of the package, as scripts/package-plugin lays it down; `change` edits the manifest."""
        packed = archive if archive is not None else pack(files or scripts(version))
        folder = self.fleet.server.data / "packages" / NAME / version
        manifest = {"schemaVersion": "2.0", "name": NAME, "publisher": "Test", "version": version,
                    "packages": {"_any": {"_any": {"_any": {"file": "thing.zip"}}}},
                    "files": {"thing.zip": {"checksums": {"sha256": hashlib.sha256(packed).hexdigest()}, "size": len(packed)}}}
        if change:
            change(manifest)
        harness.write(folder / "thing.zip", packed)
        text = harness.write(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
        openssl("pkeyutl", "-sign", "-inkey", key or self.key, "-rawin", "-in", text, "-out", folder / "manifest.json.sig")
        return folder

    def associate(self, action="Install", how="Uninstall and reinstall", version="", name=NAME):
        return self.fleet.ssm.create_association(
            Name=DOCUMENT, Targets=[{"Key": "InstanceIds", "Values": [self.instance]}],
            Parameters={"action": [action], "installationType": [how], "name": [name], "version": [version],
                        "additionalArguments": [json.dumps({"SSM_PLACE": str(self.place)})]},
        )["AssociationDescription"]["AssociationId"]

    def run(self, *more, code=0, trust=True, **what):
        """One association, run once. Gives what the agent said."""
        one = self.associate(**what)
        keys = ["--package-keys", str(self.trusted)] if trust else []
        done = self.fleet.once("a", *keys, *more, code=code)
        self.fleet.ssm.delete_association(AssociationId=one)
        return done.stderr

    def wait_free(self):
        """What a killed agent started dies with it, but not in the same moment."""
        def is_free():
            with open(self.state / "owner", "rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True
        agents.wait_for(is_free)

    def installed(self):
        record = self.state / "packages" / NAME / "installed"
        return record.read_text().split() if record.exists() else []

    def versions(self):
        folder = self.state / "packages" / NAME / "versions"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def log(self):
        log = pathlib.Path(f"{self.place}.log")
        return log.read_text().split("\n")[:-1] if log.exists() else []

    def assert_is(self, version):
        have = [version] if version else []
        assert self.installed() == have and self.versions() == have, (self.installed(), self.versions())
        assert (self.place.read_text().strip() if self.place.exists() else None) == version
        assert not (self.state / "packages" / NAME / "new").exists()


def test_package__is_installed_updated_and_removed(scratch):
    host = Host(scratch)
    host.publish("1.9")
    host.run()
    host.assert_is("1.9")
    assert host.log() == ["install.sh 1.9 debian"], host.log()
    host.run()  # what is there is not installed again
    assert len(host.log()) == 1
    host.publish("1.10")  # newer than 1.9
    host.run(how="In-place update")
    host.assert_is("1.10")
    assert host.log()[1:] == ["update.sh 1.10 debian"], host.log()
    host.run(version="1.9")
    host.assert_is("1.9")
    assert host.log()[2:] == ["uninstall.sh 1.10", "install.sh 1.9 debian"], host.log()
    host.run(action="Uninstall")
    host.assert_is(None)
    assert host.log()[4:] == ["uninstall.sh 1.9"], host.log()
    host.run(action="Uninstall")  # nothing to do is no failure
    results = [one for one in host.fleet.server.tail(100000).splitlines() if "PutConfigurePackageResult" in one]
    assert not [one for one in results if " 4" in one], results
    host.fleet.server.stop()


def test_package__nothing_is_fetched_or_run_without_a_key_that_is_trusted(scratch):
    host = Host(scratch)
    other = make_key(host.fleet.scratch / "other.pem")
    host.publish("1.0")
    said = host.run(trust=False, code=3)
    assert "package_keys" in said, said
    host.publish("1.0", key=other)
    said = host.run(code=3)
    assert "not signed by a key that this host trusts" in said, said
    folder = host.publish("1.0")
    # The signature of one manifest is none of another.
    signature = (folder / "manifest.json.sig").read_bytes()
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace("Test", "Tess"))
    host.run(code=3)
    (folder / "manifest.json").write_text(text)
    for bad in (b"", signature[:-1], signature + b"x", bytes(64), signature[:-1] + bytes([signature[-1] ^ 1])):
        (folder / "manifest.json.sig").write_bytes(bad)
        host.run(code=3)
    (folder / "manifest.json.sig").unlink()
    host.run(code=3)
    assert not host.log() and not host.versions() and not host.place.exists()
    # Keys that others could have written are trusted by nobody.
    (folder / "manifest.json.sig").write_bytes(signature)
    host.trusted.chmod(0o666)
    said = host.run(code=3)
    assert "can write it" in said, said
    # One of several keys is enough.
    host.trusted.chmod(0o644)
    host.trusted.write_text(public(other, host.key))
    host.run()
    host.assert_is("1.0")
    host.fleet.server.stop()


def test_package__other_bytes_than_were_signed_are_not_unpacked(scratch):
    host = Host(scratch)
    folder = host.publish("1.0")
    good = (folder / "thing.zip").read_bytes()
    evil = pack(scripts("1.0", **{"install.sh": f"touch {host.place}.evil\n"}))
    for bad in (evil, good[:-1], good + b"x", b""):
        (folder / "thing.zip").write_bytes(bad)
        host.run(code=3)
        host.assert_is(None)
    # Signed, but of another package, or another version than the folder says.
    (folder / "thing.zip").write_bytes(good)
    for key, value in (("name", "Another-Thing"), ("version", "1.1"), ("version", "../1.0"), ("schemaVersion", "1.0"),
                       ("packages", {"windows": {}}), ("files", {})):
        host.publish("1.0", change=lambda manifest, key=key, value=value: manifest.update({key: value}))
        host.run(code=3, version="1.0")
        host.assert_is(None)
    assert not host.log() and not pathlib.Path(f"{host.place}.evil").exists()
    host.fleet.server.stop()


def test_package__tricks_of_an_archive_reach_nothing(scratch):
    host = Host(scratch)
    outside = host.fleet.scratch / "outside"
    tricks = [{"../../../../../outside": "x"}, {str(outside): "x"}, {"a/../../x": "x"}, {link("bin"): "/tmp"},
              {link("bin"): str(host.fleet.scratch), "bin/outside": "x"}, {"install.sh/x": "x"}]
    for trick in tricks:
        host.publish("1.0", files={**scripts("1.0"), **trick})
        host.run(code=3)
        host.assert_is(None)
        assert not outside.exists() and not host.log(), trick
    # A few kilobytes that claim to be gigabytes.
    host.publish("1.0", files={**scripts("1.0"), "zeros": b"\0" * (300 << 20)})
    said = host.run(code=3)
    host.assert_is(None)
    assert said.count("\n") < 20, said
    host.fleet.server.stop()


def test_package__one_whose_installation_fails_leaves_the_old_one(scratch):
    host = Host(scratch)
    host.publish("1.0")
    host.run()
    host.publish("2.0", files=scripts("2.0", **{"install.sh": "echo cannot >&2; exit 3\n"}))
    said = host.run(code=3)
    assert "exit status 3" in said, said
    host.assert_is("1.0")
    assert host.log() == ["install.sh 1.0 debian", "uninstall.sh 1.0", "install.sh 1.0 debian"], host.log()
    host.publish("3.0", files=scripts("3.0", **{"install.sh": None}))
    said = host.run(code=3)
    assert "no install.sh" in said, said
    assert host.installed() == ["1.0"]
    host.publish("4.0", files=scripts("4.0", **{"update.sh": None}))
    host.run(code=3, how="In-place update")
    host.run(version="1.0")
    host.fleet.server.stop()


def test_package__arguments_are_no_other_variables(scratch):
    host = Host(scratch)
    host.publish("1.0")
    for name in ("SSM_lower", "SSM_A=B", "LD_PRELOAD", "SSM_A\nB"):
        one = host.fleet.ssm.create_association(
            Name=DOCUMENT, Targets=[{"Key": "InstanceIds", "Values": [host.instance]}],
            Parameters={"name": [NAME], "additionalArguments": [json.dumps({name: "x"})]})["AssociationDescription"]
        host.fleet.once("a", "--package-keys", str(host.trusted), code=3)
        host.fleet.ssm.delete_association(AssociationId=one["AssociationId"])
    assert not host.log() and host.installed() == [], (host.log(), host.installed())
    host.fleet.server.stop()


def test_package__killed_in_the_middle_it_ends_up_old_or_new(scratch):
    host = Host(scratch)
    host.publish("1.0")
    host.run()
    gate, begun = host.fleet.scratch / "gate", host.fleet.scratch / "begun"
    wait = f"touch {begun}; while [ ! -e {gate} ]; do sleep 0.1; done\n"
    host.publish("2.0", files=scripts("2.0", **{"install.sh": wait + INSTALL}))
    one = host.associate()
    command = host.fleet.command("a", "--once", "--package-keys", str(host.trusted))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=harness.environment(),
                          start_new_session=True) as agent:
        agents.wait_for(begun.exists)
        agent.send_signal(signal.SIGKILL)
    host.wait_free()
    # The record does not call whole what was cut off, and the script died with the agent.
    assert host.installed() == ["1.0", "changing"], host.installed()
    gate.touch()
    host.fleet.once("a", "--package-keys", str(host.trusted))
    host.assert_is("2.0")
    host.fleet.ssm.delete_association(AssociationId=one)
    # At any moment: whatever is recorded stands there whole.
    chance = [0.05 * n for n in range(1, 21)]
    for n, seconds in enumerate(chance):
        host.publish(f"3.{n}")
        one = host.associate()
        with subprocess.Popen(host.fleet.command("a", "--once", "--package-keys", str(host.trusted)),
                              stderr=subprocess.DEVNULL, env=harness.environment()) as agent:
            try:
                agent.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                agent.kill()
        host.wait_free()
        record = host.installed()
        if record[1:] != ["changing"]:
            assert host.place.read_text().strip() == record[0], (record, host.place.read_text())
        assert record[0] in host.versions(), (record, host.versions())
        host.fleet.ssm.delete_association(AssociationId=one)
    host.publish("4.0")
    host.run()
    host.assert_is("4.0")
    host.fleet.server.stop()


def test_package__what_the_script_of_this_tree_makes_is_installed(scratch):
    """The package of scripts/package-plugin, under another name than the plugin that comes with the agent."""
    host = Host(scratch)
    program = harness.write(host.fleet.scratch / "program", "#!/bin/sh\n", 0o755)
    source = pathlib.Path(__file__).resolve().parents[2] / "scripts/package-plugin"
    text = source.read_text().replace("name=AmazonInspector2-InspectorSsmPluginLinux", "name=" + NAME)
    text = text.replace("root=/opt/aws/inspector", f"root={host.fleet.scratch}/opt").replace(
        "/var/log/amazon/inspector", f"{host.fleet.scratch}/log")
    made = harness.write(host.fleet.scratch / "scripts/package-plugin", text, 0o755)
    done = subprocess.run([made, "--data", host.fleet.server.data, "--version", "1.0", "--key", host.key, "--sonde", program,
                           "--net", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    host.run()
    assert (host.fleet.scratch / "opt/bin/inspectorssmplugin").stat().st_mode & 0o111
    assert host.installed() == ["1.0"]
    host.run(action="Uninstall")
    assert not (host.fleet.scratch / "opt").exists() and host.installed() == []
    host.fleet.server.stop()


if __name__ == "__main__":
    os.umask(0o022)
    harness.run(globals())
