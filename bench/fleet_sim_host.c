/* SPDX-License-Identifier: Apache-2.0 */
/* What the hosts of fleet_sim have, ask and are told. */
#include "fleet_sim.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "aws/codec.h"
#include "base/cleanup.h"

#define REGION "eu-central-1"

/* Of three packages a set has one at each place, in one of six versions. */
#define NAMES_PER_PLACE 3
#define VERSIONS 6

static const char *const type_names[] = { "AWS:Application", "Custom:InspectorThirdPartyPackage" };

const char *sim_type_name(enum sim_type type)
{
	return type_names[type];
}

/* ---- packages ---- */

/* splitmix64: what it gives for neighbours has nothing in common. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t sim_random(struct sim *sim)
{
	return mix(sim->seed ^ mix(++sim->random));
}

static void add_number(struct buf *out, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);
	do
		digits[--n] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_add(out, (str){ digits + n, sizeof(digits) - n });
}

/* Two syllables and a number: "kelo-417". */
static void add_name(struct buf *out, uint64_t id)
{
	static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";
	uint64_t h = mix(id);
	for (int i = 0; i < 2; i++, h >>= 16) {
		buf_add_byte(out, consonants[h % (sizeof(consonants) - 1)]);
		buf_add_byte(out, vowels[(h >> 8) % (sizeof(vowels) - 1)]);
	}
	buf_add_byte(out, '-');
	add_number(out, id);
}

static void add_version(struct buf *out, uint64_t id, uint64_t step)
{
	uint64_t h = mix(id ^ UINT64_C(0xabcdef));
	add_number(out, h % 5);
	buf_add_byte(out, '.');
	add_number(out, (h >> 8) % 20 + step);
	buf_add_byte(out, '.');
	add_number(out, (h >> 16) % 10);
}

static void add_os_row(struct buf *out, uint64_t id, uint64_t step)
{
	buf_add(out, STR("{\"Name\":\""));
	add_name(out, id);
	buf_add(out, STR("\",\"Version\":\""));
	add_version(out, id, step);
	buf_add(out, STR("-1\",\"Architecture\":\"x86_64\",\"Publisher\":\"Debian Maintainers "
	                 "<maintainers@lists.debian.example>\",\"ApplicationType\":\"libs\","
	                 "\"PackageId\":\""));
	add_name(out, id);
	buf_add_byte(out, '_');
	add_version(out, id, step);
	buf_add(out, STR("-1_amd64.deb\"}"));
}

static void add_language_row(struct buf *out, uint64_t id, uint64_t step)
{
	bool is_node = id % 2 == 0;
	buf_add(out, STR("{\"Name\":\""));
	add_name(out, id);
	buf_add(out, STR("\",\"Version\":\""));
	add_version(out, id, step);
	buf_add(out, is_node ? STR("\",\"PackageManager\":\"NODEPKG\",\"Path\":\"/opt/app-")
	                     : STR("\",\"PackageManager\":\"PYTHONPKG\",\"Path\":\"/opt/venv-"));
	add_number(out, id % 7);
	buf_add(out, is_node ? STR("/node_modules/") : STR("/lib/python3.11/site-packages/"));
	add_name(out, id);
	if (!is_node) {
		buf_add_byte(out, '-');
		add_version(out, id, step);
	}
	buf_add(out, is_node ? STR("/package.json\"}") : STR(".dist-info/METADATA\"}"));
}

void sim_content(
        const struct sim *sim, size_t host, enum sim_type type, uint32_t moved, struct buf *out)
{
	size_t n = sim->n_packages[type];
	uint64_t set = mix(sim->seed ^ mix(host % sim->n_sets));
	/* The package that moved is not the same on all hosts of a set. */
	size_t at = moved > 0 ? mix(host ^ mix(moved)) % (n > 0 ? n : 1) : n;
	buf_add_byte(out, '[');
	for (size_t i = 0; i < n; i++) {
		uint64_t h = mix(set ^ mix(i * SIM_TYPES + type));
		uint64_t id = i * NAMES_PER_PLACE + h % NAMES_PER_PLACE;
		uint64_t step = (h >> 16) % VERSIONS + (i == at ? 1 + moved % VERSIONS : 0);
		if (i > 0)
			buf_add_byte(out, ',');
		if (type == SIM_OS)
			add_os_row(out, id, step);
		else
			add_language_row(out, id, step);
	}
	buf_add_byte(out, ']');
}

/* ---- bodies ---- */

