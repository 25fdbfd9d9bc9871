// SPDX-License-Identifier: Apache-2.0
/* What stands where content would: loading, nothing yet, or a problem with its place and the next thing to try. */
import { CircleAlert, Inbox, LoaderCircle, RotateCw, TriangleAlert } from 'lucide-react';
import { Component, type ReactNode } from 'react';
import { Link } from 'wouter';
import { Problem } from '../api/client';
import { type MessageId, useT } from '../i18n';
import { fieldOfPointer } from '../lib/fields';

export function Loading({ label }: { label?: string }) {
	const t = useT();
	return (
		<p className="loading" role="status">
			<LoaderCircle className="spin" size={16} aria-hidden="true" />
			{label ?? t('app.loading')}
		</p>
	);
}

export function Note(props: {
	tone?: 'plain' | 'warn' | 'err';
	title: string;
	children?: ReactNode;
	actions?: ReactNode;
	isAlert?: boolean;
}) {
	const Icon = props.tone === 'err' ? CircleAlert : props.tone === 'warn' ? TriangleAlert : Inbox;
	return (
		<div className="note" data-tone={props.tone ?? 'plain'} role={props.isAlert ? 'alert' : undefined}>
			<Icon size={18} aria-hidden="true" />
			<div className="note-body">
				<p className="note-title">{props.title}</p>
				{props.children}
				{props.actions && <div className="note-actions">{props.actions}</div>}
			</div>
		</div>
	);
}

const nextToTry = (problem: Problem): MessageId => {
	if (problem.status === 504) return 'problem.submit.timeout';
	if (problem.status === 502) return 'problem.submit.upstream';
	if (problem.status === 422) return 'problem.submit.input';
	return 'problem.submit.other';
};

/** A failed load or a failed submission. The server's own words come first: it knows what happened. */
export function ProblemNote(props: {
	error: unknown;
	retry?: () => void;
	isSubmit?: boolean;
	missing?: { title: string; detail: string };
	/** Fields whose errors stand beside them already. */
	told?: (field: string | null) => boolean;
}) {
	const t = useT();
	const { error } = props;
	const problem = error instanceof Problem ? error : null;
	const untold = problem?.errors.filter((e) => !props.told?.(fieldOfPointer(e.pointer))) ?? [];
	let title = t('problem.unreadable.title');
	let detail: ReactNode = t('problem.unreadable.detail', {
		reason: error instanceof Error ? error.message : String(error),
	});
	if (problem?.kind === 'unreachable') {
		title = t('problem.unreachable.title');
		detail = t(props.isSubmit ? 'problem.unreachable.submit' : 'problem.unreachable.detail');
	} else if (problem?.kind === 'unreadable') {
		detail = t('problem.unreadable.detail', { reason: problem.detail });
	} else if (problem?.status === 404 && props.missing) {
		title = props.missing.title;
		detail = props.missing.detail;
	} else if (problem) {
		title = problem.title || t('problem.status', { status: problem.status });
		detail = problem.detail;
	}
	return (
		<Note
			tone="err"
			title={title}
			isAlert={props.isSubmit}
			actions={
				(props.retry || problem?.runId) && (
					<>
						{props.retry && (
							<button type="button" className="button" data-kind="tool" onClick={() => props.retry?.()}>
								<RotateCw size={14} aria-hidden="true" />
								{t('problem.retry')}
							</button>
						)}
						{problem?.runId && (
							<Link href={`/runs/${encodeURIComponent(problem.runId)}`}>
								{t('problem.openRun', { id: problem.runId })}
							</Link>
						)}
					</>
				)
			}
		>
			{detail && <p>{detail}</p>}
			{untold.length > 0 && (
				<ul className="note-list">
					{untold.map((e) => (
						<li key={`${e.pointer} ${e.detail}`}>
							{e.pointer && <code>{e.pointer}</code>} {e.detail}
						</li>
					))}
				</ul>
			)}
			{problem?.kind === 'answer' && problem.step && !problem.detail.includes(`"${problem.step}"`) && (
				<p>{t('problem.where', { step: problem.step })}</p>
			)}
			{props.isSubmit && problem?.kind === 'answer' && <p>{t(nextToTry(problem))}</p>}
		</Note>
	);
}

function Broken({ reason }: { reason: string }) {
	const t = useT();
	return (
		<Note
			tone="err"
			title={t('problem.pageBroke.title')}
			isAlert
			actions={
				<button type="button" className="button" data-kind="tool" onClick={() => location.reload()}>
					<RotateCw size={14} aria-hidden="true" />
					{t('problem.reload')}
				</button>
			}
		>
			<p>{t('problem.pageBroke.detail', { reason })}</p>
		</Note>
	);
}

/** A view that a component's script made may have any shape; what cannot be drawn must not take the form with it. */
export class Guard extends Component<{ children: ReactNode }, { reason: string | null }> {
	override state: { reason: string | null } = { reason: null };
	static getDerivedStateFromError(error: unknown) {
		return { reason: error instanceof Error ? error.message : String(error) };
	}
	override render() {
		return this.state.reason === null ? this.props.children : <Broken reason={this.state.reason} />;
	}
}
