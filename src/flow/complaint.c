/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what is wrong, and one line of it. */
#include "flow/complaint.h"

#define COMPLAINT_BYTES (1u << 20) /* text of all complaints together */
#define COMPLAINT_TEXT_MAX 1000	   /* longest text of one; the rest is cut */

void complaints_init(struct complaints *c)
{
	c->n = c->dropped = 0;
	arena_init(&c->arena, COMPLAINT_BYTES);
}

void complaints_done(struct complaints *c)
{
	arena_done(&c->arena);
	c->n = c->dropped = 0;
}

/* Copies; what a file says may end on a terminal, so control characters become "?". A cut never splits a character. */
static struct str clean_copy(struct arena *a, struct str s)
{
	if (s.len > COMPLAINT_TEXT_MAX) {
		s.len = COMPLAINT_TEXT_MAX;
		while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80)
			s.len--;
	}
	char *copy = arena_alloc(a, s.len + 1);
	if (!copy)
		return STR_NULL;
	for (size_t i = 0; i < s.len; i++)
		copy[i] = (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7F ? '?' : s.ptr[i];
	copy[s.len] = '\0';
	return str_from(copy, s.len);
}

void complaint_add(struct complaints *c, struct str pointer, unsigned line, unsigned column, struct str place,
		   struct str text)
{
	if (c->n == COMPLAINTS_MAX) {
		c->dropped++;
		return;
	}
	struct complaint *it = &c->items[c->n];
	*it = (struct complaint){ .pointer = arena_str(&c->arena, pointer), .line = line, .column = column };
	it->place = clean_copy(&c->arena, place);
	it->text = clean_copy(&c->arena, text);
	if (!it->text.ptr)
		it->text = STR("something is wrong here (and memory is short)");
	c->n++;
}

int complaint_write(struct buf *b, const char *file, const struct complaint *c)
{
	(void)buf_append_c(b, file);
	if (c->line)
		(void)buf_printf(b, ":%u:%u", c->line, c->column);
	(void)buf_append_c(b, ": ");
	if (c->place.len) {
		(void)buf_append_str(b, c->place);
		(void)buf_append_c(b, ": ");
	}
	(void)buf_append_str(b, c->text);
	return buf_ok(b) ? 0 : -b->failed;
}
