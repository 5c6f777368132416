/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "tree.h"

#define STATUS "/var/lib/dpkg/status"

extern const struct reader reader_deb;

static const char *shared(void)
{
	const char *folder = getenv("SONDE_SHARED");
	return folder ? folder : SHARED;
}

static void read_file(const char *path, struct buf *out)
{
	struct err err = { 0 };
	assert_int_equal(fs_read(AT_FDCWD, path, out, &err), 0);
}

/* What a command prints. False when there is no such command. */
static bool run(const char *command, struct buf *out)
{
	FILE *f = popen(command, "re");
	assert_non_null(f);
	for (int c; (c = getc(f)) != EOF;)
		buf_add_byte(out, (char)c);
	int status = pclose(f);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

/* The lines of `text`, sorted in place of their order. */
static str *sort_lines(str text, struct arena *arena, size_t *ret_n)
{
	size_t n = 0;
	str rest = text;
	for (str line; str_next_line(&rest, &line);)
		n++;
	str *lines = arena_alloc(arena, n + 1, sizeof(*lines));
	assert_non_null(lines);
	n = 0;
	for (str line; str_next_line(&text, &line);)
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), by_bytes);
	*ret_n = n;
	return lines;
}

static void assert_same_lines(str expected, str got)
{
	struct arena arena = ARENA((size_t)64 << 20);
	size_t n_expected, n_got;
	str *a = sort_lines(expected, &arena, &n_expected);
	str *b = sort_lines(got, &arena, &n_got);
	for (size_t i = 0; i < n_expected && i < n_got; i++) {
		if (!str_eq(a[i], b[i]))
			fail_msg(
			        "expected " STR_FMT "\ngot " STR_FMT, STR_ARG(a[i]), STR_ARG(b[i]));
	}
	assert_int_equal(n_expected, n_got);
	arena_fini(&arena);
}

static void test_deb__agrees_with_dpkg_query_on_this_machine(void **state)
{
	/* dpkg-query's own words for the states in which files are on disk */
	static const char command[] =
	        "dpkg-query -W -f '${db:Status-Status}\\t${Package}\\t${Version}\\t${Architecture}"
	        "\\t${source:Package}\\t${source:Version}\\n' 2>/dev/null |"
	        " grep -v '^config-files' | grep -v '^not-installed' | cut -f2-";
	struct tree tree = TREE;
	autobuf expected = BUF((size_t)64 << 20);
	autobuf got = BUF((size_t)64 << 20);
	(void)state;
	if (access(STATUS, R_OK) != 0 || !run("command -v dpkg-query", &expected)) {
		print_message("skipped: dpkg-query and its database\n");
		skip();
	}
	buf_clear(&expected);
	assert_true(run(command, &expected));
	assert_int_equal(tree_scan(&tree, "/", "deb", "/var/lib/dpkg"), 0);
	for (size_t i = 0; i < tree.n_packages; i++) {
		const struct package *p = &tree.packages[i];
		str source = p->source_name.n ? p->source_name : p->name;
		str source_version = p->source_version.n ? p->source_version : p->version;
		buf_printf(&got, STR_FMT "\t" STR_FMT "\t" STR_FMT "\t" STR_FMT "\t" STR_FMT "\n",
		        STR_ARG(p->name), STR_ARG(p->version), STR_ARG(p->arch), STR_ARG(source),
		        STR_ARG(source_version));
	}
	print_message("%zu packages\n", tree.n_packages);
	assert_true(tree.n_packages > 0);
	assert_same_lines(buf_str(&expected), buf_str(&got));
	tree_fini(&tree);
}

static uint64_t n_wanted;

static int count_wanted(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	autobuf text = BUF((size_t)64 << 20);
	(void)st, (void)ftw;
	if (type != FTW_F || !str_has_suffix(str_from_c(path), STR(".list")))
		return 0;
	read_file(path, &text);
	str rest = buf_str(&text);
	for (str line; str_next_line(&rest, &line);)
		n_wanted += inventory_is_metadata(line);
	return 0;
}

static void test_deb__passes_on_every_listed_metadata_file_of_this_machine(void **state)
{
	struct tree tree = TREE;
	uint64_t n = 0;
	(void)state;
	if (access(STATUS, R_OK) != 0) {
		print_message("skipped: " STATUS "\n");
		skip();
	}
	n_wanted = 0;
	assert_int_equal(nftw("/var/lib/dpkg/info", count_wanted, 16, FTW_PHYS), 0);
	assert_int_equal(tree_scan(&tree, "/", "deb", "/var/lib/dpkg"), 0);
	str rest = buf_str(&tree.owned);
	for (str line; str_next_line(&rest, &line);)
		n++;
	print_message("%llu owned metadata files\n", (unsigned long long)n);
	assert_int_equal(n, n_wanted);
	tree_fini(&tree);
}

