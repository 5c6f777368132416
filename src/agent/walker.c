/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walker.h"

#include <zstd.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "collect/collect.h"
#include "report/report.h"
#include "sandbox/sandbox.h"

#define CHECK_MS 250
#define ZSTD_LEVEL 3 /* a window of 2 MiB; the service takes up to 8 */

/* What the walker says at its end: one message. Both sides are this program. */
struct word {
	int r;
	char text[200];
	uint64_t packed_bytes, bytes, rows_bytes, n_packages, n_failures;
	char sha256[SHA256_HEX_SIZE];
};

/* ---- in the walker ---- */

static int write_all(int fd, str bytes, struct err *err)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "the inventory cannot be kept in memory: %m");
		bytes = str_skip(bytes, (size_t)n);
	}
	return 0;
}

static int pack(str text, int fd, uint64_t *ret_bytes, struct err *err)
{
	size_t room = ZSTD_compressBound(text.n);
	autofree char *packed = malloc(room);
	if (!packed)
		return err_set(err, -ENOMEM, "out of memory");
	size_t n = ZSTD_compress(packed, room, text.p, text.n, ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return err_set(err, -ENOMEM, "the inventory cannot be compressed: %s",
		        ZSTD_getErrorName(n));
	if (n > WALKER_PACKED_MAX)
		return err_set(err, -ERR_LIMIT, "the inventory is larger than the service takes");
	*ret_bytes = n;
	return write_all(fd, (str){ packed, n }, err);
}

/* rpm: "epoch:version-release"; the columns have them apart. */
static void write_rpm(struct json_writer *w, const struct package *pkg)
{
	str epoch = STR("0"), rest = pkg->version, version = rest, release = { NULL, 0 };
	str head, tail;
	if (str_split_first(rest, ':', &head, &tail)) {
		epoch = head;
		rest = version = tail;
	}
	if (str_split_last(rest, '-', &head, &tail)) {
		version = head;
		release = tail;
	}
	json_write_member_str(w, "Version", version);
	json_write_member_str(w, "Release", release);
	json_write_member_str(w, "Epoch", epoch);
}

static void write_row(struct json_writer *w, const struct package *pkg)
{
	bool is_deb = str_eq(pkg->type, STR("deb"));
	autobuf id = BUF(4096);
	json_write_object(w);
	json_write_member_str(w, "Name", pkg->name);
	if (is_deb) {
		json_write_member_str(w, "Version", pkg->version);
		buf_printf(&id, STR_FMT "_" STR_FMT "_" STR_FMT ".deb", STR_ARG(pkg->name),
		        STR_ARG(pkg->version), STR_ARG(pkg->arch));
	} else {
		write_rpm(w, pkg);
		buf_printf(&id, STR_FMT "-" STR_FMT ".src.rpm", STR_ARG(pkg->source_name),
		        STR_ARG(pkg->source_version));
	}
	json_write_member_str(w, "Architecture",
	        is_deb && str_eq(pkg->arch, STR("amd64")) ? STR("x86_64") : pkg->arch);
	json_write_member_str(w, "Publisher", str_head(pkg->vendor, 256));
	if (!buf_failed(&id) && (is_deb || pkg->source_name.n > 0))
		json_write_member_str(w, "PackageId", buf_str(&id));
	json_write_object_end(w);
}

static int write_rows(const struct inventory *inv, int fd, uint64_t *ret_bytes, struct err *err)
{
	autobuf text = BUF(WALKER_ROWS_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	size_t n = 0;
	json_write_array(&w);
	for (size_t i = 0; i < inv->n_packages; i++) {
		if (!package_is_os(&inv->packages[i]))
			continue;
		n++;
		write_row(&w, &inv->packages[i]);
	}
	json_write_array_end(&w);
	*ret_bytes = 0;
	if (buf_failed(&text) || n > WALKER_ROWS_MAX)
		return 0; /* part of a list would be taken for the whole */
	*ret_bytes = text.n;
	return write_all(fd, buf_str(&text), err);
}

static void keep_os(struct inventory *inv)
{
	size_t n = 0;
	for (size_t i = 0; i < inv->n_packages; i++) {
		if (package_is_os(&inv->packages[i]))
			inv->packages[n++] = inv->packages[i];
	}
	inv->n_packages = n;
}

static int write_report(const struct inventory *inv, int fd, struct word *word, struct err *err)
{
	const struct report report = {
		.tool_version = SONDE_VERSION,
		.detection = "strict",
		.host = &inv->host,
		.packages = inv->packages,
		.n_packages = inv->n_packages,
		.ledger = &inv->ledger,
		/* How long it took and how much was seen is left out: an inventory that is the same
		 * has the same hash. */
	};
	const struct report_style style = { 0 };
	const struct report_format *json = report_format_find(STR("json"));
	autobuf text = BUF(WALKER_BYTES_MAX);
	int r = json ? json->write(&report, &style, &text, err) : -ERR_UNSUPPORTED;
	if (r == 0 && buf_failed(&text))
		r = err_set(err, -ERR_LIMIT, "the inventory is larger than the service takes");
	if (r < 0)
		return r;
	hash_sha256_hex(buf_str(&text), word->sha256);
	word->bytes = text.n;
	word->n_packages = inv->n_packages;
	word->n_failures = inv->ledger.n_failures;
	return pack(buf_str(&text), fd, &word->packed_bytes, err);
}

static int walk(const struct walker_options *options, int packed, int rows, struct word *word,
        struct err *err)
{
	const char *const readable[] = { options->root, "/proc", NULL };
	const struct sandbox_grant grant = { .file_bytes = WALKER_BYTES_MAX, .readable = readable };
	struct pace *pace = NULL;
	struct collect_options collect = {
		.root = options->root,
		.more_paths = options->more_paths,
		.n_more_paths = options->n_more_paths,
		.n_threads = 1,
		.n_parsers = 1,
		.timeout_ms = options->timeout_s * 1000,
	};
	struct inventory inv = { 0 };
	/* The timers of the limit are made while that is allowed. */
	int r = pace_begin(options->cpu_pct, &pace, err);
	collect.pace = pace;
	if (r == 0)
		r = sandbox_enter_with(ROLE_WALKER, &grant, err);
	if (r == 0)
		r = collect_run(&collect, &inv, err);
	if (r == 0 && !options->has_languages)
		keep_os(&inv);
	if (r == 0)
		r = write_report(&inv, packed, word, err);
	if (r == 0)
		r = write_rows(&inv, rows, &word->rows_bytes, err);
	inventory_fini(&inv);
	pace_end(pace);
	return r;
}

static void be_walker(const struct walker_options *options, struct service *service, int packed,
        int rows, int pipe_fd)
{
	struct word word = { 0 };
	struct err err = { 0 };
	sigset_t none;
	/* Neither the state folder nor the way to the network that the job has. */
	const int keep[] = { STDERR_FILENO, packed, rows, pipe_fd };
	if (service)
		service_forget(service);
	fs_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	word.r = walk(options, packed, rows, &word, &err);
	memcpy(word.text, err.text, sizeof(word.text) - 1);
	ssize_t n = write(pipe_fd, &word, sizeof(word));
	_exit(n == (ssize_t)sizeof(word) ? 0 : 1);
}

/* ---- outside ---- */

/* Wait for the one message. Returns: 0; -ECANCELED; -EIO */
static int await(int fd, pid_t pid, bool (*is_cancelled)(void *), void *ctx, struct word *ret)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t n = 0;
	int r = 0, status;
	while (r == 0) {
		int ready = poll(&poll_fd, 1, CHECK_MS);
		if (ready > 0)
			break;
		if (is_cancelled && is_cancelled(ctx))
			r = -ECANCELED;
	}
	if (r == 0)
		n = read(fd, ret, sizeof(*ret));
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return r < 0 ? r : n == (ssize_t)sizeof(*ret) ? 0 : -EIO;
}

/* What the walker says is checked like a stranger's. */
static bool is_sound(const struct word *word, int packed, int rows)
{
	struct stat a, b;
	return fstat(packed, &a) == 0 && fstat(rows, &b) == 0 &&
	       (uint64_t)a.st_size == word->packed_bytes &&
	       (uint64_t)b.st_size == word->rows_bytes && word->packed_bytes <= WALKER_PACKED_MAX &&
	       word->bytes <= WALKER_BYTES_MAX && word->rows_bytes <= WALKER_ROWS_BYTES &&
	       memchr(word->sha256, '\0', sizeof(word->sha256)) == word->sha256 + 64;
}

static int take(
        struct word *word, struct walker_result *made, struct walker_result *ret, struct err *err)
{
	word->text[sizeof(word->text) - 1] = '\0';
	if (word->r < 0)
		return err_set(err, word->r, "%s", word->text);
	if (!is_sound(word, made->packed, made->rows))
		return err_set(err, -EIO, "the walker's word does not fit what it left");
	made->packed_bytes = word->packed_bytes;
	made->bytes = word->bytes;
	made->rows_bytes = word->rows_bytes;
	made->n_packages = word->n_packages;
	made->n_failures = word->n_failures;
	memcpy(made->sha256, word->sha256, sizeof(made->sha256));
	*ret = *made;
	made->packed = made->rows = -1;
	return 0;
}

int walker_run(const struct walker_options *options, struct service *service,
        bool (*is_cancelled)(void *ctx), void *ctx, struct walker_result *ret, struct err *err)
{
	cleanup(walker_result_fini) struct walker_result made = {
		.packed = memfd_create("inventory", MFD_CLOEXEC),
		.rows = memfd_create("applications", MFD_CLOEXEC),
	};
	struct word word = { 0 };
	int ends[2];
	if (made.packed < 0 || made.rows < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe or memory for the walker: %m");
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		be_walker(options, service, made.packed, made.rows, ends[1]);
	}
	int saved = errno;
	(void)close(ends[1]);
	autoclose int from = ends[0];
	if (pid < 0)
		return err_set(err, -saved, "cannot start the walker: %s", strerror(saved));
	int r = await(from, pid, is_cancelled, ctx, &word);
	if (r == -EIO)
		return err_set(err, r, "the walker died");
	return r < 0 ? err_set(err, r, "the inventory was cancelled")
	             : take(&word, &made, ret, err);
}

void walker_result_fini(struct walker_result *result)
{
	if (result->packed >= 0)
		(void)close(result->packed);
	if (result->rows >= 0)
		(void)close(result->rows);
	result->packed = result->rows = -1;
}
