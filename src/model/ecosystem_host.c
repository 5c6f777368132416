/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each distribution's os-release becomes the names that advisories use for its release. One
 * rule per way of naming; ecosystem_table.def says which distribution uses which. A release that
 * its rule does not understand yields no name: a name without its release must not be made up,
 * because it would match the packages of other releases (or, for Alpine, of other distributions).
 */
#include "model/ecosystem.h"

#include "base/err.h"

/* Longest VERSION_ID that is taken for one. */
#define RELEASE_MAX 32

/* The names found so far. */
struct names {
	struct arena *arena;
	str *at;
	size_t n, max;
	int r; /* sticky: 0 or -ERR_LIMIT */
};

struct os {
	const char *id, *ecosystem, *product;
	void (*rule)(const struct os *os, const struct host *host, struct names *names);
};

static void add(
        struct names *names, const struct os *os, const char *separator, str release, str suffix)
{
	if (names->r < 0 || names->n == names->max)
		return;
	names->r = arena_printf(names->arena, &names->at[names->n], "%s%s" STR_FMT STR_FMT,
	        os->ecosystem, separator, STR_ARG(release), STR_ARG(suffix));
	if (names->r == 0)
		names->n++;
}

static bool is_release_byte(char c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

/* VERSION_ID, or empty when it is not one short word. */
static str release_of(const struct host *host)
{
	str rest = host->os_version;
	(void)str_take_while(&rest, is_release_byte);
	bool good = rest.n == 0 && host->os_version.n <= RELEASE_MAX;
	return good ? host->os_version : (str){ NULL, 0 };
}

/* "9.3" is 9 and ".3"; false when there is no number in front. */
static bool split_major(str release, str *ret_major, str *ret_minor)
{
	str rest = release, major = str_take_while(&rest, is_digit);
	if (major.n == 0 || (rest.n > 0 && rest.p[0] != '.'))
		return false;
	*ret_major = major;
	*ret_minor = str_skip(rest, 1);
	return true;
}

static const str none = { "", 0 };

static void rolling(const struct os *os, const struct host *host, struct names *names)
{
	(void)host;
	add(names, os, "", none, none);
}

static void exact(const struct os *os, const struct host *host, struct names *names)
{
	str release = release_of(host);
	if (release.n > 0)
		add(names, os, ":", release, none);
}

static void major(const struct os *os, const struct host *host, struct names *names)
{
	str head, tail;
	if (split_major(release_of(host), &head, &tail))
		add(names, os, ":", head, none);
}

/* Testing has no VERSION_ID, only the code name that its release will have. Source: debian.csv of
 * distro-info */
static void debian(const struct os *os, const struct host *host, struct names *names)
{
	static const struct {
		str codename, release;
	} coming[] = {
		{ { "bookworm", 8 }, { "12", 2 } },
		{ { "trixie", 6 }, { "13", 2 } },
		{ { "forky", 5 }, { "14", 2 } },
		{ { "duke", 4 }, { "15", 2 } },
	};
	if (host->os_version.n > 0) {
		major(os, host, names);
		return;
	}
	for (size_t i = 0; i < sizeof(coming) / sizeof(coming[0]); i++) {
		if (str_eq(host->os_codename, coming[i].codename))
			add(names, os, ":", coming[i].release, none);
	}
}

/* "22.04": an April release of an even year has long-term support, and OSV then says so in the
 * name. */
static void ubuntu(const struct os *os, const struct host *host, struct names *names)
{
	str year, month, point;
	if (!split_major(release_of(host), &year, &month))
		return;
	(void)str_split_first(month, '.', &month, &point); /* "22.04.3" is the same release */
	uint64_t y, m;
	if (!str_to_u64(year, 99, &y) || month.n != 2 || !str_to_u64(month, 12, &m))
		return;
	str release = { year.p, year.n + 1 + month.n };
	if (y % 2 == 0 && m == 4)
		add(names, os, ":", release, STR(":LTS"));
	add(names, os, ":", release, none);
}

/* "3.18.4" is branch v3.18; a snapshot of edge ("3.21_alpha20240807") is no branch. */
static void alpine(const struct os *os, const struct host *host, struct names *names)
{
	str head, tail, minor, point;
	if (!split_major(release_of(host), &head, &tail))
		return;
	minor = tail;
	(void)str_split_first(tail, '.', &minor, &point);
	uint64_t unused;
	if (str_to_u64(minor, 999, &unused))
		add(names, os, ":v", (str){ head.p, head.n + 1 + minor.n }, none);
}

/* "openEuler 22.03 (LTS-SP3)": only the long-term releases have advisories, and PRETTY_NAME tells
 * them. */
static void openeuler(const struct os *os, const struct host *host, struct names *names)
{
	str head, tail, variant, rest;
	if (!split_major(release_of(host), &head, &tail) ||
	        !str_split_first(host->os_name, '(', &head, &tail) ||
	        !str_split_first(tail, ')', &variant, &rest) ||
	        !str_has_prefix(variant, STR("LTS")))
		return;
	rest = variant;
	(void)str_take_while(&rest, is_release_byte);
	if (rest.n > 0 || variant.n > RELEASE_MAX)
		return;
	size_t before = names->n;
	add(names, os, ":", release_of(host), STR("-"));
	if (names->n > before)
		names->r = arena_printf(names->arena, &names->at[before], STR_FMT STR_FMT,
		        STR_ARG(names->at[before]), STR_ARG(variant));
}

/* "Leap 15.5", "Linux Enterprise Micro 5.3": the product's name and VERSION_ID. */
static void product(const struct os *os, const struct host *host, struct names *names)
{
	str release = release_of(host), text;
	if (release.n == 0 || names->r < 0)
		return;
	names->r = arena_printf(names->arena, &text, "%s " STR_FMT, os->product, STR_ARG(release));
	if (names->r == 0)
		add(names, os, ":", text, none);
}

static void tumbleweed(const struct os *os, const struct host *host, struct names *names)
{
	(void)host;
	add(names, os, ":", str_from_c(os->product), none);
}

/*
 * SUSE names the product or the module that carries a package: "15.5" is "Linux Enterprise Server
 * 15 SP5", and most packages of 15 come from "Linux Enterprise Module for Basesystem 15 SP5" and
 * its like.
 */
static void suse(const struct os *os, const struct host *host, struct names *names)
{
	static const char *const modules[] = { "Basesystem", "Server Applications",
		"Desktop Applications", "Development Tools", "Web and Scripting", "Python 3",
		"Containers", "Public Cloud", "Legacy" };
	str head, minor, release, text = { 0 };
	if (!split_major(release_of(host), &head, &minor) || names->r < 0)
		return;
	release = release_of(host);
	bool has_packs = str_eq(head, STR("12")) || str_eq(head, STR("15"));
	if (has_packs && (minor.n == 0 || str_eq(minor, STR("0"))))
		release = head;
	else if (has_packs)
		names->r = arena_printf(names->arena, &release, STR_FMT " SP" STR_FMT,
		        STR_ARG(head), STR_ARG(minor));
	if (names->r == 0)
		names->r = arena_printf(
		        names->arena, &text, "%s " STR_FMT, os->product, STR_ARG(release));
	if (names->r < 0)
		return;
	add(names, os, ":", text, none);
	add(names, os, ":", text, STR("-LTSS"));
	if (!str_eq(head, STR("15")))
		return;
	for (size_t i = 0; names->r == 0 && i < sizeof(modules) / sizeof(modules[0]); i++) {
		names->r = arena_printf(names->arena, &text,
		        "Linux Enterprise Module for %s " STR_FMT, modules[i], STR_ARG(release));
		if (names->r == 0)
			add(names, os, ":", text, none);
	}
}

/*
 * Red Hat names the CPE of the repository: up to 9 by major release and variant
 * ("enterprise_linux:9::baseos"), from 10 on by minor release ("enterprise_linux:10.1"), where what
 * an older minor release says holds too. Extended-support streams (rhel_eus and its like) have
 * versions of their own and are left out.
 */
static void rhel(const struct os *os, const struct host *host, struct names *names)
{
	static const char *const old[] = { "server", "workstation", "client", "computenode", NULL };
	static const char *const current[] = { "baseos", "appstream", "crb", "highavailability",
		"resilientstorage", "nfv", "realtime", "sap", "sap_hana", "supplementary", NULL };
	str head, tail;
	uint64_t version, minor = 0;
	if (!split_major(release_of(host), &head, &tail) || !str_to_u64(head, 99, &version))
		return;
	if (version >= 10) {
		(void)str_to_u64(tail, ECOSYSTEM_HOST_MAX - 1, &minor);
		for (uint64_t i = minor + 1; names->r == 0 && i-- > 0;) {
			str text;
			names->r = arena_printf(names->arena, &text, ".%u", (unsigned)i);
			if (names->r == 0)
				add(names, os, ":enterprise_linux:", head, text);
		}
		return;
	}
	const char *const *variants = version < 8 ? old : current;
	for (size_t i = 0; names->r == 0 && variants[i]; i++) {
		str text;
		names->r = arena_printf(names->arena, &text, "::%s", variants[i]);
		if (names->r == 0)
			add(names, os, ":enterprise_linux:", head, text);
	}
}

static const struct os distributions[] = {
#define HOST_OS(name, way, family, title)                                                          \
	{ .id = (name), .ecosystem = (family), .product = (title), .rule = (way) },
#include "model/ecosystem_table.def"
#undef HOST_OS
};

int ecosystem_of_host(const struct host *host, struct arena *arena, str *ret_names, size_t max)
{
	struct names names = { .arena = arena, .at = ret_names, .max = max };
	for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++) {
		if (str_eq(host->os_id, str_from_c(distributions[i].id)))
			distributions[i].rule(&distributions[i], host, &names);
	}
	return names.r < 0 ? names.r : (int)names.n;
}
