/* SPDX-License-Identifier: Apache-2.0 */
/* The component: its file taken apart, checked once, and never changed again. */
#include "flow/component_int.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/json.h"
#include "flow/digest.h"

#include <stdio.h>

static const char *const root_names[] = { "weir",  "component", "title", "description", "systems",
					  "model", "dataflows", "forms", "functions",	NULL };

/* -- helpers of all checks -- */

struct str check_place(struct check *k, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	const char *copy = arena_c(&k->complaints->arena, str_c(text));
	return copy ? str_c(copy) : STR("");
}

static const char *kind_words(enum value_kind kind)
{
	switch (kind) {
	case VALUE_STRING:
		return "a text";
	case VALUE_ARRAY:
		return "a list";
	case VALUE_OBJECT:
		return "an object";
	case VALUE_BOOL:
		return "true or false";
	case VALUE_NUMBER:
		return "a number";
	default:
		return "nothing";
	}
}

const struct value *check_kind(struct check *k, const struct value *object, const char *name, enum value_kind kind,
			       struct str place)
{
	const struct value *v = value_get_c(object, name);
	if (!v || v->kind == VALUE_NULL)
		return NULL;
	if (v->kind == kind)
		return v;
	COMPLAIN(k, v, place, "\"%s\" must be %s; it is %s", name, kind_words(kind), kind_words(v->kind));
	return NULL;
}

const char *check_hint(struct check *k, struct str name, const char *const *names, size_t n)
{
	const char *nearest = n ? opt_nearest(name, names, n) : NULL;
	return nearest ? check_place(k, "; did you mean \"%s\"?", nearest).ptr : "";
}

static size_t count_names(const char *const *names)
{
	size_t n = 0;
	while (names[n])
		n++;
	return n;
}

void check_known(struct check *k, const struct value *object, const char *const *known, struct str place)
{
	size_t n = count_names(known);
	for (uint32_t i = 0; i < object->len; i++) {
		const struct member *m = &object->members[i];
		bool is_known = false;
		for (size_t j = 0; j < n && !is_known; j++)
			is_known = str_eq_c(m->key, known[j]);
		if (!is_known)
			doc_complain_key(k->doc, k->complaints, m, place, "unknown member \"%.*s\"%s", CLIP(m->key),
					 check_hint(k, m->key, known, n));
	}
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
			return false;
	}
	return s.len > 0 && s.len <= NAME_MAX_BYTES;
}

bool check_name(struct check *k, struct str name, const struct value *at, struct str place, const char *what)
{
	if (is_name(name))
		return true;
	COMPLAIN(k, at, place, "%s \"%.*s\" is no name; write a letter or _, then letters, digits, _ and -, at most %d",
		 what, CLIP(name), NAME_MAX_BYTES);
	return false;
}

static bool is_language(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_letter = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z');
		if (!is_letter && s.ptr[i] != '-')
			return false;
	}
	return s.len >= 2 && s.len <= 16;
}

const struct value *check_title(struct check *k, const struct value *object, const char *name, struct str place)
{
	const struct value *v = value_get_c(object, name);
	if (!v || v->kind == VALUE_NULL)
		return NULL;
	if (v->kind != VALUE_STRING && v->kind != VALUE_OBJECT) {
		COMPLAIN(k, v, place, "\"%s\" must be a text, or texts by language: { en: City, fr: Ville }", name);
		return NULL;
	}
	for (uint32_t i = 0; v->kind == VALUE_OBJECT && i < v->len; i++) {
		const struct member *m = &v->members[i];
		if (!is_language(m->key))
			COMPLAIN(k, &m->value, place, "\"%.*s\" in \"%s\" is no language; write en, fr, pt-BR, ...",
				 CLIP(m->key), name);
		else if (m->value.kind != VALUE_STRING)
			COMPLAIN(k, &m->value, place, "\"%s\" in %.*s must be a text", name, CLIP(m->key));
	}
	return v;
}

