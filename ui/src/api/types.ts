// SPDX-License-Identifier: Apache-2.0
/* The shapes of docs/internals/rest.md. By hand until the server describes itself in OpenAPI. */
import type { Json, Num, Raw } from '../lib/json';

export type Text = string | { [language: string]: string };

export interface Page<T> {
	items: T[];
	next: string | null;
	total: Num;
}

export interface ComponentSummary {
	name: string;
	title: Text | null;
	version: string;
	imported_at: string;
	dataflows: string[];
	forms: string[];
}

export type FieldType =
	| 'string'
	| 'datetime'
	| 'catalog'
	| 'number'
	| 'integer'
	| 'array'
	| 'file'
	| 'boolean'
	| 'time'
	| 'date'
	| 'uri';

export type Choice = Json | { value: Json; title?: Text };

export interface Field {
	name: string;
	type: FieldType;
	title?: Text | null;
	help?: Text | null;
	required?: boolean;
	primary_key?: boolean;
	enum?: Choice[] | null;
	default?: Json;
	min_length?: Num | null;
	max_length?: Num | null;
	minimum?: Num | null;
	maximum?: Num | null;
}

export interface EntryField {
	name: string;
	type: FieldType;
	title?: Text | null;
	unit?: string | null;
}

export interface Form {
	component: string;
	form: string;
	title?: Text | null;
	description?: Text | null;
	app_title?: Text | null;
	submit_title?: Text | null;
	fields: Field[];
	entry_fields?: EntryField[];
	entries_title?: Text | null;
	env: string;
	submit: string;
}

export interface ViewValue {
	label: string;
	value: Json;
	unit?: string | null;
	note?: string | null;
}
export interface Series {
	name: string;
	title?: string;
	kind?: 'line' | 'bar' | string;
	color?: string;
	values: Json[];
}
export interface Panel {
	title?: string;
	unit?: string | null;
	series: Series[];
	band?: [string, string] | null;
}
export interface Column {
	name: string;
	title?: string;
	type?: string;
	unit?: string | null;
}
export interface View {
	title?: string;
	subtitle?: string;
	caption?: string;
	message?: string;
	values?: ViewValue[];
	chart?: { time: Json[]; panels: Panel[] } | null;
	table?: { columns: Column[]; rows: { [name: string]: Json }[] } | null;
	source?: { text: string; url?: string } | null;
}

export interface Submission {
	run: { id: string; state: RunState; duration_ms: Num | null };
	entry_id?: string | null;
	item?: Json;
	view?: View | null;
}

export interface Entry {
	id: string;
	created_at: string;
	updated_at: string;
	run_id: string | null;
	/** The item of that run; null where it is not known. */
	item: Num | null;
	data: { [name: string]: Json };
}

export type RunState = 'running' | 'done' | 'failed' | 'partly done' | 'needs attention' | 'interrupted';

export interface StepFacts {
	name: string;
	title: Text | null;
	stage: string;
	kind: string;
	source_step: string | null;
	in: Num;
	out: Num;
	failed: Num;
	promise: string | null;
	duration_ms: Num | null;
	detail: string | null;
}

export interface Run {
	id: string;
	component: string;
	dataflow: string;
	version: string;
	env: string;
	trigger: string;
	state: RunState;
	started_at: string;
	ended_at: string | null;
	duration_ms: Num | null;
	counts: { items_in: Num; items_out: Num; failed: Num; unknown: Num };
	steps: StepFacts[];
	problem: ItemProblem | null;
}

export interface ItemProblem {
	type?: string;
	title: string;
	detail?: string | null;
	step?: string | null;
	status?: Num | null;
}

export type ItemState = 'done' | 'failed' | 'unknown outcome' | 'running' | 'skipped';

export interface ItemRow {
	seq: Num;
	state: ItemState;
	input: Raw;
	problem: ItemProblem | null;
}

/** Why there was another attempt, and what it waited for. More reasons may come; `text` says them in English. */
export interface Again {
	why: 'asked' | 'back_off' | 'redirect' | 'resumed' | 'identity' | 'decided' | (string & {});
	text: string;
	wait_ms: Num;
	header: string | null;
	asked_ms: Num | null;
	status: Num | null;
	error: string | null;
	from: string | null;
	/** Who decided that it is sent again. */
	by?: string | null;
}

/** One attempt; those that follow each other with one step are one call. */
export interface Call {
	step: string;
	attempt: Num;
	state: 'answered' | 'no answer' | 'unknown outcome';
	intent_at: string;
	outcome_at: string | null;
	request: { method: string; url: string; headers: [string, string][]; body: string | null; file?: Json };
	answer: {
		status: Num;
		headers: [string, string][];
		body: string | null;
		body_bytes: Num;
		clipped: boolean;
		/** The body is in this file. */
		file?: Json;
	} | null;
	timings_ms: { [name: string]: Num | null } | null;
	problem: ItemProblem | null;
	sent_at: string | null;
	again: Again | null;
	phases_ms: { [name: string]: Num } | null;
	rest: { text: string; status: Num; header: string | null; asked_ms: Num } | null;
	reused: boolean | null;
	verdict: string | null;
	rule: string | null;
}

/** What a person said about a call whose outcome nobody knew. */
export interface Decision {
	step: string;
	attempt: Num;
	decision: 'done' | 'again' | 'skip';
	by: string | null;
	at: string;
	note: string | null;
	result: Json;
}

export interface Item {
	seq: Num;
	state: ItemState;
	input: Raw;
	/** The item out of whose list this one was made; absent in answers of older servers. */
	parent?: Num | null;
	output: Raw | null;
	problem: ItemProblem | null;
	steps: { name: string; item: Raw }[];
	calls: Call[];
	decisions?: Decision[];
}

export interface StorageRun {
	id: string;
	component: string;
	dataflow: string;
	state: RunState;
	started_at: string;
	ended_at: string | null;
	bytes: Num;
}

/** Database, disk, retention and pruning as of now, the rest as of `computed_at`; null where nothing was gathered yet. */
export interface Storage {
	database: { bytes: Num; used: Num; free: Num; log: Num };
	disk: { directory: string; free: Num; size: Num } | null;
	computed_at: string | null;
	took_ms: Num | null;
	computing: boolean;
	problem: string | null;
	kinds: { what: string; rows: Num; bytes: Num }[] | null;
	runs: { total: Num; measured: Num; top: StorageRun[]; oldest: { id: string; started_at: string } | null } | null;
	files: { count: Num; bytes: Num } | null;
	retention: { keep_runs_ms: Num | null };
	pruning: { began_at: string; dry_run: boolean; runs: Num; refused: Num } | null;
}

export interface PruneRequest {
	older_than?: string;
	keep?: number;
	states?: string[];
	dry_run: boolean;
}

/** `bytes` and `items` are absent from the answer to a round that goes on. */
export interface PruneAnswer {
	dry_run: boolean;
	runs: Num;
	refused: Num;
	bytes?: Num;
	items?: { id: string; bytes: Num | null; refusal: string | null }[];
}
