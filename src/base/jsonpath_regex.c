/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I-Regexp (RFC 9485) to states: the text becomes a tree, the tree a list of states for jsonpath_match.c. ^ and $
 * outside of brackets are the text's two ends, as in the mapping to ECMAScript (section 5.3) and as every other
 * implementation has it.
 */
#include "base/jsonpath_int.h"
#include "base/alloc.h"
#include "base/auto.h"

enum node_kind { NODE_LEAF, NODE_SEQUENCE, NODE_CHOICE, NODE_REPEAT };

struct node {
	struct node *next;
	enum node_kind kind;
	struct regex_state leaf;
	struct node *first;
	unsigned min, max; /* NODE_REPEAT */
};

#define NO_MAX UINT32_MAX

struct regex_parser {
	struct arena *arena;
	struct str text;
	size_t pos;
	unsigned nesting;
	struct err *e;
};

static int wrong(struct regex_parser *p, size_t at, const char *what)
{
	return err_set(p->e, ERR_INVALID, "pattern, offset %zu: %s", at, what);
}

static int no_memory(struct regex_parser *p)
{
	return err_set(p->e, ERR_NO_MEMORY, "out of memory for a pattern");
}

static char peek(const struct regex_parser *p)
{
	return p->pos < p->text.len ? p->text.ptr[p->pos] : '\0';
}

static bool take(struct regex_parser *p, char c)
{
	if (p->pos >= p->text.len || p->text.ptr[p->pos] != c)
		return false;
	p->pos++;
	return true;
}

/* The next code point; only where there is one. The text is UTF-8, which was looked at before. */
static uint32_t take_code_point(struct regex_parser *p)
{
	size_t n;
	uint32_t c = regex_code_point(p->text.ptr + p->pos, p->text.ptr + p->text.len, &n);
	p->pos += n;
	return c;
}

static struct node *node_new(struct regex_parser *p, enum node_kind kind)
{
	struct node *n = ARENA_NEW(p->arena, struct node);
	if (n)
		n->kind = kind;
	else
		(void)no_memory(p);
	return n;
}

/* ---- characters and sets ---- */

/* Behind a backslash that begins no category. */
static int parse_escape(struct regex_parser *p, uint32_t *ret)
{
	char c = peek(p);
	if (c == 'n' || c == 'r' || c == 't')
		*ret = c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
	else if (c && strchr("()*+-.?[\\]^{|}", c))
		*ret = (uint32_t)c;
	else if (c == 'd' || c == 'w' || c == 's')
		return wrong(p, p->pos - 1, "no \\d, \\w or \\s here; write [0-9], [A-Za-z0-9_] or [ \\t\\n\\r]");
	else if (c == '$')
		return wrong(p, p->pos - 1, "no \\$ here; write [$]");
	else
		return wrong(p, p->pos - 1, "no such escape; \\ stands before ( ) * + - . ? [ \\ ] ^ { | } n r t p P");
	p->pos++;
	return 0;
}

static bool at_category(const struct regex_parser *p)
{
	return peek(p) == '\\' && p->pos + 1 < p->text.len && (p->text.ptr[p->pos + 1] | 0x20) == 'p';
}

/* At "\p" or "\P". */
static int parse_category(struct regex_parser *p, uint32_t *ret)
{
	size_t start = p->pos;
	bool is_complement = p->text.ptr[p->pos + 1] == 'P';
	p->pos += 2;
	size_t name_at = p->pos + 1, end = name_at;
	if (!take(p, '{'))
		return wrong(p, start, "write \\p{L} or \\p{Lu}");
	while (end < p->text.len && p->text.ptr[end] != '}' && end - name_at < 3)
		end++;
	uint32_t bits = category_named(str_from(p->text.ptr + name_at, end - name_at));
	p->pos = end;
	if (!bits || !take(p, '}'))
		return wrong(p, start, "no such category; write a general one, \\p{L} or \\p{Nd}");
	*ret = is_complement ? ~bits : bits;
	return 0;
}

/* One end of a range within brackets. */
static int parse_set_char(struct regex_parser *p, uint32_t *ret)
{
	char c = peek(p);
	if (p->pos >= p->text.len)
		return wrong(p, p->pos, "\"]\" is missing");
	if (take(p, '\\'))
		return parse_escape(p, ret);
	if (c == '[' || c == ']' || c == '-')
		return wrong(p, p->pos, "within brackets write \\[, \\] and \\-");
	*ret = take_code_point(p);
	return 0;
}

