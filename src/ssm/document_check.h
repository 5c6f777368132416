/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * document_check: is this text a document that agents can run, and do these parameters fit it?
 *
 * Documents are JSON: no YAML reader is linked, and a document in YAML is refused with a sentence.
 */

#include "aws/value.h"
#include "base/arena.h"
#include "base/err.h"

/** Longest content of a document, in bytes, and most parameters and steps. */
#define DOCUMENT_MAX_BYTES 65536u
#define DOCUMENT_PARAMETERS_MAX 200
#define DOCUMENT_STEPS_MAX 200

/** One parameter that a document declares. */
struct document_parameter {
	str name, type, description;
	const struct value *otherwise; /* its default; NULL: it must be given */
	const struct value *allowed;   /* allowedValues, or NULL */
	str pattern;                   /* allowedPattern; empty: any */
	int64_t min_chars, max_chars, min_items, max_items; /* -1: no limit */
};

/** What a document says of itself. Borrows from its content or lives in the arena. */
struct document_info {
	str schema, description;
	const struct document_parameter *parameters;
	size_t n_parameters;
	const char *platforms[3]; /* "Linux", ...; static */
	size_t n_platforms;
	const struct value *content; /* the whole */
};

/** Why a document is refused. */
enum document_fault {
	DOCUMENT_FINE,
	DOCUMENT_CONTENT, /* InvalidDocumentContent */
	DOCUMENT_SCHEMA,  /* InvalidDocumentSchemaVersion */
	DOCUMENT_SIZE,    /* MaxDocumentSizeExceeded */
};

/**
 * Read a document.
 *
 * In:      content  hostile
 *          type     "Command", "Policy", "Session" or "Package"
 *          format   "JSON"; anything else is refused with a sentence
 * Out:     ret      borrows from content, or arena; written on DOCUMENT_FINE only
 *          err      the sentence
 * Returns: DOCUMENT_FINE or why not
 */
enum document_fault document_check(str content, str type, str format, struct arena *arena,
        struct document_info *ret, struct err *err);

/**
 * Check values against what a document declares: names, numbers of values, types, allowed values,
 * patterns, lengths; and that nothing that must be given is missing.
 *
 * In:      values  an object of arrays of strings, or NULL; a StringMap may also be given as a
 * value that was read already Returns: 0; -ERR_FORMAT with a sentence that names the parameter;
 * -ERR_LIMIT
 */
int document_check_values(const struct document_info *info, const struct value *values,
        struct arena *arena, struct err *err);
