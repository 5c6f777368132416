/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the log's lines is that of a published run of the original (docs/plugin-log.md).
 * It scans one root after another; here one walk reads all of them at once, so the lines about
 * roots are written when it is over.
 */
#include "plugin/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "inventory/inventory.h"
#include "net/aws_call.h"
#include "plugin/report.h"
#include "plugin/roots.h"

/* The parameter through which the service hands over custom paths. */
#define PARAMETER "/inspector-aws/service/inspector-linux-application-paths"

/* Settings, an answer, pointers to a million packages. */
#define RUN_BYTES ((size_t)64 << 20)

/* A local copy of so many paths. */
#define SAVED_BYTES ((size_t)256 << 20)

struct run {
	const struct plugin_options *options;
	const struct account_environment *environment;
	struct plugin_log log;
	struct arena arena;
	struct account account;
	bool has_account;
	struct net_session *session;
	struct plugin_paths paths;
	struct pace *pace;
	struct inventory inventory;
	struct report_packages packages;
	int64_t began_at;
	int64_t began_ms; /* monotonic */
};

static int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

/* When this program was put where it is: builds of one source are the same, whenever they are made.
 */
static void log_build(struct run *run)
{
	struct stat st;
	struct tm tm = { 0 };
	char text[64];
	if (stat("/proc/self/exe", &st) < 0 || !gmtime_r(&st.st_mtim.tv_sec, &tm))
		return;
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+0000", &tm);
	plugin_log_write(&run->log, EVENT_BUILD, "UTC Build Time: %s", text);
}

/* ---- the server ---- */

/* Who we are and where the server is, found once and told each time it is asked. */
static int connect_server(struct run *run, struct err *err)
{
	int r = run->has_account ? 0
	                         : account_find(run->environment, &run->arena, &run->account, err);
	if (r < 0)
		return r;
	run->has_account = true;
	const struct account *a = &run->account;
	plugin_log_write(&run->log, EVENT_IDENTITY,
	        "ec2 metadata region=" STR_FMT " instance-id=" STR_FMT " instance-type=" STR_FMT,
	        STR_ARG(a->region), STR_ARG(a->instance),
	        STR_ARG(a->instance_type.n > 0 ? a->instance_type : STR("unknown")));
	plugin_log_write(&run->log, EVENT_CREDENTIALS, "use %s provider for credentials",
	        account_source_text(a->source));
	if (run->session)
		return 0;
	struct net_session_config config = { .endpoint = a->endpoint.p, .ca_file = a->ca_file };
	return net_session_open(&config, &run->session, err);
}

/* What a call cost in sonde-net is on the account, and is waited for before more is done. */
static void count_call(struct run *run)
{
	pace_watch(run->pace, PACE_NET, net_session_pid(run->session));
	while (pace_wait(run->pace))
		continue;
}

static void on_rejected(void *ctx, str part)
{
	struct run *run = ctx;
	plugin_log_write(&run->log, EVENT_REJECTED,
	        "package scanner rejected root directory '" STR_FMT "'",
	        STR_ARG(str_head(part, PLUGIN_PATH_BYTES)));
}

/* Custom paths. One that is not defined is none; one that cannot be read is a failure: a scan
 * without them would close what was found in them. */
static int read_parameter(struct run *run, struct err *err)
{
	struct ssm_reply reply = { .status = 0 };
	if (!run->options->read_parameter)
		return 0;
	int r = connect_server(run, err);
	if (r < 0)
		return r;
	struct net_sign sign = account_sign(&run->account);
	r = ssm_call(run->session, &sign, STR("AmazonSSM.GetParameter"),
	        STR("{\"Name\":\"" PARAMETER "\"}"), 0, &run->arena, &reply, err);
	count_call(run);
	if (r < 0)
		return r;
	if (str_eq(reply.error, STR("ParameterNotFound"))) {
		on_rejected(run, STR(PLUGIN_NO_PATHS));
		return 0;
	}
	if (reply.error.n > 0)
		return err_set(err, -EIO,
		        "operation error SSM: GetParameter, https response error StatusCode: %u, "
		        "RequestID: " STR_FMT ", " STR_FMT ": " STR_FMT,
		        reply.status, STR_ARG(str_head(reply.request_id, 64)), STR_ARG(reply.error),
		        STR_ARG(str_head(reply.message, 256)));
	str value = value_get_str(value_get(reply.value, STR("Parameter")), STR("Value"));
	if (plugin_paths_read(value, &run->arena, &run->paths, on_rejected, run) < 0)
		return err_set(err, -ERR_LIMIT, "more custom paths than memory allows");
	return 0;
}

