/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update_entry: saves, changes or deletes an entry of the component, by its primary key. The entry and the ledger's note of it are one
 * transaction, so a resumed run writes nothing twice.
 */
#include "step/step_int.h"

#include "base/json.h"

static const char *const entry_modes[] = { "upsert", "create", "update", "delete", NULL };

struct update_entry_opts {
	int mode;
	const struct value *fields_mapping;
	struct str result_store_field;
};

static const struct opt update_entry_rows[] = {
	OPT_ENUM(struct update_entry_opts, mode, "upsert", entry_modes,
		 "What to do: upsert saves over the entry with the same key, create refuses it, update needs it, delete removes it."),
	OPT_VALUE(struct update_entry_opts, fields_mapping, OPT_MAPPING | OPT_EXPR, "{\"type\":\"object\"}",
		  "The entry's fields and where each value comes from; left out: the fields of item.data."),
	OPT_STRING(struct update_entry_opts, result_store_field, 0, NULL, 0, 200, "The item's field that receives the entry's id."),
	OPT_END,
};

struct entry_step {
	struct step_scripts scripts;
	const struct field *key; /* NULL = the model has no primary key */
};

static int mapping_names_check(struct compile *c, const struct value *mapping)
{
	int rc = 0;
	if (mapping->kind != VALUE_OBJECT)
		return compile_complain(c, mapping, "fields_mapping", "write one row a field, like city: \"=item.data.city\"");
	for (size_t i = 0; i < mapping->len; i++)
		if (!component_field(c->component, mapping->members[i].key))
			rc = compile_complain(c, &mapping->members[i].value, "fields_mapping", "the model has no field \"%.*s\"",
					      STR_ARG(mapping->members[i].key));
	return rc;
}

static int update_entry_compile(struct compile *c, struct plan_step *s)
{
	const struct update_entry_opts *o = s->opts;
	struct entry_step *es = ARENA_NEW(c->arena, struct entry_step);
	if (!es)
		return compile_complain(c, NULL, NULL, "out of memory");
	s->compiled = es;
	for (size_t i = 0; i < c->component->n_fields; i++)
		if (c->component->fields[i].primary_key)
			es->key = &c->component->fields[i];
	if (!es->key && o->mode != ENTRY_CREATE)
		return compile_complain(c, value_get_c(s->source_text->settings, "mode"), "mode",
					"%s finds entries by their key, and no field of the model is the primary key; mark one with primary_key: true, or write mode: create",
					entry_modes[o->mode]);
	if (!o->fields_mapping)
		return 0;
	int rc = mapping_names_check(c, o->fields_mapping);
	if (es->key && !value_get(o->fields_mapping, es->key->name))
		rc = compile_complain(c, o->fields_mapping, "fields_mapping", "the primary key \"%.*s\" has no row", STR_ARG(es->key->name));
	return step_mapping_compile(c, s, &es->scripts, o->fields_mapping, "fields_mapping") < 0 ? -ERR_INVALID : rc;
}

static void complain_text(void *arg, struct str field, const char *sentence)
{
	struct buf *b = arg;
	(void)buf_printf(b, "%s%s", b->len ? "; " : "", sentence);
}

static void entry_done(struct step *s, struct item *it, const struct store_result *result)
{
	const struct update_entry_opts *o = step_opts(s);
	struct err e = ERR_INIT;
	if (result->error == STORE_CONFLICT || (result->error == STORE_NOT_FOUND && o->mode != ENTRY_DELETE)) {
		err_set(&e, ERR_CONFLICT, "%s", result->detail ? result->detail : "the entry is not in the state that the mode needs");
		step_fail(s, it, step_err_problem(s, it, "entry_conflict", "The entry cannot be written", &e), ITEM_FAILED);
		return;
	}
	struct value id = result->id ? value_int(&it->arena, result->id) : value_null();
	if (o->result_store_field.len && path_put(&it->arena, &it->root, o->result_store_field, id, &e) < 0)
		step_fail(s, it, step_err_problem(s, it, "bad_mapping", "The result cannot be stored in the item", &e), ITEM_FAILED);
	else
		step_pass(s, it);
}

/* The key as text: strings as they are, everything else as JSON, so that 1 and "1" stay apart only by type. */
static struct str key_text(const struct entry_step *es, const struct value *data, struct arena *a)
{
	const struct value *v = es->key ? value_get(data, es->key->name) : NULL;
	if (!v || v->kind == VALUE_NULL)
		return STR_NULL;
	if (v->kind == VALUE_STRING)
		return value_text(v);
	struct buf b;
	buf_init(&b, 4096);
	(void)json_write(&b, v, JSON_COMPACT);
	struct str text = arena_str(a, buf_str(&b));
	buf_done(&b);
	return text;
}

static void entry_replay(struct step *s, struct item *it)
{
	const struct update_entry_opts *o = step_opts(s);
	const struct ledger_row *row = step_recorded(s, it, LEDGER_ENTRY);
	struct err e = ERR_INIT;
	if (!row && o->mode != ENTRY_DELETE) { /* deleting what was not there leaves no row */
		err_set(&e, ERR_NOT_FOUND, "the ledger holds no entry for this item");
		step_fail(s, it, step_err_problem(s, it, "not_recorded", "The entry is not recorded", &e), ITEM_FAILED);
		return;
	}
	entry_done(s, it, &(struct store_result){ .id = row ? row->number : 0, .change = row ? row->code : 0, .was_recorded = true });
}

