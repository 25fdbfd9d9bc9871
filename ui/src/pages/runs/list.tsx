// SPDX-License-Identifier: Apache-2.0
/* All runs, newest first. The trail of cursors is in the address, so every page of the list can be sent to a colleague. */
import { ChevronLeft, ChevronRight, LoaderCircle } from 'lucide-react';
import { useEffect } from 'react';
import { Link, useSearchParams } from 'wouter';
import { useRuns } from '../../api/queries';
import type { Run } from '../../api/types';
import { Loading, Note, ProblemNote } from '../../components/notes';
import { State } from '../../components/state';
import { type MessageId, useLanguage, useT } from '../../i18n';
import { exactDateTime, shortDateTime } from '../../lib/time';
import { ScrollBox } from '../form/table';
import { dataflowName, RunsFrame } from './frame';

export const triggerName = (t: ReturnType<typeof useT>, trigger: string): string =>
	['form', 'api', 'cli'].includes(trigger) ? t(`trigger.${trigger}` as MessageId) : trigger;

function Row({ run }: { run: Run }) {
	const t = useT();
	const { language } = useLanguage();
	const { counts } = run;
	const number = (n: { text: string } | undefined) => t.number(Number(n?.text ?? 0));
	return (
		<tr>
			<th scope="row" data-numeric>
				<Link href={`/runs/${encodeURIComponent(run.id)}`}>{run.id}</Link>
			</th>
			<td>
				<State state={run.state} />
			</td>
			<td>{dataflowName(run)}</td>
			<td>{triggerName(t, run.trigger)}</td>
			<td data-dim>
				<time dateTime={run.started_at} title={exactDateTime(run.started_at, language)}>
					{shortDateTime(run.started_at, language)}
				</time>
			</td>
			<td data-numeric>{run.duration_ms ? t.duration(Number(run.duration_ms.text)) : '–'}</td>
			<td data-numeric>{number(counts.items_in)}</td>
			<td data-numeric>{number(counts.items_out)}</td>
			<td data-numeric data-tone={Number(counts.failed) > 0 ? 'err' : 'zero'}>
				{number(counts.failed)}
			</td>
			<td data-numeric data-tone={Number(counts.unknown) > 0 ? 'warn' : 'zero'}>
				{number(counts.unknown)}
			</td>
		</tr>
	);
}

export default function RunsPage() {
	const t = useT();
	const [search] = useSearchParams();
	const trail = search.getAll('after');
	const runs = useRuns(trail[trail.length - 1] ?? null);
	useEffect(() => {
		document.title = `${t('runs.title')} · Weir`;
	}, [t]);
	const href = (cursors: string[]) =>
		`/runs${cursors.length ? `?${new URLSearchParams(cursors.map((c) => ['after', c]))}` : ''}`;
	const items = runs.data?.items ?? [];
	const isLive = items.some((r) => r.state === 'running');
	const heads: [MessageId, boolean][] = [
		['run.id', true],
		['run.state', false],
		['run.dataflow', false],
		['run.trigger', false],
		['run.started', false],
		['run.duration', true],
		['run.in', true],
		['run.out', true],
		['run.failed', true],
		['run.unknown', true],
	];
	return (
		<RunsFrame>
			<div className="page-head">
				<div>
					<h1>{t('runs.title')}</h1>
					<p className="lead">{t('runs.lead')}</p>
				</div>
				{runs.data && items.length > 0 && (
					<p className="muted live">
						{isLive && <LoaderCircle className="spin" size={14} aria-hidden="true" />}
						{isLive && <span>{t('runs.live')}</span>}
						<span>{t('runs.total', { count: Number(runs.data.total), shown: t.number(Number(runs.data.total)) })}</span>
					</p>
				)}
			</div>
			{runs.isPending && <Loading />}
			{runs.error && <ProblemNote error={runs.error} retry={() => void runs.refetch()} />}
			{runs.isSuccess && items.length === 0 && trail.length === 0 && (
				<Note title={t('runs.none')}>
					<p>{t('runs.noneDetail')}</p>
					<p>
						<code>weir run component.yaml -d city=Paris</code>
					</p>
				</Note>
			)}
			{items.length > 0 && (
				<div className="card table-card">
					<ScrollBox label={t('runs.title')}>
						<table className="data">
							<thead>
								<tr>
									{heads.map(([id, isNumber]) => (
										<th key={id} scope="col" data-numeric={isNumber || undefined}>
											{t(id)}
										</th>
									))}
								</tr>
							</thead>
							<tbody>
								{items.map((run) => (
									<Row key={run.id} run={run} />
								))}
							</tbody>
						</table>
					</ScrollBox>
				</div>
			)}
			{(trail.length > 0 || runs.data?.next) && (
				<nav className="pages" aria-label={t('runs.pages')}>
					{trail.length > 0 && (
						<Link className="button" href={href(trail.slice(0, -1))}>
							<ChevronLeft size={15} aria-hidden="true" />
							{t('runs.newer')}
						</Link>
					)}
					{runs.data?.next && (
						<Link className="button" href={href([...trail, runs.data.next])}>
							{t('runs.older')}
							<ChevronRight size={15} aria-hidden="true" />
						</Link>
					)}
				</nav>
			)}
		</RunsFrame>
	);
}
