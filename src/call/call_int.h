/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the call layer share with each other and nobody else. */
#pragma once
#include "base/json.h"
#include "base/opt.h"
#include "base/quote.h"
#include "call/call.h"

/* ---- complaints: counted, formatted, handed on ---- */

struct told {
	call_complain *complain; /* NULL = only count and keep the first */
	void *arg;
	unsigned n;
	char first[ERR_MSG_MAX];
};

void tell(struct told *t, const struct value *at, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same for a name that is not NUL-terminated. */
void tell_named(struct told *t, const struct value *at, struct str field, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* opt_load() through `t`, letting OpenAPI extensions ("x-...") pass. */
void told_load(const struct opt *rows, const struct value *object, void *out, struct told *t);

/* ---- a text of the system: written out, or the name of a secret ---- */

struct call_text {
	struct str literal;
	struct str secret; /* ptr NULL = literal */
};

/* ---- what a system says ---- */

struct call_header {
	struct str name;
	struct call_text text;
};

enum auth_kind { AUTH_NONE, AUTH_BASIC, AUTH_BEARER, AUTH_API_KEY };

struct call_auth {
	enum auth_kind kind;
	struct call_text username;   /* basic */
	struct call_text credential; /* password, token or key */
	enum call_place place;	     /* api_key: header, query or cookie */
	struct str name;	     /* api_key */
	struct str prefix;	     /* api_key in a header: "Token " */
};

/* The way to the system. */
struct call_proxy {
	struct str url; /* ptr NULL = none */
	bool has_credentials;
	struct call_text username, password;
};

/* Rules of meaning in their order; what is in one is said in rules_int.h. */
struct rule;
struct rules {
	const struct rule *items;
	size_t n;
};
void rules_load(struct arena *a, const struct value *list, struct told *t, struct rules *ret);

#define CALL_HEADERS_MAX 64 /* fixed headers of a system and its connector together */

struct call_system {
	struct str base_path_url; /* scheme, host and path, without a slash at the end */
	struct str base_query;	  /* ptr NULL = none */
	struct call_header headers[CALL_HEADERS_MAX];
	size_t n_headers;
	struct call_auth auth;
	struct call_proxy proxy;
	struct call_limits limits;
	const struct value *connectors;
	struct rules rules, connector_rules;
};

/* Fill `ret` from a system value; borrows from it and from `a`. False when something was told. */
bool system_load(struct arena *a, const struct value *system, struct str env, struct told *t, struct call_system *ret);
/* Headers of a system or connector, added to those of `sys`. */
void headers_load(const struct value *headers, struct told *t, struct call_system *sys);
bool auth_load(const struct value *auth, struct told *t, struct call_auth *ret);
/* `ret` stays as it was where the environment has none. */
void proxy_load(const struct value *proxy, struct str env, struct told *t, struct call_proxy *ret);
/* A string, or { secret: NAME }. `what` names it in complaints; a literal is refused where `must_be_secret`. */
bool text_load(const struct value *v, const struct value *parent, const char *what, bool must_be_secret, struct told *t,
	       struct call_text *ret);
/* Weir sets these itself; nobody else may. */
bool header_is_ours(struct str name);

/* Rows shared by the check and the schema. */
#define SECRET_SCHEMA                                                                                                  \
	"{\"type\":\"object\",\"properties\":{\"secret\":{\"type\":\"string\"}},\"required\":[\"secret\"],"            \
	"\"additionalProperties\":false}"
#define TEXT_SCHEMA "{\"anyOf\":[{\"type\":\"string\"}," SECRET_SCHEMA "]}"
extern const struct opt system_rows[], limit_rows[], tls_rows[], proxy_rows[], connector_rows[], operation_rows[],
    request_body_rows[], parameter_rows[], rule_rows[], rule_when_rows[], key_rows[], probe_rows[];

/* ---- idempotency keys ---- */

#define CALL_KEY_LIFETIME INT64_C(86400000)	     /* ms, where nobody says: what many systems that know keys promise */
#define CALL_KEY_LIFETIME_MAX INT64_C(315360000000) /* ms, ten years */

enum key_saved { KEY_SAVED_SAME, KEY_SAVED_NEW, KEY_SAVED_FAIL };

/* What is known of a system's keys: the connector says it for all its POST and PATCH, an operation for itself. */
struct call_key {
	bool is_on;	   /* one is sent */
	struct str header; /* that carries it */
	msec_t lifetime;   /* so long the system knows it */
	enum key_saved on_saved_error;
	struct str replayed_header; /* "true" in it: the answer was saved under the key, and is given again */
};
extern const struct call_key key_default;
/* What `v` says, over what `ret` holds; NULL says nothing. */
void key_load(const struct value *v, struct told *t, struct call_key *ret);
/* May a call that was answered so be repeated without harm? By its key only while the system knows that. */
bool key_lets_repeat(const struct call_spec *s, const struct call_answer *x);
/* The answer is complete and was saved under the key; not 409 and 422, which are about the key. */
bool key_answer_is_saved(const struct call_spec *s, const struct call_answer *x);

/* ---- what an operation says ---- */

enum param_style {
	STYLE_SIMPLE,
	STYLE_LABEL,
	STYLE_MATRIX,
	STYLE_FORM,
	STYLE_SPACE,
	STYLE_PIPE,
	STYLE_DEEP,
	STYLE_JSON
};

struct param {
	struct str name;
	enum call_place place;
	enum param_style style;
	bool explode, required, allow_reserved;
	bool allow_empty; /* an empty list or object is sent as "name=" */
	bool is_declared; /* stands in the operation's list; else it is a slot of the template */
};

enum answer_kind {
	ANSWER_AUTO,
	ANSWER_JSON,
	ANSWER_NDJSON,
	ANSWER_SSE,
	ANSWER_CSV,
	ANSWER_XML,
	ANSWER_TEXT,
	ANSWER_BINARY,
	ANSWER_FILE
};

/* What an operation says of its answer's body. */
struct expected {
	enum answer_kind kind;
	struct str json_prefix;	   /* cut off before JSON; empty = none */
	const struct value *lists; /* XML elements that are lists even when one comes alone; NULL = none */
};

enum body_kind { SEND_JSON, SEND_FORM, SEND_MULTIPART, SEND_XML, SEND_TEXT, SEND_BINARY };

/* A GraphQL operation; what is NULL is mapped. */
struct graphql {
	struct str query, operation_name;
};

struct operation {
	enum call_method method;
	struct str path;
	struct param *params;
	size_t n_params;
	bool has_params;       /* a list was given, may be empty */
	bool has_request_body; /* declared */
	bool needs_body;
	enum body_kind body_kind;
	struct str body_type;	   /* as declared; ptr NULL = application/json */
	struct str body_type_sent; /* with a text's charset, or of a range what is sent; ptr NULL = as declared */
	const struct body_template *body_template; /* NULL = none */
	const struct graphql *graphql;		   /* NULL = none */
	struct call_key key;
	bool repeatable;
	struct call_result_rule *id; /* NULL = by the usual rule */
	struct expected answer;
	struct rules rules;
	struct probe_text *probe; /* as written; NULL = none */
};

/* Fill `ret` from an operation value. */
bool operation_load(struct arena *a, const struct value *operation, struct told *t, struct operation *ret);
/* "." or "..", a dot also as %2E: normalized away by whoever meets it (RFC 3986 6.2.2.2, 5.2.4). */
bool segment_is_dots(struct str segment);
/* application/json, text/json and ...+json, in any case (WHATWG MIME Sniffing 4.6) */
bool media_type_is_json(struct str type);
/* Refuses what a query path may not be; of URI templates (RFC 6570) it takes {name} alone. */
bool path_check(struct str path, const struct value *at, const char *field, struct told *t);

/* ---- probes: did it happen? ---- */

/* Checks and keeps what an operation's `probe` says; NULL after telling what is wrong. */
struct probe_text *probe_load(struct arena *a, const struct value *v, struct told *t);
/* The probe of a spec whose operation has one. 0 after telling why not, else 1. */
bool probe_prepare(struct arena *a, const struct value *system, struct str env, struct told *t, struct call_spec *s);

/* ---- the recipe ---- */

/* One {slot} with the fixed text before it, already fit for a URL. */
struct slot {
	struct str before;
	size_t param;
};

struct call_spec {
	struct call_system system;
	struct operation op;
	struct str system_name, connector;
	struct str path_text; /* the template as written, for people */
	struct slot *slots;
	size_t n_slots;
	struct str path_end; /* fixed text after the last slot */
	enum call_place default_place;
	struct str *secrets; /* names, each once */
	size_t n_secrets;
	struct headers fixed;	/* headers that need no secret, ready to be copied */
	struct str fixed_shown; /* the same as JSON pairs, comma separated */
	struct call_probe *probe; /* NULL = none */
	bool accept_is_default; /* fixed.items[0] is our own Accept, not in fixed_shown; a mapped one replaces it */
};

/* ---- secrets ---- */

#define SECRET_MASK "***"
#define SECRET_MASK_MIN 4 /* shorter values would mask half the alphabet; they are masked by position */

/* A text made from a secret (the base64 of user:password) is masked from now on, too. */
int secrets_note(struct secrets *s, struct str text);
/* The value of a text: literal or secret. -ERR_MISSING names the secret. */
int text_get(const struct call_text *t, struct secrets *s, struct str *ret, struct err *e);
/* Header whose value is shown as *** whatever it is: Authorization, Cookie, ...-key, ...-token. */
bool header_is_secret(struct str name);

/* The forms a value may take in a text; used by secrets.c. */
struct mask;
struct mask *mask_new(void);
void mask_free(struct mask *m);
int mask_add(struct mask *m, struct str value); /* all forms of it */
int mask_add_exact(struct mask *m, struct str form);
bool mask_is_empty(const struct mask *m);
/* Offset of the first secret at or after `from`, or -1; *ret_len its length. */
ptrdiff_t mask_find(const struct mask *m, struct str text, size_t from, size_t *ret_len);

void base64_append(struct buf *b, struct str bytes, bool url_alphabet);

/* ---- request parts ---- */

/* Where a row of the mapping goes. */
struct target {
	enum call_place place;
	struct str name;	   /* without the place's prefix */
	const struct param *param; /* NULL = not among the operation's */
	bool has_prefix;	   /* "query.page" */
	bool is_whole_body;	   /* "body" */
};
/* -ERR_INVALID for a name that can go nowhere; the sentence names it. */
int target_find(const struct call_spec *s, struct str name, struct target *ret, struct err *e);

/* Scalars as text: strings as they are, numbers by their text, true/false. False for containers and null. */
bool scalar_text(const struct value *v, struct str *ret);
/* Null, absent, or a list or object with nothing but such inside: only JSON can tell these from each other. */
bool value_says_nothing(const struct value *v);
int param_write_path(struct buf *b, const struct param *p, const struct value *v, struct err *e);
/* Each pair is followed by "&", which the caller takes off the end. */
int param_write_query(struct buf *b, const struct param *p, const struct value *v, struct err *e);
int param_write_header(struct buf *b, const struct param *p, const struct value *v, struct err *e);
/* Each pair is followed by "; ". */
int param_write_cookie(struct buf *b, const struct param *p, const struct value *v, struct err *e);
/* The body as application/x-www-form-urlencoded. */
int form_write(struct buf *b, const struct value *body, struct err *e);
/* null and absent count as no value. */
static inline bool value_is_nothing(const struct value *v)
{
	return !v || v->kind == VALUE_ABSENT || v->kind == VALUE_NULL;
}

/* ---- answers ---- */

#define CALL_QUOTE_MAX 200 /* most of an upstream's own words in a problem */

/* The result of an answer that is known to be ok, CALL_FAILED with a problem when there is none. Asks no rules. */
enum call_verdict judge_result(const struct call_spec *s, const struct call_result_rule *rule, const struct call_answer *x, struct arena *a,
			       struct value *ret_result, struct value *ret_problem);

/* What a body turned out to be. */
struct content {
	struct value value;  /* JSON, text, array of lines, or the object of a binary body */
	const char *trouble; /* problem type, NULL = fine */
	const char *title;
	struct str detail; /* sentence without the place, when trouble */
};
/* Read a body by its content type. 0 or -ERR_NO_MEMORY. */
int content_read(const struct call_answer *x, const struct expected *expected, struct arena *a, struct content *ret);
struct str answer_header(const struct call_answer *x, const char *lower_name); /* first one; ptr NULL when absent */
struct str latin1_to_utf8(struct arena *a, struct str s); /* ptr NULL when out of memory */
/* A type that says "bytes", as content_read() takes it. */
bool content_type_is_binary(struct str type);
/* The <title> of an HTML text, or the null string. */
struct str html_title(struct str html);
const char *status_phrase(int status);

enum rule_kind { RULE_AUTO, RULE_ID, RULE_BODY, RULE_RESPONSE, RULE_PATH };
enum rule_kind rule_kind_of(const struct call_result_rule *rule);
/*
 * What a JSONPath leads to, sharing what `v` holds: of a singular query its one value, VALUE_ABSENT when it leads
 * nowhere; of any other an array of what it selects. 0, -ERR_LIMIT or -ERR_NO_MEMORY.
 */
int rule_follow(const struct call_result_rule *rule, const struct value *v, struct arena *a, struct value *ret,
		struct err *e);
