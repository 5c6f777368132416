/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * trust: which documents this host runs. Those whose SHA-256 came with the agent's own package:
 * deep inspection, inventory, and looking for associations. The digest is that of the document as
 * canonical JSON (no blanks, members in their order), because the service hands it out as a text
 * and as a value inside another one.
 *
 * The digests are computed from the texts of ssm/builtin_documents.c, which is in this program as
 * in the server's: the two cannot drift apart.
 */

#include "aws/value.h"
#include "base/hash.h"
#include "base/str.h"

/**
 * The digest of a document.
 *
 * Returns: 0; -ERR_LIMIT when it is larger than a document may be
 */
int trust_digest(const struct value *document, char ret_hex[SHA256_HEX_SIZE]);

/** The name of the document that came with the agent and has this digest; NULL: none has. Static.
 */
const char *trust_find(const char *hex);
