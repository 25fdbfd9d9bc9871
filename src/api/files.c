/* SPDX-License-Identifier: Apache-2.0 */
/* Files in and out: what a form or a script uploads, what an item holds. They are sent as something to save, never to
 * show. */
#include "api/api_int.h"

#include "call/call.h"
#include "http/url.h"
#include "store/files.h"

#include <unistd.h>

struct upload {
	char id[FILE_ID_BYTES];
	struct str name, media_type;
	uint64_t bytes;
};

static void on_kept(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct upload *u = rq->state;
	struct arena *a = &rq->arena;
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		struct value v = value_object();
		view_set_str(a, &v, "file", str_c(u->id));
		view_set_str(a, &v, "name", u->name);
		view_set_str(a, &v, "media_type", u->media_type);
		view_set_int(a, &v, "bytes", (int64_t)u->bytes);
		reply_json(rq, 201, &v, arena_printf(a, "/api/v1/files/%s", u->id));
	}
	request_release(rq);
}

/* Name and type are what the client says, if that is a name and a type. */
static void upload_describe(struct request *rq, struct upload *u)
{
	struct str name = request_query(rq, "name"), type = header_media_type(exchange_header(rq->x, "Content-Type"));
	name = name.len ? call_file_name_clean(&rq->arena, name)
			: call_file_name(&rq->arena, exchange_header(rq->x, "Content-Disposition"));
	u->name = name.len ? name : STR("file");
	u->media_type = call_media_type_is_clean(type) ? arena_str(&rq->arena, type) : STR("application/octet-stream");
}

void post_file(struct request *rq)
{
	struct upload *u = ARENA_NEW(&rq->arena, struct upload);
	struct file_writer *w = NULL;
	struct err e = ERR_INIT;
	int code = u ? 0 : err_set(&e, ERR_NO_MEMORY, "out of memory");
	if (code == 0) {
		rq->state = u;
		upload_describe(rq, u);
		w = file_writer_new(store_files(rq->api->config.store), 0, &e);
		code = w ? file_writer_append(w, exchange_body(rq->x), &e) : e.code;
	}
	if (code < 0) {
		file_writer_drop(w);
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		return;
	}
	u->bytes = file_writer_bytes(w);
	request_hold(rq);
	if (file_writer_keep(w, u->id, on_kept, rq, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		request_release(rq);
	}
}

/* ---- out ---- */

/* What a browser may be told that a file is: none of these runs anything. */
static struct str type_to_send(struct str wanted)
{
	static const char *const safe[] = { "image/png",       "image/jpeg", "image/gif", "image/webp", "text/plain",
					    "application/pdf", "audio/mpeg", "audio/ogg", "video/mp4",	"video/webm",
					    "text/csv",	       "font/woff2", "image/avif" };
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (str_eq_nocase(wanted, str_c(safe[i])))
			return str_c(safe[i]);
	return STR("application/octet-stream");
}

/* attachment, with the name as RFC 8187 has it: percent-encoded, so nothing of it is syntax. */
static struct str disposition_of(struct request *rq, struct str id)
{
	auto_buf struct buf b = { .max = URL_MAX_BYTES };
	struct str name = call_file_name_clean(&rq->arena, request_query(rq, "name"));
	(void)buf_append_c(&b, "attachment; filename*=UTF-8''");
	url_encode(&b, name.len ? name : id, URL_SET_PATH_SEGMENT);
	return buf_ok(&b) ? arena_str(&rq->arena, buf_str(&b)) : STR("attachment");
}

void get_file(struct request *rq)
{
	struct arena *a = &rq->arena;
	struct headers h = { 0 };
	struct err e = ERR_INIT;
	int fd = -1;
	uint64_t size = 0;
	int code = files_open(store_files(rq->api->config.store), rq->params[0], &fd, &size, &e);
	if (code < 0) {
		bool is_absent = code == -ERR_NOT_FOUND || code == -ERR_INVALID;
		reply_problem(rq, is_absent ? 404 : 503, is_absent ? "not_found" : "store", NULL, "%s", e.msg);
		return;
	}
	(void)headers_add(a, &h, STR("Content-Type"), type_to_send(request_query(rq, "media_type")), NULL);
	(void)headers_add(a, &h, STR("Content-Disposition"), disposition_of(rq, rq->params[0]), NULL);
	(void)headers_add(a, &h, STR("Content-Security-Policy"), STR("default-src 'none'; sandbox"), NULL);
	(void)headers_add(a, &h, STR("X-Content-Type-Options"), STR("nosniff"), NULL);
	(void)headers_add(a, &h, STR("Cache-Control"), STR("no-store"), NULL);
	request_reply_file(rq, 200, &h, fd, size);
}
