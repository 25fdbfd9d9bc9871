/* SPDX-License-Identifier: Apache-2.0 */
/* Where two values differ, by JSON Pointer (RFC 6901). The order of members says nothing; numbers are their text. */
#include "cassette/cassette_int.h"

#define POINTER_MAX_BYTES 4096
#define SHOWN_MAX_BYTES 160 /* of one value in a difference */
#define SHOWN_BEFORE 24	    /* of them before the place where two long texts part */

struct diff {
	value_differs *differs;
	void *arg;
	size_t n;
	struct buf pointer;
};

static void tell(struct diff *d, const struct value *recorded, const struct value *now)
{
	if (d->n++ < CASSETTE_DIFFERENCES_MAX)
		d->differs(d->arg, buf_str(&d->pointer), recorded, now);
}

static void walk(struct diff *d, const struct value *x, const struct value *y, unsigned depth);

static void walk_at(struct diff *d, struct str token, const struct value *x, const struct value *y, unsigned depth)
{
	size_t len = d->pointer.len;
	(void)json_pointer_append(&d->pointer, token);
	walk(d, x, y, depth + 1);
	d->pointer.len = len;
}

/* Depth is bounded: no value is deeper than VALUE_DEPTH_MAX. */
static void walk(struct diff *d, const struct value *x, const struct value *y, unsigned depth)
{
	char number[24];
	if (d->n > CASSETTE_DIFFERENCES_MAX || (x && y && value_eq(x, y)))
		return;
	if (!x || !y || x->kind != y->kind || depth > VALUE_DEPTH_MAX ||
	    (x->kind != VALUE_OBJECT && x->kind != VALUE_ARRAY)) {
		tell(d, x, y);
		return;
	}
	for (uint32_t i = 0; x->kind == VALUE_OBJECT && i < x->len; i++)
		walk_at(d, x->members[i].key, &x->members[i].value, value_get(y, x->members[i].key), depth);
	for (uint32_t i = 0; x->kind == VALUE_OBJECT && i < y->len; i++)
		if (!value_get(x, y->members[i].key))
			walk_at(d, y->members[i].key, NULL, &y->members[i].value, depth);
	for (uint32_t i = 0; x->kind == VALUE_ARRAY && (i < x->len || i < y->len); i++) {
		(void)snprintf(number, sizeof(number), "%u", i);
		walk_at(d, str_c(number), value_at(x, i), value_at(y, i), depth);
	}
}

size_t cassette_diff(const struct value *recorded, const struct value *now, value_differs *differs, void *arg)
{
	struct diff d = { .differs = differs, .arg = arg };
	buf_init(&d.pointer, POINTER_MAX_BYTES);
	walk(&d, recorded, now, 0);
	buf_done(&d.pointer);
	return d.n;
}

struct diff_text {
	struct buf *b;
	const char *indent, *one, *other;
};

/* Where to begin to show two texts that are the same for long. */
static size_t parting(const struct value *x, const struct value *y)
{
	size_t n = 0;
	if (!value_is(x, VALUE_STRING) || !value_is(y, VALUE_STRING))
		return 0;
	while (n < x->len && n < y->len && x->text[n] == y->text[n])
		n++;
	if (n < SHOWN_MAX_BYTES / 2)
		return 0;
	for (n -= SHOWN_BEFORE; n > 0 && ((unsigned char)x->text[n] & 0xC0) == 0x80;)
		n--;
	return n;
}

static void write_value(struct buf *b, const struct value *v, size_t from)
{
	auto_buf struct buf text = { .max = 256u << 20 };
	if (!v) {
		(void)buf_append_c(b, "nothing");
		return;
	}
	if (from) {
		(void)buf_append_c(b, "...");
		(void)json_write_string(&text, str_from(v->text + from, v->len - from));
	} else {
		(void)json_write(&text, v, JSON_COMPACT);
	}
	struct str shown = str_clip(buf_str(&text), SHOWN_MAX_BYTES);
	(void)buf_append_str(b, shown);
	if (shown.len < text.len)
		(void)buf_append_c(b, "...");
}

static void differs_text(void *arg, struct str pointer, const struct value *recorded, const struct value *now)
{
	struct diff_text *t = arg;
	size_t from = parting(recorded, now);
	(void)buf_append_c(t->b, t->indent);
	(void)buf_append_str(t->b, pointer.len ? pointer : STR("(all)"));
	(void)buf_printf(t->b, ": %s ", t->one);
	write_value(t->b, recorded, from);
	(void)buf_printf(t->b, ", %s ", t->other);
	write_value(t->b, now, from);
	(void)buf_append_char(t->b, '\n');
}

int cassette_diff_write(struct buf *b, const struct value *recorded, const struct value *now, const char *indent)
{
	return cassette_diff_write_as(b, recorded, now, indent, "recorded", "now");
}

int cassette_diff_write_as(struct buf *b, const struct value *one, const struct value *other, const char *indent,
			   const char *called, const char *and)
{
	struct diff_text t = { b, indent, called, and};
	size_t n = cassette_diff(one, other, differs_text, &t);
	if (n > CASSETTE_DIFFERENCES_MAX)
		(void)buf_printf(b, "%smore differences are not shown\n", indent);
	return buf_ok(b) ? 0 : -b->failed;
}
