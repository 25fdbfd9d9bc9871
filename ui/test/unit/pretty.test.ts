// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { oneLine, pretty, prettyText } from '../../src/lib/pretty';

const squeeze = (text: string) => text.replace(/\s+/g, '');

describe('pretty printer', () => {
	test('moves white space and nothing else', () => {
		const text =
			'{"b":0.1000,"a":1e400,"b":9007199254740993,"s":"x\\u00e9\\/","l":[1.0,2.50,[{}]],"n":null,"e":{},"t":true}';
		expect(squeeze(prettyText(text))).toBe(squeeze(text));
		expect(JSON.parse(prettyText(text))).toEqual(JSON.parse(text));
	});

	test('indents objects and keeps short lists of plain values on one line', () => {
		expect(prettyText('{"a":{"b":[1,2,3]},"c":[]}')).toBe('{\n  "a": {\n    "b": [1, 2, 3]\n  },\n  "c": []\n}');
	});

	test('opens a list that is too long for a line', () => {
		const text = JSON.stringify(Array.from({ length: 40 }, (_, i) => `value ${i}`));
		expect(pretty(text)?.lines.length).toBe(42);
	});

	test('white space inside strings stays', () => {
		expect(prettyText('{"a b":"c  d:,{}[]"}')).toBe('{\n  "a b": "c  d:,{}[]"\n}');
	});

	test.each(['{"a":[1,2', '{"a":"tex', '{"a":tr', '[1,2,', '{"a"', '{"a":"x\\'])(
		'a body cut off is shown up to the cut: %s',
		(text) => {
			const result = pretty(text);
			expect(result?.complete).toBe(false);
			expect(squeeze(result?.lines.map((l) => l.tokens.map((t) => t.text).join('')).join('') ?? '')).toBe(
				squeeze(text),
			);
		},
	);

	test.each(['', '   ', '<html></html>', 'plain words', '{"a":1]', '{"a":undefined}', 'a,b\n1,2'])(
		'what is not JSON is left alone: %j',
		(text) => {
			expect(pretty(text)).toBeNull();
			expect(prettyText(text)).toBe(text);
		},
	);

	test('64 KiB of JSON takes less than 200 ms', () => {
		const text = JSON.stringify(
			Array.from({ length: 900 }, (_, i) => ({ id: i, name: `person number ${i}`, ok: i % 2 === 0 })),
		);
		const from = performance.now();
		expect(pretty(text)?.complete).toBe(true);
		expect(performance.now() - from).toBeLessThan(200);
	});

	test('a hint has one line and a sign where it was cut', () => {
		expect(oneLine('{\n  "a": 1\n}', 20)).toBe('{ "a": 1 }');
		expect(oneLine('x'.repeat(50), 10)).toBe(`${'x'.repeat(10)}…`);
	});
});
