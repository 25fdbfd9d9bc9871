// SPDX-License-Identifier: Apache-2.0
import { createIntl } from 'react-intl';
import { describe, expect, test } from 'vitest';
import decideEn from '../../src/i18n/decide/en.json';
import decideFr from '../../src/i18n/decide/fr.json';
import everyEn from '../../src/i18n/en.json';
import everyFr from '../../src/i18n/fr.json';
import rerunEn from '../../src/i18n/rerun/en.json';
import rerunFr from '../../src/i18n/rerun/fr.json';
import storageEn from '../../src/i18n/storage/en.json';
import storageFr from '../../src/i18n/storage/fr.json';

const en = { ...everyEn, ...decideEn, ...rerunEn, ...storageEn };
const fr = { ...everyFr, ...decideFr, ...rerunFr, ...storageFr };

const slots = (message: string) =>
	[...new Set([...message.matchAll(/\{(\w+)[,}]|<(\w+)>/g)].map((m) => m[1] ?? m[2]))]
		.filter((s) => !/^(one|other)$/.test(s ?? ''))
		.sort();

describe('messages', () => {
	test('every language has every message', () => {
		expect(Object.keys(fr)).toEqual(Object.keys(en));
	});
	test.each(Object.keys(en) as (keyof typeof en)[])('%s has the same slots in each language', (id) => {
		expect(slots(fr[id])).toEqual(slots(en[id]));
	});
	test.each([
		['en', en],
		['fr', fr],
	] as const)('every message of %s formats', (locale, messages) => {
		const failures: unknown[] = [];
		const intl = createIntl({ locale, messages, onError: (e) => failures.push(e) });
		for (const id of Object.keys(messages)) {
			const values = Object.fromEntries(
				slots(messages[id as keyof typeof en]).map((s) => [s, /^(b|run|runs)$/.test(s ?? '') ? (x: unknown) => x : 3]),
			);
			intl.formatMessage({ id }, values as never);
		}
		expect(failures).toEqual([]);
	});
	test('no message shouts', () => {
		expect([...Object.values(en), ...Object.values(fr)].filter((m) => m.includes('!'))).toEqual([]);
	});
});
