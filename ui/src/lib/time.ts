// SPDX-License-Identifier: Apache-2.0
/* Points in time as data writes them: a plain date has no zone and must not move by one; an instant is shown where the reader is. */

const dateOnly = /^\d{4}-\d{2}-\d{2}$/;
const zoned = /^\d{4}-\d{2}-\d{2}[T ].*(?:Z|[+-]\d{2}:?\d{2})$/;
const wall = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/;

export interface Moment {
	ms: number;
	/** The zone to format in: UTC for what has no zone. */
	zone: 'UTC' | undefined;
	hasTime: boolean;
}

export function moment(text: string): Moment | null {
	const hasDate = dateOnly.test(text);
	if (!hasDate && !wall.test(text)) return null;
	const isZoned = zoned.test(text);
	const iso = hasDate || isZoned ? text : `${text.replace(' ', 'T')}Z`;
	const ms = Date.parse(iso);
	return Number.isNaN(ms) ? null : { ms, zone: isZoned ? undefined : 'UTC', hasTime: !hasDate };
}

const cache = new Map<string, Intl.DateTimeFormat>();
function format(language: string, options: Intl.DateTimeFormatOptions, ms: number): string {
	const key = language + JSON.stringify(options);
	let f = cache.get(key);
	if (!f) {
		f = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, options);
		cache.set(key, f);
	}
	return f.format(ms).replace(/,(?= \d)/, '');
}

/** "19 Nov, 14:02", with the year when it is not this one. */
export function shortDateTime(text: string, language: string, now = Date.now()): string {
	const m = moment(text);
	if (!m) return text;
	const sameYear = new Date(m.ms).getFullYear() === new Date(now).getFullYear();
	const date = format(
		language,
		{ day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }), timeZone: m.zone },
		m.ms,
	);
	if (!m.hasTime) return date;
	return `${date}, ${format(language, { hour: '2-digit', minute: '2-digit', timeZone: m.zone }, m.ms)}`;
}

export function exactDateTime(text: string, language: string, withMs = false): string {
	const m = moment(text);
	if (!m) return text;
	const parts: Intl.DateTimeFormatOptions = {
		day: 'numeric',
		month: 'short',
		year: 'numeric',
		hour: '2-digit',
		minute: '2-digit',
		second: '2-digit',
	};
	return format(language, { ...parts, ...(withMs ? { fractionalSecondDigits: 3 } : {}), timeZone: m.zone }, m.ms);
}

/** "Tue 24" under an axis, "Tue 24 Nov" in a header; hours when the points are closer than a day. */
export function axisLabel(text: string, language: string, long: boolean, stepMs: number): string {
	const m = moment(text);
	if (!m) return text;
	const timeZone = m.zone;
	if (m.hasTime && stepMs < 86_400_000 * 0.9) {
		const hour = format(language, { hour: '2-digit', minute: '2-digit', timeZone }, m.ms);
		return long
			? `${format(language, { weekday: 'short', day: 'numeric', month: 'short', timeZone }, m.ms)}, ${hour}`
			: hour;
	}
	if (stepMs > 86_400_000 * 300) return format(language, { year: 'numeric', timeZone }, m.ms);
	if (stepMs > 86_400_000 * 27)
		return format(language, { month: 'short', year: long ? 'numeric' : undefined, timeZone }, m.ms);
	return format(language, { weekday: 'short', day: 'numeric', ...(long ? { month: 'short' } : {}), timeZone }, m.ms);
}

/** A value of a column typed date, time or datetime, for a table cell. */
export function dateCell(text: string, language: string): string {
	const m = moment(text);
	if (!m) return text;
	return m.hasTime
		? shortDateTime(text, language)
		: format(language, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }, m.ms);
}
