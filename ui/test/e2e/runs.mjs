// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { submitParis } from './form.mjs';

export function runTests(test, kit) {
	const { base } = kit;

	test('the_run_of_a_form_shows_each_call_with_request_and_answer', {}, async (page) => {
		await submitParis(page, kit);
		await page.locator('.preview').getByRole('link').click();
		await page.getByRole('heading', { level: 1, name: /^Run / }).waitFor();
		await page.locator('h1 .state', { hasText: 'Done' }).waitFor();
		assert.ok((await page.locator('table.steps tbody tr').count()) >= 3, 'steps');
		await page.locator('.item-rows a').first().click();
		await page.getByRole('heading', { level: 2, name: /^Item / }).waitFor();
		assert.match(page.url(), /[?&]item=/);
		const call = page.locator('details.call').last();
		assert.match(await call.locator('.request-line').innerText(), /^GET https?:\/\//);
		assert.match(await call.locator('summary').first().innerText(), /Answered[\s\S]*200/);
		assert.equal(
			await page.locator('.wf-row').count(),
			await page.locator('details.call').count(),
			'each attempt has its bar',
		);
		assert.ok((await call.locator('.json [data-kind=number]').count()) > 0, 'the answer is printed as JSON');
		await page.getByRole('group', { name: 'Output, JSON' }).waitFor();
		await page.reload();
		await page.getByRole('heading', { level: 2, name: /^Item / }).waitFor();
	});

	test('the_list_of_runs_names_states_in_words_and_leads_to_a_run', {}, async (page) => {
		await submitParis(page, kit);
		await page.goto(`${base}/runs`);
		const row = page.locator('tbody tr').first();
		await row.waitFor();
		for (const word of await page.locator('tbody .state').allInnerTexts()) assert.match(word, /[A-Z][a-z]+/);
		assert.equal(await page.locator('tbody .state svg').count(), await page.locator('tbody tr').count());
		await row.getByRole('link').click();
		await page.getByRole('heading', { level: 1, name: /^Run / }).waitFor();
	});

	test('a_run_that_does_not_exist_says_so_and_leads_on', {}, async (page) => {
		await page.goto(`${base}/runs/999999999`);
		await page.getByText('There is no run 999999999').waitFor();
		await page.getByRole('link', { name: 'All runs' }).click();
		await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
	});

	test('a_form_that_does_not_exist_says_so', {}, async (page) => {
		await page.goto(`${base}/app/nothing-of-the-kind/at-all`);
		await page.getByText('There is no form here').waitFor();
	});
}
