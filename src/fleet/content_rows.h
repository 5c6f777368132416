/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * content_rows: what the readers of inventory types share: rows by column, checked packages, facts.
 * Private to content*.c.
 */

#include "base/json.h"
#include "fleet/content.h"

/** Most bytes of a name, of a version, and of a path that are accepted. */
#define CONTENT_NAME_MAX 1024u
#define CONTENT_VERSION_MAX 512u
#define CONTENT_PATH_MAX 4096u
/** Most bytes of a fact. */
#define CONTENT_FACT_MAX 256u
/** Most facts that one item gives. */
#define CONTENT_FACTS_MAX 16u

/** One item being read. */
struct content_job {
	str type;
	const struct host *os;
	struct arena *arena;
	struct ledger *ledger;
	struct json json;
	struct package *packages; /* heap, grows */
	size_t n_packages, cap;
	struct pair facts[CONTENT_FACTS_MAX];
	size_t n_facts;
	uint32_t row; /* number of the row that is being read, from 1 */
	int failed;   /* sticky: 0 or a class, with its sentence in `why` */
	const char *why;
};

/** One inventory type. */
struct content_type {
	str type;
	bool is_packages, is_os, is_language;
	void (*read)(struct content_job *job); /* reads the whole value ahead */
};

/** The readers; content.c lists them. */
extern const struct content_type content_application;
extern const struct content_type content_detailed;
extern const struct content_type content_instance;
extern const struct content_type content_metrics;
extern const struct content_type content_own;
extern const struct content_type content_third_party;

/** A column that is read: its name, and where its text goes in the row. Names are compared without
 * regard to case; several may lead to one place. */
struct column {
	str name;
	size_t offset;
};

#define COLUMN(row, name, member)                                                                  \
	{                                                                                          \
		{ (name), sizeof(name) - 1 }, offsetof(row, member)                                \
	}

/** A row that is read: its columns, and how much room it takes. */
struct row_form {
	const struct column *columns;
	size_t n, bytes;
};

#define ROW_FORM(row, columns)                                                                     \
	((struct row_form){ (columns), sizeof(columns) / sizeof((columns)[0]), sizeof(row) })

/**
 * Read the array of rows ahead; the item fails if there is none.
 *
 * In:      row   room for one row
 *          take  is given each in turn, zeroed, then filled by the columns: texts, and numbers as
 *                texts. A row that is no object is noted and passed over
 */
void content_rows(struct content_job *job, struct row_form form, void *row,
        void (*take)(struct content_job *job, void *row));

/** Read the members of the object ahead; as content_rows(). */
void content_read_members(
        struct content_job *job, const struct column *columns, size_t n, void *row);

/** Note that the present row cannot be used. */
void content_refuse(struct content_job *job, enum skip_kind kind, const char *reason);

/**
 * Take a package, or note why it cannot be one: no name, no version, bytes that no name has, longer
 * than is accepted. The name is brought to the form in which its ecosystem compares names.
 *
 * In:      pkg  type required; strings live in the arena or borrow from the content
 */
void content_offer(struct content_job *job, struct package *pkg);

/** Take a fact, cut to CONTENT_FACT_MAX; an empty value deletes the fact that is there. `key` is
 * static. */
void content_fact(struct content_job *job, const char *key, str value);

/** Let the item fail; the first failure counts. `why` is static. */
void content_fail(struct content_job *job, int code, const char *why);

/** Is it one word: not empty, no blank, no control byte? */
bool content_is_word(str s);
