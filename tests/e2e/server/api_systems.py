# SPDX-License-Identifier: Apache-2.0
"""The part of test_api.py that is about Systems Manager: documents, associations, commands, nodes, parameters,
compliance, inventory; and what hosts alone may call."""
import datetime
import hashlib
import json
import urllib.error
import urllib.request
import uuid

import clients
import harness
import hosts
from api_findings import pages, reason, until
from api_manage import COLLECT, INSTALL, INVOKE, PARAMETER, associations, refused
from world import world

SHELL = json.dumps({"schemaVersion": "2.2", "description": "says a word", "parameters": {
    "word": {"type": "String", "default": "hello", "allowedPattern": "^[a-z]+$", "description": "the word"}},
    "mainSteps": [{"action": "aws:runShellScript", "name": "say", "inputs": {"runCommand": ["echo {{ word }}"]}}]})


def ssm(name="alone"):
    return world().client("ssm", name)


def test_api__documents_have_versions(scratch):
    one = ssm().create_document(Content=SHELL, Name="Say", DocumentType="Command", DocumentFormat="JSON",
                                VersionName="first", TargetType="/", DisplayName="Say it",
                                Tags=[{"Key": "a", "Value": "b"}])["DocumentDescription"]
    assert (one["Name"], one["DocumentVersion"], one["SchemaVersion"], one["Status"]) == ("Say", "1", "2.2", "Active"), one
    assert [(p["Name"], p["Type"], p["DefaultValue"]) for p in one["Parameters"]] == [("word", "String", "hello")], one
    refused(ssm().create_document, "DocumentAlreadyExists", Content=SHELL, Name="Say", DocumentType="Command")
    refused(ssm().create_document, "InvalidDocumentContent", Content="{", Name="Bad", DocumentType="Command")
    refused(ssm().update_document, "DuplicateDocumentContent", Content=SHELL, Name="Say", DocumentVersion="$LATEST")
    two = ssm().update_document(Content=SHELL.replace("echo", "printf"), Name="Say", DocumentVersion="$LATEST",
                                VersionName="second")["DocumentDescription"]
    assert (two["DocumentVersion"], two["DefaultVersion"], two["LatestVersion"]) == ("2", "1", "2"), two
    assert "echo" in ssm().get_document(Name="Say")["Content"]
    assert "printf" in ssm().get_document(Name="Say", VersionName="second")["Content"]
    told = ssm().update_document_default_version(Name="Say", DocumentVersion="2")["Description"]
    assert (told["DefaultVersion"], told["DefaultVersionName"]) == ("2", "second"), told
    assert "printf" in ssm().get_document(Name="Say")["Content"]
    versions = pages(ssm(), "list_document_versions", "DocumentVersions", size=1, Name="Say")
    assert [(v["DocumentVersion"], v["IsDefaultVersion"]) for v in versions] == [("2", True), ("1", False)], versions
    described = ssm().describe_document(Name="Say", DocumentVersion="1")["Document"]
    assert described["VersionName"] == "first" and described["HashType"] == "Sha256", described
    own = pages(ssm(), "list_documents", "DocumentIdentifiers", Filters=[{"Key": "Owner", "Values": ["Self"]}])
    assert [row["Name"] for row in own] == ["Say"], own
    amazon = pages(ssm(), "list_documents", "DocumentIdentifiers", Filters=[{"Key": "Owner", "Values": ["Amazon"]}])
    assert {"AWS-RunShellScript", "AWS-GatherSoftwareInventory", "AmazonInspector2-InvokeInspectorSsmPluginLinux"} <= \
        {row["Name"] for row in amazon}, amazon
    other = world().accounts["member"]
    ssm().modify_document_permission(Name="Say", PermissionType="Share", AccountIdsToAdd=[other])
    shared = ssm().describe_document_permission(Name="Say", PermissionType="Share")
    assert shared["AccountIds"] == [other] and shared["AccountSharingInfoList"][0]["AccountId"] == other, shared
    arn = f"arn:aws:ssm:eu-central-1:{world().accounts['alone']}:document/Say"
    assert "printf" in ssm("member").get_document(Name=arn)["Content"]
    ssm().modify_document_permission(Name="Say", PermissionType="Share", AccountIdsToRemove=[other])
    refused(ssm("member").get_document, "InvalidDocument", Name=arn)
    refused(ssm("member").get_document, "InvalidDocument", Name="Say")
    assert world().hosts["debian"].call("GetDocument", {"Name": "Say"})["DocumentVersion"] == "2"
    ssm().create_document(Content=SHELL, Name="Gone", DocumentType="Command")
    ssm().delete_document(Name="Gone")
    refused(ssm().describe_document, "InvalidDocument", Name="Gone")


