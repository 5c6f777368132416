/* SPDX-License-Identifier: Apache-2.0 */
#include "rpm_make.h"

static void add_u32be(struct buf *buf, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_byte(buf, (char)(v >> shift));
}

void rpm_make_fini(struct rpm_make *make)
{
	buf_fini(&make->index);
	buf_fini(&make->store);
}

void rpm_make_entry(struct rpm_make *make, uint32_t tag, uint32_t type, uint32_t count, str value)
{
	while (type == 4 && make->store.n % 4 != 0)
		buf_add_byte(&make->store, 0);
	add_u32be(&make->index, tag);
	add_u32be(&make->index, type);
	add_u32be(&make->index, (uint32_t)make->store.n);
	add_u32be(&make->index, count);
	buf_add(&make->store, value);
	make->n_entries++;
}

void rpm_make_string(struct rpm_make *make, uint32_t tag, const char *text)
{
	rpm_make_entry(make, tag, 6, 1, (str){ text, strlen(text) + 1 });
}

void rpm_make_strings(struct rpm_make *make, uint32_t tag, const char *const *texts)
{
	autobuf all = BUF(1 << 20);
	uint32_t count = 0;
	for (; texts[count]; count++)
		buf_add(&all, (str){ texts[count], strlen(texts[count]) + 1 });
	rpm_make_entry(make, tag, 8, count, buf_str(&all));
}

void rpm_make_numbers(struct rpm_make *make, uint32_t tag, const uint32_t *numbers, uint32_t count)
{
	autobuf all = BUF(1 << 20);
	for (uint32_t i = 0; i < count; i++)
		add_u32be(&all, numbers[i]);
	rpm_make_entry(make, tag, 4, count, buf_str(&all));
}

void rpm_make_finish(const struct rpm_make *make, struct buf *out)
{
	add_u32be(out, make->n_entries);
	add_u32be(out, (uint32_t)make->store.n);
	buf_add(out, buf_str(&make->index));
	buf_add(out, buf_str(&make->store));
}

void rpm_make_simple(const char *name, const char *version, struct buf *out)
{
	struct rpm_make make = RPM_MAKE;
	rpm_make_string(&make, 1000, name);
	rpm_make_string(&make, 1001, version);
	rpm_make_string(&make, 1002, "1.el9");
	rpm_make_string(&make, 1022, "x86_64");
	rpm_make_numbers(&make, 1116, (const uint32_t[]){ 0, 1 }, 2);
	rpm_make_strings(&make, 1117, (const char *const[]){ "tool", "METADATA", NULL });
	rpm_make_strings(&make, 1118,
	        (const char *const[]){
	                "/usr/bin/", "/usr/lib/python3.9/site-packages/a.dist-info/", NULL });
	rpm_make_finish(&make, out);
	rpm_make_fini(&make);
}
