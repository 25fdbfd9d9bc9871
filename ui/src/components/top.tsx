// SPDX-License-Identifier: Apache-2.0
/* The bar at the top: where am I, in which language, in which light. */
import { Globe, Monitor, Moon, Sun } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { languages, useLanguage, useT } from '../i18n';
import { setTheme, type Theme, themes, useTheme } from '../lib/theme';

export interface NavItem {
	href: string;
	label: string;
	isCurrent: boolean;
}

/** Two streams over a step: a weir. */
export function Mark() {
	return (
		<svg
			width="20"
			height="20"
			viewBox="0 0 24 24"
			fill="none"
			stroke="currentColor"
			strokeWidth="2"
			strokeLinecap="round"
			strokeLinejoin="round"
			aria-hidden="true"
		>
			<path d="M3 6.500h6.500c4 0 3.500 5.500 7.500 5.500h4M3 12h3.500c4 0 3.500 5.500 7.500 5.500h7M3 17.500h3" />
		</svg>
	);
}

/** A native select in our clothes: keyboard, touch and screen readers for nothing, where a menu of our own would cost 35 kB. */
function Pick(props: {
	icon: ReactNode;
	label: string;
	value: string;
	isIconOnly?: boolean;
	choices: [value: string, label: string, lang?: string][];
	onChange: (value: string) => void;
}) {
	return (
		<span className="pick" data-icon-only={props.isIconOnly || undefined}>
			{props.icon}
			<select aria-label={props.label} value={props.value} onChange={(e) => props.onChange(e.target.value)}>
				{props.choices.map(([value, label, lang]) => (
					<option key={value} value={value} lang={lang}>
						{label}
					</option>
				))}
			</select>
		</span>
	);
}

const themeIcons = { system: Monitor, light: Sun, dark: Moon };

export function LanguagePick() {
	const t = useT();
	const { language, setLanguage } = useLanguage();
	return (
		<Pick
			icon={<Globe size={15} aria-hidden="true" />}
			label={t('menu.language')}
			value={language}
			choices={Object.entries(languages).map(([code, name]) => [code, name, code])}
			onChange={setLanguage}
		/>
	);
}

export function ThemePick() {
	const t = useT();
	const theme = useTheme();
	const Icon = themeIcons[theme];
	return (
		<Pick
			icon={<Icon size={16} aria-hidden="true" />}
			label={t('menu.theme')}
			value={theme}
			isIconOnly
			choices={themes.map((name) => [name, t(`theme.${name}`)])}
			onChange={(name) => setTheme(name as Theme)}
		/>
	);
}

export function Frame(props: { title: string; home: string; nav: NavItem[]; children: ReactNode }) {
	const t = useT();
	return (
		<>
			<a className="skip" href="#main">
				{t('app.skip')}
			</a>
			<header className="top">
				<Link className="brand" href={props.home}>
					<span className="brand-tile">
						<Mark />
					</span>
					{props.title}
				</Link>
				{props.nav.length > 0 && (
					<nav className="nav" aria-label={t('nav.main')}>
						{props.nav.map((item) => (
							<Link key={item.href} href={item.href} aria-current={item.isCurrent ? 'page' : undefined}>
								{item.label}
							</Link>
						))}
					</nav>
				)}
				<div className="top-end">
					<LanguagePick />
					<ThemePick />
				</div>
			</header>
			<main id="main" tabIndex={-1}>
				{props.children}
			</main>
		</>
	);
}
