/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/forecast: coordinates and names of variables in, columns out. Key order, units objects and habits are
 * Open-Meteo's: local times without an offset, coordinates snapped to a grid, null where a model does not reach, an
 * array instead of an object as soon as there are several points, location_id from the second point on.
 */
#include "sample/sample_int.h"
#include <math.h>

#define DAY 86400
#define PAST_DAYS_MAX 92
#define FORECAST_DAYS_MAX 16
#define CHANCE_DAYS 14 /* precipitation probability reaches so far ahead, ... */
#define UV_DAYS 8      /* ... the ultraviolet index so far: null beyond */
#define VARIABLES_MAX 60

/* clang-format off */
enum unit { U_TIME, U_TEMPERATURE, U_PERCENT, U_WATER, U_SNOW, U_CODE, U_SPEED, U_DEGREE, U_PRESSURE, U_METRE, U_PLAIN, U_INDEX, U_SECOND, U_HOUR, U_WATT, U_MEGAJOULE };

/* H(name, unit, value of hour h at climate c) */
#define HOURLY(H)                                                                                                      \
	H(temperature_2m, U_TEMPERATURE, h->temperature)                                                               \
	H(relative_humidity_2m, U_PERCENT, h->humidity)                                                                \
	H(dew_point_2m, U_TEMPERATURE, h->temperature - (100 - h->humidity) / 5)                                       \
	H(apparent_temperature, U_TEMPERATURE, h->apparent)                                                            \
	H(precipitation_probability, U_PERCENT, ahead < CHANCE_DAYS ? h->chance : NAN)                                 \
	H(precipitation, U_WATER, h->wet)                                                                              \
	H(rain, U_WATER, is_snow(h) || h->code == 95 ? 0 : h->wet)                                                     \
	H(showers, U_WATER, h->code == 95 ? h->wet : 0)                                                                \
	H(snowfall, U_SNOW, is_snow(h) ? h->wet * 0.7 : 0)                                                             \
	H(weather_code, U_CODE, h->code)                                                                               \
	H(pressure_msl, U_PRESSURE, h->pressure)                                                                       \
	H(surface_pressure, U_PRESSURE, h->pressure * exp(-c->metres / 8300))                                          \
	H(cloud_cover, U_PERCENT, h->cloud)                                                                            \
	H(visibility, U_METRE, h->code == 45 ? 400 : fmax(1200, 24140 - 3000 * h->wet - 60 * h->cloud))                \
	H(wind_speed_10m, U_SPEED, h->wind)                                                                            \
	H(wind_direction_10m, U_DEGREE, h->direction)                                                                  \
	H(wind_gusts_10m, U_SPEED, h->wind * 1.9)                                                                      \
	H(is_day, U_PLAIN, is_light(h))                                                                                \
	H(uv_index, U_INDEX, ahead < UV_DAYS ? uv(h) : NAN)                                                            \
	H(sunshine_duration, U_SECOND, is_light(h) ? 36 * (100 - h->cloud) : 0)                                        \
	H(shortwave_radiation, U_WATT, radiation(h))