def test_api__associations_come_back_when_they_are_deleted(scratch):
    mine = associations("alone")
    assert {COLLECT, INSTALL, INVOKE} <= set(mine), set(mine)
    before = mine[INVOKE]["AssociationId"]
    ssm().delete_association(AssociationId=before)
    assert INVOKE not in associations("alone")
    world().client("inspector2").update_ec2_deep_inspection_configuration(activateDeepInspection=True)
    again = associations("alone")[INVOKE]
    assert again["AssociationId"] != before, again
    told = ssm().describe_association(AssociationId=again["AssociationId"])["AssociationDescription"]
    assert (told["ScheduleExpression"], told["Name"]) == \
        ("rate(6 hours)", "AmazonInspector2-InvokeInspectorSsmPluginLinux"), told
    # The user's own schedule stays.
    ssm().update_association(AssociationId=again["AssociationId"], ScheduleExpression="rate(1 day)")
    world().client("inspector2").update_ec2_deep_inspection_configuration(packagePaths=["/opt/x"])
    told = ssm().describe_association(AssociationId=again["AssociationId"])["AssociationDescription"]
    assert told["ScheduleExpression"] == "rate(1 day)", told
    versions = pages(ssm(), "list_association_versions", "AssociationVersions", size=1,
                     AssociationId=again["AssociationId"])
    assert {v["AssociationVersion"]: v["ScheduleExpression"] for v in versions} == \
        {"1": "rate(6 hours)", "2": "rate(1 day)"}, versions
    world().client("inspector2").update_ec2_deep_inspection_configuration(packagePaths=[])


def test_api__associations_run_on_hosts(scratch):
    w = world()
    host = w.hosts["debian"]
    made = ssm().create_association(
        Name="Say", AssociationName="words", Targets=[{"Key": "InstanceIds", "Values": [host.id]}],
        ScheduleExpression="rate(30 minutes)", Parameters={"word": ["well"]}, ComplianceSeverity="HIGH",
        MaxErrors="1", MaxConcurrency="1")["AssociationDescription"]
    one = made["AssociationId"]
    assert made["AssociationVersion"] == "1" and made["Parameters"] == {"word": ["well"]}, made
    batch = ssm().create_association_batch(Entries=[
        {"Name": "Say", "InstanceId": host.id, "AssociationName": "batch"},
        {"Name": "Nothing", "InstanceId": host.id}])
    assert [row["AssociationName"] for row in batch["Successful"]] == ["batch"], batch
    assert [row["Entry"]["Name"] for row in batch["Failed"]] == ["Nothing"], batch
    other = batch["Successful"][0]["AssociationId"]
    listed = host.call("ListInstanceAssociations", {"InstanceId": host.id})["Associations"]
    assert {one, other} <= {row["AssociationId"] for row in listed}, listed
    assert all(row["Checksum"] and row["DocumentVersion"] for row in listed), listed

    def ran(association, status):
        host.call("UpdateInstanceAssociationStatus", {
            "AssociationId": association, "InstanceId": host.id, "ExecutionResult": {
                "ExecutionDate": hosts.time.time(), "ExecutionSummary": "1 out of 1 plugin processed, 1 success",
                "Status": status, "ErrorCode": ""}})

    ran(one, "Success")
    ran(other, "Failed")
    status = pages(ssm(), "describe_instance_associations_status", "InstanceAssociationStatusInfos", InstanceId=host.id)
    by_id = {row["AssociationId"]: row["Status"] for row in status}
    assert (by_id[one], by_id[other]) == ("Success", "Failed"), by_id
    assert any(row["AssociationId"] == one for row in host.call("DescribeInstanceAssociationsStatus", {
        "InstanceId": host.id})["InstanceAssociationStatusInfos"])
    effective = pages(ssm(), "describe_effective_instance_associations", "Associations", InstanceId=host.id)
    assert {one, other} <= {row["AssociationId"] for row in effective}, effective
    assert [row["AssociationName"] for row in ssm().list_associations(AssociationFilterList=[
        {"key": "AssociationName", "value": "words"}])["Associations"]] == ["words"]
    ssm().update_association_status(Name="Say", InstanceId=host.id, AssociationStatus={
        "Date": datetime.datetime.now(datetime.timezone.utc), "Name": "Success", "Message": "done by hand"})
    # Run now: the host hears of it by a message.
    ssm().start_associations_once(AssociationIds=[one])
    message, = [each for each in receive(host, "AWS-RefreshAssociation") if one in each["Payload"]]
    take(host, message, "Success")
    ran(one, "Success")
    rounds = pages(ssm(), "describe_association_executions", "AssociationExecutions", size=1, AssociationId=one)
    assert rounds and rounds[0]["Status"] == "Success", rounds
    targets = pages(ssm(), "describe_association_execution_targets", "AssociationExecutionTargets", size=1,
                    AssociationId=one, ExecutionId=rounds[0]["ExecutionId"])
    assert [(row["ResourceId"], row["Status"]) for row in targets] == [(host.id, "Success")], targets
    for association in (one, other):
        ssm().delete_association(AssociationId=association)
    refused(ssm().describe_association, "AssociationDoesNotExist", AssociationId=one)


