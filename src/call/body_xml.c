/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML out of a template. The template is read once, when the system is, and held to the rules of well-formedness with
 * its slots seen as text; the values are escaped for the place of their slot. So nothing that data says becomes markup.
 */
#include "base/xml_text.h"
#include "call/body_int.h"
#include <stdio.h>

#define XML_DEPTH_MAX 64      /* elements inside elements */
#define XML_ATTRIBUTES_MAX 64 /* of one element */

struct scan {
	struct str text;
	size_t at;
	size_t from; /* fixed text since the last slot */
	struct body_template *t;
	struct str open[XML_DEPTH_MAX];
	unsigned depth;
	bool has_root;
	struct err *e;
};

static int wrong(const struct scan *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int wrong(const struct scan *x, const char *fmt, ...)
{
	char sentence[512];
	unsigned line = 1;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < x->at && i < x->text.len; i++)
		line += x->text.ptr[i] == '\n';
	return err_set(x->e, ERR_INVALID, "line %u: %s", line, sentence);
}

static bool starts_here(const struct scan *x, const char *text)
{
	size_t n = strlen(text);
	return x->text.len - x->at >= n && memcmp(x->text.ptr + x->at, text, n) == 0;
}

static bool at_end(const struct scan *x)
{
	return x->at >= x->text.len;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct scan *x)
{
	while (!at_end(x) && is_space(x->text.ptr[x->at]))
		x->at++;
}

/* ---- slots ---- */

static bool path_is_names(struct str path)
{
	if (path.len == 0)
		return false;
	while (path.ptr) {
		struct str name = str_split(&path, '.');
		if (name.len == 0)
			return false;
		for (size_t i = 0; i < name.len; i++) {
			char c = name.ptr[i];
			bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
				       c == '_' || c == '-' || (unsigned char)c >= 0x80;
			if (!is_word)
				return false;
		}
	}
	return true;
}

static int take_slot(struct scan *x, bool in_attribute)
{
	struct str rest = str_from(x->text.ptr + x->at + 2, x->text.len - x->at - 2);
	ptrdiff_t end = str_find(rest, STR("}}"));
	if (end < 0)
		return wrong(x, "a slot is opened by \"{{\" and not closed by \"}}\"");
	struct str path = str_trim(str_from(rest.ptr, (size_t)end));
	if (!path_is_names(path))
		return wrong(x, "\"%.*s\" is no path of names; write {{customer.name}}", STR_ARG(str_clip(path, 64)));
	x->t->slots[x->t->n_slots++] = (struct body_slot){
		.before = str_from(x->text.ptr + x->from, x->at - x->from),
		.path = path,
		.in_attribute = in_attribute,
	};
	x->at += 2 + (size_t)end + 2;
	x->from = x->at;
	return 0;
}

/* ---- pieces of XML ---- */

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (unsigned char)c >= 0x80;
}

static int take_name(struct scan *x, struct str *ret)
{
	size_t start = x->at;
	if (starts_here(x, "{{"))
		return wrong(x, "a slot stands in a text or in the value of an attribute, not in a name");
	if (at_end(x) || !is_name_start(x->text.ptr[x->at]))
		return wrong(x, "a name is due here; write \"<\" as &lt;");
	while (!at_end(x) && (is_name_start(x->text.ptr[x->at]) || x->text.ptr[x->at] == '-' ||
			      x->text.ptr[x->at] == '.' || (x->text.ptr[x->at] >= '0' && x->text.ptr[x->at] <= '9')))
		x->at++;
	*ret = str_from(x->text.ptr + start, x->at - start);
	return 0;
}

/* &#10; or &#xA; of a character that XML can hold. */
static bool is_character(struct str digits)
{
	uint64_t n = 0;
	bool is_hex = digits.len > 0 && digits.ptr[0] == 'x';
	size_t i = is_hex ? 1 : 0;
	if (i == digits.len)
		return false;
	for (; i < digits.len; i++) {
		int d = num_hex_value(digits.ptr[i]);
		if (d < 0 || (!is_hex && d > 9) || n > 0x10FFFF)
			return false;
		n = n * (is_hex ? 16 : 10) + (uint64_t)d;
	}
	return n == 9 || n == 10 || n == 13 || (n >= 0x20 && n < 0xD800) || (n >= 0xE000 && n < 0xFFFE) ||
	       (n >= 0x10000 && n <= 0x10FFFF);
}

static int take_reference(struct scan *x)
{
	static const char *const names[] = { "lt", "gt", "amp", "quot", "apos" };
	struct str rest = str_from(x->text.ptr + x->at + 1, x->text.len - x->at - 1);
	ptrdiff_t end = str_find_char(rest, ';');
	struct str name = str_from(rest.ptr, end < 0 ? 0 : (size_t)end);
	bool is_known = name.len > 1 && name.ptr[0] == '#' && is_character(str_from(name.ptr + 1, name.len - 1));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		is_known |= str_eq_c(name, names[i]);
	if (!is_known)
		return wrong(x, "write \"&\" as &amp;");
	x->at += name.len + 2;
	return 0;
}

