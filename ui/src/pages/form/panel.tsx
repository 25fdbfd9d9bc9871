// SPDX-License-Identifier: Apache-2.0
/* The left side: fields, one primary action, and what became of it. */
import { CircleCheck } from 'lucide-react';
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { Problem } from '../../api/client';
import { useIsUploading, useRun, useSubmit } from '../../api/queries';
import type { Form, Submission } from '../../api/types';
import { BusyButton } from '../../components/busy';
import { Note, ProblemNote } from '../../components/notes';
import { type MessageId, useLanguage, useT } from '../../i18n';
import { announce } from '../../lib/announce';
import { type Complaint, checkField, emptyValue, type FieldValue, fieldOfPointer, toData } from '../../lib/fields';
import { fromName, say } from '../../lib/text';
import { FieldBox } from './fields';

type Values = Record<string, FieldValue>;
type Complaints = Record<string, Complaint>;

const idOf = (name: string) => `field-${name}`;

function focusField(name: string): void {
	document
		.getElementById(idOf(name))
		?.querySelector<HTMLElement>(
			'input:not([type=hidden]):not([tabindex="-1"]), textarea, button:not([tabindex="-1"]), [tabindex="0"]',
		)
		?.focus();
}

function complain(t: ReturnType<typeof useT>, complaint: Complaint | undefined): string | null {
	if (!complaint) return null;
	const { id, ...values } = complaint;
	return t(id as MessageId, values as Record<string, string | number>);
}

function Summary(props: { form: Form; complaints: Complaints; focusKey: number }) {
	const t = useT();
	const { language } = useLanguage();
	const ref = useRef<HTMLDivElement>(null);
	const fields = props.form.fields.filter((f) => props.complaints[f.name]);
	/* A refused submission takes the focus here; corrections afterwards only shorten the list. */
	// biome-ignore lint/correctness/useExhaustiveDependencies: focusKey counts the refusals
	useEffect(() => ref.current?.focus(), [props.focusKey]);
	if (fields.length === 0) return null;
	return (
		<div className="summary" ref={ref} tabIndex={-1} role="group" aria-labelledby="summary-title">
			<h2 id="summary-title">{t('form.summary', { count: fields.length })}</h2>
			<ul>
				{fields.map((f) => (
					<li key={f.name}>
						<a
							href={`#${idOf(f.name)}`}
							onClick={(e) => {
								e.preventDefault();
								focusField(f.name);
							}}
						>
							{t('form.summaryItem', {
								field: say(f.title, language, fromName(f.name)),
								message: complain(t, props.complaints[f.name]) ?? '',
							})}
						</a>
					</li>
				))}
			</ul>
		</div>
	);
}

/** The wait ran out before the run did: follow it, since nobody likes to be left alone with a spinner. */
function Following({ id }: { id: string }) {
	const t = useT();
	const run = useRun(id);
	const state = run.data?.state ?? 'running';
	const message: MessageId =
		state === 'running' ? 'form.stillRunning' : state === 'done' ? 'form.ranToEnd' : 'form.ranToFailure';
	return (
		<Note
			tone={state === 'running' || state === 'done' ? 'plain' : 'warn'}
			title={t(message, { id })}
			actions={<Link href={`/runs/${encodeURIComponent(id)}`}>{t('problem.openRun', { id })}</Link>}
		/>
	);
}

function StatusLine({ result }: { result: Submission }) {
	const t = useT();
	const b = (parts: React.ReactNode[]) => <b>{parts}</b>;
	const time = t.duration(Number(result.run.duration_ms ?? 0));
	return (
		<p className="status">
			<CircleCheck size={16} aria-hidden="true" />
			<span>
				{result.entry_id
					? t.rich('form.savedAnswered', { b, id: String(result.entry_id), time })
					: t.rich('form.doneAnswered', { b, time })}
			</span>
		</p>
	);
}

function Preview({ runId, env }: { runId: string | null; env: string }) {
	const t = useT();
	return (
		<aside className="preview" aria-label={t('form.preview')}>
			<p className="preview-title">{t('form.preview')}</p>
			<p>
				{runId
					? t.rich('form.previewNote', {
							id: runId,
							run: (parts) => <Link href={`/runs/${encodeURIComponent(runId)}`}>{parts}</Link>,
						})
					: t.rich('form.previewEmpty', { runs: (parts) => <Link href="/runs">{parts}</Link> })}
			</p>
			<p className="muted">{t('form.environment', { name: env })}</p>
		</aside>
	);
}