static int parse_range(struct regex_parser *p, struct regex_range *ret)
{
	size_t start = p->pos;
	int r = parse_set_char(p, &ret->first);
	if (r < 0)
		return r;
	ret->last = ret->first;
	bool is_range = peek(p) == '-' && p->pos + 1 < p->text.len && p->text.ptr[p->pos + 1] != ']';
	if (!is_range)
		return 0;
	p->pos++;
	r = parse_set_char(p, &ret->last);
	if (r == 0 && ret->last < ret->first)
		return wrong(p, start, "a range goes from the lower to the higher character");
	return r;
}

/* Offset of the bracket that ends a set, or of the text's end. */
static size_t set_end(const struct regex_parser *p)
{
	size_t at = p->pos;
	while (at < p->text.len && p->text.ptr[at] != ']')
		at += p->text.ptr[at] == '\\' ? 2 : 1;
	return at < p->text.len ? at : p->text.len;
}

/* What stands between the brackets, to the closing one. */
static int parse_set_items(struct regex_parser *p, struct regex_set *set)
{
	size_t start = p->pos;
	int r = 0;
	while (r == 0 && peek(p) != ']') {
		bool is_last = p->pos + 1 < p->text.len && p->text.ptr[p->pos + 1] == ']';
		uint32_t bits = 0;
		if (peek(p) == '-' && (p->pos == start || is_last)) { /* at either end a hyphen is itself */
			p->pos++;
			set->ranges[set->n++] = (struct regex_range){ '-', '-' };
		} else if (at_category(p)) {
			r = parse_category(p, &bits);
			set->categories |= bits;
		} else if ((r = parse_range(p, &set->ranges[set->n])) == 0) {
			set->n++;
		}
	}
	return r < 0 || p->pos > start ? r : wrong(p, start, "brackets with nothing in them");
}

/* Behind "[". */
static int parse_set(struct regex_parser *p, struct regex_state *leaf)
{
	struct regex_set *set = ARENA_NEW(p->arena, struct regex_set);
	if (!set)
		return no_memory(p);
	set->is_negated = take(p, '^');
	size_t end = set_end(p);
	if (end == p->text.len)
		return wrong(p, p->pos - 1, "\"]\" is missing");
	set->ranges = ARENA_ARRAY(p->arena, struct regex_range, end - p->pos + 1);
	if (!set->ranges)
		return no_memory(p);
	int r = parse_set_items(p, set);
	p->pos++;
	leaf->kind = REGEX_SET;
	leaf->set = set;
	return r;
}

static int category_leaf(struct regex_parser *p, struct regex_state *leaf)
{
	struct regex_set *set = ARENA_NEW(p->arena, struct regex_set);
	leaf->kind = REGEX_SET;
	leaf->set = set;
	return set ? parse_category(p, &set->categories) : no_memory(p);
}

/* ---- pieces, branches, choices ---- */

static int parse_choice(struct regex_parser *p, struct node **ret);

static int parse_leaf(struct regex_parser *p, struct regex_state *leaf)
{
	char c = peek(p);
	leaf->kind = REGEX_CHAR;
	if (at_category(p))
		return category_leaf(p, leaf);
	if (c && strchr("*+?{", c))
		return wrong(p, p->pos,
			     "nothing to repeat stands before this; to mean the character itself, write \\ before it");
	if (c && strchr(")]}", c))
		return wrong(p, p->pos,
			     "nothing was opened before this; to mean the character itself, write \\ before it");
	if (take(p, '\\'))
		return parse_escape(p, &leaf->c);
	if (take(p, '['))
		return parse_set(p, leaf);
	if (take(p, '.'))
		leaf->kind = REGEX_ANY;
	else if (take(p, '^'))
		leaf->kind = REGEX_BEGIN;
	else if (take(p, '$'))
		leaf->kind = REGEX_END;
	else
		leaf->c = take_code_point(p);
	return 0;
}

