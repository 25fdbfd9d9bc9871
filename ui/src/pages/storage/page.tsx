// SPDX-License-Identifier: Apache-2.0
/* What takes space on the server's disk, the runs that take most, and which may go. */
import '../../styles/storage.css';
import { LoaderCircle, RefreshCw, Trash2 } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useDeleteRun, useMeasure, useStorage } from '../../api/queries';
import type { Storage, StorageRun } from '../../api/types';
import { BusyButton } from '../../components/busy';
import { Dialog } from '../../components/dialog';
import { Guard, Loading, Note, ProblemNote } from '../../components/notes';
import { State } from '../../components/state';
import { type MessageId, MoreMessages, useLanguage, useT } from '../../i18n';
import en from '../../i18n/storage/en.json';
import fr from '../../i18n/storage/fr.json';
import { announce } from '../../lib/announce';
import type { Num } from '../../lib/json';
import { share, sizeText } from '../../lib/size';
import { exactDateTime, shortDateTime } from '../../lib/time';
import { ScrollBox } from '../form/table';
import { dataflowName, RunsFrame } from '../runs/frame';
import { Prune } from './prune';

const kindNames: Record<string, MessageId> = {
	requests: 'storage.kind.requests',
	answers: 'storage.kind.answers',
	'lines of entries': 'storage.kind.lines',
	problems: 'storage.kind.problems',
	outputs: 'storage.kind.outputs',
	'items made': 'storage.kind.made',
	decisions: 'storage.kind.decisions',
	plans: 'storage.kind.plans',
	doubts: 'storage.kind.doubts',
	input: 'storage.kind.input',
	entries: 'storage.kind.entries',
	components: 'storage.kind.components',
	dictionaries: 'storage.kind.dictionaries',
	files: 'storage.kind.files',
};

export function useSize() {
	const { language } = useLanguage();
	return (bytes: Num | number): string => sizeText(Number(bytes), language);
}

/** The share as a bar and as a figure: neither alone would do for every eye. */
function Share({ part, whole }: { part: number; whole: number }) {
	const t = useT();
	const of = share(part, whole);
	return (
		<span className="share">
			<span className="share-bar" aria-hidden="true">
				<span style={{ inlineSize: `${of * 100}%` }} />
			</span>
			<span className="num">
				{t.number(of, { style: 'percent', maximumFractionDigits: of > 0 && of < 0.1 ? 1 : 0 })}
			</span>
		</span>
	);
}

function Fact(props: { name: string; value: string; notes: (string | false | null)[] }) {
	return (
		<div>
			<dt>{props.name}</dt>
			<dd className="value">{props.value}</dd>
			{props.notes.map((note) => note && <dd key={note} className="value-note">{note}</dd>)}
		</div>
	);
}

function Summary({ storage }: { storage: Storage }) {
	const t = useT();
	const { language } = useLanguage();
	const size = useSize();
	const { database, disk, files, runs } = storage;
	return (
		<dl className="card values" aria-label={t('storage.summary')}>
			<Fact
				name={t('storage.database')}
				value={size(database.bytes)}
				notes={[
					t('storage.free', { size: size(database.free) }),
					Number(database.log) > 0 && t('storage.log', { size: size(database.log) }),
				]}
			/>
			<Fact
				name={t('storage.runs')}
				value={runs ? t.number(Number(runs.total)) : '–'}
				notes={[runs?.oldest ? t('storage.oldest', { time: shortDateTime(runs.oldest.started_at, language) }) : null]}
			/>
			<Fact
				name={t('storage.files')}
				value={files ? size(files.bytes) : '–'}
				notes={[files && t('storage.fileCount', { count: Number(files.count) })]}
			/>
			<Fact
				name={t('storage.disk')}
				value={disk ? size(disk.free) : '–'}
				notes={[
					disk
						? t('storage.diskOf', { size: size(disk.size), directory: disk.directory })
						: t('storage.inMemory'),
				]}
			/>
		</dl>
	);
}

function Section(props: { id: string; title: string; children: ReactNode }) {
	return (
		<section className="card section" aria-labelledby={props.id}>
			<h2 id={props.id}>{props.title}</h2>
			{props.children}
		</section>
	);
}

