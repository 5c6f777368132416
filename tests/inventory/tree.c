/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A file in a folder; `bytes` in its place when it is not on disk. */
struct file {
	struct tree *tree;
	const struct reader *reader;
	int dir_fd, fd;
	str bytes;
	char path[4096];
};

static int64_t file_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct file *file = artefact->ctx;
	if (file->fd < 0) {
		str rest = str_head(str_skip(file->bytes, (size_t)offset), n);
		if (rest.n > 0)
			memcpy(to, rest.p, rest.n);
		return (int64_t)rest.n;
	}
	ssize_t r = pread(file->fd, to, n, (off_t)offset);
	return r < 0 ? -errno : r;
}

static void file_close(struct artefact *artefact)
{
	struct file *file = artefact->ctx;
	if (!file)
		return;
	if (file->fd >= 0)
		(void)close(file->fd);
	if (file->dir_fd >= 0)
		(void)close(file->dir_fd);
	free(file);
	artefact->ctx = NULL;
}

/* Opens `name` below dir_fd as the artefact `path`. */
static int file_open(const struct artefact_ops *ops, struct tree *tree, const struct reader *reader,
        int dir_fd, const char *name, str path, struct artefact *ret)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || path.n >= sizeof(((struct file *)0)->path))
		return -EINVAL;
	str base = str_dirname((str){ name, strlen(name) });
	char folder[512];
	(void)snprintf(folder, sizeof(folder), STR_FMT, STR_ARG(base.n ? base : STR(".")));
	autoclose int at = openat(dir_fd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct file *file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	*file = (struct file){ .tree = tree, .reader = reader, .dir_fd = at, .fd = fd };
	at = fd = -1;
	memcpy(file->path, path.p, path.n);
	*ret = (struct artefact){
		.path = { file->path, path.n },
		.size_bytes = (uint64_t)st.st_size,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.ops = ops,
		.ctx = file,
	};
	return 0;
}

static int file_sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	const struct file *file = artefact->ctx;
	char text[512], path[4608];
	if (!reader_may_see(file->reader, name))
		return -EPERM;
	if (file->dir_fd < 0 || name.n >= sizeof(text))
		return -ENOENT;
	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
	str dir = str_dirname(artefact->path);
	int n = snprintf(path, sizeof(path), STR_FMT "/%s", STR_ARG(dir), text);
	int r = file_open(artefact->ops, file->tree, file->reader, file->dir_fd, text,
	        (str){ path, (size_t)n }, ret);
	file->tree->n_siblings += r == 0;
	return r;
}

static const struct artefact_ops file_ops = {
	.read_at = file_read_at,
	.sibling = file_sibling,
	.close = file_close,
};

static void print_escaped(str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < ' ' || c >= 0x7f || c == '\\')
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_byte(out, (char)c);
	}
	if (s.n == 0)
		buf_add_byte(out, '-');
}

static str keep(struct arena *arena, str s)
{
	str copy = { "", 0 };
	if (s.n > 0 && arena_copy(arena, s, &copy) != 0)
		abort();
	return copy;
}

static int on_package(void *ctx, const struct package *pkg)
{
	struct tree *tree = ctx;
	if (tree->n_packages == tree->cap) {
		size_t cap = tree->cap ? tree->cap * 2 : 64;
		struct package *grown = arena_alloc(&tree->arena, cap, sizeof(*grown));
		if (!grown)
			return -ERR_LIMIT;
		if (tree->n_packages > 0)
			memcpy(grown, tree->packages, tree->n_packages * sizeof(*grown));
		tree->packages = grown;
		tree->cap = cap;
	}
	struct package *to = &tree->packages[tree->n_packages++];
	*to = *pkg;
	str *const strings[] = { &to->type, &to->name, &to->version, &to->arch, &to->source_name,
		&to->source_version, &to->module, &to->vendor, &to->licence, &to->path, &to->owner,
		&to->reader, &to->note };
	if (to->path.n == 0)
		to->path = tree->path;
	if (to->reader.n == 0)
		to->reader = tree->reader;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		*strings[i] = keep(&tree->arena, *strings[i]);
	return 0;
}

static void on_note(void *ctx, uint64_t where, const char *what)
{
	struct tree *tree = ctx;
	buf_add(&tree->notes, STR("note "));
	print_escaped(tree->path, &tree->notes);
	buf_printf(&tree->notes, ":%llu ", (unsigned long long)where);
	print_escaped(str_from_c(what), &tree->notes);
	buf_add_byte(&tree->notes, '\n');
}

static void on_skip(void *ctx, const char *why)
{
	struct tree *tree = ctx;
	buf_add(&tree->notes, STR("skip "));
	print_escaped(tree->path, &tree->notes);
	buf_add_byte(&tree->notes, ' ');
	print_escaped(str_from_c(why), &tree->notes);
	buf_add_byte(&tree->notes, '\n');
}