def receive(host, document, most=5):
    """Messages of one document; others are acknowledged, as an agent would."""
    for _ in range(most):
        answer = host.messages("GetMessages", {"Destination": host.id, "MessagesRequestId": str(uuid.uuid4()),
                                               "VisibilityTimeoutInSeconds": 10})
        mine = [one for one in answer["Messages"] if f'"DocumentName":"{document}"' in one["Payload"].replace(": ", ":")]
        for one in answer["Messages"]:
            if one not in mine:
                take(host, one, "Success")
        if mine:
            return mine
    raise AssertionError(f"no message of {document}: {answer}")


def reply(host, message, status, output="hello\n", code=0):
    host.messages("SendReply", {"MessageId": message["MessageId"], "ReplyId": str(uuid.uuid4()), "Payload": json.dumps({
        "additionalInfo": {"agent": {"lang": "en-US", "name": "amazon-ssm-agent", "os": "", "osver": "1", "ver": "3.3"},
                           "dateTime": hosts.now_text(), "runId": "", "runtimeStatusCounts": {status: 1}},
        "documentStatus": status, "documentTraceOutput": "", "runtimeStatus": {} if status == "InProgress" else {
            "say": {"status": status, "code": code, "name": "aws:runShellScript", "output": output,
                    "startDateTime": hosts.now_text(), "endDateTime": hosts.now_text(), "stepName": "say",
                    "standardOutput": output, "standardError": "a warning"}}})})


def take(host, message, status, **more):
    reply(host, message, "InProgress")
    host.messages("AcknowledgeMessage", {"MessageId": message["MessageId"]})
    reply(host, message, status, **more)
    host.messages("DeleteMessage", {"MessageId": message["MessageId"]})


