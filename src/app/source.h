/* SPDX-License-Identifier: Apache-2.0 */
/* Where a command's items come from and go to: NDJSON, CSV, JSON arrays; files, pipes. Streams: memory does not grow with the items. */
#pragma once
#include "app/app.h"

enum item_format { FORMAT_NDJSON, FORMAT_CSV, FORMAT_JSON, FORMAT_PRETTY };
/* By name or by the ending of a file name; false when neither tells. */
bool format_parse(const char *name, enum item_format *ret);
bool format_of_file(const char *path, enum item_format *ret);

struct source;
/* Open a file ("-" = stdin). */
struct source *source_open(struct loop *l, const char *path, enum item_format format, struct err *e);
/* One item, given as JSON text. */
struct source *source_single(struct str object);
struct run_source source_face(struct source *s);
void source_attach(struct source *s, struct run *r); /* who is told when a pipe has more */
/* Share of a file that was read, 0..1, or negative when unknown. */
double source_share(const struct source *s);
void source_close(struct source *s);

struct sink;
/* "-" or NULL = stdout; a file is written beside and renamed by sink_finish(). */
struct sink *sink_open(const char *path, enum item_format format, struct err *e);
int sink_write(struct sink *s, const struct value *item, struct err *e);
int sink_finish(struct sink *s, struct err *e); /* to disk and to its name */
void sink_close(struct sink *s);		/* drops what was not finished */
