// A stored run in the page, served and as one file: every number is the trace's own (`limpid trace`, `limpid explain`),
// what it does not hold is said, and what asks its network is not offered.  And the textbook's network, live.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { drop, launch, limpid, pageAt, serve, settled } from "./browser.mjs";
import { Truth } from "./truth.mjs";
import { walk } from "./walk.mjs";

const sentence = "Life is short", textbook = ["--network", "textbook", "--seed", "7", "--mask", "causal"];
const builtin = new URL("../../src/model/builtin.safetensors", import.meta.url).pathname;
const place = mkdtempSync(join(tmpdir(), "limpid-stored-"));
const run = (...args) => execFileSync(limpid, args, { cwd: place, maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] });
let browser, truth;
const counts = {};

before(async () => {
  // By the reference arithmetic: a run that is not made again, so that it is shown as it was stored.
  run("trace", sentence, "--plain", "--params", "-o", "whole.safetensors");
  run("trace", sentence, "--plain", "--params", "-o", "whole.npz");
  run("trace", sentence, "--plain", "--observe", "*attn.pattern", "--observe", "blocks.*.resid_mid", "--observe", "embed:summary", "--observe", "probs", "-o", "part.safetensors");
  truth = new Truth([sentence, "--plain"]);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  rmSync(place, { recursive: true });
});

const view = (page, name) => page.getByRole("navigation", { name: "Views" }).getByRole("button", { name, exact: true }).click();
const views = (page) => page.$$eval(".views .view", (all) => all.map((each) => each.textContent));

async function walked(page, of = truth) {
  await settled(page);
  await page.waitForTimeout(250);  // an engine in the page is asked without requests
  const wrong = await walk(page, of, counts);
  assert.deepEqual(wrong.slice(0, 12), [], `${wrong.length} numbers of the page are not in the trace`);
}

async function assertReadOnly(page, file) {
  assert.equal(await page.inputValue(".sentence"), sentence);
  assert.equal(await page.getAttribute(".sentence", "readonly"), "");
  assert.ok((await page.textContent(".stored-note")).startsWith(`${file} is a stored run`));
  assert.deepEqual(await page.$$(".switch, .write, .token:not([disabled]), button.next-word"), []);
}

// The flow, attention in place, a cell's arithmetic, heads, map and lesson; and a question of the quiz.
async function tour(page) {
  await page.waitForSelector(".open-attention");
  await walked(page);
  await page.click(".open-attention");
  await page.waitForSelector(".steps .grid");
  await walked(page);
  await page.click(".bars .number");
  await page.waitForSelector("[data-explained]");
  await walked(page);
  assert.deepEqual(await page.$$(".explain header .button"), []);
  for (const [name, shows] of [["Heads", ".head-detail"], ["Map", ".map-surface"], ["Lesson", ".lesson-page"]]) {
    await view(page, name);
    await page.waitForSelector(shows);
    await walked(page);
  }
  await view(page, "Quiz");
  await page.click(".choice-button");
  await page.waitForSelector(".quiz-cells");
}

test("a stored run, served: its numbers, and nothing that asks the network", async () => {
  const problems = [], server = await serve(join(place, "whole.safetensors"));
  try {
    const page = await pageAt(browser, server.address, problems);
    await page.waitForSelector(".open-attention");
    assert.deepEqual(await views(page), ["Flow", "Heads", "Map", "Lesson", "Quiz"]);
    await assertReadOnly(page, "whole.safetensors");
    await tour(page);
    await view(page, "Flow");
    await page.selectOption(".model select", "built-in");
    await page.waitForSelector(".write");
    assert.equal(await page.getAttribute(".sentence", "readonly"), null);
    assert.equal((await page.$$(".stored-note")).length, 0);
    await page.selectOption(".model select", "whole.safetensors");
    await page.waitForSelector(".stored-note");
    await walked(page);
    assert.deepEqual(problems, []);
    await page.context().close();
  } finally {
    server.end();
  }
});

