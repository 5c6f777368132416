/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account.h"

#include <errno.h>
#include <fcntl.h>

#include "aws/value.h"
#include "base/fs.h"
#include "plugin/metadata.h"

#define FILE_BYTES ((size_t)1 << 20)
#define AGENT_CONFIG "/etc/amazon/ssm/amazon-ssm-agent.json"

struct finding {
	const struct account_environment *environment;
	struct arena *arena;
	struct account account;
};

static const char *variable(const struct finding *f, const char *name)
{
	const char *value = f->environment->get(name);
	return value && *value ? value : NULL;
}

static const char *either(const struct finding *f, const char *first, const char *second)
{
	const char *value = variable(f, first);
	return value ? value : variable(f, second);
}

static int take(struct finding *f, const char *value, str *ret)
{
	return value && ret->n == 0 ? arena_copy(f->arena, str_from_c(value), ret) : 0;
}

static int from_environment(struct finding *f)
{
	struct account *a = &f->account;
	int r = take(f, variable(f, "AWS_SSM_INSTANCE_ID"), &a->instance);
	if (r >= 0)
		r = take(f, either(f, "AWS_REGION", "AWS_DEFAULT_REGION"), &a->region);
	if (r >= 0)
		r = take(f, variable(f, "AWS_SSM_REGION_NAME"), &a->region);
	if (r >= 0)
		r = take(f, either(f, "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"), &a->endpoint);
	a->ca_file = variable(f, "AWS_CA_BUNDLE");
	/* Half a pair is none. */
	if (r < 0 || !variable(f, "AWS_ACCESS_KEY_ID") || !variable(f, "AWS_SECRET_ACCESS_KEY"))
		return r;
	a->source = ACCOUNT_ENVIRONMENT;
	r = take(f, variable(f, "AWS_ACCESS_KEY_ID"), &a->key_id);
	if (r >= 0)
		r = take(f, variable(f, "AWS_SECRET_ACCESS_KEY"), &a->secret);
	return r < 0 ? r : take(f, variable(f, "AWS_SESSION_TOKEN"), &a->session_token);
}

/* "[name]", or "[profile name]" in the file of configuration. */
static bool is_section(str line, str profile)
{
	line = str_trim(str_skip(line, 1));
	if (line.n == 0 || line.p[line.n - 1] != ']')
		return false;
	line = str_trim(str_head(line, line.n - 1));
	if (str_has_prefix(line, STR("profile ")))
		line = str_trim(str_skip(line, 8));
	return str_eq(line, profile);
}

struct pair {
	const char *key;
	str *ret;
};

/* Values of one profile; those that are known already stay. */
static int read_profile(
        struct finding *f, const char *path, str profile, const struct pair *pairs, size_t n)
{
	autobuf text = BUF(FILE_BYTES);
	str rest, line, key, value;
	bool inside = false;
	int r = 0;
	/* A file that is not there, or not readable, knows nothing. */
	if (fs_read(AT_FDCWD, path, &text, NULL) < 0)
		return 0;
	rest = buf_str(&text);
	while (r >= 0 && str_next_line(&rest, &line)) {
		line = str_trim(line);
		if (line.n > 0 && line.p[0] == '[')
			inside = is_section(line, profile);
		if (!inside || !str_split_first(line, '=', &key, &value))
			continue;
		key = str_trim(key);
		value = str_trim(value);
		for (size_t i = 0; i < n && r >= 0; i++) {
			if (value.n > 0 && pairs[i].ret->n == 0 &&
			        str_eq_nocase(key, str_from_c(pairs[i].key)))
				r = arena_copy(f->arena, value, pairs[i].ret);
		}
	}
	if (text.n > 0)
		explicit_bzero(text.p, text.n);
	return r;
}

static int file_path(struct finding *f, const char *name, const char *below_home, str *ret)
{
	const char *given = variable(f, name), *home = variable(f, "HOME");
	if (given)
		return arena_copy(f->arena, str_from_c(given), ret);
	return arena_printf(f->arena, ret, "%s/.aws/%s", home ? home : "/root", below_home);
}

