/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws:runShellScript. The lines go into a file that only this user can read, and the shell is given
 * its path: a first line "#!" is honoured because the shell itself asks the kernel to run it.
 */
#include "agent/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define SCRIPT_MAX_BYTES ((size_t)1 << 20)
#define TIMEOUT_STANDARD_S 3600
#define TIMEOUT_LEAST_S 5
#define TIMEOUT_MOST_S 172800
#define ENVIRONMENT_MAX 24
#define REBOOT_CODE 194

/* ---- inputs ---- */

static int read_timeout(const struct value *inputs, uint64_t *ret)
{
	const struct value *v = value_get(inputs, STR("timeoutSeconds"));
	int64_t n = 0;
	uint64_t digits = 0;
	*ret = TIMEOUT_STANDARD_S;
	if (!v || (value_kind(v) == VALUE_STRING && value_str(v).n == 0))
		return 0;
	if (!value_i64(v, &n)) {
		if (!str_to_u64(value_str(v), INT32_MAX, &digits))
			return -ERR_FORMAT;
		n = (int64_t)digits;
	}
	if (n < TIMEOUT_LEAST_S || n > TIMEOUT_MOST_S)
		return -ERR_FORMAT;
	*ret = (uint64_t)n;
	return 0;
}

static int add_lines(const struct value *v, struct buf *out)
{
	if (value_kind(v) == VALUE_STRING) {
		buf_add(out, value_str(v));
		buf_add_byte(out, '\n');
		return 0;
	}
	if (value_kind(v) != VALUE_ARRAY)
		return -ERR_FORMAT;
	for (size_t i = 0; i < value_count(v); i++) {
		/* A list that was filled in as one line of a list: its lines. */
		const struct value *line = value_at(v, i);
		if (value_kind(line) == VALUE_ARRAY) {
			for (size_t k = 0; k < value_count(line); k++) {
				buf_add(out, value_str(value_at(line, k)));
				buf_add_byte(out, '\n');
			}
			continue;
		}
		if (value_kind(line) != VALUE_STRING)
			return -ERR_FORMAT;
		buf_add(out, value_str(line));
		buf_add_byte(out, '\n');
	}
	return 0;
}

/* ---- environment ---- */

struct environment {
	struct arena *arena;
	const char *items[ENVIRONMENT_MAX + 1];
	size_t n;
	int r;
};

static void set(struct environment *env, const char *name, str value)
{
	str text;
	if (env->r < 0 || value.n == 0)
		return;
	if (env->n >= ENVIRONMENT_MAX ||
	        arena_printf(env->arena, &text, "%s=" STR_FMT, name, STR_ARG(value)) < 0) {
		env->r = -ERR_LIMIT;
		return;
	}
	env->items[env->n++] = text.p;
}

/* The node's credentials, as the stock agent leaves them for what it runs: a file that the job's
 * end removes. */
static int write_credentials(const struct step_context *context, str *ret_path)
{
	const struct credentials *keys = &context->service->keys;
	autobuf text = BUF(16384);
	buf_printf(&text, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
	        keys->key_id, keys->secret);
	if (keys->token[0])
		buf_printf(&text, "aws_session_token = %s\n", keys->token);
	autoclose int dir = open(context->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || buf_failed(&text))
		return -EIO;
	int r = fs_replace(dir, "credentials", buf_str(&text), 0600, NULL);
	explicit_bzero(text.p, text.n);
	return r < 0 ? r
	             : arena_printf(context->arena, ret_path, "%s/credentials", context->folder);
}

