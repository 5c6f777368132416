/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rest: what a process does before it waits for long.
 */

/**
 * Give back the memory that waiting needs none of: free parts of the heap, and the pages of the
 * program and its libraries that were only read. The kernel brings those back from its cache, page
 * by page, where they are touched again. Nothing that was written is lost.
 *
 * Cost:    some system calls per library; then a page fault for each page that is needed again
 * Threads: one at a time; others may run
 */
void rest_memory(void);
