/* SPDX-License-Identifier: Apache-2.0 */
#include "call/attempt.h"

#include "call/call_int.h"
#include "http/url.h"

#include <stdio.h>

#define MSEC_MAX 1e12	  /* a longer time in a record is damage */
#define REDIRECT_TEXT 200 /* bytes of an address that a reason quotes */

static const char *const whys[] = {
#define X(name, text) text,
	CALL_WHYS(X)
#undef X
};

static const char *const phases[] = {
#define X(name, text) text,
	CALL_PHASES(X)
#undef X
};

const char *call_why_name(enum call_why w)
{
	return whys[w];
}

const char *call_phase_name(enum call_phase p)
{
	return phases[p];
}

/* ---- numbers ---- */

struct value call_msec_value(struct arena *a, uint64_t usec)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%llu.%03llu", (unsigned long long)(usec / 1000),
			 (unsigned long long)(usec % 1000));
	while (n > 0 && text[n - 1] == '0')
		n--;
	if (n > 0 && text[n - 1] == '.')
		n--;
	struct str copy = arena_str(a, str_from(text, (size_t)n));
	return copy.ptr ? value_number_text(copy) : VALUE_NONE;
}

/* Milliseconds of a record as microseconds; false when it has none that can be true. */
static bool read_usec(const struct value *v, uint64_t *ret)
{
	double ms;
	if (!value_to_double(v, &ms) || !(ms >= 0 && ms < MSEC_MAX))
		return false;
	*ret = (uint64_t)(ms * 1000 + 0.5);
	return true;
}

struct str call_duration_text(struct arena *a, msec_t ms)
{
	if (ms < 1000)
		return str_c(arena_printf(a, "%lld ms", (long long)ms));
	if (ms >= 3600000 && ms % 3600000 == 0)
		return str_c(arena_printf(a, "%lld h", (long long)(ms / 3600000)));
	if (ms >= 60000)
		return str_c(ms % 60000 < 1000 ? arena_printf(a, "%lld min", (long long)(ms / 60000))
					       : arena_printf(a, "%lld min %lld s", (long long)(ms / 60000),
							      (long long)(ms % 60000 / 1000)));
	return str_c(ms % 1000 ? arena_printf(a, "%.1f s", (double)ms / 1000)
			       : arena_printf(a, "%lld s", (long long)(ms / 1000)));
}

/* ---- kept with an intent ---- */

int call_again_write(const struct call_again *again, struct str masked, struct buf *b)
{
	if (again->why == CALL_WHY_FIRST || masked.len < 3 || masked.ptr[masked.len - 1] != '}')
		return buf_append_str(b, masked);
	(void)buf_append(b, masked.ptr, masked.len - 1);
	(void)buf_printf(b, ",\"again\":{\"why\":\"%s\",\"wait\":%llu.%03llu", whys[again->why],
			 (unsigned long long)(again->wait_us / 1000), (unsigned long long)(again->wait_us % 1000));
	if (again->header.ptr) {
		(void)buf_append_c(b, ",\"header\":");
		(void)json_write_string(b, again->header);
	}
	if (again->asked)
		(void)buf_printf(b, ",\"asked\":%lld", (long long)again->asked);
	if (again->key_number)
		(void)buf_printf(b, ",\"key\":%u", again->key_number);
	if (again->by.ptr) {
		(void)buf_append_c(b, ",\"by\":");
		(void)json_write_string(b, again->by);
	}
	(void)buf_append_c(b, "}}");
	return buf_ok(b) ? 0 : -b->failed;
}

static void read_asked(const struct value *v, struct str *ret_header, msec_t *ret_asked)
{
	const struct value *header = value_get_c(v, "header");
	int64_t asked;
	if (value_is(header, VALUE_STRING))
		*ret_header = value_text(header);
	if (value_to_int64(value_get_c(v, "asked"), &asked) && asked >= 0)
		*ret_asked = asked;
}

struct call_again call_again_take(struct value *request)
{
	struct call_again again = { .why = CALL_WHY_FIRST };
	const struct value *member = value_get_c(request, "again");
	if (!member)
		return again;
	struct value v = *member;
	(void)value_remove(request, STR("again"));
	for (size_t i = 0; i < ARRAY_LEN(whys); i++)
		if (value_is_string(value_get_c(&v, "why"), str_c(whys[i])))
			again.why = (enum call_why)i;
	(void)read_usec(value_get_c(&v, "wait"), &again.wait_us);
	read_asked(&v, &again.header, &again.asked);
	const struct value *by = value_get_c(&v, "by");
	int64_t number;
	if (value_is(by, VALUE_STRING))
		again.by = value_text(by);
	if (value_to_int64(value_get_c(&v, "key"), &number) && number > 0 && number <= UINT32_MAX)
		again.key_number = (uint32_t)number;
	return again;
}

/* ---- kept with an answer ---- */

struct value call_rest_value(const struct call_rest *rest, struct arena *a)
{
	struct value v = value_object();
	if (value_add(a, &v, STR("status"), value_int(a, rest->status)) < 0 ||
	    value_add(a, &v, STR("asked"), value_int(a, rest->asked)) < 0 ||
	    (rest->header.len && value_add(a, &v, STR("header"), value_string_copy(a, rest->header)) < 0))
		return VALUE_NONE;
	return v;
}

