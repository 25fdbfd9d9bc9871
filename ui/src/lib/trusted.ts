// SPDX-License-Identifier: Apache-2.0
/*
 * Our CSP requires Trusted Types. react-aria's announcer empties its element with innerHTML = '', which is blocked like
 * any other text; the date field then throws. Nothing else may pass: markup out of strings has no place on these pages.
 */

interface PolicyFactory {
	createPolicy(name: string, rules: { createHTML: (text: string) => string }): unknown;
}

export function allowOnlyEmptyHtml(): void {
	const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
	factory?.createPolicy('default', {
		createHTML: (text) => {
			if (text !== '') throw new TypeError('markup from a string was refused');
			return text;
		},
	});
}
