/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option rows: one row a setting, with type, place, limits, default and the sentence that the user reads. The same rows parse,
 * check, fill defaults and describe themselves as JSON Schema. Used for step kinds and for the server's configuration.
 */
#pragma once
#include "base/json.h"
#include "base/num.h"

enum opt_type {
	OPT_T_STRING,	/* struct str */
	OPT_T_BOOL,	/* bool */
	OPT_T_INT,	/* int64_t */
	OPT_T_DURATION, /* msec_t, written "30s" */
	OPT_T_SIZE,	/* uint64_t, written "10MiB" */
	OPT_T_ENUM,	/* int, index into choices */
	OPT_T_VALUE,	/* const struct value *, any JSON (NULL when left out) */
};

enum opt_flag {
	OPT_REQUIRED = BIT(0),
	OPT_SECRET = BIT(1),   /* never printed */
	OPT_EXPR = BIT(2),     /* a string beginning with "=" is an expression (for UI and schema) */
	OPT_SCRIPT = BIT(3),   /* JavaScript source (for UI and schema) */
	OPT_MAPPING = BIT(4),  /* object or array of values and expressions (for UI and schema) */
};

struct opt {
	const char *name; /* NULL ends the table */
	enum opt_type type;
	size_t offset;
	unsigned flags;
	const char *fallback; /* default, written as in the file; NULL = zero value */
	int64_t min, max;     /* INT, DURATION (ms), SIZE, and length of STRING; both 0 = no limit */
	const char *const *choices; /* ENUM, NULL-terminated */
	const char *schema; /* VALUE: its JSON Schema, or NULL for any */
	const char *brief; /* the sentence */
};

/* The member's C type is checked against the row's type at compile time. */
#define OPT_AT(struct_type, member, ctype) \
	(offsetof(struct_type, member) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct_type *)0)->member), ctype) ? 1 : -1]))
#define OPT_STRING(st, m, fl, def, lo, hi, text) { #m, OPT_T_STRING, OPT_AT(st, m, struct str), (fl), (def), (lo), (hi), NULL, NULL, (text) }
#define OPT_BOOL(st, m, def, text) { #m, OPT_T_BOOL, OPT_AT(st, m, bool), 0, (def), 0, 0, NULL, NULL, (text) }
#define OPT_INT(st, m, def, lo, hi, text) { #m, OPT_T_INT, OPT_AT(st, m, int64_t), 0, (def), (lo), (hi), NULL, NULL, (text) }
#define OPT_DURATION(st, m, def, lo, hi, text) { #m, OPT_T_DURATION, OPT_AT(st, m, msec_t), 0, (def), (lo), (hi), NULL, NULL, (text) }
#define OPT_SIZE(st, m, def, lo, hi, text) { #m, OPT_T_SIZE, OPT_AT(st, m, uint64_t), 0, (def), (lo), (hi), NULL, NULL, (text) }
#define OPT_ENUM(st, m, def, list, text) { #m, OPT_T_ENUM, OPT_AT(st, m, int), 0, (def), 0, 0, (list), NULL, (text) }
#define OPT_VALUE(st, m, fl, sch, text) { #m, OPT_T_VALUE, OPT_AT(st, m, const struct value *), (fl), NULL, 0, 0, NULL, (sch), (text) }
#define OPT_END { .name = NULL }

/* Called once for each thing that is wrong: `at` is the value in question (the object itself when a member is missing). */
typedef void opt_complain(void *arg, const struct value *at, struct str name, const char *sentence);

/*
 * Fill the struct at `out` from `object` by `rows`: defaults first. Members that no row knows are refused with the nearest
 * known name, unless listed in `also` (NULL-terminated, may be NULL). Strings and values borrow from `object`. Returns the
 * number of complaints.
 */
unsigned opt_load(const struct opt *rows, const struct value *object, const char *const *also, void *out, opt_complain *complain,
		  void *arg);
/* The rows as a JSON Schema object ("properties", "required"), values in `a`. */
int opt_schema(const struct opt *rows, struct arena *a, struct value *ret);
/* The name nearest to `name` among n candidates, or NULL when none is near ("did you mean"). */
const char *opt_nearest(struct str name, const char *const *candidates, size_t n);
