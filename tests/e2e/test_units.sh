#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The units are what systemd understands, and are installed where it looks. The programs that they start are those of
# this build.
set -eu
passed=0
failed=0
skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { # NAME RESULT
	if [ "$2" = 0 ]; then
		echo "ok $1"
		passed=$((passed + 1))
	else
		echo "FAILED $1"
		failed=$((failed + 1))
	fi
}

verify() { # UNIT PROGRAM-NAME PROGRAM
	if ! command -v systemd-analyze >/dev/null; then
		echo "skipped: $1: the tool systemd-analyze"
		skipped=$((skipped + 1))
		return
	fi
	sed -e "s|^ExecStart=$2 |ExecStart=$3 |" -e "s|exec $2 |exec $3 |" "$SOURCE/data/systemd/$1" >"$work/$1"
	r=0
	said=$(systemd-analyze verify --man=no "$work/$1" 2>&1) || r=$?
	# What this machine's own units lack is not ours.
	if printf '%s\n' "$said" | grep -F "$1"; then
		r=1
	fi
	say "test_units__systemd_understands_$1" "$r"
}

verify sonde-agent.service sonde "$SONDE"
[ -z "${SONDE_SERVER:-}" ] || verify sonde-server.service sonde-server "$SONDE_SERVER"

# The capabilities of the unit are those that the supervisor keeps.
unit=$(sed -n 's/^CapabilityBoundingSet=//p' "$SOURCE/data/systemd/sonde-agent.service" | tr ' ' '\n' | sort)
role=$("$SONDE" help --as privileges | sed -n 's/^| supervisor | \(`CAP[^|]*\) | .*/\1/p' | tr -d '`,' | tr ' ' '\n' | sort)
r=0
[ -n "$role" ] && [ "$unit" = "$role" ] || r=1
say test_units__the_agent_has_the_capabilities_of_its_role "$r"

# Each setting that the unit or its comments name exists, and the command too.
r=0
for word in allow-documents package-keys; do
	"$SONDE" agent --help | grep -q -- "--$word" || r=1
done
say test_units__what_the_agent_is_told_exists "$r"

r=0
meson introspect "$SONDE_BUILD" --installed | grep -q "lib/systemd/system/sonde-agent.service" || r=1
say test_units__the_agents_is_installed "$r"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
