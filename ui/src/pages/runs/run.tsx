// SPDX-License-Identifier: Apache-2.0
/* One run: what it was, what each step did, and every item with what was sent and what came back. */
import { ArrowLeft, Play, RotateCw } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { Link, useParams, useSearchParams } from 'wouter';
import { useComponents, useResume, useRetry, useRun } from '../../api/queries';
import type { Run, StepFacts } from '../../api/types';
import { BusyButton } from '../../components/busy';
import { Guard, Loading, Note, ProblemNote } from '../../components/notes';
import { State } from '../../components/state';
import { useLanguage, useT } from '../../i18n';
import type { Num } from '../../lib/json';
import { say } from '../../lib/text';
import { exactDateTime } from '../../lib/time';
import { ScrollBox } from '../form/table';
import { dataflowName, RunsFrame } from './frame';
import { Items } from './items';
import { triggerName } from './list';

const RerunPart = lazy(() => import('./rerun'));

function Fact({ name, children }: { name: string; children: ReactNode }) {
	return (
		<div>
			<dt>{name}</dt>
			<dd>{children}</dd>
		</div>
	);
}

function Facts({ run }: { run: Run }) {
	const t = useT();
	const { language } = useLanguage();
	const time = (text: string) => <time dateTime={text}>{exactDateTime(text, language)}</time>;
	return (
		<dl className="facts">
			<Fact name={t('run.dataflow')}>{dataflowName(run)}</Fact>
			<Fact name={t('run.trigger')}>{triggerName(t, run.trigger)}</Fact>
			<Fact name={t('run.environment')}>{run.env}</Fact>
			<Fact name={t('run.started')}>{time(run.started_at)}</Fact>
			<Fact name={t('run.ended')}>{run.ended_at ? time(run.ended_at) : t('run.notEnded')}</Fact>
			<Fact name={t('run.duration')}>{run.duration_ms ? t.duration(Number(run.duration_ms.text)) : '–'}</Fact>
			<Fact name={t('run.version')}>
				<code>{run.version}</code>
			</Fact>
		</dl>
	);
}

function Counts({ run }: { run: Run }) {
	const t = useT();
	const c = run.counts;
	const cell = (name: string, n: Num | undefined, tone?: string) => (
		<div data-tone={tone && Number(n ?? 0) > 0 ? tone : undefined}>
			<dt>{name}</dt>
			<dd className="value">{t.number(Number(n?.text ?? 0))}</dd>
		</div>
	);
	return (
		<dl className="card values counts" aria-label={t('run.counts')}>
			{cell(t('run.itemsIn'), c.items_in)}
			{cell(t('run.itemsOut'), c.items_out)}
			{cell(t('run.itemsFailed'), c.failed, 'err')}
			{cell(t('run.itemsUnknown'), c.unknown, 'warn')}
		</dl>
	);
}

function Steps({ run }: { run: Run }) {
	const t = useT();
	const { language } = useLanguage();
	const [search] = useSearchParams();
	const [from, setFrom] = useState<StepFacts | null>(null);
	const [stands, setStands] = useState<string | null>(null);
	const number = (n: Num | undefined) => t.number(Number(n?.text ?? 0));
	/* What is being executed is nobody's to change. */
	const canRerun = run.state !== 'running';
	return (
		<section className="card section" aria-labelledby="steps-title">
			<h2 id="steps-title">{t('steps.title')}</h2>
			{run.steps.length === 0 ? (
				<p className="muted">{t('steps.none')}</p>
			) : (
				<ScrollBox label={t('steps.title')}>
					<table className="data steps">
						<thead>
							<tr>
								<th scope="col">{t('steps.step')}</th>
								<th scope="col">{t('steps.stage')}</th>
								<th scope="col" data-numeric>
									{t('steps.in')}
								</th>
								<th scope="col" data-numeric>
									{t('steps.out')}
								</th>
								<th scope="col" data-numeric>
									{t('steps.failed')}
								</th>
								<th scope="col" data-numeric>
									{t('steps.duration')}
								</th>
								<th scope="col">{t('steps.promise')}</th>
								<th scope="col">{t('steps.detail')}</th>
								{canRerun && (
									<th scope="col">
										<span className="hidden-visually">{t('steps.again')}</span>
									</th>
								)}
							</tr>
						</thead>
						<tbody>
							{run.steps.map((s) => (
								<tr key={s.name}>
									<th scope="row">
										{say(s.title, language, s.name)}
										<span className="under mono">{s.kind}</span>
									</th>
									<td data-dim>{s.stage}</td>
									<td data-numeric>{number(s.in)}</td>
									<td data-numeric>{number(s.out)}</td>
									<td data-numeric data-tone={Number(s.failed) > 0 ? 'err' : 'zero'}>
										{number(s.failed)}
									</td>
									<td data-numeric>{s.duration_ms ? t.duration(Number(s.duration_ms.text)) : '–'}</td>
									<td className="wrap">{s.promise ?? '–'}</td>
									<td className="wrap mono">{s.detail ?? '–'}</td>
									{canRerun && (
										<td>
											<button
												type="button"
												className="button"
												data-kind="tool"
												title={t('run.rerun')}
												onClick={() => setFrom(s)}
											>
												<RotateCw size={14} aria-hidden="true" />
												{t('steps.again')}
												<span className="hidden-visually">{say(s.title, language, s.name)}</span>
											</button>
										</td>
									)}
								</tr>
							))}
						</tbody>
					</table>
				</ScrollBox>
			)}
			{(from || stands !== null) && (
				<Suspense fallback={<Loading />}>
					<RerunPart
						run={run}
						from={from}
						item={search.get('item')}
						stands={stands}
						close={(notResumed) => {
							setFrom(null);
							setStands(notResumed);
						}}
					/>
				</Suspense>
			)}
		</section>
	);
}

