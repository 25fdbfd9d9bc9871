/* SPDX-License-Identifier: Apache-2.0 */
/* Findings in words, results as TAP 14 and as JUnit XML. */
#include "app/cassettes.h"
#include "base/xml_text.h"

#define XML_MAX_BYTES (64u << 20)

/* ---- words ---- */

static void write_request(struct buf *b, const struct value *request)
{
	const struct value *method = value_get_c(request, "method"), *url = value_get_c(request, "url");
	if (value_is(method, VALUE_STRING) && value_is(url, VALUE_STRING))
		(void)buf_printf(b, "%.*s %.*s", STR_ARG(value_text(method)), STR_ARG(value_text(url)));
}

static void write_problem(struct buf *b, const struct value *problem)
{
	const struct value *detail = value_get_c(problem, "detail");
	if (value_is(detail, VALUE_STRING))
		(void)buf_append_str(b, value_text(detail));
	else
		(void)json_write(b, problem, JSON_COMPACT);
}

static void write_call(struct buf *b, const struct cassette_finding *f)
{
	static const char *const words[] = {
		[CASSETTE_CHANGED] = "the request has changed",
		[CASSETTE_NEW] = "a call that was not recorded, so there is no answer for it: ",
		[CASSETTE_GONE] = "the recorded call is not made any more: ",
	};
	(void)buf_append_c(b, words[f->verdict]);
	if (f->verdict == CASSETTE_CHANGED)
		return;
	write_request(b, f->now ? f->now : f->recorded);
}

static void write_end(struct buf *b, const struct cassette_finding *f)
{
	const char *what = f->kind == CASSETTE_ENTRY	? "entry"
			   : f->kind == CASSETTE_OUTPUT ? "output"
			   : f->kind == CASSETTE_STEP	? "item"
							: "problem";
	if (f->verdict == CASSETTE_CHANGED) {
		(void)buf_printf(b, "the %s has changed", what);
	} else if (f->kind == CASSETTE_PROBLEM) {
		(void)buf_append_c(b, f->verdict == CASSETTE_NEW ? "the item fails now: "
								 : "the item does not fail any more; it did: ");
		write_problem(b, f->now ? f->now : f->recorded);
	} else {
		(void)buf_printf(
		    b, f->verdict == CASSETTE_NEW ? "an %s that was not there" : "the recorded %s is missing", what);
	}
}

/* Of an entry what is written; its id and whether it was new are of that day. */
static struct value entry_shown(const struct value *entry, struct member room[3])
{
	static const char *const names[] = { "data", "key", "mode" };
	struct value v = { .kind = VALUE_OBJECT, .members = room };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (value_get_c(entry, names[i]))
			room[v.len++] = (struct member){ str_c(names[i]), *value_get_c(entry, names[i]) };
	return v;
}

void finding_write(struct buf *b, const struct cassette_finding *f)
{
	if (f->verdict == CASSETTE_SAME)
		return;
	(void)buf_printf(b, "item %llu", (unsigned long long)f->item);
	if (f->step.len)
		(void)buf_printf(b, ", step %.*s", STR_ARG(f->step));
	(void)buf_append_c(b, ": ");
	if (f->kind == CASSETTE_CALL)
		write_call(b, f);
	else
		write_end(b, f);
	(void)buf_append_char(b, '\n');
	if (f->verdict != CASSETTE_CHANGED)
		return;
	struct member rooms[2][3];
	struct value recorded = *f->recorded, now = *f->now;
	if (f->kind == CASSETTE_ENTRY) {
		recorded = entry_shown(f->recorded, rooms[0]);
		now = entry_shown(f->now, rooms[1]);
	}
	(void)cassette_diff_write(b, &recorded, &now, "  ");
}

/* ---- results ---- */

void report_begin(struct report *r)
{
	*r = (struct report){ 0 };
	buf_init(&r->xml, XML_MAX_BYTES);
}

/* A report is made of whatever failed: what XML has no place for is shown as "?". */
static void xml_text(struct buf *b, struct str s, bool in_attribute)
{
	while (s.len) {
		size_t n = xml_bad_char(s);
		xml_append(b, str_from(s.ptr, n), in_attribute);
		if (n == s.len)
			return;
		(void)buf_append_char(b, '?');
		n += (unsigned char)s.ptr[n] == 0xEF ? 3 : 1;
		s = str_from(s.ptr + n, s.len - n);
	}
}

static void xml_test(struct buf *b, struct str suite, const char *name, struct str why)
{
	struct str rest = why, first = str_split(&rest, '\n');
	(void)buf_append_c(b, "  <testcase classname=\"");
	xml_text(b, suite, true);
	(void)buf_append_c(b, "\" name=\"");
	xml_text(b, str_c(name), true);
	if (!why.len) {
		(void)buf_append_c(b, "\"/>\n");
		return;
	}
	(void)buf_append_c(b, "\">\n    <failure message=\"");
	xml_text(b, first, true);
	(void)buf_append_c(b, "\">");
	xml_text(b, why, false);
	(void)buf_append_c(b, "</failure>\n  </testcase>\n");
}

/* "#" begins a directive and a backslash escapes (TAP 14, "Escaping"). */
static void tap_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '#' || s.ptr[i] == '\\')
			putchar('\\');
		putchar((unsigned char)s.ptr[i] < 0x20 ? ' ' : s.ptr[i]);
	}
}

void report_test(struct report *r, struct str suite, const char *name, struct str why)
{
	if (r->passed + r->failed == 0 && !r->is_silent)
		printf("TAP version 14\n");
	r->passed += why.len == 0;
	r->failed += why.len != 0;
	xml_test(&r->xml, suite, name, why);
	if (r->is_silent)
		return;
	printf("%sok %u - ", why.len ? "not " : "", r->passed + r->failed);
	tap_name(suite);
	putchar(' ');
	tap_name(str_c(name));
	putchar('\n');
	if (!why.len)
		return;
	printf("  ---\n  why: |\n");
	while (why.len) {
		struct str line = str_split(&why, '\n');
		printf("    %.*s\n", STR_ARG(line));
	}
	printf("  ...\n");
}

int report_end(struct report *r, const char *junit, struct err *e)
{
	unsigned n = r->passed + r->failed;
	struct buf b;
	int code = 0;
	if (!r->is_silent && n)
		printf("1..%u\n", n);
	(void)fflush(stdout);
	buf_init(&b, XML_MAX_BYTES);
	(void)buf_printf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%u\" failures=\"%u\">\n",
			 n, r->failed);
	(void)buf_printf(&b, " <testsuite name=\"weir\" tests=\"%u\" failures=\"%u\">\n", n, r->failed);
	(void)buf_append_str(&b, buf_str(&r->xml));
	(void)buf_append_c(&b, " </testsuite>\n</testsuites>\n");
	if (junit && (!buf_ok(&b) || !buf_ok(&r->xml)))
		code = err_set(e, ERR_LIMIT, "the results are too long for %s", junit);
	else if (junit)
		code = app_bytes_write(buf_str(&b), junit, e);
	buf_done(&b);
	buf_done(&r->xml);
	return code;
}
