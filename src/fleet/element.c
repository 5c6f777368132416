/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/element.h"

#include "base/buf.h"
#include "base/cursor.h"

/* In a canonical form: the owner is among the OS packages of the host. */
#define OWNER_KNOWN 1u

#define N_FIELDS 13u

/* The fields of a form, in its order; a new one is a new version of the form. */
static void list_fields(struct element *element, str *ret_fields[N_FIELDS])
{
	str *const fields[N_FIELDS] = {
		&element->package.type,
		&element->package.name,
		&element->package.version,
		&element->package.arch,
		&element->package.source_name,
		&element->package.source_version,
		&element->package.module,
		&element->package.vendor,
		&element->package.owner,
		&element->owner_vendor,
		&element->os.os_id,
		&element->os.os_version,
		&element->os.os_codename,
	};
	memcpy(ret_fields, fields, sizeof(fields));
}

void element_write(const struct element *element, struct buf *out)
{
	struct element copy = *element;
	str *fields[N_FIELDS];
	list_fields(&copy, fields);

	buf_add(out, STR("v1:"));
	buf_add_byte(out, element->is_owner_known ? OWNER_KNOWN : 0);
	for (size_t i = 0; i < N_FIELDS; i++) {
		/* A longer field makes the form longer than is accepted, whatever its length says.
		 */
		size_t n = fields[i]->n;
		buf_add_byte(out, (char)(n & 0xFF));
		buf_add_byte(out, (char)(n >> 8 & 0xFF));
		buf_add(out, *fields[i]);
	}
}

int element_read(str form, struct element *ret, struct err *err)
{
	struct cursor cursor = CURSOR(form);
	struct element element = { .id = 0 };
	str *fields[N_FIELDS];

	if (form.n > ELEMENT_MAX_BYTES)
		return err_set(err, -ERR_FORMAT, "an element of %zu bytes", form.n);
	str version = cursor_bytes(&cursor, 3);
	if (version.n == 3 && version.p[0] == 'v' && version.p[2] == ':' && version.p[1] != '1')
		return err_set(err, -ERR_UNSUPPORTED, "an element of version %c", version.p[1]);
	uint8_t flags = cursor_u8(&cursor);
	list_fields(&element, fields);
	for (size_t i = 0; i < N_FIELDS; i++)
		*fields[i] = cursor_bytes(&cursor, cursor_u16(&cursor));

	element.is_owner_known = flags == OWNER_KNOWN;
	if (!str_eq(version, STR("v1:")) || cursor_failed(&cursor) || cursor.rest.n > 0 ||
	        flags > OWNER_KNOWN || element.package.type.n == 0 || element.package.name.n == 0 ||
	        element.package.version.n == 0)
		return err_set(err, -ERR_FORMAT, "what should be an element is none");
	*ret = element;
	return 0;
}