static int parse_atom(struct regex_parser *p, struct node **ret)
{
	size_t start = p->pos;
	if (!take(p, '(')) {
		*ret = node_new(p, NODE_LEAF);
		return *ret ? parse_leaf(p, &(*ret)->leaf) : -ERR_NO_MEMORY;
	}
	if (peek(p) == '?')
		return wrong(p, start, "only plain groups here; write (...)");
	if (++p->nesting > JSONPATH_NESTING_MAX)
		return err_set(p->e, ERR_LIMIT, "a pattern has groups at most %d deep", JSONPATH_NESTING_MAX);
	int r = parse_choice(p, ret);
	p->nesting--;
	if (r == 0 && !take(p, ')'))
		return wrong(p, start, "\")\" is missing");
	return r;
}

/* Digits; more than there may be states are as good as that. */
static bool parse_count(struct regex_parser *p, unsigned *ret)
{
	size_t start = p->pos;
	*ret = 0;
	for (; peek(p) >= '0' && peek(p) <= '9'; p->pos++)
		if (*ret <= JSONPATH_REGEX_STATES_MAX)
			*ret = *ret * 10 + (unsigned)(peek(p) - '0');
	return p->pos > start;
}

/* 1 = a quantifier was there. */
static int parse_quantifier(struct regex_parser *p, unsigned *min, unsigned *max)
{
	size_t start = p->pos;
	*min = peek(p) == '+';
	*max = peek(p) == '?' ? 1 : NO_MAX;
	if (take(p, '*') || take(p, '+') || take(p, '?'))
		return 1;
	if (!take(p, '{'))
		return 0;
	bool good = parse_count(p, min);
	*max = *min;
	if (good && take(p, ',') && !parse_count(p, max))
		*max = NO_MAX;
	if (!good || !take(p, '}') || *max < *min)
		return wrong(p, start, "counts are written {2}, {2,} or {2,5}");
	return 1;
}

static int parse_piece(struct regex_parser *p, struct node **ret)
{
	unsigned min = 0, max = 0;
	struct node *atom;
	int r = parse_atom(p, &atom);
	if (r == 0)
		r = parse_quantifier(p, &min, &max);
	if (r <= 0) {
		*ret = atom;
		return r;
	}
	if (peek(p) && strchr("*+?{", peek(p)))
		return wrong(p, p->pos, "one quantifier at a time; put parentheses around the first");
	*ret = node_new(p, NODE_REPEAT);
	if (!*ret)
		return -ERR_NO_MEMORY;
	(*ret)->first = atom;
	(*ret)->min = min;
	(*ret)->max = max;
	return 0;
}

static int parse_branch(struct regex_parser *p, struct node **ret)
{
	struct node **last, *sequence = node_new(p, NODE_SEQUENCE);
	if (!sequence)
		return -ERR_NO_MEMORY;
	last = &sequence->first;
	while (p->pos < p->text.len && peek(p) != '|' && peek(p) != ')') {
		int r = parse_piece(p, last);
		if (r < 0)
			return r;
		last = &(*last)->next;
	}
	*ret = sequence;
	return 0;
}

static int parse_choice(struct regex_parser *p, struct node **ret)
{
	struct node **last, *choice = node_new(p, NODE_CHOICE);
	if (!choice)
		return -ERR_NO_MEMORY;
	last = &choice->first;
	do {
		int r = parse_branch(p, last);
		if (r < 0)
			return r;
		last = &(*last)->next;
	} while (take(p, '|'));
	*ret = choice;
	return 0;
}

/* ---- states ---- */

struct writer {
	struct regex_state states[JSONPATH_REGEX_STATES_MAX];
	unsigned n;
	bool is_full;
};

static void write_node(struct writer *w, const struct node *n);

/* Every node writes one state at least, so that a full writer ends any repetition, however often it repeats nothing. */
static unsigned put(struct writer *w, struct regex_state s)
{
	if (w->n == JSONPATH_REGEX_STATES_MAX) {
		w->is_full = true;
		return w->n - 1;
	}
	w->states[w->n] = s;
	return w->n++;
}

static void write_sequence(struct writer *w, const struct node *n)
{
	for (const struct node *one = n->first; one && !w->is_full; one = one->next)
		write_node(w, one);
	if (!n->first)
		(void)put(w, (struct regex_state){ .kind = REGEX_JUMP, .to = { (uint16_t)(w->n + 1) } });
}

