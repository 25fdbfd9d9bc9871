// SPDX-License-Identifier: Apache-2.0
/* The attempts of one call: a row each over one axis of time, the figures of one of them, and all of them as a table. */
import { CircleCheck, CircleDashed, CircleHelp, CircleX, CornerDownRight, RotateCw } from 'lucide-react';
import { useId, useMemo, useState } from 'react';
import type { Again, Call } from '../../api/types';
import { type MessageId, useT } from '../../i18n';
import {
	headerTitle,
	type Phase,
	pathOf,
	type Row,
	type Stretch,
	type Waterfall,
	waterfall,
} from '../../lib/waterfall';
import { ScrollBox } from '../form/table';

type T = ReturnType<typeof useT>;

const verdicts: Record<string, [tone: string, icon: typeof CircleCheck, word: MessageId]> = {
	ok: ['ok', CircleCheck, 'verdict.ok'],
	fail: ['err', CircleX, 'verdict.fail'],
	unknown: ['warn', CircleHelp, 'verdict.unknown'],
	skip: ['plain', CircleDashed, 'verdict.skip'],
	retry: ['warn', RotateCw, 'verdict.retry'],
	wait: ['warn', RotateCw, 'verdict.wait'],
	refresh: ['warn', RotateCw, 'verdict.refresh'],
	redirect: ['plain', CornerDownRight, 'verdict.redirect'],
};

/** `spent`: the last attempt of a call that is over; whatever its answer would have allowed, there was no other. */
export function verdictWord(t: T, call: Call, spent: Call | null): string {
	if (call === spent && /^(retry|wait|refresh)$/.test(call.verdict ?? '')) return t('verdict.spent');
	const look = call.verdict === null ? undefined : verdicts[call.verdict];
	if (look) return t(look[2]);
	return call.verdict ?? t('call.waiting');
}

/** As it was asked for: 2 s, not 2.00 s as if it had been measured. */
function asked(t: T, header: string | null, ms: number): string {
	const time = ms >= 1000 && ms < 60_000 ? t('unit.seconds', { value: t.number(ms / 1000) }) : t.duration(ms);
	return header === null ? t('why.askedByRule', { time }) : t('why.asked', { header: headerTitle(header), time });
}

/** Why there was this attempt, in the reader's language; empty for a first one. */
export function whyWords(t: T, again: Again | null): string {
	if (!again) return '';
	const end = again.error ?? again.status?.text;
	switch (again.why) {
		case 'asked':
			return asked(t, again.header, Number(again.asked_ms?.text ?? 0));
		case 'back_off':
			return t('why.backOff', { end: end ?? '' });
		case 'redirect':
			return t('why.redirect', { from: pathOf(again.from ?? '') });
		case 'resumed':
			return end ? t('why.resumedAfter', { end }) : t('why.resumed');
		case 'identity':
			return t('why.identity', { end: end ?? '' });
		case 'decided':
			return t('why.decided', { by: again.by ?? '?' });
		default:
			/* A reason this page does not know yet comes with the server's own words. */
			return again.text;
	}
}

export const restWords = (t: T, rest: NonNullable<Call['rest']>): string =>
	t('why.rest', { status: rest.status.text, asked: asked(t, rest.header, Number(rest.asked_ms.text)) });

/** What came back: a status, the name of an error, or nothing yet. */
export const outcomeOf = (call: Call): string => call.problem?.type ?? call.answer?.status.text ?? '–';

const place = (s: Stretch) => ({ insetInlineStart: `${s.at}%`, inlineSize: `${s.width}%` });

function Bar({ row, ticks }: { row: Row; ticks: Waterfall['ticks'] }) {
	const t = useT();
	return (
		<span className="wf-bar" aria-hidden="true">
			{ticks.map((tick) => (
				<i key={tick.at} className="wf-line" style={{ insetInlineStart: `${tick.at}%` }} />
			))}
			{row.gap && (
				<span className="wf-gap" data-cut={row.gap.isCut || undefined} style={place(row.gap)}>
					{row.gap.width > 16 && <b>{t.duration(row.gap.ms)}</b>}
				</span>
			)}
			{row.segments.map((s) => (
				<span
					key={s.phase}
					className="wf-segment"
					data-phase={s.phase}
					data-cut={s.isCut || undefined}
					style={place(s)}
				/>
			))}
		</span>
	);
}