/* D(name, unit, value of the 24 hours h[] and the sun s) */
#define DAILY(D)                                                                                                       \
	D(weather_code, U_CODE, most(h, V_weather_code, c, ahead))                                                     \
	D(temperature_2m_max, U_TEMPERATURE, most(h, V_temperature_2m, c, ahead))                                      \
	D(temperature_2m_min, U_TEMPERATURE, least(h, V_temperature_2m, c, ahead))                                     \
	D(temperature_2m_mean, U_TEMPERATURE, sum(h, V_temperature_2m, c, ahead) / 24)                                 \
	D(apparent_temperature_max, U_TEMPERATURE, most(h, V_apparent_temperature, c, ahead))                          \
	D(apparent_temperature_min, U_TEMPERATURE, least(h, V_apparent_temperature, c, ahead))                         \
	D(sunrise, U_TIME, s->rise)                                                                                    \
	D(sunset, U_TIME, s->set)                                                                                      \
	D(daylight_duration, U_SECOND, s->day_minutes * 60)                                                            \
	D(sunshine_duration, U_SECOND, sum(h, V_sunshine_duration, c, ahead))                                          \
	D(uv_index_max, U_INDEX, most(h, V_uv_index, c, ahead))                                                        \
	D(precipitation_sum, U_WATER, sum(h, V_precipitation, c, ahead))                                               \
	D(rain_sum, U_WATER, sum(h, V_rain, c, ahead))                                                                 \
	D(showers_sum, U_WATER, sum(h, V_showers, c, ahead))                                                           \
	D(snowfall_sum, U_SNOW, sum(h, V_snowfall, c, ahead))                                                          \
	D(precipitation_hours, U_HOUR, wet_hours(h))                                                                   \
	D(precipitation_probability_max, U_PERCENT, most(h, V_precipitation_probability, c, ahead))                    \
	D(wind_speed_10m_max, U_SPEED, most(h, V_wind_speed_10m, c, ahead))                                            \
	D(wind_gusts_10m_max, U_SPEED, most(h, V_wind_gusts_10m, c, ahead))                                            \
	D(wind_direction_10m_dominant, U_DEGREE, h[12].direction)                                                      \
	D(shortwave_radiation_sum, U_MEGAJOULE, sum(h, V_shortwave_radiation, c, ahead) * 0.0036)

enum hourly_variable {
#define H(name, unit, value) V_##name,
	HOURLY(H)
#undef H
	V_COUNT,
};

enum daily_variable {
#define D(name, unit, value) W_##name,
	DAILY(D)
#undef D
	W_COUNT,
};
/* clang-format on */

struct variable {
	const char *name;
	enum unit unit;
};

static const struct variable hourly_variables[] = {
#define H(name, unit, value) { #name, unit },
	HOURLY(H)
#undef H
};

static const struct variable daily_variables[] = {
#define D(name, unit, value) { #name, unit },
	DAILY(D)
#undef D
};

static bool is_snow(const struct hour *h)
{
	return h->code >= 71 && h->code <= 75;
}

static bool is_light(const struct hour *h)
{
	return h->height > -0.0145; /* sin(-0.833 degrees) */
}

static double radiation(const struct hour *h)
{
	return h->height > 0 ? 990 * h->height * (1 - 0.0065 * h->cloud) : 0;
}

static double uv(const struct hour *h)
{
	return h->height > 0 ? 11 * h->height * h->height * (1 - 0.005 * h->cloud) : 0;
}

static inline double hourly_value(unsigned variable, const struct hour *h, const struct climate *c, int64_t ahead)
{
	switch ((enum hourly_variable)variable) {
#define H(name, unit, value)                                                                                           \
	case V_##name:                                                                                                 \
		return value;
		HOURLY(H)
#undef H
	case V_COUNT:
		break;
	}
	return NAN;
}

static double most(const struct hour *h, enum hourly_variable v, const struct climate *c, int64_t ahead)
{
	double best = -INFINITY;
	for (int i = 0; i < 24; i++) {
		double x = hourly_value(v, &h[i], c, ahead);
		best = x > best || isnan(x) ? x : best;
	}
	return best;
}

static double least(const struct hour *h, enum hourly_variable v, const struct climate *c, int64_t ahead)
{
	double best = INFINITY;
	for (int i = 0; i < 24; i++) {
		double x = hourly_value(v, &h[i], c, ahead);
		best = x < best || isnan(x) ? x : best;
	}
	return best;
}

static double sum(const struct hour *h, enum hourly_variable v, const struct climate *c, int64_t ahead)
{
	double total = 0;
	for (int i = 0; i < 24; i++)
		total += hourly_value(v, &h[i], c, ahead);
	return total;
}

static double wet_hours(const struct hour *h)
{
	int n = 0;
	for (int i = 0; i < 24; i++)
		n += h[i].wet > 0;
	return n;
}

static double daily_value(unsigned variable, const struct hour *h, const struct sun *s, const struct climate *c,
			  int64_t ahead)
{
	switch ((enum daily_variable)variable) {
#define D(name, unit, value)                                                                                           \
	case W_##name:                                                                                                 \
		return value;
		DAILY(D)
#undef D
	case W_COUNT:
		break;
	}
	return NAN;
}

