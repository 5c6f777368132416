/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/host.h"
#include "model/package.h"

static const struct host bookworm = { .os_id = STR("debian"), .os_version = STR("12") };

static void check_purl(struct package pkg, struct host host, const char *expected)
{
	autobuf out = BUF(4096);
	package_purl(&pkg, &host, &out);
	buf_add_byte(&out, '\0');
	assert_false(buf_failed(&out));
	assert_string_equal(out.p, expected);
}

static void test_package__deb_purl_has_namespace_arch_distro_and_upstream(void **state)
{
	(void)state;
	struct package pkg = { .type = STR("deb"),
		.name = STR("zlib1g"),
		.version = STR("1:1.2.13.dfsg-1"),
		.arch = STR("amd64"),
		.source_name = STR("zlib") };
	check_purl(pkg, bookworm,
	        "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12&upstream=zlib");
	pkg.source_version = STR("1.2.13+b1");
	check_purl(pkg, bookworm,
	        "pkg:deb/debian/"
	        "zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12&upstream=zlib%401.2.13%2Bb1");
	pkg.source_name = STR("");
	check_purl(pkg, bookworm,
	        "pkg:deb/debian/"
	        "zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12&upstream=zlib1g%401.2.13%2Bb1");
}

static void test_package__deb_purl_without_os_release_has_no_namespace(void **state)
{
	(void)state;
	struct package pkg = { .type = STR("deb"), .name = STR("Dash"), .version = STR("0.5~rc1") };
	check_purl(pkg, (struct host){ 0 }, "pkg:deb/dash@0.5~rc1");
	check_purl(pkg, (struct host){ .os_id = STR("debian") },
	        "pkg:deb/debian/dash@0.5~rc1?distro=debian");
	check_purl(pkg, (struct host){ .os_id = STR("debian"), .os_codename = STR("trixie") },
	        "pkg:deb/debian/dash@0.5~rc1?distro=debian-trixie");
}

static void test_package__rpm_purl_moves_the_epoch_to_a_qualifier(void **state)
{
	(void)state;
	struct package pkg = { .type = STR("rpm"),
		.name = STR("NetworkManager"),
		.version = STR("1:1.44.0-3.el9"),
		.arch = STR("x86_64") };
	check_purl(pkg, (struct host){ .os_id = STR("rhel"), .os_version = STR("9.3") },
	        "pkg:rpm/redhat/NetworkManager@1.44.0-3.el9?arch=x86_64&distro=rhel-9.3&epoch=1");
	pkg.version = STR("1.44.0-3.el9");
	check_purl(pkg, (struct host){ .os_id = STR("fedora"), .os_version = STR("25") },
	        "pkg:rpm/fedora/NetworkManager@1.44.0-3.el9?arch=x86_64&distro=fedora-25");
	pkg.version = STR("a:1");
	check_purl(pkg, (struct host){ .os_id = STR("fedora") },
	        "pkg:rpm/fedora/NetworkManager@a:1?arch=x86_64&distro=fedora");
}

static void test_package__rpm_purl_names_the_vendor_of_suse_families(void **state)
{
	(void)state;
	struct package pkg = { .type = STR("rpm"), .name = STR("zsh"), .version = STR("5-1") };
	check_purl(pkg, (struct host){ .os_id = STR("opensuse-leap"), .os_version = STR("15.5") },
	        "pkg:rpm/opensuse/zsh@5-1?distro=opensuse-leap-15.5");
	check_purl(pkg, (struct host){ .os_id = STR("sles"), .os_version = STR("15.5") },
	        "pkg:rpm/suse/zsh@5-1?distro=sles-15.5");
	check_purl(pkg, (struct host){ .os_id = STR("openEuler"), .os_version = STR("24.03") },
	        "pkg:rpm/openeuler/zsh@5-1?distro=openEuler-24.03");
}

static void test_package__rpm_purl_sorts_all_its_qualifiers(void **state)
{
	(void)state;
	struct package pkg = { .type = STR("rpm"),
		.name = STR("nodejs"),
		.version = STR("1:18.9-1"),
		.arch = STR("x86_64"),
		.module = STR("nodejs:18:9:abc"),
		.source_name = STR("nodejs-src") };
	check_purl(pkg, (struct host){ .os_id = STR("almalinux"), .os_version = STR("9.3") },
	        "pkg:rpm/almalinux/nodejs@18.9-1?arch=x86_64&distro=almalinux-9.3&epoch=1"
	        "&rpmmod=nodejs:18:9:abc&upstream=nodejs-src");
}

