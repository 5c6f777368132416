# SPDX-License-Identifier: Apache-2.0
"""The server as Amazon's own clients see it: identity, accounts, deep inspection, tags, refusals, restart, backup."""
import datetime
import importlib
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position
import clients
import harness
from servers import SERVER, Server

PARAMETER = "/inspector-aws/service/inspector-linux-application-paths"
DOCUMENT = "AmazonInspector2-InvokeInspectorSsmPluginLinux"
RUNS = "InvokeInspectorLinuxSsmPlugin-do-not-delete"


def started(scratch, *flags):
    """A server with one account and an administrator's key."""
    clients.load()
    server = Server(scratch).start()
    account = server.account("one", *flags)
    return server, account, server.key(account)


def parameter(server, key):
    return server.client("ssm", key).get_parameter(Name=PARAMETER)["Parameter"]


def associations(server, key):
    found = server.client("ssm", key).list_associations()["Associations"]
    return sorted(one["AssociationName"] for one in found)


def error_of(call, *args, **kwargs):
    errors = importlib.import_module("botocore.exceptions")
    try:
        call(*args, **kwargs)
    except errors.ClientError as error:
        return error.response
    raise AssertionError("the call succeeded")


def test_server__tells_whose_credentials_these_are(scratch):
    server, account, key = started(scratch)
    told = server.client("sts", key).get_caller_identity()
    assert told["Account"] == account and told["UserId"] == key[0], told
    assert told["Arn"] == f"arn:aws:iam::{account}:user/{key[0]}", told
    role = server.client("sts", key).assume_role(RoleArn=f"arn:aws:iam::{account}:role/any", RoleSessionName="me")
    temporary = role["Credentials"]
    made = server.client("sts", (temporary["AccessKeyId"], temporary["SecretAccessKey"]), token=temporary["SessionToken"])
    assert made.get_caller_identity()["Arn"] == f"arn:aws:sts::{account}:assumed-role/any/me"
    # What a key made ends with it.
    server.run_command("key", "revoke", key[0])
    assert clients.error_code(server.client("sts", key).get_caller_identity) == "InvalidClientTokenId"
    assert clients.error_code(made.get_caller_identity) == "InvalidClientTokenId"
    server.stop()


def test_server__enabling_an_account_begins_deep_inspection(scratch):
    server, account, key = started(scratch)
    inspector = server.client("inspector2", key)
    states = inspector.batch_get_account_status()["accounts"]
    assert states[0]["state"]["status"] == "DISABLED", states
    enabled = inspector.enable(resourceTypes=["EC2"])["accounts"]
    assert [(one["accountId"], one["resourceStatus"]["ec2"]) for one in enabled] == [(account, "ENABLED")], enabled
    deep = inspector.get_ec2_deep_inspection_configuration()
    assert deep["status"] == "ACTIVATED" and deep["packagePaths"] == [], deep
    assert parameter(server, key)["Value"] == "NO_PATHS_DEFINED"
    assert RUNS in associations(server, key)
    inspector.update_ec2_deep_inspection_configuration(packagePaths=["/opt/one", "/srv/two"])
    told = parameter(server, key)
    assert (told["Type"], told["Value"], told["Version"]) == ("StringList", "/opt/one,/srv/two", 2), told
    for bad in (["relative"], ["/a"] * 6, ["/wild/*"]):
        code = error_of(inspector.update_ec2_deep_inspection_configuration, packagePaths=bad)
        assert code["Error"]["Code"] == "ValidationException", (bad, code)
    off = inspector.update_ec2_deep_inspection_configuration(activateDeepInspection=False)
    assert off["status"] == "DEACTIVATED" and RUNS not in associations(server, key), off
    inspector.disable()
    assert associations(server, key) == []
    assert clients.error_code(parameter, server, key) == "ParameterNotFound"
    server.stop()


def test_server__an_account_of_the_old_kind_waits_to_be_asked(scratch):
    server, _, key = started(scratch, "--legacy")
    inspector = server.client("inspector2", key)
    inspector.enable(resourceTypes=["EC2"])
    assert inspector.get_ec2_deep_inspection_configuration()["status"] == "DEACTIVATED"
    assert RUNS not in associations(server, key)
    assert inspector.update_ec2_deep_inspection_configuration(activateDeepInspection=True)["status"] == "ACTIVATED"
    assert RUNS in associations(server, key)
    server.stop()


