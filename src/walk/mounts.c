/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/mounts.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

#include "walk/filter.h"

static const char pseudo[] = "kernel filesystem: not entered";
static const char network[] = "network filesystem: not entered unless named";
static const char fuse[] = "FUSE filesystem: not entered unless named";
static const char runtime[] = "memory filesystem of the running system: not entered unless named";
static const char container[] = "container root filesystem: scan it with --root";

/*
 * Filesystems that are not entered. What is not here is: new disk filesystems must not be lost.
 * Numbers are those of statfs(2) and linux/magic.h; 0 where none is known.
 */
static const struct {
	const char *type;
	uint32_t magic;
	const char *why;
} types[] = {
	{ "autofs", 0x0187, network },
	{ "binder", 0x6c6f6f70, pseudo },
	{ "binfmt_misc", 0x42494e4d, pseudo },
	{ "bpf", 0xcafe4a11, pseudo },
	{ "cgroup", 0x27e0eb, pseudo },
	{ "cgroup2", 0x63677270, pseudo },
	{ "configfs", 0x62656570, pseudo },
	{ "cpuset", 0x27e0eb, pseudo },
	{ "debugfs", 0x64626720, pseudo },
	{ "devfs", 0x1373, pseudo },
	{ "devpts", 0x1cd1, pseudo },
	{ "devtmpfs", 0, pseudo },
	{ "efivarfs", 0xde5e81e4, pseudo },
	{ "functionfs", 0xa647361, pseudo },
	{ "fusectl", 0x65735543, pseudo },
	{ "hugetlbfs", 0x958458f6, pseudo },
	{ "mqueue", 0x19800202, pseudo },
	{ "nfsd", 0x6e667364, pseudo },
	{ "nsfs", 0x6e736673, pseudo },
	{ "proc", 0x9fa0, pseudo },
	{ "pstore", 0x6165676c, pseudo },
	{ "resctrl", 0x7655821, pseudo },
	{ "rpc_pipefs", 0x67596969, pseudo },
	{ "securityfs", 0x73636673, pseudo },
	{ "selinuxfs", 0xf97cff8c, pseudo },
	{ "smackfs", 0x43415d53, pseudo },
	{ "sysfs", 0x62656572, pseudo },
	{ "tracefs", 0x74726163, pseudo },
	{ "usbfs", 0x9fa2, pseudo },
	{ "xenfs", 0xabba1974, pseudo },
	{ "9p", 0x01021997, network },
	{ "acfs", 0x61636673, network },
	{ "afs", 0x5346414f, network },
	{ "beegfs", 0x19830326, network },
	{ "ceph", 0x00c36400, network },
	{ "cifs", 0xff534d42, network },
	{ "coda", 0x73757245, network },
	{ "davfs", 0, network },
	{ "gfs2", 0x01161970, network },
	{ "glusterfs", 0, network },
	{ "gpfs", 0x47504653, network },
	{ "kafs", 0x6b414653, network },
	{ "lustre", 0x0bd00bd0, network },
	{ "ncpfs", 0x564c, network },
	{ "nfs", 0x6969, network },
	{ "nfs4", 0x6969, network },
	{ "ocfs2", 0x7461636f, network },
	{ "orangefs", 0x20030528, network },
	{ "prl_fs", 0x7c7c6673, network },
	{ "pvfs2", 0x20030528, network },
	{ "smb3", 0xfe534d42, network },
	{ "smbfs", 0x517b, network },
	{ "vboxsf", 0x786f4256, network },
	{ "virtiofs", 0x6a656a63, network },
	{ "vmhgfs", 0xbacbacbc, network },
	{ "fuse", 0x65735546, fuse },
	{ "fuseblk", 0x65735546, fuse },
};

static const size_t n_types = sizeof(types) / sizeof(types[0]);

#define MAGIC_TMPFS 0x01021994u
#define MAGIC_RAMFS 0x858458f6u
#define MAGIC_OVERLAY 0x794c7630u

bool mounts_is_below(str path, str folder)
{
	return str_has_prefix(path, folder) && (path.n == folder.n || path.p[folder.n] == '/');
}

/* A memory filesystem holds what was put there, as a disk does, except where the running system
 * keeps its state. */
static const char *why_not_memory(str path)
{
	static const char *const places[] = { "/run", "/dev", "/sys", "/var/run", "/var/lock" };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (mounts_is_below(path, str_from_c(places[i])))
			return runtime;
	}
	return NULL;
}

