// An encoder-decoder in the flow: both texts, and every number of both sides and of the attention of the one to the
// other found in the trace.  The model is a tiny Marian (LIMPID_DATA: conformance/families/marian) with a tokenizer made here.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { ask, launch, pageAt, serve, settled } from "./browser.mjs";
import { Truth } from "./truth.mjs";
import { walk } from "./walk.mjs";
import { noPair as skip, pairModel, readSentence as sentence } from "./worlds.mjs";

let server, browser, page, truth, model;
const problems = [];

before(async () => {
  if (skip) return;
  model = pairModel();
  server = await serve(sentence, "--model", model);
  browser = await launch();
  page = await pageAt(browser, server.address, problems);
  truth = new Truth([sentence, "--model", model], { address: server.asked });
});

after(async () => {
  await browser?.close();
  server?.end();
  if (model) rmSync(model, { recursive: true });
});

async function opened(block, fields = {}) {
  const hash = new URLSearchParams(Object.entries({ block, ...fields }).map(([key, value]) => [key, JSON.stringify(value)]));
  await page.goto("about:blank");
  await page.goto(`${server.address}#${hash}`);
  await page.waitForSelector(".open-block");
  await settled(page);
}
const texts = () => page.$$eval(".column.tokens", (all) => all.map((each) => [...each.querySelectorAll(".token-word")].map((word) => word.textContent)));

test("both texts stand in the flow, and the encoder's block shows what is read", { skip }, async () => {
  await opened("encoder.blocks.0");
  const [read, written] = await texts();
  assert.deepEqual(read, sentence.split(" "));
  assert.deepEqual(written, truth.about.tokens.map(({ label }) => label).slice(0, written.length));
  assert.ok(await page.locator('.grid[data-name="encoder.blocks.0.attn.pattern"]').count());
  assert.deepEqual((await walk(page, truth)).slice(0, 5), []);
});

test("a decoder's block shows its own attention and that to what was read", { skip }, async () => {
  await opened("blocks.0");
  for (const name of ["blocks.0.attn.pattern", "blocks.0.cross_attn.pattern"]) assert.equal(await page.locator(`.grid[data-name="${name}"]`).count(), 1, name);
  const words = await page.$$eval('.attention .labels-top > span', (all) => all.map((each) => each.title));
  assert.deepEqual(words, sentence.split(" "));
  assert.deepEqual((await walk(page, truth)).slice(0, 5), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
});

test("the attention to what was read opens in place, and explains its cells", { skip }, async () => {
  await opened("blocks.1", { attention: "blocks.1.cross_attn", head: 2, cell: "blocks.1.cross_attn.pattern[0,2,1,3]" });
  await page.waitForSelector(".steps .grid");
  await page.waitForSelector("[data-explained]");
  await settled(page);
  assert.deepEqual((await walk(page, truth)).slice(0, 5), []);
  assert.match(await page.textContent(".places"), /w6/);
});

test("numbers of another text's encoder are put in, at a word that is read", { skip }, async () => {
  const name = "encoder.blocks.0.resid_post", other = "w9 w8 w7 w6 w5";
  await opened("encoder.blocks.0", { cell: `${name}[0,1,0]` });
  await page.getByRole("button", { name: "Put in from another text" }).click();
  const dialog = page.getByRole("dialog");
  assert.deepEqual(await dialog.getByLabel("At the token", { exact: true }).locator("option").allTextContents(), sentence.split(" ").map((word, i) => `${i} ${word}`));
  await dialog.getByLabel("The other text", { exact: true }).fill(other);
  await dialog.getByLabel("From its token number", { exact: true }).fill("3");
  await dialog.getByRole("button", { name: "Put in", exact: true }).click();
  await page.waitForSelector(".bars.compared");
  await settled(page);
  assert.match(await page.textContent(".edit"), /encoder\.blocks\.0\.resid_post of w4: as at token 3 of “w9 w8 w7 w6 w5”/);
  const from = new Truth([other, "--model", model]).cell(name, [0, 3, 0]);
  const { arrays } = await ask(server.asked, { ask: "window", name, from: [0, 1, 0], size: [1, 1, 1] });
  assert.equal(arrays.numbers[0], from);
  assert.notEqual(from, truth.cell(name, [0, 1, 0]));
  await page.getByRole("button", { name: "Undo all" }).click();
  await page.waitForSelector(".edit", { state: "detached" });
});

test("nothing went wrong that nobody saw", { skip }, () => assert.deepEqual(problems, []));
