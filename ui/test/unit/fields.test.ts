// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Field } from '../../src/api/types';
import { checkField, fieldOfPointer, numberText, toData } from '../../src/lib/fields';
import { Num, writeJson } from '../../src/lib/json';

const field = (more: Partial<Field>): Field => ({ name: 'x', type: 'string', ...more });
const n = (text: string) => new Num(text);

describe('checks before sending', () => {
	test.each<[string, Partial<Field>, string | null, string | null]>([
		['empty and required', { required: true }, '', 'invalid.required'],
		['only spaces and required', { required: true }, '   ', 'invalid.required'],
		['empty and optional', {}, '', null],
		['too short', { min_length: n('2') }, 'a', 'invalid.tooShort'],
		['too long', { max_length: n('3') }, 'abcd', 'invalid.tooLong'],
		['an emoji is one character', { max_length: n('1') }, '🌧', null],
		['no number', { type: 'number' }, 'twelve', 'invalid.number'],
		['a decimal comma', { type: 'number' }, '12,5', null],
		['no integer', { type: 'integer' }, '12.5', 'invalid.integer'],
		['below the limit', { type: 'number', minimum: n('0') }, '-0.1', 'invalid.tooSmall'],
		['above the limit', { type: 'number', maximum: n('140.5') }, '141', 'invalid.tooLarge'],
		['on the limit', { type: 'number', maximum: n('140.5') }, '140.5', null],
		['no address', { type: 'uri' }, 'example', 'invalid.uri'],
		['an address', { type: 'uri' }, 'https://example.org/a', null],
		['no such choice', { type: 'catalog', enum: ['a', 'b'] }, 'c', 'invalid.choice'],
		['a choice', { type: 'catalog', enum: ['a', { value: 'b', title: 'B' }] }, 'b', null],
		['a choice missing', { type: 'catalog', enum: ['a'], required: true }, '', 'invalid.requiredChoice'],
		['choices of a list', { type: 'array', enum: ['a', 'b'] }, 'a\nb', null],
		['no such choice in a list', { type: 'array', enum: ['a', 'b'] }, 'a\nc', 'invalid.choice'],
		['too many values', { type: 'array', max_length: n('1') }, 'a\nb', 'invalid.tooMany'],
	])('%s', (_, more, value, id) => {
		expect(checkField(field(more), value)?.id ?? null).toBe(id);
	});
});

describe('numbers as people write them', () => {
	test.each([
		['12.5', '12.5'],
		['12,5', '12.5'],
		['1 234,50', '1234.50'],
		['1\u202f234,50', '1234.50'],
		['\u22126.3', '-6.3'],
		['+7', '7'],
		['007', '7'],
		['0.1000', '0.1000'],
		['1,234.5', null],
		['1.2.3', null],
		['', null],
		['abc', null],
	])('%j is %j', (typed, text) => {
		expect(numberText(typed)).toBe(text);
	});
});

describe('what is sent', () => {
	test('a number goes out with its digits', () => {
		expect(
			writeJson({
				data: {
					a: toData(field({ type: 'number' }), '0,1000'),
					b: toData(field({ type: 'integer' }), '9007199254740993'),
				},
			}),
		).toBe('{"data":{"a":0.1000,"b":9007199254740993}}');
	});
	test('an empty optional field is left out, false is sent', () => {
		expect(writeJson({ a: toData(field({}), ''), b: toData(field({ type: 'boolean' }), false) })).toBe('{"b":false}');
	});
	test('lines become a list, without empty ones', () => {
		expect(toData(field({ type: 'array' }), 'a\n\n b \n')).toEqual(['a', 'b']);
	});
	test('a choice keeps its type', () => {
		expect(writeJson(toData(field({ type: 'catalog', enum: [n('7'), n('14')] }), '14'))).toBe('14');
	});
});

test('a pointer finds its field, also from inside a list and with escapes', () => {
	expect(['/data/city', '/data/tags/0', '/data/a~1b~0c', '/language', ''].map(fieldOfPointer)).toEqual([
		'city',
		'tags',
		'a/b~c',
		null,
		null,
	]);
});
