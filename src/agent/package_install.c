/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order makes what is cut off harmless. The archive is fetched, checked and unpacked beside
 * what is there; then the record says "changing", scripts run, the record names the new version,
 * and the old one is removed. A job that finds "changing" does not believe that anything is
 * installed whole, and runs the scripts again.
 */
#include "agent/package_install.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "agent/package_store.h"
#include "base/cleanup.h"
#include "net/reader.h"
#include "net/verify.h"

#define SCRIPT_TIMEOUT_S 3600
#define DOWNLOAD_TIMEOUT_MS 1800000u
#define ENVIRONMENT_MAX 48
#define ARGUMENT_MAX 4096u

/* ---- what the server says ---- */

/* One call of the service. Returns: 0; as service_call() */
static int call(struct step_context *context, const char *target, const char *const *members,
        struct ssm_reply *reply, struct err *err)
{
	autobuf body = BUF(4096);
	struct json_writer w = JSON_WRITER(&body, false);
	json_write_object(&w);
	for (; members[0]; members += 2) {
		if (members[1][0])
			json_write_member_str(&w, members[0], str_from_c(members[1]));
	}
	json_write_object_end(&w);
	return service_call(context->service, target, buf_str(&body), context->arena, reply, err);
}

/* The manifest's text. A service that has no packages of its own kind says so, and has it as a
 * document. */
static int ask_manifest(struct step_context *context, const char *name, const char *version,
        str *ret, struct err *err)
{
	const char *const package[] = { "PackageName", name, "PackageVersion",
		*version ? version : "latest", NULL };
	const char *const document[] = { "Name", name, "VersionName", version, NULL };
	struct ssm_reply reply;
	int r = call(context, "AmazonSSM.GetManifest", package, &reply, err);
	if (r == 0) {
		*ret = value_get_str(reply.value, STR("Manifest"));
	} else if (r == -EREMOTEIO && str_eq(reply.error, STR("ResourceNotFoundException"))) {
		r = call(context, "AmazonSSM.GetDocument", document, &reply, err);
		if (r == 0 &&
		        !str_eq(value_get_str(reply.value, STR("DocumentType")), STR("Package")))
			return err_set(err, -EPROTO, "the server has no package of this name");
		*ret = r == 0 ? value_get_str(reply.value, STR("Content")) : (str){ NULL, 0 };
	}
	if (r == 0 && (ret->n == 0 || ret->n > PACKAGE_MANIFEST_MAX))
		return err_set(
		        err, -EPROTO, "the server gave no manifest, or one that is too large");
	return r;
}

/* A file of the package, from the server itself: other addresses that it may name are not asked. */
static int fetch(struct step_context *context, const char *name, str version, str file,
        const struct net_call *how, struct net_call_answer *answer, struct err *err)
{
	struct net_call asked = *how;
	asked.method = STR("GET");
	int r = arena_printf(context->arena, &asked.target, "/packages/%s/" STR_FMT "/" STR_FMT,
	        name, STR_ARG(version), STR_ARG(file));
	if (r == 0)
		r = net_call(context->service->session, &asked, context->arena, answer, err);
	if (r == 0 && answer->status != 200)
		r = err_set(err, -EPROTO, "the server has no " STR_FMT " of the package: %u",
		        STR_ARG(file), answer->status);
	return r;
}

static int check_signature(struct step_context *context, const struct package_keys *keys,
        const char *name, str version, str manifest, struct err *err)
{
	const struct net_call how = { .max_answer_bytes = 4096 };
	struct net_call_answer answer;
	int r = fetch(context, name, version, STR("manifest.json.sig"), &how, &answer, err);
	if (r != 0)
		return r;
	r = -EKEYREJECTED;
	for (size_t i = 0; r == -EKEYREJECTED && i < keys->n; i++)
		r = verify_ed25519(NULL, (str){ keys->keys[i], PACKAGE_KEY_BYTES }, manifest,
		        answer.body, err);
	if (r == -EKEYREJECTED)
		return err_set(err, r,
		        "The package %s is not signed by a key that this host trusts: it is "
		        "neither "
		        "fetched nor run.",
		        name);
	return r;
}

