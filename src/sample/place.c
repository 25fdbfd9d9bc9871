/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Geocoding: which place is meant by a name. Rules as Open-Meteo states them: one character finds nothing, two must be
 * the whole name, three or more begin it; case and marks on Latin letters do not count. Beside the table, "City 123456"
 * is a place, too, at a position drawn from its number: a million different cities for tests of a million items.
 */
#include "sample/sample_int.h"
#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>

enum country {
#define COUNTRY(code, name, fr) COUNTRY_##code,
#include "sample/countries.def"
#undef COUNTRY
	COUNTRY_MADE_UP,
	COUNTRY_COUNT,
};

static const struct {
	const char *code, *name, *name_fr;
} countries[COUNTRY_COUNT] = {
#define COUNTRY(code, name, fr) { #code, name, fr },
#include "sample/countries.def"
#undef COUNTRY
	/* ZZ is for users to assign (ISO 3166-1): never a real country. */
	{ "ZZ", "Sample Country", "Pays d'exemple" },
};

enum zone_id {
#define ZONE(id, name, minutes, dst) ZONE_##id,
#include "sample/zones.def"
#undef ZONE
};

static const struct place places[] = {
#define CITY(lat, lon, metres, feature, country, zone, people, name, fr, also, region, region_fr)                      \
	{ lat, lon, metres, #feature, COUNTRY_##country, ZONE_##zone, people, name, fr, also, region, region_fr },
#include "sample/cities.def"
#undef CITY
};

#define PLACE_IDS 1000	       /* the table's ids begin here */
#define MADE_UP_IDS 1000000000 /* City N has the id of this plus N */
#define MADE_UP_MAX 999999999  /* largest N */
#define FOLDED_MAX 128	       /* longest name looked for, folded */
#define NAMES_MAX 6	       /* names of one place */

/* ---- folding: case and marks off Latin letters ---- */

/* U+00C0..U+017F to ASCII, two characters where one is not enough; "*" keeps the letter as it is. */
static const char *const latin[] = {
	"a", "a", "a",	"a", "a", "a", "ae", "c",  "e", "e", "e",  "e",	 "i", "i", "i",	 "i",  "d", "n", "o",  "o",
	"o", "o", "o",	"*", "o", "u", "u",  "u",  "u", "y", "th", "ss", "a", "a", "a",	 "a",  "a", "a", "ae", "c",
	"e", "e", "e",	"e", "i", "i", "i",  "i",  "d", "n", "o",  "o",	 "o", "o", "o",	 "*",  "o", "u", "u",  "u",
	"u", "y", "th", "y", "a", "a", "a",  "a",  "a", "a", "c",  "c",	 "c", "c", "c",	 "c",  "c", "c", "d",  "d",
	"d", "d", "e",	"e", "e", "e", "e",  "e",  "e", "e", "e",  "e",	 "g", "g", "g",	 "g",  "g", "g", "g",  "g",
	"h", "h", "h",	"h", "i", "i", "i",  "i",  "i", "i", "i",  "i",	 "i", "i", "ij", "ij", "j", "j", "k",  "k",
	"k", "l", "l",	"l", "l", "l", "l",  "l",  "l", "l", "l",  "n",	 "n", "n", "n",	 "n",  "n", "n", "n",  "n",
	"o", "o", "o",	"o", "o", "o", "oe", "oe", "r", "r", "r",  "r",	 "r", "r", "s",	 "s",  "s", "s", "s",  "s",
	"s", "s", "t",	"t", "t", "t", "t",  "t",  "u", "u", "u",  "u",	 "u", "u", "u",	 "u",  "u", "u", "u",  "u",
	"w", "w", "y",	"y", "y", "z", "z",  "z",  "z", "z", "z",  "s",
};

static uint32_t decode_at(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	if (n == 2)
		return (uint32_t)(u[0] & 0x1F) << 6 | (u[1] & 0x3F);
	if (n == 3)
		return (uint32_t)(u[0] & 0x0F) << 12 | (uint32_t)(u[1] & 0x3F) << 6 | (u[2] & 0x3F);
	return n == 1 ? u[0] : 0x10000;
}

/* Folds into `out` (FOLDED_MAX bytes); returns the length, or 0 when it does not fit or is not UTF-8. *ret_characters
 * counts letters. */
static size_t fold(struct str s, char *out, size_t *ret_characters)
{
	size_t n = 0, characters = 0;
	for (size_t i = 0, step; i < s.len; i += step) {
		step = utf8_sequence(s.ptr + i, s.ptr + s.len);
		if (step == 0 || n + 4 > FOLDED_MAX)
			return 0;
		uint32_t c = decode_at(s.ptr + i, step);
		if (c >= 0x300 && c < 0x370)
			continue; /* a combining mark: é written as two characters */
		characters++;
		if (c < 0x80) {
			char ch = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
			out[n++] = ch == '-' || ch == '\'' ? ' ' : ch;
		} else if (c >= 0xC0 && c < 0xC0 + ARRAY_LEN(latin) && latin[c - 0xC0][0] != '*') {
			for (const char *p = latin[c - 0xC0]; *p; p++)
				out[n++] = *p;
		} else if (c == 0x2019) {
			out[n++] = ' '; /* the typographic apostrophe */
		} else {
			memcpy(out + n, s.ptr + i, step);
			n += step;
		}
	}
	*ret_characters = characters;
	return n;
}

struct folded {
	struct str names[NAMES_MAX];
	size_t n;
};

static struct folded folded[ARRAY_LEN(places)];
static char folded_bytes[ARRAY_LEN(places) * 96];

static void fold_name(struct folded *f, struct str name, size_t *used)
{
	char out[FOLDED_MAX];
	size_t characters, n = fold(name, out, &characters);
	if (n == 0 || f->n == NAMES_MAX || *used + n > sizeof(folded_bytes))
		return;
	memcpy(folded_bytes + *used, out, n);
	f->names[f->n++] = str_from(folded_bytes + *used, n);
	*used += n;
}

static void fold_all(void)
{
	size_t used = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct str also = str_c(places[i].also);
		fold_name(&folded[i], str_c(places[i].name), &used);
		fold_name(&folded[i], str_c(places[i].name_fr), &used);
		while (also.ptr && also.len)
			fold_name(&folded[i], str_split(&also, '|'), &used);
	}
}

