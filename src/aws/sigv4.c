/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical request is built as text and not fed to the digest piece by piece: it is short, and
 * a mismatch can then be looked at in a test.
 *
 * The path is what stood on the wire, percent-encoded once by the client; encoding it again is what
 * "each segment twice" means for every service but S3. Dot segments and doubled slashes are removed
 * before that, as the SDKs do. Whoever routes the request compares the path on the wire, so that a
 * path which only becomes another one's by this is not served under its signature.
 */
#include "aws/sigv4.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "aws/timestamp.h"
#include "base/arena.h"
#include "base/json.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
/* Bytes of the longest canonical request and of what its query needs while it is sorted. */
#define CANONICAL_MAX (256u << 10)
#define QUERY_ARENA_MAX (512u << 10)
#define PATH_SEGMENTS_MAX 64
#define SIGNATURE_BYTES_MAX 1024
#define SECRET_MAX 256

static bool is_token(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/* Lower-case field names of HTTP (RFC 9110 section 5.6.2). */
static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_hex_lower(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_all(str s, size_t max, bool (*is)(char))
{
	size_t n = s.n;
	return n > 0 && n <= max && str_take_while(&s, is).n == n;
}

static bool is_day(str s)
{
	return s.n == 8 && is_all(s, 8, is_digit);
}

static bool parse_credential(str s, struct sigv4_credential *ret)
{
	str part[5];
	for (size_t i = 0; i < 4; i++) {
		if (!str_split_first(s, '/', &part[i], &s))
			return false;
	}
	part[4] = s;
	*ret = (struct sigv4_credential){ part[0], part[1], part[2], part[3] };
	return is_all(part[0], 128, is_token) && is_day(part[1]) && is_all(part[2], 64, is_token) &&
	       is_all(part[3], 64, is_token) && str_eq(part[4], STR(TERMINATOR));
}

/* The next of the names joined by ';'; false at the end. */
static bool next_name(str *names, str *ret)
{
	if (names->n == 0)
		return false;
	if (!str_split_first(*names, ';', ret, names)) {
		*ret = *names;
		*names = (str){ NULL, 0 };
	}
	return true;
}

static bool are_signed_headers(str names)
{
	str before = { NULL, 0 };
	size_t n = 0;
	bool ends_well = names.n > 0 && names.p[names.n - 1] != ';';
	for (str name; ends_well && next_name(&names, &name); before = name) {
		if (!is_all(name, 128, is_name) || ++n > SIGV4_HEADERS_MAX ||
		        (before.p && str_cmp(before, name) >= 0))
			return false;
	}
	return ends_well;
}

static bool parse_signature(str s, enum sigv4_scheme *ret)
{
	if (s.n == 2 * SHA256_BYTES && is_all(s, s.n, is_hex_lower)) {
		*ret = SIGV4_HMAC;
		return true;
	}
	autobuf raw = BUF(SIGNATURE_BYTES_MAX);
	*ret = SIGV4_RSA;
	return base64_decode(s, &raw) == 0 && raw.n >= 256;
}

enum sigv4_verdict sigv4_parse(str authorization, struct sigv4 *ret)
{
	static const str names[] = { { "Credential", 10 }, { "SignedHeaders", 13 },
		{ "Signature", 9 } };
	str values[3] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	str rest = authorization, name, value;
	if (!str_has_prefix(rest, STR(ALGORITHM)))
		return SIGV4_MISSING;
	rest = str_skip(rest, STR(ALGORITHM).n);
	if (rest.n == 0 || rest.p[0] != ' ' || authorization.n > SIGV4_AUTHORIZATION_MAX)
		return SIGV4_INCOMPLETE;
	for (size_t n = 0; n < 3; n++) {
		str part = rest;
		bool is_last = !str_split_first(rest, ',', &part, &rest);
		if (is_last != (n == 2) || !str_split_first(str_trim(part), '=', &name, &value))
			return SIGV4_INCOMPLETE;
		size_t i = 0;
		while (i < 3 && !str_eq(name, names[i]))
			i++;
		if (i == 3 || values[i].p)
			return SIGV4_INCOMPLETE;
		values[i] = value;
	}
	struct sigv4 sig = { .signed_headers = values[1], .signature = values[2] };
	if (!parse_credential(values[0], &sig.credential) || !are_signed_headers(values[1]) ||
	        !parse_signature(values[2], &sig.scheme))
		return SIGV4_INCOMPLETE;
	*ret = sig;
	return SIGV4_OK;
}

bool sigv4_header(const struct sigv4_request *request, str name, str *ret_value)
{
	size_t n = 0, at = 0;
	for (size_t i = 0; i < request->n_headers; i++) {
		if (str_eq_nocase(request->headers[i].name, name)) {
			n++;
			at = i;
		}
	}
	if (n == 1)
		*ret_value = request->headers[at].value;
	return n == 1;
}

/* Each "." and empty segment goes, and ".." takes the one before with it. */
static int add_path(str path, struct buf *out)
{
	str segments[PATH_SEGMENTS_MAX], segment;
	size_t n = 0;
	bool ends_in_slash = path.n > 0 && path.p[path.n - 1] == '/';
	for (bool more = path.n > 0; more;) {
		more = str_split_first(path, '/', &segment, &path);
		if (!more)
			segment = path;
		if (str_eq(segment, STR(".."))) {
			n -= n > 0;
		} else if (segment.n > 0 && !str_eq(segment, STR("."))) {
			if (n == PATH_SEGMENTS_MAX)
				return -ERR_LIMIT;
			segments[n++] = segment;
		}
	}
	for (size_t i = 0; i < n; i++) {
		buf_add_byte(out, '/');
		percent_add(out, segments[i], false);
	}
	if (n == 0 || ends_in_slash)
		buf_add_byte(out, '/');
	return 0;
}

struct parameter {
	str name, value;
};

static int by_name_and_value(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	int c = str_cmp(x->name, y->name);
	return c ? c : str_cmp(x->value, y->value);
}

/* Decoded and encoded again, so that only one spelling is left. */
static int normalise(str s, struct arena *arena, str *ret)
{
	autobuf plain = BUF(CANONICAL_MAX);
	autobuf coded = BUF(CANONICAL_MAX);
	int r = percent_decode(s, false, &plain);
	if (r < 0)
		return r;
	percent_add(&coded, buf_str(&plain), false);
	return buf_failed(&coded) ? -ERR_LIMIT : arena_copy(arena, buf_str(&coded), ret);
}

static int sort_query(str query, struct arena *arena, struct buf *out)
{
	struct parameter *parameters =
	        arena_alloc(arena, SIGV4_PARAMETERS_MAX, sizeof(*parameters));
	size_t n = 0;
	if (!parameters)
		return -ERR_LIMIT;
	for (bool more = query.n > 0; more;) {
		str part, name, value = { NULL, 0 };
		more = str_split_first(query, '&', &part, &query);
		if (!more)
			part = query;
		if (part.n == 0)
			continue;
		if (!str_split_first(part, '=', &name, &value))
			name = part;
		if (n == SIGV4_PARAMETERS_MAX)
			return -ERR_LIMIT;
		int r = normalise(name, arena, &parameters[n].name);
		if (r == 0)
			r = normalise(value, arena, &parameters[n].value);
		if (r < 0)
			return r;
		n++;
	}
	qsort(parameters, n, sizeof(*parameters), by_name_and_value);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_byte(out, '&');
		buf_add(out, parameters[i].name);
		buf_add_byte(out, '=');
		buf_add(out, parameters[i].value);
	}
	return 0;
}

static int add_query(str query, struct buf *out)
{
	if (query.n == 0)
		return 0;
	struct arena arena = ARENA(QUERY_ARENA_MAX);
	int r = sort_query(query, &arena, out);
	arena_fini(&arena);
	return r;
}

/* Without blanks at the ends, and runs of them inside folded to one. */
static void add_folded(str value, struct buf *out)
{
	bool is_first = true;
	while (value.n > 0) {
		(void)str_take_while(&value, is_space);
		str word = str_take_until(&value, is_space);
		if (word.n == 0)
			return;
		if (!is_first)
			buf_add_byte(out, ' ');
		is_first = false;
		buf_add(out, word);
	}
}

static int add_headers(const struct sigv4_request *request, str names, struct buf *out)
{
	for (str name; next_name(&names, &name);) {
		size_t n = 0;
		buf_add(out, name);
		for (size_t i = 0; i < request->n_headers; i++) {
			if (!str_eq_nocase(request->headers[i].name, name))
				continue;
			buf_add_byte(out, n++ == 0 ? ':' : ',');
			add_folded(request->headers[i].value, out);
		}
		if (n == 0)
			return -ERR_FORMAT;
		buf_add_byte(out, '\n');
	}
	return 0;
}

int sigv4_canonical(const struct sigv4_request *request, str signed_headers, struct buf *out)
{
	if (request->n_headers > SIGV4_HEADERS_MAX)
		return -ERR_LIMIT;
	buf_add(out, request->method);
	buf_add_byte(out, '\n');
	int r = add_path(request->path, out);
	buf_add_byte(out, '\n');
	if (r == 0)
		r = add_query(request->query, out);
	buf_add_byte(out, '\n');
	if (r == 0)
		r = add_headers(request, signed_headers, out);
	if (r < 0)
		return r;
	buf_add_byte(out, '\n');
	buf_add(out, signed_headers);
	buf_add_byte(out, '\n');
	hex_add(out, (str){ (const char *)request->body_sha256, SHA256_BYTES });
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

int sigv4_string_to_sign(const struct crypto *crypto, const struct sigv4_credential *scope,
        str amz_date, const struct sigv4_request *request, str signed_headers, struct buf *out)
{
	uint8_t digest[SHA256_BYTES];
	autobuf canonical = BUF(CANONICAL_MAX);
	int r = sigv4_canonical(request, signed_headers, &canonical);
	if (r == 0)
		r = crypto_sha256(crypto, buf_str(&canonical), digest);
	if (r < 0)
		return r;
	const str parts[] = { STR(ALGORITHM "\n"), amz_date, STR("\n"), scope->date, STR("/"),
		scope->region, STR("/"), scope->service, STR("/" TERMINATOR "\n") };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		buf_add(out, parts[i]);
	hex_add(out, (str){ (const char *)digest, sizeof(digest) });
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

int sigv4_signing_key(const struct crypto *crypto, str secret, const struct sigv4_credential *scope,
        uint8_t ret_key[SIGV4_KEY_BYTES])
{
	char first[4 + SECRET_MAX] = "AWS4";
	const str steps[] = { scope->date, scope->region, scope->service, STR(TERMINATOR) };
	uint8_t key[SIGV4_KEY_BYTES] = { 0 };
	str last = { first, 4 + secret.n };
	int r = 0;
	if (secret.n == 0 || secret.n > SECRET_MAX)
		return -ERR_LIMIT;
	memcpy(first + 4, secret.p, secret.n);
	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
		r = crypto_hmac(crypto, last, steps[i], key);
		last = (str){ (const char *)key, sizeof(key) };
	}
	if (r == 0)
		memcpy(ret_key, key, sizeof(key));
	crypto_wipe(first, sizeof(first));
	crypto_wipe(key, sizeof(key));
	return r;
}

/* Add the signature's text. */
static int add_signature(const struct crypto *crypto, const uint8_t *key, str text, struct buf *out)
{
	uint8_t mac[SHA256_BYTES];
	int r = crypto_hmac(crypto, (str){ (const char *)key, SIGV4_KEY_BYTES }, text, mac);
	if (r == 0)
		hex_add(out, (str){ (const char *)mac, sizeof(mac) });
	return r;
}

/* Add what stands before the signature, and give the text that it is of. */
static int begin_authorization(const struct crypto *crypto,
        const struct sigv4_credential *credential, const struct sigv4_request *request,
        str signed_headers, struct buf *text, struct buf *out)
{
	str date;
	if (!sigv4_header(request, STR("x-amz-date"), &date))
		return -ERR_FORMAT;
	int r = sigv4_string_to_sign(
	        crypto, credential, str_trim(date), request, signed_headers, text);
	if (r < 0)
		return r;
	buf_printf(out,
	        ALGORITHM " Credential=" STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT "/" TERMINATOR
	                  ", SignedHeaders=" STR_FMT ", Signature=",
	        STR_ARG(credential->access_key_id), STR_ARG(credential->date),
	        STR_ARG(credential->region), STR_ARG(credential->service), STR_ARG(signed_headers));
	return 0;
}

int sigv4_sign(const struct crypto *crypto, const struct sigv4_credential *credential,
        const uint8_t key[SIGV4_KEY_BYTES], const struct sigv4_request *request, str signed_headers,
        struct buf *out)
{
	autobuf text = BUF(4096);
	int r = begin_authorization(crypto, credential, request, signed_headers, &text, out);
	if (r == 0)
		r = add_signature(crypto, key, buf_str(&text), out);
	return r < 0 ? r : buf_failed(out) ? -ERR_LIMIT : 0;
}

int sigv4_sign_rsa(const struct crypto *crypto, const struct sigv4_credential *credential,
        str private_pem, const struct sigv4_request *request, str signed_headers, struct buf *out)
{
	autobuf text = BUF(4096);
	autobuf raw = BUF(SIGNATURE_BYTES_MAX);
	int r = begin_authorization(crypto, credential, request, signed_headers, &text, out);
	if (r == 0)
		r = crypto_rsa_pss_sign(crypto, private_pem, buf_str(&text), &raw);
	if (r < 0)
		return r;
	base64_add(out, buf_str(&raw));
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

void sigv4_date(int64_t at, char ret_date[SIGV4_DATE_SIZE])
{
	autobuf iso = BUF(64);
	size_t n = 0;
	const int64_t last = INT64_C(253402300799);
	timestamp_add_iso(&iso, (at < 0 ? 0 : at > last ? last : at) * 1000);
	for (size_t i = 0; i < iso.n && n < SIGV4_DATE_SIZE - 1; i++) {
		if (iso.p[i] != '-' && iso.p[i] != ':')
			ret_date[n++] = iso.p[i];
	}
	ret_date[n] = '\0';
}

/* "20150830T123600Z", strictly. */
static bool parse_date(str s, int64_t *ret_at)
{
	char iso[] = "yyyy-mm-ddThh:mm:ssZ";
	static const char places[] = { 0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 14, 15, 17, 18, 19 };
	int64_t at_ms;
	if (s.n != sizeof(places) || s.p[8] != 'T' || s.p[15] != 'Z')
		return false;
	for (size_t i = 0; i < sizeof(places); i++)
		iso[(size_t)places[i]] = s.p[i];
	if (!timestamp_from_iso((str){ iso, sizeof(iso) - 1 }, &at_ms))
		return false;
	*ret_at = at_ms / 1000;
	return true;
}

static bool is_signed(str signed_headers, str name)
{
	for (str signed_name; next_name(&signed_headers, &signed_name);) {
		if (str_eq_nocase(signed_name, name))
			return true;
	}
	return false;
}

/* A header that changes what a request means must not be added by whoever carries it. The digest of
 * the body is signed as the last line of the request whether or not its header is, and the header
 * is compared with it: amazon-ssm-agent adds it after it has signed with a node's own key. */
static bool must_be_signed(str name)
{
	return str_eq_nocase(name, STR("content-type")) ||
	       (str_eq_nocase(str_head(name, 6), STR("x-amz-")) &&
	               !str_eq_nocase(name, STR("x-amz-content-sha256")));
}

static enum sigv4_verdict check_headers(
        const struct sigv4 *sig, const struct sigv4_request *request)
{
	str value;
	if (!is_signed(sig->signed_headers, STR("host")) ||
	        !is_signed(sig->signed_headers, STR("x-amz-date")))
		return SIGV4_UNSIGNED;
	/* Two of either would leave it to the reader which one counts. */
	if (!sigv4_header(request, STR("host"), &value))
		return SIGV4_INCOMPLETE;
	for (size_t i = 0; i < request->n_headers; i++) {
		str name = request->headers[i].name;
		if (must_be_signed(name) && !is_signed(sig->signed_headers, name))
			return SIGV4_UNSIGNED;
	}
	return SIGV4_OK;
}

static enum sigv4_verdict check_payload(const struct sigv4_request *request)
{
	uint8_t announced[SHA256_BYTES];
	str name = STR("x-amz-content-sha256"), value;
	bool is_there = false;
	for (size_t i = 0; i < request->n_headers; i++)
		is_there |= str_eq_nocase(request->headers[i].name, name);
	if (!is_there)
		return SIGV4_OK;
	if (!sigv4_header(request, name, &value) ||
	        !hex_decode(str_trim(value), announced, sizeof(announced)) ||
	        memcmp(announced, request->body_sha256, sizeof(announced)) != 0)
		return SIGV4_PAYLOAD;
	return SIGV4_OK;
}

/* Everything but the signature itself; then the string to sign. */
static enum sigv4_verdict prepare(const struct crypto *crypto, const struct sigv4 *sig,
        const struct sigv4_request *request, int64_t now, struct buf *text)
{
	str date;
	int64_t at;
	if (request->n_headers > SIGV4_HEADERS_MAX)
		return SIGV4_FAILED;
	if (!sigv4_header(request, STR("x-amz-date"), &date))
		return SIGV4_INCOMPLETE;
	date = str_trim(date);
	if (!parse_date(date, &at))
		return SIGV4_INCOMPLETE;
	if (at < now - SIGV4_SKEW_S || at > now + SIGV4_SKEW_S)
		return SIGV4_SKEWED;
	if (!str_eq(str_head(date, 8), sig->credential.date))
		return SIGV4_SCOPE;
	enum sigv4_verdict verdict = check_headers(sig, request);
	if (verdict == SIGV4_OK)
		verdict = check_payload(request);
	if (verdict != SIGV4_OK)
		return verdict;
	int r = sigv4_string_to_sign(
	        crypto, &sig->credential, date, request, sig->signed_headers, text);
	return r == 0 ? SIGV4_OK : r == -ERR_FORMAT ? SIGV4_MISMATCH : SIGV4_FAILED;
}

enum sigv4_verdict sigv4_verify(const struct crypto *crypto, const struct sigv4 *sig,
        const struct sigv4_request *request, const uint8_t key[SIGV4_KEY_BYTES], int64_t now)
{
	autobuf text = BUF(4096);
	autobuf ours = BUF(2 * SHA256_BYTES);
	if (sig->scheme != SIGV4_HMAC)
		return SIGV4_INCOMPLETE;
	enum sigv4_verdict verdict = prepare(crypto, sig, request, now, &text);
	if (verdict != SIGV4_OK)
		return verdict;
	if (add_signature(crypto, key, buf_str(&text), &ours) < 0 || buf_failed(&ours))
		return SIGV4_FAILED;
	return crypto_is_equal(buf_str(&ours), sig->signature) ? SIGV4_OK : SIGV4_MISMATCH;
}

static enum sigv4_verdict verify_rsa(
        const struct crypto *crypto, str public_key, str text, str signature)
{
	autobuf raw = BUF(SIGNATURE_BYTES_MAX);
	if (base64_decode(signature, &raw) < 0)
		return SIGV4_INCOMPLETE;
	int r = crypto_rsa_pss_verify(crypto, public_key, text, buf_str(&raw));
	return r == 0 ? SIGV4_OK : r == -EBADMSG ? SIGV4_MISMATCH : SIGV4_FAILED;
}

enum sigv4_verdict sigv4_verify_rsa(const struct crypto *crypto, const struct sigv4 *sig,
        const struct sigv4_request *request, str public_key, int64_t now)
{
	autobuf text = BUF(4096);
	if (sig->scheme != SIGV4_RSA)
		return SIGV4_INCOMPLETE;
	enum sigv4_verdict verdict = prepare(crypto, sig, request, now, &text);
	if (verdict != SIGV4_OK)
		return verdict;
	return verify_rsa(crypto, public_key, buf_str(&text), sig->signature);
}

enum sigv4_verdict sigv4_verify_asymmetric(
        const struct crypto *crypto, str header, str authorization, str public_key)
{
	str head = STR("Signature=");
	header = str_trim(header);
	if (header.n == 0)
		return SIGV4_MISSING;
	if (!str_has_prefix(header, head))
		return SIGV4_INCOMPLETE;
	return verify_rsa(crypto, public_key, str_trim(authorization), str_skip(header, head.n));
}

/* A row for each verdict. */
static const struct {
	const char *error, *message;
} verdicts[] = {
	[SIGV4_OK] = { NULL, "The request is signed." },
	[SIGV4_MISSING] = { "MissingAuthenticationTokenException",
	        "The request has no valid authentication token." },
	[SIGV4_INCOMPLETE] = { "IncompleteSignatureException",
	        "The Authorization header or the date of the request is incomplete or malformed." },
	[SIGV4_SKEWED] = { "InvalidSignatureException",
	        "Signature expired or not yet current: the clocks differ by more than 5 minutes." },
	[SIGV4_SCOPE] = { "InvalidSignatureException",
	        "The date in the credential scope is not the date of the request." },
	[SIGV4_UNSIGNED] = { "InvalidSignatureException",
	        "Host, X-Amz-Date, Content-Type and every other X-Amz- header must be signed." },
	[SIGV4_PAYLOAD] = { "InvalidSignatureException",
	        "X-Amz-Content-Sha256 is not the digest of the body." },
	[SIGV4_MISMATCH] = { "InvalidSignatureException",
	        "The signature we calculated does not match the signature you provided." },
	[SIGV4_FAILED] = { "InternalFailure", "The signature could not be checked." },
};

const char *sigv4_verdict_error(enum sigv4_verdict verdict)
{
	return verdicts[verdict].error;
}

const char *sigv4_verdict_message(enum sigv4_verdict verdict)
{
	return verdicts[verdict].message;
}
