/* SPDX-License-Identifier: Apache-2.0 */
/* Programs, the realms they run in, and one item's way through a realm. Lives in the worker, inside the jail. */
#include "script/worker_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_BEFORE                                                                                                   \
	3 /* of a function made by the engine before the script's first: "function anonymous(", ") {", ours */
#define BODY_MAX (SCRIPT_SOURCE_MAX + 256)

struct program {
	struct list link;
	uint64_t id;
	enum script_kind kind;
	uint32_t n;
	char **sources;
};

/* How a realm answers when it could not be made. */
struct refusal {
	enum script_error error; /* SCRIPT_OK = it was made */
	uint32_t line, column;
	char text[SCRIPT_DETAIL_MAX];
};

struct realm {
	struct list link;
	uint64_t id, program;
	int64_t now;
	JSGlobalContextRef world; /* shared by the programs of a run: everything in it is frozen, so they share no state */
	JSObjectRef open, run;
	struct refusal refusal;
};

static JSStringRef js_text(const char *c)
{
	return jsc.StringCreateWithUTF8CString(c);
}

/* ---- programs ---- */

static void program_free(struct program *p)
{
	for (uint32_t i = 0; p->sources && i < p->n; i++)
		free(p->sources[i]);
	free(p->sources);
	list_remove(&p->link);
	free(p);
}

static struct program *program_find(const struct realms *rs, uint64_t id)
{
	LIST_FOREACH (it, &rs->programs) {
		struct program *p = LIST_ENTRY(it, struct program, link);
		if (p->id == id)
			return p;
	}
	return NULL;
}

bool realms_learn(struct realms *rs, struct script_reader *r)
{
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return false;
	list_init(&p->link);
	p->id = script_read_u64(r);
	p->kind = script_read_u8(r);
	p->n = script_read_u32(r);
	if (r->is_bad || p->n == 0 || p->n > SCRIPT_SOURCES_MAX || p->kind > SCRIPT_CALL)
		r->is_bad = true;
	else
		p->sources = calloc(p->n, sizeof(*p->sources));
	for (uint32_t i = 0; p->sources && i < p->n; i++) {
		p->sources[i] = str_dup_c(script_read_c_text(r));
		r->is_bad |= !p->sources[i];
	}
	if (!p->sources || !script_reader_is_done(r) || program_find(rs, p->id)) {
		program_free(p);
		return false;
	}
	list_add_last(&rs->programs, &p->link);
	return true;
}

static void realm_free(struct realms *rs, struct realm *r)
{
	if (r->run)
		jsc.ValueUnprotect(r->world, r->run);
	if (r->open)
		jsc.ValueUnprotect(r->world, r->open);
	if (r->world)
		jsc.GlobalContextRelease(r->world);
	list_remove(&r->link);
	rs->n_realms--;
	free(r);
}

void realms_forget(struct realms *rs, uint64_t program)
{
	struct program *p = program_find(rs, program);

	LIST_FOREACH (it, &rs->realms) {
		struct realm *r = LIST_ENTRY(it, struct realm, link);
		if (r->program == program)
			realm_free(rs, r);
	}
	if (p)
		program_free(p);
}

/* ---- what an exception says ---- */

static double js_number(JSContextRef ctx, JSValueRef v, const char *name)
{
	JSStringRef key = js_text(name);
	JSValueRef ignored = NULL, got = jsc.ObjectGetProperty(ctx, (JSObjectRef)(uintptr_t)v, key, &ignored);
	double n = got && !ignored ? jsc.ValueToNumber(ctx, got, &ignored) : 0;

	jsc.StringRelease(key);
	return n >= 0 && n < SCRIPT_LINE_MAX ? n : 0;
}

/* At most n - 1 bytes of UTF-8, whole characters; the length. */
static size_t js_copy(JSContextRef ctx, JSValueRef v, char *ret, size_t n)
{
	JSValueRef ignored = NULL;
	JSStringRef s = v ? jsc.ValueToStringCopy(ctx, v, &ignored) : NULL;
	size_t bad = 0, len = s ? jsc.StringGetUTF8CString(s, ret, n) : 0;

	if (s)
		jsc.StringRelease(s);
	len = len ? len - 1 : 0;
	if (!str_is_utf8(str_from(ret, len), &bad))
		len = bad;
	ret[len] = 0;
	return len;
}

