/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heart: one API call of one item. A spec is the read-only recipe (system, operation, authentication, limits); from
 * it and mapped values comes a request; the request is sent by a caller; what comes back is judged and reduced to a
 * result. Knows nothing of flows.
 */
#pragma once
#include "base/split.h"
#include "base/value.h"
#include "http/client.h"

#define CALL_METHODS(X) X(GET) X(POST) X(PUT) X(DELETE) X(PATCH) X(HEAD) X(OPTIONS)
enum call_method {
#define X(name) CALL_##name,
	CALL_METHODS(X)
#undef X
	    CALL_METHOD_COUNT
};
const char *call_method_name(enum call_method m);
bool call_method_parse(struct str s, enum call_method *ret); /* any case */
bool call_method_is_idempotent(enum call_method m);	     /* RFC 9110 9.2.2 */

/* Secrets by name: environment WEIR_SECRET_<NAME>, then a 0600 file of NAME=value lines. Values are never logged. */
struct secrets;
struct secrets *secrets_new(const char *file /* NULL = none */,
			    struct err *e); /* -ERR_DENIED when the file is open to others: says chmod 600 */
/* Any name has a value that is made up: requests are built, and masked, as with the real ones, and nothing is read. */
struct secrets *secrets_new_stand_ins(void);
void secrets_free(struct secrets *s);	    /* zeroes */
bool secrets_get(struct secrets *s, struct str name, struct str *ret_value); /* borrowed */
/*
 * Mask: append `text` to `b` with every known secret value (of 4 bytes or more, those handed out by secrets_get)
 * replaced by ***, also in its base64, percent-encoded and JSON-escaped forms. The buffer's failure is the result.
 */
int secrets_mask(const struct secrets *s, struct buf *b, struct str text);

/* True if a value known to be secret stands in `text`. Free when nothing was handed out. */
bool secrets_occur(const struct secrets *s, struct str text);

/* Where something is wrong in a system, told to the file's checker. */
typedef void call_complain(void *arg, const struct value *at, const char *field, const char *sentence);

/* Check a whole system value (base_url and proxy per env, auth, connectors with operations and parameters, limits). Returns
 * complaints. */
unsigned call_system_check(const struct value *system, struct str env, call_complain *complain, void *arg);
int call_system_schema(struct arena *a, struct value *ret); /* JSON Schema of a system */

enum call_place { CALL_IN_PATH, CALL_IN_QUERY, CALL_IN_HEADER, CALL_IN_COOKIE, CALL_IN_BODY };
const char *call_place_name(enum call_place p); /* "path" ... */

struct call_limits {
	msec_t connect_timeout, first_byte_timeout, total_timeout; /* 0 = defaults of http/client.h */
	uint64_t max_body;
	int64_t in_flight;  /* most calls of this system at a time; 0 = the step's own window */
	bool tls_no_verify; /* shown in red wherever it is on */
	enum http_version_wish http_version;
};

struct call_spec;

/*
 * Recipe for one operation. `system` is borrowed and must outlive the spec; `query_path` need not be listed among the
 * connector's operations (then parameters are by name: path slots first, else query for GET/HEAD/DELETE, else the JSON
 * body). Complains and returns NULL for: unknown connector, unknown method, path without leading "/", base URL missing
 * for the environment.
 */
struct call_spec *call_spec_new(struct arena *a, const struct value *system, struct str system_name,
				struct str connector, struct str query_path, enum call_method method, struct str env,
				call_complain *complain, void *arg);
enum call_method call_spec_method(const struct call_spec *s);
const struct call_limits *call_spec_limits(const struct call_spec *s);
/* Check the names of a parameters mapping (an object, values may be expressions) against the operation: unknown name
 * with the nearest known one, required parameter without a row, path slot without value. */
unsigned call_spec_check_mapping(const struct call_spec *s, const struct value *mapping, call_complain *complain,
				 void *arg);
