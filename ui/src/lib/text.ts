// SPDX-License-Identifier: Apache-2.0
import type { Text } from '../api/types';

/** A text for people in their language: then English, then whatever there is, then the fallback. */
export function say(text: Text | null | undefined, language: string, fallback = ''): string {
	if (text === null || text === undefined) return fallback;
	if (typeof text === 'string') return text || fallback;
	return text[language] || text.en || Object.values(text).find(Boolean) || fallback;
}

/** A name like `valid_until` as a last resort for a label. */
export function fromName(name: string): string {
	const words = name.replace(/^_+/, '').replace(/[_-]+/g, ' ');
	return words.charAt(0).toUpperCase() + words.slice(1);
}
