// SPDX-License-Identifier: Apache-2.0
/*
 * Old runs go: first a look at which and how much, then the real thing behind a question. What was looked at is what is pruned: a change
 * of the rule takes the answer away.
 */
import { Search, Trash2 } from 'lucide-react';
import { useId, useState } from 'react';
import { Link } from 'wouter';
import { usePrune } from '../../api/queries';
import type { PruneAnswer, PruneRequest, Storage } from '../../api/types';
import { BusyButton } from '../../components/busy';
import { Dialog } from '../../components/dialog';
import { Note, ProblemNote } from '../../components/notes';
import { type MessageId, useT } from '../../i18n';
import { announce } from '../../lib/announce';
import { type Rule, readRule } from '../../lib/prune';
import { useSize } from './page';

const states: readonly [string, MessageId][] = [
	['done', 'state.done'],
	['failed', 'state.failed'],
	['partly done', 'state.partlyDone'],
];
const namedRuns = 10;
const hourMs = 3_600_000;

function Count(props: { label: string; help: string; value: string; isWrong: boolean; set: (text: string) => void }) {
	const t = useT();
	const id = useId();
	return (
		<div className="field" data-invalid={props.isWrong || undefined}>
			<label className="field-label" htmlFor={id}>
				{props.label}
			</label>
			<input
				id={id}
				className="box"
				inputMode="numeric"
				autoComplete="off"
				value={props.value}
				aria-invalid={props.isWrong || undefined}
				aria-describedby={`${id}-help`}
				onChange={(e) => props.set(e.target.value)}
			/>
			<p id={`${id}-help`} className={props.isWrong ? 'problem-text' : 'help'}>
				{props.isWrong ? t('storage.wrongNumber') : props.help}
			</p>
		</div>
	);
}

function Keeps({ storage }: { storage: Storage }) {
	const t = useT();
	const hours = Number(storage.retention.keep_runs_ms ?? 0) / hourMs;
	if (hours === 0) return <p className="muted">{t('storage.keepsAll')}</p>;
	return (
		<p className="muted">
			{hours % 24 === 0
				? t('storage.keeps', { days: hours / 24 })
				: t('storage.keepsHours', { hours: Math.max(1, Math.round(hours)) })}
		</p>
	);
}

/** What would go, and the button that means it. */
function WouldGo({ answer, go }: { answer: PruneAnswer; go: () => void }) {
	const t = useT();
	const size = useSize();
	const count = Number(answer.runs);
	const named = (answer.items ?? []).slice(0, namedRuns);
	return (
		<Note
			title={t('storage.wouldGo', { count })}
			actions={
				count > 0 && (
					<button type="button" className="button" onClick={go}>
						<Trash2 size={14} aria-hidden="true" />
						{t('storage.go', { count })}
					</button>
				)
			}
		>
			<p>{count > 0 ? t('storage.wouldGoDetail', { count, size: size(answer.bytes ?? 0) }) : t('storage.wouldGoNone')}</p>
			{named.length > 0 && (
				<p className="named">
					{t('storage.wouldGoList')}
					{named.map((r) => (
						<span key={r.id}>
							<Link href={`/runs/${encodeURIComponent(r.id)}`}>{r.id}</Link>{' '}
							<span className="num">({size(r.bytes ?? 0)})</span>
						</span>
					))}
					{count > named.length && <span>…</span>}
				</p>
			)}
		</Note>
	);
}

function Went({ answer }: { answer: PruneAnswer }) {
	const t = useT();
	const size = useSize();
	const refused = Number(answer.refused);
	if (answer.bytes === undefined) return null; /* it goes on: told from the server's own state */
	return (
		<Note title={t('storage.went', { count: Number(answer.runs) })}>
			<p>{t('storage.wentDetail', { size: size(answer.bytes) })}</p>
			{refused > 0 && <p>{t('storage.refused', { count: refused })}</p>}
		</Note>
	);
}

