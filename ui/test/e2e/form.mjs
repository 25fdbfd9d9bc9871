// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const submitParis = async (page, { base, form, say }, language = 'en') => {
	await page.goto(`${base}/app/weather`);
	await page.getByRole('textbox', { name: say(form.fields[0].title, language) }).fill('Paris');
	await page.getByRole('button', { name: say(form.submit_title, language) }).click();
	await page.locator('.status').waitFor({ timeout: 35_000 });
};

const readout = (page) => page.getByRole('slider').getAttribute('aria-valuetext');

export function formTests(test, kit) {
	const { base, form, say } = kit;
	const city = say(form.fields[0].title, 'en');
	const send = say(form.submit_title, 'en');

	test('the_form_is_drawn_from_the_components_description', {}, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('heading', { level: 1, name: say(form.title, 'en') }).waitFor();
		for (const field of form.fields)
			assert.equal(await page.locator('form').getByLabel(say(field.title, 'en')).count(), 1, `field ${field.name}`);
		assert.equal(await page.getByRole('button', { name: send }).count(), 1);
		assert.match(await page.title(), new RegExp(say(form.title, 'en')));
	});

	test('paris_gives_headline_values_a_chart_and_a_saved_entry', {}, async (page) => {
		await submitParis(page, kit);
		assert.match(await page.locator('.status').innerText(), /^Saved as entry \S+, answered in [\d.]+\sm?s$/);
		assert.match(await page.getByRole('heading', { level: 2 }).first().innerText(), /Paris/);
		const values = page.locator('dl.values > div');
		assert.ok((await values.count()) >= 2, 'at least two headline values');
		for (const text of await values.locator('.value').allInnerTexts()) assert.match(text, /\S/);
		await page.locator('.panels canvas').first().waitFor();
		assert.equal(await page.locator('.panel').count(), await page.locator('.panels canvas').count());
		const saved = page.locator('.entries tbody tr').first();
		await saved.filter({ hasText: 'Paris' }).waitFor();
		assert.ok((await page.locator('.entries tbody tr').count()) <= 5, 'the latest five');
	});

	test('the_table_says_what_the_chart_shows_and_csv_holds_it', { acceptDownloads: true }, async (page) => {
		await submitParis(page, kit);
		const points = Number(await page.getByRole('slider').getAttribute('aria-valuemax'));
		await page.locator('.toolbar').getByText('Table', { exact: true }).click();
		const rows = page.locator('.result tbody tr');
		assert.equal(await rows.count(), points);
		const columns = await page.locator('.result thead th').count();
		const [download] = await Promise.all([
			page.waitForEvent('download'),
			page.getByRole('button', { name: 'Download as CSV' }).click(),
		]);
		assert.match(download.suggestedFilename(), /\.csv$/);
		const lines = readFileSync(await download.path(), 'utf8')
			.trim()
			.split('\r\n');
		assert.equal(lines.length, points + 1);
		assert.equal(lines[0].split(',').length, columns);
	});

	test('arrow_keys_move_the_point_and_its_values_are_told', {}, async (page) => {
		await submitParis(page, kit);
		const slider = page.getByRole('slider');
		await slider.focus();
		await page.keyboard.press('Home');
		const first = await readout(page);
		await page.keyboard.press('ArrowRight');
		const second = await readout(page);
		assert.notEqual(first, second);
		assert.match(second, /\d/);
		const [day] = second.split(':');
		assert.ok((await page.locator('.readout').innerText()).includes(day), 'the header shows the same point');
		await page.keyboard.press('End');
		assert.equal(await slider.getAttribute('aria-valuenow'), await slider.getAttribute('aria-valuemax'));
		assert.match(await slider.getAttribute('aria-label'), /points, from .+ to .+\./);
	});

	test('an_empty_form_is_refused_beside_the_field_and_in_the_summary', {}, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('button', { name: send }).click();
		const field = page.getByRole('textbox', { name: city });
		assert.equal(await field.getAttribute('aria-invalid'), 'true');
		await page.locator('.field .problem-text').getByText('Fill in this field.').waitFor();
		const summary = page.getByRole('group', { name: 'One field needs your attention' });
		await summary.getByRole('link').click();
		await page.locator('input:focus').waitFor();
		await page.keyboard.type('Paris');
		await page.locator('.problem-text').waitFor({ state: 'detached' });
	});

	test('french_changes_every_word_and_stays_after_a_reload', {}, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByLabel('Language').selectOption('fr');
		await page.locator('html[lang=fr]').waitFor();
		await page.getByRole('button', { name: say(form.submit_title, 'fr') }).waitFor();
		await page.getByText('Mode aperçu').waitFor();
		await page.reload();
		await page.getByRole('heading', { level: 1, name: say(form.title, 'fr') }).waitFor();
		await submitParis(page, kit, 'fr');
		assert.match(await page.locator('.status').innerText(), /^Enregistré comme entrée \S+, réponse en [\d,]+\sm?s$/);
	});

	test('the_language_of_the_browser_is_the_first_choice', { locale: 'fr-CA' }, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('heading', { level: 1, name: say(form.title, 'fr') }).waitFor();
	});

	test('the_theme_follows_the_system_until_it_is_chosen', { colorScheme: 'dark' }, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('heading', { level: 1 }).waitFor();
		const lightness = async () =>
			page.locator('body').evaluate((el) => {
				const [l] = getComputedStyle(el)
					.backgroundColor.match(/[\d.]+/g)
					.map(Number);
				return l > 1 ? l / 255 : l;
			});
		assert.ok((await lightness()) < 0.3, 'dark as the system');
		await page.getByLabel('Theme').selectOption('light');
		assert.ok((await lightness()) > 0.9, 'light as chosen');
		await page.reload();
		await page.getByRole('heading', { level: 1 }).waitFor();
		assert.ok((await lightness()) > 0.9, 'still light after a reload');
	});

	test('keys_alone_lead_from_the_address_to_the_result', {}, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('heading', { level: 1 }).waitFor();
		await page.keyboard.press('Tab');
		assert.equal(await page.locator(':focus').innerText(), 'Skip to content');
		await page.keyboard.press('Enter');
		await page.keyboard.press('Tab');
		await page.keyboard.type('Paris');
		await page.keyboard.press('Tab');
		await page.keyboard.press('Enter');
		await page.locator('.panels canvas').first().waitFor({ timeout: 35_000 });
		for (let i = 0; i < 8 && (await page.locator('[role=slider]:focus').count()) === 0; i++)
			await page.keyboard.press('Tab');
		const before = await readout(page);
		await page.keyboard.press('ArrowLeft');
		assert.notEqual(await readout(page), before);
	});

	test('all_entries_have_a_view_of_their_own_and_the_form_is_kept', {}, async (page) => {
		await submitParis(page, kit);
		/* By key, not by pointer: the new entry's row may move the link away under the pointer. */
		await page.locator('.entries').getByRole('link', { name: /^All/ }).press('Enter');
		await page.getByRole('link', { name: 'Back to the form' }).waitFor();
		const row = page.locator('.table-card tbody tr').first();
		assert.match(await row.getByRole('link').getAttribute('href'), /^\/runs\/\d+\?item=\d+$/, 'it leads to the item of the run that wrote it');
		await page.getByRole('link', { name: 'Back to the form' }).click();
		assert.equal(await page.getByRole('textbox', { name: city }).inputValue(), 'Paris');
		assert.equal(await page.locator('.status').isVisible(), true);
	});
}
