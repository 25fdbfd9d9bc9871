/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: noun first, cause last, key=value tail; context comes from the parent. To stderr: readable text on a terminal,
 * one JSON object a line otherwise (or as log_setup says). Thread safe: one write(2) a line, at most LOG_LINE_MAX bytes.
 */
#pragma once
#include "base/attr.h"

#define LOG_LINE_MAX 4096

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };

/* Who speaks: "run=17", below it "step=forecast". NULL is the program itself. Strings are borrowed while the context lives. */
struct log {
	const struct log *parent;
	const char *key;
	const char *value;
};

void log_setup(enum log_level least, enum log_format format);
bool log_level_parse(const char *name, enum log_level *ret);
bool log_wants(enum log_level level);
void log_write(const struct log *ctx, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(ctx, ...) (log_wants(LOG_DEBUG) ? log_write((ctx), LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(ctx, ...) (log_wants(LOG_INFO) ? log_write((ctx), LOG_INFO, __VA_ARGS__) : (void)0)
#define log_warn(ctx, ...) log_write((ctx), LOG_WARN, __VA_ARGS__)
#define log_error(ctx, ...) log_write((ctx), LOG_ERROR, __VA_ARGS__)
