// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { fileHref, filesIn, toFile } from '../../src/lib/files';

const id = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

describe('files in what is shown', () => {
	test('each is found once, at any depth, in order', () => {
		const other = id.replace('b', 'c');
		const files = filesIn([
			`{"data":{"photo":{"file":"${id}","name":"cat.png","media_type":"image/png","bytes":3}}}`,
			`{"data":{"photo":{"file":"${id}","name":"cat.png"}},"list":[[{"file":"${other}"}]]}`,
			'no JSON with "file" in it',
		]);
		expect(files.map((f) => [f.file, f.name, f.bytes?.text ?? null])).toEqual([
			[id, 'cat.png', '3'],
			[other, other.slice(0, 12), null],
		]);
	});

	test.each(['{"file":"../x"}', '{"file":7}', `{"file":"${id.toUpperCase()}"}`, `["${id}"]`, '7', 'null'])(
		'what has no id of a file is none: %s',
		(text) => {
			expect(filesIn([text])).toEqual([]);
		},
	);

	test('the link says name and type, and neither is syntax', () => {
		const file = toFile({ file: id, name: 'a&b=c/é.png', media_type: 'image/png' });
		expect(file && fileHref(file)).toBe(
			`/api/v1/files/${id}?name=a%26b%3Dc%2F%C3%A9.png&media_type=image%2Fpng`,
		);
	});
});
