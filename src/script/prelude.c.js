// SPDX-License-Identifier: Apache-2.0
// The first code of every realm. It takes away what would make a script differ from run to run (clocks, chance, garbage
// collection), freezes all that is left, so that an item finds the world as the one before it found it, and answers with
// open(kind, now, functions), which gives worker_realm.c the function it calls for each item.
// No name of ours is visible to scripts, and nothing here runs through a property that a script could have changed.
(function () {
"use strict";

const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys, deleteProperty } = Reflect;
const { freeze, keys, create } = Object;
const { isArray } = Array;
const { parse, stringify, rawJSON } = JSON;
const { isFinite: finite } = Number;
const global = globalThis;
const BigIntOf = BigInt, NumberOf = Number, StringOf = String, RangeErrorOf = RangeError, TypeErrorOf = TypeError;
const call = Function.prototype.call;
const bound = (f) => apply(Function.prototype.bind, call, [f]); // bound(f)(this, ...args)
const slice = bound(String.prototype.slice);
const includes = bound(String.prototype.includes);
const match = bound(String.prototype.match);
const replace = bound(String.prototype.replace);
const wellFormed = bound(String.prototype.isWellFormed);
const toWellFormed = bound(String.prototype.toWellFormed);
const test = bound(RegExp.prototype.test);
const isPrototypeOf = bound(Object.prototype.isPrototypeOf);

const DEPTH_MAX = 100;		// VALUE_DEPTH_MAX
const TEXT_MAX = 8 << 20;	// SCRIPT_RESULT_MAX
const NODES_MAX = TEXT_MAX / 2; // each value costs at least two bytes: "1,"
// enum script_error
const THREW = 2, NO_MEMORY = 4, TOO_LARGE = 5, BAD_RESULT = 6;

// ---- what exists -------------------------------------------------------------------------------------------------
// A list of what stays, for engines grow. Left out: Atomics, SharedArrayBuffer, WebAssembly, WeakRef, FinalizationRegistry,
// Temporal, performance: each shows a clock, another thread or the collector.
const stay = create(null);
for (const name of ["NaN", "undefined", "Infinity", "isNaN", "isFinite", "escape", "unescape", "decodeURI",
	"decodeURIComponent", "encodeURI", "encodeURIComponent", "eval", "globalThis", "parseInt", "parseFloat",
	"ArrayBuffer", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError",
	"AggregateError", "SuppressedError", "Proxy", "Reflect", "JSON", "Math", "console", "Int8Array", "Int16Array",
	"Int32Array", "Uint8Array", "Uint8ClampedArray", "Uint16Array", "Uint32Array", "Float16Array", "Float32Array",
	"Float64Array", "BigInt64Array", "BigUint64Array", "DataView", "Date", "Error", "Boolean", "Map", "Number", "Set",
	"WeakMap", "WeakSet", "Object", "Function", "Array", "RegExp", "Iterator", "String", "Promise", "BigInt", "Symbol",
	"Intl"])
	stay[name] = true;
for (const name of ownKeys(global))
	if (stay[name] !== true)
		deleteProperty(global, name);

// RegExp.$1 and its kin would carry text from one item to the next.
for (const name of ownKeys(RegExp)) {
	const d = getOwnPropertyDescriptor(RegExp, name);
	if (typeof name === "string" && d.configurable && (d.get || d.set))
		deleteProperty(RegExp, name);
}
// With the accessor gone "__proto__" is a key like any other: item.__proto__ = x adds a member, as JSON.parse does.
deleteProperty(Object.prototype, "__proto__");

const put = (object, name, value) =>
	defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });

const quiet = {};
for (const name of ["assert", "clear", "debug", "dir", "error", "info", "log", "table", "trace", "warn"])
	quiet[name] = { [name]() {} }[name];
put(global, "console", quiet);

