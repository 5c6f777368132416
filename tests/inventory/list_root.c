/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what the readers say of a folder taken as "/", as tree.h writes it: for the tests that
 * compare with a real package manager.
 *
 *   list_root ROOT [READER]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tree.h"

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return fprintf(stderr, "usage: list_root ROOT [READER]\n"), 2;
	struct tree tree = TREE;
	autobuf out = BUF((size_t)512 << 20);
	int r = tree_scan(&tree, argv[1], argc > 2 ? argv[2] : NULL, NULL);
	tree_print(&tree, &out);
	tree_fini(&tree);
	if (r < 0)
		return fprintf(stderr, "%s: %s\n", argv[1], strerror(-r)), EXIT_FAILURE;
	bool bad = buf_failed(&out) || fwrite(out.p, 1, out.n, stdout) != out.n;
	return bad || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
