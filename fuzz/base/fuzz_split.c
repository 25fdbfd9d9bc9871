/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The splitter, fed in random pieces, against json_parse() of the whole and jsonpath over it: the same elements in the
 * same order, or both refuse, for the same reason at the same place. Lines are parsed one by one; CSV is compared with
 * itself in one piece. Bytes 0 to 2 choose kind, path, prefix, limits and how it is cut; a path of the input's own
 * stands before the first line feed.
 */
#include "base/json.h"
#include "base/jsonpath_int.h"
#include "base/split.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MUST(claim)                                                                                                    \
	do {                                                                                                           \
		if (!(claim))                                                                                          \
			abort();                                                                                       \
	} while (0)

#define MARK STR("\xEF\xBB\xBF")
#define TEXT_MAX (1u << 24)

struct outcome {
	struct buf elements; /* compact JSON, a line each */
	struct err e;
	int r;
};

static int on_element(void *arg, const struct value *v)
{
	struct buf *b = arg;
	MUST(json_write(b, v, JSON_COMPACT) == 0);
	MUST(buf_append_char(b, '\n') == 0);
	return 0;
}

/* Pieces of up to `most` bytes, 0 = all at once; each in an allocation of its own. */
static void split_in_pieces(const struct split_options *o, struct str text, unsigned most, uint32_t seed,
			    struct outcome *x)
{
	struct split *s = split_new(o, &x->e);
	MUST(s);
	x->r = 0;
	while (x->r == 0 && text.len) {
		seed = seed * 1664525u + 1013904223u;
		size_t n = most ? (seed >> 16) % most + 1 : text.len;
		if (n > text.len)
			n = text.len;
		char *piece = malloc(n);
		MUST(piece);
		memcpy(piece, text.ptr, n);
		x->r = split_push(s, str_from(piece, n), on_element, &x->elements, &x->e);
		free(piece);
		text = str_from(text.ptr + n, text.len - n);
	}
	if (x->r == 0)
		x->r = split_end(s, on_element, &x->elements, &x->e);
	MUST(x->r == x->e.code);
	MUST(x->r == 0 || (x->e.msg[0] && str_is_utf8(str_c(x->e.msg), NULL)));
	split_free(s);
}

/* Does a name of the path come twice in its object? */
static bool has_twins(const struct value *v, const struct jsonpath *path)
{
	for (const struct jp_segment *seg = path->query.first; seg && seg->next; seg = seg->next) {
		const struct value *next = NULL;
		for (uint32_t i = 0; value_is(v, VALUE_OBJECT) && i < v->len; i++) {
			if (!str_eq(v->members[i].key, seg->first->name))
				continue;
			if (next)
				return true;
			next = &v->members[i].value;
		}
		v = next;
	}
	return false;
}

/* The list by its path without "[*]", which blanks may part. */
static const struct value *list_of(const struct value *root, const struct jsonpath *path)
{
	for (const struct jp_segment *seg = path->query.first; seg->next; seg = seg->next)
		root = root ? value_get(root, seg->first->name) : NULL;
	return root;
}

/* 1 = accepted with these elements, 0 = refused for what the path demands, -code = refused by the parser. */
static int json_whole(const struct split_options *o, struct str text, struct arena *a, struct buf *ret, struct err *e)
{
	struct value root, again, picked;
	struct json_options keep = { .max_depth = o->max_depth, .duplicates = JSON_DUP_KEEP },
			    last = { .max_depth = o->max_depth };
	int r = json_parse(a, text, &keep, &root, NULL, e);
	if (r < 0)
		return r;
	struct jsonpath *path = jsonpath_compile(a, o->path, NULL);
	MUST(path);
	if (has_twins(&root, path))
		return 0;
	MUST(json_parse(a, text, &last, &again, NULL, NULL) == 0);
	const struct value *list = list_of(&again, path);
	if (!value_is(list, VALUE_NULL) && !value_is(list, VALUE_ARRAY))
		return 0;
	MUST(jsonpath_select(path, &again, a, &picked, NULL) == 0);
	for (uint32_t i = 0; i < picked.len; i++)
		(void)on_element(ret, &picked.items[i]);
	return 1;
}