def test_server__what_is_deleted_comes_back(scratch):
    server, _, key = started(scratch)
    inspector, ssm = server.client("inspector2", key), server.client("ssm", key)
    inspector.enable(resourceTypes=["EC2"])
    for one in ssm.list_associations()["Associations"]:
        ssm.delete_association(AssociationId=one["AssociationId"])
    inspector.update_ec2_deep_inspection_configuration(packagePaths=[])
    assert RUNS in associations(server, key)
    assert ssm.describe_document(Name=DOCUMENT)["Document"]["SchemaVersion"] == "2.2"
    server.stop()


def test_server__members_have_the_paths_of_their_organisation(scratch):
    server, boss, _ = started(scratch)
    admin, member = server.account("admin"), server.account("member")
    server.run_command("organisation", "create", boss)
    for one in (admin, member):
        server.run_command("organisation", "add", boss, one)
    keys = {one: server.key(one) for one in (boss, admin, member)}
    inspector = {one: server.client("inspector2", keys[one]) for one in keys}
    assert clients.error_code(inspector[admin].enable_delegated_admin_account,
                              delegatedAdminAccountId=admin) == "AccessDeniedException"
    inspector[boss].enable_delegated_admin_account(delegatedAdminAccountId=admin)
    assert clients.error_code(inspector[admin].enable, resourceTypes=["EC2"], accountIds=[member]) is None
    failed = inspector[admin].enable(resourceTypes=["EC2"], accountIds=[member])["failedAccounts"]
    assert [one["errorCode"] for one in failed] == ["ACCESS_DENIED"], failed
    inspector[admin].associate_member(accountId=member)
    good = inspector[admin].enable(resourceTypes=["EC2"], accountIds=[member])["accounts"]
    assert [one["accountId"] for one in good] == [member], good
    inspector[admin].update_org_ec2_deep_inspection_configuration(orgPackagePaths=["/org"])
    inspector[member].update_ec2_deep_inspection_configuration(packagePaths=["/own"])
    seen = inspector[member].get_ec2_deep_inspection_configuration()
    assert (seen["packagePaths"], seen["orgPackagePaths"]) == (["/own"], ["/org"]), seen
    assert parameter(server, keys[member])["Value"] == "/org,/own"
    assert clients.error_code(inspector[member].update_ec2_deep_inspection_configuration,
                              activateDeepInspection=False) == "AccessDeniedException"
    assert clients.error_code(inspector[member].update_org_ec2_deep_inspection_configuration,
                              orgPackagePaths=[]) == "AccessDeniedException"
    failed = inspector[member].disable(resourceTypes=["EC2"])["failedAccounts"]
    assert failed[0]["errorCode"] == "ACCESS_DENIED", failed
    changed = inspector[admin].batch_update_member_ec2_deep_inspection_status(
        accountIds=[{"accountId": member, "activateDeepInspection": False}])
    assert changed["accountIds"][0]["status"] == "DEACTIVATED", changed
    assert [one["accountId"] for one in inspector[admin].list_members()["members"]] == [member]
    told = server.client("organizations", keys[boss]).describe_organization()["Organization"]
    assert told["MasterAccountId"] == boss and told["Id"].startswith("o-"), told
    listed = server.client("organizations", keys[boss]).list_accounts()["Accounts"]
    assert sorted(one["Id"] for one in listed) == sorted(keys), listed
    server.stop()


def test_server__a_reader_changes_nothing(scratch):
    server, account, _ = started(scratch)
    reader = server.client("inspector2", server.key(account, "reader"))
    assert reader.batch_get_account_status()["accounts"][0]["accountId"] == account
    answer = error_of(reader.enable, resourceTypes=["EC2"])
    assert answer["Error"]["Code"] == "AccessDeniedException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403, answer
    # Authorisation comes before validation: what it asks for does not matter.
    assert clients.error_code(reader.enable, resourceTypes=["EC2"], clientToken="x" * 64) == "AccessDeniedException"
    server.stop()


