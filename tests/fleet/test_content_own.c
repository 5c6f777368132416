/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own upload from end to end: what the built `sonde inventory` writes is what content_read()
 * reads, on a prepared tree and on this machine, whose packages dpkg-query lists too.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fleet/content.h"
#include "fleet/fleet.h"

/* What a command prints. False when it cannot be run; exit codes are its caller's. */
static bool output_of(const char *command, struct buf *out, int *ret_status)
{
	FILE *pipe = popen(command, "r");
	if (!pipe)
		return false;
	for (char *at; (at = buf_reserve(out, 65536));) {
		size_t n = fread(at, 1, 65536, pipe);
		if (n == 0)
			break;
		out->n += n;
	}
	int status = pclose(pipe);
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return !buf_failed(out);
}

static void inventory(const char *arguments, struct buf *out)
{
	char command[1024];
	int status = -1;
	const char *sonde = getenv("SONDE");
	assert_non_null(sonde);
	(void)snprintf(command, sizeof(command),
	        "SONDE_CONFIG=/dev/null %s inventory --format json -q %s", sonde, arguments);
	assert_true(output_of(command, out, &status));
	assert_true(status >= 0 && status < 126);
}

static void read_own(const struct buf *text, struct arena *arena, struct content *ret)
{
	struct ledger ledger = { .arena = arena };
	struct err err = { 0 };
	if (content_read(STR(FLEET_OWN_TYPE), buf_str(text), NULL, arena, &ledger, ret, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ledger.n, 0);
}

static int line_order(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

/* The lines of a text, sorted. */
static size_t sorted_lines(str text, str *ret, size_t most)
{
	size_t n = 0;
	for (str line; n < most && str_next_line(&text, &line);)
		ret[n++] = line;
	qsort(ret, n, sizeof(*ret), line_order);
	return n;
}

static void put(const char *root, const char *path, const char *text)
{
	char whole[512], folder[512];
	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	(void)snprintf(folder, sizeof(folder), "%s", whole);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(fs_make_dirs(folder, 0755, NULL), 0);
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_tree(const char *root)
{
	put(root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n");
	put(root, "var/lib/dpkg/status",
	        "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\n"
	        "Source: openssl\nVersion: 3.0.11-1~deb12u2\nMaintainer: A B <a@b>\n\n"
	        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\n"
	        "Version: 1\n\n");
	put(root, "usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/METADATA",
	        "Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\n");
}

static void test_content_own__reads_what_inventory_writes_of_a_tree(void **state)
{
	(void)state;
	char root[] = "/tmp/sonde-own-XXXXXX", arguments[64];
	autobuf text = BUF((size_t)16 << 20);
	struct arena arena = ARENA((size_t)16 << 20);
	struct content content = { 0 };
	assert_non_null(mkdtemp(root));
	make_tree(root);
	(void)snprintf(arguments, sizeof(arguments), "--root %s", root);
	inventory(arguments, &text);
	read_own(&text, &arena, &content);
	assert_int_equal(content.n_packages, 2);
	const struct package *yaml = &content.packages[0], *ssl = &content.packages[1];
	assert_true(str_eq(yaml->type, STR("pypi")) && str_eq(yaml->name, STR("pyyaml")));
	assert_true(str_eq(
	        yaml->path, STR("/usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/METADATA")));
	assert_true(str_eq(ssl->name, STR("libssl3")) && str_eq(ssl->source_name, STR("openssl")));
	assert_true(
	        str_eq(ssl->version, STR("3.0.11-1~deb12u2")) && str_eq(ssl->arch, STR("amd64")));
	bool has_id = false;
	for (size_t i = 0; i < content.n_facts; i++)
		has_id |= str_eq(content.facts[i].key, STR("Os.Id")) &&
		          str_eq(content.facts[i].value, STR("debian"));
	assert_true(has_id);
	arena_fini(&arena);
	assert_int_equal(fs_remove_tree(AT_FDCWD, root), 0);
}

static void test_content_own__equals_dpkg_query_on_this_machine(void **state)
{
	(void)state;
	int status = -1;
	autobuf native = BUF((size_t)16 << 20), text = BUF((size_t)256 << 20),
	        ours = BUF((size_t)16 << 20);
	struct arena arena = ARENA((size_t)512 << 20);
	struct content content = { 0 };
	if (!output_of("dpkg-query -W -f '${db:Status-Abbrev}|${Package} ${Version} "
	               "${Architecture}\\n' 2>/dev/null | sed -n 's/^.[iWtUFH].*|//p'",
	            &native, &status) ||
	        native.n == 0) {
		print_message("skipped: dpkg-query\n");
		skip();
	}
	inventory("", &text);
	read_own(&text, &arena, &content);
	for (size_t i = 0; i < content.n_packages; i++) {
		const struct package *p = &content.packages[i];
		if (str_eq(p->type, STR("deb")))
			buf_printf(&ours, STR_FMT " " STR_FMT " " STR_FMT "\n", STR_ARG(p->name),
			        STR_ARG(p->version), STR_ARG(p->arch));
	}
	str *want = calloc(CONTENT_PACKAGES_MAX, sizeof(*want));
	str *got = calloc(CONTENT_PACKAGES_MAX, sizeof(*got));
	assert_true(want && got);
	size_t n = sorted_lines(buf_str(&native), want, CONTENT_PACKAGES_MAX);
	assert_int_equal(n, sorted_lines(buf_str(&ours), got, CONTENT_PACKAGES_MAX));
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(want[i], got[i]))
			fail_msg("dpkg-query: " STR_FMT ", ours: " STR_FMT, STR_ARG(want[i]),
			        STR_ARG(got[i]));
	}
	free(want);
	free(got);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_own__reads_what_inventory_writes_of_a_tree),
		cmocka_unit_test(test_content_own__equals_dpkg_query_on_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
