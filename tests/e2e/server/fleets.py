# SPDX-License-Identifier: Apache-2.0
"""A simulated fleet on a real server, raw signed calls, and a slow matcher that shares no code with the program."""
import functools
import http.client
import importlib
import json
import os
import re
import subprocess
import urllib.parse
import xml.etree.ElementTree

import clients
import harness

FLEET_SIM = os.environ.get("SONDE_FLEET_SIM", "fleet_sim")
TYPES = ("AWS:Application", "Custom:InspectorThirdPartyPackage")


class Fleet:
    """Hosts of fleet_sim. expected.json in the scratch folder is what each had acknowledged last."""

    def __init__(self, server, account, key, hosts, packages=(20, 10), sets=None, seed=1, connections=8):
        self.server = server
        self.account = account
        self.key = key
        self.state = server.scratch / f"expected-{account}.json"
        self.log = server.scratch / f"acknowledged-{account}.tsv"
        self.words = ["--state", str(self.state), "--hosts", str(hosts), "--seed", str(seed), "--sets",
                      str(sets or max(1, hosts // 20)), "--packages", f"{packages[0]},{packages[1]}",
                      "--connections", str(connections)]

    def start(self, mode, *more):
        return subprocess.Popen([FLEET_SIM, "--url", self.server.url, "--mode", mode, "--log", str(self.log), *self.words,
                                 *map(str, more)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, mode, *more):
        """Run a mode to its end; gives its last line."""
        return self.finish(self.start(mode, *more), mode)

    @staticmethod
    def finish(process, mode="load"):
        out, err = process.communicate(timeout=300)
        lines = [json.loads(line) for line in out.splitlines()]
        if process.returncode != 0:
            raise AssertionError(f"fleet_sim {mode}: {process.returncode} {err}\n{out}")
        return lines[-1]

    def enrol(self):
        self.run("enrol", "--key", ":".join(self.key))
        done = self.run("full")
        assert not done["errors"], done
        return self

    def hosts(self):
        return json.loads(self.state.read_text())["hosts"]

    def ids(self):
        return [host["id"] for host in self.hosts()]

    def acknowledged(self):
        """(host, type) -> (hash, capture time), by the log: the last line counts."""
        last = {}
        if self.log.exists():
            for line in self.log.read_text().splitlines():
                parts = line.split("\t")
                if len(parts) == 4:
                    last[parts[0], parts[1]] = (parts[2], int(parts[3]))
        return last


class Caller:
    """Signed calls over one kept connection: a fraction of what boto3 takes for each."""

    def __init__(self, server, key, token=None, region="eu-central-1"):
        clients.load()
        self.auth = importlib.import_module("botocore.auth")
        self.request = importlib.import_module("botocore.awsrequest").AWSRequest
        self.credentials = importlib.import_module("botocore.credentials").Credentials(*key, token)
        self.url = server.url
        self.region = region
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(server.url).netloc, timeout=120)

    def send(self, service, path, headers, data):
        request = self.request("POST", self.url + path, data=data, headers=headers)
        self.auth.SigV4Auth(self.credentials, service, self.region).add_auth(request)
        self.connection.request("POST", path, data, dict(request.headers))
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def call(self, service, path, headers, body):
        status, text = self.send(service, path, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())
        return status, json.loads(text or b"{}")

    def inspector(self, path, **body):
        status, answer = self.call("inspector2", path, {}, body)
        assert status == 200, (path, status, answer)
        return answer

    def ssm(self, operation, **body):
        status, answer = self.call("ssm", "/", {"X-Amz-Target": "AmazonSSM." + operation,
                                                "Content-Type": "application/x-amz-json-1.1"}, body)
        assert status == 200, (operation, status, answer)
        return answer

    def ec2(self, action, **parameters):
        """A call of the Query protocol; gives the root of its XML, names without their space."""
        data = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **parameters}).encode()
        status, text = self.send("ec2", "/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, data)
        assert status == 200, (action, status, text)
        return xml.etree.ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", text))

    def pages(self, path, member, **body):
        token = None
        while True:
            answer = self.inspector(path, **body, **({"nextToken": token} if token else {}))
            yield answer[member]
            token = answer.get("nextToken")
            if not token:
                return

    def findings(self, **body):
        return [finding for page in self.pages("/findings/list", "findings", maxResults=100, **body) for finding in page]

    def inventory(self, host, type_name):
        """(rows, capture time, of one host and type)."""
        rows, token, captured = [], None, None
        while True:
            answer = self.ssm("ListInventoryEntries", InstanceId=host, TypeName=type_name, MaxResults=50,
                              **({"NextToken": token} if token else {}))
            rows += answer["Entries"]
            captured = answer.get("CaptureTime", captured)
            token = answer.get("NextToken")
            if not token:
                return rows, captured


def digits(identity):
    return identity.split("-")[1]


def key_of(finding):
    """What a finding is about: (host, vulnerability)."""
    return digits(finding["resources"][0]["id"]), finding["packageVulnerabilityDetails"]["vulnerabilityId"]


# -- the slow matcher --
def deb_order(char):
    return -1 if char == "~" else 0 if char == "" else ord(char) if char.isalpha() else ord(char) + 256


def deb_compare_part(left, right):
    """deb-version(7): runs of other characters and of digits by turns."""
    while left or right:
        a, b = re.match(r"\D*", left).group(), re.match(r"\D*", right).group()
        for i in range(max(len(a), len(b))):
            x, y = deb_order(a[i:i + 1]), deb_order(b[i:i + 1])
            if x != y:
                return -1 if x < y else 1
        left, right = left[len(a):], right[len(b):]
        a, b = re.match(r"\d*", left).group(), re.match(r"\d*", right).group()
        if int(a or 0) != int(b or 0):
            return -1 if int(a or 0) < int(b or 0) else 1
        left, right = left[len(a):], right[len(b):]
    return 0


def deb_compare(left, right):
    def split(text):
        epoch, colon, rest = text.partition(":")
        if not colon:
            epoch, rest = "0", text
        upstream, dash, revision = rest.rpartition("-")
        return int(epoch), upstream if dash else rest, revision if dash else ""
    a, b = split(left), split(right)
    if a[0] != b[0]:
        return -1 if a[0] < b[0] else 1
    return deb_compare_part(a[1], b[1]) or deb_compare_part(a[2], b[2])


def numbers_compare(left, right):
    """Dotted numbers only: what simulated hosts have of npm and PyPI."""
    a, b = [int(part) for part in left.split(".")], [int(part) for part in right.split(".")]
    return (a > b) - (a < b)


ECOSYSTEMS = {"Debian:12": deb_compare, "npm": numbers_compare, "PyPI": numbers_compare}


def ecosystem_of(type_name, row):
    if type_name == TYPES[0]:
        return "Debian:12"
    return "npm" if row["PackageManager"] == "NODEPKG" else "PyPI"


def slow_match(inventories, records):
    """Every (host, vulnerability). inventories: (host, type) -> rows; records: as harness.osv() makes them."""
    by_package = {}
    for record in records:
        for affected in record["affected"]:
            place = affected["package"]["ecosystem"], affected["package"]["name"]
            by_package.setdefault(place, []).append((record["aliases"] or record["upstream"] or [record["id"]],
                                                     affected["ranges"]))
    found = set()
    for (host, type_name), rows in inventories.items():
        for row in rows:
            ecosystem = ecosystem_of(type_name, row)
            for names, ranges in by_package.get((ecosystem, row["Name"]), ()):
                if any(is_in(row["Version"], r["events"], ECOSYSTEMS[ecosystem]) for r in ranges):
                    found.update((digits(host), name) for name in names)
    return found


def is_in(version, events, compare):
    """OSV schema, "Evaluation": events in their order."""
    inside = False
    order = functools.cmp_to_key(compare)
    for event in sorted(events, key=lambda e: order("0" if e.get("introduced") == "0" else next(iter(e.values())))):
        if "introduced" in event and (event["introduced"] == "0" or compare(version, event["introduced"]) >= 0):
            inside = True
        if "fixed" in event and compare(version, event["fixed"]) >= 0:
            inside = False
    return inside


def ready(server, hosts, name="fleet", **more):
    """A started server with an account that scans, and hosts in it."""
    account = server.account(name)
    key = server.key(account)
    server.client("inspector2", key).enable(resourceTypes=["EC2"])
    return Fleet(server, account, key, hosts, **more).enrol()


def stored(caller, ids):
    """(host, type) -> rows of all these hosts, as the server has them."""
    return {(host, type_name): caller.inventory(host, type_name)[0] for host in ids for type_name in TYPES}


def record(number, ecosystem, package, fixed=None, introduced="0"):
    """An advisory of one made-up CVE."""
    name = f"CVE-2026-{10000 + number}"
    return harness.osv(("DEBIAN-" if ecosystem.startswith("Debian") else "TEST-") + name, ecosystem, package, fixed,
                       introduced, upstream=[name] if ecosystem.startswith("Debian") else (),
                       aliases=() if ecosystem.startswith("Debian") else [name],
                       severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}])
