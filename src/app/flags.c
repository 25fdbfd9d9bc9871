/* SPDX-License-Identifier: Apache-2.0 */
/* Flags: `--name value`, `--name=value`, `-n value`; words that are no flags keep their order. */
#include "app/app.h"

#include "base/alloc.h"
#include "base/opt.h"

#include <stdarg.h>
#include <string.h>

#define FLAGS_MAX 32

void app_say(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("weir: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
}

int app_usage(const struct command *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("weir: ", stderr);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nusage: weir %s\n", c->usage);
	return EXIT_USAGE;
}

int app_refusal(int code)
{
	return alloc_failures() ? EXIT_RUN_FAILED : code;
}

const struct command *app_command(const char *name)
{
	const struct command *c = commands;
	while (c->name && strcmp(c->name, name) != 0)
		c++;
	return c;
}

bool app_color(const struct app_flags *f, int fd)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("FORCE_COLOR");
	if (f->no_color || (no && *no))
		return false;
	return (force && *force) || isatty(fd);
}

static const struct flag *flag_find(const struct flag *flags, size_t n, const char *arg, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (len > 2 && strlen(flags[i].name) == len - 2 && memcmp(flags[i].name, arg + 2, len - 2) == 0)
			return &flags[i];
		if (len == 2 && flags[i].letter == arg[1])
			return &flags[i];
	}
	return NULL;
}

static bool flag_unknown(const struct command *c, const struct flag *flags, size_t n, const char *arg, size_t len)
{
	const char *names[FLAGS_MAX];
	for (size_t i = 0; i < n; i++)
		names[i] = flags[i].name;
	const char *near = len > 2 ? opt_nearest(str_from(arg + 2, len - 2), names, n) : NULL;
	if (near)
		(void)app_usage(c, "there is no flag %.*s; did you mean --%s?", (int)len, arg, near);
	else
		(void)app_usage(c, "there is no flag %.*s", (int)len, arg);
	return false;
}

/* One flag at argv[i]; *ret_used = words taken. */
static bool flag_take(const struct command *c, const struct flag *flags, size_t n, int argc, char **argv, int i, int *ret_used)
{
	const char *arg = argv[i];
	const char *eq = arg[1] == '-' ? strchr(arg, '=') : NULL;
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
	const struct flag *f = flag_find(flags, n, arg, len);
	*ret_used = 1;
	if (!f)
		return flag_unknown(c, flags, n, arg, len);
	if (f->present) {
		if (eq)
			return app_usage(c, "--%s takes no value", f->name), false;
		*f->present = true;
		return true;
	}
	const char *value = eq ? eq + 1 : i + 1 < argc ? argv[i + 1] : NULL;
	if (!value)
		return app_usage(c, "--%s needs a value", f->name), false;
	*ret_used = eq ? 1 : 2;
	if (f->value)
		*f->value = value;
	return !f->each || f->each(f->arg, value) == 0;
}

bool app_flags_parse(const struct command *c, int argc, char **argv, struct app_flags *f, const struct flag *own, int *ret_first)
{
	struct flag flags[FLAGS_MAX] = {
		{ .name = "data", .value = &f->data_dir },	   { .name = "env", .letter = 'e', .value = &f->env },
		{ .name = "store", .value = &f->store },
		{ .name = "secrets", .value = &f->secrets_file },  { .name = "quiet", .letter = 'q', .present = &f->quiet },
		{ .name = "verbose", .letter = 'v', .present = &f->verbose }, { .name = "no-color", .present = &f->no_color },
	};
	size_t n = 7;
	int words = 0, i = 1;
	for (; own && own->name && n < FLAGS_MAX; own++)
		flags[n++] = *own;
	auto_free char **rest = alloc_calloc((size_t)argc + 1, sizeof(*rest));
	if (!rest) {
		app_say("out of memory");
		return false;
	}
	while (i < argc) {
		int used = 1;
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				rest[words++] = argv[i];
			break;
		}
		if (argv[i][0] == '-' && argv[i][1]) {
			if (!flag_take(c, flags, n, argc, argv, i, &used))
				return false;
		} else {
			rest[words++] = argv[i];
		}
		i += used;
	}
	*ret_first = argc - words;
	memcpy(argv + argc - words, rest, sizeof(*rest) * (size_t)words);
	return true;
}
