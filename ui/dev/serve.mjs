// SPDX-License-Identifier: Apache-2.0
/* Serves dist as the C server does (same CSP, same nonce, same fallbacks) over the mock API. For tests and for a look. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createApi } from './mock.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const types = {
	'.js': 'text/javascript',
	'.css': 'text/css',
	'.svg': 'image/svg+xml',
	'.woff2': 'font/woff2',
	'.html': 'text/html; charset=utf-8',
};
const policy = (nonce) =>
	`default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; font-src 'self'; img-src 'self' data:; connect-src 'self'; ` +
	`frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'`;

/** Hands a request on to a real server, so that a build can be tried on it before it is embedded there. */
function forwardTo(base) {
	return async (request, response) => {
		const parts = [];
		for await (const part of request) parts.push(part);
		const { 'content-type': type, accept } = request.headers;
		const body = parts.length ? Buffer.concat(parts) : undefined;
		const answer = await fetch(base + request.url, {
			method: request.method,
			headers: { accept, ...(type && { 'content-type': type }) },
			body,
		});
		response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
		response.end(Buffer.from(await answer.arrayBuffer()));
	};
}

export function startSite({ port = 0, isEmpty = false, api: base = process.env.WEIR_API } = {}) {
	const api = base && !isEmpty ? forwardTo(base) : createApi({ isEmpty });
	const server = createServer((request, response) => {
		const { pathname } = new URL(request.url, 'http://site');
		if (pathname.startsWith('/api/')) return api(request, response);
		if (pathname.startsWith('/assets/')) {
			try {
				const body = readFileSync(join(dist, normalize(pathname)));
				response.writeHead(200, {
					'content-type': types[extname(pathname)] ?? 'application/octet-stream',
					'cache-control': 'public, max-age=31536000, immutable',
				});
				response.end(body);
			} catch {
				response.writeHead(404).end();
			}
			return;
		}
		const nonce = randomBytes(16).toString('base64');
		response.writeHead(200, {
			'content-type': types['.html'],
			'content-security-policy': policy(nonce),
			'x-content-type-options': 'nosniff',
			'cache-control': 'no-cache',
		});
		response.end(readFileSync(join(dist, 'index.html'), 'utf8').replaceAll('__NONCE__', nonce));
	});
	return new Promise((resolve) => {
		server.listen(port, '127.0.0.1', () =>
			resolve({ url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }),
		);
	});
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
	const site = await startSite({ port: Number(process.argv[2] ?? 8098), isEmpty: process.argv.includes('--empty') });
	console.log(`dist over the mock API on ${site.url}`);
}
