# SPDX-License-Identifier: Apache-2.0
"""inspectorssmplugin as the invoking document calls it, against a prepared root and a Systems Manager on loopback."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

from fake_ssm import Ssm
from harness import SONDE, Skip, dpkg_package, environment, npm_package, os_release, pip_package, run, shared, write

INSTANCE = "i-0123456789abcdef0"
SITE = "home/ssm-user/.local/lib/python3.9/site-packages"
NEVER = "The content of the type may never be sent"
FULL = ("-read-params-store", "-report-ssm-inventory", "-report-metrics-via-ssm-inventory")

# What the invoking document runs, in our words: the plugin may be installed a little later than this is started.
SCRIPT = r"""
set -x
fail() { echo "$1"; echo "$1" >&2; exit 1; }
retry() {
    for attempt in 1 2 3 4 5; do
        if "$1"; then return 0; fi
        echo "Attempt $attempt did not succeed, waiting..."
        sleep "$PAUSE"
    done
    echo "Retries completed after 5 attempts."
    fail "$2"
}
PLUGIN="$ROOT/bin/inspectorssmplugin"
OUTPUT="$ROOT/var/output"
is_installed() {
    if [ -f "$PLUGIN" ]; then echo "$PLUGIN exist"; return 0; fi
    echo "$PLUGIN does not exist"
    return 1
}
echo "Checking the installation..."
retry is_installed "Inspector ssm plugin is not installed. Exiting..."
echo "Inspector ssm plugin is installed."
echo "Starting evaluation..."
"$PLUGIN" -mode bpm -read-params-store -report-ssm-inventory -report-metrics-via-ssm-inventory \
    -save-findings-as "$OUTPUT/packages.txt" -format text -timeout "$((TIMEOUT))" -cpulimit "$((CPU_LIMIT))"
