/* SPDX-License-Identifier: Apache-2.0 */
#include "model/package.h"

#include "model/host.h"

const char *confidence_name(enum confidence confidence)
{
	switch (confidence) {
	case CONFIDENCE_HIGH: return "high";
	case CONFIDENCE_MEDIUM: return "medium";
	case CONFIDENCE_LOW: return "low";
	default: return "low";
	}
}

bool package_is_os(const struct package *pkg)
{
	return str_eq(pkg->type, STR("deb")) || str_eq(pkg->type, STR("rpm"));
}

str package_deb_source_version(str version)
{
	str built_from, rest;
	if (!str_split_last(version, '+', &built_from, &rest) || built_from.n == 0 || rest.n < 2 ||
	        rest.p[0] != 'b')
		return version;
	rest = str_skip(rest, 1);
	(void)str_take_while(&rest, is_digit);
	return rest.n == 0 ? built_from : version;
}

int package_order(const struct package *a, const struct package *b)
{
	int c = str_cmp(a->path, b->path);
	if (c == 0)
		c = str_cmp(a->type, b->type);
	if (c == 0)
		c = str_cmp(a->name, b->name);
	if (c == 0)
		c = str_cmp(a->version, b->version);
	return c ? c : str_cmp(a->arch, b->arch);
}

/*
 * Clause 5.4: letters, digits, ".-_~" and the colon stay, every other byte is percent-encoded; that
 * covers bytes that are not UTF-8 too. The colon is never encoded, wherever it stands:
 * "pkg:deb/debian/attr@1:2.4".
 */
static bool is_plain(char c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == '~' || c == ':';
}

static void add_byte(struct buf *out, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	if (is_plain(c)) {
		buf_add_byte(out, c);
		return;
	}
	unsigned char u = (unsigned char)c;
	buf_add(out, (str){ (const char[]){ '%', digits[u >> 4], digits[u & 15] }, 3 });
}

static void add_encoded(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n; i++)
		add_byte(out, s.p[i]);
}

static void add_lower(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n; i++)
		add_byte(out, to_lower(s.p[i]));
}

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

/* PEP 503: lower case, and a run of "-_." is one "-". */
static void add_pypi_name(struct buf *out, str s)
{
	while (s.n > 0) {
		add_lower(out, str_take_until(&s, is_separator));
		if (str_take_while(&s, is_separator).n > 0)
			buf_add_byte(out, '-');
	}
}

/*
 * The vendor of an OS package: os-release's ID, but for the families that the specification's
 * examples and other tools' package URLs call by the vendor. Empty when there is no os-release to
 * say it.
 */
static str vendor_of(const struct package *pkg, const struct host *host)
{
	if (!str_eq(pkg->type, STR("rpm")))
		return host->os_id;
	if (str_eq(host->os_id, STR("rhel")))
		return STR("redhat");
	if (str_has_prefix(host->os_id, STR("opensuse")))
		return STR("opensuse");
	if (str_has_prefix(host->os_id, STR("sle")))
		return STR("suse");
	return host->os_id;
}

static void add_name(const struct package *pkg, const struct host *host, struct buf *out)
{
	str scope, name;
	if (package_is_os(pkg) && vendor_of(pkg, host).n > 0) {
		add_lower(out, vendor_of(pkg, host));
		buf_add_byte(out, '/');
	}
	if (str_eq(pkg->type, STR("pypi"))) {
		add_pypi_name(out, pkg->name);
	} else if (str_eq(pkg->type, STR("npm"))) {
		/* "@scope/name": the scope is the namespace */
		bool scoped = str_has_prefix(pkg->name, STR("@")) &&
		              str_split_first(pkg->name, '/', &scope, &name);
		if (scoped) {
			add_lower(out, scope);
			buf_add_byte(out, '/');
		}
		add_lower(out, scoped ? name : pkg->name);
	} else if (str_eq(pkg->type, STR("deb"))) {
		add_lower(out, pkg->name);
	} else {
		add_encoded(out, pkg->name);
	}
}

/* "1:2.3-4" is epoch 1 and "2.3-4"; a version without an epoch is left whole. */
static str take_epoch(str *version)
{
	str head, tail, digits;
	if (!str_split_first(*version, ':', &head, &tail))
		return (str){ NULL, 0 };
	digits = head;
	(void)str_take_while(&digits, is_digit);
	if (head.n == 0 || digits.n > 0)
		return (str){ NULL, 0 };
	*version = tail;
	return head;
}

/* Opens the qualifier `key`, whose value is written next. */
static void begin_qualifier(struct buf *out, bool *first, const char *key)
{
	buf_add_byte(out, *first ? '?' : '&');
	buf_add(out, str_from_c(key));
	buf_add_byte(out, '=');
	*first = false;
}

static void add_qualifier(struct buf *out, bool *first, const char *key, str value)
{
	if (value.n == 0)
		return;
	begin_qualifier(out, first, key);
	add_encoded(out, value);
}

static void add_distro(struct buf *out, bool *first, const struct host *host)
{
	if (host->os_id.n == 0)
		return;
	str version = host->os_version.n > 0 ? host->os_version : host->os_codename;
	add_qualifier(out, first, "distro", host->os_id);
	if (version.n > 0) {
		buf_add_byte(out, '-');
		add_encoded(out, version);
	}
}

static void add_upstream(struct buf *out, bool *first, const struct package *pkg)
{
	if (pkg->source_name.n == 0 && pkg->source_version.n == 0)
		return;
	add_qualifier(
	        out, first, "upstream", pkg->source_name.n > 0 ? pkg->source_name : pkg->name);
	if (pkg->source_version.n > 0) {
		add_encoded(out, STR("@"));
		add_encoded(out, pkg->source_version);
	}
}

void package_purl(const struct package *pkg, const struct host *host, struct buf *out)
{
	bool is_os = package_is_os(pkg), first = true;
	str version = pkg->version, epoch = { NULL, 0 };
	if (str_eq(pkg->type, STR("rpm")))
		epoch = take_epoch(&version);

	buf_add(out, STR("pkg:"));
	buf_add(out, pkg->type);
	buf_add_byte(out, '/');
	add_name(pkg, host, out);
	if (version.n > 0) {
		buf_add_byte(out, '@');
		add_encoded(out, version);
	}
	if (!is_os)
		return;
	/* clause 5.6.6: sorted by key; "rpmmod" and "upstream" are what other inventories call them
	 */
	add_qualifier(out, &first, "arch", pkg->arch);
	add_distro(out, &first, host);
	add_qualifier(out, &first, "epoch", epoch);
	add_qualifier(out, &first, "rpmmod", pkg->module);
	add_upstream(out, &first, pkg);
}