// ---- time and chance ---------------------------------------------------------------------------------------------
let now = 0;
const NativeDate = Date;
const dateText = bound(Date.prototype.toString);
function FixedDate(...args) {
	if (!new.target)
		return dateText(new NativeDate(now));
	return construct(NativeDate, args.length === 0 ? [now] : args, new.target);
}
put(FixedDate, "now", { now: () => now }.now);
put(FixedDate, "parse", NativeDate.parse);
put(FixedDate, "UTC", NativeDate.UTC);
defineProperty(FixedDate, "prototype", { value: NativeDate.prototype, writable: false });
defineProperty(FixedDate, "name", { value: "Date" });
defineProperty(FixedDate, "length", { value: 7 });
put(NativeDate.prototype, "constructor", FixedDate);
put(global, "Date", FixedDate);

// Intl formats the present when it is given nothing.
{
	const proto = Intl.DateTimeFormat.prototype;
	const parts = bound(proto.formatToParts);
	const nativeFormat = bound(getOwnPropertyDescriptor(proto, "format").get);
	defineProperty(proto, "format", {
		get() {
			const f = nativeFormat(this);
			return (d) => f(d === undefined ? now : d);
		},
	});
	put(proto, "formatToParts", { formatToParts(d) { return parts(this, d === undefined ? now : d); } }.formatToParts);
}

// sfc32. Seeded by the two words that the server sends with each item; the state is made when first asked for.
let seedHigh = 0, seedLow = 0, seeded = false, ra = 0, rb = 0, rc = 0, rd = 0;
function next32() {
	const t = (ra + rb + rd) | 0;
	rd = (rd + 1) | 0;
	ra = rb ^ (rb >>> 9);
	rb = (rc + (rc << 3)) | 0;
	rc = ((rc << 21) | (rc >>> 11)) + t | 0;
	return t >>> 0;
}
function random() {
	if (!seeded) {
		seeded = true;
		ra = seedHigh | 0;
		rb = seedLow | 0;
		rc = 0x2545f491;
		rd = 1;
		for (let i = 0; i < 15; i++)
			next32();
	}
	return ((next32() >>> 5) * 67108864 + (next32() >>> 6)) / 9007199254740992;
}
put(Math, "random", { random() { return random(); } }.random);

// ---- numbers that a double cannot hold -----------------------------------------------------------------------------
// Whole ones are BigInt. The others are Number objects that keep their text: arithmetic gives the nearest double, JSON the text.
const texts = new WeakMap();
const textOf = bound(WeakMap.prototype.get), keepText = bound(WeakMap.prototype.set);
class ExactNumber extends Number {
	constructor(text) {
		super(text);
		keepText(texts, this, text);
		freeze(this);
	}
	toString() {
		return textOf(texts, this) ?? NumberOf.prototype.toString.call(this);
	}
	toJSON() {
		return rawJSON(textOf(texts, this));
	}
}
const bigText = bound(BigInt.prototype.toString);
put(BigInt.prototype, "toJSON", { toJSON() { return rawJSON(bigText(this)); } }.toJSON);

// "-12.50e3" -> "-125e2": equal texts, equal numbers.
function normal(text) {
	const m = match(text, /^(-?)0*(\d*?)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/);
	const fraction = m[3] ?? "";
	const all = replace(m[2] + fraction, /^0+/, "");
	const digits = replace(all, /0+$/, "");
	return digits === "" ? "0" : m[1] + digits + "e" + (NumberOf(m[4] ?? 0) - fraction.length + all.length - digits.length);
}
function revive(key, value, context) {
	if (typeof value !== "number" || StringOf(value) === context.source)
		return value;
	const text = context.source;
	if (finite(value) && normal(StringOf(value)) === normal(text))
		return value;
	return test(/^-?\d+$/, text) ? BigIntOf(text) : new ExactNumber(text);
}

