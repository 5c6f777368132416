/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "model/ecosystem.h"

static const struct ecosystem table[] = {
#define ECOSYSTEM(title, order, purl_type, distribution)                                           \
	{ .name = (title), .scheme = (order), .type = (purl_type), .os_id = (distribution) },
#include "model/ecosystem_table.def"
#undef ECOSYSTEM
};

#define N_TABLE (sizeof(table) / sizeof(table[0]))

static void test_ecosystem__every_row_is_found_with_and_without_a_release(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_TABLE; i++) {
		char name[128];
		if (i > 0)
			assert_true(strcmp(table[i - 1].name, table[i].name) < 0);
		const struct ecosystem *e = ecosystem_find(str_from_c(table[i].name));
		assert_non_null(e);
		assert_string_equal(e->name, table[i].name);
		assert_string_equal(e->os_id, table[i].os_id);
		(void)snprintf(name, sizeof(name), "%s:1:LTS", table[i].name);
		assert_ptr_equal(ecosystem_find(str_from_c(name)), e);
	}
}

static void test_ecosystem__unknown_names_are_not_found(void **state)
{
	(void)state;
	assert_null(ecosystem_find(STR("")));
	assert_null(ecosystem_find(STR(":12")));
	assert_null(ecosystem_find(STR("debian")));
	assert_null(ecosystem_find(STR("Debian 12")));
	assert_null(ecosystem_find(STR("PyP")));
	assert_null(ecosystem_find(STR("zzz")));
}

static void test_ecosystem__types_of_languages_are_found(void **state)
{
	(void)state;
	assert_string_equal(ecosystem_of_type(STR("pypi"))->name, "PyPI");
	assert_string_equal(ecosystem_of_type(STR("npm"))->name, "npm");
	assert_null(ecosystem_of_type(STR("deb")));
	assert_null(ecosystem_of_type(STR("rpm")));
	assert_null(ecosystem_of_type(STR("")));
	assert_null(ecosystem_of_type(STR("golang")));
}

/* The host's names joined by '|'. */
static void check_host(struct host host, const char *expected)
{
	struct arena arena = ARENA(1 << 16);
	str names[ECOSYSTEM_HOST_MAX];
	int n = ecosystem_of_host(&host, &arena, names, ECOSYSTEM_HOST_MAX);
	autobuf out = BUF(4096);
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_add_byte(&out, '|');
		buf_add(&out, names[i]);
	}
	buf_add_byte(&out, '\0');
	assert_true(n >= 0);
	assert_string_equal(out.p, expected);
	arena_fini(&arena);
}

#define HOST(id, version) ((struct host){ .os_id = STR(id), .os_version = STR(version) })

static void test_ecosystem__debian_is_named_by_its_major_release(void **state)
{
	(void)state;
	check_host(HOST("debian", "12"), "Debian:12");
	check_host(HOST("debian", "12.5"), "Debian:12");
	check_host(HOST("debian", ""), "");
	struct host testing = { .os_id = STR("debian"), .os_codename = STR("trixie") };
	check_host(testing, "Debian:13");
	testing.os_codename = STR("sid");
	check_host(testing, "");
}

static void test_ecosystem__ubuntu_says_lts_where_it_is_one(void **state)
{
	(void)state;
	check_host(HOST("ubuntu", "22.04"), "Ubuntu:22.04:LTS|Ubuntu:22.04");
	check_host(HOST("ubuntu", "24.04.1"), "Ubuntu:24.04:LTS|Ubuntu:24.04");
	check_host(HOST("ubuntu", "23.04"), "Ubuntu:23.04");
	check_host(HOST("ubuntu", "24.10"), "Ubuntu:24.10");
	check_host(HOST("ubuntu", "22"), "");
	check_host(HOST("ubuntu", "22.4"), "");
	check_host(HOST("ubuntu", "22.04:LTS"), "");
}