def test_api__commands_run_on_hosts(scratch):
    w = world()
    host, other = w.hosts["debian"], w.hosts["pip"]
    command = ssm().send_command(DocumentName="Say", InstanceIds=[host.id], Parameters={"word": ["hi"]}, Comment="why",
                                 TimeoutSeconds=600)["Command"]
    assert (command["Status"], command["TargetCount"], command["Comment"]) == ("Pending", 1, "why"), command
    message, = receive(host, "Say")
    assert message["Topic"].startswith("aws.ssm.sendCommand") and len(message["CreatedDate"]) >= 24, message
    payload = json.loads(message["Payload"])
    assert payload["CommandId"] == command["CommandId"] and payload["Parameters"]["word"] in ("hi", ["hi"]), payload
    reply(host, message, "InProgress")
    invoked = ssm().get_command_invocation(CommandId=command["CommandId"], InstanceId=host.id)
    assert invoked["Status"] == "InProgress", invoked
    take(host, message, "Success", output="hi\n")
    invoked = ssm().get_command_invocation(CommandId=command["CommandId"], InstanceId=host.id)
    assert (invoked["Status"], invoked["StandardOutputContent"], invoked["StandardErrorContent"],
            invoked["ResponseCode"]) == ("Success", "hi\n", "a warning", 0), invoked
    done, = ssm().list_commands(CommandId=command["CommandId"])["Commands"]
    assert (done["Status"], done["CompletedCount"], done["ErrorCount"]) == ("Success", 1, 0), done
    rows = ssm().list_command_invocations(CommandId=command["CommandId"], Details=True)["CommandInvocations"]
    assert [(row["InstanceId"], row["CommandPlugins"][0]["Output"]) for row in rows] == [(host.id, "hi\n")], rows
    # One that fails, one that no handler takes, one that is taken back.
    failing = ssm().send_command(DocumentName="AWS-RunShellScript", InstanceIds=[host.id, other.id],
                                 Parameters={"commands": ["false"]})["Command"]["CommandId"]
    take(host, receive(host, "AWS-RunShellScript")[0], "Failed", code=1)
    message, = receive(other, "AWS-RunShellScript")
    other.messages("FailMessage", {"MessageId": message["MessageId"], "FailureType": "NoHandlerExists"})
    states = {row["InstanceId"]: row["Status"] for row in
              pages(ssm(), "list_command_invocations", "CommandInvocations", size=1, CommandId=failing)}
    assert states == {host.id: "Failed", other.id: "Failed"}, states
    assert ssm().list_commands(CommandId=failing)["Commands"][0]["ErrorCount"] == 2
    back = ssm().send_command(DocumentName="Say", Targets=[{"Key": "InstanceIds", "Values": [host.id]}])["Command"]
    ssm().cancel_command(CommandId=back["CommandId"])
    assert ssm().list_commands(CommandId=back["CommandId"])["Commands"][0]["Status"] in ("Cancelled", "Cancelling")
    assert len(pages(ssm(), "list_commands", "Commands", size=1)) >= 3
    refused(ssm().send_command, "InvalidParameters", DocumentName="Say", InstanceIds=[host.id], Parameters={"word": ["1;"]})
    refused(ssm().send_command, "InvalidDocument", DocumentName="Nothing", InstanceIds=[host.id])
    refused(ssm().send_command, "InvalidInstanceId", DocumentName="Say", InstanceIds=[w.hosts["npm"].id])
    refused(ssm().get_command_invocation, "InvocationDoesNotExist", CommandId=str(uuid.uuid4()), InstanceId=host.id)


def test_api__machines_enrol_and_leave(scratch):
    w = world()
    activation = ssm().create_activation(IamRole="SSMRole", Description="two", DefaultInstanceName="box",
                                         RegistrationLimit=2, Tags=[{"Key": "team", "Value": "red"}])
    host = hosts.Host(w.server, scratch / "host", activation)
    host.hello(name="leaving")
    again = hosts.Host(w.server, scratch / "twin", activation)
    try:
        hosts.Host(w.server, scratch / "third", activation)
        raise AssertionError("more machines than the activation allows")
    except AssertionError as error:
        assert "InvalidActivation" in str(error) or "RegistrationLimit" in str(error), error
    told, = [row for row in pages(ssm(), "describe_activations", "ActivationList", size=1)
             if row["ActivationId"] == activation["ActivationId"]]
    assert (told["RegistrationsCount"], told["RegistrationLimit"], told["Expired"], told["IamRole"]) == \
        (2, 2, False, "SSMRole"), told
    ssm().delete_activation(ActivationId=activation["ActivationId"])
    refused(ssm().delete_activation, "InvalidActivation", "InvalidActivationId", ActivationId=activation["ActivationId"])
    row, = ssm().describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [host.id]}]
                                               )["InstanceInformationList"]
    assert (row["PingStatus"], row["PlatformName"], row["PlatformVersion"], row["ComputerName"], row["AgentVersion"],
            row["IamRole"]) == ("Online", "Debian GNU/Linux", "12", "leaving", "3.3.987.0", "SSMRole"), row
    assert row["ActivationId"] == activation["ActivationId"] and row["Name"] == "box", row
    everyone = pages(ssm(), "describe_instance_information", "InstanceInformationList", size=5)
    assert {host.id, again.id} <= {one["InstanceId"] for one in everyone}
    properties = pages(ssm(), "describe_instance_properties", "InstanceProperties", size=5)
    assert {one["InstanceId"] for one in properties} == {one["InstanceId"] for one in everyone}
    ssm().update_managed_instance_role(InstanceId=host.id, IamRole="Other")
    row, = ssm().describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [host.id]}]
                                               )["InstanceInformationList"]
    assert row["IamRole"] == "Other", row
    assert ssm().get_connection_status(Target=host.id)["Status"] in ("connected", "notconnected")
    # The key of a machine is exchanged; the old one is worth nothing then.
    host.exchange_key()
    host.renew()
    host.hello(name="leaving")
    ssm().deregister_managed_instance(InstanceId=host.id)
    status, answer = host.try_call("UpdateInstanceInformation", {"InstanceId": host.id})
    assert status != 200, answer
    rows = ssm().describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [host.id]}])
    assert rows["InstanceInformationList"] == [], rows
    assert reason_of(host) in (None, ("INACTIVE", "RESOURCE_TERMINATED"))
    ssm().deregister_managed_instance(InstanceId=again.id)


