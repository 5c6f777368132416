/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * finding_json: one finding as inspector2 shows it (the shape Finding), for answers and reports.
 */

#include "fleet/platform.h"
#include "fleet/query.h"
#include "server/request.h"
#include "server/server.h"

/**
 * Write a finding as one object.
 *
 * In:      row   its paths filled
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int finding_write(struct server *server, str region, const struct finding_row *row,
        struct arena *arena, struct json_writer *w);

/** Whether an exploit is known to be used: YES or NO. Static. */
const char *finding_exploit(const struct finding_row *row);

/** Inspector's word for the platform of a host; empty when it is not known. */
struct platform_text host_platform(const struct fleet_host *host);

/** Write a host's tags as an object. */
void write_tag_object(struct json_writer *w, const struct fleet_host *host);

/** "tags": a host's tags as an object. */
void write_tags(struct json_writer *w, const struct fleet_host *host);

/** The longest prefix of well-formed UTF-8 of at most `n` bytes; "..." where it was cut. Returns:
 * 0; -ERR_LIMIT */
int text_at_most(str text, size_t n, struct arena *arena, str *ret);
