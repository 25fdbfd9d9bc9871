// SPDX-License-Identifier: Apache-2.0
/*
 * From the view's chart to what is drawn. Panels stand on one time axis, one scale each: two scales on one plot invite
 * the eye to compare what cannot be compared.
 */
import type { Panel, View } from '../api/types';
import { plain, toNumber } from './json';
import { axisLabel, moment } from './time';

export interface DrawnSeries {
	name: string;
	label: string;
	isBar: boolean;
	/** 1..6, the palette's place when the component names no colour of ours. */
	place: number;
	color: string;
	unit: string;
	numbers: (number | null)[];
	texts: string[];
}
export interface DrawnPanel {
	title: string;
	unit: string;
	series: DrawnSeries[];
	/** Indexes into series: upper, lower. */
	band: [number, number] | null;
	ticks: number[];
	isShort: boolean;
}
export interface Drawn {
	xs: number[];
	step: number;
	labels: string[];
	longLabels: string[];
	panels: DrawnPanel[];
}

/** Round steps that hold min..max: 1, 2, 5 times a power of ten, about `count` of them. */
export function niceTicks(min: number, max: number, count: number): number[] {
	if (!(max > min)) {
		const pad = Math.abs(min) || 1;
		return niceTicks(min < 0 ? min - pad : Math.min(0, min), min <= 0 ? Math.max(0, min + pad) : min + pad / 2, count);
	}
	const rough = (max - min) / Math.max(1, count);
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = ([1, 2, 5, 10].find((m) => m * power >= rough * 0.999) ?? 10) * power;
	const from = Math.floor(min / step + 1e-9);
	const to = Math.ceil(max / step - 1e-9);
	const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
	return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toFixed(Math.min(digits, 20))));
}

/** Of a few counts the one that leaves least of the panel empty: -10.7 to 6 wants -15 to 10, not -20 to 10. */
export function snugTicks(min: number, max: number, counts: number[]): number[] {
	const span = (t: number[]) => (t[t.length - 1] as number) - (t[0] as number);
	return counts.map((c) => niceTicks(min, max, c)).reduce((best, t) => (span(t) < span(best) * 0.999 ? t : best));
}

const safeColor = (name: string | undefined): string => (name && /^[a-z0-9-]{1,24}$/.test(name) ? name : '');

function drawPanel(panel: Panel, points: number, firstPlace: number): DrawnPanel | null {
	const unit = panel.unit ?? '';
	const series = (panel.series ?? []).map((s, i): DrawnSeries => {
		const values = Array.from({ length: points }, (_, k) => s.values?.[k] ?? null);
		return {
			name: s.name,
			label: s.title ?? s.name,
			isBar: s.kind === 'bar',
			place: ((firstPlace + i) % 6) + 1,
			color: safeColor(s.color),
			unit,
			numbers: values.map(toNumber),
			texts: values.map(plain),
		};
	});
	const all = series.flatMap((s) => s.numbers).filter((n): n is number => n !== null);
	if (series.length === 0 || all.length === 0) return null;
	const hasBars = series.some((s) => s.isBar);
	const isShort = series.every((s) => s.isBar);
	let min = Math.min(...all);
	let max = Math.max(...all);
	/* Bars begin at nought or their length lies; a line near nought may as well show it. */
	if (hasBars || (min > 0 && min < (max - min) * 0.5)) min = Math.min(0, min);
	if (hasBars) max = Math.max(0, max);
	const at = (name: string) => series.findIndex((s) => s.name === name);
	const band: [number, number] | null = panel.band ? [at(panel.band[0]), at(panel.band[1])] : null;
	return {
		title: panel.title ?? series[0]?.label ?? '',
		unit,
		series,
		band: band && band[0] >= 0 && band[1] >= 0 ? band : null,
		ticks: snugTicks(min, max, isShort ? [2] : [3, 4]),
		isShort,
	};
}

/** Null when there is nothing to draw. Times that are no dates stand at equal distances under their own text. */
export function drawChart(chart: View['chart'], language: string): Drawn | null {
	if (!chart || !Array.isArray(chart.time) || chart.time.length === 0 || !Array.isArray(chart.panels)) return null;
	const texts = chart.time.map(plain);
	const moments = texts.map(moment);
	const dated = moments.every((m, i) => m !== null && (i === 0 || m.ms > (moments[i - 1]?.ms ?? 0)));
	const xs = dated ? moments.map((m) => (m as { ms: number }).ms / 1000) : texts.map((_, i) => i);
	let step = Number.POSITIVE_INFINITY;
	for (let i = 1; i < xs.length; i++) step = Math.min(step, (xs[i] as number) - (xs[i - 1] as number));
	if (!Number.isFinite(step)) step = dated ? 86_400 : 1;
	const stepMs = step * 1000;
	const panels: DrawnPanel[] = [];
	let place = 0;
	for (const panel of chart.panels) {
		const drawn = drawPanel(panel, xs.length, place);
		place += panel.series?.length ?? 0;
		if (drawn) panels.push(drawn);
	}
	if (panels.length === 0) return null;
	return {
		xs,
		step,
		labels: texts.map((t) => (dated ? axisLabel(t, language, false, stepMs) : t)),
		longLabels: texts.map((t) => (dated ? axisLabel(t, language, true, stepMs) : t)),
		panels,
	};
}

/** "12.6 °C"; a degree sign or a percent sign alone needs no space. */
export const withUnit = (value: string, unit: string | null | undefined): string =>
	value === '' ? '–' : unit ? `${value}${/^[°%]$/.test(unit) ? '' : '\u00a0'}${unit}` : value;

/** Every which label to draw so that neighbours of `room` px do not touch. */
export function labelStride(points: number, width: number, room: number): number {
	return Math.max(1, Math.ceil((points * room) / Math.max(width, 1)));
}

/** The lowest and highest of a series in its own text, for the sentence that names the chart. */
export function extremes(s: DrawnSeries): { low: string; high: string } | null {
	let low = -1;
	let high = -1;
	s.numbers.forEach((n, i) => {
		if (n === null) return;
		if (low < 0 || n < (s.numbers[low] as number)) low = i;
		if (high < 0 || n > (s.numbers[high] as number)) high = i;
	});
	return low < 0 ? null : { low: withUnit(s.texts[low] ?? '', s.unit), high: withUnit(s.texts[high] ?? '', s.unit) };
}
