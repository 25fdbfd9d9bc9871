/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that are many values one below the other: lines of JSON, server-sent events, CSV. */
#include "base/csv_table.h"
#include "call/content_int.h"

#define NESTED_MAX (CONTENT_DEPTH_MAX - 4) /* of JSON inside of a list or an event */

/* ---- NDJSON ---- */

int content_lines(struct str text, struct arena *a, struct content *ret)
{
	const struct json_options options = { .max_depth = NESTED_MAX };
	struct err e = ERR_INIT;
	struct str rest = arena_str(a, text);
	if (!rest.ptr)
		return -ERR_NO_MEMORY;
	ret->value = value_array();
	for (unsigned number = 1; rest.ptr; number++) {
		struct str line = str_split(&rest, '\n');
		struct value v;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (str_trim(line).len == 0)
			continue;
		int r = json_parse(a, line, &options, &v, NULL, &e);
		if (r == -ERR_NO_MEMORY || (r == 0 && value_push(a, &ret->value, v) < 0))
			return -ERR_NO_MEMORY;
		if (r < 0)
			return content_trouble(ret, "invalid_json", "The answer is not valid JSON",
					       arena_printf(a, "line %u: %s", number, e.msg));
	}
	return 0;
}

/* ---- server-sent events (WHATWG HTML 9.2.6) ---- */

struct events {
	struct arena *a;
	struct value list;
	struct buf data; /* a line feed behind each line */
	struct str type, last_id, retry;
};

/* Cut a line off: CRLF, LF and CR end it. False at an end without one: what is there is no whole line. */
static bool next_line(struct str *rest, struct str *ret)
{
	size_t n = 0;
	while (n < rest->len && rest->ptr[n] != '\n' && rest->ptr[n] != '\r')
		n++;
	if (n == rest->len)
		return false;
	*ret = str_from(rest->ptr, n);
	n += rest->ptr[n] == '\r' && n + 1 < rest->len && rest->ptr[n + 1] == '\n' ? 2 : 1;
	*rest = str_from(rest->ptr + n, rest->len - n);
	return true;
}

/* Data that is JSON is its value, all else a text: "[DONE]" stays what it is. */
static int event_data(struct events *s, struct value *ret)
{
	const struct json_options options = { .max_depth = NESTED_MAX };
	struct str text = arena_str(s->a, str_from(s->data.ptr, s->data.len - 1));
	if (!text.ptr)
		return -ERR_NO_MEMORY;
	int r = json_parse(s->a, text, &options, ret, NULL, NULL);
	if (r < 0 && r != -ERR_NO_MEMORY)
		*ret = value_string(text);
	return r == -ERR_NO_MEMORY ? r : 0;
}

static int event_dispatch(struct events *s)
{
	struct value event = value_object(), data;
	struct str type = s->type.len ? s->type : STR("message");
	s->type = STR_NULL;
	if (s->data.len == 0)
		return 0;
	if (event_data(s, &data) < 0 || value_add(s->a, &event, STR("event"), value_string(type)) < 0 ||
	    value_add(s->a, &event, STR("data"), data) < 0)
		return -ERR_NO_MEMORY;
	if (s->last_id.len && value_add(s->a, &event, STR("id"), value_string(s->last_id)) < 0)
		return -ERR_NO_MEMORY;
	if (s->retry.len && value_add(s->a, &event, STR("retry"), value_number_text(s->retry)) < 0)
		return -ERR_NO_MEMORY;
	s->retry = STR_NULL;
	buf_clear(&s->data);
	return value_push(s->a, &s->list, event);
}

/* Digits as a JSON number, or the null string. */
static struct str digits_of(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return STR_NULL;
	while (value.len > 1 && value.ptr[0] == '0')
		value = str_from(value.ptr + 1, value.len - 1);
	return value;
}

static int event_line(struct events *s, struct str line)
{
	struct str value = line, name = str_split(&value, ':');
	if (line.len == 0)
		return event_dispatch(s);
	if (str_starts(value, STR(" ")))
		value = str_from(value.ptr + 1, value.len - 1);
	if (!value.ptr)
		value = STR("");
	if (str_eq(name, STR("data"))) {
		(void)buf_append_str(&s->data, value);
		return buf_append_char(&s->data, '\n') < 0 ? -ERR_NO_MEMORY : 0;
	}
	if (str_eq(name, STR("event")))
		s->type = value;
	else if (str_eq(name, STR("id")) && str_find_char(value, '\0') < 0)
		s->last_id = value;
	else if (str_eq(name, STR("retry")) && digits_of(value).len)
		s->retry = digits_of(value);
	return 0;
}

/* An event that the end cuts off is dropped, as the standard wants it: only an empty line makes it whole. */
int content_events(struct str text, struct arena *a, struct content *ret)
{
	struct events s = { .a = a, .list = value_array(), .data = { .max = SIZE_MAX / 4 } };
	struct str rest = arena_str(a, text), line;
	int r = rest.ptr ? 0 : -ERR_NO_MEMORY;
	while (r == 0 && next_line(&rest, &line))
		r = event_line(&s, line);
	buf_done(&s.data);
	ret->value = s.list;
	return r < 0 ? -ERR_NO_MEMORY : 0;
}

/* ---- CSV ---- */

static int csv_trouble(struct arena *a, struct content *ret, const struct err *e)
{
	return content_trouble(ret, "invalid_csv", "The answer is not valid CSV", arena_printf(a, "%s", e->msg));
}

/* Records up to the end; the first one names the columns. */
static int read_records(struct csv_reader *reader, struct str text, struct arena *a, struct value *ret_rows,
			struct err *e)
{
	struct csv_table table = { 0 };
	for (;;) {
		struct value row;
		size_t used = 0;
		int r = text.len ? csv_push(reader, text, &used, e) : 0;
		text = str_from(text.ptr + used, text.len - used);
		if (r == 0)
			r = csv_end(reader, e);
		if (r <= 0)
			return r;
		r = csv_table_take(&table, reader, a, a, &row, e);
		if (r < 0)
			return r;
		if (r == 1 && value_push(a, ret_rows, row) < 0)
			return -ERR_NO_MEMORY;
	}
}

int content_csv(struct str text, struct arena *a, struct content *ret)
{
	struct value rows = value_array();
	struct csv_reader reader;
	struct err e = ERR_INIT;
	csv_reader_init(&reader);
	int r = read_records(&reader, text, a, &rows, &e);
	csv_reader_done(&reader);
	if (r == -ERR_NO_MEMORY)
		return r;
	if (r < 0)
		return csv_trouble(a, ret, &e);
	ret->value = rows;
	return 0;
}
