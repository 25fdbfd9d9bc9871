/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML by the events of libfyaml; the values are built here, on a stack of our own, so that depth, number (aliases
 * counted at each use) and names are ours to judge. libfyaml is kept from what it does badly by a look at the bytes
 * beforehand:
 *   - a NUL ends its input silently, other control characters pass;
 *   - while a "[" may turn out to be a key, every token behind it is queued: 350 bytes of memory for each byte of text;
 *   - a tag of a megabyte costs the square of its length.
 * Texts in quotes are read in doc_quoted.c, since it gets some of them wrong.
 */
#include "flow/doc_int.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/map.h"

#include <errno.h>
#include <libfyaml.h>

#define CROWD_MAX DOC_MAX_NODES /* brackets and commas in one line */
#define UNCLOSED_MAX 10000	/* brackets opened and not closed, wherever they stand */
#define TAG_MAX 512		/* bytes behind a "!" */
#define DIRECTIVE_MAX 256	/* bytes of a line that begins with "%" */
#define SHOWN_MAX 40		/* bytes of a text repeated in a complaint */

/* A finished value that waits for its container to end. */
struct entry {
	struct str key;
	struct value value;
	unsigned line, column;
	unsigned key_line, key_column;
	uint32_t nodes;	 /* itself and all below, aliases counted at each use */
	uint32_t height; /* containers on the longest way down */
};

struct anchor {
	struct entry what;
	bool is_complete;
};

/* A container that is still open. */
struct frame {
	bool is_map, has_key;
	size_t first; /* of its entries on the stack of entries */
	struct str key;
	unsigned key_line, key_column;
	unsigned line, column;
	struct anchor *anchor;
};

struct builder {
	struct doc *doc;
	struct complaints *complaints;
	struct fy_parser *parser;
	struct fy_diag *diag;
	struct doc_cursor at;
	struct entry *entries;
	size_t n_entries, cap_entries;
	struct frame frames[VALUE_DEPTH_MAX];
	size_t depth;
	uint64_t nodes;
	struct map *anchors;
	struct buf text; /* of the present scalar */
	unsigned documents;
	bool has_root;
};

static int refuse_memory(struct builder *b)
{
	return doc_refuse(b->complaints, 0, 0, "out of memory");
}

#define REFUSE(b, ...) doc_refuse((b)->complaints, (b)->at.line, (b)->at.column, __VA_ARGS__)

/* -- a look at the bytes -- */

static bool is_uri_char(char c)
{
	return c > 0x20 && c < 0x7F && !strchr("\"<>\\^`{|}", c);
}

struct look {
	int64_t unclosed;
	uint32_t crowd, tag;
	bool in_directive;
	uint32_t directive;
};

/* What is wrong with the byte, or NULL. */
static const char *look_at(struct look *l, char c, bool is_line_start)
{
	if (((unsigned char)c < 0x20 && !strchr("\t\n\r", c)) || c == 0x7F || c == '\0')
		return "a control character; in a double-quoted text it is written as an escape, such as \"\\u0007\"";
	if (c == '\n' || c == '\r')
		*l = (struct look){ .unclosed = l->unclosed };
	l->in_directive = is_line_start ? c == '%' : l->in_directive;
	if (l->in_directive && ++l->directive > DIRECTIVE_MAX)
		return "a line that begins with \"%\" is too long; it is only for \"%YAML 1.2\"";
	l->unclosed += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
	if (l->unclosed > UNCLOSED_MAX)
		return "too many opened brackets; lists and objects may stand 100 deep";
	if (strchr("[]{},", c) && ++l->crowd > CROWD_MAX)
		return "too many lists, objects and commas in one line";
	bool is_in_tag = l->tag && (is_uri_char(c) || (l->tag == 1 && c == '<'));
	l->tag = is_in_tag ? l->tag + 1 : c == '!';
	return l->tag > TAG_MAX ? "a tag (\"!...\") is too long; leave it out" : NULL;
}

static int look_over(struct builder *b)
{
	struct look l = { 0 };
	struct str t = b->doc->text;
	bool is_line_start = true;
	for (size_t i = 0; i < t.len; i++) {
		const char *wrong = look_at(&l, t.ptr[i], is_line_start);
		if (wrong) {
			doc_cursor_to(&b->at, i);
			return REFUSE(b, "%s", wrong);
		}
		is_line_start = t.ptr[i] == '\n' || t.ptr[i] == '\r';
	}
	return 0;
}

