/* SPDX-License-Identifier: Apache-2.0 */
#include "net/answers.h"

#include <errno.h>

/* A line that sonde-net would not write. It may be the loader's, so the user sees it. */
static int refuse(str line, struct err *err)
{
	char shown[96];
	net_text_show(line, shown, sizeof(shown));
	return err_set(err, -EPROTO, "sonde-net gave an answer that is none: %s", shown);
}

/* "N" or "N M" of at most `max` each. */
static bool take_numbers(str s, uint64_t max, uint64_t *ret_first, uint64_t *ret_second)
{
	str first = s, second = { NULL, 0 };
	if (ret_second && !str_split_first(s, ' ', &first, &second))
		return false;
	return str_to_u64(first, max, ret_first) &&
	       (!ret_second || str_to_u64(second, max, ret_second));
}

static void keep(str s, char *at)
{
	memcpy(at, s.p, s.n);
	at[s.n] = '\0';
}

static int start(struct answers *answers, str line, str numbers, struct err *err)
{
	uint64_t at, all;
	if (!take_numbers(numbers, answers->request->max_bytes, &at, &all) || (all > 0 && at > all))
		return refuse(line, err);
	answers->answer = (struct net_answer){ .n_bytes = at };
	memcpy(answers->answer.etag, answers->etag, sizeof(answers->etag));
	memcpy(answers->answer.last_modified, answers->last_modified,
	        sizeof(answers->last_modified));
	answers->etag[0] = answers->last_modified[0] = '\0';
	answers->done_bytes = at;
	answers->all_bytes = all;
	answers->started = true;
	return ANSWERS_STARTED;
}

static int end(struct answers *answers, str line, str number, struct err *err)
{
	uint64_t n;
	if (!answers->started || !take_numbers(number, answers->request->max_bytes, &n, NULL) ||
	        (answers->all_bytes > 0 && n != answers->all_bytes))
		return refuse(line, err);
	answers->answer.n_bytes = n;
	answers->ended = true;
	return ANSWERS_END;
}

static int end_unchanged(struct answers *answers, str line, struct err *err)
{
	const struct net_request *request = answers->request;
	bool asked = str_from_c(request->etag).n > 0 || str_from_c(request->last_modified).n > 0;
	if (answers->started || !asked || request->resume_at_bytes > 0)
		return refuse(line, err);
	answers->answer = (struct net_answer){ .unchanged = true };
	answers->ended = true;
	return ANSWERS_END;
}

static int fail(struct answers *answers, str line, str report, struct err *err)
{
	char shown[sizeof(err->text)];
	str name, text;
	int code = str_split_first(report, ' ', &name, &text) ? net_class_of(name) : 0;
	if (code == 0 || text.n == 0)
		return refuse(line, err);
	net_text_show(text, shown, sizeof(shown));
	answers->ended = true;
	return err_set(err, code, "%s", shown);
}

int answers_take(struct answers *answers, str line, struct err *err)
{
	str word = line, rest = { NULL, 0 };
	(void)str_split_first(line, ' ', &word, &rest);
	answers->n_bytes += line.n + 1;
	if (answers->ended || line.n > NET_LINE_MAX)
		return refuse(line, err);
	if (answers->n_bytes > NET_ANSWERS_MAX)
		return err_set(err, -EPROTO, "sonde-net answers without end");

	if (str_eq(word, STR("progress"))) {
		if (!take_numbers(rest, answers->request->max_bytes, &answers->done_bytes,
		            &answers->all_bytes))
			return refuse(line, err);
		return ANSWERS_PROGRESS;
	}
	if (str_eq(word, STR("etag")) && net_is_etag(rest)) {
		keep(rest, answers->etag);
		return ANSWERS_GO_ON;
	}
	if (str_eq(word, STR("last_modified")) && net_is_date(rest)) {
		keep(rest, answers->last_modified);
		return ANSWERS_GO_ON;
	}
	if (str_eq(word, STR("start")))
		return start(answers, line, rest, err);
	if (str_eq(word, STR("done")))
		return end(answers, line, rest, err);
	if (str_eq(line, STR("unchanged")))
		return end_unchanged(answers, line, err);
	if (str_eq(word, STR("error")))
		return fail(answers, line, rest, err);
	return refuse(line, err);
}
