// SPDX-License-Identifier: Apache-2.0
/*
 * The attempts of one call on one axis of time. Attempts take milliseconds and rests between them seconds: a rest that
 * is longer than the longest attempt is drawn as long as that and marked as cut, so that something is left of the
 * attempts. Figures are never cut.
 */
import type { Call } from '../api/types';

/** In the order in which they happen. */
export const phases = ['queue', 'limiter', 'dns', 'connect', 'tls', 'send', 'wait', 'body'] as const;
export type Phase = (typeof phases)[number];

/** Places are per cent of the axis, times are milliseconds. */
export interface Stretch {
	at: number;
	width: number;
	ms: number;
	isCut: boolean;
}
export interface Segment extends Stretch {
	phase: Phase;
}
export interface Row {
	call: Call;
	/** The wait before this attempt; null for a first one, and where nothing was waited for. */
	gap: Stretch | null;
	segments: Segment[];
	ms: number;
}
export interface Tick {
	at: number;
	ms: number;
}
export interface Waterfall {
	rows: Row[];
	/** Those that took time in any of the attempts. */
	phases: Phase[];
	ticks: Tick[];
	ms: number;
	hasGap: boolean;
	hasCut: boolean;
}

const shortestGap = 1; /* ms; a redirect that is followed at once waited for nothing */
const tickRoom = 13; /* per cent of the axis that a label of a tick needs */

/** Attempts that follow each other with one step are one call. */
export function callsOf(attempts: Call[]): Call[][] {
	const calls: Call[][] = [];
	for (const attempt of attempts) {
		const last = calls.at(-1);
		if (last?.[0]?.step === attempt.step) last.push(attempt);
		else calls.push([attempt]);
	}
	return calls;
}

const number = (text: { text: string } | null | undefined): number => {
	const n = Number(text?.text ?? 0);
	return Number.isFinite(n) && n > 0 ? n : 0;
};

const lengths = (call: Call) =>
	phases.map((phase) => ({ phase, ms: number(call.phases_ms?.[phase]) })).filter(({ ms }) => ms > 0);

/** Steps of 1, 2 or 5 times a power of ten from 0, at most `most` of them, none beyond `end`. */
function roundTicks(end: number, most: number): number[] {
	const power = 10 ** Math.floor(Math.log10(end / most));
	const step = ([1, 2, 5, 10].find((m) => end / (m * power) <= most) ?? 10) * power;
	return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Null when there is nothing to draw: no attempt has a time yet. */
export function waterfall(attempts: Call[]): Waterfall | null {
	const measured = attempts.map((call) => ({ call, wait: number(call.again?.wait_ms), parts: lengths(call) }));
	const work = measured.map(({ parts }) => parts.reduce((sum, p) => sum + (p.phase === 'limiter' ? 0 : p.ms), 0));
	const longest = Math.max(0, ...work);
	const drawn = (ms: number) => (longest > 0 && ms > longest ? longest : ms);

	const rows: Row[] = [];
	const corners: Tick[] = [{ at: 0, ms: 0 }];
	let at = 0;
	let now = 0;
	for (const { call, wait, parts } of measured) {
		const stretch = (ms: number, mayCut: boolean): Stretch => {
			const width = mayCut ? drawn(ms) : ms;
			const made = { at, width, ms, isCut: width < ms };
			at += width;
			now += ms;
			return made;
		};
		const gap = wait >= shortestGap ? stretch(wait, true) : null;
		if (gap) corners.push({ at, ms: now });
		const segments = parts.map(({ phase, ms }) => ({ phase, ...stretch(ms, phase === 'limiter') }));
		rows.push({ call, gap, segments, ms: parts.reduce((sum, p) => sum + p.ms, 0) });
	}
	if (at === 0) return null;
	corners.push({ at, ms: now });

	const scale = (s: Stretch | Tick) => {
		s.at *= 100 / at;
		if ('width' in s) s.width *= 100 / at;
	};
	for (const row of rows) for (const s of [row.gap, ...row.segments]) if (s) scale(s);
	const hasCut = rows.some((r) => r.gap?.isCut || r.segments.some((s) => s.isCut));
	for (const c of corners) scale(c);
	/* Of an axis with a cut only the corners have a true place; the end is worth more than what stands close before it. */
	const ticks = hasCut
		? corners.filter((c, i) => {
				const end = corners.at(-1) as Tick;
				const before = corners
					.slice(0, i)
					.filter((b) => b !== end)
					.at(-1);
				return c === end || i === 0 || (end.at - c.at >= tickRoom && c.at - (before?.at ?? -100) >= tickRoom);
			})
		: roundTicks(now, 5).map((ms) => ({ at: (ms * 100) / now, ms }));
	return {
		rows,
		phases: phases.filter((p) => rows.some((r) => r.segments.some((s) => s.phase === p))),
		ticks,
		ms: now,
		hasGap: rows.some((r) => r.gap),
		hasCut,
	};
}

/** "Retry-After", as the header is written, out of its name in lower case. */
export const headerTitle = (lower: string): string => lower.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase());

/** The path of an address where that says enough. */
export function pathOf(url: string): string {
	const path = /^https?:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1];
	return path === undefined ? url : path || '/';
}
