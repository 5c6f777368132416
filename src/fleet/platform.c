/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/platform.h"

/* Longest release that is taken for one. */
#define RELEASE_MAX 32

static const struct platform {
	str name, id, type;
	unsigned keep, parts;
	str word;
} platforms[] = {
#define PLATFORM(title, os, packages, keep_n, n, inspector)                                        \
	{ STR(title), STR(os), STR(packages), (keep_n), (n), STR(inspector) },
#include "fleet/platform.def"
#undef PLATFORM
};

struct named_release {
	str id, release, name;
};

static const struct named_release codenames[] = {
#define CODENAME(os, version, codename) { STR(os), STR(version), STR(codename) },
#include "fleet/platform.def"
#undef CODENAME
};

static const struct named_release words[] = {
#define WORD(os, version, word) { STR(os), STR(version), STR(word) },
#include "fleet/platform.def"
#undef WORD
};

#define N_PLATFORMS (sizeof(platforms) / sizeof(platforms[0]))
#define N_CODENAMES (sizeof(codenames) / sizeof(codenames[0]))
#define N_WORDS (sizeof(words) / sizeof(words[0]))

static str find_release(const struct named_release *rows, size_t n, const struct host *os)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(os->os_id, rows[i].id) && str_eq(os->os_version, rows[i].release))
			return rows[i].name;
	}
	return (str){ NULL, 0 };
}

static const struct platform *find_id(str id)
{
	for (size_t i = 0; i < N_PLATFORMS; i++) {
		if (str_eq(id, platforms[i].id))
			return &platforms[i];
	}
	return NULL;
}

static bool is_release_byte(char c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

/* The first `n` parts of a release, or all of it for 0. */
static str first_parts(str release, unsigned n)
{
	for (size_t i = 0; n > 0 && i < release.n; i++) {
		if (release.p[i] == '.' && --n == 0)
			return str_head(release, i);
	}
	return release;
}

/* The release as os-release's VERSION_ID has it: the first word of what is there. */
static str release_of(const struct platform *platform, str version)
{
	str rest = str_trim(version), release = str_take_while(&rest, is_release_byte);
	bool is_clean = rest.n == 0 || rest.p[0] == ' ' || rest.p[0] == '(';
	if (!is_clean || release.n > RELEASE_MAX)
		return (str){ NULL, 0 };
	return first_parts(release, platform->keep);
}

void platform_os(str name, str version, struct host *ret)
{
	name = str_trim(name);
	ret->os_id = ret->os_version = ret->os_codename = (str){ NULL, 0 };
	for (size_t i = 0; i < N_PLATFORMS && ret->os_id.n == 0; i++) {
		if (!str_eq_nocase(name, platforms[i].name))
			continue;
		ret->os_id = platforms[i].id;
		ret->os_version = release_of(&platforms[i], version);
	}
	ret->os_codename = find_release(codenames, N_CODENAMES, ret);
}

str platform_package_type(str os_id)
{
	const struct platform *platform = find_id(os_id);
	return platform ? platform->type : (str){ NULL, 0 };
}

static void add(struct platform_text *out, size_t *n, str s)
{
	for (size_t i = 0; i < s.n && *n + 1 < sizeof(out->text); i++) {
		char c = s.p[i];
		bool is_lower = c >= 'a' && c <= 'z';
		out->text[(*n)++] = is_lower ? (char)(c - ('a' - 'A')) : is_alnum(c) ? c : '_';
	}
}

struct platform_text platform_word(const struct host *os)
{
	struct platform_text out = { { 0 } };
	const struct platform *platform = find_id(os->os_id);
	str special = find_release(words, N_WORDS, os);
	unsigned parts = platform ? platform->parts : 2;
	size_t n = 0;
	if (special.n > 0) {
		add(&out, &n, special);
	} else if (os->os_id.n > 0) {
		add(&out, &n, platform ? platform->word : str_head(os->os_id, RELEASE_MAX));
		if (parts > 0 && os->os_version.n > 0) {
			add(&out, &n, STR("_"));
			add(&out, &n, first_parts(str_head(os->os_version, RELEASE_MAX), parts));
		}
	}
	return out;
}
