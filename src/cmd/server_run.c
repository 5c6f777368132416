/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-server init, run, restore, version; and the help that only it has. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cmd/cmd.h"
#include "server/api_doc.h"
#include "server/serve.h"
#include "store/store.h"

int cmd_init(struct invocation *call)
{
	struct err err = { 0 };
	const char *data_dir = settings_data_dir(call->settings);
	if (call->settings->n_rest > 0)
		return say_usage(call, "init takes no arguments");
	(void)umask(077);
	int r = server_init(data_dir, &err);
	if (r < 0) {
		int code = say_error("init", &err);
		return r == -EEXIST ? EXIT_USAGE : code;
	}
	say(call, "the folder of a server is made: %s", data_dir);
	say(call, "next: sonde-server account add, sonde-server key add --account NUMBER, "
	          "sonde-server run");
	return EXIT_GOOD;
}

int cmd_restore(struct invocation *call)
{
	struct err err = { 0 };
	struct settings *s = call->settings;
	if (s->n_rest != 1)
		return say_usage(call, "restore takes one file");
	(void)umask(077);
	int r = fs_make_dirs(settings_data_dir(s), 0700, &err);
	if (r >= 0)
		r = store_restore(
		        s->rest[0], settings_path(s, settings_data_dir(s), "store"), &err);
	if (r < 0) {
		int code = say_error("restore", &err);
		return r == -EEXIST ? EXIT_USAGE : code;
	}
	say(call, "the state is restored to %s", settings_data_dir(s));
	return EXIT_GOOD;
}

int cmd_version(struct invocation *call)
{
	if (call->settings->n_rest > 0)
		return say_usage(call, "version takes no arguments");
	(void)printf("%s %s\n", program.name, SONDE_VERSION);
	return EXIT_GOOD;
}

bool program_help(str as)
{
	autobuf text = BUF((size_t)16 << 20);
	if (!str_eq(as, STR("api")))
		return false;
	api_doc_write(&text);
	(void)fwrite(text.p, 1, text.n, stdout);
	return true;
}

/* ---- run ---- */

/* Whoever started us waits for this line. */
static void say_ready(void *ctx, const char *url)
{
	(void)ctx;
	(void)printf("listening on %s\n", url);
	(void)fflush(stdout);
}

static enum log_level level(const struct settings *settings)
{
	static const char *const words[] = { "error", "warning", "info", "debug" };
	str word = str_from_c(settings_text(settings, SET_LOG));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (str_eq(word, str_from_c(words[i])))
			return (enum log_level)i;
	}
	return LOG_INFO;
}

/* "" is no setting. */
static const char *text_or_null(const struct settings *settings, enum setting_id id)
{
	const char *text = settings_text(settings, id);
	return *text ? text : NULL;
}

/* Threads that are started later must not take the signals that end the program. */
static void block_signals(void)
{
	sigset_t signals;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int cmd_run(struct invocation *call)
{
	struct settings *s = call->settings;
	struct err err = { 0 };
	struct server *server;
	struct log log = { .fd = STDERR_FILENO, .most = level(s) };
	struct server_config config = { .data_dir = settings_data_dir(s),
		.db_dir = settings_db_dir(s),
		.public_url = text_or_null(s, SET_PUBLIC_URL),
		.log = log,
		.is_skipping_check = settings_is_on(s, SET_NO_CHECK) };
	struct serve_config serve = { .listen = settings_text(s, SET_LISTEN),
		.tls_cert = text_or_null(s, SET_TLS_CERT),
		.tls_key = text_or_null(s, SET_TLS_KEY),
		.n_workers = (unsigned)settings_number(s, SET_WORKERS),
		.ready = say_ready };
	if (s->n_rest > 0)
		return say_usage(call, "run takes no arguments");
	if (!serve.tls_cert != !serve.tls_key)
		return say_usage(call, "--tls-cert and --tls-key belong together");
	(void)umask(077);
	block_signals();
	int r = server_open(&config, &server, &err);
	if (r >= 0) {
		r = server_run(server, &serve, &err);
		server_close(server);
	}
	if (r >= 0)
		return EXIT_GOOD;
	(void)log_error(&log, "the server cannot run", &err);
	return r == -EINVAL || r == -ENOENT ? EXIT_USAGE : EXIT_BROKEN;
}
