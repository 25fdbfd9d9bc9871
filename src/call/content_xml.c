/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML made a value; the one door to libxml2. A document type is refused before it is read, so there are no entities but
 * the five and no way out to files or the network. Names stay as written, prefix and all (the parser's older face,
 * SAX1, does not look into namespaces).
 *
 *   <a k="1"><b>x</b><c/><c>y</c>z</a>   ->   { "a": { "@k": "1", "b": "x", "c": ["", "y"], "#text": "z" } }
 *
 * An element without attributes and children is its text. Text is kept as it stands; beside children it counts unless
 * it is white space alone. Comments, instructions and namespace declarations are left out.
 */
#include "call/content_int.h"
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#define XML_DEPTH_MAX 48       /* elements; each may bring an object and a list, and values end at VALUE_DEPTH_MAX */
#define XML_NAMES_MAX 1000     /* different names below one element: they are searched one by one */
#define XML_ATTRIBUTES_MAX 256 /* of one element: libxml2 2.9 compares each with each */
#define XML_TEXT_MAX (64u << 20)
#define XML_DECLARATION_MAX 200 /* where the declaration's encoding is looked for */

struct element {
	struct str name;
	struct value object;
	size_t text_start; /* in xml_build.text */
	bool has_children;
};

struct xml_build {
	struct arena *a;
	const struct value *lists;
	xmlParserCtxtPtr parser;
	struct element stack[XML_DEPTH_MAX];
	size_t depth;
	struct buf text; /* of the open elements, the innermost one's last */
	struct value root;
	char *refused; /* a sentence */
	bool is_out_of_memory;
	int line;
	char message[200]; /* libxml2's first error */
};

static void stop(struct xml_build *x, char *refused)
{
	x->is_out_of_memory |= !refused;
	if (!x->refused)
		x->refused = refused;
	xmlStopParser(x->parser);
}

static struct str xml_str(struct arena *a, const xmlChar *text)
{
	return arena_str(a, str_c((const char *)text));
}

static bool is_list(const struct value *lists, struct str name)
{
	for (uint32_t i = 0; value_is(lists, VALUE_ARRAY) && i < lists->len; i++)
		if (value_is_string(&lists->items[i], name))
			return true;
	return false;
}

static bool is_blank(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || !strchr(" \t\r\n", s.ptr[i]))
			return false;
	return true;
}

/* ---- what the parser tells ---- */

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	struct xml_build *x = arg;
	stop(x, arena_printf(x->a, "the document has a document type (DTD), which is not read"));
}

static int add_attributes(struct xml_build *x, struct element *e, const xmlChar **pairs)
{
	for (; pairs && pairs[0]; pairs += 2) {
		const char *name = (const char *)pairs[0];
		if (strcmp(name, "xmlns") == 0 || strncmp(name, "xmlns:", 6) == 0)
			continue;
		const char *key = arena_printf(x->a, "@%s", name);
		struct str text = xml_str(x->a, pairs[1] ? pairs[1] : (const xmlChar *)"");
		if (!key || !text.ptr || value_add(x->a, &e->object, str_c(key), value_string(text)) < 0)
			return -ERR_NO_MEMORY;
	}
	return 0;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attributes)
{
	struct xml_build *x = arg;
	if (x->refused || x->is_out_of_memory)
		return;
	if (x->depth == XML_DEPTH_MAX) {
		stop(x, arena_printf(x->a, "elements are nested deeper than %d", XML_DEPTH_MAX));
		return;
	}
	if (x->depth)
		x->stack[x->depth - 1].has_children = true;
	struct element *e = &x->stack[x->depth++];
	*e = (struct element){ .name = xml_str(x->a, name), .object = value_object(), .text_start = x->text.len };
	if (!e->name.ptr || add_attributes(x, e, attributes) < 0)
		stop(x, NULL);
}

/* What the element has become; its text leaves the buffer. */
static int element_value(struct xml_build *x, struct element *e, struct value *ret)
{
	struct str text = STR("");
	if (x->text.len > e->text_start)
		text = str_from(x->text.ptr + e->text_start, x->text.len - e->text_start);
	bool is_text = e->object.len == 0;
	bool is_kept = is_text || (text.len > 0 && !(e->has_children && is_blank(text)));
	struct value v = is_kept ? value_string_copy(x->a, text) : VALUE_NONE;
	x->text.len = e->text_start;
	if (is_kept && v.kind == VALUE_ABSENT)
		return -ERR_NO_MEMORY;
	*ret = is_text ? v : e->object;
	return is_text || !is_kept ? 0 : value_add(x->a, ret, STR("#text"), v);
}

/* A name that comes again makes a list. */
static int add_child(struct xml_build *x, struct value *object, struct str name, struct value v)
{
	struct value *old = value_get(object, name), list = value_array();
	if (value_is(old, VALUE_ARRAY))
		return value_push(x->a, old, v);
	if (!old && object->len >= XML_NAMES_MAX) {
		stop(x, arena_printf(x->a, "an element has children of more than %d names", XML_NAMES_MAX));
		return 0;
	}
	if (!old && !is_list(x->lists, name))
		return value_add(x->a, object, name, v);
	if ((old && value_push(x->a, &list, *old) < 0) || value_push(x->a, &list, v) < 0)
		return -ERR_NO_MEMORY;
	if (!old)
		return value_add(x->a, object, name, list);
	*old = list;
	return 0;
}

