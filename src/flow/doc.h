/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML 1.2 or JSON file as values that know their line. The one door to libfyaml. */
#pragma once
#include "flow/complaint.h"

#define DOC_MAX_BYTES (4u << 20)  /* longest component file */
#define DOC_MAX_NODES 200000	  /* values in one document, aliases counted at each use */

struct doc; /* owns its arena and bytes */

/*
 * Parse. JSON when the first non-blank byte is "{" or the name ends in .json, else YAML 1.2 core schema (so "no" is a string and numbers keep
 * their text). Refused with a complaint: not UTF-8, tabs as indentation, duplicate keys, anchors that contain themselves, more than
 * the limits, more than one document, empty input, keys that are no strings, merge keys, tags but !!str, plain scalars that
 * only YAML takes for numbers (0x1F, 007, .inf). NULL when refused. `bytes` are copied.
 */
struct doc *doc_parse(const char *name, struct str bytes, struct complaints *c);
struct doc *doc_load(const char *path, struct complaints *c, struct err *e); /* -ERR_IO in e when the file cannot be read */
void doc_free(struct doc *d);
const struct value *doc_root(const struct doc *d);
const char *doc_name(const struct doc *d);
struct arena *doc_arena(struct doc *d);
/* Line and column (in characters) where this very value (by address) begins, a block text (|) at its first line; false when unknown. */
bool doc_place(const struct doc *d, const struct value *v, unsigned *ret_line, unsigned *ret_column);
/* JSON Pointer of this very value; the empty string for the root or when unknown. */
struct str doc_pointer(const struct doc *d, const struct value *v);
/* Record a complaint at a value (NULL = the root). `place` for people, may be "". */
void doc_complain(const struct doc *d, struct complaints *c, const struct value *at, struct str place, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The same at a member's key: for keys that nobody knows. */
void doc_complain_key(const struct doc *d, struct complaints *c, const struct member *m, struct str place, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Write a value as YAML (block style, strings quoted when YAML 1.2 core or 1.1 would read them otherwise, multi-line strings as literal blocks). */
int yaml_write(struct buf *b, const struct value *v);