/* ---- markup ---- */

/* From an opening of `skip` bytes to `end`: comments, CDATA, instructions. No slot can be escaped in there. */
static int take_section(struct scan *x, size_t skip, const char *end, const char *what, struct str *ret)
{
	struct str rest = str_from(x->text.ptr + x->at + skip, x->text.len - x->at - skip);
	ptrdiff_t n = str_find(rest, str_c(end));
	if (n < 0)
		return wrong(x, "%s is not closed by \"%s\"", what, end);
	*ret = str_from(rest.ptr, (size_t)n);
	if (str_find(*ret, STR("{{")) >= 0)
		return wrong(x, "a slot stands in a text or in the value of an attribute, not in %s", what);
	x->at += skip + (size_t)n + strlen(end);
	return 0;
}

static int take_instruction(struct scan *x)
{
	struct str inside, name;
	size_t start = x->at;
	x->at += 2;
	int r = take_name(x, &name);
	x->at = start;
	r = r < 0 ? r : take_section(x, 2, "?>", "an instruction", &inside);
	if (r < 0 || !str_eq_nocase(name, STR("xml")))
		return r;
	x->at = start;
	if (start != 0)
		return wrong(x, "the declaration <?xml ...?> stands at the very beginning");
	static const char *const known[] = { "xml version=\"1.0\"", "xml version='1.0'",
					     "xml version=\"1.0\" encoding=\"UTF-8\"",
					     "xml version='1.0' encoding='UTF-8'",
					     "xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"" };
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq_nocase(str_trim(inside), str_c(known[i])) && str_starts(inside, STR("xml"))) {
			x->at = start + 2 + inside.len + 2;
			return 0;
		}
	}
	return wrong(x, "bodies are sent as UTF-8; write <?xml version=\"1.0\" encoding=\"UTF-8\"?>");
}

static int take_attribute(struct scan *x)
{
	skip_space(x);
	if (at_end(x) || x->text.ptr[x->at++] != '=')
		return wrong(x, "an attribute is written name=\"value\"");
	skip_space(x);
	char quote = at_end(x) ? 0 : x->text.ptr[x->at++];
	if (quote != '"' && quote != '\'')
		return wrong(x, "the value of an attribute stands in quotes");
	while (!at_end(x) && x->text.ptr[x->at] != quote) {
		char c = x->text.ptr[x->at];
		int r = 0;
		if (starts_here(x, "{{"))
			r = take_slot(x, true);
		else if (c == '&')
			r = take_reference(x);
		else if (c == '<')
			r = wrong(x, "write \"<\" as &lt;");
		else
			x->at++;
		if (r < 0)
			return r;
	}
	if (at_end(x))
		return wrong(x, "the value of an attribute is not closed");
	x->at++;
	return 0;
}

static int take_attributes(struct scan *x)
{
	struct str names[XML_ATTRIBUTES_MAX];
	for (size_t n = 0;; n++) {
		size_t before = x->at;
		skip_space(x);
		if (at_end(x) || x->text.ptr[x->at] == '>' || x->text.ptr[x->at] == '/')
			return 0;
		if (n == XML_ATTRIBUTES_MAX)
			return wrong(x, "an element has at most %d attributes", XML_ATTRIBUTES_MAX);
		int r = take_name(x, &names[n]);
		if (r == 0 && before + names[n].len == x->at)
			r = wrong(x, "a space is missing before an attribute");
		for (size_t i = 0; i < n && r == 0; i++)
			if (str_eq(names[i], names[n]))
				r = wrong(x, "attribute \"%.*s\" stands here twice", STR_ARG(str_clip(names[n], 64)));
		r = r < 0 ? r : take_attribute(x);
		if (r < 0)
			return r;
	}
}

static int take_start(struct scan *x)
{
	struct str name;
	x->at++;
	if (x->depth == 0 && x->has_root)
		return wrong(x, "XML has one element around all others");
	int r = take_name(x, &name);
	r = r < 0 ? r : take_attributes(x);
	if (r < 0)
		return r;
	x->has_root = true;
	if (starts_here(x, "/>")) {
		x->at += 2;
		return 0;
	}
	if (at_end(x) || x->text.ptr[x->at] != '>')
		return wrong(x, "<%.*s is not closed by \">\"", STR_ARG(str_clip(name, 64)));
	if (x->depth == XML_DEPTH_MAX)
		return wrong(x, "at most %d elements inside each other", XML_DEPTH_MAX);
	x->open[x->depth++] = name;
	x->at++;
	return 0;
}