/* The layers of an overlay say whose it is: "lowerdir=/a:/b,upperdir=/c". */
static bool has_storage_layer(str options)
{
	str option, path;
	while (options.n > 0) {
		if (!str_split_first(options, ',', &option, &options)) {
			option = options;
			options = (str){ NULL, 0 };
		}
		if (!str_has_prefix(option, STR("lowerdir")) &&
		        !str_has_prefix(option, STR("upperdir")))
			continue;
		str key, paths;
		if (!str_split_first(option, '=', &key, &paths))
			continue;
		while (paths.n > 0) {
			if (!str_split_first(paths, ':', &path, &paths)) {
				path = paths;
				paths = (str){ NULL, 0 };
			}
			if (filter_is_in_storage(path))
				return true;
		}
	}
	return false;
}

const char *mounts_why_not(str type, str path, str options)
{
	if (str_has_prefix(type, STR("fuse.")))
		return fuse;
	if (str_eq(type, STR("tmpfs")) || str_eq(type, STR("ramfs")))
		return why_not_memory(path);
	if (str_eq(type, STR("overlay")) || str_eq(type, STR("aufs"))) {
		bool is_container = has_storage_layer(options) || filter_is_in_storage(path) ||
		                    str_has_suffix(path, STR("/merged")) ||
		                    str_has_suffix(path, STR("/rootfs"));
		return is_container ? container : NULL;
	}
	for (size_t i = 0; i < n_types; i++) {
		if (str_eq(type, str_from_c(types[i].type)))
			return types[i].why;
	}
	return NULL;
}

