/* SPDX-License-Identifier: Apache-2.0 */
/* Input against the model: what a form, a caller or a table brings, in the types that the fields have. */
#include "base/json.h"
#include "base/num.h"
#include "flow/component_int.h"
#include "flow/model_time.h"

#include <inttypes.h>
#include <stdio.h>

#define SENTENCE_MAX 400
#define FILE_ID_DIGITS 64 /* hexadecimal, of the SHA-256 that names a file */

struct model_run {
	const struct component *component;
	unsigned flags, complaints;
	struct arena *arena;
	model_complain *complain;
	void *arg;
	const struct field *field; /* the present one */
};

static void complain(struct model_run *m, struct str field, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void complain(struct model_run *m, struct str field, const char *fmt, ...)
{
	char text[SENTENCE_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m->complaints++;
	if (m->complain)
		m->complain(m->arg, field, text);
}

/* What a sentence says of a value: `"Par"`, `12`, `a list`. */
static struct str shown(struct model_run *m, const struct value *v)
{
	static const char *const words[] = { "absent", "null", "true or false", "", "", "a list", "an object" };
	struct str text = str_clip(value_text(v), QUOTE_MAX);
	if (v->kind == VALUE_NUMBER)
		return text;
	if (v->kind == VALUE_BOOL)
		return v->truth ? STR("true") : STR("false");
	if (v->kind != VALUE_STRING)
		return str_c(words[v->kind]);
	const char *quoted = arena_printf(m->arena, "\"%.*s%s\"", STR_ARG(text), text.len < v->len ? "..." : "");
	return quoted ? str_c(quoted) : STR("a text");
}

static bool wrong(struct model_run *m, const struct value *v, const char *wanted)
{
	struct str it = shown(m, v);
	complain(m, m->field->name, "%.*s must be %s; it is %.*s", STR_ARG(m->field->name), wanted, STR_ARG(it));
	return false;
}

static uint64_t characters(struct str s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
	return n;
}

static struct str trim(struct str s)
{
	while (s.len && strchr(" \t\r\n", s.ptr[0]))
		s = str_from(s.ptr + 1, s.len - 1);
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* -- text into types (MODEL_FROM_TEXT); what does not fit stays text and is complained of by the type -- */

/* "[1,2]" is JSON; anything else is cut at commas. */
static struct value array_from_text(struct model_run *m, struct str s)
{
	struct value list = value_array();
	struct json_options opt = { .copy = true };
	struct value parsed;
	if (str_starts(s, STR("[")) && json_parse(m->arena, s, &opt, &parsed, NULL, NULL) == 0)
		return parsed;
	while (s.ptr) {
		struct str part = trim(str_split(&s, ','));
		if (part.len && value_push(m->arena, &list, value_string(part)) < 0)
			return VALUE_NONE;
	}
	return list;
}

/* A table gives a file by its id. */
static struct value file_from_text(struct model_run *m, struct str s)
{
	struct value file = value_object();
	return value_add(m->arena, &file, STR("file"), value_string(s)) < 0 ? VALUE_NONE : file;
}

static struct value from_text(struct model_run *m, const struct value *v)
{
	struct str s = trim(value_text(v));
	double d;
	switch (m->field->type) {
	case FIELD_number:
	case FIELD_integer:
		return num_parse_double(s, &d) != -ERR_INVALID ? value_number_text(s) : *v;
	case FIELD_boolean:
		if (str_eq_c(s, "true") || str_eq_c(s, "false"))
			return value_bool(str_eq_c(s, "true"));
		return *v;
	case FIELD_array:
		return array_from_text(m, s);
	case FIELD_file:
		return file_from_text(m, s);
	case FIELD_date:
	case FIELD_time:
	case FIELD_datetime:
	case FIELD_uri:
		return value_string(s);
	default:
		return *v;
	}
}

/* -- types -- */

/* Digits alone may be any number of them: an id of twenty digits is no less whole than one that fits an int64. */
static bool is_whole(const struct value *v)
{
	struct str s = value_text(v);
	int64_t n;
	size_t i = str_starts(s, STR("-"));
	while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
		i++;
	return i == s.len || value_to_int64(v, &n);
}

static bool check_text(struct model_run *m, const struct value *v, bool is_good, const char *wanted)
{
	return v->kind == VALUE_STRING && is_good ? true : wrong(m, v, wanted);
}

static bool is_file_id(struct str s)
{
	size_t i = 0;
	while (i < s.len && ((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
		i++;
	return i == FILE_ID_DIGITS && s.len == FILE_ID_DIGITS;
}

/* { file, name, media_type, bytes }, or in place of the id the bytes themselves: base64, or text with a name. */
static bool is_file(const struct value *v)
{
	static const char *const texts[] = { "file", "base64", "text", "name", "media_type" };
	size_t contents = 0;
	if (!value_is(v, VALUE_OBJECT))
		return false;
	for (uint32_t i = 0; i < v->len; i++) {
		const struct member *m = &v->members[i];
		size_t k = 0;
		while (k < ARRAY_LEN(texts) && !str_eq_c(m->key, texts[k]))
			k++;
		bool is_bytes = str_eq_c(m->key, "bytes") && m->value.kind == VALUE_NUMBER && is_whole(&m->value) &&
				!str_starts(value_text(&m->value), STR("-"));
		if (!is_bytes && (k == ARRAY_LEN(texts) || m->value.kind != VALUE_STRING))
			return false;
		contents += k < 3;
	}
	const struct value *id = value_get_c(v, "file");
	return contents == 1 && (!id || is_file_id(value_text(id))) &&
	       (!value_get_c(v, "text") || value_get_c(v, "name"));
}

static bool check_type(struct model_run *m, const struct value *v)
{
	struct str s = v->kind == VALUE_STRING ? value_text(v) : STR("");
	switch (m->field->type) {
	case FIELD_string:
	case FIELD_catalog:
		return check_text(m, v, true, "a text");
	case FIELD_datetime:
		return check_text(m, v, text_is_datetime(s),
				  "a date and time with offset, such as 2026-11-23T17:05:00Z");
	case FIELD_date:
		return check_text(m, v, text_is_date(s), "a date, such as 2026-11-23");
	case FIELD_time:
		return check_text(m, v, text_is_time(s), "a time, such as 17:05");
	case FIELD_uri:
		return check_text(m, v, text_is_uri(s), "a full address, such as https://example.org/");
	case FIELD_number:
		return v->kind == VALUE_NUMBER ? true : wrong(m, v, "a number, such as 12.5");
	case FIELD_integer:
		return v->kind == VALUE_NUMBER && is_whole(v) ? true : wrong(m, v, "a whole number");
	case FIELD_boolean:
		return v->kind == VALUE_BOOL ? true : wrong(m, v, "true or false");
	case FIELD_array:
		return v->kind == VALUE_ARRAY ? true : wrong(m, v, "a list");
	case FIELD_file:
		return is_file(v) ? true
				  : wrong(m, v, "a file: { file, name, media_type, bytes }, with an id of 64 digits");
	}
	return true;
}

/* -- limits -- */

static void check_range(struct model_run *m, const struct value *v)
{
	const struct field *f = m->field;
	double d;
	if (v->kind != VALUE_NUMBER || !value_to_double(v, &d))
		return;
	bool is_low = f->has_minimum && d < f->minimum, is_high = f->has_maximum && d > f->maximum;
	if (!is_low && !is_high)
		return;
	struct str limit = value_text(value_get_c(f->source, is_low ? "minimum" : "maximum")), it = shown(m, v);
	complain(m, f->name, "%.*s must be %s %.*s; it is %.*s", STR_ARG(f->name), is_low ? "at least" : "at most",
		 STR_ARG(limit), STR_ARG(it));
}

static void check_length(struct model_run *m, const struct value *v)
{
	const struct field *f = m->field;
	bool is_list = v->kind == VALUE_ARRAY;
	if (v->kind != VALUE_STRING && !is_list)
		return;
	uint64_t n = is_list ? v->len : characters(value_text(v));
	bool is_short = n < f->min_length, is_long = f->max_length && n > f->max_length;
	if (!is_short && !is_long)
		return;
	uint64_t limit = is_short ? f->min_length : f->max_length;
	complain(m, f->name, "%.*s must have %s %" PRIu64 " %s%s; it has %" PRIu64, STR_ARG(f->name),
		 is_short ? "at least" : "at most", limit, is_list ? "item" : "character", limit == 1 ? "" : "s", n);
}

static bool is_same(const struct value *x, const struct value *y)
{
	double a, b;
	if (value_is(x, VALUE_NUMBER) && y->kind == VALUE_NUMBER && value_to_double(x, &a) && value_to_double(y, &b))
		return str_eq(value_text(x), value_text(y)) || (a == b && value_number_fits_double(value_text(y)));
	return x && value_eq(x, y);
}

static bool is_choice(const struct field *f, const struct value *v)
{
	for (uint32_t i = 0; i < f->choices->len; i++) {
		const struct value *c = &f->choices->items[i];
		if (is_same(c->kind == VALUE_OBJECT ? value_get_c(c, "value") : c, v))
			return true;
	}
	return false;
}

static void check_choice(struct model_run *m, const struct value *v)
{
	const struct field *f = m->field;
	char list[SENTENCE_MAX / 2] = "";
	size_t used = 0;
	bool is_fine = true;
	const struct value *bad = v;
	for (uint32_t i = 0; v->kind == VALUE_ARRAY && is_fine && i < v->len; i++) {
		is_fine = is_choice(f, &v->items[i]);
		bad = &v->items[i];
	}
	if (v->kind == VALUE_ARRAY ? is_fine : is_choice(f, v))
		return;
	for (uint32_t i = 0; i < f->choices->len && used < sizeof(list) - 60; i++) {
		const struct value *c = &f->choices->items[i];
		struct str text = shown(m, c->kind == VALUE_OBJECT ? value_get_c(c, "value") : c);
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%.*s", i ? ", " : "", CLIP(text));
	}
	struct str it = shown(m, bad);
	complain(m, f->name, "%.*s must be one of %s; it is %.*s", STR_ARG(f->name), list, STR_ARG(it));
}

/* -- one field -- */

static bool is_nothing(const struct model_run *m, const struct value *v)
{
	bool is_blank = v && v->kind == VALUE_STRING && trim(value_text(v)).len == 0;
	if (!v || v->kind == VALUE_NULL || v->kind == VALUE_ABSENT)
		return true;
	/* Blank text is no number and no date, but it is a text: only where one is required it is none. */
	return is_blank && (m->field->required || (m->flags & MODEL_FROM_TEXT && m->field->type != FIELD_string));
}

/* The value as it goes on; VALUE_ABSENT = left out. */
static struct value check_field(struct model_run *m, const struct value *v)
{
	const struct field *f = m->field;
	if (is_nothing(m, v)) {
		bool is_asked = v || !(m->flags & MODEL_PARTIAL); /* an update may leave it out, but not empty it */
		if (f->required && is_asked)
			complain(m, f->name, "%.*s is required", STR_ARG(f->name));
		return v && v->kind == VALUE_NULL ? *v : VALUE_NONE;
	}
	struct value it = m->flags & MODEL_FROM_TEXT && v->kind == VALUE_STRING ? from_text(m, v) : *v;
	if (it.kind == VALUE_ABSENT) {
		complain(m, f->name, "out of memory");
		return it;
	}
	unsigned before = m->complaints;
	if (check_type(m, &it)) {
		check_range(m, &it);
		check_length(m, &it);
		if (f->choices && before == m->complaints)
			check_choice(m, &it);
	}
	return it;
}

static void check_unknown(struct model_run *m, const struct value *data)
{
	const struct component *k = m->component;
	for (uint32_t i = 0; i < data->len; i++) {
		const struct member *member = &data->members[i];
		const char *names[FIELDS_MAX];
		if (component_field(k, member->key))
			continue;
		for (size_t j = 0; j < k->n_fields; j++)
			names[j] = arena_c(m->arena, k->fields[j].name);
		const char *nearest = k->n_fields ? opt_nearest(member->key, names, k->n_fields) : NULL;
		complain(m, member->key, "\"%.*s\" is no field of %.*s%s%s%s", CLIP(member->key), STR_ARG(k->name),
			 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
	}
}

/* The same members, with `changed` put in or left out. */
static int replace(struct arena *a, struct value *data, struct str name, struct value changed)
{
	struct value own = value_object();
	for (uint32_t i = 0; i < data->len; i++) {
		struct member m = data->members[i];
		if (str_eq(m.key, name))
			m.value = changed;
		if (m.value.kind != VALUE_ABSENT && value_add(a, &own, m.key, m.value) < 0)
			return -ERR_NO_MEMORY;
	}
	*data = own;
	return 0;
}

unsigned model_check(const struct component *k, const struct value *data, unsigned flags, struct arena *a,
		     struct value *ret, model_complain *on_wrong, void *arg)
{
	struct model_run m = { .component = k, .flags = flags, .arena = a, .complain = on_wrong, .arg = arg };
	*ret = data ? *data : value_object();
	if (!value_is(ret, VALUE_OBJECT)) {
		complain(&m, STR(""), "the data must be an object of fields; it is %s",
			 value_kind_name((enum value_kind)ret->kind));
		return m.complaints;
	}
	if (flags & MODEL_ONLY_KNOWN)
		check_unknown(&m, ret);
	for (size_t i = 0; i < k->n_fields; i++) {
		m.field = &k->fields[i];
		const struct value *v = value_get(ret, m.field->name);
		struct value it = check_field(&m, v);
		if (v && memcmp(v, &it, sizeof(it)) != 0 && replace(a, ret, m.field->name, it) < 0)
			complain(&m, m.field->name, "out of memory");
	}
	return m.complaints;
}
