# SPDX-License-Identifier: Apache-2.0
"""The part of test_api.py that is about accounts, organisations, deep inspection, tags and identity."""
import json
import re

import clients
import harness
import hosts
from api_findings import coverage, findings, of_host, pages, reason, until, where, equals
from world import world

PARAMETER = "/inspector-aws/service/inspector-linux-application-paths"
INVOKE = "InvokeInspectorLinuxSsmPlugin-do-not-delete"
COLLECT = "InspectorInventoryCollection-do-not-delete"
INSTALL = "InspectorLinuxDistributor-do-not-delete"


def refused(call, *codes, **asked):
    """A call ends with one of these exceptions."""
    code = clients.error_code(call, **asked)
    assert code in codes, (code, codes, asked)


def associations(name):
    rows = pages(world().client("ssm", name), "list_associations", "Associations", size=2)
    return {row.get("AssociationName", row["Name"]): row for row in rows}


def paths_parameter(name):
    return world().client("ssm", name).get_parameter(Name=PARAMETER)["Parameter"]


def test_api__identity_is_that_of_the_key(scratch):
    w = world()
    sts = w.client("sts")
    told = sts.get_caller_identity()
    assert (told["Account"], told["Arn"].split(":")[4]) == (w.accounts["alone"],) * 2, told
    role = sts.assume_role(RoleArn=f"arn:aws:iam::{w.accounts['alone']}:role/Auditor", RoleSessionName="someone")
    made = role["Credentials"]
    session = w.walker.watch(w.server.client("sts", (made["AccessKeyId"], made["SecretAccessKey"]),
                                             token=made["SessionToken"]))
    assert session.get_caller_identity()["Arn"] == role["AssumedRoleUser"]["Arn"]
    refused(sts.assume_role, "AccessDenied", RoleArn=f"arn:aws:iam::{w.accounts['member']}:role/x", RoleSessionName="xy")


def test_api__accounts_are_switched(scratch):
    w = world()
    inspector = w.client("inspector2")
    state, = inspector.batch_get_account_status(accountIds=[w.accounts["alone"]])["accounts"]
    assert (state["state"]["status"], state["resourceState"]["ec2"]["status"], state["resourceState"]["ecr"]["status"]) \
        == ("ENABLED", "ENABLED", "DISABLED"), state
    on = inspector.enable(resourceTypes=["ECR", "LAMBDA", "LAMBDA_CODE"])["accounts"][0]["resourceStatus"]
    assert (on["ecr"], on["lambda"], on["lambdaCode"]) == ("ENABLED",) * 3, on
    off = inspector.disable(resourceTypes=["ECR", "LAMBDA", "LAMBDA_CODE"])["accounts"][0]["resourceStatus"]
    assert (off["ec2"], off["ecr"]) == ("ENABLED", "DISABLED"), off
    failed = inspector.enable(resourceTypes=["EC2"], accountIds=[w.accounts["member"]])["failedAccounts"]
    assert [one["errorCode"] for one in failed] == ["ACCESS_DENIED"], failed
    failed = inspector.disable(resourceTypes=["EC2"], accountIds=[w.accounts["member"]])["failedAccounts"]
    assert [one["accountId"] for one in failed] == [w.accounts["member"]], failed
    failed = inspector.batch_get_account_status(accountIds=[w.accounts["member"], "999999999999"])["failedAccounts"]
    assert {one["errorCode"] for one in failed} == {"ACCESS_DENIED"}, failed
    inspector.update_configuration(ecrConfiguration={"rescanDuration": "DAYS_30"},
                                   ec2Configuration={"scanMode": "EC2_SSM_AGENT_BASED"})
    told = inspector.get_configuration()
    assert told["ec2Configuration"]["scanModeState"]["scanMode"] == "EC2_SSM_AGENT_BASED", told
    assert told["ecrConfiguration"]["rescanDurationState"]["rescanDuration"] == "DAYS_30", told
    trial = inspector.batch_get_free_trial_info(accountIds=[w.accounts["alone"], w.accounts["member"]])
    assert [one["accountId"] for one in trial["accounts"]] == [w.accounts["alone"]], trial
    assert [one["accountId"] for one in trial["failedAccounts"]] == [w.accounts["member"]], trial
    allowed = pages(inspector, "list_account_permissions", "permissions", size=3)
    assert {"service": "EC2", "operation": "ENABLE_SCANNING"} in allowed, allowed
    totals = pages(w.client("inspector2", "delegated"), "list_usage_totals", "totals", size=1)
    assert {one["accountId"] for one in totals} == {w.accounts["delegated"], w.accounts["member"]}, totals
    assert all(use["type"] == "EC2_INSTANCE_HOURS" and use["total"] >= 0 for one in totals for use in one["usage"]), totals
    one = inspector.list_usage_totals(accountIds=[w.accounts["alone"]])["totals"]
    assert [row["accountId"] for row in one] == [w.accounts["alone"]], one


