/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list in an answer becomes items (setting `items`), in memory that does not grow with the list.
 *
 *   answer ─► sink ─► held, up to HOLD_BYTES ─┬─ that was all: judged whole, like any answer
 *                                             └─ more comes                       │
 *                                                  ▼                              │ the list
 *   disk is behind: reading is paused, ────────► ahead ◄──────────────────────────┘ of its body
 *   what was read already waits here               │ split
 *                                                  ▼
 *                                 element ─► line ─► chunk ─► step_make() ─► ledger
 *
 * One chunk is on its way to the disk at a time. It carries how many items this one has become and a digest of all
 * their elements. So a try that breaks off, or a process that is killed, is followed by one that asks again and passes
 * over what is made already; an answer whose beginning has changed meanwhile fails the item, since nobody can tell
 * which elements are new. The item itself ends when the last of them is on disk.
 */
#include "step/api_call_int.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"
#include "base/split.h"

#include <stdlib.h>

#define HOLD_BYTES (64u << 10)	     /* an answer up to this is judged with its body, so that rules may look at it */
#define CHUNK_BYTES (64u << 10)	     /* lines recorded at once */
#define PIECE_BYTES (16u << 10)	     /* split at once, so that a chunk is not much longer than it should be */
#define AHEAD_MAX (64u << 20)	     /* one read of the client's, decoded (see http_sink) */
#define LINES_MAX (2 * RUN_LINE_MAX) /* a long line behind a chunk must fit */
#define DIGEST_SEED UINT64_C(14695981039346656037)
#define DIGEST_PRIME UINT64_C(1099511628211) /* FNV-1a: against change, not against malice */
#define MARK "weir:element"

struct api_call_items {
	struct http_sink sink;
	struct api_call *call;
	struct split *split; /* NULL = not begun in this try */
	enum split_kind kind;
	struct buf held;
	bool is_held, is_putting, is_paused, has_ended, is_over; /* ended: no more bytes; over: the splitter was told */
	struct buf ahead;
	size_t ahead_at;
	struct str before, after; /* an item's text around its element */
	struct buf lines;
	uint32_t n_lines;
	uint64_t made;	       /* items, those in `lines` included */
	uint64_t made_digest;  /* of their elements */
	uint64_t seen, digest; /* elements of this try, and theirs */
	bool is_recorded;      /* the answer stands in the ledger already */
	const char *trouble;   /* problem type; NULL = none */
	struct err why;
	struct call_answer answer; /* of a try that has ended */
	char *body;
};

static int trouble(struct api_call_items *x, const char *type, const struct err *e)
{
	if (!x->trouble) {
		x->trouble = type;
		x->why = *e;
	}
	return e->code ? e->code : -ERR_STATE;
}

static const struct api_call_opts *opts_of(const struct api_call_items *x)
{
	return step_opts(x->call->step);
}

/* ---- elements become lines ---- */

static uint64_t digest_add(uint64_t digest, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		digest = (digest ^ (unsigned char)s.ptr[i]) * DIGEST_PRIME;
	return digest;
}

/* The element was made into an item by an earlier try or process. */
static int pass_over(struct api_call_items *x)
{
	struct err e = ERR_INIT;
	if (x->seen < x->made || x->digest == x->made_digest)
		return 0;
	err_set(
	    &e, ERR_STATE,
	    "the list begins otherwise than when its first %llu elements became items, so the new ones cannot be told "
	    "apart; run again for the list as it is now",
	    (unsigned long long)x->made);
	return trouble(x, "list_changed", &e);
}

static int on_element(void *arg, const struct value *element)
{
	struct api_call_items *x = arg;
	struct err e = ERR_INIT;
	size_t start = x->lines.len;
	bool is_new = x->seen++ >= x->made;
	if (is_new && x->made >= (uint64_t)opts_of(x)->max_items) {
		err_set(&e, ERR_LIMIT, "the list has more than %lld elements; set max_items for more",
			(long long)opts_of(x)->max_items);
		return trouble(x, "too_many_items", &e);
	}
	(void)buf_append_str(&x->lines, x->before);
	size_t from = x->lines.len;
	(void)json_write(&x->lines, element, JSON_COMPACT);
	if (buf_ok(&x->lines))
		x->digest = digest_add(x->digest, str_from(x->lines.ptr + from, x->lines.len - from));
	(void)buf_append_str(&x->lines, x->after);
	if (!buf_ok(&x->lines) || x->lines.len - start > RUN_LINE_MAX) {
		int code = x->lines.failed == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_LIMIT;
		err_set(&e, code,
			code == ERR_LIMIT ? "element %llu of the list makes an item of more than %u MiB"
					  : "no memory for element %llu of the list (items have up to %u MiB)",
			(unsigned long long)x->seen, RUN_LINE_MAX >> 20);
		buf_clear(&x->lines);
		x->n_lines = 0;
		return trouble(x, "too_large", &e);
	}
	if (!is_new) {
		x->lines.len = start;
		return pass_over(x);
	}
	x->n_lines++;
	x->made++;
	x->made_digest = x->digest;
	return 0;
}

