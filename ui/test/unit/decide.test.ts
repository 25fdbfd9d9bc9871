// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { writeJson } from '../../src/lib/json';
import { readResult } from '../../src/pages/runs/decide';

test('a result keeps its digits, nothing is none, and what is no JSON is refused', () => {
	expect(writeJson(readResult('{"id": 12345678901234567890, "p": 0.10}')?.value)).toBe(
		'{"id":12345678901234567890,"p":0.10}',
	);
	expect(readResult('  ')).toEqual({});
	expect(readResult('null')).toEqual({ value: null });
	expect(readResult('{')).toBeNull();
	expect(readResult('ja')).toBeNull();
});
