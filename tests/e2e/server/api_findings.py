# SPDX-License-Identifier: Apache-2.0
"""The part of test_api.py that is about coverage, findings, rules and reports."""
import csv
import datetime
import io
import json
import time

import clients
import hosts
from world import HIGH, KEV, LOW, MEDIUM, RPM, world

SEVERITIES = ["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


def until(ask, what, seconds=30):
    """The first true answer; polls."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def pages(client, operation, member, size=2, **asked):
    """Every element, by the client's own paginator, a few at a time."""
    paginator = client.get_paginator(operation)
    return [one for page in paginator.paginate(PaginationConfig={"PageSize": size} if size else {}, **asked)
            for one in page.get(member, [])]


def findings(name="alone", **asked):
    return pages(world().client("inspector2", name), "list_findings", "findings", **asked)


def where(name="alone", **criteria):
    return findings(name, filterCriteria=criteria)


def equals(*values, comparison="EQUALS"):
    return [{"comparison": comparison, "value": value} for value in values]


def arns(rows):
    return {row["findingArn"] for row in rows}


def details(row):
    return row["packageVulnerabilityDetails"]


def vulnerability(row):
    return details(row)["vulnerabilityId"]


def of_host(host, rows):
    return {vulnerability(row): row for row in rows if row["resources"][0]["id"] == world().hosts[host].ec2_id}


def coverage(name="alone", **criteria):
    return pages(world().client("inspector2", name), "list_coverage", "coveredResources", filterCriteria=criteria)


def reason(host):
    w = world()
    rows = [row for row in coverage(w.hosts[host].account, resourceId=equals(w.hosts[host].ec2_id))]
    assert len(rows) == 1, rows
    return rows[0]["scanStatus"]["statusCode"], rows[0]["scanStatus"]["reason"]


def test_api__coverage_says_why(scratch):
    w = world()
    assert reason("debian") == ("ACTIVE", "SUCCESSFUL")
    assert reason("own") == ("ACTIVE", "SUCCESSFUL")
    assert reason("stock") == ("ACTIVE", "DEEP_INSPECTION_NO_INVENTORY")
    w.host("new", "alone")
    assert reason("new") == ("ACTIVE", "PENDING_INITIAL_SCAN")
    w.host("silent", "alone").report("AWS:Network", [{"Name": "eth0", "IPV4": "10.0.0.7"}])
    assert reason("silent") == ("INACTIVE", "NO_INVENTORY")
    w.host("strange", "alone", platform="Plan 9", version="4").report("AWS:Application", [hosts.application("a", "1")])
    assert reason("strange") == ("INACTIVE", "UNSUPPORTED_OS")
    many = w.host("many", "alone")
    many.report("AWS:Application", [hosts.application("a", "1-1")])
    many.report(hosts.THIRD_PARTY, [hosts.third_party(f"p{i}", "1", "/opt/p") for i in range(5001)])
    assert reason("many") == ("ACTIVE", "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED")
    many.report(hosts.THIRD_PARTY, [])
    many.report("Custom:InspectorMetrics", [{"RunAt": hosts.now_text(), "TimeLimitReached": "true"}])
    assert reason("many") == ("ACTIVE", "DEEP_INSPECTION_COLLECTION_TIME_LIMIT_EXCEEDED")
    everything = coverage()
    assert {row["resourceId"] for row in everything} == \
        {host.ec2_id for host in w.hosts.values() if host.account == "alone"}
    inspector = w.client("inspector2")
    told = inspector.list_coverage_statistics(groupBy="SCAN_STATUS_REASON")
    assert told["totalCounts"] == len(everything), told
    groups = pages(inspector, "list_coverage_statistics", "countsByGroup", size=0, groupBy="SCAN_STATUS_REASON")
    reasons = [row["scanStatus"]["reason"] for row in everything]
    assert sorted(group["count"] for group in groups) == sorted(reasons.count(one) for one in set(reasons)), groups
    for key, n in (("SCAN_STATUS_CODE", 2), ("ACCOUNT_ID", 1), ("RESOURCE_TYPE", 1)):
        groups = inspector.list_coverage_statistics(groupBy=key)["countsByGroup"]
        assert len(groups) == n and sum(group["count"] for group in groups) == len(everything), (key, groups)


def test_api__coverage_is_filtered(scratch):
    w = world()
    ec2 = w.client("ec2")
    host = w.hosts["debian"]
    ec2.create_tags(Resources=[host.ec2_id], Tags=[{"Key": "team", "Value": "blue"}])
    everything = coverage()
    for criteria, holds in (
            ({"scanStatusCode": equals("INACTIVE")}, lambda row: row["scanStatus"]["statusCode"] == "INACTIVE"),
            ({"scanStatusReason": equals("SUCCESSFUL", comparison="NOT_EQUALS")},
             lambda row: row["scanStatus"]["reason"] != "SUCCESSFUL"),
            ({"scanStatusReason": equals("SUCCESSFUL", "NO_INVENTORY")},
             lambda row: row["scanStatus"]["reason"] in ("SUCCESSFUL", "NO_INVENTORY")),
            ({"accountId": equals(w.accounts["alone"])}, lambda row: True),
            ({"accountId": equals(w.accounts["member"])}, lambda row: False),
            ({"resourceType": equals("AWS_EC2_INSTANCE"), "scanType": equals("PACKAGE")}, lambda row: True),
            ({"scanType": equals("NETWORK")}, lambda row: False),
            ({"scanMode": equals("EC2_SSM_AGENT_BASED")}, lambda row: True),
            ({"ecrRepositoryName": equals("x")}, lambda row: False),
            ({"ec2InstanceTags": [{"comparison": "EQUALS", "key": "team", "value": "blue"}]},
             lambda row: row["resourceId"] == host.ec2_id),
            ({"ec2InstanceTags": [{"comparison": "EQUALS", "key": "team", "value": "red"}]}, lambda row: False),
            ({"ec2InstanceTags": [{"comparison": "EQUALS", "key": "team"}]}, lambda row: row["resourceId"] == host.ec2_id),
            ({"lastScannedAt": [{"startInclusive": datetime.datetime(2020, 1, 1)}]}, lambda row: "lastScannedAt" in row),
            ({"lastScannedAt": [{"endInclusive": datetime.datetime(2020, 1, 1)}]}, lambda row: False)):
        wanted = {row["resourceId"] for row in everything if holds(row)}
        assert {row["resourceId"] for row in coverage(**criteria)} == wanted, criteria
    row = [row for row in everything if row["resourceId"] == host.ec2_id][0]
    assert row["resourceMetadata"]["ec2"] == {"tags": {"team": "blue"}, "platform": "LINUX"}, row


def test_api__findings_say_what_is_wrong_where(scratch):
    w = world()
    rows = findings()
    numpy = of_host("pip", rows)["CVE-2030-0001"]
    site = "/usr/local/lib/python3/site-packages/numpy-1.21.3.dist-info/METADATA"
    assert details(numpy)["vulnerablePackages"] == [{
        "name": "numpy", "version": "1.21.3", "packageManager": "PYTHONPKG", "filePath": site,
        "fixedInVersion": "1.22.0"}], numpy
    assert (numpy["title"], numpy["severity"], numpy["status"], numpy["type"]) == \
        ("CVE-2030-0001 - numpy", "CRITICAL", "ACTIVE", "PACKAGE_VULNERABILITY"), numpy
    assert (numpy["inspectorScore"], numpy["epss"]["score"], numpy["exploitAvailable"], numpy["fixAvailable"]) == \
        (9.8, 0.91, "YES", "YES"), numpy
    assert numpy["description"].startswith("A buffer is too small."), numpy
    assert numpy["awsAccountId"] == w.accounts["alone"], numpy
    assert details(numpy)["relatedVulnerabilities"] == ["GHSA-2030-aaaa-0001"], numpy
    assert details(numpy)["referenceUrls"] == ["https://example.org/numpy"], numpy
    assert numpy["inspectorScoreDetails"]["adjustedCvss"]["score"] == 9.8, numpy
    resource = numpy["resources"][0]
    assert (resource["type"], resource["region"], resource["partition"]) == \
        ("AWS_EC2_INSTANCE", "eu-central-1", "aws"), resource
    assert resource["details"]["awsEc2Instance"]["platform"] == "DEBIAN_12", resource
    for host in ("debian", "own"):
        mine = of_host(host, rows)
        assert set(mine) == {"CVE-2030-0003", "CVE-2030-0004", "CVE-2030-0006"}, (host, set(mine))
        lib = details(mine["CVE-2030-0003"])["vulnerablePackages"][0]
        assert (lib["name"], lib["epoch"], lib["version"], lib["release"], lib["arch"], lib["packageManager"],
                lib["fixedInVersion"]) == ("sonde-lib", 1, "1.0", "1", "AMD64", "OS", "1:2.0-1"), lib
        assert "sonde-lib" in lib["remediation"] and mine["CVE-2030-0003"]["severity"] == "MEDIUM", mine
        none = mine["CVE-2030-0004"]
        assert (none["severity"], none["fixAvailable"], "inspectorScore" in none) == ("UNTRIAGED", "NO", False), none
        assert none["remediation"]["recommendation"]["text"] == "None Provided", none
        partly = mine["CVE-2030-0006"]
        assert (partly["title"], partly["fixAvailable"]) == \
            ("CVE-2030-0006 - sonde-fixed, sonde-unfixed", "PARTIAL"), partly
    lodash = of_host("npm", findings("member"))["CVE-2030-0002"]
    assert [(one["packageManager"], one["filePath"]) for one in details(lodash)["vulnerablePackages"]] == \
        [("NODEPKG", "/usr/local/lib/node_modules/lodash/package.json")], lodash
    rpm = of_host("rpm", findings("member"))["CVE-2030-0005"]
    assert rpm["severity"] == "LOW" and details(rpm)["vulnerablePackages"][0]["name"] == RPM, rpm
    assert details(rpm)["vulnerablePackages"][0]["release"].startswith("6."), rpm
    assert rpm["resources"][0]["details"]["awsEc2Instance"]["platform"].startswith("ROCKY_LINUX"), rpm
    # The same finding keeps its name, and the administrator of the organisation sees that of its member.
    assert arns(findings()) == arns(rows)
    assert arns([rpm, lodash]) <= arns(findings("delegated"))
    assert not arns(rows) & arns(findings("delegated"))
    assert len(arns(rows)) == len(rows)


def test_api__findings_are_filtered_as_a_list_is(scratch):
    w = world()
    rows = findings()
    first = rows[0]
    now = datetime.datetime.now(datetime.timezone.utc)
    packages = lambda row: details(row)["vulnerablePackages"]
    checks = [
        ({"findingArn": equals(first["findingArn"])}, lambda row: row["findingArn"] == first["findingArn"]),
        ({"awsAccountId": equals(w.accounts["alone"])}, lambda row: True),
        ({"awsAccountId": equals(w.accounts["member"])}, lambda row: False),
        ({"findingType": equals("PACKAGE_VULNERABILITY")}, lambda row: True),
        ({"findingStatus": equals("ACTIVE")}, lambda row: row["status"] == "ACTIVE"),
        ({"severity": equals("CRITICAL", "UNTRIAGED")}, lambda row: row["severity"] in ("CRITICAL", "UNTRIAGED")),
        ({"severity": equals("MEDIUM", comparison="NOT_EQUALS")}, lambda row: row["severity"] != "MEDIUM"),
        ({"title": equals("CVE-2030-0003", comparison="PREFIX")}, lambda row: row["title"].startswith("CVE-2030-0003")),
        ({"vulnerabilityId": equals("CVE-2030-0001")}, lambda row: vulnerability(row) == "CVE-2030-0001"),
        ({"vulnerabilitySource": equals(details(first)["source"])},
         lambda row: details(row)["source"] == details(first)["source"]),
        ({"relatedVulnerabilities": equals("GHSA-2030-aaaa-0001")},
         lambda row: "GHSA-2030-aaaa-0001" in details(row)["relatedVulnerabilities"]),
        ({"fixAvailable": equals("PARTIAL")}, lambda row: row["fixAvailable"] == "PARTIAL"),
        ({"exploitAvailable": equals("YES")}, lambda row: vulnerability(row) in KEV),
        ({"resourceType": equals("AWS_EC2_INSTANCE")}, lambda row: True),
        ({"resourceId": equals(w.hosts["own"].ec2_id)}, lambda row: row["resources"][0]["id"] == w.hosts["own"].ec2_id),
        ({"resourceTags": [{"comparison": "EQUALS", "key": "team", "value": "blue"}]},
         lambda row: row["resources"][0]["tags"].get("team") == "blue"),
        ({"inspectorScore": [{"lowerInclusive": 5.3, "upperInclusive": 9}]},
         lambda row: 5.3 <= row.get("inspectorScore", -1) <= 9),
        ({"epssScore": [{"lowerInclusive": 0.5}]}, lambda row: row.get("epss", {}).get("score", 0) >= 0.5),
        ({"firstObservedAt": [{"endInclusive": now}]}, lambda row: row["firstObservedAt"] <= now),
        ({"firstObservedAt": [{"startInclusive": now + datetime.timedelta(days=1)}]}, lambda row: False),
        ({"lastObservedAt": [{"startInclusive": now - datetime.timedelta(days=1)}]}, lambda row: True),
        ({"updatedAt": [{"startInclusive": now - datetime.timedelta(days=1), "endInclusive": now}]},
         lambda row: row["updatedAt"] <= now),
        ({"vulnerablePackages": [{"name": equals("sonde-lib")[0]}]},
         lambda row: any(one["name"] == "sonde-lib" for one in packages(row))),
        ({"vulnerablePackages": [{"name": equals("sonde-lib")[0], "version": equals("9")[0]}]}, lambda row: False),
        ({"vulnerablePackages": [{"epoch": {"lowerInclusive": 1, "upperInclusive": 1}}]},
         lambda row: any(one.get("epoch") == 1 for one in packages(row))),
        ({"vulnerablePackages": [{"release": equals("1")[0], "architecture": equals("AMD64")[0]}]},
         lambda row: any(one.get("release") == "1" and one.get("arch") == "AMD64" for one in packages(row))),
        ({"vulnerablePackages": [{"filePath": equals("/usr/local", comparison="PREFIX")[0]}]},
         lambda row: any(one.get("filePath", "").startswith("/usr/local") for one in packages(row))),
        ({"vulnerablePackages": [{"sourceLayerHash": equals("sha256:" + "0" * 64)[0]}]}, lambda row: False),
        ({"ec2InstanceImageId": equals("ami-12345678")}, lambda row: False),
        ({"ec2InstanceVpcId": equals("vpc-1")}, lambda row: False),
        ({"ec2InstanceSubnetId": equals("subnet-1")}, lambda row: False),
        ({"ecrImageHash": equals("x")}, lambda row: False),
        ({"lambdaFunctionName": equals("x")}, lambda row: False),
        ({"networkProtocol": equals("TCP")}, lambda row: False),
        ({"portRange": [{"beginInclusive": 1, "endInclusive": 9}]}, lambda row: False),
        ({"severity": equals("MEDIUM"), "fixAvailable": equals("YES")},
         lambda row: (row["severity"], row["fixAvailable"]) == ("MEDIUM", "YES")),
        ({"vendorSeverity": equals("CRITICAL")}, lambda row: details(row).get("vendorSeverity") == "CRITICAL"),
    ]
    for criteria, holds in checks:
        assert arns(where(**criteria)) == arns(filter(holds, rows)), criteria


def test_api__findings_are_sorted_by_every_field(scratch):
    rows = findings()
    times = lambda name: lambda row: row[name]
    keys = {
        "AWS_ACCOUNT_ID": lambda row: row["awsAccountId"],
        "FINDING_TYPE": lambda row: row["type"],
        "SEVERITY": lambda row: SEVERITIES.index(row["severity"]) if row["severity"] in SEVERITIES else -1,
        "FIRST_OBSERVED_AT": times("firstObservedAt"), "LAST_OBSERVED_AT": times("lastObservedAt"),
        "FINDING_STATUS": lambda row: ["ACTIVE", "SUPPRESSED", "CLOSED"].index(row["status"]),
        "RESOURCE_TYPE": lambda row: row["resources"][0]["type"],
        "VULNERABILITY_ID": vulnerability,
        "VULNERABILITY_SOURCE": lambda row: details(row)["source"],
        "INSPECTOR_SCORE": lambda row: row.get("inspectorScore", -1),
        "VENDOR_SEVERITY": lambda row: details(row).get("vendorSeverity", ""),
        "EPSS_SCORE": lambda row: row.get("epss", {}).get("score", -1),
    }
    model = world().client("inspector2").meta.service_model.shape_for("SortField")
    for field in model.enum:
        for order in ("ASC", "DESC"):
            got = findings(sortCriteria={"field": field, "sortOrder": order})
            assert arns(got) == arns(rows) and len(got) == len(rows), (field, order, len(got))
            values = [keys[field](row) for row in got] if field in keys else []
            assert values == sorted(values, reverse=order == "DESC"), (field, order, values)


def test_api__counts_are_those_of_the_list(scratch):
    w = world()
    inspector = w.client("inspector2", "delegated")
    rows = [row for row in findings("delegated") if row["status"] == "ACTIVE"]

    def counted(groups):
        out = {}
        for row in rows:
            for key in groups(row):
                counts = out.setdefault(key, {"all": 0, "medium": 0, "high": 0, "critical": 0})
                counts["all"] += 1
                if row["severity"].lower() in counts:
                    counts[row["severity"].lower()] += 1
        return out

    kinds = {
        "ACCOUNT": ("accountAggregation", lambda one: one["accountId"], lambda row: [row["awsAccountId"]]),
        "AWS_EC2_INSTANCE": ("ec2InstanceAggregation", lambda one: one["instanceId"],
                             lambda row: [row["resources"][0]["id"]]),
        "AMI": ("amiAggregation", lambda one: one["ami"], lambda row: []),
        "PACKAGE": ("packageAggregation", lambda one: (one["accountId"], one["packageName"]),
                    lambda row: {(row["awsAccountId"], p["name"]) for p in details(row)["vulnerablePackages"]}),
        "TITLE": ("titleAggregation", lambda one: (one["accountId"], one["title"]),
                  lambda row: [(row["awsAccountId"], row["title"])]),
        "FINDING_TYPE": ("findingTypeAggregation", lambda one: one["accountId"], lambda row: [row["awsAccountId"]]),
    }
    for kind, (member, key_of, groups) in kinds.items():
        asked = {"aggregationType": kind}
        answers = pages(inspector, "list_finding_aggregations", "responses", **asked)
        got = {key_of(one[member]): one[member]["severityCounts"] for one in answers}
        assert got == counted(groups) and len(got) == len(answers), (kind, got, counted(groups))
        for sort in ("CRITICAL", "HIGH", "ALL"):
            for order in ("ASC", "DESC"):
                asked["aggregationRequest"] = {member: {"sortBy": sort, "sortOrder": order}}
                answers = pages(inspector, "list_finding_aggregations", "responses", **asked)
                values = [one[member]["severityCounts"][sort.lower()] for one in answers]
                assert values == sorted(values, reverse=order == "DESC") and len(values) == len(got), (kind, sort, values)
    mine = inspector.list_finding_aggregations(aggregationType="ACCOUNT", accountIds=equals(w.accounts["member"]))
    assert [one["accountAggregation"]["accountId"] for one in mine["responses"]] == [w.accounts["member"]], mine
    one = inspector.list_finding_aggregations(aggregationType="PACKAGE", aggregationRequest={
        "packageAggregation": {"packageNames": equals("lodash")}})["responses"]
    assert [row["packageAggregation"]["packageName"] for row in one] == ["lodash"], one


def test_api__details_say_more(scratch):
    inspector = world().client("inspector2")
    numpy = where(vulnerabilityId=equals("CVE-2030-0001"))[0]["findingArn"]
    other = numpy[:-1] + ("0" if numpy[-1] != "0" else "1")
    foreign = findings("member")[0]["findingArn"]
    told = inspector.batch_get_finding_details(findingArns=[numpy, other, foreign])
    detail, = told["findingDetails"]
    assert detail["findingArn"] == numpy and detail["epssScore"] == 0.91 and detail["riskScore"] > 0, detail
    assert detail["referenceUrls"] == ["https://example.org/numpy"], detail
    assert [one["evidenceRule"] for one in detail["evidences"]] == ["GHSA-2030-aaaa-0001"], detail
    assert detail["cisaData"] == {"dateAdded": datetime.datetime(2026, 8, 21, tzinfo=datetime.timezone.utc)}, detail
    errors = {one["findingArn"]: one["errorCode"] for one in told["errors"]}
    assert errors[other] in ("FINDING_DETAILS_NOT_FOUND", "INVALID_INPUT") and set(errors) == {other, foreign}, errors
    assert errors[foreign] in ("FINDING_DETAILS_NOT_FOUND", "ACCESS_DENIED"), errors
    found = inspector.search_vulnerabilities(filterCriteria={"vulnerabilityIds": ["CVE-2030-0001"]})
    one, = found["vulnerabilities"]
    assert one["id"] == "CVE-2030-0001" and one["epss"]["score"] == 0.91, one
    assert one["cisaData"] == detail["cisaData"], one
    assert one["cvss3"]["baseScore"] == 9.8 and one["relatedVulnerabilities"] == ["GHSA-2030-aaaa-0001"], one
    assert inspector.search_vulnerabilities(filterCriteria={"vulnerabilityIds": ["CVE-1999-0001"]}
                                            )["vulnerabilities"] == []


def test_api__rules_suppress_and_give_back(scratch):
    w = world()
    inspector = w.client("inspector2")
    before = findings()
    hit = arns(row for row in before if row["severity"] == "MEDIUM")
    assert hit
    arn = inspector.create_filter(name="rule", action="SUPPRESS", description="why", reason="not reachable",
                                  filterCriteria={"severity": equals("MEDIUM")}, tags={"a": "b"})["arn"]
    status = {row["findingArn"]: row["status"] for row in findings()}
    assert {one for one, is_now in status.items() if is_now == "SUPPRESSED"} == hit, status
    assert arns(where(findingStatus=equals("SUPPRESSED"))) == hit
    counts = inspector.list_finding_aggregations(aggregationType="ACCOUNT")["responses"][0]["accountAggregation"]
    assert counts["severityCounts"]["medium"] == 0, counts
    one, = inspector.list_filters(arns=[arn])["filters"]
    assert (one["name"], one["action"], one["reason"], one["description"], one["tags"], one["ownerId"]) == \
        ("rule", "SUPPRESS", "not reachable", "why", {"a": "b"}, w.accounts["alone"]), one
    assert one["criteria"] == {"severity": equals("MEDIUM")}, one
    other = inspector.create_filter(name="saved", action="NONE", filterCriteria={"title": equals("x")})["arn"]
    assert {row["arn"] for row in pages(inspector, "list_filters", "filters", size=1)} == {arn, other}
    assert [row["arn"] for row in inspector.list_filters(action="NONE")["filters"]] == [other]
    assert clients.error_code(inspector.create_filter, name="rule", action="NONE",
                              filterCriteria={"title": equals("x")}) in ("BadRequestException", "ValidationException")
    assert inspector.update_filter(filterArn=arn, name="renamed", action="NONE")["arn"] == arn
    assert {row["status"] for row in findings()} == {"ACTIVE"}
    inspector.update_filter(filterArn=arn, action="SUPPRESS", filterCriteria={"severity": equals("CRITICAL")})
    assert {vulnerability(row) for row in where(findingStatus=equals("SUPPRESSED"))} == {"CVE-2030-0001"}
    inspector.tag_resource(resourceArn=arn, tags={"c": "d"})
    assert inspector.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b", "c": "d"}
    inspector.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert inspector.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
    assert inspector.delete_filter(arn=arn)["arn"] == arn and inspector.delete_filter(arn=other)["arn"] == other
    assert {row["status"] for row in findings()} == {"ACTIVE"}
    for call, asked in ((inspector.delete_filter, {"arn": arn}), (inspector.update_filter, {"filterArn": arn}),
                        (inspector.list_tags_for_resource, {"resourceArn": arn})):
        assert clients.error_code(call, **asked) == "ResourceNotFoundException", asked
    # A rule of the organisation's administrator is for its members too; a member makes none.
    rule = w.client("inspector2", "delegated").create_filter(name="all", action="SUPPRESS",
                                                            filterCriteria={"vulnerabilityId": equals("CVE-2030-0002")})
    assert {row["status"] for row in where("member", vulnerabilityId=equals("CVE-2030-0002"))} == {"SUPPRESSED"}
    w.client("inspector2", "delegated").delete_filter(arn=rule["arn"])
    assert clients.error_code(w.client("inspector2", "member").create_filter, name="own", action="SUPPRESS",
                              filterCriteria={"severity": equals("LOW")}) == "AccessDeniedException"
    saved = w.client("inspector2", "member").create_filter(name="own", action="NONE",
                                                           filterCriteria={"severity": equals("LOW")})
    w.client("inspector2", "member").delete_filter(arn=saved["arn"])


DESTINATION = {"bucketName": "some-bucket", "keyPrefix": "a/b", "kmsKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/x"}


def finished(ask, report_id):
    return until(lambda: (lambda told: told if told["status"] != "IN_PROGRESS" else None)(ask(reportId=report_id)),
                 f"report {report_id}")


def exported(account, pattern):
    w = world()
    return sorted((w.server.data / "exports" / w.accounts[account] / "some-bucket" / "a/b").rglob(pattern))


def test_api__findings_are_exported(scratch):
    inspector = world().client("inspector2")
    rows = findings()
    made = {}
    for fmt in ("CSV", "JSON"):
        report = inspector.create_findings_report(reportFormat=fmt, s3Destination=DESTINATION)["reportId"]
        told = finished(inspector.get_findings_report_status, report)
        assert told["status"] == "SUCCEEDED" and told["destination"] == DESTINATION, told
        file, = exported("alone", f"{report}*")
        made[fmt] = file.read_text()
    lines = list(csv.DictReader(io.StringIO(made["CSV"])))
    assert {line["Finding ARN"] for line in lines} == arns(rows), lines[:1]
    assert {line["File Path"] for line in lines if line["Affected Package"] == "numpy"} == \
        {p["filePath"] for row in rows for p in details(row)["vulnerablePackages"] if p["name"] == "numpy"}
    written = json.loads(made["JSON"])["findings"]
    assert {one["findingArn"] for one in written} == arns(rows)
    assert {one["severity"] for one in written} == {row["severity"] for row in rows}
    report = inspector.create_findings_report(reportFormat="JSON", s3Destination=DESTINATION,
                                              filterCriteria={"severity": equals("CRITICAL")})["reportId"]
    assert finished(inspector.get_findings_report_status, report)["filterCriteria"] == {"severity": equals("CRITICAL")}
    file, = exported("alone", f"{report}*")
    assert {vulnerability(one) for one in json.loads(file.read_text())["findings"]} == {"CVE-2030-0001"}
    report = inspector.create_findings_report(reportFormat="CSV", s3Destination=DESTINATION,
                                              filterCriteria={"severity": equals("INFORMATIONAL")})["reportId"]
    told = finished(inspector.get_findings_report_status, report)
    assert (told["status"], told["errorCode"]) == ("FAILED", "NO_FINDINGS_FOUND"), told
    cancelled(inspector.create_findings_report, inspector.cancel_findings_report, reportFormat="CSV")


def cancelled(create, cancel, **asked):
    """A report is cancelled while it is made: it may be ready before that."""
    for _ in range(50):
        report = create(s3Destination=DESTINATION, **asked)["reportId"]
        if clients.error_code(cancel, reportId=report) is None:
            return
    raise AssertionError("no report could be cancelled before it was ready")


def test_api__hosts_are_exported_as_sboms(scratch):
    w = world()
    inspector = w.client("inspector2")
    mine = {"resourceId": equals(w.hosts["pip"].ec2_id, w.hosts["own"].ec2_id)}
    wanted = {name: {(p["name"], p["version"]) for p in w.reports[name]["packages"]} for name in ("pip", "own")}
    for fmt in ("CYCLONEDX_1_4", "SPDX_2_3"):
        report = inspector.create_sbom_export(reportFormat=fmt, s3Destination=DESTINATION,
                                              resourceFilterCriteria=mine)["reportId"]
        told = finished(inspector.get_sbom_export, report)
        assert (told["status"], told["format"], told["filterCriteria"]) == ("SUCCEEDED", fmt, mine), told
        files = exported("alone", f"{fmt}_outputs_{report}/i-*_{fmt.lower()}.json")
        assert len(files) == 2, exported("alone", "*")
        for name in ("pip", "own"):
            file, = [file for file in files if w.hosts[name].digits in file.name]
            bom = json.loads(file.read_text())
            if fmt == "SPDX_2_3":
                assert bom["spdxVersion"] == "SPDX-2.3", bom
                got = {(one["name"], one["versionInfo"]) for one in bom["packages"] if "versionInfo" in one}
            else:
                assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.4"), bom
                got = {(one["name"], one["version"]) for one in bom["components"]}
                assert all(one["purl"].startswith("pkg:") for one in bom["components"]), name
            assert wanted[name] <= got and len(got) <= len(wanted[name]) + 1, (fmt, name, wanted[name] ^ got)
    cancelled(inspector.create_sbom_export, inspector.cancel_sbom_export, reportFormat="SPDX_2_3")
