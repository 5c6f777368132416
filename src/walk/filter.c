/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/filter.h"

/*
 * Each engine's default storage. Rows that start with a star are for storage that is moved or lies
 * in a home: they end in folder names that nothing else uses. Sources: the engines' manuals for
 * "data-root", "root", "graphroot", "lxcpath" and the like.
 */
static const struct storage storages[] = {
	{ "/var/lib/docker" },
	{ "/var/lib/containers/storage" },
	{ "/var/lib/containerd" },
	{ "/var/lib/kubelet" },
	{ "/var/lib/rancher/k3s/agent" },
	{ "/var/lib/rancher/rke2/agent" },
	{ "/var/lib/k0s/containerd" },
	{ "/var/lib/k0s/kubelet" },
	{ "/var/lib/crio" },
	{ "/var/lib/buildkit" },
	{ "/var/lib/lxc" },
	{ "/var/lib/lxd" },
	{ "/var/lib/incus" },
	{ "/var/lib/machines" },
	{ "/var/snap/docker/common" },
	{ "/var/snap/lxd/common" },
	{ "/var/snap/microk8s/common/var/lib" },
	{ "/run/containerd" },
	{ "/run/containers" },
	{ "/run/docker" },
	{ "/run/k3s" },
	{ "*/.local/share/containers/storage" },
	{ "*/.local/share/containerd" },
	{ "*/.local/share/docker" },
	{ "*/.local/share/buildkit" },
	{ "*/.local/share/lxc" },
	{ "*/docker/overlay2" },
	{ "*/containers/storage/overlay" },
	{ "*/io.containerd.snapshotter.v1.overlayfs" },
	{ "*/io.containerd.snapshotter.v1.native" },
};

static const size_t n_storages = sizeof(storages) / sizeof(storages[0]);

/* Match "[...]" at the front of *pattern against c and step over it. An unclosed '[' is a plain
 * one. */
static bool match_class(str *pattern, char c)
{
	unsigned char byte = (unsigned char)c;
	size_t i = 1;
	bool negate = i < pattern->n && (pattern->p[i] == '!' || pattern->p[i] == '^');
	bool found = false;
	if (negate)
		i++;
	for (size_t first = i; i < pattern->n && (pattern->p[i] != ']' || i == first); i++) {
		if (pattern->p[i] == '\\' && i + 1 < pattern->n)
			i++;
		unsigned char low = (unsigned char)pattern->p[i];
		unsigned char high = low;
		if (i + 2 < pattern->n && pattern->p[i + 1] == '-' && pattern->p[i + 2] != ']') {
			i += 2;
			if (pattern->p[i] == '\\' && i + 1 < pattern->n)
				i++;
			high = (unsigned char)pattern->p[i];
		}
		found = found || (low <= byte && byte <= high);
	}
	if (i >= pattern->n) {
		*pattern = str_skip(*pattern, 1);
		return c == '[';
	}
	*pattern = str_skip(*pattern, i + 1);
	return found != negate;
}

/* Match one element other than '*' and step over it. */
static bool match_one(str *pattern, char c)
{
	char p = pattern->p[0];
	if (p == '[')
		return match_class(pattern, c);
	if (p == '\\' && pattern->n > 1) {
		*pattern = str_skip(*pattern, 1);
		p = pattern->p[0];
	} else if (p == '?') {
		p = c;
	}
	*pattern = str_skip(*pattern, 1);
	return p == c;
}

bool filter_glob(str pattern, str text)
{
	/* Only the last star ever needs another try: an earlier one could take nothing that it
	 * cannot. */
	str star = { NULL, 0 }, from = { NULL, 0 };
	bool has_star = false;
	while (text.n > 0 || pattern.n > 0) {
		if (pattern.n > 0 && pattern.p[0] == '*') {
			pattern = star = str_skip(pattern, 1);
			from = text;
			has_star = true;
			continue;
		}
		if (pattern.n > 0 && text.n > 0 && match_one(&pattern, text.p[0])) {
			text = str_skip(text, 1);
			continue;
		}
		if (!has_star || from.n == 0)
			return false;
		pattern = star;
		text = from = str_skip(from, 1);
	}
	return true;
}

static bool is_wild(char c)
{
	return c == '*' || c == '?' || c == '[';
}

/* Is a path the folder itself or below it? */
static bool is_at_or_below(str path, str folder)
{
	return str_has_prefix(path, folder) && (path.n == folder.n || path.p[folder.n] == '/');
}

bool filter_excludes(const char *const *excludes, size_t n_excludes, str path)
{
	for (size_t i = 0; i < n_excludes; i++) {
		str pattern = str_from_c(excludes[i]);
		str rest = pattern;
		(void)str_take_until(&rest, is_wild);
		if (rest.n > 0) {
			if (filter_glob(pattern, path))
				return true;
			continue;
		}
		bool is_root = pattern.n > 0;
		while (pattern.n > 0 && pattern.p[pattern.n - 1] == '/')
			pattern.n--;
		if (pattern.n > 0 ? is_at_or_below(path, pattern) : is_root)
			return true;
	}
	return false;
}

const struct storage *filter_storage(str path)
{
	for (size_t i = 0; i < n_storages; i++) {
		const char *pattern = storages[i].pattern;
		if (pattern[0] == '*' ? str_has_suffix(path, str_from_c(pattern + 1))
		                      : str_eq(path, str_from_c(pattern)))
			return &storages[i];
	}
	return NULL;
}

bool filter_is_in_storage(str path)
{
	for (size_t n = 1; n <= path.n; n++) {
		if ((n == path.n || path.p[n] == '/') && filter_storage(str_head(path, n)))
			return true;
	}
	return false;
}

void filter_each_storage(void (*each)(void *ctx, str tail), void *ctx)
{
	for (size_t i = 0; i < n_storages; i++)
		each(ctx, str_from_c(storages[i].pattern));
}
