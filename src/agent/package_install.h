/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * package_install: packages that the server hosts. None of a package's bytes is unpacked or run
 * before its manifest was found to be signed by a key that the host trusts, and the archive to have
 * the SHA-256 that this manifest names.
 */

#include "agent/step.h"

/** What a step asks for. Borrows. */
struct package_request {
	str name, version;             /* version empty: the newest */
	bool is_in_place;              /* update.sh in place of uninstall.sh and install.sh */
	const struct value *arguments; /* SSM_...: texts for the scripts' environment; NULL: none */
};

/**
 * Install a package, or put the asked version in the place of another.
 *
 * Out:     ret_version  what is installed then; arena
 *          ret          what went wrong
 */
void package_install(struct step_context *context, const struct package_request *request,
        str *ret_version, struct step_result *ret);

/** Run uninstall.sh and remove what was unpacked; a package that is not installed is success. */
void package_uninstall(struct step_context *context, const struct package_request *request,
        str *ret_version, struct step_result *ret);
