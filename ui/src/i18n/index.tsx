// SPDX-License-Identifier: Apache-2.0
/* Languages: one choice drives our messages, react-aria's own strings, Intl and the document's lang. */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { I18nProvider } from 'react-aria-components/I18nProvider';
import { type FormatNumberOptions, IntlProvider, type MessageDescriptor, useIntl } from 'react-intl';
import { recall, remember } from '../lib/memory';
import type deciding from './decide/en.json';
import en from './en.json';
import fr from './fr.json';

/** Of every page, and of those that come with a part that is loaded when it is wanted. */
export type MessageId = keyof typeof en | keyof typeof deciding;
export const messages: Record<string, Record<keyof typeof en, string>> = { en, fr };
export const languages: Record<string, string> = { en: 'English', fr: 'Français' };

function firstLanguage(): string {
	const asked = new URLSearchParams(location.search).get('lang');
	for (const tag of [asked, recall('language'), ...navigator.languages]) {
		const code = tag?.slice(0, 2).toLowerCase();
		if (code && code in languages) return code;
	}
	return 'en';
}

const Language = createContext({ language: 'en', setLanguage: (_: string) => {} });

export function LanguageProvider({ children }: { children: ReactNode }) {
	const [language, set] = useState(firstLanguage);
	useEffect(() => {
		document.documentElement.lang = language;
	}, [language]);
	const value = useMemo(
		() => ({
			language,
			setLanguage: (code: string) => {
				remember('language', code);
				set(code);
			},
		}),
		[language],
	);
	return (
		<Language.Provider value={value}>
			<IntlProvider locale={language} messages={messages[language]}>
				<I18nProvider locale={language === 'fr' ? 'fr-FR' : 'en-GB'}>{children}</I18nProvider>
			</IntlProvider>
		</Language.Provider>
	);
}

/** A part that brings messages of its own. */
export function MoreMessages(props: { more: Record<string, Record<string, string>>; children: ReactNode }) {
	const { language } = useContext(Language);
	const all = useMemo(() => ({ ...messages[language], ...props.more[language] }), [language, props.more]);
	return (
		<IntlProvider locale={language} messages={all}>
			{props.children}
		</IntlProvider>
	);
}

export const useLanguage = () => useContext(Language);

type Values = Record<string, string | number>;
type RichValues = Record<string, string | number | ((parts: ReactNode[]) => ReactNode)>;

/** `t` for text, `t.rich` for text with elements in it. Ids are checked by the compiler. */
export function useT() {
	const intl = useIntl();
	return useMemo(() => {
		const t = (id: MessageId, values?: Values): string => intl.formatMessage({ id } as MessageDescriptor, values);
		const rich = (id: MessageId, values: RichValues): ReactNode =>
			intl.formatMessage({ id } as MessageDescriptor, values as never);
		const number = (n: number, options?: FormatNumberOptions): string => intl.formatNumber(n, options);
		const duration = (ms: number): string => {
			if (ms < 100) return t('unit.milliseconds', { value: number(ms, { maximumSignificantDigits: ms < 10 ? 2 : 3 }) });
			if (ms < 60_000)
				return t('unit.seconds', {
					value: number(ms / 1000, {
						minimumFractionDigits: ms < 10_000 ? 2 : 1,
						maximumFractionDigits: ms < 10_000 ? 2 : 1,
					}),
				});
			return t('unit.minutes', { minutes: Math.floor(ms / 60_000), seconds: Math.round((ms % 60_000) / 1000) });
		};
		return Object.assign(t, { rich, number, duration });
	}, [intl]);
}