def test_api__disabling_takes_what_enabling_made(scratch):
    w = world()
    inspector = w.client("inspector2", "legacy")
    host = w.report_stock("passing", "legacy")
    arn = inspector.create_filter(name="gone", action="NONE", filterCriteria={"title": equals("x")})["arn"]
    assert of_host("passing", findings("legacy"))
    off = inspector.disable()["accounts"][0]["resourceStatus"]
    assert set(off.values()) <= {"DISABLED", "DISABLING"}, off
    assert associations("legacy") == {} and inspector.list_filters(arns=[arn])["filters"] == []
    assert {row["status"] for row in findings("legacy")} <= {"CLOSED"}
    on = inspector.enable(resourceTypes=["EC2"])["accounts"][0]["resourceStatus"]
    assert on["ec2"] in ("ENABLED", "ENABLING") and COLLECT in associations("legacy"), on
    assert [row["resourceId"] for row in coverage("legacy")] == [host.ec2_id]


def test_api__deep_inspection_has_paths(scratch):
    w = world()
    inspector, ssm = w.client("inspector2"), w.client("ssm")
    assert paths_parameter("alone")["Value"] == "NO_PATHS_DEFINED"
    told = inspector.get_ec2_deep_inspection_configuration()
    assert (told["status"], told["packagePaths"], told["orgPackagePaths"]) == ("ACTIVATED", [], []), told
    good = ["/opt/app", "/home/ssm-user/.local", "/srv/a.b/c-d_e", "/opt/a b", "/x/"]
    told = inspector.update_ec2_deep_inspection_configuration(packagePaths=good)
    assert told["packagePaths"] == good, told
    assert paths_parameter("alone")["Value"] == ",".join(good), paths_parameter("alone")
    for bad in (["opt"], ["/"], ["/opt/*"], ["/opt,/srv"], ["/a"] * 6, ["/a/../b"], ["/" + "x" * 512],
                ["/opt\n/srv"], ["/a//b"]):
        code = clients.error_code(inspector.update_ec2_deep_inspection_configuration, packagePaths=bad)
        assert code == "ValidationException", (bad, code)
    assert inspector.update_ec2_deep_inspection_configuration(activateDeepInspection=True)["packagePaths"] == good
    assert inspector.update_ec2_deep_inspection_configuration(packagePaths=[])["packagePaths"] == []
    assert paths_parameter("alone")["Value"] == "NO_PATHS_DEFINED"
    host_sees = w.hosts["pip"].ssm().get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    assert host_sees == "NO_PATHS_DEFINED", host_sees
    refused(ssm.put_parameter, "AccessDeniedException", "ValidationException", "ParameterAlreadyExists", Name=PARAMETER,
            Value="/evil", Type="String")
    # Not an administrator of an organisation.
    refused(inspector.update_org_ec2_deep_inspection_configuration, "AccessDeniedException", orgPackagePaths=["/x"])


