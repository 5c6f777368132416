#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tables of docs/privileges.md are what the program says of itself. `make update T=sandbox/privileges` writes them anew.
set -eu
page=$SOURCE/docs/privileges.md
mark='<!-- From here on: sonde help --as privileges -->'
work=$(mktemp)
trap 'rm -f "$work"' EXIT
grep -qxF "$mark" "$page" || {
	echo "docs/privileges.md lacks the line: $mark"
	exit 1
}
{
	sed "/^$mark\$/q" "$page"
	"$SONDE" help --as privileges
} >"$work"
if [ -n "${SONDE_UPDATE:-}" ]; then
	cat "$work" >"$page"
fi
diff -u "$page" "$work" || {
	echo "docs/privileges.md is not up to date: make update T=sandbox/privileges"
	exit 1
}
