// SPDX-License-Identifier: Apache-2.0
/* Sizes for people: three figures and the unit of the language ("81.8 MB", "81,8 Mo"). Decimal, as disks are sold and `df -H` counts. */

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

export function sizeText(bytes: number, language: string): string {
	let value = bytes;
	let i = 0;
	/* 999.7 would be shown as 1000: that is one of the next unit. */
	while (i < units.length - 1 && value >= (i === 0 ? 1000 : 999.5)) {
		value /= 1000;
		i++;
	}
	return new Intl.NumberFormat(language === 'en' ? 'en-GB' : language, {
		style: 'unit',
		unit: units[i],
		unitDisplay: i === 0 ? 'long' : 'short',
		maximumSignificantDigits: 3,
	}).format(value);
}

/** How much of the whole, 0 to 1. */
export const share = (part: number, whole: number): number => (whole > 0 ? Math.min(1, part / whole) : 0);
