// SPDX-License-Identifier: Apache-2.0
/* The right side: what the component's display function gave. Chart and Table are equal views of the same numbers. */
import { ChartLine, Download, Table2 } from 'lucide-react';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Radio, RadioGroup } from 'react-aria-components/RadioGroup';
import type { View, ViewValue } from '../../api/types';
import { Loading } from '../../components/notes';
import { useLanguage, useT } from '../../i18n';
import { drawChart } from '../../lib/chart';
import { download, toCsv } from '../../lib/csv';
import { plain } from '../../lib/json';
import { heading, tableOf } from '../../lib/table';
import { DataTable } from './table';

const ChartCard = lazy(() => import('./chart'));

function Values({ values }: { values: ViewValue[] }) {
	const t = useT();
	return (
		<dl className="card values" aria-label={t('result.values')}>
			{values.map((v, i) => (
				// biome-ignore lint/suspicious/noArrayIndexKey: the list is made anew with each result, and labels may repeat
				<div key={i}>
					<dt>{v.label}</dt>
					<dd>
						<span className="value">{plain(v.value) || '–'}</span>
						{v.unit && <span className="unit">{`\u202f${v.unit}`}</span>}
					</dd>
					{v.note && <dd className="value-note">{v.note}</dd>}
				</div>
			))}
		</dl>
	);
}

export function ResultPanel({ view, fileName }: { view: View; fileName: string }) {
	const t = useT();
	const { language } = useLanguage();
	const drawn = useMemo(() => drawChart(view.chart, language), [view, language]);
	const table = useMemo(() => tableOf(view), [view]);
	const [wanted, setWanted] = useState('chart');
	const shown = wanted === 'chart' && drawn ? 'chart' : 'table';
	const csv = () => {
		if (!table) return;
		const header = table.columns.map((c) =>
			heading(c.title || (c.name === 'time' ? t('result.time') : c.name), c.unit),
		);
		download(
			`${fileName}.csv`,
			toCsv(
				header,
				table.rows.map((row) => table.columns.map((c) => row[c.name])),
			),
		);
	};
	return (
		<>
			<div className="result-head">
				<div className="result-names">
					<h2>
						{view.title && <span className="result-title">{view.title} </span>}
						{view.subtitle && <span className="result-subtitle">{view.subtitle}</span>}
						{!view.title && !view.subtitle && t('result.label')}
					</h2>
					{view.caption && <p className="result-caption">{view.caption}</p>}
				</div>
				{table && (
					<div className="toolbar">
						{drawn && (
							<RadioGroup aria-label={t('result.view')} value={shown} onChange={setWanted} orientation="horizontal">
								<div className="segments" data-kind="tool">
									<Radio value="chart" className="segment">
										<ChartLine size={14} aria-hidden="true" />
										{t('result.chart')}
									</Radio>
									<Radio value="table" className="segment">
										<Table2 size={14} aria-hidden="true" />
										{t('result.table')}
									</Radio>
								</div>
							</RadioGroup>
						)}
						<Button className="button" data-kind="tool" aria-label={t('result.csvLabel')} onPress={csv}>
							<Download size={14} aria-hidden="true" />
							{t('result.csv')}
						</Button>
					</div>
				)}
			</div>
			{view.message && <p className="card result-message">{view.message}</p>}
			{view.values && view.values.length > 0 && <Values values={view.values} />}
			{shown === 'chart' && drawn && (
				<Suspense
					fallback={
						<div className="card chart-waiting">
							<Loading />
						</div>
					}
				>
					<ChartCard drawn={drawn} />
				</Suspense>
			)}
			{shown === 'table' && table && (
				<div className="card table-card">
					<DataTable columns={table.columns} rows={table.rows} label={view.title ?? t('result.table')} />
				</div>
			)}
		</>
	);
}