static void test_ecosystem__alpine_is_never_named_without_its_branch(void **state)
{
	(void)state;
	check_host(HOST("alpine", "3.18.4"), "Alpine:v3.18");
	check_host(HOST("alpine", "3.21"), "Alpine:v3.21");
	check_host(HOST("alpine", "3.21_alpha20240807"), "");
	check_host(HOST("alpine", "3"), "");
	check_host(HOST("alpine", ""), "");
	check_host(HOST("alpine", "edge"), "");
}

static void test_ecosystem__rpm_distributions_are_named_by_their_release(void **state)
{
	(void)state;
	check_host(HOST("almalinux", "9.3"), "AlmaLinux:9");
	check_host(HOST("rocky", "9.3"), "Rocky Linux:9");
	check_host(HOST("azurelinux", "3.0"), "Azure Linux:3");
	check_host(HOST("mariner", "2.0"), "Azure Linux:2");
	check_host(HOST("mageia", "9"), "Mageia:9");
	check_host(HOST("photon", "5.0"), "Photon OS:5.0");
	check_host(HOST("opensuse-leap", "15.5"), "openSUSE:Leap 15.5");
	check_host(HOST("opensuse-tumbleweed", "20240101"), "openSUSE:Tumbleweed");
	check_host(HOST("sle-micro", "5.3"), "SUSE:Linux Enterprise Micro 5.3");
}

static void test_ecosystem__red_hat_is_named_by_its_repositories(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 16);
	str names[ECOSYSTEM_HOST_MAX];
	struct host host = HOST("rhel", "9.4");
	int n = ecosystem_of_host(&host, &arena, names, ECOSYSTEM_HOST_MAX);
	assert_true(n > 2);
	assert_true(str_eq(names[0], STR("Red Hat:enterprise_linux:9::baseos")));
	assert_true(str_eq(names[1], STR("Red Hat:enterprise_linux:9::appstream")));
	arena_fini(&arena);

	check_host(HOST("rhel", "7.9"),
	        "Red Hat:enterprise_linux:7::server|Red Hat:enterprise_linux:7::workstation|"
	        "Red Hat:enterprise_linux:7::client|Red Hat:enterprise_linux:7::computenode");
	check_host(HOST("rhel", "10.1"),
	        "Red Hat:enterprise_linux:10.1|Red Hat:enterprise_linux:10.0");
	check_host(HOST("rhel", "x"), "");
}

static void test_ecosystem__suse_is_named_by_product_and_modules(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 16);
	str names[ECOSYSTEM_HOST_MAX];
	struct host host = HOST("sles", "15.5");
	int n = ecosystem_of_host(&host, &arena, names, ECOSYSTEM_HOST_MAX);
	assert_true(n > 3);
	assert_true(str_eq(names[0], STR("SUSE:Linux Enterprise Server 15 SP5")));
	assert_true(str_eq(names[1], STR("SUSE:Linux Enterprise Server 15 SP5-LTSS")));
	assert_true(str_eq(names[2], STR("SUSE:Linux Enterprise Module for Basesystem 15 SP5")));
	arena_fini(&arena);

	check_host(HOST("sles_sap", "12.4"),
	        "SUSE:Linux Enterprise Server for SAP Applications 12 SP4|"
	        "SUSE:Linux Enterprise Server for SAP Applications 12 SP4-LTSS");
	check_host(HOST("sled", "12"),
	        "SUSE:Linux Enterprise Desktop 12|SUSE:Linux Enterprise Desktop 12-LTSS");
	check_host(HOST("sles", "16.0"),
	        "SUSE:Linux Enterprise Server 16.0|SUSE:Linux Enterprise Server 16.0-LTSS");
}

static void test_ecosystem__openeuler_takes_its_long_term_releases_only(void **state)
{
	(void)state;
	struct host host = HOST("openEuler", "22.03");
	host.os_name = STR("openEuler 22.03 (LTS-SP3)");
	check_host(host, "openEuler:22.03-LTS-SP3");
	host.os_name = STR("openEuler 22.03 (LTS)");
	check_host(host, "openEuler:22.03-LTS");
	host.os_name = STR("openEuler 22.03");
	check_host(host, "");
	host.os_name = STR("openEuler 22.03 (LTS SP3)");
	check_host(host, "");
}