function Kinds({ storage }: { storage: Storage }) {
	const t = useT();
	const size = useSize();
	const { files } = storage;
	const rows = [
		...(storage.kinds ?? []).map((k) => ({ what: k.what, rows: Number(k.rows), bytes: Number(k.bytes) })),
		...(files && Number(files.count) > 0
			? [{ what: 'files', rows: Number(files.count), bytes: Number(files.bytes) }]
			: []),
	]
		.filter((k) => k.rows > 0)
		.sort((a, b) => b.bytes - a.bytes);
	const whole = rows.reduce((sum, k) => sum + k.bytes, 0);
	return (
		<Section id="kinds-title" title={t('storage.kinds')}>
			{storage.kinds === null && <p className="muted">{t('storage.kindsNone')}</p>}
			{rows.length > 0 && (
				<ScrollBox label={t('storage.kinds')}>
					<table className="data storage">
						<thead>
							<tr>
								<th scope="col">{t('storage.what')}</th>
								<th scope="col" data-numeric>
									{t('storage.size')}
								</th>
								<th scope="col">{t('storage.share')}</th>
								<th scope="col" data-numeric>
									{t('storage.rows')}
								</th>
							</tr>
						</thead>
						<tbody>
							{rows.map((k) => {
								const name = kindNames[k.what];
								return (
									<tr key={k.what}>
										<th scope="row">{name ? t(name) : k.what}</th>
										<td data-numeric>{size(k.bytes)}</td>
										<td>
											<Share part={k.bytes} whole={whole} />
										</td>
										<td data-numeric data-dim>
											{t.number(k.rows)}
										</td>
									</tr>
								);
							})}
						</tbody>
					</table>
				</ScrollBox>
			)}
		</Section>
	);
}

function DeleteDialog({ run, close }: { run: StorageRun; close: (isDeleted: boolean) => void }) {
	const t = useT();
	const size = useSize();
	const remove = useDeleteRun();
	const send = () =>
		remove.mutate(run.id, {
			onSuccess: () => {
				announce(t('storage.deleted', { id: run.id }));
				close(true);
			},
		});
	return (
		<Dialog
			title={t('storage.deleteTitle', { id: run.id })}
			cancel={t('storage.cancel')}
			action={t('storage.delete')}
			isBusy={remove.isPending}
			send={send}
			close={() => close(false)}
		>
			<p>{t('storage.deleteEffect', { size: size(run.bytes) })}</p>
			{['interrupted', 'needs attention'].includes(run.state) && (
				<Note tone="warn" title={t('storage.deleteUnfinished')} />
			)}
			{remove.error && <ProblemNote error={remove.error} />}
		</Dialog>
	);
}

