/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows made small. Requests and answers of one step resemble each other more than themselves: a dictionary of some rows
 * makes the next ones a tenth of their size, where compression of each alone saves little. One dictionary per step of a
 * version of a dataflow and kind of row (kind 0: its input):
 *
 *   rows of a step are put, plain ---> enough samples ---> tend(): made, in memory ---> the next such row of a group:
 *   INSERT of the dictionary and of the row that refers to it, in one transaction
 *
 * A packed row: varint id of the dictionary (0 = none), varint bytes of the head, then a zstd frame (RFC 8878) of head
 * and body without its four bytes of magic number. The frame says its content's size, and a digest of it finds wrong
 * bits.
 *
 * A cached dictionary may be gone from the file: its transaction was rolled back, or another process pruned. So `doubt`
 * counts the occasions, and a dictionary that was last seen before the latest is looked up again before a row refers to
 * it.
 */
#include "store/sql_int.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <zdict.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PACK_LEVEL 1
#define PACK_MIN 40		  /* smaller rows stay plain: a frame has ten bytes of its own */
#define PACK_ALONE_MIN 2048	  /* without a dictionary smaller ones stay plain, and readable by everybody */
#define PACK_MAX (16u << 20)	  /* larger ones stay plain: they would hold up the commits of others */
#define SCRATCH_KEPT (256u << 10) /* a larger scratch buffer is given back */
#define DICT_BYTES 8192
#define DICT_CONTENT 6144 /* of it are rows; the rest is for tables of frequencies */
#define DICT_HASH_LOG 11	  /* zstd would take tables of 128 KiB for these 6: they would not stay in a cache */
#define DICT_ROW_MAX (32u << 10)  /* what a dictionary saves of a larger one is nothing, and contexts grow with their rows */
#define SAMPLES_MAX 96
#define SAMPLES_MIN 8
#define SAMPLE_BYTES 2048 /* of one row */
#define SAMPLES_BYTES (64u << 10)
#define SCOPES 64  /* dictionaries at hand for writing */
#define READERS 32 /* and for reading */
#define RUNS 16	   /* runs whose names are known */
#define MAGIC_BYTES 4
#define PREFIX_MAX 20 /* two varints */

/* Whose rows: the strings are in one allocation. */
struct owner {
	struct str component, dataflow, version;
	char *bytes;
};

struct known_run {
	int64_t run;
	struct owner owner;
};

struct scope {
	struct owner owner;
	uint32_t step;
	int kind;
	uint64_t used;
	uint64_t sure; /* the doubt at which the dictionary was last looked up */
	int64_t id;	 /* 0 = not in the file */
	ZSTD_CCtx *cctx; /* with the dictionary in it */
	char *dict;	 /* its bytes, DICT_BYTES at most; NULL = none yet */
	size_t dict_len;
	char *samples;
	size_t samples_len, sizes[SAMPLES_MAX];
	unsigned n_samples;
	bool is_hopeless; /* no dictionary could be made of its samples */
};

struct reader {
	int64_t id;
	ZSTD_DDict *ddict;
	uint64_t used;
};

struct codec {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	struct known_run runs[RUNS];
	struct scope *scopes[SCOPES], *last;
	struct reader readers[READERS];
	unsigned next_run;
	uint64_t tick, doubt;
	int64_t mark; /* of the database, as of the last transaction that wrote */
	struct buf plain, packed, wire;
	struct ahead ahead;
	struct str row; /* the last one packed, in `packed` */
};

/* ---- life ---- */

static void owner_done(struct owner *o)
{
	free(o->bytes);
	*o = (struct owner){ 0 };
}

static bool owner_copy(struct owner *ret, const struct owner *from)
{
	size_t n = from->component.len + from->dataflow.len + from->version.len;
	char *at = alloc_malloc(n + 1);

	if (!at)
		return false;
	ret->bytes = at;
	const struct str *parts[] = { &from->component, &from->dataflow, &from->version };
	struct str *copies[] = { &ret->component, &ret->dataflow, &ret->version };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i]->len)
			memcpy(at, parts[i]->ptr, parts[i]->len);
		*copies[i] = (struct str){ at, parts[i]->len };
		at += parts[i]->len;
	}
	return true;
}