static void test_ecosystem__apk_distributions_speak_for_themselves_only(void **state)
{
	(void)state;
	check_host(HOST("wolfi", "20230201"), "Wolfi");
	check_host(HOST("chainguard", "20230214"), "Chainguard");
	check_host(HOST("alpaquita", "23"), "Alpaquita:23");
	check_host(HOST("alpaquita", "stream"), "Alpaquita:stream");
	check_host(HOST("cleanstart", "1"), "CleanStart");
}

static void test_ecosystem__derivatives_and_hostile_releases_have_no_name(void **state)
{
	(void)state;
	struct host mint = HOST("linuxmint", "21.2");
	mint.os_id_like = STR("ubuntu debian");
	check_host(mint, "");
	check_host((struct host){ 0 }, "");
	check_host(HOST("almalinux", "9::x"), "");
	check_host(HOST("photon", "5.0 beta"), "");
	check_host(HOST("photon", "123456789012345678901234567890123"), "");
	check_host(HOST("debian", "-1"), "");
}

static void test_ecosystem__the_callers_limit_and_the_arenas_hold(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 16), none = ARENA(8);
	struct host host = HOST("ubuntu", "22.04");
	str name[1];
	assert_int_equal(ecosystem_of_host(&host, &arena, name, 1), 1);
	assert_true(str_eq(name[0], STR("Ubuntu:22.04:LTS")));
	assert_int_equal(ecosystem_of_host(&host, &none, name, 1), -ERR_LIMIT);
	arena_fini(&arena);
}

static void test_ecosystem__pypi_names_are_compared_as_pep_503_says(void **state)
{
	(void)state;
	struct arena arena = ARENA(1 << 16), none = ARENA(0);
	const struct ecosystem *pypi = ecosystem_find(STR("PyPI"));
	str name = STR("already-normal1"), ret = STR("");
	assert_int_equal(ecosystem_normal_name(pypi, name, &none, &ret), 0);
	assert_ptr_equal(ret.p, name.p);
	assert_int_equal(ecosystem_normal_name(pypi, STR("Zope.__Interface-"), &arena, &ret), 0);
	assert_true(str_eq(ret, STR("zope-interface-")));
	assert_int_equal(ecosystem_normal_name(pypi, STR("a--b"), &arena, &ret), 0);
	assert_true(str_eq(ret, STR("a-b")));
	assert_int_equal(ecosystem_normal_name(pypi, STR("A"), &none, &ret), -ERR_LIMIT);
	assert_int_equal(
	        ecosystem_normal_name(ecosystem_find(STR("npm")), STR("JSONStream"), &none, &ret),
	        0);
	assert_true(str_eq(ret, STR("JSONStream")));
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ecosystem__every_row_is_found_with_and_without_a_release),
		cmocka_unit_test(test_ecosystem__unknown_names_are_not_found),
		cmocka_unit_test(test_ecosystem__types_of_languages_are_found),
		cmocka_unit_test(test_ecosystem__debian_is_named_by_its_major_release),
		cmocka_unit_test(test_ecosystem__ubuntu_says_lts_where_it_is_one),
		cmocka_unit_test(test_ecosystem__alpine_is_never_named_without_its_branch),
		cmocka_unit_test(test_ecosystem__rpm_distributions_are_named_by_their_release),
		cmocka_unit_test(test_ecosystem__red_hat_is_named_by_its_repositories),
		cmocka_unit_test(test_ecosystem__suse_is_named_by_product_and_modules),
		cmocka_unit_test(test_ecosystem__openeuler_takes_its_long_term_releases_only),
		cmocka_unit_test(test_ecosystem__apk_distributions_speak_for_themselves_only),
		cmocka_unit_test(test_ecosystem__derivatives_and_hostile_releases_have_no_name),
		cmocka_unit_test(test_ecosystem__the_callers_limit_and_the_arenas_hold),
		cmocka_unit_test(test_ecosystem__pypi_names_are_compared_as_pep_503_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
