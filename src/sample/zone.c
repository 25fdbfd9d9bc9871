/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones by table: today's offsets and rules, as many as our places need. */
#include "sample/sample_int.h"
#include <math.h>
#include <stdio.h>

enum dst { DST_NONE, DST_EU, DST_US, DST_AU, DST_NZ, DST_CL, DST_EG, DST_IL };

/* The first `weekday` on or after `day` of the month, `minute` minutes into it, in winter time or in UTC. */
struct turn {
	int month, day, weekday, minute;
	bool is_utc;
};

static const struct {
	struct turn begin, end;
} rules[] = {
	[DST_EU] = { { 3, 25, 0, 60, true }, { 10, 25, 0, 60, true } },
	[DST_US] = { { 3, 8, 0, 120, false }, { 11, 1, 0, 60, false } },
	[DST_AU] = { { 10, 1, 0, 120, false }, { 4, 1, 0, 120, false } },
	[DST_NZ] = { { 9, 24, 0, 120, false }, { 4, 1, 0, 120, false } },
	[DST_CL] = { { 9, 2, 0, 0, false }, { 4, 2, 0, -60, false } },
	[DST_EG] = { { 4, 24, 5, 0, false }, { 10, 25, 4, 23 * 60, false } },
	[DST_IL] = { { 3, 23, 5, 120, false }, { 10, 25, 0, 60, false } },
};

static const struct zone {
	const char *name;
	int minutes;
	enum dst dst;
} zones[] = {
#define ZONE(id, name, minutes, dst) { name, minutes, dst },
#include "sample/zones.def"
#undef ZONE
};

const char *zone_name(size_t index)
{
	return zones[index].name;
}

static int64_t turn_at(const struct turn *t, int year, int minutes)
{
	int64_t day = date_to_days((struct date){ year, t->month, t->day });
	day += (t->weekday - date_weekday(day) + 7) % 7;
	return day * 86400 + t->minute * 60 - (t->is_utc ? 0 : minutes * 60);
}

static bool is_summer(const struct zone *z, int64_t now)
{
	if (z->dst == DST_NONE)
		return false;
	int year = date_from_days((now + z->minutes * 60) / 86400).year;
	int64_t begin = turn_at(&rules[z->dst].begin, year, z->minutes);
	int64_t end = turn_at(&rules[z->dst].end, year, z->minutes);
	return begin < end ? now >= begin && now < end : now >= begin || now < end;
}

static void fill(struct zone_now *ret, struct str name, int offset)
{
	int minutes = offset / 60, ahead = minutes < 0 ? -minutes : minutes;
	(void)snprintf(ret->name, sizeof(ret->name), "%.*s", STR_ARG(name));
	ret->offset = offset;
	if (minutes == 0)
		(void)snprintf(ret->abbreviation, sizeof(ret->abbreviation), "GMT");
	else if (ahead % 60)
		(void)snprintf(ret->abbreviation, sizeof(ret->abbreviation), "GMT%c%d:%02d", minutes < 0 ? '-' : '+',
			       ahead / 60 % 100, ahead % 60);
	else
		(void)snprintf(ret->abbreviation, sizeof(ret->abbreviation), "GMT%c%d", minutes < 0 ? '-' : '+',
			       ahead / 60 % 100);
}

bool zone_find(struct str name, int64_t now, struct zone_now *ret)
{
	if (str_eq_nocase(name, STR("GMT")) || str_eq_nocase(name, STR("UTC"))) {
		fill(ret, name, 0);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (!str_eq_nocase(name, str_c(zones[i].name)))
			continue;
		fill(ret, str_c(zones[i].name), zones[i].minutes * 60 + (is_summer(&zones[i], now) ? 3600 : 0));
		return true;
	}
	/* POSIX counts these westwards: Etc/GMT-3 is three hours ahead. */
	int64_t west;
	struct str sign = str_from(name.ptr + 7, name.len > 7 ? name.len - 7 : 0);
	if (!str_starts(name, STR("Etc/GMT")) || sign.len < 2)
		return false;
	if (num_parse_i64(sign.ptr[0] == '+' ? str_from(sign.ptr + 1, sign.len - 1) : sign, &west) || west < -14 ||
	    west > 12)
		return false;
	fill(ret, name, (int)-west * 3600);
	return true;
}

void zone_at(double latitude, double longitude, int64_t now, struct zone_now *ret)
{
	double degrees;
	const struct place *p = place_nearest(latitude, longitude, &degrees);
	if (degrees <= SAMPLE_NEAR_DEGREES) {
		const struct zone *z = &zones[p->zone];
		fill(ret, str_c(z->name), z->minutes * 60 + (is_summer(z, now) ? 3600 : 0));
		return;
	}
	char name[ZONE_NAME_MAX];
	int hours = (int)lround(longitude / 15);
	if (hours)
		(void)snprintf(name, sizeof(name), "Etc/GMT%+d", -hours);
	else
		(void)snprintf(name, sizeof(name), "GMT");
	fill(ret, str_c(name), hours * 3600);
}