/* ---- the scan ---- */

/* A literal as it stands in a regular expression. */
static void add_literal(struct buf *out, str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_alnum(text.p[i]) && text.p[i] != '-' && text.p[i] != '_')
			buf_add_byte(out, '\\');
		buf_add_byte(out, text.p[i]);
	}
}

/* Each pattern by which a reader of a language wants files, and the literal end that is compared
 * first. */
static void log_patterns(struct run *run)
{
	size_t n;
	const struct reader *const *readers = reader_all(&n);
	for (size_t i = 0; i < n; i++) {
		const struct pattern *p = readers[i]->patterns;
		for (; !readers[i]->is_os && !pattern_is_end(p); p++) {
			autobuf text = BUF(1024);
			buf_add(&text, STR("^/.*"));
			if (p->parent_tail.p) {
				add_literal(&text, p->parent_tail);
				buf_add_byte(&text, '/');
			}
			add_literal(&text, p->name.p ? p->name : p->name_tail);
			buf_add(&text, STR("$"));
			plugin_log_write(&run->log, EVENT_PATTERN,
			        "extracted suffix from pattern \"" STR_FMT "\": \"" STR_FMT "\"",
			        STR_ARG(buf_str(&text)),
			        STR_ARG(p->name.p ? p->name : p->name_tail));
		}
	}
}

static uint64_t python_owned(const struct inventory *inventory)
{
	size_t n;
	const struct reader *const *readers = reader_all(&n);
	uint64_t owned = 0;
	for (size_t i = 0; i < n && i < COLLECT_READERS_MAX; i++) {
		if (str_eq(str_from_c(readers[i]->name), STR("pypi")))
			owned += inventory->n_owned[i];
	}
	return owned;
}

static void log_scan(struct run *run)
{
	const struct inventory *inv = &run->inventory;
	plugin_log_write(&run->log, EVENT_LOCATED,
	        "located '%" PRIu64
	        "' metadata files for python packages installed via platform package manager",
	        python_owned(inv));
	log_patterns(run);
	for (size_t i = 0; i < inv->n_roots; i++) {
		str path = str_head(inv->roots[i].path, PLUGIN_PATH_BYTES);
		plugin_log_write(&run->log, EVENT_SCANNING, "scanning directory \"" STR_FMT "\"",
		        STR_ARG(path));
		plugin_log_write(&run->log, EVENT_SCANNED,
		        "scanned %" PRIu64 " directories under \"" STR_FMT "\"",
		        inv->roots[i].n_directories, STR_ARG(path));
	}
	if (inv->end == COLLECT_TIME)
		plugin_log_write(&run->log, EVENT_LIMIT,
		        "collection time limit of %" PRIu64 " s reached: the inventory is partial",
		        run->options->timeout_s);
	if (inv->end == COLLECT_MEMORY)
		plugin_log_write(
		        &run->log, EVENT_LIMIT, "memory limit reached: the inventory is partial");
	if (run->packages.n > REPORT_PACKAGES_MAX)
		plugin_log_write(&run->log, EVENT_LIMIT, "package limit of %d exceeded: %zu found",
		        REPORT_PACKAGES_MAX, run->packages.n);
}

/* What is left of the time for the run; at least a moment, so that the scan can say that it is
 * over. */
