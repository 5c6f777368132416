/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sql: the few uses of SQLite that the database makes: files that are written once, and read only.
 */

#include <sqlite3.h>

#include "base/err.h"
#include "base/str.h"

/**
 * Make a new database file: no journal, one transaction, settings that give the same bytes for the
 * same rows.
 *
 * In:      path  of an empty file
 *          ddl   statements that make the tables
 * Out:     ret   caller ends with sql_commit() or sql_close()
 * Returns: 0; -errno
 */
int sql_create(const char *path, const char *ddl, sqlite3 **ret, struct err *err);

/** End the transaction and close. Returns: 0; -errno (a full disk) */
int sql_commit(sqlite3 *sql, const char *path, struct err *err);

/**
 * Open a database file that nobody changes: read-only, immutable, defensive, no mmap.
 *
 * In:      path  absolute
 * Out:     ret   caller closes with sql_close()
 * Returns: 0; -ERR_FORMAT when it is no database of ours or damaged; -ERR_UNSUPPORTED when a newer
 * or an older program made it; -errno
 */
int sql_open(const char *path, sqlite3 **ret, struct err *err);

/** The same for the file of a source, which must have all its tables (vulndb/format.h). */
int sql_open_source(const char *path, bool is_osv, sqlite3 **ret, struct err *err);

/** Is this a database of ours, and of this version? By its header alone. As sql_open(). */
int sql_check_kind(const char *path, struct err *err);

/** Close and drop what was not committed. NULL is a no-op. */
void sql_close(sqlite3 *sql);

/** Prepare a statement that stays for the life of the connection. Returns: 0; -ERR_FORMAT; -errno
 */
int sql_prepare(
        sqlite3 *sql, const char *path, const char *text, sqlite3_stmt **ret, struct err *err);

/** Turn SQLite's last failure into a class and a sentence. Returns: -ERR_FORMAT for damage; -errno
 */
int sql_failure(sqlite3 *sql, const char *path, struct err *err);

/** Insert a row of an integer key and a value. Returns: 0; -errno */
int sql_insert_number(
        sqlite3_stmt *stmt, int64_t key, str value, const char *path, struct err *err);

/** Insert a row of two byte strings. Returns: 0; -errno */
int sql_insert_bytes(sqlite3_stmt *stmt, str key, str value, const char *path, struct err *err);
