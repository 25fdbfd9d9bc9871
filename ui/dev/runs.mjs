// SPDX-License-Identifier: Apache-2.0
/* Runs of the mock: some history in every state, one that is running now, one with many items to page through. */
import { findPlace, forecast, Num } from './weather.mjs';

const minute = 60_000;
const iso = (ms) => new Date(ms).toISOString();
const started = Date.now();

const get = { promise: 'at least once: GET may be repeated', detail: 'GET open-meteo/forecast /v1/forecast' };
const post = { promise: 'at most once: POST without a key is never repeated', detail: 'POST crm/contacts /contacts' };

function steps(kind, n) {
	const step = (name, stage, stepKind, source, extra = {}) => ({
		name,
		title: null,
		stage,
		kind: stepKind,
		source_step: source,
		in: new Num(n.in),
		out: new Num(n.out),
		failed: new Num(0),
		promise: null,
		duration_ms: new Num(0.2),
		detail: null,
		...extra,
	});
	const isPost = kind === 'push';
	return [
		step('input', 'Input', 'get_action_model', null, { out: new Num(n.in) }),
		step('variables', 'Prepare', 'execute_script', 'input', { out: new Num(n.in), duration_ms: new Num(0.9) }),
		step(isPost ? 'push' : 'forecast', 'Call', 'execute_api_call', 'variables', {
			failed: new Num(n.failed),
			duration_ms: new Num(n.ms),
			...(isPost ? post : get),
		}),
		step('save', 'Save', 'update_entry', isPost ? 'push' : 'forecast', {
			in: new Num(n.out),
			promise: 'exactly once, with the outcome of the call',
			duration_ms: new Num(3.1),
		}),
		step('respond', 'Respond', 'write_response', 'save', { in: new Num(n.out), duration_ms: new Num(0.1) }),
	];
}

const timedOut = {
	type: 'timeout',
	title: 'The other system took too long',
	detail:
		'step "forecast": no first byte from api.example.org within 10 s, tried 3 times; raise the time-out of the system or try later',
	step: 'forecast',
	status: null,
};
const refused = {
	type: 'status',
	title: 'The other system refused the item',
	detail:
		'step "push": POST /contacts answered 409 Conflict: e-mail already in use; correct data.email of the item, then retry the failed items',
	step: 'push',
	status: new Num(409),
};
const unknown = {
	type: 'unknown_outcome',
	title: 'Sent, but no answer came back',
	detail:
		'step "push": the connection was lost after the request was written; look for the contact in the other system before sending it again',
	step: 'push',
	status: null,
};

function run(id, at, state, more = {}) {
	const kind = more.kind ?? 'weather';
	const items = more.items ?? 1;
	const failed = more.failed ?? (state === 'failed' ? items : 0);
	const unknownItems = more.unknown ?? 0;
	const ms = more.ms ?? 120 + ((id * 37) % 190);
	const out = Math.max(0, items - failed - unknownItems);
	return {
		id: String(id),
		component: kind === 'push' ? 'contacts' : 'weather',
		dataflow: kind === 'push' ? 'push_contacts' : 'get_weather',
		version: kind === 'push' ? 'c01f77aa2b9d' : '4f1d2c90a7be',
		env: 'sample',
		trigger: more.trigger ?? ['form', 'api', 'cli'][id % 3],
		state,
		started_at: iso(at),
		ended_at: state === 'running' || state === 'interrupted' ? null : iso(at + ms),
		duration_ms: state === 'running' ? null : new Num(ms),
		counts: {
			items_in: new Num(items),
			items_out: new Num(out),
			failed: new Num(failed),
			unknown: new Num(unknownItems),
		},
		steps: steps(kind, { in: items, out, failed, ms: (ms * 0.8).toFixed(1) }),
		problem: state === 'failed' ? timedOut : null,
		kind,
		unknownAtFirst: unknownItems,
	};
}

const history = [];
for (let id = 4700; id < 4821; id++)
	history.push(run(id, started - (4826 - id) * 13 * minute, id % 17 === 0 ? 'failed' : 'done'));