const char *mounts_why_not_magic(uint64_t magic, str path)
{
	magic &= UINT32_MAX; /* f_type is signed on some architectures */
	if (magic == MAGIC_TMPFS || magic == MAGIC_RAMFS)
		return why_not_memory(path);
	if (magic == MAGIC_OVERLAY)
		return mounts_why_not(STR("overlay"), path, (str){ NULL, 0 });
	for (size_t i = 0; i < n_types; i++) {
		if (types[i].magic != 0 && types[i].magic == magic)
			return types[i].why;
	}
	return NULL;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Undo the table's escapes: space, tab, line end, '\' and '#' are '\' and three octal digits. */
static int unescape(str field, struct arena *arena, str *ret)
{
	char *out = arena_alloc(arena, field.n + 1, 1);
	if (!out)
		return -ERR_LIMIT;
	size_t n = 0;
	for (size_t i = 0; i < field.n; i++) {
		str at = str_skip(field, i);
		if (at.n >= 4 && at.p[0] == '\\' && at.p[1] <= '3' && is_octal(at.p[1]) &&
		        is_octal(at.p[2]) && is_octal(at.p[3])) {
			out[n++] = (char)(unsigned char)((at.p[1] - '0') << 6 |
			                                 (at.p[2] - '0') << 3 | (at.p[3] - '0'));
			i += 3;
		} else {
			out[n++] = field.p[i];
		}
	}
	*ret = (str){ out, n };
	return 0;
}

static str next_field(str *line)
{
	str field;
	if (!str_split_first(*line, ' ', &field, line)) {
		field = *line;
		*line = (str){ NULL, 0 };
	}
	return field;
}

static bool to_dev(str field, uint64_t *ret)
{
	str major, minor;
	uint64_t a, b;
	if (!str_split_first(field, ':', &major, &minor) || !str_to_u64(major, UINT32_MAX, &a) ||
	        !str_to_u64(minor, UINT32_MAX, &b))
		return false;
	*ret = makedev((unsigned)a, (unsigned)b);
	return true;
}

/* Read one line. Returns 1 when it is one, 0 when it is damaged. */
static int parse_line(str line, struct arena *arena, struct mount *ret)
{
	struct mount m = { 0 };
	if (!str_to_u64(next_field(&line), UINT64_MAX, &m.id) ||
	        !str_to_u64(next_field(&line), UINT64_MAX, &m.parent) ||
	        !to_dev(next_field(&line), &m.dev))
		return 0;
	str root = next_field(&line);
	str path = next_field(&line);
	(void)next_field(&line); /* options of the mount */
	while (line.n > 0 && !str_eq(next_field(&line), STR("-")))
		;
	str type = next_field(&line);
	(void)next_field(&line); /* what is mounted */
	if (path.n == 0 || path.p[0] != '/' || type.n == 0)
		return 0;
	if (unescape(root, arena, &m.root) < 0 || unescape(path, arena, &m.path) < 0 ||
	        unescape(type, arena, &m.type) < 0 || unescape(line, arena, &m.options) < 0)
		return -ERR_LIMIT;
	if (str_eq(m.path, STR("/")))
		m.path.n = 0;
	if (str_eq(m.root, STR("/")))
		m.root.n = 0;
	*ret = m;
	return 1;
}

/* Children of one mount stand together, the shortest path first, as a lookup meets them. */
static int compare_mounts(const void *a, const void *b)
{
	const struct mount *x = a, *y = b;
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->path.n != y->path.n)
		return x->path.n < y->path.n ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The first child of a mount, or where it would stand. */
static size_t first_child(const struct mounts *mounts, uint64_t id)
{
	size_t low = 1, high = mounts->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (mounts->mounts[middle].parent < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t mounts_find(const struct mounts *mounts, str path)
{
	size_t at = 0;
	for (size_t steps = 0; steps < mounts->n; steps++) {
		uint64_t id = mounts->mounts[at].id;
		size_t i = first_child(mounts, id);
		while (i < mounts->n && mounts->mounts[i].parent == id &&
		        !mounts_is_below(path, mounts->mounts[i].path))
			i++;
		if (i == mounts->n || mounts->mounts[i].parent != id || i == at)
			return at;
		at = i;
	}
	return mounts->n > 0 ? at : MOUNTS_NONE;
}

/*
 * Order the table for mounts_find(). A mount whose parent is not listed, as in a chroot, hangs
 * below an unlisted top, which comes first.
 */
static int order(struct mounts *mounts, struct arena *arena)
{
	uint64_t *ids = arena_alloc(arena, mounts->n, sizeof(*ids));
	if (!ids)
		return -ERR_LIMIT;
	for (size_t i = 1; i < mounts->n; i++)
		ids[i - 1] = mounts->mounts[i].id;
	qsort(ids, mounts->n - 1, sizeof(*ids), compare_ids);
	for (size_t i = 1; i < mounts->n; i++) {
		struct mount *m = &mounts->mounts[i];
		bool is_listed = bsearch(&m->parent, ids, mounts->n - 1, sizeof(*ids), compare_ids);
		if (!is_listed || m->parent == m->id)
			m->parent = mounts->mounts[0].id;
	}
	qsort(mounts->mounts + 1, mounts->n - 1, sizeof(*mounts->mounts), compare_mounts);
	return 0;
}

/* The part of a path below a folder it lies in: "" or "/a/b". */
static str below(str path, str folder)
{
	return (str){ path.p + folder.n, path.n - folder.n };
}

/* Keep the mount in which `root` lies, as the top, and those visible below it; paths become
 * relative to it. */
static int rebase(const struct mounts *all, str root, struct arena *arena, struct mounts *ret)
{
	size_t base = mounts_find(all, root);
	struct mounts kept = { arena_alloc(arena, all->n, sizeof(struct mount)), 1 };
	if (!kept.mounts)
		return -ERR_LIMIT;

	struct mount *top = &kept.mounts[0];
	*top = all->mounts[base];
	str inner = below(root, top->path);
	if (arena_printf(arena, &top->root, STR_FMT STR_FMT, STR_ARG(top->root), STR_ARG(inner)) <
	        0)
		return -ERR_LIMIT;
	top->path = (str){ "", 0 };
	top->parent = top->id;

	for (size_t i = 1; i < all->n; i++) {
		struct mount m = all->mounts[i];
		if (i == base || m.path.n <= root.n || !mounts_is_below(m.path, root) ||
		        mounts_find(all, m.path) != i)
			continue;
		m.path = below(m.path, root);
		m.why = mounts_why_not(m.type, m.path, m.options);
		kept.mounts[kept.n++] = m;
	}
	int r = order(&kept, arena);
	if (r >= 0)
		*ret = kept;
	return r;
}

int mounts_parse(str text, str root, struct arena *arena, struct mounts *ret)
{
	size_t n_lines = 2;
	for (size_t i = 0; i < text.n; i++)
		n_lines += text.p[i] == '\n';
	if (n_lines > MOUNTS_MAX)
		n_lines = MOUNTS_MAX;

	struct mounts all = { arena_alloc(arena, n_lines, sizeof(struct mount)), 1 };
	if (!all.mounts)
		return -ERR_LIMIT;
	all.mounts[0] = (struct mount){ .id = UINT64_MAX,
		.parent = UINT64_MAX,
		.dev = UINT64_MAX,
		.root = STR(""),
		.path = STR(""),
		.type = STR("?") };
	str line;
	while (all.n < n_lines && str_next_line(&text, &line)) {
		struct mount m;
		int r = parse_line(line, arena, &m);
		if (r < 0)
			return r;
		m.order = all.n;
		if (r > 0)
			all.mounts[all.n++] = m;
	}
	if (str_eq(root, STR("/")))
		root.n = 0;
	int r = order(&all, arena);
	return r < 0 ? r : rebase(&all, root, arena, ret);
}
