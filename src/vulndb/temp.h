/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * temp: files under a name of their own until they are whole.
 */

#include <limits.h>

#include "base/err.h"

#define TEMP_NAME_SIZE (NAME_MAX + 1)

/**
 * Make an empty file ".<stem>.<random>.new". What stands in the folder already is never opened,
 * whoever put it there; pool_lock_folder() removes what a killed run left.
 *
 * In:      stem  its first bytes are enough
 * Out:     ret_name  the file's name
 * Returns: a descriptor that the caller closes; -errno
 */
int temp_make(int dir_fd, const char *stem, char ret_name[TEMP_NAME_SIZE]);