history.push(run(4821, started - 52 * minute, 'interrupted', { trigger: 'cli', items: 24, failed: 0 }));
history.push(
	run(4822, started - 44 * minute, 'needs attention', {
		kind: 'push',
		items: 60,
		unknown: 2,
		trigger: 'api',
		ms: 8120,
	}),
);
history.push(
	run(4823, started - 31 * minute, 'partly done', {
		kind: 'push',
		items: 1240,
		failed: 31,
		unknown: 0,
		trigger: 'cli',
		ms: 93_400,
	}),
);
history.push(run(4824, started - 20 * minute, 'failed', { trigger: 'form', ms: 30_012 }));
history.push(run(4825, started - 9 * minute, 'done'));

/** A run that works for a minute after the mock starts, so that the pages have something to refresh. */
function live() {
	const done = Math.min(240, Math.floor((Date.now() - started) / 250));
	const r = run(4826, started, done < 240 ? 'running' : 'done', { trigger: 'cli', items: 240, ms: 60_000 });
	r.counts.items_out = new Num(done);
	r.steps = steps('weather', { in: 240, out: done, failed: 0, ms: done * 250 });
	return r;
}

export const runs = {
	list: () => [
		...history.filter((r) => Number(r.id) > 4826).reverse(),
		live(),
		...history.filter((r) => Number(r.id) < 4826).reverse(),
	],
	find: (id) => runs.list().find((r) => r.id === id),
	add(state, more) {
		const id = Math.max(4826, ...history.map((r) => Number(r.id))) + 1;
		const r = run(id, Date.now(), state, { trigger: 'form', ...more });
		r.city = more?.city;
		history.push(r);
		return r;
	},
	/** A person decides; what is sent again, or happened, is done at once. */
	decide(id, { decision, items, note }) {
		const r = history.find((h) => h.id === id);
		const all = Array.from({ length: Number(r.counts.items_in.text) }, (_, seq) => seq);
		const asked = all.filter((s) => items === 'all' || items.some((i) => Number(i.text ?? i) === s));
		const those = asked.filter((s) => itemState(r, s) === 'unknown outcome');
		r.decisions ??= {};
		for (const s of those)
			r.decisions[s] = {
				step: 'push',
				attempt: new Num(1),
				decision,
				by: 'page',
				at: iso(Date.now()),
				note: note ?? null,
				result: null,
			};
		const left = all.filter((s) => itemState(r, s) === 'unknown outcome').length;
		const out = Number(r.counts.items_out.text) + (decision === 'skip' ? 0 : those.length);
		r.counts = { ...r.counts, unknown: new Num(left), items_out: new Num(out) };
		if (left === 0) r.state = 'done';
		return { run: id, decision, decided: new Num(those.length), left: new Num(left), resumed: true };
	},
	/** Done at once; one that needs attention stands still, as if its system could not be reached. */
	rerun(id) {
		const r = history.find((h) => h.id === id);
		if (r.state === 'needs attention') return { resumed: false, not_resumed: 'secret CRM_TOKEN is missing' };
		Object.assign(r, { state: 'done', ended_at: iso(Date.now()) });
		return { resumed: true };
	},
	remove(id) {
		const at = history.findIndex((h) => h.id === id);
		if (at >= 0) history.splice(at, 1);
	},
	resume(id) {
		const r = history.find((h) => h.id === id);
		if (r)
			Object.assign(r, {
				state: 'done',
				ended_at: iso(Date.now()),
				counts: { ...r.counts, items_out: r.counts.items_in },
			});
		return r;
	},
};

const cities = ['Paris', 'Lisboa', 'Oslo', 'Nairobi'];

export function itemState(r, seq) {
	if (r.state === 'running') return seq < Number(r.counts.items_out.text) ? 'done' : 'running';
	if (r.state === 'interrupted') return seq < 9 ? 'done' : 'running';
	if (r.decisions?.[seq]) return r.decisions[seq].decision === 'skip' ? 'skipped' : 'done';
	if (r.kind !== 'push') return r.state === 'failed' ? 'failed' : 'done';
	if (r.unknownAtFirst > seq - 20 && seq >= 20)
		return 'unknown outcome';
	return Number(r.counts.failed.text) > 0 && seq % 40 === 7 ? 'failed' : 'done';
}

const inputOf = (r, seq) =>
	r.kind === 'push'
		? {
				data: {
					email: `person${seq}@example.org`,
					name: `Person ${seq}`,
					balance: new Num(`${seq * 3}.1000`),
					ref: new Num(`9007199254740${String(993 + seq).padStart(3, '0')}`),
				},
			}
		: { data: { city: r.city ?? cities[seq % 4] } };

