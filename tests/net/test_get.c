/* SPDX-License-Identifier: Apache-2.0 */
/* What sonde-net does with a server, through net_fetch(). */
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define SIZE 300000u
#define CUT 100000u

/* One fetch into the file "body". */
struct fetch {
	struct net_request request;
	struct net_answer answer;
	struct err err;
	unsigned n_started;
	uint64_t started_at; /* of the last body that began */
	char etag[NET_ETAG_SIZE];
};

static int on_started(void *ctx, const struct net_answer *answer, struct err *err)
{
	struct fetch *fetch = ctx;
	(void)err;
	fetch->n_started++;
	fetch->started_at = answer->n_bytes;
	memcpy(fetch->etag, answer->etag, sizeof(fetch->etag));
	return 0;
}

static struct fetch fetch_init(const char *url)
{
	return (struct fetch){ .request = { .url = url,
		                       .max_bytes = 1u << 20,
		                       .timeout_s = 20,
		                       .max_attempts = 3,
		                       .retry_wait_ms = 1,
		                       .started = on_started } };
}

static int fetch_run(struct web *web, struct fetch *fetch)
{
	autoclose int fd = openat(web->dir_fd, "body", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	fetch->request.fd = fd;
	fetch->request.ctx = fetch;
	return net_fetch(SONDE_NET, &fetch->request, &fetch->answer, &fetch->err);
}

/* A fetch that went well, or the reason why not. */
static void fetch_well(struct web *web, struct fetch *fetch)
{
	if (fetch_run(web, fetch) < 0)
		fail_msg("%s", fetch->err.text);
}

static void assert_says(const struct fetch *fetch, const char *text)
{
	if (!strstr(fetch->err.text, text))
		fail_msg("'%s' is not in: %s", text, fetch->err.text);
}

/* Have the first CUT bytes of a/seed in "body", with the validators of that file. */
static void fetch_begin(struct web *web, struct fetch *fetch, unsigned seed)
{
	web_put(web, "a", SIZE, seed);
	web_say(web, "rule /files/a 1 cut %u", CUT);
	struct fetch first = fetch_init(web_url(web, "/files/a"));
	first.request.max_attempts = 1;
	assert_int_equal(fetch_run(web, &first), -EIO);
	assert_int_equal(first.n_started, 1);
	web_say(web, "log");
	*fetch = fetch_init(web_url(web, "/files/a"));
	fetch->request.resume_at_bytes = CUT;
	memcpy(fetch->etag, first.etag, sizeof(fetch->etag));
	fetch->request.etag = fetch->etag;
}

static void test_get__a_file_whole(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
	assert_int_equal(fetch.answer.n_bytes, SIZE);
	assert_false(fetch.answer.unchanged);
	assert_int_equal(strlen(fetch.answer.etag), 34);
	assert_string_equal(fetch.answer.last_modified, "Tue, 14 Nov 2023 22:13:21 GMT");
}

static void test_get__says_who_asks_and_asks_for_bytes(void **state)
{
	struct web *web = *state;
	web_put(web, "a", 10, 1);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &fetch);
	web_say(web, "log");
	assert_int_equal(web_count(web, "\"user-agent\": \"sonde/" SONDE_VERSION "\""), 1);
	assert_int_equal(web_count(web, "\"accept-encoding\": \"identity\""), 1);
	assert_int_equal(web_count(web, "cookie"), 0);
	assert_int_equal(web_count(web, "authorization"), 0);
}

static void test_get__an_empty_file_empties_the_body(void **state)
{
	struct web *web = *state;
	web_put(web, "a", 0, 1);
	web_write(web, "body", "what was there", 0600);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", 0, 0));
	assert_int_equal(fetch.n_started, 1);
}

static void test_get__a_chunked_file(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a - chunked");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
}

static void test_get__refuses_a_body_whose_end_nobody_can_tell(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a - unframed");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "does not say how long");
}

static void test_get__hears_that_nothing_changed(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	struct fetch first = fetch_init(web_url(web, "/files/a")), second = first;
	fetch_well(web, &first);
	web_write(web, "body", "untouched", 0600);
	second.request.etag = first.answer.etag;
	second.request.last_modified = first.answer.last_modified;
	fetch_well(web, &second);
	assert_true(second.answer.unchanged);
	assert_int_equal(second.n_started, 0);

	web_say(web, "rule /files/a - notag");
	struct fetch third = fetch_init(web_url(web, "/files/a"));
	third.request.last_modified = first.answer.last_modified;
	fetch_well(web, &third);
	assert_true(third.answer.unchanged);
	assert_false(web_is(web, "body", SIZE, 1));
}

