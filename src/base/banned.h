/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Functions that this program never calls. The build includes this file before every source
 * (`-include`), so that a use is a compile error. The headers that declare them come first.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* With _FORTIFY_SOURCE glibc makes macros of these two for clang, which warns of poisoning a macro.
 */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat strtok sprintf vsprintf sscanf vsscanf
#pragma GCC poison atoi atol atoll atof strtol strtoul strtoll strtoull gets
#pragma GCC poison gmtime localtime mktemp tmpnam system popen
