/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the sample API. Everything below sample.c is a pure function of query, tables and a date. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"

#define SAMPLE_PARAMS_MAX 64	      /* parameters of one query */
#define SAMPLE_POINTS_MAX 100	      /* coordinates of one forecast query */
#define SAMPLE_ANSWER_MAX (16u << 20) /* longest answer */
#define SAMPLE_NEAR_DEGREES                                                                                            \
	6.0 /* a point further than this from every place is open country: zone by longitude, no elevation */

/* ---- query.c: parameters, decoded ---- */
struct params {
	struct {
		struct str name, value;
	} items[SAMPLE_PARAMS_MAX];
	size_t n;
};
/* False when there are too many or one is not percent-encoded rightly. Decoded text lives in `a`. */
bool params_parse(struct arena *a, struct str query, struct params *ret);
struct str params_get(const struct params *p, const char *name); /* first of that name; ptr NULL when absent */
/* {"error":true,"reason":...}: always returns 400. */
int answer_error(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* `v` with exactly `decimals` digits after the point; NAN is null. */
void put_fixed(struct buf *b, double v, unsigned decimals);

/* ---- date.c: days since 1970-01-01 and their parts ---- */
struct date {
	int year, month, day;
};
int64_t date_to_days(struct date d);
struct date date_from_days(int64_t days);
int date_weekday(int64_t days);			     /* 0 = Sunday */
int date_day_of_year(int64_t days);		     /* 0 = 1 January */
bool date_parse(struct str text, int64_t *ret_days); /* YYYY-MM-DD */

/* ---- zone.c ---- */
#define ZONE_NAME_MAX 40
struct zone_now {
	char name[ZONE_NAME_MAX];
	char abbreviation[16]; /* "GMT+5:30" */
	int offset;	       /* seconds east of UTC, now */
};
/* By name ("Europe/Paris", "GMT", "UTC", "Etc/GMT-3"); false when unknown. `now` in seconds. */
bool zone_find(struct str name, int64_t now, struct zone_now *ret);
void zone_at(double latitude, double longitude, int64_t now, struct zone_now *ret);
const char *zone_name(size_t index);

/* ---- place.c ---- */
struct place {
	double latitude, longitude;
	int metres;
	const char *feature;
	uint8_t country, zone;
	uint32_t people;
	const char *name, *name_fr, *also, *region, *region_fr;
};
/* The place nearest to a point and how far it is, in degrees. */
const struct place *place_nearest(double latitude, double longitude, double *ret_degrees);
int geocode_search(struct arena *a, struct str query, struct buf *b); /* /v1/search: the status */
int geocode_get(struct arena *a, struct str query, struct buf *b);    /* /v1/get?id= */

/* ---- weather.c ---- */
struct climate { /* of one point */
	double latitude, longitude;
	double metres;
	uint64_t cell; /* grid cell: the seed of its weather */
};
struct hour {
	double temperature, humidity, apparent, wind, direction, cloud, pressure;
	double wet;    /* millimetres of water */
	double chance; /* of precipitation, percent */
	double height; /* of the sun, sine */
	int code;
};
struct sun { /* minutes after local midnight; NAN when it does not rise or set */
	double noon, rise, set;
	double day_minutes;
	double sin_part, cos_part; /* sine of the height = sin_part + cos_part * cos(hour angle) */
};
void climate_init(struct climate *c, double latitude, double longitude, double metres);
void climate_sun(const struct climate *c, int64_t day, int offset, struct sun *ret);
/* The 24 hours of a local day. */
void climate_day(const struct climate *c, int64_t day, const struct sun *sun, struct hour ret[static 24]);

/* ---- forecast.c ---- */
int forecast_answer(struct arena *a, struct str query, msec_t now, struct buf *b);
