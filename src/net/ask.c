/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each call sets every option anew on the same handle: curl_easy_reset() forgets all of them, and
 * keeps the connections, the cache of names and the sessions of TLS. No redirect is followed: what
 * is signed is meant for one server, and a server that sends us elsewhere is only quoted. HTTP/1.1
 * is enough for one request at a time, and is the least that can go wrong.
 */
#include "net/ask.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rest.h"
#include "net/protocol.h"

/* A server that has not answered after so long holds the call until there is something to say. */
#define SOON_MS 500
/* What does not move for so long is asked by the kernel whether it is still there: a network that
 * forgets silent connections keeps it, and nobody wakes for that. */
#define KEEP_IDLE_S 45L
#define KEEP_INTERVAL_S 15L

/* Header lines of one answer, those of interim ones and trailers included. */
#define HEADERS_MAX (64u << 10)
#define VALUE_MAX_BYTES 2048
#define RETRY_AFTER_MAX INT32_MAX

struct ask {
	const struct call_setup *setup; /* borrows */
	struct ask_listener listener;
	CURL *curl;
	CURLM *connections;
	int authorities_fd; /* where libcurl takes them from a file only; else -1 */

	/* Of the call that is made: */
	const struct net_call *call;
	uint16_t number;
	struct net_call_answer answer;
	struct net_header kept[CALL_KEPT_MAX];
	char values[CALL_KEPT_MAX][VALUE_MAX_BYTES];
	char date[NET_DATE_SIZE], retry_after[NET_DATE_SIZE];
	bool is_chunked, has_begun;
	size_t header_bytes;
	struct buf out; /* one frame */
	struct err why;
	int failed; /* class of what went wrong in a callback; 0: nothing */
	char curl_text[CURL_ERROR_SIZE];
};

static int fail(struct ask *ask, int code, const char *text)
{
	ask->failed = code;
	return err_set(&ask->why, code, "%s", text);
}

/* A new answer begins: what was said before was an interim one. */
static void begin_head(struct ask *ask)
{
	ask->answer = (struct net_call_answer){
		.date_at = -1, .retry_after_s = -1, .headers = ask->kept
	};
	ask->date[0] = ask->retry_after[0] = '\0';
	ask->is_chunked = false;
}

static bool is_header_byte(char c)
{
	return (c >= ' ' && c < 0x7f) || c == '\t';
}

/* Keep a header of interest; a second one of the name, and one that is damaged, is none. */
static void keep(struct ask *ask, int i, str value)
{
	struct net_call_answer *answer = &ask->answer;
	str rest = value;
	(void)str_take_while(&rest, is_header_byte);
	if (rest.n > 0 || value.n > VALUE_MAX_BYTES)
		return;
	for (size_t at = 0; at < answer->n_headers; at++) {
		if (call_kept_index(ask->kept[at].name) == i)
			return;
	}
	if (value.n > 0)
		memcpy(ask->values[i], value.p, value.n);
	ask->kept[answer->n_headers++] =
	        (struct net_header){ call_kept_name(i), { ask->values[i], value.n } };
}

static void read_header(struct ask *ask, str name, str value)
{
	int i = call_kept_index(name);
	if (i >= 0)
		keep(ask, i, value);
	else if (str_eq_nocase(name, STR("date")) && net_is_date(value))
		net_text_show(value, ask->date, sizeof(ask->date));
	else if (str_eq_nocase(name, STR("retry-after")) && net_is_date(value))
		net_text_show(value, ask->retry_after, sizeof(ask->retry_after));
	else if (str_eq_nocase(name, STR("transfer-encoding")))
		ask->is_chunked = str_eq_nocase(value, STR("chunked"));
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct ask *ask = ctx;
	str line = { p, n * size }, name, value;
	ask->header_bytes += line.n;
	if (ask->header_bytes > HEADERS_MAX) {
		(void)fail(ask, -ERR_LIMIT, "the headers of the answer do not end");
		return 0;
	}
	if (ask->has_begun)
		return line.n; /* a trailer is not about the body any more */
	if (str_has_prefix(line, STR("HTTP/")))
		begin_head(ask);
	else if (str_split_first(line, ':', &name, &value))
		read_header(ask, name, str_trim(value));
	return line.n;
}

static int64_t read_date(const char *date)
{
	time_t at = date[0] != '\0' ? curl_getdate(date, NULL) : -1;
	return at >= 0 && at < INT64_C(253402300800) ? (int64_t)at : -1;
}

