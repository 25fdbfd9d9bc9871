// SPDX-License-Identifier: Apache-2.0
/* The mock's storage: invented sums over its runs. A measurement is under way for two asks, so that pages have something to follow. */
import { runs } from './runs.mjs';
import { Num } from './weather.mjs';

const askedWhileMeasuring = 2;
const perItem = 1640;
const entries = 127;

const bytesOf = (run) => Number(run.counts.items_in.text) * perItem + 4200 + (Number(run.id) % 13) * 911;
const isOver = (run) => ['done', 'failed', 'partly done'].includes(run.state);

function measure(list) {
	const items = list.reduce((sum, r) => sum + Number(r.counts.items_in.text), 0);
	const kind = (what, rows, each) => ({ what, rows: new Num(rows), bytes: new Num(rows * each) });
	const top = list
		.map((r) => ({ run: r, bytes: bytesOf(r) }))
		.sort((a, b) => b.bytes - a.bytes)
		.slice(0, 20);
	return {
		computed_at: new Date().toISOString(),
		took_ms: new Num(41),
		problem: null,
		kinds: [
			kind('requests', items * 2, 149),
			kind('answers', items * 2, 612),
			kind('lines of entries', items, 41),
			kind('problems', Math.ceil(items / 40), 188),
			kind('input', list.length, 512),
			kind('entries', list.length ? entries : 0, 204),
			kind('components', list.length ? 3 : 0, 4100),
			kind('dictionaries', list.length ? 8 : 0, 6144),
		],
		runs: {
			total: new Num(list.length),
			measured: new Num(list.length),
			top: top.map(({ run: r, bytes }) => ({
				id: r.id,
				component: r.component,
				dataflow: r.dataflow,
				state: r.state,
				started_at: r.started_at,
				ended_at: r.ended_at,
				bytes: new Num(bytes),
			})),
			oldest: list.length ? { id: list.at(-1).id, started_at: list.at(-1).started_at } : null,
		},
		files: { count: new Num(list.length ? 12 : 0), bytes: new Num(list.length ? 904122 : 0) },
	};
}

export function createStorage({ isEmpty }) {
	const list = () => (isEmpty ? [] : runs.list());
	const nothing = { computed_at: null, took_ms: null, problem: null, kinds: null, runs: null, files: null };
	let last = nothing;
	let left = 0;
	return {
		show(isFresh) {
			if ((isFresh || last === nothing) && left === 0) left = askedWhileMeasuring + 1;
			if (left > 0 && --left === 0) last = measure(list());
			const used = list().reduce((sum, r) => sum + bytesOf(r), 0);
			return {
				database: {
					bytes: new Num(used + 620_000),
					used: new Num(used + 200_000),
					free: new Num(420_000),
					log: new Num(4_152_336),
				},
				disk: { directory: '/var/lib/weir', free: new Num(80_837_328_896), size: new Num(270_553_174_016) },
				...last,
				computing: left > 0,
				retention: { keep_runs_ms: new Num(30 * 86_400_000) },
				pruning: null,
			};
		},
		prune(body) {
			const days = Number(/^(\d+)d$/.exec(body.older_than ?? '')?.[1] ?? 0);
			const keep = Number(body.keep?.text ?? 0);
			if (!days && !keep && !body.states)
				return { status: 422, body: { title: 'The content is wrong', detail: 'say which runs go' } };
			const going = list()
				.filter((_, i) => i >= keep)
				.filter((r) => isOver(r) && (!body.states || body.states.includes(r.state)))
				.filter((r) => !days || Date.parse(r.ended_at) < Date.now() - days * 86_400_000)
				.reverse();
			const bytes = going.reduce((sum, r) => sum + bytesOf(r), 0);
			if (!body.dry_run) for (const r of going) runs.remove(r.id);
			return {
				status: 200,
				body: {
					dry_run: body.dry_run === true,
					runs: new Num(going.length),
					refused: new Num(0),
					bytes: new Num(bytes),
					used_before: new Num(bytes),
					used_after: body.dry_run ? null : new Num(0),
					items: going
						.slice(0, 200)
						.map((r) => ({ id: r.id, bytes: body.dry_run ? new Num(bytesOf(r)) : null, refusal: null })),
				},
			};
		},
	};
}