static void time_text(int64_t at, char ret[24])
{
	struct tm tm;
	time_t t = (time_t)at;
	(void)gmtime_r(&t, &tm);
	(void)strftime(ret, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void add_item(struct sim *sim, const struct sim_job *job, enum sim_type type,
        const char *hash, const struct buf *content)
{
	char at[24];
	time_text(job->captured_at, at);
	buf_printf(&sim->body,
	        "%s{\"TypeName\":\"%s\",\"SchemaVersion\":\"1.0\",\"CaptureTime\":\"%s\","
	        "\"ContentHash\":\"%s\"",
	        sim->body.p[sim->body.n - 1] == '[' ? "" : ",", type_names[type], at, hash);
	if (content) {
		buf_add(&sim->body, STR(",\"Content\":"));
		buf_add(&sim->body, buf_str(content));
	}
	buf_add_byte(&sim->body, '}');
}

/* Make the content of a new report, which is from now on sent. */
static int add_content(struct sim *sim, struct sim_job *job, enum sim_type type, uint32_t moved)
{
	struct sim_report *report = &sim->hosts[job->host].reports[type];
	buf_clear(&sim->content);
	sim_content(sim, job->host, type, moved, &sim->content);
	report->sent_moved = moved;
	int r = crypto_md5_hex(sim->crypto, buf_str(&sim->content), report->sent_hash);
	if (r >= 0)
		add_item(sim, job, type, report->sent_hash, &sim->content);
	return r;
}

static int add_inventory(struct sim *sim, struct sim_job *job)
{
	struct sim_host *host = &sim->hosts[job->host];
	int r = 0;
	job->captured_at = host->clock_at++;
	buf_printf(&sim->body, "{\"InstanceId\":\"%s\",\"Items\":[", host->id);
	if (buf_failed(&sim->body))
		return -ENOMEM;
	for (int type = 0; type < SIM_TYPES && r >= 0; type++) {
		const struct sim_report *report = &host->reports[type];
		bool is_one = job->type == (enum sim_type)type;
		if (job->step == SIM_FULL)
			r = add_content(sim, job, (enum sim_type)type, report->moved);
		else if (job->step == SIM_CHANGE && is_one)
			r = add_content(sim, job, job->type, report->moved + 1);
		else if (job->step == SIM_CHECK_IN || (job->step == SIM_VERIFY && is_one))
			add_item(sim, job, (enum sim_type)type, report->hash, NULL);
		else if (job->step == SIM_VERIFY_SENT && is_one)
			add_item(sim, job, job->type, report->sent_hash, NULL);
	}
	buf_add(&sim->body, STR("]}"));
	return r;
}

/* Out: ret_target  X-Amz-Target; static */
static int add_body(struct sim *sim, struct sim_job *job, const char **ret_target)
{
	const struct sim_host *host = &sim->hosts[job->host];
	const struct sim_activation *activation =
	        sim->activations ? &sim->activations[job->host / SIM_ACTIVATION_HOSTS] : NULL;
	buf_clear(&sim->body);
	switch (job->step) {
	case SIM_ACTIVATE:
		*ret_target = "AmazonSSM.CreateActivation";
		buf_printf(&sim->body, "{\"IamRole\":\"Fleet\",\"RegistrationLimit\":%d}",
		        SIM_ACTIVATION_HOSTS);
		break;
	case SIM_REGISTER:
		*ret_target = "AmazonSSM.RegisterManagedInstance";
		buf_printf(&sim->body,
		        "{\"ActivationId\":\"%s\",\"ActivationCode\":\"%s\",\"Fingerprint\":"
		        "\"machine-%zu\",\"PublicKey\":\"%s\",\"PublicKeyType\":\"Rsa\"}",
		        activation->id, activation->code, job->host, sim->rsa_public);
		break;
	case SIM_TOKEN:
		*ret_target = "AmazonSSM.RequestManagedInstanceRoleToken";
		buf_printf(&sim->body, "{\"Fingerprint\":\"machine-%zu\"}", job->host);
		break;
	case SIM_HELLO:
		*ret_target = "AmazonSSM.UpdateInstanceInformation";
		buf_printf(&sim->body,
		        "{\"InstanceId\":\"%s\",\"AgentName\":\"amazon-ssm-agent\","
		        "\"AgentVersion\":\"3.3.987.0\",\"AgentStatus\":\"Active\","
		        "\"PlatformName\":\"Debian GNU/Linux\",\"PlatformType\":\"Linux\","
		        "\"PlatformVersion\":\"12\",\"IPAddress\":\"10.0.0.7\","
		        "\"ComputerName\":\"host-%zu\"}",
		        host->id, job->host);
		break;
	case SIM_FULL:
	case SIM_CHECK_IN:
	case SIM_CHANGE:
	case SIM_VERIFY:
	case SIM_VERIFY_SENT:
		*ret_target = "AmazonSSM.PutInventory";
		return add_inventory(sim, job);
	}
	return buf_failed(&sim->body) ? -ENOMEM : 0;
}

/* ---- signatures ---- */

struct credential {
	str id, secret, token;
	uint8_t *key; /* of signing_date's day */
	char *date;
};

static int derive(
        const struct sim *sim, const struct credential *who, const struct sigv4_credential *scope)
{
	if (memcmp(who->date, scope->date.p, 8) == 0)
		return 0;
	int r = sigv4_signing_key(sim->crypto, who->secret, scope, who->key);
	memcpy(who->date, scope->date.p, 8);
	return r;
}

/* base64 of an RSASSA-PSS signature, as hosts ask for their credentials. */
static int sign_rsa(const struct sim *sim, str text, struct buf *out)
{
	unsigned char signature[512];
	size_t n = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey = NULL;
	bool is_good =
	        ctx && EVP_DigestSignInit(ctx, &pkey, EVP_sha256(), NULL, sim->rsa) == 1 &&
	        EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
	        EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, 32) == 1 &&
	        EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!is_good)
		return -ENOMEM;
	base64_add(out, (str){ (const char *)signature, n });
	return 0;
}