/*
 * Where we differ from what the other projects' own tests expect of their files.
 *
 * `missing` and `extra` are the names that only they or only we report; `cut_version` means that
 * their row has the version without epoch and Debian revision.
 */
static const struct difference {
	const char *path, *missing, *extra;
	bool cut_version;
	const char *why;
} differences[] = {
	{ "scalibr/os/dpkg/dpkg/statusfield", " wantdeinstall_configfiles wantnostatus ", " ",
	        false, "their rows are of the setting that includes what is not installed" },
	{ "trivy/analyzer/pkg/dpkg/md5sums.txtar", " ", " ", true,
	        "they part version and release" },
	{ "trivy/analyzer/pkg/dpkg/digest.txtar", " ", " ", true, "they part version and release" },
	{ "trivy/analyzer/pkg/dpkg/corrupsed.txtar", " ", " ", true,
	        "they part version and release" },
	{ "scancode/debian/dsc_files/adduser_3.118+deb11u1.dsc", " adduser ", " ", false,
	        "a source package's description is no record of an installed one" },
	{ "scancode/debian/files-md5sums/mokutil.md5sums", " mokutil ", " ", false,
	        "a list of digests is no record, and the row has no version" },
	{ "scancode/debian/debian-container-layer.tar.xz", " libncurses5 libndp0 ", " ", false,
	        "an archive; its content is the case scancode-rootfs/debian-container-layer" },
};

static const struct difference *find_difference(str path)
{
	static const struct difference none = { "", " ", " ", false, "" };
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
		if (str_eq(path, str_from_c(differences[i].path)))
			return &differences[i];
	}
	return &none;
}

static bool is_listed(const char *names, str name)
{
	char word[300];
	assert_true(snprintf(word, sizeof(word), " " STR_FMT " ", STR_ARG(name)) < 300);
	return strstr(names, word) != NULL;
}

/* Stages a file or a folder where the table suggests and reads it. */
static void scan_row(struct tree *tree, str path, str as)
{
	char full[4096], at[512];
	struct stat st;
	assert_true(snprintf(full, sizeof(full), "%s/fixtures/dpkg/" STR_FMT, shared(),
	                    STR_ARG(path)) < 4096);
	assert_int_equal(stat(full, &st), 0);
	if (S_ISDIR(st.st_mode)) {
		assert_int_equal(tree_scan(tree, full, "deb", NULL), 0);
		return;
	}
	autobuf bytes = BUF((size_t)64 << 20);
	read_file(full, &bytes);
	str name = str_basename(path);
	if (!str_eq(as, STR("-")))
		(void)snprintf(at, sizeof(at), "/" STR_FMT, STR_ARG(as));
	else if (str_eq(name, STR("status")))
		(void)snprintf(at, sizeof(at), STATUS);
	else
		(void)snprintf(at, sizeof(at), "/var/lib/dpkg/status.d/" STR_FMT, STR_ARG(name));
	assert_int_equal(
	        inventory_select(str_dirname(str_from_c(at)), str_basename(str_from_c(at))), 0);
	(void)tree_read_bytes(tree, at, buf_str(&bytes), &reader_deb);
}

static bool same_version(str ours, str theirs, bool cut)
{
	str epoch, release;
	if (str_eq(ours, theirs))
		return true;
	if (!cut)
		return false;
	(void)str_split_first(ours, ':', &epoch, &ours);
	(void)str_split_last(ours, '-', &ours, &release);
	return str_eq(ours, theirs);
}

struct row {
	str name, version, path, as;
};

