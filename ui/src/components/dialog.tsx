// SPDX-License-Identifier: Apache-2.0
/* A question before something that cannot be undone. The browser's own dialog: it keeps the focus inside and gives it back, Escape leaves. */
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { BusyButton } from './busy';

export function Dialog(props: {
	title: string;
	cancel: string;
	/** What the button does, in a word of the title. */
	action: string;
	isBusy: boolean;
	send: () => void;
	close: () => void;
	children: ReactNode;
}) {
	const dialog = useRef<HTMLDialogElement>(null);
	const id = useId();
	useEffect(() => {
		const d = dialog.current;
		d?.showModal();
		return () => d?.close();
	}, []);
	return (
		<dialog ref={dialog} className="confirm" aria-labelledby={id} onClose={props.close}>
			<form
				onSubmit={(e) => {
					e.preventDefault();
					if (!props.isBusy) props.send();
				}}
			>
				<h2 id={id}>{props.title}</h2>
				{props.children}
				<div className="confirm-buttons">
					<button type="button" className="button" onClick={props.close}>
						{props.cancel}
					</button>
					<BusyButton type="submit" className="button" kind="primary" isBusy={props.isBusy}>
						{props.action}
					</BusyButton>
				</div>
			</form>
		</dialog>
	);
}