static int authorize_rsa(const struct sim *sim, const struct sigv4_credential *scope,
        const struct sigv4_request *request, str amz_date, str names, struct buf *out)
{
	autobuf text = BUF(4096);
	int r = sigv4_string_to_sign(sim->crypto, scope, amz_date, request, names, &text);
	if (r < 0)
		return r;
	buf_printf(out,
	        "AWS4-HMAC-SHA256 Credential=" STR_FMT "/" STR_FMT "/" REGION
	        "/ssm/aws4_request, SignedHeaders=" STR_FMT ", Signature=",
	        STR_ARG(scope->access_key_id), STR_ARG(scope->date), STR_ARG(names));
	return sign_rsa(sim, buf_str(&text), out);
}

static struct credential credential_of(struct sim *sim, struct sim_job *job)
{
	struct sim_host *host = &sim->hosts[job->host];
	if (job->step == SIM_ACTIVATE)
		return (struct credential){ .id = str_from_c(sim->key_id),
			.secret = str_from_c(sim->key_secret) };
	if (job->step == SIM_TOKEN)
		return (struct credential){ .id = str_from_c(host->id) };
	return (struct credential){ .id = str_from_c(host->key_id),
		.secret = str_from_c(host->secret),
		.token = str_from_c(host->token),
		.key = host->signing_key,
		.date = host->signing_date };
}

static int authorize(struct sim *sim, struct sim_job *job, const struct credential *who,
        const struct sigv4_request *request, str amz_date, str names, struct buf *out)
{
	uint8_t key[SIGV4_KEY_BYTES];
	char date[9] = "";
	struct credential own = *who;
	struct sigv4_credential scope = { .access_key_id = who->id,
		.date = str_head(amz_date, 8),
		.region = STR(REGION),
		.service = STR("ssm") };
	if (job->step == SIM_TOKEN)
		return authorize_rsa(sim, &scope, request, amz_date, names, out);
	if (!own.key) {
		own.key = key;
		own.date = date;
	}
	int r = derive(sim, &own, &scope);
	return r < 0 ? r : sigv4_sign(sim->crypto, &scope, own.key, request, names, out);
}

int sim_request(struct sim *sim, struct sim_conn *conn)
{
	struct sim_job *job = &conn->job;
	char date[SIGV4_DATE_SIZE];
	const char *target = "";
	autobuf authorization = BUF(4096);
	int r = add_body(sim, job, &target);
	if (r < 0)
		return r;
	sigv4_date((int64_t)time(NULL), date);
	struct credential who = credential_of(sim, job);
	const struct sigv4_header headers[] = { { STR("host"), str_from_c(sim->netloc) },
		{ STR("content-type"), STR("application/x-amz-json-1.1") },
		{ STR("x-amz-date"), str_from_c(date) },
		{ STR("x-amz-target"), str_from_c(target) },
		{ STR("x-amz-security-token"), who.token } };
	struct sigv4_request request = { .method = STR("POST"),
		.path = STR("/"),
		.headers = headers,
		.n_headers = who.token.n > 0 ? 5 : 4 };
	str names = who.token.n > 0
	                    ? STR("content-type;host;x-amz-date;x-amz-security-token;x-amz-target")
	                    : STR("content-type;host;x-amz-date;x-amz-target");
	r = crypto_sha256(sim->crypto, buf_str(&sim->body), request.body_sha256);
	if (r >= 0 && job->step != SIM_REGISTER)
		r = authorize(sim, job, &who, &request, str_from_c(date), names, &authorization);
	if (r < 0)
		return r;
	buf_add(&conn->out, STR("POST / HTTP/1.1\r\n"));
	for (size_t i = 0; i < request.n_headers; i++)
		buf_printf(&conn->out, STR_FMT ": " STR_FMT "\r\n", STR_ARG(headers[i].name),
		        STR_ARG(headers[i].value));
	if (authorization.n > 0)
		buf_printf(&conn->out, "authorization: " STR_FMT "\r\n",
		        STR_ARG(buf_str(&authorization)));
	buf_printf(&conn->out, "content-length: %zu\r\n\r\n", sim->body.n);
	buf_add(&conn->out, buf_str(&sim->body));
	return buf_failed(&conn->out) || buf_failed(&authorization) ? -ERR_LIMIT : 0;
}