/* -- what libfyaml says, in other words -- */

static const struct {
	const char *theirs, *ours;
} translations[] = {
	{ "tab", "a tab is used as indentation; YAML wants spaces" },
	{ "Indentation used tabs", "a tab is used as indentation; YAML wants spaces" },
	{ "without closing quote", "a text in quotes is not closed; put the same quote at its end" },
	{ "without a closing bracket", "a list is not closed; put a \"]\" at its end" },
	{ "mismatched flow", "brackets do not match: close \"[\" with \"]\" and \"{\" with \"}\"" },
	{ "invalid extra closing", "a closing bracket too many; take it out or open one before" },
	{ "missing comma in flow", "a comma is missing between two members, or a closing bracket" },
	{ "comma", "a comma too many; take it out" },
	{ "invalid nested block mapping on the same line",
	  "a second \": \" in one line; put the text in quotes if the colon belongs to it" },
	{ "invalid mapping in plain multiline",
	  "a \": \" inside a text of several lines; put the text in quotes or indent the lines alike" },
	{ "cannot start with", "a text without quotes must not begin with this character; put it in quotes" },
	{ "invalid trailing content",
	  "something stands behind the closing quote; put the whole text in one pair of quotes" },
	{ "invalid escape",
	  "an unknown escape in a double-quoted text; write \\\\ for a backslash, or use single quotes" },
	{ "UTF8 escape", "an escape that is no character; write the character itself" },
	{ "hex escape", "an escape without its hexadecimal digits; write \\u and four of them" },
	{ "surrogate", "half of a surrogate pair; write the character itself" },
	{ "could not find expected ':'", "a \":\" is missing behind the name" },
	{ "missing ':'", "a \":\" is missing behind the name" },
	{ "multiline plain", "a \":\" is missing behind the name, or the line is not indented as the ones above" },
	{ "used as key", "a name must stand in one line" },
	{ "did not find expected key",
	  "a name followed by \": \" must stand here; or the line is not indented as the ones above" },
	{ "block sequence on the same line", "a list must begin on a line of its own" },
	{ "undefined tag prefix", "an unknown tag (\"!...\"); leave it out" },
	{ "duplicate version directive", "two %YAML lines; leave one out" },
	{ "nsupport version", "another version of YAML; write %YAML 1.2 or leave the line out" },
	{ "indent", "the indentation does not fit the lines above; members of one object begin in the same column" },
	{ "indendation",
	  "the indentation does not fit the lines above; members of one object begin in the same column" },
	{ "'-' indicator", "the indentation does not fit the lines above; items of one list begin in the same column" },
	{ "block sequence entries not allowed",
	  "a list item (\"- \") cannot stand here; begin it on a line of its own" },
};

static int refuse_theirs(struct builder *b)
{
	void *walk = NULL;
	const struct fy_diag_error *it = fy_diag_errors_iterate(b->diag, &walk);
	const char *msg = it && it->msg ? it->msg : "it cannot be read";
	unsigned line = it && it->line > 0 ? (unsigned)it->line : b->at.line;
	unsigned column = it && it->line > 0 && it->column > 0 ? (unsigned)it->column : b->at.column;
	if (strstr(msg, "closing bracket") && b->depth) {
		line = b->frames[b->depth - 1].line;
		column = b->frames[b->depth - 1].column;
	}
	for (size_t i = 0; i < ARRAY_LEN(translations); i++) {
		if (strstr(msg, translations[i].theirs))
			return doc_refuse(b->complaints, line, column, "%s", translations[i].ours);
	}
	return doc_refuse(b->complaints, line, column, "this is no YAML: %s", msg);
}

/* -- building -- */

/* Everything that ends lands here: a scalar, an alias, a container. */
static int add_entry(struct builder *b, struct entry it)
{
	if (b->depth == 0) {
		*b->doc->root = it.value;
		b->has_root = true;
		return doc_note(b->doc, b->doc->root, it.line, it.column) < 0 ? refuse_memory(b) : 0;
	}
	struct frame *f = &b->frames[b->depth - 1];
	it.key = f->key;
	it.key_line = f->key_line;
	it.key_column = f->key_column;
	f->has_key = false;
	if (b->n_entries == b->cap_entries) {
		size_t cap = b->cap_entries ? b->cap_entries * 2 : 256;
		struct entry *grown = alloc_realloc(b->entries, cap * sizeof(*grown));
		if (!grown)
			return refuse_memory(b);
		b->entries = grown;
		b->cap_entries = cap;
	}
	b->entries[b->n_entries++] = it;
	return 0;
}