function nameOf(t: T, row: Row, count: number, spent: Call | null): string {
	const { call, gap } = row;
	const why = whyWords(t, call.again);
	const parts = [
		t('waterfall.attempt', { n: call.attempt.text, count }),
		outcomeOf(call),
		verdictWord(t, call, spent),
		why && (gap ? t('waterfall.whyAfter', { why, time: t.duration(gap.ms) }) : why),
		call.rest && restWords(t, call.rest),
		row.ms > 0 && t.duration(row.ms),
	];
	return parts.filter(Boolean).join('. ');
}

function RowLine(props: {
	row: Row;
	drawn: Waterfall;
	spent: Call | null;
	isChosen: boolean;
	describedBy: string;
	choose: () => void;
	open: () => void;
}) {
	const t = useT();
	const { row, drawn } = props;
	const { call } = row;
	const [tone, Icon] = verdicts[call.verdict ?? ''] ?? ['plain', CircleDashed];
	const why = whyWords(t, call.again);
	return (
		<li>
			<button
				type="button"
				className="wf-row"
				data-chosen={props.isChosen || undefined}
				aria-label={nameOf(t, row, drawn.rows.length, props.spent)}
				aria-describedby={props.isChosen ? props.describedBy : undefined}
				onFocus={props.choose}
				onMouseEnter={props.choose}
				onClick={props.open}
			>
				<span className="wf-name">
					<span className="wf-number num">{call.attempt.text}</span>
					<span className="wf-outcome mono" data-tone={tone}>
						<Icon size={13} aria-hidden="true" />
						{outcomeOf(call)}
					</span>
					<span className="wf-total muted num">{row.ms > 0 ? t.duration(row.ms) : '–'}</span>
					{why && (
						<span className="wf-why">
							{row.gap ? t('waterfall.whyAfter', { why, time: t.duration(row.gap.ms) }) : why}
						</span>
					)}
					{call.rest && <span className="wf-why">{restWords(t, call.rest)}</span>}
				</span>
				<Bar row={row} ticks={drawn.ticks} />
			</button>
		</li>
	);
}

function factsOf(t: T, call: Call, count: number, spent: Call | null): string {
	const verdict = verdictWord(t, call, spent);
	const facts = [
		t('waterfall.attempt', { n: call.attempt.text, count }),
		call.reused === null ? null : t(call.reused ? 'waterfall.reused' : 'waterfall.new'),
		call.rule ? t('waterfall.rule', { verdict, rule: call.rule }) : verdict,
	];
	return facts.filter(Boolean).join(' · ');
}

/**
 * The key to the bars, which at the same time has the figures of the chosen attempt. Nothing moves when another is
 * chosen: the facts of all lie on each other, and one is seen.
 */
function Figures(props: { drawn: Waterfall; row: Row; spent: Call | null; id: string }) {
	const t = useT();
	const { drawn, row } = props;
	const figure = (phase: Phase) => row.segments.find((s) => s.phase === phase);
	return (
		<div className="wf-figures" id={props.id}>
			<div className="wf-facts">
				{drawn.rows.map((r) => (
					<p key={`${r.call.attempt.text} ${r.call.intent_at}`} data-chosen={r === row || undefined}>
						{factsOf(t, r.call, drawn.rows.length, props.spent)}
					</p>
				))}
			</div>
			<dl>
				{drawn.hasGap && (
					<div>
						<dt>
							<i className="wf-gap" aria-hidden="true" />
							{t('waterfall.gap')}
						</dt>
						<dd className="num">{row.gap ? t.duration(row.gap.ms) : '–'}</dd>
					</div>
				)}
				{drawn.phases.map((phase) => (
					<div key={phase}>
						<dt>
							<i className="wf-segment" data-phase={phase} aria-hidden="true" />
							{t(`phase.${phase}`)}
						</dt>
						<dd className="num">{figure(phase) ? t.duration(figure(phase)?.ms ?? 0) : '–'}</dd>
					</div>
				))}
			</dl>
		</div>
	);
}

