// SPDX-License-Identifier: Apache-2.0
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/controls.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Problem } from './api/client';
import { App } from './app';
import { firstSpoken, LanguageProvider } from './i18n';
import { startAnnouncer } from './lib/announce';
import { startTheme } from './lib/theme';
import { allowOnlyEmptyHtml } from './lib/trusted';

allowOnlyEmptyHtml();
startTheme();
startAnnouncer();

const client = new QueryClient({
	defaultOptions: {
		queries: {
			/* The server is near: one more try for a hiccup, none for an answer that will not change. */
			retry: (count, error) =>
				count < 1 && !(error instanceof Problem && error.kind === 'answer' && error.status < 500),
			retryDelay: 400,
			networkMode: 'always',
		},
		/* A submission may have arrived even if its answer did not: never repeat it by ourselves. */
		mutations: { retry: false, networkMode: 'always' },
	},
});

const root = document.getElementById('root');
if (root) {
	const first = await firstSpoken();
	createRoot(root).render(
		<StrictMode>
			<QueryClientProvider client={client}>
				<LanguageProvider first={first}>
					<App />
				</LanguageProvider>
			</QueryClientProvider>
		</StrictMode>,
	);
}
