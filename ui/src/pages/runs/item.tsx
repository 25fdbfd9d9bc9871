// SPDX-License-Identifier: Apache-2.0
/* One item whole: its way through the steps, and each call with request, answer and times. */
import { Fragment, type ReactNode, useMemo } from 'react';
import { Link } from 'wouter';
import { useItem } from '../../api/queries';
import type { Call, Decision, Item, ItemProblem } from '../../api/types';
import { FileLinks } from '../../components/files';
import { JsonView } from '../../components/json';
import { Guard, Loading, Note, ProblemNote } from '../../components/notes';
import { State } from '../../components/state';
import { useLanguage, useT } from '../../i18n';
import { filesIn, toFile } from '../../lib/files';
import { exactDateTime } from '../../lib/time';
import { callsOf } from '../../lib/waterfall';
import { CallWaterfall, restWords, verdictWord, whyWords } from './waterfall';

function Fold(props: { title: ReactNode; isOpen?: boolean; children: ReactNode }) {
	return (
		<details className="fold" open={props.isOpen}>
			<summary>{props.title}</summary>
			<div className="fold-body">{props.children}</div>
		</details>
	);
}

function Headers({ headers }: { headers: [string, string][] }) {
	const t = useT();
	if (headers.length === 0) return null;
	return (
		<Fold title={t('call.headers', { count: headers.length })}>
			<dl className="headers mono">
				{headers.map(([name, value], i) => (
					// biome-ignore lint/suspicious/noArrayIndexKey: header names may repeat and their order counts
					<div key={i}>
						<dt>{name}</dt>
						<dd>{value}</dd>
					</div>
				))}
			</dl>
		</Fold>
	);
}

/** When, over what, and what was made of it; how long each part took is told by the waterfall. */
function Times({ call, spent }: { call: Call; spent: Call | null }) {
	const t = useT();
	const { language } = useLanguage();
	const at = (time: string | null) => time && exactDateTime(time, language, true);
	const verdict = verdictWord(t, call, spent);
	const facts = [
		[t('waterfall.column.why'), whyWords(t, call.again) || null],
		[t('phase.limiter'), call.rest && restWords(t, call.rest)],
		[t('call.intent'), at(call.intent_at)],
		[t('call.sent'), at(call.sent_at)],
		[t('call.outcome'), at(call.outcome_at)],
		[t('call.connection'), call.reused === null ? null : t(call.reused ? 'waterfall.reused' : 'waterfall.new')],
		[t('call.verdict'), call.verdict && (call.rule ? t('waterfall.rule', { verdict, rule: call.rule }) : verdict)],
	];
	return (
		<dl className="timings num" aria-label={t('call.timings')}>
			{facts.map(
				([name, fact]) =>
					fact && (
						<div key={name}>
							<dt>{name}</dt>
							<dd>{fact}</dd>
						</div>
					),
			)}
		</dl>
	);
}

const decided = { done: 'decided.done', again: 'decided.again', skip: 'decided.skip' } as const;

/** The audit: who decided what about an unknown outcome, when, and why. */
function Decisions({ decisions }: { decisions: Decision[] }) {
	const t = useT();
	const { language } = useLanguage();
	if (decisions.length === 0) return null;
	return (
		<ul className="decisions" aria-label={t('decided.title')}>
			{decisions.map((d) => (
				<li key={`${d.step} ${d.attempt.text}`}>
					<b>{t(decided[d.decision] ?? 'decided.other')}</b>
					<span className="muted">
						{t('decided.by', { by: d.by ?? '?', at: exactDateTime(d.at, language), step: d.step })}
					</span>
					{d.note && <q>{d.note}</q>}
				</li>
			))}
		</ul>
	);
}

const cardId = (call: Call) => `call-${call.step}-${call.attempt.text}`;

/** Opens an attempt's card and goes there, as a link would. */
function openCard(call: Call) {
	const card = document.getElementById(cardId(call));
	if (!(card instanceof HTMLDetailsElement)) return;
	card.open = true;
	card.querySelector('summary')?.focus({ preventScroll: true });
	card.scrollIntoView({ block: 'nearest' });
}

