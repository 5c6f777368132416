/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One URL into one descriptor, with libcurl.
 *
 * What is in the descriptor is always the first `at` bytes of one body, whose validators we have.
 * So a transfer that breaks off is gone on with by "Range: AT-" and "If-Range: <validator>": a
 * server with the same body sends the rest as 206, one with another body sends all of it as 200,
 * and then the descriptor is emptied first. A 206 that is not exactly the rest is not believed: we
 * ask once more without a range.
 *
 * Redirects are followed here and not by libcurl, because a chain that was once https must not
 * leave it, and because the user should read where it went.
 */
#include "net/get.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define REDIRECTS_MAX 5
#define DISCARD_MAX (1u << 20)       /* of a page that comes with an error or a redirect */
#define SLOWEST_BYTES_PER_S 1000L    /* for timeout_s, and the attempt has failed */
#define ATTEMPT_MAX_S (6L * 60 * 60) /* however well it goes */
#define BACK_OFF_MAX 32              /* waits between attempts, in units of retry_wait_ms: */
#define ASKED_WAIT_MAX 120 /* ours double up to the one, the server may ask for the other */
#define PROGRESS_EVERY_MS 250
#define NO_WAIT UINT64_MAX

/* One response, as its header lines tell it. */
struct response {
	long status;
	char etag[NET_ETAG_SIZE];
	char last_modified[NET_DATE_SIZE];
	bool is_chunked, has_range, has_begun;
	uint64_t range_first, range_last, range_all;
	uint64_t wait;      /* Retry-After, in seconds; NO_WAIT: not sent */
	uint64_t discarded; /* bytes of a body that nobody wants */
};

/* What an attempt came to. */
enum outcome {
	OUTCOME_DONE,
	OUTCOME_UNCHANGED,
	OUTCOME_REDIRECT, /* `url` is the next one */
	OUTCOME_RESTART,  /* the range was answered with nonsense: ask without */
	OUTCOME_AGAIN,    /* a failure that may pass; `why` has it */
	OUTCOME_FAILED,   /* `why` has it */
};

struct get {
	const struct get_request *request;
	CURL *curl;
	char url[NET_URL_MAX + 1];
	uint64_t at, all;     /* bytes of the body in fd; its length, 0 when unknown */
	struct net_answer of; /* whose bytes those are */
	bool touched;         /* fd holds something else than the caller gave us */
	bool is_ranged;       /* this attempt asked for the rest only */
	bool must_restart;
	int failed; /* class of what went wrong in a callback; 0: nothing */
	struct response response;
	struct err why;
	int64_t told_ms; /* when progress was told last */
	char curl_text[CURL_ERROR_SIZE];
};

static int fail(struct get *get, int code, const char *text)
{
	get->failed = code;
	return err_set(&get->why, code, "%s", text);
}

static void tell_progress(struct get *get)
{
	int64_t now = clock_ms();
	if (now - get->told_ms < PROGRESS_EVERY_MS)
		return;
	get->told_ms = now;
	get->request->progress(get->at, get->all);
}

static int on_progress(
        void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	(void)down_all, (void)down, (void)up_all, (void)up;
	tell_progress(ctx);
	return 0;
}

/* "bytes FIRST-LAST/ALL" (RFC 9110 section 14.4). An unknown ALL is of no use to us. */
static void read_range(struct response *response, str value)
{
	str first, last, all;
	response->has_range = str_has_prefix(value, STR("bytes ")) &&
	                      str_split_first(str_skip(value, 6), '-', &first, &last) &&
	                      str_split_first(last, '/', &last, &all) &&
	                      str_to_u64(first, INT64_MAX, &response->range_first) &&
	                      str_to_u64(last, INT64_MAX, &response->range_last) &&
	                      str_to_u64(all, INT64_MAX, &response->range_all);
}

/* Seconds or a date (RFC 9110 section 10.2.3). */
static void read_wait(struct response *response, str value)
{
	char date[NET_DATE_SIZE] = "";
	if (str_to_u64(value, INT32_MAX, &response->wait) || !net_is_date(value))
		return;
	net_text_show(value, date, sizeof(date));
	time_t then = curl_getdate(date, NULL), now = time(NULL);
	if (then >= 0)
		response->wait = then > now ? (uint64_t)(then - now) : 0;
}