static void test_get__refuses_an_unchanged_that_nobody_asked_for(void **state)
{
	struct web *web = *state;
	web_say(web, "rule /files/a - status 304");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "HTTP 304");
}

static void test_get__goes_on_where_the_connection_broke(void **state)
{
	struct web *web = *state;
	struct fetch fetch;
	fetch_begin(web, &fetch, 1);
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
	assert_int_equal(fetch.started_at, CUT);
	assert_int_equal(fetch.answer.n_bytes, SIZE);
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 206 200000"), 1);
	assert_int_equal(web_count(web, "\"range\": \"bytes=100000-\""), 1);
	assert_int_equal(web_count(web, "if-range"), 1);
	assert_int_equal(web_count(web, "if-none-match"), 0);
}

static void test_get__goes_on_by_itself_within_its_attempts(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a 2 cut %u", CUT);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 200 100000"), 1);
	assert_int_equal(web_count(web, "GET /files/a 206 100000"), 2);
}

static void test_get__goes_on_by_date_when_there_is_no_tag(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a - notag");
	web_say(web, "rule /files/a 1 cut %u", CUT);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 206 200000"), 1);
}

static void test_get__starts_again_when_the_file_changed_meanwhile(void **state)
{
	struct web *web = *state;
	struct fetch fetch;
	fetch_begin(web, &fetch, 1);
	web_put(web, "a", SIZE / 2, 2);
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE / 2, 2));
	assert_int_equal(fetch.started_at, 0);
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 200 150000"), 1);
}

static void test_get__starts_again_when_the_rest_cannot_be_trusted(void **state)
{
	struct web *web = *state;
	static const char *const actions[] = { "norange", "wrongrange 5", "header ETag:\"other\"",
		"status 416", "status 412", "status 400" };
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct fetch fetch;
		fetch_begin(web, &fetch, 1);
		fetch.request.max_attempts = 1;
		web_say(web, "rule /files/a 1 %s", actions[i]);
		fetch_well(web, &fetch);
		assert_true(web_is(web, "body", SIZE, 1));
		assert_int_equal(fetch.started_at, 0);
		web_say(web, "clear");
	}
}

static void test_get__starts_again_when_all_of_it_is_there(void **state)
{
	struct web *web = *state;
	struct fetch fetch;
	fetch_begin(web, &fetch, 1);
	web_put(web, "../body", SIZE, 1);
	fetch.request.resume_at_bytes = SIZE;
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 416"), 1);
	assert_int_equal(web_count(web, "GET /files/a 200"), 1);
}

static void test_get__does_not_go_on_by_a_weak_tag(void **state)
{
	struct web *web = *state;
	struct fetch fetch;
	fetch_begin(web, &fetch, 1);
	fetch.request.etag = "W/\"x\"";
	fetch.request.last_modified = "Tue, 14 Nov 2023 22:13:21 GMT";
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET /files/a 200 300000"), 1);
	assert_int_equal(web_count(web, "\"range\""), 0);
	assert_int_equal(web_count(web, "if-none-match"), 0);
}

static void test_get__refuses_more_than_the_limit(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch.request.max_bytes = SIZE - 1;
	assert_int_equal(fetch_run(web, &fetch), -ERR_LIMIT);
	assert_int_equal(fetch.n_started, 0);
	assert_says(&fetch, "300000 bytes, more than the 299999");
	fetch.request.max_bytes = SIZE;
	fetch_well(web, &fetch);

	web_say(web, "rule /files/a - endless");
	struct fetch endless = fetch_init(web_url(web, "/files/a"));
	struct stat st;
	assert_int_equal(fetch_run(web, &endless), -ERR_LIMIT);
	assert_says(&endless, "more than the 1048576");
	assert_int_equal(fstatat(web->dir_fd, "body", &st, 0), 0);
	assert_true(st.st_size <= 1 << 20);
}

static void test_get__refuses_a_rest_that_passes_the_limit(void **state)
{
	struct web *web = *state;
	struct fetch fetch;
	fetch_begin(web, &fetch, 1);
	fetch.request.max_bytes = SIZE - 1;
	assert_int_equal(fetch_run(web, &fetch), -ERR_LIMIT);
}

