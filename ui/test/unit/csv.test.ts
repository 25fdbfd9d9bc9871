// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { toCsv } from '../../src/lib/csv';
import { Num } from '../../src/lib/json';

const body = (rows: unknown[][]) => toCsv(['h'], rows).replace('\ufeffh\r\n', '');

test('begins with a byte order mark and ends each record with CRLF', () => {
	expect(toCsv(['a', 'b'], [['1', '2']])).toBe('\ufeffa,b\r\n1,2\r\n');
});
test('numbers keep their text', () => {
	expect(body([[new Num('0.1000'), new Num('-6.30')]])).toBe('0.1000,-6.30\r\n');
});
test('quotes, commas and line breaks are quoted', () => {
	expect(body([['say "so"', 'a,b', 'x\ny']])).toBe('"say ""so""","a,b","x\ny"\r\n');
});
test.each(['=1+1', '+SUM(A1)', '-cmd', '@x', '\tx'])('a formula is made text: %j', (text) => {
	expect(body([[text]])).toContain(`'${text}`);
});
test('a missing value is an empty cell', () => {
	expect(body([[null, undefined, 'x']])).toBe(',,x\r\n');
});
