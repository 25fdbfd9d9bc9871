/* SPDX-License-Identifier: Apache-2.0 */
#include "api/views.h"

#include "base/clock.h"
#include "base/json.h"

void view_set(struct arena *a, struct value *object, const char *key, struct value v)
{
	(void)value_set(a, object, str_c(key), v);
}

void view_set_str(struct arena *a, struct value *object, const char *key, struct str s)
{
	view_set(a, object, key, s.ptr ? value_string_copy(a, s) : value_null());
}

void view_set_int(struct arena *a, struct value *object, const char *key, int64_t n)
{
	view_set(a, object, key, value_int(a, n));
}

struct value view_time(struct arena *a, msec_t wall)
{
	char text[CLOCK_RFC3339_BYTES];
	if (!wall)
		return value_null();
	clock_format_rfc3339(wall, text);
	return value_string_copy(a, str_c(text));
}

struct value view_json(struct arena *a, struct str text)
{
	struct value v;
	struct str own = arena_str(a, text);
	if (!text.len || json_parse(a, own, NULL, &v, NULL, NULL) < 0)
		return value_null();
	return v;
}

/* Ids are text in JSON: they are names, not numbers to count with. */
static struct value id_text(struct arena *a, int64_t id)
{
	return id ? value_string(str_c(arena_printf(a, "%lld", (long long)id))) : value_null();
}

struct value view_page(struct arena *a, struct value items, struct value next, struct value total)
{
	struct value page = value_object();
	view_set(a, &page, "items", items);
	view_set(a, &page, "next", next);
	view_set(a, &page, "total", total);
	return page;
}

static struct value view_counts(struct arena *a, const struct run_row *row)
{
	struct value counts = value_object();
	view_set_int(a, &counts, "items_in", (int64_t)row->items_in);
	view_set_int(a, &counts, "items_out", (int64_t)row->items_out);
	view_set_int(a, &counts, "failed", (int64_t)row->failed);
	view_set_int(a, &counts, "unknown", (int64_t)row->unknown);
	return counts;
}

struct value view_run(struct arena *a, const struct run_row *row, bool is_interrupted)
{
	struct value v = value_object();
	msec_t end = row->ended_at ? row->ended_at : row->state == RUN_RUNNING && !is_interrupted ? clock_wall() : 0;
	view_set(a, &v, "id", id_text(a, row->id));
	view_set_str(a, &v, "component", row->component);
	view_set_str(a, &v, "dataflow", row->dataflow);
	view_set_str(a, &v, "version", str_from(row->version.ptr, row->version.len < 12 ? row->version.len : 12));
	view_set_str(a, &v, "env", row->env);
	view_set_str(a, &v, "trigger", row->trigger);
	view_set_str(a, &v, "state", str_c(is_interrupted ? "interrupted" : run_state_name(row->state)));
	view_set(a, &v, "started_at", view_time(a, row->started_at));
	view_set(a, &v, "ended_at", view_time(a, row->ended_at));
	view_set(a, &v, "duration_ms", end ? value_int(a, end - row->started_at) : value_null());
	view_set(a, &v, "counts", view_counts(a, row));
	view_set(a, &v, "problem", row->problem.len ? value_string_copy(a, row->problem) : value_null());
	return v;
}

static const struct value *counts_of(const struct value *stored, struct str name)
{
	for (size_t i = 0; value_is(stored, VALUE_ARRAY) && i < stored->len; i++)
		if (value_is_string(value_get_c(value_at(stored, i), "name"), name))
			return value_at(stored, i);
	return NULL;
}

static struct value view_step(struct arena *a, const struct plan *p, const struct plan_step *s,
			      const struct value *counts)
{
	static const char *const numbers[] = { "in", "out", "failed", "duration_ms" };
	struct value v = value_object();
	view_set_str(a, &v, "name", s->name);
	view_set(a, &v, "title", s->source_text->title ? *s->source_text->title : value_null());
	view_set_str(a, &v, "stage", s->stage);
	view_set_str(a, &v, "kind", str_c(s->kind->name));
	view_set(a, &v, "source_step", s->source < 0 ? value_null() : value_string(p->steps[s->source].name));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct value *n = value_get_c(counts, numbers[i]);
		view_set(a, &v, numbers[i], n ? *n : value_int(a, 0));
	}
	view_set(a, &v, "promise", s->kind->promise ? value_string(s->kind->promise(s, a)) : value_null());
	view_set(a, &v, "detail", s->kind->detail ? value_string(s->kind->detail(s, a)) : value_null());
	return v;
}

