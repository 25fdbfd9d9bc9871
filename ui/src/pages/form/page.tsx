// SPDX-License-Identifier: Apache-2.0
/* The end user's page: a form at the left, its result and what is saved at the right. Knows nothing of any component. */
import '../../styles/form.css';
import '../../styles/result.css';
import { useEffect, useState } from 'react';
import { Link, useParams, useSearchParams } from 'wouter';
import { Problem } from '../../api/client';
import { useComponents, useForm } from '../../api/queries';
import type { Form, Submission } from '../../api/types';
import { Guard, Loading, Note, ProblemNote } from '../../components/notes';
import { Frame, type NavItem } from '../../components/top';
import { useLanguage, useT } from '../../i18n';
import { fromName, say } from '../../lib/text';
import { LatestEntries, SavedPage } from './entries';
import { FormPanel } from './panel';
import { ResultPanel } from './result';

function Body({ form, isSavedView, formHref }: { form: Form; isSavedView: boolean; formHref: string }) {
	const t = useT();
	const { language } = useLanguage();
	const [result, setResult] = useState<Submission | null>(null);
	const [isPending, setPending] = useState(false);
	const submitTitle = say(form.submit_title, language, t('form.submit'));
	return (
		<>
			{/* Kept, only hidden: who looks at the saved entries comes back to the form as it was left. */}
			<div className="page form-page" hidden={isSavedView}>
				<FormPanel form={form} result={result} onResult={setResult} onPending={setPending} />
				<div className="result-side">
					<section
						aria-label={t('result.label')}
						aria-busy={isPending}
						className="result"
						data-pending={isPending || undefined}
					>
						<Guard key={result?.run.id ?? 'none'}>
							{result?.view && <ResultPanel view={result.view} fileName={`${form.component}-${form.form}`} />}
							{result && !result.view && result.run.state !== 'running' && <Note title={t('form.noView')} />}
							{!result && (
								<Note title={t('form.noResult')}>
									<p>{t('form.noResultDetail', { submit: submitTitle })}</p>
								</Note>
							)}
						</Guard>
					</section>
					<Guard>
						<LatestEntries form={form} allHref={`${formHref}?view=saved`} />
					</Guard>
					{result?.view?.source?.text && <Source source={result.view.source} />}
				</div>
			</div>
			{isSavedView && (
				<div className="page">
					<Guard>
						<SavedPage form={form} backHref={formHref} />
					</Guard>
				</div>
			)}
		</>
	);
}

function Source({ source }: { source: { text: string; url?: string } }) {
	/* The address comes from a component's script: only the web, never javascript: or data:. */
	const url = source.url && /^https?:\/\//i.test(source.url) ? source.url : null;
	return (
		<p className="source">
			{url ? (
				<a href={url} rel="noopener noreferrer" target="_blank">
					{source.text}
				</a>
			) : (
				source.text
			)}
		</p>
	);
}

export default function AppPage() {
	const t = useT();
	const { language } = useLanguage();
	const params = useParams<{ component: string; form?: string }>();
	const [search] = useSearchParams();
	const isSavedView = search.get('view') === 'saved';
	const components = useComponents();
	const summary = components.data?.items.find((c) => c.name === params.component);
	const name = params.form ?? summary?.forms[0];
	const form = useForm(params.component, name);

	const app = say(form.data?.app_title ?? summary?.title, language, fromName(params.component));
	const title = form.data ? say(form.data.title, language, fromName(form.data.form)) : app;
	useEffect(() => {
		document.title = title === app ? app : `${title} · ${app}`;
	}, [title, app]);

	const home = `/app/${encodeURIComponent(params.component)}`;
	const formHref = params.form ? `${home}/${encodeURIComponent(params.form)}` : home;
	const nav: NavItem[] = (summary?.forms ?? (name ? [name] : [])).map((f, i) => ({
		href: i === 0 ? home : `${home}/${encodeURIComponent(f)}`,
		label: f === name && form.data ? title : fromName(f),
		isCurrent: f === name && !isSavedView,
	}));
	if (form.data?.entry_fields?.length)
		nav.push({ href: `${formHref}?view=saved`, label: t('nav.saved'), isCurrent: isSavedView });

	const isMissing = components.isSuccess && name === undefined;
	const missing = {
		title: t('problem.notFound.form'),
		detail: t('problem.notFound.form.detail', { component: params.component }),
	};
	/* The list of components only helps to find the first form; a named form does without it. */
	const error =
		form.error ??
		(name === undefined ? components.error : null) ??
		(isMissing ? new Problem('answer', 404, '', '') : null);
	return (
		<Frame title={app} home={home} nav={nav}>
			{error ? (
				<div className="page">
					<h1 className="hidden-visually">{app}</h1>
					<ProblemNote
						error={error}
						missing={missing}
						retry={() => void (form.error ? form.refetch() : components.refetch())}
					/>
					<p className="lead">
						<Link href="/runs">{t('notFound.runs')}</Link>
					</p>
				</div>
			) : form.data ? (
				<Body
					key={`${form.data.component}/${form.data.form}`}
					form={form.data}
					isSavedView={isSavedView}
					formHref={formHref}
				/>
			) : (
				<Loading />
			)}
		</Frame>
	);
}