function Trouble({ run }: { run: Run }) {
	const t = useT();
	const resume = useResume(run.id);
	const retry = useRetry(run.id);
	const failed = Number(run.counts.failed);
	const unknown = Number(run.counts.unknown);
	return (
		<>
			{run.problem && (
				<Note tone="err" title={run.problem.title}>
					{run.problem.detail && <p>{run.problem.detail}</p>}
				</Note>
			)}
			{run.state === 'interrupted' && (
				<Note
					tone="warn"
					title={t('state.interrupted')}
					actions={
						<BusyButton className="button" isBusy={resume.isPending} onPress={() => resume.mutate()}>
							<Play size={14} aria-hidden="true" />
							{t('run.resume')}
						</BusyButton>
					}
				>
					<p>{t('run.resumeNote')}</p>
				</Note>
			)}
			{resume.error && <ProblemNote error={resume.error} />}
			{failed > 0 && run.state !== 'running' && (
				<Note
					tone="err"
					title={t('run.itemsFailed')}
					actions={
						<BusyButton className="button" isBusy={retry.isPending} onPress={() => retry.mutate()}>
							<RotateCw size={14} aria-hidden="true" />
							{t('run.retry')}
						</BusyButton>
					}
				>
					<p>{t('run.retryNote', { count: failed })}</p>
				</Note>
			)}
			{retry.error && <ProblemNote error={retry.error} />}
			{unknown > 0 && (
				<Note
					tone="warn"
					title={t('run.itemsUnknown')}
					actions={<Link href={`/runs/${encodeURIComponent(run.id)}?state=unknown`}>{t('run.unknownOpen')}</Link>}
				>
					<p>{t('run.unknownNote', { count: unknown })}</p>
				</Note>
			)}
		</>
	);
}

export default function RunPage() {
	const t = useT();
	const { id } = useParams<{ id: string }>();
	const run = useRun(id);
	const components = useComponents();
	const title = t('run.title', { id });
	useEffect(() => {
		document.title = `${title} · Weir`;
	}, [title]);
	const form = components.data?.items.find((c) => c.name === run.data?.component)?.forms[0];
	return (
		<RunsFrame>
			<p className="back">
				<Link href="/runs">
					<ArrowLeft size={14} aria-hidden="true" /> {t('run.back')}
				</Link>
			</p>
			<div className="page-head">
				<h1>
					{title}
					{run.data && <State state={run.data.state} />}
				</h1>
				{form && run.data && (
					<Link className="button" href={`/app/${encodeURIComponent(run.data.component)}`}>
						{t('run.openForm')}
					</Link>
				)}
			</div>
			{run.isPending && <Loading />}
			{run.error && (
				<ProblemNote
					error={run.error}
					retry={() => void run.refetch()}
					missing={{ title: t('problem.notFound.run', { id }), detail: t('problem.notFound.run.detail') }}
				/>
			)}
			{run.data && (
				<Guard key={id}>
					<Facts run={run.data} />
					<Trouble run={run.data} />
					<Counts run={run.data} />
					<Steps run={run.data} />
					<Items run={run.data} />
				</Guard>
			)}
		</RunsFrame>
	);
}
