# SPDX-License-Identifier: Apache-2.0
"""Every operation by Amazon's own client (agents' operations by a host), against one server with real inventories:
contents, not shapes alone. The shapes are held against the client's model by walker.py, over every answer.

Tests share one fleet (world.py) and run in the order of the file; the last ones judge what all of them saw."""
import importlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position,wildcard-import,unused-wildcard-import
import clients
import harness
from api_findings import *
from api_manage import *
from api_systems import *
from world import KEPT

OPERATIONS = pathlib.Path(__file__).resolve().parents[3] / "src/server/operations.def"
# Answered by an error when all is well: a package is a document, and the agent learns it so.
ONLY_ERRORS = {"ssm.GetManifest"}


def test_api__what_is_not_there_is_refused_as_amazon_does(scratch):
    w = world()
    inspector = w.client("inspector2")
    refused(w.client("ec2").describe_vpcs, "InvalidAction")
    refused(w.client("ssm").describe_patch_baselines, "UnknownOperationException")
    refused(inspector.list_cis_scans, "UnknownOperationException")
    refused(w.client("sts").get_session_token, "InvalidAction")
    refused(w.client("organizations", "management").list_roots, "UnknownOperationException")
    for call in (inspector.list_findings, inspector.list_coverage, inspector.list_filters,
                 inspector.list_usage_totals, w.client("inspector2", "delegated").list_members):
        for token in ("nonsense", "x" * 1000, "é"):
            refused(call, "ValidationException", nextToken=token)
    refused(w.client("ssm").list_documents, "InvalidNextToken", NextToken="nonsense")
    refused(w.client("ssm").describe_instance_information, "InvalidNextToken", NextToken="nonsense")
    # A token is of one caller's one question.
    token = inspector.list_findings(maxResults=1)["nextToken"]
    refused(inspector.list_findings, "ValidationException", maxResults=1, nextToken=token,
            filterCriteria={"severity": equals("LOW")})
    refused(w.client("inspector2", "member").list_findings, "ValidationException", maxResults=1, nextToken=token)
    refused(inspector.list_coverage, "ValidationException", nextToken=token)


def test_api__validation_names_the_fields(scratch):
    errors = importlib.import_module("botocore.exceptions")
    inspector = world().client("inspector2")
    for call, asked, field in (
            (inspector.list_findings, {"filterCriteria": {"severity": [{"comparison": "SOME", "value": "x"}]}}, "severity"),
            (inspector.list_findings, {"sortCriteria": {"field": "COLOUR", "sortOrder": "ASC"}}, "field"),
            (inspector.create_filter, {"name": "x", "action": "BREAK", "filterCriteria": {}}, "action"),
            (inspector.get_member, {"accountId": "abcdefghijkl"}, "accountId"),
            (inspector.create_findings_report, {"reportFormat": "PDF", "s3Destination": DESTINATION}, "reportFormat"),
            (inspector.create_findings_report, {"reportFormat": "CSV", "s3Destination": {
                **DESTINATION, "bucketName": "../../etc"}}, "bucketName"),
            (inspector.create_sbom_export, {"reportFormat": "SPDX_2_3", "s3Destination": {
                **DESTINATION, "keyPrefix": "../x"}}, "keyPrefix"),
            (inspector.search_vulnerabilities, {"filterCriteria": {"vulnerabilityIds": ["GHSA-1"]}}, "vulnerabilityIds")):
        try:
            call(**asked)
        except errors.ClientError as error:
            assert error.response["Error"]["Code"] == "ValidationException", (asked, error.response)
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response
            assert error.response["reason"] in ("FIELD_VALIDATION_FAILED", "CANNOT_PARSE"), error.response
            assert any(field in one["name"] for one in error.response["fields"]), (field, error.response)
            continue
        raise AssertionError(f"accepted: {asked}")


def test_api__every_region_has_its_own_names(scratch):
    w = world()
    there = w.client("inspector2", region="us-west-2").list_findings()["findings"][0]
    assert there["findingArn"].split(":")[3] == "us-west-2", there
    assert there["resources"][0]["region"] == "us-west-2", there


def test_api__amazons_command_line_works(scratch):
    w = world()
    command = clients.command_line(scratch, w.server.url, *w.keys["alone"])

    def ask(*words):
        return clients.ask(command, *words)

    assert ask("sts", "get-caller-identity")["Account"] == w.accounts["alone"]
    rows = ask("inspector2", "list-findings", "--filter-criteria",
               '{"vulnerabilityId":[{"comparison":"EQUALS","value":"CVE-2030-0001"}]}')["findings"]
    assert rows and all(row["title"] == "CVE-2030-0001 - numpy" for row in rows), rows
    ask("inspector2", "update-ec2-deep-inspection-configuration", "--package-paths", "/opt/by-hand")
    told = ask("ssm", "get-parameter", "--name", PARAMETER)["Parameter"]["Value"]
    assert told == "/opt/by-hand", told
    ask("ec2", "create-tags", "--resources", w.hosts["pip"].ec2_id, "--tags", "Key=by,Value=hand")
    assert w.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": ["by"]}])["Tags"][0]["Value"] == "hand"


def test_api__an_association_that_was_deleted_comes_back_by_itself(scratch):
    # The account "management" has none of the calls that would bring it back; it was deleted when the world was made.
    until(lambda: INVOKE in associations("management"), "the association again", 120)


def test_api__every_operation_was_answered(scratch):
    if len(KEPT) == 0 or len(sys.argv) > 1:
        raise harness.Skip("the other tests of this file, run before it")
    rows = set(re.findall(r"^OPERATION\((\w+), (\w+),", OPERATIONS.read_text(), re.M))
    wanted = {f"{service}.{name}" for service, name in rows} - ONLY_ERRORS
    assert wanted, "no operations"
    missing = wanted - world().server.answered()
    assert not missing, f"never answered well: {sorted(missing)}"


# Lists that this fleet cannot fill, each with the reason.
EMPTY = {
    ("ec2.DescribeInstances", ".Reservations[].Groups"),  # hosts of ours are in no security groups
}


def test_api__answers_are_as_the_model_has_them(scratch):
    if len(KEPT) == 0 or len(sys.argv) > 1:
        raise harness.Skip("the other tests of this file, run before it")
    world().walker.judge(EMPTY)


def test_api__the_server_ends_well(scratch):
    world().server.stop()
    log = world().server.tail(100000)
    assert " error" not in log and "secret" not in log.lower(), log[-3000:]


if __name__ == "__main__":
    harness.run(globals())
