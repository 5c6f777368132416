/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * recipe: a document and the values of its parameters become steps that can be run. Pure.
 *
 * Source: AWS Systems Manager User Guide, "Command document plugin reference", "Data elements and
 * parameters"; schema versions 2.0 and 2.2
 */

#include "aws/value.h"
#include "base/arena.h"
#include "base/err.h"

/** Most steps that are run, and largest text that a substitution may make. */
#define RECIPE_STEPS_MAX 50
#define RECIPE_TEXT_MAX ((size_t)1 << 20)

/** One step. Arena. */
struct recipe_step {
	str name, action;           /* "aws:runShellScript" */
	const struct value *inputs; /* with all values filled in */
	bool is_skipped;            /* its precondition does not hold */
	bool is_end;                /* no step follows it */
	bool exits_on_failure;      /* onFailure: exit or successAndExit */
	bool forgives_failure;      /* onFailure: successAndExit */
	str fault;                  /* a precondition that is not understood: the step fails so */
};

/** What is to be run. Arena. */
struct recipe {
	const char *trusted; /* the name of the document that came with the agent; NULL: none */
	char digest[65];
	struct recipe_step *steps;
	size_t n_steps;
};

/**
 * Read a document and fill in its parameters.
 *
 * In:      document  hostile
 *          values    an object; each value a text, a list of texts or an object; NULL: none. Given
 *                    values are checked against types, allowed values, patterns and lengths
 *          read_json what reads a map that was given as its JSON: as value_from_json(), hostile
 * Out:     ret       written on success only
 * Returns: 0; -ERR_FORMAT, -ERR_UNSUPPORTED, -ERR_LIMIT with a sentence for the service's users
 */
int recipe_make(const struct value *document, const struct value *values,
        int (*read_json)(str text, struct arena *, const struct value **ret, struct err *),
        struct arena *arena, struct recipe *ret, struct err *err);