/* An exception of the engine itself, not of running code: a source that does not compile. */
static void refuse(struct refusal *why, enum script_error error, JSContextRef ctx, JSValueRef exception)
{
	*why = (struct refusal){ .error = error };
	if (!exception || !jsc.ValueIsObject(ctx, exception))
		return;
	double line = js_number(ctx, exception, "line");
	why->line = line > LINES_BEFORE ? (uint32_t)line - LINES_BEFORE : 0;
	why->column = (uint32_t)js_number(ctx, exception, "column");
	(void)js_copy(ctx, exception, why->text, sizeof(why->text));
}

/* ---- worlds ---- */

static bool on_time_limit(JSContextRef ctx, void *arg)
{
	struct realms *rs = arg;

	rs->was_stopped = true;
	return true;
}

static void set_limit(struct realms *rs)
{
	jsc.ContextGroupSetExecutionTimeLimit(rs->group, rs->deadline, on_time_limit, rs);
}

#ifdef WEIR_SCRIPT_ATTACKS
/* Tests of the jail: what native code inside the engine could try. Defined by the test; never in the product. */
long script_attack(const char *name);

static JSValueRef on_attack(JSContextRef ctx, JSObjectRef f, JSObjectRef self, size_t n, const JSValueRef args[],
			    JSValueRef *exception)
{
	char name[64];

	(void)js_copy(ctx, n ? args[0] : NULL, name, sizeof(name));
	return jsc.ValueMakeNumber(ctx, (double)script_attack(name));
}

static void arm(JSGlobalContextRef world)
{
	JSStringRef math = js_text("Math"), name = js_text("attack");
	JSValueRef host = jsc.ObjectGetProperty(world, jsc.ContextGetGlobalObject(world), math, NULL);

	jsc.ObjectSetProperty(world, (JSObjectRef)(uintptr_t)host, name,
			      jsc.ObjectMakeFunctionWithCallback(world, name, on_attack), 0, NULL);
	jsc.StringRelease(math);
	jsc.StringRelease(name);
}
#else
static void arm(JSGlobalContextRef world)
{
}
#endif

/* A fresh world after its prelude; *ret_open is protected. NULL when the engine has no memory left. */
static JSGlobalContextRef world_new(struct realms *rs, JSObjectRef *ret_open)
{
	JSGlobalContextRef world = jsc.GlobalContextCreateInGroup(rs->group, NULL);
	if (!world)
		return NULL;
	arm(world);
	JSStringRef source = js_text(script_prelude), url = js_text("weir:prelude");
	JSValueRef exception = NULL, got = jsc.EvaluateScript(world, source, NULL, url, 1, &exception);
	jsc.StringRelease(source);
	jsc.StringRelease(url);
	if (exception || !got || !jsc.ValueIsObject(world, got)) {
		jsc.GlobalContextRelease(world);
		return NULL;
	}
	jsc.ValueProtect(world, got);
	*ret_open = (JSObjectRef)(uintptr_t)got;
	return world;
}

void realms_prepare(struct realms *rs)
{
	if (!rs->spare)
		rs->spare = world_new(rs, &rs->spare_open);
}

/* ---- compiling ---- */

struct frame_of_source {
	const char *before, *after; /* `before` ends LINES_BEFORE lines after the function's start */
};

static const struct frame_of_source bodies[] = {
	[SCRIPT_ITEM] = { "\"use strict\";\n", "" },
	[SCRIPT_EXPRS] = { "\"use strict\"; return (\n", "\n);" },
	[SCRIPT_CALL] = { "\"use strict\";\n", "\n; return (__weir_name) => eval(__weir_name);" },
};
/* "1); (2" is no expression, though it fits between parentheses: it must fit between brackets, too. */
static const struct frame_of_source expression_check = { "\"use strict\"; return [\n", "\n];" };

static JSObjectRef compile(JSGlobalContextRef world, const struct frame_of_source *around, const char *source,
			   const char *url, struct refusal *why)
{
	auto_buf struct buf body;
	JSValueRef exception = NULL;

	buf_init(&body, BODY_MAX);
	(void)buf_append_c(&body, around->before);
	(void)buf_append_c(&body, source);
	(void)buf_append_c(&body, around->after);
	(void)buf_append_char(&body, 0);
	if (!buf_ok(&body)) {
		*why = (struct refusal){ .error = SCRIPT_NO_MEMORY_JS, .text = "no memory to compile the script" };
		return NULL;
	}
	JSStringRef text = js_text(body.ptr), parameter = js_text("item"), where = js_text(url);
	JSObjectRef f = jsc.ObjectMakeFunction(world, NULL, 1, &parameter, text, where, 1, &exception);
	jsc.StringRelease(text);
	jsc.StringRelease(parameter);
	jsc.StringRelease(where);
	if (!f || exception) {
		refuse(why, SCRIPT_SYNTAX, world, exception);
		return NULL;
	}
	return f;
}

