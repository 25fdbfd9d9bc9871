// SPDX-License-Identifier: Apache-2.0
/*
 * Panels over one time axis. uPlot draws lines, bars and scales; words (axis labels, the focused point's values) are
 * HTML, so they follow the theme, the zoom and the reader. Lazy: the canvas code comes with the first chart.
 */
import 'uplot/dist/uPlot.min.css';
import {
	type KeyboardEvent,
	type PointerEvent,
	useCallback,
	useEffect,
	useLayoutEffect,
	useRef,
	useState,
} from 'react';
import uPlot from 'uplot';
import { useT } from '../../i18n';
import { type Drawn, type DrawnPanel, type DrawnSeries, extremes, labelStride, withUnit } from '../../lib/chart';
import { useIsDark } from '../../lib/theme';

const heights = { tall: 180, short: 46 };
const padTop = 10;
const padBottom = 8;

const colorOf = (s: DrawnSeries): string => {
	const fromPalette = `var(--chart-${s.place})`;
	return s.color ? `var(--chart-${s.color}, ${fromPalette})` : fromPalette;
};

/** A canvas knows neither var() nor light-dark(); a computed style does. */
function resolve(root: HTMLElement, color: string): string {
	const probe = document.createElement('span');
	probe.style.color = color;
	root.append(probe);
	const value = getComputedStyle(probe).color;
	probe.remove();
	return value;
}

function options(
	panel: DrawnPanel,
	drawn: Drawn,
	root: HTMLElement,
	width: number,
	axis: number,
	focus: () => number,
): uPlot.Options {
	const inset = drawn.xs.length > 1 ? drawn.step * (drawn.xs.length > 40 ? 0.5 : 0.25) : drawn.step;
	const first = drawn.xs[0] as number;
	const last = drawn.xs[drawn.xs.length - 1] as number;
	const line = resolve(root, 'var(--line)');
	const words = resolve(root, 'var(--text-3)');
	const ticks = panel.ticks;
	const bars = panel.series.filter((s) => s.isBar).length;
	const smooth = uPlot.paths.spline?.();
	const font = `12px ${getComputedStyle(root).fontFamily}`;
	const format = (v: number) => `${v}${/^°/.test(panel.unit) ? '°' : panel.unit === '%' ? '%' : ''}`;
	let bar = -1;
	return {
		width,
		height: (panel.isShort ? heights.short : heights.tall) + padTop + padBottom,
		padding: [padTop, 8, padBottom, 0],
		legend: { show: false },
		cursor: { show: false },
		select: { show: false } as never,
		scales: {
			x: { time: false, range: [first - inset, last + inset] },
			y: { range: [ticks[0] as number, ticks[ticks.length - 1] as number] },
		},
		axes: [
			{ show: false },
			{
				size: axis,
				gap: 8,
				font,
				stroke: words,
				splits: () => ticks,
				values: (_, splits) => splits.map(format),
				grid: { stroke: line, width: 1 },
				ticks: { show: false },
			},
		],
		bands: panel.band
			? [
					{
						series: [panel.band[0] + 1, panel.band[1] + 1],
						fill: alpha(resolve(root, colorOf(panel.series[panel.band[0]] as DrawnSeries)), 0.11),
					},
				]
			: [],
		series: [
			{},
			...panel.series.map((s): uPlot.Series => {
				const color = resolve(root, colorOf(s));
				if (!s.isBar)
					return {
						stroke: color,
						width: 2,
						points: { show: s.numbers.length === 1, size: 7, fill: color },
						paths: smooth,
						spanGaps: false,
					};
				bar += 1;
				const align = bars > 1 ? (bar === 0 ? -1 : 1) : 0;
				return {
					stroke: 'transparent',
					width: 0,
					fill: alpha(color, 0.72),
					points: { show: false },
					paths: uPlot.paths.bars?.({ size: [bars > 1 ? 0.32 : 0.36, 36], radius: 0.06, align: align as -1 | 0 | 1 }),
				};
			}),
		],
		hooks: {
			draw: [
				(u) => {
					const i = focus();
					const x = u.valToPos(drawn.xs[i] as number, 'x', true);
					panel.series.forEach((s) => {
						const n = s.numbers[i];
						if (n === null || n === undefined) return;
						const y = u.valToPos(n, 'y', true);
						const color = resolve(root, colorOf(s));
						const ctx = u.ctx;
						ctx.save();
						ctx.fillStyle = color;
						if (s.isBar && bars === 1) {
							const zero = u.valToPos(Math.max(0, ticks[0] as number), 'y', true);
							const unit = u.bbox.width / ((last - first + 2 * inset) / drawn.step);
							const w = Math.min(unit * 0.36, 36 * devicePixelRatio);
							ctx.beginPath();
							ctx.roundRect(
								x - w / 2,
								Math.min(y, zero),
								w,
								Math.abs(zero - y),
								y < zero ? [2 * devicePixelRatio, 2 * devicePixelRatio, 0, 0] : 0,
							);
							ctx.fill();
						} else if (!s.isBar) {
							ctx.beginPath();
							ctx.arc(x, y, 4 * devicePixelRatio, 0, 2 * Math.PI);
							ctx.lineWidth = 4 * devicePixelRatio;
							ctx.strokeStyle = resolve(root, 'var(--surface)');
							ctx.stroke();
							ctx.fill();
						}
						ctx.restore();
					});
				},
			],
		},
	};
}

