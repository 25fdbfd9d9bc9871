// SPDX-License-Identifier: Apache-2.0
/* A table of data that scrolls by itself on narrow screens; the box takes the keyboard so that it can be scrolled. */
import type { ReactNode } from 'react';
import type { Column } from '../../api/types';
import { useLanguage, useT } from '../../i18n';
import type { Json } from '../../lib/json';
import { cellText, heading, isNumeric } from '../../lib/table';
import { fromName } from '../../lib/text';

export function ScrollBox({ label, children }: { label: string; children: ReactNode }) {
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keys (axe: scrollable-region-focusable)
		<div className="scroll-box" role="group" aria-label={label} tabIndex={0}>
			{children}
		</div>
	);
}

export function DataTable(props: {
	columns: Column[];
	rows: { [name: string]: Json }[];
	label: string;
	keys?: string[];
	titles?: (string | undefined)[];
	/** A last column: what leads on from each row. */
	more?: { title: string; cells: ReactNode[] };
}) {
	const t = useT();
	const { language } = useLanguage();
	return (
		<ScrollBox label={props.label}>
			<table className="data">
				<thead>
					<tr>
						{props.columns.map((c) => (
							<th key={c.name} scope="col" data-numeric={isNumeric(c) || undefined}>
								{heading(c.title || (c.name === 'time' ? t('result.time') : fromName(c.name)), c.unit)}
							</th>
						))}
						{props.more && <th scope="col">{props.more.title}</th>}
					</tr>
				</thead>
				<tbody>
					{props.rows.map((row, i) => (
						<tr key={props.keys?.[i] ?? i}>
							{props.columns.map((c, k) => {
								const text = cellText(row[c.name], c.type, language);
								const isNumber = isNumeric(c) || undefined;
								return k === 0 ? (
									<th key={c.name} scope="row" data-numeric={isNumber}>
										{text}
									</th>
								) : (
									<td key={c.name} data-numeric={isNumber} data-dim={c.type === 'datetime' || undefined}>
										{text}
									</td>
								);
							})}
							{props.more && <td>{props.more.cells[i]}</td>}
						</tr>
					))}
				</tbody>
			</table>
		</ScrollBox>
	);
}