static bool wants_key(const struct builder *b)
{
	return b->depth > 0 && b->frames[b->depth - 1].is_map && !b->frames[b->depth - 1].has_key;
}

static int count_nodes(struct builder *b, uint32_t n)
{
	b->nodes += n;
	return b->nodes > DOC_MAX_NODES
		   ? REFUSE(b, "more than %d values (an alias counts as what it stands for); make several files of it",
			    DOC_MAX_NODES)
		   : 0;
}

static int new_anchor(struct builder *b, struct fy_token *token, struct anchor **ret)
{
	size_t len = 0;
	const char *text = token ? fy_token_get_text(token, &len) : NULL;
	*ret = NULL;
	if (!text)
		return 0;
	*ret = ARENA_NEW(&b->doc->arena, struct anchor);
	return *ret && map_put(b->anchors, str_from(text, len), *ret, NULL) == 0 ? 0 : refuse_memory(b);
}

/* Tags change nothing here but "!!str", which makes text of anything. */
static int check_tag(struct builder *b, struct fy_token *tag, const char *allowed, bool *ret_is_text)
{
	size_t len = 0;
	const char *text = tag ? fy_token_get_text(tag, &len) : NULL;
	struct str s = str_from(text, text ? len : 0);
	*ret_is_text = text && (str_eq_c(s, "!") || str_eq_c(s, "tag:yaml.org,2002:str"));
	if (!text || str_eq_c(s, "!") || str_eq_c(s, allowed))
		return 0;
	return REFUSE(b, "the tag <%.*s> is not used here; leave it out", (int)(s.len < SHOWN_MAX ? s.len : SHOWN_MAX),
		      s.ptr);
}

static int resolve_plain(struct builder *b, struct str s, struct value *ret)
{
	switch (plain_resolve(s)) {
	case PLAIN_NULL:
		*ret = value_null();
		return 0;
	case PLAIN_TRUE:
	case PLAIN_FALSE:
		*ret = value_bool(plain_resolve(s) == PLAIN_TRUE);
		return 0;
	case PLAIN_NUMBER:
		*ret = value_number_text(s);
		return 0;
	case PLAIN_STRING:
		*ret = value_string(s);
		return 0;
	case PLAIN_ODD_NUMBER:
		break;
	}
	struct str shown = str_clip(s, SHOWN_MAX);
	return REFUSE(b,
		      "%.*s is a number to YAML, but not to JSON; write it plainly (31, 0.5), or in quotes if it is a "
		      "text: \"%.*s\"",
		      STR_ARG(shown), STR_ARG(shown));
}

static int take_key(struct builder *b, struct str s, bool is_plain)
{
	struct frame *f = &b->frames[b->depth - 1];
	struct str shown = str_clip(s, SHOWN_MAX);
	if (is_plain && str_eq_c(s, "<<"))
		return REFUSE(b, "merge keys (<<) are not read here; write the members out");
	if (is_plain && plain_resolve(s) != PLAIN_STRING)
		return REFUSE(b, "the name %.*s is no text; write it in quotes: \"%.*s\"", STR_ARG(shown),
			      STR_ARG(shown));
	f->key = s;
	f->key_line = b->at.line;
	f->key_column = b->at.column;
	f->has_key = true;
	return 0;
}

/*
 * The text of a scalar, copied. By chunks, because fy_token_get_text() of 0.7.12 never frees the list of chunks that it
 * makes when a text has more than a few escapes.
 */
