/* SPDX-License-Identifier: Apache-2.0 */
#include "app/waterfall.h"

#include <string.h>
#include <sys/ioctl.h>

#define GAP '.'
#define WAIT_TOLD_US 1000 /* a shorter wait is none */

static const struct {
	char letter;
	const char *sgr; /* dark letters on the phase's colour */
} looks[CALL_PHASE_COUNT] = {
	[CALL_PHASE_QUEUE] = { 'q', "30;47" }, [CALL_PHASE_LIMITER] = { 'l', "30;43" },
	[CALL_PHASE_DNS] = { 'd', "30;46" },   [CALL_PHASE_CONNECT] = { 'c', "30;44" },
	[CALL_PHASE_TLS] = { 't', "30;45" },   [CALL_PHASE_SEND] = { 's', "30;42" },
	[CALL_PHASE_WAIT] = { 'w', "30;106" }, [CALL_PHASE_BODY] = { 'b', "30;102" },
};

struct waterfall waterfall_of(const struct app_flags *f, FILE *to, const char *margin)
{
	struct waterfall w = { .to = to, .margin = margin, .width = WATERFALL_WIDTH };
	struct winsize size;
	w.color = app_color(f, fileno(to));
	if (isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col)
		w.width = size.ws_col;
	w.width = w.width < WATERFALL_WIDTH_MIN ? WATERFALL_WIDTH_MIN : w.width;
	w.width = w.width > WATERFALL_WIDTH_MAX ? WATERFALL_WIDTH_MAX : w.width;
	return w;
}

/* ---- the bar ---- */

/*
 * An attempt as it is drawn. A rest of a minute between attempts of some milliseconds would leave nothing of these:
 * what is longer than the longest attempt is drawn as long as that, with a mark. The figures beside it are true.
 */
struct drawn {
	uint64_t gap;
	uint64_t us[CALL_PHASE_COUNT];
	uint64_t total; /* of the phases */
	bool gap_is_cut, limiter_is_cut;
};

static uint64_t longest_attempt(const struct call_attempt *attempts, size_t n)
{
	uint64_t longest = 0;
	for (size_t i = 0; i < n; i++) {
		const struct call_phases *p = &attempts[i].phases;
		uint64_t us = p->total_us - p->us[CALL_PHASE_LIMITER];
		longest = us > longest ? us : longest;
	}
	return longest;
}

static struct drawn draw(const struct call_attempt *x, uint64_t most)
{
	struct drawn d = { .gap = x->again.why == CALL_WHY_FIRST ? 0 : x->again.wait_us };
	memcpy(d.us, x->phases.us, sizeof(d.us));
	d.gap_is_cut = most && d.gap > most;
	d.limiter_is_cut = most && d.us[CALL_PHASE_LIMITER] > most;
	if (d.gap_is_cut)
		d.gap = most;
	if (d.limiter_is_cut)
		d.us[CALL_PHASE_LIMITER] = most;
	for (size_t i = 0; i < CALL_PHASE_COUNT; i++)
		d.total += d.us[i];
	return d;
}

static uint64_t overlap(uint64_t a, uint64_t b, uint64_t from, uint64_t to)
{
	uint64_t lo = a > from ? a : from, hi = b < to ? b : to;
	return hi > lo ? hi - lo : 0;
}

enum { CELL_EMPTY = -2, CELL_GAP = -1 }; /* else a phase */

/* What most of the cell from..to is, counted from the beginning of the gap. */
static int cell_of(const struct drawn *d, uint64_t from, uint64_t to)
{
	int best = CELL_EMPTY;
	uint64_t at = d->gap, most = 0;
	for (int i = 0; i < CALL_PHASE_COUNT; i++) {
		uint64_t share = overlap(at, at + d->us[i], from, to);
		at += d->us[i];
		if (share > most) {
			most = share;
			best = i;
		}
	}
	return best == CELL_EMPTY && overlap(0, d->gap, from, to) ? CELL_GAP : best;
}

static void cells_cut(char *cells, size_t n, char of)
{
	const char *first = memchr(cells, of, n), *last = memrchr(cells, of, n);
	if (first && last - first >= 3)
		memcpy(cells + (first - cells) + (last - first) / 2, "//", 2);
}

