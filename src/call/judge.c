/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what an answer means: a result, a failure with a reason, or "nobody knows". Pure: the same answer, the same
 * judgement. */
#include "call/content_int.h"
#include "call/rules_int.h"
#include "http/url.h"

#define UPSTREAM_JSON_MAX (1u << 20) /* error bodies that are looked into */
#define ID_MAX_BYTES 4096	     /* of a last segment of Location */

const char *status_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 300, "Multiple Choices" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 407, "Proxy Authentication Required" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 423, "Locked" },
		{ 424, "Failed Dependency" },
		{ 425, "Too Early" },
		{ 426, "Upgrade Required" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 451, "Unavailable For Legal Reasons" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
		{ 511, "Network Authentication Required" },
	};
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

/* ---- problems ---- */

struct value call_problem(struct arena *a, const char *type, const char *title, struct str detail, int status)
{
	struct value problem = value_object();
	char *number = status > 0 ? arena_printf(a, "%d", status) : NULL;
	struct value shown = number ? value_number_text(str_c(number)) : value_null();
	if (value_add(a, &problem, STR("type"), value_string(str_c(type))) < 0 ||
	    value_add(a, &problem, STR("title"), value_string(str_c(title))) < 0 ||
	    value_add(a, &problem, STR("detail"), value_string(detail)) < 0 ||
	    value_add(a, &problem, STR("status"), shown) < 0)
		return value_null();
	return problem;
}

/* "GET open-meteo /v1/forecast" */
static struct str place_of(const struct call_spec *s, struct arena *a)
{
	return str_c(arena_printf(a, "%s %.*s %.*s", call_method_name(s->op.method), STR_ARG(s->system_name),
				  STR_ARG(s->path_text)));
}

static const char *error_title(enum http_error error)
{
	static const char *const titles[] = {
		[HTTP_ERROR_CONNECT_REFUSED] = "The connection was refused",
		[HTTP_ERROR_CONNECT_TIMEOUT] = "Connecting took too long",
		[HTTP_ERROR_CONNECT_FAILED] = "The connection failed",
		[HTTP_ERROR_DNS_NOT_FOUND] = "The host name does not exist",
		[HTTP_ERROR_DNS_TEMPORARY] = "The host name could not be looked up",
		[HTTP_ERROR_TLS_CERT] = "The server's certificate is not trusted",
		[HTTP_ERROR_TLS_PROTOCOL] = "No secure connection could be made",
		[HTTP_ERROR_PROXY] = "The proxy did not let the call through",
		[HTTP_ERROR_CONNECTION_LOST] = "The connection was lost",
		[HTTP_ERROR_SEND_FAILED] = "The request could not be sent whole",
		[HTTP_ERROR_BAD_RESPONSE] = "The answer breaks the rules of HTTP",
		[HTTP_ERROR_BAD_FRAMING] = "The answer's length cannot be trusted",
		[HTTP_ERROR_TRUNCATED] = "The answer was cut short",
		[HTTP_ERROR_BAD_ENCODING] = "The answer's compression is broken",
		[HTTP_ERROR_HEADERS_TOO_LARGE] = "The answer's headers are too large",
		[HTTP_ERROR_TOO_LARGE] = "The answer is too large",
		[HTTP_ERROR_FIRST_BYTE_TIMEOUT] = "No answer came in time",
		[HTTP_ERROR_TOTAL_TIMEOUT] = "The call took too long",
		[HTTP_ERROR_TOO_SLOW] = "The answer came too slowly",
		[HTTP_ERROR_REFUSED_STREAM] = "The server would not take the call",
		[HTTP_ERROR_ENHANCE_YOUR_CALM] = "The server wants fewer calls",
		[HTTP_ERROR_BLOCKED_ADDRESS] = "This address may not be called",
		[HTTP_ERROR_INVALID_REQUEST] = "The request is not valid",
		[HTTP_ERROR_CANCELLED] = "The call was cancelled",
	};
	const char *title = (unsigned)error < ARRAY_LEN(titles) ? titles[error] : NULL;
	return title ? title : "The call failed";
}