static void compare_rows(const struct row *rows, size_t n, size_t *n_explained)
{
	const struct difference *difference = find_difference(rows[0].path);
	struct tree tree = TREE;
	bool used[64] = { false };
	scan_row(&tree, rows[0].path, rows[0].as);
	assert_true(tree.n_packages < 64);
	for (size_t i = 0; i < n; i++) {
		bool found = false;
		for (size_t j = 0; j < tree.n_packages && !found; j++) {
			found = !used[j] && str_eq(tree.packages[j].name, rows[i].name) &&
			        same_version(tree.packages[j].version, rows[i].version,
			                difference->cut_version);
			used[j] = used[j] || found;
		}
		bool explained = is_listed(difference->missing, rows[i].name);
		*n_explained += explained || (found && difference->cut_version);
		if (found == explained)
			fail_msg(STR_FMT ": " STR_FMT " " STR_FMT " is %s", STR_ARG(rows[i].path),
			        STR_ARG(rows[i].name), STR_ARG(rows[i].version),
			        found ? "found after all" : "missing");
	}
	for (size_t j = 0; j < tree.n_packages; j++) {
		if (!used[j] && !is_listed(difference->extra, tree.packages[j].name))
			fail_msg(STR_FMT ": " STR_FMT " is not expected", STR_ARG(rows[0].path),
			        STR_ARG(tree.packages[j].name));
	}
	tree_fini(&tree);
}

static void test_deb__agrees_with_the_fixtures_of_others(void **state)
{
	static struct row rows[1000];
	char path[4096];
	size_t n = 0, n_paths = 0, n_explained = 0;
	autobuf text = BUF((size_t)4 << 20);
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/fixtures/dpkg/expected.tsv", shared());
	if (access(path, R_OK) != 0) {
		print_message("skipped: %s\n", path);
		skip();
	}
	read_file(path, &text);
	str rest = buf_str(&text);
	for (str line; n < 1000 && str_next_line(&rest, &line);) {
		str f[7], tail = line;
		if (str_has_prefix(line, STR("#")))
			continue;
		for (int i = 0; i < 6; i++)
			assert_true(str_split_first(tail, '\t', &f[i], &tail));
		rows[n++] = (struct row){ f[1], f[2], f[3], f[5] };
	}
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && str_eq(rows[end].path, rows[i].path);)
			end++;
		compare_rows(rows + i, end - i, &n_explained);
		n_paths++;
	}
	print_message("%zu rows of %zu files, %zu explained\n", n, n_paths, n_explained);
	assert_true(n > 40);
}

/* Whatever the file, the reader says something or there is nothing to say. */
static int read_as_status(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct tree tree = TREE;
	autobuf bytes = BUF((size_t)64 << 20);
	(void)st, (void)ftw;
	if (type != FTW_F)
		return 0;
	read_file(path, &bytes);
	int r = tree_read_bytes(&tree, STATUS, buf_str(&bytes), &reader_deb);
	assert_true(r == 0 || tree.errors.n > 0);
	if (tree.n_packages + tree.notes.n + tree.errors.n == 0 && str_trim(buf_str(&bytes)).n > 0)
		fail_msg("%s: read in silence", path);
	tree_fini(&tree);
	return 0;
}

static void test_deb__says_something_of_every_file_of_others(void **state)
{
	char path[4096];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/fixtures/dpkg", shared());
	if (access(path, R_OK) != 0) {
		print_message("skipped: %s\n", path);
		skip();
	}
	assert_int_equal(nftw(path, read_as_status, 16, FTW_PHYS), 0);
}

#define RECORD(name, version)                                                                      \
	"Package: " name "\nStatus: install ok installed\nVersion: " version                       \
	"\nMaintainer: Team <team@example.org>\n\n"

static void test_deb__takes_the_maintainer_for_the_vendor(void **state)
{
	struct tree tree = TREE;
	(void)state;
	assert_int_equal(tree_read_bytes(&tree, STATUS, STR(RECORD("a", "1")), &reader_deb), 0);
	assert_int_equal(tree.n_packages, 1);
	assert_true(str_eq(tree.packages[0].vendor, STR("Team <team@example.org>")));
	tree_fini(&tree);
}

static void test_deb__a_line_of_any_length_costs_its_record_at_most(void **state)
{
	struct tree tree = TREE;
	autobuf text = BUF((size_t)4 << 20);
	(void)state;
	buf_add(&text, STR(RECORD("before", "1")));
	buf_add(&text,
	        STR("Package: long-depends\nStatus: install ok installed\nVersion: 1\nDepends: "));
	for (int i = 0; i < 100000; i++)
		buf_add(&text, STR("libx, "));
	buf_add(&text, STR("\n\nPackage: long-version\nStatus: install ok installed\nVersion: "));
	for (int i = 0; i < 100000; i++)
		buf_add(&text, STR("1."));
	buf_add(&text, STR("\n\n" RECORD("after", "1")));
	assert_int_equal(tree_read_bytes(&tree, STATUS, buf_str(&text), &reader_deb), 0);
	assert_int_equal(tree.n_packages, 3);
	assert_true(str_eq(tree.packages[1].name, STR("long-depends")));
	assert_true(str_eq(tree.packages[2].name, STR("after")));
	buf_add_byte(&tree.notes, '\0');
	assert_non_null(strstr(tree.notes.p, "Version is more than "));
	tree_fini(&tree);
}

