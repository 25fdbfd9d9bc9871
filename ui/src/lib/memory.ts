// SPDX-License-Identifier: Apache-2.0
/* Two small choices kept in the browser. Storage may be forbidden; then a choice lasts as long as the page. */

type Key = 'language' | 'theme';

export function recall(key: Key): string | null {
	try {
		return localStorage.getItem(`weir.${key}`);
	} catch {
		return null;
	}
}

export function remember(key: Key, value: string): void {
	try {
		localStorage.setItem(`weir.${key}`, value);
	} catch {
		/* Nothing to do: see above. */
	}
}