// ---- results -------------------------------------------------------------------------------------------------------
// What JSON.stringify would drop or turn into null or {} without a word is refused with its place.
const objectPrototype = Object.prototype, arrayPrototype = Array.prototype, datePrototype = NativeDate.prototype;
const nonsense = [[Map, "a Map; use Object.fromEntries()"], [Set, "a Set; use [...set]"], [Promise, "a promise; scripts do not wait"],
	[WeakMap, "a WeakMap"], [WeakSet, "a WeakSet"], [RegExp, "a regular expression; use .source"], [Error, "an error; use String(e)"],
	[ArrayBuffer, "an ArrayBuffer"], [getPrototypeOf(Int8Array), "a typed array; use Array.from()"], [DataView, "a DataView"]];
for (const row of nonsense)
	row[0] = row[0].prototype;

// Why a value that is no container, or that comes from toJSON, cannot stand in JSON; undefined = it can.
function complaint(v) {
	switch (typeof v) {
	case "number":
		return finite(v) ? undefined : StringOf(v);
	case "function":
		return "a function";
	case "symbol":
		return "a symbol";
	case "string":
		return wellFormed(v) ? undefined : "a string with half a surrogate pair; use toWellFormed()";
	case "object":
		if (v !== null)
			for (let i = 0; i < nonsense.length; i++)
				if (isPrototypeOf(nonsense[i][0], v))
					return nonsense[i][1];
	}
	return undefined;
}

let nodes = 0;
// 0 = plain JSON; 1 = toJSON is at work somewhere: look again while writing; 2 = refused, see explain(); 3 = too many values
function survey(v, depth) {
	switch (typeof v) {
	case "string":
	case "boolean":
	case "undefined":
	case "bigint":
		return 0;
	case "number":
		return finite(v) ? 0 : 2;
	case "object":
		break;
	default:
		return 2;
	}
	if (v === null)
		return 0;
	if (depth > DEPTH_MAX)
		return 2;
	let worst = 0;
	if (isArray(v)) {
		if ((nodes += v.length) > NODES_MAX)
			return 3;
		for (let i = 0; i < v.length; i++) {
			const code = survey(v[i], depth + 1);
			if (code > worst && (worst = code) > 1)
				return worst;
		}
		return worst;
	}
	const proto = getPrototypeOf(v);
	if (proto !== objectPrototype && proto !== null) {
		if (proto === datePrototype)
			return 0;
		if (complaint(v) !== undefined)
			return 2;
		worst = 1;
	}
	const names = keys(v);
	if ((nodes += names.length) > NODES_MAX)
		return 3;
	for (let i = 0; i < names.length; i++) {
		const name = names[i], member = v[name];
		const code = name === "toJSON" && typeof member === "function" ? 1 : survey(member, depth + 1);
		if (code > worst && (worst = code) > 1)
			return worst;
	}
	return worst;
}

const isPlainName = /^[A-Za-z_$][\w$]*$/;
const step = (path, key) => typeof key === "number" ? path + "[" + key + "]" :
	test(isPlainName, key) ? path + "." + key : path + "[" + stringify(key) + "]";

// The slow walk of what survey() refused: where, and why.
function explain(v, path, above) {
	const why = complaint(v);
	if (why !== undefined)
		return path + " is " + why;
	if (v === null || typeof v !== "object")
		return undefined;
	for (let i = 0; i < above.length; i++)
		if (above[i] === v)
			return path + " contains itself";
	if (above.length > DEPTH_MAX)
		return slice(path, 0, 60) + "… is nested deeper than " + DEPTH_MAX;
	above[above.length] = v;
	const names = keys(v);
	for (let i = 0; i < names.length; i++) {
		if (names[i] === "toJSON" && typeof v.toJSON === "function")
			continue;
		const found = explain(v[names[i]], step(path, isArray(v) ? i : names[i]), above);
		if (found !== undefined)
			return found;
	}
	above.length--;
	return undefined;
}

function Refusal(code, text) {
	this.code = code;
	this.text = text;
}
function strict(key, value) {
	const why = complaint(value);
	if (why !== undefined)
		throw new Refusal(BAD_RESULT, "member " + stringify(key) + " is " + why);
	return value;
}

