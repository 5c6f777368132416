/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <errno.h>

#include "fleet/journal.h"
#include "fleet/keys.h"

#define N_RECORDS 10000u

static size_t count(struct scene *scene, enum kind kind)
{
	size_t n = 0;
	struct arena arena = ARENA((size_t)1 << 24);
	for (uint32_t i = 0; i < N_RECORDS; i++) {
		const struct key key = key_u32(i + 1);
		str value;
		n += store_get(scene->store, key_at(0, 0, kind, &key), &arena, &value, NULL) == 0;
	}
	arena_fini(&arena);
	return n;
}

static void fill(struct journal *journal)
{
	for (uint32_t i = 0; i < N_RECORDS; i++) {
		const struct key key = key_u32(i + 1);
		journal_put(journal, key_at(0, 0, KIND_AUDIT, &key), STR("x"));
	}
}

static void test_journal__writes_more_than_a_batch_holds(void **state)
{
	struct scene *scene = *state;
	struct journal journal = { .n_parts = 0 };
	bool waits;
	fill(&journal);
	assert_true(journal.n_parts > 1);
	assert_int_equal(journal_commit(&journal, scene->store, &waits, NULL), 0);
	assert_false(waits);
	assert_int_equal(count(scene, KIND_AUDIT), N_RECORDS);
	assert_int_equal(count(scene, KIND_JOURNAL), 0);
	journal_fini(&journal);
}

/* The store may fail at any commit; whenever it does, the change is found whole, or not at all. */
static void test_journal__is_whole_or_nothing_wherever_it_fails(void **state)
{
	struct scene *scene = *state;
	size_t n_whole = 0, n_nothing = 0;
	for (int n_commits = 0; n_commits < 12; n_commits++) {
		struct journal journal = { .n_parts = 0 };
		bool waits = false;
		fill(&journal);
		scene_fail_after(n_commits, -ENOSPC);
		int r = journal_commit(&journal, scene->store, &waits, NULL);
		if (waits)
			assert_int_equal(journal_finish(scene->store, NULL), -ENOSPC);
		scene_fail(0);
		journal_fini(&journal);
		scene_restart(scene);
		size_t n = count(scene, KIND_AUDIT);
		assert_int_equal(n, r == 0 ? N_RECORDS : 0);
		assert_int_equal(count(scene, KIND_JOURNAL), 0);
		n_whole += n > 0;
		n_nothing += n == 0;
		for (int k = 0; k < 2; k++) {
			struct store_batch batch;
			const struct key none = { .n = 0 };
			store_batch_init(&batch, 0);
			store_batch_delete_range(
			        &batch, key_at(0, 0, KIND_AUDIT, &none), STR(""), STORE_DELETE_MAX);
			assert_int_equal(store_commit(scene->store, &batch, NULL), 0);
			store_batch_fini(&batch);
		}
	}
	assert_true(n_whole > 2 && n_nothing > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_journal__writes_more_than_a_batch_holds),
		on_scene(test_journal__is_whole_or_nothing_wherever_it_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
