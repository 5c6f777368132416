/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * parameter: Parameter Store. Values by name, in versions; secrets sealed at rest.
 *
 * Objects, by type and name:
 *   parameter          "<name>"                       the newest version
 *   parameter-version  "<name>#<version, 10 digits>"  each version that is kept
 *
 * The parameter with the custom paths of deep inspection is the server's own (account_reconcile()):
 * it is read here, and cannot be written.
 */

#include "server/server.h"

/** Longest name, most levels of one, most parameters of an account and versions of one. */
#define PARAMETER_NAME_MAX 380
#define PARAMETER_LEVELS_MAX 15
#define PARAMETERS_MAX 10000
#define PARAMETER_VERSIONS_MAX 100

/** Longest value, in bytes: of the tier Standard, and of Advanced. */
#define PARAMETER_STANDARD_MAX 4096u
#define PARAMETER_ADVANCED_MAX 8192u

/** One version of a parameter. Strings live in the arena it was read into. */
struct parameter {
	str name, type, value; /* of a SecureString: base64 of the sealed value */
	str data_type, description, pattern, tier, key_id, user;
	int64_t version, modified_at;
	const struct value *tags, *labels; /* lists, or NULL */
};

/** A name as requests write it: with a selector, or as an ARN. */
struct parameter_name {
	str name;     /* arena */
	str selector; /* with its colon: ":3"; empty: none */
};

/** Take a name apart. Returns: 0; -ERR_LIMIT */
int parameter_name_read(str text, struct arena *arena, struct parameter_name *ret);

/**
 * Read a parameter in the version or with the label that a selector names.
 *
 * Returns: 0; -ENOENT without such a parameter; -ESRCH without such a version; -ERR_LIMIT
 */
int parameter_get(struct server *server, int64_t account, const struct parameter_name *name,
        struct arena *arena, struct parameter *ret);

/** All parameters of an account whose names begin with a prefix, by name. Returns: 0; -ERR_LIMIT */
int parameter_list(struct server *server, int64_t account, str prefix, struct arena *arena,
        struct parameter **ret, size_t *ret_count);

/** The versions of a parameter that are kept, oldest first. Returns: as parameter_get() */
int parameter_versions(struct server *server, int64_t account, str name, struct arena *arena,
        struct parameter **ret, size_t *ret_count);

/** The changes that write a new version and make it the newest. Returns: 0; -ERR_LIMIT */
int parameter_changes(int64_t account, const struct parameter *parameter, struct arena *arena,
        struct object_change ret[2]);

/** The change that writes what belongs to no version: tags. Returns: 0; -ERR_LIMIT */
int parameter_change(int64_t account, const struct parameter *parameter, struct arena *arena,
        struct object_change *ret);

/** The name of a version's object. Returns: 0; -ERR_LIMIT */
int parameter_version_name(str name, int64_t version, struct arena *arena, str *ret);

/** Is it a secret? */
bool parameter_is_secret(const struct parameter *parameter);

/** Seal a value for a version. Out: arena, base64. Returns: 0; -EIO; -ENOMEM; -ERR_LIMIT */
int parameter_seal(const struct server *server, int64_t account, str name, int64_t version,
        str plain, struct arena *arena, str *ret);

/** Unseal a secret. Out: arena. Returns: 0; -EBADMSG when it was tampered with; -ENOMEM; -ERR_LIMIT
 */
int parameter_open(const struct server *server, int64_t account, const struct parameter *parameter,
        struct arena *arena, str *ret);

/** Is the name reserved: written by the server alone? */
bool parameter_is_reserved(str name);