/* "expression 3: " before the message; what no longer fits is cut between characters. */
static void name_expression(struct refusal *why, uint32_t i)
{
	char prefix[32];
	size_t n = (size_t)snprintf(prefix, sizeof(prefix), "expression %u: ", i + 1);
	size_t kept = strlen(why->text), bad = 0;

	if (kept > sizeof(why->text) - n - 1)
		kept = sizeof(why->text) - n - 1;
	memmove(why->text + n, why->text, kept);
	memcpy(why->text, prefix, n);
	why->text[n + kept] = 0;
	if (!str_is_utf8(str_c(why->text), &bad))
		why->text[bad] = 0;
}

/* One source of a program as a function; NULL with `why` filled. */
static JSObjectRef compile_source(JSGlobalContextRef world, const struct program *p, uint32_t i, struct refusal *why)
{
	char url[32] = "script";

	if (p->kind == SCRIPT_EXPRS)
		(void)snprintf(url, sizeof(url), "script:%u", i + 1);
	JSObjectRef f = compile(world, &bodies[p->kind], p->sources[i], url, why);
	if (f && p->kind == SCRIPT_EXPRS && !compile(world, &expression_check, p->sources[i], url, why))
		f = NULL;
	if (!f && p->n > 1)
		name_expression(why, i);
	return f;
}

static bool compile_all(JSGlobalContextRef world, const struct program *p, JSValueRef *ret, struct refusal *why)
{
	for (uint32_t i = 0; i < p->n; i++) {
		ret[i] = compile_source(world, p, i, why);
		if (!ret[i])
			return false;
		jsc.ValueProtect(world, ret[i]);
	}
	return true;
}

/* ---- realms ---- */

/* What open() or a runner answers instead of a text: [error, line, column, message]. */
static void read_failure(JSContextRef world, JSValueRef v, struct refusal *why)
{
	double field[3] = { 0 };
	JSObjectRef list = (JSObjectRef)(uintptr_t)v;

	for (unsigned i = 0; i < 3; i++) {
		JSValueRef ignored = NULL, got = jsc.ObjectGetPropertyAtIndex(world, list, i, &ignored);
		double n = got ? jsc.ValueToNumber(world, got, &ignored) : 0;
		field[i] = n >= 0 && n <= SCRIPT_LINE_MAX ? n : 0;
	}
	*why = (struct refusal){ .error = field[0] > 0 && field[0] <= SCRIPT_BAD_RESULT ? (enum script_error)field[0]
											: SCRIPT_THREW };
	why->line = field[1] > LINES_BEFORE ? (uint32_t)field[1] - LINES_BEFORE : 0;
	why->column = why->line ? (uint32_t)field[2] : 0;
	JSValueRef ignored = NULL;
	(void)js_copy(world, jsc.ObjectGetPropertyAtIndex(world, list, 3, &ignored), why->text, sizeof(why->text));
}

/* An exception that our own JavaScript did not catch: the time limit, or an engine at the end of its stack or memory.
 */
static void read_exception(struct realms *rs, JSContextRef world, JSValueRef exception, struct refusal *why)
{
	*why = (struct refusal){ .error = rs->was_stopped ? SCRIPT_TIMEOUT : SCRIPT_THREW };
	rs->is_spent |= !exception; /* stopped between two calls: the engine aborts at the next one */
	if (rs->was_stopped) {
		(void)snprintf(why->text, sizeof(why->text), "stopped after %.3g s of processor time", rs->deadline);
		rs->was_stopped = false;
		return;
	}
	if (exception)
		(void)js_copy(world, exception, why->text, sizeof(why->text));
	if (strstr(why->text, "Out of memory"))
		why->error = SCRIPT_NO_MEMORY_JS;
}

static void realm_open(struct realms *rs, struct realm *r, const struct program *p, JSObjectRef open)
{
	JSValueRef exception = NULL;
	JSValueRef *functions = calloc(p->n, sizeof(JSValueRef));

	if (!functions) {
		r->refusal =
		    (struct refusal){ .error = SCRIPT_NO_MEMORY_JS, .text = "no memory to compile the script" };
		return;
	}
	if (compile_all(r->world, p, functions, &r->refusal)) {
		JSValueRef args[3] = { jsc.ValueMakeNumber(r->world, p->kind),
				       jsc.ValueMakeNumber(r->world, (double)r->now),
				       jsc.ObjectMakeArray(r->world, p->n, functions, &exception) };
		rs->was_stopped = false;
		JSValueRef got = exception ? NULL : jsc.ObjectCallAsFunction(r->world, open, NULL, 3, args, &exception);
		if (exception || !got)
			read_exception(rs, r->world, exception, &r->refusal);
		else
			r->run = (JSObjectRef)(uintptr_t)got;
	}
	for (uint32_t i = 0; i < p->n && functions[i]; i++)
		jsc.ValueUnprotect(r->world, functions[i]);
	free(functions);
	if (r->run)
		jsc.ValueProtect(r->world, r->run);
}