static void test_deb__tells_a_thousand_notes_and_counts_the_rest(void **state)
{
	struct tree tree = TREE;
	autobuf text = BUF((size_t)4 << 20);
	size_t n = 0;
	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_add(&text, STR("no field\n"));
	buf_add(&text, STR(RECORD("a", "1")));
	assert_int_equal(tree_read_bytes(&tree, STATUS, buf_str(&text), &reader_deb), 0);
	assert_int_equal(tree.n_packages, 1);
	str rest = buf_str(&tree.notes);
	for (str line; str_next_line(&rest, &line);)
		n++;
	assert_int_equal(n, 1001);
	buf_add_byte(&tree.notes, '\0');
	assert_non_null(strstr(tree.notes.p, ":0 4001 more notes are not shown"));
	tree_fini(&tree);
}

/* A database whose lists fail, lie or never end. */
struct trouble {
	str status;
	str list;     /* what a list begins with */
	bool endless; /* 'x' follows for ever, in the status when it has no list */
	int open_error, read_error, sink_error;
	size_t arena_bytes;
	struct buf notes;
	unsigned n_packages, n_owned;
	struct err err;
};

#define TROUBLE(text)                                                                              \
	((struct trouble){ .status = STR(text),                                                    \
	        .arena_bytes = (size_t)1 << 20,                                                    \
	        .notes = BUF((size_t)1 << 20) })

static int64_t trouble_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct trouble *trouble = artefact->ctx;
	bool is_list = artefact->size_bytes == 0;
	str bytes = is_list ? trouble->list : trouble->status;
	if (is_list && trouble->read_error < 0)
		return trouble->read_error;
	str part = str_head(str_skip(bytes, (size_t)offset), n);
	if (part.n > 0)
		memcpy(to, part.p, part.n);
	if (!trouble->endless || is_list != (trouble->list.n > 0))
		return (int64_t)part.n;
	memset((char *)to + part.n, 'x', n - part.n);
	return (int64_t)n;
}

static int trouble_sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	const struct trouble *trouble = artefact->ctx;
	if (trouble->open_error < 0)
		return trouble->open_error;
	if (!str_has_suffix(name, STR(".list")))
		return -ENOENT;
	*ret = *artefact;
	ret->size_bytes = 0;
	return 0;
}

static void trouble_close(struct artefact *artefact)
{
	artefact->ctx = NULL;
}

static int trouble_package(void *ctx, const struct package *pkg)
{
	(void)pkg;
	((struct trouble *)ctx)->n_packages++;
	return 0;
}

static void trouble_note(void *ctx, uint64_t where, const char *what)
{
	buf_printf(&((struct trouble *)ctx)->notes, "%llu %s\n", (unsigned long long)where, what);
}

static int trouble_owned(void *ctx, str owner, str path)
{
	struct trouble *trouble = ctx;
	(void)owner, (void)path;
	trouble->n_owned++;
	return trouble->sink_error;
}

static int read_trouble(struct trouble *trouble)
{
	static const struct artefact_ops ops = { trouble_read_at, trouble_sibling, trouble_close };
	struct sink sink = {
		.package = trouble_package,
		.note = trouble_note,
		.owned = trouble_owned,
		.ctx = trouble,
	};
	struct artefact artefact = {
		.path = STR(STATUS), .size_bytes = 1, .ops = &ops, .ctx = trouble
	};
	struct arena arena = ARENA(trouble->arena_bytes);
	int r = reader_deb.read(&artefact, &arena, &sink, &trouble->err);
	buf_add_byte(&trouble->notes, '\0');
	arena_fini(&arena);
	return r;
}

static void test_deb__list_that_fails_is_told(void **state)
{
	struct trouble closed = TROUBLE(RECORD("a", "1") RECORD("b", "1"));
	struct trouble broken = TROUBLE(RECORD("a", "1") RECORD("b", "1"));
	(void)state;
	closed.open_error = -EACCES;
	assert_int_equal(read_trouble(&closed), 0);
	assert_int_equal(closed.n_packages, 2);
	assert_non_null(
	        strstr(closed.notes.p, "1 file list of a: cannot be opened: Permission denied"));
	broken.read_error = -EIO;
	assert_int_equal(read_trouble(&broken), 0);
	assert_int_equal(broken.n_packages, 2);
	assert_non_null(
	        strstr(broken.notes.p, "6 file list of deb b 1: cannot be read: Input/output"));
	buf_fini(&closed.notes);
	buf_fini(&broken.notes);
}

