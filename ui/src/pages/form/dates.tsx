// SPDX-License-Identifier: Apache-2.0
/* Date, time and both: a chunk of its own, since most forms have none. Segments follow the language, not the system. */
import {
	getLocalTimeZone,
	parseAbsolute,
	parseDate,
	parseTime,
	type Time,
	toCalendarDateTime,
	toZoned,
} from '@internationalized/date';
import { CalendarDays, ChevronLeft, ChevronRight } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Calendar, CalendarCell, CalendarGrid, CalendarHeading } from 'react-aria-components/Calendar';
import { DateInput, DateSegment } from 'react-aria-components/DateField';
import { DatePicker } from 'react-aria-components/DatePicker';
import { Dialog } from 'react-aria-components/Dialog';
import { Group } from 'react-aria-components/Group';
import { Label } from 'react-aria-components/Label';
import { Popover } from 'react-aria-components/Popover';
import { Text } from 'react-aria-components/Text';
import { TimeField } from 'react-aria-components/TimeField';
import { useT } from '../../i18n';
import { FieldMessage, type FieldProps, useLabels } from './fields';

const attempt = <T,>(parse: () => T): T | null => {
	try {
		return parse();
	} catch {
		return null;
	}
};

function Segments() {
	return (
		<DateInput className="box segments-date">
			{(segment) => <DateSegment className="date-segment" segment={segment} />}
		</DateInput>
	);
}

function TimeBox(props: FieldProps) {
	const { field, message } = props;
	const { label, help } = useLabels(field, props.marksOptional);
	const value = attempt(() => parseTime(String(props.value)));
	return (
		<TimeField
			className="field"
			value={value}
			onChange={(time) => props.onChange(time ? (time as Time).toString() : '')}
			onBlur={props.onBlur}
			isRequired={field.required}
			isInvalid={message !== null}
			validationBehavior="aria"
		>
			<Label>{label}</Label>
			<Segments />
			{help && (
				<Text slot="description" className="help">
					{help}
				</Text>
			)}
			<FieldMessage message={message} />
		</TimeField>
	);
}

function DayBox(props: FieldProps) {
	const { field, message } = props;
	const t = useT();
	const { title, label, help } = useLabels(field, props.marksOptional);
	const hasTime = field.type === 'datetime';
	const zone = getLocalTimeZone();
	const text = String(props.value ?? '');
	const value = attempt(() => (hasTime ? toCalendarDateTime(parseAbsolute(text, zone)) : parseDate(text)));
	return (
		<DatePicker
			className="field"
			value={value}
			onChange={(date) => {
				if (!date) props.onChange('');
				/* An instant is sent in UTC; the person sees the clock on the wall. */ else if (hasTime)
					props.onChange(toZoned(date, zone).toAbsoluteString().replace('.000Z', 'Z'));
				else props.onChange(date.toString());
			}}
			onBlur={props.onBlur}
			granularity={hasTime ? 'minute' : 'day'}
			isRequired={field.required}
			isInvalid={message !== null}
			validationBehavior="aria"
			shouldForceLeadingZeros
		>
			<Label>{label}</Label>
			<Group className="group">
				<Segments />
				<Button aria-label={t('form.openCalendar', { field: title })}>
					<CalendarDays size={16} aria-hidden="true" />
				</Button>
			</Group>
			{help && (
				<Text slot="description" className="help">
					{help}
				</Text>
			)}
			<FieldMessage message={message} />
			<Popover className="popover">
				<Dialog className="calendar-dialog">
					<Calendar className="calendar">
						<header>
							<Button
								slot="previous"
								className="button"
								data-kind="bare"
								data-icon
								aria-label={t('form.previousMonth')}
							>
								<ChevronLeft size={16} aria-hidden="true" />
							</Button>
							<CalendarHeading className="calendar-heading" />
							<Button slot="next" className="button" data-kind="bare" data-icon aria-label={t('form.nextMonth')}>
								<ChevronRight size={16} aria-hidden="true" />
							</Button>
						</header>
						<CalendarGrid weekdayStyle="short">
							{(date) => <CalendarCell className="calendar-cell" date={date} />}
						</CalendarGrid>
					</Calendar>
				</Dialog>
			</Popover>
		</DatePicker>
	);
}

export default function DateBox(props: FieldProps) {
	return props.field.type === 'time' ? <TimeBox {...props} /> : <DayBox {...props} />;
}
