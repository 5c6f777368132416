#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# scripts/install-deps against package managers that only note what they are asked for. $SOURCE: the project.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n_bad=0

bad() {
	echo "FAILED: $*"
	n_bad=$((n_bad + 1))
}

says() {
	case $out in
	*"$1"*) ;;
	*) bad "'$1' expected, but: $out" ;;
	esac
}

bin=$tmp/bin
mkdir "$bin"
for tool in sh dirname awk sed tr head tail cat grep id; do
	ln -s "$(command -v $tool)" "$bin/$tool"
done
export PATH="$bin" SONDE_DEPS="$tmp/deps.txt"
run() {
	out=$("$SOURCE/scripts/install-deps" "$@" 2>&1)
	r=$?
}
# A tool that notes its arguments and, when asked to install tool-x, brings the command x.
manager() {
	cat >"$bin/$1" <<EOF
#!/bin/sh
echo "$1 \$*" >>"$tmp/calls"
for word; do
	case \$word in
	pkg-absent) exit 100 ;;
	pkg-*) printf '#!/bin/sh\n' >"$bin/\${word#pkg-}"; /bin/chmod +x "$bin/\${word#pkg-}" ;;
	esac
done
EOF
	/bin/chmod +x "$bin/$1"
}
as_root() {
	/bin/rm -f "$bin/id"
	printf '#!/bin/sh\necho %s\n' "$1" >"$bin/id"
	/bin/chmod +x "$bin/id"
}
calls() {
	calls=$(cat "$tmp/calls" 2>/dev/null)
	: >"$tmp/calls"
}
as_root 0

cat >"$tmp/deps.txt" <<'EOF'
# a comment
build cmd:one      pkg-one   pkg-one  pkg-one
test  cmd:two|zwei pkg-two   pkg-zwei -
EOF

run --check
[ $r = 1 ] || bad "--check with things missing: exit status $r"
says 'missing: one, two|zwei'
run --check build
says 'missing: one'
run --check --quiet
[ "$r$out" = 1 ] || bad "--quiet: exit status $r and words: $out"

run
[ $r = 1 ] || bad "no package manager: exit status $r"
says 'install by hand'

# apt: an unknown package makes it fetch the lists first; afterwards nothing is missing, and nothing is done
manager apt-get
printf '#!/bin/sh\nexit 0\n' >"$bin/apt-cache"
/bin/chmod +x "$bin/apt-cache"
run
[ $r = 0 ] || bad "apt: exit status $r: $out"
calls
case $calls in
*'apt-get -q update'*'install -y --no-install-recommends pkg-one pkg-two'*) ;;
*) bad "apt was asked: $calls" ;;
esac
run
[ $r = 0 ] || bad "second run: exit status $r"
calls
[ -z "$calls" ] || bad "a second run asks again: $calls"
run --check
[ $r = 0 ] || bad "--check with all there: exit status $r"

# the alternative name of a command is enough
/bin/mv "$bin/two" "$bin/zwei"
run --check
[ $r = 0 ] || bad "an alternative command is not seen"

# a package that cannot be had is a failure with a sentence
echo 'build cmd:three pkg-absent pkg-absent pkg-absent' >>"$tmp/deps.txt"
run
[ $r = 1 ] || bad "a failing apt-get: exit status $r"
says 'apt-get could not install: pkg-absent'
echo 'build cmd:three' >"$tmp/deps.txt"
run
[ $r = 1 ] || bad "a short row: exit status $r"
says 'a row has five words'
calls

# not root and no sudo
echo 'build cmd:four pkg-four pkg-four pkg-four' >"$tmp/deps.txt"
as_root 1000
run
[ $r = 1 ] || bad "not root: exit status $r"
says 'not root and has no sudo'
as_root 0

# dnf, zypper: their own names; what has none is said
/bin/rm "$bin/apt-get" "$bin/zwei"
cat >"$tmp/deps.txt" <<'EOF'
build cmd:five      x-five   pkg-five x-five
test  cmd:two|zwei  pkg-two  pkg-zwei -
EOF
manager dnf
run
[ $r = 0 ] || bad "dnf: exit status $r: $out"
calls
case $calls in
*'dnf install -y pkg-five pkg-zwei'*) ;;
*) bad "dnf was asked: $calls" ;;
esac
/bin/rm "$bin/dnf" "$bin/zwei" "$bin/five"
sed -i 's/x-five$/pkg-five/' "$tmp/deps.txt"
manager zypper
run
[ $r = 0 ] || bad "zypper: exit status $r: $out"
says 'no package is known here for: cmd:two'
calls
case $calls in
*'install --no-recommends pkg-five'*) ;;
*) bad "zypper was asked: $calls" ;;
esac

# the real table: five words in each row, and every library that the build asks for has its row
PATH=/usr/local/bin:/usr/bin:/bin
export PATH
names=$(grep -rhoE "dependency\('[^']+'" "$SOURCE/meson.build" "$SOURCE/src" "$SOURCE/tests" --include=meson.build |
	sed "s/.*'\(.*\)'/\1/" | sort -u)
[ -n "$names" ] || bad "no dependency() found"
for name in $names; do
	[ "$name" = threads ] && continue
	grep -qE "pkg:$name " "$SOURCE/scripts/deps.txt" || bad "scripts/deps.txt has no row pkg:$name"
done
awk '!/^#/ && NF && NF != 5 { print FILENAME ":" FNR ": " NF " words"; bad = 1 } END { exit bad }' \
	"$SOURCE/scripts/deps.txt" || bad "scripts/deps.txt"

[ $n_bad = 0 ] || exit 1
echo "install-deps asks for what is missing and for nothing else"
