// SPDX-License-Identifier: Apache-2.0
/* What takes space, and what goes: the page of storage, and a run again from a step. */
import assert from 'node:assert/strict';
import { startSite } from '../../dev/serve.mjs';
import { check, overflow } from './access.mjs';
import { submitParis } from './form.mjs';

const kinds = (page) => page.getByRole('group', { name: 'What takes space' });
const top = (page) => page.getByRole('group', { name: 'Runs that take most' });
const open = async (page, base) => {
	await page.goto(`${base}/storage`);
	await top(page).waitFor();
};
const gone = (locator) => locator.waitFor({ state: 'detached' });

export function storageTests(test, kit) {
	const { base } = kit;

	test('the_page_of_storage_says_what_takes_space_and_leads_to_a_run', {}, async (page) => {
		await submitParis(page, kit);
		await page.goto(`${base}/runs`);
		await page.getByRole('link', { name: 'Storage' }).click();
		await page.getByRole('heading', { level: 1, name: 'Storage' }).waitFor();
		await kinds(page).waitFor();
		assert.match(await kinds(page).innerText(), /Answers, as they came back[\s\S]*\d[\s\S]*[kM]?B/);
		assert.match(await page.locator('.values').innerText(), /Database[\s\S]*Runs[\s\S]*Files[\s\S]*Free on the disk/);
		await page.getByText(/^Measured \d/).waitFor();
		await top(page).getByRole('link').first().click();
		await page.getByRole('heading', { level: 1, name: /^Run / }).waitFor();
	});

	test('a_rule_is_tried_before_anything_goes', {}, async (page) => {
		await page.goto(`${base}/storage`);
		const look = page.getByRole('button', { name: 'See what would go' });
		await look.click();
		await page.getByText('Say which runs go').waitFor();
		const keep = page.getByRole('textbox', { name: 'Keep the newest' });
		await keep.fill('many');
		await look.click();
		await page.getByText('Write a whole number above 0.').waitFor();
		await keep.fill('100000');
		await look.click();
		await page.getByText('No run would go').waitFor();
		assert.equal(await page.getByRole('button', { name: /^Prune/ }).count(), 0);
		await keep.fill('99999');
		await gone(page.getByText('No run would go'));
	});

	if (!kit.isMock || process.env.WEIR_API) return;

	test('a_run_is_deleted_behind_a_question_that_can_be_left', {}, async (page) => {
		await page.route('**/api/v1/storage', async (route) => {
			const text = await (await route.fetch()).text();
			await route.fulfill({ contentType: 'application/json', body: text.replace(/("id":"4796".*?"state":)"done"/, '$1"running"') });
		});
		await open(page, base);
		assert.ok(await page.getByRole('button', { name: 'Delete run 4796' }).isDisabled(), 'it is running');
		await page.getByRole('button', { name: 'Delete run 4822' }).click();
		const dialog = page.getByRole('dialog', { name: 'Delete run 4822?' });
		assert.match(await dialog.innerText(), /gone for good[\s\S]*can never be resumed/);
		await page.keyboard.press('Escape');
		await gone(dialog);
		await page.getByRole('button', { name: 'Delete run 4809' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
		await gone(page.getByRole('link', { name: '4809', exact: true }));
		await page.goto(`${base}/runs/4809`);
		await page.getByText('There is no run 4809').waitFor();
	});

	test('a_run_that_is_refused_stays_in_the_table', {}, async (page) => {
		await open(page, base);
		await page.route('**/api/v1/runs/4796', (route) =>
			route.fulfill({ status: 409, json: { title: 'Conflict', detail: 'the run is being executed', status: 409 } }),
		);
		await page.getByRole('button', { name: 'Delete run 4796' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
		await page.getByRole('dialog').getByText('the run is being executed').waitFor();
		await page.getByRole('button', { name: 'Cancel' }).click();
		assert.equal(await page.getByRole('link', { name: '4796', exact: true }).count(), 1);
	});

	test('keys_alone_prune_what_was_looked_at', {}, async (page) => {
		await open(page, base);
		const sent = [];
		page.on('request', (r) => r.url().endsWith('/prune') && sent.push(r.postDataJSON()));
		await page.getByRole('textbox', { name: 'Ended more than' }).focus();
		await page.keyboard.type('1');
		await page.getByRole('checkbox', { name: 'Done', exact: true }).focus();
		await page.keyboard.press('Space');
		await page.getByRole('button', { name: 'See what would go' }).focus();
		await page.keyboard.press('Enter');
		const go = page.getByRole('button', { name: /^Prune these \d+ runs/ });
		await go.waitFor();
		const count = (await go.innerText()).replace(/\D/g, '');
		assert.match(await page.locator('.prune .note').innerText(), new RegExp(`^${count} runs would go[\\s\\S]*Nothing is changed yet`));
		await go.focus();
		await page.keyboard.press('Enter');
		await page.getByRole('dialog', { name: `Prune ${count} runs?` }).waitFor();
		await page.getByRole('dialog').getByRole('button', { name: /^Prune these/ }).focus();
		await page.keyboard.press('Enter');
		await page.getByText(`${count} runs are gone`).first().waitFor();
		const rule = { older_than: '1d', states: ['done'] };
		assert.deepEqual(sent, [
			{ ...rule, dry_run: true },
			{ ...rule, dry_run: false },
		]);
	});

	test('sums_that_are_being_gathered_are_followed', {}, async (page) => {
		await open(page, base);
		const before = await page.getByText(/^Measured \d/).innerText();
		await page.clock.install({ time: Date.now() + 60_000 });
		await page.route('**/api/v1/storage', async (route) => {
			const body = await (await route.fetch()).json();
			await route.fulfill({ json: body.computed_at ? { ...body, computed_at: '2030-01-02T03:04:05Z' } : body });
		});
		await page.getByRole('button', { name: 'Measure again' }).click();
		await page.getByText('Measuring; the server goes on working').first().waitFor();
		await page.clock.runFor(5000);
		await page.getByText('Measured 2 Jan 2030').waitFor();
		assert.doesNotMatch(before, /2030/);
	});

	test('an_empty_server_and_one_that_fails_say_so', {}, async (page) => {
		const empty = await startSite({ isEmpty: true });
		try {
			await page.goto(`${empty.url}/storage`);
			await page.getByText('Nothing is stored yet').waitFor();
		} finally {
			empty.close();
		}
		await page.route('**/api/v1/storage', (route) =>
			route.fulfill({ status: 400, json: { title: 'Not possible now', detail: 'disk I/O error', status: 400 } }),
		);
		await page.goto(`${base}/storage`);
		await page.getByText('disk I/O error').waitFor();
		await page.unroute('**/api/v1/storage');
		await page.getByRole('button', { name: 'Try again' }).click();
		await top(page).waitFor();
	});

	test('a_database_too_large_to_be_summed_still_names_its_runs', {}, async (page) => {
		await page.route('**/api/v1/storage', async (route) => {
			const body = await (await route.fetch()).json();
			await route.fulfill({ json: { ...body, kinds: null } });
		});
		await open(page, base);
		await page.getByText('The command weir doctor does it').waitFor();
	});

	for (const colorScheme of ['light', 'dark'])
		test(`axe_finds_nothing_on_storage_in_${colorScheme}`, { colorScheme, bypassCSP: true }, async (page) => {
			await open(page, base);
			await page.getByRole('checkbox', { name: 'Failed', exact: true }).check();
			await page.getByRole('button', { name: 'See what would go' }).click();
			await page.locator('.prune .note').waitFor();
			await check(page);
			await page.getByRole('button', { name: 'Delete run 4822' }).click();
			await page.getByRole('dialog').waitFor();
			await check(page);
		});

	for (const width of [320, 360])
		test(`storage_fits_on_${width}_pixels_in_french`, { locale: 'fr-FR', viewport: { width, height: 740 } }, async (page) => {
			await page.goto(`${base}/storage`);
			await page.getByRole('group', { name: 'Exécutions qui en prennent le plus' }).waitFor();
			assert.equal(await overflow(page), 0);
			await page.getByRole('checkbox', { name: 'Échec', exact: true }).check();
			await page.getByRole('button', { name: 'Voir ce qui partirait' }).click();
			await page.locator('.prune .note').waitFor();
			assert.equal(await overflow(page), 0);
			await page.getByRole('button', { name: 'Supprimer l’exécution 4822' }).click();
			const box = await page.getByRole('dialog').boundingBox();
			assert.ok(box.x >= 0 && box.x + box.width <= width, `${box.x} + ${box.width}`);
		});

	rerunTests(test, base);
}

function rerunTests(test, base) {
	const again = (page, step) => page.getByRole('button', { name: `Again from here ${step}` });

	test('a_run_again_says_before_what_is_sent_again_and_what_it_does_twice', {}, async (page) => {
		await page.goto(`${base}/runs/4823?item=47`);
		await again(page, 'variables').click();
		const dialog = page.getByRole('dialog', { name: 'Run again from variables?' });
		const text = await dialog.innerText();
		assert.match(text, /push POST crm\/contacts[\s\S]*at most once[\s\S]*without a key/);
		assert.match(text, /happens a second time/);
		assert.doesNotMatch(text, /exactly once/);
		await page.keyboard.press('Escape');
		await gone(dialog);
		await again(page, 'save').click();
		await page.getByText('No step from here on sends anything.').waitFor();
		assert.equal(await page.getByText('happens a second time').count(), 0);
	});

	test('a_run_again_sends_the_step_and_the_items_chosen', {}, async (page) => {
		await page.goto(`${base}/runs/4823?item=47`);
		const sent = [];
		page.on('request', (r) => r.url().endsWith('/rerun') && sent.push(r.postDataJSON()));
		await again(page, 'push').click();
		await page.getByRole('radio', { name: 'Only item 47' }).check();
		await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
		await gone(page.getByRole('dialog'));
		await page.goto(`${base}/runs/4821`);
		await again(page, 'forecast').click();
		assert.equal(await page.getByRole('dialog').getByRole('radio').count(), 0, 'no item is open');
		await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
		await page.locator('h1 .state', { hasText: 'Done' }).waitFor();
		assert.deepEqual(sent, [
			{ from: 'push', items: [47] },
			{ from: 'forecast', items: 'all' },
		]);
	});

	test('a_refusal_stays_in_the_dialog_and_a_run_that_stands_still_is_told', {}, async (page) => {
		await page.goto(`${base}/runs/4822`);
		await again(page, 'input').click();
		await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
		await page.getByRole('dialog').getByText('has written entries; nothing was changed').waitFor();
		await page.keyboard.press('Escape');
		await again(page, 'push').click();
		await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
		await page.getByRole('alert').getByText('secret CRM_TOKEN is missing').waitFor();
	});

	test('a_run_under_way_cannot_be_done_again', {}, async (page) => {
		await page.goto(`${base}/runs/4826`);
		await page.locator('table.steps tbody tr').first().waitFor();
		if ((await page.locator('h1 .state').innerText()) !== 'Running') return;
		assert.equal(await page.getByRole('button', { name: /^Again from here/ }).count(), 0);
	});

	test('a_run_again_fits_on_360_pixels_in_french_and_is_accessible', {
		locale: 'fr-FR',
		colorScheme: 'dark',
		bypassCSP: true,
		viewport: { width: 360, height: 740 },
	}, async (page) => {
		await page.goto(`${base}/runs/4823?item=47`);
		await page.getByRole('button', { name: 'Relancer d’ici variables' }).click();
		const box = await page.getByRole('dialog').boundingBox();
		assert.ok(box.x >= 0 && box.x + box.width <= 360, `${box.x} + ${box.width}`);
		assert.equal(await overflow(page), 0);
		await check(page);
	});
}
