/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "server/api.h"
#include "server/inside.h"

struct row {
	const char *service, *name;
	enum may may;
	int (*handle)(struct request *request, struct response *response);
	const char *text;
};

static const struct row rows[] = {
#define OPERATION(service, name, may, handler, text) { #service, #name, may, api_##handler, text },
#include "server/operations.def"
#undef OPERATION
};

#define N_ROWS (sizeof(rows) / sizeof(*rows))

static int add(struct server_inside *inside, const struct row *row, struct operation *place,
        struct err *err)
{
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	const struct operation_shape *shape =
	        operation_find(str_from_c(row->service), str_from_c(row->name));
	if (!shape)
		return err_set(err, -EINVAL, "operations.def: %s %s has no shape", row->service,
		        row->name);
	if (inside->operations[shape - all])
		return err_set(err, -EINVAL, "operations.def: %s %s stands twice", row->service,
		        row->name);
	*place = (struct operation){
		.shape = shape, .may = row->may, .handle = row->handle, .text = row->text
	};
	inside->operations[shape - all] = place;
	return 0;
}

int operations_make(struct server *server, struct err *err)
{
	struct server_inside *inside = server->inside;
	size_t n;
	(void)operation_all(&n);
	/* Pointers by index, and behind them the rows they point to. */
	inside->operations = calloc(n + 1, sizeof(*inside->operations));
	inside->rows = calloc(N_ROWS + 1, sizeof(*inside->rows));
	inside->counts = calloc(n + 1, sizeof(*inside->counts));
	inside->n_operations = n;
	if (!inside->operations || !inside->rows || !inside->counts)
		return err_set(err, -ENOMEM, "no memory for operations");
	for (size_t i = 0; i < N_ROWS; i++) {
		int r = add(inside, &rows[i], &inside->rows[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

void operations_free(struct server *server)
{
	free(server->inside->operations);
	free(server->inside->rows);
	free(server->inside->counts);
}

const struct operation *operation_row(
        const struct server *server, const struct operation_shape *shape)
{
	size_t n;
	return shape ? server->inside->operations[shape - operation_all(&n)] : NULL;
}

bool may_call(enum may may, const struct caller *caller)
{
	enum role role = caller->role;
	bool is_user = role == ROLE_ADMIN || role == ROLE_READER;
	switch (may) {
	case MAY_ANYONE: return true;
	case MAY_CALL: return role != ROLE_NOBODY;
	case MAY_READ: return is_user;
	case MAY_WRITE: return role == ROLE_ADMIN;
	case MAY_ADMIN_DELEGATED: return role == ROLE_ADMIN && caller->is_delegated;
	case MAY_MANAGEMENT: return role == ROLE_ADMIN && caller->is_management;
	case MAY_HOST: return role == ROLE_HOST;
	case MAY_HOST_OR_READ: return role == ROLE_HOST || is_user;
	case MAY_HOST_OR_WRITE: return role == ROLE_HOST || role == ROLE_ADMIN;
	}
	return false;
}