/* This host, as manifests call it; of another root the machine is this one's. */
static struct host this_host(const struct step_context *context, struct utsname *machine)
{
	struct host host = *context->host;
	if (host.arch.n == 0 && uname(machine) == 0)
		host.arch = str_from_c(machine->machine);
	return host;
}

/* Ask, check and choose. Returns: 0 with a choice that can be believed */
static int choose(struct step_context *context, const struct package_keys *keys, const char *name,
        str version, struct package_choice *ret, struct err *err)
{
	struct utsname machine;
	struct host host = this_host(context, &machine);
	const struct value *tree = NULL;
	str manifest = { NULL, 0 }, asked;
	int r = arena_copy(context->arena, version, &asked);
	if (r == 0)
		r = ask_manifest(context, name, asked.p, &manifest, err);
	if (r == 0)
		r = reader_json(manifest, context->arena, &tree, err);
	str own = value_get_str(tree, STR("version"));
	if (r == 0 && !package_is_word(own))
		r = err_set(err, -ERR_FORMAT, "the manifest names no version");
	if (r == 0)
		r = check_signature(context, keys, name, own, manifest, err);
	return r < 0 ? r : package_choose(tree, &host, str_from_c(name), version, ret, err);
}

static int download(struct step_context *context, const struct package_store *store,
        const char *name, const struct package_choice *choice, struct err *err)
{
	autoclose int fd = package_store_file(store, err);
	const struct net_call how = { .to_fd = true,
		.fd = fd,
		.timeout_ms = DOWNLOAD_TIMEOUT_MS,
		.max_answer_bytes = choice->bytes };
	struct net_call_answer answer;
	char version[PACKAGE_WORD_MAX + 1];
	if (fd < 0)
		return fd;
	int r = fetch(context, name, choice->version, choice->file, &how, &answer, err);
	if (r != 0)
		return r;
	if (answer.n_bytes != choice->bytes || strcmp(answer.sha256, choice->sha256) != 0)
		return err_set(err, -EBADMSG,
		        "What the server sent for the package %s is not what its manifest names.",
		        name);
	(void)snprintf(version, sizeof(version), STR_FMT, STR_ARG(choice->version));
	return package_store_unpack(store, fd, version, err);
}

/* ---- scripts ---- */

struct environment {
	struct arena *arena;
	const char *items[ENVIRONMENT_MAX + 1];
	size_t n;
	int r;
};

static void set(struct environment *env, str name, str value)
{
	str text;
	if (env->r < 0 || value.n == 0)
		return;
	if (env->n >= ENVIRONMENT_MAX || value.n > ARGUMENT_MAX || memchr(value.p, '\0', value.n) ||
	        arena_printf(env->arena, &text, STR_FMT "=" STR_FMT, STR_ARG(name),
	                STR_ARG(value)) < 0) {
		env->r = -ERR_LIMIT;
		return;
	}
	env->items[env->n++] = text.p;
}

/* SSM_ and capitals, digits, '_': what can be a variable, and none that means something already. */
static bool is_argument(str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!is_digit(c) && (c < 'A' || c > 'Z') && c != '_')
			return false;
	}
	return str_has_prefix(name, STR("SSM_")) && name.n <= 64;
}

