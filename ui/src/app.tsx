// SPDX-License-Identifier: Apache-2.0
/* The routes. Form and run pages are chunks of their own: who fills in a form does not load what shows a call. */
import { lazy, Suspense, useEffect } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { useComponents } from './api/queries';
import { Guard, Loading } from './components/notes';
import { Frame } from './components/top';
import { useT } from './i18n';

const AppPage = lazy(() => import('./pages/form/page'));
const RunsPage = lazy(() => import('./pages/runs/list'));
const RunPage = lazy(() => import('./pages/runs/run'));
const StoragePage = lazy(() => import('./pages/storage/page'));

function Home() {
	const components = useComponents();
	if (components.isPending) return <Loading />;
	const [only, another] = components.data?.items ?? [];
	if (only && !another && only.forms.length === 1)
		return <Redirect to={`/app/${encodeURIComponent(only.name)}`} replace />;
	return <Redirect to="/runs" replace />;
}

export function NotFound() {
	const t = useT();
	useEffect(() => {
		document.title = `${t('notFound.title')} · Weir`;
	}, [t]);
	return (
		<Frame title="Weir" home="/runs" nav={[
				{ href: '/runs', label: t('nav.runs'), isCurrent: false },
				{ href: '/storage', label: t('nav.storage'), isCurrent: false },
			]}>
			<div className="page">
				<h1>{t('notFound.title')}</h1>
				<p className="lead">{t('notFound.detail', { path: location.pathname })}</p>
				<p className="lead">
					<Link href="/runs">{t('notFound.runs')}</Link>
				</p>
			</div>
		</Frame>
	);
}

/** A new page is read from its top, by eye and by ear. */
function FocusOnMove() {
	const [path] = useLocation();
	useEffect(() => {
		if (!path) return;
		if (FocusOnMove.last !== undefined && FocusOnMove.last !== path) {
			window.scrollTo(0, 0);
			document.getElementById('main')?.focus({ preventScroll: true });
		}
		FocusOnMove.last = path;
	}, [path]);
	return null;
}
FocusOnMove.last = undefined as string | undefined;

export function App() {
	return (
		<Guard>
			<FocusOnMove />
			<Suspense fallback={<Loading />}>
				<Switch>
					<Route path="/" component={Home} />
					<Route path="/app/:component/:form?" component={AppPage} />
					<Route path="/runs" component={RunsPage} />
					<Route path="/runs/:id" component={RunPage} />
					<Route path="/storage" component={StoragePage} />
					<Route component={NotFound} />
				</Switch>
			</Suspense>
		</Guard>
	);
}
