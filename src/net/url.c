/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs and header values: what we accept, and what we show of them.
 */
#include "net/protocol.h"

#include <errno.h>

static const struct {
	const char *name;
	int code;
} classes[] = {
	{ "missing", -ENOENT }, { "limit", -ERR_LIMIT }, { "full", -ENOSPC },
	{ "failed", -EIO }, /* and whatever is not above */
};

#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

const char *net_class_name(int code)
{
	for (size_t i = 0; i < N_CLASSES; i++) {
		if (classes[i].code == code)
			return classes[i].name;
	}
	return classes[N_CLASSES - 1].name;
}

int net_class_of(str name)
{
	for (size_t i = 0; i < N_CLASSES; i++) {
		if (str_eq(name, str_from_c(classes[i].name)))
			return classes[i].code;
	}
	return 0;
}

static bool is_visible(char c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_all(str s, bool (*is)(char))
{
	(void)str_take_while(&s, is);
	return s.n == 0;
}

static bool ends_authority(char c)
{
	return c == '/' || c == '?' || c == '#' || c == '\\';
}

/* Remove "http://" or "https://". */
static bool take_scheme(str *url)
{
	for (size_t n = 7; n <= 8; n++) {
		if (str_eq_nocase(str_head(*url, n), n == 7 ? STR("http://") : STR("https://"))) {
			*url = str_skip(*url, n);
			return true;
		}
	}
	return false;
}

/* Remove "user:password@host:port" and return "host:port". */
static str take_host(str *url)
{
	str authority = str_take_until(url, ends_authority), user, host;
	return str_split_last(authority, '@', &user, &host) ? host : authority;
}

bool net_is_url(str s)
{
	return s.n <= NET_URL_MAX && is_all(s, is_visible) && take_scheme(&s) &&
	       take_host(&s).n > 0;
}

bool net_is_https(str url)
{
	return str_eq_nocase(str_head(url, 8), STR("https://"));
}

str net_url_host(str url)
{
	(void)take_scheme(&url);
	return take_host(&url);
}

str net_url_path(str url)
{
	(void)take_scheme(&url);
	(void)take_host(&url);
	return url;
}

static bool ends_endpoint(char c)
{
	return c == '?' || c == '#' || c == '@' || c == '\\';
}

bool net_is_endpoint(str url)
{
	str s = url;
	(void)str_take_until(&s, ends_endpoint);
	return s.n == 0 && net_is_url(url);
}

static bool is_address_byte(char c)
{
	return is_digit(c) || c == '.';
}

bool net_is_loopback(str url)
{
	uint64_t number;
	str host = net_url_host(url), name, port;
	bool has_port = str_split_last(host, ':', &name, &port) && str_to_u64(port, 65535, &number);
	if (has_port)
		host = name;
	if (str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("[::1]")))
		return true;
	/* A name may begin with a number; an address is nothing but numbers. */
	return str_has_prefix(host, STR("127.")) && is_all(host, is_address_byte);
}

static bool is_etag_byte(char c)
{
	return is_visible(c) && c != '"';
}

bool net_is_etag(str s)
{
	if (s.n >= NET_ETAG_SIZE)
		return false;
	if (str_has_prefix(s, STR("W/")))
		s = str_skip(s, 2);
	return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' &&
	       is_all((str){ s.p + 1, s.n - 2 }, is_etag_byte);
}

static bool is_date_byte(char c)
{
	return is_alnum(c) || c == ' ' || c == ',' || c == ':' || c == '-' || c == '+';
}

bool net_is_date(str s)
{
	return s.n > 0 && s.n < NET_DATE_SIZE && is_all(s, is_date_byte);
}

void net_text_show(str text, char *ret, size_t size)
{
	size_t n = text.n < size - 1 ? text.n : size - 1;
	for (size_t i = 0; i < n; i++)
		ret[i] = is_visible(text.p[i]) || text.p[i] == ' ' ? text.p[i] : '?';
	ret[n] = '\0';
}

static bool is_secret_mark(char c)
{
	return c == '?' || c == '#';
}

static bool is_colon(char c)
{
	return c == ':';
}

/* Add to a text of NET_SHOWN_SIZE, in which `*n` bytes are used. */
static void show_more(char *ret, size_t *n, str s)
{
	net_text_show(s, ret + *n, NET_SHOWN_SIZE - *n);
	*n += strlen(ret + *n);
}

void net_url_show(str url, char ret[NET_SHOWN_SIZE])
{
	size_t n = 0;
	str rest = url;
	ret[0] = '\0';
	if (!take_scheme(&rest)) {
		/* Another scheme: its name says enough, and we do not know where its secrets are.
		 */
		show_more(ret, &n, str_head(str_take_until(&rest, is_colon), 24));
		show_more(ret, &n, rest.n > 0 ? STR(":...") : STR(""));
		return;
	}
	show_more(ret, &n, net_is_https(url) ? STR("https://") : STR("http://"));
	str whole = rest, host = take_host(&rest);
	if (host.n > 0 && host.p > whole.p)
		show_more(ret, &n, STR("***@"));
	show_more(ret, &n, host);
	str path = str_take_until(&rest, is_secret_mark);
	size_t room = NET_SHOWN_SIZE - 8 - n;
	show_more(ret, &n, str_head(path, n < NET_SHOWN_SIZE - 8 ? room : 0));
	show_more(ret, &n, rest.n > 0 || path.n > room ? STR("...") : STR(""));
}

static bool is_unreserved(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void net_url_escape(struct buf *out, str segment)
{
	for (size_t i = 0; i < segment.n; i++) {
		if (is_unreserved(segment.p[i]))
			buf_add_byte(out, segment.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)segment.p[i]);
	}
}

int net_url_on_mirror(str url, str mirror, struct buf *out, struct err *err)
{
	char shown[NET_SHOWN_SIZE];
	bool good = net_is_url(url);
	if (!good || !net_is_url(mirror)) {
		net_url_show(good ? mirror : url, shown);
		return err_set(err, -ERR_FORMAT, "%s: not an http or https URL", shown);
	}
	(void)take_scheme(&url);
	while (str_has_suffix(mirror, STR("/")))
		mirror.n--;
	buf_add(out, mirror);
	buf_add_byte(out, '/');
	buf_add(out, take_host(&url));
	buf_add(out, url);
	return buf_failed(out) ? err_set(err, -ERR_LIMIT, "the URL on the mirror is too long") : 0;
}