static void test_deb__list_without_end_is_told(void **state)
{
	struct trouble trouble = TROUBLE(RECORD("a", "1") RECORD("b", "1"));
	(void)state;
	trouble.list = STR("/package.json\n");
	trouble.endless = true;
	assert_int_equal(read_trouble(&trouble), 0);
	assert_int_equal(trouble.n_packages, 2);
	assert_int_equal(trouble.n_owned, 1);
	assert_non_null(strstr(trouble.notes.p, "file list of deb a 1: line 2 is too long"));
	assert_non_null(strstr(trouble.notes.p, "the file lists are longer than 536870912 bytes"));
	buf_fini(&trouble.notes);
}

static void test_deb__status_without_end_is_an_error(void **state)
{
	struct trouble trouble = TROUBLE(RECORD("a", "1"));
	(void)state;
	trouble.endless = true;
	trouble.open_error = -ENOENT;
	assert_int_equal(read_trouble(&trouble), -ERR_LIMIT);
	assert_int_equal(trouble.n_packages, 1);
	assert_string_equal(trouble.err.text, "cannot be read after line 6: it is too large");
	buf_fini(&trouble.notes);
}

static void test_deb__stops_when_the_sink_says_so(void **state)
{
	struct trouble trouble = TROUBLE(RECORD("a", "1") RECORD("b", "1"));
	(void)state;
	trouble.list = STR("/package.json\n/package.json\n");
	trouble.sink_error = -EPIPE;
	assert_int_equal(read_trouble(&trouble), -EPIPE);
	assert_int_equal(trouble.n_packages, 1);
	assert_int_equal(trouble.n_owned, 1);
	buf_fini(&trouble.notes);
}

static void test_deb__needs_memory(void **state)
{
	struct trouble trouble = TROUBLE(RECORD("a", "1"));
	(void)state;
	trouble.arena_bytes = 200000;
	assert_int_equal(read_trouble(&trouble), -ERR_LIMIT);
	assert_int_equal(trouble.n_packages, 0);
	buf_fini(&trouble.notes);
}

static void test_deb__stands_every_truncation_and_flip(void **state)
{
	static const char good[] =
	        RECORD("alpha", "1:2.4.1-3+b1") "Package: beta\nSource: b (2)\n"
	                                        "Status: install ok unpacked\n"
	                                        "Version: 3\nConffiles:\n /a b\n";
	(void)state;
	for (size_t n = 0; n < sizeof(good); n++) {
		struct tree tree = TREE;
		(void)tree_read_bytes(&tree, STATUS, (str){ good, n }, &reader_deb);
		assert_true(n < 60 || tree.n_packages + tree.notes.n > 0);
		tree_fini(&tree);
	}
	for (size_t i = 0; i < (sizeof(good) - 1) * 8; i++) {
		char bytes[sizeof(good)];
		struct tree tree = TREE;
		memcpy(bytes, good, sizeof(good));
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
		(void)tree_read_bytes(&tree, STATUS, (str){ bytes, sizeof(good) - 1 }, &reader_deb);
		assert_true(tree.n_packages > 0);
		for (size_t j = 0; j < tree.n_packages; j++)
			assert_true(tree.packages[j].name.n > 0 && tree.packages[j].version.n > 0);
		tree_fini(&tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deb__agrees_with_dpkg_query_on_this_machine),
		cmocka_unit_test(test_deb__passes_on_every_listed_metadata_file_of_this_machine),
		cmocka_unit_test(test_deb__agrees_with_the_fixtures_of_others),
		cmocka_unit_test(test_deb__says_something_of_every_file_of_others),
		cmocka_unit_test(test_deb__takes_the_maintainer_for_the_vendor),
		cmocka_unit_test(test_deb__a_line_of_any_length_costs_its_record_at_most),
		cmocka_unit_test(test_deb__tells_a_thousand_notes_and_counts_the_rest),
		cmocka_unit_test(test_deb__list_that_fails_is_told),
		cmocka_unit_test(test_deb__list_without_end_is_told),
		cmocka_unit_test(test_deb__status_without_end_is_an_error),
		cmocka_unit_test(test_deb__stops_when_the_sink_says_so),
		cmocka_unit_test(test_deb__needs_memory),
		cmocka_unit_test(test_deb__stands_every_truncation_and_flip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