test("one number of the trace that is changed is what the walk reports", async () => {
  const server = await serve(join(place, "whole.npz"));
  try {
    const page = await pageAt(browser, server.address, []);
    await page.waitForSelector(".open-attention");
    await settled(page);
    const wrong = await walk(page, truth.changed("blocks.0.attn.v", [0, 1, 0, 3], (value) => value + 0.25));
    assert.deepEqual([...new Set(wrong.map((each) => each.from))], ["blocks.0.attn.v[0,1,0,3]"]);
    await page.context().close();
  } finally {
    server.end();
  }
});

test("what the trace does not hold is said, in both languages and widths", async () => {
  const problems = [], server = await serve(join(place, "part.safetensors"));
  try {
    for (const options of [{}, { viewport: { width: 390, height: 844 }, locale: "de-DE" }]) {
      const page = await pageAt(browser, server.address, problems, options);
      await page.waitForSelector(".open-attention");
      assert.deepEqual(await views(page), options.locale ? ["Ablauf", "Köpfe", "Karte"] : ["Flow", "Heads", "Map"]);
      const said = await page.$$eval(".bar.not-held", (all) => all.map((each) => each.textContent));
      assert.ok(said.some((each) => each.endsWith(options.locale ? ": nur eine Zusammenfassung gespeichert" : ": only a summary stored")), said);
      assert.ok(said.filter((each) => each.endsWith(options.locale ? ": nicht gespeichert" : ": not stored")).length > 4, said);
      await walked(page);
      await page.click(".open-attention");
      await page.waitForSelector(".steps .grid");
      assert.ok((await page.$$(".steps p.not-held")).length >= 2);
      await walked(page);
      await page.context().close();
    }
    assert.deepEqual(problems, []);
  } finally {
    server.end();
  }
});

test("one file with the trace in it: the same numbers, and a model that is dropped makes it live", async () => {
  run("explore", "whole.npz", "--html", "stored.html");
  const problems = [];
  const page = await pageAt(browser, `file://${join(place, "stored.html")}`, problems);
  page.setDefaultTimeout(60000);
  page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) problems.push(`asked for ${request.url()}`); });
  await page.waitForSelector(".open-attention");
  await assertReadOnly(page, "whole.npz");
  await tour(page);
  await view(page, "Flow");
  await drop(page, builtin);
  await page.waitForSelector(".write");
  assert.equal((await page.$$(".stored-note")).length, 0);
  assert.equal(await page.inputValue(".sentence"), sentence);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a stored run that is dropped is opened in the page; one that it cannot read is refused", async () => {
  const problems = [], server = await serve("Time is money");
  try {
    const page = await pageAt(browser, server.address, problems);
    page.setDefaultTimeout(60000);
    await page.waitForSelector(".open-attention");
    await drop(page, join(place, "whole.safetensors"));
    await page.waitForSelector(".stored-note");
    await assertReadOnly(page, "whole.safetensors");
    await walked(page);
    await drop(page, join(place, "whole.npz"));
    await page.waitForSelector(".error:not([hidden])");
    assert.match(await page.textContent(".error"), /whole\.npz.*\.npz/);
    assert.deepEqual(problems, []);
    await page.context().close();
  } finally {
    server.end();
  }
});

test("the textbook's network is made for each sentence, served and in one file", async () => {
  const problems = [], server = await serve(sentence, ...textbook);
  run("explore", sentence, ...textbook, "--html", "textbook.html");
  try {
    for (const address of [server.address, `file://${join(place, "textbook.html")}`]) {
      const page = await pageAt(browser, address, problems);
      page.setDefaultTimeout(60000);
      await page.waitForSelector(".open-attention");
      assert.deepEqual(await views(page), ["Flow", "Heads", "Map", "Lesson", "Quiz"]);
      for (const typed of [sentence, "a rose is a rose"]) {
        if (typed !== sentence) await page.fill(".sentence", typed);
        await page.waitForFunction((words) => [...document.querySelectorAll(".token-word")].map((each) => each.textContent).join(" ") === words, typed);
        await page.waitForFunction((words) => document.querySelectorAll(".bars tbody tr").length === words, typed.split(" ").length);
        const of = new Truth([typed, ...textbook]);
        await view(page, "Flow");
        await walked(page, of);
        await view(page, "Lesson");
        await page.waitForSelector(".lesson-page");
        await walked(page, of);
        await view(page, "Flow");
      }
      await page.context().close();
    }
    assert.deepEqual(problems, []);
  } finally {
    server.end();
  }
});
