// SPDX-License-Identifier: Apache-2.0
/*
 * The REST contract (docs/internals/rest.md) with invented data, for work on the pages without a server.
 * `node dev/mock.mjs [port]` listens on loopback; tests use createApi() in their own process.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { components, forms } from './forms.mjs';
import { itemRow, itemState, itemWhole, runs } from './runs.mjs';
import { createStorage } from './storage.mjs';
import { findPlace, forecast, Num, view, write } from './weather.mjs';

const json = (response, status, body, headers = {}) => {
	const text = write(body);
	response.writeHead(status, {
		'content-type': status >= 400 ? 'application/problem+json' : 'application/json',
		...headers,
	});
	response.end(text);
};
const problem = (response, status, title, detail, more = {}) =>
	json(response, status, { type: 'about:blank', title, status: new Num(status), detail, instance: null, ...more });

function page(list, query, toRow) {
	const limit = Math.min(200, Math.max(1, Number(query.get('limit') ?? 50)));
	const from = Number(query.get('after') ?? 0) || 0;
	const rows = list.slice(from, from + limit);
	return {
		items: rows.map(toRow),
		next: from + limit < list.length ? String(from + limit) : null,
		total: new Num(list.length),
	};
}

function seedEntries() {
	const at = Date.UTC(2026, 10, 19, 13, 47);
	return Array.from({ length: 127 }, (_, i) => {
		const place = findPlace(['lisboa', 'oslo', 'nairobi', 'paris'][i % 4]);
		const data = forecast(place, 7);
		const when = new Date(at - i * 97 * 60_000).toISOString();
		return {
			id: String(10426 - i),
			created_at: when,
			updated_at: when,
			run_id: String(4820 - (i % 100)),
			item: i % 7,
			data: summary(place, data),
		};
	});
}

const numbers = (list) => list.map((v) => Number(v.text));
const summary = (place, data) => ({
	city: place.name,
	days: new Num(data.time.length),
	max: new Num(Math.max(...numbers(data.max)).toFixed(1)),
	min: new Num(Math.min(...numbers(data.min)).toFixed(1)),
	rain: new Num(
		numbers(data.rain)
			.reduce((a, b) => a + b, 0)
			.toFixed(1),
	),
});

function submitWeather(response, body, entries) {
	const city = String(body.data?.city ?? '');
	const language = body.language;
	if (city.length === 0 || city.length > 100)
		return problem(response, 422, 'The form has mistakes', 'city is required', {
			errors: [{ pointer: '/data/city', detail: 'Write between 1 and 100 characters.' }],
		});
	const trouble = city.toLowerCase();
	if (trouble === 'down') {
		const run = runs.add('failed', { city });
		return problem(
			response,
			502,
			'The weather service refused the connection',
			'step "forecast": connection to api.example.org:443 refused, tried 3 times',
			{ run_id: run.id, step: 'forecast' },
		);
	}
	if (trouble === 'timeout') {
		const run = runs.add('failed', { city, ms: 30_000 });
		return problem(
			response,
			504,
			'The weather service took too long',
			'step "forecast": no first byte within 10 s, tried 3 times',
			{ run_id: run.id, step: 'forecast' },
		);
	}
	if (trouble === 'slow') {
		const run = runs.add('running', { city });
		setTimeout(() => runs.resume(run.id), 5000);
		return json(response, 202, { run: { id: run.id, state: 'running', duration_ms: null } });
	}
	const place = findPlace(city);
	if (!place)
		return problem(response, 422, 'The form has mistakes', 'no such place', {
			errors: [
				{
					pointer: '/data/city',
					detail:
						language === 'fr'
							? `Aucun lieu ne s’appelle « ${city} » ; vérifiez l’orthographe.`
							: `No place is called "${city}"; check the spelling.`,
				},
			],
		});
	const run = runs.add('done', { city });
	const data = forecast(place, 7);
	const now = new Date().toISOString();
	const entry = {
		id: String(10427 + entries.length - 127),
		created_at: now,
		updated_at: now,
		run_id: run.id,
		item: 0,
		data: summary(place, data),
	};
	entries.unshift(entry);
	json(response, 200, {
		run: { id: run.id, state: 'done', duration_ms: new Num(210) },
		entry_id: entry.id,
		item: { data: { city } },
		view: view(place, data, language),
	});
}

function submitReport(response, body, entries) {
	const data = body.data ?? {};
	const run = runs.add('done', {});
	const now = new Date().toISOString();
	const entry = { id: String(500 + entries.length), created_at: now, updated_at: now, run_id: run.id, item: 0, data };
	entries.unshift(entry);
	json(response, 200, {
		run: { id: run.id, state: 'done', duration_ms: new Num(14) },
		entry_id: entry.id,
		item: body,
		view: {
			title: String(data.site),
			message: write(data),
			table: {
				columns: [
					{ name: 'name', title: 'Field' },
					{ name: 'value', title: 'Value' },
				],
				rows: Object.entries(data).map(([name, value]) => ({
					name,
					value: typeof value === 'object' && !(value instanceof Num) ? write(value).slice(0, 80) : value,
				})),
			},
		},
	});
}

function readBody(request) {
	return new Promise((resolve) => {
		let text = '';
		request.setEncoding('utf8');
		request.on('data', (part) => {
			text += part;
		});
		request.on('end', () => {
			try {
				/* Numbers stay text here too: 0.1000 must come back as it was sent. */
				resolve(
					JSON.parse(text.replace(/([:[,]\s*)(-?\d[\d.eE+-]*)(?=\s*[,}\]])/g, '$1{"\\u0000":"$2"}'), (_, v) =>
						v && typeof v === 'object' && '\u0000' in v ? new Num(v['\u0000']) : v,
					),
				);
			} catch {
				resolve({});
			}
		});
	});
}

