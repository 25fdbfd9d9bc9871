// SPDX-License-Identifier: Apache-2.0
/* Claims that need data which only the mock can promise: troubles on demand, every field type, runs in every state. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { startSite } from '../../dev/serve.mjs';
import { claims } from './waterfall.mjs';

export function mockTests(test, { base }) {
	const submit = async (page, city) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('textbox', { name: 'City' }).fill(city);
		await page.keyboard.press('Enter');
	};

	test('a_problem_from_the_server_stands_beside_its_field', {}, async (page) => {
		await submit(page, 'Atlantis');
		await page
			.locator('.field .problem-text')
			.getByText('No place is called "Atlantis"; check the spelling.')
			.waitFor();
		assert.equal(await page.getByRole('alert').count(), 0, 'not told twice');
		await page.locator('.summary:focus').waitFor();
	});

	test('a_failed_call_says_what_where_and_what_next_with_its_run', {}, async (page) => {
		await submit(page, 'Down');
		const alert = page.getByRole('alert');
		await alert.getByText('The weather service refused the connection').waitFor();
		await alert.getByText('step "forecast"').waitFor();
		await alert.getByText('The form arrived, but its run did not succeed').waitFor();
		await alert.getByRole('link', { name: /^Open run/ }).click();
		await page.locator('h1 .state', { hasText: 'Failed' }).waitFor();
	});

	test('a_time_out_is_told_apart_from_a_refusal', {}, async (page) => {
		await submit(page, 'Timeout');
		await page.getByRole('alert').getByText('took too long to answer').waitFor();
	});

	test('a_run_that_takes_longer_is_followed_to_its_end', {}, async (page) => {
		await submit(page, 'Slow');
		await page.getByText(/is still working/).waitFor();
		await page.getByText(/has ended/).waitFor({ timeout: 12_000 });
	});

	test('an_unreachable_server_is_no_blank_page', {}, async (page) => {
		await page.goto(`${base}/app/weather`);
		await page.getByRole('textbox', { name: 'City' }).fill('Paris');
		await page.route('**/submissions', (route) => route.abort());
		await page.keyboard.press('Enter');
		await page.getByRole('alert').getByText('The Weir server did not answer').waitFor();
		await page.getByRole('alert').getByText('we do not know whether your form arrived').waitFor();
	});

	test('an_answer_that_is_no_json_is_told_as_such', {}, async (page) => {
		await page.route('**/forms/weather', (route) =>
			route.fulfill({ status: 200, contentType: 'text/html', body: '<p>proxy</p>' }),
		);
		await page.goto(`${base}/app/weather/weather`);
		await page.getByText('The answer could not be read').waitFor();
	});

	test('a_view_of_a_wrong_shape_does_not_take_the_form_with_it', {}, async (page) => {
		const body =
			'{"run":{"id":"1","state":"done","duration_ms":1},"entry_id":"1","view":{"title":"Odd","values":[null],"chart":7,"table":{"columns":4}}}';
		await page.goto(`${base}/app/weather`);
		await page.route('**/submissions', (route) =>
			route.fulfill({ status: 200, contentType: 'application/json', body }),
		);
		await page.getByRole('textbox', { name: 'City' }).fill('Paris');
		await page.keyboard.press('Enter');
		await page.getByText('This part of the page stopped working').waitFor();
		assert.equal(await page.getByRole('textbox', { name: 'City' }).inputValue(), 'Paris');
	});

	test('every_field_type_can_be_filled_in_and_keeps_its_digits', {}, async (page) => {
		await page.goto(`${base}/app/inspection`);
		await page.getByRole('textbox', { name: 'Site' }).fill('North gate');
		await page.locator('[data-type=catalog] button').click();
		await page.getByRole('option', { name: 'High' }).click();
		await page.getByRole('textbox', { name: 'People present' }).press('ArrowUp');
		await page.getByRole('textbox', { name: 'Noise level' }).fill('85,50');
		const day = page.locator('#field-day [role=spinbutton]').first();
		await day.click();
		await page.keyboard.type('19112026');
		await page.locator('#field-from [role=spinbutton]').first().click();
		await page.keyboard.type('0830');
		await page.getByRole('textbox', { name: 'Web page' }).fill('https://example.org/gate');
		await page.getByRole('textbox', { name: 'Faults' }).fill('rust\nloose bolt');
		await page.getByText('camera').click();
		await page.getByText('ladder').click();
		await page
			.locator('#field-photo input[type=file]')
			.setInputFiles({ name: 'gate.png', mimeType: 'image/png', buffer: Buffer.from('not really') });
		await page.getByRole('button', { name: 'Remove gate.png' }).waitFor();
		await page.getByText('10 B').waitFor();
		await page.getByText('Someone must call back').click();
		const [request] = await Promise.all([
			page.waitForRequest('**/submissions'),
			page.getByRole('button', { name: 'Send the report' }).click(),
		]);
		const sent = request.postData();
		for (const part of [
			'"site":"North gate"',
			'"kind":"yearly"',
			'"risk":"high"',
			'"people":3',
			'"level":85.50',
			'"day":"2026-11-19"',
			'"from":"08:30:00"',
			'"page":"https://example.org/gate"',
			'"faults":["rust","loose bolt"]',
			'"tools":["camera","ladder"]',
			`"photo":{"file":"${createHash('sha256').update('not really').digest('hex')}","name":"gate.png","media_type":"image/png","bytes":10}`,
			'"urgent":true',
		])
			assert.ok(sent.includes(part), `${part} in ${sent}`);
		assert.ok(!sent.includes('"next"') && !sent.includes('"remarks"'), 'empty fields are left out');
		await page.locator('.status').waitFor();
	});

	test('the_files_of_an_item_are_links_that_save_them', {}, async (page) => {
		const file = `{"file":"${'ab'.repeat(32)}","name":"cat.png","media_type":"image/png","bytes":1234}`;
		await page.route('**/items/8', async (route) => {
			const answer = await route.fetch();
			const body = (await answer.text()).replace('"input":{', `"input":{"photo":${file},`);
			await route.fulfill({ response: answer, body });
		});
		await page.goto(`${base}/runs/4823?item=8`);
		const link = page.getByRole('link', { name: 'cat.png' });
		await link.waitFor();
		const href = `/api/v1/files/${'ab'.repeat(32)}?name=cat.png&media_type=image%2Fpng`;
		assert.equal(await link.getAttribute('href'), href);
		assert.equal(await link.getAttribute('download'), 'cat.png');
		await page.getByText('1,234 B').waitFor();
	});

	test('a_form_is_not_sent_while_a_file_of_it_is_on_its_way', {}, async (page) => {
		let goOn;
		const held = new Promise((resolve) => {
			goOn = resolve;
		});
		await page.route('**/api/v1/files?*', async (route) => {
			await held;
			await route.continue();
		});
		await page.goto(`${base}/app/inspection`);
		await page
			.locator('#field-photo input[type=file]')
			.setInputFiles({ name: 'gate.png', mimeType: 'image/png', buffer: Buffer.from('not really') });
		await page.getByText('gate.png is being uploaded').waitFor();
		const site = page.getByRole('textbox', { name: 'Site' });
		await site.fill('North gate');
		await site.press('Enter');
		/* Not even the mistakes are told: other fields are empty. */
		assert.equal(await page.locator('.summary').count(), 0);
		goOn();
		await page.getByRole('button', { name: 'Remove gate.png' }).waitFor();
		await site.press('Enter');
		await page.locator('.summary').waitFor();
	});

	test('a_file_that_the_server_refuses_is_told_beside_its_field', {}, async (page) => {
		await page.route('**/api/v1/files?*', (route) =>
			route.fulfill({
				status: 413,
				contentType: 'application/problem+json',
				body: '{"title":"Too large","status":413,"detail":"the body of a request is at most 16777216 bytes"}',
			}),
		);
		await page.goto(`${base}/app/inspection`);
		await page
			.locator('#field-photo input[type=file]')
			.setInputFiles({ name: 'gate.png', mimeType: 'image/png', buffer: Buffer.from('not really') });
		await page.getByText('gate.png could not be uploaded: the body of a request is at most 16777216 bytes').waitFor();
		await page.getByRole('button', { name: /Choose a file/ }).waitFor();
	});

	test('a_mistake_without_a_field_here_is_told_in_the_message', {}, async (page) => {
		const body =
			'{"title":"The form has mistakes","status":422,"errors":[{"pointer":"/data/country","detail":"a country is needed"}]}';
		await page.goto(`${base}/app/weather`);
		await page.route('**/submissions', (route) =>
			route.fulfill({ status: 422, contentType: 'application/problem+json', body }),
		);
		await page.getByRole('textbox', { name: 'City' }).fill('Paris');
		await page.keyboard.press('Enter');
		await page.getByRole('alert').getByText('a country is needed').waitFor();
	});

	test('a_new_server_says_what_to_do_first', {}, async (page) => {
		const empty = await startSite({ isEmpty: true });
		try {
			await page.goto(`${empty.url}/`);
			await page.getByText('No runs yet').waitFor();
			await page.getByText('weir run component.yaml').waitFor();
			await page.goto(`${empty.url}/app/weather/weather`);
			await page.getByText('No entries yet').waitFor();
		} finally {
			empty.close();
		}
	});

	test('several_mistakes_are_counted_and_lead_to_their_fields', {}, async (page) => {
		await page.goto(`${base}/app/inspection`);
		await page.getByRole('button', { name: 'Send the report' }).click();
		const summary = page.getByRole('group', { name: '3 fields need your attention' });
		await summary.getByRole('link', { name: /^Risk/ }).click();
		await page.locator('#field-risk button:focus').waitFor();
	});

	test('items_are_filtered_and_paged_in_the_address', {}, async (page) => {
		await page.goto(`${base}/runs/4823`);
		await page.getByText('1 to 50 of 1,240').waitFor();
		await page.getByRole('link', { name: 'Next 50' }).click();
		await page.getByText('51 to 100 of 1,240').waitFor();
		assert.match(page.url(), /after=50/);
		await page.locator('.items-head').getByText('Failed', { exact: true }).click();
		await page.getByText('1 to 31 of 31').waitFor();
		assert.match(page.url(), /state=failed/);
		await page.locator('.item-rows a').nth(1).click();
		assert.match(page.url(), /state=failed.*item=47/);
	});

	test('numbers_are_shown_with_the_digits_that_were_sent', {}, async (page) => {
		await page.goto(`${base}/runs/4823?item=8`);
		const numbers = await page
			.locator('.json [data-kind=number]')
			.allInnerTexts()
			.catch(() => []);
		await page.locator('details.call .json').nth(1).waitFor();
		const shown = numbers.length ? numbers : await page.locator('.json [data-kind=number]').allInnerTexts();
		for (const text of ['24.1000', '12345678901234567890', '90071992547401001'])
			assert.ok(shown.includes(text), `${text} in ${shown}`);
	});

	test('an_unknown_outcome_is_never_told_as_done', {}, async (page) => {
		await page.goto(`${base}/runs/4822?state=unknown`);
		await page.locator('.item-rows a').first().click();
		await page.locator('h2 .state', { hasText: 'Unknown outcome' }).waitFor();
		await page.locator('details.call').getByText('No answer came back.').waitFor();
	});

	test(
		'in_french_on_320_pixels_a_decision_is_explained_and_can_be_left',
		{ locale: 'fr-FR', viewport: { width: 320, height: 640 } },
		async (page) => {
			await page.goto(`${base}/runs/4822?state=unknown`);
			await page.getByRole('checkbox', { name: /Les 2 inconnus/ }).check();
			await page.getByRole('button', { name: 'Renvoyer' }).click();
			const dialog = page.getByRole('dialog');
			assert.match(await dialog.innerText(), /Renvoyer ces 2 appels[\s\S]*2 requêtes sont envoyées encore une fois/);
			assert.equal(await page.locator('html').evaluate((el) => el.scrollWidth - el.clientWidth), 0);
			await page.getByRole('button', { name: 'Annuler' }).click();
			await dialog.waitFor({ state: 'detached' });
			assert.equal(await page.locator('.item-rows > li').count(), 2);
		},
	);

	for (const [name, act] of Object.entries(claims)) test(name, {}, (page) => act(page, `${base}/runs/4825?item=0`));

	test('who_held_a_call_back_is_told_in_words', {}, async (page) => {
		await page.goto(`${base}/runs/4823?item=8`);
		await page.locator('.wf-why', { hasText: /Held back: 429 said Retry-After: 2\ss/ }).waitFor();
		assert.equal(await page.locator('.wf-bar [data-phase=limiter]').count(), 1);
	});

	test('a_last_attempt_says_that_no_try_was_left', {}, async (page) => {
		await page.goto(`${base}/runs/4824?item=0`);
		await page.locator('.wf-facts p[data-chosen]', { hasText: 'Worth another try, but none was left' }).waitFor();
		assert.equal(await page.locator('.wf-facts').getByText('Worth another try,').count(), 3);
	});

	test('a_reason_that_the_page_does_not_know_is_shown_in_the_servers_words', {}, async (page) => {
		await page.route('**/items/0', async (route) => {
			const response = await route.fetch();
			const body = (await response.text()).replace(
				'"why":"asked"',
				'"why":"moon","text":"the moon was full","x":"asked"',
			);
			await route.fulfill({ response, body: body.replace('"text":"Retry-After: 1 s"', '"y":1') });
		});
		await page.goto(`${base}/runs/4825?item=0`);
		await page.locator('.wf-why', { hasText: 'the moon was full' }).waitFor();
	});

	test('an_interrupted_run_can_be_resumed', {}, async (page) => {
		await page.goto(`${base}/runs/4821`);
		await page.getByRole('button', { name: 'Resume' }).click();
		await page.locator('h1 .state', { hasText: 'Done' }).waitFor();
	});

	test('runs_are_paged_in_the_address_and_the_way_back_is_known', {}, async (page) => {
		await page.goto(`${base}/runs`);
		await page.getByRole('link', { name: 'Older' }).click();
		await page.getByRole('link', { name: 'Newer' }).waitFor();
		assert.match(page.url(), /after=50/);
		await page.getByRole('link', { name: 'Newer' }).click();
		await page.locator('tbody a', { hasText: '4826' }).waitFor();
	});

	test('a_running_run_refreshes_by_itself', {}, async (page) => {
		await page.goto(`${base}/runs/4826`);
		const out = page.locator('.counts .value').nth(1);
		await out.waitFor();
		if ((await page.locator('h1 .state').innerText()) !== 'Running') return;
		const before = await out.innerText();
		await page.waitForTimeout(2600);
		assert.notEqual(await out.innerText(), before);
	});

	test('an_address_that_leads_nowhere_says_so', {}, async (page) => {
		await page.goto(`${base}/nowhere`);
		await page.getByRole('heading', { level: 1, name: 'There is no page here' }).waitFor();
		await page.getByRole('link', { name: 'Open the list of runs' }).click();
		await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
	});
}
