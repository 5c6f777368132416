/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#define REPORT(id) extern const struct report_format report_##id;
#include "report/reports.def"
#undef REPORT

static const struct report_format *const formats[] = {
#define REPORT(id) &report_##id,
#include "report/reports.def"
#undef REPORT
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct report_format *report_format_find(str name)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		if (str_eq(name, str_from_c(formats[i]->name)))
			return formats[i];
	}
	return NULL;
}

const struct report_format *const *report_format_all(size_t *ret_count)
{
	*ret_count = N_FORMATS;
	return formats;
}