def test_server__tags_are_of_hosts_that_are_there(scratch):
    server, account, key = started(scratch)
    ec2 = server.client("ec2", key)
    answer = error_of(ec2.create_tags, Resources=["i-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}])
    assert answer["Error"]["Code"] == "InvalidInstanceID.NotFound", answer
    assert ec2.describe_tags()["Tags"] == [] and ec2.describe_instances()["Reservations"] == []
    # A host with a key of its own is taken up with its first call.
    made = json.loads(server.run_command("key", "add", "--account", account, "--role", "host", "--instance",
                                         "i-0123456789abcdef0", "--format", "json"))
    host = server.client("sts", (made["access_key_id"], made["secret_access_key"])).get_caller_identity()
    assert host["Arn"].endswith("/i-0123456789abcdef0"), host
    ec2.create_tags(Resources=["i-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}])
    tags = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["a*"]}])["Tags"]
    assert [(one["ResourceId"], one["Key"], one["Value"]) for one in tags] == [("i-0123456789abcdef0", "a", "b")], tags
    ec2.delete_tags(Resources=["i-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "other"}, {"Key": "c"}])
    instance = ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])["Reservations"][0]["Instances"][0]
    assert instance["Tags"] == [{"Key": "a", "Value": "b"}], instance
    assert error_of(ec2.create_tags, Resources=["i-0123456789abcdef0"],
                    Tags=[{"Key": "aws:x", "Value": ""}])["Error"]["Code"] == "InvalidParameterValue"
    many = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
    assert error_of(ec2.create_tags, Resources=["i-0123456789abcdef0"], Tags=many)["Error"]["Code"] == "TagLimitExceeded"
    server.stop()


def post(server, path="/", body=b"", **headers):
    """A request that no client would make: its status, its headers and its body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(server.url + path, data=body, headers=named, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_server__refuses_as_amazon_does(scratch):
    server, _, key = started(scratch)
    wrong = (key[0], "x" * 40)
    assert clients.error_code(server.client("sts", wrong).get_caller_identity) == "SignatureDoesNotMatch"
    assert clients.error_code(server.client("inspector2", wrong).list_findings) == "InvalidSignatureException"
    assert clients.error_code(server.client("ssm", wrong).list_documents) == "InvalidSignatureException"
    unknown = ("AKIAAAAAAAAAAAAAAAAA", "x" * 40)
    assert clients.error_code(server.client("inspector2", unknown).list_findings) == "UnrecognizedClientException"
    status, headers, body = post(server, "/findings/list", b"{}", Content_Type="application/json")
    assert status == 403 and headers["x-amzn-ErrorType"].startswith("MissingAuthenticationToken"), (status, body)
    assert clients.error_code(server.client("inspector2", key).get_sbom_export, reportId="x") == "ValidationException"
    assert clients.error_code(server.client("ec2", key).describe_vpcs) == "InvalidAction"
    assert clients.error_code(server.client("ssm", key).describe_patch_baselines) == "UnknownOperationException"
    assert clients.error_code(server.client("inspector2", key).list_cis_scans) == "UnknownOperationException"
    server.stop()


def test_server__refuses_a_clock_that_is_off(scratch):
    server, _, key = started(scratch)
    auth = importlib.import_module("botocore.auth")
    awsrequest = importlib.import_module("botocore.awsrequest")
    credentials = importlib.import_module("botocore.credentials").Credentials(*key)
    class Late(auth.SigV4Auth):
        """Signs as if it were another time."""

        def add_auth(self, request):
            at = datetime.datetime.now(datetime.timezone.utc) + self.off
            request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
            self._modify_request_before_signing(request)
            canonical = self.canonical_request(request)
            text = self.string_to_sign(request, canonical)
            self._inject_signature_to_request(request, self.signature(text, request))

    for seconds, good in ((0, True), (240, True), (-240, True), (600, False), (-600, False)):
        signer = Late(credentials, "sts", "eu-west-1")
        signer.off = datetime.timedelta(seconds=seconds)
        request = awsrequest.AWSRequest("POST", server.url + "/", data=b"Action=GetCallerIdentity&Version=2011-06-15",
                                        headers={"Content-Type": "application/x-www-form-urlencoded"})
        signer.add_auth(request)
        status, _, body = post(server, "/", request.data, **{k.replace("-", "_"): v for k, v in request.headers.items()})
        assert (status == 200) == good, (seconds, status, body)
        assert good or b"<Code>" in body, body
    server.stop()


def test_server__keeps_its_state_and_restores_it(scratch):
    server, account, key = started(scratch)
    inspector = server.client("inspector2", key)
    inspector.enable(resourceTypes=["EC2", "ECR"])
    inspector.update_ec2_deep_inspection_configuration(packagePaths=["/opt/kept"])
    server.stop()
    server.start()
    inspector = server.client("inspector2", key)
    assert inspector.get_ec2_deep_inspection_configuration()["packagePaths"] == ["/opt/kept"]
    # A backup of the running server has what was acknowledged, and nothing later.
    copy = pathlib.Path(scratch) / "copy"
    server.run_command("backup", str(copy))
    assert stat.S_IMODE(os.stat(copy).st_mode) & 0o077 == 0
    server.run_command("backup", str(copy), code=3)
    inspector.update_ec2_deep_inspection_configuration(packagePaths=["/opt/later"])
    server.stop()
    other = pathlib.Path(scratch) / "other"
    done = subprocess.run([SERVER, "restore", str(copy), "--data", str(other)], capture_output=True, text=True,
                          env=harness.environment(), check=False)
    assert done.returncode == 0, done.stderr
    server.data = other
    server.start()
    deep = server.client("inspector2", key).get_ec2_deep_inspection_configuration()
    assert deep["packagePaths"] == ["/opt/kept"], deep
    listed = json.loads(server.run_command("account", "list", "--format", "json"))["accounts"][0]
    assert listed["account"] == account and listed["by_name_only"] == 0, listed
    server.stop()


def test_server__tells_how_it_is(scratch):
    server = Server(scratch).start()
    told = json.loads(server.get("/healthz"))
    assert told["status"] == "ready" and told["checks"]["store"]["ok"], told
    assert not told["checks"]["vulnerabilityData"]["ok"], told
    metrics = server.get("/metrics")
    for name in ("sonde_http_requests_total", "sonde_store_commits_total", "sonde_fleet_hosts", "sonde_generation"):
        assert re.search(rf"^{name} \d+$", metrics, re.M), name
    for path in (server.data, server.data / "store", server.data / "control.sock"):
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path
    server.stop()
    assert "stopped" in server.tail() and "secret" not in server.tail().lower()


def test_server__explains_itself(_scratch):
    def say(*words):
        return subprocess.run([SERVER, *words], capture_output=True, text=True, env=harness.environment(), check=True).stdout

    commands = re.findall(r"^  ([a-z]+) {2,}", say("--help"), re.M) + ["organisation"]
    assert {"init", "run", "account", "key", "activation", "backup", "restore"} <= set(commands), commands
    for command in commands:
        text = say(command, "--help")
        assert text.startswith(f"usage: sonde-server {command}"), text
        assert all(len(line) <= 80 for line in text.splitlines()), text
    groff = harness.tool("groff")
    for words in ([], *([command] for command in commands)):
        page = say("help", "--as", "man", *words)
        done = subprocess.run([groff, "-man", "-Tascii", "-ww", "-P-cbu"], input=page, capture_output=True, text=True,
                              check=True)
        assert done.stderr == "" and "EXIT STATUS" in done.stdout, (words, done.stderr)
    script = say("help", "--as", "bash") + '\nCOMP_WORDS=(sonde-server key a); COMP_CWORD=2; _sonde_server; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "add" in done.stdout.split(), done


def test_server__commands_say_what_is_wrong(scratch):
    server = Server(scratch)
    server.run_command("init", code=2)
    server.run_command("key", "add", "--account", "999999999999", code=2)
    server.run_command("account", "add", "12", code=2)
    server.run_command("key", "revoke", "AKIA", code=2)
    account = server.account("one")
    server.run_command("key", "add", "--account", account, "--role", "host", code=2)
    server.run_command("account", "add", account, code=2)
    server.run_command("run", "--tls-cert", "/nonexistent", code=2)
    empty = subprocess.run([SERVER, "run", "--data", str(scratch / "empty")], capture_output=True, text=True,
                           env=harness.environment(), check=False)
    assert empty.returncode == 2 and "init" in empty.stderr, empty


if __name__ == "__main__":
    harness.run(globals())
