// SPDX-License-Identifier: Apache-2.0
/* The mock's components: one like the weather example, one that has a field of every type. */
import { Num } from './weather.mjs';

const field = (name, type, en, fr, more = {}) => ({
	name,
	type,
	title: { en, fr },
	required: false,
	primary_key: false,
	enum: null,
	min_length: null,
	max_length: null,
	minimum: null,
	maximum: null,
	help: {},
	...more,
});

export const forms = {
	'weather/weather': {
		component: 'weather',
		form: 'weather',
		title: { en: 'Forecast for a city', fr: 'Prévisions pour une ville' },
		description: {
			en: 'Choose a place and how far ahead to look. The result is saved for your team.',
			fr: 'Choisissez un lieu et le nombre de jours. Le résultat est enregistré pour votre équipe.',
		},
		app_title: { en: 'Weather desk', fr: 'Bureau météo' },
		submit_title: { en: 'Get forecast', fr: 'Obtenir les prévisions' },
		fields: [
			field('city', 'string', 'City', 'Ville', {
				required: true,
				primary_key: true,
				min_length: new Num(1),
				max_length: new Num(100),
			}),
		],
		entry_fields: [
			{ name: 'city', type: 'string', title: { en: 'City', fr: 'Ville' } },
			{ name: 'days', type: 'integer', title: { en: 'Days', fr: 'Jours' } },
			{ name: 'max', type: 'number', title: { en: 'Max', fr: 'Max' }, unit: '°C' },
			{ name: 'min', type: 'number', title: { en: 'Min', fr: 'Min' }, unit: '°C' },
			{ name: 'rain', type: 'number', title: { en: 'Rain', fr: 'Pluie' }, unit: 'mm' },
		],
		env: 'sample',
		submit: 'get_weather',
	},
	'inspection/report': {
		component: 'inspection',
		form: 'report',
		title: { en: 'Report an inspection', fr: 'Signaler une inspection' },
		description: {
			en: 'One field of every type that a model may have.',
			fr: 'Un champ de chaque type qu’un modèle peut avoir.',
		},
		app_title: { en: 'Inspections', fr: 'Inspections' },
		submit_title: { en: 'Send the report', fr: 'Envoyer le rapport' },
		fields: [
			field('site', 'string', 'Site', 'Site', {
				required: true,
				min_length: new Num(2),
				max_length: new Num(60),
				help: { en: 'The name on the gate.', fr: 'Le nom sur le portail.' },
			}),
			field('kind', 'catalog', 'Kind', 'Nature', { required: true, enum: ['first', 'yearly'], default: 'yearly' }),
			field('risk', 'catalog', 'Risk', 'Risque', {
				required: true,
				enum: [
					{ value: 'low', title: { en: 'Low', fr: 'Faible' } },
					{ value: 'middle', title: { en: 'Middle, look again within a year', fr: 'Moyen, à revoir dans l’année' } },
					{ value: 'high', title: { en: 'High', fr: 'Élevé' } },
					{ value: 'stop', title: { en: 'Stop the work', fr: 'Arrêter le travail' } },
				],
			}),
			field('people', 'integer', 'People present', 'Personnes présentes', {
				required: true,
				minimum: new Num(1),
				maximum: new Num(40),
				default: new Num(2),
			}),
			field('level', 'number', 'Noise level', 'Niveau de bruit', { minimum: new Num('0'), maximum: new Num('140.5') }),
			field('day', 'date', 'Day', 'Jour', { required: true }),
			field('from', 'time', 'From', 'À partir de'),
			field('next', 'datetime', 'Next visit', 'Prochaine visite'),
			field('page', 'uri', 'Web page', 'Page web'),
			field('faults', 'array', 'Faults', 'Défauts', { max_length: new Num(5) }),
			field('tools', 'array', 'Tools used', 'Outils utilisés', { enum: ['ladder', 'camera', 'meter'] }),
			field('photo', 'file', 'Photo', 'Photo'),
			field('remarks', 'string', 'Remarks', 'Remarques', { max_length: new Num(2000) }),
			field('urgent', 'boolean', 'Someone must call back', 'Quelqu’un doit rappeler'),
		],
		entry_fields: [
			{ name: 'site', type: 'string', title: { en: 'Site', fr: 'Site' } },
			{ name: 'risk', type: 'catalog', title: { en: 'Risk', fr: 'Risque' } },
			{ name: 'day', type: 'date', title: { en: 'Day', fr: 'Jour' } },
			{ name: 'level', type: 'number', title: { en: 'Noise', fr: 'Bruit' }, unit: 'dB' },
		],
		env: 'sample',
		submit: 'save_report',
	},
};

export const components = [
	{
		name: 'weather',
		title: { en: 'Weather desk', fr: 'Bureau météo' },
		version: '4f1d2c90a7be',
		dataflows: ['get_weather'],
		forms: ['weather'],
	},
	{
		name: 'inspection',
		title: { en: 'Inspections', fr: 'Inspections' },
		version: '09ab77e31c55',
		dataflows: ['save_report'],
		forms: ['report'],
	},
].map((c) => ({ ...c, imported_at: '2026-11-18T09:00:00Z' }));