static enum call_verdict judge_error(const struct call_spec *s, const struct call_answer *x, struct arena *a,
				     struct value *ret_problem)
{
	const char *name = http_error_name(x->error);
	struct str place = place_of(s, a),
		   cause = quote_safely(a, x->detail.len ? x->detail : str_c(error_title(x->error)), ERR_MSG_MAX);
	if (x->certainty == HTTP_AMBIGUOUS && !key_lets_repeat(s, x)) {
		char *detail = arena_printf(a,
					    "%.*s: the request was sent but no whole answer came (%s: %.*s); whether "
					    "the system acted is not known",
					    STR_ARG(place), name, STR_ARG(cause));
		*ret_problem = call_problem(a, "unknown_outcome", "The outcome is not known", str_c(detail), x->status);
		return CALL_UNKNOWN;
	}
	char *detail = arena_printf(a, "%.*s: %.*s", STR_ARG(place), STR_ARG(cause));
	*ret_problem = call_problem(a, name, error_title(x->error), str_c(detail), x->status);
	return CALL_FAILED;
}

/* ---- the upstream's own words ---- */

static struct str text_of(const struct value *v)
{
	return value_is(v, VALUE_STRING) && v->len ? value_text(v) : STR_NULL;
}

/* Problem details (RFC 9457) first, then what other APIs call it: error may be a text or an object with a message,
 * errors a list. */
static struct str message_in(const struct value *v, unsigned depth)
{
	static const char *const names[] = { "detail",	      "title",	     "message", "error_description",
					     "error_message", "error",	     "errors",	"reason",
					     "msg",	      "description", "fault",	"faultstring" };
	struct str found = text_of(v);
	if (found.ptr || depth > 3)
		return found;
	if (value_is(v, VALUE_ARRAY))
		return v->len ? message_in(value_at(v, 0), depth + 1) : STR_NULL;
	for (size_t i = 0; i < ARRAY_LEN(names) && !found.ptr; i++) {
		const struct value *member = value_get_c(v, names[i]);
		found = text_of(member);
		if (!found.ptr && (value_is(member, VALUE_OBJECT) || value_is(member, VALUE_ARRAY)))
			found = message_in(member, depth + 1);
	}
	return found;
}

static struct str upstream_message(const struct call_answer *x, struct arena *a)
{
	struct value v;
	struct str body = x->body, type = header_media_type(answer_header(x, "content-type"));
	while (body.len && strchr(" \t\r\n", body.ptr[0]) && body.ptr[0])
		body = str_from(body.ptr + 1, body.len - 1);
	if (body.len == 0)
		return STR_NULL;
	if (body.ptr[0] == '{' || body.ptr[0] == '[') {
		bool is_read = body.len <= UPSTREAM_JSON_MAX && json_parse(a, body, NULL, &v, NULL, NULL) == 0;
		return is_read ? quote_safely(a, message_in(&v, 0), CALL_QUOTE_MAX) : STR_NULL;
	}
	if (body.ptr[0] == '<')
		return quote_safely(a, html_title(body), CALL_QUOTE_MAX);
	bool is_text = type.len == 0 || str_starts(type, STR("text/"));
	return is_text ? quote_safely(a, body, CALL_QUOTE_MAX) : STR_NULL;
}

static enum call_verdict judge_status(const struct call_spec *s, const struct call_answer *x, struct arena *a,
				      struct value *ret_problem)
{
	struct str place = place_of(s, a), message = upstream_message(x, a), location = answer_header(x, "location");
	const char *phrase = status_phrase(x->status), *gap = *phrase ? " " : "";
	char *title = arena_printf(a, "The system answered %d%s%s", x->status, gap, phrase);
	char *detail;
	if (x->status >= 300 && x->status < 400 && location.len)
		detail = arena_printf(a, "%.*s: answered %d%s%s, pointing to \"%.*s\"; this redirect is not followed",
				      STR_ARG(place), x->status, gap, phrase,
				      STR_ARG(quote_safely(a, location, CALL_QUOTE_MAX)));
	else if (message.len)
		detail = arena_printf(a, "%.*s: answered %d%s%s: %.*s", STR_ARG(place), x->status, gap, phrase,
				      STR_ARG(message));
	else
		detail = arena_printf(a, "%.*s: answered %d%s%s", STR_ARG(place), x->status, gap, phrase);
	*ret_problem = call_problem(a, "http_status", title ? title : "The system answered with an error",
				    str_c(detail), x->status);
	return CALL_FAILED;
}

/* ---- results ---- */

