// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { View } from '../../src/api/types';
import { drawChart, extremes, labelStride, niceTicks, snugTicks, withUnit } from '../../src/lib/chart';
import { parseJson } from '../../src/lib/json';
import { cellText, heading, tableOf } from '../../src/lib/table';

const view = parseJson(`{
	"chart": { "time": ["2026-11-19", "2026-11-20", "2026-11-21"], "panels": [
		{ "title": "Temperature", "unit": "°C", "band": ["max", "min"], "series": [
			{ "name": "max", "kind": "line", "color": "max", "values": [11.80, null, 13.1] },
			{ "name": "min", "kind": "line", "color": "min", "values": [6.4, 5.0, 8.0] } ] },
		{ "title": "Rain", "unit": "mm", "series": [ { "name": "rain", "kind": "bar", "values": [2.1, 0, 8.20] } ] } ] }
}`) as unknown as View;

describe('chart model', () => {
	const drawn = drawChart(view.chart, 'en');

	test('each unit has a panel and a scale of its own, over one time axis', () => {
		expect(drawn?.panels.map((p) => [p.title, p.unit, p.isShort])).toEqual([
			['Temperature', '°C', false],
			['Rain', 'mm', true],
		]);
		expect(drawn?.xs).toHaveLength(3);
		expect(drawn?.step).toBe(86_400);
	});

	test('a null is a gap and numbers keep their text', () => {
		expect(drawn?.panels[0]?.series[0]?.numbers).toEqual([11.8, null, 13.1]);
		expect(drawn?.panels[0]?.series[0]?.texts).toEqual(['11.80', '', '13.1']);
	});

	test('a plain date is the same day in every zone and language', () => {
		expect(drawn?.labels).toEqual(['Thu 19', 'Fri 20', 'Sat 21']);
		expect(drawChart(view.chart, 'fr')?.longLabels[0]).toBe('jeu. 19 nov.');
	});

	test('bars stand on nought', () => {
		expect(drawn?.panels[1]?.ticks[0]).toBe(0);
		expect(drawn?.panels[1]?.ticks.at(-1)).toBeGreaterThanOrEqual(8.2);
	});

	test('a band names its series', () => {
		expect(drawn?.panels[0]?.band).toEqual([0, 1]);
		expect(drawn?.panels[1]?.band).toBeNull();
	});

	test('a colour that is no plain name is dropped', () => {
		const chart = { time: ['a', 'b'], panels: [{ series: [{ name: 's', color: 'red;} x', values: ['1', '2'] }] }] };
		expect(drawChart(chart, 'en')?.panels[0]?.series[0]?.color).toBe('');
	});

	test('times that are no dates stand at equal distances', () => {
		const chart = { time: ['low', 'middle', 'high'], panels: [{ series: [{ name: 's', values: ['1', '2', '3'] }] }] };
		expect(drawChart(chart, 'en')).toMatchObject({ xs: [0, 1, 2], labels: ['low', 'middle', 'high'] });
	});

	test.each([null, undefined, { time: [], panels: [] }, { time: ['2026-01-01'], panels: [{ series: [] }] }])(
		'nothing to draw is null: %j',
		(chart) => {
			expect(drawChart(chart as View['chart'], 'en')).toBeNull();
		},
	);

	test('extremes skip gaps', () => {
		const [max] = drawn?.panels[0]?.series ?? [];
		expect(max && extremes(max)).toEqual({ low: '11.80\u00a0°C', high: '13.1\u00a0°C' });
	});
});

describe('scales', () => {
	test.each([
		[0, 13.1, 3, [0, 5, 10, 15]],
		[0, 8.2, 2, [0, 5, 10]],
		[-8.9, 2.1, 3, [-10, -5, 0, 5]],
		[0.1, 0.35, 3, [0.1, 0.2, 0.3, 0.4]],
		[5, 5, 2, [0, 5, 10]],
	])('%d to %d in about %d steps', (min, max, count, ticks) => {
		expect(niceTicks(min, max, count)).toEqual(ticks);
	});

	test('flat nought and huge spans have ticks that hold them', () => {
		for (const [min, max] of [
			[0, 0],
			[-3, -3],
			[1e-9, 2e-9],
			[-1e12, 1e12],
		] as const) {
			const ticks = niceTicks(min, max, 3);
			expect(ticks.length).toBeGreaterThan(1);
			expect(ticks.length).toBeLessThan(9);
			expect(ticks[0]).toBeLessThanOrEqual(min);
			expect(ticks.at(-1)).toBeGreaterThanOrEqual(max);
		}
	});

	test('little of a panel is left empty', () => {
		expect(snugTicks(-10.7, 6, [3, 4])).toEqual([-15, -10, -5, 0, 5, 10]);
		expect(snugTicks(0, 13.1, [3, 4])).toEqual([0, 5, 10, 15]);
	});

	test('labels are thinned out until they fit', () => {
		expect(labelStride(7, 700, 58)).toBe(1);
		expect(labelStride(7, 250, 58)).toBe(2);
		expect(labelStride(384, 700, 58)).toBe(32);
	});

	test('units follow values', () => {
		expect(withUnit('12.6', '°C')).toBe('12.6\u00a0°C');
		expect(withUnit('80', '%')).toBe('80%');
		expect(withUnit('', 'mm')).toBe('–');
	});
});

describe('table model', () => {
	test('a view without a table gets one from its chart', () => {
		const table = tableOf(view);
		expect(table?.columns.map((c) => heading(c.title ?? '', c.unit))).toEqual(['', 'max °C', 'min °C', 'rain mm']);
		expect(table?.rows[2] && Object.values(table.rows[2]).map((v) => cellText(v, undefined, 'en'))).toEqual([
			'2026-11-21',
			'13.1',
			'8.0',
			'8.20',
		]);
	});

	test('dates are written in the language, missing values as a dash', () => {
		expect(cellText('2026-11-19', 'date', 'en')).toBe('Thu 19 Nov');
		expect(cellText('2026-11-19', 'date', 'fr')).toBe('jeu. 19 nov.');
		expect(cellText(undefined, 'number', 'en')).toBe('–');
		expect(cellText('not a date', 'date', 'en')).toBe('not a date');
	});
});