bool call_spec_is_repeatable(const struct call_spec *s); /* idempotent method, idempotency key, or marked so */
bool call_spec_wants_key(const struct call_spec *s);	 /* the operation sends an idempotency key */
bool call_spec_rests_on_key(const struct call_spec *s);	 /* it is repeatable because of its key, and for nothing else */
msec_t call_spec_key_lifetime(const struct call_spec *s); /* so long the system knows a key, from its first use on */
/* "at least once: GET may be repeated", "at most once: POST without key" ... in `a` */
struct str call_spec_promise(const struct call_spec *s, struct arena *a);
struct str call_spec_summary(const struct call_spec *s, struct arena *a); /* "GET open-meteo/forecast /v1/forecast" */
/*
 * Can the elements of an answer's list be given out as they come? By status, header, and what the operation expects of the body; false also where
 * a rule calls such an answer none that is ok, or its charset would have to be decoded first: then it is gathered and judged whole.
 */
bool call_spec_may_split(const struct call_spec *s, int status, const struct headers *headers, enum split_kind *ret);
bool call_spec_gives_lists(const struct call_spec *s);	    /* what the operation expects may hold a list */
struct str call_spec_json_prefix(const struct call_spec *s); /* cut off before JSON; may be empty */
/* Secrets that the spec needs; walk with *pos = 0. */
bool call_spec_next_secret(const struct call_spec *s, size_t *pos, struct str *ret_name);

/*
 * Files that a body may send. The caller keeps them; data names one by its id and never a path, and what an id names
 * never changes. `size`: bytes of a file; -ERR_NOT_FOUND, or -ERR_INVALID for what can be no id. `open`: its
 * descriptor, given back by `close`; -ERR_LIMIT when too many are open now, which passes.
 */
struct call_files {
	int (*size)(struct call_files *files, struct str id, uint64_t *ret, struct err *e);
	int (*open)(struct call_files *files, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e);
	void (*close)(struct call_files *files, int fd);
};

#define CALL_BODY_MAX (64u << 20) /* longest body that lies in memory; its files are streamed and do not count */
#define CALL_FILES_MAX 64	  /* files of one body */

/* A stretch of a body: bytes, or a whole file. */
struct call_piece {
	struct str bytes; /* ptr NULL = of the file */
	struct str file;  /* its id */
	uint64_t len;	  /* of either */
};

/* A request ready to go, all in the item's arena. */
struct call_request {
	enum call_method method;
	struct str url; /* real: may hold an API key */
	struct headers headers;
	struct str body;		 /* ptr NULL = none, or in pieces */
	const struct call_piece *pieces; /* of a body with files in it; NULL = none */
	size_t n_pieces;
	const struct http_proxy *proxy; /* the way there, its credentials with it; NULL = straight */
	struct str masked; /* JSON: { method, url, headers, body } with secrets as ***, for the ledger and people; a
			      body that is no text is { bytes: N }, one file { file, name, media_type, bytes: N } */
};
uint64_t call_request_bytes(const struct call_request *r); /* of its body */
/* "GET https://...", secrets masked, in `a`; the null string when it cannot be told. */
struct str call_request_summary(const struct call_request *r, struct arena *a);

#define CALL_TOTAL_TIMEOUT 30000 /* ms a sending may take where nobody says, ... */
#define CALL_UPLOAD_RATE 65536	 /* ... and a second more for so many bytes that come from files */
/* How long one sending may take in all: a large upload is not late because it is large. 0 = the client's default. */
msec_t call_total_timeout(const struct call_limits *l, const struct call_request *r);

/* The pieces of one sending, with their files open; zeroed = closed. Its list lives in the arena and is used again. */
struct call_body {
	struct call_files *files;
	struct http_piece *pieces;
	size_t n, n_open;
	int fds[CALL_FILES_MAX];
};
/*
 * Open what a request's pieces name; nothing to do for one without. The same request gives the same bytes each time.
 * Nothing stays open when it fails: -ERR_LIMIT when too many files are open now (try again later), else the folder's
 * own code, or -ERR_STATE for a file that is not as long as when the request was built.
 */
int call_body_open(struct call_body *b, const struct call_request *r, struct call_files *files, struct arena *a,
		   struct err *e);
void call_body_close(struct call_body *b); /* after the answer; twice is fine */

/*
 * Build from mapped values: `parameters` is an object (names as in the mapping; "body" or "=body" members as documented
 * in call/README.md), `key` the idempotency key (empty when not wanted). Errors name the parameter: required one
 * missing, value of a wrong kind, empty or dot path segment, control bytes in a header (-ERR_INVALID); a secret that is
 * not set (-ERR_MISSING).
 */
int call_request_build(const struct call_spec *s, struct secrets *secrets, const struct value *parameters,
		       struct str key, struct arena *a, struct call_request *ret, struct err *e);
