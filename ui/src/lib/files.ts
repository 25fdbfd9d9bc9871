// SPDX-License-Identifier: Apache-2.0
/* Files as values: found in what is shown of an item, and where they can be fetched. */
import { type Json, Num, parseJson, Raw } from './json';

export interface StoredFile {
	file: string;
	name: string;
	media_type: string;
	bytes: Num | null;
}

const idPattern = /^[0-9a-f]{64}$/;

/** An object with the id of a file; what else it says is optional. */
export function toFile(value: unknown): StoredFile | null {
	if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Num || value instanceof Raw)
		return null;
	const o = value as { [key: string]: Json };
	if (typeof o.file !== 'string' || !idPattern.test(o.file)) return null;
	return {
		file: o.file,
		name: typeof o.name === 'string' && o.name ? o.name : o.file.slice(0, 12),
		media_type: typeof o.media_type === 'string' ? o.media_type : '',
		bytes: o.bytes instanceof Num ? o.bytes : null,
	};
}

/** The files in JSON texts, each once, in order of appearance. Texts that are no JSON have none. */
export function filesIn(texts: readonly string[]): StoredFile[] {
	const found = new Map<string, StoredFile>();
	const walk = (value: Json): void => {
		if (value === null || typeof value !== 'object' || value instanceof Num || value instanceof Raw) return;
		if (Array.isArray(value)) {
			value.forEach(walk);
			return;
		}
		const file = toFile(value);
		if (file && !found.has(`${file.file} ${file.name}`)) found.set(`${file.file} ${file.name}`, file);
		Object.values(value).forEach(walk);
	};
	for (const text of texts) {
		if (!text.includes('"file"')) continue;
		try {
			walk(parseJson(text));
		} catch {
			/* shown as it is elsewhere */
		}
	}
	return [...found.values()];
}

export function fileHref(file: StoredFile): string {
	const query = new URLSearchParams({ name: file.name });
	if (file.media_type) query.set('media_type', file.media_type);
	return `/api/v1/files/${file.file}?${query}`;
}
