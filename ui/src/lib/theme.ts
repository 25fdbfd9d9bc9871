// SPDX-License-Identifier: Apache-2.0
/* system, light or dark. The attribute sets `color-scheme`, and light-dark() in tokens.css does the rest. */
import { useSyncExternalStore } from 'react';
import { recall, remember } from './memory';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const listeners = new Set<() => void>();
let theme: Theme = themes.find((t) => t === recall('theme')) ?? 'system';

function apply(): void {
	if (theme === 'system') document.documentElement.removeAttribute('data-theme');
	else document.documentElement.dataset.theme = theme;
}

export function startTheme(): void {
	apply();
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
		for (const l of listeners) l();
	});
}

export function setTheme(next: Theme): void {
	theme = next;
	remember('theme', next);
	apply();
	for (const l of listeners) l();
}

const subscribe = (listener: () => void) => {
	listeners.add(listener);
	return () => listeners.delete(listener);
};

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => theme);

/** What is on the screen: a canvas cannot follow light-dark() by itself and must be drawn again. */
export const useIsDark = (): boolean =>
	useSyncExternalStore(subscribe, () =>
		theme === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark',
	);
