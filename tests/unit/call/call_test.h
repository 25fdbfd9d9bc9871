/* SPDX-License-Identifier: Apache-2.0 */
/* What the call layer's tests share: values from JSON text with single quotes, specs, builds and complaints. */
#pragma once
#include "test.h"

#include "base/json.h"
#include "call/call.h"

#include <sys/mman.h>
#include <unistd.h>

static struct arena arena;

/* JSON with ' for " so that it can be read in C. */
static inline struct value json(const char *text)
{
	char *copy = arena_c(&arena, str_c(text));
	struct value v;
	struct err e = ERR_INIT;
	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (json_parse(&arena, str_c(copy), NULL, &v, NULL, &e) < 0)
		fail_msg("%s in: %s", e.msg, text);
	return v;
}

static inline struct value *json_new(const char *text)
{
	struct value *v = arena_alloc(&arena, sizeof(*v));
	assert_non_null(v);
	*v = json(text);
	return v;
}

static inline struct str text_of_value(const struct value *v)
{
	struct buf b;
	buf_init(&b, 64u << 20);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	struct str copy = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return copy;
}

/* Complaints gathered as "field: sentence\n". */
struct heard {
	char text[8192];
};

static inline void hear(void *arg, const struct value *at, const char *field, const char *sentence)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);
	(void)snprintf(h->text + n, sizeof(h->text) - n, "%s: %s\n", field ? field : "-", sentence);
}

#define assert_heard(h, part)                                                                                          \
	do {                                                                                                           \
		if (!strstr((h).text, (part)))                                                                         \
			fail_msg("heard \"%s\", expected \"%s\" in it", (h).text, (part));                             \
	} while (0)
#define assert_contains(s, part)                                                                                       \
	do {                                                                                                           \
		struct str whole_ = (s);                                                                               \
		if (str_find(whole_, str_c(part)) < 0)                                                                 \
			fail_msg("got \"%.*s\", expected \"%s\" in it", STR_ARG(whole_), (part));                      \
	} while (0)
#define assert_lacks(s, part)                                                                                          \
	do {                                                                                                           \
		struct str whole_ = (s);                                                                               \
		if (str_find(whole_, str_c(part)) >= 0)                                                                \
			fail_msg("got \"%.*s\", which holds \"%s\"", STR_ARG(whole_), (part));                         \
	} while (0)

/* A spec of connector "c" of `system`, or the test fails with what was complained about. */
static inline struct call_spec *spec_of(const char *system, const char *method, const char *path)
{
	struct heard h = { "" };
	enum call_method m;
	assert_true(call_method_parse(str_c(method), &m));
	struct call_spec *s =
	    call_spec_new(&arena, json_new(system), STR("crm"), STR("c"), str_c(path), m, STR_NULL, hear, &h);
	if (!s)
		fail_msg("%s", h.text);
	return s;
}

/* ---- a folder of files: names are ids here, contents a table that the test gives ---- */

struct test_file {
	const char *id;
	struct str bytes;
	uint64_t claimed; /* size told when it is not 0 */
};

struct test_folder {
	struct call_files face;
	const struct test_file *files;
	size_t n, n_open, opened;
};

static inline const struct test_file *test_file_find(struct call_files *files, struct str id, struct err *e)
{
	struct test_folder *f = CONTAINER_OF(files, struct test_folder, face);
	for (size_t i = 0; i < f->n; i++)
		if (str_eq_c(id, f->files[i].id))
			return &f->files[i];
	(void)err_set(e, ERR_NOT_FOUND, "there is no such file");
	return NULL;
}

static inline int test_file_size(struct call_files *files, struct str id, uint64_t *ret, struct err *e)
{
	const struct test_file *file = test_file_find(files, id, e);
	if (file)
		*ret = file->claimed ? file->claimed : file->bytes.len;
	return file ? 0 : -ERR_NOT_FOUND;
}

static inline int test_file_open(struct call_files *files, struct str id, int *ret_fd, uint64_t *ret_size,
				 struct err *e)
{
	struct test_folder *f = CONTAINER_OF(files, struct test_folder, face);
	const struct test_file *file = test_file_find(files, id, e);
	if (!file)
		return -ERR_NOT_FOUND;
	*ret_fd = memfd_create("file", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(pwrite(*ret_fd, file->bytes.ptr, file->bytes.len, 0), file->bytes.len);
	*ret_size = file->bytes.len;
	f->n_open++;
	f->opened++;
	return 0;
}

static inline void test_file_close(struct call_files *files, int fd)
{
	assert_int_equal(close(fd), 0);
	CONTAINER_OF(files, struct test_folder, face)->n_open--;
}

static inline struct test_folder test_folder_of(const struct test_file *files, size_t n)
{
	return (struct test_folder){ { test_file_size, test_file_open, test_file_close }, files, n, 0, 0 };
}

/* The body as it would go out. */
static inline struct str whole_body(const struct call_request *r, struct call_files *files)
{
	struct call_body body = { 0 };
	struct err e = ERR_INIT;
	struct buf b;
	if (!r->n_pieces)
		return r->body;
	if (call_body_open(&body, r, files, &arena, &e) < 0)
		fail_msg("%s", e.msg);
	buf_init(&b, 1u << 24);
	for (size_t i = 0; i < body.n; i++) {
		const struct http_piece *p = &body.pieces[i];
		char *copy = arena_alloc(&arena, p->len + 1);
		if (!p->bytes.ptr)
			assert_int_equal(pread(p->fd, copy, p->len, (off_t)p->offset), p->len);
		(void)buf_append_str(&b, p->bytes.ptr ? p->bytes : str_from(copy, p->len));
	}
	call_body_close(&body);
	struct str text = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	assert_int_equal(text.len, call_request_bytes(r));
	return text;
}

static inline int test_begin(void **state)
{
	arena_init(&arena, 0);
	return 0;
}

static inline int test_end(void **state)
{
	arena_done(&arena);
	return 0;
}
#define CALL_CLAIM(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)
