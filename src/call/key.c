/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a system's idempotency keys: in which header one travels, how long the system remembers it, and
 * whether it saves failures under it. The draft of the header (draft-ietf-httpapi-idempotency-key-header, 2.6 and 2.7)
 * leaves all of this to the system.
 */
#include "call/call_int.h"

struct key_text {
	struct str header, replayed_header;
	msec_t lifetime;
	int on_saved_error;
};

static const char *const saved_words[] = { "same_key", "new_key", "fail", NULL };

/* clang-format off */
const struct opt key_rows[] = {
	OPT_STRING(struct key_text, header, 0, "Idempotency-Key", 1, 128, "Header that carries the key."),
	OPT_DURATION(struct key_text, lifetime, "24h", 1, CALL_KEY_LIFETIME_MAX,
		     "How long the system knows a key, from its first use on; a call whose key is older is not repeated by itself."),
	OPT_ENUM(struct key_text, on_saved_error, "same_key", saved_words,
		 "What to do when an error comes that the system has saved under the key: try on with it, try with a new key where the rules say that nothing was done, or fail."),
	OPT_STRING(struct key_text, replayed_header, 0, "Idempotent-Replayed", 1, 128, "Header in which \"true\" says that an answer was saved under the key."),
	OPT_END,
};
/* clang-format on */

const struct call_key key_default = {
	.header = { "Idempotency-Key", sizeof("Idempotency-Key") - 1 },
	.lifetime = CALL_KEY_LIFETIME,
	.replayed_header = { "Idempotent-Replayed", sizeof("Idempotent-Replayed") - 1 },
};

void key_load(const struct value *v, struct told *t, struct call_key *ret)
{
	struct key_text text = { 0 };
	if (!v)
		return;
	if (value_is(v, VALUE_BOOL)) {
		ret->is_on = v->truth;
		return;
	}
	if (!value_is(v, VALUE_OBJECT)) {
		tell(t, v, "idempotency_key", "write idempotency_key: true, or { header: Idempotency-Key }");
		return;
	}
	told_load(key_rows, v, &text, t);
	ret->is_on = true;
	if (value_get_c(v, "header"))
		ret->header = text.header;
	if (value_get_c(v, "lifetime"))
		ret->lifetime = text.lifetime;
	if (value_get_c(v, "on_saved_error"))
		ret->on_saved_error = (enum key_saved)text.on_saved_error;
	if (value_get_c(v, "replayed_header"))
		ret->replayed_header = text.replayed_header;
	if (!header_is_token(ret->header) || header_is_ours(ret->header))
		tell(t, value_get_c(v, "header"), "header",
		     "\"%.*s\" cannot carry a key; write a header like Idempotency-Key",
		     STR_ARG(str_clip(ret->header, 60)));
	if (!header_is_token(ret->replayed_header))
		tell(t, value_get_c(v, "replayed_header"), "replayed_header", "\"%.*s\" is no header name",
		     STR_ARG(str_clip(ret->replayed_header, 60)));
}

/* ---- what a spec promises ---- */

bool call_spec_wants_key(const struct call_spec *s)
{
	return s->op.key.is_on;
}

static bool repeats_by_itself(const struct call_spec *s)
{
	return call_method_is_idempotent(s->op.method) || s->op.repeatable;
}

bool call_spec_is_repeatable(const struct call_spec *s)
{
	return repeats_by_itself(s) || call_spec_wants_key(s);
}

bool call_spec_rests_on_key(const struct call_spec *s)
{
	return call_spec_wants_key(s) && !repeats_by_itself(s);
}

msec_t call_spec_key_lifetime(const struct call_spec *s)
{
	return s->op.key.lifetime;
}

bool key_lets_repeat(const struct call_spec *s, const struct call_answer *x)
{
	return repeats_by_itself(s) || (call_spec_wants_key(s) && !x->is_key_gone);
}

bool key_answer_is_saved(const struct call_spec *s, const struct call_answer *x)
{
	/* 2.7 of the draft: 409, the first call with this key is still being worked on; 422, the key came with another
	 * payload. */
	if (!s->op.key.is_on || x->error != HTTP_ERROR_NONE || x->status == 409 || x->status == 422)
		return false;
	for (uint32_t i = 0; i < x->headers.len; i++) {
		const struct value *pair = &x->headers.items[i];
		if (str_eq_nocase(value_text(value_at(pair, 0)), s->op.key.replayed_header))
			return str_eq_nocase(str_trim(value_text(value_at(pair, 1))), STR("true"));
	}
	return false;
}
