/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weather by arithmetic: a seasonal curve by latitude and height, a daily one by the sun, and noise that is a hash of
 * grid cell and day, smoothed over a few days. The same place and date always give the same weather; nothing is stored.
 */
#include "sample/sample_int.h"
#include <math.h>

#define RADIANS (M_PI / 180)

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

/* 0 <= . < 1, by cell, time and what it is for. */
static double chance(const struct climate *c, int64_t time, uint64_t purpose)
{
	return (double)(mix(c->cell + (uint64_t)time * 0x9E3779B97F4A7C15u + purpose * 0xD1B54A32D192ED03u) >> 11) *
	       0x1p-53;
}

/* The same, drawn every `days` days and led smoothly from one to the next: weather that stays a while. */
static double drift(const struct climate *c, int64_t day, int64_t days, uint64_t purpose)
{
	int64_t slot = day >= 0 ? day / days : (day - days + 1) / days;
	double part = (double)(day - slot * days) / (double)days;
	part = part * part * (3 - 2 * part);
	return chance(c, slot, purpose) * (1 - part) + chance(c, slot + 1, purpose) * part;
}

void climate_init(struct climate *c, double latitude, double longitude, double metres)
{
	/* Sixteenths of a degree: the grid that coordinates snap to. */
	int64_t y = llround(latitude * 16), x = llround(longitude * 16);
	*c = (struct climate){ .latitude = latitude, .longitude = longitude, .metres = metres };
	c->cell = mix((uint64_t)(y + 4096) * 8192u + (uint64_t)(x + 4096) + 1);
}

void climate_sun(const struct climate *c, int64_t day, int offset, struct sun *ret)
{
	double turn = 2 * M_PI * (date_day_of_year(day) + 10) / 365.25;
	double declination = -23.44 * RADIANS * cos(turn);
	/* The equation of time to a minute or so (Milne): enough for a sample. */
	double angle = 2 * M_PI * (date_day_of_year(day) - 80) / 365.25;
	double early = 9.87 * sin(2 * angle) - 7.53 * cos(angle) - 1.5 * sin(angle);
	double sin_latitude = sin(c->latitude * RADIANS), cos_latitude = cos(c->latitude * RADIANS);
	ret->sin_part = sin_latitude * sin(declination);
	ret->cos_part = cos_latitude * cos(declination);
	ret->noon = 720 - 4 * c->longitude - early + offset / 60.0;
	/* The sun's upper edge, lifted by the air: 0.833 degrees below the horizon. */
	double cosine = (sin(-0.833 * RADIANS) - ret->sin_part) / ret->cos_part;
	if (cosine <= -1 || cosine >= 1) {
		ret->rise = ret->set = NAN;
		ret->day_minutes = cosine <= -1 ? 1440 : 0;
		return;
	}
	double half = acos(cosine) / RADIANS * 4;
	ret->rise = ret->noon - half;
	ret->set = ret->noon + half;
	ret->day_minutes = 2 * half;
}

/* Written out, since the library's fmin() and round() are calls, and this is asked thousands of times a second. */
static double clamp(double x, double least, double most)
{
	return x < least ? least : x > most ? most : x;
}

static double whole(double x) /* x is not negative */
{
	return (double)(int64_t)(x + 0.5);
}

/* Mean temperature of a day: by latitude, height and season, with a spell of warmth or cold on top. */
static double day_mean(const struct climate *c, int64_t day)
{
	double far = fabs(c->latitude);
	double season = cos(2 * M_PI * (date_day_of_year(day) - 200) / 365.25); /* warmest in the middle of July */
	double mean = 28 - 0.0065 * far * far - 0.0055 * c->metres;
	double swing = 0.17 * far * (0.85 + 0.5 * chance(c, 0, 1));
	return mean + (c->latitude < 0 ? -swing : swing) * season + (drift(c, day, 4, 2) - 0.5) * 11;
}

static int weather_code(const struct hour *h)
{
	if (h->wet > 0) {
		if (h->temperature < 0.8)
			return h->wet < 0.5 ? 71 : h->wet < 1.5 ? 73 : 75;
		if (h->temperature > 20 && h->wet >= 3)
			return 95;
		return h->wet < 0.3 ? 51 : h->wet < 1 ? 61 : h->wet < 3 ? 63 : 65;
	}
	if (h->humidity > 95 && h->wind < 7)
		return 45;
	return h->cloud < 12 ? 0 : h->cloud < 37 ? 1 : h->cloud < 75 ? 2 : 3;
}

void climate_day(const struct climate *c, int64_t day, const struct sun *sun, struct hour ret[static 24])
{
	double yesterday = day_mean(c, day - 1), today = day_mean(c, day), tomorrow = day_mean(c, day + 1);
	double wetness = drift(c, day, 3, 3), cloud = 100 * drift(c, day, 2, 4),
	       wind = 4 + 26 * drift(c, day, 3, 5) * drift(c, day, 5, 6);
	double half_range = (2 + 5 * chance(c, day, 7)) * (1.3 - cloud / 130);
	double pressure = 1034 - 40 * wetness, from = 360 * drift(c, day, 5, 8);
	double pour = wetness > 0.58 ? (wetness - 0.58) * 9 : 0; /* millimetres in a wet hour, at most */
	/* cos((hour - peak) / 24) by turning a vector: one sine and cosine a day, not 24. */
	double step_cos = cos(M_PI / 12), step_sin = sin(M_PI / 12);
	double x = cos(sun->noon * (M_PI / 720)), y = -sin(sun->noon * (M_PI / 720)); /* hour angle at local midnight */
	double peak_cos = cos(M_PI / 4), peak_sin = sin(M_PI / 4); /* warmest three hours after noon */
	for (int i = 0; i < 24; i++) {
		struct hour *h = &ret[i];
		double luck = chance(c, day * 24 + i, 9), part = (i + 0.5) / 24 - 0.5;
		double mean = today + (part < 0 ? (today - yesterday) : (tomorrow - today)) * part;
		h->temperature = mean + half_range * (x * peak_cos + y * peak_sin);
		h->height = sun->sin_part + sun->cos_part * x;
		h->cloud = clamp(cloud + (luck - 0.5) * 40 + (pour > 0 ? 25 : 0), 0, 100);
		h->wet = pour > 0 && luck > 0.6 ? whole(pour * (luck - 0.6) * 25) / 10 : 0;
		h->chance = whole(clamp((wetness - 0.3) * 150 + (luck - 0.5) * 10, 0, 100));
		h->humidity = clamp(62 + 30 * wetness - 2.2 * (h->temperature - mean) + (h->wet > 0 ? 10 : 0), 15, 100);
		h->wind = wind * (0.7 + 0.6 * luck);
		h->direction = from + (luck - 0.5) * 40;
		h->direction += h->direction < 0 ? 360 : h->direction >= 360 ? -360 : 0;
		h->pressure = pressure + (luck - 0.5);
		h->apparent = h->temperature - 0.12 * h->wind + 0.03 * (h->humidity - 60);
		h->code = weather_code(h);
		double next = x * step_cos - y * step_sin;
		y = x * step_sin + y * step_cos;
		x = next;
	}
}