function write(v, name) {
	nodes = 0;
	const code = survey(v, 1);
	if (code === 3)
		throw new Refusal(TOO_LARGE, "the result has more than " + NODES_MAX + " values");
	if (code === 2)
		throw new Refusal(BAD_RESULT, explain(v, name, []) ?? name + " changed while it was read");
	const text = code === 1 ? stringify(v, strict) : stringify(v);
	if (text === undefined)
		return "null";
	if (text.length > TEXT_MAX)
		throw new Refusal(TOO_LARGE, "the result has " + text.length + " characters of JSON");
	// Half a surrogate pair is written as an escape, \ud800; everything else as itself.
	if (includes(text, "\\ud") && test(/(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/, text))
		throw new Refusal(BAD_RESULT, explain(v, name, []) ?? "a key of " + name + " has half a surrogate pair");
	return text;
}

// ---- failures ------------------------------------------------------------------------------------------------------
const number = (v) => typeof v === "number" && v >= 0 && v < 4294967296 ? v >>> 0 : 0;

// Line and column of the topmost frame that is the script's own ("script", or "script:3" for the third expression).
function place(e) {
	if (typeof e.sourceURL === "string" && test(/^script(?::\d+)?$/, e.sourceURL))
		return [number(e.line), number(e.column)];
	const m = match(typeof e.stack === "string" ? e.stack : "", /(?:^|@)script(?::\d+)?:(\d+):(\d+)$/m);
	return m ? [number(+m[1]), number(+m[2])] : [0, 0];
}
// [error, line, column, message]: called inside the item's own time limit, since toString may be the script's.
function failure(e) {
	try {
		if (isPrototypeOf(Refusal.prototype, e))
			return [e.code, 0, 0, e.text];
		if (typeof e !== "object" || e === null || !isPrototypeOf(errorPrototype, e))
			return [THREW, 0, 0, slice(toWellFormed("threw " + thrown(e)), 0, 1500)];
		const [line, column] = place(e);
		const text = slice(toWellFormed(StringOf(e.name) + ": " + StringOf(e.message)), 0, 1500);
		const isMemory = isPrototypeOf(RangeErrorOf.prototype, e) && e.message === "Out of memory";
		return [isMemory ? NO_MEMORY : THREW, line, column, text];
	} catch {
		return [THREW, 0, 0, "threw a value that cannot be shown"];
	}
}
function thrown(e) {
	const text = typeof e === "object" && e !== null || typeof e === "string" ? stringify(e) : StringOf(e);
	return text === undefined ? typeof e : text;
}
const errorPrototype = Error.prototype;

// ---- the three kinds -----------------------------------------------------------------------------------------------
function read(text, isExact) {
	return isExact ? parse(text, revive) : parse(text);
}
function seed(high, low) {
	seedHigh = high;
	seedLow = low;
	seeded = false;
}
function itemRunner(f) {
	return (text, isExact, high, low) => {
		try {
			seed(high, low);
			const item = read(text, isExact);
			const answer = f(item);
			if (answer === undefined || answer === item)
				return write(item, "item");
			if (typeof answer !== "object" || answer === null || isArray(answer))
				throw new Refusal(BAD_RESULT, "the script returned " + (answer === null ? "null" : isArray(answer) ?
					"an array" : complaint(answer) ?? "a " + typeof answer) + "; an item is an object");
			return write(answer, "the result");
		} catch (e) {
			return failure(e);
		}
	};
}
function expressionRunner(functions) {
	return (text, isExact, high, low) => {
		let at = 0;
		try {
			seed(high, low);
			const item = read(text, isExact), values = [];
			for (; at < functions.length; at++)
				defineProperty(values, at, { value: functions[at](item), writable: true, enumerable: true, configurable: true });
			return write(values, "the value");
		} catch (e) {
			const why = failure(e);
			if (functions.length > 1 && at < functions.length)
				why[3] = "expression " + (at + 1) + ": " + why[3];
			return why;
		}
	};
}
const isName = /^[\p{ID_Start}$_][\p{ID_Continue}$_\u200c\u200d]*$/u;
function callRunner(library) {
	const lookup = library();
	if (typeof lookup !== "function")
		throw new TypeErrorOf("the library returns before its end");
	return (text, isExact, high, low) => {
		try {
			seed(high, low);
			const wanted = read(text, isExact), name = wanted.function;
			let f;
			try {
				if (typeof name === "string" && test(isName, name))
					f = lookup(name);
			} catch {}
			if (typeof f !== "function" || f === global[name] || f === eval)
				throw new Refusal(THREW, "the library has no function " + stringify(name));
			const answer = apply(f, undefined, isArray(wanted.arguments) ? wanted.arguments : []);
			return write(answer === undefined ? null : answer, "the result");
		} catch (e) {
			return failure(e);
		}
	};
}
function open(kind, time, functions) {
	now = time;
	seed(0, 0);
	try {
		return kind === 0 ? itemRunner(functions[0]) : kind === 1 ? expressionRunner(functions) : callRunner(functions[0]);
	} catch (e) {
		return failure(e);
	}
}

// ---- freezing ------------------------------------------------------------------------------------------------------
// A frozen prototype makes `o.toString = f` throw on plain objects ("override mistake"). For the names that data and classes
// really use, the property becomes an accessor whose setter defines an own property on the receiver, as SES does.
// Array, Promise and RegExp are left alone: the engine's fast paths watch their prototypes, and arrays have no named members.
function allowOverride(object, names) {
	for (const name of names) {
		const d = getOwnPropertyDescriptor(object, name);
		if (!d || !("value" in d) || !d.configurable)
			continue;
		const value = d.value;
		defineProperty(object, name, {
			get() { return value; },
			set(v) {
				if (this === object || typeof this !== "object" && typeof this !== "function" || this === null)
					throw new TypeErrorOf("Attempted to assign to readonly property.");
				defineProperty(this, name, { value: v, writable: true, enumerable: true, configurable: true });
			},
			enumerable: false,
			configurable: true,
		});
	}
}
allowOverride(Object.prototype, ownKeys(Object.prototype));
for (const type of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError])
	allowOverride(type.prototype, ["constructor", "name", "message", "toString"]);