static struct str scalar_text(struct builder *b, struct fy_token *token)
{
	const struct fy_iter_chunk *chunk = NULL;
	int failed = 0;
	if (!token)
		return STR("");
	enum fy_scalar_style style = fy_token_scalar_style(token);
	if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) {
		bool is_good = doc_read_quoted(b->doc->text, b->at.offset, &b->text);
		return is_good ? arena_str(&b->doc->arena, buf_str(&b->text)) : STR_NULL;
	}
	struct fy_token_iter *iter = fy_token_iter_create(token);
	buf_clear(&b->text);
	while (iter && (chunk = fy_token_iter_chunk_next(iter, chunk, &failed)))
		(void)buf_append(&b->text, chunk->str, chunk->len);
	fy_token_iter_destroy(iter);
	return iter && !failed && buf_ok(&b->text) ? arena_str(&b->doc->arena, buf_str(&b->text)) : STR_NULL;
}

/*
 * Is a line of this folded text (>) indented more than its first? Then its line breaks are kept, but libfyaml 0.7.12
 * loses one of them after an empty line.
 */
static bool is_fold_uneven(struct str t, size_t from, size_t to)
{
	size_t first = 0;
	bool has_first = false;
	while (from < to) {
		size_t blanks = 0;
		while (from + blanks < to && t.ptr[from + blanks] == ' ')
			blanks++;
		size_t end = from + blanks;
		bool is_empty = end >= to || t.ptr[end] == '\n' || t.ptr[end] == '\r';
		if (!is_empty && has_first && (blanks > first || t.ptr[end] == '\t'))
			return true;
		if (!is_empty && !has_first) {
			first = blanks;
			has_first = true;
		}
		while (end < to && t.ptr[end] != '\n' && t.ptr[end] != '\r')
			end++;
		from = end + 1;
	}
	return false;
}

static int on_scalar(struct builder *b, const struct fy_event *ev)
{
	bool is_text = false;
	struct str s = scalar_text(b, ev->scalar.value);
	const struct fy_mark *end = ev->scalar.value ? fy_token_end_mark(ev->scalar.value) : NULL;
	if (end && fy_token_scalar_style(ev->scalar.value) == FYSS_FOLDED &&
	    is_fold_uneven(b->doc->text, b->at.offset, end->input_pos))
		return REFUSE(b,
			      "lines of a folded text (>) must begin in one column; write | to keep lines as they are");
	if (!s.ptr)
		return REFUSE(b, "an escape that is no character; write the character itself");
	if (check_tag(b, ev->scalar.tag, "tag:yaml.org,2002:str", &is_text) < 0)
		return -ERR_INVALID;
	if (!str_is_utf8(s, NULL))
		return REFUSE(b, "an escape that is no character; write the character itself");
	bool is_plain = !is_text && (!ev->scalar.value || fy_token_scalar_style(ev->scalar.value) == FYSS_PLAIN);
	struct anchor *anchor;
	if (new_anchor(b, ev->scalar.anchor, &anchor) < 0)
		return -ERR_INVALID;
	struct entry it = { .line = b->at.line, .column = b->at.column, .nodes = 1, .value = value_string(s) };
	if (wants_key(b)) {
		if (anchor)
			*anchor = (struct anchor){ it, true };
		return take_key(b, s, is_plain);
	}
	if (count_nodes(b, 1) < 0 || (is_plain && resolve_plain(b, s, &it.value) < 0))
		return -ERR_INVALID;
	if (anchor)
		*anchor = (struct anchor){ it, true };
	return add_entry(b, it);
}

static int on_alias(struct builder *b, const struct fy_event *ev)
{
	size_t len = 0;
	const char *text = fy_token_get_text(ev->alias.anchor, &len);
	struct str name = str_from(text ? text : "", text ? len : 0);
	struct str shown = str_clip(name, SHOWN_MAX);
	const struct anchor *anchor = map_find(b->anchors, name);
	if (wants_key(b))
		return REFUSE(b, "an alias (*%.*s) cannot be a name; write the name out", STR_ARG(shown));
	if (!anchor)
		return REFUSE(b, "the alias *%.*s has no anchor &%.*s before it; in a text put it in quotes",
			      STR_ARG(shown), STR_ARG(shown));
	if (!anchor->is_complete)
		return REFUSE(b, "the anchor &%.*s contains itself; write the value out", STR_ARG(shown));
	if (b->depth + anchor->what.height > VALUE_DEPTH_MAX)
		return REFUSE(b, "deeper than %d lists and objects inside each other", VALUE_DEPTH_MAX);
	if (count_nodes(b, anchor->what.nodes) < 0)
		return -ERR_INVALID;
	struct entry it = anchor->what;
	it.line = b->at.line;
	it.column = b->at.column;
	return add_entry(b, it);
}

