// SPDX-License-Identifier: Apache-2.0
/* Shows JSON as it was written: white space is ours, everything else is the source's. Long texts open in parts. */
import { Check, Copy } from 'lucide-react';
import { memo, useMemo, useState } from 'react';
import { useT } from '../i18n';
import { pretty, prettyText } from '../lib/pretty';

const firstLines = 300;

export const JsonView = memo(function JsonView({ text, label }: { text: string; label: string }) {
	const t = useT();
	const [isWhole, setWhole] = useState(false);
	const [isCopied, setCopied] = useState(false);
	const parsed = useMemo(() => pretty(text), [text]);
	const plainLines = useMemo(() => (parsed ? null : text.split('\n')), [parsed, text]);
	const count = parsed?.lines.length ?? plainLines?.length ?? 0;
	const shown = isWhole ? count : Math.min(count, firstLines);
	const copy = async () => {
		await navigator.clipboard.writeText(prettyText(text));
		setCopied(true);
		setTimeout(() => setCopied(false), 1500);
	};
	return (
		<div className="json">
			{/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keys */}
			<pre role="group" aria-label={t('json.label', { name: label })} tabIndex={0}>
				{parsed
					? parsed.lines.slice(0, shown).map((line, i) => (
							// biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
							<div key={i} style={{ paddingInlineStart: `${line.depth * 2 + 2}ch` }}>
								{line.tokens.map((token, k) => (
									// biome-ignore lint/suspicious/noArrayIndexKey: nor have tokens
									<span key={k} data-kind={token.kind === 'mark' ? undefined : token.kind}>
										{token.text}
									</span>
								))}
							</div>
						))
					: plainLines?.slice(0, shown).map((line, i) => (
							// biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
							<div key={i}>{line || ' '}</div>
						))}
				{parsed && !parsed.complete && <div>…</div>}
			</pre>
			{/* The clipboard is there only on https and on this machine itself. */}
			{navigator.clipboard && (
				<button type="button" className="button json-copy" data-kind="tool" onClick={copy}>
					{isCopied ? <Check size={13} aria-hidden="true" /> : <Copy size={13} aria-hidden="true" />}
					{t(isCopied ? 'json.copied' : 'json.copy')}
					<span className="hidden-visually">{label}</span>
				</button>
			)}
			{count > shown && (
				<button type="button" className="button" data-kind="link" onClick={() => setWhole(true)}>
					{t('json.all', { count: t.number(count) })}
				</button>
			)}
		</div>
	);
});
