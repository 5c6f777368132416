# SPDX-License-Identifier: Apache-2.0
"""One fleet for a whole test file: an organisation, accounts of every kind, and hosts whose inventories `sonde
inventory` made of real trees. Vulnerability data are written here, so that what must be found is known."""
import atexit
import pathlib
import shutil
import subprocess
import sys
import tempfile

import clients
import harness
import hosts
from servers import Server
from walker import Walker

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"  # 9.8
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"      # 7.5
MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"    # 5.3
LOW = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N"       # 3.3
EPSS = {"CVE-2030-0001": 0.91, "CVE-2030-0002": 0.25, "CVE-2030-0003": 0.01}
KEV = ["CVE-2030-0001"]
RPM = "glibc"


def cvss(vector):
    return [{"type": "CVSS_V3", "score": vector}]


def advisories():
    """One record of each kind: language and distribution, each severity, with and without a fix, partly fixed."""
    partly = harness.osv("DEBIAN-CVE-2030-0006", "Debian:12", "sonde-fixed", fixed="3.0-1", severity=cvss(MEDIUM),
                         upstream=["CVE-2030-0006"])
    partly["affected"] += harness.osv("x", "Debian:12", "sonde-unfixed")["affected"]
    return [
        harness.osv("GHSA-2030-aaaa-0001", "PyPI", "numpy", fixed="1.22.0", severity=cvss(CRITICAL),
                    aliases=["CVE-2030-0001"], details="A buffer is too small.\n\nIt is.",
                    references=[{"type": "WEB", "url": "https://example.org/numpy"}],
                    database_specific={"cwe_ids": ["CWE-120"], "severity": "CRITICAL"}),
        harness.osv("GHSA-2030-aaaa-0002", "npm", "lodash", fixed="4.17.21", severity=cvss(HIGH),
                    aliases=["CVE-2030-0002"], database_specific={"severity": "HIGH"}),
        harness.osv("DEBIAN-CVE-2030-0003", "Debian:12", "sonde-lib", fixed="1:2.0-1", severity=cvss(MEDIUM),
                    upstream=["CVE-2030-0003"]),
        harness.osv("DEBIAN-CVE-2030-0004", "Debian:12", "sonde-lib", upstream=["CVE-2030-0004"]),
        harness.osv("RLSA-2030:0005", "Rocky Linux:9", RPM, fixed="9:99-1.module_9", severity=cvss(LOW),
                    upstream=["CVE-2030-0005"]),
        partly,
    ]


def debian_tree(root):
    """A root whose dpkg database is this machine's, where it has one, with packages of ours besides."""
    harness.os_release(root)
    status = pathlib.Path("/var/lib/dpkg/status")
    if status.exists():
        harness.write(root / "var/lib/dpkg/status", status.read_bytes().rstrip(b"\n") + b"\n\n")
    else:
        harness.dpkg_package(root, "adduser", "3.134")
    harness.dpkg_package(root, "sonde-lib", "1:1.0-1", arch="amd64")
    harness.dpkg_package(root, "sonde-fixed", "2.0-1", arch="amd64")
    harness.dpkg_package(root, "sonde-unfixed", "2.0-1", arch="amd64")
    return root


def rpm_tree(root):
    """A root with an rpm database of the reference data, said to be Rocky Linux 9."""
    source = harness.shared("fixtures", "rpm", "rpmdb", "fedora-sqlite", "rpmdb.sqlite")
    harness.os_release(root, "rocky", "9.4", "Rocky Linux 9.4 (Blue Onyx)")
    harness.write(root / "var/lib/rpm/rpmdb.sqlite", source.read_bytes())
    return root


def npm_tree(root):
    harness.os_release(root)
    modules = root / "usr/local/lib/node_modules"
    harness.npm_package(modules, "lodash", "4.17.15")
    harness.npm_package(modules / "lodash/node_modules", "left-pad", "1.3.0")
    harness.npm_package(root / "opt/app/node_modules", "lodash", "4.17.20")
    return root


def pip_tree(root):
    """What pip itself lays down, where it finds a package to install; and numpy as pip would lay it."""
    harness.os_release(root)
    site = root / "usr/local/lib/python3/site-packages"
    harness.pip_package(site, "numpy", "1.21.3")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
                           "--target", str(site), "idna==3.7"], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        print("no package index: the pip tree is laid down by hand")
        harness.pip_package(site, "idna", "3.7")
    return root


