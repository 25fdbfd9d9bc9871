/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of bodies share: kinds, templates of XML, files as values. */
#pragma once
#include "call/call_int.h"

/* By media type alone. */
enum body_kind body_kind_of(struct str media_type);

/* ---- body_declare.c ---- */

/* What an operation says of its body; `op->method` is known. */
void request_body_load(struct arena *a, const struct value *v, struct told *t, struct operation *op);
void graphql_load(struct arena *a, const struct value *operation, const struct value *v, struct told *t,
		  struct operation *op);

/* ---- body_xml.c ---- */

/* One {{path}} with the fixed text before it. */
struct body_slot {
	struct str before, path;
	bool in_attribute;
};

struct body_template {
	struct body_slot *slots;
	size_t n_slots;
	struct str end; /* fixed text after the last slot */
};

/*
 * Reads a template and holds it to the rules of XML 1.0, so that whatever comes into the slots the result is
 * well-formed. NULL with "line N: what is wrong": a slot not closed or outside of texts and attribute values, elements
 * that do not match, a DOCTYPE. Borrows the text. Namespaces are not looked at.
 */
struct body_template *body_template_new(struct arena *a, struct str text, struct err *e);
/* Null and absent values leave their slot empty; containers and bytes that XML cannot hold are refused by the slot's
 * name. */
int body_template_write(struct buf *b, const struct body_template *t, const struct value *body, struct err *e);

/* ---- body_file.c ---- */

/* A value that stands for bytes: { file: ID }, { base64: ... } or, with a name, { text: ..., name: ... }. Borrows. */
struct body_file {
	struct str id, base64, text; /* one of them, the others NULL */
	struct str name, media_type; /* ptr NULL = not given */
};

/* 1 = `v` is one; 0 = it is not; -ERR_INVALID = it wants to be one and is wrong. */
int body_file_parse(const struct value *v, struct body_file *ret, struct err *e);
/* The bytes of one that has no id appended; -ERR_INVALID for what is no base64. */
int body_file_append(const struct body_file *f, struct buf *b, struct err *e);
/* "type/subtype" of tokens, parameters without control bytes. */
bool media_type_is_clean(struct str type);

/* ---- body_graphql.c ---- */

enum graphql_row { GRAPHQL_QUERY, GRAPHQL_OPERATION_NAME, GRAPHQL_VARIABLES, GRAPHQL_VARIABLE };
/* What a row of that name is: the query and the operation's name only where the operation does not give them. */
enum graphql_row graphql_row_of(const struct graphql *g, struct str name);
bool graphql_has_variable(struct str query, struct str name);

/* ---- body_check.c ---- */

/* The rows of a mapping against the body's kind, told at their places. */
void body_check_mapping(const struct call_spec *s, const struct value *mapping, struct told *t);