function CallCard(props: { call: Call; spent: Call | null; isOpen: boolean; told: ItemProblem | null }) {
	const t = useT();
	const { call, isOpen, told } = props;
	const { request, answer } = call;
	const sentFile = toFile(request.file);
	const answered = toFile(answer?.file);
	const type = answer?.headers.find(([name]) => name === 'content-type')?.[1].split(';')[0];
	const gotFile = answered && { ...answered, media_type: type ?? '' };
	return (
		<details className="call" id={cardId(call)} open={isOpen}>
			<summary>
				<State state={call.state} />
				<b>{call.step}</b>
				<span className="muted">{t('call.attempt', { n: call.attempt.text })}</span>
				{answer && <span className="mono">{answer.status.text}</span>}
				{call.timings_ms?.total && (
					<span className="muted num">{t('unit.milliseconds', { value: call.timings_ms.total.text })}</span>
				)}
			</summary>
			<div className="call-body">
				{/* The item's own problem is mostly its last call's; once is enough. */}
				{call.problem && call.problem.detail !== told?.detail && (
					<Note tone={call.state === 'unknown outcome' ? 'warn' : 'err'} title={call.problem.title}>
						{call.problem.detail && <p>{call.problem.detail}</p>}
					</Note>
				)}
				<h4>{t('call.request')}</h4>
				<p className="request-line mono">
					<b>{request.method}</b> {request.url}
				</p>
				<Headers headers={request.headers} />
				{sentFile && <FileLinks files={[sentFile]} />}
				{request.body ? (
					<JsonView text={request.body} label={`${call.step}, ${t('call.request')}`} />
				) : (
					<p className="muted">{t('call.noBody')}</p>
				)}
				<h4>
					{t('call.answer')}
					{answer && (
						<>
							{' '}
							<span className="mono">{answer.status.text}</span>{' '}
							<span className="muted num">{t('call.bytes', { size: t.number(Number(answer.body_bytes)) })}</span>
						</>
					)}
				</h4>
				{answer ? (
					<>
						<Headers headers={answer.headers} />
						{gotFile ? (
							<FileLinks files={[gotFile]} />
						) : answer.body ? (
							<JsonView text={answer.body} label={`${call.step}, ${t('call.answer')}`} />
						) : (
							<p className="muted">{t('call.noBody')}</p>
						)}
						{answer.clipped && (
							<p className="muted">{t('call.clipped', { bytes: t.number(Number(answer.body_bytes)) })}</p>
						)}
					</>
				) : (
					<p className="muted">{t(call.outcome_at || call.problem ? 'call.noAnswer' : 'call.waiting')}</p>
				)}
				<h4>{t('call.timings')}</h4>
				<Times call={call} spent={props.spent} />
			</div>
		</details>
	);
}

/** The last attempt of a call that will see no other. */
const spentOf = (item: Item, attempts: Call[]): Call | null =>
	item.state === 'running' ? null : (attempts.at(-1) ?? null);

export function ItemDetail(props: {
	runId: string;
	seq: string;
	isLive: boolean;
	href: (seq: string) => string;
	close: ReactNode;
}) {
	const t = useT();
	const item = useItem(props.runId, props.seq, props.isLive);
	const title = t('item.title', { seq: props.seq });
	const { input, steps, output } = item.data ?? {};
	const files = useMemo(
		() => filesIn([input?.text ?? '', ...(steps ?? []).map((s) => s.item.text), output?.text ?? '']),
		[input, steps, output],
	);
	return (
		<article className="card section item" aria-labelledby="item-title">
			<div className="items-head">
				<h2 id="item-title">
					{title}
					{item.data && <State state={item.data.state} />}
				</h2>
				{props.close}
			</div>
			{item.isPending && <Loading />}
			{item.error && <ProblemNote error={item.error} retry={() => void item.refetch()} />}
			{item.data && (
				<Guard key={props.seq}>
					{item.data.parent && (
						<p className="muted">
							{t('item.madeOf')}{' '}
							<Link href={props.href(item.data.parent.text)}>{t('item.title', { seq: item.data.parent.text })}</Link>
						</p>
					)}
					{item.data.problem && (
						<Note tone={item.data.state === 'unknown outcome' ? 'warn' : 'err'} title={item.data.problem.title}>
							{item.data.problem.detail && <p>{item.data.problem.detail}</p>}
						</Note>
					)}
					<Decisions decisions={item.data.decisions ?? []} />
					<h3>{t('item.calls')}</h3>
					{item.data.calls.length === 0 && <p className="muted">{t('item.noCalls')}</p>}
					{callsOf(item.data.calls).map((attempts) => (
						<Fragment key={attempts[0]?.step}>
							<CallWaterfall attempts={attempts} spent={spentOf(item.data, attempts)} open={openCard} />
							{attempts.map((call) => (
								<CallCard
									key={`${call.step} ${call.attempt.text} ${call.intent_at}`}
									call={call}
									spent={spentOf(item.data, attempts)}
									isOpen={call === item.data.calls.at(-1)}
									told={item.data.problem}
								/>
							))}
						</Fragment>
					))}
					{files.length > 0 && (
						<>
							<h3>{t('item.files')}</h3>
							<FileLinks files={files} />
						</>
					)}
					<h3>{t('item.data')}</h3>
					<Fold title={t('item.input')} isOpen>
						<JsonView text={item.data.input.text} label={t('item.input')} />
					</Fold>
					{item.data.steps.map((s) => (
						<Fold key={s.name} title={t('item.afterStep', { step: s.name })}>
							<JsonView text={s.item.text} label={t('item.afterStep', { step: s.name })} />
						</Fold>
					))}
					<Fold title={t('item.output')} isOpen>
						{item.data.output === null || item.data.output.text === 'null' ? (
							<p className="muted">{t('item.noOutput')}</p>
						) : (
							<JsonView text={item.data.output.text} label={t('item.output')} />
						)}
					</Fold>
				</Guard>
			)}
		</article>
	);
}