static void test_get__tells_what_is_missing(void **state)
{
	struct web *web = *state;
	struct fetch fetch = fetch_init(web_url(web, "/files/none"));
	assert_int_equal(fetch_run(web, &fetch), -ENOENT);
	assert_says(&fetch, "/files/none: HTTP 404");
	web_say(web, "rule /files/none - status 410");
	assert_int_equal(fetch_run(web, &fetch), -ENOENT);
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET"), 2);
}

static void test_get__tells_what_is_denied(void **state)
{
	struct web *web = *state;
	web_say(web, "rule /files/a - status 403");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "HTTP 403: access is denied");
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET"), 1);
}

static void test_get__tries_again_after_a_failure_that_may_pass(void **state)
{
	struct web *web = *state;
	static const char *const actions[] = { "status 500", "status 503", "status 429",
		"status 503 Retry-After:2", "status 429 Retry-After:Tue,14Nov2023" };
	web_put(web, "a", SIZE, 1);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		web_say(web, "rule /files/a 2 %s", actions[i]);
		struct fetch fetch = fetch_init(web_url(web, "/files/a"));
		fetch_well(web, &fetch);
		assert_true(web_is(web, "body", SIZE, 1));
	}
}

static void test_get__gives_up_after_its_attempts(void **state)
{
	struct web *web = *state;
	web_say(web, "rule /files/a - status 502");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "HTTP 502");
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET"), 3);
}

static void test_get__does_not_wait_for_hours(void **state)
{
	struct web *web = *state;
	web_say(web, "rule /files/a - status 503 Retry-After:3600");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "HTTP 503, and try again after 3600 s");
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET"), 1);
}

static void test_get__follows_redirects(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/1 - redirect 301 /files/2");
	web_say(web, "rule /files/2 - redirect 302 %s", web_url(web, "/files/3"));
	web_say(web, "rule /files/3 - redirect 303 4");
	web_say(web, "rule /files/4 - redirect 307 5");
	web_say(web, "rule /files/5 - redirect 308 ../files/a");
	struct fetch fetch = fetch_init(web_url(web, "/files/1"));
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));
}

static void test_get__tires_of_redirects(void **state)
{
	struct web *web = *state;
	web_say(web, "rule /files/a - redirect 302 /files/a");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "more than 5 redirects");
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET"), 6);
}

static void test_get__refuses_redirects_out_of_the_web(void **state)
{
	struct web *web = *state;
	static const struct {
		const char *to, *says;
	} rows[] = {
		{ "file:///etc/passwd", "redirected to file:..., which is no http or https URL" },
		{ "ftp://127.0.0.1/a", "redirected to ftp:..., which is no http or https URL" },
		{ "gopher://127.0.0.1/a", "redirected to gopher:..." },
	};
	web_write(web, "body", "", 0600);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		web_say(web, "clear");
		web_say(web, "rule /files/a - redirect 302 %s", rows[i].to);
		struct fetch fetch = fetch_init(web_url(web, "/files/a"));
		assert_int_equal(fetch_run(web, &fetch), -EIO);
		assert_says(&fetch, rows[i].says);
		assert_true(web_is(web, "body", 0, 0));
	}
	web_say(web, "clear");
	web_say(web, "rule /files/a - status 302");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "redirected to nowhere");
}

static void test_get__sees_through_a_length_that_is_a_lie(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a - lie 1000");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch.request.max_attempts = 1;
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	web_say(web, "clear");
	web_say(web, "rule /files/a - lie -1000");
	struct fetch shorter = fetch_init(web_url(web, "/files/a"));
	fetch_well(web, &shorter);
	assert_true(web_is(web, "body", SIZE - 1000, 1));
}

static void test_get__tells_that_nobody_listens(void **state)
{
	struct web *web = *state;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	char url[64];
	/* A port that is taken and does not listen. */
	autoclose int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(taken, (struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &n), 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/a", (unsigned)ntohs(at.sin_port));
	struct fetch fetch = fetch_init(url);
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, url);
	assert_says(&fetch, "onnect");
}

static void test_get__does_not_wait_for_a_server_that_stalls(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	web_say(web, "rule /files/a 1 stall 1000");
	web_say(web, "rule /files/b 1 mute");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	fetch.request.timeout_s = 1;
	fetch.request.max_attempts = 1;
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "too slow");
	assert_true(web_is(web, "body", 1000, 1));

	struct fetch mute = fetch_init(web_url(web, "/files/b"));
	mute.request.timeout_s = 1;
	mute.request.max_attempts = 1;
	assert_int_equal(fetch_run(web, &mute), -EIO);
	assert_int_equal(mute.n_started, 0);
}

