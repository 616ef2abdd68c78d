/* SPDX-License-Identifier: BSD-2-Clause */
/* The calendar behind the time registers: BCD or binary, 12 or 24 hours, Gregorian with a century byte. */
#include "devices/rtc.h"
#include "kernel/lib/check.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, PM = 0x80, DO_NOT_CARE = 0xc0 };
enum { ALARM_STEPS = 8 }; /* each unit is set at most twice: a smaller one may carry into it */

static u32 from_register(const u8 *cmos, u8 value)
{
	return cmos[RTC_B] & RTC_B_BINARY ? value : (value >> 4) * 10U + (value & 15);
}

static u8 to_register(const u8 *cmos, u32 value)
{
	return (u8)(cmos[RTC_B] & RTC_B_BINARY ? value : value / 10 << 4 | value % 10);
}

static u32 hours_from(const u8 *cmos, u8 value)
{
	if (cmos[RTC_B] & RTC_B_24_HOURS)
		return from_register(cmos, value);
	return from_register(cmos, value & (u8)~PM) % 12 + (value & PM ? 12 : 0);
}

static u8 hours_to(const u8 *cmos, u32 hours)
{
	if (cmos[RTC_B] & RTC_B_24_HOURS)
		return to_register(cmos, hours);
	return (u8)(to_register(cmos, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? PM : 0));
}

/* Days since 1970-01-01 of a date; years begin in March, so that the leap day is the last one. */
static s64 days_of(s64 year, u32 month, u32 day)
{
	s64 y = month <= 2 ? year - 1 : year;
	u32 march = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * march + 2) / 5 + day - 1 - 719468;
}

static void date_of(s64 days, u32 *year, u32 *month, u32 *day)
{
	u64 z = (u64)(days + 719468);
	u64 era = z / 146097, in_era = z % 146097;
	u64 y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	u32 in_year = (u32)(in_era - (365 * y + y / 4 - y / 100));
	u32 march = (5 * in_year + 2) / 153;

	*day = in_year - (153 * march + 2) / 5 + 1;
	*month = march < 10 ? march + 3 : march - 9;
	*year = (u32)(y + era * 400 + (*month <= 2));
}

s64 rtc_decode(const u8 *cmos)
{
	u32 year = from_register(cmos, cmos[RTC_CENTURY]) * 100 + from_register(cmos, cmos[RTC_YEAR]);
	u32 month = (from_register(cmos, cmos[RTC_MONTH]) + 11) % 12 + 1;

	if (year == 0)
		year = 1; /* so that no date lies before the algorithm's year 0 */
	return days_of(year, month, from_register(cmos, cmos[RTC_DAY])) * DAY + hours_from(cmos, cmos[RTC_HOURS]) * HOUR +
	       from_register(cmos, cmos[RTC_MINUTES]) * MINUTE + from_register(cmos, cmos[RTC_SECONDS]);
}

void rtc_encode(u8 *cmos, s64 seconds)
{
	s64 days = seconds / DAY;
	s64 rest = seconds % DAY;
	u32 year, month, day;

	if (rest < 0) {
		rest += DAY;
		days--;
	}
	date_of(days, &year, &month, &day);
	CHECK(month >= 1 && month <= 12 && day >= 1 && day <= 31);
	cmos[RTC_SECONDS] = to_register(cmos, (u32)rest % MINUTE);
	cmos[RTC_MINUTES] = to_register(cmos, (u32)rest / MINUTE % 60);
	cmos[RTC_HOURS] = hours_to(cmos, (u32)rest / HOUR);
	cmos[RTC_WEEKDAY] = to_register(cmos, (u32)((days + 719468 + 3) % 7) + 1); /* 1 is Sunday */
	cmos[RTC_DAY] = to_register(cmos, day);
	cmos[RTC_MONTH] = to_register(cmos, month);
	cmos[RTC_YEAR] = to_register(cmos, year % 100);
	cmos[RTC_CENTURY] = to_register(cmos, year / 100 % 100);
}

static bool any(u8 alarm)
{
	return (alarm & DO_NOT_CARE) == DO_NOT_CARE;
}

static bool matches(u8 alarm, u32 wanted, u32 value)
{
	return any(alarm) || wanted == value;
}

static bool possible(u8 alarm, u32 wanted, u32 limit)
{
	return any(alarm) || wanted < limit;
}

s64 rtc_next_alarm(const u8 *cmos, s64 seconds)
{
	u32 hour = hours_from(cmos, cmos[RTC_HOURS_ALARM]);
	u32 minute = from_register(cmos, cmos[RTC_MINUTES_ALARM]);
	u32 second = from_register(cmos, cmos[RTC_SECONDS_ALARM]);
	s64 start = (seconds % DAY + DAY) % DAY;
	u32 at = (u32)start + 1;

	if (!possible(cmos[RTC_HOURS_ALARM], hour, 24) || !possible(cmos[RTC_MINUTES_ALARM], minute, 60) ||
	    !possible(cmos[RTC_SECONDS_ALARM], second, 60))
		return INT64_MAX;
	for (u32 i = 0; i < ALARM_STEPS; i++) {
		if (!matches(cmos[RTC_HOURS_ALARM], hour, at / HOUR % 24))
			at += (hour + 24 - at / HOUR % 24) % 24 * HOUR - at % HOUR;
		else if (!matches(cmos[RTC_MINUTES_ALARM], minute, at / MINUTE % 60))
			at += (minute + 60 - at / MINUTE % 60) % 60 * MINUTE - at % MINUTE;
		else if (!matches(cmos[RTC_SECONDS_ALARM], second, at % MINUTE))
			at += (second + 60 - at % MINUTE) % 60;
		else
			return seconds + (at - start);
	}
	return INT64_MAX;
}