/* -- the parts -- */

static void check_head(struct check *k, const struct value *root)
{
	const struct value *weir = value_get_c(root, "weir");
	int64_t n = 0;
	if (!weir)
		COMPLAIN(k, root, STR(""), "\"weir\" is missing; begin the file with \"weir: 1\"");
	else if (!value_is(weir, VALUE_NUMBER) || !value_to_int64(weir, &n) || n != 1)
		COMPLAIN(k, weir, STR(""), "this Weir reads version 1; write \"weir: 1\"");
	const struct value *name = check_kind(k, root, "component", VALUE_STRING, STR(""));
	if (name && check_name(k, value_text(name), name, STR(""), "the component's name"))
		k->component->name = value_text(name);
	else if (!name && !value_is(value_get_c(root, "component"), VALUE_NUMBER))
		COMPLAIN(k, root, STR(""), "\"component\" is missing; write its name, such as \"component: weather\"");
	k->component->title = check_title(k, root, "title", STR(""));
	(void)check_title(k, root, "description", STR(""));
}

static void check_systems(struct check *k, const struct value *systems)
{
	k->component->systems = systems;
	for (uint32_t i = 0; systems && i < systems->len; i++) {
		const struct member *m = &systems->members[i];
		struct str place = check_place(k, "system \"%.*s\"", CLIP(m->key));
		if (!check_name(k, m->key, &m->value, STR("systems"), "the system's name"))
			continue;
		if (m->value.kind != VALUE_OBJECT)
			COMPLAIN(k, &m->value, place, "a system must be an object; write its base_url and connectors");
		else if (k->env && k->env->check_system)
			(void)k->env->check_system(k->doc, m->key, &m->value, k->env, k->complaints);
	}
}

/* Every { secret: NAME } below the systems, in the order of the file. */
struct secret_walk {
	struct check *check;
	const struct value *open[VALUE_DEPTH_MAX + 1];
	uint32_t child[VALUE_DEPTH_MAX + 1];
	size_t depth;
};

static struct str where_text(struct secret_walk *w)
{
	auto_buf struct buf b;
	buf_init(&b, 64u << 10);
	(void)buf_append_c(&b, "systems");
	for (size_t i = 0; i < w->depth; i++) {
		(void)buf_append_char(&b, '.');
		if (w->open[i]->kind == VALUE_OBJECT)
			(void)buf_append_str(&b, w->open[i]->members[w->child[i]].key);
		else
			(void)buf_printf(&b, "%u", w->child[i]);
	}
	return buf_ok(&b) ? arena_str(w->check->arena, buf_str(&b)) : STR_NULL;
}

static void note_secret(struct secret_walk *w, const struct value *v)
{
	struct component *k = w->check->component;
	const struct value *name = value_get_c(v, "secret");
	if (!value_is(name, VALUE_STRING))
		return;
	struct component_secret *grown =
	    arena_grow(w->check->arena, k->secrets, k->n_secrets * sizeof(*grown), (k->n_secrets + 1) * sizeof(*grown));
	if (!grown)
		return;
	k->secrets = grown;
	k->secrets[k->n_secrets++] = (struct component_secret){ value_text(name), where_text(w) };
}

static void find_secrets(struct check *k, const struct value *systems)
{
	struct secret_walk w = { .check = k };
	const struct value *v = systems;
	while (v) {
		note_secret(&w, v);
		if ((v->kind == VALUE_OBJECT || v->kind == VALUE_ARRAY) && v->len && w.depth <= VALUE_DEPTH_MAX) {
			w.open[w.depth] = v;
			w.child[w.depth++] = 0;
		} else {
			while (w.depth > 0 && ++w.child[w.depth - 1] == w.open[w.depth - 1]->len)
				w.depth--;
		}
		if (w.depth == 0)
			break;
		const struct value *in = w.open[w.depth - 1];
		uint32_t i = w.child[w.depth - 1];
		v = in->kind == VALUE_OBJECT ? &in->members[i].value : &in->items[i];
	}
}