/* What would be written, for who checks a replay. */
static void entry_tell(struct step *s, struct item *it, struct str key, struct str data)
{
	const struct update_entry_opts *o = step_opts(s);
	auto_buf struct buf b = { .max = 2 * ITEM_MAX_BYTES };
	if (!step_is_checked(s))
		return;
	(void)buf_append_c(&b, "{\"data\":");
	(void)buf_append_str(&b, data);
	(void)buf_append_c(&b, ",\"key\":");
	(void)(key.ptr ? json_write_string(&b, key) : buf_append_c(&b, "null"));
	(void)buf_printf(&b, ",\"mode\":\"%s\"}", entry_modes[o->mode]);
	if (buf_ok(&b))
		(void)step_tell(s, it, LEDGER_ENTRY, buf_str(&b));
}

static void entry_write(struct step *s, struct item *it, const struct value *fields)
{
	const struct update_entry_opts *o = step_opts(s);
	const struct entry_step *es = step_plan(s)->compiled;
	const struct component *k = step_plan_component(s);
	struct value data = VALUE_NONE;
	struct err e = ERR_INIT;
	struct buf text;
	buf_init(&text, 768);
	unsigned flags = (o->fields_mapping ? MODEL_ONLY_KNOWN : 0) | (o->mode == ENTRY_UPSERT || o->mode == ENTRY_CREATE ? 0 : MODEL_PARTIAL);
	if (model_check(k, fields, flags, &it->arena, &data, complain_text, &text))
		err_set(&e, ERR_INVALID, "%.*s", STR_ARG(buf_str(&text)));
	struct str key = e.code ? STR_NULL : key_text(es, &data, &it->arena);
	if (!e.code && es->key && !key.ptr)
		err_set(&e, ERR_INVALID, "the primary key %.*s has no value", STR_ARG(es->key->name));
	buf_clear(&text);
	text.max = ITEM_MAX_BYTES;
	if (!e.code && json_write(&text, &data, JSON_COMPACT) < 0)
		err_set(&e, ERR_LIMIT, "the entry is too large");
	if (e.code) {
		step_fail(s, it, step_err_problem(s, it, "invalid_entry", "The entry does not fit the model", &e), ITEM_FAILED);
	} else if (step_is_replay(s)) {
		entry_tell(s, it, key, buf_str(&text));
		entry_replay(s, it);
	} else {
		struct entry_row row = { .component = k->name, .key = key, .data = buf_str(&text), .run = step_row(s)->id };
		step_entry_write(s, it, (enum entry_mode)o->mode, &row, entry_done);
	}
	buf_done(&text);
}

static void entry_map(struct step *s, struct item *it, const struct value *scripted)
{
	const struct entry_step *es = step_plan(s)->compiled;
	const struct value *data = value_get_c(&it->root, "data");
	struct value fields = data ? *data : value_object();
	struct err e = ERR_INIT;
	if (es->scripts.mapping && mapping_eval(es->scripts.mapping, &it->arena, &it->root, scripted, &fields, &e) < 0)
		step_fail(s, it, step_err_problem(s, it, "bad_mapping", "The mapping failed", &e), ITEM_FAILED);
	else
		entry_write(s, it, &fields);
}

static void on_scripted(struct step *s, struct item *it, const struct script_result *result)
{
	if (result->error)
		batch_fail_item(s, it, result);
	else
		entry_map(s, it, &result->value);
}

static int update_entry_open(struct step *s, struct err *e)
{
	const struct entry_step *es = step_plan(s)->compiled;
	if (!es->scripts.program)
		return 0;
	step_set_state(s, batch_new(s, es->scripts.program, on_scripted));
	return step_state(s) ? 0 : err_set(e, ERR_NO_MEMORY, "out of memory");
}

static enum verdict update_entry_start(struct step *s, struct item *it)
{
	if (step_state(s))
		batch_add(step_state(s), it);
	else
		entry_map(s, it, NULL);
	return STEP_WAIT;
}

static void update_entry_flush(struct step *s)
{
	if (step_state(s))
		batch_flush(step_state(s));
}

static void update_entry_close(struct step *s)
{
	batch_free(step_state(s));
	step_set_state(s, NULL);
}

static struct str update_entry_promise(const struct plan_step *s, struct arena *a)
{
	return STR("exactly once: the entry and the ledger's note of it are one transaction");
}

static struct str update_entry_detail(const struct plan_step *s, struct arena *a)
{
	const struct update_entry_opts *o = s->opts;
	return str_c(arena_printf(a, "%s entry", entry_modes[o->mode]));
}

const struct kind step_update_entry = {
	.name = "update_entry",
	.title = "Update entry",
	.brief = "Saves the result as an entry of the component, by its primary key.",
	.group = KIND_OUTPUT,
	.opts = update_entry_rows,
	.opts_size = sizeof(struct update_entry_opts),
	.compile = update_entry_compile,
	.release = step_scripts_release,
	.promise = update_entry_promise,
	.detail = update_entry_detail,
	.open = update_entry_open,
	.start = update_entry_start,
	.flush = update_entry_flush,
	.close = update_entry_close,
};

bool step_writes_once(const struct plan_step *s)
{
	const struct update_entry_opts *o = s->opts;
	return s->kind == &step_update_entry && o->mode != ENTRY_UPSERT;
}
