// SPDX-License-Identifier: Apache-2.0
/* The one door to the server: text in, lossless JSON out, every failure a Problem that a page can show. */
import type { FileValue } from '../lib/fields';
import { type Json, Num, parseJson, writeJson } from '../lib/json';

export interface FieldProblem {
	pointer: string;
	detail: string;
}

/** RFC 9457, plus two of our own kinds: the server was not reached, and its answer was not what was agreed. */
export class Problem extends Error {
	constructor(
		readonly kind: 'answer' | 'unreachable' | 'unreadable',
		readonly status: number,
		readonly title: string,
		readonly detail: string,
		readonly errors: FieldProblem[] = [],
		readonly runId: string | null = null,
		readonly step: string | null = null,
	) {
		super(title || detail || kind);
	}
}

export interface Answer<T> {
	status: number;
	body: T;
}

const text = (value: Json | undefined): string =>
	typeof value === 'string' ? value : value instanceof Num ? value.text : '';

function toProblem(status: number, statusText: string, body: string): Problem {
	let json: Json = null;
	try {
		json = parseJson(body);
	} catch {
		/* A proxy in between answers HTML; the status line is all there is to say then. */
	}
	if (
		json === null ||
		typeof json !== 'object' ||
		Array.isArray(json) ||
		json instanceof Num ||
		!('title' in json || 'detail' in json)
	)
		return new Problem('answer', status, statusText, '');
	const o = json as { [key: string]: Json };
	const errors = Array.isArray(o.errors)
		? o.errors.map((e) => {
				const row = (e ?? {}) as { [key: string]: Json };
				return { pointer: text(row.pointer), detail: text(row.detail) };
			})
		: [];
	return new Problem(
		'answer',
		status,
		text(o.title),
		text(o.detail),
		errors,
		text(o.run_id) || null,
		text(o.step) || null,
	);
}

export async function ask<T>(
	path: string,
	options: { method?: string; body?: unknown; raw?: ReadonlySet<string>; signal?: AbortSignal } = {},
): Promise<Answer<T>> {
	let response: Response;
	let body: string;
	try {
		response = await fetch(`/api/v1${path}`, {
			method: options.method ?? 'GET',
			headers: {
				accept: 'application/json, application/problem+json',
				...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
			},
			body: options.body === undefined ? undefined : writeJson(options.body),
			signal: options.signal,
		});
		body = await response.text();
	} catch (cause) {
		if (options.signal?.aborted) throw cause;
		throw new Problem('unreachable', 0, '', cause instanceof Error ? cause.message : String(cause));
	}
	if (!response.ok) throw toProblem(response.status, response.statusText, body);
	try {
		return { status: response.status, body: (body ? parseJson(body, options.raw) : null) as T };
	} catch (cause) {
		throw new Problem('unreadable', response.status, '', cause instanceof Error ? cause.message : String(cause));
	}
}

/** The bytes go as they are, out of the browser's own file; the answer is the field's value. */
export async function upload(file: File): Promise<FileValue> {
	const query = new URLSearchParams({ name: file.name });
	let response: Response;
	let body: string;
	try {
		response = await fetch(`/api/v1/files?${query}`, {
			method: 'POST',
			headers: { accept: 'application/json, application/problem+json', 'content-type': file.type || 'application/octet-stream' },
			body: file,
		});
		body = await response.text();
	} catch (cause) {
		throw new Problem('unreachable', 0, '', cause instanceof Error ? cause.message : String(cause));
	}
	if (!response.ok) throw toProblem(response.status, response.statusText, body);
	return parseJson(body) as unknown as FileValue;
}

/** A path from parts that may hold anything. */
export const path = (...parts: string[]): string => parts.map((p) => `/${encodeURIComponent(p)}`).join('');
