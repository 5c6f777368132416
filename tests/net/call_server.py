#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A loopback server for calls, that checks signatures by botocore and misbehaves on request.

usage: call_server.py [--tls CERT KEY]

It listens on a free port of 127.0.0.1, prints "port N", and ends when its standard input does. What
it does depends on the path:
  /echo...          200, and JSON of what arrived: method, path, headers, body (as hex), connection
  /sign             verifies Authorization by botocore with SECRET: {"good": true|false}
  /rsa              the same for RSASSA-PSS, with the base64 key in x-test-key
  /status/N         that status, with Retry-After: 7, and a body of an exception
  /date/N           200, with a Date that is N seconds off
  /skew/N           as a service whose clock is N seconds off: 400 with InvalidSignatureException,
                    unless X-Amz-Date is within 5 minutes of that clock
  /bytes/N          N bytes of 'x', with their length
  /chunked/N        the same, chunked
  /lie/N            a length of N, and one byte less
  /endless          a chunked body without end
  /headers          header lines without end
  /interim          interim answers without end
  /longline         a header line without end
  /mute             no answer until the client leaves
  /slow             a byte now and then, without end
  /redirect         302 to /echo
  /elsewhere        307 to another host
  /reset            the connection is reset
  /half             the connection is reset in the middle of a body
  /unframed         no length
  /garbage          bytes that are no HTTP
  /twice            two Date, two Content-Type
  /empty            a header that says nothing
  /raw/HEX          those bytes, and the connection is closed
"""
import argparse
import base64
import datetime
import email.utils
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NONE = object()


def read_request(f):
    line = f.readline(65537)
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = []
    while True:
        line = f.readline(65537)
        if line in (b"\r\n", b"\n", b""):
            break
        name, value = line.decode("latin-1").rstrip("\r\n").split(":", 1)
        headers.append((name, value.strip()))
    n = int(dict((k.lower(), v) for k, v in headers).get("content-length", "0"))
    return method, path, headers, f.read(n) if n else b""


def answer(status, body, *headers, date=NONE):
    date = email.utils.formatdate(time.time(), usegmt=True) if date is NONE else date
    lines = [f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}", *headers]
    if date:
        lines.append(f"Date: {date}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def amz_time(headers):
    return datetime.datetime.strptime(dict(headers)["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(
        tzinfo=datetime.timezone.utc).timestamp()


def string_to_sign(method, path, headers, body):
    """By botocore, from what is on the wire; None without it."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    authorization = dict(headers)["Authorization"]
    scope = authorization.split("Credential=")[1].split(",")[0].split("/")
    signed = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
    path, _, query = path.partition("?")
    auth = botocore.auth.SigV4Auth(
        botocore.credentials.Credentials(scope[0], SECRET), scope[3], scope[2])
    request = botocore.awsrequest.AWSRequest(
        method=method, data=body, url=f"http://{dict(headers)['Host']}{path}")
    request.context["timestamp"] = dict(headers)["X-Amz-Date"]
    for name, value in headers:
        if name.lower() in signed:
            request.headers.add_header(name, value)
    request.params = [tuple(urllib.parse.unquote(x) for x in p.partition("=")[::2])
                      for p in query.split("&")] if query else None
    auth._modify_request_before_signing = lambda r: None  # the headers are those that came
    names = auth.headers_to_sign(request)
    canonical = auth.canonical_request(request)
    return auth, request, auth.string_to_sign(request, canonical), sorted(
        set(n.lower() for n in names.keys())), signed


def verify(method, path, headers, body):
    auth, request, text, names, signed = string_to_sign(method, path, headers, body)
    theirs = dict(headers)["Authorization"].split("Signature=")[1]
    return auth.signature(text, request) == theirs and names == signed


def verify_rsa(method, path, headers, body):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding
    _, _, text, names, signed = string_to_sign(method, path, headers, body)
    key = serialization.load_der_public_key(base64.b64decode(dict(headers)["x-test-key"]))
    theirs = base64.b64decode(dict(headers)["Authorization"].split("Signature=")[1])
    try:
        key.verify(theirs, text.encode(),
                   padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256())
    except InvalidSignature:
        return False
    return names == signed


