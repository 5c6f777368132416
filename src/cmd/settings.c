/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/settings.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* Settings of one run are small: arguments, an environment, a file. */
#define SETTINGS_BYTES ((size_t)16 << 20)

/* Largest configuration file. */
#define CONFIG_BYTES ((size_t)1 << 20)

const struct setting setting_rows[SET_COUNT] = {
#define SETTING(id, key, letter, kind, argument, range, standard, commands, sentence)              \
	[SET_##id] = { key, letter, KIND_##kind, argument, range, standard, commands, sentence },
#include SETTINGS_DEF
#undef SETTING
};

const struct command command_rows[COMMAND_COUNT] = {
#define COMMAND(id, word, arguments, sentence, text)                                               \
	[COMMAND_##id] = { word, arguments, sentence, text },
#include COMMANDS_DEF
#undef COMMAND
};

static enum setting_id find_key(str key)
{
	size_t i = 0;
	while (i < SET_COUNT && !str_eq(str_from_c(setting_rows[i].key), key))
		i++;
	return (enum setting_id)i;
}

static enum setting_id find_letter(char letter)
{
	size_t i = 0;
	while (i < SET_COUNT &&
	        (setting_rows[i].letter == '\0' || setting_rows[i].letter != letter))
		i++;
	return (enum setting_id)i;
}

static bool is_choice(str choices, str word)
{
	str choice;
	while (str_split_first(choices, '|', &choice, &choices)) {
		if (str_eq_nocase(choice, word))
			return true;
	}
	return str_eq_nocase(choices, word);
}

/* Words are kept in lower case, however they are given: reports print HIGH. */
static void lower(str copy)
{
	char *p = (char *)(uintptr_t)copy.p;
	for (size_t i = 0; i < copy.n; i++)
		p[i] = to_lower(p[i]);
}

static bool is_number_in(str range, str text)
{
	str low, high;
	uint64_t min, max, v;
	return str_split_first(range, '-', &low, &high) && str_to_u64(low, UINT64_MAX, &min) &&
	       str_to_u64(high, UINT64_MAX, &max) && str_to_u64(text, max, &v) && v >= min;
}

/* "64M": bytes, in units of 1024. */
static bool read_size(str text, uint64_t *ret)
{
	static const char units[] = "KMG";
	unsigned shift = 0;
	uint64_t n;
	for (unsigned i = 0; i < 3 && text.n > 0 && shift == 0; i++) {
		if (to_lower(text.p[text.n - 1]) == to_lower(units[i]))
			shift = 10 * (i + 1);
	}
	if (shift > 0)
		text.n--;
	if (!str_to_u64(text, UINT64_MAX >> shift, &n))
		return false;
	*ret = n << shift;
	return true;
}

static bool is_size_in(str range, str text)
{
	str low, high;
	uint64_t min, max, v;
	return read_size(text, &v) && str_split_first(range, '-', &low, &high) &&
	       read_size(low, &min) && read_size(high, &max) && (v == 0 || (v >= min && v <= max));
}

/* Is the text a value of that setting? The sentence names where it was given. */
static int check(const struct setting *row, const char *origin, const char *text, struct err *err)
{
	str value = str_from_c(text), range = str_from_c(row->range);
	switch (row->kind) {
	case KIND_WORD:
		if (value.n == 0 && row->standard[0] == '\0')
			return 0;
		if (!is_choice(range, value))
			return err_set(
			        err, -EINVAL, "%s: '%s' is none of %s", origin, text, row->range);
		return 0;
	case KIND_NUMBER:
		if (!is_number_in(range, value))
			return err_set(err, -EINVAL, "%s: '%s' is no whole number in %s", origin,
			        text, row->range);
		return 0;
	case KIND_SIZE:
		if (!is_size_in(range, value))
			return err_set(err, -EINVAL, "%s: '%s' is neither 0 nor a size in %s",
			        origin, text, row->range);
		return 0;
	case KIND_OPTIONAL:
		if (!str_eq(value, STR("any")) && !is_number_in(range, value))
			return err_set(err, -EINVAL, "%s: '%s' is no whole number in %s", origin,
			        text, row->range);
		return 0;
	case KIND_FLAG:
		if (!is_choice(STR("yes|no|true|false|1|0"), value))
			return err_set(
			        err, -EINVAL, "%s: '%s' is neither yes nor no", origin, text);
		return 0;
	case KIND_LATER:
		if (!str_eq(value, range))
			return err_set(
			        err, -EINVAL, "%s: comes with a later version of sonde", origin);
		return 0;
	case KIND_TEXT:
	case KIND_LIST:
	default: return 0;
	}
}

/* A later layer replaces what an earlier one said; within a layer a LIST grows. */
static int set(struct settings *s, enum setting_id id, const char *origin, bool append,
        const char *text, struct err *err)
{
	struct setting_value *value = &s->values[id];
	int r = check(&setting_rows[id], origin, text, err);
	if (r < 0)
		return r;
	size_t n = append ? value->n : 0;
	const char **items = arena_alloc(&s->arena, n + 1, sizeof(*items));
	const char *name = NULL;
	str copy;
	if (items && arena_copy(&s->arena, str_from_c(origin), &copy) >= 0)
		name = copy.p;
	if (!items || !name || arena_copy(&s->arena, str_from_c(text), &copy) < 0)
		return err_set(err, -ENOMEM, "%s: too much configuration", origin);
	if (n > 0)
		memcpy(items, value->items, n * sizeof(*items));
	if (setting_rows[id].kind == KIND_WORD)
		lower(copy);
	items[n] = copy.p;
	*value = (struct setting_value){ .items = items, .n = n + 1, .origin = name };
	return 0;
}

/* A list in the environment or a file is separated by ':'. */
static int set_list(struct settings *s, enum setting_id id, const char *origin, bool append,
        const char *text, struct err *err)
{
	str rest = str_from_c(text), item, z;
	bool more = rest.n > 0;
	int r = 0;
	while (more && r >= 0) {
		more = str_split_first(rest, ':', &item, &rest);
		if (!more)
			item = rest;
		if (arena_copy(&s->arena, item, &z) < 0)
			return err_set(err, -ENOMEM, "%s: too much configuration", origin);
		if (item.n > 0) {
			r = set(s, id, origin, append, z.p, err);
			append = true;
		}
	}
	return r;
}

static int set_outside(struct settings *s, enum setting_id id, const char *origin, bool is_again,
        const char *text, struct err *err)
{
	if (setting_rows[id].kind == KIND_LIST)
		return set_list(s, id, origin, is_again, text, err);
	if (is_again)
		return err_set(err, -EINVAL, "%s: %s is set twice", origin, setting_rows[id].key);
	return set(s, id, origin, false, text, err);
}

/* One line of a configuration file: "key = value", a comment, or nothing. A LIST that is given
 * again grows. */
static int read_line(struct settings *s, const char *file, unsigned number, str line,
        bool seen[SET_COUNT], struct err *err)
{
	autobuf origin = BUF(8192);
	str key, value;
	line = str_trim(line);
	if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	buf_printf(&origin, "%s:%u", file, number);
	buf_add_byte(&origin, '\0');
	if (buf_failed(&origin))
		return err_set(err, -ENAMETOOLONG, "%.200s: the name is too long", file);
	if (memchr(line.p, '\0', line.n) || !str_split_first(line, '=', &key, &value))
		return err_set(err, -EINVAL, "%s: not a 'key = value' line", origin.p);
	key = str_trim(key);
	value = str_trim(value);
	enum setting_id id = find_key(key);
	if (id == SET_COUNT)
		return err_set(err, -EINVAL, "%s: " STR_FMT ": no such setting", origin.p,
		        STR_ARG(str_head(key, 64)));
	if (arena_copy(&s->arena, value, &value) < 0)
		return err_set(err, -ENOMEM, "%s: too much configuration", origin.p);
	bool is_again = seen[id];
	seen[id] = true;
	return set_outside(s, id, origin.p, is_again, value.p, err);
}

static int read_file(struct settings *s, struct err *err)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "%sCONFIG", program.environment);
	const char *named = getenv(name);
	const char *file = named && *named ? named : program.config;
	autobuf text = BUF(CONFIG_BYTES);
	bool seen[SET_COUNT] = { false };
	unsigned number = 0;
	int r = fs_read(AT_FDCWD, file, &text, err);
	if (r == -ENOENT && !(named && *named))
		return 0;
	str rest = buf_str(&text), line;
	while (r >= 0 && str_next_line(&rest, &line))
		r = read_line(s, file, ++number, line, seen, err);
	return r;
}

