# SPDX-License-Identifier: Apache-2.0
"""For test_rights.py: a request of each operation, about what one account has. Each entry makes what the request
needs anew, as that account's administrator, so that the calls of one caller do not spoil those of the next."""
import hashlib
import itertools
import json
import time
import uuid

import hosts

DOCUMENT = json.dumps({"schemaVersion": "2.2", "mainSteps": [
    {"action": "aws:runShellScript", "name": "say", "inputs": {"runCommand": ["echo of-m"]}}]})
DESTINATION = {"bucketName": "of-m", "kmsKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/x"}
ANY = {"title": [{"comparison": "EQUALS", "value": "x"}]}
SUMMARY = {"ExecutionTime": 1790000000}


class Asks:
    """Give a request's arguments with ask("ssm.GetDocument")."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.host = fleet.hosts["host"]
        self.ssm = fleet.admin("ssm")
        self.inspector = fleet.admin("inspector2")
        self.table = {}
        for make in (self.identity, self.accounts, self.organisation, self.findings, self.documents, self.associations,
                     self.commands, self.nodes, self.parameters, self.inventory, self.agents):
            self.table.update(make())

    def ask(self, operation):
        made = self.table[operation]
        return made() if callable(made) else made

    # -- things --
    def name(self, prefix="of-m"):
        """A new name; of things that a caller makes for itself, without the mark of M."""
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    def document(self):
        return self.ssm.create_document(Content=DOCUMENT, Name=self.name(), DocumentType="Command"
                                        )["DocumentDescription"]["Name"]

    def association(self):
        return self.ssm.create_association(Name=self.fleet.document, AssociationName=self.name(), Targets=[
            {"Key": "InstanceIds", "Values": [self.host.id]}])["AssociationDescription"]["AssociationId"]

    def filter(self):
        return self.inspector.create_filter(name=self.name(), action="NONE", filterCriteria=ANY, tags={"k": "v"})["arn"]

    def parameter(self):
        name = "/of-m/" + self.name()
        self.ssm.put_parameter(Name=name, Value="of-m", Type="String")
        return name

    def command(self):
        return self.ssm.send_command(DocumentName=self.fleet.document, InstanceIds=[self.host.id], Comment="of-m"
                                     )["Command"]["CommandId"]

    def message(self):
        """A message that waits for the host: its id follows from the command's."""
        return f"aws.ssm.{self.command()}.{self.host.id}"

    def upload(self):
        data = json.dumps({**self.fleet.report, "about": self.name()}).encode()
        packed = hosts.zstd_stored(data)
        start = self.host.send("POST", "/sonde/uploads", json.dumps({
            "InstanceId": self.host.id, "CaptureTime": hosts.now_text(), "Encoding": "zstd",
            "ContentHash": hashlib.sha256(data).hexdigest(), "CompressedBytes": len(packed),
            "Bytes": len(data)}).encode(), **{"Content-Type": "application/json"})
        return start["UploadId"], packed

    # -- requests --
    def identity(self):
        account, host = self.fleet.accounts["admin"], [self.host.ec2_id]
        return {
            "sts.GetCallerIdentity": {},
            "sts.AssumeRole": {"RoleArn": f"arn:aws:iam::{account}:role/any", "RoleSessionName": "some"},
            "organizations.DescribeOrganization": {}, "organizations.ListAccounts": {},
            "organizations.ListDelegatedAdministrators": {},
            "organizations.EnableAWSServiceAccess": {"ServicePrincipal": "inspector2.amazonaws.com"},
            "organizations.RegisterDelegatedAdministrator": {"AccountId": account,
                                                             "ServicePrincipal": "inspector2.amazonaws.com"},
            "ec2.CreateTags": {"Resources": host, "Tags": [{"Key": "k", "Value": "of-m"}]},
            "ec2.DeleteTags": {"Resources": host, "Tags": [{"Key": "never"}]},
            "ec2.DescribeTags": {"Filters": [{"Name": "resource-id", "Values": host}]},
            "ec2.DescribeInstances": {"InstanceIds": host},
        }

    def accounts(self):
        one = [self.fleet.accounts["admin"]]
        return {
            "inspector2.Enable": {"accountIds": one, "resourceTypes": ["EC2"]},
            "inspector2.Disable": {"accountIds": one, "resourceTypes": ["ECR"]},
            "inspector2.BatchGetAccountStatus": {"accountIds": one},
            "inspector2.GetConfiguration": {"accountId": one[0]},
            "inspector2.UpdateConfiguration": {"accountId": one[0], "ec2Configuration": {"scanMode": "EC2_SSM_AGENT_BASED"}},
            "inspector2.BatchGetFreeTrialInfo": {"accountIds": one},
            "inspector2.ListAccountPermissions": {},
            "inspector2.ListUsageTotals": {"accountIds": one},
            "inspector2.GetEc2DeepInspectionConfiguration": {},
            "inspector2.UpdateEc2DeepInspectionConfiguration": {"packagePaths": ["/opt/x"]},
        }

    def organisation(self):
        one = self.fleet.accounts["admin"]
        return {
            "inspector2.UpdateOrgEc2DeepInspectionConfiguration": {"orgPackagePaths": []},
            "inspector2.BatchGetMemberEc2DeepInspectionStatus": {"accountIds": [one]},
            "inspector2.BatchUpdateMemberEc2DeepInspectionStatus": {"accountIds": [
                {"accountId": one, "activateDeepInspection": True}]},
            "inspector2.AssociateMember": {"accountId": one},
            "inspector2.DisassociateMember": {"accountId": self.fleet.accounts["spare"]},
            "inspector2.GetMember": {"accountId": one}, "inspector2.ListMembers": {},
            "inspector2.EnableDelegatedAdminAccount": {"delegatedAdminAccountId": one},
            "inspector2.DisableDelegatedAdminAccount": {"delegatedAdminAccountId": one},
            "inspector2.GetDelegatedAdminAccount": {}, "inspector2.ListDelegatedAdminAccounts": {},
            "inspector2.DescribeOrganizationConfiguration": {},
            "inspector2.UpdateOrganizationConfiguration": {"autoEnable": {"ec2": False, "ecr": False}},
        }

    def findings(self):
        mine = {"resourceId": [{"comparison": "EQUALS", "value": self.host.ec2_id}]}
        arn = self.inspector.list_findings(filterCriteria=mine)["findings"][0]["findingArn"]
        report = {"s3Destination": DESTINATION}
        done = self.inspector.create_findings_report(reportFormat="CSV", **report)["reportId"]
        self.fleet.ended(self.inspector.get_findings_report_status, done)
        bom = self.inspector.create_sbom_export(reportFormat="SPDX_2_3", **report)["reportId"]
        self.fleet.ended(self.inspector.get_sbom_export, bom)
        return {
            "inspector2.ListCoverage": {}, "inspector2.ListCoverageStatistics": {"filterCriteria": mine},
            "inspector2.ListFindings": {}, "inspector2.ListFindingAggregations": {"aggregationType": "ACCOUNT"},
            "inspector2.BatchGetFindingDetails": {"findingArns": [arn]},
            "inspector2.SearchVulnerabilities": {"filterCriteria": {"vulnerabilityIds": ["CVE-2030-0003"]}},
            "inspector2.CreateFilter": lambda: {"name": self.name("new"), "action": "SUPPRESS", "filterCriteria": ANY},
            "inspector2.UpdateFilter": lambda: {"filterArn": self.filter(), "description": "x"},
            "inspector2.DeleteFilter": lambda: {"arn": self.filter()},
            "inspector2.ListFilters": {},
            "inspector2.TagResource": lambda: {"resourceArn": self.filter(), "tags": {"a": "b"}},
            "inspector2.UntagResource": lambda: {"resourceArn": self.filter(), "tagKeys": ["k"]},
            "inspector2.ListTagsForResource": lambda: {"resourceArn": self.filter()},
            "inspector2.CreateFindingsReport": {"reportFormat": "JSON", **report},
            "inspector2.GetFindingsReportStatus": {"reportId": done},
            "inspector2.CancelFindingsReport": {"reportId": done},
            "inspector2.CreateSbomExport": {"reportFormat": "SPDX_2_3", **report},
            "inspector2.GetSbomExport": {"reportId": bom}, "inspector2.CancelSbomExport": {"reportId": bom},
        }

    def documents(self):
        name = self.fleet.document
        return {
            "ssm.CreateDocument": lambda: {"Content": DOCUMENT, "Name": self.name("new"), "DocumentType": "Command"},
            "ssm.UpdateDocument": lambda: {"Content": DOCUMENT.replace("echo", "printf"), "Name": self.document(),
                                           "DocumentVersion": "$LATEST"},
            "ssm.UpdateDocumentDefaultVersion": {"Name": name, "DocumentVersion": "1"},
            "ssm.DeleteDocument": lambda: {"Name": self.document()},
            "ssm.DescribeDocument": {"Name": name}, "ssm.GetDocument": {"Name": name}, "ssm.ListDocuments": {},
            "ssm.ListDocumentVersions": {"Name": name},
            "ssm.DescribeDocumentPermission": {"Name": name, "PermissionType": "Share"},
            "ssm.ModifyDocumentPermission": {"Name": name, "PermissionType": "Share",
                                             "AccountIdsToRemove": [self.fleet.accounts["other"]]},
        }

    def associations(self):
        name, host, kept = self.fleet.document, self.host.id, self.fleet.association
        one = {"AssociationId": kept}
        target = [{"Key": "InstanceIds", "Values": [host]}]
        words = itertools.cycle(("Success", "Failed"))  # the same again is refused
        return {
            "ssm.CreateAssociation": lambda: {"Name": name, "AssociationName": self.name(), "Targets": target},
            "ssm.CreateAssociationBatch": lambda: {"Entries": [{"Name": name, "InstanceId": host,
                                                                "AssociationName": self.name()}]},
            "ssm.UpdateAssociation": lambda: {"AssociationId": self.association(), "ScheduleExpression": "rate(1 day)"},
            "ssm.UpdateAssociationStatus": lambda: {"Name": self.fleet.plain, "InstanceId": host,
                                                    "AssociationStatus": {"Date": time.time(), "Name": next(words),
                                                                          "Message": "x"}},
            "ssm.DeleteAssociation": lambda: {"AssociationId": self.association()},
            "ssm.DescribeAssociation": one, "ssm.ListAssociations": {}, "ssm.ListAssociationVersions": one,
            "ssm.StartAssociationsOnce": {"AssociationIds": [kept]}, "ssm.DescribeAssociationExecutions": one,
            "ssm.DescribeAssociationExecutionTargets": lambda: {**one, "ExecutionId": self.ssm.describe_association_executions(
                AssociationId=kept)["AssociationExecutions"][0]["ExecutionId"]},
            "ssm.DescribeEffectiveInstanceAssociations": {"InstanceId": host},
            "ssm.DescribeInstanceAssociationsStatus": {"InstanceId": host},
            "ssm.ListInstanceAssociations": {"InstanceId": host},
            "ssm.UpdateInstanceAssociationStatus": {"AssociationId": kept, "InstanceId": host, "ExecutionResult": {
                "ExecutionDate": int(time.time()), "ExecutionSummary": "x", "Status": "Success"}},
        }

    def commands(self):
        command = self.command()
        destination = {"Destination": self.host.id, "MessagesRequestId": str(uuid.uuid4())}
        reply = {"ReplyId": str(uuid.uuid4()), "Payload": json.dumps({"documentStatus": "InProgress", "runtimeStatus": {}})}
        return {
            "ssm.SendCommand": {"DocumentName": self.fleet.document, "InstanceIds": [self.host.id], "Comment": "of-m"},
            "ssm.CancelCommand": lambda: {"CommandId": self.command()},
            "ssm.ListCommands": {}, "ssm.ListCommandInvocations": {},
            "ssm.GetCommandInvocation": {"CommandId": command, "InstanceId": self.host.id},
            "ec2messages.GetMessages": lambda: self.command() and destination,
            "ec2messages.AcknowledgeMessage": lambda: {"MessageId": self.message()},
            "ec2messages.DeleteMessage": lambda: {"MessageId": self.message()},
            "ec2messages.FailMessage": lambda: {"MessageId": self.message(), "FailureType": "NoHandlerExists"},
            "ec2messages.SendReply": lambda: {"MessageId": self.message(), **reply},
        }

    def nodes(self):
        host = {"InstanceId": self.host.id}
        return {
            "ssm.CreateActivation": {"IamRole": "x"}, "ssm.DescribeActivations": {},
            "ssm.DeleteActivation": lambda: {"ActivationId": self.ssm.create_activation(IamRole="x")["ActivationId"]},
            "ssm.DescribeInstanceInformation": {}, "ssm.DescribeInstanceProperties": {},
            "ssm.UpdateManagedInstanceRole": {**host, "IamRole": "x"},
            "ssm.DeregisterManagedInstance": lambda: {"InstanceId": self.fleet.passing_host()},
            "ssm.GetConnectionStatus": {"Target": self.host.id},
            "ssm.AddTagsToResource": {"ResourceType": "ManagedInstance", "ResourceId": self.host.id,
                                      "Tags": [{"Key": "a", "Value": "of-m"}]},
            "ssm.RemoveTagsFromResource": {"ResourceType": "ManagedInstance", "ResourceId": self.host.id, "TagKeys": ["z"]},
            "ssm.ListTagsForResource": {"ResourceType": "ManagedInstance", "ResourceId": self.host.id},
            "ssm.PutComplianceItems": {"ResourceId": self.host.id, "ResourceType": "ManagedInstance",
                                       "ComplianceType": "Custom:OfM", "ExecutionSummary": SUMMARY,
                                       "Items": [{"Id": "of-m", "Severity": "LOW", "Status": "COMPLIANT"}]},
            "ssm.ListComplianceItems": {"ResourceIds": [self.host.id], "ResourceTypes": ["ManagedInstance"]},
            "ssm.ListComplianceSummaries": {},
        }

    def parameters(self):
        name = self.parameter()
        return {
            "ssm.PutParameter": lambda: {"Name": "/put/" + self.name("new"), "Value": "x", "Type": "String"},
            "ssm.GetParameter": {"Name": name}, "ssm.GetParameters": {"Names": [name]},
            "ssm.GetParametersByPath": {"Path": "/of-m"}, "ssm.GetParameterHistory": {"Name": name},
            "ssm.DescribeParameters": {},
            "ssm.DeleteParameter": lambda: {"Name": self.parameter()},
            "ssm.DeleteParameters": lambda: {"Names": [self.parameter()]},
        }

    def inventory(self):
        def forget():
            self.host.report("Custom:OfM", [{"A": self.name()}])
            return {"TypeName": "Custom:OfM", "SchemaDeleteOption": "DeleteSchema"}

        return {
            "ssm.PutInventory": lambda: {"InstanceId": self.host.id, "Items": [{
                "TypeName": "AWS:Network", "SchemaVersion": "1.0", "CaptureTime": hosts.now_text(),
                "ContentHash": self.name(), "Content": [{"Name": "of-m"}]}]},
            "ssm.GetInventory": {}, "ssm.GetInventorySchema": {},
            "ssm.ListInventoryEntries": {"InstanceId": self.host.id, "TypeName": "AWS:Application"},
            "ssm.DeleteInventory": forget, "ssm.DescribeInventoryDeletions": {},
        }

    def agents(self):
        def start():
            data = self.name().encode()
            return ("POST", "/sonde/uploads", json.dumps({
                "InstanceId": self.host.id, "CaptureTime": hosts.now_text(), "Encoding": "zstd", "Bytes": len(data),
                "ContentHash": hashlib.sha256(data).hexdigest(), "CompressedBytes": 50}).encode())

        def chunk():
            upload, packed = self.upload()
            return "PUT", f"/sonde/uploads/{upload}/0", packed

        def complete():
            upload, packed = self.upload()
            self.host.send("PUT", f"/sonde/uploads/{upload}/0", packed)
            return "POST", f"/sonde/uploads/{upload}/complete", b"{}"

        return {
            "ssm.RegisterManagedInstance": lambda: {
                **self.ssm.create_activation(IamRole="x"), "Fingerprint": str(uuid.uuid4()),
                "PublicKey": self.fleet.public_key, "PublicKeyType": "Rsa"},
            "ssm.RequestManagedInstanceRoleToken": {"Fingerprint": self.host.fingerprint},
            "ssm.UpdateManagedInstancePublicKey": {"NewPublicKey": self.fleet.public_key, "NewPublicKeyType": "Rsa"},
            "ssm.UpdateInstanceInformation": {"InstanceId": self.host.id, "AgentVersion": "3.3.987.0",
                                              "AgentStatus": "Active"},
            "ssm.GetManifest": {"PackageName": "of-m", "PackageVersion": "latest"},
            "ssm.PutConfigurePackageResult": {"PackageName": self.fleet.package, "PackageVersion": "1.0.0.0",
                                              "Operation": "Install", "OverallTiming": 1, "Result": 0},
            "sonde.StartUpload": start, "sonde.PutChunk": chunk, "sonde.CompleteUpload": complete,
        }
