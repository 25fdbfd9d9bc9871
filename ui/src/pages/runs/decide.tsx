// SPDX-License-Identifier: Apache-2.0
/*
 * What a person decides about calls whose outcome nobody knows. Each of the three answers is told in full before it is given, since
 * "send again" may do twice what was done, and "done" may leave undone what was not.
 */
import { Check, RotateCw, Undo2 } from 'lucide-react';
import { useEffect, useId, useRef, useState } from 'react';
import { useDecide } from '../../api/queries';
import type { Decision, Run } from '../../api/types';
import { Dialog } from '../../components/dialog';
import { ProblemNote } from '../../components/notes';
import { type MessageId, MoreMessages, useT } from '../../i18n';
import en from '../../i18n/decide/en.json';
import fr from '../../i18n/decide/fr.json';
import { announce } from '../../lib/announce';
import { parseJson } from '../../lib/json';

export type Choice = 'all' | ReadonlySet<string>;
type Word = Decision['decision'];

const words: readonly [Word, typeof Check, MessageId][] = [
	['done', Check, 'decide.done'],
	['again', RotateCw, 'decide.again'],
	['skip', Undo2, 'decide.skip'],
];
const titles: Record<Word, MessageId> = {
	done: 'decide.doneTitle',
	again: 'decide.againTitle',
	skip: 'decide.skipTitle',
};
const effects: Record<Word, MessageId> = {
	done: 'decide.doneEffect',
	again: 'decide.againEffect',
	skip: 'decide.skipEffect',
};
const noteLength = 500;

/** Text as JSON, undefined = none; null = it is no JSON. */
export function readResult(text: string): { value?: unknown } | null {
	if (text.trim() === '') return {};
	try {
		return { value: parseJson(text) };
	} catch {
		return null;
	}
}

function Confirm(props: {
	run: Run;
	word: Word;
	choice: Choice;
	count: number;
	promises: string[];
	close: (hasDecided: boolean) => void;
}) {
	const t = useT();
	const { run, word, choice, count } = props;
	const decide = useDecide(run.id);
	const id = useId();
	const [note, setNote] = useState('');
	const [result, setResult] = useState('');
	const read = readResult(result);

	const send = () => {
		if (!read) return;
		decide.mutate(
			{
				decision: word,
				items: choice === 'all' ? 'all' : [...choice].map(Number),
				note: note.trim() || undefined,
				result: word === 'done' ? read.value : undefined,
			},
			{
				onSuccess: ({ body }) => {
					announce(t('decide.said', { count: Number(body.decided) }));
					props.close(true);
				},
			},
		);
	};
	return (
		<Dialog
			title={t(titles[word], { count })}
			cancel={t('decide.cancel')}
			action={t(words.find(([w]) => w === word)?.[2] ?? 'decide.done')}
			isBusy={decide.isPending}
			send={send}
			close={() => props.close(false)}
		>
			<p>{t(effects[word], { count })}</p>
			{props.promises.length > 0 && (
				<p className="muted">{t('decide.promise', { promise: props.promises.join('; ') })}</p>
			)}
			{word === 'done' && (
				<div className="field">
					<label htmlFor={`${id}-result`}>{t('decide.result')}</label>
					<textarea
						id={`${id}-result`}
						className="box mono"
						rows={3}
						spellCheck={false}
						value={result}
						aria-invalid={!read || undefined}
						aria-describedby={`${id}-result-help`}
						onChange={(e) => setResult(e.target.value)}
					/>
					<p id={`${id}-result-help`} className={read ? 'help' : 'problem-text'}>
						{read ? t('decide.resultHelp') : t('decide.resultBad', { example: '{"id": 912}' })}
					</p>
				</div>
			)}
			<div className="field">
				<label htmlFor={`${id}-note`}>{t('decide.note')}</label>
				<input
					id={`${id}-note`}
					className="box"
					maxLength={noteLength}
					value={note}
					onChange={(e) => setNote(e.target.value)}
				/>
			</div>
			{decide.error && <ProblemNote error={decide.error} />}
		</Dialog>
	);
}

interface BarProps {
	run: Run;
	total: number;
	choice: Choice;
	/** Promises of the steps at which the chosen items stand. */
	promises: string[];
	choose: (choice: Choice) => void;
}

const more = { en, fr };

/** Stands above the list of unknown items. */
export default function DecideBar(props: BarProps) {
	return (
		<MoreMessages more={more}>
			<Bar {...props} />
		</MoreMessages>
	);
}

function Bar(props: BarProps) {
	const t = useT();
	const [word, setWord] = useState<Word | null>(null);
	const { choice, total } = props;
	const count = choice === 'all' ? total : choice.size;
	const all = useRef<HTMLInputElement>(null);
	useEffect(() => {
		if (all.current) all.current.indeterminate = choice !== 'all' && choice.size > 0;
	}, [choice]);
	return (
		<fieldset className="decide" aria-label={t('decide.title')}>
			<label className="pick">
				<input
					ref={all}
					type="checkbox"
					checked={choice === 'all'}
					onChange={(e) => props.choose(e.target.checked ? 'all' : new Set())}
				/>
				<span>{t('decide.all', { count: total })}</span>
			</label>
			<div className="decide-buttons">
				{words.map(([w, Icon, label]) => (
					<button
						key={w}
						type="button"
						className="button"
						data-kind="tool"
						disabled={count === 0}
						onClick={() => setWord(w)}
					>
						<Icon size={14} aria-hidden="true" />
						{t(label)}
					</button>
				))}
			</div>
			<p className="muted" role="status">
				{t(count === 0 ? 'decide.choose' : 'decide.chosen', { count })}
			</p>
			{word && (
				<Confirm
					run={props.run}
					word={word}
					choice={choice}
					count={count}
					promises={props.promises}
					close={(hasDecided) => {
						setWord(null);
						if (hasDecided) props.choose(new Set());
					}}
				/>
			)}
		</fieldset>
	);
}