function AsTable({ drawn, spent, label }: { drawn: Waterfall; spent: Call | null; label: string }) {
	const t = useT();
	const cell = (ms: number | undefined) => (ms === undefined ? '–' : t.duration(ms));
	return (
		<details className="fold">
			<summary>{t('waterfall.table')}</summary>
			<ScrollBox label={label}>
				<table className="data">
					<thead>
						<tr>
							<th scope="col">{t('waterfall.column.attempt')}</th>
							<th scope="col">{t('waterfall.column.outcome')}</th>
							<th scope="col">{t('waterfall.column.why')}</th>
							<th scope="col" data-numeric>
								{t('waterfall.gap')}
							</th>
							{drawn.phases.map((phase) => (
								<th key={phase} scope="col" data-numeric>
									{t(`phase.${phase}`)}
								</th>
							))}
							<th scope="col" data-numeric>
								{t('waterfall.column.total')}
							</th>
						</tr>
					</thead>
					<tbody>
						{drawn.rows.map((row) => (
							<tr key={`${row.call.attempt.text} ${row.call.intent_at}`}>
								<th scope="row">{row.call.attempt.text}</th>
								<td>
									<span className="mono">{outcomeOf(row.call)}</span>
									<span className="under">{verdictWord(t, row.call, spent)}</span>
								</td>
								<td className="wrap">
									{whyWords(t, row.call.again) || t('why.first')}
									{row.call.rest && <span className="under">{restWords(t, row.call.rest)}</span>}
								</td>
								<td data-numeric>{cell(row.gap?.ms)}</td>
								{drawn.phases.map((phase) => (
									<td key={phase} data-numeric>
										{cell(row.segments.find((s) => s.phase === phase)?.ms)}
									</td>
								))}
								<td data-numeric>{cell(row.ms || undefined)}</td>
							</tr>
						))}
					</tbody>
				</table>
			</ScrollBox>
		</details>
	);
}

/** `open` shows one attempt whole. Nothing while no attempt has a time. */
export function CallWaterfall(props: { attempts: Call[]; spent: Call | null; open: (call: Call) => void }) {
	const t = useT();
	const { attempts, spent, open } = props;
	const id = useId();
	const drawn = useMemo(() => waterfall(attempts), [attempts]);
	const [wanted, choose] = useState<number | null>(null);
	if (!drawn) return null;
	const chosen = wanted !== null && wanted < drawn.rows.length ? wanted : drawn.rows.length - 1;
	const step = attempts[0]?.step ?? '';
	const title = t('waterfall.title', { count: drawn.rows.length, time: t.duration(drawn.ms) });
	return (
		<figure className="waterfall" aria-label={`${step}: ${title}`}>
			<figcaption className="wf-head">
				<b>{step}</b> <span className="muted num">{title}</span>
				{drawn.hasCut && <span className="wf-note">{t('waterfall.cut')}</span>}
			</figcaption>
			<div className="wf-chart">
				<div className="wf-axis num" aria-hidden="true">
					{drawn.ticks.map((tick) => (
						<span key={tick.at} data-end={tick.at > 93 || undefined} style={{ insetInlineStart: `${tick.at}%` }}>
							{tick.ms === 0 ? '0' : t.duration(tick.ms)}
						</span>
					))}
				</div>
				<ol className="wf-rows">
					{drawn.rows.map((row, i) => (
						<RowLine
							key={`${row.call.attempt.text} ${row.call.intent_at}`}
							row={row}
							drawn={drawn}
							spent={spent}
							isChosen={i === chosen}
							describedBy={id}
							choose={() => choose(i)}
							open={() => open(row.call)}
						/>
					))}
				</ol>
			</div>
			<Figures drawn={drawn} row={drawn.rows[chosen] as Row} spent={spent} id={id} />
			<AsTable drawn={drawn} spent={spent} label={`${step}, ${t('waterfall.table')}`} />
		</figure>
	);
}
