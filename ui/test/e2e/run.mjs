// SPDX-License-Identifier: Apache-2.0
/*
 * The pages in a real browser. WEIR_API puts the build over a running server's API. Without WEIR_URL: the build over the mock, with the server's CSP. With WEIR_URL: a running
 * server that has the weather example; its values vary, so the claims are about shapes. Names are claims.
 */
import { startSite } from '../../dev/serve.mjs';
import { accessTests } from './access.mjs';
import { withBrowser } from './browser.mjs';
import { formTests } from './form.mjs';
import { mockTests } from './mock-only.mjs';
import { runTests } from './runs.mjs';
import { storageTests } from './storage.mjs';

const site = process.env.WEIR_URL ? null : await startSite();
const base = (process.env.WEIR_URL ?? site.url).replace(/\/$/, '');
const only = process.argv[2];
const violations = [];
const crashes = [];
const tests = [];
const test = (name, options, act) => tests.push({ name, options, act });

async function form() {
	const response = await fetch(`${base}/api/v1/components/weather/forms/weather`);
	if (!response.ok)
		throw new Error(
			`${base} has no form weather/weather (status ${response.status}); import the weather example first`,
		);
	return response.json();
}
const say = (text, language) =>
	typeof text === 'string' ? text : (text?.[language] ?? text?.en ?? Object.values(text ?? {})[0]);

const kit = { base, form: await form(), say, isMock: site !== null };
formTests(test, kit);
runTests(test, kit);
accessTests(test, kit);
if (site && !process.env.WEIR_API) mockTests(test, kit);
storageTests(test, kit);
test('no_page_broke_the_content_security_policy', {}, async () => {
	if (violations.length) throw new Error(violations.join('\n'));
});
test('no_page_threw_an_error', {}, async () => {
	if (crashes.length) throw new Error(crashes.join('\n'));
});

let passed = 0;
let failed = 0;
await withBrowser({}, async (context) => {
	const browser = context.browser();
	for (const { name, options, act } of tests) {
		if (only && !name.includes(only)) continue;
		const from = performance.now();
		/* A context of its own for each claim: no language or theme left over from the one before. */
		const own = await browser.newContext({
			locale: 'en-GB',
			timezoneId: 'Europe/Paris',
			viewport: { width: 1280, height: 900 },
			...options,
		});
		own.setDefaultTimeout(20000);
		try {
			const page = await own.newPage();
			page.on('console', (m) => {
				if (/content security policy|trusted ?type|trustedhtml/i.test(m.text()))
					violations.push(`${name}: ${m.text()}`);
			});
			page.on('pageerror', (e) => crashes.push(`${name}: ${e.message}`));
			await act(page);
			passed++;
			console.log(`ok   ${name} (${Math.round(performance.now() - from)} ms)`);
		} catch (error) {
			failed++;
			console.log(`FAIL ${name}\n     ${String(error.message).replaceAll('\n', '\n     ')}`);
		} finally {
			await own.close();
		}
	}
});
site?.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