/* The same where bodies may hold files; `files` may be NULL: a file is then refused (-ERR_MISSING). */
int call_request_build_files(const struct call_spec *s, struct secrets *secrets, struct call_files *files,
			     const struct value *parameters, struct str key, struct arena *a, struct call_request *ret,
			     struct err *e);

/*
 * Ask for no content coding (Accept-Encoding: identity): for the one more try after HTTP_ERROR_BAD_ENCODING. All else
 * stays as it is, byte for byte. -ERR_NO_MEMORY leaves the request unchanged.
 */
int call_request_ask_identity(struct call_request *r, struct arena *a);
/* Another idempotency key, of a request that has one; the rest and the failure as above. `key` is kept as it is. */
int call_request_set_key(struct call_request *r, const struct call_spec *s, struct str key, struct arena *a);

/* What came back, as kept in the ledger and as read from it again: the same judgement from both. */
struct call_answer {
	enum http_error error; /* HTTP_ERROR_NONE: complete */
	enum http_certainty certainty;
	struct str detail; /* sentence when error */
	int status;
	struct value headers; /* array of [name, value], names in lower case, secrets masked */
	struct str body;      /* decoded bytes (of BAD_ENCODING as they came); empty when they are in a file: */
	struct str file;      /* its id; ptr NULL = none */
	struct str file_name; /* what the answer called it: no path, no control bytes */
	uint64_t file_bytes;
	struct value timings; /* object, milliseconds */
	bool has_made;	      /* its list has become items, */
	uint64_t made;	      /* so many, and its body is not kept */
	struct value rest;    /* object: who had asked for the rest that held the call back; absent = nobody */
	bool is_close_delimited; /* the body ended with the connection: a cut would look the same */
	bool is_range_asked;	 /* the request asked for a part: then 206 is a success. Set by who sent it */
	bool is_key_gone;	 /* its key is older than the system knows keys, thus is none. Set by who sent it */
};
/* From the wire: copies into `a` (the body is taken over into `ret_body`, malloc'd, freed by the caller with free()).
 */
int call_answer_from_response(const struct http_response *r, struct secrets *secrets, struct arena *a,
			      struct call_answer *ret, char **ret_body);

#define CALL_BINARY_MAX (1u << 20)		 /* largest binary answer given to a flow as base64 */
#define CALL_FILE_ANSWER_MAX (UINT64_C(1) << 30) /* answers that become files, where no limit is said */
#define CALL_GATHERED_MAX (UINT64_C(256) << 20)	 /* answers in memory, whatever limit is said */

/* Where the body of an answer goes. */
enum call_way {
	CALL_GATHER,  /* into memory */
	CALL_SPILL,   /* into memory, beyond CALL_BINARY_MAX into a file */
	CALL_TO_FILE, /* into a file, whatever its size */
};
bool call_spec_may_make_files(const struct call_spec *s);
/* By what the operation expects, the status and the content type; CALL_GATHER for all but 2xx. */
enum call_way call_answer_way(const struct call_spec *s, int status, const struct headers *headers);
/*
 * The body is in file `id` (copied). Its name is the answer's (Content-Disposition, RFC 6266 and 8187), else the last
 * segment of `url`, where the request went, secrets masked. 0 or -ERR_NO_MEMORY.
 */
int call_answer_set_file(struct call_answer *x, struct str id, uint64_t bytes, struct str url, struct secrets *secrets,
			 struct arena *a);

/* The name of a file that a Content-Disposition gives (RFC 6266, 8187), cleaned; empty = none. */
struct str call_file_name(struct arena *a, struct str disposition);
/* What a name keeps: the part behind the last slash or backslash, UTF-8 without control bytes, at most 255 bytes; empty = no name. */
struct str call_file_name_clean(struct arena *a, struct str name);
bool call_media_type_is_clean(struct str type); /* type/subtype of tokens, parameters without control bytes */

/* The ledger's head and back. */
int call_answer_write(const struct call_answer *x, struct buf *head);
int call_answer_read(struct str head, int status, struct str body, struct arena *a, struct call_answer *ret,
		     struct err *e);

