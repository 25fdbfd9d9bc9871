// SPDX-License-Identifier: Apache-2.0
/* A choice among more than a few. A chunk of its own: list box and popover weigh as much as the rest of a small form. */
import { Check, ChevronsUpDown } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { ListBox, ListBoxItem } from 'react-aria-components/ListBox';
import { Popover } from 'react-aria-components/Popover';
import { Select, SelectValue } from 'react-aria-components/Select';
import { useT } from '../../i18n';
import { FieldMessage, type FieldProps, Help, useLabels, useOptions } from './fields';

/* The key of "none": a choice's own text may be anything but this. */
const none = '\u0000';

export default function SelectBox(props: FieldProps) {
	const { field, value, message } = props;
	const t = useT();
	const { label, help } = useLabels(field, props.marksOptional);
	const options = useOptions(field);
	return (
		<Select
			className="field"
			name={field.name}
			value={String(value ?? '') || null}
			onChange={(key) => props.onChange(key === null || key === none ? '' : String(key))}
			onBlur={props.onBlur}
			isRequired={field.required}
			isInvalid={message !== null}
			validationBehavior="aria"
			placeholder={t('form.choose')}
		>
			<Label>{label}</Label>
			<Button className="box select-button">
				<SelectValue />
				<ChevronsUpDown size={15} aria-hidden="true" />
			</Button>
			<Help text={help} />
			<FieldMessage message={message} />
			<Popover className="popover">
				<ListBox className="list">
					{/* An optional choice can be taken back. */}
					{!field.required && (
						<ListBoxItem id={none} className="option muted" textValue={t('form.choose')}>
							–
						</ListBoxItem>
					)}
					{options.map((o) => (
						<ListBoxItem key={o.key} id={o.key} className="option" textValue={o.title}>
							{({ isSelected }) => (
								<>
									<span>{o.title}</span>
									{isSelected && <Check className="tick" size={15} aria-hidden="true" />}
								</>
							)}
						</ListBoxItem>
					))}
				</ListBox>
			</Popover>
		</Select>
	);
}
