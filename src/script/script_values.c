/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What JavaScript forgets about JSON, remembered. A double has one text, JSON has many: 0.1000, 1E5 and -0 go in and
 * come out as 0.1, 100000 and 0. The server still has the input, so it puts the texts back where the number is the
 * same.
 */
#include "script/script_int.h"
#include "base/json.h"

#include <string.h>

/* ---- out ---- */

/* Would JavaScript list this key before the others? Array indices, up to 2^32 - 2. */
static bool is_index(struct str key)
{
	if (key.len == 0 || key.len > 10 || (key.ptr[0] == '0' && key.len > 1))
		return false;
	for (size_t i = 0; i < key.len; i++) {
		if (key.ptr[i] < '0' || key.ptr[i] > '9')
			return false;
	}
	return true;
}

static uint8_t number_flags(struct str text)
{
	if (value_number_is_canonical(text))
		return 0;
	return value_number_fits_double(text) ? SCRIPT_VALUE_ODD : SCRIPT_VALUE_ODD | SCRIPT_VALUE_EXACT;
}

/* Depth is bounded: json_write() has refused more than VALUE_DEPTH_MAX before. */
static uint8_t flags_of(const struct value *v)
{
	uint8_t flags = 0;

	if (v->kind == VALUE_NUMBER)
		return number_flags(value_text(v));
	if (v->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < v->len; i++)
			flags |= flags_of(&v->items[i]);
	} else if (v->kind == VALUE_OBJECT) {
		for (uint32_t i = 0; i < v->len; i++) {
			flags |= flags_of(&v->members[i].value);
			if (is_index(v->members[i].key))
				flags |= SCRIPT_VALUE_KEYS;
		}
	}
	return flags;
}

int script_value_write(struct buf *b, const struct value *v, uint8_t *ret_flags)
{
	int code = json_write(b, v, JSON_COMPACT);

	*ret_flags = code ? 0 : flags_of(v);
	return code;
}

/* ---- back: the texts of the input's numbers ---- */

struct spelling {
	uint64_t bits; /* of the double */
	struct str text;
	bool is_used, is_ambiguous;
};

struct spellings {
	struct spelling *slots;
	size_t mask, n;
};

static uint64_t bits_of(const struct value *number)
{
	double d = 0;
	uint64_t bits;

	(void)value_to_double(number, &d);
	if (d == 0)
		d = 0; /* -0 equals 0 */
	memcpy(&bits, &d, sizeof(bits));
	return bits;
}

static struct spelling *find_slot(const struct spellings *t, uint64_t bits)
{
	size_t at = (size_t)((bits * 0x9e3779b97f4a7c15ull) >> 32) & t->mask;

	while (t->slots[at].is_used && t->slots[at].bits != bits)
		at = (at + 1) & t->mask;
	return &t->slots[at];
}

static size_t count_odd(const struct value *v)
{
	size_t n = 0;

	if (v->kind == VALUE_NUMBER)
		return !value_number_is_canonical(value_text(v));
	if (v->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < v->len; i++)
			n += count_odd(&v->items[i]);
	} else if (v->kind == VALUE_OBJECT) {
		for (uint32_t i = 0; i < v->len; i++)
			n += count_odd(&v->members[i].value);
	}
	return n;
}

/* First the odd texts, then those canonical ones that make an odd one ambiguous. */
static void note_number(struct spellings *t, const struct value *v, bool is_odd_round)
{
	if (value_number_is_canonical(value_text(v)) == is_odd_round)
		return;
	uint64_t bits = bits_of(v);
	struct spelling *s = find_slot(t, bits);
	if (s->is_used)
		s->is_ambiguous |= !str_eq(s->text, value_text(v));
	else if (is_odd_round)
		*s = (struct spelling){ .bits = bits, .text = value_text(v), .is_used = true };
}

static void note_all(struct spellings *t, const struct value *v, bool is_odd_round)
{
	if (v->kind == VALUE_NUMBER)
		note_number(t, v, is_odd_round);
	else if (v->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < v->len; i++)
			note_all(t, &v->items[i], is_odd_round);
	} else if (v->kind == VALUE_OBJECT) {
		for (uint32_t i = 0; i < v->len; i++)
			note_all(t, &v->members[i].value, is_odd_round);
	}
}