static void test_get__does_not_read_an_error_page_without_end(void **state)
{
	struct web *web = *state;
	web_say(web, "rule /files/a - page 404");
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "HTTP 404, with a page that does not end");
}

static void test_get__tells_that_the_disk_is_full(void **state)
{
	struct web *web = *state;
	web_put(web, "a", SIZE, 1);
	struct fetch fetch = fetch_init(web_url(web, "/files/a"));
	autoclose int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	fetch.request.fd = fd;
	fetch.request.ctx = &fetch;
	assert_int_equal(net_fetch(SONDE_NET, &fetch.request, &fetch.answer, &fetch.err), -ENOSPC);
	assert_says(&fetch, "No space left on device");
}

static void test_get__refuses_other_schemes(void **state)
{
	struct web *web = *state;
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/a",
		"127.0.0.1/a", "", "http://127.0.0.1/a b", "http://127.0.0.1/\r\nHost: x" };
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct fetch fetch = fetch_init(urls[i]);
		assert_int_equal(fetch_run(web, &fetch), -EINVAL);
		assert_says(&fetch, "not an http or https URL");
	}
}

static void test_get__names_the_url_without_its_secrets(void **state)
{
	struct web *web = *state;
	char url[128];
	(void)snprintf(url, sizeof(url), "http://me:secret@127.0.0.1:%u/files/none?token=secret",
	        web->port);
	struct fetch fetch = fetch_init(url);
	assert_int_equal(fetch_run(web, &fetch), -ENOENT);
	assert_says(&fetch, "http://***@127.0.0.1:");
	assert_null(strstr(fetch.err.text, "secret"));
	web_say(web, "log");
	assert_int_equal(web_count(web, "\"authorization\": \"Basic"), 1);
}

static void test_get__goes_through_the_proxy_of_the_environment(void **state)
{
	struct web *web = *state;
	assert_int_equal(setenv("http_proxy", web_url(web, ""), 1), 0);
	struct fetch fetch = fetch_init("http://nowhere.invalid/files/a");
	int r = fetch_run(web, &fetch);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(r, -ENOENT);
	web_say(web, "log");
	assert_int_equal(web_count(web, "GET http://nowhere.invalid/files/a 404"), 1);
}

static void make_feed(struct web *web, const char *dir, const char *name, unsigned seed)
{
	char path[128];
	struct err err = { 0 };
	(void)snprintf(path, sizeof(path), "feeds/%s", dir);
	if (fs_make_dirs(web_path(web, path), 0755, &err) < 0)
		fail_msg("%s", err.text);
	(void)snprintf(path, sizeof(path), "../feeds/%s/%s", dir, name);
	web_put(web, path, 1000, seed);
}

/* The test server has the feeds where production has them. */
static void test_get__the_feeds_of_a_mirror(void **state)
{
	struct web *web = *state;
	static const struct {
		const char *host, *segment, *tail;
		unsigned seed;
	} rows[] = {
		{ "storage.googleapis.com/osv-vulnerabilities/", "PyPI", "/all.zip", 1 },
		{ "storage.googleapis.com/osv-vulnerabilities/", "GitHub Actions", "/all.zip", 2 },
		{ "www.cisa.gov/sites/default/files/feeds/", "known_exploited_vulnerabilities.json",
		        "", 3 },
		{ "epss.empiricalsecurity.com/", "epss_scores-current.csv.gz", "", 5 },
		{ "epss.empiricalsecurity.com/", "epss_scores-2026-01-02.csv.gz", "", 4 },
	};
	make_feed(web, "osv/PyPI", "all.zip", 1);
	make_feed(web, "osv/GitHub Actions", "all.zip", 2);
	make_feed(web, "kev", "known_exploited_vulnerabilities.json", 3);
	make_feed(web, "epss", "epss_scores-2026-01-02.csv.gz", 4);
	make_feed(web, "epss", "epss_scores-2026-02-01.csv.gz", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autobuf url = BUF(256), there = BUF(256);
		buf_printf(&url, "https://%s", rows[i].host);
		net_url_escape(&url, str_from_c(rows[i].segment));
		buf_printf(&url, "%s", rows[i].tail);
		assert_int_equal(net_url_on_mirror(
		                         buf_str(&url), str_from_c(web_url(web, "")), &there, NULL),
		        0);
		buf_add_byte(&there, '\0');
		assert_false(buf_failed(&there));
		struct fetch fetch = fetch_init(there.p);
		fetch_well(web, &fetch);
		assert_true(web_is(web, "body", 1000, rows[i].seed));
	}
	struct fetch list = fetch_init(
	        web_url(web, "/storage.googleapis.com/osv-vulnerabilities/ecosystems.txt"));
	autobuf in = BUF(256);
	fetch_well(web, &list);
	assert_int_equal(fs_read(web->dir_fd, "body", &in, NULL), 0);
	assert_true(str_eq(buf_str(&in), STR("GitHub Actions\nPyPI\n")));
}

