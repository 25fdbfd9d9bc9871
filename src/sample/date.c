/* SPDX-License-Identifier: Apache-2.0 */
/* The proleptic Gregorian calendar as arithmetic; years are counted from March, so that the leap day comes last. */
#include "sample/sample_int.h"

int64_t date_to_days(struct date d)
{
	int64_t year = d.month <= 2 ? d.year - 1 : d.year;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

struct date date_from_days(int64_t days)
{
	days += 719468; /* from 0000-03-01 */
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	return (struct date){
		.year = (int)(year_of_era + era * 400 + (month >= 10)),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
	};
}

int date_weekday(int64_t days)
{
	return (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

int date_day_of_year(int64_t days)
{
	struct date d = date_from_days(days);
	return (int)(days - date_to_days((struct date){ d.year, 1, 1 }));
}

bool date_parse(struct str text, int64_t *ret_days)
{
	uint64_t year, month, day;
	if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' || num_parse_u64(str_from(text.ptr, 4), &year) ||
	    num_parse_u64(str_from(text.ptr + 5, 2), &month) || num_parse_u64(str_from(text.ptr + 8, 2), &day))
		return false;
	if (month < 1 || month > 12 || day < 1)
		return false;
	struct date d = { (int)year, (int)month, (int)day };
	int64_t days = date_to_days(d);
	struct date back = date_from_days(days);
	if (back.day != d.day || back.month != d.month)
		return false; /* 30 February */
	*ret_days = days;
	return true;
}