static bool owner_eq(const struct owner *a, const struct owner *b)
{
	return str_eq(a->version, b->version) && str_eq(a->dataflow, b->dataflow) && str_eq(a->component, b->component);
}

static void scope_drop_dict(struct scope *sc)
{
	(void)ZSTD_freeCCtx(sc->cctx);
	free(sc->dict);
	sc->cctx = NULL;
	sc->dict = NULL;
	sc->id = 0;
}

static void scope_free(struct scope *sc)
{
	if (!sc)
		return;
	scope_drop_dict(sc);
	free(sc->samples);
	owner_done(&sc->owner);
	free(sc);
}

/* Table sizes of our own only for dictionaries; NULL = no memory. */
static ZSTD_CCtx *cctx_new(int hash_log)
{
	ZSTD_CCtx *x = ZSTD_createCCtx();

	if (x && !ZSTD_isError(ZSTD_CCtx_setParameter(x, ZSTD_c_dictIDFlag, 0)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(x, ZSTD_c_checksumFlag, 1)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(x, ZSTD_c_compressionLevel, PACK_LEVEL)) &&
	    (!hash_log || !ZSTD_isError(ZSTD_CCtx_setParameter(x, ZSTD_c_hashLog, hash_log))))
		return x;
	(void)ZSTD_freeCCtx(x);
	return NULL;
}

struct codec *codec_new(void)
{
	struct codec *c = alloc_calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->doubt = 1;
	buf_init(&c->plain, PACK_MAX);
	buf_init(&c->packed, ZSTD_COMPRESSBOUND(PACK_MAX) + PREFIX_MAX);
	buf_init(&c->wire, ZSTD_COMPRESSBOUND((size_t)STORE_OP_BYTES_MAX));
	buf_init(&c->ahead.bytes, AHEAD_BYTES);
	c->cctx = cctx_new(0);
	c->dctx = ZSTD_createDCtx();
	if (c->cctx && c->dctx)
		return c;
	codec_free(c);
	return NULL;
}

void codec_free(struct codec *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < RUNS; i++)
		owner_done(&c->runs[i].owner);
	for (size_t i = 0; i < SCOPES; i++)
		scope_free(c->scopes[i]);
	for (size_t i = 0; i < READERS; i++)
		(void)ZSTD_freeDDict(c->readers[i].ddict);
	(void)ZSTD_freeCCtx(c->cctx);
	(void)ZSTD_freeDCtx(c->dctx);
	buf_done(&c->plain);
	buf_done(&c->packed);
	buf_done(&c->wire);
	buf_done(&c->ahead.bytes);
	free(c);
}

void codec_doubt(struct codec *c)
{
	c->doubt++;
	ahead_forget(&c->ahead);
	for (size_t i = 0; i < RUNS; i++) {
		c->runs[i].run = 0;
		owner_done(&c->runs[i].owner);
	}
}

void codec_begin(struct codec *c, int64_t mark)
{
	if (c->mark != mark)
		codec_doubt(c);
	c->mark = mark;
	ahead_forget(&c->ahead);
}

struct ahead *codec_ahead(struct codec *c)
{
	return &c->ahead;
}

/* Emptied for the next use; a large one is given back. */
static void scratch_reset(struct buf *b)
{
	if (b->cap > SCRATCH_KEPT)
		buf_done(b);
	else
		buf_clear(b);
}

/* ---- whose row ---- */