static void read_header(struct response *response, str name, str value)
{
	if (str_eq_nocase(name, STR("etag")) && net_is_etag(value)) {
		net_text_show(value, response->etag, sizeof(response->etag));
	} else if (str_eq_nocase(name, STR("last-modified")) && net_is_date(value)) {
		net_text_show(value, response->last_modified, sizeof(response->last_modified));
	} else if (str_eq_nocase(name, STR("content-range"))) {
		read_range(response, value);
	} else if (str_eq_nocase(name, STR("retry-after"))) {
		read_wait(response, value);
	} else if (str_eq_nocase(name, STR("transfer-encoding"))) {
		response->is_chunked = str_eq_nocase(value, STR("chunked"));
	}
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct get *get = ctx;
	struct response *response = &get->response;
	str line = { p, n * size }, name, value;
	/* What follows the body is not about it any more; a new status line begins a new response.
	 */
	if (response->has_begun)
		return line.n;
	if (str_has_prefix(line, STR("HTTP/")))
		*response = (struct response){ .wait = NO_WAIT };
	else if (str_split_first(line, ':', &name, &value))
		read_header(response, name, str_trim(value));
	return line.n;
}

static void adopt(char *at, const char *value, size_t size)
{
	memcpy(at, value, size);
}

/* Is this 206 the rest of the body that is in fd? */
static bool is_rest(const struct get *get)
{
	const struct response *response = &get->response;
	bool is_same = response->etag[0] == '\0' || get->of.etag[0] == '\0' ||
	               strcmp(response->etag, get->of.etag) == 0;
	return get->is_ranged && response->has_range && is_same &&
	       response->range_first == get->at && response->range_last >= response->range_first &&
	       response->range_last + 1 == response->range_all;
}

