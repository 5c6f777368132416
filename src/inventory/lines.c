/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory/lines.h"

int lines_init(struct lines *lines, struct arena *arena, size_t window_bytes)
{
	char *window = arena_alloc(arena, window_bytes, 1);
	if (!window)
		return -ERR_LIMIT;
	*lines = (struct lines){ .window = window, .window_bytes = window_bytes };
	return 0;
}

void lines_begin(struct lines *lines, const struct artefact *artefact, uint64_t limit_bytes)
{
	*lines = (struct lines){
		.artefact = artefact,
		.window = lines->window,
		.window_bytes = lines->window_bytes,
		.limit_bytes = limit_bytes,
	};
}

/* Read on behind what is unread. False at the end of the file and on failure. */
static bool fill(struct lines *lines)
{
	if (lines->begin > 0) {
		lines->end -= lines->begin;
		memmove(lines->window, lines->window + lines->begin, lines->end);
		lines->begin = 0;
	}
	size_t room = lines->window_bytes - lines->end;
	int64_t r = lines->artefact->ops->read_at(
	        lines->artefact, lines->window + lines->end, room, lines->offset);
	if (r > 0 && (uint64_t)r > lines->limit_bytes - lines->offset)
		r = -ERR_LIMIT;
	if (r < 0)
		lines->failure = (int)r;
	if (r <= 0)
		return false;
	lines->offset += (uint64_t)r;
	lines->end += (size_t)r;
	return true;
}

/* The unread bytes up to the next LF, whether or not there is one yet. */
static bool find(const struct lines *lines, str *ret)
{
	*ret = (str){ lines->window + lines->begin, lines->end - lines->begin };
	const char *at = ret->n ? memchr(ret->p, '\n', ret->n) : NULL;
	if (!at)
		return false;
	ret->n = (size_t)(at - ret->p);
	return true;
}

/* Drop the rest of a line whose head was returned. */
static void skip_rest(struct lines *lines)
{
	str rest;
	while (!find(lines, &rest)) {
		lines->begin = lines->end;
		if (!fill(lines))
			return;
	}
	lines->begin += rest.n + 1;
}

bool lines_next(struct lines *lines, str *ret)
{
	if (lines->is_cut)
		skip_rest(lines);
	lines->is_cut = false;
	while (lines->failure == 0) {
		if (find(lines, ret)) {
			lines->begin += ret->n + 1;
			lines->number++;
			return true;
		}
		bool is_full = ret->n == lines->window_bytes;
		if (is_full || !fill(lines)) {
			if (ret->n == 0 || lines->failure != 0)
				return false;
			*ret = (str){ lines->window + lines->begin, lines->end - lines->begin };
			lines->begin = lines->end;
			lines->is_cut = is_full;
			lines->number++;
			return true;
		}
	}
	return false;
}