/* A server with a certificate of its own authority; false when there is no openssl to make one. */
static bool open_tls(struct web *web, struct web *tls)
{
	char command[512];
	(void)snprintf(command, sizeof(command),
	        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
	        "subjectAltName=IP:127.0.0.1 -keyout '%s/key' -out '%s/cert' 2>/dev/null && "
	        "cat '%s/key' '%s/cert' >'%s/both'",
	        web->dir, web->dir, web->dir, web->dir, web->dir);
	if (system(command) != 0)
		return false;
	web_open(tls, web_path(web, "both"));
	return true;
}

static void test_get__trusts_no_certificate_of_its_own_making(void **state)
{
	struct web *web = *state, tls;
	char url[64];
	if (!open_tls(web, &tls)) {
		print_message("skipped: openssl is missing\n");
		skip();
	}
	web_put(&tls, "a", SIZE, 1);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/files/a", tls.port);
	struct fetch fetch = fetch_init(url);
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "certificate");
	assert_int_equal(setenv("SSL_CERT_FILE", web_path(web, "cert"), 1), 0);
	fetch_well(web, &fetch);
	assert_true(web_is(web, "body", SIZE, 1));

	/* An encrypted chain stays one. */
	web_put(web, "a", SIZE, 1);
	web_say(&tls, "rule /files/a - redirect 302 %s", web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &fetch), -EIO);
	assert_says(&fetch, "which gives up the encryption");
	web_say(web, "rule /files/a - redirect 302 %s", url);
	struct fetch turned = fetch_init(web_url(web, "/files/a"));
	assert_int_equal(fetch_run(web, &turned), -EIO);
	assert_says(&turned, "which gives up the encryption");
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	web_close(&tls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_get__##name, web_setup, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_whole),
		TEST(says_who_asks_and_asks_for_bytes),
		TEST(an_empty_file_empties_the_body),
		TEST(a_chunked_file),
		TEST(refuses_a_body_whose_end_nobody_can_tell),
		TEST(hears_that_nothing_changed),
		TEST(refuses_an_unchanged_that_nobody_asked_for),
		TEST(goes_on_where_the_connection_broke),
		TEST(goes_on_by_itself_within_its_attempts),
		TEST(goes_on_by_date_when_there_is_no_tag),
		TEST(starts_again_when_the_file_changed_meanwhile),
		TEST(starts_again_when_the_rest_cannot_be_trusted),
		TEST(starts_again_when_all_of_it_is_there),
		TEST(does_not_go_on_by_a_weak_tag),
		TEST(refuses_more_than_the_limit),
		TEST(refuses_a_rest_that_passes_the_limit),
		TEST(tells_what_is_missing),
		TEST(tells_what_is_denied),
		TEST(tries_again_after_a_failure_that_may_pass),
		TEST(gives_up_after_its_attempts),
		TEST(does_not_wait_for_hours),
		TEST(follows_redirects),
		TEST(tires_of_redirects),
		TEST(refuses_redirects_out_of_the_web),
		TEST(sees_through_a_length_that_is_a_lie),
		TEST(tells_that_nobody_listens),
		TEST(does_not_wait_for_a_server_that_stalls),
		TEST(does_not_read_an_error_page_without_end),
		TEST(tells_that_the_disk_is_full),
		TEST(refuses_other_schemes),
		TEST(names_the_url_without_its_secrets),
		TEST(goes_through_the_proxy_of_the_environment),
		TEST(the_feeds_of_a_mirror),
		TEST(trusts_no_certificate_of_its_own_making),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
