/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * A cache of derived signing keys, so that a request costs no look-up of its secret and no four
 * HMACs. Least recently used keys go first. Its lock is inside; any thread may call.
 */

#include "aws/sigv4.h"

/** Longest access key id, region and service, together, that is cached, in bytes. */
#define SIGNING_KEYS_NAME_MAX 224

/** The cache. Opaque. */
struct signing_keys;

/**
 * Make a cache.
 *
 * In:      max       most keys that it holds, 1 to 1,000,000
 * Out:     ret_keys  owned, released with signing_keys_free()
 * Returns: 0; -ENOMEM; -EINVAL for another `max`
 */
int signing_keys_new(size_t max, struct signing_keys **ret_keys);

/** Release, and wipe the keys; NULL is a no-op. Nobody else may use it any more. */
void signing_keys_free(struct signing_keys *keys);

/**
 * Look a key up.
 *
 * Out:     ret_key     written when found
 *          ret_ticket  always written: what signing_keys_put() wants, taken before the caller
 *                      reads the secret from its store
 * Returns: whether it was found
 */
bool signing_keys_find(struct signing_keys *keys, const struct sigv4_credential *credential,
        uint8_t ret_key[SIGV4_KEY_BYTES], uint64_t *ret_ticket);

/**
 * Keep a key, unless a signing_keys_clear() came between the ticket and now: the secret it was
 * derived from may be the one that was withdrawn. Names that are too long are not kept.
 */
void signing_keys_put(struct signing_keys *keys, const struct sigv4_credential *credential,
        const uint8_t key[SIGV4_KEY_BYTES], uint64_t ticket);

/** Forget all keys of an access key id: it was deleted, disabled or given another secret. */
void signing_keys_clear(struct signing_keys *keys, str access_key_id);
