// SPDX-License-Identifier: Apache-2.0
/* What the component has saved: the latest five beside the result, all of them on a view of their own. */
import { ArrowLeft } from 'lucide-react';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Link } from 'wouter';
import { useEntries } from '../../api/queries';
import type { Column, Entry, Form } from '../../api/types';
import { Loading, Note, ProblemNote } from '../../components/notes';
import { useLanguage, useT } from '../../i18n';
import type { Json } from '../../lib/json';
import { fromName, say } from '../../lib/text';
import { DataTable } from './table';

const latest = 5;
const perPage = 50;
const savedAt = '\u0000saved';

function useColumns(form: Form): Column[] {
	const t = useT();
	const { language } = useLanguage();
	const own = (form.entry_fields ?? []).map((f) => ({
		name: f.name,
		title: say(f.title, language, fromName(f.name)),
		type: f.type,
		unit: f.unit,
	}));
	const saved: Column = { name: savedAt, title: t('entries.saved'), type: 'datetime' };
	/* The name of the thing comes first, then when; so a row reads as a sentence. */
	return own.length > 0
		? [own[0] as Column, saved, ...own.slice(1)]
		: [{ name: '\u0000id', title: t('entries.id') }, saved];
}

const toRow = (e: Entry): { [name: string]: Json } => ({
	...e.data,
	[savedAt]: e.updated_at ?? e.created_at,
	'\u0000id': e.id,
});

/** `withRun`: each entry names the run that wrote it last, and leads to its item there, with the calls. */
function EntryTable(props: { form: Form; entries: Entry[]; label: string; withRun?: boolean }) {
	const t = useT();
	const columns = useColumns(props.form);
	const { entries } = props;
	const runs = entries.map((e) =>
		e.run_id ? <Link href={`/runs/${encodeURIComponent(e.run_id)}${e.item == null ? '' : `?item=${e.item}`}`}>{e.run_id}</Link> : '–',
	);
	return (
		<DataTable
			columns={columns}
			rows={entries.map(toRow)}
			keys={entries.map((e) => e.id)}
			label={props.label}
			more={props.withRun ? { title: t('run.id'), cells: runs } : undefined}
		/>
	);
}

const useTitle = (form: Form) => {
	const t = useT();
	const { language } = useLanguage();
	return say(form.entries_title, language, t('entries.title'));
};

export function LatestEntries({ form, allHref }: { form: Form; allHref: string }) {
	const t = useT();
	const title = useTitle(form);
	const entries = useEntries(form.component, latest, null);
	const items = entries.data?.items ?? [];
	const total = Number(entries.data?.total ?? items.length);
	return (
		<section className="card entries" aria-labelledby="entries-title">
			<div className="entries-head">
				<h2 id="entries-title">{title}</h2>
				{total > 0 && <Link href={allHref}>{t('entries.all', { count: t.number(total) })}</Link>}
			</div>
			{entries.isPending && <Loading />}
			{entries.error && <ProblemNote error={entries.error} retry={() => void entries.refetch()} />}
			{entries.isSuccess && items.length === 0 && (
				<p className="entries-none">
					<b>{t('entries.none')}</b>
					<br />
					{t('entries.noneDetail')}
				</p>
			)}
			{items.length > 0 && <EntryTable form={form} entries={items} label={title} />}
		</section>
	);
}

/** One page of the list; each keeps its own request, so "Show more" loads only what is new. */
function SavedChunk(props: {
	form: Form;
	after: string | null;
	label: string;
	isLast: boolean;
	shownBefore: number;
	onMore: (cursor: string) => void;
}) {
	const t = useT();
	const entries = useEntries(props.form.component, perPage, props.after);
	if (entries.isPending) return <Loading />;
	if (entries.error) return <ProblemNote error={entries.error} retry={() => void entries.refetch()} />;
	const { items, next, total } = entries.data;
	if (items.length === 0 && props.after === null)
		return (
			<Note title={t('entries.none')}>
				<p>{t('entries.noneDetail')}</p>
			</Note>
		);
	return (
		<>
			<div className="card table-card">
				<EntryTable form={props.form} entries={items} label={props.label} withRun />
			</div>
			{props.isLast && (
				<p className="more">
					<span className="muted">
						{t('entries.shown', { shown: t.number(props.shownBefore + items.length), total: t.number(Number(total)) })}
					</span>
					{next !== null && (
						<Button className="button" onPress={() => props.onMore(next)}>
							{t('entries.more')}
						</Button>
					)}
				</p>
			)}
		</>
	);
}

export function SavedPage({ form, backHref }: { form: Form; backHref: string }) {
	const t = useT();
	const title = useTitle(form);
	const [cursors, setCursors] = useState<(string | null)[]>([null]);
	return (
		<>
			<p className="back">
				<Link href={backHref}>
					<ArrowLeft size={14} aria-hidden="true" /> {t('entries.backToForm')}
				</Link>
			</p>
			<h1 className="saved-title">{title}</h1>
			{cursors.map((after, i) => (
				<SavedChunk
					key={after ?? ''}
					form={form}
					after={after}
					label={title}
					isLast={i === cursors.length - 1}
					shownBefore={i * perPage}
					onMore={(cursor) => setCursors((c) => [...c, cursor])}
				/>
			))}
		</>
	);
}