static int take_end(struct scan *x)
{
	struct str name;
	x->at += 2;
	int r = take_name(x, &name);
	if (r < 0)
		return r;
	skip_space(x);
	if (at_end(x) || x->text.ptr[x->at] != '>')
		return wrong(x, "</%.*s is not closed by \">\"", STR_ARG(str_clip(name, 64)));
	if (x->depth == 0 || !str_eq(x->open[x->depth - 1], name))
		return wrong(x, "</%.*s> closes nothing; open is <%.*s>", STR_ARG(str_clip(name, 64)),
			     STR_ARG(x->depth ? str_clip(x->open[x->depth - 1], 64) : STR("")));
	x->depth--;
	x->at++;
	return 0;
}

static int take_markup(struct scan *x)
{
	struct str inside = STR_NULL;
	if (starts_here(x, "</"))
		return take_end(x);
	if (starts_here(x, "<?"))
		return take_instruction(x);
	if (starts_here(x, "<!--")) {
		int r = take_section(x, 4, "-->", "a comment", &inside);
		bool is_bad = str_find(inside, STR("--")) >= 0 || str_ends(inside, STR("-"));
		return r == 0 && is_bad ? wrong(x, "a comment holds no \"--\"") : r;
	}
	if (starts_here(x, "<![CDATA["))
		return x->depth ? take_section(x, 9, "]]>", "CDATA", &inside)
				: wrong(x, "text outside of all elements");
	if (starts_here(x, "<!"))
		return wrong(x, "a template has no DOCTYPE");
	return take_start(x);
}

static int take_text(struct scan *x)
{
	char c = x->text.ptr[x->at];
	if (x->depth == 0 && !is_space(c))
		return wrong(x, "%s outside of all elements", starts_here(x, "{{") ? "a slot" : "text");
	if (starts_here(x, "{{"))
		return take_slot(x, false);
	if (c == '&')
		return take_reference(x);
	if (starts_here(x, "]]>"))
		return wrong(x, "write \"]]>\" as ]]&gt;");
	x->at++;
	return 0;
}

static int scan_all(struct scan *x)
{
	int r = 0;
	x->at = xml_bad_char(x->text);
	if (!at_end(x))
		return wrong(x, "byte 0x%02x cannot stand in XML", (unsigned char)x->text.ptr[x->at]);
	for (x->at = 0; !at_end(x) && r == 0;)
		r = x->text.ptr[x->at] == '<' ? take_markup(x) : take_text(x);
	if (r == 0 && x->depth)
		r = wrong(x, "<%.*s> is not closed", STR_ARG(str_clip(x->open[x->depth - 1], 64)));
	if (r == 0 && !x->has_root)
		r = wrong(x, "XML has one element around all others");
	return r;
}

struct body_template *body_template_new(struct arena *a, struct str text, struct err *e)
{
	size_t most = 0;
	for (size_t i = 0; i + 1 < text.len; i++)
		most += text.ptr[i] == '{' && text.ptr[i + 1] == '{';
	struct body_template *t = ARENA_NEW(a, struct body_template);
	struct scan *x = ARENA_NEW(a, struct scan);
	if (t)
		t->slots = ARENA_ARRAY(a, struct body_slot, most + 1);
	if (!t || !x || !t->slots) {
		(void)err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	x->text = text;
	x->t = t;
	x->e = e;
	if (scan_all(x) < 0)
		return NULL;
	t->end = str_from(text.ptr + x->from, text.len - x->from);
	return t;
}

/* ---- writing ---- */

static const struct value *follow(const struct value *v, struct str path)
{
	while (path.ptr && v) {
		struct str name = str_split(&path, '.');
		uint64_t i = 0;
		bool is_index = value_is(v, VALUE_ARRAY) && name.len <= 9;
		for (size_t k = 0; k < name.len && is_index; k++) {
			is_index = name.ptr[k] >= '0' && name.ptr[k] <= '9';
			i = i * 10 + (uint64_t)(name.ptr[k] - '0');
		}
		v = is_index ? value_at(v, (size_t)i) : value_get(v, name);
	}
	return v;
}

int body_template_write(struct buf *b, const struct body_template *t, const struct value *body, struct err *e)
{
	if (!value_is(body, VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "a template takes an object of name: value, not %s",
			       value_kind_name(body->kind));
	for (size_t i = 0; i < t->n_slots; i++) {
		const struct body_slot *slot = &t->slots[i];
		const struct value *v = follow(body, slot->path);
		struct str text;
		(void)buf_append_str(b, slot->before);
		if (value_is_nothing(v))
			continue;
		if (!scalar_text(v, &text))
			return err_set(e, ERR_INVALID, "slot {{%.*s}} takes a text, not %s; name one of its values",
				       STR_ARG(str_clip(slot->path, 64)), value_kind_name(v->kind));
		size_t bad = xml_bad_char(text);
		if (bad < text.len)
			return err_set(e, ERR_INVALID, "slot {{%.*s}}: byte 0x%02x at offset %zu cannot stand in XML",
				       STR_ARG(str_clip(slot->path, 64)), (unsigned char)text.ptr[bad], bad);
		xml_append(b, text, slot->in_attribute);
	}
	(void)buf_append_str(b, t->end);
	return 0;
}