def test_api__old_accounts_switch_deep_inspection_on_themselves(scratch):
    w = world()
    inspector = w.client("inspector2", "legacy")
    assert inspector.get_ec2_deep_inspection_configuration()["status"] == "DEACTIVATED"
    assert INVOKE not in associations("legacy")
    assert reason("passing") == ("ACTIVE", "SUCCESSFUL")
    assert inspector.update_ec2_deep_inspection_configuration(activateDeepInspection=True)["status"] == "ACTIVATED"
    assert INVOKE in associations("legacy")
    assert reason("passing") == ("ACTIVE", "DEEP_INSPECTION_NO_INVENTORY")
    assert inspector.update_ec2_deep_inspection_configuration(activateDeepInspection=False)["status"] == "DEACTIVATED"
    assert INVOKE not in associations("legacy") and COLLECT in associations("legacy")


def test_api__members_take_the_paths_of_the_organisation(scratch):
    w = world()
    admin, member = w.client("inspector2", "delegated"), w.client("inspector2", "member")
    admin.update_org_ec2_deep_inspection_configuration(orgPackagePaths=["/org/one", "/org/two"])
    member.update_ec2_deep_inspection_configuration(packagePaths=["/own"])
    told = member.get_ec2_deep_inspection_configuration()
    assert (told["packagePaths"], told["orgPackagePaths"]) == (["/own"], ["/org/one", "/org/two"]), told
    assert set(paths_parameter("member")["Value"].split(",")) == {"/own", "/org/one", "/org/two"}
    assert set(paths_parameter("delegated")["Value"].split(",")) == {"/org/one", "/org/two"}
    refused(member.update_ec2_deep_inspection_configuration, "AccessDeniedException", activateDeepInspection=False)
    refused(member.update_org_ec2_deep_inspection_configuration, "AccessDeniedException", orgPackagePaths=[])
    member_id, alone = w.accounts["member"], w.accounts["alone"]
    off = admin.batch_update_member_ec2_deep_inspection_status(accountIds=[
        {"accountId": member_id, "activateDeepInspection": False}, {"accountId": alone, "activateDeepInspection": False}])
    assert [(one["accountId"], one["status"]) for one in off["accountIds"]] == [(member_id, "DEACTIVATED")], off
    assert [one["accountId"] for one in off["failedAccountIds"]] == [alone], off
    told = admin.batch_get_member_ec2_deep_inspection_status(accountIds=[member_id, alone])
    assert [(one["accountId"], one["status"]) for one in told["accountIds"]] == [(member_id, "DEACTIVATED")], told
    assert [one["accountId"] for one in told["failedAccountIds"]] == [alone], told
    assert INVOKE not in associations("member")
    assert member.update_ec2_deep_inspection_configuration(activateDeepInspection=True)["status"] == "ACTIVATED"
    assert INVOKE in associations("member")
    admin.update_org_ec2_deep_inspection_configuration(orgPackagePaths=[])
    assert paths_parameter("member")["Value"] == "/own"


