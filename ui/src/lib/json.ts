// SPDX-License-Identifier: Apache-2.0
/*
 * JSON that keeps the text of its numbers. JSON.parse turns 0.1000 into 0.1 and 9007199254740993 into a neighbour;
 * both would be a lie on a page that shows what a system answered.
 */

/** A number as it was written. It compares and computes like a number, and prints like its source. */
export class Num {
	constructor(readonly text: string) {}
	valueOf(): number {
		return Number(this.text);
	}
	toString(): string {
		return this.text;
	}
}

/** A member that is shown, not read: its source, untouched. Key order and repeated keys survive this way too. */
export class Raw {
	constructor(readonly text: string) {}
}

export type Json = null | boolean | string | Num | Raw | Json[] | { [key: string]: Json };

const none: ReadonlySet<string> = new Set();
const token =
	/\s*(?:([{}[\],:])|("[^"\\]*(?:\\[\s\S][^"\\]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y;
const maxDepth = 512;

/** Parses all of `text` or throws SyntaxError. Members named in `raw` come back as Raw. */
export function parseJson(text: string, raw: ReadonlySet<string> = none): Json {
	let at = 0;
	const next = (): RegExpExecArray => {
		token.lastIndex = at;
		const found = token.exec(text);
		if (!found) throw new SyntaxError(`JSON: unexpected text at character ${at}`);
		at = token.lastIndex;
		return found;
	};
	const peek = (): string | undefined => /\S/.exec(text.slice(at, at + 64))?.[0] ?? text.slice(at).trimStart()[0];
	const expect = (mark: string) => {
		if (next()[1] !== mark) throw new SyntaxError(`JSON: expected ${mark} before character ${at}`);
	};
	const value = (depth: number): Json => {
		if (depth > maxDepth) throw new SyntaxError('JSON: too deep');
		const [, mark, string, number, word] = next();
		if (string !== undefined) return JSON.parse(string) as string;
		if (number !== undefined) return new Num(number);
		if (word !== undefined) return word === 'null' ? null : word === 'true';
		if (mark === '[') {
			const list: Json[] = [];
			if (peek() === ']') {
				expect(']');
				return list;
			}
			for (;;) {
				list.push(value(depth + 1));
				const after = next()[1];
				if (after === ']') return list;
				if (after !== ',') throw new SyntaxError(`JSON: expected , or ] before character ${at}`);
			}
		}
		if (mark !== '{') throw new SyntaxError(`JSON: unexpected ${mark} before character ${at}`);
		/* No prototype: a member called __proto__ is a member, nothing else. */
		const object: { [key: string]: Json } = Object.create(null);
		if (peek() === '}') {
			expect('}');
			return object;
		}
		for (;;) {
			const key = next()[2];
			if (key === undefined) throw new SyntaxError(`JSON: expected a name before character ${at}`);
			expect(':');
			const name = JSON.parse(key) as string;
			const from = at;
			const member = value(depth + 1);
			object[name] = raw.has(name) ? new Raw(text.slice(from, at).trim()) : member;
			const after = next()[1];
			if (after === '}') return object;
			if (after !== ',') throw new SyntaxError(`JSON: expected , or } before character ${at}`);
		}
	};
	const result = value(0);
	if (text.slice(at).trim()) throw new SyntaxError(`JSON: text after the end, at character ${at}`);
	return result;
}

/** The other way round, compact; Num and Raw go out as they came in. */
export function writeJson(value: unknown): string {
	if (value instanceof Num || value instanceof Raw) return value.text;
	if (Array.isArray(value)) return `[${value.map((v) => writeJson(v ?? null)).join(',')}]`;
	if (value !== null && typeof value === 'object')
		return `{${Object.entries(value)
			.filter(([, v]) => v !== undefined)
			.map(([k, v]) => `${JSON.stringify(k)}:${writeJson(v)}`)
			.join(',')}}`;
	return JSON.stringify(value ?? null);
}

/** What a cell or a headline shows for a value: data is never localised, and never rounded. */
export function plain(value: unknown): string {
	if (value === null || value === undefined) return '';
	if (typeof value === 'string') return value;
	if (value instanceof Num) return value.text;
	if (Array.isArray(value) && value.every((v) => v === null || typeof v !== 'object' || v instanceof Num))
		return value.map(plain).join(', ');
	return writeJson(value);
}

/** A finite number for drawing, or null for a gap. */
export function toNumber(value: unknown): number | null {
	if (value === null || value === undefined || value === '' || typeof value === 'boolean') return null;
	const n = Number(value);
	return Number.isFinite(n) ? n : null;
}