static void check_version(struct check *k, const struct value *root)
{
	auto_buf struct buf b;
	buf_init(&b, 64u << 20);
	if (json_write(&b, root, JSON_COMPACT) < 0 || digest_sha256_hex(buf_str(&b), k->component->version) < 0)
		COMPLAIN(k, NULL, STR(""), "out of memory");
}

/* One plan of each dataflow is made and thrown away: what cannot run is said now. */
static void check_plans(struct check *k)
{
	for (size_t i = 0; i < k->component->n_dataflows; i++)
		plan_unref(plan_new(k->component, k->component->dataflows[i].name, k->env, k->complaints));
}

static void check_root(struct check *k, const struct value *root)
{
	struct component *component = k->component;
	if (root->kind != VALUE_OBJECT) {
		COMPLAIN(k, root, STR(""), "a component must be an object that begins with \"weir: 1\"; this is %s",
			 kind_words(root->kind));
		return;
	}
	check_known(k, root, root_names, STR(""));
	check_head(k, root);
	check_systems(k, check_kind(k, root, "systems", VALUE_OBJECT, STR("")));
	const struct value *functions = check_kind(k, root, "functions", VALUE_STRING, STR(""));
	component->functions = functions ? value_text(functions) : STR("");
	check_model(k, check_kind(k, root, "model", VALUE_ARRAY, STR("")));
	check_dataflows(k, check_kind(k, root, "dataflows", VALUE_OBJECT, STR("")));
	check_forms(k, check_kind(k, root, "forms", VALUE_OBJECT, STR("")));
	check_version(k, root);
	find_secrets(k, component->systems);
	if (k->env && k->env->kinds)
		check_plans(k);
}

struct component *component_new(struct doc *doc, const struct flow_env *env, struct complaints *c)
{
	size_t before = c->n + c->dropped;
	struct component *component = alloc_calloc(1, sizeof(*component));
	if (!component) {
		doc_complain(doc, c, NULL, STR(""), "out of memory");
		doc_free(doc);
		return NULL;
	}
	component->doc = doc;
	component->refs = 1;
	struct check k = { component, doc, doc_arena(doc), c, env };
	check_root(&k, doc_root(doc));
	if (c->n + c->dropped == before)
		return component;
	component_unref(component);
	return NULL;
}

struct component *component_ref(struct component *k)
{
	k->refs++;
	return k;
}

void component_unref(struct component *k)
{
	if (!k || --k->refs > 0)
		return;
	doc_free(k->doc);
	free(k);
}

/* -- questions -- */

const struct dataflow *component_dataflow(const struct component *k, struct str name)
{
	if (!name.len)
		return k->n_dataflows == 1 ? &k->dataflows[0] : NULL;
	for (size_t i = 0; i < k->n_dataflows; i++) {
		if (str_eq(k->dataflows[i].name, name))
			return &k->dataflows[i];
	}
	return NULL;
}

const struct form *component_form(const struct component *k, struct str name)
{
	if (!name.len)
		return k->n_forms == 1 ? &k->forms[0] : NULL;
	for (size_t i = 0; i < k->n_forms; i++) {
		if (str_eq(k->forms[i].name, name))
			return &k->forms[i];
	}
	return NULL;
}

const struct field *component_field(const struct component *k, struct str name)
{
	for (size_t i = 0; i < k->n_fields; i++) {
		if (str_eq(k->fields[i].name, name))
			return &k->fields[i];
	}
	return NULL;
}

const struct value *component_root(const struct component *k)
{
	return doc_root(k->doc);
}

bool component_next_secret(const struct component *k, size_t *pos, struct str *ret_name, struct str *ret_where)
{
	if (*pos >= k->n_secrets)
		return false;
	*ret_name = k->secrets[*pos].name;
	*ret_where = k->secrets[*pos].where;
	(*pos)++;
	return true;
}
