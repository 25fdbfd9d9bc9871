// SPDX-License-Identifier: Apache-2.0
/*
 * Pretty prints JSON text by moving white space only: no token is read into a value and written again, so numbers,
 * escapes, key order and repeated keys stay what they were. Works on a body that was cut off, up to the cut.
 */

export type TokenKind = 'key' | 'string' | 'number' | 'word' | 'mark';
export interface Token {
	kind: TokenKind;
	text: string;
}
export interface Line {
	depth: number;
	tokens: Token[];
}
export interface Pretty {
	lines: Line[];
	/** False when the text ended in the middle, as a clipped body does. */
	complete: boolean;
}

const pattern = /\s*(?:([{}[\],:])|("[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|\\)?)|(-?\d[\d.eE+-]*)|([a-z]+))/y;
const inlineWidth = 96;

function tokenize(text: string): Token[] | null {
	const out: Token[] = [];
	let at = 0;
	const end = text.trimEnd().length;
	while (at < end) {
		pattern.lastIndex = at;
		const m = pattern.exec(text);
		if (!m) return null;
		const [, mark, string, number, word] = m;
		if (word !== undefined && !['true', 'false', 'null'].some((w) => w.startsWith(word))) return null;
		out.push(
			mark !== undefined
				? { kind: 'mark', text: mark }
				: string !== undefined
					? { kind: 'string', text: string }
					: { kind: number !== undefined ? 'number' : 'word', text: (number ?? word) as string },
		);
		at = pattern.lastIndex;
	}
	return out;
}

/** Where a list of plain values that fits on one line ends, or -1. */
function inlineEnd(tokens: Token[], from: number): number {
	let width = 0;
	for (let i = from + 1; i < tokens.length; i++) {
		const t = tokens[i] as Token;
		if (t.text === ']' && t.kind === 'mark') return i;
		if (t.kind === 'mark' && t.text !== ',') return -1;
		width += t.text.length + (t.text === ',' ? 1 : 0);
		if (width > inlineWidth) return -1;
	}
	return -1;
}

/** Null when the text is not JSON; then show it as it is. */
export function pretty(text: string): Pretty | null {
	const first = text.trimStart()[0];
	if (first === undefined) return null;
	const tokens = tokenize(text);
	if (!tokens || tokens.length === 0) return null;
	const lines: Line[] = [{ depth: 0, tokens: [] }];
	const open: string[] = [];
	let line = lines[0] as Line;
	const feed = () => {
		line = { depth: open.length, tokens: [] };
		lines.push(line);
	};
	for (let i = 0; i < tokens.length; i++) {
		const t = tokens[i] as Token;
		if (t.kind !== 'mark') {
			if (t.kind === 'string' && tokens[i + 1]?.text === ':' && tokens[i + 1]?.kind === 'mark') t.kind = 'key';
			line.tokens.push(t);
			continue;
		}
		if (t.text === '{' || t.text === '[') {
			const close = t.text === '{' ? '}' : ']';
			const end =
				tokens[i + 1]?.kind === 'mark' && tokens[i + 1]?.text === close
					? i + 1
					: t.text === '['
						? inlineEnd(tokens, i)
						: -1;
			if (end > 0) {
				for (; i <= end; i++) {
					const inner = tokens[i] as Token;
					line.tokens.push(inner.kind === 'mark' && inner.text === ',' ? { kind: 'mark', text: ', ' } : inner);
				}
				i = end;
				continue;
			}
			line.tokens.push(t);
			open.push(close);
			feed();
		} else if (t.text === ',') {
			line.tokens.push(t);
			feed();
		} else if (t.text === ':') {
			line.tokens.push({ kind: 'mark', text: ': ' });
		} else {
			if (open.pop() !== t.text) return null;
			feed();
			line.tokens.push(t);
		}
	}
	const last = tokens[tokens.length - 1] as Token;
	const cutString = last.kind === 'string' && (last.text.length < 2 || !last.text.endsWith('"'));
	return { lines: lines.filter((l) => l.tokens.length > 0), complete: open.length === 0 && !cutString };
}

export function prettyText(text: string): string {
	const p = pretty(text);
	if (!p) return text;
	return p.lines.map((l) => '  '.repeat(l.depth) + l.tokens.map((t) => t.text).join('')).join('\n');
}

/** A hint of one line for a list: no line breaks, and a sign where it was cut. */
export function oneLine(text: string, length: number): string {
	const flat = text
		.slice(0, length * 4)
		.replace(/\s+/g, ' ')
		.trim();
	return flat.length > length || text.length > length * 4 ? `${flat.slice(0, length)}…` : flat;
}