bool call_rest_read(const struct value *v, struct call_rest *ret)
{
	int64_t status = 0;
	*ret = (struct call_rest){ 0 };
	if (!value_is(v, VALUE_OBJECT))
		return false;
	if (value_to_int64(value_get_c(v, "status"), &status) && status >= 0 && status <= 999)
		ret->status = (int)status;
	read_asked(v, &ret->header, &ret->asked);
	return true;
}

/* ---- phases ---- */

static uint64_t mark(const struct value *timings, const char *name)
{
	uint64_t us = 0;
	return read_usec(value_get_c(timings, name), &us) ? us : 0;
}

struct call_phases call_phases_of(const struct value *timings)
{
	static const struct {
		const char *mark;
		enum call_phase phase, next; /* `next`: where an attempt is that has come so far and no further */
	} steps[] = {
		{ "dns", CALL_PHASE_DNS, CALL_PHASE_CONNECT },	    { "connect", CALL_PHASE_CONNECT, CALL_PHASE_TLS },
		{ "tls", CALL_PHASE_TLS, CALL_PHASE_SEND },	    { "sent", CALL_PHASE_SEND, CALL_PHASE_WAIT },
		{ "first_byte", CALL_PHASE_WAIT, CALL_PHASE_BODY },
	};
	struct call_phases x = { 0 };
	enum call_phase now = CALL_PHASE_CONNECT;
	uint64_t at = 0, total = mark(timings, "total");
	x.us[CALL_PHASE_QUEUE] = mark(timings, "queue");
	x.us[CALL_PHASE_LIMITER] = mark(timings, "limiter");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		uint64_t to = mark(timings, steps[i].mark);
		if (!to)
			continue;
		now = steps[i].next;
		if (to > at) {
			x.us[steps[i].phase] = to - at;
			at = to;
		}
	}
	if (total > at)
		x.us[now] += total - at;
	for (size_t i = 0; i < CALL_PHASE_COUNT; i++)
		x.total_us += x.us[i];
	x.wire_us = x.total_us - x.us[CALL_PHASE_QUEUE] - x.us[CALL_PHASE_LIMITER];
	if (mark(timings, "connect"))
		x.connection = CALL_CONNECTION_NEW;
	else if (mark(timings, "sent"))
		x.connection = CALL_CONNECTION_REUSED;
	return x;
}

/* ---- words ---- */

/* "Retry-After" as the header is written, out of its name in lower case. */
static struct str header_title(struct arena *a, struct str lower)
{
	char *title = arena_alloc(a, lower.len + 1);
	bool is_start = true;
	if (!title)
		return lower;
	for (size_t i = 0; i < lower.len; i++) {
		char c = lower.ptr[i];
		title[i] = is_start && c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
		is_start = c == '-';
	}
	return str_from(title, lower.len);
}

static struct str asked_text(struct arena *a, struct str header, msec_t asked)
{
	struct str wait = call_duration_text(a, asked);
	if (!header.len)
		return str_c(arena_printf(a, "%.*s asked for", STR_ARG(wait)));
	return str_c(arena_printf(a, "%.*s: %.*s", STR_ARG(header_title(a, header)), STR_ARG(wait)));
}

/* What became of the attempt before: "503", "connect_refused". */
static struct str end_before(const struct call_attempt *x, struct arena *a)
{
	if (x->error_before.len)
		return x->error_before;
	return x->status_before ? str_c(arena_printf(a, "%d", x->status_before)) : STR("an interruption");
}

/* The address that redirected: its path where that says enough. */
static struct str place_before(const struct call_attempt *x)
{
	struct url u;
	struct str s = x->url_before;
	if (url_parse(s, &u, NULL) == 0)
		s = u.path.len ? u.path : STR("/");
	return str_from(s.ptr, s.len < REDIRECT_TEXT ? s.len : REDIRECT_TEXT);
}

struct str call_attempt_why(const struct call_attempt *x, struct arena *a)
{
	struct str end = end_before(x, a);
	switch (x->again.why) {
	case CALL_WHY_ASKED:
		return asked_text(a, x->again.header, x->again.asked);
	case CALL_WHY_BACK_OFF:
		return str_c(arena_printf(a, "back-off after %.*s", STR_ARG(end)));
	case CALL_WHY_REDIRECT:
		return str_c(arena_printf(a, "redirect from %.*s", STR_ARG(place_before(x))));
	case CALL_WHY_RESUMED:
		return str_c(arena_printf(a, "run resumed after %.*s", STR_ARG(end)));
	case CALL_WHY_IDENTITY:
		return str_c(arena_printf(a, "Accept-Encoding: identity after %.*s", STR_ARG(end)));
	case CALL_WHY_NEW_KEY:
		return str_c(arena_printf(a, "new idempotency key after %.*s, saved under the old one", STR_ARG(end)));
	case CALL_WHY_DECIDED:
		if (str_eq_c(x->again.by, "probe"))
			return STR("sent again, as a probe says that it was not done");
		return x->again.by.len ? str_c(arena_printf(a, "sent again by decision of %.*s", STR_ARG(x->again.by)))
				       : STR("sent again by decision");
	case CALL_WHY_FIRST:
		break;
	}
	return STR("");
}

struct str call_attempt_rest(const struct call_attempt *x, struct arena *a)
{
	if (!x->has_rest)
		return STR("");
	return str_c(arena_printf(a, "rest after %d, %.*s", x->rest.status,
				  STR_ARG(asked_text(a, x->rest.header, x->rest.asked))));
}

const char *call_status_phrase(int status)
{
	return status_phrase(status);
}