/* The length of the body in a 200. Returns: 0; < 0 when we could not tell whether all of it came */
static int find_length(struct get *get)
{
	curl_off_t length = -1;
	long version = 0;
	(void)curl_easy_getinfo(get->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	(void)curl_easy_getinfo(get->curl, CURLINFO_HTTP_VERSION, &version);
	get->all = length > 0 ? (uint64_t)length : 0;
	bool is_framed = length >= 0 || get->response.is_chunked ||
	                 (version != CURL_HTTP_VERSION_1_0 && version != CURL_HTTP_VERSION_1_1);
	return is_framed ? 0 : fail(get, -EIO, "the server does not say how long the file is");
}

static int empty_from(struct get *get, uint64_t at)
{
	struct stat st;
	if (fstat(get->request->fd, &st) < 0)
		return fail(get, -EIO, "cannot look at the file that takes the body");
	if (!S_ISREG(st.st_mode))
		return 0;
	if ((uint64_t)st.st_size < at)
		return fail(get, -EIO,
		        "the file that takes the body is shorter than what is to be resumed");
	return ftruncate(get->request->fd, (off_t)at) == 0
	               ? 0
	               : fail(get, -EIO, "cannot cut the file that takes the body");
}

/* The headers of a 200 or 206 are complete. */
static int begin(struct get *get)
{
	struct response *response = &get->response;
	response->has_begun = true;
	if (response->status == 206 && !is_rest(get)) {
		get->must_restart = get->is_ranged;
		return fail(get, -EIO,
		        "the server sent a part of the file that is not the one asked for");
	}
	if (response->status == 206) {
		get->all = response->range_all;
	} else {
		get->at = 0;
		get->of = (struct net_answer){ .unchanged = false };
		int r = find_length(get);
		if (r < 0)
			return r;
	}
	if (get->all > get->request->max_bytes) {
		(void)err_set(&get->why, -ERR_LIMIT,
		        "%llu bytes, more than the %llu that are allowed",
		        (unsigned long long)get->all, (unsigned long long)get->request->max_bytes);
		return get->failed = -ERR_LIMIT;
	}
	get->touched = true;
	int r = empty_from(get, get->at);
	if (r < 0)
		return r;
	if (response->etag[0] != '\0')
		adopt(get->of.etag, response->etag, sizeof(response->etag));
	if (response->last_modified[0] != '\0')
		adopt(get->of.last_modified, response->last_modified,
		        sizeof(response->last_modified));
	get->of.n_bytes = get->at;
	r = get->request->started(&get->of, get->all, &get->why);
	return r < 0 ? (get->failed = r) : 0;
}

static int write_body(struct get *get, str bytes)
{
	if (bytes.n > get->request->max_bytes - get->at) {
		(void)err_set(&get->why, -ERR_LIMIT, "more than the %llu bytes that are allowed",
		        (unsigned long long)get->request->max_bytes);
		return get->failed = -ERR_LIMIT;
	}
	while (bytes.n > 0) {
		ssize_t n = pwrite(get->request->fd, bytes.p, bytes.n, (off_t)get->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			get->failed = errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EIO;
			return err_set(&get->why, get->failed, "cannot write what arrives: %s",
			        strerror(errno));
		}
		get->at += (uint64_t)n;
		bytes = str_skip(bytes, (size_t)n);
	}
	return 0;
}

static bool is_body(long status)
{
	return status == 200 || status == 206;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct get *get = ctx;
	struct response *response = &get->response;
	str bytes = { p, n * size };
	if (response->status == 0)
		(void)curl_easy_getinfo(get->curl, CURLINFO_RESPONSE_CODE, &response->status);
	if (!is_body(response->status)) {
		response->discarded += bytes.n;
		if (response->discarded <= DISCARD_MAX)
			return bytes.n;
		(void)err_set(&get->why, -EIO, "HTTP %ld, with a page that does not end",
		        response->status);
		get->failed = -EIO;
		return 0;
	}
	if (!response->has_begun && begin(get) < 0)
		return 0;
	return write_body(get, bytes) == 0 ? bytes.n : 0;
}

/* Can the bytes in fd be told from those of another body? Weak tags cannot (RFC 9110 13.1.5). */
static const char *range_validator(const struct get *get)
{
	if (get->of.etag[0] != '\0')
		return get->of.etag[0] == '"' ? get->of.etag : NULL;
	return get->of.last_modified[0] != '\0' ? get->of.last_modified : NULL;
}

static bool add_line(struct curl_slist **lines, const char *name, const char *value)
{
	char line[NET_ETAG_SIZE + 64];
	if (value[0] == '\0')
		return true;
	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	struct curl_slist *more = curl_slist_append(*lines, line);
	*lines = more ? more : *lines;
	return more != NULL;
}

static void free_lines(struct curl_slist **lines)
{
	curl_slist_free_all(*lines);
}

/* The request's own header lines; decides what this attempt asks for. */
static bool add_lines(struct get *get, struct curl_slist **lines)
{
	const struct get_request *request = get->request;
	const char *validator = range_validator(get);
	char range[48];
	bool good =
	        add_line(lines, "Accept-Encoding", "identity") && add_line(lines, "Accept", "*/*");
	if (get->at > 0 && !validator)
		get->at = 0;
	get->is_ranged = get->at > 0;
	if (get->is_ranged) {
		(void)snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)get->at);
		good = good && add_line(lines, "Range", range) &&
		       add_line(lines, "If-Range", validator);
	} else if (!get->touched && request->resume_at_bytes == 0) {
		good = good && add_line(lines, "If-None-Match", request->etag) &&
		       add_line(lines, "If-Modified-Since", request->last_modified);
	}
	return good;
}

/* Failures of a transfer that a second try may not have. */
static bool may_pass(CURLcode code)
{
	static const CURLcode passing[] = { CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR,
		CURLE_GOT_NOTHING, CURLE_OPERATION_TIMEDOUT, CURLE_HTTP2, CURLE_HTTP2_STREAM };
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (passing[i] == code)
			return true;
	}
	return false;
}

