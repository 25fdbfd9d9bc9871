// SPDX-License-Identifier: Apache-2.0
/* Files by name and size, each a link that saves it. */
import { Download } from 'lucide-react';
import { useT } from '../i18n';
import { fileHref, type StoredFile } from '../lib/files';

export function FileLinks({ files }: { files: readonly StoredFile[] }) {
	const t = useT();
	return (
		<ul className="file-links">
			{files.map((f) => (
				<li key={`${f.file} ${f.name}`}>
					<a href={fileHref(f)} download={f.name}>
						<Download size={14} aria-hidden="true" />
						<span>{f.name}</span>
					</a>
					{f.bytes && <span className="muted num">{t('call.bytes', { size: t.number(Number(f.bytes)) })}</span>}
				</li>
			))}
		</ul>
	);
}
