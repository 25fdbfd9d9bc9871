// SPDX-License-Identifier: Apache-2.0
/* Starts Debian's chromium with a new, empty profile each time and throws the profile away afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const args = [
	'--no-sandbox',
	'--disable-gpu',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
];

export async function withBrowser(options, use) {
	const profile = mkdtempSync(join(tmpdir(), 'weir-ui-'));
	const context = await chromium.launchPersistentContext(profile, {
		executablePath: process.env.WEIR_CHROMIUM ?? '/usr/bin/chromium',
		headless: true,
		args,
		locale: 'en-GB',
		timezoneId: 'Europe/Paris',
		viewport: { width: 1280, height: 900 },
		...options,
	});
	try {
		return await use(context);
	} finally {
		await context.close();
		rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
	}
}
