/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "fleet/content.h"
#include "fleet/fleet.h"

static void say(struct buf *out, const char *key, str value, bool is_quoted)
{
	if (value.n == 0)
		return;
	buf_printf(out, "%s%s", key, is_quoted ? "\"" : "");
	text_escape(out, value);
	buf_add(out, is_quoted ? STR("\"") : STR(""));
}

static void say_package(struct buf *out, const struct package *p)
{
	say(out, "package ", p->type, false);
	say(out, " ", p->name, false);
	say(out, " ", p->version, false);
	say(out, " ", p->arch, false);
	if (p->source_name.n > 0 || p->source_version.n > 0)
		say(out, " from ", p->source_name.n > 0 ? p->source_name : p->name, false);
	say(out, " ", p->source_version, false);
	say(out, " module ", p->module, false);
	say(out, " owner ", p->owner, true);
	say(out, " vendor ", p->vendor, true);
	say(out, " licence ", p->licence, true);
	if (p->confidence != CONFIDENCE_HIGH)
		buf_printf(out, " %s", confidence_name(p->confidence));
	say(out, " at ", p->path, false);
	buf_add_byte(out, '\n');
}

static void say_content(struct buf *out, const struct content *c, const struct ledger *ledger)
{
	buf_printf(out, "rows %u%s%s%s\n", (unsigned)c->n_rows,
	        c->is_packages ? " of packages:" : "", c->is_os ? " os" : "",
	        c->is_language ? " language" : "");
	for (size_t i = 0; i < c->n_packages; i++)
		say_package(out, &c->packages[i]);
	for (size_t i = 0; i < c->n_facts; i++)
		buf_printf(out, "fact " STR_FMT "=" STR_FMT "\n", STR_ARG(c->facts[i].key),
		        STR_ARG(c->facts[i].value));
	for (size_t i = 0; i < ledger->n; i++)
		buf_printf(out, "skip " STR_FMT ": " STR_FMT "\n", STR_ARG(ledger->entries[i].path),
		        STR_ARG(ledger->entries[i].reason));
}

static str header(str *text, str key)
{
	str line = { NULL, 0 };
	assert_true(str_next_line(text, &line));
	assert_true(str_has_prefix(line, key));
	return str_trim(str_skip(line, key.n));
}

/* Everything before the line "====". */
static str until_mark(str *text)
{
	const char *at = memmem(text->p, text->n, "\n====\n", 6);
	assert_non_null(at);
	str head = { text->p, (size_t)(at - text->p) };
	*text = str_skip(*text, head.n + 6);
	return head;
}

static void check_case(const char *name, str text)
{
	autobuf out = BUF((size_t)1 << 20);
	struct arena arena = ARENA((size_t)8 << 20);
	struct ledger ledger = { .arena = &arena };
	struct host os = { 0 };
	struct content content = { 0 };
	struct err err = { 0 };
	str type = header(&text, STR("type:")), release = header(&text, STR("os:"));
	if (!str_split_first(release, ' ', &os.os_id, &os.os_version))
		os.os_id = release;
	(void)header(&text, STR(""));
	str json = until_mark(&text);
	int r = content_read(type, json, &os, &arena, &ledger, &content, &err);
	if (r < 0) {
		assert_int_equal(r, -ERR_FORMAT);
		assert_true(err.text[0] != '\0');
		buf_add(&out, STR("error format"));
		if (text.n > 0 && memchr(text.p, ':', text.n))
			buf_printf(&out, ": %s", err.text);
		buf_add_byte(&out, '\n');
	} else {
		say_content(&out, &content, &ledger);
	}
	if (!str_eq(buf_str(&out), text))
		fail_msg("%s: expected\n" STR_FMT "got\n" STR_FMT, name, STR_ARG(text),
		        STR_ARG(buf_str(&out)));
	arena_fini(&arena);
}

static void test_content__reads_every_case_as_its_file_says(void **state)
{
	(void)state;
	DIR *dir = opendir(FIXTURES "/fleet/content");
	assert_non_null(dir);
	size_t n = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[512];
		autobuf text = BUF((size_t)1 << 20);
		if (!str_has_suffix(str_from_c(entry->d_name), STR(".txt")))
			continue;
		(void)snprintf(path, sizeof(path), FIXTURES "/fleet/content/%s", entry->d_name);
		assert_int_equal(fs_read(AT_FDCWD, path, &text, NULL), 0);
		check_case(entry->d_name, buf_str(&text));
		n++;
	}
	closedir(dir);
	assert_true(n >= 15);
}

static int read_text(str type, const struct buf *text, struct arena *arena, struct ledger *ledger,
        struct content *ret)
{
	static const struct host debian = { .os_id = STR("debian") };
	struct err err = { 0 };
	return content_read(type, buf_str(text), &debian, arena, ledger, ret, &err);
}

static void add_rows(struct buf *out, unsigned n, const char *row)
{
	buf_add_byte(out, '[');
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? "," : "", row);
	buf_add_byte(out, ']');
}

#define DEB_ROW "{\"Name\":\"sed\",\"Version\":\"4.9-1\",\"PackageId\":\"sed_4.9-1_amd64.deb\"}"

