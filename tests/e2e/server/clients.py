# SPDX-License-Identifier: Apache-2.0
"""Amazon's own clients: found on the machine, or installed beside the build from the package index, else a skip."""
import importlib
import os
import pathlib
import subprocess
import sys

import harness

BUILD = pathlib.Path(os.environ.get("SONDE_BUILD", "."))
OLDEST = (1, 29, 126)  # botocore that knows deep inspection


def version_of(module):
    return tuple(int(part) for part in module.__version__.split(".")[:3])


def load():
    """The modules boto3 and botocore, new enough."""
    place = BUILD / "python"
    if (place / "boto3").is_dir() and str(place) not in sys.path:
        sys.path.insert(0, str(place))
    try:
        botocore = importlib.import_module("botocore")
        if version_of(botocore) >= OLDEST:
            return importlib.import_module("boto3"), botocore
    except ImportError:
        pass
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target",
                           str(place), "boto3"], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise harness.Skip("boto3, and a package index to take it from")
    sys.path.insert(0, str(place))
    for name in [n for n in sys.modules if n.split(".")[0] in ("botocore", "boto3")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return importlib.import_module("boto3"), importlib.import_module("botocore")


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