static int read_environment(struct settings *s, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < SET_COUNT; i++) {
		char name[64] = "";
		size_t n = (size_t)snprintf(name, sizeof(name), "%s", program.environment);
		for (const char *p = setting_rows[i].key; *p && n < sizeof(name) - 1; p++)
			name[n++] = *p == '-' ? '_' : (char)(is_alpha(*p) ? *p & ~0x20 : *p);
		const char *value = getenv(name);
		if (value && *value)
			r = set_outside(s, (enum setting_id)i, name, false, value, err);
	}
	return r;
}

struct reading {
	struct settings *settings;
	enum command_id command;
	int n, at;
	char **args;
	bool seen[SET_COUNT];
};

/* One flag; its value stands behind '=' (value.p not NULL) or is the next argument. */
static int read_flag(
        struct reading *in, enum setting_id id, const char *flag, str value, struct err *err)
{
	if (id == SET_COUNT || !(setting_rows[id].commands & 1 << in->command))
		return err_set(err, -EINVAL, "%s: no such flag; see '%s %s --help'", flag,
		        program.name, command_rows[in->command].word);
	const struct setting *row = &setting_rows[id];
	const char *text = value.p;
	if (row->kind == KIND_FLAG && !text)
		text = "yes";
	if (row->kind == KIND_OPTIONAL && !text)
		text = "any";
	if (!text && in->at < in->n)
		text = in->args[in->at++];
	if (!text)
		return err_set(err, -EINVAL, "%s: needs a %s", flag, row->argument);
	bool append = row->kind == KIND_LIST && in->seen[id];
	in->seen[id] = true;
	return set(in->settings, id, flag, append, text, err);
}

