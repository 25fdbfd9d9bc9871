// SPDX-License-Identifier: Apache-2.0
/*
 * Deciding about unknown outcomes, on the page of a run that has at least three of them, and doing failed items again, on that of a run whose items
 * succeed the second time: node decide.mjs http://127.0.0.1:8080/runs/1 http://127.0.0.1:8080/runs/2
 * The claims follow each other: each leaves fewer.
 */
import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import { withBrowser } from './browser.mjs';

const list = (page) => page.locator('.item-rows > li');
const seqOf = async (row) => (await row.locator('.item-seq').innerText()).replace(/\D/g, '');
const open = async (page, address) => {
	await page.goto(`${address}?state=unknown`);
	await list(page).first().waitFor();
};

const claims = {
	async the_dialog_says_what_will_happen_and_the_promise_and_can_be_left(page, address) {
		await open(page, address);
		const n = await list(page).count();
		assert.ok(n >= 3, `${n} unknown`);
		for (const name of ['It happened', 'Send again', 'Leave out'])
			assert.ok(await page.getByRole('button', { name }).isDisabled(), `${name}: nothing is chosen yet`);
		await page.getByRole('checkbox', { name: /^All/ }).check();
		assert.equal(await page.locator('.item-rows input:checked').count(), n);
		await page.getByRole('button', { name: 'Send again' }).click();
		const dialog = page.getByRole('dialog');
		const text = await dialog.innerText();
		assert.match(text, new RegExp(`Send these ${n} calls again`));
		assert.match(text, new RegExp(`${n} requests are sent once more`));
		assert.match(text, /Promise of the step: at most once/);
		await page.keyboard.press('Escape');
		await dialog.waitFor({ state: 'detached' });
		assert.equal(await list(page).count(), n, 'nothing was decided');
	},
	async it_fits_on_360_pixels_in_light_and_dark_and_is_accessible(page, address) {
		await page.setViewportSize({ width: 360, height: 740 });
		for (const colorScheme of ['light', 'dark']) {
			await page.emulateMedia({ colorScheme });
			await open(page, address);
			await page.getByRole('checkbox', { name: /^All/ }).check();
			assert.equal(await page.locator('html').evaluate((el) => el.scrollWidth - el.clientWidth), 0);
			const bar = await new AxeBuilder({ page }).include('.items-list').analyze();
			assert.deepEqual(
				bar.violations.map((v) => `${v.id}: ${v.nodes[0]?.html}`),
				[],
			);
			await page.getByRole('button', { name: 'It happened' }).click();
			const box = await page.getByRole('dialog').boundingBox();
			assert.ok(box.x >= 0 && box.x + box.width <= 360, `${box.x} + ${box.width}`);
			const dialog = await new AxeBuilder({ page }).include('dialog').analyze();
			assert.deepEqual(
				dialog.violations.map((v) => `${v.id}: ${v.nodes[0]?.html}`),
				[],
			);
			await page.getByRole('textbox', { name: 'Result as JSON' }).fill('{');
			await page.getByText('This is no JSON.').waitFor();
			await page.keyboard.press('Escape');
		}
	},
	async one_is_left_out_with_the_keyboard_and_its_page_tells_who_decided(page, address) {
		await open(page, address);
		const n = await list(page).count();
		const seq = await seqOf(list(page).first());
		await page.getByRole('checkbox', { name: `Choose item ${seq}` }).focus();
		await page.keyboard.press('Space');
		await page.getByRole('button', { name: 'Leave out' }).focus();
		await page.keyboard.press('Enter');
		await page.getByRole('dialog').waitFor();
		await page.getByRole('textbox', { name: 'Note' }).fill('a test order');
		await page.keyboard.press('Enter');
		await page.getByRole('dialog').waitFor({ state: 'detached' });
		await page.waitForFunction((k) => document.querySelectorAll('.item-rows > li').length === k, n - 1);
		await page.goto(`${address}?item=${seq}`);
		const decisions = page.getByRole('list', { name: 'Decisions' });
		await decisions.waitFor();
		assert.match(await decisions.innerText(), /Decided: leave out[\s\S]*by page, \d[\s\S]*a test order/);
		await page.locator('h2 .state', { hasText: 'Left out' }).waitFor();
	},
	async one_happened_and_goes_on_with_the_result_given(page, address) {
		await open(page, address);
		const seq = await seqOf(list(page).first());
		await page.getByRole('checkbox', { name: `Choose item ${seq}` }).check();
		await page.getByRole('button', { name: 'It happened' }).click();
		await page.getByRole('textbox', { name: 'Result as JSON' }).fill('{"id": 12345678901234567890}');
		await page.getByRole('dialog').getByRole('button', { name: 'It happened' }).click();
		await page.getByRole('dialog').waitFor({ state: 'detached' });
		await page.goto(`${address}?item=${seq}`);
		await page.getByText('Decided: it happened').waitFor();
		const output = page.getByRole('group', { name: 'Output, JSON' });
		await output.waitFor();
		assert.match(await output.innerText(), /12345678901234567890/);
	},
	async the_rest_is_sent_again_and_the_run_is_done(page, address) {
		await open(page, address);
		const seq = await seqOf(list(page).first());
		await page.getByRole('checkbox', { name: /^All/ }).check();
		await page.getByRole('button', { name: 'Send again' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Send again' }).click();
		await page.getByRole('dialog').waitFor({ state: 'detached' });
		await page.locator('h1 .state', { hasText: 'Done' }).waitFor();
		await page.goto(`${address}?item=${seq}`);
		await page.getByText('Decided: send again').waitFor();
		await page.locator('.wf-why', { hasText: 'Sent again by decision of page' }).waitFor();
	},
	async failed_items_are_done_again_by_a_button(page, _, failed) {
		await page.goto(failed);
		await page.locator('h1 .state', { hasText: 'Failed' }).waitFor();
		await page.getByRole('button', { name: 'Do the failed ones again' }).click();
		await page.locator('h1 .state', { hasText: 'Done' }).waitFor();
		assert.equal(await page.getByRole('button', { name: 'Do the failed ones again' }).count(), 0);
	},
	async a_run_is_done_again_from_a_step_by_a_button(page, _, failed) {
		await page.goto(failed);
		await page.getByRole('button', { name: /^Again from here/ }).nth(1).click();
		const dialog = page.getByRole('dialog');
		assert.match(await dialog.innerText(), /These calls are sent again[\s\S]*at (most|least) once/);
		const answered = page.waitForResponse((r) => r.url().endsWith('/rerun'));
		await dialog.getByRole('button', { name: 'Run again' }).click();
		const { dropped, resumed } = await (await answered).json();
		assert.ok(resumed && dropped > 0, `${dropped} rows dropped`);
		await dialog.waitFor({ state: 'detached' });
		await page.locator('h1 .state', { hasText: 'Done' }).waitFor();
	},
};

let passed = 0;
let failed = 0;
for (const [name, act] of Object.entries(claims))
	await withBrowser({}, async (context) => {
		context.setDefaultTimeout(20000);
		const page = context.pages()[0] ?? (await context.newPage());
		const crashes = [];
		page.on('pageerror', (e) => crashes.push(e.message));
		try {
			await act(page, process.argv[2], process.argv[3]);
			assert.deepEqual(crashes, []);
			passed++;
			console.log(`ok   ${name}`);
		} catch (error) {
			failed++;
			console.log(`FAIL ${name}\n     ${String(error.message).replaceAll('\n', '\n     ')}`);
		}
	});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
