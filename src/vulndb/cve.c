/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/cve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"

#define PAGE_HEAD_BYTES 8u
#define PAGE_ROW_BYTES 8u

bool cve_parse(str id, uint32_t *ret_year, uint32_t *ret_number)
{
	uint64_t year, number;
	if (!str_has_prefix(id, STR("CVE-")) || id.n < 13 || id.n > 18 || id.p[8] != '-')
		return false;
	if (!str_to_u64((str){ id.p + 4, 4 }, 9999, &year) ||
	        !str_to_u64(str_skip(id, 9), 999999999, &number))
		return false;
	*ret_year = (uint32_t)year;
	*ret_number = (uint32_t)number;
	return true;
}

void cve_table_fini(struct cve_table *table)
{
	free(table->rows);
	*table = (struct cve_table){ 0 };
}

int cve_table_add(struct cve_table *table, uint32_t year, uint32_t number, uint32_t value)
{
	if (table->n >= RECORDS_MAX)
		return -ERR_LIMIT;
	if (table->n == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 4096;
		struct cve_row *rows = realloc(table->rows, cap * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		table->cap = cap;
	}
	table->rows[table->n] = (struct cve_row){
		.year = year, .number = number, .value = value, .order = (uint32_t)table->n
	};
	table->n++;
	return 0;
}

static int by_cve(const void *a, const void *b)
{
	const struct cve_row *x = a, *y = b;
	if (x->year != y->year)
		return x->year < y->year ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Drop the rows whose CVE stands before them. */
static void drop_repeated(struct cve_table *table, struct job *job)
{
	size_t n = 0;
	for (size_t i = 0; i < table->n; i++) {
		const struct cve_row *row = &table->rows[i];
		if (n > 0 && table->rows[n - 1].year == row->year &&
		        table->rows[n - 1].number == row->number) {
			char id[32];
			int length =
			        snprintf(id, sizeof(id), "CVE-%04u-%04u", row->year, row->number);
			job->result.by_reason[REASON_USED]--;
			job_left_out(job, (str){ id, length > 0 ? (size_t)length : 0 },
			        REASON_DUPLICATE);
			continue;
		}
		table->rows[n++] = *row;
	}
	table->n = n;
}

/* One page of rows of one year; returns how many it took. */
static size_t fill_page(const struct cve_row *rows, size_t n, struct buf *out)
{
	size_t count = 0;
	while (count < n && count < PAGE_ROWS && rows[count].year == rows[0].year)
		count++;
	buf_clear(out);
	buf_add_u32(out, rows[0].year);
	buf_add_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		buf_add_u32(out, rows[i].number);
		buf_add_u32(out, rows[i].value);
	}
	return count;
}

static int write_pages(const struct cve_table *table, struct feed_writer *writer, struct err *err)
{
	autobuf page = BUF(PAGE_HEAD_BYTES + PAGE_ROWS * PAGE_ROW_BYTES);
	for (size_t i = 0; i < table->n;) {
		char key[32];
		const struct cve_row *first = &table->rows[i];
		int length = snprintf(key, sizeof(key), "%04u-%010u", first->year, first->number);
		i += fill_page(first, table->n - i, &page);
		if (buf_failed(&page) || length < 0)
			return err_set(err, -ENOMEM, "out of memory");
		int r = feed_writer_add(
		        writer, (str){ key, (size_t)length }, STR(""), buf_str(&page), err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cve_table_store(struct cve_table *table, struct job *job, str licence, struct err *err)
{
	struct feed_writer *writer = NULL;
	if (table->n > 0)
		qsort(table->rows, table->n, sizeof(*table->rows), by_cve);
	drop_repeated(table, job);
	int r = feed_writer_new(job->dir_fd, job->found->name, &writer, err);
	if (r == 0)
		r = write_pages(table, writer, err);
	if (r == 0)
		r = job_commit(job, writer, licence, err);
	feed_writer_free(writer);
	return r;
}

static int page_rows(str page, uint32_t *ret_year, size_t *ret_count, str *ret_rows)
{
	struct cursor in = CURSOR(page);
	uint32_t year = cursor_u32(&in), count = cursor_u32(&in);
	if (cursor_failed(&in) || count == 0 || count > PAGE_ROWS ||
	        in.rest.n != (size_t)count * PAGE_ROW_BYTES)
		return -ERR_FORMAT;
	*ret_year = year;
	*ret_count = count;
	*ret_rows = in.rest;
	return 0;
}

int cve_page_find(str page, uint32_t year, uint32_t number, uint32_t *ret_value)
{
	uint32_t page_year;
	size_t low = 0, high;
	str rows;
	int r = page_rows(page, &page_year, &high, &rows);
	if (r < 0 || page_year != year)
		return r;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct cursor row = CURSOR(str_skip(rows, middle * PAGE_ROW_BYTES));
		uint32_t at = cursor_u32(&row), value = cursor_u32(&row);
		if (at == number) {
			*ret_value = value;
			return 1;
		}
		if (at < number)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

int cve_page_key(str page, int64_t *ret_key)
{
	uint32_t year;
	size_t count;
	str rows;
	int r = page_rows(page, &year, &count, &rows);
	if (r < 0)
		return r;
	struct cursor in = CURSOR(rows);
	*ret_key = (int64_t)year << 32 | cursor_u32(&in);
	return year > 9999 ? -ERR_FORMAT : 0;
}
