#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the npm reader says of a project that npm has just installed equals npm query '*', path by path, and
# every package.json that is no package is told as a helper file.
# usage: real_npm.sh LIST_ROOT WORK_FOLDER
set -eu
export LC_ALL=C
list_root=$1
work=$2/real_npm
project=$work/project

skip() {
	echo "skipped: $1"
	exit 77
}

fail() {
	echo "$1"
	exit 1
}

npm --version >/dev/null 2>&1 || skip "npm"
mkdir -p "$project"
if [ ! -f "$work/complete" ]; then
	rm -rf "$project/node_modules" "$project/package-lock.json"
	cat >"$project/package.json" <<-'END'
		{
		  "name": "real-npm",
		  "version": "1.0.0",
		  "private": true,
		  "dependencies": {
		    "@babel/core": "7.22.9",
		    "eslint": "8.45.0",
		    "express": "4.18.2",
		    "jest": "29.6.2",
		    "lodash": "4.17.20",
		    "lodash-old": "npm:lodash@3.10.1",
		    "mocha": "10.2.0",
		    "rxjs": "6.6.7",
		    "webpack": "5.88.2",
		    "yargs": "17.7.2"
		  }
		}
	END
	timeout 30 npm ping --fetch-retries 0 >"$work/npm.log" 2>&1 ||
		skip "a registry that npm reaches"
	(cd "$project" && timeout 300 npm install --ignore-scripts --no-audit --no-fund --no-progress) \
		>"$work/npm.log" 2>&1 || skip "an npm install that ends ($(tail -n 1 "$work/npm.log"))"
	touch "$work/complete"
fi

# One line for each package: its package.json, name and version.
(cd "$project" && npm query '*') 2>/dev/null >"$work/query.json"
node -e '
for (const p of JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")))
	console.log((p.location && "/" + p.location) + "/package.json\t" + p.name + "\t" + p.version);
' "$work/query.json" | sort >"$work/expected"
"$list_root" "$project" npm >"$work/got.tsv"
awk -F '\t' '/^npm\t/ { print $8 "\t" $2 "\t" $3 }' "$work/got.tsv" | sort >"$work/got"

n=$(wc -l <"$work/expected")
test "$n" -gt 300 || fail "npm installed $n packages, too few to prove anything"
diff -u "$work/expected" "$work/got" || fail "npm query (-) and the npm reader (+) differ"

# The rest: nested package.json that mean no package, each told by its path.
(cd "$project" && find . -type f -name package.json | cut -c 2-) | sort >"$work/files"
sed -n 's/^skip \(.*\) not the root of a package$/\1/p' "$work/got.tsv" | sort >"$work/helpers"
cut -f 1 "$work/got" | sort - "$work/helpers" >"$work/told"
diff -u "$work/files" "$work/told" || fail "package.json files (-) and what is told of them (+) differ"
if grep '^error ' "$work/got.tsv"; then
	fail "files that cannot be read"
fi
if grep -E '^(note|skip) ' "$work/got.tsv" | grep -v ' not the root of a package$'; then
	fail "damaged files among those that npm wrote"
fi
grep -q "	/node_modules/lodash-old/package.json	high	installed as lodash-old$" "$work/got.tsv" ||
	fail "the alias is not told"
echo "npm query: $n packages, all found; $(wc -l <"$work/helpers") helper files told, of $(wc -l <"$work/files") package.json"
