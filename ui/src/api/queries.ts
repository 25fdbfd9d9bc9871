// SPDX-License-Identifier: Apache-2.0
import { keepPreviousData, type QueryClient, useIsMutating, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Num } from '../lib/json';
import { ask, path, upload } from './client';
import type {
	ComponentSummary,
	Decision,
	Entry,
	Form,
	Item,
	ItemRow,
	Page,
	PruneAnswer,
	PruneRequest,
	Run,
	Storage,
	Submission,
} from './types';

const rawItem: ReadonlySet<string> = new Set(['input', 'output', 'item']);
const rawInput: ReadonlySet<string> = new Set(['input']);
/* Polling until the server streams events; 2 s is what the eye accepts as live. */
const liveMs = 2000;

export const useComponents = () =>
	useQuery({
		queryKey: ['components'],
		queryFn: async ({ signal }) => (await ask<Page<ComponentSummary>>('/components?limit=200', { signal })).body,
		staleTime: 60_000,
	});

export const useForm = (component: string, form: string | undefined) =>
	useQuery({
		queryKey: ['form', component, form],
		enabled: form !== undefined,
		queryFn: async ({ signal }) =>
			(await ask<Form>(`/components${path(component)}/forms${path(form ?? '')}`, { signal })).body,
		staleTime: 60_000,
	});

export const useEntries = (component: string, limit: number, after: string | null, enabled = true) =>
	useQuery({
		queryKey: ['entries', component, limit, after],
		enabled,
		queryFn: async ({ signal }) =>
			(
				await ask<Page<Entry>>(
					`/components${path(component)}/entries?limit=${limit}${after ? `&after=${encodeURIComponent(after)}` : ''}`,
					{ signal },
				)
			).body,
		placeholderData: keepPreviousData,
	});

export function useSubmit(component: string, form: string) {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async (body: { data: Record<string, unknown>; language: string }) =>
			await ask<Submission>(`/components${path(component)}/forms${path(form)}/submissions`, { method: 'POST', body }),
		onSettled: () => client.invalidateQueries({ queryKey: ['entries', component] }),
	});
}

const uploadKey = ['upload'];
export const useUpload = () => useMutation({ mutationKey: uploadKey, mutationFn: upload });
/** Some file of this page is still on its way. */
export const useIsUploading = () => useIsMutating({ mutationKey: uploadKey }) > 0;

export const useRuns = (after: string | null) =>
	useQuery({
		queryKey: ['runs', after],
		queryFn: async ({ signal }) =>
			(await ask<Page<Run>>(`/runs?limit=50${after ? `&after=${encodeURIComponent(after)}` : ''}`, { signal })).body,
		placeholderData: keepPreviousData,
		refetchInterval: (query) => (query.state.data?.items.some((r) => r.state === 'running') ? liveMs : false),
	});

export const useRun = (id: string, enabled = true) =>
	useQuery({
		queryKey: ['run', id],
		enabled,
		queryFn: async ({ signal }) => (await ask<Run>(`/runs${path(id)}`, { signal })).body,
		refetchInterval: (query) => (query.state.data?.state === 'running' ? liveMs : false),
	});

export const useItems = (id: string, state: string, after: string | null, isLive: boolean) =>
	useQuery({
		queryKey: ['items', id, state, after],
		queryFn: async ({ signal }) =>
			(
				await ask<Page<ItemRow>>(
					`/runs${path(id)}/items?state=${encodeURIComponent(state)}&limit=50${after ? `&after=${encodeURIComponent(after)}` : ''}`,
					{ signal, raw: rawInput },
				)
			).body,
		placeholderData: keepPreviousData,
		refetchInterval: isLive ? liveMs : false,
	});

export const useItem = (id: string, seq: string | null, isLive: boolean) =>
	useQuery({
		queryKey: ['item', id, seq],
		enabled: seq !== null,
		queryFn: async ({ signal }) =>
			(await ask<Item>(`/runs${path(id)}/items${path(seq ?? '')}`, { signal, raw: rawItem })).body,
		refetchInterval: isLive ? liveMs : false,
	});

const refreshRun = (client: QueryClient, id: string) => {
	for (const key of ['run', 'items', 'item']) void client.invalidateQueries({ queryKey: [key, id] });
};

export function useResume(id: string) {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async () => await ask(`/runs${path(id)}/resume`, { method: 'POST' }),
		onSettled: () => refreshRun(client, id),
	});
}

/** The failed items again, and only those. */
export function useRetry(id: string) {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async () => await ask(`/runs${path(id)}/retry`, { method: 'POST' }),
		onSettled: () => refreshRun(client, id),
	});
}

export interface DecisionRequest {
	decision: Decision['decision'];
	items: 'all' | number[];
	note?: string;
	result?: unknown;
}

/** What a person says about items whose outcome nobody knows; the run then goes on. */
export function useDecide(id: string) {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async (body: DecisionRequest) =>
			await ask<{ decided: Num; left: Num }>(`/runs${path(id)}/decisions?resume=1`, { method: 'POST', body }),
		onSettled: () => refreshRun(client, id),
	});
}

export interface RerunRequest {
	from: string;
	items: 'all' | number[];
}

/** A step and all behind it again. */
export function useRerun(id: string) {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async (body: RerunRequest) =>
			await ask<{ from: string; dropped: Num; resumed: boolean; not_resumed?: string }>(`/runs${path(id)}/rerun`, {
				method: 'POST',
				body,
			}),
		onSettled: () => refreshRun(client, id),
	});
}

const storageKey = ['storage'];
/* While sums are gathered or runs go; an answer costs the server next to nothing. */
const measureMs = 700;
const askStorage = async (isFresh: boolean, signal?: AbortSignal) =>
	(await ask<Storage>(`/storage${isFresh ? '?fresh=1' : ''}`, { signal })).body;

export const useStorage = () =>
	useQuery({
		queryKey: storageKey,
		queryFn: ({ signal }) => askStorage(false, signal),
		refetchInterval: ({ state }) => (state.data?.computing || state.data?.pruning ? measureMs : false),
	});

/** The sums anew: begins it, and the query above follows. */
export function useMeasure() {
	const client = useQueryClient();
	return useMutation({
		mutationFn: () => askStorage(true),
		onSuccess: (body) => client.setQueryData(storageKey, body),
	});
}

export function useDeleteRun() {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async (id: string) => await ask(`/runs${path(id)}`, { method: 'DELETE' }),
		onSuccess: (_, id) => {
			client.removeQueries({ queryKey: ['run', id] });
			void client.invalidateQueries({ queryKey: ['runs'] });
		},
	});
}

export function usePrune() {
	const client = useQueryClient();
	return useMutation({
		mutationFn: async (body: PruneRequest) => await ask<PruneAnswer>('/storage/prune', { method: 'POST', body }),
		onSuccess: ({ body }) => body.dry_run || void client.invalidateQueries({ queryKey: ['runs'] }),
	});
}