export function createApi({ isEmpty = false } = {}) {
	const entries = { weather: isEmpty ? [] : seedEntries(), inspection: [] };
	const storage = createStorage({ isEmpty });
	return async (request, response) => {
		const url = new URL(request.url, 'http://mock');
		const parts = url.pathname.split('/').slice(3).map(decodeURIComponent);
		const [kind, id, sub, name, leaf] = parts;
		const query = url.searchParams;
		if (kind === 'files' && !id && request.method === 'POST') {
			const hash = createHash('sha256');
			let size = 0;
			for await (const part of request) {
				hash.update(part);
				size += part.length;
			}
			const file = hash.digest('hex');
			const type = request.headers['content-type'] ?? 'application/octet-stream';
			return json(response, 201, { file, name: query.get('name') ?? 'file', media_type: type, bytes: new Num(size) });
		}
		if (kind === 'components' && !id)
			return json(
				response,
				200,
				page(isEmpty ? [] : components, query, (c) => c),
			);
		if (kind === 'components' && sub === 'forms') {
			const form = forms[`${id}/${name}`];
			if (!form) return problem(response, 404, 'Not found', `component "${id}" has no form "${name}"`);
			if (leaf === 'submissions' && request.method === 'POST') {
				const body = await readBody(request);
				await new Promise((r) => setTimeout(r, 120));
				return id === 'weather'
					? submitWeather(response, body, entries.weather)
					: submitReport(response, body, entries[id]);
			}
			return json(response, 200, form);
		}
		if (kind === 'components' && sub === 'entries')
			return json(
				response,
				200,
				page(entries[id] ?? [], query, (e) => e),
			);
		if (kind === 'storage' && !id) return json(response, 200, storage.show(query.get('fresh') === '1'));
		if (kind === 'storage' && id === 'prune' && request.method === 'POST') {
			const { status, body } = storage.prune(await readBody(request));
			if (status === 200) return json(response, 200, body);
			return problem(response, status, body.title, body.detail);
		}
		if (kind === 'runs' && !id)
			return json(
				response,
				200,
				page(isEmpty ? [] : runs.list(), query, (r) => r),
			);
		const run = kind === 'runs' ? runs.find(id) : null;
		if (run && !sub && request.method === 'DELETE') {
			if (run.state === 'running') return problem(response, 409, 'Conflict', 'the run is being executed');
			runs.remove(id);
			return json(response, 200, { id, state: 'deleted' });
		}
		if (run && !sub) return json(response, 200, run);
		if (run && sub === 'rerun' && request.method === 'POST') {
			const { from } = await readBody(request);
			if (from === 'input')
				return problem(response, 409, 'Conflict', 'step "save" has written entries; nothing was changed', { step: 'save' });
			return json(response, 200, { run: id, from, dropped: new Num(3), ...runs.rerun(id) });
		}
		if (run && sub === 'resume' && request.method === 'POST')
			return json(response, 202, runs.resume(id) ?? run, { location: `/api/v1/runs/${id}` });
		if (run && sub === 'decisions' && request.method === 'POST')
			return json(response, 200, runs.decide(id, await readBody(request)));
		if (run && sub === 'items') {
			const all = Array.from({ length: Number(run.counts.items_in.text) }, (_, seq) => seq);
			if (name !== undefined)
				return all.includes(Number(name))
					? json(response, 200, itemWhole(run, Number(name)))
					: problem(response, 404, 'Not found', `run ${id} has no item ${name}`);
			const wanted = { failed: 'failed', unknown: 'unknown outcome' }[query.get('state') ?? 'all'];
			return json(
				response,
				200,
				page(
					all.filter((seq) => !wanted || itemState(run, seq) === wanted),
					query,
					(seq) => itemRow(run, seq),
				),
			);
		}
		return problem(response, 404, 'Not found', `nothing at ${url.pathname}`);
	};
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
	const port = Number(process.argv[2] ?? 8099);
	createServer(createApi({ isEmpty: process.argv.includes('--empty') })).listen(port, '127.0.0.1', () =>
		console.log(`mock API on http://127.0.0.1:${port}/api/v1`),
	);
}
