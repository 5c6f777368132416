#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A loopback web server that stands in for the hosts of the feeds, and misbehaves on request.

usage: feed_server.py [--feeds DIR] [--files DIR] [--tls CERT KEY] [--rule 'PATH COUNT ACTION...']...

It listens on a free port of 127.0.0.1, prints "port N", and ends when its standard input does.

--feeds DIR serves a folder of feeds (osv/<Ecosystem>/all.zip, kev/, epss/) where production has it,
with the host as the first part of the path, as `sonde db update --mirror http://127.0.0.1:N` asks:
  /storage.googleapis.com/osv-vulnerabilities/ecosystems.txt     made from the folders
  /storage.googleapis.com/osv-vulnerabilities/<Ecosystem>/all.zip
  /www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json
  /epss.empiricalsecurity.com/epss_scores-current.csv.gz         the newest epss_scores-*.csv.gz
  /epss.empiricalsecurity.com/epss_scores-<date>.csv.gz
--files DIR serves a folder as it is, below /files/.

Answers have ETag (of the content), Last-Modified and Content-Length; GET, HEAD, Range, If-Range,
If-None-Match and If-Modified-Since work as RFC 9110 says.

A rule is for one path, as it is in the request ("GitHub%20Actions"), or "*" for all, and for COUNT
requests ("-": all). Actions:
  cut N            all headers, N bytes of the body, then the connection breaks
  stall N          all headers, N bytes of the body, then nothing until the client leaves
  mute             not even headers until the client leaves
  status CODE [Name:value]...
  redirect CODE URL
  endless          a chunked body without end
  page CODE        an error page without end
  lie N            a Content-Length that is N larger than the body
  unframed         no Content-Length, the body ends with the connection
  chunked          no Content-Length, a chunked body
  norange          Range is ignored
  wrongrange N     a 206 that begins N bytes off
  notag            without ETag;  weak: with a weak one;  nodate: without Last-Modified;
  header Name:value  with one more line (and COUNT again)

Lines on standard input, each answered by lines on standard output of which the last is ".":
  rule PATH COUNT ACTION...
  clear            forget all rules
  log              print and forget the requests: METHOD PATH STATUS SENT HEADERS (as JSON)