/* ---- what was asked for ---- */

struct selection {
	unsigned items[VARIABLES_MAX];
	size_t n;
};

enum temperature_unit { CELSIUS, FAHRENHEIT };
enum speed_unit { KMH, METRES_PER_SECOND, MPH, KNOTS };
enum water_unit { MILLIMETRES, INCHES };

struct asked {
	double latitude[SAMPLE_POINTS_MAX], longitude[SAMPLE_POINTS_MAX], elevation[SAMPLE_POINTS_MAX];
	size_t n, n_longitude, n_elevation;
	struct selection current, hourly, daily;
	struct str zone[SAMPLE_POINTS_MAX];
	size_t n_zones;
	uint64_t past_days, forecast_days;
	int64_t from, to; /* start_date and end_date, in days */
	bool has_dates, is_unixtime;
	enum temperature_unit temperature;
	enum speed_unit speed;
	enum water_unit water;
};

/* Comma-separated numbers. */
static int read_numbers(const struct params *p, const char *name, double ret[static SAMPLE_POINTS_MAX], size_t *ret_n,
			struct buf *b)
{
	struct str list = params_get(p, name);
	*ret_n = 0;
	while (list.ptr) {
		struct str one = str_trim(str_split(&list, ','));
		if (*ret_n == SAMPLE_POINTS_MAX)
			return answer_error(b, "Only up to %d locations can be requested at once.", SAMPLE_POINTS_MAX);
		if (num_parse_double(one, &ret[*ret_n]) || !isfinite(ret[*ret_n]))
			return answer_error(b, "Value of type 'Float' required for key '%s'. Given: '%.*s'.", name,
					    STR_ARG(one));
		++*ret_n;
	}
	return 0;
}

/* Comma-separated names; the parameter may come several times. */
static int read_names(const struct params *p, const char *name, const struct variable *known, size_t n_known,
		      struct selection *ret, struct buf *b)
{
	ret->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct str list = p->items[i].value;
		if (!str_eq(p->items[i].name, str_c(name)))
			continue;
		while (list.ptr && list.len) {
			struct str one = str_split(&list, ',');
			unsigned v = 0;
			while (v < n_known && !str_eq(one, str_c(known[v].name)))
				v++;
			if (v == n_known)
				return answer_error(b,
						    "Data corrupted at path '%s'. Cannot initialize variable from "
						    "invalid String value %.*s.",
						    name, STR_ARG(one));
			if (ret->n == VARIABLES_MAX)
				return answer_error(b, "Too many variables for '%s'.", name);
			ret->items[ret->n++] = v;
		}
	}
	return 0;
}

static int read_choice(const struct params *p, const char *name, const char *const *choices, int *ret, struct buf *b)
{
	struct str text = params_get(p, name);
	if (!text.ptr)
		return 0;
	for (int i = 0; choices[i]; i++) {
		if (str_eq(text, str_c(choices[i]))) {
			*ret = i;
			return 0;
		}
	}
	return answer_error(b, "Cannot initialize %s from invalid String value %.*s.", name, STR_ARG(text));
}

static int read_count(const struct params *p, const char *name, const char *words, uint64_t most_allowed, uint64_t *ret,
		      struct buf *b)
{
	struct str text = params_get(p, name);
	if (!text.ptr)
		return 0;
	if (num_parse_u64(text, ret) || *ret > most_allowed)
		return answer_error(b, "%s is invalid. Allowed range 0 to %llu. Given %.*s.", words,
				    (unsigned long long)most_allowed, STR_ARG(text));
	return 0;
}

