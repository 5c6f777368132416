#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/api.md is what the program says of itself. `make update T=server/test_api_doc` writes it anew.
set -eu
page=$SOURCE/docs/api.md
if [ -n "${SONDE_UPDATE:-}" ]; then
	"$SONDE_SERVER" help --as api >"$page"
fi
"$SONDE_SERVER" help --as api | diff -u "$page" - || {
	echo "docs/api.md is not up to date: make update T=server/test_api_doc"
	exit 1
}