static int on_start(struct builder *b, bool is_map, struct fy_token *anchor, struct fy_token *tag)
{
	bool is_text;
	if (check_tag(b, tag, is_map ? "tag:yaml.org,2002:map" : "tag:yaml.org,2002:seq", &is_text) < 0)
		return -ERR_INVALID;
	if (wants_key(b))
		return REFUSE(b, "a list or object cannot be a name; names are texts");
	if (b->depth == VALUE_DEPTH_MAX)
		return REFUSE(b, "deeper than %d lists and objects inside each other", VALUE_DEPTH_MAX);
	if (count_nodes(b, 1) < 0)
		return -ERR_INVALID;
	struct frame *f = &b->frames[b->depth];
	*f = (struct frame){ .is_map = is_map, .first = b->n_entries, .line = b->at.line, .column = b->at.column };
	if (new_anchor(b, anchor, &f->anchor) < 0)
		return -ERR_INVALID;
	b->depth++;
	return 0;
}

static int refuse_duplicate(struct builder *b, const struct entry *first, const struct entry *again)
{
	struct str shown = str_clip(again->key, SHOWN_MAX);
	return doc_refuse(b->complaints, again->key_line, again->key_column,
			  "\"%.*s\" stands here a second time (first in line %u); take one of them out", STR_ARG(shown),
			  first->key_line);
}

/* Few are compared with each other, many through a map. */
static int check_duplicates(struct builder *b, const struct entry *e, size_t n)
{
	for (size_t i = 1; n <= 16 && i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (str_eq(e[i].key, e[k].key))
				return refuse_duplicate(b, &e[k], &e[i]);
		}
	}
	if (n <= 16)
		return 0;
	struct map *seen = map_new(n);
	int r = seen ? 0 : refuse_memory(b);
	for (size_t i = 0; r == 0 && i < n; i++) {
		void *old = NULL;
		if (map_put(seen, e[i].key, (void *)&e[i], &old) < 0)
			r = refuse_memory(b);
		else if (old)
			r = refuse_duplicate(b, old, &e[i]);
	}
	map_free(seen);
	return r;
}

/* The children get their last address: arrays of exactly their number. */
static int make_array(struct builder *b, const struct entry *e, size_t n, struct value *ret)
{
	*ret = value_array();
	ret->items = n ? arena_alloc(&b->doc->arena, n * sizeof(struct value)) : NULL;
	ret->len = (uint32_t)n;
	if (n && !ret->items)
		return refuse_memory(b);
	for (size_t i = 0; i < n; i++) {
		ret->items[i] = e[i].value;
		if (doc_note(b->doc, &ret->items[i], e[i].line, e[i].column) < 0)
			return refuse_memory(b);
	}
	return 0;
}

static int make_object(struct builder *b, const struct entry *e, size_t n, struct value *ret)
{
	*ret = value_object();
	ret->members = n ? arena_alloc(&b->doc->arena, n * sizeof(struct member)) : NULL;
	ret->len = (uint32_t)n;
	if (n && !ret->members)
		return refuse_memory(b);
	for (size_t i = 0; i < n; i++) {
		ret->members[i] = (struct member){ e[i].key, e[i].value };
		if (doc_note(b->doc, &ret->members[i].value, e[i].line, e[i].column) < 0)
			return refuse_memory(b);
	}
	return 0;
}

static int on_end(struct builder *b)
{
	const struct frame f = b->frames[b->depth - 1];
	const struct entry *e = b->entries ? b->entries + f.first : NULL;
	size_t n = b->n_entries - f.first;
	struct entry it = { .line = f.line, .column = f.column, .nodes = 1 };
	if (f.is_map && check_duplicates(b, e, n) < 0)
		return -ERR_INVALID;
	if ((f.is_map ? make_object(b, e, n, &it.value) : make_array(b, e, n, &it.value)) < 0)
		return -ERR_INVALID;
	for (size_t i = 0; i < n; i++) {
		it.nodes += e[i].nodes;
		it.height = e[i].height > it.height ? e[i].height : it.height;
	}
	it.height++;
	b->n_entries = f.first;
	b->depth--;
	if (f.anchor)
		*f.anchor = (struct anchor){ it, true };
	return add_entry(b, it);
}