export function FormPanel(props: {
	form: Form;
	result: Submission | null;
	onResult: (result: Submission | null) => void;
	onPending: (is: boolean) => void;
}) {
	const { form, result } = props;
	const t = useT();
	const { language } = useLanguage();
	const submit = useSubmit(form.component, form.form);
	const isUploading = useIsUploading();
	const [values, setValues] = useState<Values>(() =>
		Object.fromEntries(form.fields.map((f) => [f.name, emptyValue(f)])),
	);
	const [visited, setVisited] = useState<ReadonlySet<string>>(new Set());
	const [refused, setRefused] = useState<Complaints>({});
	const [refusals, setRefusals] = useState(0);
	const [isSummarized, setSummarized] = useState(false);

	const isField = (name: string | null) => form.fields.some((f) => f.name === name);

	const own = useMemo(() => {
		const found: Complaints = {};
		for (const f of form.fields) {
			const complaint = checkField(f, values[f.name] ?? null);
			if (complaint) found[f.name] = complaint;
		}
		return found;
	}, [form, values]);
	const shown: Complaints = {};
	for (const f of form.fields) {
		const complaint = refused[f.name] ?? (visited.has(f.name) ? own[f.name] : undefined);
		if (complaint) shown[f.name] = complaint;
	}

	const change = (name: string, value: FieldValue) => {
		setValues((v) => ({ ...v, [name]: value }));
		setRefused(({ [name]: _, ...rest }) => rest);
	};

	const send = (e: FormEvent) => {
		e.preventDefault();
		if (submit.isPending || isUploading) return;
		setVisited(new Set(form.fields.map((f) => f.name)));
		if (Object.keys(own).length > 0) {
			setSummarized(true);
			setRefusals((n) => n + 1);
			return;
		}
		setSummarized(false);
		setRefused({});
		const data: Record<string, unknown> = {};
		for (const f of form.fields) {
			const value = toData(f, values[f.name] ?? null);
			if (value !== undefined) data[f.name] = value;
		}
		props.onPending(true);
		submit.mutate(
			{ data, language },
			{
				onSettled: () => props.onPending(false),
				onSuccess: ({ body }) => {
					props.onResult(body);
					if (body.view) announce(t('result.announced', { title: body.view.title ?? say(form.title, language) }));
				},
				onError: (error) => {
					props.onResult(null);
					const found: Complaints = {};
					for (const row of error instanceof Problem ? error.errors : []) {
						const name = fieldOfPointer(row.pointer);
						if (name !== null && isField(name)) found[name] = { id: 'invalid.fromServer', detail: row.detail };
					}
					setRefused(found);
					if (Object.keys(found).length > 0) {
						setSummarized(true);
						setRefusals((n) => n + 1);
					}
				},
			},
		);
	};

	/* Errors that stand beside their fields need no second telling, unless some have no field here. */
	const problem = submit.error;
	const isAllBesideFields =
		problem instanceof Problem &&
		problem.errors.length > 0 &&
		problem.errors.every((e) => isField(fieldOfPointer(e.pointer)));
	const runId = result?.run.id ?? (problem instanceof Problem ? problem.runId : null);
	const marksOptional = form.fields.some((f) => f.required);
	const description = say(form.description, language);

	return (
		<>
			<section className="form-side" aria-labelledby="form-title">
				<h1 id="form-title">{say(form.title, language, fromName(form.form))}</h1>
				{description && <p className="lead">{description}</p>}
				<form noValidate onSubmit={send}>
					{isSummarized && <Summary form={form} complaints={shown} focusKey={refusals} />}
					<div className="fields">
						{form.fields.map((f) => (
							<div
								key={f.name}
								id={idOf(f.name)}
								className="field-place"
								data-type={f.type}
								data-choice={f.enum?.length ? true : undefined}
							>
								<FieldBox
									field={f}
									value={values[f.name] ?? null}
									message={complain(t, shown[f.name])}
									marksOptional={marksOptional}
									onChange={(value) => change(f.name, value)}
									onBlur={() => {
										/* Passing through an empty field on the way is no mistake yet. */
										if (values[f.name]) setVisited((v) => new Set(v).add(f.name));
									}}
								/>
							</div>
						))}
					</div>
					<BusyButton type="submit" className="button submit" kind="primary" isBusy={submit.isPending || isUploading}>
						{say(form.submit_title, language, t('form.submit'))}
					</BusyButton>
				</form>
				{!submit.isPending && result && result.run.state === 'running' && <Following id={result.run.id} />}
				{!submit.isPending && result && result.run.state !== 'running' && <StatusLine result={result} />}
				{!submit.isPending && problem && !isAllBesideFields && <ProblemNote error={problem} isSubmit told={isField} />}
			</section>
			<Preview runId={runId} env={form.env} />
		</>
	);
}
