# SPDX-License-Identifier: Apache-2.0
"""Who may do what: every operation as every caller, against the matrix in rights.txt; and proofs that prove nothing:
forged, altered, expired, replayed, of another service, of another host, of a key that was revoked."""
import atexit
import datetime
import hashlib
import http.client
import importlib
import json
import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.parse
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position
import clients
import harness
import hosts
import world
from asks import DOCUMENT, Asks
from servers import Server

HERE = pathlib.Path(__file__).resolve().parent
OPERATIONS = HERE.parents[2] / "src/server/operations.def"
CALLERS = ("admin", "reader", "peer", "deleg", "manage", "other", "host", "twin", "alien", "nobody")
REGION = hosts.REGION
PREFIXES = {"ssm": "AmazonSSM", "ec2messages": "EC2WindowsMessageDeliveryService",
            "organizations": "AWSOrganizationsV20161128"}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationFailureException", "AuthFailure",
          "MissingAuthenticationToken", "MissingAuthenticationTokenException", "UnrecognizedClientException"}
STATE = {"ConflictException", "AccountAlreadyRegisteredException", "ConstraintViolationException"}
BROKEN = {"ValidationException", "InvalidParameters", "InvalidParameterValue", "SerializationException",
          "InvalidInputException", "InternalServerError", "InternalServerException", "UnknownOperationException"}
FAILURES = ("failedAccounts", "failedAccountIds", "errors", "Failed", "InvalidParameters")
# A reader sees that something was answered, and no name of the account: what is shown is somebody else's or a count.
PLAIN = {"organizations.DescribeOrganization", "organizations.ListDelegatedAdministrators", "ssm.ListTagsForResource",
         "inspector2.GetDelegatedAdminAccount", "inspector2.ListDelegatedAdminAccounts", "ssm.ListComplianceSummaries",
         "inspector2.DescribeOrganizationConfiguration", "inspector2.ListTagsForResource", "ssm.DescribeInventoryDeletions",
         "inspector2.GetConfiguration", "ssm.DescribeDocumentPermission", "ssm.DescribeActivations",
         "ssm.DescribeAssociationExecutions"}


class Fleet:
    """The account M with what it has, and all who may ask for it."""

    def __init__(self, scratch):
        clients.load()
        self.scratch = scratch
        self.server = Server(scratch, world.advisories()).start()
        self.accounts = {name: self.server.account(name) for name in ("admin", "peer", "deleg", "manage", "other", "spare")}
        self.server.organisation(*(self.accounts[name] for name in ("manage", "deleg", "admin", "peer", "spare")),
                                 delegated=self.accounts["deleg"])
        self.keys = {name: self.server.key(account) for name, account in self.accounts.items()}
        self.keys["reader"] = self.server.key(self.accounts["admin"], "reader")
        self.made = {}
        for name in ("deleg", "manage", "other"):
            self.admin("inspector2", name).enable(resourceTypes=["EC2"])
        for name in ("admin", "peer", "spare"):
            self.admin("inspector2", "deleg").associate_member(accountId=self.accounts[name])
            self.admin("inspector2", "deleg").enable(resourceTypes=["EC2"], accountIds=[self.accounts[name]])
        self.hosts = {}
        for name, account in (("host", "admin"), ("twin", "admin"), ("alien", "other")):
            host = hosts.Host(self.server, scratch / name, account_client=self.admin("ssm", account))
            host.hello(name="of-m" if account == "admin" else "else")
            host.report("AWS:Application", [hosts.application("sonde-lib", "1:1.0-1")])
            self.hosts[name] = host
        self.public_key = self.hosts["host"].make_public()
        ssm = self.admin("ssm")
        self.document = ssm.create_document(Content=DOCUMENT, Name="of-m-kept", DocumentType="Command"
                                            )["DocumentDescription"]["Name"]
        self.plain = ssm.create_document(Content=DOCUMENT, Name="of-m-plain", DocumentType="Command"
                                         )["DocumentDescription"]["Name"]
        targets = [{"Key": "InstanceIds", "Values": [self.hosts["host"].id]}]
        self.association = ssm.create_association(Name=self.document, AssociationName="of-m-kept", Targets=targets
                                                  )["AssociationDescription"]["AssociationId"]
        ssm.create_association(Name=self.plain, InstanceId=self.hosts["host"].id)
        ssm.start_associations_once(AssociationIds=[self.association])
        self.package = "of-m-package"
        harness.write(self.server.data / "packages" / self.package / "1.0.0.0/manifest.json", json.dumps({
            "schemaVersion": "2.0", "version": "1.0.0.0", "packages": {}, "files": {}}))
        self.report = harness.inventory("--root", world.npm_tree(scratch / "tree"), code=None)
        self.marks = (self.accounts["admin"], self.hosts["host"].digits, self.hosts["twin"].digits, "of-m")

    def admin(self, service, name="admin"):
        if (service, name) not in self.made:
            self.made[(service, name)] = self.server.client(service, self.keys[name])
        return self.made[(service, name)]

    def ended(self, ask, report):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if ask(reportId=report)["status"] != "IN_PROGRESS":
                return
            time.sleep(0.05)
        raise AssertionError(f"report {report} does not end")

    def passing_host(self):
        """A host that can be lost: it needs no key of its own."""
        digits = uuid.uuid4().hex[:17]
        key = self.server.key(self.accounts["admin"], "host", "--instance", f"mi-{digits}")
        self.server.client("sts", key).get_caller_identity()
        return f"mi-{digits}"

    def credentials(self, caller):
        """Key, secret and token; None for nobody."""
        if caller in self.hosts:
            host = self.hosts[caller]
            return host.access_key, host.secret_key, host.token
        return (*self.keys[caller], None) if caller in self.keys else None


