// SPDX-License-Identifier: Apache-2.0
import { plain } from './json';

/* A cell that begins like a formula is run by spreadsheets; a quote in front makes it text (OWASP, CSV injection). */
const formula = /^[=+\-@\t\r]/;
const numeric = /^[+-]?\d[\d.,eE+-]*$/;

function cell(value: unknown): string {
	let text = plain(value);
	if (formula.test(text) && !numeric.test(text)) text = `'${text}`;
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 4180 with CRLF; begins with a byte order mark, or Excel reads UTF-8 as something else. */
export function toCsv(header: string[], rows: unknown[][]): string {
	return `\ufeff${[header, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

export function download(name: string, text: string, type = 'text/csv;charset=utf-8'): void {
	const url = URL.createObjectURL(new Blob([text], { type }));
	const a = document.createElement('a');
	a.href = url;
	a.download = name;
	a.click();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
