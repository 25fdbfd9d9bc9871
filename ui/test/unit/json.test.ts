// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { Num, parseJson, plain, Raw, toNumber, writeJson } from '../../src/lib/json';

describe('lossless JSON', () => {
	test.each(['0.1000', '9007199254740993', '-0', '1e400', '12345678901234567890', '1.50E-7'])(
		'a number keeps its text: %s',
		(text) => {
			const value = parseJson(`{"n":${text}}`) as { n: Num };
			expect(value.n).toBeInstanceOf(Num);
			expect(value.n.text).toBe(text);
			expect(writeJson(value)).toBe(`{"n":${text}}`);
		},
	);

	test('everything else is what JSON.parse says', () => {
		const text = '{"a":[true,false,null,"x\\u00e9\\n\\"q\\""],"":{},"b":[],"c":{"d":[[]]}}';
		expect(JSON.parse(writeJson(parseJson(text)))).toEqual(JSON.parse(text));
	});

	test.each([
		'',
		'{',
		'[1,]',
		'{"a":1,}',
		'{"a" 1}',
		'01',
		'1.',
		'.5',
		'+1',
		'nul',
		'"a',
		'"a\nb"',
		'[1] 2',
		'{a:1}',
		"['x']",
		'NaN',
		'["\\x"]',
		'[1 2]',
		'{"a":1]',
	])('what is not JSON is refused: %j', (text) => {
		expect(() => parseJson(text)).toThrow(SyntaxError);
	});

	test('depth is limited, so a hostile answer cannot end the page', () => {
		expect(() => parseJson('['.repeat(100_000))).toThrow(/too deep/);
	});

	test('a member named __proto__ is data', () => {
		const value = parseJson('{"__proto__":{"x":1}}') as Record<string, unknown>;
		expect(Object.keys(value)).toEqual(['__proto__']);
		expect(({} as Record<string, unknown>).x).toBeUndefined();
	});

	test('a raw member comes back as its source', () => {
		const value = parseJson('{"input": {"b":1, "a":0.10, "b":2} ,"seq":3}', new Set(['input'])) as { input: Raw };
		expect(value.input).toBeInstanceOf(Raw);
		expect(value.input.text).toBe('{"b":1, "a":0.10, "b":2}');
	});

	test('a cell shows data as it was sent', () => {
		expect(plain(parseJson('0.1000'))).toBe('0.1000');
		expect(plain(parseJson('["a",1.0,null]'))).toBe('a, 1.0, ');
		expect(plain(parseJson('{"a":1.0}'))).toBe('{"a":1.0}');
		expect(plain(null)).toBe('');
		expect(plain(false)).toBe('false');
	});

	test('drawing takes finite numbers and leaves gaps for the rest', () => {
		expect(['12.5', '1e400', '0'].map((t) => toNumber(new Num(t)))).toEqual([12.5, null, 0]);
		expect([null, '', true, 'x', '7'].map((v) => toNumber(v))).toEqual([null, null, null, null, 7]);
	});
});