/* open() gave a list instead of a function: the library threw while it was set up. */
static void realm_check_run(struct realm *r)
{
	if (!r->run || jsc.ObjectIsFunction(r->world, r->run))
		return;
	read_failure(r->world, r->run, &r->refusal);
	jsc.ValueUnprotect(r->world, r->run);
	r->run = NULL;
}

/* The world of another program of the same run: freezing one takes milliseconds, and a run has several programs. */
static bool realm_share(struct realms *rs, struct realm *r)
{
	LIST_FOREACH (it, &rs->realms) {
		const struct realm *other = LIST_ENTRY(it, struct realm, link);
		if (other->id != r->id || other->now != r->now || !other->world)
			continue;
		r->world = jsc.GlobalContextRetain(other->world);
		r->open = other->open;
		jsc.ValueProtect(r->world, r->open);
		return true;
	}
	return false;
}

static bool realm_take_spare(struct realms *rs, struct realm *r)
{
	realms_prepare(rs);
	r->world = rs->spare;
	r->open = rs->spare_open;
	rs->spare = NULL;
	rs->spare_open = NULL;
	return r->world != NULL;
}

static struct realm *realm_new(struct realms *rs, const struct script_batch *b, const struct program *p)
{
	struct realm *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	*r = (struct realm){ .id = b->realm, .program = b->program, .now = b->now };
	list_init(&r->link);
	while (rs->n_realms >= REALMS_MAX)
		realm_free(rs, LIST_ENTRY(rs->realms.prev, struct realm, link));
	rs->n_realms++;
	if (!realm_share(rs, r) && !realm_take_spare(rs, r)) {
		r->refusal = (struct refusal){ .error = SCRIPT_NO_MEMORY_JS, .text = "no memory for a fresh realm" };
		return r;
	}
	realm_open(rs, r, p, r->open);
	realm_check_run(r);
	return r;
}

struct realm *realms_get(struct realms *rs, const struct script_batch *b)
{
	LIST_FOREACH (it, &rs->realms) {
		struct realm *r = LIST_ENTRY(it, struct realm, link);
		if (r->id != b->realm || r->program != b->program || r->now != b->now)
			continue;
		list_remove(&r->link);
		if (r->run) {
			list_add_last(rs->realms.next, &r->link);
			return r;
		}
		realm_free(rs, r); /* failed before; time and memory may be kinder now */
		break;
	}
	const struct program *p = program_find(rs, b->program);
	struct realm *r = p ? realm_new(rs, b, p) : NULL;
	if (r)
		list_add_last(rs->realms.next, &r->link);
	return r;
}

/* ---- one item ---- */

static void put_refusal(struct realms *rs, struct buf *out, const struct refusal *why)
{
	rs->is_spent |= why->error == SCRIPT_NO_MEMORY_JS;
	script_put_u8(out, (uint8_t)why->error);
	script_put_u32(out, why->line);
	script_put_u32(out, why->column);
	script_put_text(out, str_c(why->text));
}

/* The JSON text goes from the engine's string straight into the frame. */
static void put_text(struct realms *rs, struct buf *out, JSContextRef world, JSValueRef v)
{
	size_t start = out->len;
	JSValueRef exception = NULL;
	JSStringRef s = jsc.ValueToStringCopy(world, v, &exception);
	size_t most = s ? jsc.StringGetMaximumUTF8CStringSize(s) : 0;
	size_t len = 0;

	script_put_u8(out, SCRIPT_OK);
	script_put_u32(out, 0);
	script_put_u32(out, 0);
	script_put_u32(out, 0);
	if (s && buf_reserve(out, most) == 0)
		len = jsc.StringGetUTF8CString(s, out->ptr + out->len, most);
	if (s)
		jsc.StringRelease(s);
	if (len > 0 && len - 1 <= SCRIPT_RESULT_MAX) {
		script_patch_u32(out, out->len - 4, (uint32_t)(len - 1));
		out->len += len - 1;
		return;
	}
	struct refusal why = { .error = len ? SCRIPT_TOO_LARGE : SCRIPT_NO_MEMORY_JS };
	(void)snprintf(why.text, sizeof(why.text),
		       len ? "the result has %zu bytes of JSON" : "no memory for the result", len ? len - 1 : 0);
	out->len = start;
	out->failed = 0;
	put_refusal(rs, out, &why);
}

