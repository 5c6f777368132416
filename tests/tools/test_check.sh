#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# scripts/check counts right: on a small project of programs that pass, fail, skip, die or do nothing.
# $SOURCE: the project.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n_bad=0

bad() {
	echo "FAILED: $*"
	n_bad=$((n_bad + 1))
}

mkdir -p "$tmp/scripts"
cp "$SOURCE/scripts/check" "$SOURCE/scripts/build" "$tmp/scripts/"
cd "$tmp" || exit 1

# A new meson project; add() gives it tests.
project() {
	rm -rf build meson.build programs
	mkdir programs
	echo "project('small', meson_version : '>=0.63')" >meson.build
}

# add NAME SUITES BODY
add() {
	printf '#!/bin/sh\n%s\n' "$3" >"programs/$1.sh"
	chmod +x "programs/$1.sh"
	echo "test('$1', find_program('programs/$1.sh'), suite : '$2'.split(), timeout : 1)" >>meson.build
}

# ends STATUS LAST_LINE [check's arguments]
ends() {
	status=$1
	line=$2
	shift 2
	out=$(scripts/check "$@" 2>&1)
	r=$?
	[ $r = "$status" ] || bad "exit status $r, not $status: $out"
	[ "$(printf '%s\n' "$out" | tail -n 1)" = "$line" ] || bad "the last line is not '$line': $out"
}

says() {
	case $out in
	*"$1"*) ;;
	*) bad "'$1' expected, but: $out" ;;
	esac
}

two_cases='echo "[==========] Running 2 test(s)."
echo "[ RUN      ] test_a"; echo "[       OK ] test_a"'

project
add plain low 'exit 0'
add cases low "$two_cases; echo '[ RUN      ] test_b'; echo '[       OK ] test_b'"
ends 0 '3 passed, 0 failed, 0 skipped'
ends 0 '2 passed, 0 failed, 0 skipped' --only low/cases
ends 1 '0 passed, 1 failed, 0 skipped' --only high
says 'rooms: low'

add lacks low 'echo "skipped: no such tool"; exit 77'
add inner low "$two_cases; echo '[ RUN      ] test_b'; echo 'skipped: no data'; echo '[  SKIPPED ] test_b'"
add partly high 'echo "skipped: one of two peers"; exit 0'
add slowly 'slow high' 'exit 1'
add corpus 'fuzz low/part' 'exit 0'
ends 0 '6 passed, 0 failed, 3 skipped'
says 'skipped: low/lacks: no such tool'
says 'skipped: low/inner: test_b: no data'
says 'skipped: high/partly: one of two peers'
ends 1 '0 passed, 1 failed, 0 skipped' --slow
says 'failed: high/slowly'
ends 0 '1 passed, 0 failed, 0 skipped' --only low/part/corpus
ends 0 '1 passed, 0 failed, 0 skipped' --only low/part

project
add plain low 'exit 0'
add fails low 'echo what went wrong; exit 3'
ends 1 '1 passed, 1 failed, 0 skipped'
says 'what went wrong'
says 'failed: low/fails: fail, exit status 3'

project
add silent low 'exit 77'
ends 1 '0 passed, 1 failed, 0 skipped'
says 'skipped without a line'

project
add none low 'echo "[==========] Running 0 test(s)."; exit 0'
ends 1 '0 passed, 1 failed, 0 skipped'
says 'ran no case'

project
add inner low "$two_cases; echo '[ RUN      ] test_b'; echo '[  FAILED  ] test_b'; exit 1"
ends 1 '1 passed, 1 failed, 0 skipped'
says 'low/inner: test_b: failed'

project
add died low "$two_cases; echo '[ RUN      ] test_b'; kill -SEGV \$\$"
ends 1 '1 passed, 1 failed, 0 skipped'
says 'low/died: test_b: died'

project
add short low "$two_cases; exit 0"
ends 1 '1 passed, 1 failed, 0 skipped'
says 'ran 1 of 2 cases'

project
add leak low "$two_cases; echo '[ RUN      ] test_b'; echo '[       OK ] test_b'; exit 23"
ends 1 '2 passed, 1 failed, 0 skipped'
says 'low/leak: fail, exit status 23'

project
add hangs low 'sleep 60'
ends 1 '0 passed, 1 failed, 0 skipped'
says 'not finished after'

project
add itself high 'echo ok a; echo ok b; echo "skipped: c: no tool"; echo "2 passed, 0 failed, 1 skipped"'
add all_skipped high 'echo "skipped: c: no tool"; echo "0 passed, 0 failed, 1 skipped"; exit 77'
ends 0 '2 passed, 0 failed, 2 skipped'
says 'skipped: high/itself: c: no tool'
add itself_bad high 'echo ok a; echo FAILED b; echo "1 passed, 1 failed, 0 skipped"; exit 1'
add itself_none high 'echo "0 passed, 0 failed, 0 skipped"'
add itself_mute high 'echo "1 passed, 0 failed, 1 skipped"'
add itself_died high 'echo "1 passed, 0 failed, 0 skipped"; exit 23'
ends 1 '5 passed, 4 failed, 2 skipped'
says 'failed: high/itself_bad: b: failed'
says 'failed: high/itself_none: ran no case'
says 'failed: high/itself_mute: 1 skipped, but only 0 say why'
says 'failed: high/itself_died: fail, exit status 23'

project
echo "nonsense(" >>meson.build
ends 1 '0 passed, 1 failed, 0 skipped'
says 'failed: build'

[ $n_bad = 0 ] || exit 1
echo "check counts what passed, failed and was skipped"
