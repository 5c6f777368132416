#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each check of the house passes on a small good tree and fails on a bad one, with the words that help, and
# when the tool it needs is missing. $SOURCE: the project.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n_bad=0

bad() {
	echo "FAILED: $*"
	n_bad=$((n_bad + 1))
}

# A tree that every check accepts.
make_good() {
	tree=$tmp/tree
	rm -rf "$tree"
	mkdir -p "$tree/src/low" "$tree/src/high" "$tree/tools" "$tree/tests"
	cp "$SOURCE/.clang-format" "$tree/"
	printf '# path and reason\n' >"$tree/tools/large.txt"
	printf '# rooms\nlow:\nhigh: low\n' >"$tree/tools/layers.txt"
	cat >"$tree/src/low/low.h" <<'EOF'
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** Return one; a URL in a comment is fine: https://example.org. */
int low_one(void);
EOF
	cat >"$tree/src/low/low.c" <<'EOF'
/* SPDX-License-Identifier: Apache-2.0 */
#include "low/low.h"

int low_one(void)
{
	const char *url = "https://example.org";
	return url[0] == 'h';
}
EOF
	cat >"$tree/src/high/high.c" <<'EOF'
/* SPDX-License-Identifier: Apache-2.0 */
#include "low/low.h"

int high_two(void)
{
	return low_one() + low_one();
}
EOF
}

# passes CHECK
passes() {
	out=$("$SOURCE/tools/$1" "$tmp/tree" 2>&1) || bad "$1 refuses a good tree: $out"
}

# fails CHECK WORDS...: it exits with 1 and says WORDS
fails() {
	check=$1
	shift
	out=$("$SOURCE/tools/$check" "$tmp/tree" 2>&1)
	r=$?
	[ $r = 1 ] || bad "$check: exit status $r where 1 was expected ($*): $out"
	case $out in
	*"$*"*) ;;
	*) bad "$check does not say '$*' but: $out" ;;
	esac
	make_good
}

# lacks CHECK TOOL...: it fails when TOOL is not installed
lacks() {
	check=$1
	shift
	mkdir -p "$tmp/bin"
	rm -f "$tmp/bin"/*
	for tool in sh dirname awk sort find grep sed head tr wc xargs env python3 git; do
		path=$(command -v $tool) && ln -s "$path" "$tmp/bin/$tool"
	done
	out=$(PATH=$tmp/bin "$SOURCE/tools/$check" "$tmp/tree" 2>&1)
	r=$?
	[ $r != 0 ] || bad "$check passes without $1"
	case $out in
	*missing*) ;;
	*) bad "$check does not say that $1 is missing: $out" ;;
	esac
}

# empties CHECK: a tree without sources is a failure: the check looked at nothing
empties() {
	mkdir -p "$tmp/empty/src" "$tmp/empty/tools"
	cp "$tmp/tree/tools"/*.txt "$tmp/empty/tools/"
	out=$("$SOURCE/tools/$1" "$tmp/empty" 2>&1) && bad "$1 passes on a tree without sources: $out"
}

make_good
for check in contracts format headers layers size words; do
	passes check-$check
done
for check in contracts format headers layers size; do
	empties check-$check
done
lacks check-size ctags
lacks check-format clang-format
lacks check-headers cc

# contracts: none; one for two; a blank line between; a plain comment; a contract of something else
printf '\nint low_two(void);\n' >>"$tmp/tree/src/low/low.h"
fails check-contracts 'src/low/low.h:7: no contract: int low_two'
printf '\n/** Both. */\nint low_two(void);\nint low_three(void);\n' >>"$tmp/tree/src/low/low.h"
fails check-contracts 'low.h:9: no contract: int low_three'
printf '\n/** Apart. */\n\nint low_two(void);\n' >>"$tmp/tree/src/low/low.h"
fails check-contracts 'no contract: int low_two'
printf '\n/* Plain. */\nint low_two(void);\n' >>"$tmp/tree/src/low/low.h"
fails check-contracts 'no contract: int low_two'
printf '\n#define LOW 1 /* low */\nint low_two(int a,\n        int b);\n' >>"$tmp/tree/src/low/low.h"
fails check-contracts 'no contract: int low_two'
printf '\n/**\n * Long.\n *\n * Returns: 0\n */\nint low_two(int a,\n        int b);\n\nstatic inline int low_3(void)\n{\n\treturn 3;\n}\n' >>"$tmp/tree/src/low/low.h"
passes check-contracts
make_good

# layers: upward, an unknown room, a path that is not a room's
printf '#include "high/high.h"\n' >>"$tmp/tree/src/low/low.c"
fails check-layers 'low may not include high/'
mkdir "$tmp/tree/src/odd" && cp "$tmp/tree/src/high/high.c" "$tmp/tree/src/odd/odd.c"
fails check-layers 'room odd/ has no row'
printf '#  include "../low/low.h"\n' >>"$tmp/tree/src/high/high.c"
fails check-layers 'is not "room/file.h"'
printf '#include "low.h"\n' >>"$tmp/tree/src/low/low.c"
fails check-layers 'is not "room/file.h"'

# sizes: a function of 61 lines, a file of 801, a row without a reason or without need
long_function() {
	printf '\nint low_long(int a)\n{\n'
	i=0
	while [ $i -lt "$1" ]; do
		printf '\ta++;\n'
		i=$((i + 1))
	done
	printf '\treturn a;\n}\n'
}
long_function 56 >>"$tmp/tree/src/low/low.c"
passes check-size
make_good
long_function 57 >>"$tmp/tree/src/low/low.c"
fails check-size 'low.c:low_long: 61 lines'
long_function 57 >>"$tmp/tree/src/low/low.c"
echo 'src/low/low.c:low_long the protocol is a list of 57 steps' >>"$tmp/tree/tools/large.txt"
passes check-size
echo 'src/low/low.c:low_long' >"$tmp/tree/tools/large.txt"
fails check-size 'no reason given'
echo 'src/low/low.c:low_one once was long' >>"$tmp/tree/tools/large.txt"
fails check-size 'is not too long any more'
awk 'BEGIN { for (i = 0; i < 801; i++) print "/* line */" }' >"$tmp/tree/src/low/many.c"
fails check-size 'src/low/many.c: 801 lines'

# format
printf 'int   low_two( void ) { return 2; }\n' >>"$tmp/tree/src/low/low.c"
fails check-format 'src/low/low.c'

# headers
printf '\n/** Uses what it does not include. */\nsize_t low_size(void);\n' >>"$tmp/tree/src/low/low.h"
fails check-headers 'src/low/low.h does not compile alone'

# words; the bad ones are put together here so that this file stays clean itself
slashes=/
slashes=$slashes/
printf 'int low_two; %s not ready\n' $slashes >>"$tmp/tree/src/low/low.c"
fails check-words "a $slashes comment"
printf 'int low_two;\n' >"$tmp/tree/src/low/bare.c"
fails check-words 'src/low/bare.c:1: no '
printf '#!/bin/sh\ntrue\n' >"$tmp/tree/tools/bare"
fails check-words 'tools/bare:1: no '
printf 'see %s/build\n' "$(cd "$tmp/tree" && pwd -P)" >"$tmp/tree/README.md"
fails check-words 'README.md:1: a path of this machine'

[ $n_bad = 0 ] || exit 1
echo "every check passes what is good and fails what is bad"
