/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers are made of: decoded parameters, the error shape, numbers with a fixed count of decimals. */
#include "sample/sample_int.h"
#include "base/json.h"
#include "http/url.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static bool decode(struct arena *a, struct str raw, struct str *ret)
{
	struct buf b;
	bool is_plain = !memchr(raw.ptr ? raw.ptr : "", '%', raw.len) && !memchr(raw.ptr ? raw.ptr : "", '+', raw.len);
	if (is_plain) {
		*ret = raw;
		return true;
	}
	buf_init(&b, raw.len + 1);
	bool ok = url_decode(&b, raw, true);
	if (ok)
		*ret = arena_str(a, buf_str(&b));
	ok = ok && buf_ok(&b) && (ret->ptr || ret->len == 0);
	buf_done(&b);
	return ok;
}

bool params_parse(struct arena *a, struct str query, struct params *ret)
{
	ret->n = 0;
	while (query.ptr && query.len) {
		struct str pair = str_split(&query, '&');
		if (pair.len == 0)
			continue;
		if (ret->n == SAMPLE_PARAMS_MAX)
			return false;
		struct str name = str_split(&pair, '=');
		if (!pair.ptr)
			pair = STR("");
		if (!decode(a, name, &ret->items[ret->n].name) || !decode(a, pair, &ret->items[ret->n].value))
			return false;
		ret->n++;
	}
	return true;
}

struct str params_get(const struct params *p, const char *name)
{
	struct str wanted = str_c(name);
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->items[i].name, wanted))
			return p->items[i].value;
	return STR_NULL;
}

int answer_error(struct buf *b, const char *fmt, ...)
{
	char reason[300];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(reason))
		n = (int)strlen(reason);
	buf_clear(b);
	buf_append_c(b, "{\"error\":true,\"reason\":");
	/* A cut inside a UTF-8 sequence would make the answer no JSON. */
	size_t bad = 0;
	struct str text = str_from(reason, (size_t)n);
	if (!str_is_utf8(text, &bad))
		text.len = bad;
	json_write_string(b, text);
	buf_append_char(b, '}');
	return 400;
}

void put_fixed(struct buf *b, double v, unsigned decimals)
{
	static const double scale[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
	char text[40];
	char *end = text + sizeof(text), *p = end;
	if (isnan(v)) {
		buf_append(b, "null", 4);
		return;
	}
	int64_t n = llround(v * scale[decimals]);
	bool is_negative = n < 0;
	uint64_t rest = is_negative ? (uint64_t)-n : (uint64_t)n;
	for (unsigned i = 0; i < decimals; i++, rest /= 10)
		*--p = (char)('0' + rest % 10);
	if (decimals)
		*--p = '.';
	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (is_negative)
		*--p = '-';
	buf_append(b, p, (size_t)(end - p));
}
