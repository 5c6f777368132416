# SPDX-License-Identifier: Apache-2.0
"""Amazon's own clients: found on the machine, or installed beside the build from the package index, else a skip."""
import fcntl
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import harness

BUILD = pathlib.Path(os.environ.get("SONDE_BUILD", "."))
OWN = []  # the machine's own command line of AWS, or None, when it was looked for
OLDEST = (1, 29, 126)  # botocore that knows deep inspection


def version_of(module):
    return tuple(int(part) for part in module.__version__.split(".")[:3])


def install():
    """boto3 and the AWS command line in one folder beside the build. Whoever comes first takes them from the package
    index, and the others wait: the folder is there whole, or not at all."""
    place, new = BUILD / "clients", BUILD / "clients.new"
    with open(BUILD / "clients.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.is_dir():
            return place
        shutil.rmtree(new, ignore_errors=True)
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target",
                               str(new), "boto3", "awscli"], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise harness.Skip("boto3 and awscli, and a package index to take them from")
        new.rename(place)
    return place


def load():
    """The modules boto3 and botocore, new enough."""
    place = BUILD / "clients"
    if place.is_dir() and str(place) not in sys.path:
        sys.path.insert(0, str(place))
    try:
        botocore = importlib.import_module("botocore")
        if version_of(botocore) >= OLDEST:
            return importlib.import_module("boto3"), botocore
    except ImportError:
        pass
    sys.path.insert(0, str(install()))
    for name in [n for n in sys.modules if n.split(".")[0] in ("botocore", "boto3")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return importlib.import_module("boto3"), importlib.import_module("botocore")


def knows_deep_inspection(command, env):
    """Does a command line start, and has it the operations? It answers without a server."""
    done = subprocess.run([*command, "inspector2", "update-ec2-deep-inspection-configuration", "--generate-cli-skeleton"],
                          env=env, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode == 0 and "packagePaths" in done.stdout


def command_line(scratch, url, key, secret, region="eu-central-1"):
    """The AWS command line for a server of ours, the machine's own or one that is installed: (words, environment)."""
    env = harness.environment(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_DEFAULT_REGION=region,
                              AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_PAGER="",
                              AWS_SHARED_CREDENTIALS_FILE="/dev/null", HOME=str(scratch))
    for name in ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE"):
        env.pop(name, None)
    if not OWN:
        own = shutil.which("aws")
        OWN.append(own if own and knows_deep_inspection([own], env) else None)
    words = [OWN[0]]
    if not OWN[0]:
        words, env["PYTHONPATH"] = [sys.executable, "-m", "awscli"], str(install())
    return [*words, "--endpoint-url", url], env


def ask(command, *words):
    """One command of the AWS command line, which must succeed; gives its JSON, None when it says nothing."""
    program, env = command
    done = subprocess.run([*program, *words, "--output", "json"], env=env, text=True, capture_output=True, timeout=120,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"aws {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


LOADERS = []


def session(**more):
    """A session of boto3. All read the models once: those of ec2 alone take a second."""
    boto3, _ = load()
    if not LOADERS:
        LOADERS.append(importlib.import_module("botocore.loaders").create_loader())
    core = importlib.import_module("botocore.session").get_session()
    core.register_component("data_loader", LOADERS[0])
    return boto3.session.Session(botocore_session=core, **more)


def client(service, url, key, secret, token=None, region="eu-central-1", retries=0, timeout=60):
    """A client of boto3 for a server of ours. No retries, so that every answer is seen."""
    load()
    config = importlib.import_module("botocore.config").Config(
        retries={"total_max_attempts": retries + 1}, read_timeout=timeout, connect_timeout=10,
        max_pool_connections=50)
    made = session(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name=region)
    return made.client(service, endpoint_url=url, config=config)


def error_code(call, *args, **kwargs):
    """The code of the exception that a call ends with; None when it succeeds."""
    errors = importlib.import_module("botocore.exceptions")
    try:
        call(*args, **kwargs)
    except errors.ClientError as error:
        return error.response["Error"]["Code"]
    return None
