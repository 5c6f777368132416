/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws:configurePackage. The plugin of deep inspection comes with the agent's own package, through
 * the host's package manager: installing it is a link to the program that is here already, and no
 * byte of the server's is run. Any other package has to be signed by a key that the host trusts:
 * package_install.h.
 */
#include "agent/step.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/package.h"
#include "agent/package_install.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "ssm/builtin_documents.h"

#define PLUGIN "inspectorssmplugin"
#define PLUGIN_FOLDER "/opt/aws/inspector"

/* "arn:...:package/name" and "arn:...:document/name" name it too. */
static str plain_name(str name)
{
	str head, tail;
	return str_has_prefix(name, STR("arn:")) && str_split_first(name, '/', &head, &tail) ? tail
	                                                                                     : name;
}

/* The plugin is this very program under another name. */
static int find_program(char ret[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	if (n <= 0)
		return -ENOENT;
	ret[n] = '\0';
	return access(ret, X_OK) == 0 ? 0 : -errno; /* a file that was replaced is "(deleted)" */
}

static int path_of(const struct agent_config *config, const char *name, char ret[PATH_MAX])
{
	const char *home =
	        config->plugin_home && *config->plugin_home ? config->plugin_home : PLUGIN_FOLDER;
	int n = snprintf(ret, PATH_MAX, "%s%s", home, name);
	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int install(const struct agent_config *config, const char *program, struct err *err)
{
	static const char *const folders[] = { "/bin", "/var/input", "/var/output" };
	char path[PATH_MAX], beside[PATH_MAX];
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int r = path_of(config, folders[i], path);
		if (r == 0)
			r = fs_make_dirs(path, 0755, err);
		if (r != 0)
			return r;
	}
	if (path_of(config, "/bin/" PLUGIN, path) < 0 ||
	        path_of(config, "/bin/." PLUGIN, beside) < 0)
		return err_set(err, -ENAMETOOLONG, "the folder of the plugin has too long a name");
	/* Beside it and renamed: a run that begins meanwhile finds the old or the new one. */
	(void)unlink(beside);
	if (symlink(program, beside) < 0 || rename(beside, path) < 0)
		return err_set(err, -errno, "%s: %m", path);
	return 0;
}

static int uninstall(const struct agent_config *config, struct err *err)
{
	char path[PATH_MAX];
	if (path_of(config, "/bin/" PLUGIN, path) < 0)
		return err_set(err, -ENAMETOOLONG, "the folder of the plugin has too long a name");
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_set(err, -errno, "%s: %m", path);
	return 0;
}

/* The server is told; that it does not hear it changes nothing here. */
static void report(
        struct step_context *context, str name, str version, bool is_install, bool is_done)
{
	autobuf body = BUF(4096);
	struct json_writer w = JSON_WRITER(&body, false);
	struct ssm_reply reply;
	json_write_object(&w);
	json_write_member_str(&w, "PackageName", name);
	json_write_member_str(&w, "PackageVersion", version);
	json_write_member_str(&w, "Operation", is_install ? STR("Install") : STR("Uninstall"));
	json_write_key(&w, "OverallTiming");
	json_write_u64(&w, 0);
	json_write_key(&w, "Result");
	json_write_u64(&w, is_done ? 0 : 1);
	json_write_object_end(&w);
	(void)service_call(context->service, "AmazonSSM.PutConfigurePackageResult", buf_str(&body),
	        context->arena, &reply, NULL);
}

/* Names in SSM_...: the only arguments that a package's scripts may be given. The plugin has none,
 * but what is wrong is wrong. */
static bool are_arguments(const struct value *arguments)
{
	for (size_t i = 0; i < value_count(arguments); i++) {
		if (!str_has_prefix(value_key_at(arguments, i), STR("SSM_")))
			return false;
	}
	return true;
}

static void run_plugin(struct step_context *context, bool is_install, struct step_result *ret)
{
	char program[PATH_MAX];
	struct err err = { 0 };
	int r = is_install && find_program(program) < 0
	                ? err_set(&err, -ENOENT,
	                          "The plugin " PLUGIN " is not where the agent is installed.")
	        : is_install ? install(context->config, program, &err)
	                     : uninstall(context->config, &err);
	if (r < 0)
		step_fail(ret, "%s", err.text);
	else
		buf_printf(&ret->out, "%s " PLUGIN_PACKAGE " %s, which came with the agent\n",
		        is_install ? "Installed" : "Removed", SONDE_VERSION);
	report(context, STR(PLUGIN_PACKAGE), str_from_c(SONDE_VERSION), is_install, r == 0);
}

static void run_hosted(struct step_context *context, const struct package_request *request,
        bool is_install, struct step_result *ret)
{
	str version = request->version;
	if (!package_is_word(request->name) ||
	        (request->version.n > 0 && !package_is_word(request->version))) {
		step_fail(ret,
		        "The package " STR_FMT " " STR_FMT
		        " is not signed by a key that this host trusts: no package and no version "
		        "has such a name.",
		        STR_ARG(str_head(request->name, 128)),
		        STR_ARG(str_head(request->version, 32)));
		return;
	}
	if (is_install)
		package_install(context, request, &version, ret);
	else
		package_uninstall(context, request, &version, ret);
	report(context, request->name, version, is_install, ret->status == STEP_SUCCESS);
}

static void run(struct step_context *context, const struct value *inputs, struct step_result *ret)
{
	str action = value_get_str(inputs, STR("action"));
	const struct value *arguments = value_get(inputs, STR("additionalArguments"));
	const struct package_request request = {
		.name = plain_name(value_get_str(inputs, STR("name"))),
		.version = value_get_str(inputs, STR("version")),
		.is_in_place = str_eq(
		        value_get_str(inputs, STR("installationType")), STR("In-place update")),
		.arguments = value_kind(arguments) == VALUE_OBJECT ? arguments : NULL,
	};
	bool is_install = str_eq(action, STR("Install"));

	if (!is_install && !str_eq(action, STR("Uninstall")))
		step_fail(ret, "The action of aws:configurePackage is Install or Uninstall.");
	else if (!are_arguments(request.arguments))
		step_fail(ret, "The names of additionalArguments begin with SSM_.");
	else if (str_eq(request.name, STR(PLUGIN_PACKAGE)))
		run_plugin(context, is_install, ret);
	else
		run_hosted(context, &request, is_install, ret);
}

const struct step_action step_package = { .action = "aws:configurePackage", .run = run };
