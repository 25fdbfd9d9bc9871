// SPDX-License-Identifier: Apache-2.0
/* A run again from a step: what is sent once more is told before, call by call with its promise. */
import { useId, useState } from 'react';
import { useRerun } from '../../api/queries';
import type { Run, StepFacts } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { Note, ProblemNote } from '../../components/notes';
import { MoreMessages, useLanguage, useT } from '../../i18n';
import en from '../../i18n/rerun/en.json';
import fr from '../../i18n/rerun/fr.json';
import { announce } from '../../lib/announce';
import { isUnkeyed, sends, stepsFrom } from '../../lib/steps';
import { say } from '../../lib/text';

interface Props {
	run: Run;
	from: StepFacts;
	/** The item that is open beside, if any. */
	item: string | null;
	/** Why the run stands still after it was done; null = it goes on, or nothing was done. */
	close: (notResumed: string | null) => void;
}

function Calls({ steps }: { steps: StepFacts[] }) {
	const t = useT();
	const { language } = useLanguage();
	if (steps.length === 0) return <p>{t('rerun.none')}</p>;
	return (
		<>
			<h3>{t('rerun.calls')}</h3>
			<ul className="rerun-calls">
				{steps.map((s) => (
					<li key={s.name}>
						<b>{say(s.title, language, s.name)}</b> <span className="mono">{s.detail}</span>
						<span className="under">
							{s.promise}
							{isUnkeyed(s) && <b className="state" data-tone="warn">{t('rerun.unkeyed')}</b>}
						</span>
					</li>
				))}
			</ul>
			{steps.some(isUnkeyed) && <Note tone="warn" title={t('rerun.twice')} />}
		</>
	);
}

function Rerun({ run, from, item, close }: Props) {
	const t = useT();
	const { language } = useLanguage();
	const rerun = useRerun(run.id);
	const name = useId();
	const [onlyOne, setOnlyOne] = useState(false);
	const step = say(from.title, language, from.name);
	const send = () =>
		rerun.mutate(
			{ from: from.name, items: onlyOne && item !== null ? [Number(item)] : 'all' },
			{
				onSuccess: ({ body }) => {
					if (body.resumed) announce(t('rerun.said', { step }));
					close(body.resumed ? null : (body.not_resumed ?? ''));
				},
			},
		);
	return (
		<Dialog
			title={t('rerun.title', { step })}
			cancel={t('rerun.cancel')}
			action={t('rerun.go')}
			isBusy={rerun.isPending}
			send={send}
			close={() => close(null)}
		>
			<p>{t('rerun.effect', { step })}</p>
			{item !== null && (
				<fieldset className="field states">
					<legend className="field-label">{t('rerun.items')}</legend>
					{[false, true].map((isOne) => (
						<label key={String(isOne)} className="pick">
							<input type="radio" name={name} checked={onlyOne === isOne} onChange={() => setOnlyOne(isOne)} />
							{isOne ? t('rerun.one', { seq: item }) : t('rerun.all', { count: Number(run.counts.items_in) })}
						</label>
					))}
				</fieldset>
			)}
			<Calls steps={stepsFrom(run.steps, from.name).filter(sends)} />
			{rerun.error && <ProblemNote error={rerun.error} />}
		</Dialog>
	);
}

function StandsStill({ reason }: { reason: string }) {
	const t = useT();
	return (
		<Note tone="warn" title={t('rerun.notResumed')} isAlert>
			<p>{t('rerun.notResumedDetail', { reason })}</p>
		</Note>
	);
}

const more = { en, fr };

/** The dialog while a step is chosen, or why the run stood still the last time. */
export default function RerunPart(props: Omit<Props, 'from'> & { from: StepFacts | null; stands: string | null }) {
	const { from, stands, ...rest } = props;
	return (
		<MoreMessages more={more}>
			{stands !== null && <StandsStill reason={stands} />}
			{from && <Rerun {...rest} from={from} />}
		</MoreMessages>
	);
}
