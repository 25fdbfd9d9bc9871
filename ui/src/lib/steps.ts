// SPDX-License-Identifier: Apache-2.0
/* What a run does from a step on, as far as its steps tell. */
import type { StepFacts } from '../api/types';

/** The step and all that lie behind it, in the order of the flow; those that take its failed items, too. */
export function stepsFrom(steps: readonly StepFacts[], from: string): StepFacts[] {
	const names = new Set([from]);
	for (let before = 0; before !== names.size; ) {
		before = names.size;
		for (const s of steps) if (s.source_step !== null && names.has(s.source_step)) names.add(s.name);
	}
	return steps.filter((s) => names.has(s.name));
}

/** It sends something: its promise says how often. Entries and ledger are one transaction, "exactly once". */
export const sends = (s: StepFacts): boolean => /^at (?:least|most) once/.test(s.promise ?? '');

/** Sent a second time it does a second time what it did. */
export const isUnkeyed = (s: StepFacts): boolean => s.promise?.startsWith('at most once') ?? false;
