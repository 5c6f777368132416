# SPDX-License-Identifier: Apache-2.0
"""A real sonde-server in a scratch folder, on a free port of the loopback."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import time
import urllib.request

import clients
import harness

SERVER = os.environ.get("SONDE_SERVER", "sonde-server")


class Server:
    """Made, started, stopped, killed. Its log is kept in <scratch>/server.log."""

    def __init__(self, scratch, records=None, args=()):
        self.scratch = pathlib.Path(scratch)
        self.data = self.scratch / "server"
        self.args = list(args)
        self.process = None
        self.url = None
        self.log = self.scratch / "server.log"
        self.run_command("init")
        if records is not None:
            self.advise(records)

    # -- the program --
    def run_command(self, *words, code=0):
        done = subprocess.run([SERVER, *words, "--data", str(self.data)], capture_output=True, text=True,
                              env=harness.environment(), timeout=120, check=False)
        if done.returncode != code:
            raise AssertionError(f"sonde-server {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start(self, wait=True, port=0, preexec=None):
        listen = f"127.0.0.1:{port}"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([SERVER, "run", "--data", str(self.data), "--listen", listen, *self.args],
                                            stdout=subprocess.PIPE, stderr=log, env=harness.environment(),
                                            preexec_fn=preexec)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=120):
        """The server says on standard output where it listens."""
        deadline = time.monotonic() + seconds
        text = b""
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.5)
            if ready:
                piece = os.read(self.process.stdout.fileno(), 4096)
                text += piece
                match = re.search(rb"https?://127\.0\.0\.1:\d+", text)
                if match:
                    self.url = match.group().decode()
                    return
                if not piece:
                    break
        raise AssertionError(f"the server did not start: {text!r}\n{self.tail()}")

    def tail(self, n=4000):
        return self.log.read_text(errors="replace")[-n:] if self.log.exists() else ""

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(timeout=60)
            self.process.stdout.close()
            self.process = None
            if code != 0:
                raise AssertionError(f"the server ended with {code}\n{self.tail()}")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait(timeout=60)
            self.process.stdout.close()
            self.process = None

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    # -- who uses it --
    def account(self, name, *flags):
        return json.loads(self.run_command("account", "add", "--name", name, "--format", "json", *flags))["account"]

    def organisation(self, management, *members, delegated=None):
        """Join accounts to an organisation of one of them."""
        self.run_command("organisation", "create", management)
        for member in members:
            self.run_command("organisation", "add", management, member)
        if delegated:
            self.run_command("organisation", "delegate", delegated)

    def key(self, account, role="admin", *flags):
        made = json.loads(self.run_command("key", "add", "--account", account, "--role", role, "--format", "json",
                                           *flags))
        return made["access_key_id"], made["secret_access_key"]

    def client(self, service, key, **more):
        return clients.client(service, self.url, *key, **more)

    # -- what it knows --
    def advise(self, records, epss=None, kev=()):
        """Import OSV records, and the scores and the known exploits of some CVEs, into the database that the server
        reads; records of earlier calls stay."""
        folder = self.scratch / "advisories"
        for record in records:
            harness.write(folder / (record["id"].replace(":", "_") + ".json"), json.dumps(record))
        sources = [folder]
        if epss:
            rows = "".join(f"{cve},{score},{score}\n" for cve, score in epss.items())
            sources.append(harness.write(self.scratch / "epss_scores-2026-11-20.csv",
                                         "#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000\n"
                                         "cve,epss,percentile\n" + rows))
        if kev:
            entries = [{"cveID": cve, "dateAdded": "2026-08-21", "dueDate": "2026-09-11",
                        "requiredAction": "Apply updates.", "product": "x"} for cve in kev]
            sources.append(harness.write(self.scratch / "known_exploited_vulnerabilities.json", json.dumps(
                {"title": "t", "catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T00:00:00.0000Z",
                 "count": len(entries), "vulnerabilities": entries})))
        harness.sonde("db", "import", "-q", "--data", self.data, "--db", self.data / "db", *sources)

    def answered(self):
        """The operations that were answered well since the start, "service.Name"."""
        rows = re.findall(r'^sonde_operations_total\{service="(\w+)",operation="(\w+)",outcome="good"\} \d+',
                          self.get("/metrics"), re.M)
        return {f"{service}.{name}" for service, name in rows}

    def generation(self):
        """The number of the generation that answers now."""
        match = re.search(r"^sonde_generation (\d+)", self.get("/metrics"), re.M)
        return int(match.group(1)) if match else 0

    def wait_generation(self, after, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.generation() > after:
                return
            time.sleep(0.1)
        raise AssertionError(f"no generation after {after}\n{self.tail()}")