struct value view_run_steps(struct arena *a, const struct plan *p, const struct run_row *row, const struct run *live)
{
	struct value steps = value_array(), copy = value_array();
	struct buf text;
	buf_init(&text, 1u << 20);
	if (live)
		(void)run_write_steps(live, &text);
	struct value stored = view_json(a, live ? buf_str(&text) : row->steps);
	buf_done(&text);
	for (size_t i = 0; i < p->n_steps; i++)
		(void)value_push(a, &steps, view_step(a, p, &p->steps[i], counts_of(&stored, p->steps[i].name)));
	/* The plan's own texts must not be borrowed beyond the plan. */
	return value_copy(a, &steps, &copy) == 0 ? copy : value_array();
}

struct value view_entry(struct arena *a, const struct entry_row *row)
{
	struct value v = value_object();
	view_set(a, &v, "id", id_text(a, row->id));
	view_set(a, &v, "created_at", view_time(a, row->created_at));
	view_set(a, &v, "updated_at", view_time(a, row->updated_at));
	view_set(a, &v, "run_id", id_text(a, row->run));
	view_set(a, &v, "item", row->step < 0 ? value_null() : value_int(a, (int64_t)row->seq));
	view_set(a, &v, "data", view_json(a, row->data));
	return v;
}

struct value view_component(struct arena *a, const struct component *k, msec_t imported_at)
{
	struct value v = value_object(), flows = value_array(), forms = value_array();
	for (size_t i = 0; i < k->n_dataflows; i++)
		(void)value_push(a, &flows, value_string_copy(a, k->dataflows[i].name));
	for (size_t i = 0; i < k->n_forms; i++)
		(void)value_push(a, &forms, value_string_copy(a, k->forms[i].name));
	view_set_str(a, &v, "name", k->name);
	struct value title = value_null();
	if (k->title)
		(void)value_copy(a, k->title, &title);
	view_set(a, &v, "title", title);
	view_set_str(a, &v, "version", str_from(k->version, 12));
	view_set(a, &v, "imported_at", view_time(a, imported_at));
	view_set(a, &v, "dataflows", flows);
	view_set(a, &v, "forms", forms);
	return v;
}

struct value view_member(struct arena *a, const struct value *object, const char *key)
{
	struct value v = value_null();
	const struct value *m = value_get_c(object, key);
	if (m)
		(void)value_copy(a, m, &v);
	return v;
}

static struct value view_field(struct arena *a, const struct field *f)
{
	static const char *const as_written[] = { "enum",	"minimum", "maximum", "min_length",
						  "max_length", "pattern", "help",    "unit" };
	struct value v = value_object(), title = value_string_copy(a, f->name);
	if (f->title)
		(void)value_copy(a, f->title, &title);
	view_set_str(a, &v, "name", f->name);
	view_set_str(a, &v, "type", str_c(field_type_name(f->type)));
	view_set(a, &v, "title", title);
	view_set(a, &v, "required", value_bool(f->required));
	view_set(a, &v, "primary_key", value_bool(f->primary_key));
	for (size_t i = 0; i < ARRAY_LEN(as_written); i++)
		view_set(a, &v, as_written[i], view_member(a, f->source, as_written[i]));
	return v;
}

static struct value view_fields(struct arena *a, const struct component *k, const struct str *names, size_t n)
{
	struct value list = value_array();
	for (size_t i = 0; i < (n ? n : k->n_fields); i++) {
		const struct field *f = n ? component_field(k, names[i]) : &k->fields[i];
		if (f)
			(void)value_push(a, &list, view_field(a, f));
	}
	return list;
}

/* The columns of the saved list: the form's "entries", else all fields. */
static struct value view_entry_fields(struct arena *a, const struct component *k, const struct form *f)
{
	const struct value *names = value_get_c(f->source, "entries");
	struct value list = value_array();
	if (!value_is(names, VALUE_ARRAY))
		return view_fields(a, k, NULL, 0);
	for (size_t i = 0; i < names->len; i++) {
		const struct field *field = component_field(k, value_text(value_at(names, i)));
		if (field)
			(void)value_push(a, &list, view_field(a, field));
	}
	return list;
}

struct value view_form(struct arena *a, const struct component *k, const struct form *f, struct str env)
{
	struct value v = value_object(), title = value_string_copy(a, f->name),
		     app_title = value_string_copy(a, k->name);
	if (value_get_c(f->source, "title"))
		title = view_member(a, f->source, "title");
	if (k->title)
		(void)value_copy(a, k->title, &app_title);
	view_set_str(a, &v, "component", k->name);
	view_set_str(a, &v, "form", f->name);
	view_set(a, &v, "title", title);
	view_set(a, &v, "description", view_member(a, f->source, "description"));
	view_set(a, &v, "app_title", app_title);
	view_set(a, &v, "submit_title", view_member(a, f->source, "submit_title"));
	view_set(a, &v, "fields", view_fields(a, k, f->fields, f->n_fields));
	view_set(a, &v, "entry_fields", view_entry_fields(a, k, f));
	view_set_str(a, &v, "env", env);
	view_set_str(a, &v, "submit", f->submit);
	return v;
}