def reason_of(host):
    rows = world().client("inspector2").list_coverage(filterCriteria={"resourceId": [
        {"comparison": "EQUALS", "value": host.ec2_id}]})["coveredResources"]
    return (rows[0]["scanStatus"]["statusCode"], rows[0]["scanStatus"]["reason"]) if rows else None


def test_api__packages_are_documents(scratch):
    w = world()
    host = w.hosts["debian"]
    name, archive = "AmazonInspector2-InspectorSsmPluginLinux", b"an archive"
    folder = w.server.data / "packages" / name / "1.0.0.0"
    harness.write(folder / "plugin.zip", archive)
    harness.write(folder / "manifest.json", json.dumps({
        "schemaVersion": "2.0", "version": "1.0.0.0", "packages": {"_any": {"_any": {"_any": {"file": "plugin.zip"}}}},
        "files": {"plugin.zip": {"checksums": {"sha256": hashlib.sha256(archive).hexdigest()}, "size": len(archive)}}}))
    status, answer = host.try_call("GetManifest", {"PackageName": name, "PackageVersion": "latest"})
    assert status == 400 and "ResourceNotFoundException" in answer["__type"], answer
    assert host.call("DescribeDocument", {"Name": name})["Document"]["DocumentType"] == "Package"
    document = ssm().get_document(Name=name)
    attached, = document["AttachmentsContent"]
    assert json.loads(document["Content"])["version"] == "1.0.0.0" and attached["Size"] == len(archive), document
    with urllib.request.urlopen(attached["Url"], timeout=30) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == attached["Hash"], attached
    for path in ("../../../store", "%2e%2e/manifest.json", f"{name}/1.0.0.0/../../../../store"):
        try:
            urllib.request.urlopen(w.server.url + "/packages/" + path, timeout=30).close()
            raise AssertionError(path)
        except urllib.error.HTTPError as error:
            assert error.code in (400, 403, 404), (path, error.code)
            error.close()
    host.call("PutConfigurePackageResult", {
        "PackageName": name, "PackageVersion": "1.0.0.0", "Operation": "Install",
        "OverallTiming": 12, "Result": 0, "Attributes": {"arch": "x86_64"}, "Steps": [
            {"Action": "download", "Result": 0, "Timing": 3}]})


def test_api__parameters_have_versions(scratch):
    ssm().put_parameter(Name="/app/one", Value="1", Type="String", Description="first", Tags=[{"Key": "a", "Value": "b"}])
    refused(ssm().put_parameter, "ParameterAlreadyExists", Name="/app/one", Value="2", Type="String")
    assert ssm().put_parameter(Name="/app/one", Value="2", Type="String", Overwrite=True)["Version"] == 2
    ssm().put_parameter(Name="/app/deep/two", Value="a,b", Type="StringList")
    ssm().put_parameter(Name="/app/secret", Value="hidden", Type="SecureString")
    one = ssm().get_parameter(Name="/app/one")["Parameter"]
    assert (one["Value"], one["Version"], one["Type"], one["DataType"]) == ("2", 2, "String", "text"), one
    assert one["ARN"].endswith(f":{world().accounts['alone']}:parameter/app/one"), one
    assert ssm().get_parameter(Name="/app/one:1")["Parameter"]["Value"] == "1"
    assert ssm().get_parameter(Name="/app/secret")["Parameter"]["Value"] != "hidden"
    assert ssm().get_parameter(Name="/app/secret", WithDecryption=True)["Parameter"]["Value"] == "hidden"
    several = ssm().get_parameters(Names=["/app/one", "/app/none"])
    assert [row["Name"] for row in several["Parameters"]] == ["/app/one"], several
    assert several["InvalidParameters"] == ["/app/none"], several
    flat = pages(ssm(), "get_parameters_by_path", "Parameters", size=1, Path="/app")
    assert {row["Name"] for row in flat} == {"/app/one", "/app/secret"}, flat
    deep = pages(ssm(), "get_parameters_by_path", "Parameters", size=1, Path="/app", Recursive=True)
    assert {row["Name"] for row in deep} == {"/app/one", "/app/secret", "/app/deep/two"}, deep
    history = pages(ssm(), "get_parameter_history", "Parameters", size=1, Name="/app/one")
    assert [(row["Version"], row["Value"]) for row in history] == [(1, "1"), (2, "2")], history
    listed = pages(ssm(), "describe_parameters", "Parameters", size=1)
    assert {"/app/one", "/app/deep/two", "/app/secret", PARAMETER} <= {row["Name"] for row in listed}, listed
    ssm().delete_parameter(Name="/app/one")
    refused(ssm().get_parameter, "ParameterNotFound", Name="/app/one")
    gone = ssm().delete_parameters(Names=["/app/deep/two", "/app/secret", "/app/none"])
    assert (set(gone["DeletedParameters"]), gone["InvalidParameters"]) == \
        ({"/app/deep/two", "/app/secret"}, ["/app/none"]), gone


