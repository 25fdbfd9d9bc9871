/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request, by its content type: the mapped one, else the operation's. */
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

/* A text as it is, or the bytes of a file. */
static int write_raw(struct build *b, struct buf *out, enum body_kind kind, struct str *type, struct str declared,
		     struct err *e)
{
	struct body_file f;
	struct str text;
	int r = body_file_parse(b->body, &f, e);
	if (r > 0) {
		*type = file_type(&f, declared);
		b->body_is_bytes = kind == SEND_BINARY;
		return body_file_append(&f, b->files, out, e);
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
	b->sent_body = arena_str(b->a, buf_str(&out));
	if (!b->sent_body.ptr)
		return build_out_of_memory(e);
	if (!mapped || (kind == SEND_MULTIPART && type.ptr != was.ptr))
		build_set_header(b, STR("Content-Type"), type, STR_NULL);
	return 0;
}