/* ---- positions ---- */

const struct place *place_nearest(double latitude, double longitude, double *ret_degrees)
{
	double squeeze = cos(latitude * (M_PI / 180)), best = INFINITY;
	const struct place *nearest = NULL;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		double y = places[i].latitude - latitude, x = fabs(places[i].longitude - longitude);
		x = (x > 180 ? 360 - x : x) * squeeze;
		double d = x * x + y * y;
		if (d < best) {
			best = d;
			nearest = &places[i];
		}
	}
	*ret_degrees = sqrt(best);
	return nearest;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

struct found {
	int64_t id;
	struct place place;
	char zone[ZONE_NAME_MAX];
	char name[24];
};

static void make_up(uint64_t number, struct found *ret)
{
	uint64_t h = mix(number);
	struct zone_now zone;
	(void)snprintf(ret->name, sizeof(ret->name), "City %u", (unsigned)number);
	ret->id = MADE_UP_IDS + (int64_t)number;
	/* Five decimals, as real answers have; between 60 south and 70 north, where people live. */
	ret->place = (struct place){
		.latitude = (double)(int64_t)(h % 13000000) / 100000 - 60,
		.longitude = (double)(int64_t)(h / 13000000 % 36000000) / 100000 - 180,
		.metres = (int)(mix(h) % 900),
		.feature = "PPL",
		.country = COUNTRY_MADE_UP,
		.people = 1000 + (uint32_t)(mix(h + 1) % 900000),
		.name = ret->name,
		.name_fr = "",
		.region = "Sample Region",
		.region_fr = "Région d'exemple",
	};
	zone_at(ret->place.latitude, ret->place.longitude, 0, &zone);
	(void)snprintf(ret->zone, sizeof(ret->zone), "%s", zone.name);
}

static void found_at(size_t i, struct found *ret)
{
	ret->id = PLACE_IDS + (int64_t)i;
	ret->place = places[i];
	(void)snprintf(ret->zone, sizeof(ret->zone), "%s", zone_name(places[i].zone));
}

/* ---- answers ---- */

static void put_text(struct buf *b, const char *key, const char *text)
{
	if (!*text)
		return; /* empty fields are left out, as the real API does */
	buf_append_c(b, key);
	json_write_string(b, str_c(text));
}

static const char *in_language(const char *text, const char *fr, bool is_french)
{
	return is_french && *fr ? fr : text;
}

static void put_found(struct buf *b, const struct found *f, bool is_french)
{
	const struct place *p = &f->place;
	buf_printf(b, "{\"id\":%lld", (long long)f->id);
	put_text(b, ",\"name\":", in_language(p->name, p->name_fr, is_french));
	buf_append_c(b, ",\"latitude\":");
	put_fixed(b, p->latitude, 5);
	buf_append_c(b, ",\"longitude\":");
	put_fixed(b, p->longitude, 5);
	buf_append_c(b, ",\"elevation\":");
	put_fixed(b, p->metres, 1);
	put_text(b, ",\"feature_code\":", p->feature);
	put_text(b, ",\"country_code\":", countries[p->country].code);
	put_text(b, ",\"timezone\":", f->zone);
	buf_printf(b, ",\"population\":%u,\"country_id\":%u", p->people, 1u + p->country);
	put_text(b, ",\"country\":", in_language(countries[p->country].name, countries[p->country].name_fr, is_french));
	put_text(b, ",\"admin1\":", in_language(p->region, p->region_fr, is_french));
	buf_append_char(b, '}');
}

static bool begins(struct str whole, struct str part)
{
	return whole.len >= part.len && memcmp(whole.ptr, part.ptr, part.len) == 0;
}