function TopRuns({ storage, measure }: { storage: Storage; measure: () => void }) {
	const t = useT();
	const { language } = useLanguage();
	const size = useSize();
	const [chosen, choose] = useState<StorageRun | null>(null);
	const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
	const { runs } = storage;
	if (!runs) return null;
	const top = runs.top.filter((r) => !gone.has(r.id));
	const most = Number(top[0]?.bytes ?? 0);
	return (
		<Section id="top-title" title={t('storage.top')}>
			{top.length === 0 && <p className="muted">{t('storage.topNone')}</p>}
			{Number(runs.measured) < Number(runs.total) && (
				<p className="muted">
					{t('storage.measured', { total: t.number(Number(runs.total)), measured: t.number(Number(runs.measured)) })}
				</p>
			)}
			{top.length > 0 && (
				<ScrollBox label={t('storage.top')}>
					<table className="data storage">
						<thead>
							<tr>
								<th scope="col" data-numeric>
									{t('run.id')}
								</th>
								<th scope="col">{t('storage.size')}</th>
								<th scope="col">{t('run.state')}</th>
								<th scope="col">{t('run.dataflow')}</th>
								<th scope="col">{t('run.ended')}</th>
								<th scope="col">
									<span className="hidden-visually">{t('storage.delete')}</span>
								</th>
							</tr>
						</thead>
						<tbody>
							{top.map((r) => (
								<tr key={r.id}>
									<th scope="row" data-numeric>
										<Link href={`/runs/${encodeURIComponent(r.id)}`}>{r.id}</Link>
									</th>
									<td>
										<span className="share">
											<span className="share-bar" aria-hidden="true">
												<span style={{ inlineSize: `${share(Number(r.bytes), most) * 100}%` }} />
											</span>
											<span className="num">{size(r.bytes)}</span>
										</span>
									</td>
									<td>
										<State state={r.state} />
									</td>
									<td>{dataflowName(r)}</td>
									<td data-dim>
										{r.ended_at ? (
											<time dateTime={r.ended_at} title={exactDateTime(r.ended_at, language)}>
												{shortDateTime(r.ended_at, language)}
											</time>
										) : (
											t('run.notEnded')
										)}
									</td>
									<td>
										<button
											type="button"
											className="button"
											data-kind="tool"
											disabled={r.state === 'running'}
											title={r.state === 'running' ? t('storage.deleteRunning') : undefined}
											aria-label={t('storage.deleteRun', { id: r.id })}
											onClick={() => choose(r)}
										>
											<Trash2 size={14} aria-hidden="true" />
											{t('storage.delete')}
										</button>
									</td>
								</tr>
							))}
						</tbody>
					</table>
				</ScrollBox>
			)}
			{chosen && (
				<DeleteDialog
					run={chosen}
					close={(isDeleted) => {
						choose(null);
						if (!isDeleted) return;
						setGone(new Set([...gone, chosen.id]));
						measure();
					}}
				/>
			)}
		</Section>
	);
}

/** When the sums are from, and a way to newer ones. */
function Measured({ storage, measure, isBusy }: { storage: Storage; measure: () => void; isBusy: boolean }) {
	const t = useT();
	const { language } = useLanguage();
	return (
		<div className="measured">
			<p className="muted live" role="status">
				{storage.computing ? (
					<>
						<LoaderCircle className="spin" size={14} aria-hidden="true" />
						<span>{t('storage.computing')}</span>
					</>
				) : (
					storage.computed_at && (
						<span>{t('storage.computed', { time: exactDateTime(storage.computed_at, language) })}</span>
					)
				)}
			</p>
			<BusyButton className="button" isBusy={isBusy || storage.computing} onPress={measure}>
				<RefreshCw size={14} aria-hidden="true" />
				{t('storage.again')}
			</BusyButton>
		</div>
	);
}

function Page() {
	const t = useT();
	const storage = useStorage();
	const measuring = useMeasure();
	useEffect(() => {
		document.title = `${t('storage.title')} · Weir`;
	}, [t]);
	const data = storage.data;
	const measure = () => measuring.mutate();
	const isEmpty =
		data?.runs != null && Number(data.runs.total) === 0 && !data.kinds?.some((k) => k.what === 'entries' && Number(k.rows) > 0);
	return (
		<RunsFrame>
			<div className="page-head">
				<div>
					<h1>{t('storage.title')}</h1>
					<p className="lead">{t('storage.lead')}</p>
				</div>
				{data && data.computed_at !== null && <Measured storage={data} measure={measure} isBusy={measuring.isPending} />}
			</div>
			{storage.isPending && <Loading />}
			{storage.error && <ProblemNote error={storage.error} retry={() => void storage.refetch()} />}
			{measuring.error && <ProblemNote error={measuring.error} retry={measure} />}
			{data && (
				<Guard>
					{data.problem && (
						<Note tone="warn" title={t('storage.broke')}>
							<p>{data.problem}</p>
						</Note>
					)}
					<Summary storage={data} />
					{data.computed_at === null && <Loading label={t('storage.computing')} />}
					{isEmpty && (
						<Note title={t('storage.none')}>
							<p>{t('storage.noneDetail')}</p>
						</Note>
					)}
					{data.computed_at !== null && !isEmpty && (
						<>
							<Kinds storage={data} />
							<TopRuns storage={data} measure={measure} />
						</>
					)}
					<Prune storage={data} measure={measure} />
				</Guard>
			)}
		</RunsFrame>
	);
}

const more = { en, fr };

export default function StoragePage() {
	return (
		<MoreMessages more={more}>
			<Page />
		</MoreMessages>
	);
}