static const char *split_trouble(int code)
{
	return code == -ERR_NOT_FOUND	? "no_list"
	       : code == -ERR_LIMIT	? "too_large"
	       : code == -ERR_NO_MEMORY ? "out_of_memory"
					: "invalid_list";
}

static int split_bytes(struct api_call_items *x, struct str bytes)
{
	struct err e = ERR_INIT;
	int code = split_push(x->split, bytes, on_element, x, &e);
	return code ? trouble(x, split_trouble(code), &e) : 0;
}

/* The list is over: nothing that was made before may be missing from it. */
static void split_is_over(struct api_call_items *x)
{
	struct err e = ERR_INIT;
	int code = split_end(x->split, on_element, x, &e);
	if (code) {
		(void)trouble(x, split_trouble(code), &e);
	} else if (x->seen < x->made) {
		err_set(&e, ERR_STATE, "the list has %llu elements now, %llu of it have become items before",
			(unsigned long long)x->seen, (unsigned long long)x->made);
		(void)trouble(x, "list_changed", &e);
	}
}

static int split_begin(struct api_call_items *x, enum split_kind kind)
{
	const struct api_call_plan *plan = step_plan(x->call->step)->compiled;
	struct split_options o = {
		.kind = kind,
		.path = opts_of(x)->items,
		.json_prefix = kind == SPLIT_JSON ? call_spec_json_prefix(plan->spec) : STR_NULL,
		.max_depth = VALUE_DEPTH_MAX - API_CALL_ITEMS_DEPTH,
	};
	struct err e = ERR_INIT;
	split_free(x->split);
	x->seen = 0;
	x->digest = DIGEST_SEED;
	x->split = split_new(&o, &e);
	return x->split ? 0 : trouble(x, split_trouble(e.code), &e);
}

/* ---- lines become records ---- */

static void items_go_on(struct api_call_items *x);

static void on_put(struct step *s, struct item *it)
{
	struct api_call *c = it->step_data;
	c->items->is_putting = false;
	items_go_on(c->items);
}

/* An API that echoes gives our own secrets back. */
static struct str without_secrets(struct api_call_items *x, struct buf *masked)
{
	struct step_services *services = step_services(x->call->step);
	struct str lines = buf_str(&x->lines);
	if (!secrets_occur(services->secrets, lines))
		return lines;
	return secrets_mask(services->secrets, masked, lines) == 0 ? buf_str(masked) : STR_NULL;
}

static void put(struct api_call_items *x)
{
	auto_buf struct buf masked = { .max = 4 * LINES_MAX };
	char state[64];
	if (x->is_putting || !x->n_lines || (x->lines.len < CHUNK_BYTES && !x->is_over))
		return;
	struct str lines = without_secrets(x, &masked);
	if (!lines.ptr) {
		struct err e = ERR_INIT;
		err_set(&e, ERR_NO_MEMORY, "no memory to keep secrets out of the items");
		(void)trouble(x, "out_of_memory", &e);
		x->made -= x->n_lines;
		x->n_lines = 0;
		return;
	}
	(void)snprintf(state, sizeof(state), "{\"digest\":\"%016llx\"}", (unsigned long long)x->made_digest);
	x->is_putting = true;
	step_make(x->call->step, x->call->item, lines, x->n_lines, x->made, str_c(state), on_put);
	buf_clear(&x->lines);
	x->n_lines = 0;
}

static void items_finish(struct api_call_items *x);

/* Split what waits as long as the disk keeps up; then read on, or end. */
static void items_go_on(struct api_call_items *x)
{
	while (!x->trouble && x->ahead_at < x->ahead.len && !(x->is_putting && x->lines.len >= CHUNK_BYTES)) {
		struct str rest = str_from(x->ahead.ptr + x->ahead_at, x->ahead.len - x->ahead_at);
		if (rest.len > PIECE_BYTES)
			rest.len = PIECE_BYTES;
		x->ahead_at += rest.len;
		(void)split_bytes(x, rest);
		put(x);
	}
	bool is_behind = !x->trouble && x->ahead_at < x->ahead.len;
	if (!is_behind) {
		x->ahead_at = 0;
		buf_clear(&x->ahead);
	}
	if (is_behind != x->is_paused && x->call->transfer) {
		x->is_paused = is_behind;
		(is_behind ? http_pause : http_resume)(x->call->transfer);
	}
	if (is_behind || !x->has_ended)
		return;
	if (!x->is_over && x->split && !x->trouble && x->answer.error == HTTP_ERROR_NONE)
		split_is_over(x);
	x->is_over = true;
	put(x);
	if (!x->is_putting)
		items_finish(x);
}

