// SPDX-License-Identifier: Apache-2.0
/* One control per field type of the model. Label above, help below it, message last; all say the same to a screen reader. */
import { Check, CircleAlert, Minus, Plus, Upload, X } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Checkbox } from 'react-aria-components/Checkbox';
import { CheckboxGroup } from 'react-aria-components/CheckboxGroup';
import { FieldError } from 'react-aria-components/FieldError';
import { FileTrigger } from 'react-aria-components/FileTrigger';
import { Group } from 'react-aria-components/Group';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { Radio, RadioGroup } from 'react-aria-components/RadioGroup';
import { Text } from 'react-aria-components/Text';
import { TextArea } from 'react-aria-components/TextArea';
import { TextField } from 'react-aria-components/TextField';
import { Problem } from '../../api/client';
import { useUpload } from '../../api/queries';
import type { Field } from '../../api/types';
import { useLanguage, useT } from '../../i18n';
import { choiceValue, type FieldValue, type FileValue, isChoice, limit, lines, numberText } from '../../lib/fields';
import { plain } from '../../lib/json';
import { fromName, say } from '../../lib/text';

const DateBox = lazy(() => import('./dates'));
const SelectBox = lazy(() => import('./select'));
/* What the server takes in one request. */
const maxFileBytes = 16 * 1024 * 1024;

export interface FieldProps {
	field: Field;
	value: FieldValue;
	message: string | null;
	marksOptional: boolean;
	onChange: (value: FieldValue) => void;
	onBlur: () => void;
}

export function FieldMessage({ message }: { message: string | null }) {
	return (
		<FieldError className="problem-text">
			{message && (
				<>
					<CircleAlert size={14} aria-hidden="true" />
					<span>{message}</span>
				</>
			)}
		</FieldError>
	);
}

export function useLabels(field: Field, marksOptional: boolean) {
	const t = useT();
	const { language } = useLanguage();
	const title = say(field.title, language, fromName(field.name));
	const isOptional = marksOptional && !field.required;
	const label: ReactNode = isOptional ? (
		<>
			{title} <span className="optional">({t('form.optional')})</span>
		</>
	) : (
		title
	);
	return { title, label, help: say(field.help, language) };
}

export const Help = ({ text }: { text: string }) =>
	text ? (
		<Text slot="description" className="help">
			{text}
		</Text>
	) : null;

function TextBox(props: FieldProps) {
	const { field, value, message } = props;
	const t = useT();
	const { label, help } = useLabels(field, props.marksOptional);
	const isList = field.type === 'array';
	const isLong = isList || (limit(field.max_length) ?? 0) > 250;
	return (
		<TextField
			className="field"
			name={field.name}
			value={String(value ?? '')}
			onChange={props.onChange}
			onBlur={props.onBlur}
			isRequired={field.required}
			isInvalid={message !== null}
			validationBehavior="aria"
			type={field.type === 'uri' ? 'url' : 'text'}
			autoComplete="off"
		>
			<Label>{label}</Label>
			{isLong ? <TextArea className="box" rows={3} /> : <Input className="box" />}
			<Help text={[help, isList ? t('form.onePerLine') : ''].filter(Boolean).join(' ')} />
			<FieldMessage message={message} />
		</TextField>
	);
}

/** Adds to a number without leaving its text: 0.10 + 1 is 1.10, and 20 digits stay 20 digits when typed. */
function stepped(typed: string, by: 1 | -1, field: Field): string {
	const text = numberText(typed);
	const low = limit(field.minimum);
	const high = limit(field.maximum);
	const start = text === null ? (low !== null && low > 0 ? low - by : 0) : Number(text);
	const digits = text?.split('.')[1]?.length ?? 0;
	let next = start + by;
	if (low !== null && next < low) next = low;
	if (high !== null && next > high) next = high;
	return Number.isSafeInteger(Math.trunc(next)) ? next.toFixed(digits) : typed;
}

