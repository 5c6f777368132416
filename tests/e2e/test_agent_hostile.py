# SPDX-License-Identifier: Apache-2.0
"""The agent against servers that lie: documents of their own, paths, giants, redirects, other certificates. Nothing is
executed, and nothing is written outside the state folder."""
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import harness

SONDE = os.environ.get("SONDE", "sonde")
NODE = "mi-0123456789abcdef0"
ID = "11111111-2222-3333-4444-555555555555"


class Liar(http.server.BaseHTTPRequestHandler):
    """Answers by the operation; `answers` of the server overrides, as a function of the body or (status, headers, bytes)."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", self.path).split(".")[-1]
        self.server.asked.append((operation, body))
        self.server.waits.append((operation, self.headers.get("X-Sonde-Wait")))
        answer = self.server.answers.get(operation, {})
        if callable(answer):
            answer = answer(json.loads(body or b"{}"))
        status, headers, data = answer if isinstance(answer, tuple) else (200, {}, json.dumps(answer).encode())
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass

    do_PUT = do_GET = do_POST


def standard():
    return {
        "RegisterManagedInstance": {"InstanceId": NODE},
        "RequestManagedInstanceRoleToken": lambda body: {
            "AccessKeyId": "ASIAX", "SecretAccessKey": "s", "SessionToken": "t",
            "TokenExpirationDate": time.time() + 3600},
        "ListInstanceAssociations": {"Associations": []},
    }


PUBLIC_KEY = ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n"
              "-----END PUBLIC KEY-----\n")


def start(answers, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers = {**standard(), **answers}
    server.asked, server.waits = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    return server


def association(**more):
    return {"Associations": [{"AssociationId": ID, "AssociationVersion": "1", "Name": "Any", "Checksum": "c",
                              "DocumentVersion": "1", "InstanceId": NODE, "DetailedStatus": "Associated",
                              "ScheduleExpression": "rate(30 minutes)", **more}]}


def script(lines):
    return {"schemaVersion": "2.2", "mainSteps": [
        {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": lines}}]}


def document(content):
    return {"Name": "Any", "Content": content if isinstance(content, str) else json.dumps(content)}


def agent(scratch, server, *more, once=True):
    root = scratch / "root"
    harness.write(root / "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    harness.write(root / "etc/os-release", "NAME=Debian\nID=debian\nVERSION_ID=12\n")
    before = seen(scratch)
    command = [SONDE, "agent", "--server", server.url, "--state", str(scratch / "state"), "--root", str(root),
               "--activation-id", ID, "--activation-code", "0123456789abcdefghij", "--walk-cpu-limit", "0",
               *(["--once"] if once else ["--start-delay", "0"]), *more]
    done = subprocess.run(command, capture_output=True, text=True, env=harness.environment(), timeout=120, check=False,
                          cwd=scratch)
    assert done.returncode >= 0, (done.returncode, done.stderr)
    assert seen(scratch) == before, "something was written outside the state folder"
    assert not (scratch / "pwned").exists()
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


def seen(scratch):
    return sorted(str(path) for path in scratch.rglob("*") if "state" not in path.relative_to(scratch).parts[0])


def last_status(server):
    told = [json.loads(body) for operation, body in server.asked if operation == "UpdateInstanceAssociationStatus"]
    return told[-1]["ExecutionResult"]


def test_hostile__a_document_of_its_own_is_not_run(scratch):
    server = start({"ListInstanceAssociations": association(),
                    "GetDocument": document(script([f"touch {scratch}/pwned"]))})
    done = agent(scratch, server)
    told = last_status(server)
    assert done.returncode == 3 and told["Status"] == "Failed" and "allow_documents" in told["ExecutionSummary"], told
    assert "does not run the document" in done.stderr
    server.shutdown()


def test_hostile__a_trusted_name_makes_no_document_trusted(scratch):
    name = "AmazonInspector2-InvokeInspectorSsmPluginLinux"
    server = start({"ListInstanceAssociations": association(Name=name),
                    "GetDocument": document(script([f"touch {scratch}/pwned"]))})
    agent(scratch, server)
    assert last_status(server)["Status"] == "Failed"
    server.shutdown()


def trusted(name):
    """A text that came with the agent, as the real server hands it out."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "src/ssm/builtin_documents.c").read_text()
    start_at = text.index({"invoke": "text_invoke_plugin[]", "configure": "text_configure_plugin[]"}[name])
    part = text[start_at:text.index(";\n\n" if ";\n\n" in text[start_at:] else ";\n", start_at)]
    pieces = [line.strip().rstrip(";") for line in part.splitlines()[1:]]
    return "".join(json.loads(piece) for piece in pieces if piece.startswith('"'))