/* ---- the sink ---- */

static bool wants(struct http_sink *sink, int status, const struct headers *headers)
{
	struct api_call_items *x = CONTAINER_OF(sink, struct api_call_items, sink);
	const struct api_call_plan *plan = step_plan(x->call->step)->compiled;
	x->is_held = call_spec_may_split(plan->spec, status, headers, &x->kind);
	buf_clear(&x->held);
	return x->is_held;
}

static bool take_whole(struct api_call_items *x, struct str bytes)
{
	struct err e = ERR_INIT;
	if (buf_append_str(&x->ahead, bytes) != 0) {
		err_set(&e, ERR_NO_MEMORY, "no memory for the answer");
		(void)trouble(x, "out_of_memory", &e);
	}
	items_go_on(x);
	return !x->trouble;
}

static bool take(struct http_sink *sink, struct str bytes, struct err *e)
{
	struct api_call_items *x = CONTAINER_OF(sink, struct api_call_items, sink);
	bool goes_on = !x->trouble;
	if (step_is_stopping(x->call->step)) {
		err_set(&x->why, ERR_STATE, "the run stops");
		goes_on = false;
	} else if (x->is_held && x->held.len + bytes.len <= HOLD_BYTES) {
		if (buf_append_str(&x->held, bytes) == 0)
			return true;
		err_set(&x->why, ERR_NO_MEMORY, "out of memory");
		goes_on = false;
	} else if (x->is_held) {
		x->is_held = false;
		goes_on = split_begin(x, x->kind) == 0 && take_whole(x, buf_str(&x->held)) && take_whole(x, bytes);
		buf_done(&x->held);
	} else if (goes_on) {
		goes_on = take_whole(x, bytes);
	}
	if (!goes_on)
		*e = x->why;
	return goes_on;
}

/* ---- one call ---- */

