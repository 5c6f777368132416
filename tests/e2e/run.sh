#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# scripts/run, which is `make run`: says which data it took, scans, finds what is in the prepared tree, and writes in
# the build folder only. $SOURCE: the project. $SONDE: the program.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

fail() {
	echo "FAILED: $*"
	exit 1
}

says() {
	grep -qF -- "$1" "$tmp/out" || { cat "$tmp/out"; fail "it does not say: $1"; }
}

# A project of its own, with no ../shared beside it, whose build folder holds the program.
mkdir -p "$tmp/in/project/build/release/src/cmd" "$tmp/host/etc"
project=$tmp/in/project
ln -s "$SOURCE/scripts" "$project/scripts"
ln -s "$SOURCE/data" "$project/data"
ln -s "$SONDE" "$project/build/release/src/cmd/sonde"
printf 'ID=debian\nVERSION_ID="12"\n' >"$tmp/host/etc/os-release"
mkdir -p "$tmp/home" "$tmp/host/opt"
python3 "$SOURCE/scripts/make-sample-tree" "$tmp/host/opt/tree" || fail "the tree"

# run NAME=VALUE...: no proxy answers on port 9, so that the network is away
run() {
	env -i PATH="$PATH" HOME="$tmp/home" LC_ALL=C.UTF-8 ASAN_OPTIONS="${ASAN_OPTIONS:-}" SONDE_RUN_ROOT="$tmp/host" \
		https_proxy=http://127.0.0.1:9 "$@" "$project/scripts/run" --no-build >"$tmp/out" 2>&1
	r=$?
	[ $r = 0 ] || { cat "$tmp/out"; fail "exit status $r"; }
	says 'CVE-2021-34141'
	says 'CVE-2020-8203'
	says '/opt/app/node_modules/lodash/package.json'
}

run
says 'THE NETWORK CANNOT BE REACHED'
says 'USING THE SMALL SET OF ADVISORIES IN data/advisories'
run
says 'The database made of them by an earlier run is still good.'

run SONDE_FEEDS="$SOURCE/data/advisories"
says "TAKEN FROM \$SONDE_FEEDS: $SOURCE/data/advisories"

cp -r "$SOURCE/data/advisories" "$tmp/in/feeds"
mkdir "$tmp/in/shared" && mv "$tmp/in/feeds" "$tmp/in/shared/feeds"
run
says 'TAKEN FROM ../shared/feeds'

# Feeds that are none are an error, not an empty database.
mkdir "$tmp/none"
if env -i PATH="$PATH" HOME="$tmp/home" SONDE_FEEDS="$tmp/none" "$project/scripts/run" --no-build >"$tmp/out" 2>&1; then
	cat "$tmp/out"
	fail "an empty feed folder passes"
fi
says 'cannot be imported'

[ -z "$(find "$tmp/home" -mindepth 1)" ] || fail "written in the home folder: $(find "$tmp/home")"
[ "$(cd "$project" && echo ./*)" = "./build ./data ./scripts" ] || fail "new in the project: $(ls "$project")"
echo "make run says what it took and finds what is there"