/* 1 with *ret, 0 = no such run or no memory, -1 = fault. */
static int owner_of(struct sql *q, int64_t run, const struct owner **ret)
{
	struct codec *c = q->codec;
	struct statement *st = q->st[ST_RUN_OWNER];

	for (size_t i = 0; i < RUNS; i++) {
		if (c->runs[i].run == run && c->runs[i].owner.bytes) {
			*ret = &c->runs[i].owner;
			return 1;
		}
	}
	bind_int(st, 1, run);
	int found = sql_next(q, ST_RUN_OWNER);
	if (found != 1)
		return found;
	struct owner read = { column_bytes(st, 0), column_bytes(st, 1), column_bytes(st, 2), NULL };
	struct known_run *k = &c->runs[c->next_run++ % RUNS];
	owner_done(&k->owner);
	k->run = run;
	bool is_known = owner_copy(&k->owner, &read);
	sql_reset(st);
	*ret = &k->owner;
	return is_known;
}

/* An empty place, or that of the scope not used for longest. */
static struct scope **place_for(struct codec *c)
{
	struct scope **oldest = &c->scopes[0];

	for (size_t i = 0; i < SCOPES; i++) {
		if (!c->scopes[i])
			return &c->scopes[i];
		if (c->scopes[i]->used < (*oldest)->used)
			oldest = &c->scopes[i];
	}
	if (c->last == *oldest)
		c->last = NULL;
	scope_free(*oldest);
	*oldest = NULL;
	return oldest;
}

static struct scope *scope_find(struct codec *c, const struct owner *o, uint32_t step, int kind)
{
	for (size_t i = 0; i < SCOPES && c->scopes[i]; i++) {
		struct scope *sc = c->scopes[i];
		if (sc->step == step && sc->kind == kind && owner_eq(&sc->owner, o))
			return sc;
	}
	struct scope *sc = alloc_calloc(1, sizeof(*sc));
	if (!sc || !owner_copy(&sc->owner, o)) {
		free(sc);
		return NULL;
	}
	sc->step = step;
	sc->kind = kind;
	*place_for(c) = sc;
	return sc;
}

/* ---- the dictionary of a scope ---- */

static bool take_dict(struct scope *sc, const void *bytes, size_t len)
{
	scope_drop_dict(sc);
	sc->dict = alloc_malloc(len ? len : 1);
	if (!sc->dict)
		return false;
	memcpy(sc->dict, bytes, len);
	sc->dict_len = len;
	sc->cctx = cctx_new(DICT_HASH_LOG);
	if (!sc->cctx || ZSTD_isError(ZSTD_CCtx_loadDictionary(sc->cctx, bytes, len)))
		scope_drop_dict(sc);
	return sc->cctx != NULL;
}

static void bind_scope(struct statement *st, const struct scope *sc)
{
	bind_text(st, 1, sc->owner.component);
	bind_text(st, 2, sc->owner.dataflow);
	bind_text(st, 3, sc->owner.version);
	bind_int(st, 4, sc->step);
	bind_int(st, 5, sc->kind);
}

/* What the file has for this scope: 0, or -1 with the fault. */
static int look_up(struct sql *q, struct scope *sc)
{
	struct statement *st = q->st[ST_DICTIONARY_FIND];

	bind_scope(st, sc);
	int found = sql_next(q, ST_DICTIONARY_FIND);
	if (found < 0)
		return -1;
	int64_t id = found ? column_int(st, 0) : 0;
	if (id != 0 && id != sc->id) {
		struct str bytes = column_bytes(st, 1);
		if (!take_dict(sc, bytes.ptr, bytes.len))
			id = 0;
	}
	if (found)
		sql_reset(st);
	sc->id = id;
	sc->sure = q->codec->doubt;
	return 0;
}

/* The dictionary into the file, beside the row that is about to refer to it. Another process's, written meanwhile,
 * wins. */
static int write_dict(struct sql *q, struct scope *sc)
{
	struct statement *st = q->st[ST_DICTIONARY_PUT];

	bind_scope(st, sc);
	bind_int(st, 6, clock_wall());
	bind_blob(st, 7, str_from(sc->dict, sc->dict_len));
	int is_new = sql_one(q, ST_DICTIONARY_PUT, &sc->id);
	if (is_new < 0)
		return -1;
	return is_new ? 0 : look_up(q, sc);
}

