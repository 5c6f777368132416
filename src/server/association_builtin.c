/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The associations that EC2 scanning lives by, under the names that Amazon Inspector gives them, so
 * that what users know of those holds here.
 */
#include "server/association.h"

#include "base/cleanup.h"
#include "ssm/builtin_documents.h"
#include "server/document.h"
#include "server/ssm.h"

struct builtin {
	const char *name, *document, *schedule;
	bool is_deep;   /* only while deep inspection is active */
	bool is_common; /* one of the user's that does the same will do */
};

static const struct builtin builtins[] = {
	{ .name = "InspectorInventoryCollection-do-not-delete",
	        .document = "AWS-GatherSoftwareInventory",
	        .schedule = "rate(30 minutes)",
	        .is_common = true },
	{ .name = "InspectorLinuxDistributor-do-not-delete",
	        .document = "AmazonInspector2-ConfigureInspectorSsmPluginLinux",
	        .schedule = "rate(1 day)" },
	{ .name = "InvokeInspectorLinuxSsmPlugin-do-not-delete",
	        .document = "AmazonInspector2-InvokeInspectorSsmPluginLinux",
	        .schedule = "rate(6 hours)",
	        .is_deep = true },
};

#define N_BUILTINS (sizeof builtins / sizeof builtins[0])

static bool targets_all(const struct association *association)
{
	const struct value *targets = value_get(&association->spec, STR("Targets"));
	const struct value *first = value_at(targets, 0);
	return value_count(targets) == 1 &&
	       str_eq_nocase(value_get_str(first, STR("Key")), STR("InstanceIds")) &&
	       value_has_str(value_get(first, STR("Values")), STR("*"));
}

static bool is_of(const struct association *association, const struct builtin *builtin)
{
	return association->is_builtin &&
	       str_eq(association_str(association, "AssociationName"), str_from_c(builtin->name));
}

static bool is_there(const struct association *all, size_t n, const struct builtin *builtin)
{
	for (size_t i = 0; i < n; i++) {
		if (is_of(&all[i], builtin))
			return true;
		if (builtin->is_common && targets_all(&all[i]) &&
		        str_eq(document_name(association_str(&all[i], "Name")),
		                str_from_c(builtin->document)))
			return true;
	}
	return false;
}

static int make_spec(const struct builtin *builtin, struct arena *arena, struct value *ret)
{
	const struct value *made = NULL;
	autodraft draft = { 0 };
	str text;

	draft_begin(&draft);
	json_write_member_str(&draft.json, "Name", str_from_c(builtin->document));
	json_write_member_str(&draft.json, "AssociationName", str_from_c(builtin->name));
	json_write_member_str(&draft.json, "ScheduleExpression", str_from_c(builtin->schedule));
	json_write_key(&draft.json, "Targets");
	json_write_array(&draft.json);
	json_write_object(&draft.json);
	json_write_member_str(&draft.json, "Key", STR("InstanceIds"));
	json_write_key(&draft.json, "Values");
	json_write_array(&draft.json);
	json_write_str(&draft.json, STR("*"));
	json_write_array_end(&draft.json);
	json_write_object_end(&draft.json);
	json_write_array_end(&draft.json);
	int r = draft_end(&draft, arena, &text);
	if (r == 0)
		r = value_from_json(text, arena, &made, NULL);
	if (r == 0)
		*ret = *made;
	return r;
}

/* Under account_lock(). */
static int add(struct server *server, int64_t account, const struct builtin *builtin,
        int64_t now_at, struct arena *arena, struct association *ret, struct err *err)
{
	struct association made = {
		.version = 1, .created_at = now_at, .updated_at = now_at, .is_builtin = true
	};
	struct object_change changes[3];
	char id[37];

	int r = make_spec(builtin, arena, &made.spec);
	if (r == 0)
		r = uuid_make(id);
	if (r == 0)
		r = arena_copy(arena, str_from_c(id), &made.id);
	if (r == 0)
		r = association_ask(account, &made, now_at, arena, &changes[2]);
	if (r == 0)
		r = association_changes(account, &made, true, arena, changes);
	if (r == 0)
		r = objects_change(server->objects, changes, 3, NULL, err);
	if (r == 0)
		*ret = made;
	return r;
}

static int remove_of(struct server *server, int64_t account, const struct association *all,
        size_t n, const struct builtin *builtin, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (is_of(&all[i], builtin))
			r = association_delete(server, account, all[i].id, err);
	}
	return r;
}

static int ensure(struct server *server, const struct account *account, int64_t now_at,
        struct arena *arena, struct association made[N_BUILTINS], size_t *ret_n, struct err *err)
{
	struct association *all = NULL;
	size_t n = 0;
	int r = association_list(server, account->number, arena, &all, &n);
	for (size_t i = 0; r == 0 && i < N_BUILTINS; i++) {
		if (builtins[i].is_deep && !account->is_deep_active)
			r = remove_of(server, account->number, all, n, &builtins[i], err);
		else if (!is_there(all, n, &builtins[i]))
			r = add(server, account->number, &builtins[i], now_at, arena,
			        &made[(*ret_n)++], err);
	}
	return r;
}

int association_ensure_builtin(
        struct server *server, int64_t account, int64_t now_at, struct err *err)
{
	struct arena arena = ARENA((size_t)128 << 20);
	struct association made[N_BUILTINS];
	struct account settings;
	size_t n = 0;

	account_lock(server, account);
	int r = account_get(server, account, &arena, &settings);
	if (r == 0)
		r = ensure(server, &settings, now_at, &arena, made, &n, err);
	account_unlock(server, account);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = association_wake(server, account, &made[i], &arena);
	arena_fini(&arena);
	return r;
}

int association_remove_builtin(struct server *server, int64_t account, struct err *err)
{
	struct arena arena = ARENA((size_t)64 << 20);
	struct association *all = NULL;
	size_t n = 0;

	account_lock(server, account);
	int r = association_list(server, account, &arena, &all, &n);
	for (size_t i = 0; r == 0 && i < N_BUILTINS; i++)
		r = remove_of(server, account, all, n, &builtins[i], err);
	account_unlock(server, account);
	arena_fini(&arena);
	return r;
}