allowOverride(Function.prototype, ["constructor", "toString", "name"]);
allowOverride(NativeDate.prototype, ["constructor", "toString", "toJSON", "valueOf"]);

const hidden = [ // reachable by syntax or by calling, but not by walking from the global object
	(function* () {}), (async function () {}), (async function* () {}), [][Symbol.iterator](), new Map().entries(), new Set().values(),
	""[Symbol.iterator](), "".matchAll(/x/g), (function* () {})(), (async function* () {})(), new Intl.Segmenter().segment(""),
	new Intl.Segmenter().segment("")[Symbol.iterator](), Iterator.from({ next() {} }), Iterator.prototype.map.call([].values(), (x) => x),
	ExactNumber,
];
const done = new Set(), has = bound(Set.prototype.has), add = bound(Set.prototype.add);
const queue = [];
function reach(v) {
	if ((typeof v === "object" && v !== null || typeof v === "function") && !has(done, v)) {
		add(done, v);
		queue[queue.length] = v;
	}
}
reach(global);
for (const v of hidden)
	reach(getPrototypeOf(v));
reach(ExactNumber);
while (queue.length > 0) {
	const object = queue[queue.length - 1];
	queue.length--;
	reach(getPrototypeOf(object));
	for (const key of ownKeys(object)) {
		if (key === "name" || key === "length") // texts and numbers; two thirds of all properties
			continue;
		const d = getOwnPropertyDescriptor(object, key);
		reach(d.value);
		reach(d.get);
		reach(d.set);
	}
	if (object !== global)
		freeze(object);
}
freeze(global);
freeze(Refusal.prototype);
return open;
})()