static int read_points(const struct params *p, struct asked *q, struct buf *b)
{
	int status;
	if ((status = read_numbers(p, "latitude", q->latitude, &q->n, b)) ||
	    (status = read_numbers(p, "longitude", q->longitude, &q->n_longitude, b)) ||
	    (status = read_numbers(p, "elevation", q->elevation, &q->n_elevation, b)))
		return status;
	if (q->n == 0 || q->n_longitude == 0)
		return answer_error(b, "Value required for key '%s'.", q->n ? "longitude" : "latitude");
	if (q->n != q->n_longitude || (q->n_elevation && q->n_elevation != q->n))
		return answer_error(b, "Parameter 'latitude' and '%s' must have the same number of elements.",
				    q->n != q->n_longitude ? "longitude" : "elevation");
	for (size_t i = 0; i < q->n; i++) {
		if (fabs(q->latitude[i]) > 90)
			return answer_error(b, "Latitude must be in range of -90 to 90°. Given: %g.", q->latitude[i]);
		if (fabs(q->longitude[i]) > 180)
			return answer_error(b, "Longitude must be in range of -180 to 180°. Given: %g.",
					    q->longitude[i]);
	}
	struct str zones = params_get(p, "timezone");
	while (zones.ptr && q->n_zones < SAMPLE_POINTS_MAX)
		q->zone[q->n_zones++] = str_split(&zones, ',');
	if (q->n_zones > 1 && q->n_zones != q->n)
		return answer_error(b,
				    "Parameter 'timezone' must have the same number of elements as the coordinates.");
	return 0;
}

static int read_span(const struct params *p, struct asked *q, int64_t today, struct buf *b)
{
	int status;
	q->forecast_days = 7;
	if ((status = read_count(p, "forecast_days", "Forecast days", FORECAST_DAYS_MAX, &q->forecast_days, b)) ||
	    (status = read_count(p, "past_days", "Past days", PAST_DAYS_MAX, &q->past_days, b)))
		return status;
	struct str from = params_get(p, "start_date"), to = params_get(p, "end_date");
	if (!from.ptr && !to.ptr)
		return 0;
	q->has_dates = true;
	if (!from.ptr || !to.ptr)
		return answer_error(b, "Both 'start_date' and 'end_date' must be set.");
	if (params_get(p, "forecast_days").ptr || params_get(p, "past_days").ptr)
		return answer_error(
		    b, "Parameter 'forecast_days' is mutually exclusive with 'start_date' and 'end_date'.");
	if (!date_parse(from, &q->from) || !date_parse(to, &q->to))
		return answer_error(b, "Invalid date format. Make sure to use 'YYYY-MM-DD'.");
	if (q->to < q->from)
		return answer_error(b, "End-date must be larger or equals than start-date.");
	if (q->from < today - PAST_DAYS_MAX || q->to > today + FORECAST_DAYS_MAX) {
		struct date first = date_from_days(today - PAST_DAYS_MAX),
			    last = date_from_days(today + FORECAST_DAYS_MAX);
		return answer_error(
		    b, "Parameter 'start_date' is out of allowed range from %04d-%02d-%02d to %04d-%02d-%02d.",
		    first.year, first.month, first.day, last.year, last.month, last.day);
	}
	return 0;
}

static int read_query(const struct params *p, int64_t today, struct asked *q, struct buf *b)
{
	static const char *const temperatures[] = { "celsius", "fahrenheit", NULL },
				 *const speeds[] = { "kmh", "ms", "mph", "kn", NULL },
				 *const waters[] = { "mm", "inch", NULL },
				 *const formats[] = { "iso8601", "unixtime", NULL };
	int temperature = 0, speed = 0, water = 0, format = 0, status;
	if ((status = read_points(p, q, b)) ||
	    (status = read_names(p, "current", hourly_variables, V_COUNT, &q->current, b)) ||
	    (status = read_names(p, "hourly", hourly_variables, V_COUNT, &q->hourly, b)) ||
	    (status = read_names(p, "daily", daily_variables, W_COUNT, &q->daily, b)) ||
	    (status = read_choice(p, "temperature_unit", temperatures, &temperature, b)) ||
	    (status = read_choice(p, "wind_speed_unit", speeds, &speed, b)) ||
	    (status = read_choice(p, "precipitation_unit", waters, &water, b)) ||
	    (status = read_choice(p, "timeformat", formats, &format, b)) || (status = read_span(p, q, today, b)))
		return status;
	q->temperature = (enum temperature_unit)temperature;
	q->speed = (enum speed_unit)speed;
	q->water = (enum water_unit)water;
	q->is_unixtime = format == 1;
	return 0;
}

/* ---- what is answered ---- */

