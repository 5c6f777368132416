#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every `installed` row of the reference fixtures' expected.tsv of one ecosystem, staged where its file would
# lie on a host, is what our reader says, except for the differences that the table below explains. A difference
# that is not in the table fails, and so does a line of the table that is no difference any more.
# usage: shared_language.sh LIST_ROOT SHARED WORK_FOLDER pypi|npm
set -eu
export LC_ALL=C
list_root=$1
shared=${SONDE_SHARED:-$2}/fixtures/$4
work=$3/shared_$4
type=$4

# Where a file lies on a host, for rows that do not say.
staged_as() {
	case "$1" in
	scalibr/language/python/wheelegg/egginfo) echo site-packages/pycups-2.0.1.egg-info ;;
	scalibr/language/python/wheelegg/mixed_case) echo site-packages/httplib2-1.0.egg-info ;;
	scalibr/language/python/wheelegg/special_chars) echo site-packages/backports.egg-info ;;
	scancode/pypi/metadata/*PKG-INFO) echo site-packages/some.egg-info/PKG-INFO ;;
	syft/python/*/dist-info/METADATA) echo site-packages/some.dist-info/METADATA ;;
	syft/python/*/egg-info/PKG-INFO*) echo site-packages/some.egg-info/PKG-INFO ;;
	syft/javascript/pkg-json/*.json) echo node_modules/npm/package.json ;;
	*) echo "$1" ;;
	esac
}

# path|sign, name and version|why: '-' is expected there and not said by us, '+' the reverse.
differences_pypi() {
	cat <<-'END'
		scalibr/language/python/wheelegg/monotonic-1.6-py2.py3-none-any.whl|-monotonic 1.6|archives are not opened
		scancode/pypi/archive/commoncode-21.5.12-py3.9.egg|-commoncode 21.5.12|archives are not opened
		trivy/analyzer/language/python/packaging/egg-zip/kitchen-1.2.6-py2.7.egg|-kitchen 1.2.6|archives are not opened
		syft/python/pypi-remote/registry_response.json|-certifi 2025.10.5|a registry's answer, nothing installed
		syft/python/site-packages/license/with-license-file-declared.dist-info/LICENSE.txt|-pygments 2.6.1|the licence file alone, without METADATA
		syft/python/site-packages/malformed-record|-pygments 2.6.1|the folder is called dist-info, not *.dist-info
		syft/python/site-packages/nested|-pygments 2.6.1|the folder is called dist-info, not *.dist-info
		syft/python/site-packages/nested|-requests 2.22.0|the folder is called egg-info, not *.egg-info
		syft/python/site-packages/uppercase|-pygments 2.6.1|DIST-INFO: names count case-exactly
	END
}

differences_npm() {
	cat <<-'END'
		scalibr/language/javascript/packagejson/package-with-deps.json|-dep1 1.0.0|a dependency that is declared, not installed
		scalibr/language/javascript/packagejson/package-with-deps.json|-dep2 2.0.1|a dependency that is declared, not installed
		scalibr/language/javascript/packagejson/package-with-deps.json|-dep3 3.1.0|a dependency that is declared, not installed
		scalibr/language/javascript/packagejson/package-with-deps.json|-dep4 0.4.2|a dependency that is declared, not installed
		scalibr/language/javascript/packagejson/package-with-deps.json|-dep5 5.0.0|a dependency that is declared, not installed
		scalibr/language/javascript/packagejson/package-with-deps.json|-dep7 1.0.0|a dependency that is declared, not installed
		scalibr/language/javascript/vsix/malformed_json_mixed.vsix|-lodash 4.17.21|archives are not opened
		scalibr/language/javascript/vsix/multiple_dependencies.vsix|-left-pad 1.3.0|archives are not opened
		scalibr/language/javascript/vsix/multiple_dependencies.vsix|-lodash 4.17.21|archives are not opened
		scalibr/language/javascript/vsix/multiple_dependencies.vsix|-semver 7.5.4|archives are not opened
		scalibr/language/javascript/vsix/nested_archive_ignored.vsix|-outer 1.0.0|archives are not opened
		scalibr/language/javascript/vsix/non_package_entries.vsix|-ms 2.1.3|archives are not opened
		scalibr/language/javascript/vsix/scoped_package.vsix|-@babel/core 7.22.0|archives are not opened
		scancode/npm/with_name/package.json|-bson |no version: told in a note, no package
		syft/javascript/pnpm-remote/registry_response.json|-nanoid 3.3.4|a registry's answer, nothing installed
		syft/javascript/yarn-berry-dev-deps|+test-project 1.0.0|the project itself is listed, as npm query lists it
		syft/javascript/yarn-berry-dev-deps|-dev-only-transitive 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-berry-dev-deps|-dev-pkg 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-berry-dev-deps|-prod-pkg 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-berry-dev-deps|-shared-pkg 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-dev-deps|+test-project 1.0.0|the project itself is listed, as npm query lists it
		syft/javascript/yarn-dev-deps|-dev-only-transitive 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-dev-deps|-dev-pkg 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-dev-deps|-prod-pkg 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-dev-deps|-shared-pkg 1.0.0|a lock file; nothing is installed
		syft/javascript/yarn-remote/registry_response.json|-@babel/code-frame 7.10.4|a registry's answer, nothing installed
	END
}

if [ ! -f "$shared/expected.tsv" ]; then
	echo "skipped: the reference fixtures of $type"
	exit 77
fi
rm -rf "$work"
mkdir -p "$work"
# What the upstream projects expect, and where each file goes; PEP 503 names for Python.
awk -F '\t' -v type="$type" '$5 == "installed" {
	name = $2
	if (type == "pypi") { name = tolower(name); gsub(/[-_.]+/, "-", name) }
	print $4 "|" name " " $3
}' "$shared/expected.tsv" | sort -u >"$work/expected"
awk -F '\t' '$5 == "installed" && !seen[$4]++ { print $4 "|" $6 }' "$shared/expected.tsv" | sort >"$work/paths"

while IFS='|' read -r path as; do
	rm -rf "$work/root"
	test "$as" != - || as=$(staged_as "$path")
	mkdir -p "$work/root/$(dirname "$as")"
	cp -R "$shared/$path" "$work/root/$as"
	chmod -R u+rwX "$work/root"
	"$list_root" "$work/root" "$type" |
		awk -F '\t' -v path="$path" -v type="$type" '$1 == type { print path "|" $2 " " $3 }'
done <"$work/paths" | sort -u >"$work/got"
rm -rf "$work/root"

{
	comm -23 "$work/expected" "$work/got" | sed 's/|/|-/'
	comm -13 "$work/expected" "$work/got" | sed 's/|/|+/'
} | sort >"$work/found"
"differences_$type" | sed 's/|[^|]*$//' | sort >"$work/explained"
if ! diff -u "$work/explained" "$work/found"; then
	echo "explained differences (-) and those found (+) are not the same"
	exit 1
fi
echo "$type: $(wc -l <"$work/paths") inputs, $(comm -12 "$work/expected" "$work/got" | wc -l) of" \
	"$(wc -l <"$work/expected") packages as expected, $(wc -l <"$work/found") differences explained"
