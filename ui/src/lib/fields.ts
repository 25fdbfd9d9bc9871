// SPDX-License-Identifier: Apache-2.0
/*
 * What a person typed, checked in the browser for kindness; the server checks again for truth. Values stay text until
 * they are sent: a number goes out with the digits that were typed.
 */
import type { Choice, Field } from '../api/types';
import { type Json, Num, plain, toNumber } from './json';

/** A file that is in Weir's folder already: uploaded when it was chosen. */
export interface FileValue {
	file: string;
	name: string;
	media_type: string;
	bytes: Num;
}
/** Text for all but boolean and file. */
export type FieldValue = string | boolean | FileValue | null;

export type Complaint =
	| {
			id:
				| 'invalid.required'
				| 'invalid.requiredChoice'
				| 'invalid.number'
				| 'invalid.integer'
				| 'invalid.uri'
				| 'invalid.date'
				| 'invalid.choice';
	  }
	| { id: 'invalid.tooShort' | 'invalid.tooLong' | 'invalid.tooFew' | 'invalid.tooMany'; count: number }
	| { id: 'invalid.tooSmall' | 'invalid.tooLarge'; limit: string }
	| { id: 'invalid.fromServer'; detail: string };

export const limit = (n: Num | null | undefined): number | null => toNumber(n ?? null);

export const choiceValue = (c: Choice): Json =>
	c !== null && typeof c === 'object' && !Array.isArray(c) && !(c instanceof Num) && 'value' in c
		? ((c as { value: Json }).value ?? null)
		: (c as Json);

export const emptyValue = (field: Field): FieldValue => {
	if (field.type === 'boolean') return field.default === true;
	if (field.type === 'file') return null;
	if (Array.isArray(field.default)) return field.default.map(plain).join('\n');
	return field.default === undefined || field.default === null ? '' : plain(field.default);
};

/**
 * Numbers as people write them here: a comma or a point before the decimals, white space between thousands. Two
 * different marks, or one repeated, could mean either, so they are refused rather than guessed.
 */
export function numberText(typed: string): string | null {
	const text = typed
		.replace(/[\s\u00a0\u202f]/g, '')
		.replace(/^\u2212/, '-')
		.replace(/^\+/, '')
		.replace(',', '.');
	if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return null;
	return text.replace(/^(-?)0+(?=\d)/, '$1');
}

export const lines = (typed: string): string[] =>
	typed
		.split('\n')
		.map((l) => l.trim())
		.filter(Boolean);

const isUri = (text: string): boolean => {
	try {
		return /^[a-z][a-z0-9+.-]*:/i.test(text) && Boolean(new URL(text));
	} catch {
		return false;
	}
};

export const isChoice = (field: Field): boolean => Boolean(field.enum?.length) && field.type !== 'array';

export function checkField(field: Field, value: FieldValue): Complaint | null {
	if (value === null || value === '' || (typeof value === 'string' && value.trim() === ''))
		return field.required ? { id: isChoice(field) ? 'invalid.requiredChoice' : 'invalid.required' } : null;
	if (typeof value !== 'string') return null;
	const shortest = limit(field.min_length);
	const longest = limit(field.max_length);
	if (field.type === 'number' || field.type === 'integer') {
		const text = numberText(value);
		if (text === null) return { id: 'invalid.number' };
		if (field.type === 'integer' && !/^-?\d+$/.test(text)) return { id: 'invalid.integer' };
		const low = limit(field.minimum);
		const high = limit(field.maximum);
		if (low !== null && Number(text) < low) return { id: 'invalid.tooSmall', limit: plain(field.minimum) };
		if (high !== null && Number(text) > high) return { id: 'invalid.tooLarge', limit: plain(field.maximum) };
		return null;
	}
	if (field.type === 'date' || field.type === 'datetime' || field.type === 'time')
		return value === 'invalid' ? { id: 'invalid.date' } : null;
	const isList = field.type === 'array';
	const keys = field.enum?.map((c) => plain(choiceValue(c)));
	if (keys?.length && !(isList ? lines(value) : [value]).every((v) => keys.includes(v)))
		return { id: 'invalid.choice' };
	if (field.type === 'uri' && !isUri(value.trim())) return { id: 'invalid.uri' };
	/* The server counts characters, not UTF-16 halves. */
	const length = isList ? lines(value).length : [...value].length;
	if (shortest !== null && length < shortest)
		return { id: isList ? 'invalid.tooFew' : 'invalid.tooShort', count: shortest };
	if (longest !== null && length > longest)
		return { id: isList ? 'invalid.tooMany' : 'invalid.tooLong', count: longest };
	return null;
}

/** What goes into `data`; undefined leaves the member out. */
export function toData(field: Field, value: FieldValue): unknown {
	if (typeof value === 'boolean') return value;
	if (value === null || value === '') return undefined;
	if (typeof value !== 'string') return value;
	switch (field.type) {
		case 'number':
		case 'integer': {
			const text = numberText(value);
			return text === null ? undefined : new Num(text);
		}
		case 'array':
			return lines(value).map((line) => field.enum?.map(choiceValue).find((c) => plain(c) === line) ?? line);
		default: {
			const choice = field.enum?.map(choiceValue).find((c) => plain(c) === value);
			return choice ?? (field.type === 'uri' || field.type === 'string' ? value.trim() || undefined : value);
		}
	}
}

/** `/data/city` and `/data/city/0` both stand beside the field "city". RFC 6901 escapes. */
export function fieldOfPointer(pointer: string): string | null {
	const m = /^\/data\/([^/]+)/.exec(pointer);
	return m?.[1] === undefined ? null : m[1].replaceAll('~1', '/').replaceAll('~0', '~');
}
