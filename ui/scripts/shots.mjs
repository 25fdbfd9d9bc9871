// SPDX-License-Identifier: Apache-2.0
/* Pictures of the pages for eyes: node scripts/shots.mjs [folder]. Needs a build; talks to the mock. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startSite } from '../dev/serve.mjs';
import { withBrowser } from '../test/e2e/browser.mjs';

const folder = process.argv[2] ?? 'shots';
const only = process.argv[3];
mkdirSync(folder, { recursive: true });
const site = await startSite();

const fill = async (page) => {
	await page.goto(`${site.url}/app/weather`);
	await page.getByRole('textbox').first().fill('Paris');
	await page.keyboard.press('Enter');
	await page.locator('.panels canvas').first().waitFor();
	await page.waitForTimeout(300);
	const plot = await page.locator('.panels').boundingBox();
	await page.mouse.move(plot.x + plot.width * 0.8, plot.y + 60);
	await page.waitForTimeout(250);
};
/* Measured, and a round of pruning tried. */
const storage = async (page) => {
	await page.goto(`${site.url}/storage`);
	await page.locator('table.storage').nth(1).waitFor();
	await page.locator('.rule input').nth(1).fill('40');
	await page.locator('.prune form button').click();
	await page.locator('.prune .note').waitFor();
};
const shots = {
	form: [{ colorScheme: 'light' }, fill],
	'form-dark': [{ colorScheme: 'dark' }, fill],
	'form-fr': [{ locale: 'fr-FR' }, fill],
	'form-320': [{ locale: 'fr-FR', viewport: { width: 320, height: 900 } }, fill],
	'form-200': [{ viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 }, fill],
	'form-table': [
		{},
		async (page) => {
			await fill(page);
			await page.getByText('Table', { exact: true }).click();
		},
	],
	'form-empty': [
		{},
		async (page) => {
			await page.goto(`${site.url}/app/weather`);
			await page.getByRole('button', { name: 'Get forecast' }).click();
			await page.waitForTimeout(300);
		},
	],
	'form-502': [
		{},
		async (page) => {
			await page.goto(`${site.url}/app/weather`);
			await page.getByRole('textbox').first().fill('Down');
			await page.keyboard.press('Enter');
			await page.getByRole('alert').waitFor();
		},
	],
	'form-all': [
		{},
		async (page) => {
			await page.goto(`${site.url}/app/inspection`);
			await page.getByText('Risk').first().waitFor();
			await page.waitForTimeout(500);
			await page.getByRole('button', { name: 'Send the report' }).click();
			await page.waitForTimeout(300);
		},
	],
	saved: [
		{},
		async (page) => {
			await page.goto(`${site.url}/app/weather?view=saved`);
			await page.waitForTimeout(500);
		},
	],
	runs: [
		{},
		async (page) => {
			await page.goto(`${site.url}/runs`);
			await page.waitForTimeout(500);
		},
	],
	'runs-320': [
		{ locale: 'fr-FR', viewport: { width: 320, height: 900 } },
		async (page) => {
			await page.goto(`${site.url}/runs`);
			await page.waitForTimeout(500);
		},
	],
	run: [
		{},
		async (page) => {
			await page.goto(`${site.url}/runs/4823?state=failed&item=47`);
			await page.waitForTimeout(700);
		},
	],
	'run-dark': [
		{ colorScheme: 'dark' },
		async (page) => {
			await page.goto(`${site.url}/runs/4825?item=0`);
			await page.waitForTimeout(700);
		},
	],
	'run-fr-320': [
		{ locale: 'fr-FR', viewport: { width: 320, height: 900 } },
		async (page) => {
			await page.goto(`${site.url}/runs/4822?item=20`);
			await page.waitForTimeout(700);
		},
	],
	storage: [{}, (page) => storage(page)],
	'storage-dark': [{ colorScheme: 'dark' }, (page) => storage(page)],
	'storage-fr-360': [{ locale: 'fr-FR', viewport: { width: 360, height: 900 } }, (page) => storage(page)],
	'storage-wide': [{ viewport: { width: 2200, height: 1200 } }, (page) => storage(page)],
	'storage-delete': [
		{},
		async (page) => {
			await storage(page);
			await page.getByRole('button', { name: 'Delete run 4822' }).click();
			await page.getByRole('dialog').waitFor();
		},
	],
	'storage-measuring': [
		{},
		async (page) => {
			await page.route('**/api/v1/storage*', async (route) => {
				const answer = await (await route.fetch()).json();
				const none = { computed_at: null, kinds: null, runs: null, files: null, computing: true };
				await route.fulfill({ json: { ...answer, ...none } });
			});
			await page.goto(`${site.url}/storage`);
			await page.locator('.values').waitFor();
		},
	],
	'storage-error': [
		{},
		async (page) => {
			await page.route('**/api/v1/storage*', (route) =>
				route.fulfill({
					status: 503,
					contentType: 'application/problem+json',
					body: '{"title":"Not possible now","status":503,"detail":"the store cannot be used now: disk I/O error"}',
				}),
			);
			await page.goto(`${site.url}/storage`);
			await page.getByText('Not possible now').waitFor();
		},
	],
	rerun: [
		{},
		async (page) => {
			await page.goto(`${site.url}/runs/4823?state=failed&item=47`);
			await page.getByRole('button', { name: /^Again from here variables/ }).click();
			await page.getByRole('dialog').waitFor();
		},
	],
	'rerun-fr-360': [
		{ locale: 'fr-FR', colorScheme: 'dark', viewport: { width: 360, height: 800 } },
		async (page) => {
			await page.goto(`${site.url}/runs/4823`);
			await page.getByRole('button', { name: /Relancer d’ici variables/ }).click();
			await page.getByRole('dialog').waitFor();
		},
	],
	missing: [
		{},
		async (page) => {
			await page.goto(`${site.url}/nowhere`);
			await page.waitForTimeout(300);
		},
	],
};
for (const [name, [options, act]] of Object.entries(shots)) {
	if (only && !only.split(',').includes(name)) continue;
	await withBrowser({ deviceScaleFactor: 1.5, ...options }, async (context) => {
		const page = context.pages()[0] ?? (await context.newPage());
		page.on(
			'console',
			(m) => ['error', 'warning'].includes(m.type()) && console.log(name, m.type(), m.text().slice(0, 300)),
		);
		page.on('pageerror', (e) => console.log(name, 'pageerror', e.message.slice(0, 300)));
		await act(page).catch((e) => console.log(name, String(e).slice(0, 300)));
		await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
	});
}
site.close();
