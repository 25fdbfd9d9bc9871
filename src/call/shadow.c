/* SPDX-License-Identifier: Apache-2.0 */
/* The shadow of a request: what people and the ledger see of it. */
#include "call/body_int.h"
#include "call/request_int.h"

#define SHOWN_BODY_MAX (64u << 10)  /* bytes of a body that people see */
#define SHOWN_BODY_SLACK (8u << 10) /* read beyond it, so that a secret across the cut is found */

/* A JSON string of `text` with secrets masked. */
static void show_text(struct build *b, struct str text)
{
	auto_buf struct buf masked = { .max = JSON_MAX_BYTES };
	if (!secrets_occur(b->secrets, text)) {
		(void)json_write_string(&b->shown, text);
		return;
	}
	if (secrets_mask(b->secrets, &masked, text) < 0)
		(void)buf_append_c(&b->shown, "\"" SECRET_MASK "\"");
	else
		(void)json_write_string(&b->shown, buf_str(&masked));
}

static void show_header(struct build *b, const struct out_header *h, bool is_first)
{
	(void)buf_append_c(&b->shown, is_first ? "[" : ",[");
	show_text(b, h->header.name);
	(void)buf_append_char(&b->shown, ',');
	if (h->shown.ptr)
		show_text(b, h->shown);
	else if (header_is_secret(h->header.name))
		(void)buf_append_c(&b->shown, "\"" SECRET_MASK "\"");
	else
		show_text(b, h->header.value);
	(void)buf_append_char(&b->shown, ']');
}

static void show_headers(struct build *b)
{
	size_t i = 0;
	bool is_first = true;
	(void)buf_append_c(&b->shown, ",\"headers\":[");
	if (b->fixed_as_was) {
		if (b->s->accept_is_default) {
			show_header(b, &b->headers[0], true);
			is_first = false;
		}
		if (b->s->fixed_shown.len) {
			(void)buf_append_c(&b->shown, is_first ? "" : ",");
			(void)secrets_mask(b->secrets, &b->shown, b->s->fixed_shown);
			is_first = false;
		}
		i = b->s->fixed.n;
	}
	for (; i < b->n_headers; i++, is_first = false)
		show_header(b, &b->headers[i], is_first);
	(void)buf_append_char(&b->shown, ']');
}

/* At most `max` bytes, cut between characters. */
static struct str clip(struct str text, size_t max)
{
	if (text.len <= max)
		return text;
	while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
		max--;
	return str_from(text.ptr, max);
}

/* A file is shown by what it is, not by what is in it. */
static void show_file(struct build *b, const struct body_file *f)
{
	(void)buf_append_c(&b->shown, "{\"file\":");
	show_text(b, f->id);
	if (f->name.ptr) {
		(void)buf_append_c(&b->shown, ",\"name\":");
		show_text(b, f->name);
	}
	if (f->media_type.ptr) {
		(void)buf_append_c(&b->shown, ",\"media_type\":");
		show_text(b, f->media_type);
	}
	(void)buf_printf(&b->shown, ",\"bytes\":%llu}}", (unsigned long long)b->body_bytes);
}

static void show_body(struct build *b)
{
	struct str whole = b->shown_body.ptr ? b->shown_body : b->sent_body,
		   text = clip(whole, SHOWN_BODY_MAX + SHOWN_BODY_SLACK);
	(void)buf_append_c(&b->shown, ",\"body\":");
	if (b->shown_file) {
		show_file(b, b->shown_file);
		return;
	}
	if (!text.ptr) {
		(void)buf_append_c(&b->shown, "null}");
		return;
	}
	if (b->body_is_bytes || !str_is_utf8(text, NULL)) {
		(void)buf_printf(&b->shown, "{\"bytes\":%zu}}", b->sent_body.len);
		return;
	}
	auto_buf struct buf masked = { .max = 4 * (SHOWN_BODY_MAX + SHOWN_BODY_SLACK) };
	if (secrets_occur(b->secrets, text))
		text = secrets_mask(b->secrets, &masked, text) < 0 ? STR(SECRET_MASK) : buf_str(&masked);
	(void)json_write_string(&b->shown, clip(text, SHOWN_BODY_MAX));
	if (b->shown_body.ptr || whole.len > SHOWN_BODY_MAX)
		(void)buf_printf(&b->shown, ",\"body_bytes\":%llu", (unsigned long long)b->body_bytes);
	if (whole.len > SHOWN_BODY_MAX)
		(void)buf_append_c(&b->shown, ",\"clipped\":true");
	(void)buf_append_char(&b->shown, '}');
}

void build_shadow(struct build *b)
{
	(void)buf_append_c(&b->shown, "{\"method\":\"");
	(void)buf_append_c(&b->shown, call_method_name(b->s->op.method));
	(void)buf_append_c(&b->shown, "\",\"url\":");
	if (b->shown_url.ptr)
		(void)json_write_string(&b->shown, b->shown_url);
	else
		show_text(b, buf_str(&b->url));
	show_headers(b);
	show_body(b);
}
