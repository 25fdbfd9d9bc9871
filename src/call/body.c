/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request, by its content type: the mapped one, else the operation's. Files named by an id are not read
 * here: the body has a cut where one stands. */
#include "call/body_int.h"
#include "call/request_int.h"

/* Media types in lower case are usual, any case is right. */
enum body_kind body_kind_of(struct str type)
{
	static const struct {
		const char *type;
		enum body_kind kind;
	} types[] = {
		{ "application/x-www-form-urlencoded", SEND_FORM },
		{ "multipart/form-data", SEND_MULTIPART },
		{ "application/xml", SEND_XML },
		{ "text/xml", SEND_XML },
	};
	if (media_type_is_json(type))
		return SEND_JSON;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq_nocase(type, str_c(types[i].type)))
			return types[i].kind;
	if (type.len > 4 && str_eq_nocase(str_from(type.ptr + type.len - 4, 4), STR("+xml")))
		return SEND_XML;
	return type.len > 5 && str_eq_nocase(str_from(type.ptr, 5), STR("text/")) ? SEND_TEXT : SEND_BINARY;
}

/* The type of a file: the operation's, or where that is a range like image/ *, the file's own. */
static struct str file_type(const struct body_file *f, struct str declared)
{
	if (!str_ends(declared, STR("/*")))
		return declared;
	return f->media_type.ptr ? f->media_type : STR("application/octet-stream");
}

int build_put_file(struct build *b, struct buf *out, const struct body_file *f, struct err *e)
{
	struct body_cut cut = { .at = out->len, .id = f->id };
	if (!f->id.ptr)
		return body_file_append(f, out, e);
	if (!b->files)
		return err_set(e, ERR_MISSING, "there is no folder of files here, only { base64: ... } can be sent");
	int r = b->files->size(b->files, f->id, &cut.len, e);
	if (r == 0 && buf_append(&b->cuts, &cut, sizeof(cut)) < 0)
		r = b->cuts.failed == ERR_LIMIT ? err_set(e, ERR_LIMIT, "more than %d files", CALL_FILES_MAX)
						: build_out_of_memory(e);
	return r;
}

/* The body is a file: people see what it is. */
static int write_file(struct build *b, struct buf *out, enum body_kind kind, const struct body_file *f, struct err *e)
{
	b->body_is_bytes = kind == SEND_BINARY;
	if (f->id.ptr) {
		struct body_file *shown = ARENA_NEW(b->a, struct body_file);
		if (!shown)
			return build_out_of_memory(e);
		*shown = *f;
		b->shown_file = shown;
	}
	return build_put_file(b, out, f, e);
}

/* A text as it is, or the bytes of a file. */
static int write_raw(struct build *b, struct buf *out, enum body_kind kind, struct str *type, struct str declared,
		     struct err *e)
{
	struct body_file f;
	struct str text;
	int r = body_file_parse(b->body, &f, e);
	if (r > 0) {
		*type = file_type(&f, declared);
		return write_file(b, out, kind, &f, e);
	}
	if (r < 0)
		return r;
	if (!scalar_text(b->body, &text))
		return err_set(e, ERR_INVALID,
			       "a body of type \"%.*s\" is a text, { file: ID } or { base64: ... }, not %s",
			       STR_ARG(str_clip(declared, 128)), value_kind_name(b->body->kind));
	if (str_ends(*type, STR("/*")))
		*type = STR("application/octet-stream");
	(void)buf_append_str(out, text);
	return 0;
}

static int write_by_kind(struct build *b, struct buf *out, enum body_kind kind, struct str *type, struct str declared,
			 struct err *e)
{
	switch (kind) {
	case SEND_JSON:
		(void)json_write(out, b->body, JSON_COMPACT);
		return 0;
	case SEND_FORM:
		return form_write(out, b->body, e);
	case SEND_MULTIPART:
		return build_multipart(b, out, type, e);
	default:
		if (kind == SEND_XML && b->s->op.body_template)
			return body_template_write(out, b->s->op.body_template, b->body, e);
		return write_raw(b, out, kind, type, declared, e);
	}
}

static void add_piece(struct build *b, struct call_piece piece)
{
	if (piece.len == 0)
		return;
	b->pieces[b->n_pieces++] = piece;
	b->body_bytes += piece.len;
}

/* What was written moves to the arena, cut where files stand. */
static int keep_body(struct build *b, const struct buf *out, struct err *e)
{
	const struct body_cut *cuts = (const struct body_cut *)(const void *)b->cuts.ptr;
	size_t n = b->cuts.len / sizeof(*cuts), from = 0;
	b->sent_body = arena_str(b->a, buf_str(out));
	b->body_bytes = out->len;
	if (!b->sent_body.ptr)
		return build_out_of_memory(e);
	if (n == 0)
		return 0;
	b->pieces = ARENA_ARRAY(b->a, struct call_piece, 2 * n + 1);
	if (!b->pieces)
		return build_out_of_memory(e);
	b->body_bytes = 0;
	for (size_t i = 0; i < n; i++) {
		struct str before = str_from(b->sent_body.ptr + from, cuts[i].at - from);
		add_piece(b, (struct call_piece){ .bytes = before, .len = before.len });
		add_piece(b, (struct call_piece){ .file = cuts[i].id, .len = cuts[i].len });
		from = cuts[i].at;
	}
	struct str rest = str_from(b->sent_body.ptr + from, out->len - from);
	add_piece(b, (struct call_piece){ .bytes = rest, .len = rest.len });
	return 0;
}

int build_body(struct build *b, struct err *e)
{
	const struct operation *op = &b->s->op;
	auto_buf struct buf out = { .max = CALL_BODY_MAX };
	if (!b->body)
		return 0;
	struct out_header *mapped = build_find_header(b, STR("Content-Type"));
	struct str declared = op->body_type.ptr ? op->body_type : STR("application/json"),
		   type = op->body_type_sent.ptr ? op->body_type_sent : declared;
	enum body_kind kind = op->body_kind;
	if (mapped) {
		declared = type = mapped->header.value;
		kind = body_kind_of(header_media_type(type));
	}
	struct str was = type;
	int r = write_by_kind(b, &out, kind, &type, mapped ? header_media_type(type) : declared, e);
	if (r < 0 && buf_ok(&out))
		return err_wrap(e, "the body");
	if (!buf_ok(&out))
		return build_buf_trouble(&out, "the body", e);
	r = keep_body(b, &out, e);
	if (r < 0)
		return r;
	if (!mapped || (kind == SEND_MULTIPART && type.ptr != was.ptr))
		build_set_header(b, STR("Content-Type"), type, STR_NULL);
	return 0;
}