function NumberBox(props: FieldProps) {
	const { field, value, message } = props;
	const t = useT();
	const { title, label, help } = useLabels(field, props.marksOptional);
	const typed = String(value ?? '');
	const step = (by: 1 | -1) => props.onChange(stepped(typed, by, field));
	const now = Number(numberText(typed) ?? Number.NaN);
	return (
		<TextField
			className="field"
			name={field.name}
			value={typed}
			onChange={props.onChange}
			onBlur={props.onBlur}
			onKeyDown={(e) => {
				if (e.key !== 'ArrowUp' && e.key !== 'ArrowDown') return;
				e.preventDefault();
				step(e.key === 'ArrowUp' ? 1 : -1);
			}}
			isRequired={field.required}
			isInvalid={message !== null}
			validationBehavior="aria"
			inputMode={field.type === 'integer' && (limit(field.minimum) ?? -1) >= 0 ? 'numeric' : 'decimal'}
			autoComplete="off"
		>
			<Label>{label}</Label>
			<Group className="group number">
				{/* The arrow keys do the same, so the buttons stay out of the way of the Tab key. */}
				<Button
					excludeFromTabOrder
					aria-label={t('form.decrease', { field: title })}
					isDisabled={now <= (limit(field.minimum) ?? Number.NEGATIVE_INFINITY)}
					onPress={() => step(-1)}
				>
					<Minus size={16} aria-hidden="true" />
				</Button>
				<Input className="box" />
				<Button
					excludeFromTabOrder
					aria-label={t('form.increase', { field: title })}
					isDisabled={now >= (limit(field.maximum) ?? Number.POSITIVE_INFINITY)}
					onPress={() => step(1)}
				>
					<Plus size={16} aria-hidden="true" />
				</Button>
			</Group>
			<Help text={help} />
			<FieldMessage message={message} />
		</TextField>
	);
}

export function useOptions(field: Field) {
	const { language } = useLanguage();
	return (field.enum ?? []).map((choice) => {
		const key = plain(choiceValue(choice));
		const title =
			choice !== null && typeof choice === 'object' && 'title' in choice
				? say(choice.title as never, language, key)
				: key;
		return { key, title };
	});
}

function ChoiceBox(props: FieldProps) {
	const { field, value, message } = props;
	const { label, help } = useLabels(field, props.marksOptional);
	const options = useOptions(field);
	const isShort = options.length <= 3 && options.reduce((sum, o) => sum + o.title.length, 0) <= 22;
	if (isShort && field.required)
		return (
			<RadioGroup
				className="field"
				name={field.name}
				value={String(value ?? '') || null}
				onChange={props.onChange}
				onBlur={props.onBlur}
				isRequired
				isInvalid={message !== null}
				validationBehavior="aria"
				orientation="horizontal"
			>
				<Label>{label}</Label>
				<div className="segments">
					{options.map((o) => (
						<Radio key={o.key} value={o.key} className="segment">
							{o.title}
						</Radio>
					))}
				</div>
				<Help text={help} />
				<FieldMessage message={message} />
			</RadioGroup>
		);
	return (
		<Suspense fallback={<div className="field field-waiting" />}>
			<SelectBox {...props} />
		</Suspense>
	);
}

/** Several of a list: one box each, since all of them can then be seen and none needs a modifier key. */
function ManyBox(props: FieldProps) {
	const { field, value, message } = props;
	const { label, help } = useLabels(field, props.marksOptional);
	return (
		<CheckboxGroup
			className="field many"
			value={lines(String(value ?? ''))}
			onChange={(chosen) => props.onChange(chosen.join('\n'))}
			onBlur={props.onBlur}
			isRequired={field.required}
			isInvalid={message !== null}
			validationBehavior="aria"
		>
			<Label>{label}</Label>
			{useOptions(field).map((o) => (
				<Checkbox key={o.key} value={o.key} className="check">
					<span className="check-mark">
						<Check size={13} strokeWidth={3} aria-hidden="true" />
					</span>
					<span>{o.title}</span>
				</Checkbox>
			))}
			<Help text={help} />
			<FieldMessage message={message} />
		</CheckboxGroup>
	);
}