/* `start`: what is drawn before the gap, of `total`. */
static void bar_print(const struct waterfall *w, const struct drawn *d, uint64_t start, uint64_t total)
{
	char letters[WATERFALL_WIDTH_MAX];
	int kinds[WATERFALL_WIDTH_MAX], before = CELL_EMPTY;
	size_t n = (size_t)w->width - strlen(w->margin) - 4;
	for (size_t i = 0; i < n; i++) {
		uint64_t from = total * i / n, to = total * (i + 1) / n;
		kinds[i] = to > start ? cell_of(d, from > start ? from - start : 0, to - start) : CELL_EMPTY;
		letters[i] = kinds[i] >= 0 ? looks[kinds[i]].letter : kinds[i] == CELL_GAP ? GAP : ' ';
	}
	if (d->gap_is_cut)
		cells_cut(letters, n, GAP);
	if (d->limiter_is_cut)
		cells_cut(letters, n, looks[CALL_PHASE_LIMITER].letter);
	fprintf(w->to, "%s  |", w->margin);
	for (size_t i = 0; i < n; i++) {
		if (w->color && kinds[i] != before)
			fprintf(w->to, "\033[0;%sm", kinds[i] >= 0 ? looks[kinds[i]].sgr : "2");
		fputc(letters[i], w->to);
		before = kinds[i];
	}
	fprintf(w->to, "%s|\n", w->color ? "\033[0m" : "");
}

/* ---- the words ---- */

#define LINE_BYTES 1024 /* of a line before it is cut to the width */

/* Margin and text, cut to the width between two characters: reasons hold addresses, which may be long. */
static void line_print(const struct waterfall *w, const struct buf *b)
{
	size_t room = (size_t)w->width - strlen(w->margin), n = b->len < room ? b->len : room;
	while (n < b->len && n > 0 && ((unsigned char)b->ptr[n] & 0xC0) == 0x80)
		n--;
	fprintf(w->to, "%s%.*s\n", w->margin, (int)n, b->ptr ? b->ptr : "");
}

/* 0.04, 1.2, 41, 1000: as many digits as can matter. */
static void add_ms(struct buf *b, uint64_t us)
{
	(void)buf_printf(b, us < 995 ? "%.2f" : us < 99950 ? "%.1f" : "%.0f", (double)us / 1000);
}

static void phases_print(const struct waterfall *w, const struct call_phases *p)
{
	auto_buf struct buf b = { .max = LINE_BYTES };
	for (int i = 0; i < CALL_PHASE_COUNT; i++) {
		if (!p->us[i])
			continue;
		(void)buf_printf(&b, "  %c %s ", looks[i].letter, call_phase_name((enum call_phase)i));
		add_ms(&b, p->us[i]);
	}
	(void)buf_append_c(&b, " ms");
	line_print(w, &b);
}

static void why_print(const struct waterfall *w, const struct call_attempt *x)
{
	auto_buf struct buf b = { .max = LINE_BYTES };
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct str why = call_attempt_why(x, &a), rest = call_attempt_rest(x, &a);
	if (why.len) {
		(void)buf_printf(&b, "  because: %.*s", STR_ARG(why));
		if (x->again.wait_us >= WAIT_TOLD_US) {
			(void)buf_append_c(&b, ", after ");
			add_ms(&b, x->again.wait_us);
			(void)buf_append_c(&b, " ms");
		}
		line_print(w, &b);
	}
	if (rest.len) {
		buf_clear(&b);
		(void)buf_printf(&b, "  held back: %.*s", STR_ARG(rest));
		line_print(w, &b);
	}
}

static void verdict_print(const struct waterfall *w, const struct call_attempt *x)
{
	auto_buf struct buf b = { .max = LINE_BYTES };
	if (!x->verdict.len)
		return;
	(void)buf_printf(&b, "  judged: %.*s", STR_ARG(x->verdict));
	if (x->rule.len)
		(void)buf_printf(&b, " (%.*s)", STR_ARG(x->rule));
	line_print(w, &b);
}

static void head_print(const struct waterfall *w, const struct call_attempt *x)
{
	static const char *const connections[] = { "", ", new connection", ", open connection" };
	auto_buf struct buf b = { .max = LINE_BYTES };
	(void)buf_printf(&b, "attempt %u: ", x->number);
	if (x->error.len)
		(void)buf_append_str(&b, x->error);
	else if (x->has_outcome)
		(void)buf_printf(&b, "%d%s%s", x->status, *call_status_phrase(x->status) ? " " : "",
				 call_status_phrase(x->status));
	else
		(void)buf_append_c(&b, "no outcome is known");
	if (x->has_outcome) {
		(void)buf_append_c(&b, ", ");
		add_ms(&b, x->phases.total_us);
		(void)buf_printf(&b, " ms%s", connections[x->phases.connection]);
	}
	line_print(w, &b);
}

void waterfall_print(const struct waterfall *w, const struct call_attempt *attempts, size_t n)
{
	uint64_t total = 0, start = 0, most = longest_attempt(attempts, n);
	for (size_t i = 0; i < n; i++) {
		struct drawn d = draw(&attempts[i], most);
		total += d.gap + d.total;
	}
	for (size_t i = 0; i < n; i++) {
		struct drawn d = draw(&attempts[i], most);
		head_print(w, &attempts[i]);
		why_print(w, &attempts[i]);
		if (attempts[i].has_outcome) {
			bar_print(w, &d, start, total);
			phases_print(w, &attempts[i].phases);
		}
		verdict_print(w, &attempts[i]);
		start += d.gap + d.total;
	}
}
