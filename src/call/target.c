/* SPDX-License-Identifier: Apache-2.0 */
/* Where a row of the mapping goes: to a parameter of the operation, to a place that its prefix names, or where the
 * method puts it. */
#include "call/call_int.h"

/* The operation's parameter of that name; place CALL_IN_BODY = in any place, path first, since slots must be filled. */
static const struct param *find_param(const struct operation *op, struct str name, enum call_place place)
{
	const struct param *found = NULL;
	for (size_t i = 0; i < op->n_params; i++) {
		const struct param *p = &op->params[i];
		if (p->name.len != name.len || (place != CALL_IN_BODY && p->place != place))
			continue;
		if (p->place == CALL_IN_HEADER ? !str_eq_nocase(p->name, name)
					       : memcmp(p->name.ptr, name.ptr, name.len) != 0)
			continue;
		if (p->place == CALL_IN_PATH || place != CALL_IN_BODY)
			return p;
		found = found ? found : p;
	}
	return found;
}

/* "query.page" -> CALL_IN_QUERY, "page". */
static bool cut_prefix(struct str name, struct target *t)
{
	struct str rest = name, prefix = str_split(&rest, '.');
	if (!rest.ptr || rest.len == 0)
		return false;
	for (enum call_place p = CALL_IN_PATH; p <= CALL_IN_BODY; p++) {
		if (str_eq_c(prefix, call_place_name(p))) {
			t->place = p;
			t->name = rest;
			t->has_prefix = true;
			return true;
		}
	}
	return false;
}

/* Names that authentication and Weir itself fill: a mapping may not compete. */
static int refuse_taken(const struct call_spec *s, const struct target *t, struct err *e)
{
	const struct call_auth *auth = &s->system.auth;
	bool in_auth_place = auth->kind == AUTH_API_KEY && auth->place == t->place,
	     is_header = t->place == CALL_IN_HEADER;
	bool is_taken = in_auth_place && (is_header ? str_eq_nocase(auth->name, t->name) : str_eq(auth->name, t->name));
	if (is_header && (auth->kind == AUTH_BASIC || auth->kind == AUTH_BEARER))
		is_taken = str_eq_nocase(t->name, STR("Authorization"));
	if (is_taken)
		return err_set(e, ERR_INVALID, "parameter \"%.*s\" (%s) is set by the system's authentication",
			       STR_ARG(t->name), call_place_name(t->place));
	if (is_header && (header_is_ours(t->name) || (s->op.key.is_on && str_eq_nocase(t->name, s->op.key.header))))
		return err_set(e, ERR_INVALID, "parameter \"%.*s\" (header) is set by Weir itself", STR_ARG(t->name));
	if ((is_header || t->place == CALL_IN_COOKIE) && !header_is_token(t->name))
		return err_set(e, ERR_INVALID, "parameter \"%.*s\": not a name of a %s", STR_ARG(t->name),
			       call_place_name(t->place));
	return 0;
}

int target_find(const struct call_spec *s, struct str name, struct target *ret, struct err *e)
{
	struct target t = { .place = s->default_place, .name = name };
	t.param = find_param(&s->op, name, CALL_IN_BODY);
	if (t.param) {
		t.place = t.param->place;
	} else if (str_eq(name, STR("body"))) {
		t.place = CALL_IN_BODY;
		t.is_whole_body = true;
	} else if (cut_prefix(name, &t) && t.place != CALL_IN_BODY) {
		t.param = find_param(&s->op, t.name, t.place);
		if (t.place == CALL_IN_PATH && !t.param)
			return err_set(e, ERR_INVALID, "query path \"%.*s\" has no {%.*s}", STR_ARG(s->path_text),
				       STR_ARG(t.name));
	}
	if (t.name.len == 0)
		return err_set(e, ERR_INVALID, "a parameter without a name");
	int r = refuse_taken(s, &t, e);
	if (r == 0)
		*ret = t;
	return r;
}