static int read_long(struct reading *in, const char *arg, struct err *err)
{
	char flag[64];
	str key = str_from_c(arg + 2), value = { NULL, 0 };
	if (str_split_first(key, '=', &key, &value) && !value.p)
		value = STR("");
	(void)snprintf(flag, sizeof(flag), "--" STR_FMT, (int)(key.n < 48 ? key.n : 48), key.p);
	if (!value.p && str_eq(key, STR("help"))) {
		in->settings->wants_help = true;
		return 0;
	}
	if (!value.p && str_eq(key, STR("version"))) {
		in->settings->wants_version = true;
		return 0;
	}
	return read_flag(in, find_key(key), flag, value, err);
}

/* "-qv", "-f json", "-fjson" */
static int read_letters(struct reading *in, const char *arg, struct err *err)
{
	int r = 0;
	for (const char *p = arg + 1; r >= 0 && *p; p++) {
		char flag[3] = { '-', *p, '\0' };
		enum setting_id id = find_letter(*p);
		if (*p == 'h') {
			in->settings->wants_help = true;
			continue;
		}
		str value = { NULL, 0 };
		bool takes = id < SET_COUNT && setting_rows[id].kind != KIND_FLAG;
		if (takes && p[1])
			value = str_from_c(p + 1);
		r = read_flag(in, id, flag, value, err);
		if (takes)
			break;
	}
	return r;
}

