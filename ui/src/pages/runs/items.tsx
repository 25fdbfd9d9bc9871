// SPDX-License-Identifier: Apache-2.0
/* The items of a run in windows of 50, and the chosen one whole. Filter, window and choice live in the query string. */
import { ChevronLeft, ChevronRight, X } from 'lucide-react';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { useItems } from '../../api/queries';
import type { ItemRow, Run } from '../../api/types';
import { Loading, Note, ProblemNote } from '../../components/notes';
import { State } from '../../components/state';
import { type MessageId, useT } from '../../i18n';
import { oneLine } from '../../lib/pretty';
import type { Choice } from './decide';
import { ItemDetail } from './item';

const DecideBar = lazy(() => import('./decide'));

const filters = ['all', 'failed', 'unknown'] as const;
const perPage = 50;
/* The list only hints at the data; the item itself is one click away. */
const hintLength = 120;

function Row(props: {
	row: ItemRow;
	href: string;
	isChosen: boolean;
	/** Something can be decided about it. */
	pick?: { isPicked: boolean; set: (isPicked: boolean) => void };
}) {
	const t = useT();
	const { row, href, isChosen, pick } = props;
	return (
		<li className={pick && 'pick-row'}>
			{pick && (
				<label className="pick">
					<input type="checkbox" checked={pick.isPicked} onChange={(e) => pick.set(e.target.checked)} />
					<span className="hidden-visually">{t('decide.pick', { seq: row.seq.text })}</span>
				</label>
			)}
			<Link className="item-link" href={href} aria-current={isChosen ? 'true' : undefined}>
				<span className="item-line">
					<span className="item-seq num">
						<span className="hidden-visually">{t('item.title', { seq: '' })}</span>
						{row.seq.text}
					</span>
					<State state={row.state} />
				</span>
				<span className="item-hint mono">{oneLine(row.input.text, hintLength)}</span>
				{row.problem && <span className="item-problem">{row.problem.title}</span>}
			</Link>
		</li>
	);
}