def test_api__resources_of_systems_manager_are_tagged(scratch):
    host = world().hosts["debian"]
    for kind, name in (("Document", "Say"), ("ManagedInstance", host.id)):
        ssm().add_tags_to_resource(ResourceType=kind, ResourceId=name, Tags=[{"Key": "x", "Value": "y"}])
        tags = {tag["Key"]: tag["Value"] for tag in ssm().list_tags_for_resource(ResourceType=kind, ResourceId=name)["TagList"]}
        assert tags["x"] == "y", (kind, tags)
        ssm().remove_tags_from_resource(ResourceType=kind, ResourceId=name, TagKeys=["x"])
        tags = {tag["Key"] for tag in ssm().list_tags_for_resource(ResourceType=kind, ResourceId=name)["TagList"]}
        assert "x" not in tags, (kind, tags)
    refused(ssm().list_tags_for_resource, "InvalidResourceId", ResourceType="ManagedInstance",
            ResourceId=world().hosts["npm"].id)


def test_api__compliance_is_kept_and_counted(scratch):
    host = world().hosts["debian"]
    items = [{"Id": "one", "Title": "t", "Severity": "HIGH", "Status": "NON_COMPLIANT", "Details": {"a": "b"}},
             {"Id": "two", "Severity": "LOW", "Status": "COMPLIANT"}]
    host.call("PutComplianceItems", {
        "ResourceId": host.id, "ResourceType": "ManagedInstance", "ComplianceType": "Association",
        "ExecutionSummary": {"ExecutionTime": 1790000000, "ExecutionId": "e", "ExecutionType": "Command"}, "Items": items,
        "ItemContentHash": "x"})
    ssm().put_compliance_items(ResourceId=host.id, ResourceType="ManagedInstance", ComplianceType="Custom:Mine",
                               ExecutionSummary={"ExecutionTime": datetime.datetime(2026, 1, 1)}, Items=items[:1])
    rows = pages(ssm(), "list_compliance_items", "ComplianceItems", size=1, ResourceIds=[host.id],
                 ResourceTypes=["ManagedInstance"])
    assert {(row["ComplianceType"], row["Id"], row["Status"]) for row in rows} == {
        ("Association", "one", "NON_COMPLIANT"), ("Association", "two", "COMPLIANT"),
        ("Custom:Mine", "one", "NON_COMPLIANT")}, rows
    bad = ssm().list_compliance_items(ResourceIds=[host.id], Filters=[
        {"Key": "Status", "Values": ["NON_COMPLIANT"], "Type": "EQUAL"}])["ComplianceItems"]
    assert {row["Id"] for row in bad} == {"one"}, bad
    sums = {row["ComplianceType"]: row for row in pages(ssm(), "list_compliance_summaries", "ComplianceSummaryItems", size=1)}
    assert (sums["Association"]["CompliantSummary"]["CompliantCount"],
            sums["Association"]["NonCompliantSummary"]["NonCompliantCount"]) == (1, 1), sums
    assert sums["Association"]["NonCompliantSummary"]["SeveritySummary"]["HighCount"] == 1, sums


