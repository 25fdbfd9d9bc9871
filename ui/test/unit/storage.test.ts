// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { StepFacts } from '../../src/api/types';
import { readRule } from '../../src/lib/prune';
import { share, sizeText } from '../../src/lib/size';
import { isUnkeyed, sends, stepsFrom } from '../../src/lib/steps';

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');

describe('sizes', () => {
	test.each([
		[0, '0 bytes', '0 octet'],
		[1, '1 byte', '1 octet'],
		[999, '999 bytes', '999 octets'],
		[1000, '1 kB', '1 ko'],
		[999_499, '999 kB', '999 ko'],
		[999_500, '1 MB', '1 Mo'],
		[81_838_080, '81.8 MB', '81,8 Mo'],
		[1_500_000_000, '1.5 GB', '1,5 Go'],
		[3e15, '3 PB', '3 Po'],
		[4e18, '4,000 PB', '4000 Po'],
	])('%d in both languages', (bytes, en, fr) => {
		expect(plain(sizeText(bytes, 'en'))).toBe(en);
		expect(plain(sizeText(bytes, 'fr')).replace(/(\d) (?=\d)/g, '$1')).toBe(fr);
	});
	test('a share of nothing is nothing', () => {
		expect(share(5, 0)).toBe(0);
		expect(share(1, 4)).toBe(0.25);
		expect(share(9, 4)).toBe(1);
	});
});

describe('a rule', () => {
	const rule = (days: string, keep: string, states: string[] = []) => readRule({ days, keep, states });
	test('is what the server takes, and only what was said', () => {
		expect(rule(' 30 ', '').body).toEqual({ older_than: '30d' });
		expect(rule('', '5').body).toEqual({ keep: 5 });
		expect(rule('1', '2', ['failed']).body).toEqual({ older_than: '1d', keep: 2, states: ['failed'] });
	});
	test('that says nothing is none', () => {
		expect(rule(' ', '')).toEqual({ body: null, wrong: [], isEmpty: true });
	});
	test.each(['0', '-1', '1.5', '1e3', 'x', '1000001', '99999999'])('with %s is wrong', (text) => {
		expect(rule(text, text)).toEqual({ body: null, wrong: ['days', 'keep'], isEmpty: false });
	});
});

describe('steps', () => {
	const step = (name: string, source_step: string | null, promise: string | null = null) =>
		({ name, source_step, promise }) as StepFacts;
	const steps = [
		step('input', null),
		step('lookup', 'input', 'at least once: GET may be repeated'),
		step('save', 'push', 'exactly once: the entry and the note are one transaction'),
		step('push', 'lookup', 'at most once: POST without key'),
		step('other', 'input'),
		step('mend', 'push', 'at least once: PUT may be repeated'),
	];
	test('those behind one are found whatever their order', () => {
		expect(stepsFrom(steps, 'push').map((s) => s.name)).toEqual(['save', 'push', 'mend']);
		expect(stepsFrom(steps, 'input').map((s) => s.name)).toHaveLength(6);
		expect(stepsFrom(steps, 'other').map((s) => s.name)).toEqual(['other']);
	});
	test('calls are told from entries, and those without a key from the others', () => {
		expect(steps.filter(sends).map((s) => s.name)).toEqual(['lookup', 'push', 'mend']);
		expect(steps.filter(isUnkeyed).map((s) => s.name)).toEqual(['push']);
	});
});