/* Last segment of Location, decoded: "/v1/users/42?x=1" -> "42". Null when there is none. */
static int id_from_location(const struct call_answer *x, struct arena *a, struct value *ret)
{
	struct str rest = answer_header(x, "location"), path = str_split(&rest, '#'), last = STR_NULL;
	auto_buf struct buf b = { .max = ID_MAX_BYTES };
	rest = path;
	path = str_split(&rest, '?');
	ptrdiff_t host = str_find(path, STR("://"));
	if (host >= 0) { /* without a path behind the host there is no id */
		path = str_from(path.ptr + host + 3, path.len - (size_t)host - 3);
		if (str_find_char(path, '/') < 0)
			path = STR_NULL;
		else
			(void)str_split(&path, '/');
	}
	while (path.ptr) {
		struct str segment = str_split(&path, '/');
		last = segment.len ? segment : last;
	}
	*ret = value_null();
	if (last.len == 0)
		return 0;
	if (!url_decode(&b, last, false) || !buf_ok(&b) || !str_is_utf8(buf_str(&b), NULL)) {
		buf_clear(&b);
		(void)buf_append_str(&b, last);
	}
	if (!buf_ok(&b))
		return b.failed == ERR_LIMIT ? 0 : -ERR_NO_MEMORY;
	*ret = value_string_copy(a, buf_str(&b));
	return ret->kind == VALUE_ABSENT ? -ERR_NO_MEMORY : 0;
}

/* What the rule's path leads to, absent when nowhere. A path that costs too much on this answer is the answer's
 * trouble. */
static int follow(const struct call_result_rule *rule, struct content *content, struct arena *a, struct value *ret)
{
	struct err e = ERR_INIT;
	int r = rule_follow(rule, &content->value, a, ret, &e);
	if (r != -ERR_LIMIT)
		return r;
	*ret = VALUE_NONE;
	return content_trouble(content, "result_path_limit", "The path into the answer takes too much",
			       arena_c(a, str_c(e.msg)));
}

/* The id: by the operation's path, else $.id, else Location. A body that cannot be read only matters when Location is
 * silent. */
static int find_id(const struct call_spec *s, const struct call_answer *x, struct content *content, struct arena *a)
{
	struct value last, by_path = VALUE_NONE;
	const struct value *id = &by_path;
	int r = s->op.id ? follow(s->op.id, content, a, &by_path) : 0;
	if (r < 0)
		return r;
	bool is_empty = id->kind == VALUE_ARRAY && id->len == 0; /* a path that may lead to many led to none */
	if (value_is_nothing(id) || is_empty)
		id = value_get_c(&content->value, "id");
	if (!value_is_nothing(id)) {
		content->value = *id;
		return 0;
	}
	r = id_from_location(x, a, &last);
	if (r < 0)
		return r;
	if (last.kind != VALUE_NULL)
		content->trouble = NULL;
	content->value = last;
	return 0;
}

/* Fields that repeat become a list: nobody can split Set-Cookie again. */
static int add_field(struct value *headers, const struct value *pair, struct arena *a)
{
	struct str name = value_text(value_at(pair, 0));
	struct value *old = value_get(headers, name), list = value_array();
	struct value text = value_string_copy(a, value_text(value_at(pair, 1)));
	if (text.kind == VALUE_ABSENT)
		return -ERR_NO_MEMORY;
	if (!old)
		return value_set_copy(a, headers, name, text);
	if (old->kind == VALUE_ARRAY)
		return value_push(a, old, text);
	if (value_push(a, &list, *old) < 0 || value_push(a, &list, text) < 0)
		return -ERR_NO_MEMORY;
	*old = list;
	return 0;
}

/* { status, headers: { name: value or [values] }, body } */
static int whole_response(const struct call_answer *x, struct value body, struct arena *a, struct value *ret)
{
	struct value headers = value_object();
	char *status = arena_printf(a, "%d", x->status);
	for (uint32_t i = 0; i < x->headers.len; i++)
		if (add_field(&headers, &x->headers.items[i], a) < 0)
			return -ERR_NO_MEMORY;
	*ret = value_object();
	if (!status || value_add(a, ret, STR("status"), value_number_text(str_c(status))) < 0 ||
	    value_add(a, ret, STR("headers"), headers) < 0 || value_add(a, ret, STR("body"), body) < 0)
		return -ERR_NO_MEMORY;
	return 0;
}