/* Seconds or a date (RFC 9110 section 10.2.3), which is of the server's clock. */
static int64_t read_wait(const struct ask *ask)
{
	uint64_t wait;
	if (str_to_u64(str_from_c(ask->retry_after), RETRY_AFTER_MAX, &wait))
		return (int64_t)wait;
	int64_t then = read_date(ask->retry_after);
	int64_t now = ask->answer.date_at >= 0 ? ask->answer.date_at : ask->call->now;
	if (then < 0)
		return -1;
	then -= now;
	return then < 0 ? 0 : then < RETRY_AFTER_MAX ? then : RETRY_AFTER_MAX;
}

/* Can the end of the body be told from a connection that broke? */
static bool is_framed(const struct ask *ask, curl_off_t length)
{
	unsigned status = ask->answer.status;
	return length >= 0 || ask->is_chunked || status == 204 || status == 304 ||
	       str_eq(ask->call->method, STR("HEAD"));
}

static int tell(struct ask *ask)
{
	if (buf_failed(&ask->out))
		return fail(ask, -EIO, "out of memory");
	ask->listener.tell(buf_str(&ask->out));
	return 0;
}

/* The header of the answer is complete. */
static int begin(struct ask *ask)
{
	long status = 0;
	curl_off_t length = -1;
	(void)curl_easy_getinfo(ask->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(ask->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	ask->has_begun = true;
	if (status < 200 || status > 599)
		return fail(ask, -EPROTO, "the server's answer has no status that there is");
	ask->answer.status = (unsigned)status;
	ask->answer.date_at = read_date(ask->date);
	ask->answer.retry_after_s = read_wait(ask);
	if (!is_framed(ask, length))
		return fail(ask, -EPROTO, "the server does not say how long its answer is");
	if (length > 0 && (uint64_t)length > ask->call->max_answer_bytes &&
	        !str_eq(ask->call->method, STR("HEAD"))) {
		ask->failed = -ERR_LIMIT;
		return err_set(&ask->why, -ERR_LIMIT,
		        "an answer of %llu bytes, more than the %llu allowed",
		        (unsigned long long)length,
		        (unsigned long long)ask->call->max_answer_bytes);
	}
	buf_clear(&ask->out);
	call_head_add(&ask->out, ask->number, &ask->answer);
	return tell(ask);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct ask *ask = ctx;
	str bytes = { p, n * size };
	if (!ask->has_begun && begin(ask) < 0)
		return 0;
	if (bytes.n > ask->call->max_answer_bytes - ask->answer.n_bytes) {
		(void)err_set(&ask->why, -ERR_LIMIT,
		        "an answer of more than the %llu bytes allowed",
		        (unsigned long long)ask->call->max_answer_bytes);
		ask->failed = -ERR_LIMIT;
		return 0;
	}
	ask->answer.n_bytes += bytes.n;
	for (str rest = bytes; rest.n > 0; rest = str_skip(rest, CALL_DATA_MAX)) {
		buf_clear(&ask->out);
		size_t at = call_frame_begin(&ask->out, CALL_FRAME_DATA, ask->number);
		buf_add(&ask->out, str_head(rest, CALL_DATA_MAX));
		call_frame_end(&ask->out, at);
		if (tell(ask) < 0)
			return 0;
	}
	return bytes.n;
}

static int tell_end(struct ask *ask)
{
	buf_clear(&ask->out);
	size_t at = call_frame_begin(&ask->out, CALL_FRAME_END, ask->number);
	buf_add_u64(&ask->out, ask->answer.n_bytes);
	call_frame_end(&ask->out, at);
	return tell(ask);
}

static int class_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return -ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR: return -EKEYREJECTED;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY: return -EPROTO;
	default: return -EIO;
	}
}

static int judge(struct ask *ask, CURLcode code)
{
	/* An empty body: nobody has begun it yet. */
	if (code == CURLE_OK && ask->failed == 0 && !ask->has_begun)
		(void)begin(ask);
	if (ask->failed != 0)
		return ask->failed;
	if (code == CURLE_OK)
		return tell_end(ask);
	const char *text = ask->curl_text[0] != '\0' ? ask->curl_text : curl_easy_strerror(code);
	return err_set(&ask->why, class_of(code), "%s", text);
}