static void on_end(void *arg, const xmlChar *name)
{
	struct xml_build *x = arg;
	if (x->refused || x->is_out_of_memory || x->depth == 0)
		return;
	struct element *e = &x->stack[--x->depth];
	struct value *above = x->depth ? &x->stack[x->depth - 1].object : &x->root, v;
	if (element_value(x, e, &v) < 0 || add_child(x, above, e->name, v) < 0)
		stop(x, NULL);
}

static void on_text(void *arg, const xmlChar *text, int n)
{
	struct xml_build *x = arg;
	if (x->depth && !x->refused && !x->is_out_of_memory && buf_append(&x->text, text, (size_t)n) < 0)
		stop(x, NULL);
}

/* The first mistake is the one to tell; what the parser says of it it also keeps in pieces. */
static void on_error(void *arg, const char *format, ...)
{
	struct xml_build *x = arg;
	const xmlError *e = &x->parser->lastError;
	const char *told = e->message ? e->message : "";
	size_t n = strcspn(told, "\r\n");
	if (x->message[0])
		return;
	x->line = e->line;
	n = n < sizeof(x->message) ? n : sizeof(x->message) - 1;
	memcpy(x->message, told, n);
	if (n == 0)
		memcpy(x->message, "it is not well-formed", sizeof("it is not well-formed"));
}

/* ---- guards ---- */

/* Each "<" opens at most one tag and no tag holds another: so the "=" up to its end are its attributes, and some more.
 */
static bool has_crowded_tag(struct str text)
{
	size_t equals = 0;
	char quote = '\0';
	bool is_inside = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '<') {
			is_inside = true;
			equals = 0;
			quote = '\0';
		} else if (!is_inside) {
			continue;
		} else if (quote) {
			quote = c == quote ? '\0' : quote;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '>') {
			is_inside = false;
		} else if (c == '=' && ++equals > XML_ATTRIBUTES_MAX) {
			return true;
		}
	}
	return false;
}

struct str xml_declared_charset(struct str body)
{
	struct str head = str_from(body.ptr, body.len < XML_DECLARATION_MAX ? body.len : XML_DECLARATION_MAX);
	if (!str_starts(head, STR("<?xml")))
		return STR_NULL;
	ptrdiff_t end = str_find(head, STR("?>"));
	head.len = end >= 0 ? (size_t)end : head.len;
	ptrdiff_t at = str_find(head, STR("encoding"));
	if (at < 0)
		return STR_NULL;
	struct str rest = str_from(head.ptr + at + 8, head.len - (size_t)at - 8);
	while (rest.len && strchr(" \t\r\n=", rest.ptr[0]) && rest.ptr[0])
		rest = str_from(rest.ptr + 1, rest.len - 1);
	if (rest.len == 0 || (rest.ptr[0] != '"' && rest.ptr[0] != '\''))
		return STR_NULL;
	char quote = rest.ptr[0];
	rest = str_from(rest.ptr + 1, rest.len - 1);
	return str_split(&rest, quote);
}

/* ---- all of it ---- */

static int parse(struct xml_build *x, struct str text)
{
	/* The text is UTF-8 by now, whatever its declaration says. References to the five entities are replaced; others
	 * cannot exist. */
	x->parser = xmlCreateMemoryParserCtxt(text.ptr, (int)text.len);
	if (!x->parser)
		return -ERR_NO_MEMORY;
	(void)xmlCtxtUseOptions(x->parser, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC);
	(void)xmlSwitchEncoding(x->parser, XML_CHAR_ENCODING_UTF8);
	*x->parser->sax = (xmlSAXHandler){
		.initialized = 1, /* not XML_SAX2_MAGIC: names are left alone */
		.internalSubset = on_doctype,
		.startElement = on_start,
		.endElement = on_end,
		.characters = on_text,
		.cdataBlock = on_text,
		.ignorableWhitespace = on_text,
		.error = on_error,
		.fatalError = on_error,
	};
	x->parser->userData = x;
	int r = xmlParseDocument(x->parser);
	bool is_fine = r == 0 && x->parser->wellFormed && x->depth == 0;
	bool lacks_memory = x->parser->errNo == XML_ERR_NO_MEMORY;
	if (x->parser->myDoc) /* none is built without the tree's handlers, but who knows */
		xmlFreeDoc(x->parser->myDoc);
	xmlFreeParserCtxt(x->parser);
	x->is_out_of_memory |= lacks_memory;
	if (x->is_out_of_memory)
		return -ERR_NO_MEMORY;
	return is_fine ? 0 : -ERR_INVALID;
}

int content_xml(struct str text, const struct value *lists, struct arena *a, struct content *ret)
{
	static const char title[] = "The answer is not valid XML";
	struct xml_build *x = ARENA_NEW(a, struct xml_build);
	if (!x)
		return -ERR_NO_MEMORY;
	*x = (struct xml_build){ .a = a, .lists = lists, .text = { .max = XML_TEXT_MAX }, .root = value_object() };
	if (text.len > INT32_MAX || has_crowded_tag(text))
		return content_trouble(ret, "invalid_xml", title,
				       arena_printf(a, "an element has more than %d attributes", XML_ATTRIBUTES_MAX));
	int r = parse(x, text);
	buf_done(&x->text);
	if (r == -ERR_NO_MEMORY)
		return r;
	ret->value = x->root;
	if (x->refused)
		return content_trouble(ret, "invalid_xml", title, x->refused);
	if (r < 0)
		return content_trouble(ret, "invalid_xml", title,
				       arena_printf(a, "line %d: %.*s", x->line,
						    STR_ARG(quote_safely(a, str_c(x->message), sizeof(x->message)))));
	return 0;
}
