// SPDX-License-Identifier: Apache-2.0
/* One polite live region for the whole page, made once so that readers know it before it speaks. */

let region: HTMLElement | null = null;

export function startAnnouncer(): void {
	region = document.createElement('div');
	region.className = 'hidden-visually';
	region.setAttribute('role', 'status');
	region.setAttribute('aria-live', 'polite');
	document.body.append(region);
}

export function announce(text: string): void {
	if (!region) return;
	region.textContent = '';
	/* The same words twice are no change; the pause makes them one. */
	setTimeout(() => {
		if (region) region.textContent = text;
	}, 80);
}
