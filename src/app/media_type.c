/* SPDX-License-Identifier: Apache-2.0 */
/* Media types by the ending of a file's name: the usual ones, then what the machine knows. */
#include "app/app.h"

#include <string.h>

#define MIME_TYPES "/etc/mime.types"
#define MIME_TYPES_MAX (1u << 20)

static const struct {
	const char *ending, *type;
} usual[] = {
	{ "csv", "text/csv" },	      { "gif", "image/gif" },
	{ "gz", "application/gzip" }, { "htm", "text/html" },
	{ "html", "text/html" },      { "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },      { "json", "application/json" },
	{ "md", "text/markdown" },    { "mp3", "audio/mpeg" },
	{ "mp4", "video/mp4" },	      { "ndjson", "application/x-ndjson" },
	{ "pdf", "application/pdf" }, { "png", "image/png" },
	{ "svg", "image/svg+xml" },   { "txt", "text/plain" },
	{ "webp", "image/webp" },     { "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "xml", "application/xml" }, { "yaml", "application/yaml" },
	{ "zip", "application/zip" },
};

/* Lines of "type ending ending", # for comments. */
static struct str find_in_table(struct str text, struct str ending)
{
	while (text.ptr) {
		struct str line = str_split(&text, '\n');
		struct str rest = str_split(&line, '#'), type = STR_NULL;
		size_t i = 0;
		while (i < rest.len) {
			size_t from = i;
			while (i < rest.len && rest.ptr[i] != ' ' && rest.ptr[i] != '\t')
				i++;
			struct str word = str_from(rest.ptr + from, i - from);
			if (word.len && !type.ptr)
				type = word;
			else if (word.len && str_eq_nocase(word, ending))
				return type;
			i++;
		}
	}
	return STR_NULL;
}

struct str app_media_type(struct arena *a, const char *name)
{
	const char *dot = strrchr(name, '.');
	struct str ending = str_c(dot ? dot + 1 : ""), found = STR_NULL;
	struct buf table = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (str_eq_nocase(ending, str_c(usual[i].ending)))
			return str_c(usual[i].type);
	if (ending.len && app_read_file(MIME_TYPES, MIME_TYPES_MAX, &table, NULL) == 0)
		found = arena_str(a, find_in_table(buf_str(&table), ending));
	buf_done(&table);
	return found.len ? found : STR("application/octet-stream");
}
