/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "aws/sigv4.h"
#include "keys.h"

#define DATE "20150830T123600Z"
#define NOW INT64_C(1440938160) /* the same */
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static struct crypto *crypto;

static int setup(void **state)
{
	(void)state;
	return crypto_new(&crypto, NULL);
}

static int teardown(void **state)
{
	(void)state;
	crypto_free(crypto);
	return 0;
}

/* A request in the making. */
struct made {
	struct sigv4_header headers[8];
	struct sigv4_request request;
	struct sigv4_credential credential;
	uint8_t key[SIGV4_KEY_BYTES];
	struct buf authorization;
	struct sigv4 sig;
};

static void add(struct made *m, const char *name, const char *value)
{
	m->headers[m->request.n_headers++] =
	        (struct sigv4_header){ str_from_c(name), str_from_c(value) };
	m->request.headers = m->headers;
}

static void make(struct made *m, const char *path, const char *query)
{
	*m = (struct made){ .authorization = BUF(8192) };
	m->request.method = STR("GET");
	m->request.path = str_from_c(path);
	m->request.query = str_from_c(query);
	m->credential = (struct sigv4_credential){ STR("AKIDEXAMPLE"), STR("20150830"),
		STR("us-east-1"), STR("service") };
	assert_int_equal(crypto_sha256(crypto, STR(""), m->request.body_sha256), 0);
	assert_int_equal(sigv4_signing_key(crypto, STR(SECRET), &m->credential, m->key), 0);
	add(m, "Host", "example.amazonaws.com");
	add(m, "X-Amz-Date", DATE);
}

static void sign(struct made *m, const char *signed_headers)
{
	assert_int_equal(sigv4_sign(crypto, &m->credential, m->key, &m->request,
	                         str_from_c(signed_headers), &m->authorization),
	        0);
	assert_int_equal(sigv4_parse(buf_str(&m->authorization), &m->sig), SIGV4_OK);
}

static enum sigv4_verdict verify(const struct made *m)
{
	return sigv4_verify(crypto, &m->sig, &m->request, m->key, NOW);
}

static void end(struct made *m)
{
	buf_fini(&m->authorization);
}

