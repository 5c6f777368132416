/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <roaring/roaring.h>

#include "fleet/postings.h"
#include "fleet/sets_make.h"

static bool mark(uint32_t number, void *ctx)
{
	((bool *)ctx)[number] = true;
	return true;
}

/* Through all three forms of a posting and back. */
static void test_postings__hold_what_was_added(void **state)
{
	(void)state;
	struct posting posting = { .n = 0 };
	for (uint32_t n = 1; n <= 300; n++) {
		bool seen[400] = { false };
		posting_add(&posting, n);
		posting_each(&posting, mark, seen);
		for (uint32_t i = 0; i < 400; i++)
			assert_true(seen[i] == (i >= 1 && i <= n));
		assert_int_equal(posting.n, n);
	}
	for (uint32_t n = 300; n >= 1; n -= 3) {
		bool seen[400] = { false };
		posting_remove(&posting, n);
		posting_remove(&posting, 399);
		posting_each(&posting, mark, seen);
		assert_false(seen[n]);
	}
	assert_int_equal(posting.n, 200);
	posting_fini(&posting);
}

static void test_sets__are_numbered_by_what_they_hold(void **state)
{
	struct scene *scene = *state;
	struct dictionary *dictionary;
	struct store_batch batch;
	struct sets *sets = sets_new();
	element_id ids[3];
	uint32_t one, same, other_account, part, none;
	assert_non_null(sets);
	assert_int_equal(dictionary_open(scene->store, &dictionary, NULL), 0);
	store_batch_init(&batch, 0);
	for (size_t i = 0; i < 3; i++) {
		struct element element = { .package = { .type = STR("npm"),
			                           .name = STR("a"),
			                           .version = { "123" + i, 1 } } };
		assert_int_equal(
		        dictionary_element(dictionary, &element, &batch, &ids[i], NULL), 0);
	}
	assert_int_equal(sets_plan(sets, 1, ids, 3, dictionary, &batch, &one, NULL), 0);
	assert_int_equal(sets_plan(sets, 1, ids, 3, dictionary, &batch, &same, NULL), 0);
	assert_int_equal(sets_plan(sets, 2, ids, 3, dictionary, &batch, &other_account, NULL), 0);
	assert_int_equal(sets_plan(sets, 1, ids, 2, dictionary, &batch, &part, NULL), 0);
	assert_int_equal(sets_plan(sets, 1, NULL, 0, dictionary, &batch, &none, NULL), 0);
	assert_int_equal(one, same);
	assert_int_equal(none, 0);
	assert_true(one != other_account && one != part);
	assert_null(sets_at(sets, one));

	sets_move(sets, 7, 0, one);
	sets_move(sets, 8, 0, part);
	assert_int_equal(sets_count(sets), 2);
	roaring_bitmap_t *hosts = roaring_bitmap_create();
	assert_int_equal(sets_hosts_of(sets, ids[1], hosts), 0);
	assert_int_equal(roaring_bitmap_get_cardinality(hosts), 2);
	roaring_bitmap_clear(hosts);
	assert_int_equal(sets_hosts_of(sets, ids[2], hosts), 0);
	assert_true(roaring_bitmap_contains(hosts, 7));
	assert_int_equal(roaring_bitmap_get_cardinality(hosts), 1);
	roaring_bitmap_free(hosts);

	sets_move(sets, 7, one, part);
	uint32_t unused[4];
	assert_int_equal(sets_unused(sets, unused, 4), 2);
	sets_forget(sets, unused[0]);
	sets_forget(sets, unused[1]);
	assert_int_equal(sets_unused(sets, unused, 4), 0);
	assert_null(sets_at(sets, one));
	assert_int_equal(roaring_bitmap_get_cardinality(sets_at(sets, part)->hosts), 2);
	assert_int_equal(sets_plan(sets, 1, ids, 3, dictionary, &batch, &same, NULL), 0);
	assert_true(same > part);
	dictionary_committed(dictionary, &batch, false);
	store_batch_fini(&batch);
	sets_free(sets);
	dictionary_close(dictionary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postings__hold_what_was_added),
		on_scene(test_sets__are_numbered_by_what_they_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