export function Items({ run }: { run: Run }) {
	const t = useT();
	const [search, setSearch] = useSearchParams();
	const filter = filters.find((f) => f === search.get('state')) ?? 'all';
	const trail = search.getAll('after');
	const chosen = search.get('item');
	const isLive = run.state === 'running';
	const items = useItems(run.id, filter, trail[trail.length - 1] ?? null, isLive);
	const detail = useRef<HTMLDivElement>(null);

	const href = (change: { state?: string; item?: string | null; after?: string[] }): string => {
		const q = new URLSearchParams();
		const state = change.state ?? filter;
		if (state !== 'all') q.set('state', state);
		for (const c of change.after ?? trail) q.append('after', c);
		const item = change.item === undefined ? chosen : change.item;
		if (item !== null) q.set('item', item);
		return `/runs/${encodeURIComponent(run.id)}${q.size ? `?${q}` : ''}`;
	};

	/* On a narrow screen the item opens below its list: bring it into view, but only when a person chose it. */
	const before = useRef(chosen);
	useEffect(() => {
		if (chosen !== null && chosen !== before.current) detail.current?.scrollIntoView({ block: 'nearest' });
		before.current = chosen;
	}, [chosen]);

	/* What is chosen belongs to a view of the list; another view begins without. */
	const view = `${run.id} ${filter} ${trail.join(' ')}`;
	const [picked, setPicked] = useState<{ view: string; choice: Choice }>({ view, choice: new Set() });
	const choice: Choice = picked.view === view ? picked.choice : new Set();
	const choose = (c: Choice) => setPicked({ view, choice: c });
	const pick = (seq: string, isPicked: boolean) => {
		const next = new Set(choice === 'all' ? rows.map((r) => r.seq.text) : choice);
		if (isPicked) next.add(seq);
		else next.delete(seq);
		choose(next);
	};

	const totals = { all: run.counts.items_in, failed: run.counts.failed, unknown: run.counts.unknown };
	const rows = items.data?.items ?? [];
	const total = Number(items.data?.total ?? 0);
	const from = trail.length * perPage + 1;
	const decidable = filter === 'unknown' && !isLive;
	const promises = [
		...new Set(
			rows
				.filter((r) => choice === 'all' || choice.has(r.seq.text))
				.map((r) => run.steps.find((s) => s.name === r.problem?.step)?.promise)
				.filter((p) => p != null),
		),
	];
	const none: MessageId =
		filter === 'failed' ? 'items.noneFailed' : filter === 'unknown' ? 'items.noneUnknown' : 'items.none';
	return (
		<section className="items" aria-labelledby="items-title">
			<div className="card section items-list">
				<div className="items-head">
					<h2 id="items-title">{t('items.title')}</h2>
					{/* Native radios: react-aria's group would cost this page 19 kB and do no more. */}
					<div className="segments" data-kind="tool" role="radiogroup" aria-label={t('items.filter')}>
						{filters.map((f) => (
							<label key={f} className="segment" data-selected={f === filter || undefined}>
								<input
									type="radio"
									name="items-filter"
									className="hidden-visually"
									checked={f === filter}
									onChange={() => setSearch(new URLSearchParams(f === 'all' ? [] : [['state', f]]))}
								/>
								<span>{t(`items.${f}`)}</span>
								<span className="count">{t.number(Number(totals[f]))}</span>
							</label>
						))}
					</div>
				</div>
				{items.isPending && <Loading />}
				{items.error && <ProblemNote error={items.error} retry={() => void items.refetch()} />}
				{items.isSuccess && rows.length === 0 && <p className="muted">{t(none)}</p>}
				{rows.length > 0 && (
					<>
						{decidable && (
							<Suspense fallback={<Loading />}>
								<DecideBar run={run} total={total} choice={choice} promises={promises} choose={choose} />
							</Suspense>
						)}
						<ol className="item-rows">
							{rows.map((row) => (
								<Row
									key={row.seq.text}
									row={row}
									href={href({ item: row.seq.text })}
									isChosen={row.seq.text === chosen}
									pick={
										decidable
											? {
													isPicked: choice === 'all' || choice.has(row.seq.text),
													set: (isPicked) => pick(row.seq.text, isPicked),
												}
											: undefined
									}
								/>
							))}
						</ol>
						<div className="pages">
							<span className="muted num">
								{t('items.range', {
									from: t.number(from),
									to: t.number(from + rows.length - 1),
									total: t.number(total),
								})}
							</span>
							{(trail.length > 0 || items.data?.next) && (
								<nav className="pages-nav" aria-label={t('items.pages')}>
									{trail.length > 0 && (
										<Link className="button" data-kind="tool" href={href({ after: trail.slice(0, -1), item: null })}>
											<ChevronLeft size={14} aria-hidden="true" />
											{t('items.previous')}
										</Link>
									)}
									{items.data?.next && (
										<Link
											className="button"
											data-kind="tool"
											href={href({ after: [...trail, items.data.next], item: null })}
										>
											{t('items.next')}
											<ChevronRight size={14} aria-hidden="true" />
										</Link>
									)}
								</nav>
							)}
						</div>
					</>
				)}
			</div>
			<div className="item-side" ref={detail}>
				{chosen === null ? (
					<Note title={t('items.choose')}>
						<p>{t('items.chooseDetail')}</p>
					</Note>
				) : (
					<ItemDetail
						runId={run.id}
						seq={chosen}
						isLive={isLive}
						href={(seq) => href({ item: seq })}
						close={
							<Link
								className="button"
								data-kind="bare"
								data-icon
								href={href({ item: null })}
								aria-label={t('item.close', { seq: chosen })}
							>
								<X size={16} aria-hidden="true" />
							</Link>
						}
					/>
				)}
			</div>
		</section>
	);
}
