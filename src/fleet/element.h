/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * element: one package version as matching sees it, once for the whole fleet, however many hosts
 * have it; and the dictionary that numbers elements and vulnerabilities for ever.
 *
 * Everything that matching depends on is part of an element: the package with its source, module,
 * vendor and owner, and the distribution and release of the host that it is an OS package of. Where
 * it lies is not: paths are evidence. Two hosts that share an element share its matches.
 */

#include <pthread.h>

#include "base/map.h"
#include "model/host.h"
#include "model/package.h"
#include "store/store.h"

/** The number of an element, of a vulnerability: from 1, never used again. */
typedef uint32_t element_id;
typedef uint32_t vuln_id;

/** One element. Strings are the dictionary's, for the life of the process. */
struct element {
	element_id id;
	struct package package; /* path empty, dev and ino 0; `owner` as the reader wrote it */
	bool is_owner_known;    /* the owner is among the OS packages of the host */
	str owner_vendor;       /* vendor of that package; else empty */
	struct host os;         /* os_ fields only; for language packages too when they have an
	                           owner, else all empty */
	uint32_t os_class;      /* elements of equal `os` have equal numbers */
};

/** The longest canonical form of an element. */
#define ELEMENT_MAX_BYTES 8192u

/**
 * Write the canonical form into memory.
 *
 * Returns: its length; 0 when it is longer than ELEMENT_MAX_BYTES
 */
size_t element_form(const struct element *element, char ret[ELEMENT_MAX_BYTES]);

/**
 * Write the canonical form: "v1:" and each field in a fixed order as length and bytes. Equal forms
 * are equal elements; the form is what the store keeps, and what sets are named by.
 *
 * Out:     out  appended; fails when the form is longer than ELEMENT_MAX_BYTES
 */
void element_write(const struct element *element, struct buf *out);

/**
 * Read a canonical form.
 *
 * Out:     ret  all but id and os_class; strings borrow from `form`
 * Returns: 0; -ERR_FORMAT; -ERR_UNSUPPORTED when it is of a newer version
 */
int element_read(str form, struct element *ret, struct err *err);

struct dictionary;

/**
 * Load the dictionary.
 *
 * Out:     ret  caller closes
 * Returns: 0; -ERR_FORMAT when a record is damaged; -ENOMEM; what the store says
 */
int dictionary_open(struct store *store, struct dictionary **ret, struct err *err);

/** Close. NULL is a no-op. */
void dictionary_close(struct dictionary *dictionary);

/**
 * Number an element.
 *
 * In:      element  its strings are copied if it is new
 *          batch    takes its record unless the store has it already: an element that another
 *                   thread is about to commit is put twice, which is harmless
 * Returns: 0; -ENOMEM; -ERR_LIMIT when the form is too long
 * Threads: any; the dictionary's own lock
 */
int dictionary_element(struct dictionary *dictionary, const struct element *element,
        struct store_batch *batch, element_id *ret, struct err *err);

/** The number of an element; 0 when it has none. Threads: any */
element_id dictionary_element_find(
        const struct dictionary *dictionary, const struct element *element);

/** Number a vulnerability by its id ("CVE-2021-34141"); as dictionary_element(). */
int dictionary_vuln(struct dictionary *dictionary, str name, struct store_batch *batch,
        vuln_id *ret, struct err *err);

/** Say what became of a batch: everything numbered for it is durable now, or not. To be called once
 * for each batch that took records, before it is released. Threads: any */
void dictionary_committed(
        struct dictionary *dictionary, const struct store_batch *batch, bool is_durable);

/** Is the record of an element in the store? Threads: any */
bool dictionary_element_is_durable(const struct dictionary *dictionary, element_id id);

/** An element by its number; NULL when there is none. Valid until dictionary_close(). Threads: any
 */
const struct element *dictionary_element_at(const struct dictionary *dictionary, element_id id);

/** The SHA-256 of an element's canonical form; as dictionary_element_at(). */
const unsigned char *dictionary_element_digest(const struct dictionary *dictionary, element_id id);

/** The id of a vulnerability by its number; empty when there is none. Threads: any */
str dictionary_vuln_name(const struct dictionary *dictionary, vuln_id id);

/** The number of a vulnerability by its id; 0 when it has none. Threads: any */
vuln_id dictionary_vuln_find(const struct dictionary *dictionary, str name);

/** How many elements there are: every number is at most this. Threads: any */
element_id dictionary_n_elements(const struct dictionary *dictionary);
