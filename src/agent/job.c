/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/trust.h"
#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "net/reader.h"

#define ARENA_BYTES ((size_t)32 << 20)

static bool is_id(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	}
	return s.n > 0 && s.n <= 64;
}

/* ---- one document ---- */

struct running {
	struct step_context *context;
	struct json_writer *w;
	enum step_status worst;
	size_t n_run;
	const struct value *refresh;
	bool is_refresh;
};

static void write_time(struct json_writer *w, const char *key)
{
	struct timespec t;
	autobuf text = BUF(40);
	(void)clock_gettime(CLOCK_REALTIME, &t);
	timestamp_add_iso(&text, (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
	json_write_member_str(w, key, buf_str(&text));
}

/* A folder of the step's own, by its number: its name comes from the document. */
static int make_folder(const struct step_context *context, size_t i, char *ret, size_t size)
{
	char name[128];
	(void)snprintf(name, sizeof(name), "jobs/" STR_FMT, STR_ARG(context->job_id));
	if (mkdirat(context->state->dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	(void)snprintf(name, sizeof(name), "jobs/" STR_FMT "/%zu", STR_ARG(context->job_id), i);
	if (mkdirat(context->state->dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	int n = snprintf(ret, size, "%s/%s", context->state->path, name);
	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static void perform(
        struct running *run, const struct recipe_step *step, size_t i, struct step_result *result)
{
	const struct step_action *action = step_find(step->action);
	char folder[4096];
	if (step->is_skipped) {
		result->status = STEP_SKIPPED;
		buf_add(&result->out, STR("Step execution skipped: its precondition is not met."));
		return;
	}
	if (step->fault.n > 0) {
		step_fail(result, STR_FMT, STR_ARG(step->fault));
		return;
	}
	if (!action) {
		step_fail(result, "This agent does not have the action " STR_FMT ".",
		        STR_ARG(str_head(step->action, 64)));
		return;
	}
	if (make_folder(run->context, i, folder, sizeof(folder)) < 0) {
		step_fail(result, "A folder for the step cannot be made.");
		return;
	}
	run->context->folder = folder;
	action->run(run->context, step->inputs, result);
	run->context->folder = NULL;
	run->n_run++;
}

static enum step_status run_step(struct running *run, const struct recipe_step *step, size_t i)
{
	struct step_result result = { .out = BUF(4 * SCRIPT_STDOUT_MAX),
		.err = BUF(4 * SCRIPT_STDERR_MAX) };
	struct json_writer *w = run->w;
	json_write_object(w);
	json_write_member_str(w, "Name", step->name);
	json_write_member_str(w, "Action", step->action);
	write_time(w, "Start");
	if (step_is_cancelled(run->context))
		result.status = STEP_CANCELLED;
	else
		perform(run, step, i, &result);
	write_time(w, "End");
	json_write_member_str(w, "Status", str_from_c(step_status_name(result.status)));
	json_write_key(w, "Code");
	json_write_u64(w, (uint64_t)(result.code < 0 ? 1 : result.code));
	json_write_member_str(w, "Out", buf_str(&result.out));
	json_write_member_str(w, "Err", buf_str(&result.err));
	json_write_object_end(w);
	if (result.is_refresh) {
		run->is_refresh = true;
		run->refresh = result.refresh;
	}
	buf_fini(&result.out);
	buf_fini(&result.err);
	return result.status;
}

static void run_steps(struct running *run, const struct recipe *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct recipe_step *step = &plan->steps[i];
		enum step_status status = run_step(run, step, i);
		bool is_bad = status == STEP_FAILED || status == STEP_TIMED_OUT;
		if (status != STEP_SKIPPED && status > run->worst &&
		        !(is_bad && step->forgives_failure))
			run->worst = status;
		if (status == STEP_CANCELLED || (is_bad && step->exits_on_failure) || step->is_end)
			break;
	}
	if (run->n_run == 0 && run->worst == STEP_SUCCESS)
		run->worst = STEP_SKIPPED;
}

/* Why a document is not run at all. Asked before anything of it but its digest is looked at. */
static int refuse(const struct step_context *context, const struct value *document, struct err *err)
{
	char digest[SHA256_HEX_SIZE];
	if (context->config->allow_documents)
		return 0;
	if (trust_digest(document, digest) < 0)
		return err_set(err, -ERR_LIMIT, "The document is too large.");
	if (trust_find(digest))
		return 0;
	return err_set(err, -EPERM,
	        "This host does not run the document (SHA-256 %.16s...): it did not come with the "
	        "agent, and allow_documents is not set on the host.",
	        digest);
}

static int read_plan(
        struct step_context *context, str document, str values, struct recipe *ret, struct err *err)
{
	const struct value *tree = NULL, *given = NULL;
	struct err why = { 0 };
	int r = reader_json(document, context->arena, &tree, &why);
	if (r < 0)
		return err_set(err, r, "The document is not JSON: %s.", why.text);
	r = refuse(context, tree, err);
	if (r < 0)
		return r;
	if (values.n > 0)
		r = reader_json(values, context->arena, &given, &why);
	if (r < 0)
		return err_set(err, r, "The parameters are not JSON: %s.", why.text);
	r = recipe_make(tree, given, reader_json, context->arena, ret, &why);
	return r < 0 ? err_set(err, r, "The document cannot be run: %s.", why.text) : 0;
}

/* Users of Run Command look at steps: there they find why none was run. */
static void write_refusal(struct json_writer *w, const char *text)
{
	json_write_object(w);
	json_write_member_str(w, "Name", STR("document"));
	json_write_member_str(w, "Action", STR("document"));
	write_time(w, "Start");
	write_time(w, "End");
	json_write_member_str(w, "Status", STR("Failed"));
	json_write_key(w, "Code");
	json_write_u64(w, 1);
	json_write_member_str(w, "Out", STR(""));
	json_write_member_str(w, "Err", str_from_c(text));
	json_write_object_end(w);
}

void job_run(struct step_context *context, str document, str values, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	struct running run = { .context = context, .w = &w };
	struct recipe plan = { 0 };
	struct err err = { 0 };
	json_write_object(&w);
	int r = read_plan(context, document, values, &plan, &err);
	json_write_key(&w, "Steps");
	json_write_array(&w);
	context->plan = &plan;
	if (r == 0)
		run_steps(&run, &plan);
	else
		write_refusal(&w, err.text);
	json_write_array_end(&w);
	json_write_member_str(
	        &w, "Status", str_from_c(step_status_name(r < 0 ? STEP_FAILED : run.worst)));
	if (r < 0) {
		json_write_member_str(&w, "Fault", str_from_c(err.text));
		agent_log(LOG_WARNING, "%s job=" STR_FMT, err.text, STR_ARG(context->job_id));
	}
	json_write_member_str(&w, "Trusted", str_from_c(plan.trusted ? plan.trusted : ""));
	json_write_key(&w, "IsRefresh");
	json_write_bool(&w, run.is_refresh);
	json_write_key(&w, "Refresh");
	value_write_json(run.refresh, &w);
	json_write_object_end(&w);
	context->plan = NULL;
}

/* ---- the process ---- */

static int open_session(const struct agent_config *config, struct service *service, struct err *err)
{
	const struct net_session_config session = {
		.endpoint = config->server,
		.ca_file = config->ca_file && *config->ca_file ? config->ca_file : NULL,
		.connect_timeout_ms = 10000,
		.timeout_ms = 60000,
	};
	service->session = NULL;
	return net_session_open(&session, &service->session, err);
}

static void say(int fd, str text)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text = str_skip(text, (size_t)n);
	}
}

static void be_job(const struct job_request *request, int fd)
{
	struct service service = *request->service;
	struct arena arena = ARENA(ARENA_BYTES);
	autobuf out = BUF(JOB_SAYS_MAX);
	struct err err = { 0 };
	sigset_t term;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_SETMASK, &term, NULL);
	struct step_context context = { .config = request->config,
		.state = request->state,
		.service = &service,
		.host = request->host,
		.job_id = request->id,
		.arena = &arena,
		.cancel_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK) };
	if (open_session(request->config, &service, &err) == 0)
		job_run(&context, request->document, request->values, &out);
	else
		agent_log(LOG_ERROR, "%s", err.text);
	if (!buf_failed(&out))
		say(fd, buf_str(&out));
	net_session_close(service.session);
	_exit(0);
}

int job_start(const struct job_request *request, struct job *ret, struct err *err)
{
	int ends[2];
	if (!is_id(request->id))
		return err_set(err, -EINVAL, "the id of a job is none");
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe for a job: %m");
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		be_job(request, ends[1]);
	}
	int saved = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return err_set(err, -saved, "cannot start a job: %s", strerror(saved));
	}
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret = (struct job){ .pid = pid, .fd = ends[0], .said = BUF(JOB_SAYS_MAX) };
	return 0;
}

void job_cancel(const struct job *job)
{
	if (job->pid > 0)
		(void)kill(job->pid, SIGTERM);
}

int job_read(struct job *job)
{
	char piece[16384];
	for (int i = 0; i < 64; i++) {
		ssize_t n = read(job->fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return 1;
		buf_add(&job->said, (str){ piece, (size_t)n });
	}
	return 0;
}

void job_end(struct job *job, const struct state *state, str id)
{
	char name[128];
	int status;
	if (job->pid > 0) {
		(void)kill(job->pid, SIGKILL);
		while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	if (job->fd >= 0)
		(void)close(job->fd);
	buf_fini(&job->said);
	job->pid = 0;
	job->fd = -1;
	if (!is_id(id))
		return;
	(void)snprintf(name, sizeof(name), "jobs/" STR_FMT, STR_ARG(id));
	(void)fs_remove_tree(state->dir, name);
}