function alpha(color: string, part: number): string {
	return color.startsWith('rgb(')
		? color.replace('rgb(', 'rgba(').replace(')', `, ${part})`)
		: color.replace(')', ` / ${part})`);
}

function useWidth(ref: React.RefObject<HTMLElement | null>): number {
	const [width, set] = useState(0);
	useLayoutEffect(() => {
		const el = ref.current;
		if (!el) return;
		const observer = new ResizeObserver(() => set(Math.floor(el.clientWidth)));
		observer.observe(el);
		set(Math.floor(el.clientWidth));
		return () => observer.disconnect();
	}, [ref]);
	return width;
}

export default function ChartCard({ drawn }: { drawn: Drawn }) {
	const t = useT();
	const isDark = useIsDark();
	const root = useRef<HTMLDivElement>(null);
	const plots = useRef<uPlot[]>([]);
	const width = useWidth(root);
	const last = drawn.xs.length - 1;
	const [focus, setFocus] = useState(last);
	const focusNow = useRef(focus);
	const at = Math.min(focus, last);
	focusNow.current = at;

	/* All panels leave the same room at the left, or their points would not stand above each other. */
	const longest = Math.max(...drawn.panels.flatMap((p) => p.ticks.map((n) => `${n}`.length)));
	const axis = Math.max(34, longest * 8 + 16);
	const inset = drawn.xs.length > 1 ? drawn.step * (drawn.xs.length > 40 ? 0.5 : 0.25) : drawn.step;
	const span = (drawn.xs[last] as number) - (drawn.xs[0] as number) + 2 * inset;
	const plotWidth = Math.max(0, width - axis - 8);
	const left = useCallback(
		(i: number) => axis + (((drawn.xs[i] as number) - (drawn.xs[0] as number) + inset) / span) * plotWidth,
		[drawn, axis, inset, span, plotWidth],
	);

	// biome-ignore lint/correctness/useExhaustiveDependencies: isDark is what the colours depend on
	useEffect(() => {
		const el = root.current;
		if (!el || width === 0) return;
		const places = el.querySelectorAll<HTMLElement>('.plot');
		const make = () => {
			for (const p of plots.current) p.destroy();
			plots.current = drawn.panels.map((panel, i) => {
				const data = [drawn.xs, ...panel.series.map((s) => s.numbers)] as uPlot.AlignedData;
				return new uPlot(
					options(panel, drawn, el, width, axis, () => focusNow.current),
					data,
					places[i] as HTMLElement,
				);
			});
		};
		make();
		let isGone = false;
		/* Text measured before the font came would keep the fallback's look. */
		if (document.fonts.status !== 'loaded') document.fonts.ready.then(() => !isGone && make());
		return () => {
			isGone = true;
			for (const p of plots.current) p.destroy();
			plots.current = [];
		};
	}, [drawn, width, axis, isDark]);

	// biome-ignore lint/correctness/useExhaustiveDependencies: the focused point moved, so draw again
	useEffect(() => {
		for (const p of plots.current) p.redraw(false, false);
	}, [at]);

	const onKey = (e: KeyboardEvent) => {
		const page = Math.max(1, Math.round(drawn.xs.length / 10));
		const moves: Record<string, number> = {
			ArrowRight: at + 1,
			ArrowUp: at + 1,
			ArrowLeft: at - 1,
			ArrowDown: at - 1,
			PageUp: at + page,
			PageDown: at - page,
			Home: 0,
			End: last,
		};
		const to = moves[e.key];
		if (to === undefined) return;
		e.preventDefault();
		setFocus(Math.max(0, Math.min(last, to)));
	};
	const onPointer = (e: PointerEvent<HTMLElement>) => {
		const x = e.clientX - e.currentTarget.getBoundingClientRect().left;
		let best = 0;
		for (let i = 1; i <= last; i++) if (Math.abs(left(i) - x) < Math.abs(left(best) - x)) best = i;
		setFocus(best);
	};

	const series = drawn.panels.flatMap((p) => p.series);
	const point = (s: DrawnSeries) => withUnit(s.texts[at] ?? '', s.unit);
	const stride = labelStride(drawn.xs.length, plotWidth, 58);
	const title = (p: DrawnPanel) => (p.unit ? `${p.title}, ${p.unit}` : p.title);
	const ranges = series.map((s) => ({ name: s.label, ...extremes(s) })).filter((r) => r.low !== undefined);
	const name = t('result.chartName', {
		panels: drawn.panels.map((p) => p.title).join(', '),
		count: drawn.xs.length,
		from: drawn.longLabels[0] ?? '',
		to: drawn.longLabels[last] ?? '',
		ranges: ranges.map((r) => t('result.chartRange', { name: r.name, low: r.low ?? '', high: r.high ?? '' })).join(' '),
	});
	return (
		<figure className="card chart">
			<figcaption className="chart-head">
				<span className="panel-title">{title(drawn.panels[0] as DrawnPanel)}</span>
				{/* The slider says the same to a screen reader. */}
				<span className="readout" aria-hidden="true">
					<b>{drawn.longLabels[at]}</b>
					{series.map((s, i) => (
						// biome-ignore lint/suspicious/noArrayIndexKey: series keep their order and may share a name
						<span key={i}>
							<i style={{ background: colorOf(s) }} />
							{s.label} <b>{point(s)}</b>
						</span>
					))}
				</span>
			</figcaption>
			<p className="hidden-visually" id="chart-help">
				{t('result.chartHelp')}
			</p>
			<div
				className="panels"
				ref={root}
				role="slider"
				tabIndex={0}
				aria-label={name}
				aria-describedby="chart-help"
				aria-valuemin={1}
				aria-valuemax={drawn.xs.length}
				aria-valuenow={at + 1}
				aria-valuetext={`${drawn.longLabels[at]}: ${series.map((s) => t('result.pointValue', { name: s.label, value: point(s) })).join(', ')}`}
				onKeyDown={onKey}
				onPointerMove={onPointer}
				onPointerDown={onPointer}
			>
				{drawn.panels.map((p, i) => (
					// biome-ignore lint/suspicious/noArrayIndexKey: panels keep their order and may share a title
					<div key={i} className="panel">
						{i > 0 && (
							<span className="panel-title small" style={{ marginInlineStart: axis }}>
								{title(p)}
							</span>
						)}
						<div className="plot" style={{ height: (p.isShort ? heights.short : heights.tall) + padTop + padBottom }} />
					</div>
				))}
				{width > 0 && <span className="cursor" style={{ left: left(at) }} />}
				<div className="times">
					{width > 0 &&
						drawn.labels.map((label, i) =>
							/* The focused label wins over its neighbours when there is no room for all. */
							i === at || (i % stride === 0 && (stride === 1 || Math.abs(left(i) - left(at)) > 58)) ? (
								<span key={drawn.xs[i]} data-focus={i === at || undefined} style={{ left: left(i) }}>
									{label}
								</span>
							) : null,
						)}
				</div>
			</div>
		</figure>
	);
}