def test_api__inventory_is_shown_as_it_was_reported(scratch):
    w = world()
    host = w.hosts["debian"]
    system = [row for row in hosts.rows_of(w.reports["debian"])[0]]
    rows = pages(ssm(), "get_inventory", "Entities", size=2)
    assert host.id in {row["Id"] for row in rows}, rows
    entries, token = [], {}
    while True:
        page = ssm().list_inventory_entries(InstanceId=host.id, TypeName="AWS:Application", MaxResults=50, **token)
        entries += page["Entries"]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert page["TypeName"] == "AWS:Application" and page["SchemaVersion"] == "1.0", page
    assert sorted((row["Name"], row["Version"]) for row in entries) == sorted((r["Name"], r["Version"]) for r in system)
    some = ssm().list_inventory_entries(InstanceId=host.id, TypeName="AWS:Application", Filters=[
        {"Key": "AWS:Application.Name", "Values": ["sonde-"], "Type": "BeginWith"}])["Entries"]
    assert {row["Name"] for row in some} == {"sonde-lib", "sonde-fixed", "sonde-unfixed"}, some
    with_lib = pages(ssm(), "get_inventory", "Entities", size=2, Filters=[
        {"Key": "AWS:Application.Name", "Values": ["sonde-lib"], "Type": "Equal"}],
        ResultAttributes=[{"TypeName": "AWS:Application"}])
    assert host.id in {row["Id"] for row in with_lib} and w.hosts["pip"].id not in {row["Id"] for row in with_lib}
    counted = ssm().get_inventory(Aggregators=[{"Expression": "AWS:InstanceInformation.PlatformName"}])["Entities"]
    assert counted, counted
    schemas = {row["TypeName"]: row for row in pages(ssm(), "get_inventory_schema", "Schemas", size=50)}
    assert {"AWS:Application", "AWS:InstanceInformation", "AWS:Network", hosts.THIRD_PARTY} <= set(schemas), set(schemas)
    assert {"Name", "Version"} <= {one["Name"] for one in schemas["AWS:Application"]["Attributes"]}
    # Hash first: an unknown hash asks for content, a known one is enough.
    host.report("Custom:Mine", [{"A": "1"}, {"A": "2"}])
    assert host.report("Custom:Mine", [{"A": "1"}, {"A": "2"}]) == 0
    assert host.report("Custom:Mine", [{"A": "3"}]) == 1
    kept = ssm().list_inventory_entries(InstanceId=host.id, TypeName="Custom:Mine")["Entries"]
    assert kept == [{"A": "3"}], kept
    refused(host.ssm().put_inventory, "InvalidTypeNameException", InstanceId=host.id, Items=[{
        "TypeName": "AWS:Nothing", "SchemaVersion": "1.0", "CaptureTime": hosts.now_text(), "Content": []}])
    refused(host.ssm().put_inventory, "ItemSizeLimitExceededException", "TotalSizeLimitExceededException",
            InstanceId=host.id, Items=[{"TypeName": "Custom:Big", "SchemaVersion": "1.0", "CaptureTime": hosts.now_text(),
                                        "ContentHash": "x", "Content": [{"A": "x" * 4096}] * 300}])
    deleted = ssm().delete_inventory(TypeName="Custom:Mine", SchemaDeleteOption="DeleteSchema")
    assert deleted["DeletionSummary"]["TotalCount"] >= 1, deleted
    told = pages(ssm(), "describe_inventory_deletions", "InventoryDeletions", size=1)
    assert deleted["DeletionId"] in {row["DeletionId"] for row in told}, told
    refused(ssm().list_inventory_entries, "InvalidTypeNameException", InstanceId=host.id, TypeName="Custom:Mine")


def test_api__older_reports_never_win(scratch):
    w = world()
    host = w.hosts["pip"]
    assert reason("pip") == ("ACTIVE", "SUCCESSFUL")
    newest = host.captured_at
    host.report(hosts.THIRD_PARTY, [], hash_first=False, at=newest - 600)
    rows = ssm().list_inventory_entries(InstanceId=host.id, TypeName=hosts.THIRD_PARTY)["Entries"]
    assert {row["Name"] for row in rows} == {p["name"] for p in w.reports["pip"]["packages"]}, rows
    host.captured_at = newest