void realm_run(struct realms *rs, struct realm *r, const struct script_batch_item *item, struct buf *out)
{
	struct refusal why;
	JSValueRef exception = NULL;

	if (!r->run) {
		put_refusal(rs, out, &r->refusal);
		return;
	}
	JSStringRef text = js_text(item->text.ptr);
	JSValueRef args[4] = { jsc.ValueMakeString(r->world, text), jsc.ValueMakeBoolean(r->world, item->is_exact),
			       jsc.ValueMakeNumber(r->world, (double)(item->seed >> 32)),
			       jsc.ValueMakeNumber(r->world, (double)(uint32_t)item->seed) };
	jsc.StringRelease(text);
	rs->was_stopped = false;
	JSValueRef got = jsc.ObjectCallAsFunction(r->world, r->run, NULL, 4, args, &exception);
	if (exception || !got ||
	    rs->was_stopped) /* without exception: stopped in a promise's reaction, after the answer */
		read_exception(rs, r->world, exception, &why);
	else if (jsc.ValueIsString(r->world, got)) {
		put_text(rs, out, r->world, got);
		return;
	} else
		read_failure(r->world, got, &why);
	put_refusal(rs, out, &why);
}

bool realms_check(struct realms *rs, uint64_t program, struct buf *out)
{
	const struct program *p = program_find(rs, program);
	struct refusal why = { 0 };

	if (!p)
		return false;
	realms_prepare(rs);
	if (!rs->spare)
		why = (struct refusal){ .error = SCRIPT_NO_MEMORY_JS, .text = "no memory for a fresh realm" };
	for (uint32_t i = 0; i < p->n && why.error == SCRIPT_OK && rs->spare; i++)
		(void)compile_source(rs->spare, p, i, &why);
	put_refusal(rs, out, &why);
	return true;
}

/* ---- start ---- */

/* What makes the engine read files, start threads or map memory: done while it still may. */
static const char warm_up[] =
    "(function () {\n"
    "if (typeof JSON.rawJSON !== 'function' || typeof ''.isWellFormed !== 'function') return 'old';\n"
    "let s = 0; function f(o) { return o.a.length + o.b * 2 + JSON.stringify(o).length; }\n"
    "for (let i = 0; i < 20000; i++) s += f({ a: 'x' + i, b: i });\n"
    "for (let i = 0; i < 200; i++) s += 'abcabcabd'.replace(/(a|b)+c/g, 'q').length + /^\\p{L}+$/iu.test('é' + i);\n"
    "const d = new Date(0), z = { timeZone: 'Europe/Paris', dateStyle: 'full', timeStyle: 'full' };\n"
    "for (const l of ['en', 'fr', 'de', 'es', 'pt']) s += d.toLocaleString(l, z).length + "
    "(1234.5).toLocaleString(l).length\n"
    "  + ['a', 'é'].sort(new Intl.Collator(l).compare).length + new Intl.PluralRules(l).select(2).length;\n"
    "s += d.toString().length + new Date(2020, 6, 1).getTime() + 'ß'.normalize('NFD').toUpperCase().length;\n"
    "s += String(2n ** 200n).length + [...new Intl.Segmenter('en').segment('a b')].length;\n"
    "return 'ok'; })()";

int realms_init(struct realms *rs, msec_t deadline, struct err *e)
{
	char answer[256];
	JSValueRef exception = NULL;

	*rs = (struct realms){ .deadline = (double)deadline / 1000 };
	list_init(&rs->programs);
	list_init(&rs->realms);
	rs->group = jsc.ContextGroupCreate();
	JSGlobalContextRef world = jsc.GlobalContextCreateInGroup(rs->group, NULL);
	JSStringRef source = js_text(warm_up);
	JSValueRef got = jsc.EvaluateScript(world, source, NULL, NULL, 1, &exception);
	jsc.StringRelease(source);
	(void)js_copy(world, exception ? exception : got, answer, sizeof(answer));
	jsc.GarbageCollect(world);
	jsc.GlobalContextRelease(world);
	if (strcmp(answer, "old") == 0)
		return err_set(e, ERR_MISSING,
			       "JavaScriptCore is too old (no JSON.rawJSON): upgrade the package " JSC_PACKAGE
			       " to 2.48 or later");
	if (strcmp(answer, "ok") != 0)
		return err_set(e, ERR_STATE, "JavaScriptCore does not work: %s", answer);
	set_limit(rs);
	realms_prepare(rs);
	if (!rs->spare)
		return err_set(e, ERR_STATE, "JavaScriptCore does not run the prelude");
	return 0;
}
