// SPDX-License-Identifier: Apache-2.0
/* A state is an icon and a word; the colour only helps. */
import { CircleAlert, CircleCheck, CircleDashed, CircleHelp, CircleMinus, CirclePause, CircleX, LoaderCircle } from 'lucide-react';
import { type MessageId, useT } from '../i18n';

const looks: Record<string, [tone: string, icon: typeof CircleCheck, word: MessageId]> = {
	running: ['busy', LoaderCircle, 'state.running'],
	done: ['ok', CircleCheck, 'state.done'],
	failed: ['err', CircleX, 'state.failed'],
	'partly done': ['warn', CircleAlert, 'state.partlyDone'],
	'needs attention': ['warn', CircleHelp, 'state.needsAttention'],
	interrupted: ['warn', CirclePause, 'state.interrupted'],
	'unknown outcome': ['warn', CircleHelp, 'state.unknownOutcome'],
	skipped: ['plain', CircleMinus, 'state.skipped'],
	answered: ['ok', CircleCheck, 'state.answered'],
	'no answer': ['err', CircleX, 'state.noAnswer'],
};

export function State({ state }: { state: string }) {
	const t = useT();
	const look = looks[state];
	const [tone, Icon] = look ?? ['plain', CircleDashed];
	return (
		<span className="state" data-tone={tone}>
			<Icon className={state === 'running' ? 'spin' : undefined} size={15} aria-hidden="true" />
			{/* A state this page does not know yet is better shown raw than hidden. */}
			{look ? t(look[2]) : state}
		</span>
	);
}
