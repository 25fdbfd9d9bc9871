// SPDX-License-Identifier: Apache-2.0
/*
 * The waterfall of a call that was answered 503 with Retry-After: 1, then with a redirect, then with 200. Over the mock
 * it is a part of run.mjs; `node test/e2e/waterfall.mjs ADDRESS` looks at such an item on a running server: http://127.0.0.1:8080/runs/1?item=0
 */
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { withBrowser } from './browser.mjs';

const height = (locator) => locator.evaluate((el) => el.getBoundingClientRect().height);

export const claims = {
	async three_attempts_are_rows_with_outcomes_and_reasons(page, address) {
		await page.goto(address);
		const rows = page.locator('.waterfall').first().getByRole('listitem').getByRole('button');
		await rows.first().waitFor();
		assert.equal(await rows.count(), 3);
		const names = await rows.evaluateAll((list) => list.map((el) => el.getAttribute('aria-label')));
		assert.match(names[0], /^Attempt 1 of 3\. 503\. Worth another try after a rest\./);
		assert.match(names[1], /^Attempt 2 of 3\. 30[27]\. Redirect followed\. Retry-After: 1\ss ·\swaited\s[\d.]+\ss\./);
		assert.match(names[2], /^Attempt 3 of 3\. 200\. Accepted\. Redirect from \/\S+\./);
		const words = await rows.allInnerTexts();
		assert.match(words[1], /Retry-After: 1\ss/);
		assert.match(words[2], /Redirect from/);
	},
	async a_rest_is_a_hatched_gap_between_attempts_on_one_axis(page, address) {
		await page.goto(address);
		const bars = page.locator('.wf-bar');
		await bars.first().waitFor();
		assert.deepEqual(
			await bars.evaluateAll((list) => list.map((el) => el.querySelectorAll('.wf-gap').length)),
			[0, 1, 0],
		);
		const [gap, before, after] = await Promise.all(
			[
				page.locator('.wf-bar .wf-gap'),
				bars.nth(0).locator('.wf-segment').last(),
				bars.nth(1).locator('.wf-segment').first(),
			].map((l) => l.boundingBox()),
		);
		assert.ok(
			gap.width > 20 && gap.x >= before.x + before.width - 3 && after.x >= gap.x + gap.width - 3,
			'it lies between them',
		);
		assert.match(
			await page.locator('.wf-bar .wf-gap').evaluate((el) => getComputedStyle(el).backgroundImage),
			/repeating/,
		);
		const [last, bar] = await Promise.all(
			[bars.nth(2).locator('.wf-segment').last(), bars.nth(2)].map((l) => l.boundingBox()),
		);
		assert.ok(Math.abs(last.x + last.width - bar.x - bar.width) <= 3, 'the last attempt ends the axis');
	},
	async each_phase_of_the_key_has_a_word_a_pattern_or_colour_of_its_own_and_a_figure(page, address) {
		await page.goto(address);
		await page.locator('.wf-figures').first().waitFor();
		const looks = await page.locator('.wf-figures .wf-segment').evaluateAll((list) =>
			list.map((el) => {
				const style = getComputedStyle(el);
				return style.backgroundColor + style.backgroundImage;
			}),
		);
		assert.ok(looks.length >= 4);
		assert.equal(new Set(looks).size, looks.length);
		const figures = await page.locator('.wf-figures dl > div').allInnerTexts();
		assert.ok(
			figures.some((f) => /^First byte\s+[\d.]+\s(ms|s)$/.test(f.trim())),
			figures.join(' | '),
		);
		/* Two solid colours would be told apart by colour alone. */
		assert.ok(looks.filter((l) => l.endsWith('none')).length <= 2);
	},
	async attempts_are_chosen_and_opened_by_keys_and_nothing_moves(page, address) {
		await page.goto(address);
		const rows = page.locator('.wf-row');
		await rows.last().waitFor();
		await page.evaluate(() => document.fonts.ready);
		const whole = page.locator('.waterfall').first();
		const before = await height(whole);
		await rows.first().focus();
		await page.locator('.wf-facts p[data-chosen]', { hasText: 'Attempt 1 of 3' }).waitFor();
		assert.equal(await height(whole), before);
		await page.keyboard.press('Tab');
		await page.locator('.wf-facts p[data-chosen]', { hasText: 'Attempt 2 of 3' }).waitFor();
		assert.equal(await height(whole), before);
		await page.keyboard.press('Shift+Tab');
		await page.keyboard.press('Enter');
		const card = page.locator('details.call').first();
		await card.locator('.call-body').waitFor();
		assert.ok(
			await card
				.locator('summary')
				.first()
				.evaluate((el) => el === document.activeElement),
			'focus goes along',
		);
	},
	async the_same_is_a_table(page, address) {
		await page.goto(address);
		await page.getByText('Times as a table').click();
		const rows = page.locator('.waterfall table tbody tr');
		await rows.first().waitFor();
		const texts = await rows.allInnerTexts();
		assert.equal(texts.length, 3);
		assert.match(texts[0], /503[\s\S]*First attempt/);
		assert.match(texts[1], /Retry-After: 1\ss\s+[\d.]+\ss/);
		const heads = await page.locator('.waterfall table thead th').allInnerTexts();
		for (const head of ['Attempt', 'Outcome', 'Why', 'Wait before', 'First byte', 'Total'])
			assert.ok(heads.includes(head), `${head} in ${heads}`);
	},
	async it_fits_on_360_pixels(page, address) {
		await page.setViewportSize({ width: 360, height: 800 });
		await page.goto(address);
		await page.locator('.wf-row').first().waitFor();
		assert.equal(await page.locator('html').evaluate((el) => el.scrollWidth - el.clientWidth), 0);
		const bar = await page.locator('.wf-bar').first().boundingBox();
		assert.ok(bar.width > 240, `a bar is ${bar.width} wide`);
	},
};

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
	let passed = 0;
	let failed = 0;
	for (const [name, act] of Object.entries(claims))
		await withBrowser({}, async (context) => {
			context.setDefaultTimeout(20000);
			const page = context.pages()[0] ?? (await context.newPage());
			try {
				await act(page, process.argv[2]);
				passed++;
				console.log(`ok   ${name}`);
			} catch (error) {
				failed++;
				console.log(`FAIL ${name}\n     ${String(error.message).replaceAll('\n', '\n     ')}`);
			}
		});
	console.log(`${passed} passed, ${failed} failed`);
	process.exit(failed ? 1 : 0);
}