/* As the stock agent calls them. */
static int make_environment(struct step_context *context, const struct package_request *request,
        struct environment *env)
{
	struct utsname machine;
	struct host host = this_host(context, &machine);
	set(env, STR("PATH"), STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	set(env, STR("HOME"), STR("/root"));
	set(env, STR("BWS_PLATFORM_NAME"), host.os_id);
	set(env, STR("BWS_PLATFORM_VERSION"), host.os_version);
	set(env, STR("BWS_ARCHITECTURE"), host.arch);
	set(env, STR("BWS_INSTANCE_ID"), str_from_c(context->service->instance));
	set(env, STR("BWS_REGION"), str_from_c(context->config->region));
	for (size_t i = 0; i < value_count(request->arguments); i++) {
		str name = value_key_at(request->arguments, i);
		const struct value *v = value_at(request->arguments, i);
		if (!is_argument(name) || value_kind(v) != VALUE_STRING)
			return -ERR_FORMAT;
		set(env, name, value_str(v));
	}
	return env->r;
}

/* Run a script of a version. False: it did not end well, and `ret` says how. */
static bool run_script(struct step_context *context, const struct package_request *request,
        const struct package_store *store, const char *version, const char *file,
        struct step_result *ret)
{
	struct environment env = { .arena = context->arena };
	struct script_result result = { 0 };
	struct err err = { 0 };
	const char *const argv[] = { "/bin/sh", file, NULL };
	str folder;
	ret->status = STEP_SUCCESS;
	if (make_environment(context, request, &env) < 0) {
		step_fail(ret, "additionalArguments are texts, named SSM_ and capital letters.");
		return false;
	}
	if (arena_printf(context->arena, &folder, "%s/versions/%s", store->path, version) < 0) {
		step_fail(ret, "The path of the package is too long.");
		return false;
	}
	const struct script script = { .argv = argv,
		.envp = env.items,
		.folder = folder.p,
		.timeout_s = SCRIPT_TIMEOUT_S,
		.is_cancelled = step_is_cancelled,
		.ctx = context };
	if (script_run(&script, &result, &err) < 0)
		step_fail(ret, "%s", err.text);
	buf_add(&ret->out, buf_str(&result.out));
	buf_add(&ret->err, buf_str(&result.err));
	ret->code = result.code;
	if (result.end == SCRIPT_CANCELLED)
		ret->status = STEP_CANCELLED;
	else if (result.end == SCRIPT_TIMED_OUT)
		ret->status = STEP_TIMED_OUT;
	else if (ret->status == STEP_SUCCESS && result.code != 0)
		step_fail(ret, "\n%s of version %s failed: exit status %d", file, version,
		        result.code);
	script_result_fini(&result);
	return ret->status == STEP_SUCCESS;
}

/* ---- changing ---- */

struct change {
	struct step_context *context;
	const struct package_request *request;
	struct package_store *store;
	const char *old; /* NULL: none was installed */
	const char *new;
	bool is_broken; /* what stands there was cut off */
};

static bool run_of(
        const struct change *c, const char *version, const char *file, struct step_result *ret)
{
	return run_script(c->context, c->request, c->store, version, file, ret);
}

/* What stands after the scripts of a change. */
enum outcome {
	OUTCOME_NEW,
	OUTCOME_OLD,     /* or none, if there was none */
	OUTCOME_UNKNOWN, /* a script was cut off, or failed on the way out */
};

/* An install that failed: the old one is put back, if there was one and it lets itself. */
static enum outcome put_back(const struct change *c, bool has_old, struct step_result *ret)
{
	enum step_status status = ret->status;
	int code = ret->code;
	if (status == STEP_CANCELLED || status == STEP_TIMED_OUT)
		return OUTCOME_UNKNOWN;
	if (!has_old)
		return c->old ? OUTCOME_UNKNOWN : OUTCOME_OLD;
	bool is_back = run_of(c, c->old, "install.sh", ret);
	ret->status = status;
	ret->code = code;
	if (!is_back)
		return OUTCOME_UNKNOWN;
	buf_printf(&ret->out, "\nVersion %s was put back.\n", c->old);
	return OUTCOME_OLD;
}

static enum outcome run_scripts(const struct change *c, struct step_result *ret)
{
	bool has_old = c->old && strcmp(c->old, c->new) != 0 &&
	               package_store_has(c->store, c->old, "uninstall.sh");
	if (c->old && c->request->is_in_place && !c->is_broken)
		return run_of(c, c->new, "update.sh", ret) ? OUTCOME_NEW : OUTCOME_UNKNOWN;
	if (has_old && !run_of(c, c->old, "uninstall.sh", ret))
		return OUTCOME_UNKNOWN;
	if (run_of(c, c->new, "install.sh", ret))
		return OUTCOME_NEW;
	return put_back(c, has_old, ret);
}

/* Say what stands now, and remove what is of no use any more. */
static int finish(const struct change *c, enum outcome outcome, struct err *err)
{
	const char *stands = outcome == OUTCOME_NEW ? c->new : c->old;
	if (outcome == OUTCOME_UNKNOWN && !c->old)
		return 0; /* the record says that the new one is being changed */
	int r = package_store_record(c->store, stands, outcome == OUTCOME_UNKNOWN, err);
	if (r == 0)
		(void)package_store_prune(c->store, stands);
	return r;
}

static void change(const struct change *c, struct step_result *ret)
{
	struct err err = { 0 };
	const char *needed =
	        c->old && c->request->is_in_place && !c->is_broken ? "update.sh" : "install.sh";
	if (!package_store_has(c->store, c->new, needed)) {
		step_fail(ret, "The package has no %s.", needed);
		return;
	}
	int r = package_store_record(c->store, c->old ? c->old : c->new, true, &err);
	if (r == 0)
		r = finish(c, run_scripts(c, ret), &err);
	if (r < 0)
		step_fail(ret, "%s", err.text);
}

static void install(struct step_context *context, const struct package_request *request,
        const char *name, struct package_store *store, const struct package_choice *choice,
        struct step_result *ret)
{
	char old[PACKAGE_WORD_MAX + 1] = "", new[PACKAGE_WORD_MAX + 1];
	struct err err = { 0 };
	bool is_changing = false;
	(void)snprintf(new, sizeof(new), STR_FMT, STR_ARG(choice->version));
	int r = package_store_installed(store, old, &is_changing, &err);
	if (r == 1 && !is_changing && strcmp(old, new) == 0) {
		buf_printf(&ret->out, "%s %s is installed already\n", name, new);
		return;
	}
	bool has_old = r == 1;
	if (r >= 0)
		r = download(context, store, name, choice, &err);
	if (r < 0) {
		step_fail(ret, "%s", err.text);
		return;
	}
	const struct change what = { .context = context,
		.request = request,
		.store = store,
		.old = has_old ? old : NULL,
		.new = new,
		.is_broken = is_changing };
	change(&what, ret);
	if (ret->status == STEP_SUCCESS)
		buf_printf(&ret->out, "Installed %s %s\n", name, new);
}

void package_install(struct step_context *context, const struct package_request *request,
        str *ret_version, struct step_result *ret)
{
	struct package_store store = { .dir = -1, .lock = -1 };
	struct package_choice choice;
	struct package_keys keys;
	struct err err = { 0 };
	const char *path = context->config->package_keys;
	str name;
	int r = path && *path ? package_keys_read(path, &keys, &err)
	                      : err_set(&err, -EKEYREJECTED,
	                                "The package " STR_FMT
	                                " is not signed by a key that this host trusts (it has no "
	                                "package_keys): it is neither fetched nor run.",
	                                STR_ARG(request->name));
	if (r == 0)
		r = arena_copy(context->arena, request->name, &name);
	if (r == 0)
		r = choose(context, &keys, name.p, request->version, &choice, &err);
	if (r == 0)
		r = package_store_open(context->state, name, &store, &err);
	if (r != 0) {
		step_fail(ret, "%s", err.text);
		return;
	}
	*ret_version = choice.version;
	install(context, request, name.p, &store, &choice, ret);
	package_store_close(&store);
}

static void uninstall(struct step_context *context, const struct package_request *request,
        struct package_store *store, str *ret_version, struct step_result *ret)
{
	char old[PACKAGE_WORD_MAX + 1] = "";
	struct err err = { 0 };
	bool is_changing = false;
	int r = package_store_installed(store, old, &is_changing, &err);
	if (r == 0) {
		buf_printf(&ret->out, STR_FMT " is not installed\n", STR_ARG(request->name));
		return;
	}
	if (r > 0)
		r = arena_copy(context->arena, str_from_c(old), ret_version);
	if (r == 0)
		r = package_store_record(store, old, true, &err);
	if (r < 0) {
		step_fail(ret, "%s", err.text[0] ? err.text : "out of memory");
		return;
	}
	if (package_store_has(store, old, "uninstall.sh") &&
	        !run_script(context, request, store, old, "uninstall.sh", ret))
		return;
	r = package_store_record(store, NULL, false, &err);
	if (r < 0) {
		step_fail(ret, "%s", err.text);
		return;
	}
	(void)package_store_prune(store, NULL);
	buf_printf(&ret->out, "Removed " STR_FMT " %s\n", STR_ARG(request->name), old);
}

void package_uninstall(struct step_context *context, const struct package_request *request,
        str *ret_version, struct step_result *ret)
{
	struct package_store store = { .dir = -1, .lock = -1 };
	struct err err = { 0 };
	if (package_store_open(context->state, request->name, &store, &err) < 0) {
		step_fail(ret, "%s", err.text);
		return;
	}
	uninstall(context, request, &store, ret_version, ret);
	package_store_close(&store);
}