FLEETS = []


def fleet():
    if not FLEETS:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="sonde-e2e-"))
        atexit.register(shutil.rmtree, scratch, True)
        FLEETS.append(Fleet(scratch))
        atexit.register(FLEETS[0].server.kill)
    return FLEETS[0]


def send(server, method, path, data, headers):
    """A request as it stands; gives (status, headers, body)."""
    place = urllib.parse.urlparse(server.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    try:
        connection.request(method, path, data, {"Host": place.netloc, **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def signed(server, credentials, service, method, path, data, headers, at=None, region=REGION):
    """The headers of a request with a signature, as of another time if asked."""
    auth = importlib.import_module("botocore.auth")
    awsrequest = importlib.import_module("botocore.awsrequest")
    key = importlib.import_module("botocore.credentials").Credentials(*credentials)
    request = awsrequest.AWSRequest(method, server.url + path, data=data, headers=headers)
    signer = auth.SigV4Auth(key, service, region)
    if at is None:
        signer.add_auth(request)
    else:
        request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
        signer._modify_request_before_signing(request)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signer._inject_signature_to_request(request, signer.signature(text, request))
    return dict(request.headers.items())


def code_of(headers, text):
    """The name of the exception that an answer is."""
    if headers.get("x-amzn-ErrorType"):
        return headers["x-amzn-ErrorType"].split(":")[0]
    match = re.search(r"<Code>(\w+(?:\.\w+)*)</Code>", text) or re.search(r'"__type":\s*"(?:[^"#]*#)?([^"]+)"', text)
    return match.group(1) if match else "?"


def raw(caller, service, operation, body):
    """One JSON call of an operation that public clients do not know."""
    f = fleet()
    if service in ("sonde", "inspector2"):
        method, path, data = body
        headers = {"Content-Type": "application/json"}
    else:
        method, path, data = "POST", "/", json.dumps(body).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{PREFIXES[service]}.{operation}"}
    credentials = f.credentials(caller)
    if credentials:
        headers = signed(f.server, credentials, service, method, path, data, headers)
    status, head, text = send(f.server, method, path, data, headers)
    return (None, text) if status == 200 else (code_of(head, text), text)


def through_client(caller, service, operation, asked):
    f = fleet()
    key = (caller, service)
    if key not in f.made:
        credentials = f.credentials(caller)
        if credentials:
            f.made[key] = clients.client(service, f.server.url, *credentials)
        else:
            session = clients.session(region_name=REGION)
            config = importlib.import_module("botocore.config").Config(
                signature_version=importlib.import_module("botocore").UNSIGNED, retries={"total_max_attempts": 1})
            f.made[key] = session.client(service, endpoint_url=f.server.url, config=config)
    client = f.made[key]
    try:
        answer = client._make_api_call(operation, asked)
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"], json.dumps(error.response, default=str)
    del answer["ResponseMetadata"]
    return None, json.dumps(answer, default=str)


def call(caller, service, operation, asked):
    f = fleet()
    if operation in ("RequestManagedInstanceRoleToken", "UpdateManagedInstancePublicKey") and caller in f.hosts:
        if operation.startswith("Update"):
            f.hosts[caller].exchange_key()
            return None, "{}"
        status, answer = f.hosts[caller].call_by_key(operation, asked)
        return (None if status == 200 else answer["__type"].rpartition("#")[2]), json.dumps(answer)
    if service == "inspector2":
        model = f.admin(service).meta.service_model.operation_model(operation)
        if set(asked) - set(model.input_shape.members if model.input_shape else ()):
            # The model of this client is older than the member.
            return raw(caller, service, operation, (model.http["method"], model.http["requestUri"],
                                                    json.dumps(asked).encode()))
    if service in ("inspector2", "ec2", "sts") or (service in ("ssm", "organizations") and operation in known(service)):
        return through_client(caller, service, operation, asked)
    return raw(caller, service, operation, asked)


def known(service):
    return fleet().admin(service).meta.service_model.operation_names


def outcome(operation, asked, code, text):
    """The letter of rights.txt for what came."""
    if code in DENIED:
        return "-"
    if code in STATE:
        return "!"
    if code in BROKEN or code == "?":
        return f"?{code}: {text[:300]}"
    if code:
        return "h" if code not in ("StatusUnchanged", "DuplicateDocumentContent") else f"?{code}"
    body = json.loads(text)
    if any(body.get(member) for member in FAILURES):
        return "e"
    own = json.dumps(asked, default=str)
    shown = any(mark in text for mark in fleet().marks)
    foreign = any(mark in text and mark not in own for mark in fleet().marks)
    if operation == "inspector2.ListCoverageStatistics":
        return "Y" if body["totalCounts"] else "o"
    return "Y" if foreign else "y" if shown else "o"


def matches(operation, wanted, got):
    if wanted == got:
        return True
    is_read = re.match(r"(List|Describe|Get|Batch|Search)", operation.split(".")[1])
    if wanted == "Y":
        # Writes say little; and what a request names itself may stand in its answer.
        return got == "y" or (got == "o" and (not is_read or operation in PLAIN))
    if wanted == "!" and operation.startswith("inspector2.Cancel"):
        return got.startswith("?ValidationException") and "not being made" in got
    return wanted == "o" and got == "y"


def matrix():
    rows = {}
    for line in (HERE / "rights.txt").read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            assert len(words) == 2 + len(CALLERS), line
            assert f"{words[0]}.{words[1]}" not in rows, line
            rows[f"{words[0]}.{words[1]}"] = dict(zip(CALLERS, words[2:]))
    return rows


def test_rights__every_operation_has_a_row(_scratch):
    rows = {f"{a}.{b}" for a, b in re.findall(r"^OPERATION\((\w+), (\w+),", OPERATIONS.read_text(), re.M)}
    assert rows == set(matrix()), rows ^ set(matrix())


def test_rights__every_caller_gets_what_the_matrix_says(_scratch):
    f = fleet()
    asks = Asks(f)
    wrong, calls = [], 0
    for operation, row in matrix().items():
        service, name = operation.split(".")
        asked = None
        for caller in reversed(CALLERS):  # who may least asks first
            asked = asks.ask(operation) if asked is None else asked
            code, text = call(caller, service, name, asked)
            got = outcome(operation, asked, code, text)
            if code is None:
                asked = None  # what was refused changed nothing, and serves the next one
            calls += 1
            if not matches(operation, row[caller], got):
                wrong.append(f"{operation} as {caller}: {row[caller]} expected, {got} came")
    print(f"{calls} calls of {len(matrix())} operations")
    assert not wrong, "\n".join(wrong)


def ask(headers, body=b'{"MaxResults": 5}', method="POST", path="/"):
    """A request as it stands: None when it was answered, else the name of the exception."""
    status, head, text = send(fleet().server, method, path, body, headers)
    return None if status == 200 else code_of(head, text)


def good(credentials=None, target="AmazonSSM.ListDocuments", body=b'{"MaxResults": 5}', service="ssm", **more):
    """Headers that are right."""
    f = fleet()
    return signed(f.server, credentials or f.credentials("admin"), service, "POST", "/", body, {
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}, **more)


def partly_signed(names, target="AmazonSSM.ListDocuments", body=b'{"MaxResults": 5}'):
    """A right signature over some of the headers only."""
    sign = importlib.import_module("botocore.auth")
    key, secret, _ = fleet().credentials("admin")
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": urllib.parse.urlparse(fleet().server.url).netloc, "x-amz-date": at, "x-amz-target": target,
               "content-type": "application/x-amz-json-1.1"}
    scope = f"{at[:8]}/{REGION}/ssm/aws4_request"
    canonical = "\n".join(["POST", "/", "", *(f"{name}:{headers[name]}" for name in names), "", ";".join(names),
                           hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signer = sign.SigV4Auth(None, "ssm", REGION)
    digest = b"AWS4" + secret.encode()
    for piece in scope.split("/"):
        digest = signer._sign(digest, piece)
    del headers["host"]
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={';'.join(names)}, "
            f"Signature={signer._sign(digest, text, hex=True)}"}


def test_rights__forged_and_altered_requests_are_refused(_scratch):
    key, secret, _ = fleet().credentials("admin")
    assert ask(good()) is None
    assert ask(partly_signed(["content-type", "host", "x-amz-date", "x-amz-target"])) is None

    def altered(**changes):
        return {**good(), **{name.replace("_", "-"): value for name, value in changes.items()}}

    proof = good()["Authorization"]
    flipped = proof[:-1] + ("0" if proof[-1] != "0" else "1")
    for what, headers, body in (
            ("another signature", altered(Authorization=flipped), None),
            ("no signature", altered(Authorization=proof.rpartition(",")[0]), None),
            ("an empty signature", altered(Authorization=proof.rpartition("=")[0] + "="), None),
            ("a short signature", altered(Authorization=proof[:-2]), None),
            ("another secret", good((key, "x" * 40, None)), None),
            ("a part of the secret", good((key, secret[:-1], None)), None),
            ("an unknown key", good(("AKIA" + "Z" * 16, secret, None)), None),
            ("another body", good(), b'{"MaxResults": 6}'),
            ("no body", good(), b""),
            ("another target", altered(X_Amz_Target="AmazonSSM.DescribeParameters"), None),
            ("another date", altered(X_Amz_Date="20200101T000000Z"), None),
            ("a target that is not signed", partly_signed(["content-type", "host", "x-amz-date"]), None),
            ("a host that is not signed", partly_signed(["content-type", "x-amz-date", "x-amz-target"]), None),
            ("a date that is not signed", partly_signed(["content-type", "host", "x-amz-target"]), None),
            ("a type that is not signed", partly_signed(["host", "x-amz-date", "x-amz-target"]), None),
            ("the scope of another service", good(service="ec2"), None),
            ("another scheme", altered(Authorization=proof.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")), None),
            ("a scope of another day", altered(Authorization=re.sub(r"/\d{8}/", "/20200101/", proof)), None),
            ("another region in the scope", altered(Authorization=proof.replace(REGION, "us-east-1")), None)):
        got = ask(headers, *([body] if body is not None else []))
        assert got is not None and got not in BROKEN, (what, got)


def test_rights__a_clock_may_be_five_minutes_off(_scratch):
    for seconds, is_good in ((0, True), (290, True), (-290, True), (305, False), (-305, False), (86400, False),
                             (-86400, False), (-315360000, False)):
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        got = ask(good(at=at))
        assert (got is None) == is_good, (seconds, got)
        assert is_good or got in ("InvalidSignatureException", "ExpiredTokenException", "RequestExpired"), (seconds, got)


def test_rights__a_request_that_is_sent_again(_scratch):
    """Inside of the five minutes a captured request may be sent again: what reads, and what is the same twice. What
    would act twice is named here, so that it is known."""
    f = fleet()
    asks = Asks(f)
    twice = {}
    for operation, asked in (("ListDocuments", {"MaxResults": 5}), ("GetParameter", asks.ask("ssm.GetParameter")),
                             ("DeleteParameter", asks.ask("ssm.DeleteParameter")),
                             ("PutParameter", asks.ask("ssm.PutParameter")),
                             ("CreateDocument", asks.ask("ssm.CreateDocument")),
                             ("CreateAssociation", asks.ask("ssm.CreateAssociation"))):
        body = json.dumps(asked).encode()
        headers = good(target="AmazonSSM." + operation, body=body)
        assert ask(headers, body) is None, operation
        twice[operation] = ask(headers, body)
    print("sent again: " + ", ".join(f"{name}: {got or 'answered'}" for name, got in twice.items()))
    assert twice["ListDocuments"] is None and twice["GetParameter"] is None, twice
    for name in ("DeleteParameter", "PutParameter", "CreateDocument"):
        assert twice[name] is not None, (name, twice)
    # A report of a host that is sent again changes nothing, and one that was sent late never wins.
    host = f.hosts["twin"]
    item = {"TypeName": "Custom:Twice", "SchemaVersion": "1.0", "CaptureTime": hosts.now_text(), "ContentHash": "one"}
    body = json.dumps({"InstanceId": host.id, "Items": [{**item, "Content": [{"A": "1"}]}]}).encode()
    first = good(f.credentials("twin"), "AmazonSSM.PutInventory", body)
    assert ask(first, body) is None
    later = json.dumps({"InstanceId": host.id, "Items": [{**item, "ContentHash": "two", "Content": [{"A": "2"}],
                                                          "CaptureTime": hosts.now_text(time.time() + 2)}]}).encode()
    assert ask(good(f.credentials("twin"), "AmazonSSM.PutInventory", later), later) is None
    assert ask(first, body) is None
    rows = f.admin("ssm").list_inventory_entries(InstanceId=host.id, TypeName="Custom:Twice")["Entries"]
    assert rows == [{"A": "2"}], rows


def test_rights__sessions_are_whole_or_worth_nothing(_scratch):
    f = fleet()
    host, twin, alien = (f.credentials(name) for name in ("host", "twin", "alien"))
    body = json.dumps({"InstanceId": f.hosts["host"].id}).encode()
    target = "AmazonSSM.ListInstanceAssociations"
    assert ask(good(host, target, body), body) is None
    admin = f.credentials("admin")
    for what, credentials in (("no token", (host[0], host[1], None)), ("the token of another", (host[0], host[1], twin[2])),
                              ("the key of another", (twin[0], twin[1], host[2])),
                              ("a damaged token", (host[0], host[1], host[2][:-4] + "AAAA")),
                              ("a key with a token", (admin[0], admin[1], host[2])),
                              ("the name of another", (twin[0], host[1], host[2])),
                              ("another host", twin), ("a host of another account", alien)):
        got = ask(good(credentials, target, body), body)
        assert got is not None and got not in BROKEN, (what, got)
    # No host reports for another one, whatever its body says.
    report = json.dumps({"InstanceId": f.hosts["host"].id, "Items": [{
        "TypeName": "AWS:Application", "SchemaVersion": "1.0", "CaptureTime": hosts.now_text(time.time() + 60),
        "ContentHash": "x", "Content": []}]}).encode()
    for other in (twin, alien):
        got = ask(good(other, "AmazonSSM.PutInventory", report), report)
        assert got is not None and got not in BROKEN, got
    rows = f.admin("ssm").list_inventory_entries(InstanceId=f.hosts["host"].id, TypeName="AWS:Application")["Entries"]
    assert [row["Name"] for row in rows] == ["sonde-lib"], rows
    # The proof by a host's own key is of that host and for two operations.
    status, answer = f.hosts["host"].call_by_key("ListInstanceAssociations", {"InstanceId": f.hosts["host"].id})
    assert status != 200, answer
    thief = f.hosts["twin"]
    own, thief.id = thief.id, f.hosts["host"].id
    try:
        status, answer = thief.call_by_key("RequestManagedInstanceRoleToken", {"Fingerprint": f.hosts["host"].fingerprint})
    finally:
        thief.id = own
    assert status != 200, answer


def test_rights__a_revoked_key_ends_at_once(_scratch):
    f = fleet()
    key = f.server.key(f.accounts["admin"])
    sts = f.server.client("sts", key)
    role = sts.assume_role(RoleArn=f"arn:aws:iam::{f.accounts['admin']}:role/any", RoleSessionName="some")["Credentials"]
    session = (role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
    captured = good((*key, None))
    assert ask(captured) is None and ask(good(session)) is None
    f.server.run_command("key", "revoke", key[0])
    for headers in (captured, good((*key, None)), good(session)):
        assert ask(headers) == "UnrecognizedClientException"
    gone = hosts.Host(f.server, f.scratch / "gone", account_client=f.admin("ssm"))
    body = json.dumps({"InstanceId": gone.id}).encode()
    credentials = (gone.access_key, gone.secret_key, gone.token)
    assert ask(good(credentials, "AmazonSSM.ListInstanceAssociations", body), body) is None
    f.admin("ssm").deregister_managed_instance(InstanceId=gone.id)
    assert ask(good(credentials, "AmazonSSM.ListInstanceAssociations", body), body) is not None
    status, answer = gone.call_by_key("RequestManagedInstanceRoleToken", {"Fingerprint": gone.fingerprint})
    assert status != 200, answer


def test_rights__an_administrator_of_the_organisation_only_looks_into_members(_scratch):
    f = fleet()
    admin = f.admin("inspector2", "deleg")
    admin.associate_member(accountId=f.accounts["spare"])
    role = f.admin("sts", "deleg").assume_role(RoleArn=f"arn:aws:iam::{f.accounts['spare']}:role/any",
                                               RoleSessionName="some")["Credentials"]
    key, token = (role["AccessKeyId"], role["SecretAccessKey"]), role["SessionToken"]
    there = f.server.client("ssm", key, token=token)
    assert f.server.client("sts", key, token=token).get_caller_identity()["Account"] == f.accounts["spare"]
    assert there.list_documents()["DocumentIdentifiers"]
    for operation, asked in (("create_document", {"Content": DOCUMENT, "Name": "planted", "DocumentType": "Command"}),
                             ("send_command", {"DocumentName": "AWS-RunShellScript", "InstanceIds": [f.hosts["host"].id],
                                               "Parameters": {"commands": ["id"]}}),
                             ("create_activation", {"IamRole": "x"})):
        assert clients.error_code(getattr(there, operation), **asked) == "AccessDeniedException", operation
    # Whoever leaves is looked into no more, whatever session there still is.
    admin.disassociate_member(accountId=f.accounts["spare"])
    assert clients.error_code(there.list_documents) == "UnrecognizedClientException"


if __name__ == "__main__":
    harness.run(globals())
