/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the component's check: shared by component.c, component_model.c and component_flow.c. */
#pragma once
#include "base/opt.h"
#include "flow/component.h"
#include "flow/kind.h"

#define QUOTE_MAX 40	  /* bytes of a name repeated in a complaint */
#define STAGE_NAME_MAX 80 /* characters */

struct check {
	struct component *component;
	struct doc *doc;
	struct arena *arena; /* the document's */
	struct complaints *complaints;
	const struct flow_env *env;
};

/* "%.*s" of a name from the file, cut to QUOTE_MAX. */
#define CLIP(s) STR_ARG(str_clip((s), QUOTE_MAX))

#define COMPLAIN(k, at, place, ...) doc_complain((k)->doc, (k)->complaints, (at), (place), __VA_ARGS__)

/* Formats in the complaints' arena, NUL-terminated; empty when memory is out. */
struct str check_place(struct check *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Complains when `v` is not of the kind; NULL is fine and gives NULL. */
const struct value *check_kind(struct check *k, const struct value *object, const char *name, enum value_kind kind,
			       struct str place);
/* Complains about members that are not among `known` (NULL-terminated). */
void check_known(struct check *k, const struct value *object, const char *const *known, struct str place);
/* Is it a name? Else complains at `at`. `what`: "the step's name". */
bool check_name(struct check *k, struct str name, const struct value *at, struct str place, const char *what);
/* A text or an object of texts by language; NULL when absent or wrong. */
const struct value *check_title(struct check *k, const struct value *object, const char *name, struct str place);
/* The nearest of the n names: " did you mean \"x\"?", or "". */
const char *check_hint(struct check *k, struct str name, const char *const *names, size_t n);

void check_model(struct check *k, const struct value *model);
void check_forms(struct check *k, const struct value *forms);
void check_dataflows(struct check *k, const struct value *dataflows);

extern const struct opt field_rows[]; /* of a row in the model, for check and schema */
extern const char *const field_type_names[];