static int read_arguments(struct reading *in, struct err *err)
{
	struct settings *s = in->settings;
	s->rest = arena_alloc(&s->arena, (size_t)in->n + 1, sizeof(*s->rest));
	if (!s->rest)
		return err_set(err, -ENOMEM, "too many arguments");
	bool flags = true;
	int r = 0;
	while (r >= 0 && in->at < in->n) {
		const char *arg = in->args[in->at++];
		if (flags && strcmp(arg, "--") == 0)
			flags = false;
		else if (flags && arg[0] == '-' && arg[1] == '-')
			r = read_long(in, arg, err);
		else if (flags && arg[0] == '-' && arg[1])
			r = read_letters(in, arg, err);
		else
			s->rest[s->n_rest++] = arg;
	}
	return r;
}

int settings_read(
        enum command_id command, int n, char **args, struct settings *ret, struct err *err)
{
	*ret = (struct settings){ .arena = ARENA(SETTINGS_BYTES) };
	struct reading in = { .settings = ret, .command = command, .n = n, .args = args };
	int r = 0;
	for (size_t i = 0; r >= 0 && i < SET_COUNT; i++) {
		if (setting_rows[i].standard[0] != '\0')
			r = set(ret, (enum setting_id)i, "default", false, setting_rows[i].standard,
			        err);
	}
	/* Arguments are understood first for --help and --version, which need no valid
	 * configuration. */
	if (r >= 0)
		r = read_arguments(&in, err);
	if (r < 0 || ret->wants_help || ret->wants_version)
		return r;
	arena_fini(&ret->arena);
	*ret = (struct settings){ .arena = ARENA(SETTINGS_BYTES) };
	in = (struct reading){ .settings = ret, .command = command, .n = n, .args = args };
	for (size_t i = 0; r >= 0 && i < SET_COUNT; i++) {
		if (setting_rows[i].standard[0] != '\0')
			r = set(ret, (enum setting_id)i, "default", false, setting_rows[i].standard,
			        err);
	}
	if (r >= 0)
		r = read_file(ret, err);
	if (r >= 0)
		r = read_environment(ret, err);
	return r < 0 ? r : read_arguments(&in, err);
}

void settings_fini(struct settings *settings)
{
	if (!settings)
		return;
	arena_fini(&settings->arena);
	*settings = (struct settings){ .n_rest = 0 };
}

const char *settings_text(const struct settings *settings, enum setting_id id)
{
	const struct setting_value *value = &settings->values[id];
	return value->n > 0 ? value->items[value->n - 1] : "";
}

bool settings_is_on(const struct settings *settings, enum setting_id id)
{
	const char *text = settings_text(settings, id);
	if (setting_rows[id].kind == KIND_FLAG)
		return is_choice(STR("yes|true|1"), str_from_c(text));
	return text[0] != '\0';
}

uint64_t settings_number(const struct settings *settings, enum setting_id id)
{
	uint64_t v = 0;
	(void)str_to_u64(str_from_c(settings_text(settings, id)), UINT64_MAX, &v);
	return v;
}

uint64_t settings_size(const struct settings *settings, enum setting_id id)
{
	uint64_t v = 0;
	(void)read_size(str_from_c(settings_text(settings, id)), &v);
	return v;
}

const char *settings_path(struct settings *settings, const char *dir, const char *name)
{
	str path;
	int r = arena_printf(&settings->arena, &path, "%s/%s", dir, name);
	assert(r >= 0); /* a handful of short strings in 16 MiB */
	return path.p;
}

const char *settings_data_dir(struct settings *settings)
{
	const char *named = settings_text(settings, SET_DATA);
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	if (*named)
		return named;
	if (geteuid() != 0 && xdg && *xdg == '/')
		return settings_path(settings, xdg, program.data_name);
	if (geteuid() != 0 && home && *home == '/')
		return settings_path(
		        settings, settings_path(settings, home, ".local/share"), program.data_name);
	return program.data_dir;
}

const char *settings_db_dir(struct settings *settings)
{
	const char *named = settings_text(settings, SET_DB);
	return *named ? named : settings_path(settings, settings_data_dir(settings), "db");
}
