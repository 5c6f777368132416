/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The metadata service of an EC2 instance.
 */

#include "plugin/account.h"

/**
 * Ask it for what an account lacks.
 *
 * In:      endpoint  "http://169.254.169.254"; NULL: that
 * Out:     account   what was empty and is known; strings in the arena
 * Returns: 0 also when it does not know everything; as net_call() when there is no such service
 * Source:  Amazon EC2 User Guide, "Use the Instance Metadata Service"; version 2 only
 */
int metadata_ask(
        const char *endpoint, struct arena *arena, struct account *account, struct err *err);
