/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * log: one event, one line: when, how grave, a sentence, and then key=value. Values from outside
 * are escaped here. Never a secret, a token or the content of a request.
 */

#include "base/err.h"
#include "base/str.h"

enum log_level {
	LOG_ERROR,   /* someone must act */
	LOG_WARNING, /* degraded, going on */
	LOG_INFO,    /* what happened, one line each */
	LOG_DEBUG,
};

/** Where lines go. */
struct log {
	int fd;              /* -1: nowhere */
	enum log_level most; /* less grave ones are left out */
};

/** One key and its value. */
struct log_field {
	const char *key; /* static; NULL ends a list */
	str text;        /* p NULL: `number` */
	int64_t number;
};

#define LOG_TEXT(k, t)                                                                             \
	{                                                                                          \
		.key = (k), .text = (t)                                                            \
	}
#define LOG_NUMBER(k, v)                                                                           \
	{                                                                                          \
		.key = (k), .number = (v)                                                          \
	}
#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__, { .key = NULL } })

/**
 * Write a line, whole or not at all.
 *
 * In:      sentence  static
 *          fields    LOG_FIELDS(...), or NULL
 * Threads: any
 */
void log_write(const struct log *log, enum log_level level, const char *sentence,
        const struct log_field *fields);

/** Write a failure as an error: its sentence is a value. Returns: err->code, or -EIO without one */
int log_error(const struct log *log, const char *sentence, const struct err *err);
