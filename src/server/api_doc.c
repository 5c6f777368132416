/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_doc.h"

#include <inttypes.h>

#include "server/inside.h"

static const struct title {
	const char *service, *text;
} titles[] = {
	{ "inspector2", "inspector2: Amazon Inspector, REST-JSON" },
	{ "ssm", "ssm: Systems Manager, JSON 1.1, target AmazonSSM" },
	{ "ec2messages", "ec2messages: messages of agents, JSON 1.1, target "
	                 "EC2WindowsMessageDeliveryService" },
	{ "sonde", "sonde: uploads of inventories, REST-JSON" },
	{ "ec2", "ec2: tags and instances, EC2 Query" },
	{ "sts", "sts: identities, Query" },
	{ "organizations", "organizations: accounts, JSON 1.1, target AWSOrganizationsV20161128" },
};

static const char *const may_text[] = {
	[MAY_ANYONE] = "anyone, unsigned",
	[MAY_CALL] = "whoever signs",
	[MAY_READ] = "any user",
	[MAY_WRITE] = "administrator",
	[MAY_ADMIN_DELEGATED] = "administrator of the delegated administrator's account",
	[MAY_MANAGEMENT] = "administrator of the management account",
	[MAY_HOST] = "a host, about itself",
	[MAY_HOST_OR_READ] = "a host about itself, any user",
	[MAY_HOST_OR_WRITE] = "a host about itself, administrator",
};

static void write_limits(struct buf *out, const struct shape *shape)
{
	if (shape->has_min && shape->has_max)
		buf_printf(out, " (%" PRId64 " to %" PRId64 ")", shape->min, shape->max);
	else if (shape->has_min)
		buf_printf(out, " (from %" PRId64 ")", shape->min);
	else if (shape->has_max)
		buf_printf(out, " (to %" PRId64 ")", shape->max);
}

static void write_type(struct buf *out, const struct shape *shape, int depth)
{
	static const char *const words[] = {
		[SHAPE_STRUCTURE] = "object",
		[SHAPE_LIST] = "list",
		[SHAPE_MAP] = "map",
		[SHAPE_STRING] = "text",
		[SHAPE_ENUM] = "word",
		[SHAPE_INTEGER] = "integer",
		[SHAPE_LONG] = "integer",
		[SHAPE_DOUBLE] = "number",
		[SHAPE_BOOLEAN] = "boolean",
		[SHAPE_TIMESTAMP] = "time",
		[SHAPE_BLOB] = "bytes",
	};
	bool is_named =
	        shape->name && (shape->kind == SHAPE_STRUCTURE || shape->kind == SHAPE_ENUM);
	buf_printf(out, "%s", is_named ? shape->name : words[shape->kind]);
	write_limits(out, shape);
	if ((shape->kind == SHAPE_LIST || shape->kind == SHAPE_MAP) && shape->item && depth < 4) {
		buf_printf(out, " of ");
		write_type(out, shape->item, depth + 1);
	}
}

static void write_members(struct buf *out, const char *title, const struct shape *shape)
{
	buf_printf(out, "- %s: ", title);
	for (size_t i = 0; i < shape->n; i++) {
		const struct shape_member *member = &shape->members[i];
		buf_printf(out, "%s`%s`%s ", i > 0 ? "; " : "", member->name,
		        member->is_required ? "*" : "");
		write_type(out, member->shape, 0);
	}
	buf_printf(out, "%s\n", shape->n == 0 ? "nothing" : "");
}

static void write_operation(
        struct buf *out, const struct operation_shape *shape, const struct operation *row)
{
	str text = str_from_c(row->text);
	buf_printf(out, "\n### %s\n\n%s%s", shape->name, row->text,
	        str_has_suffix(text, STR(".")) ? "\n\n" : ".\n\n");
	buf_printf(out, "- `%s %s`, %s\n", shape->method, shape->uri, may_text[row->may]);
	write_members(out, "takes", shape->input);
	write_members(out, "gives", shape->output);
	for (size_t i = 0; shape->errors && shape->errors[i]; i++)
		buf_printf(out, "%s%s", i == 0 ? "- errors: " : ", ", shape->errors[i]);
	if (shape->errors && shape->errors[0])
		buf_add_byte(out, '\n');
}

void api_doc_write(struct buf *out)
{
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	buf_printf(out,
	        "# API\n\n"
	        "Made by `sonde-server help --as api` from `src/server/operations.def` and "
	        "`src/aws/shapes/`; do not edit.\n"
	        "`*` marks what is required; numbers in brackets are the least and the most.\n");
	for (size_t t = 0; t < sizeof(titles) / sizeof(*titles); t++) {
		struct operation row;
		buf_printf(out, "\n## %s\n", titles[t].text);
		for (size_t i = 0; i < n; i++) {
			if (strcmp(all[i].service, titles[t].service) == 0 &&
			        operation_describe(&all[i], &row))
				write_operation(out, &all[i], &row);
		}
	}
}