enum call_verdict {
	CALL_OK,
	CALL_FAILED,
	CALL_UNKNOWN, /* the system may have acted; a person decides */
	CALL_SKIPPED, /* a rule says that the item leaves quietly */
	CALL_RETRY,   /* may be tried again, with a back-off */
	CALL_WAIT,    /* may be tried again; the system wants to be left alone: all calls with this credential wait */
	CALL_REFRESH, /* may be tried again once the credential is renewed */
};
const char *
call_verdict_name(enum call_verdict v); /* as rules write it: "ok", "fail", "unknown", "skip", "retry" ... */

/* The result store field's content: setting `result` of the step. */
struct call_result_rule;
struct call_result_rule *
call_result_rule_new(struct arena *a, struct str text /* auto | id | body | response | $.path */, struct err *e);

/*
 * Judge an answer: OK with the result value, or a problem { type, title, detail, status }. 2xx is success; an error
 * that may have acted on an operation that is not repeatable is CALL_UNKNOWN; everything else fails. JSON bodies are
 * parsed once, into `a`, and copied there first: neither result nor problem borrows from the answer's body. A problem
 * is null only when even that did not fit into `a`.
 */
enum call_verdict call_judge(const struct call_spec *s, const struct call_result_rule *rule,
			     const struct call_answer *x, struct arena *a, struct value *ret_result,
			     struct value *ret_problem);

#define CALL_WAIT_MAX INT64_C(86400000) /* longest wait that is believed, a day */

/* A judgement with all that it rests on. Texts are in the arena or live as long as the spec. */
struct call_judgement {
	enum call_verdict verdict;
	struct value result;	/* CALL_OK */
	struct value problem;	/* all else: what to say when no further try is made */
	msec_t wait_ms;		/* CALL_WAIT and CALL_RETRY: what the answer asks for; 0 = it does not, back off */
	struct str wait_source; /* header that said so, ptr NULL = none */
	bool wait_is_clamped;
	bool retryable;	     /* CALL_RETRY, CALL_WAIT or CALL_REFRESH: another try does no harm */
	bool wants_new_key;  /* retryable, but under another key: the system gives this answer again under the present one */
	unsigned most_tries; /* of such calls in all; 0 = as many as the policy allows */
	struct str rule;     /* who decided: "operation rule 2", "default: 429", "default: connect_refused" */
	struct str message;  /* the problem's detail; ptr NULL = none */
};

/*
 * The whole judgement, by the rules of operation, connector and system, then the shipped ones. An error that may have
 * acted on an operation that is not repeatable is CALL_UNKNOWN whatever a rule says. Verdict, result and problem depend
 * on the answer alone; wait_ms of an answer without a Date counts from now. call_judge() is the same with CALL_RETRY,
 * CALL_WAIT and CALL_REFRESH told as CALL_FAILED.
 */
enum call_verdict call_judge_full(const struct call_spec *s, const struct call_result_rule *rule,
				  const struct call_answer *x, struct arena *a, struct call_judgement *ret);

/*
 * A probe: the request that tells whether a call happened of which nobody knows. Lives as long as its spec.
 */
struct call_probe {
	const struct call_spec *spec;	   /* of the request, a GET or HEAD */
	const struct value *mapping;	   /* its parameters_mapping; NULL = none */
	const struct call_result_rule *result; /* of the answer that says "done" */
	msec_t wait;			   /* before the first one, and at least so long between two */
	unsigned attempts;		   /* at most, in one go */
	const struct probe_text *text;
};
const struct call_probe *call_spec_probe(const struct call_spec *s); /* NULL = none */

enum call_probed {
	CALL_PROBE_SILENT,   /* no answer, or one that tells neither */
	CALL_PROBE_DONE,     /* the call happened; there is a result */
	CALL_PROBE_NOT_DONE, /* it did not, as far as the system knows by now */
};
const char *call_probed_name(enum call_probed p); /* "done", "not done", "no word" */
/*
 * What an answer to a probe tells. Only a complete one tells anything; a condition that names no status is about 2xx, and
 * one that looks into the body is about bodies that are data and can be read whole. `ret_why` is a part of a sentence,
 * "answered 404", in `a`; ptr NULL when memory ran out, which is silence.
 */
enum call_probed call_probe_judge(const struct call_probe *p, const struct call_answer *x, struct arena *a,
				  struct value *ret_result, struct str *ret_why);

/* Build a problem value; null when out of memory. Borrows the three texts. */
struct value call_problem(struct arena *a, const char *type, const char *title, struct str detail, int status);
