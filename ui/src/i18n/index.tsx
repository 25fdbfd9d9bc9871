// SPDX-License-Identifier: Apache-2.0
/*
 * Languages: one choice drives our messages, react-aria's own strings, Intl and the document's lang. Each language's messages are a chunk, and
 * only that of the language in use is loaded.
 */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { I18nProvider } from 'react-aria-components/I18nProvider';
import { type FormatNumberOptions, IntlProvider, type MessageDescriptor, useIntl } from 'react-intl';
import { recall, remember } from '../lib/memory';
import type deciding from './decide/en.json';
import type everyPage from './en.json';
import type rerunning from './rerun/en.json';
import type storing from './storage/en.json';

/** Of every page, and of those that come with a part that is loaded when it is wanted. */
export type MessageId =
	| keyof typeof everyPage
	| keyof typeof deciding
	| keyof typeof rerunning
	| keyof typeof storing;
type Messages = Record<keyof typeof everyPage, string>;
export const languages: Record<string, string> = { en: 'English', fr: 'Français' };
const load = async (language: string): Promise<Messages> =>
	(await (language === 'fr' ? import('./fr.json') : import('./en.json'))).default;

function firstLanguage(): string {
	const asked = new URLSearchParams(location.search).get('lang');
	for (const tag of [asked, recall('language'), ...navigator.languages]) {
		const code = tag?.slice(0, 2).toLowerCase();
		if (code && code in languages) return code;
	}
	return 'en';
}

export interface Spoken {
	language: string;
	messages: Messages;
}

/** The reader's language; English when its messages cannot be fetched. Nothing is drawn before, so no page shows ids. */
export async function firstSpoken(): Promise<Spoken> {
	const language = firstLanguage();
	try {
		return { language, messages: await load(language) };
	} catch {
		return { language: 'en', messages: await load('en') };
	}
}

const Language = createContext({
	language: 'en',
	messages: {} as Record<string, string>,
	setLanguage: (_: string) => {},
});

export function LanguageProvider({ first, children }: { first: Spoken; children: ReactNode }) {
	const [{ language, messages }, set] = useState(first);
	useEffect(() => {
		document.documentElement.lang = language;
	}, [language]);
	const value = useMemo(
		() => ({
			language,
			messages,
			/* Without its messages the page stays in the language that it has. */
			setLanguage: (code: string) =>
				void load(code).then(
					(messages) => {
						remember('language', code);
						set({ language: code, messages });
					},
					() => {},
				),
		}),
		[language, messages],
	);
	return (
		<Language.Provider value={value}>
			<IntlProvider locale={language} messages={messages}>
				<I18nProvider locale={language === 'fr' ? 'fr-FR' : 'en-GB'}>{children}</I18nProvider>
			</IntlProvider>
		</Language.Provider>
	);
}

/** A part that brings messages of its own. */
export function MoreMessages(props: { more: Record<string, Record<string, string>>; children: ReactNode }) {
	const { language, messages } = useContext(Language);
	const all = useMemo(() => ({ ...messages, ...props.more[language] }), [language, messages, props.more]);
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
