# SPDX-License-Identifier: Apache-2.0
"""The processes of a real agent at work, as the kernel tells of them."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import harness
import test_agent as agents

NOBODY = "65534"
SUPERVISOR = 0x1ef  # the capabilities of its row


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {line.split(":", 1)[0]: line.split(":", 1)[1].split() for line in text.splitlines()}


def descendants(pid):
    """Every process below one, by pid: its status."""
    every = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                every[int(entry.name)] = status(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found, todo = {}, [pid]
    while todo:
        parent = todo.pop()
        below = [one for one, about in every.items() if int(about["PPid"][0]) == parent]
        found.update({one: every[one] for one in below})
        todo += below
    return found


def descriptors(pid):
    try:
        return [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []  # it has ended


def caps(about, name):
    return int(about[name][0], 16)


def require():
    if os.geteuid() != 0 or caps(status("self"), "CapBnd") & SUPERVISOR != SUPERVISOR:
        raise harness.Skip("root")
    if harness.SANITIZED:
        raise harness.Skip("a build without a sanitizer")


def test_roles__who_waits_is_nobody_and_the_supervisor_has_what_it_needs(scratch):
    require()
    fleet = agents.Fleet(scratch, enable=False)
    agent = fleet.start("a", *fleet.activation())
    agents.wait_for(lambda: [one for one in descendants(agent.pid).values() if one["Name"] == ["sonde-net"]])
    about = status(agent.pid)
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert caps(about, name) == SUPERVISOR, about
    assert about["NoNewPrivs"] == ["1"] and about["Seccomp"] == ["2"], about

    def all_in_their_roles():
        below = descendants(agent.pid)
        done = all(one["Uid"] == [NOBODY] * 4 and int(one.get("Seccomp_filters", ["2"])[0]) >= 2 for one in below.values())
        return below if below and done else None
    below = agents.wait_for(all_in_their_roles)
    for pid, about in below.items():
        assert caps(about, "CapEff") == caps(about, "CapPrm") == caps(about, "CapBnd") == 0, (pid, about)
        assert about["NoNewPrivs"] == ["1"] and about["Seccomp"] == ["2"], (pid, about)
        assert "Groups" not in about or about["Groups"] == [], (pid, about)
        assert not [one for one in descriptors(pid) if "a-state" in one], descriptors(pid)
    agents.stop(agent)
    fleet.server.stop()


def test_roles__a_script_of_the_agents_own_documents_has_no_more_than_it(scratch):
    """What a trusted document runs: here the plugin's place is taken by a program that tells of itself."""
    require()
    wrap = ["unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs none /opt && mkdir -p /opt/aws/inspector/bin && cp {scratch}/tells '
            f'/opt/aws/inspector/bin/inspectorssmplugin && exec "$@"', "sh"]
    harness.write(pathlib.Path(scratch) / "tells", f"#!/bin/sh\ncat /proc/self/status >{scratch}/told\nmount -t tmpfs none /tmp "
                  f"2>/dev/null && touch {scratch}/mounted\nexit 0\n", 0o755)
    if os.system("unshare --mount true 2>/dev/null") != 0:
        raise harness.Skip("no mount namespace can be made here")
    fleet = agents.Fleet(scratch, deep=True)
    fleet.once("a", *fleet.activation(), "--stopped")
    one = next(one for one in fleet.ssm.list_associations()["Associations"] if "Configure" in one["Name"])
    fleet.ssm.delete_association(AssociationId=one["AssociationId"])
    fleet.once("a", wrap=wrap, code=None)
    told = {line.split(":", 1)[0]: line.split(":", 1)[1].split() for line in (pathlib.Path(scratch) / "told").read_text().splitlines()}
    assert caps(told, "CapEff") == caps(told, "CapBnd") == SUPERVISOR, told
    assert told["NoNewPrivs"] == ["1"] and told["Seccomp"] == ["2"], told
    assert not (pathlib.Path(scratch) / "mounted").exists()
    fleet.server.stop()


def test_roles__a_host_that_allows_documents_runs_them_with_all_its_rights(scratch):
    require()
    fleet = agents.Fleet(scratch, enable=False)
    agent = fleet.start("a", *fleet.activation(), "--allow-documents")
    instance = agents.wait_for(lambda: fleet.nodes() and fleet.node())
    command = fleet.send(instance, "AWS-RunShellScript", Parameters={"commands": ["grep CapEff /proc/self/status"]})
    got = fleet.result(instance, command)
    assert int(got["StandardOutputContent"].split()[1], 16) == caps(status("self"), "CapEff"), got
    agents.stop(agent)
    fleet.server.stop()


def test_roles__the_agent_works_under_what_its_unit_forbids(scratch):
    """The unit's capabilities, no new privileges, and a file system of which only the unit's folders can be written."""
    require()
    harness.tool("setpriv")
    if os.system("unshare --mount true 2>/dev/null") != 0:
        raise harness.Skip("no mount namespace can be made here")
    unit = (pathlib.Path(__file__).resolve().parents[2] / "data/systemd/sonde-agent.service").read_text()
    words = next(line for line in unit.splitlines() if line.startswith("CapabilityBoundingSet=")).partition("=")[2].split()
    keep = ",".join("+" + word.removeprefix("CAP_").lower() for word in words)
    for name in ("a-state", "opt", "log"):
        (pathlib.Path(scratch) / name).mkdir()
    wrap = ["unshare", "--mount", "sh", "-c",
            f"set -e; mount --bind {scratch}/a-state {scratch}/a-state; mount --bind {scratch}/opt /opt; "
            f'mount --bind {scratch}/log /var/log; mount -o remount,ro,bind /; exec "$@"', "sh",
            "setpriv", "--no-new-privs", "--bounding-set", "-all," + keep, "--inh-caps", "-all"]
    fleet = agents.Fleet(scratch, deep=True)
    root = agents.make_root(fleet.scratch / "a-root")
    done = fleet.once("a", *fleet.activation(), wrap=wrap, code=None, root=root)
    found = agents.statuses(fleet, fleet.node())
    assert len(found) == 3 and set(found.values()) == {"Success"}, (found, done.stderr)
    fleet.server.stop()


if __name__ == "__main__":
    harness.run(globals())