static int on_document(struct builder *b, const struct fy_event *ev)
{
	const struct fy_version *v = fy_document_state_version(ev->document_start.document_state);
	if (fy_document_state_version_explicit(ev->document_start.document_state) && v &&
	    (v->major != 1 || v->minor != 2))
		return REFUSE(b, "YAML %d.%d; write %%YAML 1.2 or leave the line out", v->major, v->minor);
	if (++b->documents > 1)
		return REFUSE(b, "a second document begins (\"---\"); a file holds one");
	return 0;
}

/* Where the event begins. An empty value has no place: that of its name stays. libfyaml counts quoted texts and aliases
 * from behind their sign. */
static void go_to(struct builder *b, struct fy_event *ev)
{
	const struct fy_mark *mark = ev->type == FYET_SCALAR && !ev->scalar.value ? NULL : fy_event_start_mark(ev);
	if (!mark)
		return;
	size_t at = mark->input_pos;
	enum fy_scalar_style style = ev->type == FYET_SCALAR ? fy_token_scalar_style(ev->scalar.value) : FYSS_PLAIN;
	bool is_behind = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED || ev->type == FYET_ALIAS;
	if (is_behind && at > 0 && strchr("'\"*", b->doc->text.ptr[at - 1]))
		at--;
	doc_cursor_to(&b->at, at);
}

static int on_event(struct builder *b, struct fy_event *ev)
{
	go_to(b, ev);
	switch (ev->type) {
	case FYET_DOCUMENT_START:
		return on_document(b, ev);
	case FYET_SCALAR:
		return on_scalar(b, ev);
	case FYET_ALIAS:
		return on_alias(b, ev);
	case FYET_SEQUENCE_START:
		return on_start(b, false, ev->sequence_start.anchor, ev->sequence_start.tag);
	case FYET_MAPPING_START:
		return on_start(b, true, ev->mapping_start.anchor, ev->mapping_start.tag);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		return on_end(b);
	default:
		return 0;
	}
}

static int read_events(struct builder *b)
{
	struct fy_event *ev;
	int r = 0;
	errno = 0;
	while (r == 0 && (ev = fy_parser_parse(b->parser))) {
		r = on_event(b, ev);
		fy_parser_event_free(b->parser, ev);
	}
	if (r < 0)
		return r;
	if (errno == ENOMEM) { /* it tells this as a mistake of the text, or as none */
		(void)alloc_failed();
		return refuse_memory(b);
	}
	if (fy_parser_get_stream_error(b->parser) || b->depth > 0)
		return refuse_theirs(b);
	return b->has_root ? 0 : doc_refuse(b->complaints, 1, 1, "nothing is in it");
}

static int build(struct builder *b)
{
	struct fy_diag_cfg quiet;
	fy_diag_cfg_default(&quiet);
	quiet.fp = NULL;
	quiet.colorize = false;
	b->diag = fy_diag_create(&quiet);
	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2 |
			 FYPCF_DISABLE_DEPTH_LIMIT,
		.diag = b->diag,
	};
	b->anchors = map_new(DOC_MAX_NODES);
	if (!b->diag || !b->anchors) {
		(void)alloc_failed();
		return refuse_memory(b);
	}
	fy_diag_set_collect_errors(b->diag, true);
	b->parser = fy_parser_create(&cfg);
	if (!b->parser || fy_parser_set_string(b->parser, b->doc->text.ptr, b->doc->text.len) < 0) {
		(void)alloc_failed();
		return refuse_memory(b);
	}
	return read_events(b);
}

int doc_parse_yaml(struct doc *d, struct complaints *c)
{
	struct builder b = { .doc = d, .complaints = c };
	buf_init(&b.text, 2 * DOC_MAX_BYTES); /* an escape of two bytes may stand for three */
	doc_cursor_init(&b.at, d->text);
	if (d->text.len == 0)
		return doc_refuse(c, 1, 1, "nothing is in it");
	if (look_over(&b) < 0)
		return -ERR_INVALID;
	doc_cursor_init(&b.at, d->text);
	int r = build(&b);
	if (b.parser)
		fy_parser_destroy(b.parser);
	if (b.diag)
		fy_diag_destroy(b.diag);
	map_free(b.anchors);
	buf_done(&b.text);
	free(b.entries);
	return r;
}