static int lines_whole(const struct split_options *o, struct str text, struct arena *a, struct buf *ret)
{
	const struct json_options options = { .max_depth = o->max_depth };
	while (text.ptr) {
		struct str line = str_split(&text, '\n');
		struct value v;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (str_trim(line).len == 0)
			continue;
		int r = json_parse(a, line, &options, &v, NULL, NULL);
		if (r < 0)
			return r;
		(void)on_element(ret, &v);
	}
	return 1;
}

static struct str reason_of(const struct err *e)
{
	struct str msg = str_c(e->msg);
	ptrdiff_t near = str_find(msg, STR(", near \""));
	return near < 0 ? msg : str_from(msg.ptr, (size_t)near);
}

static void compare_with_whole(const struct split_options *o, struct str text, const struct outcome *x)
{
	auto_arena struct arena a;
	auto_buf struct buf wanted;
	struct err e = ERR_INIT;
	size_t before = text.len;
	arena_init(&a, 0);
	buf_init(&wanted, TEXT_MAX);
	if (str_starts(text, MARK))
		text = str_from(text.ptr + 3, text.len - 3);
	if (o->kind == SPLIT_JSON && str_starts(text, o->json_prefix))
		text = str_from(text.ptr + o->json_prefix.len, text.len - o->json_prefix.len);
	int r = o->kind == SPLIT_JSON ? json_whole(o, text, &a, &wanted, &e) : lines_whole(o, text, &a, &wanted);
	if (r == 1 && x->r == 0) {
		MUST(str_eq(buf_str(&x->elements), buf_str(&wanted)));
		return;
	}
	if (r == 1) { /* only a limit can be in the way, and what came before it is right */
		MUST(x->r == -ERR_LIMIT && o->max_element && text.len > o->max_element);
		MUST(str_starts(buf_str(&wanted), buf_str(&x->elements)));
		return;
	}
	MUST(x->r < 0);
	if (o->kind != SPLIT_JSON || r == 0 || x->r == -ERR_NOT_FOUND || o->max_element || before != text.len ||
	    strstr(x->e.msg, "a key that the path goes through"))
		return;
	MUST(x->r == r && str_eq(reason_of(&x->e), reason_of(&e)));
}

static void choose_path(struct split_options *o, unsigned which, struct str *text)
{
	static const char *const paths[] = { "$[*]", "$.a[*]", "$.a.b[*]", "$['a b'][\"\\u00e9\"].a[*]" };
	struct str own;
	o->path = str_c(paths[o->kind == SPLIT_JSON ? which % 4 : 0]);
	if (!(which & 4) || o->kind != SPLIT_JSON)
		return;
	own = str_split(text, '\n');
	if (!text->ptr)
		*text = STR("");
	if (split_check_path(o->kind, own, NULL) == 0)
		o->path = own;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const size_t longest[] = { 0, 0, 5, 40 };
	static const unsigned pieces[] = { 1, 3, 20, 200 };
	if (n < 3)
		return 0;
	struct str text = str_from((const char *)bytes + 3, n - 3);
	struct split_options o = { .kind = bytes[0] % 4 < 2    ? SPLIT_JSON
					   : bytes[0] % 4 == 2 ? SPLIT_LINES
							       : SPLIT_CSV,
				   .json_prefix = bytes[0] & 32 ? STR(")]}'\n") : STR(""),
				   .max_depth = bytes[2] & 15,
				   .max_element = longest[bytes[2] >> 4 & 3] };
	struct outcome whole = { .e = ERR_INIT }, cut = { .e = ERR_INIT };
	choose_path(&o, bytes[0] >> 2, &text);
	buf_init(&whole.elements, TEXT_MAX);
	buf_init(&cut.elements, TEXT_MAX);
	split_in_pieces(&o, text, 0, 0, &whole);
	split_in_pieces(&o, text, pieces[bytes[2] >> 6], bytes[1], &cut);
	MUST(str_eq(buf_str(&whole.elements), buf_str(&cut.elements)));
	MUST(whole.r == cut.r || (o.max_element && (whole.r == -ERR_LIMIT || cut.r == -ERR_LIMIT)));
	MUST(o.max_element || str_eq(reason_of(&whole.e), reason_of(&cut.e)));
	if (o.kind != SPLIT_CSV)
		compare_with_whole(&o, text, &cut);
	buf_done(&whole.elements);
	buf_done(&cut.elements);
	return 0;
}
