// SPDX-License-Identifier: Apache-2.0
/* Data of our own for the mock: invented weather, the same for the same city and day, with numbers kept as text. */

export class Num {
	constructor(text) {
		this.text = String(text);
	}
}

/** JSON with the text of Num left alone, as the server does it. */
export function write(value) {
	if (value instanceof Num) return value.text;
	if (Array.isArray(value)) return `[${value.map((v) => write(v ?? null)).join(',')}]`;
	if (value !== null && typeof value === 'object')
		return `{${Object.entries(value)
			.filter(([, v]) => v !== undefined)
			.map(([k, v]) => `${JSON.stringify(k)}:${write(v)}`)
			.join(',')}}`;
	return JSON.stringify(value ?? null);
}

const places = {
	paris: {
		name: 'Paris',
		region: 'Île-de-France, France',
		zone: 'Europe/Paris',
		lat: '48.8566',
		lon: '2.3522',
		base: 12,
	},
	lisboa: { name: 'Lisboa', region: 'Portugal', zone: 'Europe/Lisbon', lat: '38.7223', lon: '-9.1393', base: 18 },
	oslo: { name: 'Oslo', region: 'Norway', zone: 'Europe/Oslo', lat: '59.9139', lon: '10.7522', base: 1 },
	nairobi: { name: 'Nairobi', region: 'Kenya', zone: 'Africa/Nairobi', lat: '-1.2921', lon: '36.8219', base: 25 },
};

export const findPlace = (city) => places[city.trim().toLowerCase()] ?? null;

const waves = [-0.2, -1.1, -2.6, -3.3, -1.8, 0.6, 1.1, 0.2, -0.9];
const lows = [-5.4, -6.0, -8.0, -9.9, -7.6, -4.8, -4.0, -5.1, -6.2];
const rains = [2.1, 0, 0.3, 0, 5.6, 8.2, 1.4, 0, 0.4];

export function forecast(place, days) {
	const time = [];
	const max = [];
	const min = [];
	const rain = [];
	for (let i = 0; i < days; i++) {
		time.push(new Date(Date.UTC(2026, 10, 19 + i)).toISOString().slice(0, 10));
		max.push(new Num((place.base + waves[i % 9]).toFixed(1)));
		min.push(new Num((place.base + lows[i % 9]).toFixed(1)));
		rain.push(new Num(rains[i % 9].toFixed(1)));
	}
	return { time, max, min, rain };
}

const words = {
	en: {
		max: 'max',
		min: 'min',
		rain: 'rain',
		day: 'Day',
		warmest: 'Warmest',
		coldest: 'Coldest',
		total: 'Rain',
		dry: 'Dry days',
		temperature: 'Temperature',
		of: 'of',
		days: 'days',
		to: 'to',
	},
	fr: {
		max: 'max',
		min: 'min',
		rain: 'pluie',
		day: 'Jour',
		warmest: 'Le plus chaud',
		coldest: 'Le plus froid',
		total: 'Pluie',
		dry: 'Jours secs',
		temperature: 'Température',
		of: 'sur',
		days: 'jours',
		to: 'au',
	},
};

export function view(place, data, language) {
	const w = words[language] ?? words.en;
	const long = (day) =>
		new Intl.DateTimeFormat(language === 'fr' ? 'fr' : 'en-GB', { weekday: 'long', timeZone: 'UTC' }).format(
			Date.parse(day),
		);
	const date = (day) =>
		new Intl.DateTimeFormat(language === 'fr' ? 'fr' : 'en-GB', {
			day: 'numeric',
			month: 'long',
			year: 'numeric',
			timeZone: 'UTC',
		}).format(Date.parse(day));
	const n = (list) => list.map((v) => Number(v.text));
	const hot = n(data.max).indexOf(Math.max(...n(data.max)));
	const cold = n(data.min).indexOf(Math.min(...n(data.min)));
	const wet = n(data.rain).filter((r) => r > 0).length;
	const count = data.time.length;
	return {
		title: place.name,
		subtitle: place.region,
		caption: `${Number(data.time[0].slice(8))} ${w.to} ${date(data.time[count - 1])}, ${place.zone}`,
		values: [
			{ label: w.warmest, value: data.max[hot], unit: '°C', note: long(data.time[hot]) },
			{ label: w.coldest, value: data.min[cold], unit: '°C', note: long(data.time[cold]) },
			{
				label: w.total,
				value: new Num(
					n(data.rain)
						.reduce((a, b) => a + b, 0)
						.toFixed(1),
				),
				unit: 'mm',
				note: `${wet} ${w.of} ${count} ${w.days}`,
			},
			{ label: w.dry, value: new Num(count - wet), note: `${w.of} ${count}` },
		],
		chart: {
			time: data.time,
			panels: [
				{
					title: w.temperature,
					unit: '°C',
					series: [
						{ name: w.max, kind: 'line', color: 'max', values: data.max },
						{ name: w.min, kind: 'line', color: 'min', values: data.min },
					],
					band: [w.max, w.min],
				},
				{ title: w.total, unit: 'mm', series: [{ name: w.rain, kind: 'bar', color: 'rain', values: data.rain }] },
			],
		},
		table: {
			columns: [
				{ name: 'day', title: w.day, type: 'date' },
				{ name: 'max', title: 'Max', type: 'number', unit: '°C' },
				{ name: 'min', title: 'Min', type: 'number', unit: '°C' },
				{ name: 'rain', title: w.total, type: 'number', unit: 'mm' },
			],
			rows: data.time.map((day, i) => ({ day, max: data.max[i], min: data.min[i], rain: data.rain[i] })),
		},
		source: { text: 'Invented weather of the mock server, for trying the page only', url: 'https://example.org/' },
	};
}