#if LIBCURL_VERSION_NUM >= 0x075500
#define SET_PROTOCOLS(curl) curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https")
#else
#define SET_PROTOCOLS(curl)                                                                        \
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS)
#endif

#if LIBCURL_VERSION_NUM >= 0x074d00
static int prepare_authorities(struct ask *ask)
{
	(void)ask;
	return 0;
}

/* Only the authorities of the setup are believed, if it has any. */
static bool set_authorities(struct ask *ask)
{
	str pem = ask->setup->authorities;
	const char *data = pem.p;
	struct curl_blob blob = { .len = pem.n, .flags = CURL_BLOB_NOCOPY };
	memcpy(&blob.data, &data, sizeof(data)); /* it is only read */
	return pem.n == 0 ||
	       (curl_easy_setopt(ask->curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	               curl_easy_setopt(ask->curl, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK);
}
#else
/* Before libcurl 7.77 they have to be in a file: one that nobody else can see. */
static int prepare_authorities(struct ask *ask)
{
	str pem = ask->setup->authorities;
	if (pem.n == 0)
		return 0;
	ask->authorities_fd = memfd_create("authorities", MFD_CLOEXEC);
	if (ask->authorities_fd < 0 || write(ask->authorities_fd, pem.p, pem.n) != (ssize_t)pem.n)
		return -EIO;
	return 0;
}

static bool set_authorities(struct ask *ask)
{
	char path[48];
	if (ask->authorities_fd < 0)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ask->authorities_fd);
	return curl_easy_setopt(ask->curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(ask->curl, CURLOPT_CAINFO, path) == CURLE_OK;
}
#endif

/* What holds for every call. */
static bool set_connection(struct ask *ask, const char *proxy)
{
	CURL *curl = ask->curl;
	long connect_ms = (long)ask->setup->connect_timeout_ms;
	long version = CURL_HTTP_VERSION_1_1;
	/* An empty proxy is none, whatever the environment says, and so is an empty exception. */
	return SET_PROTOCOLS(curl) == CURLE_OK && set_authorities(ask) &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, proxy) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
	               CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, version) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "sonde/" SONDE_VERSION) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, KEEP_IDLE_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, KEEP_INTERVAL_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, ask->curl_text) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, ask) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, ask) == CURLE_OK;
}

static bool set_method(CURL *curl, const struct net_call *call, const char *method)
{
	bool has_body = call->body.n > 0 || str_eq(call->method, STR("POST")) ||
	                str_eq(call->method, STR("PUT"));
	const char *body = call->body.n > 0 ? call->body.p : "";
	curl_off_t n = (curl_off_t)call->body.n;
	if (str_eq(call->method, STR("HEAD")))
		return curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK;
	if (!has_body)
		return curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
	return curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, n) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

