// SPDX-License-Identifier: Apache-2.0
/* The builder's frame: runs, and the apps that start them. */
import '../../styles/runs.css';
import type { ReactNode } from 'react';
import { useLocation } from 'wouter';
import { useComponents } from '../../api/queries';
import { Frame, type NavItem } from '../../components/top';
import { useLanguage, useT } from '../../i18n';
import { fromName, say } from '../../lib/text';

/* More would push the bar off a small screen; the components page will list them all. */
const shownApps = 4;

export function RunsFrame({ children }: { children: ReactNode }) {
	const t = useT();
	const { language } = useLanguage();
	const [path] = useLocation();
	const components = useComponents();
	const nav: NavItem[] = [
		{ href: '/runs', label: t('nav.runs'), isCurrent: path.startsWith('/runs') },
		{ href: '/storage', label: t('nav.storage'), isCurrent: path.startsWith('/storage') },
	];
	for (const c of components.data?.items.filter((c) => c.forms.length > 0).slice(0, shownApps) ?? [])
		nav.push({
			href: `/app/${encodeURIComponent(c.name)}`,
			label: say(c.title, language, fromName(c.name)),
			isCurrent: false,
		});
	return (
		<Frame title={t('app.name')} home="/runs" nav={nav}>
			<div className="page runs-page">{children}</div>
		</Frame>
	);
}

/** "contacts/push_contacts": both are names of the file, so they stay as written. */
export const dataflowName = (run: { component: string; dataflow: string }) => `${run.component}/${run.dataflow}`;