static uint64_t time_left(const struct run *run)
{
	int64_t left = (int64_t)(run->options->timeout_s * 1000) - (clock_ms() - run->began_ms);
	return run->options->timeout_s == 0 ? 0 : left > 1 ? (uint64_t)left : 1;
}

static int scan(struct run *run, struct err *err)
{
	plugin_log_write(&run->log, EVENT_TRAVERSAL,
	        "files system traversal depth=-1 max directories under specified root=-1");
	plugin_log_write(
	        &run->log, EVENT_PACKAGES_BY, "using '' to gather python package locations");
	struct collect_options options = { .root = run->options->root,
		.more_paths = run->paths.all,
		.n_more_paths = run->paths.n,
		.timeout_ms = time_left(run),
		.max_memory_bytes = run->options->max_memory_bytes,
		.pace = run->pace };
	int r = collect_run(&options, &run->inventory, err);
	if (r >= 0 && report_choose(&run->inventory, &run->arena, &run->packages) < 0)
		r = err_set(err, -ERR_LIMIT, "more packages than memory allows");
	if (r >= 0)
		log_scan(run);
	return r;
}

/* One path a line, each place of a package that lies in several. */
static int save(struct run *run, struct err *err)
{
	autobuf text = BUF(SAVED_BYTES);
	if (!run->options->save_as)
		return 0;
	for (size_t i = 0; i < run->packages.n; i++) {
		text_escape(&text, run->packages.all[i]->path);
		buf_add_byte(&text, '\n');
	}
	if (buf_failed(&text))
		return err_set(err, -ERR_LIMIT, "the list of packages is larger than 256 MiB");
	str path = str_from_c(run->options->save_as), dir = STR("."), name = path;
	(void)str_split_last(path, '/', &dir, &name);
	if (arena_copy(&run->arena, dir.n > 0 ? dir : STR("/"), &dir) < 0 ||
	        arena_copy(&run->arena, name, &name) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	autoclose int folder = fs_open_dir(dir.p, true, err);
	return folder < 0 ? folder : fs_replace(folder, name.p, buf_str(&text), 0640, err);
}

/* ---- the reports ---- */

static int report_packages(struct run *run, struct err *err)
{
	if (!run->options->report_inventory)
		return 0;
	plugin_log_write(
	        &run->log, EVENT_SUBMITTING, "submitting packages findings as inventory report");
	int r = connect_server(run, err);
	if (r < 0)
		return r;
	autobuf content = BUF(2 * REPORT_CONTENT_BYTES);
	size_t n = report_write_packages(&run->packages, &content);
	if (buf_failed(&content))
		return err_set(err, -ENOMEM, "out of memory for the report");
	if (n < run->packages.n)
		plugin_log_write(&run->log, EVENT_CUT,
		        "left out %zu of %zu packages: an inventory item holds at most %d rows and "
		        "%zu bytes",
		        run->packages.n - n, run->packages.n, REPORT_ROWS_MAX,
		        REPORT_CONTENT_BYTES);
	struct report_item item = { .type = REPORT_TYPE_PACKAGES,
		.content = buf_str(&content),
		.is_announced = true,
		.n_packages = n };
	r = report_post(run->session, &run->account, &item, &run->log, err);
	count_call(run);
	return r;
}

static int report_metrics(struct run *run, str error, bool has_scanned, struct err *err)
{
	autobuf content = BUF(REPORT_CONTENT_BYTES);
	if (!run->options->report_metrics)
		return 0;
	int r = connect_server(run, err);
	if (r < 0)
		return r;
	struct report_run metrics = { .began_at = run->began_at,
		.inventory = &run->inventory,
		.packages = has_scanned ? &run->packages : NULL,
		.options = run->options,
		.error = error,
		.log_tail = plugin_log_tail(&run->log) };
	report_write_metrics(&metrics, &run->arena, &content);
	if (buf_failed(&content))
		return err_set(err, -ENOMEM, "out of memory for the metrics");
	struct report_item item = { .type = REPORT_TYPE_METRICS, .content = buf_str(&content) };
	r = report_post(run->session, &run->account, &item, &run->log, err);
	count_call(run);
	return r;
}

static void log_samples(
        struct run *run, enum plugin_event event, const char *what, const struct samples *samples)
{
	unsigned pct[SAMPLES_BUCKETS];
	autobuf text = BUF(256);
	samples_shares(samples, pct);
	for (size_t i = 0; i < SAMPLES_BUCKETS; i++)
		buf_printf(&text, "%s%u", i > 0 ? " " : "", pct[i]);
	plugin_log_write(&run->log, event, "scan %s pct samples=%u histogram=[" STR_FMT "]", what,
	        samples->n, STR_ARG(buf_str(&text)));
}

static void log_stats(struct run *run)
{
	const struct inventory *inv = &run->inventory;
	uint64_t directories = 0, files = 0;
	for (size_t i = 0; i < inv->n_roots; i++) {
		directories += inv->roots[i].n_directories;
		files += inv->roots[i].n_files;
	}
	plugin_log_write(&run->log, EVENT_STATS,
	        "scan elapsed(ms)=%" PRIu64 " directories=%" PRIu64 " files=%" PRIu64
	        " packages=%zu",
	        inv->elapsed_ms, directories, files, run->packages.n);
	log_samples(run, EVENT_STATS_CPU, "cpu", &inv->meter.cpu);
	log_samples(run, EVENT_STATS_MEMORY, "mem", &inv->meter.memory);
}

/* A report that is refused does not keep the next one from being sent; the first failure is the
 * run's. */
static int report(struct run *run, struct err *err)
{
	struct err later = { 0 };
	int r = save(run, err);
	int posted = report_packages(run, r < 0 ? &later : err);
	r = r < 0 ? r : posted;
	str error = r < 0 ? str_from_c(err->text) : STR("");
	int told = report_metrics(run, error, true, r < 0 ? &later : err);
	return r < 0 ? r : told;
}

/* Why there was no scan; nothing is to be told where no server was found. */
static void report_failure(struct run *run, const struct err *why)
{
	struct err later = { 0 };
	if (run->session || !run->options->read_parameter)
		(void)report_metrics(run, str_from_c(why->text), false, &later);
}

static int run_all(struct run *run, struct err *err)
{
	plugin_log_write(&run->log, EVENT_VERSION, "Version: %s", SONDE_VERSION);
	log_build(run);
	plugin_log_write(&run->log, EVENT_STARTED, "bpm scan started");
	int r = pace_begin(run->options->cpu_limit_pct, &run->pace, err);
	if (r >= 0)
		r = read_parameter(run, err);
	if (r >= 0)
		r = scan(run, err);
	if (r >= 0) {
		r = report(run, err);
		log_stats(run);
	} else {
		report_failure(run, err);
	}
	if (r < 0)
		plugin_log_write(&run->log, EVENT_FAILED, "packages scan failed: %s", err->text);
	else
		plugin_log_write(&run->log, EVENT_COMPLETED, "packages scan completed");
	plugin_log_clean(&run->log);
	return r;
}

int plugin_run(const struct plugin_options *options, const struct account_environment *environment,
        struct err *err)
{
	struct run run = { .options = options,
		.environment = environment,
		.arena = ARENA(RUN_BYTES),
		.began_at = now_s(),
		.began_ms = clock_ms() };
	/* A log that cannot be written costs its lines; they still go with the metrics. */
	struct err broken = { 0 };
	if (plugin_log_open(&run.log, options->log_dir, options->is_compat, NULL, now_s, &broken) <
	        0)
		plugin_log_write(&run.log, EVENT_FAILED, "no log file: %s", broken.text);
	int r = run_all(&run, err);
	net_session_close(run.session);
	inventory_fini(&run.inventory);
	pace_end(run.pace);
	arena_fini(&run.arena);
	plugin_log_close(&run.log);
	return r;
}