static void test_content__takes_200000_packages_and_no_more(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		autobuf text = BUF((size_t)64 << 20);
		struct arena arena = ARENA((size_t)256 << 20);
		struct ledger ledger = { .arena = &arena };
		struct content content = { 0 };
		add_rows(&text, CONTENT_PACKAGES_MAX + more, DEB_ROW);
		int r = read_text(STR(CONTENT_APPLICATION), &text, &arena, &ledger, &content);
		assert_int_equal(r, more ? -ERR_LIMIT : 0);
		assert_int_equal(content.n_packages, more ? 0 : CONTENT_PACKAGES_MAX);
		arena_fini(&arena);
	}
}

static void test_content__says_when_its_memory_is_too_small(void **state)
{
	(void)state;
	autobuf text = BUF((size_t)1 << 20);
	add_rows(&text, 1000, DEB_ROW);
	for (size_t cap = 0; cap < 200000; cap += 5000) {
		struct arena arena = ARENA(cap);
		struct ledger ledger = { .arena = &arena };
		struct content content = { 0 };
		int r = read_text(STR(CONTENT_APPLICATION), &text, &arena, &ledger, &content);
		assert_true(r == -ERR_LIMIT);
		arena_fini(&arena);
	}
}

static void test_content__takes_more_than_5000_third_party_packages(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		autobuf text = BUF((size_t)4 << 20);
		struct arena arena = ARENA((size_t)16 << 20);
		struct ledger ledger = { .arena = &arena };
		struct content content = { 0 };
		add_rows(&text, CONTENT_THIRD_PARTY_MAX + more,
		        "{\"Name\":\"a\",\"Version\":\"1\",\"PackageManager\":\"NPM\"}");
		assert_int_equal(
		        read_text(STR(CONTENT_THIRD_PARTY), &text, &arena, &ledger, &content), 0);
		assert_int_equal(content.n_packages, CONTENT_THIRD_PARTY_MAX + more);
		assert_int_equal(content.n_rows, CONTENT_THIRD_PARTY_MAX + more);
		arena_fini(&arena);
	}
}

static void test_content__refuses_fields_that_are_too_long(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		size_t most;
	} fields[] = { { "name", 1024 }, { "version", 512 }, { "source_name", 1024 },
		{ "source_version", 512 }, { "module", 512 }, { "arch", 64 }, { "owner", 1544 },
		{ "path", 4096 } };
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		for (size_t more = 0; more < 2; more++) {
			autobuf text = BUF((size_t)1 << 20);
			struct arena arena = ARENA((size_t)1 << 20);
			struct ledger ledger = { .arena = &arena };
			struct content content = { 0 };
			buf_printf(&text,
			        "{\"schema\":\"sonde.scan/1\",\"host\":{},\"packages\":"
			        "[{\"type\":\"rpm\",\"name\":\"a\",\"version\":\"1\","
			        "\"%s\":\"",
			        fields[i].key);
			for (size_t k = 0; k < fields[i].most + more; k++)
				buf_add_byte(&text, '7');
			buf_add(&text, STR("\"}]}"));
			assert_int_equal(
			        read_text(STR(FLEET_OWN_TYPE), &text, &arena, &ledger, &content),
			        0);
			assert_int_equal(content.n_packages, 1 - more);
			assert_int_equal(ledger.n, more);
			arena_fini(&arena);
		}
	}
}

static void test_content__cuts_what_is_only_shown(void **state)
{
	(void)state;
	autobuf text = BUF((size_t)1 << 20);
	struct arena arena = ARENA((size_t)1 << 20);
	struct ledger ledger = { .arena = &arena };
	struct content content = { 0 };
	buf_add(&text, STR("[{\"Name\":\"a\",\"Version\":\"1\",\"PackageId\":\"a_1_all.deb\","
	                   "\"Publisher\":\""));
	for (size_t k = 0; k < 5000; k++)
		buf_add_byte(&text, 'p');
	buf_add(&text, STR("\"}]"));
	assert_int_equal(read_text(STR(CONTENT_APPLICATION), &text, &arena, &ledger, &content), 0);
	assert_int_equal(content.n_packages, 1);
	assert_int_equal(content.packages[0].vendor.n, 1024);
	arena_fini(&arena);
}

static void test_content__writes_inspectors_words_and_reads_more(void **state)
{
	(void)state;
	assert_string_equal(content_package_manager(STR("deb")), "OS");
	assert_string_equal(content_package_manager(STR("rpm")), "OS");
	assert_string_equal(content_package_manager(STR("pypi")), "PYTHONPKG");
	assert_string_equal(content_package_manager(STR("npm")), "NODEPKG");
	assert_string_equal(content_package_manager(STR("maven")), "JAR");
	assert_null(content_package_manager(STR("swift")));
	assert_null(content_package_manager(STR("")));
	assert_true(str_eq(content_package_type(STR("PYTHONPKG")), STR("pypi")));
	assert_true(str_eq(content_package_type(STR("Python")), STR("pypi")));
	assert_true(str_eq(content_package_type(STR("npm")), STR("npm")));
	assert_int_equal(content_package_type(STR("OS")).n, 0);
	assert_int_equal(content_package_type(STR("")).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content__reads_every_case_as_its_file_says),
		cmocka_unit_test(test_content__takes_200000_packages_and_no_more),
		cmocka_unit_test(test_content__says_when_its_memory_is_too_small),
		cmocka_unit_test(test_content__takes_more_than_5000_third_party_packages),
		cmocka_unit_test(test_content__refuses_fields_that_are_too_long),
		cmocka_unit_test(test_content__cuts_what_is_only_shown),
		cmocka_unit_test(test_content__writes_inspectors_words_and_reads_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
