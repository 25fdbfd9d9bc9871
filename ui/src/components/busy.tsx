// SPDX-License-Identifier: Apache-2.0
/*
 * A button that keeps its focus while it works. react-aria's isPending announces by an image whose label dies with the
 * page that is left; a screen reader then finds a nameless picture. Whoever uses this one ignores presses while busy.
 */
import { LoaderCircle } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { useT } from '../i18n';
import { announce } from '../lib/announce';

export function BusyButton(props: {
	type?: 'submit' | 'button';
	className: string;
	kind?: string;
	isBusy: boolean;
	onPress?: () => void;
	children: ReactNode;
}) {
	const t = useT();
	useEffect(() => {
		if (props.isBusy) announce(t('form.working'));
	}, [props.isBusy, t]);
	return (
		<button
			type={props.type ?? 'button'}
			className={props.className}
			data-kind={props.kind}
			aria-disabled={props.isBusy || undefined}
			onClick={() => !props.isBusy && props.onPress?.()}
		>
			{props.isBusy ? (
				<>
					<LoaderCircle className="spin" size={16} aria-hidden="true" />
					{t('form.working')}
				</>
			) : (
				props.children
			)}
		</button>
	);
}
