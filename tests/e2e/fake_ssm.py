# SPDX-License-Identifier: Apache-2.0
"""A Systems Manager on loopback that knows two operations, for tests of the plugin: GetParameter and PutInventory
with the rules of its digests. Answers can be bent. Also the metadata service of an instance."""
import http.server
import json
import threading
import uuid

NEVER = ("Your request contains contentHash with no content of inventory type {}. The content of the type may never "
         "be sent, please resend the item with full content.")
OTHER = "The content hash of inventory type {} is not the one that is here, please resend the item with full content."


class Ssm:
    """The server; use as a context."""

    def __init__(self, paths=None, refuse=None, status=None):
        self.paths = paths          # value of the parameter; None: not defined
        self.refuse = refuse or {}  # operation -> (status, exception, message)
        self.status = status        # of every answer
        self.calls = []             # (operation, body, headers)
        self.items = {}             # (instance, type) -> item with content
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection."""
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, **headers):
                """Send JSON or text."""
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("x-amzn-RequestId", str(uuid.UUID(int=len(outer.calls))))
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self):
                """A call of the service."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].removeprefix("AmazonSSM.")
                outer.calls.append((operation, body, dict(self.headers)))
                status, answer = outer.serve(operation, body)
                self.answer(status, answer)

            def do_PUT(self):
                """A token of the metadata service."""
                outer.calls.append(("PUT " + self.path, None, dict(self.headers)))
                self.answer(200, b"a-token")

            def do_GET(self):
                """The metadata service."""
                outer.calls.append(("GET " + self.path, None, dict(self.headers)))
                text = METADATA.get(self.path) if self.headers["X-aws-ec2-metadata-token"] == "a-token" else None
                self.answer(200 if text else 404, (text or "").encode())

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def serve(self, operation, body):
        """Status and answer of a call."""
        if self.status:
            return self.status, {"__type": "InternalServerError", "message": "broken"}
        if operation in self.refuse:
            status, name, message = self.refuse[operation]
            return status, {"__type": "com.amazonaws.ssm#" + name, "message": message}
        if operation == "GetParameter":
            if self.paths is None:
                return 400, {"__type": "ParameterNotFound"}
            return 200, {"Parameter": {"Name": body["Name"], "Type": "StringList", "Value": self.paths, "Version": 1}}
        return self.put(body)

    def put(self, body):
        """PutInventory: a digest alone is good when it is that of what is here."""
        for item in body["Items"]:
            at = (body["InstanceId"], item["TypeName"])
            if "Content" in item:
                assert len(item["Content"]) <= 10000
                self.items[at] = item
            elif at not in self.items:
                return 400, {"__type": "InvalidItemContentException", "message": NEVER.format(item["TypeName"])}
            elif self.items[at]["ContentHash"] != item["ContentHash"]:
                return 400, {"__type": "ItemContentMismatchException", "message": OTHER.format(item["TypeName"])}
            else:
                self.items[at]["CaptureTime"] = item["CaptureTime"]
        return 200, {"Message": "Inventory was successfully uploaded"}

    def rows(self, kind="Custom:InspectorThirdPartyPackage", instance="i-0123456789abcdef0"):
        """What is here of a type."""
        return self.items[(instance, kind)]["Content"]

    def metrics(self):
        """The one row about the last run."""
        [row] = self.rows("Custom:InspectorMetrics")
        return row


ROLE = "/latest/meta-data/iam/security-credentials/"
METADATA = {
    "/latest/meta-data/instance-id": "i-0fedcba9876543210",
    "/latest/meta-data/instance-type": "t3.micro",
    "/latest/meta-data/placement/region": "eu-central-1",
    ROLE: "a-role",
    ROLE + "a-role": json.dumps({"AccessKeyId": "ASIAROLE", "SecretAccessKey": "of the role", "Token": "a-session"}),
}
