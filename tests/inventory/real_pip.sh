#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the pypi reader says of a folder that pip has just filled equals what pip lists there. Wheels for
# Python 3.9 are taken whatever Python runs pip, because numpy 1.21.3 has none for newer ones.
# usage: real_pip.sh LIST_ROOT WORK_FOLDER
set -eu
export LC_ALL=C
list_root=$1
work=$2/real_pip
target=$work/site-packages

skip() {
	echo "skipped: $1"
	exit 77
}

normalise() { # PEP 503, in the first of two columns
	awk '{ name = tolower($1); gsub(/[-_.]+/, "-", name); print name, $2 }' | sort
}

python3 -m pip --version >/dev/null 2>&1 || skip "python3 with pip"
mkdir -p "$work"
if [ ! -f "$work/complete" ]; then
	rm -rf "$target"
	timeout 300 python3 -m pip install --target "$target" --no-deps --no-compile --only-binary=:all: \
		--retries 1 --timeout 20 \
		--ignore-requires-python --python-version 3.9 --platform manylinux2014_x86_64 \
		numpy==1.21.3 requests==2.31.0 Flask==2.3.3 ruamel.yaml==0.17.32 zope.interface==6.0 \
		typing_extensions==4.7.1 python-dateutil==2.8.2 Jinja2==3.1.2 setuptools==75.1.0 \
		Flask-SQLAlchemy==3.0.5 PyYAML==6.0.1 attrs==23.1.0 >"$work/pip.log" 2>&1 ||
		skip "a package index that pip reaches ($(tail -n 1 "$work/pip.log"))"
	touch "$work/complete"
fi

python3 -m pip list --path "$target" --format json 2>/dev/null |
	python3 -c 'import json, sys
for p in json.load(sys.stdin): print(p["name"], p["version"])' | normalise >"$work/expected"
"$list_root" "$target" pypi >"$work/got.tsv"
# pip lists what lies directly in the folder; copies that packages carry inside are reported besides.
awk -F '\t' '/^pypi\t/ && $8 ~ /^\/[^\/]+\/METADATA$/ { print $2, $3 }' "$work/got.tsv" | sort >"$work/got"

n=$(wc -l <"$work/expected")
test "$n" -eq 12 || { echo "pip lists $n packages, not the 12 that were asked for"; exit 1; }
diff -u "$work/expected" "$work/got" || { echo "pip list (-) and the pypi reader (+) differ"; exit 1; }
if grep -E '^(note|error) ' "$work/got.tsv"; then
	echo "notes or errors about files that pip wrote"
	exit 1
fi
if awk -F '\t' 'NF > 9' "$work/got.tsv" | grep .; then
	echo "oddities about files that pip wrote"
	exit 1
fi

# Every file of a name that counts is a package: none is passed over without a word.
files=$(find "$target" -type f \( -path '*.dist-info/METADATA' -o -path '*.egg-info/PKG-INFO' -o \
	-path '*/EGG-INFO/PKG-INFO' -o -name '*.egg-info' \) | wc -l)
all=$(grep -c '^pypi' "$work/got.tsv")
test "$files" -eq "$all" || { echo "$files metadata files, but $all packages"; exit 1; }
echo "pip list: $n packages, all found; $((all - n)) more lie inside packages, of $files metadata files"