static int make_environment(const struct step_context *context, struct environment *env)
{
	const struct agent_config *config = context->config;
	str credentials = { NULL, 0 };
	int r = write_credentials(context, &credentials);
	if (r < 0)
		return r;
	set(env, "PATH", STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	set(env, "HOME", STR("/root"));
	set(env, "SSM_COMMAND_ID", context->job_id);
	set(env, "AWS_SSM_INSTANCE_ID", str_from_c(context->service->instance));
	set(env, "AWS_SSM_REGION_NAME", str_from_c(config->region));
	set(env, "AWS_SSM_PLATFORM_NAME", context->host->os_name);
	set(env, "AWS_SSM_PLATFORM_VERSION", context->host->os_version);
	set(env, "AWS_SHARED_CREDENTIALS_FILE", credentials);
	set(env, "AWS_PROFILE", STR("default"));
	set(env, "AWS_REGION", str_from_c(config->region));
	set(env, "AWS_ENDPOINT_URL", str_from_c(config->server));
	set(env, "AWS_CA_BUNDLE", str_from_c(config->ca_file));
	if (strcmp(config->root, "/") != 0)
		set(env, "SONDE_PLUGIN_ROOT", str_from_c(config->root));
	set(env, "SONDE_PLUGIN_LOG_DIR", str_from_c(getenv("SONDE_PLUGIN_LOG_DIR")));
	set(env, "SONDE_PLUGIN_LOG_COMPAT", str_from_c(getenv("SONDE_PLUGIN_LOG_COMPAT")));
	return env->r;
}

/* ---- running ---- */

static void tell(const struct script_result *from, uint64_t timeout_s, struct step_result *ret)
{
	buf_add(&ret->out, buf_str(&from->out));
	buf_add(&ret->err, buf_str(&from->err));
	ret->code = from->code;
	switch (from->end) {
	case SCRIPT_EXITED:
		if (from->code == 0)
			ret->status = STEP_SUCCESS;
		else if (from->code == REBOOT_CODE)
			step_fail(ret,
			        "\nThe script asks for a reboot (exit %d), which this agent "
			        "does not make.",
			        REBOOT_CODE);
		else
			step_fail(ret, "\nfailed to run commands: exit status %d", from->code);
		break;
	case SCRIPT_KILLED:
		step_fail(ret, "\nfailed to run commands: signal %d", from->code - 128);
		break;
	case SCRIPT_TIMED_OUT:
		step_fail(ret, "\nThe script ran longer than %llu seconds.",
		        (unsigned long long)timeout_s);
		ret->status = STEP_TIMED_OUT;
		break;
	case SCRIPT_CANCELLED: ret->status = STEP_CANCELLED; break;
	}
}

static void run_file(struct step_context *context, const char *path, const char *folder,
        uint64_t timeout_s, struct step_result *ret)
{
	struct environment env = { .arena = context->arena };
	struct script_result result = { 0 };
	struct err err = { 0 };
	const char *argv[] = { "/bin/sh", "-c", path, NULL };
	if (make_environment(context, &env) < 0) {
		step_fail(ret, "The environment of the script cannot be made.");
		return;
	}
	const struct script script = { .argv = argv,
		.envp = env.items,
		.folder = folder,
		.timeout_s = timeout_s,
		.is_cancelled = step_is_cancelled,
		.ctx = context };
	if (script_run(&script, &result, &err) < 0)
		step_fail(ret, "%s", err.text);
	else
		tell(&result, timeout_s, ret);
	script_result_fini(&result);
}

static void run(struct step_context *context, const struct value *inputs, struct step_result *ret)
{
	autobuf text = BUF(SCRIPT_MAX_BYTES);
	struct err err = { 0 };
	uint64_t timeout_s = 0;
	str path, folder = value_get_str(inputs, STR("workingDirectory")), copy;

	if (read_timeout(inputs, &timeout_s) < 0) {
		step_fail(ret, "timeoutSeconds is a number of 5 to 172800.");
		return;
	}
	if (add_lines(value_get(inputs, STR("runCommand")), &text) < 0 || buf_failed(&text)) {
		step_fail(ret, "runCommand is a list of texts of at most 1 MiB.");
		return;
	}
	autoclose int dir = open(context->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fs_replace(dir, "_script.sh", buf_str(&text), 0700, &err) < 0 ||
	        arena_printf(context->arena, &path, "%s/_script.sh", context->folder) < 0 ||
	        arena_copy(context->arena, folder.n > 0 ? folder : str_from_c(context->folder),
	                &copy) < 0) {
		step_fail(ret, "The script cannot be written: %s", err.text);
		return;
	}
	run_file(context, path.p, copy.p, timeout_s, ret);
}

const struct step_action step_shell = { .action = "aws:runShellScript", .run = run };
