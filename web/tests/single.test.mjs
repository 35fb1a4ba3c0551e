// The page as one file, opened from file://, and models given to it (by the mouse: dropped.test.mjs).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { drop } from "./browser.mjs";

const limpid = process.env.LIMPID;
const place = mkdtempSync(join(tmpdir(), "limpid-single-"));
const file = join(place, "life.html"), edited = join(place, "edited.html");
const builtin = new URL("../../src/model/builtin.safetensors", import.meta.url).pathname;
const sentence = "Time is money", edit = "blocks.0.attn.z[H=2]=zero";
let browser;

before(async () => {
  execFileSync(limpid, ["explore", "Life is short", "--html", file]);
  execFileSync(limpid, ["explore", sentence, "--edit", edit, "--html", edited]);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});

after(async () => {
  await browser?.close();
  rmSync(place, { recursive: true });
});

// A page, and all that went wrong in it or left it.
async function opened(address, allowed = /^(file|data|blob):/) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-US" })).newPage();
  page.setDefaultTimeout(60000);
  page.problems = [];
  page.on("console", (message) => { if (message.type() === "error") page.problems.push(message.text()); });
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => { if (!allowed.test(request.url())) page.problems.push(`asked for ${request.url()}`); });
  await page.goto(address);
  await page.waitForSelector(".bars tbody tr");
  return page;
}

const rows = (page) => page.$$eval(".bars tbody tr", (all) => all.map((row) => ({ id: Number(row.dataset.id), now: row.querySelector(".now.number").textContent })));

function assertShown(text, value, what) {
  const shown = Number(text), digits = text.includes("e") ? Math.abs(value) * 0.06 : 0.5 * 10 ** -(text.split(".")[1] ?? "").length;
  assert.ok(Math.abs(shown - value) <= digits * 1.001 + 1e-6, `${what}: the page says ${text}, the command ${value}`);
}

test("the file is small, whole, and refers to nothing outside", () => {
  const size = statSync(file).size, bytes = readFileSync(file);
  console.log(`${size} bytes`);
  assert.ok(size < 6_000_000, `${size} bytes`);
  assert.ok(size - statSync(builtin).size < 1_300_000);
  const text = bytes.toString("latin1").replace(/<script type="application\/octet-stream"[^]*?<\/script>/g, "");
  assert.deepEqual([...new Set([...text.matchAll(/https?:\/\/[\w.]+/g)].map(([each]) => each))].filter((each) => each !== "http://www.w3.org"), []);
  assert.ok(!/<(link|script|img|iframe)\b[^>]*\b(src|href)="(?!data:)/.test(text));
  assert.ok(/^[\x00-\x7f]*$/.test(text), "all but the payloads is ASCII");
  assert.ok(bytes.toString("latin1").endsWith("</html>\n"));
});

// An engine that never begins: all that is shown came with the file.
test("the first view needs no engine, and its numbers are the command's", async () => {
  for (const [address, args] of [[file, ["Life is short"]], [edited, [sentence, "--edit", edit]]]) {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-US" })).newPage();
    await page.addInitScript(() => { Worker.prototype.postMessage = () => {}; });
    await page.goto(`file://${address}`);
    await page.waitForSelector(".bars tbody tr");
    await page.waitForSelector(".lane .grid");
    const trace = JSON.parse(execFileSync(limpid, ["trace", ...args, "--observe", "probs", "--json"], { maxBuffer: 1 << 28 }));
    const probabilities = trace.values.probs.data[0].at(-1);
    for (const { id, now } of await rows(page)) assertShown(now, probabilities[id], `token ${id}`);
    const grids = await page.$$eval(".lane .grid", (all) => all.map((each) => each.dataset.name));
    for (const name of ["embed", "blocks.0.attn.pattern", "blocks.0.attn.joined", "blocks.0.mlp.post", "blocks.0.resid_post"]) assert.ok(grids.includes(name), `${name} of ${grids}`);
    await page.context().close();
  }
});

test("it answers from file://, as the command does", async () => {
  const page = await opened(`file://${file}`);
  await page.fill(".sentence", sentence);
  await page.waitForFunction(() => document.querySelector(".next-after")?.textContent.includes("ney"));
  for (const { id, now } of (await rows(page)).slice(0, 4)) {
    const value = JSON.parse(execFileSync(limpid, ["explain", `probs[T=-1,V=${id}]`, "--text", sentence, "--json"], { maxBuffer: 1 << 28 }))[0].value;
    assertShown(now, value, `probability of ${id}`);
  }
  await page.click(".open-attention");
  await page.waitForSelector(".steps .grid");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("its edits are made when it opens", async () => {
  const page = await opened(`file://${edited}`);
  assert.equal(await page.inputValue(".sentence"), sentence);
  const trace = join(place, "edited.safetensors");
  execFileSync(limpid, ["trace", sentence, "--edit", edit, "--observe", "probs", "-o", trace], { stdio: "ignore" });
  const data = readFileSync(trace), size = Number(data.readBigUInt64LE(0)), header = JSON.parse(data.subarray(8, 8 + size));
  const { shape, data_offsets: [from] } = header.probs;
  const probability = (id) => data.readFloatLE(8 + size + from + 4 * ((shape[1] - 1) * shape[2] + id));
  for (const { id, now } of (await rows(page)).slice(0, 4)) assertShown(now, probability(id), `probability of ${id}`);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a damaged model is refused in the engine's words, and the page goes on", async () => {
  const page = await opened(`file://${file}`);
  const cut = join(place, "cut.safetensors");
  writeFileSync(cut, readFileSync(builtin).subarray(0, 100000));
  await drop(page, cut);
  await page.waitForSelector(".error:not([hidden])");
  const command = execFileSync("sh", ["-c", `"$0" trace a --model "$1" 2>&1 || true`, limpid, cut]).toString();
  const said = await page.textContent(".error");
  assert.ok(said.startsWith("cut.safetensors"), said);
  assert.ok(command.includes(said.slice("cut.safetensors".length).trim().slice(0, 40)), `${said} / ${command}`);
  await page.fill(".sentence", sentence);
  await page.waitForFunction(() => document.querySelector(".next-after")?.textContent.includes("ney"));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a folder's files that are chosen are one model, and give the probabilities that the command gives", async () => {
  const folder = join(place, "hub");
  execFileSync(limpid, ["export", "-o", folder], { stdio: "ignore" });
  const page = await opened(`file://${file}`);
  await page.setInputFiles(".give input", readdirSync(folder).map((name) => join(folder, name)));
  await page.waitForFunction(() => document.querySelector(".model select")?.value === "model");
  await page.fill(".sentence", sentence);
  await page.waitForFunction(() => document.querySelector(".next-after")?.textContent.includes("ney"));
  for (const { id, now } of (await rows(page)).slice(0, 4)) {
    const value = JSON.parse(execFileSync(limpid, ["explain", `probs[T=-1,V=${id}]`, "--model", folder, "--text", sentence, "--json"], { maxBuffer: 1 << 28 }))[0].value;
    assertShown(now, value, `probability of ${id}`);
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
