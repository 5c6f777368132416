/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/package.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/codec.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define KEYS_FILE_MAX 65536u
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

/* SubjectPublicKeyInfo of an Ed25519 key, RFC 8410: this, and then its 32 bytes. */
static const unsigned char key_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
	0x03, 0x21, 0x00 };

bool package_is_word(str s)
{
	if (s.n == 0 || s.n > PACKAGE_WORD_MAX || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
			return false;
	}
	return true;
}

/* ---- keys ---- */

/* Read one key of the file, which begins at its first line. */
static int read_key(str *text, char ret[PACKAGE_KEY_BYTES])
{
	autobuf base64 = BUF(1024), der = BUF(1024);
	str line;
	if (!str_next_line(text, &line) || !str_eq(str_trim(line), STR(PEM_BEGIN)))
		return -ERR_FORMAT;
	while (str_next_line(text, &line) && !str_eq(str_trim(line), STR(PEM_END)))
		buf_add(&base64, str_trim(line));
	if (!str_eq(str_trim(line), STR(PEM_END)) || buf_failed(&base64) ||
	        base64_decode(buf_str(&base64), &der) < 0 ||
	        der.n != sizeof(key_head) + PACKAGE_KEY_BYTES ||
	        memcmp(der.p, key_head, sizeof(key_head)) != 0)
		return -ERR_FORMAT;
	memcpy(ret, der.p + sizeof(key_head), PACKAGE_KEY_BYTES);
	return 0;
}

/* Whoever can write this file can run anything here. */
static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %m", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
		return err_set(err, -EPERM,
		        "%s: others than root can write it, so its keys are not trusted", path);
	return 0;
}

int package_keys_read(const char *path, struct package_keys *ret, struct err *err)
{
	autobuf bytes = BUF(KEYS_FILE_MAX);
	struct package_keys keys = { .n = 0 };
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "%s: %m", path);
	int r = check_file(fd, path, err);
	if (r == 0)
		r = fs_read_fd(fd, path, &bytes, err);
	if (r < 0)
		return r;
	for (str text = str_trim(buf_str(&bytes)); text.n > 0; text = str_trim(text)) {
		if (keys.n == PACKAGE_KEYS_MAX)
			return err_set(
			        err, -ERR_LIMIT, "%s: more than %d keys", path, PACKAGE_KEYS_MAX);
		if (read_key(&text, keys.keys[keys.n]) < 0)
			return err_set(err, -ERR_FORMAT,
			        "%s: key %zu is no Ed25519 public key in PEM", path, keys.n + 1);
		keys.n++;
	}
	if (keys.n == 0)
		return err_set(err, -ERR_FORMAT, "%s: no keys", path);
	*ret = keys;
	return 0;
}

/* ---- manifests ---- */

/* The member of one of those names, in their order. */
static const struct value *first_of(const struct value *v, const str *names, size_t n)
{
	const struct value *found = NULL;
	for (size_t i = 0; !found && i < n; i++)
		found = names[i].n > 0 ? value_get(v, names[i]) : NULL;
	return found;
}

/* Distributor's words for what os-release calls otherwise. */
static str platform_word(str os_id)
{
	static const struct {
		const char *id, *word;
	} words[] = { { "amzn", "amazon" }, { "rhel", "redhat" }, { "sles", "suse" },
		{ "ol", "oracle" } };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (str_eq(os_id, str_from_c(words[i].id)))
			return str_from_c(words[i].word);
	}
	return (str){ NULL, 0 };
}

/* And for what the kernel calls otherwise. */
static str arch_word(str arch)
{
	if (str_eq(arch, STR("aarch64")))
		return STR("arm64");
	return str_eq(arch, STR("x86_64")) ? STR("amd64") : (str){ NULL, 0 };
}

static str find_file(const struct value *packages, const struct host *host)
{
	str major = host->os_version, rest;
	(void)str_split_first(host->os_version, '.', &major, &rest);
	const str platforms[] = { host->os_id, platform_word(host->os_id), STR("_any") };
	const str versions[] = { host->os_version, major, STR("_any") };
	const str archs[] = { host->arch, arch_word(host->arch), STR("_any") };
	const struct value *v = first_of(packages, platforms, 3);
	v = first_of(v, versions, 3);
	return value_get_str(first_of(v, archs, 3), STR("file"));
}

static bool is_digest(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'f'))
			return false;
	}
	return s.n == SHA256_HEX_SIZE - 1;
}

static int check_name(const struct value *manifest, str name, str version, struct err *err)
{
	str own = value_get_str(manifest, STR("version"));
	if (!str_eq(value_get_str(manifest, STR("schemaVersion")), STR("2.0")))
		return err_set(err, -ERR_FORMAT, "the manifest is not of schema 2.0");
	if (!str_eq(value_get_str(manifest, STR("name")), name))
		return err_set(err, -ERR_FORMAT, "the manifest is of another package");
	if (!package_is_word(own) || (version.n > 0 && !str_eq(version, own)))
		return err_set(err, -ERR_FORMAT, "the manifest is of another version");
	return 0;
}

int package_choose(const struct value *manifest, const struct host *host, str name, str version,
        struct package_choice *ret, struct err *err)
{
	int r = check_name(manifest, name, version, err);
	if (r < 0)
		return r;
	str file = find_file(value_get(manifest, STR("packages")), host);
	if (file.n == 0)
		return err_set(err, -ERR_UNSUPPORTED,
		        "the package has nothing for " STR_FMT " " STR_FMT " on " STR_FMT,
		        STR_ARG(str_head(host->os_id, 32)), STR_ARG(str_head(host->os_version, 32)),
		        STR_ARG(str_head(host->arch, 32)));
	const struct value *about = value_get(value_get(manifest, STR("files")), file);
	str digest = value_get_str(value_get(about, STR("checksums")), STR("sha256"));
	int64_t bytes = value_get_i64(about, STR("size"), 0);
	if (!package_is_word(file) || !is_digest(digest) || bytes <= 0)
		return err_set(err, -ERR_FORMAT,
		        "the manifest does not say how large its file is, or its SHA-256");
	if ((uint64_t)bytes > PACKAGE_ARCHIVE_MAX)
		return err_set(err, -ERR_LIMIT, "the package is larger than 512 MiB");
	struct package_choice choice = { .version = value_get_str(manifest, STR("version")),
		.file = file,
		.bytes = (uint64_t)bytes };
	memcpy(choice.sha256, digest.p, digest.n);
	*ret = choice;
	return 0;
}
