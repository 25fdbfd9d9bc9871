/* SPDX-License-Identifier: Apache-2.0 */
/* The component file, parsed and checked; read-only afterwards. Words as in DESIGN: component, dataflow, stage, step, model, form. */
#pragma once
#include "flow/doc.h"
#include "flow/expr.h"

#define NAME_MAX_BYTES 64  /* a name: letter or _, then letters, digits, _ - */
#define STEPS_MAX 500	   /* steps of one dataflow */
#define FIELDS_MAX 500	   /* fields of one model */

#define FIELD_TYPES(X) X(string) X(datetime) X(catalog) X(number) X(integer) X(array) X(file) X(boolean) X(time) X(date) X(uri)
enum field_type {
#define X(name) FIELD_##name,
	FIELD_TYPES(X)
#undef X
};
const char *field_type_name(enum field_type t);

struct field {
	struct str name;
	enum field_type type;
	bool required, primary_key, query;
	const struct value *title;   /* string or { en, fr }; NULL = the name */
	const struct value *choices; /* "enum": array of values, or of { value, title }; NULL = any */
	const struct value *source;  /* the field as written: help, unit, default, minimum, maximum, min_length, max_length */
	bool has_minimum, has_maximum;
	double minimum, maximum;
	uint64_t min_length, max_length; /* characters; 0 = no limit */
};

struct step_source { /* a step as written */
	struct str name, stage, kind_name, source_step;
	const struct value *title;
	const struct value *settings; /* the whole step object */
	size_t stage_index;
};

struct dataflow {
	struct str name;
	const struct value *title;
	struct step_source *steps;
	size_t n_steps;
	struct str *stages;
	size_t n_stages;
};

struct form {
	struct str name;
	struct str *fields; /* names of model fields, in order; none given = all */
	size_t n_fields;
	struct str submit;  /* dataflow */
	struct str display; /* function, may be empty */
	struct str *entries; /* names of the fields shown in the list of saved entries; none given = all of the model */
	size_t n_entries;
	const struct value *source; /* as written: title, description, submit_title */
};

struct component_secret {
	struct str name, where; /* where: "systems.crm.auth.token" */
};

struct component {
	struct doc *doc; /* owned */
	struct str name;
	const struct value *title;
	const struct value *systems; /* object or NULL */
	struct field *fields;
	size_t n_fields;
	struct dataflow *dataflows;
	size_t n_dataflows;
	struct form *forms;
	size_t n_forms;
	struct str functions; /* JavaScript, may be empty */
	struct component_secret *secrets;
	size_t n_secrets;
	char version[65];     /* hex SHA-256 of the canonical (compact, as ordered) JSON */
	int refs;
};

struct flow_env;

/*
 * Check a document and make the component of it: shape, names, references, each dataflow compiled once to see that it can be. Takes
 * ownership of `doc` in every case. NULL when there are complaints.
 */
struct component *component_new(struct doc *doc, const struct flow_env *env, struct complaints *c);
struct component *component_ref(struct component *k);
void component_unref(struct component *k);
const struct dataflow *component_dataflow(const struct component *k, struct str name); /* NULL when absent; empty name = the only one */
const struct form *component_form(const struct component *k, struct str name);		/* the same */
const struct field *component_field(const struct component *k, struct str name);
/* The component as one JSON value (as in the file). */
const struct value *component_root(const struct component *k);
/* Names of secrets that the file refers to ({ secret: NAME } anywhere under systems); walk with *pos = 0. */
bool component_next_secret(const struct component *k, size_t *pos, struct str *ret_name, struct str *ret_where);

/* Where an input breaks the model. */
typedef void model_complain(void *arg, struct str field, const char *sentence);
enum model_flag {
	MODEL_FROM_TEXT = BIT(0), /* strings are turned into the field's type (CSV, -d k=v, form posts) */
	MODEL_PARTIAL = BIT(1),	  /* required fields may be missing (update) */
	MODEL_ONLY_KNOWN = BIT(2), /* unknown members are refused; else passed on as they are */
};
/*
 * Check `data` (an object) against the fields; the result shares what needs no change. Returns the number of complaints. A required field
 * refuses null, the empty text and blanks. MODEL_FROM_TEXT: the empty text is as good as absent, an array is JSON or texts between commas.
 * A file is a text (its id) or an object with a name.
 */
unsigned model_check(const struct component *k, const struct value *data, unsigned flags, struct arena *a, struct value *ret,
		     model_complain *complain, void *arg);
/* JSON Schema (2020-12) of the component file, with the settings of each kind. */
int component_schema(const struct flow_env *env, struct arena *a, struct value *ret);
