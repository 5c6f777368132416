/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * elements: from what a host sent to the numbers of its elements.
 */

#include "fleet/content.h"
#include "fleet/inside.h"

/** Is content of a type a word on one of a host's sets? */
bool elements_is_word(str type, int which);

/** Is an item the newer word of two? `b` may be NULL. */
bool elements_is_newer(const struct host_item *a, const struct host_item *b);

/** The item of a host that is the word on one of its sets: the newest; NULL when there is none. */
const struct host_item *elements_word(const struct fleet_host *host, int which);

/** Is content of a type what a stock agent sends, which names no source packages? */
bool elements_lack_sources(str type);

/** The set of a host that content is the word on. */
struct element_list {
	element_id *ids; /* sorted, each once; arena */
	size_t n;
	size_t n_by_name; /* of which the source package is not known, and should be */
};

/**
 * Number the packages of one of a host's sets.
 *
 * In:      which    HOST_OS_SET or HOST_LANGUAGE_SET
 *          os       of the host; os_ fields
 *          origins  of its account, to name the source packages that the content lacks; or NULL
 *          batch    holds records of the dictionary only: it is committed and begun anew when it is
 *                   nearly full
 * Returns: 0; -ERR_LIMIT when there are too many or one is too long; what the store says
 */
int elements_make(struct fleet *fleet, const struct content *content, int which,
        const struct host *os, struct origins *origins, struct store_batch *batch,
        struct arena *arena, struct element_list *ret, struct err *err);

/**
 * Make a set anew with what the account's origins know now.
 *
 * In:      set  that elements_make() made with origins
 * Returns: as elements_make()
 */
int elements_remake(struct fleet *fleet, const struct package_set *set, struct origins *origins,
        struct store_batch *batch, struct arena *arena, struct element_list *ret, struct err *err);

/** Would elements_remake() make another set, or count otherwise than `n_by_name`? */
bool elements_would_differ(const struct fleet *fleet, const struct package_set *set,
        struct origins *origins, size_t n_by_name);

/** The element that a package is; `owner` is its owner among the host's OS packages, or NULL. */
struct element element_of(
        const struct package *pkg, const struct package *owner, const struct host *os);

/** OS packages by "type name version". Returns: 0; -ERR_LIMIT */
int elements_index_owners(const struct package *packages, size_t n, struct map *ret);

/** The owner of a package in such an index; NULL when it is not there. */
const struct package *elements_owner_of(const struct map *index, const struct package *pkg);

/** Commit a batch that holds records of the dictionary and of matches only, if it is nearly full,
 * and begin it anew. Returns: 0; what the store says */
int elements_flush(struct fleet *fleet, struct store_batch *batch, struct err *err);
