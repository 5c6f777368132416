/* SPDX-License-Identifier: Apache-2.0 */
/* sonde agent. Reads what was given; room agent/ does the rest. */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fs.h"
#include "cmd/cmd.h"

#define CREDENTIALS_MAX ((size_t)1 << 20)

/* A value of a profile in a credentials file: "[default]", "key = value". Arena. */
static const char *profile_value(struct settings *s, str text, str profile, str key)
{
	bool is_in = false;
	str line;
	while (str_next_line(&text, &line)) {
		str name, value, copy;
		line = str_trim(line);
		if (str_has_prefix(line, STR("[")) && str_has_suffix(line, STR("]"))) {
			is_in = str_eq(str_trim((str){ line.p + 1, line.n - 2 }), profile);
			continue;
		}
		if (!is_in || !str_split_first(line, '=', &name, &value) ||
		        !str_eq_nocase(str_trim(name), key))
			continue;
		return arena_copy(&s->arena, str_trim(value), &copy) == 0 ? copy.p : NULL;
	}
	return NULL;
}

/* Keys of the environment, else of the file that AWS_SHARED_CREDENTIALS_FILE names. The file in
 * the home folder is not looked at: it is a person's, not a host's. */
static int read_keys(struct settings *s, struct agent_config *config, struct err *err)
{
	const char *path = getenv("AWS_SHARED_CREDENTIALS_FILE");
	const char *profile = getenv("AWS_PROFILE");
	autobuf text = BUF(CREDENTIALS_MAX);
	config->key_id = getenv("AWS_ACCESS_KEY_ID");
	config->secret = getenv("AWS_SECRET_ACCESS_KEY");
	config->token = getenv("AWS_SESSION_TOKEN");
	if ((config->key_id && *config->key_id) || !path || !*path)
		return 0;
	int r = fs_read(AT_FDCWD, path, &text, err);
	if (r < 0)
		return r;
	str name = str_from_c(profile && *profile ? profile : "default");
	config->key_id = profile_value(s, buf_str(&text), name, STR("aws_access_key_id"));
	config->secret = profile_value(s, buf_str(&text), name, STR("aws_secret_access_key"));
	config->token = profile_value(s, buf_str(&text), name, STR("aws_session_token"));
	explicit_bzero(text.p, text.n);
	return 0;
}

int cmd_agent(struct invocation *call)
{
	struct settings *s = call->settings;
	struct agent_config config = {
		.server = settings_text(s, SET_SERVER),
		.ca_file = settings_text(s, SET_CA),
		.region = settings_text(s, SET_REGION),
		.state = settings_text(s, SET_STATE),
		.root = settings_text(s, SET_ROOT),
		.activation_id = settings_text(s, SET_ACTIVATION_ID),
		.activation_code = settings_text(s, SET_ACTIVATION_CODE),
		.instance = settings_text(s, SET_INSTANCE),
		.allow_documents = settings_is_on(s, SET_ALLOW_DOCUMENTS),
		.plugin_home = settings_text(s, SET_PLUGIN_HOME),
		.package_keys = settings_text(s, SET_PACKAGE_KEYS),
		.is_stopped = settings_is_on(s, SET_STOPPED),
		.once = settings_is_on(s, SET_ONCE),
		.heartbeat_s = (unsigned)settings_number(s, SET_HEARTBEAT),
		.poll_s = (unsigned)settings_number(s, SET_POLL),
		.max_delay_s = (unsigned)settings_number(s, SET_START_DELAY),
		.timeout_s = (unsigned)settings_number(s, SET_WALK_TIMEOUT),
		.cpu_pct = (unsigned)settings_number(s, SET_WALK_CPU_LIMIT),
	};
	struct err err = { 0 };
	int r;
	if (s->n_rest > 0)
		return say_usage(call, "'agent' takes no arguments");
	if (settings_is_on(s, SET_UNINSTALL)) {
		r = agent_uninstall(&config, &err);
	} else if (!*config.server) {
		return say_usage(call, "--server is needed");
	} else {
		r = read_keys(s, &config, &err);
		if (r == 0)
			r = agent_run(&config, &err);
	}
	if (r == 0)
		return EXIT_GOOD;
	err.code = r;
	return say_error(NULL, &err);
}