def test_hostile__values_of_a_trusted_document_inject_nothing(scratch):
    for bad in ('1"; touch pwned; "', "1\ntouch pwned", "$(touch pwned)", "1 ", "", "0x10", "a[$(touch pwned)]"):
        server = start({"ListInstanceAssociations": association(Parameters={"Timeout": [bad]}),
                        "GetDocument": document(trusted("invoke"))})
        agent(scratch, server)
        told = last_status(server)
        assert told["Status"] == "Failed" and "Timeout" in told["ExecutionSummary"], (bad, told)
        server.shutdown()


def test_hostile__packages_of_others_are_not_fetched(scratch):
    for name in ("Evil", "../../etc/cron.d/x", "arn:aws:ssm:us-east-1:1:package/Evil", "a/../b"):
        server = start({"ListInstanceAssociations": association(Parameters={"name": [name]}),
                        "GetDocument": document(trusted("configure"))})
        agent(scratch, server)
        told = last_status(server)
        assert told["Status"] == "Failed" and "not signed by a key" in told["ExecutionSummary"], told
        asked = [operation for operation, _ in server.asked]
        assert not [one for one in asked if one.startswith("/") or one in ("GetManifest", "DescribeDocument")], asked
    # With a key that the host trusts, only what can be a package is asked for, and nothing of it is believed.
    keys = harness.write(scratch / "state-keys.pem", PUBLIC_KEY)
    for name in ("../../etc/cron.d/x", "a/../b", ".x", "x y"):
        server = start({"ListInstanceAssociations": association(Parameters={"name": [name]}),
                        "GetDocument": document(trusted("configure"))})
        agent(scratch, server, "--package-keys", str(keys))
        assert last_status(server)["Status"] == "Failed"
        assert "GetManifest" not in [operation for operation, _ in server.asked]
    for manifest in ("", "[]", "{", '{"version":"../../x"}', '{"version":"1"}', "[" * 5000, "x" * 70000,
                     json.dumps({"schemaVersion": "2.0", "name": "Evil", "version": "1", "packages": {}, "files": {}})):
        server = start({"ListInstanceAssociations": association(Parameters={"name": ["Evil"]}),
                        "GetDocument": document(trusted("configure")), "GetManifest": {"Manifest": manifest}})
        agent(scratch, server, "--package-keys", str(keys))
        assert last_status(server)["Status"] == "Failed", manifest[:80]
        assert "GetManifest" in [operation for operation, _ in server.asked]
        server.shutdown()


def test_hostile__ids_lead_out_of_no_folder(scratch):
    for bad in ("../../pwned", "/etc/pwned", "a/b", ".", "", "x" * 5000):
        server = start({"ListInstanceAssociations": association(AssociationId=bad),
                        "GetDocument": document(script([f"touch {scratch}/pwned"]))})
        agent(scratch, server, "--allow-documents")
        server.shutdown()