static int from_files(struct finding *f)
{
	struct account *a = &f->account;
	const char *named = variable(f, "AWS_PROFILE");
	str profile = str_from_c(named ? named : "default"), path;
	struct account found = { .source = ACCOUNT_NONE };
	const struct pair secrets[] = { { "aws_access_key_id", &found.key_id },
		{ "aws_secret_access_key", &found.secret },
		{ "aws_session_token", &found.session_token } };
	const struct pair region[] = { { "region", &a->region }, { "endpoint_url", &a->endpoint } };
	int r = file_path(f, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &path);
	if (r >= 0 && a->source == ACCOUNT_NONE)
		r = read_profile(f, path.p, profile, secrets, 3);
	if (r >= 0)
		r = file_path(f, "AWS_CONFIG_FILE", "config", &path);
	if (r >= 0)
		r = read_profile(f, path.p, profile, region, 2);
	if (r >= 0 && found.key_id.n > 0 && found.secret.n > 0) {
		a->key_id = found.key_id;
		a->secret = found.secret;
		a->session_token = found.session_token;
		a->source = ACCOUNT_FILE;
	}
	return r;
}

/* A host whose amazon-ssm-agent reports to another server than Amazon's says so in that agent's own
 * configuration: what the agent runs reports there too. */
static int from_agent(struct finding *f)
{
	autobuf text = BUF(FILE_BYTES);
	struct arena arena = ARENA(4 * FILE_BYTES);
	const struct value *config = NULL;
	const char *path = variable(f, "SONDE_PLUGIN_AGENT_CONFIG");
	int r = 0;
	if (f->account.endpoint.n > 0 ||
	        fs_read(AT_FDCWD, path ? path : AGENT_CONFIG, &text, NULL) < 0)
		return 0;
	if (value_from_json(buf_str(&text), &arena, &config, NULL) == 0) {
		str endpoint = value_get_str(value_get(config, STR("Ssm")), STR("Endpoint"));
		const char *scheme = str_has_prefix(endpoint, STR("http://")) ||
		                                     str_has_prefix(endpoint, STR("https://"))
		                             ? ""
		                             : "https://";
		if (endpoint.n > 0)
			r = arena_printf(f->arena, &f->account.endpoint, "%s" STR_FMT, scheme,
			        STR_ARG(endpoint));
	}
	arena_fini(&arena);
	return r;
}

static bool is_whole(const struct account *a)
{
	return a->instance.n > 0 && a->region.n > 0 && a->source != ACCOUNT_NONE;
}

static int from_metadata(struct finding *f, struct err *err)
{
	const char *off = variable(f, "AWS_EC2_METADATA_DISABLED");
	if (is_whole(&f->account) || (off && str_eq_nocase(str_from_c(off), STR("true"))))
		return 0;
	return metadata_ask(
	        variable(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT"), f->arena, &f->account, err);
}

static int complete(struct finding *f, struct err *err)
{
	struct account *a = &f->account;
	if (a->instance.n == 0)
		return err_set(err, -ENOENT,
		        "the id of this machine is not known: no AWS_SSM_INSTANCE_ID, and no "
		        "metadata service answers");
	if (a->region.n == 0)
		return err_set(err, -ENOENT, "no region is known: AWS_REGION is not set");
	if (a->source == ACCOUNT_NONE)
		return err_set(err, -ENOENT,
		        "no credentials: not in the environment, not in the shared credentials "
		        "file, not of the instance");
	if (a->endpoint.n > 0)
		return 0;
	const char *tail = str_has_prefix(a->region, STR("cn-")) ? ".cn" : "";
	return arena_printf(f->arena, &a->endpoint, "https://ssm." STR_FMT ".amazonaws.com%s",
	        STR_ARG(a->region), tail);
}

int account_find(const struct account_environment *environment, struct arena *arena,
        struct account *ret, struct err *err)
{
	struct finding f = { .environment = environment, .arena = arena };
	int r = from_environment(&f);
	if (r >= 0)
		r = from_files(&f);
	if (r >= 0)
		r = from_agent(&f);
	if (r < 0)
		return err_set(err, r, "settings of AWS are larger than memory allows");
	struct err why = { 0 };
	(void)from_metadata(&f, &why); /* what is missing then is told better below */
	r = complete(&f, err);
	if (r >= 0)
		*ret = f.account;
	return r;
}

struct net_sign account_sign(const struct account *account)
{
	return (struct net_sign){ .kind = NET_SIGN_V4,
		.service = STR("ssm"),
		.region = account->region,
		.key_id = account->key_id,
		.secret = account->secret,
		.session_token = account->session_token };
}

const char *account_source_text(enum account_source source)
{
	switch (source) {
	case ACCOUNT_ENVIRONMENT: return "environment";
	case ACCOUNT_FILE: return "shared credentials file";
	case ACCOUNT_ROLE: return "ec2 role";
	case ACCOUNT_NONE: break;
	}
	return "no";
}
