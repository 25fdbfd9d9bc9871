// SPDX-License-Identifier: Apache-2.0
import { parse } from '@formatjs/icu-messageformat-parser';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const languages = ['en', 'fr'];

/**
 * react-aria ships its own strings in some 34 languages and imports them all. We have two, so the others become
 * empty objects; @react-aria/optimize-locales-plugin does the same, but does not agree with our versions.
 */
function keepOurLanguages(): Plugin {
	const file = /\/(?:react-aria|react-stately|react-aria-components)\/.*\/intl\/.*\/([a-z]{2})-[A-Z]{2}\.mjs$/;
	return {
		name: 'keep-our-languages',
		enforce: 'pre',
		load(id) {
			const found = file.exec(id);
			return found?.[1] && !languages.includes(found[1]) ? 'export default {};' : null;
		},
	};
}

/** Messages are parsed when we build, so the parser (9 kB gz) stays at home. */
function compileMessages(): Plugin {
	return {
		name: 'compile-messages',
		enforce: 'pre',
		apply: 'build',
		config: () => ({
			resolve: { alias: { '@formatjs/icu-messageformat-parser': '@formatjs/icu-messageformat-parser/no-parser.js' } },
		}),
		transform: {
			filter: { id: /\/src\/i18n\/[a-z/]+\.json$/ },
			handler(code) {
				const messages = Object.entries(JSON.parse(code) as Record<string, string>);
				return { code: JSON.stringify(Object.fromEntries(messages.map(([id, text]) => [id, parse(text)]))), map: null };
			},
		},
	};
}

export default defineConfig({
	plugins: [keepOurLanguages(), compileMessages(), react()],
	build: {
		target: ['chrome123', 'firefox120', 'safari17.5'],
		sourcemap: false,
		manifest: true,
		/* Our CSP has no data: for fonts, and one rule for all assets is easier to keep than two. */
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		chunkSizeWarningLimit: 600,
	},
	server: { host: '127.0.0.1', proxy: { '/api': process.env.WEIR_URL ?? 'http://127.0.0.1:8099' } },
	test: { include: ['test/unit/**/*.test.ts'], environment: 'node' },
});