def test_api__the_organisation_is_administered(scratch):
    w = world()
    boss, admin, member = (w.client("inspector2", name) for name in ("management", "delegated", "member"))
    ids = w.accounts
    assert admin.get_member(accountId=ids["member"])["member"]["relationshipStatus"] == "ENABLED"
    assert [one["accountId"] for one in pages(admin, "list_members", "members", size=1)] == [ids["member"]]
    everyone = {one["accountId"] for one in admin.list_members(onlyAssociated=False)["members"]}
    assert ids["member"] in everyone and ids["alone"] not in everyone, everyone
    assert boss.get_delegated_admin_account()["delegatedAdmin"]["accountId"] == ids["delegated"]
    listed = pages(boss, "list_delegated_admin_accounts", "delegatedAdminAccounts", size=1)
    assert listed == [{"accountId": ids["delegated"], "status": "ENABLED"}], listed
    told = admin.update_organization_configuration(autoEnable={"ec2": True, "ecr": False})["autoEnable"]
    assert told["ec2"] is True and admin.describe_organization_configuration()["autoEnable"]["ec2"] is True, told
    # A new account is taken in, and scanned at once.
    new = w.server.account("new")
    ids["new"], w.keys["new"] = new, w.server.key(new)
    w.server.run_command("organisation", "add", ids["management"], new)
    state, = w.client("inspector2", "new").batch_get_account_status()["accounts"]
    assert state["resourceState"]["ec2"]["status"] == "ENABLED", state
    assert admin.disassociate_member(accountId=new)["accountId"] == new
    assert new not in {one["accountId"] for one in admin.list_members()["members"]}
    assert admin.associate_member(accountId=new)["accountId"] == new
    refused(admin.associate_member, "AccessDeniedException", "ValidationException", "ResourceNotFoundException",
            accountId=ids["alone"])
    refused(member.associate_member, "AccessDeniedException", accountId=new)
    refused(admin.get_member, "ResourceNotFoundException", "AccessDeniedException", accountId=ids["alone"])
    refused(member.enable_delegated_admin_account, "AccessDeniedException", delegatedAdminAccountId=ids["member"])
    # Another administrator, and back.
    boss.disable_delegated_admin_account(delegatedAdminAccountId=ids["delegated"])
    assert not findings("delegated") or all(row["awsAccountId"] == ids["delegated"] for row in findings("delegated"))
    refused(admin.update_org_ec2_deep_inspection_configuration, "AccessDeniedException", orgPackagePaths=[])
    assert boss.enable_delegated_admin_account(delegatedAdminAccountId=ids["delegated"])["delegatedAdminAccountId"] \
        == ids["delegated"]
    refused(boss.enable_delegated_admin_account, "ConflictException", delegatedAdminAccountId=ids["member"])
    for one in ("member", "new"):
        admin.associate_member(accountId=ids[one])
    organizations = w.client("organizations", "management")
    assert organizations.describe_organization()["Organization"]["MasterAccountId"] == ids["management"]
    rows = pages(organizations, "list_accounts", "Accounts", size=1)
    assert {row["Id"] for row in rows} == {ids[name] for name in ("management", "delegated", "member", "new")}, rows
    named = organizations.list_delegated_administrators(ServicePrincipal="inspector2.amazonaws.com")
    assert [row["Id"] for row in named["DelegatedAdministrators"]] == [ids["delegated"]], named
    organizations.enable_aws_service_access(ServicePrincipal="inspector2.amazonaws.com")
    refused(organizations.register_delegated_administrator, "AccountAlreadyRegisteredException", "ConflictException",
            AccountId=ids["delegated"], ServicePrincipal="inspector2.amazonaws.com")
    boss.disable_delegated_admin_account(delegatedAdminAccountId=ids["delegated"])
    organizations.register_delegated_administrator(AccountId=ids["delegated"],
                                                   ServicePrincipal="inspector2.amazonaws.com")
    for one in ("member", "new"):
        admin.associate_member(accountId=ids[one])
    assert of_host("npm", findings("delegated"))
    refused(w.client("organizations").describe_organization, "AWSOrganizationsNotInUseException")


def test_api__a_tag_ends_the_scanning_of_a_host(scratch):
    w = world()
    ec2 = w.client("ec2")
    host = w.hosts["own"]
    before = of_host("own", findings())
    assert {row["status"] for row in before.values()} == {"ACTIVE"}
    ec2.create_tags(Resources=[host.ec2_id], Tags=[{"Key": "InspectorEc2Exclusion", "Value": "any"}])
    assert reason("own") == ("INACTIVE", "EXCLUDED_BY_TAG")
    assert {row["status"] for row in of_host("own", findings()).values()} == {"CLOSED"}
    assert host.upload(w.reports["own"]) in ("TAKEN", "CURRENT")  # the host goes on as if nothing were
    tags = pages(ec2, "describe_tags", "Tags", size=5, Filters=[{"Name": "resource-id", "Values": [host.ec2_id]}])
    assert [(tag["Key"], tag["Value"]) for tag in tags] == [("InspectorEc2Exclusion", "any")], tags
    found = pages(ec2, "describe_instances", "Reservations", size=5,
                  Filters=[{"Name": "tag-key", "Values": ["InspectorEc2Exclusion"]}])
    assert [one["Instances"][0]["InstanceId"] for one in found] == [host.ec2_id], found
    assert len(pages(ec2, "describe_instances", "Reservations", size=5)) == len(coverage())
    ec2.delete_tags(Resources=[host.ec2_id], Tags=[{"Key": "InspectorEc2Exclusion"}])
    assert reason("own") == ("ACTIVE", "SUCCESSFUL")
    after = of_host("own", findings())
    assert {row["findingArn"] for row in after.values()} == {row["findingArn"] for row in before.values()}
    assert {row["status"] for row in after.values()} == {"ACTIVE"}
    refused(ec2.create_tags, "InvalidInstanceID.NotFound", Resources=[w.hosts["npm"].ec2_id],
            Tags=[{"Key": "a", "Value": "b"}])