static bool is_redirect(long status)
{
	return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

static enum outcome follow(struct get *get)
{
	char shown[NET_SHOWN_SIZE];
	const char *to = NULL;
	(void)curl_easy_getinfo(get->curl, CURLINFO_REDIRECT_URL, &to);
	str url = str_from_c(to);
	net_url_show(url, shown);
	const char *wrong =
	        !net_is_url(url) ? (url.n > 0 ? "which is no http or https URL of use" : "nowhere")
	        : net_is_https(str_from_c(get->url)) && !net_is_https(url)
	                ? "which gives up the encryption"
	                : NULL;
	if (wrong) {
		(void)err_set(&get->why, -EIO, "redirected to %s%s%s", shown, url.n > 0 ? ", " : "",
		        wrong);
		return OUTCOME_FAILED;
	}
	memcpy(get->url, url.p, url.n);
	get->url[url.n] = '\0';
	return OUTCOME_REDIRECT;
}

/* The attempt went as HTTP wants it; what does its status say? */
static enum outcome judge_status(struct get *get)
{
	long status = get->response.status;
	if (is_body(status)) {
		if (get->all == 0 || get->at == get->all)
			return OUTCOME_DONE;
		(void)err_set(&get->why, -EIO, "%llu bytes arrived of %llu",
		        (unsigned long long)get->at, (unsigned long long)get->all);
		return OUTCOME_AGAIN;
	}
	if (status == 304 && !get->is_ranged && !get->touched &&
	        get->request->resume_at_bytes == 0 &&
	        (get->request->etag[0] != '\0' || get->request->last_modified[0] != '\0'))
		return OUTCOME_UNCHANGED;
	if (is_redirect(status))
		return follow(get);
	/* Something in the way cannot do ranges; the file may still be had whole. */
	if (get->is_ranged && (status == 400 || status == 412 || status == 416))
		return OUTCOME_RESTART;
	bool is_missing = status == 404 || status == 410;
	(void)err_set(&get->why, is_missing ? -ENOENT : -EIO, "HTTP %ld%s", status,
	        is_missing                           ? ": there is no such file"
	        : status == 401 || status == 403     ? ": access is denied"
	        : status == 429                      ? ": too many requests"
	        : status == 304 || status / 100 == 2 ? ", which does not answer what was asked"
	                                             : "");
	return status == 429 || status / 100 == 5 ? OUTCOME_AGAIN : OUTCOME_FAILED;
}

static enum outcome judge(struct get *get, CURLcode code)
{
	if (code == CURLE_OK && get->response.status == 0)
		(void)curl_easy_getinfo(get->curl, CURLINFO_RESPONSE_CODE, &get->response.status);
	/* An empty body: nobody has begun it yet. */
	if (code == CURLE_OK && is_body(get->response.status) && !get->response.has_begun)
		(void)begin(get);
	if (get->must_restart)
		return OUTCOME_RESTART;
	if (get->failed != 0)
		return OUTCOME_FAILED;
	if (code == CURLE_OK)
		return judge_status(get);
	const char *text = get->curl_text[0] != '\0' ? get->curl_text : curl_easy_strerror(code);
	(void)err_set(&get->why, -EIO, "%s", text);
	return may_pass(code) ? OUTCOME_AGAIN : OUTCOME_FAILED;
}

static enum outcome attempt(struct get *get)
{
	cleanup(free_lines) struct curl_slist *lines = NULL;
	get->response = (struct response){ .wait = NO_WAIT };
	get->must_restart = false;
	get->failed = 0;
	get->curl_text[0] = '\0';
	if (!add_lines(get, &lines) ||
	        curl_easy_setopt(get->curl, CURLOPT_HTTPHEADER, lines) != CURLE_OK ||
	        curl_easy_setopt(get->curl, CURLOPT_URL, get->url) != CURLE_OK) {
		(void)fail(get, -EIO, "out of memory");
		return OUTCOME_FAILED;
	}
	enum outcome outcome = judge(get, curl_easy_perform(get->curl));
	(void)curl_easy_setopt(get->curl, CURLOPT_HTTPHEADER, NULL);
	return outcome;
}

/* Wait before the next attempt. Returns: false when the server asks for more patience than we have
 */
static bool wait_before_next(struct get *get, uint64_t n_attempts)
{
	uint64_t unit = get->request->retry_wait_ms, wait = get->response.wait;
	if (wait != NO_WAIT && wait > ASKED_WAIT_MAX) {
		struct err was = get->why;
		(void)err_set(&get->why, -EIO, "%.160s, and try again after %llu s", was.text,
		        (unsigned long long)wait);
		return false;
	}
	uint64_t ms = wait != NO_WAIT ? wait * unit : unit << (n_attempts < 6 ? n_attempts - 1 : 5);
	unsigned char chance = 0;
	/* Many hosts that met the same failure should not come back together. */
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
		chance = 128;
	ms += (ms / 4) * chance / 256;
	int64_t until = clock_ms() + (int64_t)ms;
	for (int64_t left; (left = until - clock_ms()) > 0;) {
		left = left < 1000 ? left : 1000;
		struct timespec nap = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		(void)nanosleep(&nap, NULL);
		tell_progress(get);
	}
	return true;
}

static int run(struct get *get, struct net_answer *ret)
{
	unsigned n_redirects = 0;
	for (uint64_t n_attempts = 1;;) {
		switch (attempt(get)) {
		case OUTCOME_DONE:
			*ret = get->of;
			ret->n_bytes = get->at;
			return 0;
		case OUTCOME_UNCHANGED: *ret = (struct net_answer){ .unchanged = true }; return 0;
		case OUTCOME_REDIRECT:
			if (++n_redirects > REDIRECTS_MAX)
				return err_set(
				        &get->why, -EIO, "more than %d redirects", REDIRECTS_MAX);
			break;
		case OUTCOME_RESTART:
			get->at = 0;
			break; /* without a range this cannot happen again */
		case OUTCOME_AGAIN:
			if (n_attempts >= get->request->max_attempts ||
			        !wait_before_next(get, n_attempts))
				return get->why.code;
			n_attempts++;
			n_redirects = 0;
			memcpy(get->url, get->request->url, sizeof(get->url));
			break;
		case OUTCOME_FAILED:
		default: return get->why.code;
		}
	}
}

#if LIBCURL_VERSION_NUM >= 0x075500
#define SET_PROTOCOLS(curl) curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https")
#else
#define SET_PROTOCOLS(curl)                                                                        \
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS)
#endif

