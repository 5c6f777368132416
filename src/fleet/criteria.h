/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * criteria: which of a finding's facts each criterion looks at, so that what is the same for many
 * findings is asked once.
 */

#include "fleet/query.h"

/** What a criterion depends on, the cheapest to know first. */
enum grain {
	GRAIN_ISSUE = 1 << 0,    /* the issue alone */
	GRAIN_HOST = 1 << 1,     /* the host alone */
	GRAIN_PACKAGES = 1 << 2, /* the issue and the host's sets */
	GRAIN_TIMES = 1 << 3,    /* first observed, and so the ARN */
	GRAIN_STATUS = 1 << 4,   /* status and updated, which suppressions decide */
	GRAIN_PATHS = 1 << 5,    /* evidence */
	GRAIN_ALL = (1 << 6) - 1,
};

/** The grains that some criterion is of. */
unsigned criteria_grains(const struct criteria *criteria);

/** Is there a criterion of this field? */
bool criteria_have(const struct criteria *criteria, enum finding_field field);

/** As criteria_hold(), for the criteria of some grains: of the row only what they look at is read.
 */
bool criteria_hold_at(
        const struct criteria *criteria, unsigned grains, const struct finding_row *row, str arn);

/** Can a finding of that status meet them? */
bool criteria_admit_status(const struct criteria *criteria, enum finding_status status);

/** Can a finding of that account meet them? */
bool criteria_admit_account(const struct criteria *criteria, int64_t account);

/** Does a package criterion, its path apart, hold for the element? True when there is none. */
bool criteria_admit_element(const struct criteria *criteria, const struct element *element);

/** Can a title that begins with this vulnerability meet them? */
bool criteria_admit_title(const struct criteria *criteria, str vulnerability);

/** Can a finding whose packages are in the states of this mask (1 << enum fix_state) meet them? */
bool criteria_admit_fixes(const struct criteria *criteria, unsigned states);

/**
 * The hosts that they name one by one: the only ones that can meet them.
 *
 * Out:     ret_first, ret_count  the entries; written when there are such
 * Returns: false when they name none, or not only so
 */
bool criteria_name_hosts(
        const struct criteria *criteria, const struct criterion **ret_first, size_t *ret_count);

/** The most bytes of a title. */
#define TITLE_MAX_BYTES 1024

/** Write the title of a row. Returns: a view of `ret` */
str title_write(const struct finding_row *row, char ret[TITLE_MAX_BYTES]);

/** The word for a finding whose packages are in these states (1 << enum fix_state). Static. */
const char *fix_word(unsigned states);

/** The 17 digits of a host in a resource id: "i-...", "mi-..."; else the text itself. */
str resource_digits(str id);