def test_api__metadata_decides_what_is_installed(scratch):
    """The six experiments with a METADATA file, as the server sees them."""
    w = world()
    host = w.host("experiment", "alone")
    host.report("AWS:Application", [hosts.application("a", "1-1")])
    path = "/home/ssm-user/.local/lib/python3.9/site-packages/numpy-1.21.3.dist-info/METADATA"

    def seen(*rows):
        host.report(hosts.THIRD_PARTY, [hosts.third_party("numpy", version, path) for version in rows])
        mine = where(resourceId=equals(host.ec2_id), vulnerabilityId=equals("CVE-2030-0001"))
        return [(row["status"], [(p["version"], p.get("filePath")) for p in
                                 row["packageVulnerabilityDetails"]["vulnerablePackages"]]) for row in mine]

    assert seen() == []                                         # 1: no custom path, nothing to report
    assert seen("1.21.3") == [("ACTIVE", [("1.21.3", path)])]   # 2: found, with its whole path
    first = where(resourceId=equals(host.ec2_id))[0]["findingArn"]
    for _ in range(3):                                          # 3, 4, 5: renamed, moved up, moved away
        closed = seen()
        assert closed == [("CLOSED", [("1.21.3", path)])], closed
        assert seen("1.21.3") == [("ACTIVE", [("1.21.3", path)])]
    assert seen("1.21.0") == [("ACTIVE", [("1.21.0", path)])]   # 6: the content of the file counts
    assert where(resourceId=equals(host.ec2_id))[0]["findingArn"] == first
    assert [status for status, _ in seen("1.22.0")] == ["CLOSED"]


def test_api__a_new_advisory_finds_hosts_that_say_nothing(scratch):
    w = world()
    generation = w.server.generation()
    w.server.advise([harness.osv("GHSA-2030-aaaa-0009", "npm", "left-pad", fixed="9.9.9", aliases=["CVE-2030-0009"])])
    w.server.wait_generation(generation)
    row = until(lambda: of_host("npm", findings("member")).get("CVE-2030-0009"), "the new finding")
    assert row["packageVulnerabilityDetails"]["vulnerablePackages"][0]["filePath"] == \
        "/usr/local/lib/node_modules/lodash/node_modules/left-pad/package.json", row


def test_api__an_own_upload_tells_the_sources_of_packages_of_stock_hosts(scratch):
    """A binary package is found by the advisories of its source once a host of the account told which that is."""
    w = world()
    stock, teacher = w.host("binary", "management"), w.host("teacher", "management")

    def by_name():
        listed = json.loads(w.server.run_command("account", "list", "--format", "json"))["accounts"]
        return {one["account"]: one["by_name_only"] for one in listed}[w.accounts["management"]]

    stock.report("AWS:Application", [hosts.application("libsonde1", "1:1.0-1", PackageId="libsonde1_1:1.0-1_amd64.deb")])
    assert of_host("binary", findings("management")) == {} and by_name() == 1
    package = {**w.reports["own"]["packages"][0], "type": "deb", "name": "libsonde1", "version": "1:0.9-1",
               "source_name": "sonde-lib", "source_version": ""}
    assert teacher.upload({**w.reports["own"], "packages": [package]}) == "TAKEN"
    found = until(lambda: of_host("binary", findings("management")), "findings by the source package")
    assert set(found) == {"CVE-2030-0003", "CVE-2030-0004"} and by_name() == 0, found
    assert re.search(r"^sonde_fleet_packages_by_name \d+", w.server.get("/metrics"), re.M)