class World:
    """Accounts, keys, clients, hosts."""

    def __init__(self):
        clients.load()
        self.server = None
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="sonde-e2e-"))
        atexit.register(self.end)
        self.walker = Walker()
        self.made = {}
        self.server = Server(self.scratch)
        self.server.advise(advisories(), EPSS, KEV)
        self.server.start()
        names = ("management", "delegated", "member", "alone")
        self.accounts = {name: self.server.account(name) for name in names}
        self.accounts["legacy"] = self.server.account("legacy", "--legacy")
        self.server.organisation(*(self.accounts[name] for name in names[:3]), delegated=self.accounts["delegated"])
        self.keys = {name: self.server.key(account) for name, account in self.accounts.items()}
        for name in self.accounts:
            if name != "member":
                self.client("inspector2", name).enable(resourceTypes=["EC2"])
        admin = self.client("inspector2", "delegated")
        admin.associate_member(accountId=self.accounts["member"])
        admin.enable(resourceTypes=["EC2"], accountIds=[self.accounts["member"]])
        # What is deleted by hand comes back within the minute: looked for by the last tests.
        ssm = self.client("ssm", "management")
        for one in ssm.list_associations()["Associations"]:
            if one["AssociationName"] == "InvokeInspectorLinuxSsmPlugin-do-not-delete":
                ssm.delete_association(AssociationId=one["AssociationId"])
        self.hosts = {}
        self.reports = {}
        self.report("debian", "alone", debian_tree)
        self.report("rpm", "member", rpm_tree, platform="Rocky Linux", version="9.4")
        self.report("npm", "member", npm_tree)
        self.report("pip", "alone", pip_tree)
        self.report_own("own", "alone", debian_tree)
        self.report_stock("stock", "delegated")

    def end(self):
        if self.server:
            self.server.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def client(self, service, name="alone", region="eu-central-1"):
        """A watched client of an account's administrator."""
        if (service, name, region) not in self.made:
            self.made[(service, name, region)] = self.walker.watch(
                self.server.client(service, self.keys[name], region=region))
        return self.made[(service, name, region)]

    def host(self, name, account, **hello):
        host = hosts.Host(self.server, self.scratch / "keys" / name, account_client=self.client("ssm", account))
        host.hello(name=name, **hello)
        host.account = account
        self.hosts[name] = host
        return host

    def inventory(self, name, make):
        root = make(self.scratch / "trees" / name)
        self.reports[name] = harness.inventory("--root", root, code=None)
        return self.reports[name]

    def report(self, name, account, make, **hello):
        """As the stock agent and the plugin do: two types, hash first."""
        host = self.host(name, account, **hello)
        system, language = hosts.rows_of(self.inventory(name, make))
        host.report("AWS:Application", system)
        host.report(hosts.THIRD_PARTY, language)
        return host

    def report_own(self, name, account, make):
        host = self.host(name, account)
        report = self.inventory(name, make)
        assert host.upload(report, chunk=70000) == "TAKEN"
        assert host.upload(report) == "CURRENT"
        return host

    def report_stock(self, name, account):
        """What an agent sends that nobody told of deep inspection."""
        host = self.host(name, account)
        host.report("AWS:Application", [hosts.application("sonde-lib", "1:1.0-1", "x86_64",
                                                          PackageId="sonde-lib_1:1.0-1_amd64.deb")])
        host.report("AWS:InstanceInformation", [{
            "AgentType": "amazon-ssm-agent", "AgentVersion": "3.3.987.0", "ComputerName": "stock",
            "InstanceId": host.id, "IpAddress": "10.0.0.7", "PlatformName": "Debian GNU/Linux", "PlatformType": "Linux",
            "PlatformVersion": "12", "ResourceType": "ManagedInstance", "InstanceStatus": "Active"}])
        host.report("AWS:InstanceDetailedInformation", [{"CPUModel": "x", "CPUs": "2", "KernelVersion": "6.1.0-18"}])
        return host


KEPT = []


def world():
    """The one world of this process, made when it is first asked for."""
    if not KEPT:
        KEPT.append(World())
    return KEPT[0]
