// One list of questions, asked of `limpid explore` and of the engine in the page (under Node): the same answers.
//
// Texts, whole numbers and places are equal. Numbers of arithmetic may differ in their last bits, because the two use
// other instruction sets (a page has no fused multiply-add, and other widths of vectors): within 1e-5 of the largest number
// of their array. What a drawing writes with two decimals may differ by one in the last.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { builtinEngine } from "./wasm_node.mjs";

const questions = JSON.parse(readFileSync(new URL("questions.json", import.meta.url), "utf8")).map((each) => JSON.stringify(each));
const malformed = ["", "{", '{"ask": "next"', '{"ask": "next", "ask": "tokens"}', '{"ask": "next"} {}', "[".repeat(1000), '{"ask": "\\ud800"}',
  '{"ask": "next", "position": 1e400}', '{"ask": "open", "text": 5}', `{"ask": "open", "text": "${"x".repeat(1 << 20)}"}`, "\u0000", '{"id": 1.5, "ask": "next"}'];
const relative = 1e-5;
let server, address, page;

before(async () => {
  server = spawn(process.env.LIMPID, ["explore", "--no-open", "Life is short"]);
  address = await new Promise((found, failed) => {
    server.stdout.on("data", (bytes) => { const at = /http:\S+/.exec(String(bytes)); if (at) found(at[0]); });
    server.on("exit", (status) => failed(new Error(`limpid explore ended with ${status}`)));
  });
  page = await builtinEngine("Life is short");
});

after(() => server?.kill("SIGINT"));

async function served(request) {
  const response = await fetch(`${address}ask`, { method: "POST", headers: { "Content-Type": "application/json" }, body: request });
  assert.equal(response.status, 200, request);
  return response.arrayBuffer();
}

const types = { f64: Float64Array, f32: Float32Array, i64: BigInt64Array, i32: Int32Array, u8: Uint8Array };

function taken(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const arrays = {};
  for (const [name, { dtype, shape, offset }] of Object.entries(json.arrays ?? {}))
    arrays[name] = new types[dtype](buffer, 8 + length + offset, shape.reduce((all, size) => all * size, 1));
  return { json, arrays };
}

function assertNear(got, expected, scale, what) {
  if (Object.is(got, expected) || got === expected || (Number.isNaN(got) && Number.isNaN(expected))) return;
  assert.ok(Math.abs(got - expected) <= relative * scale, `${what}: the page says ${got}, the command ${expected}`);
}

// Numbers of the JSON that are results of arithmetic; all others are equal.
function assertAlike(got, expected, what) {
  if (typeof expected === "number" && typeof got === "number" && !(Number.isInteger(expected) && Number.isInteger(got)))
    return assertNear(got, expected, Math.max(1, Math.abs(expected)), what);
  if (expected === null || typeof expected !== "object") return assert.deepEqual(got, expected, what);
  assert.deepEqual(Object.keys(got), Object.keys(expected), what);
  for (const key of Object.keys(expected)) assertAlike(got[key], expected[key], `${what}.${key}`);
}

const number = /-?\d+(?:\.\d+)?(?:e[-+]?\d+)?/g;

function assertSameDrawing(got, expected, what) {
  assert.equal(got.replace(number, "#"), expected.replace(number, "#"), what);
  const of = (text) => [...text.matchAll(number)].map(([each]) => each);
  const [a, b] = [of(got), of(expected)];
  a.forEach((text, i) => {
    if (text === b[i]) return;
    const step = 10 ** -(b[i].split(/e/)[0].split(".")[1] ?? "").length;
    assert.ok(Math.abs(text - b[i]) <= step * 1.001 + relative * Math.abs(b[i]), `${what}: ${text} where the command has ${b[i]}`);
  });
}

// A trace: its header but for the numbers that say how it came about, and its tensors.
function assertSameTrace(got, expected, what) {
  const read = (bytes) => {
    const copy = bytes.slice(), size = Number(new DataView(copy.buffer).getBigUint64(0, true));
    return { header: JSON.parse(new TextDecoder().decode(copy.subarray(8, 8 + size))), data: copy.buffer.slice(8 + size) };
  };
  const [a, b] = [read(got), read(expected)];
  assert.deepEqual(Object.keys(a.header), Object.keys(b.header), what);
  for (const [name, entry] of Object.entries(b.header)) {
    if (name === "__metadata__") continue;
    assert.deepEqual(a.header[name], entry, what);
    if (entry.dtype !== "F32") continue;
    const [from, to] = entry.data_offsets;
    assertArray(new Float32Array(a.data.slice(from, to)), new Float32Array(b.data.slice(from, to)), `${what} ${name}`);
  }
}

function assertArray(got, expected, what) {
  assert.equal(got.length, expected.length, what);
  if (!(expected instanceof Float32Array || expected instanceof Float64Array)) return assert.deepEqual(got, expected, what);
  const scale = expected.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
  expected.forEach((value, i) => assertNear(got[i], value, scale, `${what}[${i}]`));
}

async function compare(request) {
  const what = request.slice(0, 200);
  const [got, expected] = [taken(page.ask(request)), taken(await served(request))];
  // Formats that a page does not have are left out of its lists, and offsets say the same as the arrays.
  const plain = ({ arrays, ...json }) => ({ ...json, arrays: Object.fromEntries(Object.entries(arrays ?? {}).map(([name, { offset, ...each }]) => [name, name === "file" ? {} : each])) });
  assertAlike(plain(got.json), plain(expected.json), what);
  for (const [name, array] of Object.entries(expected.arrays)) {
    if (name !== "file") assertArray(got.arrays[name], array, `${what} ${name}`);
    else if (expected.json.name.endsWith(".safetensors")) assertSameTrace(got.arrays.file, array, what);
    else assertSameDrawing(new TextDecoder().decode(got.arrays.file), new TextDecoder().decode(array), what);
  }
  return expected.json;
}

test("a list of questions has the same answers from the server and in the page", async () => {
  let answered = 0, refused = 0;
  for (const request of questions) (await compare(request)).error ? refused++ : answered++;
  assert.ok(answered >= 60 && refused >= 15, `${answered} answered, ${refused} refused`);
});

test("malformed requests are refused alike", async () => {
  for (const request of malformed) {
    if (request.length > 1 << 20) continue;  // the server refuses it before the protocol is reached
    assert.ok((await compare(request)).error, request.slice(0, 60));
  }
  const { json } = taken(page.ask(malformed.find((each) => each.length > 1 << 20)));
  assert.match(json.error.message, /at most 1048576/);
});