/* The item with a mark for its element, as text, cut in two at the mark. */
static int frame_new(struct api_call_items *x, struct item *it, struct err *e)
{
	auto_buf struct buf text = { .max = RUN_LINE_MAX };
	struct value root = it->root;
	int code = path_put(&it->arena, &root, opts_of(x)->result_store_field, value_string(STR(MARK)), e);
	if (code < 0)
		return code;
	if (json_write(&text, &root, JSON_COMPACT) < 0 || buf_append_char(&text, '\n') < 0)
		return err_set(e, ERR_LIMIT, "the item is too large to be had once for each element");
	struct str all = arena_str(&it->arena, buf_str(&text));
	ptrdiff_t at = str_find(all, STR("\"" MARK "\""));
	if (!all.ptr || at < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	size_t behind = (size_t)at + sizeof(MARK) + 1;
	x->before = str_from(all.ptr, (size_t)at);
	x->after = str_from(all.ptr + behind, all.len - behind);
	return 0;
}

static uint64_t digest_parse(struct str hex)
{
	uint64_t digest = 0;
	for (size_t i = 0; i < hex.len; i++)
		digest = digest << 4 | (uint64_t)(num_hex_value(hex.ptr[i]) & 15);
	return digest;
}

/* What earlier processes have made, by the ledger. */
static void recall_made(struct api_call_items *x)
{
	const struct ledger_row *row = step_recorded(x->call->step, x->call->item, LEDGER_MADE);
	struct value state;
	x->made_digest = DIGEST_SEED;
	if (!row)
		return;
	x->made = (uint64_t)row->number;
	if (json_parse(&x->call->item->arena, row->head, NULL, &state, NULL, NULL) == 0) {
		const struct value *digest = value_get_c(&state, "digest");
		if (value_is(digest, VALUE_STRING))
			x->made_digest = digest_parse(value_text(digest));
	}
}

static struct api_call_items *items_new(struct api_call *c, struct err *e)
{
	struct api_call_items *x = alloc_calloc(1, sizeof(*x));
	if (!x) {
		err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	x->call = c;
	x->sink = (struct http_sink){ .wants = wants, .take = take, .total_timeout = opts_of(x)->total_timeout };
	buf_init(&x->held, HOLD_BYTES);
	buf_init(&x->lines, LINES_MAX);
	buf_init(&x->ahead, AHEAD_MAX);
	recall_made(x);
	if (frame_new(x, c->item, e) == 0)
		return x;
	free(x);
	return NULL;
}

struct http_sink *api_call_items_sink(struct api_call *c, struct err *e)
{
	if (!c->items)
		c->items = items_new(c, e);
	if (!c->items)
		return NULL;
	c->items->has_ended = c->items->is_over = c->items->is_paused = false;
	c->items->ahead_at = 0;
	buf_clear(&c->items->ahead);
	return &c->items->sink;
}

void api_call_items_free(struct api_call *c)
{
	struct api_call_items *x = c->items;
	c->items = NULL;
	if (!x)
		return;
	split_free(x->split);
	buf_done(&x->held);
	buf_done(&x->lines);
	buf_done(&x->ahead);
	free(x->body);
	free(x);
}

/* The item is through: what it has become stands where its result would. */
static void become(struct api_call_step *st, struct api_call *c, uint64_t made)
{
	const struct api_call_opts *o = step_opts(c->step);
	struct item *it = c->item;
	struct value result = value_object();
	char *number = arena_printf(&it->arena, "%llu", (unsigned long long)made);
	if (number && value_set(&it->arena, &result, STR("items"), value_number_text(str_c(number))) == 0)
		(void)path_put(&it->arena, &it->root, o->result_store_field, result, NULL);
	api_call_leave(st, c);
	step_become(st->step, it);
}

/* All that the try has given is on disk: what its answer means can be told. */
static void items_finish(struct api_call_items *x)
{
	struct api_call *c = x->call;
	struct api_call_step *st = step_state(c->step);
	struct call_answer answer = x->answer;
	bool is_whole = !x->trouble && answer.error == HTTP_ERROR_NONE;
	answer.has_made = is_whole;
	answer.made = x->made;
	if (x->trouble && answer.error == HTTP_ERROR_NONE) { /* so that it is never taken for one that went well */
		answer.error = HTTP_ERROR_BAD_RESPONSE;
		answer.certainty = HTTP_ANSWERED;
		answer.detail = arena_str(&c->item->arena, str_c(x->why.msg));
	}
	if (is_whole) {
		if (!x->is_recorded)
			api_call_record_outcome(st, c, &answer);
		become(st, c, x->made);
	} else if (x->trouble) {
		struct err why = x->why;
		const char *type = x->trouble;
		if (!x->is_recorded)
			api_call_record_outcome(st, c, &answer);
		api_call_fails(st, c, type, "The list in the answer cannot become items", &why);
	} else {
		api_call_answered(st, c, &answer);
	}
	api_call_pump(st);
}

bool api_call_items_ended(struct api_call *c, const struct http_response *r, struct call_answer *x, char **body)
{
	struct api_call_items *items = c->items;
	if (!items || !r->was_sunk)
		return false;
	if (items->is_held) {
		struct step_services *services = step_services(c->step);
		auto_buf struct buf masked = { .max = SIZE_MAX / 2 };
		struct buf *from = &items->held;
		if (secrets_occur(services->secrets, buf_str(from)) &&
		    secrets_mask(services->secrets, &masked, buf_str(from)) == 0)
			from = &masked;
		free(*body);
		*body = buf_take(from, &x->body.len);
		x->body.ptr = *body;
		return false;
	}
	items->answer = *x;
	free(items->body);
	items->body = TAKE(*body);
	items->has_ended = true;
	items_go_on(items);
	return true;
}

void api_call_items_judged(struct api_call_step *st, struct api_call *c, const struct value *result)
{
	auto_buf struct buf text = { .max = ITEM_MAX_BYTES };
	struct err e = ERR_INIT;
	if (step_is_replay(st->step)) {
		const struct ledger_row *row = step_recorded(st->step, c->item, LEDGER_MADE);
		become(st, c, row ? (uint64_t)row->number : 0);
		return;
	}
	if (!api_call_items_sink(c, &e)) {
		api_call_fails(st, c, "bad_mapping", "The list in the answer cannot become items", &e);
		return;
	}
	struct api_call_items *x = c->items;
	x->answer = (struct call_answer){ .error = HTTP_ERROR_NONE };
	if (json_write(&text, result, JSON_COMPACT) < 0) {
		err_set(&e, ERR_LIMIT, "the answer is too large or too deep");
		(void)trouble(x, "too_large", &e);
	} else if (split_begin(x, SPLIT_JSON) == 0) {
		buf_done(&x->ahead);
		x->ahead = (struct buf){ .ptr = text.ptr, .len = text.len, .cap = text.cap, .max = text.max };
		text = (struct buf){ .max = 0 };
	}
	x->is_recorded = x->has_ended = true;
	items_go_on(x);
}

bool api_call_items_recalled(struct api_call_step *st, struct api_call *c, const struct call_answer *x)
{
	if (!x->has_made)
		return false;
	become(st, c, x->made);
	return true;
}
