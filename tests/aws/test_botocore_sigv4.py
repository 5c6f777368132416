#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that botocore signed verify, and stop verifying when anything in them changes.

Usage: test_botocore_sigv4.py ANSWER     botocore is looked for in this Python and, when $SONDE_BOTOCORE
names a folder of packages, there.
"""

import base64
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile

if os.environ.get("SONDE_BOTOCORE"):
    sys.path.append(os.environ["SONDE_BOTOCORE"])
try:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    import botocore.auth
except ImportError:
    print("skipped: botocore for Python")
    sys.exit(77)

from urllib.parse import quote

SEED = 20150830
REQUESTS = 600
OK, SKEWED, UNSIGNED, PAYLOAD, MISMATCH = 0, 3, 5, 6, 7
ALPHABET = "abcXYZ019-._~ !*'();:@&=+$,/?#[]%\"<>\\^`{|}äß€\U0001f600"


def words(rng, low, high):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(low, high)))


def make(rng):
    """A random request, signed. The times differ; the clock of the verifier is given with them."""
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(
        seconds=rng.randrange(10**8)
    )
    path = "/" + "/".join(quote(words(rng, 0, 8), safe="-._~") for _ in range(rng.randint(0, 4)))
    pairs = [(quote(words(rng, 1, 6), safe="-._~"), quote(words(rng, 0, 8), safe="-._~")) for _ in range(rng.randint(0, 5))]
    query = "&".join(f"{k}={v}" for k, v in pairs)
    headers = {"Content-Type": rng.choice(["application/x-amz-json-1.1", "application/json"])}
    if rng.random() < 0.7:
        headers["X-Amz-Target"] = "AmazonSSM." + rng.choice(["GetParameter", "PutInventory"])
    if rng.random() < 0.5:
        headers["My-Header"] = rng.choice(["  a  b ", "a,b", "", "tab\tinside", "x" * 300])
    body = words(rng, 0, 200) if rng.random() < 0.8 else ""
    method = rng.choice(["POST", "GET", "PUT", "DELETE"])
    url = "https://ssm.us-east-1.amazonaws.com" + path + ("?" + query if query else "")
    request = AWSRequest(method=method, url=url, headers=headers, data=body.encode())
    secret = words(rng, 20, 60).encode("ascii", "ignore").decode() or "s"
    token = "token/" + words(rng, 5, 20).encode("ascii", "ignore").decode() if rng.random() < 0.4 else None
    signer = SigV4Auth(Credentials("AKID" + str(rng.randrange(10**12)), secret, token), rng.choice(["ssm", "inspector2", "ec2"]), "us-east-1")
    sign_at(signer, request, at)
    sent = [[k, v] for k, v in request.headers.items()]
    if not any(k.lower() == "host" for k, _ in sent):
        sent.append(["Host", "ssm.us-east-1.amazonaws.com"])
    rng.shuffle(sent)
    question = {"method": method, "path": path, "query": query, "headers": sent, "body": body, "secret": secret,
                "now": int(at.timestamp()) + rng.randint(-290, 290)}
    return question, signer


def sign_at(signer, request, at):
    """botocore asks a clock; versions differ in how."""
    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return at.replace(tzinfo=None)

        @classmethod
        def now(cls, tz=None):
            return at

    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: at.replace(tzinfo=None) if remove_tzinfo else at
    else:
        botocore.auth.datetime.datetime = Clock
    signer.add_auth(request)


def changed(rng, question):
    """The same request with one thing changed, and the verdict that must follow."""
    q = json.loads(json.dumps(question))
    what = rng.choice(["method", "path", "query", "body", "secret", "header", "now", "added"])
    if what == "method":
        q["method"] = "PATCH"
    elif what == "path":
        q["path"] += "x"
    elif what == "query":
        q["query"] += ("&" if q["query"] else "") + "x=1"
    elif what == "body":
        q["body"] += " "
    elif what == "secret":
        q["secret"] += "x"
    elif what == "header":
        for header in q["headers"]:
            if header[0].lower() == "content-type":
                header[1] += "; charset=utf-8"
    elif what == "now":
        q["now"] += rng.choice([-1000, 1000])
        return q, SKEWED
    else:
        q["headers"].append(["x-amz-meta", "1"])
        return q, UNSIGNED
    return q, MISMATCH


def ask(answer, mode, questions):
    text = "".join(json.dumps(q) + "\n" for q in questions)
    run = subprocess.run([answer, mode], input=text.encode(), stdout=subprocess.PIPE, check=True)
    return [int(line) for line in run.stdout.split()]


def rsa_questions(folder, rng):
    """Requests signed with RSA instead, as managed nodes do; openssl(1) is the other side."""
    key = os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    out = []
    for _ in range(20):
        question, signer = make(rng)
        text = signer.last_string_to_sign.encode()
        sig = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sign", key],
            input=text, check=True, capture_output=True).stdout
        for header in question["headers"]:
            if header[0].lower() == "authorization":
                header[1] = header[1].rpartition("Signature=")[0] + "Signature=" + base64.b64encode(sig).decode()
        question["key"] = base64.b64encode(der).decode()
        out.append(question)
    return out


def main():
    answer = sys.argv[1]
    rng = random.Random(SEED)
    keep = SigV4Auth.string_to_sign

    def string_to_sign(self, *args):
        self.last_string_to_sign = keep(self, *args)
        return self.last_string_to_sign

    SigV4Auth.string_to_sign = string_to_sign
    passed = failed = skipped = 0

    def count(name, questions, wanted):
        nonlocal passed, failed
        wrong = [(q, w, g) for q, w, g in zip(questions, wanted, ask(answer, "sigv4", questions)) if w != g]
        if wrong:
            failed += 1
            print(f"{len(wrong)} of {len(questions)}, first (wanted, got): {wrong[0]}")
            print(f"FAILED {name}")
        else:
            passed += 1
            print(f"ok {name}")

    good = [make(rng)[0] for _ in range(REQUESTS)]
    count("signed by botocore", good, [OK] * len(good))
    bad = [changed(rng, q) for q in good]
    count("changed after botocore signed", [q for q, _ in bad], [w for _, w in bad])
    try:
        with tempfile.TemporaryDirectory() as folder:
            rsa = rsa_questions(folder, rng)
        count("signed with RSA", rsa, [OK] * len(rsa))
        for q in rsa:
            q["path"] += "x"
        count("changed after RSA signed", rsa, [MISMATCH] * len(rsa))
    except FileNotFoundError:
        skipped += 1
        print("skipped: signed with RSA: openssl(1)")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