static void sample_add(struct scope *sc, struct str row)
{
	size_t n = row.len < SAMPLE_BYTES ? row.len : SAMPLE_BYTES;

	if (sc->is_hopeless || sc->n_samples == SAMPLES_MAX || sc->samples_len + n > SAMPLES_BYTES)
		return;
	if (!sc->samples)
		sc->samples = alloc_malloc(SAMPLES_BYTES);
	if (!sc->samples)
		return;
	memcpy(sc->samples + sc->samples_len, row.ptr, n);
	sc->samples_len += n;
	sc->sizes[sc->n_samples++] = n;
}

static bool has_samples(const struct scope *sc)
{
	return sc->n_samples == SAMPLES_MAX ||
	       (sc->n_samples >= SAMPLES_MIN && sc->samples_len + SAMPLE_BYTES > SAMPLES_BYTES);
}

/* The last rows as content, all of them for the frequencies; where these cannot be had, the rows alone. */
static void make_dict(struct scope *sc)
{
	size_t content = sc->samples_len < DICT_CONTENT ? sc->samples_len : DICT_CONTENT;
	const char *from = sc->samples + sc->samples_len - content;
	char dict[DICT_BYTES];
	ZDICT_params_t params = { .compressionLevel = PACK_LEVEL };
	size_t n =
	    ZDICT_finalizeDictionary(dict, sizeof(dict), from, content, sc->samples, sc->sizes, sc->n_samples, params);

	sc->is_hopeless = !(ZDICT_isError(n) ? take_dict(sc, from, content) : take_dict(sc, dict, n));
	free(sc->samples);
	sc->samples = NULL;
	sc->samples_len = sc->n_samples = 0;
}

void codec_tend(struct codec *c)
{
	for (size_t i = 0; i < SCOPES && c->scopes[i]; i++) {
		if (!c->scopes[i]->cctx && has_samples(c->scopes[i])) {
			make_dict(c->scopes[i]);
			return;
		}
	}
}

/* ---- packing ---- */

static size_t varint_put(char *to, uint64_t n)
{
	size_t i = 0;

	for (; n >= 0x80; n >>= 7)
		to[i++] = (char)(n | 0x80);
	to[i++] = (char)n;
	return i;
}