"""
import argparse
import email.utils
import hashlib
import http.server
import json
import os
import re
import ssl
import sys
import threading
import urllib.parse

OSV = "/storage.googleapis.com/osv-vulnerabilities/"
KEV = "/www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
EPSS = "/epss.empiricalsecurity.com/"
# rules that change an answer, against those that replace it
MODIFIERS = {"norange", "notag", "weak", "nodate", "lie", "unframed", "chunked", "wrongrange",
             "header", "cut", "stall"}


class State:
    """What the threads share; `lock` guards all of it."""

    def __init__(self, feeds, files):
        self.feeds, self.files = feeds, files
        self.lock = threading.Lock()
        self.rules, self.requests, self.digests = [], [], {}

    def add_rule(self, text):
        path, count, action = text.split(None, 2)
        with self.lock:
            self.rules.append([path, None if count == "-" else int(count), action.split()])

    def take_rules(self, path):
        """The actions that hold for this request; each is used up by one."""
        with self.lock:
            taken = []
            for rule in self.rules:
                if rule[0] in (path, "*") and (rule[1] is None or rule[1] > 0):
                    taken.append(rule[2])
                    if rule[1] is not None:
                        rule[1] -= 1
            return taken

    def etag(self, path, data):
        """The digest of a file, computed once per change."""
        status = os.stat(path)
        key = (path, status.st_mtime_ns, status.st_size, status.st_ino)
        with self.lock:
            if key not in self.digests:
                self.digests[key] = '"%s"' % hashlib.sha256(data).hexdigest()[:32]
            return self.digests[key]


def plain(name):
    """A file or folder name that leads nowhere else, or None."""
    return name if name and "/" not in name and "\0" not in name and name not in (".", "..") else None


def newest(folder):
    names = [n for n in os.listdir(folder) if re.fullmatch(r"epss_scores-\d{4}-\d\d-\d\d\.csv\.gz", n)]
    return os.path.join(folder, max(names)) if names else None


def locate(state, path):
    """The file that a request's path means, or bytes, or None."""
    parts = [urllib.parse.unquote(p) for p in path.split("/")[1:]]
    if state.files and len(parts) == 2 and parts[0] == "files" and plain(parts[1]):
        return os.path.join(state.files, parts[1])
    if not state.feeds:
        return None
    osv = os.path.join(state.feeds, "osv")
    if path == OSV + "ecosystems.txt":
        names = sorted(n for n in os.listdir(osv) if os.path.isfile(os.path.join(osv, n, "all.zip")))
        return "".join(n + "\n" for n in names).encode()
    if path.startswith(OSV) and len(parts) == 4 and parts[3] == "all.zip" and plain(parts[2]):
        return os.path.join(osv, parts[2], "all.zip")
    if path == KEV:
        return os.path.join(state.feeds, "kev", "known_exploited_vulnerabilities.json")
    if path == EPSS + "epss_scores-current.csv.gz":
        return newest(os.path.join(state.feeds, "epss"))
    if path.startswith(EPSS) and len(parts) == 2 and re.fullmatch(r"epss_scores-[\d-]+\.csv\.gz", parts[1]):
        return os.path.join(state.feeds, "epss", parts[1])
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status, sent):
        state = self.server.state
        headers = {k.lower(): v for k, v in self.headers.items()}
        line = "%s %s %d %d %s" % (self.command, self.path, status, sent,
                                   json.dumps(headers, sort_keys=True))
        with state.lock:
            state.requests.append(line)

    def wait_for_client(self):
        """Until the client closes; it sends nothing more."""
        self.close_connection = True
        try:
            while self.connection.recv(4096):
                pass
        except OSError:
            pass

    def begin(self, status, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        try:
            self.answer()
        except OSError:
            self.close_connection = True  # the client left

    def answer(self):
        rules = self.server.state.take_rules(self.path)
        for words in rules:
            if words[0] not in MODIFIERS:
                return self.misbehave(words)
        found = locate(self.server.state, self.path)
        try:
            if isinstance(found, bytes):
                data, modified = found, 1700000000
                etag = '"%s"' % hashlib.sha256(data).hexdigest()[:32]
            else:
                with open(found or "", "rb") as file:
                    data = file.read()
                modified = int(os.stat(found).st_mtime)
                etag = self.server.state.etag(found, data)
        except OSError:
            return self.short(404, [], b"not here\n")
        return self.send_file(data, etag, email.utils.formatdate(modified, usegmt=True),
                              {words[0]: words[1:] for words in rules})

    def short(self, status, headers, body):
        self.note(status, len(body))
        self.begin(status, headers + [("Content-Length", str(len(body)))])
        if self.command != "HEAD":
            self.wfile.write(body)

    def misbehave(self, words):
        if words[0] == "status":
            extra = [tuple(word.split(":", 1)) for word in words[2:]]
            return self.short(int(words[1]), extra, b"" if words[1] == "304" else b"no\n")
        if words[0] == "redirect":
            return self.short(int(words[1]), [("Location", words[2])], b"moved\n")
        if words[0] == "mute":
            self.note(0, 0)
            return self.wait_for_client()
        if words[0] in ("endless", "page"):
            status = 200 if words[0] == "endless" else int(words[1])
            self.note(status, 0)
            self.begin(status, [("Transfer-Encoding", "chunked"), ("ETag", '"endless"')])
            piece = b"%x\r\n%s\r\n" % (65536, b"x" * 65536)
            while True:
                self.wfile.write(piece)
        raise ValueError("unknown action " + words[0])

    def is_current(self, etag, modified):
        """Does the client have this already (RFC 9110 section 13.2.2)?"""
        asked = self.headers.get("If-None-Match")
        if asked is not None:
            strip = lambda tag: tag[2:] if tag.startswith("W/") else tag
            return etag is not None and strip(asked) == strip(etag)
        return modified is not None and self.headers.get("If-Modified-Since") == modified

    def wanted_range(self, etag, modified, size):
        """The first byte of "bytes=N-", or None for all. Raises ValueError for none."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        validator = self.headers.get("If-Range")
        if not match or (validator is not None and validator not in (etag, modified)):
            return None
        if int(match.group(1)) >= size:
            raise ValueError("no such range")
        return int(match.group(1))

    def send_file(self, data, etag, modified, rules):
        etag = None if "notag" in rules else "W/" + etag if "weak" in rules else etag
        modified = None if "nodate" in rules else modified
        headers = [(k, v) for k, v in (("ETag", etag), ("Last-Modified", modified)) if v]
        if "header" in rules:
            headers.append(tuple(" ".join(rules["header"]).split(":", 1)))
        if self.is_current(etag, modified):
            self.note(304, 0)
            return self.begin(304, headers)
        status, size = 200, len(data)
        try:
            first = None if "norange" in rules else self.wanted_range(etag, modified, size)
        except ValueError:
            return self.short(416, [("Content-Range", "bytes */%d" % size)], b"")
        if first is not None:
            first += int(rules.get("wrongrange", ["0"])[0])
            status, data = 206, data[first:]
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, size - 1, size)))
        return self.send_body(status, headers, data, rules)

    def send_body(self, status, headers, data, rules):
        if "chunked" in rules:
            headers.append(("Transfer-Encoding", "chunked"))
            data = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in
                            (data[i:i + 8192] for i in range(0, len(data), 8192))) + b"0\r\n\r\n"
        elif "unframed" in rules:
            headers.append(("Connection", "close"))
        else:
            headers.append(("Content-Length", str(len(data) + int(rules.get("lie", ["0"])[0]))))
        for action in ("cut", "stall"):
            if action in rules:
                data = data[:int(rules[action][0])]
        self.note(status, len(data))
        self.begin(status, headers)
        if self.command == "HEAD":
            return
        self.wfile.write(data)
        self.wfile.flush()
        if "stall" in rules:
            self.wait_for_client()
        elif rules.keys() & {"cut", "lie", "unframed"}:
            # an orderly end of the stream, so that what was sent is not lost on its way
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


def command(state, line):
    """Do one line of standard input; the lines to answer."""
    verb, _, rest = line.strip().partition(" ")
    if verb == "rule":
        state.add_rule(rest)
    elif verb == "clear":
        with state.lock:
            state.rules.clear()
    elif verb == "log":
        with state.lock:
            lines, state.requests = state.requests, []
        return lines
    else:
        return ["unknown command"]
    return []


def main():
    parser = argparse.ArgumentParser(description="loopback stand-in for the hosts of the feeds")
    parser.add_argument("--feeds")
    parser.add_argument("--files")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--rule", action="append", default=[])
    args = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.state = State(args.feeds, args.files)
    for rule in args.rule:
        server.state.add_rule(rule)
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
        # the handshake belongs to the thread of its connection, not to the one that accepts
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("port %d" % server.server_address[1], flush=True)
    for line in sys.stdin:
        print("\n".join(command(server.state, line) + ["."]), flush=True)


if __name__ == "__main__":
    main()