/* "Paris, France": is the second part the beginning of the country's or region's name, or the country's code? */
static bool lies_in(const struct place *p, struct str where)
{
	const char *texts[] = { countries[p->country].code, countries[p->country].name, countries[p->country].name_fr,
				p->region, p->region_fr };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char out[FOLDED_MAX];
		size_t characters, n = fold(str_c(texts[i]), out, &characters);
		if (n && begins(str_from(out, n), where) && (where.len > 2 || n == where.len))
			return true;
	}
	return where.len == 0;
}

static bool is_named(const struct folded *f, struct str name, size_t characters)
{
	for (size_t i = 0; i < f->n; i++)
		if (characters == 2 ? str_eq(f->names[i], name) : begins(f->names[i], name))
			return true;
	return false;
}

static bool is_made_up(struct str name, uint64_t *ret)
{
	if (!str_starts(name, STR("city ")) || name.len > 5 + 9 || name.ptr[5] == '0')
		return false;
	return num_parse_u64(str_from(name.ptr + 5, name.len - 5), ret) == 0 && *ret <= MADE_UP_MAX;
}

struct search {
	struct str name, where, country;
	size_t characters;
	uint64_t count;
};

/* Most people first; few match, so a short insertion sort. */
static size_t search_table(const struct search *s, size_t hits[static ARRAY_LEN(places)])
{
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!is_named(&folded[i], s->name, s->characters))
			continue;
		if (s->where.len && !lies_in(&places[i], s->where))
			continue;
		if (s->country.len && !str_eq_nocase(s->country, str_c(countries[places[i].country].code)))
			continue;
		size_t at = n++;
		for (; at > 0 && places[hits[at - 1]].people < places[i].people; at--)
			hits[at] = hits[at - 1];
		hits[at] = i;
	}
	return n;
}

static void answer_search(const struct search *s, bool is_french, struct buf *b)
{
	size_t hits[ARRAY_LEN(places)], n = 0;
	struct found f;
	uint64_t number;
	if (is_made_up(s->name, &number) && s->where.len == 0 && s->country.len == 0) {
		make_up(number, &f);
		buf_append_c(b, "{\"results\":[");
		put_found(b, &f, is_french);
		buf_append_c(b, "],");
	} else {
		n = s->characters >= 2 ? search_table(s, hits) : 0;
		n = n > s->count ? s->count : n;
		/* Nothing found: there is no "results" at all, not an empty one. That is the trap to reproduce. */
		buf_append_c(b, n ? "{\"results\":[" : "{");
		for (size_t i = 0; i < n; i++) {
			found_at(hits[i], &f);
			if (i)
				buf_append_char(b, ',');
			put_found(b, &f, is_french);
		}
		if (n)
			buf_append_c(b, "],");
	}
	/* The real number varies; ours does not, so that the same question gives the same bytes. */
	buf_append_c(b, "\"generationtime_ms\":0.5");
	buf_append_char(b, '}');
}

static bool wants_french(const struct params *p)
{
	struct str language = params_get(p, "language");
	return str_eq_nocase(language, STR("fr"));
}

static void fold_tables(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, fold_all);
}

int geocode_search(struct arena *a, struct str query, struct buf *b)
{
	struct params p;
	struct search s = { .count = 10 };
	char name_folded[FOLDED_MAX], where_folded[FOLDED_MAX];
	size_t ignored;
	fold_tables();
	if (!params_parse(a, query, &p))
		return answer_error(b, "The query is not encoded correctly.");
	struct str name = params_get(&p, "name"), count = params_get(&p, "count"), format = params_get(&p, "format");
	if (!name.ptr)
		return answer_error(b, "Value required for key 'name'.");
	if (count.ptr && (num_parse_u64(count, &s.count) || s.count < 1 || s.count > 100))
		return answer_error(b, "Parameter count must be between 1 and 100.");
	if (format.len && !str_eq(format, STR("json")))
		return answer_error(b, "Format '%.*s' is not offered by the sample API.", STR_ARG(format));
	struct str where = name;
	name = str_trim(str_split(&where, ','));
	s.name = str_from(name_folded, fold(name, name_folded, &s.characters));
	where = str_trim(where.ptr ? where : STR(""));
	s.where = str_from(where_folded, fold(where, where_folded, &ignored));
	if (s.name.len == 0 || (where.len && s.where.len == 0))
		s.characters = 0;
	s.country = params_get(&p, "countryCode");
	answer_search(&s, wants_french(&p), b);
	return 200;
}

int geocode_get(struct arena *a, struct str query, struct buf *b)
{
	struct params p;
	struct found f;
	int64_t id;
	if (!params_parse(a, query, &p) || num_parse_i64(params_get(&p, "id"), &id))
		return answer_error(b, "Value of type 'Int' required for key 'id'.");
	if (id > MADE_UP_IDS && id <= MADE_UP_IDS + (int64_t)MADE_UP_MAX) {
		make_up((uint64_t)(id - MADE_UP_IDS), &f);
	} else if (id >= PLACE_IDS && id < PLACE_IDS + (int64_t)ARRAY_LEN(places)) {
		found_at((size_t)(id - PLACE_IDS), &f);
	} else {
		(void)answer_error(b, "Not Found");
		return 404;
	}
	put_found(b, &f, wants_french(&p));
	return 200;
}