static int on_owned(void *ctx, str owner, str path)
{
	struct tree *tree = ctx;
	buf_add(&tree->owned, STR("owned "));
	print_escaped(owner, &tree->owned);
	buf_add_byte(&tree->owned, ' ');
	print_escaped(path, &tree->owned);
	buf_add_byte(&tree->owned, '\n');
	return 0;
}

static const char *class_name(int r)
{
	switch (-r) {
	case ERR_FORMAT: return "format";
	case ERR_LIMIT: return "limit";
	case ERR_UNSUPPORTED: return "unsupported";
	default: return strerrorname_np(-r);
	}
}

static int read_artefact(
        struct tree *tree, const struct artefact *artefact, const struct reader *reader)
{
	struct sink sink = { .package = on_package,
		.note = on_note,
		.skip = on_skip,
		.owned = on_owned,
		.ctx = tree };
	struct arena job = ARENA((size_t)512 << 20);
	struct err err = { 0 };

	tree->n_artefacts++;
	tree->path = keep(&tree->arena, artefact->path);
	tree->reader = str_from_c(reader->name);
	int r = artefact->size_bytes > reader->max_bytes
	                ? err_set(&err, -ERR_LIMIT, "larger than this reader reads")
	                : reader->read(artefact, &job, &sink, &err);
	if (r < 0) {
		buf_printf(&tree->errors, "error %s ", class_name(r));
		print_escaped(tree->path, &tree->errors);
		buf_add(&tree->errors, STR(": "));
		print_escaped(str_from_c(err.text), &tree->errors);
		buf_add_byte(&tree->errors, '\n');
	}
	arena_fini(&job);
	return r;
}

int tree_read(struct tree *tree, const char *root, const char *path, const struct reader *reader)
{
	autoclose int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct artefact artefact;
	int r = root_fd < 0 ? -errno
	                    : file_open(&file_ops, tree, reader, root_fd, path + 1,
	                              str_from_c(path), &artefact);
	if (r != 0)
		return r;
	(void)read_artefact(tree, &artefact, reader);
	file_close(&artefact);
	return 0;
}

int tree_read_bytes(struct tree *tree, const char *path, str bytes, const struct reader *reader)
{
	struct file file = {
		.tree = tree, .reader = reader, .dir_fd = -1, .fd = -1, .bytes = bytes
	};
	struct artefact artefact = {
		.path = str_from_c(path),
		.size_bytes = bytes.n,
		.ops = &file_ops,
		.ctx = &file,
	};
	return read_artefact(tree, &artefact, reader);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int scan_folder(struct tree *tree, const char *root, const char *reader, const char *dir)
{
	char full[8192], path[4096];
	struct dirent **names;
	size_t count;
	const struct reader *const *all = reader_all(&count);
	(void)snprintf(full, sizeof(full), "%s%s", root, dir);
	int n = scandir(full, &names, NULL, by_name);
	int r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		struct stat st;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
		(void)snprintf(full, sizeof(full), "%s%s", root, path);
		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		        lstat(full, &st) == 0) {
			int tag = inventory_select(str_from_c(dir), str_from_c(name));
			if (S_ISDIR(st.st_mode))
				r = scan_folder(tree, root, reader, path);
			else if (S_ISREG(st.st_mode) && tag >= 0 && (size_t)tag < count &&
			         (!reader || strcmp(all[tag]->name, reader) == 0))
				r = tree_read(tree, root, path, all[tag]);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return r;
}

int tree_scan(struct tree *tree, const char *root, const char *reader, const char *below)
{
	return scan_folder(tree, root, reader, below ? below : "");
}

static const char *confidence_word(enum confidence confidence)
{
	switch (confidence) {
	case CONFIDENCE_HIGH: return "high";
	case CONFIDENCE_MEDIUM: return "medium";
	case CONFIDENCE_LOW: return "low";
	}
	return "?";
}

void tree_print_package(const struct package *pkg, struct buf *out)
{
	const str fields[] = { pkg->type, pkg->name, pkg->version, pkg->arch, pkg->source_name,
		pkg->source_version, pkg->module, pkg->path,
		str_from_c(confidence_word(pkg->confidence)) };
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (i > 0)
			buf_add_byte(out, '\t');
		print_escaped(fields[i], out);
	}
	if (pkg->note.n > 0) {
		buf_add_byte(out, '\t');
		print_escaped(pkg->note, out);
	}
	buf_add_byte(out, '\n');
}

void tree_print(const struct tree *tree, struct buf *out)
{
	for (size_t i = 0; i < tree->n_packages; i++)
		tree_print_package(&tree->packages[i], out);
	buf_add(out, buf_str(&tree->owned));
	buf_add(out, buf_str(&tree->notes));
	buf_add(out, buf_str(&tree->errors));
}

void tree_fini(struct tree *tree)
{
	arena_fini(&tree->arena);
	buf_fini(&tree->owned);
	buf_fini(&tree->notes);
	buf_fini(&tree->errors);
	tree->packages = NULL;
	tree->n_packages = tree->cap = 0;
}