const problemOf = (r, state) =>
	state === 'unknown outcome' ? unknown : state === 'failed' ? (r.kind === 'push' ? refused : timedOut) : null;

export function itemRow(r, seq) {
	const state = itemState(r, seq);
	return { seq: new Num(seq), state, input: inputOf(r, seq), problem: problemOf(r, state) };
}

/** Phases as the server tells them, with the marks that they are made of. */
function times(phases) {
	const timings = {};
	let at = 0;
	const marks = { dns: 'dns', connect: 'connect', tls: 'tls', send: 'sent', wait: 'first_byte', body: 'total' };
	for (const [name, ms] of Object.entries(phases)) {
		if (marks[name]) at += ms;
		timings[marks[name] ?? name] = new Num((marks[name] ? at : ms).toFixed(1));
	}
	timings.total = new Num(at.toFixed(1));
	return {
		timings_ms: timings,
		phases_ms: Object.fromEntries(Object.entries(phases).map(([name, ms]) => [name, new Num(ms)])),
		reused: !('connect' in phases),
	};
}

const again = (why, text, wait, more = {}) => ({
	why,
	text,
	wait_ms: new Num(wait),
	header: null,
	asked_ms: null,
	status: null,
	error: null,
	from: null,
	...more,
});

export function itemWhole(r, seq) {
	const row = itemRow(r, seq);
	const at = Date.parse(r.started_at) + seq * 4;
	const base = {
		intent_at: iso(at),
		sent_at: iso(at),
		outcome_at: iso(at + 112),
		...times({ queue: 0.1, dns: 1.2, connect: 7.0, tls: 13.2, send: 0.2, wait: 88.0, body: 2.8 }),
		again: null,
		rest: null,
		verdict: 'ok',
		rule: 'default: 200',
		problem: null,
	};
	if (r.kind === 'push') {
		const vars = { ...row.input, _source: 'import' };
		const body = `{"email":"person${seq}@example.org","name":"Person ${seq}","balance":${seq * 3}.1000}`;
		const call = {
			step: 'push',
			attempt: new Num(1),
			state: row.state === 'done' || row.state === 'failed' ? 'answered' : 'unknown outcome',
			...base,
			request: {
				method: 'POST',
				url: 'https://crm.example.org/contacts',
				headers: [
					['content-type', 'application/json'],
					['authorization', '***'],
					['idempotency-key', `run-${r.id}-${seq}`],
				],
				body,
			},
			answer:
				row.state === 'done'
					? {
							status: new Num(201),
							headers: [
								['content-type', 'application/json'],
								['location', `/contacts/${8000 + seq}`],
							],
							body: `{"id":${8000 + seq},"created":true,"balance":${seq * 3}.1000,"big":12345678901234567890}`,
							body_bytes: new Num(74),
							clipped: false,
						}
					: row.state === 'failed'
						? {
								status: new Num(409),
								headers: [['content-type', 'application/problem+json']],
								body: '{"title":"Conflict","detail":"e-mail already in use"}',
								body_bytes: new Num(53),
								clipped: false,
							}
						: null,
			problem: row.state === 'done' ? null : problemOf(r, row.state),
		};
		if (row.state === 'failed') Object.assign(call, { verdict: 'fail', rule: 'default: 409' });
		/* What the last attempt of a crowded system looks like: held back by an answer to another item. */
		if (seq % 5 === 3)
			Object.assign(call, times({ queue: 0.4, limiter: 2000.3, send: 0.1, wait: 74.2, body: 0.9 }), {
				rest: {
					text: 'rest after 429, Retry-After: 2 s',
					status: new Num(429),
					header: 'retry-after',
					asked_ms: new Num(2000),
				},
			});
		if (row.state === 'unknown outcome')
			Object.assign(call, {
				outcome_at: null,
				sent_at: null,
				phases_ms: null,
				timings_ms: null,
				reused: null,
				verdict: null,
				rule: null,
			});
		return {
			...row,
			output: row.state === 'done' ? { ...vars, _contact: String(8000 + seq) } : null,
			steps: [
				{ name: 'input', item: row.input },
				{ name: 'variables', item: vars },
				...(row.state === 'done' ? [{ name: 'push', item: { ...vars, _contact: String(8000 + seq) } }] : []),
			],
			decisions: r.decisions?.[seq] ? [r.decisions[seq]] : [],
			calls: row.state === 'running' ? [] : [call],
		};
	}
	const place = findPlace(row.input.data.city) ?? findPlace('paris');
	const vars = { ...row.input, _lat: new Num(place.lat), _lon: new Num(place.lon) };
	const data = forecast(place, 7);
	const list = (values) => `[${values.map((v) => v.text).join(',')}]`;
	const body = `{"latitude":${place.lat},"longitude":${place.lon}00,"timezone":"${place.zone}","elevation":0.1000,"daily_units":{"temperature_2m_max":"°C","precipitation_sum":"mm"},"daily":{"time":${JSON.stringify(data.time)},"temperature_2m_max":${list(data.max)},"temperature_2m_min":${list(data.min)},"precipitation_sum":${list(data.rain)}}}`;
	const request = {
		method: 'GET',
		url: `https://api.example.org/v1/forecast?latitude=${place.lat}&longitude=${place.lon}&daily=temperature_2m_max,temperature_2m_min,precipitation_sum&forecast_days=7`,
		headers: [
			['accept', 'application/json'],
			['user-agent', 'weir/0.1'],
		],
		body: null,
	};
	const answered = {
		step: 'forecast',
		attempt: new Num(1),
		state: 'answered',
		...base,
		request,
		answer: {
			status: new Num(200),
			headers: [
				['content-type', 'application/json; charset=utf-8'],
				['date', 'Thu, 19 Nov 2026 14:02:11 GMT'],
				['content-encoding', 'gzip'],
			],
			body,
			body_bytes: new Num(body.length),
			clipped: false,
		},
	};
	const lost = (n) => ({
		...answered,
		attempt: new Num(n),
		state: 'no answer',
		...times({ queue: 0.1, ...(n === 1 ? { dns: 0.4, connect: 7.8, tls: 12.7 } : {}), send: 0.2, wait: 9979.0 }),
		again:
			n === 1
				? null
				: again('back_off', 'back-off after first_byte_timeout', 412.5 * n, { error: 'first_byte_timeout' }),
		verdict: 'retry',
		rule: 'default: first_byte_timeout',
		answer: null,
		problem: {
			type: 'first_byte_timeout',
			title: 'No first byte within 10 s',
			detail: 'step "forecast": the connection was open, but nothing was sent',
			step: 'forecast',
			status: null,
		},
	});
	/* Every fifth run met a busy server that had moved: 503, a redirect, 200. */
	const busy = {
		...answered,
		...times({ queue: 0.3, dns: 1.2, connect: 7.0, tls: 13.2, send: 0.2, wait: 24.0 }),
		verdict: 'wait',
		rule: 'default: 503',
		answer: {
			...answered.answer,
			status: new Num(503),
			headers: [['retry-after', '1']],
			body: '',
			body_bytes: new Num(0),
		},
	};
	const moved = {
		...answered,
		attempt: new Num(2),
		...times({ queue: 0.2, send: 0.1, wait: 31.0, body: 0.2 }),
		again: again('asked', 'Retry-After: 1 s', 1000.384, {
			header: 'retry-after',
			asked_ms: new Num(1000),
			status: new Num(503),
		}),
		verdict: 'redirect',
		rule: null,
		answer: {
			...answered.answer,
			status: new Num(307),
			headers: [['location', '/v2/forecast']],
			body: '',
			body_bytes: new Num(0),
		},
	};
	const found = {
		...answered,
		attempt: new Num(3),
		...times({ queue: 0.2, send: 0.1, wait: 88.0, body: 12.8 }),
		again: again('redirect', 'redirect from /v1/forecast', 0.02, { from: request.url, status: new Num(307) }),
		request: { ...request, url: request.url.replace('/v1/', '/v2/') },
	};
	const calls = Number(r.id) % 5 === 0 ? [busy, moved, found] : [answered];
	const _forecast = { ...data };
	const after = { ...vars, _forecast };
	const isDone = row.state === 'done';
	return {
		...row,
		output: isDone ? { data: row.input.data, _forecast } : null,
		steps: [
			{ name: 'input', item: row.input },
			{ name: 'variables', item: vars },
			...(isDone
				? [
						{ name: 'forecast', item: after },
						{ name: 'save', item: { ...after, _entry: '10427' } },
					]
				: []),
		],
		calls: isDone ? calls : row.state === 'failed' ? [lost(1), lost(2), lost(3)] : [],
	};
}
