// SPDX-License-Identifier: Apache-2.0
/* Everyone can use it: axe-core on both pages in both themes, narrow screens, French at 200 %. */
import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import { submitParis } from './form.mjs';

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export async function check(page) {
	/* Fades must be over, or contrast is measured half way. */
	await page.waitForTimeout(300);
	const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
	assert.deepEqual(
		violations.map(
			(v) =>
				`${v.id}: ${v.nodes
					.map((n) => n.target.join(' '))
					.slice(0, 4)
					.join(' | ')}`,
		),
		[],
	);
}

export const overflow = (page) => page.locator('html').evaluate((el) => el.scrollWidth - el.clientWidth);

export function accessTests(test, kit) {
	const { base, form, say } = kit;
	for (const colorScheme of ['light', 'dark']) {
		/* axe-core compiles code in the page, which our CSP forbids; all other claims run with the CSP in force. */
		const options = { colorScheme, bypassCSP: true };
		test(`axe_finds_nothing_on_the_form_with_its_result_in_${colorScheme}`, options, async (page) => {
			await submitParis(page, kit);
			await page.locator('.panels canvas').first().waitFor();
			await check(page);
			await page.locator('.toolbar').getByText('Table', { exact: true }).click();
			await check(page);
		});
		test(`axe_finds_nothing_on_a_refused_form_in_${colorScheme}`, options, async (page) => {
			await page.goto(`${base}/app/weather`);
			await page.getByRole('button', { name: say(form.submit_title, 'en') }).click();
			await page.locator('.summary').waitFor();
			await check(page);
		});
		test(`axe_finds_nothing_on_runs_and_a_run_in_${colorScheme}`, options, async (page) => {
			await submitParis(page, kit);
			await page.locator('.preview').getByRole('link').click();
			await page.locator('.item-rows a').first().click();
			await page.locator('details.call').first().waitFor();
			const closed = page.locator('details:not([open]) > summary');
			while ((await closed.count()) > 0) await closed.first().click();
			await check(page);
			await page.goto(`${base}/runs`);
			await page.locator('tbody tr').first().waitFor();
			await check(page);
		});
	}

	if (kit.isMock)
		for (const colorScheme of ['light', 'dark'])
			test(`axe_finds_nothing_on_attempts_in_${colorScheme}`, { colorScheme, bypassCSP: true }, async (page) => {
				for (const address of ['/runs/4825?item=0', '/runs/4823?item=8', '/runs/4824?item=0']) {
					await page.goto(`${base}${address}`);
					await page.locator('.wf-row').first().waitFor();
					await page.getByText('Times as a table').first().click();
					await page.locator('.wf-row').first().focus();
					await check(page);
				}
			});

	test('french_fits_on_320_pixels', { locale: 'fr-FR', viewport: { width: 320, height: 640 } }, async (page) => {
		await submitParis(page, kit, 'fr');
		await page.locator('.panels canvas').first().waitFor();
		assert.equal(await overflow(page), 0);
		await page.locator('.preview').getByRole('link').click();
		await page.locator('.item-rows a').first().click();
		await page.locator('details.call').first().waitFor();
		assert.equal(await overflow(page), 0);
		await page.goto(`${base}/runs`);
		await page.locator('tbody tr').first().waitFor();
		assert.equal(await overflow(page), 0);
	});

	test('french_fits_at_200_percent', {
		locale: 'fr-FR',
		viewport: { width: 640, height: 450 },
		deviceScaleFactor: 2,
	}, async (page) => {
		await submitParis(page, kit, 'fr');
		await page.locator('.panels canvas').first().waitFor();
		assert.equal(await overflow(page), 0);
	});

	test('motion_stops_for_who_asked_for_it', { reducedMotion: 'reduce' }, async (page) => {
		await page.goto(`${base}/app/weather`);
		const button = page.getByRole('button', { name: say(form.submit_title, 'en') });
		await button.waitFor();
		assert.match(await button.evaluate((el) => getComputedStyle(el).transitionDuration), /^0s/);
	});
}
