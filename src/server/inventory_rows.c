/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host reported of a type, as rows of texts, whichever way it was reported.
 */
#include "fleet/content.h"
#include "server/inventory.h"

/* Rows of AWS:InstanceInformation, and the facts they are made of. */
static const struct {
	str attribute;
	const char *fact;
} instance_columns[] = {
	{ STR("AgentType"), "AgentType" },
	{ STR("AgentVersion"), "AgentVersion" },
	{ STR("ComputerName"), "ComputerName" },
	{ STR("InstanceStatus"), "AgentStatus" },
	{ STR("IpAddress"), "IPAddress" },
	{ STR("PlatformName"), "PlatformName" },
	{ STR("PlatformType"), "PlatformType" },
	{ STR("PlatformVersion"), "PlatformVersion" },
};

#define N_INSTANCE (sizeof(instance_columns) / sizeof(instance_columns[0]))

struct row {
	struct value_member members[16];
	size_t n;
};

static void put(struct row *row, str key, str text)
{
	if (text.n > 0 && row->n < sizeof(row->members) / sizeof(row->members[0]))
		row->members[row->n++] = (struct value_member){ key, value_of_str(text) };
}

static int take_rows(
        struct arena *arena, const struct value *rows, size_t n, struct inventory_rows *ret)
{
	struct value *array = arena_alloc(arena, 1, sizeof(*array));
	if (!array)
		return -ERR_LIMIT;
	int r = value_of_items(arena, rows, n, array);
	ret->rows = r == 0 ? array : NULL;
	return r;
}

static int make_instance(
        const struct fleet_host *host, struct arena *arena, struct inventory_rows *ret)
{
	struct host_text shown = host_ssm_id(host);
	struct row row = { .n = 0 };
	struct value object;
	str id;
	if (arena_copy(arena, str_from_c(shown.text), &id) < 0)
		return -ERR_LIMIT;
	put(&row, STR("InstanceId"), id);
	put(&row, STR("ResourceType"), host->is_ec2 ? STR("EC2Instance") : STR("ManagedInstance"));
	for (size_t i = 0; i < N_INSTANCE; i++)
		put(&row, instance_columns[i].attribute, host_fact(host, instance_columns[i].fact));
	if (value_of_members(arena, row.members, row.n, &object) < 0)
		return -ERR_LIMIT;
	ret->is_there = true;
	if (ret->schema_version.n == 0)
		ret->schema_version = STR("1.0");
	return take_rows(arena, &object, 1, ret);
}

static int make_package_row(const struct package *pkg, struct arena *arena, struct value *ret)
{
	struct row row = { .n = 0 };
	const char *manager = content_package_manager(pkg->type);
	put(&row, STR("Name"), pkg->name);
	put(&row, STR("Version"), pkg->version);
	put(&row, STR("Architecture"), pkg->arch);
	put(&row, STR("Type"), pkg->type);
	put(&row, STR("PackageManager"), str_from_c(manager));
	put(&row, STR("Path"), str_is_utf8(pkg->path) ? pkg->path : STR(""));
	put(&row, STR("SourceName"), pkg->source_name);
	put(&row, STR("SourceVersion"), pkg->source_version);
	put(&row, STR("Owner"), pkg->owner);
	put(&row, STR("Publisher"), pkg->vendor);
	return value_of_members(arena, row.members, row.n, ret);
}

static int make_own(str text, struct arena *arena, struct inventory_rows *ret, struct err *err)
{
	struct content content = { .n_packages = 0 };
	struct ledger ledger = { .arena = arena };
	int r = content_read(STR(FLEET_OWN_TYPE), text, NULL, arena, &ledger, &content, err);
	struct value *rows =
	        r < 0 ? NULL : arena_alloc(arena, content.n_packages + 1, sizeof(*rows));
	if (r == 0 && !rows)
		r = -ERR_LIMIT;
	for (size_t i = 0; r == 0 && i < content.n_packages; i++)
		r = make_package_row(&content.packages[i], arena, &rows[i]);
	return r < 0 ? r : take_rows(arena, rows, content.n_packages, ret);
}

int inventory_rows(struct server *server, const struct fleet_host *host, str type,
        struct arena *arena, struct inventory_rows *ret, struct err *err)
{
	const struct host_item *item = host_item(host, type);
	str text;
	*ret = (struct inventory_rows){ .type = type };
	if (item) {
		ret->is_there = true;
		ret->schema_version = item->schema_version;
		ret->capture_time = item->capture_time;
		ret->content_hash = item->content_hash;
	}
	if (str_eq(type, STR(CONTENT_INSTANCE)))
		return make_instance(host, arena, ret);
	if (!item)
		return 0;
	int r = fleet_evidence(server->fleet, host, type, arena, &text, err);
	if (r < 0)
		return r;
	if (text.n == 0)
		return take_rows(arena, NULL, 0, ret);
	if (str_eq(type, STR(FLEET_OWN_TYPE)))
		return make_own(text, arena, ret, err);
	return value_from_json(text, arena, &ret->rows, err);
}
