/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets by name, from the environment and from a file that only its owner may read. What is handed out is masked ever
 * after. */
#include "base/alloc.h"
#include "base/auto.h"
#include "call/call_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SECRETS_FILE_MAX (1u << 20) /* bytes of the file */
#define SECRETS_MAX 1000	    /* names known at a time */
#define SECRET_NAME_MAX 128
#define ENV_PREFIX "WEIR_SECRET_"

struct secret {
	char *name, *value;
	size_t name_len, len;
	bool is_handed_out; /* the environment was asked, the masks are made */
};

struct secrets {
	struct secret *items;
	size_t n, cap;
	struct mask *mask;
	bool are_stand_ins;
};

static void wipe(char *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
	free(p);
}

static struct secret *find(struct secrets *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(str_from(s->items[i].name, s->items[i].name_len), name))
			return &s->items[i];
	return NULL;
}

/* Later lines of the file win over earlier ones. NULL when out of memory or over the limit. */
static struct secret *put(struct secrets *s, struct str name, struct str value)
{
	char *copy = str_dup_c(value);
	struct secret *x = find(s, name);
	if (copy && x) {
		wipe(x->value, x->len);
		x->value = copy;
		x->len = value.len;
		return x;
	}
	if (copy && s->n == s->cap && s->n < SECRETS_MAX) {
		size_t cap = s->cap ? s->cap * 2 : 8;
		struct secret *grown = alloc_realloc(s->items, cap * sizeof(*grown));
		if (grown) {
			s->items = grown;
			s->cap = cap;
		}
	}
	char *name_copy = copy && s->n < s->cap ? str_dup_c(name) : NULL;
	if (!name_copy) {
		wipe(copy, value.len);
		return NULL;
	}
	x = &s->items[s->n++];
	*x = (struct secret){ .name = name_copy, .name_len = name.len, .value = copy, .len = value.len };
	return x;
}

static bool name_is_good(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
		if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
			return false;
	}
	return name.len > 0 && name.len <= SECRET_NAME_MAX;
}

/* NAME=value; "#" begins a comment line. The value is all that follows, quotes included; a CR at the end is the
 * editor's. */
static int parse_line(struct secrets *s, struct str line, unsigned number, const char *file, struct err *e)
{
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	struct str rest = str_trim(line);
	if (rest.len == 0 || rest.ptr[0] == '#')
		return 0;
	struct str value = line, name = str_trim(str_split(&value, '='));
	if (!value.ptr || !name_is_good(name))
		return err_set(e, ERR_INVALID, "secrets file '%s', line %u: write NAME=value", file, number);
	if (value.len && !put(s, name, value))
		return err_set(e, ERR_NO_MEMORY, "secrets file '%s': out of memory, or more than %d names", file,
			       SECRETS_MAX);
	return 0;
}

