/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "oracle.h"

extern char **environ;

static const char *const dpkg_argv[] = {
	"sh",
	"-c",
	"command -v dpkg >/dev/null || exit 77\n"
	"tab=$(printf '\\t')\n"
	"while IFS=\"$tab\" read -r a b; do\n"
	"  if e=$(dpkg --compare-versions \"$a\" lt \"$b\" 2>&1); then s='<'\n"
	"  elif dpkg --compare-versions \"$a\" eq \"$b\" 2>/dev/null; then s='='\n"
	"  else s='>'; fi\n"
	"  [ -z \"$e\" ] || s='?'\n"
	"  echo \"$s\"\n"
	"done\n",
	NULL,
};
const struct native native_dpkg = { "dpkg", dpkg_argv };

static const char *const rpm_argv[] = {
	"rpm",
	"--eval",
	"%{lua: local sign = { [-1] = '<', [0] = '=', [1] = '>' }\n"
	"for line in io.lines() do\n"
	"  local at = line:find('\\t', 1, true)\n"
	"  print(sign[rpm.vercmp(line:sub(1, at - 1), line:sub(at + 1))])\n"
	"end}",
	NULL,
};
const struct native native_rpm = { "rpm", rpm_argv };

static const char *const packaging_argv[] = {
	"python3",
	"-c",
	"import sys\n"
	"try:\n"
	"    from pip._vendor.packaging.version import Version, InvalidVersion\n"
	"except ImportError:\n"
	"    try:\n"
	"        from packaging.version import Version, InvalidVersion\n"
	"    except ImportError:\n"
	"        sys.exit(77)\n"
	"for line in sys.stdin:\n"
	"    a, b = line.rstrip('\\n').split('\\t')\n"
	"    try:\n"
	"        a, b = Version(a), Version(b)\n"
	"        print('<' if a < b else '>' if a > b else '=')\n"
	"    except InvalidVersion:\n"
	"        print('?')\n",
	NULL,
};
const struct native native_packaging = { "python packaging", packaging_argv };

static const char *const npm_argv[] = {
	"node",
	"-e",
	"const fs = require('fs'), path = require('path');\n"
	"const lib = path.join(path.dirname(process.execPath), '../lib/node_modules');\n"
	"let semver;\n"
	"for (const at of [path.join(lib, 'npm/node_modules/semver'), '/usr/share/nodejs/semver',\n"
	"    '/usr/share/npm/node_modules/semver', 'semver']) {\n"
	"  try { semver = semver || require(at); } catch (e) { }\n"
	"}\n"
	"if (!semver) process.exit(77);\n"
	"for (const line of fs.readFileSync(0, 'utf8').split('\\n')) {\n"
	"  if (line === '') continue;\n"
	"  const [a, b] = line.split('\\t');\n"
	"  try { console.log('<=>'[semver.compare(a, b, { loose: true }) + 1]); }\n"
	"  catch (e) { console.log('?'); }\n"
	"}\n",
	NULL,
};
const struct native native_npm = { "node with npm's semver", npm_argv };

