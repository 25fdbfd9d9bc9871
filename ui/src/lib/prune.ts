// SPDX-License-Identifier: Apache-2.0
/* Which runs may go, as a person writes it, and as the server takes it. */

export interface Rule {
	days: string;
	keep: string;
	states: readonly string[];
}

export interface ReadRule {
	/** Null when something is wrong, or nothing is said. */
	body: { older_than?: string; keep?: number; states?: string[] } | null;
	wrong: ('days' | 'keep')[];
	isEmpty: boolean;
}

/** Whole and above 0; a million days is more than any server has seen, and more than that many runs never stay. */
const whole = (text: string): number | null => {
	const n = /^\d{1,7}$/.test(text.trim()) ? Number(text) : 0;
	return n > 0 && n <= 1_000_000 ? n : null;
};

export function readRule(rule: Rule): ReadRule {
	const days = whole(rule.days);
	const keep = whole(rule.keep);
	const wrong: ReadRule['wrong'] = [];
	if (rule.days.trim() && days === null) wrong.push('days');
	if (rule.keep.trim() && keep === null) wrong.push('keep');
	const isEmpty = !rule.days.trim() && !rule.keep.trim() && rule.states.length === 0;
	if (wrong.length > 0 || isEmpty) return { body: null, wrong, isEmpty };
	return {
		body: {
			...(days !== null && { older_than: `${days}d` }),
			...(keep !== null && { keep }),
			...(rule.states.length > 0 && { states: [...rule.states] }),
		},
		wrong,
		isEmpty,
	};
}
