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

static char *add(char *at, const char *end, const char *p, size_t n)
{
	if (at && n <= (size_t)(end - at)) {
		if (n > 0)
			memcpy(at, p, n);
		return at + n;
	}
	return NULL;
}

/* This is done for every package of every report: no memory is allocated. */
size_t element_form(const struct element *element, char ret[ELEMENT_MAX_BYTES])
{
	struct element copy = *element;
	const char *end = ret + ELEMENT_MAX_BYTES;
	str *fields[N_FIELDS];
	list_fields(&copy, fields);

	const char head[] = { 'v', '1', ':', element->is_owner_known ? (char)OWNER_KNOWN : 0 };
	char *at = add(ret, end, head, sizeof(head));
	for (size_t i = 0; i < N_FIELDS; i++) {
		/* A field that is longer than its length can say does not fit either. */
		size_t n = fields[i]->n;
		const char length[] = { (char)(n & 0xFF), (char)(n >> 8 & 0xFF) };
		at = add(at, end, length, sizeof(length));
		at = add(at, end, fields[i]->p, n);
	}
	return at ? (size_t)(at - ret) : 0;
}

void element_write(const struct element *element, struct buf *out)
{
	char form[ELEMENT_MAX_BYTES];
	size_t n = element_form(element, form);
	if (n == 0)
		out->failed = true;
	else
		buf_add(out, (str){ form, n });
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
