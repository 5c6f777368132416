/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * builtin_documents: the documents that are always there, by the names that clients and agents ask
 * for. The texts are our own. Agents trust them by their SHA-256: a change is a new release for
 * them too.
 */

#include "base/str.h"

/** The package that the installation document installs. */
#define PLUGIN_PACKAGE "AmazonInspector2-InspectorSsmPluginLinux"

/** One document. Static. */
struct builtin_document {
	const char *name;
	const char *content; /* JSON */
};

/** Find one by its name, exactly; NULL when there is none. */
const struct builtin_document *builtin_document_find(str name);

/** All of them, sorted by name. Static. */
const struct builtin_document *builtin_document_all(size_t *ret_n);