/* Certificates of a site's own authority, named as the curl and OpenSSL programs let it. */
static bool set_authorities(CURL *curl)
{
	const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
	return (!file || file[0] == '\0' ||
	               curl_easy_setopt(curl, CURLOPT_CAINFO, file) == CURLE_OK) &&
	       (!dir || dir[0] == '\0' || curl_easy_setopt(curl, CURLOPT_CAPATH, dir) == CURLE_OK);
}

static bool set_options(struct get *get)
{
	CURL *curl = get->curl;
	long timeout_s = (long)get->request->timeout_s;
	return SET_PROTOCOLS(curl) == CURLE_OK && set_authorities(curl) &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "sonde/" SONDE_VERSION) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, timeout_s) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOWEST_BYTES_PER_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, timeout_s) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT, ATTEMPT_MAX_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, get->curl_text) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, get) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, get) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFODATA, get) == CURLE_OK;
}

int get_run(const struct get_request *request, struct net_answer *ret, struct err *err)
{
	struct get get = { .request = request, .at = request->resume_at_bytes };
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, -EIO, "libcurl does not start");
	memcpy(get.url, request->url, sizeof(get.url));
	if (get.at > 0) {
		adopt(get.of.etag, request->etag, sizeof(get.of.etag));
		adopt(get.of.last_modified, request->last_modified, sizeof(get.of.last_modified));
	}
	int r = -EIO;
	get.curl = curl_easy_init();
	if (!get.curl || !set_options(&get))
		(void)err_set(&get.why, r, "libcurl lacks something that is needed");
	else
		r = run(&get, ret);
	curl_easy_cleanup(get.curl);
	curl_global_cleanup();
	return r < 0 ? err_set(err, r, "%s", get.why.text) : 0;
}