if [ "$?" -eq 0 ]; then echo "Inspector ssm plugin linux ran successfully"; exit 0; fi
fail "Inspector ssm plugin did not run successfully"
"""


def install(scratch):
    """The link that makes sonde the plugin."""
    link = scratch / "opt/aws/inspector/bin/inspectorssmplugin"
    if not link.exists():
        link.parent.mkdir(parents=True)
        link.symlink_to(shutil.which(SONDE) or pathlib.Path(SONDE).resolve())
    return link


def settings(scratch, ssm=None, **more):
    """The environment of a step on a managed node."""
    env = {k: v for k, v in environment().items() if not k.startswith("AWS_")}
    env.update(SONDE_PLUGIN_ROOT=str(scratch / "root"), SONDE_PLUGIN_LOG_DIR=str(scratch / "log"), HOME=str(scratch),
               AWS_SSM_INSTANCE_ID=INSTANCE, AWS_REGION="eu-central-1", AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
               AWS_SECRET_ACCESS_KEY="secret", AWS_EC2_METADATA_DISABLED="true")
    if ssm:
        env["AWS_ENDPOINT_URL_SSM"] = ssm.url
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def plugin(scratch, ssm, *args, code=0, env=None):
    """One run of the plugin."""
    done = subprocess.run([install(scratch), "-mode", "bpm", *map(str, args)], env=env or settings(scratch, ssm),
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-3000:])
    return done


def log_lines(scratch):
    """All lines of the log, the oldest first."""
    return [line for path in sorted((scratch / "log").glob("*.log.*")) for line in path.read_text().splitlines()]


def messages(scratch):
    """What the lines of the default layout say."""
    return [re.fullmatch(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} UTC sonde \d+-0@\S+:0 \[(INFO|ERROR)\] \w+: (.*)",
                         line).group(2) for line in log_lines(scratch)]


def host(scratch):
    """A root with a package of pip in a default root, one of npm, and numpy in a home."""
    root = scratch / "root"
    os_release(root)
    (root / "usr/lib").mkdir(parents=True)
    pip_package(root / "usr/local/lib/python3.11/dist-packages", "requests", "2.31.0")
    npm_package(root / "usr/local/lib/node_modules", "lodash", "4.17.15")
    return root, pip_package(root / SITE, "numpy", "1.21.3")


def test_plugin__the_script_of_the_document(scratch):
    _, metadata = host(scratch)
    with Ssm(paths="/home/ssm-user") as ssm:
        install(scratch)
        env = settings(scratch, ssm, ROOT=str(scratch / "opt/aws/inspector"), PAUSE="0", TIMEOUT="900", CPU_LIMIT="65")
        done = subprocess.run(["bash", "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr, log_lines(scratch))
        assert "Inspector ssm plugin linux ran successfully" in done.stdout
        assert {(r["Name"], r["Version"], r["PackageManager"]) for r in ssm.rows()} == {
            ("requests", "2.31.0", "PYTHONPKG"), ("lodash", "4.17.15", "NODEPKG"), ("numpy", "1.21.3", "PYTHONPKG")}
        numpy = [r["Path"] for r in ssm.rows() if r["Name"] == "numpy"]
        assert numpy == ["/" + str(metadata.relative_to(scratch / "root"))]
        saved = (scratch / "opt/aws/inspector/var/output/packages.txt").read_text().splitlines()
        assert saved == [r["Path"] for r in ssm.rows()] and len(saved) == 3
        metrics = ssm.metrics()
        assert metrics["Packages"] == "3" and metrics["TimeLimitReached"] == "false", metrics
        assert metrics["PackageLimitReached"] == "false" and "bpm scan started" in metrics["LogTail"]
        assert int(metrics["Directories"]) >= 10 and int(metrics["Files"]) >= 10, metrics
        for key in ("CpuHistogram", "MemoryHistogram"):
            shares = [int(n) for n in metrics[key].split(" ")]
            assert len(shares) == 10 and sum(shares) == 100, metrics
        assert all(len(v) <= 4096 for v in metrics.values())
    # Without the plugin, it gives up after five looks.
    (scratch / "opt/aws/inspector/bin/inspectorssmplugin").unlink()
    done = subprocess.run(["bash", "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "Retries completed after 5 attempts." in done.stdout


PUBLISHED = [
    ("main.go:44 main.execCmd", r"Version: \S+"),
    ("main.go:45 main.execCmd", r"UTC Build Time: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000"),
    ("cmd/bpm.go:59 golang.a2z.com/inspectorssmplugin/cmd.ExecBpmScan", r"bpm scan started"),
    ("identity/identity.go:44", r"ec2 metadata region=eu-central-1 instance-id=i-0123456789abcdef0 instance-type=unknown"),
    ("identity/identity.go:82", r"use environment provider for credentials"),
    ("cmd/bpm.go:423", r"package scanner rejected root directory 'NO_PATHS_DEFINED'"),
    ("cmd/bpm.go:107", r"files system traversal depth=-1 max directories under specified root=-1"),
    ("inventory/pacman/pacman_linux.go:104", r"using '' to gather python package locations"),
    ("inventory/pacman/pacman_linux.go:122",
     r"located '\d+' metadata files for python packages installed via platform package manager"),
    ("bpm/scanner/scanner.go:165", r'extracted suffix from pattern ".*": ".*"'),
    ("bpm/filefinder/filefinder.go:76", r'scanning directory "/usr/lib"'),
    ("bpm/filefinder/filefinder.go:84", r'scanned 1 directories under "/usr/lib"'),
    ("bpm/filefinder/filefinder.go:76", r'scanning directory "/usr/local/lib"'),
    ("bpm/filefinder/filefinder.go:84", r'scanned \d+ directories under "/usr/local/lib"'),
    ("cmd/bpm.go:183", r"submitting packages findings as inventory report"),
    ("identity/identity.go:44", r"ec2 metadata .*"),
    ("identity/identity.go:82", r"use .* provider for credentials"),
    ("inventory/bpm.go:89", r"post inventory request for 2 packages with hash '[0-9a-f]{32}'"),
    ("inventory/inventory.go:129", r"failed to report inventory via ssm PutInventory: operation error SSM: PutInventory, "
     r"https response error StatusCode: 400, RequestID: [0-9a-f-]{36}, InvalidItemContentException: Your request contains .*"),
    ("inventory/bpm.go:98", r"resend inventory request with content per service response: operation error SSM: .*"),
    ("inventory/bpm.go:104", r"succeeded posting package collection inventory item"),
    ("identity/identity.go:44", r"ec2 metadata .*"),
    ("identity/identity.go:82", r"use .* provider for credentials"),
    ("cmd/bpm.go:359", r"scan elapsed\(ms\)=\d+ directories=\d+ files=\d+ packages=2"),
    ("cmd/bpm.go:363", r"scan cpu pct samples=\d+ histogram=\[\d+( \d+){9}\]"),
    ("cmd/bpm.go:367", r"scan mem pct samples=\d+ histogram=\[\d+( \d+){9}\]"),
    ("cmd/bpm.go:218", r"packages scan completed"),
    ("appconfig/appconfig.go:144", r"logs cleanup started"),
    ("appconfig/appconfig.go:166", r"number of log files 1 is less than or equal the limit 7"),
    ("appconfig/appconfig.go:169", r"logs cleanup completed"),
]


def test_plugin__the_log_has_the_published_lines_in_their_order(scratch):
    host(scratch)
    with Ssm(paths="NO_PATHS_DEFINED") as ssm:
        plugin(scratch, ssm, *FULL, "-log-compat")
    [path] = (scratch / "log").iterdir()
    assert re.fullmatch(r"scitor\.log\.\d{4}-\d\d-\d\d-\d\d", path.name), path
    lines = path.read_text().splitlines()
    # One line per pattern, however many there are.
    lines = [line for i, line in enumerate(lines) if "extracted suffix" not in line or "extracted suffix" not in lines[i - 1]]
    assert len(lines) == len(PUBLISHED), "\n".join(lines)
    for line, (place, message) in zip(lines, PUBLISHED):
        head = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} UTC scitor \d+-0@\S+:0 \[(INFO|ERROR)\] MandoSecurityContentEvaluator/"
        assert re.fullmatch(head + re.escape(place) + r".*\(\): " + message, line), (line, place, message)
    directories = sum(int(n) for n in re.findall(r"scanned (\d+) directories", "\n".join(lines)))
    assert f"directories={directories} " in "\n".join(lines)


def test_plugin__the_log_has_an_own_name_otherwise(scratch):
    host(scratch)
    plugin(scratch, None)
    said = messages(scratch)
    assert said[0].startswith("Version: ") and said[-1] == "logs cleanup completed", said
    assert not any("identity" in line for line in said), said
    [path] = (scratch / "log").iterdir()
    assert path.name.startswith("sonde.log."), path


def test_plugin__seven_files_of_the_log_are_kept(scratch):
    host(scratch)
    for hour in range(9):
        write(scratch / f"log/sonde.log.2001-01-01-0{hour}", "old\n")
    write(scratch / "log/sonde.log.2001-01-01-09.gz", "not a file of this log\n")
    plugin(scratch, None)
    names = sorted(p.name for p in (scratch / "log").iterdir())
    assert names[:6] == [f"sonde.log.2001-01-01-0{hour}" for hour in range(3, 9)], names
    assert len(names) == 8 and "sonde.log.2001-01-01-09.gz" in names, names
    assert any("number of log files 10 is greater than the limit 7, removed 3" in line for line in log_lines(scratch)
               if line != "old" and "not a file" not in line)


def test_plugin__the_digest_is_sent_first_and_content_when_asked(scratch):
    root, _ = host(scratch)
    with Ssm(paths="/home/ssm-user") as ssm:
        def contents():
            kinds = [("Content" in item) for _, body, _ in ssm.calls if body and "Items" in body
                     for item in body["Items"] if item["TypeName"] == "Custom:InspectorThirdPartyPackage"]
            ssm.calls.clear()
            return kinds

        plugin(scratch, ssm, *FULL)
        assert contents() == [False, True]
        first = ssm.items[(INSTANCE, "Custom:InspectorThirdPartyPackage")]["ContentHash"]
        plugin(scratch, ssm, *FULL)
        assert contents() == [False]
        npm_package(root / "usr/local/lib/node_modules", "minimist", "0.0.8")
        plugin(scratch, ssm, *FULL)
        assert contents() == [False, True]
        assert ssm.items[(INSTANCE, "Custom:InspectorThirdPartyPackage")]["ContentHash"] != first
        assert any("ItemContentMismatchException" in line for line in log_lines(scratch))
        plugin(scratch, ssm, *FULL)
        authorization = ssm.calls[0][2]["Authorization"]
        assert "/eu-central-1/ssm/aws4_request" in authorization and "AKIDEXAMPLE" in authorization, authorization


def test_plugin__a_report_that_is_refused_is_a_failure(scratch):
    host(scratch)
    denied = (400, "AccessDeniedException", "no\x1b[2J rights")
    with Ssm(paths="/home/ssm-user", refuse={"PutInventory": denied}) as ssm:
        done = plugin(scratch, ssm, *FULL, "-save-findings-as", scratch / "out/packages.txt", code=1)
        assert "AccessDeniedException" in done.stderr, done.stderr
        assert "\x1b" not in "".join(log_lines(scratch)) + done.stderr, log_lines(scratch)
        assert len((scratch / "out/packages.txt").read_text().splitlines()) == 3
    with Ssm(paths="/x", refuse={"GetParameter": denied}) as ssm:
        plugin(scratch, ssm, *FULL, code=1)
        # Without the custom paths nothing is reported, but why.
        assert [c[0] for c in ssm.calls] == ["GetParameter", "PutInventory"], ssm.calls
        told = ssm.metrics()
        assert "AccessDeniedException" in told["Error"] and "bpm scan started" in told["LogTail"], told
        assert "Packages" not in told and "TimeLimitReached" not in told, told
    with Ssm(status=500) as ssm:
        plugin(scratch, ssm, "-report-ssm-inventory", code=1)
    plugin(scratch, None, *FULL, code=1, env=settings(scratch, AWS_ENDPOINT_URL="http://127.0.0.1:9"))
    plugin(scratch, None, *FULL, code=1, env=settings(scratch, AWS_ACCESS_KEY_ID=None))
    assert "no credentials" in messages(scratch)[-4], messages(scratch)[-4:]


def test_plugin__six_experiments_of_the_published_article(scratch):
    root, metadata = host(scratch)
    with Ssm(paths="NO_PATHS_DEFINED") as ssm:
        def numpy():
            plugin(scratch, ssm, *FULL)
            return [(r["Version"], r["Path"]) for r in ssm.rows() if r["Name"] == "numpy"]

        path = "/" + str(metadata.relative_to(root))
        text = metadata.read_text()
        assert numpy() == [], "1: the root is not scanned"
        ssm.paths = "/home/ssm-user"
        assert numpy() == [("1.21.3", path)]
        renamed = metadata.rename(metadata.with_name("METADATAtest"))
        assert numpy() == [], "2-2: another file name"
        renamed.rename(metadata)
        up = metadata.rename(metadata.parent.parent / "METADATA")
        assert numpy() == [], "2-3: not below a dist-info folder"
        up.rename(metadata)
        (root / "tmp").mkdir()
        away = metadata.rename(root / "tmp/METADATA")
        assert numpy() == [], "2-4: moved away"
        away.rename(metadata)
        metadata.write_text(re.sub(r"(?m)^Version: .*$", "Version: 1.21.0", text, count=1))
        assert numpy() == [("1.21.0", path)], "2-5: the content counts"


def test_plugin__python_of_the_package_manager_is_located_and_left_out(scratch):
    root = scratch / "root"
    os_release(root)
    owned = pip_package(root / "usr/lib/python3/dist-packages", "numpy", "1.21.3")
    pip_package(root / "usr/local/lib/python3.11/dist-packages", "requests", "2.31.0")
    dpkg_package(root, "python3-numpy", "1:1.21.3-1", ["/" + str(owned.relative_to(root))])
    with Ssm() as ssm:
        plugin(scratch, ssm, *FULL)
        assert [r["Name"] for r in ssm.rows()] == ["requests"]
        assert ssm.metrics()["OwnedPackages"] == "1"
    assert any(m.startswith("located '1' metadata files for python") for m in messages(scratch)), messages(scratch)


def test_plugin__python_of_rpm_is_located_and_left_out(scratch):
    tried = 0
    for folder in sorted(shared("fixtures", "rpm", "rpmdb").iterdir()):
        if not (folder / "rpmdb.sqlite").exists():
            continue
        # Both databases own the one file that Python's distutils wrote for rpm's own module.
        egg = "rpm-4.16.0-py3.9.egg-info"
        if egg.encode() not in (folder / "rpmdb.sqlite").read_bytes():
            continue
        here = scratch / folder.name
        root = here / "root"
        os_release(root, "amzn", "2023", folder.name)
        (root / "var/lib/rpm").mkdir(parents=True)
        for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, root / "var/lib/rpm" / name)
        site = root / "usr/lib64/python3.9/site-packages"
        write(site / egg, "Metadata-Version: 1.2\nName: rpm\nVersion: 4.16.0\n")
        pip_package(site, "beside", "1.0")
        with Ssm() as ssm:
            plugin(here, ssm, *FULL)
            assert [r["Name"] for r in ssm.rows()] == ["beside"], (folder.name, ssm.rows())
            assert ssm.metrics()["OwnedPackages"] == "1", ssm.metrics()
        said = [m for m in messages(here) if m.startswith("located ")]
        assert re.fullmatch(r"located '[1-9]\d*' metadata files for python .*", said[0]), said
        print("   " + folder.name + ": " + said[0], flush=True)
        tried += 1
    if tried == 0:
        raise Skip("an rpm database with Python packages")


def test_plugin__more_packages_than_are_taken(scratch):
    root = scratch / "root"
    os_release(root)
    site = root / "usr/lib/python3/site-packages"
    for i in range(10100):
        write(site / f"p{i:05}-1.{i}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: p{i:05}\nVersion: 1.{i}\n\n")
    with Ssm() as ssm:
        plugin(scratch, ssm, *FULL, "-save-findings-as", scratch / "packages.txt")
        assert 5000 < len(ssm.rows()) <= 10000 and ssm.metrics()["PackageLimitReached"] == "true"
        assert len((scratch / "packages.txt").read_text().splitlines()) == 10100
        assert max(len(json.dumps(c[1], separators=(",", ":"))) for c in ssm.calls) <= 1 << 20
    said = "\n".join(messages(scratch))
    assert "package limit of 5000 exceeded: 10100 found" in said and "of 10100 packages: an inventory item" in said, said


def test_plugin__paths_that_are_none_are_rejected(scratch):
    host(scratch)
    with Ssm(paths="/home/ssm-user, relative,/a/../b,/,/no/such") as ssm:
        plugin(scratch, ssm, *FULL)
        assert "numpy" in [r["Name"] for r in ssm.rows()]
    said = [m for m in messages(scratch) if "rejected" in m]
    assert said == [f"package scanner rejected root directory '{p}'" for p in ("relative", "/a/../b", "/")], said


def test_plugin__credentials_of_a_file_and_of_the_instance(scratch):
    host(scratch)
    with Ssm() as ssm:
        write(scratch / ".aws/credentials", "[other]\naws_access_key_id = X\n[default]\naws_access_key_id=AKIDFILE\n"
                                            "aws_secret_access_key = of the file\n")
        env = settings(scratch, ssm, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
        plugin(scratch, ssm, *FULL, env=env)
        assert "AKIDFILE" in ssm.calls[0][2]["Authorization"]
        (scratch / ".aws/credentials").unlink()
        ssm.calls.clear()
        env = settings(scratch, ssm, AWS_ACCESS_KEY_ID=None, AWS_SSM_INSTANCE_ID=None, AWS_REGION=None,
                       AWS_EC2_METADATA_DISABLED=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=ssm.url)
        plugin(scratch, ssm, *FULL, env=env)
        call = [c for c in ssm.calls if c[0] == "PutInventory"][0]
        assert call[1]["InstanceId"] == "i-0fedcba9876543210" and call[2]["X-Amz-Security-Token"] == "a-session", call
        assert "ASIAROLE/" in call[2]["Authorization"]
    said = messages(scratch)
    assert "ec2 metadata region=eu-central-1 instance-id=i-0fedcba9876543210 instance-type=t3.micro" in said, said
    assert "use ec2 role provider for credentials" in said and "use shared credentials file provider for credentials" in said


def test_plugin__wrong_use(scratch):
    link = install(scratch)
    for wrong in ([], ["-mode", "cis"], ["-mode", "bpm", "-no-such"], ["-mode", "bpm", "-timeout", "x"], ["-mode=bpm", "rest"],
                  ["-mode", "bpm", "-format", "json"], ["-mode", "bpm", "-cpulimit", "101"], ["-mode"]):
        done = subprocess.run([link, *wrong], env=settings(scratch), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and "Usage: inspectorssmplugin" in done.stderr, (wrong, done)
    assert not (scratch / "log").exists()


# ---- limits, on a tree that is large enough to meet them ----

def tree(scratch, files=100000):
    """A root with a large tree below a default root."""
    maker = os.environ.get("MAKE_TREE")
    if not maker:
        raise Skip("$MAKE_TREE, the maker of large trees")
    root = scratch / "root"
    os_release(root)
    (root / "usr/lib").mkdir(parents=True)
    subprocess.run([maker, root / "usr/lib/tree", "--files", str(files), "--seed", "7", "--node", "20", "--python", "20"],
                   check=True, stdout=subprocess.DEVNULL, timeout=400)
    return root


def clock(pid):
    """The CPU time of a whole process, by the kernel's clock for it (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def children(pid):
    """Processes that one has started."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass
    return found


def sample(pid, over, samples):
    """Note (before, after, CPU time of the process and of all below it) until told that it is over."""
    seen = {}
    while not over.is_set():
        before, todo = time.monotonic(), [pid]
        while todo:
            one = todo.pop()
            try:
                seen[one] = max(seen.get(one, 0), clock(one))
            except OSError:
                pass
            todo += children(one)
        samples.append((before, time.monotonic(), sum(seen.values())))
        over.wait(0.02)


def busiest_pct(samples, window=2.0):
    """The most that was used within any window, in percent of one core: of spans that surely lie within it."""
    most, last = 0, 0
    for i, (start, _, used) in enumerate(samples):
        last = max(i, last)
        while last + 1 < len(samples) and samples[last + 1][1] - start <= window:
            last += 1
        if samples[last][1] - start <= window:
            most = max(most, samples[last][2] - used)
    return most / window * 100


# A process under a sanitizer has shadow memory that the kernel takes back when it ends: milliseconds of its own time, in
# which nothing can be slowed down, and which the program as users have it does not need.
SANITIZED_END_PCT = 4 if os.environ.get("SONDE_SANITIZER") else 0


def test_plugin__the_limit_on_processor_time_holds_over_every_window(scratch):
    if not pathlib.Path("/proc/thread-self/children").exists():
        raise Skip("/proc/thread-self/children")
    tree(scratch)
    for limit in (65, 10):
        with Ssm() as ssm:
            started = subprocess.Popen([install(scratch), "-mode", "bpm", *FULL, "-cpulimit", str(limit), "-timeout", "60"],
                                       env=settings(scratch, ssm), stderr=subprocess.PIPE)
            over, samples = threading.Event(), []
            watcher = threading.Thread(target=sample, args=(started.pid, over, samples))
            watcher.start()
            _, talk = started.communicate(timeout=300)
            over.set()
            watcher.join()
            assert started.returncode == 0, talk
            assert ssm.metrics()["CpuLimitPercent"] == str(limit)
            shares = [int(n) for n in ssm.metrics()["CpuHistogram"].split(" ")]
            assert sum(shares) == 100, shares
        busiest = busiest_pct(samples)
        print(f"   -cpulimit {limit}: {busiest:.1f} % in the busiest window, {samples[-1][2]:.2f} s in all", flush=True)
        assert len(samples) > 10 and 0 < busiest <= limit + SANITIZED_END_PCT, (busiest, limit)


def test_plugin__the_time_limit_gives_a_partial_inventory_with_its_reason(scratch):
    tree(scratch)
    with Ssm() as ssm:
        plugin(scratch, ssm, *FULL, "-timeout", "2", "-cpulimit", "4")
        metrics = ssm.metrics()
        assert metrics["TimeLimitReached"] == "true" and metrics["TimeLimitSeconds"] == "2", metrics
        assert "failed 1: the time limit (--timeout) was reached" in metrics["Ledger"], metrics["Ledger"]
        assert len(ssm.rows()) == int(metrics["Packages"]) < 4000, metrics
    assert "collection time limit of 2 s reached: the inventory is partial" in messages(scratch)


if __name__ == "__main__":
    run(globals())