int sim_make_rsa(struct sim *sim)
{
	unsigned char *der = NULL;
	autobuf text = BUF(sizeof(sim->rsa_public) - 1);
	sim->rsa = EVP_RSA_gen(2048);
	int n = sim->rsa ? i2d_PUBKEY(sim->rsa, &der) : -1;
	if (n > 0)
		base64_add(&text, (str){ (const char *)der, (size_t)n });
	OPENSSL_free(der);
	if (n <= 0 || buf_failed(&text))
		return -ENOMEM;
	memcpy(sim->rsa_public, text.p, text.n);
	sim->rsa_public[text.n] = '\0';
	return 0;
}

/* ---- answers ---- */

/* A text member of an answer: flat, and without escapes. */
static bool member(str body, const char *key, char *ret, size_t size)
{
	char quoted[64];
	str value, rest;
	int n = snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);
	const char *at = body.n > 0 ? memmem(body.p, body.n, quoted, (size_t)n) : NULL;
	if (!at ||
	        !str_split_first(
	                str_skip(body, (size_t)(at - body.p) + (size_t)n), '"', &value, &rest) ||
	        value.n >= size)
		return false;
	memcpy(ret, value.p, value.n);
	ret[value.n] = '\0';
	return true;
}

static void note(const struct sim *sim, const struct sim_job *job, enum sim_type type)
{
	const struct sim_host *host = &sim->hosts[job->host];
	char line[256];
	if (sim->log_fd < 0)
		return;
	int n = snprintf(line, sizeof(line), "%s\t%s\t%s\t%lld\n", host->id, type_names[type],
	        host->reports[type].hash, (long long)job->captured_at);
	if (write(sim->log_fd, line, (size_t)n) != n)
		(void)fprintf(stderr, "fleet_sim: the log cannot be written\n");
}

/* The server has what this job says. Until then, what was sent may have been taken or not. */
static void settle(struct sim *sim, const struct sim_job *job, enum sim_type type)
{
	struct sim_report *report = &sim->hosts[job->host].reports[type];
	bool is_new =
	        job->step == SIM_FULL || job->step == SIM_CHANGE || job->step == SIM_VERIFY_SENT;
	if (is_new) {
		memcpy(report->hash, report->sent_hash, sizeof(report->hash));
		report->moved = report->sent_moved;
	}
	report->sent_hash[0] = '\0';
	report->captured_at = job->captured_at;
	note(sim, job, type);
}

static bool take_inventory(struct sim *sim, struct sim_job *job, unsigned status)
{
	struct sim_host *host = &sim->hosts[job->host];
	bool is_verify = job->step == SIM_VERIFY || job->step == SIM_VERIFY_SENT;
	bool is_both = job->step == SIM_FULL || job->step == SIM_CHECK_IN;
	if (job->step == SIM_VERIFY && status != 200 && host->reports[job->type].sent_hash[0]) {
		job->step = SIM_VERIFY_SENT;
		return true;
	}
	host->is_busy = false;
	sim->n_verify_lost += is_verify && status != 200;
	for (int i = 0; i < SIM_TYPES && status == 200; i++) {
		if (is_both || (enum sim_type)i == job->type)
			settle(sim, job, (enum sim_type)i);
	}
	return false;
}

bool sim_answer(struct sim *sim, struct sim_conn *conn, unsigned status, str body)
{
	struct sim_job *job = &conn->job;
	struct sim_host *host = &sim->hosts[job->host];
	char token[2048];
	if (job->step >= SIM_FULL)
		return take_inventory(sim, job, status);
	host->is_busy = false;
	if (status != 200)
		return false;
	if (job->step == SIM_ACTIVATE) {
		struct sim_activation *made = &sim->activations[job->host / SIM_ACTIVATION_HOSTS];
		(void)member(body, "ActivationId", made->id, sizeof(made->id));
		(void)member(body, "ActivationCode", made->code, sizeof(made->code));
	} else if (job->step == SIM_REGISTER) {
		(void)member(body, "InstanceId", host->id, sizeof(host->id));
	} else if (job->step == SIM_TOKEN &&
	           member(body, "AccessKeyId", host->key_id, sizeof(host->key_id)) &&
	           member(body, "SecretAccessKey", host->secret, sizeof(host->secret)) &&
	           member(body, "SessionToken", token, sizeof(token))) {
		free(host->token);
		host->token = strdup(token);
		host->signing_date[0] = '\0';
	}
	return false;
}
