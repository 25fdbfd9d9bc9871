// SPDX-License-Identifier: Apache-2.0
/* The view's table; and a table made from the chart when the component gives none, since Chart and Table are equal. */
import type { Column, View } from '../api/types';
import { type Json, Num, plain } from './json';
import { dateCell } from './time';

export interface Table {
	columns: Column[];
	rows: { [name: string]: Json }[];
}

export function tableOf(view: View): Table | null {
	if (view.table?.columns?.length) return { columns: view.table.columns, rows: view.table.rows ?? [] };
	const chart = view.chart;
	if (!chart?.time?.length || !chart.panels?.length) return null;
	const columns: Column[] = [{ name: 'time', title: '', type: 'date' }];
	const rows: { [name: string]: Json }[] = chart.time.map((time) => ({ time }));
	chart.panels.forEach((panel, p) => {
		panel.series.forEach((series, s) => {
			const name = `${p}.${s}`;
			columns.push({ name, title: series.title ?? series.name, type: 'number', unit: panel.unit });
			series.values.forEach((value, i) => {
				const row = rows[i];
				if (row) row[name] = value;
			});
		});
	});
	return { columns, rows };
}

export const isNumeric = (column: { type?: string }): boolean => column.type === 'number' || column.type === 'integer';

/** "Max °C" */
export const heading = (title: string, unit: string | null | undefined): string => (unit ? `${title} ${unit}` : title);

/** What a person reads in a cell; CSV takes the value itself instead. */
export function cellText(value: Json | undefined, type: string | undefined, language: string): string {
	if (value === undefined || value === null) return '–';
	if (typeof value === 'string' && (type === 'date' || type === 'datetime')) return dateCell(value, language);
	if (value instanceof Num) return value.text;
	return plain(value) || '–';
}