static enum rule_kind rule_for(const struct call_result_rule *rule, const struct operation *op)
{
	enum rule_kind kind = rule ? rule_kind_of(rule) : RULE_AUTO;
	enum call_method method = op->method;
	if (kind != RULE_AUTO)
		return kind;
	if (op->answer.kind == ANSWER_FILE) /* whoever asks for a file wants it */
		return RULE_BODY;
	return method == CALL_GET || method == CALL_HEAD || method == CALL_OPTIONS ? RULE_BODY : RULE_ID;
}

/* ---- the body, read when somebody asks ---- */

static const struct content *read_once(struct judging *j)
{
	const struct call_answer *x = j->x;
	bool no_body = j->spec->op.method == CALL_HEAD || x->status == 204 || x->status == 205;
	if (j->is_read)
		return &j->content;
	j->is_read = true;
	j->content.value = value_null();
	if (!no_body && content_read(x, &j->spec->op.answer, j->a, &j->content) < 0)
		j->is_out_of_memory = true;
	return &j->content;
}

/* Errors seldom come as the kind that was expected: what cannot be read so is read by its type. */
const struct value *judging_body(struct judging *j)
{
	const struct content *c = read_once(j);
	enum answer_kind kind = j->spec->op.answer.kind;
	if (!c->trouble || kind == ANSWER_AUTO || kind == ANSWER_FILE)
		return &c->value;
	if (!j->is_looked_at && content_read(j->x, &(struct expected){ .kind = ANSWER_AUTO }, j->a, &j->looked) < 0)
		j->is_out_of_memory = true;
	j->is_looked_at = true;
	return &j->looked.value;
}

const struct value *judging_follow(struct judging *j, const struct call_result_rule *path, struct value *ret)
{
	*ret = VALUE_NONE;
	if (rule_follow(path, judging_body(j), j->a, ret, NULL) < 0)
		return NULL;
	return ret->kind == VALUE_ABSENT ? NULL : ret;
}

/* The body becomes the result. Who asks for the whole response gets a web page as the text it is. */
static int reduce(struct judging *j, const struct call_result_rule *rule, struct content *ret)
{
	enum rule_kind kind = rule_for(rule, &j->spec->op);
	const struct call_answer *x = j->x;
	*ret = *read_once(j);
	int r = j->is_out_of_memory ? -ERR_NO_MEMORY : 0;
	if (r == 0 && kind == RULE_RESPONSE && ret->trouble && strcmp(ret->trouble, "unexpected_content_type") == 0)
		r = content_read(x, &(struct expected){ .kind = ANSWER_TEXT }, j->a, ret);
	if (r == 0 && kind == RULE_ID)
		return find_id(j->spec, x, ret, j->a);
	bool is_success = x->status >= 200 && x->status <= 299;
	if (r == 0 && ret->trouble && !is_success) /* ok by a rule: the rule knows that nothing can be read */
		*ret = (struct content){ .value = value_null() };
	if (r < 0 || ret->trouble)
		return r;
	if (kind == RULE_RESPONSE)
		return whole_response(x, ret->value, j->a, &ret->value);
	if (kind == RULE_PATH) {
		struct value found;
		r = follow(rule, ret, j->a, &found);
		if (r < 0 || ret->trouble)
			return r;
		ret->value = found.kind == VALUE_ABSENT ? value_null() : found;
	}
	return 0;
}

/* ---- verdicts ---- */

const char *call_verdict_name(enum call_verdict v)
{
	static const char *const names[] = { "ok", "fail", "unknown", "skip", "retry", "wait", "refresh" };
	return (unsigned)v < ARRAY_LEN(names) ? names[v] : "?";
}

/* 206 to a request that did not ask for a range (RFC 9110 15.3.7): a part, where the whole was due. */
static enum call_verdict judge_part(struct judging *j, struct call_judgement *ret)
{
	struct str range = answer_header(j->x, "content-range");
	char *detail =
	    arena_printf(j->a, "%.*s: answered 206 with a part of the content (%.*s), though no range was asked for",
			 STR_ARG(place_of(j->spec, j->a)),
			 STR_ARG(quote_safely(j->a, range.len ? range : STR("no Content-Range"), CALL_QUOTE_MAX)));
	ret->problem =
	    call_problem(j->a, "partial_content", "A part came instead of the whole", str_c(detail), j->x->status);
	return CALL_FAILED;
}

