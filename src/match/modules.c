/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application stream of RHEL 8 and 9 and their likes ("nodejs:12", "nodejs:14") is a line of
 * versions of its own: an update of nodejs:14 says nothing of nodejs:12, though its version is
 * higher. OSV records do not name the stream in their ranges. What they have is the mark ".module"
 * in the release of a fix, and the stream in their title.
 */
#include "match/modules.h"

static const str mark = STR(".module");

bool module_is_build(str version)
{
	for (size_t i = 0; i + mark.n < version.n; i++) {
		str at = str_skip(version, i);
		if (str_has_prefix(at, mark) && (at.p[mark.n] == '_' || at.p[mark.n] == '+'))
			return true;
	}
	return false;
}

bool module_allows(const struct package *pkg, const struct advisory_affected *affected)
{
	bool is_module = pkg->module.n > 0 || module_is_build(pkg->version);
	bool has_fix = false;

	for (size_t i = 0; i < affected->n_ranges; i++) {
		const struct advisory_range *range = &affected->ranges[i];
		for (size_t k = 0; k < range->n_events; k++) {
			if (range->events[k].kind != EVENT_FIXED)
				continue;
			has_fix = true;
			if (module_is_build(range->events[k].version) == is_module)
				return true;
		}
	}
	return !has_fix;
}

static bool is_stream_byte(char c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == '+';
}

bool module_stream_fits(str label, str title)
{
	str name, stream, rest;
	if (!str_split_first(label, ':', &name, &rest))
		return true;
	stream = rest;
	(void)str_split_first(rest, ':', &stream, &rest);

	bool names_any = false;
	while (title.n > 0) {
		str word = str_take_while(&title, is_stream_byte);
		bool has_stream =
		        word.n > 0 && title.n > 1 && *title.p == ':' && is_stream_byte(title.p[1]);
		title = str_skip(title, 1);
		if (!has_stream)
			continue;
		str of_word = str_take_while(&title, is_stream_byte);
		if (str_eq(word, name) && str_eq(of_word, stream))
			return true;
		names_any = true;
	}
	return !names_any;
}