/* What is of this call. */
static bool set_call(struct ask *ask, const char *url, const char *method, struct curl_slist *list)
{
	return curl_easy_setopt(ask->curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(ask->curl, CURLOPT_HTTPHEADER, list) == CURLE_OK &&
	       curl_easy_setopt(ask->curl, CURLOPT_TIMEOUT_MS, (long)ask->call->timeout_ms) ==
	               CURLE_OK &&
	       set_method(ask->curl, ask->call, method);
}

static void free_list(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static bool append(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);
	*list = more ? more : *list;
	return more != NULL;
}

/* Header lines as libcurl wants them, and without those that it would add. */
static bool make_list(str lines, struct curl_slist **list)
{
	bool has_type = false,
	     good = append(list, "Expect:") && append(list, "Accept-Encoding: identity");
	str line;
	while (good && str_split_first(lines, '\0', &line, &lines)) {
		has_type |= str_eq_nocase(str_head(line, 13), STR("content-type:"));
		good = append(list, line.p);
	}
	return good && (has_type || append(list, "Content-Type:"));
}

static int add_url(const struct ask *ask, struct buf *url)
{
	str prefix = ask->setup->endpoint;
	while (str_has_suffix(prefix, STR("/")))
		prefix.n--;
	buf_add(url, prefix);
	buf_add(url, ask->call->target);
	if (!net_is_url(buf_str(url)))
		return -EINVAL;
	buf_add_byte(url, '\0');
	return buf_failed(url) ? -EIO : 0;
}

/* Wait until libcurl has something to do. */
#if LIBCURL_VERSION_NUM >= 0x074200
static CURLMcode wait_for(CURLM *connections, int ms)
{
	return curl_multi_poll(connections, NULL, 0, ms, NULL);
}
#else
/* Before libcurl 7.66 the wait ends at once while a name is looked for. */
static CURLMcode wait_for(CURLM *connections, int ms)
{
	int n = 0;
	CURLMcode code = curl_multi_wait(connections, NULL, 0, ms, &n);
	if (code == CURLM_OK && n == 0)
		(void)poll(NULL, 0, ms < 10 ? ms : 10);
	return code;
}
#endif

static CURLcode result_of(CURLM *connections)
{
	int left = 0;
	const CURLMsg *message;
	while ((message = curl_multi_info_read(connections, &left)) != NULL) {
		if (message->msg == CURLMSG_DONE)
			return message->data.result;
	}
	return CURLE_FAILED_INIT;
}

/*
 * As curl_easy_perform() does, which looks around once a second. Here nobody wakes before there is
 * an answer or the time is over, and who waits for long keeps only the memory that this takes.
 */
static CURLcode perform(struct ask *ask)
{
	int is_running = 1;
	bool is_quiet = false;
	CURLMcode code = curl_multi_add_handle(ask->connections, ask->curl);
	while (code == CURLM_OK && is_running) {
		code = curl_multi_perform(ask->connections, &is_running);
		if (code != CURLM_OK || !is_running)
			break;
		if (is_quiet)
			rest_memory();
		int64_t began_ms = clock_ms();
		code = wait_for(ask->connections, is_quiet ? INT32_MAX : SOON_MS);
		is_quiet = clock_ms() - began_ms >= SOON_MS;
	}
	CURLcode result = code == CURLM_OK ? result_of(ask->connections) : CURLE_FAILED_INIT;
	(void)curl_multi_remove_handle(ask->connections, ask->curl);
	return result;
}

static int run(struct ask *ask, str lines)
{
	cleanup(free_list) struct curl_slist *list = NULL;
	autobuf url = BUF(2 * NET_URL_MAX + 2), proxy = BUF(NET_URL_MAX + 1);
	char method[16];
	if (add_url(ask, &url) < 0)
		return err_set(&ask->why, -EINVAL, "the URL is too long");
	net_text_show(ask->call->method, method, sizeof(method));
	buf_add(&proxy, ask->setup->proxy);
	buf_add_byte(&proxy, '\0');
	curl_easy_reset(ask->curl);
	if (buf_failed(&proxy) || !make_list(lines, &list) || !set_connection(ask, proxy.p) ||
	        !set_call(ask, url.p, method, list))
		return err_set(&ask->why, -EIO, "libcurl lacks something that is needed");
	return judge(ask, perform(ask));
}

int ask_run(
        struct ask *ask, const struct net_call *call, str lines, uint16_t number, struct err *err)
{
	ask->call = call;
	ask->number = number;
	ask->has_begun = false;
	ask->header_bytes = 0;
	ask->failed = 0;
	ask->why = (struct err){ 0 };
	ask->curl_text[0] = '\0';
	begin_head(ask);
	int r = run(ask, lines);
	curl_easy_reset(ask->curl); /* it holds pointers into what goes now */
	ask->call = NULL;
	return r < 0 ? err_set(err, r, "%s", ask->why.text) : 0;
}

void ask_free(struct ask *ask)
{
	if (!ask)
		return;
	curl_easy_cleanup(ask->curl);
	(void)curl_multi_cleanup(ask->connections);
	closep(&ask->authorities_fd);
	buf_fini(&ask->out);
	free(ask);
}

int ask_new(const struct call_setup *setup, const struct ask_listener *listener,
        struct ask **ret_ask, struct err *err)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	if (!ask)
		return err_set(err, -ENOMEM, "out of memory");
	ask->setup = setup;
	ask->listener = *listener;
	ask->authorities_fd = -1;
	ask->out = BUF(CALL_FRAME_HEAD_BYTES + CALL_TELL_MAX);
	ask->curl = curl_easy_init();
	ask->connections = curl_multi_init();
	if (!ask->curl || !ask->connections || prepare_authorities(ask) < 0 ||
	        curl_multi_setopt(ask->connections, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK) {
		ask_free(ask);
		return err_set(err, -EIO, "libcurl does not start");
	}
	*ret_ask = ask;
	return 0;
}