def test_hostile__giants_and_nonsense_end_in_a_sentence(scratch):
    big = json.dumps({"Associations": [{"AssociationId": ID, "Name": "x" * 1000}] * 20000}).encode()
    for bad in ((200, {}, big), (200, {}, b"[" * 100000), (200, {}, b"\0" * 4096), (200, {}, b""),
                (200, {}, b"x" * (20 << 20)), (500, {}, b"<html>"), (200, {}, b'{"Associations":{"a":1}}'),
                (200, {}, json.dumps({"Associations": [], "NextToken": "again"}).encode())):
        server = start({"ListInstanceAssociations": bad})
        done = agent(scratch, server)
        assert done.returncode in (0, 3), done
        assert len(server.asked) < 60, len(server.asked)
        server.shutdown()
    server = start({"ListInstanceAssociations": association(), "GetDocument": document("x" * (9 << 20))})
    agent(scratch, server)
    server.shutdown()


def test_hostile__redirects_are_followed_nowhere(scratch):
    other = start({})
    server = start({"ListInstanceAssociations": (302, {"Location": other.url + "/"}, b"{}")})
    assert agent(scratch, server).returncode == 3
    assert other.asked == []
    server.shutdown()
    other.shutdown()


def test_hostile__another_certificate_is_not_believed(scratch):
    for name in ("right", "wrong"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", str(scratch / f"{name}.key"), "-out", str(scratch / f"{name}.pem"), "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    for name, code in (("right", 0), ("wrong", 3)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(scratch / f"{name}.pem", scratch / f"{name}.key")
        server = start({}, context)
        done = agent(scratch, server, "--ca", str(scratch / "right.pem"), "--state", str(scratch / f"state-{name}"))
        assert done.returncode == code, (name, done.stderr)
        assert bool(server.asked) == (code == 0), server.asked
        server.shutdown()


def test_hostile__plain_http_goes_to_this_machine_only(scratch):
    class Elsewhere:
        url = "http://192.0.2.1:1"
    assert agent(scratch, Elsewhere).returncode in (2, 3)


def test_hostile__messages_that_make_no_sense_are_failed(scratch):
    messages = [
        {"MessageId": "m" * 20, "Topic": "aws.ssm.other", "Payload": "{}"},
        {"MessageId": "n" * 20, "Topic": "aws.ssm.sendCommand.x", "Payload": "not json"},
        {"MessageId": "o" * 20, "Topic": "aws.ssm.sendCommand.x", "Payload": json.dumps({"CommandId": "../../pwned",
                                                                                       "DocumentContent": {}})},
        {"Topic": "aws.ssm.sendCommand.x"}, 17,
        {"MessageId": "p" * 20, "Topic": "aws.ssm.sendCommand.x", "Payload": json.dumps(
            {"CommandId": ID, "DocumentContent": script([f"touch {scratch}/pwned"])})},
    ]
    given = []

    def give(_):
        if given:
            time.sleep(0.5)
            return {"Messages": []}
        given.append(1)
        return {"Messages": messages}
    server = start({"GetMessages": give})
    root = scratch / "root"
    harness.write(root / "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    process = subprocess.Popen([SONDE, "agent", "--server", server.url, "--state", str(scratch / "state"), "--root",
                                str(root), "--activation-id", ID, "--activation-code", "0123456789abcdefghij",
                                "--start-delay", "0"], env=harness.environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    deleted = set()
    while time.monotonic() < deadline and len(deleted) < 2:
        deleted = {json.loads(body)["MessageId"][0] for operation, body in list(server.asked) if operation == "DeleteMessage"}
        time.sleep(0.1)
    process.terminate()
    assert process.wait(timeout=30) == 0
    failed = {json.loads(body)["MessageId"][0] for operation, body in server.asked if operation == "FailMessage"}
    replies = [json.loads(json.loads(body)["Payload"]) for operation, body in server.asked if operation == "SendReply"]
    assert {"m", "n"} <= failed and deleted == {"o", "p"}, (failed, deleted)
    assert [one["documentStatus"] for one in replies].count("Failed") == 2, replies
    # A poll wakes this host: the server may hold it for as long as a signature is good for.
    assert ("GetMessages", "240") in server.waits, server.waits
    assert not (scratch / "pwned").exists()
    server.shutdown()


if __name__ == "__main__":
    harness.run(globals())
