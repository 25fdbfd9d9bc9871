// SPDX-License-Identifier: Apache-2.0
/*
 * Weighs what a page loads, gzipped, and fails over budget. It follows imports from the page's chunk through the build
 * manifest, so a library that slips into the form page is caught even when it lands in a shared chunk.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const manifest = JSON.parse(readFileSync(join(dist, '.vite', 'manifest.json'), 'utf8'));

/* Of the languages a page loads one; the longest counts. */
const shell = ['index.html', 'src/i18n/fr.json'];

/* kB of 1,000 bytes, gzip level 9: reference/ui.md section 8 counts the same way. */
const budgets = [
	['shell', 120, shell],
	['form page with its chart', 170, [...shell, 'src/pages/form/page.tsx', 'src/pages/form/chart.tsx']],
	['runs page', 125, [...shell, 'src/pages/runs/list.tsx']],
	['run page', 143, [...shell, 'src/pages/runs/run.tsx']],
	['storage page', 125, [...shell, 'src/pages/storage/page.tsx']],
	['select field, on top', 40, ['src/pages/form/select.tsx'], [...shell, 'src/pages/form/page.tsx']],
	['date and time fields, on top', 50, ['src/pages/form/dates.tsx'], [...shell, 'src/pages/form/page.tsx']],
];

function closure(entries) {
	const files = new Set();
	const walk = (key) => {
		const chunk = manifest[key];
		if (!chunk) throw new Error(`the build has no chunk for ${key}; correct the list in scripts/size.mjs`);
		if (files.has(chunk.file)) return;
		files.add(chunk.file);
		for (const next of chunk.imports ?? []) walk(next);
	};
	entries.forEach(walk);
	return files;
}

const weigh = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
let failed = 0;
for (const [name, budget, entries, without = []] of budgets) {
	const have = without.length ? closure(without) : new Set();
	const bytes = [...closure(entries)].filter((f) => !have.has(f)).reduce((sum, f) => sum + weigh(f), 0);
	const isOver = bytes > budget * 1000;
	if (isOver) failed++;
	console.log(`${isOver ? 'OVER' : 'ok  '} ${name}: ${(bytes / 1000).toFixed(1)} of ${budget} kB gz JS`);
}
const fonts = Object.values(manifest)
	.filter((c) => c.file.endsWith('.woff2'))
	.reduce((sum, c) => sum + statSync(join(dist, c.file)).size, 0);
console.log(`     fonts: ${(fonts / 1000).toFixed(1)} kB`);
process.exit(failed ? 1 : 0);