def wait_for_end(conn):
    while True:
        try:
            if not conn.recv(4096):
                return
        except OSError:
            return


def forever(conn, piece):
    while True:
        conn.sendall(piece)


def reset(conn):
    raw = conn
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def check(function, *request):
    try:
        return answer(200, json.dumps({"good": function(*request)}).encode())
    except ImportError as e:
        return answer(200, json.dumps({"good": None, "lacks": e.name}).encode())


def serve_one(conn, number, method, path, headers, body):
    """Returns whether the connection goes on."""
    word, _, rest = path[1:].partition("/")
    word, rest = word.partition("?")[0], rest.rstrip("/")
    if word in ("echo", "") or path.startswith("http:"):  # the latter: as a proxy
        text = json.dumps({"method": method, "path": path, "headers": headers, "body": body.hex(),
                           "connection": number})
        conn.sendall(answer(200, text.encode(), "Content-Type: application/json"))
    elif word == "sign":
        conn.sendall(check(verify, method, path, headers, body))
    elif word == "rsa":
        conn.sendall(check(verify_rsa, method, path, headers, body))
    elif word == "status":
        text = b'{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow down"}'
        conn.sendall(answer(int(rest), text, "Retry-After: 7", "x-amzn-RequestId: abc"))
    elif word == "date":
        date = email.utils.formatdate(time.time() + int(rest), usegmt=True)
        conn.sendall(answer(200, b"{}", date=date))
    elif word == "skew":
        here = time.time() + int(rest)
        date = email.utils.formatdate(here, usegmt=True)
        good = abs(amz_time(headers) - here) < 300
        conn.sendall(answer(200, b'{"ok":true}', date=date) if good else answer(
            400, b'{"__type":"InvalidSignatureException","message":"Signature expired"}', date=date))
    elif word == "bytes":
        conn.sendall(answer(200, b"x" * int(rest)))
    elif word == "chunked":
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        left = int(rest)
        while left:
            n = min(left, 50000)
            conn.sendall(b"%x\r\n" % n + b"x" * n + b"\r\n")
            left -= n
        conn.sendall(b"0\r\nX-Late: 1\r\n\r\n")
    elif word == "lie":
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % rest.encode()
                     + b"x" * (int(rest) - 1))
        return False
    elif word == "endless":
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        forever(conn, b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
    elif word == "headers":
        conn.sendall(b"HTTP/1.1 200 OK\r\n")
        forever(conn, b"X-More: and more\r\n" * 100)
    elif word == "interim":
        forever(conn, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 20)
    elif word == "longline":
        conn.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        forever(conn, b"x" * 1000)
    elif word == "mute":
        wait_for_end(conn)
        return False
    elif word == "slow":
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            conn.sendall(b"x")
            time.sleep(0.05)
    elif word == "redirect":
        conn.sendall(answer(302, b"", "Location: /echo"))
    elif word == "elsewhere":
        conn.sendall(answer(307, b"", "Location: http://192.0.2.1/echo"))
    elif word == "reset":
        reset(conn)
        return False
    elif word == "half":
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxxxx")
        reset(conn)
        return False
    elif word == "unframed":
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        return False
    elif word == "garbage":
        conn.sendall(b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n")
        return False
    elif word == "twice":
        conn.sendall(answer(200, b"{}", "Date: Thu, 01 Jan 1970 00:00:09 GMT", "Content-Type: a/b",
                            "Content-Type: c/d", "ETag: \x01", date=None))
    elif word == "empty":
        conn.sendall(answer(200, b"{}", "ETag:", "Location: a"))
    elif word == "raw":
        conn.sendall(bytes.fromhex(rest))
        return False
    else:
        conn.sendall(answer(404, b"{}"))
    return True


def serve(conn, number, context):
    try:
        if context:
            conn = context.wrap_socket(conn, server_side=True)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        f = conn.makefile("rb")
        while True:
            request = read_request(f)
            if not request or not serve_one(conn, number, *request):
                break
        f.close()
        conn.close()
    except OSError:
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2)
    args = parser.parse_args()
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print("port", listener.getsockname()[1], flush=True)

    def end():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    number = 0
    while True:
        conn, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(conn, number, context), daemon=True).start()


main()