function BooleanBox(props: FieldProps) {
	const { label, help } = useLabels(props.field, false);
	return (
		<div className="field">
			<Checkbox
				className="check"
				name={props.field.name}
				isSelected={props.value === true}
				onChange={props.onChange}
				onBlur={props.onBlur}
			>
				<span className="check-mark">
					<Check size={13} strokeWidth={3} aria-hidden="true" />
				</span>
				<span>{label}</span>
			</Checkbox>
			{help && <p className="help">{help}</p>}
			{props.message && (
				<p className="problem-text">
					<CircleAlert size={14} aria-hidden="true" />
					<span>{props.message}</span>
				</p>
			)}
		</div>
	);
}

function FileBox(props: FieldProps) {
	const { field, value } = props;
	const t = useT();
	const { label, title, help } = useLabels(field, props.marksOptional);
	const [trouble, setTrouble] = useState<string | null>(null);
	const uploading = useUpload();
	const coming = uploading.isPending ? uploading.variables.name : null;
	const file = value as FileValue | null;
	const message = trouble ?? props.message;
	const id = `file-${field.name}`;
	const megabytes = (n: number) => t.number(n / (1024 * 1024), { maximumFractionDigits: 1 });
	const choose = async (chosen: File) => {
		if (chosen.size > maxFileBytes) {
			setTrouble(
				t('form.fileTooLarge', {
					name: chosen.name,
					size: megabytes(chosen.size),
					limit: megabytes(maxFileBytes),
				}),
			);
			return;
		}
		setTrouble(null);
		props.onChange(null);
		try {
			props.onChange(await uploading.mutateAsync(chosen));
		} catch (cause) {
			const why = cause instanceof Problem ? cause.detail || cause.title : String(cause);
			setTrouble(t('form.fileFailed', { name: chosen.name, why }));
		}
	};
	return (
		<div
			className="field field-file"
			role="group"
			aria-labelledby={id}
			aria-describedby={message ? `${id}-message` : undefined}
		>
			<span className="field-label" id={id}>
				{label}
			</span>
			<div className="file-row">
				<FileTrigger
					onSelect={(files) => {
						const chosen = files?.[0];
						if (chosen) void choose(chosen);
					}}
				>
					<Button className="button" isDisabled={coming !== null}>
						<Upload size={15} aria-hidden="true" />
						{t(file ? 'form.fileReplace' : 'form.fileChoose')}
						<span className="hidden-visually">{title}</span>
					</Button>
				</FileTrigger>
				{coming !== null && <span role="status">{t('form.fileComing', { name: coming })}</span>}
				{file && (
					<>
						<span>{file.name}</span>
						<span className="muted num">{t('call.bytes', { size: t.number(Number(file.bytes)) })}</span>
						<Button
							className="button"
							data-kind="bare"
							data-icon
							aria-label={t('form.fileRemove', { name: file.name })}
							onPress={() => props.onChange(null)}
						>
							<X size={15} aria-hidden="true" />
						</Button>
					</>
				)}
			</div>
			{help && <p className="help">{help}</p>}
			{message && (
				<p className="problem-text" id={`${id}-message`}>
					<CircleAlert size={14} aria-hidden="true" />
					<span>{message}</span>
				</p>
			)}
		</div>
	);
}

export function FieldBox(props: FieldProps) {
	const { field } = props;
	if (isChoice(field)) return <ChoiceBox {...props} />;
	if (field.type === 'array' && field.enum?.length) return <ManyBox {...props} />;
	switch (field.type) {
		case 'boolean':
			return <BooleanBox {...props} />;
		case 'number':
		case 'integer':
			return <NumberBox {...props} />;
		case 'date':
		case 'datetime':
		case 'time':
			return (
				<Suspense fallback={<div className="field field-waiting" />}>
					<DateBox {...props} />
				</Suspense>
			);
		case 'file':
			return <FileBox {...props} />;
		default:
			return <TextBox {...props} />;
	}
}
