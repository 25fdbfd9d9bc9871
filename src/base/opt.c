/* SPDX-License-Identifier: Apache-2.0 */
/* Option rows: filling a struct from an object, with a sentence for each thing that is wrong. Schema: opt_schema.c. */
#include "base/opt.h"
#include "base/opt_int.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SENTENCE_MAX 512
#define QUOTED_MAX 40 /* bytes of a value that a sentence repeats */

/* One call of opt_load. */
struct load {
	const struct opt *rows;
	char *out;
	opt_complain *complain;
	void *arg;
	unsigned complaints;
};

static void complain(struct load *l, const struct value *at, struct str name, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void complain(struct load *l, const struct value *at, struct str name, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	l->complaints++;
	if (l->complain)
		l->complain(l->arg, at, name, sentence);
}

static const char *written(uint64_t n, const struct opt_unit *u, char ret[static OPT_WRITTEN_MAX])
{
	while (u->factor > 1 && n % u->factor != 0)
		u++;
	if (n == 0)
		return "0";
	(void)snprintf(ret, OPT_WRITTEN_MAX, "%" PRIu64 "%s", n / u->factor, u->name);
	return ret;
}

const char *opt_written(const struct opt *o, int64_t n, char ret[static OPT_WRITTEN_MAX])
{
	static const struct opt_unit times[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
	};
	static const struct opt_unit sizes[] = {
		{ "GiB", 1u << 30 }, { "MiB", 1u << 20 }, { "KiB", 1u << 10 }, { "B", 1 }
	};
	if (o->type == OPT_T_DURATION && n >= 0)
		return written((uint64_t)n, times, ret);
	if (o->type == OPT_T_SIZE)
		return written((uint64_t)n, sizes, ret);
	(void)snprintf(ret, OPT_WRITTEN_MAX, "%" PRId64, n);
	return ret;
}

/* What a sentence says of the value that it got; a secret is never repeated. */
static const char *got(const struct opt *o, const struct value *v, char ret[static SENTENCE_MAX])
{
	struct str text = str_clip(value_text(v), QUOTED_MAX);
	const char *more = v->kind >= VALUE_NUMBER && v->kind <= VALUE_STRING && text.len < v->len ? "..." : "";
	if (o->flags & OPT_SECRET || v->kind == VALUE_ARRAY || v->kind == VALUE_OBJECT || v->kind == VALUE_NULL)
		(void)snprintf(ret, SENTENCE_MAX, "%s", value_kind_name(v->kind));
	else if (v->kind == VALUE_BOOL)
		(void)snprintf(ret, SENTENCE_MAX, "%s", v->truth ? "true" : "false");
	else if (v->kind == VALUE_NUMBER)
		(void)snprintf(ret, SENTENCE_MAX, "%.*s%s", STR_ARG(text), more);
	else
		(void)snprintf(ret, SENTENCE_MAX, "\"%.*s%s\"", STR_ARG(text), more);
	return ret;
}

static void wrong_type(struct load *l, const struct opt *o, const struct value *v, const char *wanted)
{
	char it[SENTENCE_MAX];
	complain(l, v, str_c(o->name), "\"%s\" must be %s; it is %s", o->name, wanted, got(o, v, it));
}

/* Within min and max? Both 0 means that there are none; a max of 0 alone that there is only a least. */
static bool in_range(struct load *l, const struct opt *o, const struct value *v, int64_t n)
{
	char least[OPT_WRITTEN_MAX], most[OPT_WRITTEN_MAX], it[OPT_WRITTEN_MAX];
	bool has_max = o->max != 0 || o->min < 0;
	if ((o->min == 0 && o->max == 0) || (n >= o->min && (!has_max || n <= o->max)))
		return true;
	if (has_max)
		complain(l, v, str_c(o->name), "\"%s\" must be between %s and %s; it is %s", o->name,
			 opt_written(o, o->min, least), opt_written(o, o->max, most), opt_written(o, n, it));
	else
		complain(l, v, str_c(o->name), "\"%s\" must be at least %s; it is %s", o->name,
			 opt_written(o, o->min, least), opt_written(o, n, it));
	return false;
}

/* Characters, as JSON Schema counts them. */
static int64_t characters(struct str s)
{
	int64_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
	return n;
}

static void load_string(struct load *l, const struct opt *o, const struct value *v, struct str *ret)
{
	if (v->kind != VALUE_STRING) {
		wrong_type(l, o, v, "a text");
		return;
	}
	struct str s = value_text(v);
	int64_t n = characters(s);
	bool is_expression = o->flags & OPT_EXPR && str_starts(s, STR("="));
	if (is_expression || (n >= o->min && (o->max == 0 || n <= o->max)))
		*ret = s;
	else if (n == 0)
		complain(l, v, str_c(o->name), "\"%s\" must not be empty", o->name);
	else
		complain(l, v, str_c(o->name), "\"%s\" must be %s %" PRId64 " characters long; it has %" PRId64,
			 o->name, n < o->min ? "at least" : "at most", n < o->min ? o->min : o->max, n);
}

static void load_int(struct load *l, const struct opt *o, const struct value *v, int64_t *ret)
{
	int64_t n;
	if (v->kind == VALUE_NUMBER && value_to_int64(v, &n)) {
		if (in_range(l, o, v, n))
			*ret = n;
		return;
	}
	double d;
	if (value_to_double(v, &d) && (d >= 9.2e18 || d <= -9.2e18))
		wrong_type(l, o, v, "a smaller number");
	else
		wrong_type(l, o, v, "a whole number");
}

/* Durations and sizes: texts with a unit. A bare JSON number gets the sentence that says which unit to write. */
static void load_measure(struct load *l, const struct opt *o, const struct value *v, void *ret)
{
	struct err e = ERR_INIT;
	bool is_duration = o->type == OPT_T_DURATION;
	if (v->kind != VALUE_STRING && v->kind != VALUE_NUMBER) {
		wrong_type(l, o, v, is_duration ? "a duration such as \"30s\"" : "a size such as \"10MiB\"");
		return;
	}
	msec_t time = 0;
	uint64_t size = 0;
	int r = is_duration ? num_parse_duration(value_text(v), &time, &e) : num_parse_size(value_text(v), &size, &e);
	if (r < 0) {
		complain(l, v, str_c(o->name), "%s %s", o->name, e.msg);
		return;
	}
	int64_t n = is_duration ? time : size > INT64_MAX ? INT64_MAX : (int64_t)size;
	if (!in_range(l, o, v, n))
		return;
	if (is_duration)
		*(msec_t *)ret = time;
	else
		*(uint64_t *)ret = size;
}

static int choice_index(const struct opt *o, struct str s)
{
	for (int i = 0; o->choices[i]; i++)
		if (str_eq_c(s, o->choices[i]))
			return i;
	return -1;
}

static void load_enum(struct load *l, const struct opt *o, const struct value *v, int *ret)
{
	int i = v->kind == VALUE_STRING ? choice_index(o, value_text(v)) : -1;
	if (i >= 0) {
		*ret = i;
		return;
	}
	char list[SENTENCE_MAX / 2] = "", it[SENTENCE_MAX];
	size_t n = 0, used = 0;
	for (; o->choices[n]; n++) {
		int more = snprintf(list + used, sizeof(list) - used, "%s\"%s\"", n ? ", " : "", o->choices[n]);
		if (more > 0 && used + (size_t)more < sizeof(list))
			used += (size_t)more;
	}
	const char *near = v->kind == VALUE_STRING ? opt_nearest(value_text(v), o->choices, n) : NULL;
	complain(l, v, str_c(o->name), "\"%s\" must be one of %.*s; it is %s%s%s%s", o->name, (int)used, list,
		 got(o, v, it), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void load_one(struct load *l, const struct opt *o, const struct value *v)
{
	void *place = l->out + o->offset;
	if (v->kind == VALUE_NULL && o->type != OPT_T_VALUE)
		return; /* "name:" with nothing behind it in YAML: as if left out */
	switch (o->type) {
	case OPT_T_STRING:
		load_string(l, o, v, place);
		break;
	case OPT_T_BOOL:
		if (v->kind == VALUE_BOOL)
			*(bool *)place = v->truth;
		else
			wrong_type(l, o, v, "true or false");
		break;
	case OPT_T_INT:
		load_int(l, o, v, place);
		break;
	case OPT_T_DURATION:
	case OPT_T_SIZE:
		load_measure(l, o, v, place);
		break;
	case OPT_T_ENUM:
		load_enum(l, o, v, place);
		break;
	case OPT_T_VALUE:
		*(const struct value **)place = v;
		break;
	}
}

/* A default that does not parse is our mistake, hence the asserts. */
static void load_fallback(const struct opt *o, char *out)
{
	void *place = out + o->offset;
	struct str text = str_c(o->fallback);
	int r = 0;
	switch (o->type) {
	case OPT_T_STRING:
		*(struct str *)place = text;
		break;
	case OPT_T_BOOL:
		*(bool *)place = str_eq(text, STR("true"));
		assert(!o->fallback || *(bool *)place || str_eq(text, STR("false")));
		break;
	case OPT_T_INT:
		*(int64_t *)place = 0;
		r = o->fallback ? num_parse_i64(text, place) : 0;
		break;
	case OPT_T_DURATION:
		*(msec_t *)place = 0;
		r = o->fallback ? num_parse_duration(text, place, NULL) : 0;
		break;
	case OPT_T_SIZE:
		*(uint64_t *)place = 0;
		r = o->fallback ? num_parse_size(text, place, NULL) : 0;
		break;
	case OPT_T_ENUM:
		*(int *)place = o->fallback ? choice_index(o, text) : 0;
		assert(*(int *)place >= 0);
		break;
	case OPT_T_VALUE:
		*(const struct value **)place = NULL;
		break;
	}
	assert(r == 0);
	(void)r;
}

static const struct opt *row_of(const struct opt *rows, struct str name)
{
	for (const struct opt *o = rows; o->name; o++)
		if (str_eq_c(name, o->name))
			return o;
	return NULL;
}

static void unknown(struct load *l, const struct member *m, const char *const *also)
{
	struct opt_near near = { .name = m->key };
	for (const struct opt *o = l->rows; o->name; o++)
		opt_near_consider(&near, o->name);
	for (; also && *also; also++)
		opt_near_consider(&near, *also);
	struct str key = str_clip(m->key, QUOTED_MAX);
	if (near.best)
		complain(l, &m->value, m->key, "unknown setting \"%.*s\"; did you mean \"%s\"?", STR_ARG(key),
			 near.best);
	else
		complain(l, &m->value, m->key, "unknown setting \"%.*s\"", STR_ARG(key));
}

static bool is_among(struct str name, const char *const *also)
{
	for (; also && *also; also++)
		if (str_eq_c(name, *also))
			return true;
	return false;
}

unsigned opt_load(const struct opt *rows, const struct value *object, const char *const *also, void *out,
		  opt_complain *on_wrong, void *arg)
{
	struct load l = { .rows = rows, .out = out, .complain = on_wrong, .arg = arg };
	for (const struct opt *o = rows; o->name; o++)
		load_fallback(o, out);
	if (!value_is(object, VALUE_OBJECT)) {
		complain(&l, object, STR_NULL, "settings must be an object; this is %s",
			 value_kind_name(object ? object->kind : VALUE_ABSENT));
		return l.complaints;
	}
	for (uint32_t i = 0; i < object->len; i++) {
		const struct member *m = &object->members[i];
		const struct opt *o = row_of(rows, m->key);
		if (o)
			load_one(&l, o, &m->value);
		else if (!is_among(m->key, also))
			unknown(&l, m, also);
	}
	for (const struct opt *o = rows; o->name; o++) {
		const struct value *v = o->flags & OPT_REQUIRED ? value_get_c(object, o->name) : NULL;
		if (o->flags & OPT_REQUIRED && (!v || (v->kind == VALUE_NULL && o->type != OPT_T_VALUE)))
			complain(&l, object, str_c(o->name), "\"%s\" is missing", o->name);
	}
	return l.complaints;
}