/* split a, b; a: ... jump end; b: ... end. */
static void write_choice(struct writer *w, const struct node *n)
{
	unsigned jumps = UINT32_MAX; /* those whose end is not known yet, each naming the one before */
	for (const struct node *one = n->first; one && !w->is_full; one = one->next) {
		unsigned split = one->next ? put(w, (struct regex_state){ .kind = REGEX_SPLIT }) : 0;
		write_node(w, one);
		if (!one->next)
			break;
		unsigned jump = put(w, (struct regex_state){ .kind = REGEX_JUMP, .to = { (uint16_t)jumps } });
		w->states[split].to[0] = (uint16_t)(split + 1);
		w->states[split].to[1] = (uint16_t)(jump + 1);
		jumps = jump;
	}
	while (!w->is_full && jumps != UINT32_MAX) {
		unsigned before = w->states[jumps].to[0];
		w->states[jumps].to[0] = (uint16_t)w->n;
		jumps = before == UINT16_MAX ? UINT32_MAX : before;
	}
}

/* Copies for the count; then a loop, or one optional copy for each that may come. */
static void write_repeat(struct writer *w, const struct node *n)
{
	(void)put(w, (struct regex_state){ .kind = REGEX_JUMP, .to = { (uint16_t)(w->n + 1) } });
	for (unsigned i = 0; i < n->min && !w->is_full; i++)
		write_node(w, n->first);
	if (n->max == NO_MAX) {
		unsigned split = put(w, (struct regex_state){ .kind = REGEX_SPLIT });
		write_node(w, n->first);
		unsigned jump = put(w, (struct regex_state){ .kind = REGEX_JUMP, .to = { (uint16_t)split } });
		w->states[split].to[0] = (uint16_t)(split + 1);
		w->states[split].to[1] = (uint16_t)(jump + 1);
		return;
	}
	for (unsigned i = n->min; i < n->max && !w->is_full; i++) {
		unsigned split = put(w, (struct regex_state){ .kind = REGEX_SPLIT });
		write_node(w, n->first);
		w->states[split].to[0] = (uint16_t)(split + 1);
		w->states[split].to[1] = (uint16_t)w->n;
	}
}

static void write_node(struct writer *w, const struct node *n)
{
	switch (n->kind) {
	case NODE_LEAF:
		(void)put(w, n->leaf);
		break;
	case NODE_SEQUENCE:
		write_sequence(w, n);
		break;
	case NODE_CHOICE:
		write_choice(w, n);
		break;
	case NODE_REPEAT:
		write_repeat(w, n);
		break;
	}
}

static int states_of(struct regex_parser *p, struct writer *w, const struct node *tree, struct regex **ret)
{
	write_node(w, tree);
	(void)put(w, (struct regex_state){ .kind = REGEX_MATCH });
	if (w->is_full)
		return err_set(p->e, ERR_LIMIT,
			       "a pattern has at most %d states with its counts written out; write smaller counts",
			       JSONPATH_REGEX_STATES_MAX);
	struct regex *regex = ARENA_NEW(p->arena, struct regex);
	struct regex_state *states = arena_alloc(p->arena, w->n * sizeof(*states));
	if (!regex || !states)
		return no_memory(p);
	memcpy(states, w->states, w->n * sizeof(*states));
	*regex = (struct regex){ .states = states, .n = w->n };
	*ret = regex;
	return 0;
}

int regex_compile(struct arena *a, struct str text, struct regex **ret, struct err *e)
{
	struct regex_parser p = { .arena = a, .text = text, .e = e };
	struct node *tree;
	size_t bad;
	if (text.len > JSONPATH_QUERY_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "a pattern has at most %d bytes", JSONPATH_QUERY_BYTES_MAX);
	if (!str_is_utf8(text, &bad))
		return wrong(&p, bad, "this is not UTF-8");
	int r = parse_choice(&p, &tree);
	if (r == 0 && p.pos < text.len)
		r = wrong(&p, p.pos, "\")\" without \"(\"; to mean the character, write \\)");
	if (r < 0)
		return r;
	auto_free struct writer *w = alloc_malloc(sizeof(*w));
	if (!w)
		return no_memory(&p);
	w->n = 0;
	w->is_full = false;
	return states_of(&p, w, tree, ret);
}