static void test_package__npm_purl_takes_the_scope_as_namespace(void **state)
{
	(void)state;
	struct package pkg = {
		.type = STR("npm"), .name = STR("@angular/core"), .version = STR("12.3.1")
	};
	check_purl(pkg, bookworm, "pkg:npm/%40angular/core@12.3.1");
	pkg.name = STR("LoDash");
	pkg.version = STR("4.17.21+build.1");
	check_purl(pkg, bookworm, "pkg:npm/lodash@4.17.21%2Bbuild.1");
	pkg.name = STR("@noslash");
	check_purl(pkg, bookworm, "pkg:npm/%40noslash@4.17.21%2Bbuild.1");
	pkg.name = STR("no/scope");
	check_purl(pkg, bookworm, "pkg:npm/no%2Fscope@4.17.21%2Bbuild.1");
}

static void test_package__pypi_purl_is_normalised(void **state)
{
	(void)state;
	struct package pkg = {
		.type = STR("pypi"), .name = STR("Zope.-_Interface"), .version = STR("1!2.0")
	};
	check_purl(pkg, bookworm, "pkg:pypi/zope-interface@1%212.0");
}

static void test_package__purl_percent_encodes_whatever_is_not_plain(void **state)
{
	(void)state;
	struct package pkg = {
		.type = STR("pypi"), .name = STR("\xFF\0 ?#%"), .version = STR("\xC3\xA9@/")
	};
	check_purl(pkg, bookworm, "pkg:pypi/%FF%00%20%3F%23%25@%C3%A9%40%2F");
}

static void test_package__order_is_by_path_type_name_version_arch(void **state)
{
	(void)state;
	struct package a = {
		.path = STR("/a"), .type = STR("deb"), .name = STR("n"), .version = STR("1")
	};
	struct package b = a;
	assert_int_equal(package_order(&a, &b), 0);
	b.arch = STR("i386");
	assert_true(package_order(&a, &b) < 0);
	b = a, b.version = STR("0");
	assert_true(package_order(&a, &b) > 0);
	b.name = STR("o");
	assert_true(package_order(&a, &b) < 0);
	b.type = STR("apk");
	assert_true(package_order(&a, &b) > 0);
	b.path = STR("/b");
	assert_true(package_order(&a, &b) < 0);
	assert_true(package_order(&b, &a) > 0);
}

static void test_package__only_deb_and_rpm_are_of_the_os(void **state)
{
	(void)state;
	assert_true(package_is_os(&(struct package){ .type = STR("deb") }));
	assert_true(package_is_os(&(struct package){ .type = STR("rpm") }));
	assert_false(package_is_os(&(struct package){ .type = STR("npm") }));
	assert_false(package_is_os(&(struct package){ 0 }));
}

static void test_package__confidence_has_three_words(void **state)
{
	(void)state;
	assert_string_equal(confidence_name(CONFIDENCE_HIGH), "high");
	assert_string_equal(confidence_name(CONFIDENCE_MEDIUM), "medium");
	assert_string_equal(confidence_name(CONFIDENCE_LOW), "low");
}

static void test_package__deb_source_version_is_without_a_binary_rebuild(void **state)
{
	static const struct {
		const char *version, *source;
	} rows[] = {
		{ "1.2-3", "1.2-3" },
		{ "1.2-3+b1", "1.2-3" },
		{ "1:1.2-3+deb12u1+b21", "1:1.2-3+deb12u1" },
		{ "1.2+b", "1.2+b" },
		{ "1.2+b1x", "1.2+b1x" },
		{ "1.2+beta1", "1.2+beta1" },
		{ "+b1", "+b1" },
		{ "", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str source = package_deb_source_version(str_from_c(rows[i].version));
		assert_true(str_eq(source, str_from_c(rows[i].source)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_package__deb_purl_has_namespace_arch_distro_and_upstream),
		cmocka_unit_test(test_package__deb_purl_without_os_release_has_no_namespace),
		cmocka_unit_test(test_package__rpm_purl_moves_the_epoch_to_a_qualifier),
		cmocka_unit_test(test_package__rpm_purl_names_the_vendor_of_suse_families),
		cmocka_unit_test(test_package__rpm_purl_sorts_all_its_qualifiers),
		cmocka_unit_test(test_package__npm_purl_takes_the_scope_as_namespace),
		cmocka_unit_test(test_package__pypi_purl_is_normalised),
		cmocka_unit_test(test_package__purl_percent_encodes_whatever_is_not_plain),
		cmocka_unit_test(test_package__order_is_by_path_type_name_version_arch),
		cmocka_unit_test(test_package__only_deb_and_rpm_are_of_the_os),
		cmocka_unit_test(test_package__confidence_has_three_words),
		cmocka_unit_test(test_package__deb_source_version_is_without_a_binary_rebuild),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