static enum call_verdict judge_ok(struct judging *j, const struct call_result_rule *rule, struct call_judgement *ret)
{
	struct content content;
	if (reduce(j, rule, &content) < 0) {
		ret->problem = call_problem(j->a, "out_of_memory", "The answer does not fit into memory",
					    STR("the memory of one item is used up"), j->x->status);
		return CALL_FAILED;
	}
	if (content.trouble) {
		char *detail =
		    arena_printf(j->a, "%.*s: %.*s", STR_ARG(place_of(j->spec, j->a)), STR_ARG(content.detail));
		ret->problem = call_problem(j->a, content.trouble, content.title, str_c(detail), j->x->status);
		return CALL_FAILED;
	}
	ret->result = content.value;
	return CALL_OK;
}

enum call_verdict judge_result(const struct call_spec *s, const struct call_result_rule *rule,
			       const struct call_answer *x, struct arena *a, struct value *ret_result,
			       struct value *ret_problem)
{
	struct judging j = { .spec = s, .x = x, .a = a };
	struct call_judgement ret = { .result = value_null(), .problem = value_null() };
	enum call_verdict v = judge_ok(&j, rule, &ret);
	*ret_result = ret.result;
	*ret_problem = ret.problem;
	return v;
}

/* Who decided, for people. */
static struct str decider(const struct judging *j, const struct decision *d)
{
	if (d->rule)
		return str_c(arena_printf(j->a, "%s rule %zu", d->owner, d->number));
	if (j->x->error != HTTP_ERROR_NONE)
		return str_c(arena_printf(j->a, "default: %s", http_error_name(j->x->error)));
	if (j->x->status == 200)
		return STR("default: 200");
	return str_c(arena_printf(j->a, "default: %d", j->x->status));
}

/* The problem of an answer that a rule of the author's calls none of ok: in the author's words, if there are any. */
static void problem_by_rule(struct judging *j, const struct decision *d, struct call_judgement *ret)
{
	bool is_error = j->x->error != HTTP_ERROR_NONE, is_success = !is_error && j->x->status / 100 == 2;
	struct str place = place_of(j->spec, j->a), said = message_write(j, d->rule);
	struct value *detail;
	if (is_success) {
		struct str theirs = upstream_message(j->x, j->a);
		char *text =
		    arena_printf(j->a, "%.*s: %.*s takes the answer %d for none that is ok%s%.*s", STR_ARG(place),
				 STR_ARG(ret->rule), j->x->status, theirs.len ? ": " : "", STR_ARG(theirs));
		ret->problem =
		    call_problem(j->a, "refused_by_rule", "A rule refuses the answer", str_c(text), j->x->status);
	} else if (is_error) {
		(void)judge_error(j->spec, j->x, j->a, &ret->problem);
	} else {
		(void)judge_status(j->spec, j->x, j->a, &ret->problem);
	}
	if (d->then == THEN_SKIP)
		(void)value_set(j->a, &ret->problem, STR("type"), value_string(STR("skipped")));
	detail = value_get_c(&ret->problem, "detail");
	if (said.len && detail) {
		char *text = arena_printf(j->a, "%.*s: %.*s", STR_ARG(place), STR_ARG(said));
		if (text)
			*detail = value_string(str_c(text));
	}
	if (ret->problem.kind == VALUE_OBJECT)
		(void)value_set(j->a, &ret->problem, STR("rule"), value_string(ret->rule));
}

static enum call_verdict judge_no(struct judging *j, const struct decision *d, struct call_judgement *ret)
{
	static const enum call_verdict verdicts[] = {
		[THEN_RETRY] = CALL_RETRY,  [THEN_WAIT] = CALL_WAIT,   [THEN_REFRESH] = CALL_REFRESH,
		[THEN_SKIP] = CALL_SKIPPED, [THEN_FAIL] = CALL_FAILED,
	};
	if (d->rule)
		problem_by_rule(j, d, ret);
	else if (j->x->error != HTTP_ERROR_NONE)
		(void)judge_error(j->spec, j->x, j->a, &ret->problem);
	else
		(void)judge_status(j->spec, j->x, j->a, &ret->problem);
	ret->most_tries = d->most_tries;
	if (d->then == THEN_REFRESH)
		ret->most_tries = 2;
	if ((d->then == THEN_WAIT || d->then == THEN_RETRY) && j->x->error == HTTP_ERROR_NONE) {
		struct wait_hint h = wait_find(j->x, d->rule ? d->rule->wait_from : STR_NULL);
		ret->wait_ms = h.ms;
		ret->wait_source = h.source;
		ret->wait_is_clamped = h.is_clamped;
	}
	return verdicts[d->then];
}