/* Signatures of AWS's published test suite, made with the keys above. */
static void test_sigv4__the_published_suite_agrees(void **state)
{
	(void)state;
	static const struct {
		const char *path, *query, *signature;
	} rows[] = {
		{ "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "/", "Param1=value1&Param2=value2", /* get-vanilla-query-order-key-case */
		        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
		{ "/", "Param2=value2&Param1=value1",
		        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m;
		make(&m, rows[i].path, rows[i].query);
		sign(&m, "host;x-amz-date");
		assert_text(m.sig.signature, rows[i].signature);
		assert_int_equal(verify(&m), SIGV4_OK);
		end(&m);
	}
}

/* The worked example of the documentation: ListUsers of IAM. */
static void test_sigv4__the_documented_example_agrees(void **state)
{
	(void)state;
	struct made m;
	make(&m, "/", "Action=ListUsers&Version=2010-05-08");
	m.request.n_headers = 0;
	add(&m, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
	add(&m, "Host", "iam.amazonaws.com");
	add(&m, "X-Amz-Date", DATE);
	m.credential.service = STR("iam");
	assert_int_equal(sigv4_signing_key(crypto, STR(SECRET), &m.credential, m.key), 0);
	autobuf key = BUF(100);
	hex_add(&key, (str){ (const char *)m.key, sizeof(m.key) });
	assert_text(
	        buf_str(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
	sign(&m, "content-type;host;x-amz-date");
	assert_text(m.sig.signature,
	        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
	end(&m);
}

static void test_sigv4__the_canonical_request_is_canonical(void **state)
{
	(void)state;
	struct made m;
	autobuf out = BUF(4096);
	make(&m, "//a/./b/../c%20d/", "b=%7e&a=2&a=1&&c&b=x/y");
	add(&m, "My-Header", "  one\t two   three ");
	add(&m, "my-header", "four");
	assert_int_equal(sigv4_canonical(&m.request, STR("host;my-header;x-amz-date"), &out), 0);
	assert_text(buf_str(&out),
	        "GET\n/a/c%2520d/\na=1&a=2&b=x%2Fy&b=~&c=\nhost:example.amazonaws.com\n"
	        "my-header:one two three,four\nx-amz-date:" DATE "\n\nhost;my-header;x-amz-date\n"
	        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	end(&m);
}

static void test_sigv4__each_part_of_a_request_is_signed(void **state)
{
	(void)state;
	struct made m;
	make(&m, "/path", "q=1");
	add(&m, "Content-Type", "application/x-amz-json-1.1");
	add(&m, "X-Amz-Target", "AmazonSSM.GetParameter");
	sign(&m, "content-type;host;x-amz-date;x-amz-target");
	assert_int_equal(verify(&m), SIGV4_OK);
	struct made c = m;
	c.request.headers = c.headers;
	c.request.method = STR("PUT");
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c.request = m.request;
	c.request.path = STR("/path2");
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c.request = m.request;
	c.request.query = STR("q=2");
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c.request = m.request;
	c.request.body_sha256[0] ^= 1;
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c.request = m.request;
	c.request.headers = c.headers;
	c.headers[3].value = STR("AmazonSSM.PutParameter");
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c = m;
	c.key[0] ^= 1;
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c = m;
	c.request.n_headers--; /* a signed header is missing */
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	c = m;
	c.sig.credential.region = STR("us-east-2");
	assert_int_equal(verify(&c), SIGV4_MISMATCH);
	end(&m);
}

static void test_sigv4__headers_with_a_meaning_must_be_signed(void **state)
{
	(void)state;
	static const char *const names[] = { "Content-Type", "X-Amz-Target",
		"x-amz-security-token" };
	for (size_t i = 0; i < 3; i++) {
		struct made m;
		make(&m, "/", "");
		sign(&m, "host;x-amz-date");
		add(&m, names[i], "added on the way");
		assert_int_equal(verify(&m), SIGV4_UNSIGNED);
		end(&m);
	}
	struct made m;
	make(&m, "/", "");
	sign(&m, "x-amz-date");
	assert_int_equal(verify(&m), SIGV4_UNSIGNED);
	end(&m);
	make(&m, "/", "");
	sign(&m, "host");
	assert_int_equal(verify(&m), SIGV4_UNSIGNED);
	add(&m, "User-Agent", "is nobody's business");
	end(&m);
}

static void test_sigv4__a_header_that_stands_twice_is_refused(void **state)
{
	(void)state;
	struct made m;
	make(&m, "/", "");
	add(&m, "X-Amz-Date", DATE);
	assert_int_equal(sigv4_sign(crypto, &m.credential, m.key, &m.request,
	                         STR("host;x-amz-date"), &m.authorization),
	        -ERR_FORMAT);
	end(&m);
	make(&m, "/", "");
	add(&m, "host", "other");
	sign(&m, "host;x-amz-date");
	assert_int_equal(verify(&m), SIGV4_INCOMPLETE);
	end(&m);
}

static void test_sigv4__the_clock_may_be_off_by_five_minutes(void **state)
{
	(void)state;
	struct made m;
	make(&m, "/", "");
	sign(&m, "host;x-amz-date");
	static const struct {
		int64_t now;
		enum sigv4_verdict verdict;
	} rows[] = { { NOW - 300, SIGV4_OK }, { NOW + 300, SIGV4_OK }, { NOW - 301, SIGV4_SKEWED },
		{ NOW + 301, SIGV4_SKEWED }, { 0, SIGV4_SKEWED } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sigv4_verify(crypto, &m.sig, &m.request, m.key, rows[i].now),
		        rows[i].verdict);
	m.sig.credential.date = STR("20150831");
	assert_int_equal(verify(&m), SIGV4_SCOPE);
	m.sig.credential.date = STR("20150830");
	static const char *const bad[] = { "", "20150830T123600", "20150830 123600Z",
		"20151330T123600Z", "2015-08-30T12:36:00Z", "20150830T126000Z" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.headers[1].value = str_from_c(bad[i]);
		assert_int_equal(verify(&m), SIGV4_INCOMPLETE);
	}
	end(&m);
}

static void test_sigv4__an_announced_digest_must_be_the_body_s(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		enum sigv4_verdict verdict;
	} rows[] = {
		{ "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", SIGV4_OK },
		{ "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856",
		        SIGV4_PAYLOAD },
		{ "UNSIGNED-PAYLOAD", SIGV4_PAYLOAD },
		{ "", SIGV4_PAYLOAD },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m;
		make(&m, "/", "");
		add(&m, "X-Amz-Content-Sha256", rows[i].value);
		sign(&m, "host;x-amz-content-sha256;x-amz-date");
		assert_int_equal(verify(&m), rows[i].verdict);
		end(&m);
		/* The same when only the body is signed and not the header that tells of it. */
		make(&m, "/", "");
		sign(&m, "host;x-amz-date");
		add(&m, "X-Amz-Content-Sha256", rows[i].value);
		assert_int_equal(verify(&m), rows[i].verdict);
		end(&m);
	}
}

#define C "Credential=AKID/20150830/us-east-1/ssm/aws4_request"
#define H "SignedHeaders=host;x-amz-date"
#define S "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

static void test_sigv4__the_header_is_read_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum sigv4_verdict verdict;
	} rows[] = {
		{ "AWS4-HMAC-SHA256 " C ", " H ", " S, SIGV4_OK },
		{ "AWS4-HMAC-SHA256 " C "," H "," S, SIGV4_OK },
		{ "AWS4-HMAC-SHA256 " S ", " C ", " H, SIGV4_OK },
		{ "", SIGV4_MISSING },
		{ "Basic QTpC", SIGV4_MISSING },
		{ "AWS4-HMAC-SHA512 " C ", " H ", " S, SIGV4_MISSING },
		{ "AWS4-HMAC-SHA256", SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " H, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " C ", " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " H ", " S ", " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " H ", " S ",", SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " H ", More=1", SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/ssm, " H ", " S,
		        SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C "x, " H ", " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 Credential=/20150830/r/ssm/aws4_request, " H ", " S,
		        SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 Credential=A/2015083/r/ssm/aws4_request, " H ", " S,
		        SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 Credential=A B/20150830/r/ssm/aws4_request, " H ", " S,
		        SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", SignedHeaders=, " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", SignedHeaders=x;host, " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", SignedHeaders=host;host, " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", SignedHeaders=Host, " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", SignedHeaders=host;, " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", SignedHeaders=;host, " S, SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " H ", Signature=5FA0", SIGV4_INCOMPLETE },
		{ "AWS4-HMAC-SHA256 " C ", " H ", Signature=", SIGV4_INCOMPLETE },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sigv4 sig;
		if (sigv4_parse(str_from_c(rows[i].text), &sig) != rows[i].verdict)
			fail_msg("%s", rows[i].text);
	}
}

static void test_sigv4__what_a_node_signs_is_its_own(void **state)
{
	(void)state;
	struct sigv4 sig;
	struct made m;
	make(&m, "/", "");
	autobuf pem = BUF(CRYPTO_RSA_PEM_MAX), public = BUF(4096),
	        out = BUF(SIGV4_AUTHORIZATION_MAX);
	autobuf little = BUF(300);
	const struct sigv4_credential credential = { STR("mi-0123456789abcdef0"), STR("20150830"),
		STR("r"), STR("ssm") };
	str names = STR("host;x-amz-date");
	assert_int_equal(crypto_rsa_generate(crypto, &pem, &public), 0);
	assert_int_equal(
	        sigv4_sign_rsa(crypto, &credential, buf_str(&pem), &m.request, names, &out), 0);
	assert_int_equal(sigv4_parse(buf_str(&out), &sig), SIGV4_OK);
	assert_int_equal(sig.scheme, SIGV4_RSA);
	assert_int_equal(
	        sigv4_verify_rsa(crypto, &sig, &m.request, buf_str(&public), NOW), SIGV4_OK);
	assert_int_equal(
	        sigv4_verify_rsa(crypto, &sig, &m.request, STR(RSA_SPKI), NOW), SIGV4_MISMATCH);
	assert_int_equal(
	        sigv4_sign_rsa(crypto, &credential, STR("no key"), &m.request, names, &out),
	        -ERR_FORMAT);
	assert_int_equal(
	        sigv4_sign_rsa(crypto, &credential, buf_str(&pem), &m.request, names, &little),
	        -ERR_LIMIT);
	end(&m);
}

static void test_sigv4__rsa_signatures_have_a_way_of_their_own(void **state)
{
	(void)state;
	struct sigv4 sig;
	struct made m;
	make(&m, "/", "");
	assert_int_equal(
	        sigv4_parse(STR("AWS4-HMAC-SHA256 " C ", " H ", Signature=" RSA_SIGNATURE), &sig),
	        SIGV4_OK);
	assert_int_equal(sig.scheme, SIGV4_RSA);
	assert_int_equal(sigv4_verify(crypto, &sig, &m.request, m.key, NOW), SIGV4_INCOMPLETE);
	assert_int_equal(
	        sigv4_verify_rsa(crypto, &sig, &m.request, STR(RSA_SPKI), NOW), SIGV4_MISMATCH);
	assert_int_equal(
	        sigv4_verify_rsa(crypto, &sig, &m.request, STR("no key"), NOW), SIGV4_FAILED);
	assert_int_equal(
	        sigv4_verify_rsa(crypto, &sig, &m.request, STR(RSA_SPKI), NOW + 400), SIGV4_SKEWED);
	sign(&m, "host;x-amz-date");
	assert_int_equal(
	        sigv4_verify_rsa(crypto, &m.sig, &m.request, STR(RSA_SPKI), NOW), SIGV4_INCOMPLETE);
	end(&m);
}

static void test_sigv4__a_second_signature_covers_the_first(void **state)
{
	(void)state;
	str text = STR("text to sign"), key = STR(RSA_SPKI);
	assert_int_equal(
	        sigv4_verify_asymmetric(crypto, STR("Signature=" RSA_SIGNATURE), text, key),
	        SIGV4_OK);
	assert_int_equal(
	        sigv4_verify_asymmetric(crypto, STR("Signature=" RSA_SIGNATURE), STR("else"), key),
	        SIGV4_MISMATCH);
	assert_int_equal(
	        sigv4_verify_asymmetric(crypto, STR(RSA_SIGNATURE), text, key), SIGV4_INCOMPLETE);
	assert_int_equal(
	        sigv4_verify_asymmetric(crypto, STR("Signature=?"), text, key), SIGV4_INCOMPLETE);
	assert_int_equal(sigv4_verify_asymmetric(crypto, STR(""), text, key), SIGV4_MISSING);
}

static void test_sigv4__sizes_are_limited(void **state)
{
	(void)state;
	struct made m;
	autobuf query = BUF(1 << 20), out = BUF(1 << 20);
	struct sigv4_header many[SIGV4_HEADERS_MAX + 1];
	make(&m, "/", "");
	sign(&m, "host;x-amz-date");
	for (size_t i = 0; i <= SIGV4_PARAMETERS_MAX; i++)
		buf_add(&query, STR("a=1&"));
	m.request.query = buf_str(&query);
	assert_int_equal(verify(&m), SIGV4_FAILED);
	m.request.query = STR("a=%");
	assert_int_equal(verify(&m), SIGV4_MISMATCH);
	for (size_t i = 0; i <= SIGV4_HEADERS_MAX; i++)
		many[i] = m.headers[0];
	m.request.headers = many;
	m.request.n_headers = SIGV4_HEADERS_MAX + 1;
	assert_int_equal(verify(&m), SIGV4_FAILED);
	assert_int_equal(sigv4_canonical(&m.request, STR("host"), &out), -ERR_LIMIT);
	char secret[300] = "";
	assert_int_equal(
	        sigv4_signing_key(crypto, (str){ secret, 300 }, &m.credential, m.key), -ERR_LIMIT);
	end(&m);
}

static void test_sigv4__each_verdict_has_an_exception_and_a_sentence(void **state)
{
	(void)state;
	assert_null(sigv4_verdict_error(SIGV4_OK));
	for (enum sigv4_verdict v = SIGV4_MISSING; v <= SIGV4_FAILED; v++) {
		assert_non_null(sigv4_verdict_error(v));
		assert_true(strlen(sigv4_verdict_message(v)) > 10);
	}
	assert_string_equal(sigv4_verdict_error(SIGV4_MISMATCH), "InvalidSignatureException");
}

static void test_sigv4__times_are_written_as_the_header_has_them(void **state)
{
	(void)state;
	char date[SIGV4_DATE_SIZE];
	sigv4_date(NOW, date);
	assert_string_equal(date, DATE);
	sigv4_date(-5, date);
	assert_string_equal(date, "19700101T000000Z");
	sigv4_date(INT64_MAX, date);
	assert_string_equal(date, "99991231T235959Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sigv4__the_published_suite_agrees),
		cmocka_unit_test(test_sigv4__the_documented_example_agrees),
		cmocka_unit_test(test_sigv4__the_canonical_request_is_canonical),
		cmocka_unit_test(test_sigv4__each_part_of_a_request_is_signed),
		cmocka_unit_test(test_sigv4__headers_with_a_meaning_must_be_signed),
		cmocka_unit_test(test_sigv4__a_header_that_stands_twice_is_refused),
		cmocka_unit_test(test_sigv4__the_clock_may_be_off_by_five_minutes),
		cmocka_unit_test(test_sigv4__an_announced_digest_must_be_the_body_s),
		cmocka_unit_test(test_sigv4__the_header_is_read_strictly),
		cmocka_unit_test(test_sigv4__what_a_node_signs_is_its_own),
		cmocka_unit_test(test_sigv4__rsa_signatures_have_a_way_of_their_own),
		cmocka_unit_test(test_sigv4__a_second_signature_covers_the_first),
		cmocka_unit_test(test_sigv4__sizes_are_limited),
		cmocka_unit_test(test_sigv4__each_verdict_has_an_exception_and_a_sentence),
		cmocka_unit_test(test_sigv4__times_are_written_as_the_header_has_them),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