static bool varint_take(struct str *s, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; s->len && shift < 63; shift += 7) {
		uint64_t byte = (unsigned char)*s->ptr;
		s->ptr++;
		s->len--;
		*ret |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

/* True when the frame is smaller than what it holds; c->packed then is the row. */
static bool compress(struct codec *c, const struct scope *sc, struct str plain, size_t head_len)
{
	size_t bound = ZSTD_compressBound(plain.len);
	bool has_dict = sc->id && plain.len <= DICT_ROW_MAX;

	scratch_reset(&c->packed);
	if (buf_reserve(&c->packed, bound + PREFIX_MAX))
		return false;
	/* The magic number is written over the place of the prefix, and then the prefix before what follows it. */
	char *frame = c->packed.ptr + PREFIX_MAX - MAGIC_BYTES, prefix[PREFIX_MAX];
	size_t n = ZSTD_compress2(has_dict ? sc->cctx : c->cctx, frame, bound, plain.ptr, plain.len);
	size_t p = varint_put(prefix, has_dict ? (uint64_t)sc->id : 0);
	p += varint_put(prefix + p, head_len);
	if (ZSTD_isError(n) || n - MAGIC_BYTES + p >= plain.len)
		return false;
	memcpy(c->packed.ptr + PREFIX_MAX - p, prefix, p);
	c->row = str_from(c->packed.ptr + PREFIX_MAX - p, p + n - MAGIC_BYTES);
	return true;
}

static int scope_ready(struct sql *q, struct scope *sc)
{
	if (sc->sure != q->codec->doubt && look_up(q, sc))
		return -1;
	return sc->cctx && !sc->id ? write_dict(q, sc) : 0;
}

int codec_pack(struct sql *q, const struct ledger_key *key, int kind, struct str head, struct str body, struct str *ret)
{
	struct codec *c = q->codec;
	size_t n = head.len + body.len;
	const struct owner *o = NULL;

	*ret = STR_NULL;
	if (!c || q->keeps_plain || n < PACK_MIN || n > PACK_MAX)
		return 0;
	int found = owner_of(q, key->run, &o);
	if (found <= 0)
		return found;
	struct scope *sc = scope_find(c, o, key->step, kind);
	scratch_reset(&c->plain);
	if (!sc || buf_append_str(&c->plain, head) || buf_append_str(&c->plain, body))
		return 0;
	sc->used = ++c->tick;
	if (scope_ready(q, sc))
		return -1;
	if (!sc->cctx)
		sample_add(sc, buf_str(&c->plain));
	if ((sc->id || n >= PACK_ALONE_MIN) && compress(c, sc, buf_str(&c->plain), head.len))
		*ret = c->row;
	return 0;
}

/* ---- unpacking ---- */

/* *ret NULL with 0: the file has no such dictionary. */
static enum codec_error ddict_of(struct sql *q, int64_t id, const ZSTD_DDict **ret)
{
	struct codec *c = q->codec;
	struct reader *oldest = &c->readers[0];
	struct statement *st = q->st[ST_DICTIONARY_GET];

	for (size_t i = 0; i < READERS; i++) {
		struct reader *r = &c->readers[i];
		if (r->ddict && r->id == id) {
			r->used = ++c->tick;
			*ret = r->ddict;
			return CODEC_OK;
		}
		if (r->used < oldest->used)
			oldest = r;
	}
	bind_int(st, 1, id);
	int found = sql_next(q, ST_DICTIONARY_GET);
	if (found != 1)
		return found < 0 ? CODEC_FAULT : CODEC_DAMAGED;
	struct str bytes = column_bytes(st, 0);
	ZSTD_DDict *ddict = ZSTD_createDDict(bytes.ptr, bytes.len);
	sql_reset(st);
	if (!ddict)
		return CODEC_NO_ROOM;
	(void)ZSTD_freeDDict(oldest->ddict);
	*oldest = (struct reader){ .id = id, .ddict = ddict, .used = ++c->tick };
	*ret = ddict;
	return CODEC_OK;
}

enum codec_error codec_unpack(struct sql *q, struct str packed, struct arena *a, struct str *ret_head,
			      struct str *ret_body)
{
	static const char magic[MAGIC_BYTES] = { 0x28, (char)0xb5, 0x2f, (char)0xfd };
	struct codec *c = q->codec;
	uint64_t id, head_len;
	const ZSTD_DDict *ddict = NULL;

	if (!c || !varint_take(&packed, &id) || !varint_take(&packed, &head_len) || id > INT64_MAX)
		return CODEC_DAMAGED;
	enum codec_error code = id ? ddict_of(q, (int64_t)id, &ddict) : CODEC_OK;
	if (code != CODEC_OK)
		return code;
	scratch_reset(&c->wire);
	if (buf_append(&c->wire, magic, sizeof(magic)) || buf_append_str(&c->wire, packed))
		return CODEC_NO_ROOM;
	unsigned long long size = ZSTD_getFrameContentSize(c->wire.ptr, c->wire.len);
	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > PACK_MAX || head_len > size)
		return CODEC_DAMAGED;
	char *plain = arena_alloc(a, size ? (size_t)size : 1);
	if (!plain)
		return CODEC_NO_ROOM;
	size_t n = ddict ? ZSTD_decompress_usingDDict(c->dctx, plain, size, c->wire.ptr, c->wire.len, ddict)
			 : ZSTD_decompressDCtx(c->dctx, plain, size, c->wire.ptr, c->wire.len);
	if (n != size)
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? CODEC_NO_ROOM : CODEC_DAMAGED;
	*ret_head = (struct str){ plain, (size_t)head_len };
	*ret_body = (struct str){ plain + head_len, (size_t)(size - head_len) };
	return CODEC_OK;
}