static int spellings_init(struct spellings *t, struct arena *a, const struct value *input)
{
	size_t room = 8, odd = count_odd(input);

	while (room < odd * 2)
		room *= 2;
	t->slots = ARENA_ARRAY(a, struct spelling, room);
	t->mask = room - 1;
	if (!t->slots)
		return -ERR_NO_MEMORY;
	note_all(t, input, true);
	note_all(t, input, false);
	return 0;
}

/* ---- back: the walk ---- */

struct mend {
	struct spellings texts;
	struct arena *arena;
	uint8_t flags;
};

/* The same number, by value? Texts that no double holds must be the same text up to spelling, and then nothing is to
 * do. */
static void mend_number(const struct mend *m, struct value *v, const struct value *was)
{
	struct str text = value_text(v);

	if (!value_number_is_canonical(text))
		return; /* exact, or written by the script as it wants it: JSON.rawJSON */
	uint64_t bits = bits_of(v);
	if (was && was->kind == VALUE_NUMBER && value_number_fits_double(value_text(was)) && bits_of(was) == bits) {
		*v = value_number_text(value_text(was));
		return;
	}
	const struct spelling *s = find_slot(&m->texts, bits);
	if (s->is_used && !s->is_ambiguous && value_number_fits_double(s->text))
		*v = value_number_text(s->text);
}

/* Members mostly keep their places: look there first. */
static const struct value *counterpart(const struct value *was, struct str key, uint32_t *hint)
{
	if (!was || was->kind != VALUE_OBJECT)
		return NULL;
	if (*hint < was->len && str_eq(was->members[*hint].key, key))
		return &was->members[(*hint)++].value;
	return value_get(was, key);
}

/* Keys that the input had, in its order; then the new ones in theirs. JavaScript moved only those like "10". */
static int mend_keys(const struct mend *m, struct value *v, const struct value *was)
{
	bool is_moved = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->len; i++)
		is_moved |= is_index(v->members[i].key);
	if (!is_moved || v->len < 2 || !was || was->kind != VALUE_OBJECT)
		return 0;
	struct member *sorted = ARENA_ARRAY(m->arena, struct member, v->len);
	if (!sorted)
		return -ERR_NO_MEMORY;
	for (uint32_t i = 0; i < was->len && n < v->len; i++) {
		struct value *kept = value_get(v, was->members[i].key);
		if (!kept || kept->kind == VALUE_ABSENT)
			continue;
		sorted[n++] = (struct member){ .key = was->members[i].key, .value = *kept };
		kept->kind = VALUE_ABSENT;
	}
	for (uint32_t i = 0; i < v->len && n < v->len; i++) {
		if (v->members[i].value.kind != VALUE_ABSENT)
			sorted[n++] = v->members[i];
	}
	memcpy(v->members, sorted, n * sizeof(*sorted));
	return 0;
}

static int mend(const struct mend *m, struct value *v, const struct value *was)
{
	uint32_t hint = 0;
	int code = 0;

	if (v->kind == VALUE_NUMBER && (m->flags & SCRIPT_VALUE_ODD))
		mend_number(m, v, was);
	else if (v->kind == VALUE_ARRAY) {
		for (uint32_t i = 0; i < v->len && !code; i++)
			code = mend(m, &v->items[i],
				    was && was->kind == VALUE_ARRAY && i < was->len ? &was->items[i] : NULL);
	} else if (v->kind == VALUE_OBJECT) {
		for (uint32_t i = 0; i < v->len && !code; i++)
			code = mend(m, &v->members[i].value, counterpart(was, v->members[i].key, &hint));
		if (!code && (m->flags & SCRIPT_VALUE_KEYS))
			code = mend_keys(m, v, was);
	}
	return code;
}

int script_value_read(struct arena *a, struct str json, const struct value *input, uint8_t flags, struct value *ret,
		      struct err *e)
{
	const struct json_options options = { .max_bytes = SCRIPT_RESULT_MAX };
	auto_arena struct arena scratch;
	struct mend m = { .arena = &scratch, .flags = flags };
	struct value v;
	struct str kept = arena_str(a, json);

	arena_init(&scratch, 0);
	if (!kept.ptr && json.len)
		return err_set(e, ERR_NO_MEMORY, "no memory for the result of a script");
	int code = json_parse(a, kept, &options, &v, NULL, e);
	if (!code && flags && input) {
		code = flags & SCRIPT_VALUE_ODD ? spellings_init(&m.texts, &scratch, input) : 0;
		if (!code)
			code = mend(&m, &v, input);
		if (code)
			err_set(e, -code, "no memory for the result of a script");
	}
	if (!code)
		*ret = v;
	return code;
}