struct point {
	const struct asked *asked;
	struct climate climate;
	struct zone_now zone;
	int64_t today; /* local, in days */
	int64_t first, days;
	struct hour *hours; /* 24 a day */
	struct sun *suns;
};

static const char *unit_text(enum unit u, const struct asked *q)
{
	static const char *const plain[] = {
		[U_PERCENT] = "%", [U_CODE] = "wmo code", [U_DEGREE] = "°",	   [U_PRESSURE] = "hPa",
		[U_METRE] = "m",   [U_PLAIN] = "",	  [U_INDEX] = "",	   [U_SECOND] = "s",
		[U_HOUR] = "h",	   [U_WATT] = "W/m²",	  [U_MEGAJOULE] = "MJ/m²",
	};
	static const char *const speeds[] = { "km/h", "m/s", "mp/h", "kn" };
	switch (u) {
	case U_TIME:
		return q->is_unixtime ? "unixtime" : "iso8601";
	case U_TEMPERATURE:
		return q->temperature == CELSIUS ? "°C" : "°F";
	case U_SPEED:
		return speeds[q->speed];
	case U_WATER:
		return q->water == MILLIMETRES ? "mm" : "inch";
	case U_SNOW:
		return q->water == MILLIMETRES ? "cm" : "inch";
	default:
		return plain[u];
	}
}

