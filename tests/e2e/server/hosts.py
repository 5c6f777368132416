# SPDX-License-Identifier: Apache-2.0
"""Hosts that speak to a server as agents do: registered by activation with a key of their own, signing every call."""
import base64
import datetime
import hashlib
import http.client
import importlib
import json
import subprocess
import time
import urllib.parse
import uuid

import clients

REGION = "eu-central-1"
THIRD_PARTY = "Custom:InspectorThirdPartyPackage"


def now_text(at=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at if at is not None else time.time()))


class Host:
    """One registered host. Its private key lies in `folder`."""

    def __init__(self, server, folder, activation=None, account_client=None, fingerprint=None):
        self.server = server
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key_file = folder / "key.pem"
        self.fingerprint = fingerprint or str(uuid.uuid4())
        self.captured_at = int(time.time()) - 3600
        self.made = None
        if activation is None:
            activation = account_client.create_activation(IamRole="AmazonEC2RunCommandRoleForManagedInstances",
                                                          RegistrationLimit=1)
        self.register(activation)
        self.renew()

    # -- keys --
    def make_key(self):
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                        str(self.key_file)], check=True, capture_output=True)
        return self.make_public()

    def make_public(self):
        der = subprocess.run(["openssl", "pkey", "-in", str(self.key_file), "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        return base64.b64encode(der).decode()

    def sign_rsa(self, text):
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.key_file), "-sigopt",
                               "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"], input=text.encode(), check=True,
                              capture_output=True).stdout

    # -- calls --
    def post(self, target, body, headers):
        """One JSON 1.1 call; gives (status, body)."""
        data = json.dumps(body).encode()
        place = urllib.parse.urlparse(self.server.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            connection.request("POST", "/", data, {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target,
                                                   "Host": place.netloc, **headers})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text or b"{}")

    def request(self, method, path, data, service, headers):
        """One call signed with the host's temporary credentials; gives (status, body)."""
        clients.load()
        auth = importlib.import_module("botocore.auth")
        awsrequest = importlib.import_module("botocore.awsrequest")
        credentials = importlib.import_module("botocore.credentials")
        request = awsrequest.AWSRequest(method, self.server.url + path, data=data, headers=headers)
        auth.SigV4Auth(credentials.Credentials(self.access_key, self.secret_key, self.token), service,
                       REGION).add_auth(request)
        place = urllib.parse.urlparse(self.server.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            connection.request(method, path, data, {**dict(request.headers.items()), "Host": place.netloc})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text or b"{}")

    def try_call(self, operation, body, service="ssm", prefix="AmazonSSM"):
        """One JSON 1.1 call, of operations that public clients do not know; gives (status, body)."""
        return self.request("POST", "/", json.dumps(body).encode(), service, {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{prefix}.{operation}"})

    def call(self, operation, body, service="ssm", prefix="AmazonSSM"):
        """The same, which must succeed."""
        status, answer = self.try_call(operation, body, service, prefix)
        if status != 200:
            raise AssertionError(f"{operation}: {status} {answer}")
        return answer

    def messages(self, operation, body):
        """One call of the service that brings commands."""
        return self.call(operation, body, "ec2messages", "EC2WindowsMessageDeliveryService")

    def send(self, method, path, data, **headers):
        """One call of our own service, which must succeed."""
        status, answer = self.request(method, path, data, "sonde", headers)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def register(self, activation):
        status, answer = self.post("AmazonSSM.RegisterManagedInstance", {
            "ActivationId": activation["ActivationId"], "ActivationCode": activation["ActivationCode"],
            "Fingerprint": self.fingerprint, "PublicKey": self.make_key(), "PublicKeyType": "Rsa"}, {})
        if status != 200:
            raise AssertionError(f"RegisterManagedInstance: {status} {answer}")
        self.id = answer["InstanceId"]

    def call_by_key(self, operation, body):
        """One call proved by the host's own key; gives (status, body)."""
        data = json.dumps(body).encode()
        at = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
        netloc = urllib.parse.urlparse(self.server.url).netloc
        target = "AmazonSSM." + operation
        signed = "content-type;host;x-amz-date;x-amz-target"
        canonical = "\n".join(["POST", "/", "", "content-type:application/x-amz-json-1.1", f"host:{netloc}",
                               f"x-amz-date:{stamp}", f"x-amz-target:{target}", "", signed,
                               hashlib.sha256(data).hexdigest()])
        scope = f"{day}/{REGION}/ssm/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = base64.b64encode(self.sign_rsa(text)).decode()
        return self.post(target, body, {
            "X-Amz-Date": stamp, "Authorization": f"AWS4-HMAC-SHA256 Credential={self.id}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"})

    def renew(self):
        """Temporary credentials, asked for with the host's own key."""
        status, answer = self.call_by_key("RequestManagedInstanceRoleToken", {"Fingerprint": self.fingerprint})
        if status != 200:
            raise AssertionError(f"RequestManagedInstanceRoleToken: {status} {answer}")
        self.access_key, self.secret_key, self.token = (answer["AccessKeyId"], answer["SecretAccessKey"],
                                                        answer["SessionToken"])

    def exchange_key(self):
        """A new key for the host, proved by the old one."""
        old = self.key_file
        self.key_file = self.folder / "next.pem"
        public = self.make_key()
        self.key_file, new = old, self.key_file
        status, answer = self.call_by_key("UpdateManagedInstancePublicKey", {"NewPublicKey": public,
                                                                             "NewPublicKeyType": "Rsa"})
        if status != 200:
            raise AssertionError(f"UpdateManagedInstancePublicKey: {status} {answer}")
        self.key_file = new

    def ssm(self):
        """A client of boto3 with the present credentials."""
        if not self.made or self.made[0] != (self.server.url, self.access_key):
            self.made = ((self.server.url, self.access_key), clients.client(
                "ssm", self.server.url, self.access_key, self.secret_key, self.token, REGION))
        return self.made[1]

    @property
    def digits(self):
        return self.id.split("-")[1]

    @property
    def ec2_id(self):
        return "i-" + self.digits

    # -- what agents send --
    def hello(self, platform="Debian GNU/Linux", version="12", name="host"):
        self.call("UpdateInstanceInformation", {
            "InstanceId": self.id, "AgentName": "amazon-ssm-agent", "AgentVersion": "3.3.987.0", "AgentStatus": "Active",
            "PlatformName": platform, "PlatformType": "Linux", "PlatformVersion": version, "IPAddress": "10.0.0.7",
            "ComputerName": name})

    def report(self, type_name, rows, hash_first=True, at=None):
        """As the plugin and the stock agent do: the hash alone, and the content when it is asked for. Gives how
        often content was sent."""
        errors = importlib.import_module("botocore.exceptions")
        self.captured_at = at if at is not None else self.captured_at + 1
        item = {"TypeName": type_name, "SchemaVersion": "1.0", "CaptureTime": now_text(self.captured_at),
                "ContentHash": hashlib.md5(json.dumps(rows).encode()).hexdigest()}
        ssm = self.ssm()
        if hash_first:
            try:
                ssm.put_inventory(InstanceId=self.id, Items=[item])
                return 0
            except errors.ClientError as error:
                if error.response["Error"]["Code"] not in ("InvalidItemContentException", "ItemContentMismatchException"):
                    raise
        ssm.put_inventory(InstanceId=self.id, Items=[{**item, "Content": rows}])
        return 1


    def upload(self, report, at=None, chunk=0):
        """As our own agent does: announce, send in pieces, complete. Gives the last status."""
        self.captured_at = at if at is not None else self.captured_at + 1
        data = json.dumps(report).encode()
        packed = zstd_stored(data)
        json_type = {"Content-Type": "application/json"}
        start = self.send("POST", "/sonde/uploads", json.dumps({
            "InstanceId": self.id, "CaptureTime": now_text(self.captured_at), "Encoding": "zstd",
            "ContentHash": hashlib.sha256(data).hexdigest(), "CompressedBytes": len(packed),
            "Bytes": len(data)}).encode(), **json_type)
        if start["Status"] != "SEND":
            return start["Status"]
        place, step = start["NextOffset"], chunk or start["ChunkBytes"]
        while place < len(packed):
            place = self.send("PUT", f"/sonde/uploads/{start['UploadId']}/{place}", packed[place:place + step],
                              **{"Content-Type": "application/octet-stream"})["NextOffset"]
        return self.send("POST", f"/sonde/uploads/{start['UploadId']}/complete", b"{}", **json_type)["Status"]


def zstd_stored(data, block=100000):
    """A zstd frame of raw blocks (RFC 8878, 3.1.1): compressed by nothing, so that no library is needed."""
    out = b"\x28\xb5\x2f\xfd\x00\x38"  # magic, a frame without a size, a window of 128 KiB
    for at in range(0, max(len(data), 1), block):
        piece = data[at:at + block]
        last = at + block >= len(data)
        out += ((len(piece) << 3) | last).to_bytes(3, "little") + piece
    return out


def application(name, version, arch="amd64", publisher="Debian", **more):
    """A row of AWS:Application as the stock agent sends it for a deb."""
    return {"Name": name, "Version": version, "Architecture": arch, "Publisher": publisher, "ApplicationType": "libs",
            **more}


def third_party(name, version, path, manager="PYTHONPKG"):
    """A row of the plugin's type."""
    return {"Name": name, "Version": version, "PackageManager": manager, "Path": path}


def rows_of(report):
    """The two kinds of rows that stand for a report of `sonde inventory --format json`."""
    managers = {"pypi": "PYTHONPKG", "npm": "NODEPKG"}
    system, language = [], []
    for package in report["packages"]:
        if package["type"] in managers:
            if not package["owner"]:
                language.append(third_party(package["name"], package["version"], package["path"],
                                            managers[package["type"]]))
        else:
            epoch, colon, rest = package["version"].rpartition(":")
            row = application(package["name"], package["version"], package["arch"] or "all",
                              package["vendor"] or "Debian")
            if package["type"] == "rpm":
                version, _, release = rest.rpartition("-")
                row.update({"Version": version, "Release": release, "Epoch": epoch if colon else "0"})
            system.append(row)
    return system, language