static bool has_rules(const struct call_spec *s)
{
	return s->op.rules.n || s->system.connector_rules.n || s->system.rules.n;
}

static struct decision decide(struct judging *j)
{
	return has_rules(j->spec) ? rules_decide(j) : rules_default_decide(j->spec, j->x);
}

static bool tries_again(const struct decision *d)
{
	return d->then == THEN_RETRY || d->then == THEN_WAIT || d->then == THEN_REFRESH;
}

/*
 * The answer would be tried again, but it is what the system has saved under the key. A new key is another call to the
 * system, so it takes what lets a call without key be repeated: rules that say of this answer that nothing was done.
 */
static void judge_saved(struct judging *j, struct decision *d, struct call_judgement *ret)
{
	struct call_answer unkeyed = *j->x;
	struct judging other = { .spec = j->spec, .x = &unkeyed, .a = j->a };
	unkeyed.is_key_gone = true;
	struct decision without = decide(&other);
	ret->wants_new_key = j->spec->op.key.on_saved_error == KEY_SAVED_NEW && tries_again(&without);
	if (!ret->wants_new_key)
		d->then = THEN_FAIL;
}

static void tell_saved(struct judging *j, struct call_judgement *ret)
{
	struct value *detail = value_get_c(&ret->problem, "detail");
	char *text =
	    detail ? arena_printf(j->a,
				  "%.*s; the system has saved this answer under the idempotency key and gives it again",
				  STR_ARG(value_text(detail)))
		   : NULL;
	if (!text)
		return;
	*detail = value_string(str_c(text));
	(void)value_set(j->a, &ret->problem, STR("type"), value_string(STR("saved_error")));
}

enum call_verdict call_judge_full(const struct call_spec *s, const struct call_result_rule *rule,
				  const struct call_answer *x, struct arena *a, struct call_judgement *ret)
{
	struct judging j = { .spec = s, .x = x, .a = a };
	struct decision d;
	*ret = (struct call_judgement){ .result = value_null(), .problem = value_null() };
	if (x->error != HTTP_ERROR_NONE && x->certainty == HTTP_AMBIGUOUS && !key_lets_repeat(s, x)) {
		d = (struct decision){ .owner = "default" };
		ret->rule = decider(&j, &d);
		ret->verdict = judge_error(s, x, a, &ret->problem);
	} else {
		d = decide(&j);
		ret->rule = decider(&j, &d);
		bool is_saved =
		    tries_again(&d) && s->op.key.on_saved_error != KEY_SAVED_SAME && key_answer_is_saved(s, x);
		if (is_saved)
			judge_saved(&j, &d, ret);
		if (d.then != THEN_OK)
			ret->verdict = judge_no(&j, &d, ret);
		else if (x->status == 206 && !x->is_range_asked && !d.rule)
			ret->verdict = judge_part(&j, ret);
		else
			ret->verdict = judge_ok(&j, rule, ret);
		if (is_saved)
			tell_saved(&j, ret);
	}
	const struct value *detail = ret->verdict == CALL_OK ? NULL : value_get_c(&ret->problem, "detail");
	ret->message = detail ? value_text(detail) : STR_NULL;
	ret->retryable = ret->verdict == CALL_RETRY || ret->verdict == CALL_WAIT || ret->verdict == CALL_REFRESH;
	return ret->verdict;
}

enum call_verdict call_judge(const struct call_spec *s, const struct call_result_rule *rule,
			     const struct call_answer *x, struct arena *a, struct value *ret_result,
			     struct value *ret_problem)
{
	struct call_judgement judgement;
	enum call_verdict v = call_judge_full(s, rule, x, a, &judgement);
	*ret_result = judgement.result;
	*ret_problem = judgement.problem;
	return judgement.retryable ? CALL_FAILED : v;
}