static void put_digits(char *p, int v, int digits)
{
	for (int i = digits - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
}

/* `at`: local seconds. Written without an offset, as the real API does. */
static void put_time(struct buf *b, const struct point *p, int64_t at, bool is_date)
{
	if (p->asked->is_unixtime) {
		buf_printf(b, "%lld", (long long)(at - p->zone.offset));
		return;
	}
	char text[] = "\"0000-00-00T00:00\"";
	int64_t day = at >= 0 ? at / DAY : (at - DAY + 1) / DAY;
	struct date d = date_from_days(day);
	int minute = (int)((at - day * DAY) / 60);
	put_digits(text + 1, d.year, 4);
	put_digits(text + 6, d.month, 2);
	put_digits(text + 9, d.day, 2);
	put_digits(text + 12, minute / 60, 2);
	put_digits(text + 15, minute % 60, 2);
	if (is_date)
		text[11] = '"';
	buf_append(b, text, is_date ? 12 : 18);
}

static void put_value(struct buf *b, const struct point *p, enum unit u, double v, int64_t day)
{
	static const double speeds[] = { 1, 1 / 3.6, 1 / 1.609344, 1 / 1.852 };
	static const unsigned decimals[] = {
		[U_TEMPERATURE] = 1, [U_WATER] = 2, [U_SNOW] = 2, [U_SPEED] = 1,     [U_PRESSURE] = 1, [U_INDEX] = 2,
		[U_SECOND] = 2,	     [U_HOUR] = 1,  [U_WATT] = 1, [U_MEGAJOULE] = 2, [U_METRE] = 2,
	};
	const struct asked *q = p->asked;
	unsigned digits = u < ARRAY_LEN(decimals) ? decimals[u] : 0;
	if (u == U_TIME) {
		if (isnan(v))
			buf_append(b, "null", 4);
		else
			put_time(b, p, day * DAY + (int64_t)floor(v) * 60, false);
		return;
	}
	if (u == U_TEMPERATURE && q->temperature == FAHRENHEIT)
		v = v * 1.8 + 32;
	else if (u == U_SPEED && q->speed != KMH)
		v *= speeds[q->speed], digits = q->speed == METRES_PER_SECOND ? 2 : 1;
	else if ((u == U_WATER || u == U_SNOW) && q->water == INCHES)
		v /= u == U_WATER ? 25.4 : 2.54, digits = 3;
	put_fixed(b, v, digits);
}

static void put_units(struct buf *b, const struct asked *q, const char *head, const struct variable *known,
		      const struct selection *s)
{
	buf_append_c(b, head);
	buf_append_c(b, unit_text(U_TIME, q));
	if (head[2] == 'c')
		buf_append_c(b, "\",\"interval\":\"seconds");
	for (size_t i = 0; i < s->n; i++) {
		buf_append_c(b, "\",\"");
		buf_append_c(b, known[s->items[i]].name);
		buf_append_c(b, "\":\"");
		buf_append_c(b, unit_text(known[s->items[i]].unit, q));
	}
	buf_append_c(b, "\"}");
}

/* Between the full hours, what the thermometer and the wind show moves evenly. */
static struct hour between(const struct hour *x, const struct hour *y, double part)
{
	struct hour h = *x;
	h.temperature += (y->temperature - x->temperature) * part;
	h.apparent += (y->apparent - x->apparent) * part;
	h.humidity += (y->humidity - x->humidity) * part;
	h.wind += (y->wind - x->wind) * part;
	h.height += (y->height - x->height) * part;
	return h;
}

static void put_current(struct buf *b, const struct point *p, int64_t now)
{
	const struct asked *q = p->asked;
	struct hour two[48];
	struct sun sun;
	int64_t local = (now + p->zone.offset) / 900 * 900; /* quarters of an hour */
	int minute = (int)((local - p->today * DAY) / 60);
	/* Tomorrow is wanted in the last hour only. */
	for (int i = 0; i < (minute < 23 * 60 ? 1 : 2); i++) {
		climate_sun(&p->climate, p->today + i, p->zone.offset, &sun);
		climate_day(&p->climate, p->today + i, &sun, two + i * 24);
	}
	struct hour h = between(&two[minute / 60], &two[minute / 60 + 1], minute % 60 / 60.0);
	put_units(b, q, ",\"current_units\":{\"time\":\"", hourly_variables, &q->current);
	buf_append_c(b, ",\"current\":{\"time\":");
	put_time(b, p, local, false);
	buf_append_c(b, ",\"interval\":900");
	for (size_t i = 0; i < q->current.n; i++) {
		unsigned v = q->current.items[i];
		buf_append_c(b, ",\"");
		buf_append_c(b, hourly_variables[v].name);
		buf_append_c(b, "\":");
		put_value(b, p, hourly_variables[v].unit, hourly_value(v, &h, &p->climate, 0), p->today);
	}
	buf_append_char(b, '}');
}

static void put_hourly(struct buf *b, const struct point *p)
{
	const struct asked *q = p->asked;
	put_units(b, q, ",\"hourly_units\":{\"time\":\"", hourly_variables, &q->hourly);
	buf_append_c(b, ",\"hourly\":{\"time\":[");
	for (int64_t i = 0; i < p->days * 24; i++) {
		if (i)
			buf_append_char(b, ',');
		put_time(b, p, p->first * DAY + i * 3600, false);
	}
	for (size_t n = 0; n < q->hourly.n; n++) {
		unsigned v = q->hourly.items[n];
		buf_append_c(b, "],\"");
		buf_append_c(b, hourly_variables[v].name);
		buf_append_c(b, "\":[");
		for (int64_t i = 0; i < p->days * 24; i++) {
			int64_t day = p->first + i / 24;
			if (i)
				buf_append_char(b, ',');
			put_value(b, p, hourly_variables[v].unit,
				  hourly_value(v, &p->hours[i], &p->climate, day - p->today), day);
		}
	}
	buf_append_c(b, "]}");
}

static void put_daily(struct buf *b, const struct point *p)
{
	const struct asked *q = p->asked;
	put_units(b, q, ",\"daily_units\":{\"time\":\"", daily_variables, &q->daily);
	buf_append_c(b, ",\"daily\":{\"time\":[");
	for (int64_t i = 0; i < p->days; i++) {
		if (i)
			buf_append_char(b, ',');
		put_time(b, p, (p->first + i) * DAY, true);
	}
	for (size_t n = 0; n < q->daily.n; n++) {
		unsigned v = q->daily.items[n];
		buf_append_c(b, "],\"");
		buf_append_c(b, daily_variables[v].name);
		buf_append_c(b, "\":[");
		for (int64_t i = 0; i < p->days; i++) {
			int64_t day = p->first + i;
			if (i)
				buf_append_char(b, ',');
			put_value(b, p, daily_variables[v].unit,
				  daily_value(v, p->hours + i * 24, &p->suns[i], &p->climate, day - p->today), day);
		}
	}
	buf_append_c(b, "]}");
}

/* Days, hours and the sun of the point; false when out of memory. */
static bool point_fill(struct point *p, struct arena *a)
{
	const struct asked *q = p->asked;
	p->first = q->has_dates ? q->from : p->today - (int64_t)q->past_days;
	p->days = q->has_dates ? q->to - q->from + 1 : (int64_t)(q->past_days + q->forecast_days);
	if (q->hourly.n == 0 && q->daily.n == 0)
		return true;
	p->hours = arena_alloc(a, sizeof(*p->hours) * 24 * (size_t)(p->days + 1));
	p->suns = arena_alloc(a, sizeof(*p->suns) * (size_t)(p->days + 1));
	for (int64_t i = 0; p->hours && p->suns && i < p->days; i++) {
		climate_sun(&p->climate, p->first + i, p->zone.offset, &p->suns[i]);
		climate_day(&p->climate, p->first + i, &p->suns[i], p->hours + i * 24);
	}
	return p->hours && p->suns;
}

static double snap(double degrees)
{
	return round(degrees * 16) / 16;
}

static int put_point(struct arena *a, const struct asked *q, size_t i, int64_t now, struct buf *b)
{
	struct point p = { .asked = q };
	double degrees, latitude = snap(q->latitude[i]), longitude = snap(q->longitude[i]);
	const struct place *near = place_nearest(q->latitude[i], q->longitude[i], &degrees);
	bool has_elevation = q->n_elevation > 0 || degrees <= SAMPLE_NEAR_DEGREES;
	double elevation = q->n_elevation ? q->elevation[i] : has_elevation ? near->metres : 0;
	struct str zone = q->n_zones == 0 ? STR("GMT") : q->zone[q->n_zones > 1 ? i : 0];
	if (str_eq(zone, STR("auto")))
		zone_at(q->latitude[i], q->longitude[i], now, &p.zone);
	else if (!zone_find(zone, now, &p.zone))
		return answer_error(b, "Invalid timezone");
	climate_init(&p.climate, latitude, longitude, elevation);
	p.today = (now + p.zone.offset) / DAY;
	if (!point_fill(&p, a))
		return 503;
	buf_append_c(b, i ? ",{\"latitude\":" : "{\"latitude\":");
	put_fixed(b, latitude, 4);
	buf_append_c(b, ",\"longitude\":");
	put_fixed(b, longitude, 4);
	buf_append_c(b, ",\"generationtime_ms\":0.0591278076171875,\"utc_offset_seconds\":");
	put_fixed(b, p.zone.offset, 0);
	buf_append_c(b, ",\"timezone\":\"");
	buf_append_c(b, p.zone.name);
	buf_append_c(b, "\",\"timezone_abbreviation\":\"");
	buf_append_c(b, p.zone.abbreviation);
	buf_append_char(b, '"');
	if (has_elevation) {
		buf_append_c(b, ",\"elevation\":");
		put_fixed(b, elevation, 1);
	}
	if (i) {
		buf_append_c(b, ",\"location_id\":");
		put_fixed(b, (double)i, 0);
	}
	if (q->current.n)
		put_current(b, &p, now);
	if (q->hourly.n)
		put_hourly(b, &p);
	if (q->daily.n)
		put_daily(b, &p);
	buf_append_char(b, '}');
	return 200;
}

int forecast_answer(struct arena *a, struct str query, msec_t now, struct buf *b)
{
	struct params params;
	struct asked q;
	/* The lists inside are long and filled only as far as their counts say: clearing them would cost more than the
	 * answer. */
	q.n = q.n_longitude = q.n_elevation = q.n_zones = 0;
	q.past_days = 0;
	q.has_dates = false;
	if (!params_parse(a, query, &params))
		return answer_error(b, "The query is not encoded correctly.");
	int status = read_query(&params, now / 1000 / DAY, &q, b);
	if (status)
		return status;
	if (q.n > 1)
		buf_append_char(b, '[');
	for (size_t i = 0; i < q.n; i++) {
		status = put_point(a, &q, i, now / 1000, b);
		if (status != 200)
			return status;
	}
	if (q.n > 1)
		buf_append_char(b, ']');
	return buf_ok(b) ? 200 : 503;
}