function GoDialog(props: { body: PruneRequest; would: PruneAnswer; close: (went: PruneAnswer | null) => void }) {
	const t = useT();
	const size = useSize();
	const prune = usePrune();
	const count = Number(props.would.runs);
	const send = () =>
		prune.mutate(
			{ ...props.body, dry_run: false },
			{
				onSuccess: ({ body }) => {
					announce(t('storage.went', { count: Number(body.runs) }));
					props.close(body);
				},
			},
		);
	return (
		<Dialog
			title={t('storage.goTitle', { count })}
			cancel={t('storage.cancel')}
			action={t('storage.go', { count })}
			isBusy={prune.isPending}
			send={send}
			close={() => props.close(null)}
		>
			<p>{t('storage.goEffect', { count, size: size(props.would.bytes ?? 0) })}</p>
			{prune.error && <ProblemNote error={prune.error} />}
		</Dialog>
	);
}

export function Prune({ storage, measure }: { storage: Storage; measure: () => void }) {
	const t = useT();
	const look = usePrune();
	const [rule, setRule] = useState<Rule>({ days: '', keep: '', states: [] });
	const [hasTried, setTried] = useState(false);
	const [isAsking, setAsking] = useState(false);
	const [went, setWent] = useState<PruneAnswer | null>(null);
	const read = readRule(rule);
	const change = (part: Partial<Rule>) => {
		setRule({ ...rule, ...part });
		setTried(false);
		setWent(null);
		look.reset();
	};
	const send = () => {
		setTried(true);
		setWent(null);
		if (!look.isPending && read.body) look.mutate({ ...read.body, dry_run: true });
	};
	const { pruning } = storage;
	const would = look.data?.body;
	return (
		<section className="card section prune" aria-labelledby="prune-title">
			<h2 id="prune-title">{t('storage.prune')}</h2>
			<p>{t('storage.pruneLead')}</p>
			<Keeps storage={storage} />
			{pruning && (
				<Note title={t(pruning.dry_run ? 'storage.tries' : 'storage.goesOn')}>
					{!pruning.dry_run && <p>{t('storage.goesOnDetail', { count: Number(pruning.runs) })}</p>}
				</Note>
			)}
			<form
				noValidate
				onSubmit={(e) => {
					e.preventDefault();
					send();
				}}
			>
				<div className="rule">
					<Count
						label={t('storage.age')}
						help={t('storage.ageHelp')}
						value={rule.days}
						isWrong={hasTried && read.wrong.includes('days')}
						set={(days) => change({ days })}
					/>
					<Count
						label={t('storage.keep')}
						help={t('storage.keepHelp')}
						value={rule.keep}
						isWrong={hasTried && read.wrong.includes('keep')}
						set={(keep) => change({ keep })}
					/>
					<fieldset className="field states">
						<legend className="field-label">{t('storage.states')}</legend>
						<div className="state-picks">
							{states.map(([state, word]) => (
								<label key={state} className="pick">
									<input
										type="checkbox"
										checked={rule.states.includes(state)}
										onChange={(e) =>
											change({
												states: e.target.checked
													? [...rule.states, state]
													: rule.states.filter((s) => s !== state),
											})
										}
									/>
									{t(word)}
								</label>
							))}
						</div>
						<p className="help">{t('storage.statesHelp')}</p>
					</fieldset>
				</div>
				{hasTried && read.isEmpty && (
					<p className="problem-text" role="alert">
						{t('storage.ruleMissing')}
					</p>
				)}
				<BusyButton type="submit" className="button" isBusy={look.isPending}>
					<Search size={14} aria-hidden="true" />
					{t('storage.try')}
				</BusyButton>
			</form>
			<div role="status">
				{look.error && <ProblemNote error={look.error} />}
				{would && !went && <WouldGo answer={would} go={() => setAsking(true)} />}
				{went && <Went answer={went} />}
			</div>
			{isAsking && would && read.body && (
				<GoDialog
					body={{ ...read.body, dry_run: false }}
					would={would}
					close={(answer) => {
						setAsking(false);
						if (!answer) return;
						setWent(answer);
						setTried(false);
						measure();
					}}
				/>
			)}
		</section>
	);
}
