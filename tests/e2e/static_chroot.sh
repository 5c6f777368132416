#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A static sonde alone in a root without libraries, /proc, /dev and users: it lists packages, imports advisories
# and finds what they say. Builds it with -Dstatic=true, or takes $STATIC_SONDE.
# $SOURCE: the project. $BUILD: a folder for the static build, kept between runs.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

fail() {
	echo "FAILED: $*"
	exit 1
}

# Root changes its root; others may in a user namespace of their own, where the kernel lets them.
mkdir "$tmp/root"
if chroot / true 2>/dev/null; then
	into_root() { chroot "$tmp/root" "$@"; }
elif unshare --user --map-root-user chroot / true 2>/dev/null; then
	into_root() { unshare --user --map-root-user chroot "$tmp/root" "$@"; }
else
	echo "skipped: chroot needs root's rights or a user namespace"
	exit 77
fi

if [ -n "${STATIC_SONDE:-}" ]; then
	sonde=$STATIC_SONDE
else
	sonde=$BUILD/src/cmd/sonde
	if [ ! -f "$BUILD/build.ninja" ]; then
		meson setup "$BUILD" "$SOURCE" -Dstatic=true >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "meson setup"; }
	fi
	ninja -C "$BUILD" src/cmd/sonde >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log"; fail "the static build"; }
fi

# No interpreter and no library: the kernel alone starts it.
headers=$(readelf -lWd "$sonde") || fail "readelf"
case $headers in
*INTERP* | *NEEDED*) fail "$sonde is not static: $headers" ;;
esac
case $(readelf -hW "$sonde") in
*'DYN ('*) ;;
*) fail "$sonde is not position-independent" ;;
esac

root=$tmp/root
python3 "$SOURCE/scripts/make-sample-tree" "$root" || fail "the tree"
mkdir -p "$root/etc" "$root/tmp" "$root/lib/apk/db"
printf 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME="Alpine Linux v3.20"\n' >"$root/etc/os-release"
cp -r "$SOURCE/data/advisories" "$root/advisories"
cp "$sonde" "$root/sonde"
chmod 755 "$root" "$root/sonde"
strip -s "$root/sonde" || fail "strip"
echo "size: $(stat -c %s "$root/sonde") bytes, stripped"

out=$(into_root /sonde --version) || fail "sonde --version: exit status $?"
case $out in
*sonde*) ;;
*) fail "sonde --version: $out" ;;
esac
out=$(into_root /sonde version compare deb 1.0~rc1 1.0) || fail "version compare: exit status $?"
[ "$out" = '<' ] || fail "version compare: $out"

into_root /sonde inventory --root / --path /opt/app --format json >"$tmp/inventory.json" || fail "inventory: exit status $?"
into_root /sonde db import -q --data /data --db /data/db /advisories || fail "db import: exit status $?"
into_root /sonde scan --root / --path /opt/app --data /data --format json >"$tmp/scan.json" || fail "scan: exit status $?"
into_root /sonde scan --root / --path /opt/app --data /data >"$tmp/scan.txt" || fail "scan, table: exit status $?"
grep -q 'CVE-2021-34141' "$tmp/scan.txt" || { cat "$tmp/scan.txt"; fail "the table lacks CVE-2021-34141"; }

python3 - "$tmp" <<'EOF' || fail "the reports are not what they should be"
import json
import sys

inventory = json.load(open(sys.argv[1] + "/inventory.json", encoding="utf-8"))
scan = json.load(open(sys.argv[1] + "/scan.json", encoding="utf-8"))
packages = {(p["type"], p["name"], p["version"]) for p in inventory["packages"]}
expected = {("pypi", "numpy", "1.21.3"), ("npm", "lodash", "4.17.15"), ("npm", "minimist", "0.0.8")}
assert expected <= packages, packages
found = {(f["name"], cve) for f in scan["findings"] for cve in [f["id"], *f["aliases"]] if cve.startswith("CVE-")}
for pair in (("numpy", "CVE-2021-34141"), ("lodash", "CVE-2020-8203"), ("minimist", "CVE-2021-44906")):
    assert pair in found, (pair, found)
assert ("lodash", "CVE-2019-10744") not in found, "4.17.15 is past the fix, 4.17.12"
assert scan["schema"] == "sonde.scan/1", scan["schema"]
EOF
echo "a static sonde works alone in a bare root"