static int parse_file(struct secrets *s, struct str text, const char *file, struct err *e)
{
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_from(text.ptr + 3, text.len - 3);
	for (unsigned number = 1; text.ptr; number++) {
		int r = parse_line(s, str_split(&text, '\n'), number, file, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_all(int fd, char *bytes, size_t room, size_t *ret_len)
{
	size_t n = 0;
	while (n < room) {
		ssize_t got = read(fd, bytes + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_len = n;
	return 0;
}

static int load_file(struct secrets *s, const char *file, struct err *e)
{
	auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "secrets file '%s'", file);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "secrets file '%s' is not an ordinary file", file);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, ERR_DENIED, "secrets file '%s' is open to others (mode %04o); run: chmod 600 '%s'",
			       file, (unsigned)(st.st_mode & 07777), file);
	size_t n = 0;
	char *bytes = alloc_malloc(SECRETS_FILE_MAX + 1);
	if (!bytes)
		return err_set(e, ERR_NO_MEMORY, "secrets file '%s': out of memory", file);
	int r = read_all(fd, bytes, SECRETS_FILE_MAX + 1, &n);
	if (r < 0)
		r = err_set(e, ERR_IO, "secrets file '%s' cannot be read: %s", file, strerror(-r));
	else if (n > SECRETS_FILE_MAX)
		r = err_set(e, ERR_LIMIT, "secrets file '%s' is longer than %u bytes", file, SECRETS_FILE_MAX);
	else
		r = parse_file(s, str_from(bytes, n), file, e);
	wipe(bytes, n);
	return r;
}

struct secrets *secrets_new(const char *file, struct err *e)
{
	struct secrets *s = alloc_calloc(1, sizeof(*s));
	if (s)
		s->mask = mask_new();
	if (!s || !s->mask) {
		(void)err_set(e, ERR_NO_MEMORY, "secrets: out of memory");
		secrets_free(s);
		return NULL;
	}
	if (file && load_file(s, file, e) < 0) {
		secrets_free(s);
		return NULL;
	}
	return s;
}

void secrets_free(struct secrets *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		wipe(s->items[i].value, s->items[i].len);
		free(s->items[i].name);
	}
	free(s->items);
	mask_free(s->mask);
	free(s);
}

/* The environment wins over the file. An empty variable is as good as none. */
static struct secret *from_environment(struct secrets *s, struct str name)
{
	char variable[sizeof(ENV_PREFIX) + SECRET_NAME_MAX];
	memcpy(variable, ENV_PREFIX, sizeof(ENV_PREFIX) - 1);
	memcpy(variable + sizeof(ENV_PREFIX) - 1, name.ptr, name.len);
	variable[sizeof(ENV_PREFIX) - 1 + name.len] = '\0';
	const char *value = getenv(variable);
	return value && *value ? put(s, name, str_c(value)) : NULL;
}

struct secrets *secrets_new_stand_ins(void)
{
	struct secrets *s = secrets_new(NULL, NULL);
	if (s)
		s->are_stand_ins = true;
	return s;
}

static struct secret *stand_in(struct secrets *s, struct str name)
{
	char value[SECRET_NAME_MAX + 16];
	int n = snprintf(value, sizeof(value), "stand-in:%.*s", STR_ARG(name));
	struct secret *known = find(s, name);
	return known ? known : put(s, name, str_from(value, (size_t)n));
}

bool secrets_get(struct secrets *s, struct str name, struct str *ret_value)
{
	struct secret *x = s ? find(s, name) : NULL;
	if (!s || !name_is_good(name))
		return false;
	if (!x || !x->is_handed_out) {
		struct secret *from_env = s->are_stand_ins ? stand_in(s, name) : from_environment(s, name);
		x = from_env ? from_env : find(s, name);
		/* A value that we could not mask is not given away. */
		if (!x || mask_add(s->mask, str_from(x->value, x->len)) < 0)
			return false;
		x->is_handed_out = true;
	}
	*ret_value = str_from(x->value, x->len);
	return true;
}

int secrets_note(struct secrets *s, struct str text)
{
	return s ? mask_add_exact(s->mask, text) : 0;
}

bool secrets_occur(const struct secrets *s, struct str text)
{
	size_t len;
	return s && !mask_is_empty(s->mask) && mask_find(s->mask, text, 0, &len) >= 0;
}

int secrets_mask(const struct secrets *s, struct buf *b, struct str text)
{
	size_t done = 0, len = 0;
	while (s && !mask_is_empty(s->mask)) {
		ptrdiff_t at = mask_find(s->mask, text, done, &len);
		if (at < 0)
			break;
		(void)buf_append(b, text.ptr + done, (size_t)at - done);
		(void)buf_append_c(b, SECRET_MASK);
		done = (size_t)at + len;
	}
	if (text.len > done)
		(void)buf_append(b, text.ptr + done, text.len - done);
	return buf_ok(b) ? 0 : -b->failed;
}

int text_get(const struct call_text *t, struct secrets *s, struct str *ret, struct err *e)
{
	if (!t->secret.ptr) {
		*ret = t->literal;
		return 0;
	}
	if (!secrets_get(s, t->secret, ret))
		return err_set(
		    e, ERR_MISSING,
		    "secret \"%.*s\" is not set: export WEIR_SECRET_%.*s, or add %.*s=... to the secrets file",
		    STR_ARG(t->secret), STR_ARG(t->secret), STR_ARG(t->secret));
	return 0;
}

bool header_is_secret(struct str name)
{
	static const char *const names[] = { "authorization", "proxy-authorization", "cookie", "set-cookie",
					     "set-cookie2" };
	static const char *const ends[] = { "-key", "-token", "-secret", "-signature", "-password" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq_nocase(name, str_c(names[i])))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct str end = str_c(ends[i]);
		if (name.len >= end.len && str_eq_nocase(str_from(name.ptr + name.len - end.len, end.len), end) &&
		    !str_eq_nocase(name, STR("Idempotency-Key")))
			return true;
	}
	return false;
}