/* Run with `in` as its input; its messages are dropped. Returns the exit code. */
static int run(const char *const *argv, int in, struct buf *out)
{
	posix_spawn_file_actions_t actions;
	int pipe_fd[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	int r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fd[1]);
	if (r != 0) {
		close(pipe_fd[0]);
		return 127;
	}
	char part[4096];
	for (ssize_t n; (n = read(pipe_fd[0], part, sizeof(part))) > 0;)
		buf_add(out, (str){ part, (size_t)n });
	close(pipe_fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int native_answer(const struct native *native, str lines, struct buf *out)
{
	autobuf text = BUF(8u << 20);
	FILE *in = tmpfile();
	assert_non_null(in);
	assert_int_equal(fwrite(lines.p, 1, lines.n, in), lines.n);
	assert_int_equal(fflush(in), 0);
	assert_int_equal(lseek(fileno(in), 0, SEEK_SET), 0);
	int r = run(native->argv, fileno(in), &text);
	fclose(in);
	if (r == 77 || r == 127)
		return -1;

	assert_int_equal(r, 0);
	/* Not by lines: rpm prints them all into one. */
	for (size_t i = 0; i < text.n; i++) {
		if (strchr("<=>?", text.p[i]))
			buf_add_byte(out, text.p[i]);
	}
	assert_false(buf_failed(&text) || buf_failed(out));
	return 0;
}

bool oracle_read(const char *table, struct buf *out)
{
	const char *shared = getenv("SONDE_SHARED");
	char path[1024];

	snprintf(path, sizeof(path), "%s/oracles/versions/%s", shared ? shared : SHARED, table);
	if (access(path, F_OK) != 0) {
		printf("skipped: %s\n", path);
		return false;
	}
	assert_int_equal(fs_read(AT_FDCWD, path, out, NULL), 0);
	return true;
}

/* The rows that we answer otherwise: does the tool answer as we do? */
static unsigned decide(
        const struct scheme *scheme, const struct native *native, const char *table, str rows)
{
	autobuf pairs = BUF(8u << 20), ours = BUF(1u << 20), theirs = BUF(1u << 20);
	str rest = rows, line;
	while (str_next_line(&rest, &line)) {
		str a = { 0 }, op = { 0 }, b = { 0 };
		assert_true(
		        str_split_first(line, '\t', &a, &b) && str_split_first(b, '\t', &op, &b));
		buf_printf(&pairs, STR_FMT "\t" STR_FMT "\n", STR_ARG(a), STR_ARG(b));
		buf_add(&ours, str_from_c(order_sign(version_compare(scheme, a, b))));
	}
	if (native_answer(native, buf_str(&pairs), &theirs) < 0) {
		printf("skipped: %s, to decide %zu rows of %s\n", native->name, ours.n, table);
		skip();
	}
	assert_int_equal(theirs.n, ours.n);

	unsigned n_bad = 0;
	rest = rows;
	for (size_t i = 0; str_next_line(&rest, &line); i++) {
		if (ours.p[i] == theirs.p[i])
			continue;
		n_bad++;
		fprintf(stderr, "%s: " STR_FMT ": we say %c, %s says %c\n", table, STR_ARG(line),
		        ours.p[i], native->name, theirs.p[i]);
	}
	printf("%s: %zu rows differ, as %s does in all but %u\n", table, ours.n, native->name,
	        n_bad);
	return n_bad;
}

unsigned oracle_check(const char *scheme_name, enum check_kind kind, const char *table,
        const struct native *native)
{
	autobuf text = BUF(4u << 20), odd = BUF(4u << 20);
	const struct scheme *scheme = scheme_find(str_from_c(scheme_name));
	unsigned n_rows = 0, n_bad = 0;

	assert_non_null(scheme);
	assert_int_equal(check_supports(scheme, kind, NULL), 0);
	if (!oracle_read(table, &text))
		skip();

	str rest = buf_str(&text), line;
	while (str_next_line(&rest, &line)) {
		struct err err = { 0 };
		enum check_result r = check_line(scheme, kind, line, &err);
		n_rows += r != CHECK_NOTHING;
		if (r != CHECK_FAIL)
			continue;
		if (native) {
			buf_printf(&odd, STR_FMT "\n", STR_ARG(line));
			continue;
		}
		n_bad++;
		fprintf(stderr, "%s: %s\n", table, err.text);
	}
	assert_true(n_rows > 0);
	if (odd.n > 0)
		n_bad += decide(scheme, native, table, buf_str(&odd));
	return n_bad;
}

unsigned random_below(uint64_t *state, unsigned n)
{
	/* xorshift64 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)(*state >> 33) % n;
}

static void add_version(
        struct buf *out, uint64_t *state, const char *const *pieces, size_t n_pieces)
{
	for (unsigned n = 1 + random_below(state, 6); n > 0; n--)
		buf_add(out, str_from_c(pieces[random_below(state, (unsigned)n_pieces)]));
}

/* Every third pair shares its beginning, so that the ends decide. */
static void add_pair(struct buf *out, uint64_t *state, const char *const *pieces, size_t n_pieces)
{
	autobuf head = BUF(4096);
	if (random_below(state, 3) == 0)
		add_version(&head, state, pieces, n_pieces);
	else
		buf_printf(&head, "%u.%u.%u", random_below(state, 3), random_below(state, 11),
		        random_below(state, 3));
	buf_add(out, buf_str(&head));
	if (random_below(state, 8) > 0)
		add_version(out, state, pieces, n_pieces);
	buf_add_byte(out, '\t');
	buf_add(out, buf_str(&head));
	add_version(out, state, pieces, n_pieces);
	buf_add_byte(out, '\n');
}

unsigned oracle_check_pairs(const char *scheme_name, const struct native *native, uint64_t seed,
        const char *const *pieces, size_t n_pieces, unsigned n_pairs)
{
	autobuf pairs = BUF(8u << 20), theirs = BUF(1u << 20);
	const struct scheme *scheme = scheme_find(str_from_c(scheme_name));
	unsigned n_bad = 0, n_ordered = 0;
	uint64_t state = seed;

	for (unsigned i = 0; i < n_pairs; i++)
		add_pair(&pairs, &state, pieces, n_pieces);
	if (native_answer(native, buf_str(&pairs), &theirs) < 0) {
		printf("skipped: %s\n", native->name);
		skip();
	}
	assert_int_equal(theirs.n, n_pairs);

	str rest = buf_str(&pairs), line, a = { 0 }, b = { 0 };
	for (size_t i = 0; str_next_line(&rest, &line); i++) {
		assert_true(str_split_first(line, '\t', &a, &b));
		char ours = *order_sign(version_compare(scheme, a, b));
		n_ordered += theirs.p[i] != '?';
		if (theirs.p[i] == '?' || ours == theirs.p[i])
			continue;
		n_bad++;
		fprintf(stderr, "'" STR_FMT "' " STR_FMT "': we say %c, %s says %c\n", STR_ARG(a),
		        STR_ARG(b), ours, native->name, theirs.p[i]);
	}
	printf("%s: %u pairs, %u of them ordered by %s\n", scheme->name, n_pairs, n_ordered,
	        native->name);
	assert_true(n_ordered > n_pairs / 10);
	return n_bad;
}
