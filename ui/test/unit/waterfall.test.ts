// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Call } from '../../src/api/types';
import { parseJson } from '../../src/lib/json';
import { callsOf, headerTitle, pathOf, waterfall } from '../../src/lib/waterfall';

const attempts = (text: string) => parseJson(text) as unknown as Call[];
const round = (n: number | undefined) => Math.round((n ?? Number.NaN) * 100) / 100;

const three = attempts(`[
	{ "step": "a", "attempt": 1, "again": null, "phases_ms": { "queue": 1, "connect": 2, "wait": 7 } },
	{ "step": "a", "attempt": 2, "again": { "why": "asked", "wait_ms": 1000 }, "phases_ms": { "send": 5, "wait": 15 } },
	{ "step": "a", "attempt": 3, "again": { "why": "redirect", "wait_ms": 0.02 }, "phases_ms": { "wait": 5, "body": 5 } } ]`);

describe('waterfall', () => {
	test('attempts with one step after another are one call', () => {
		const calls = callsOf(attempts('[{"step":"a"},{"step":"a"},{"step":"b"},{"step":"a"}]'));
		expect(calls.map((c) => c.map((x) => x.step).join(''))).toEqual(['aa', 'b', 'a']);
		expect(callsOf([])).toEqual([]);
	});

	test('a rest that is longer than the longest attempt is drawn as long as that, and its figure stays', () => {
		const drawn = waterfall(three);
		expect(drawn?.rows[1]?.gap?.ms).toBe(1000);
		expect(drawn?.rows[1]?.gap?.isCut).toBe(true);
		/* 10 of work, 20 of rest, 20 and 10 of work. */
		expect(round(drawn?.rows[1]?.gap?.at)).toBe(16.67);
		expect(round(drawn?.rows[1]?.gap?.width)).toBe(33.33);
		expect(drawn?.ms).toBeCloseTo(1040);
		expect(drawn?.hasCut).toBe(true);
	});

	test('attempts follow each other without overlap to the end of the axis', () => {
		const drawn = waterfall(three);
		let at = 0;
		for (const row of drawn?.rows ?? [])
			for (const s of [row.gap, ...row.segments])
				if (s) {
					expect(s.at).toBeCloseTo(at);
					at = s.at + s.width;
				}
		expect(at).toBeCloseTo(100);
	});

	test('a redirect that is followed at once has no gap', () => {
		expect(waterfall(three)?.rows[2]?.gap).toBeNull();
		expect(waterfall(three)?.phases).toEqual(['queue', 'connect', 'send', 'wait', 'body']);
	});

	test('a limiter that would push everything else aside is cut too', () => {
		const drawn = waterfall(attempts('[{ "step": "a", "phases_ms": { "limiter": 60000, "wait": 10, "body": 10 } }]'));
		expect(drawn?.rows[0]?.segments.map((s) => [s.phase, round(s.width), s.ms, s.isCut])).toEqual([
			['limiter', 50, 60000, true],
			['wait', 25, 10, false],
			['body', 25, 10, false],
		]);
	});

	test('an axis without a cut has round ticks, one with a cut has the corners', () => {
		const plain = waterfall(attempts('[{ "step": "a", "phases_ms": { "connect": 30, "wait": 93 } }]'));
		expect(plain?.ticks.map((t) => t.ms)).toEqual([0, 50, 100]);
		expect(round(plain?.ticks[1]?.at)).toBe(40.65);
		const cut = waterfall(three);
		expect(cut?.ticks.map((t) => [round(t.at), round(t.ms)])).toEqual([
			[0, 0],
			[50, 1010],
			[100, 1040],
		]);
	});

	test('labels of ticks do not run into each other', () => {
		const many = attempts(
			JSON.stringify(
				Array.from({ length: 12 }, (_, i) => ({
					step: 'a',
					again: i ? { why: 'back_off', wait_ms: 500 } : null,
					phases_ms: { wait: 10 },
				})),
			),
		);
		const ticks = waterfall(many)?.ticks ?? [];
		expect(ticks.at(-1)?.at).toBeCloseTo(100);
		for (let i = 1; i < ticks.length; i++) expect((ticks[i]?.at ?? 0) - (ticks[i - 1]?.at ?? 0)).toBeGreaterThan(12.9);
	});

	test('an attempt without an outcome has its row, and damage draws nothing', () => {
		const open = waterfall(
			attempts(
				'[{ "step": "a", "phases_ms": { "wait": 10 } }, { "step": "a", "again": { "why": "back_off", "wait_ms": 5 }, "phases_ms": null }]',
			),
		);
		expect(open?.rows[1]?.segments).toEqual([]);
		expect(open?.rows[1]?.gap?.ms).toBe(5);
		expect(waterfall(attempts('[{ "step": "a", "phases_ms": null }]'))).toBeNull();
		expect(waterfall(attempts('[{ "step": "a", "phases_ms": { "wait": -5, "body": "x", "odd": 7 } }]'))).toBeNull();
		expect(waterfall([])).toBeNull();
	});

	test('names of headers and addresses are written as people write them', () => {
		expect(headerTitle('retry-after')).toBe('Retry-After');
		expect(pathOf('https://api.example.org/v1/a?b=1')).toBe('/v1/a');
		expect(pathOf('https://api.example.org')).toBe('/');
		expect(pathOf('odd')).toBe('odd');
	});
});
