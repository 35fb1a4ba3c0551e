// Law 1 over a tour of all views: every number in the page's elements and on its canvases is found in the trace of
// the same run, written alike by the page's own formatter; with one cell of the trace changed, the walk says so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, pageAt, serve, settled } from "./browser.mjs";
import { Truth } from "./truth.mjs";
import { walk } from "./walk.mjs";

const sentence = "Time is money";
let server, browser, page, plain;
const problems = [], counts = {};

before(async () => {
  server = await serve(sentence);
  browser = await launch();
  page = await pageAt(browser, server.address, problems);
  await page.waitForSelector(".open-attention");
  plain = new Truth([sentence], { address: server.asked });
});

after(async () => {
  await browser?.close();
  server?.end();
});

async function walked(truth = plain) {
  await settled(page);
  const wrong = await walk(page, truth, counts);
  assert.deepEqual(wrong.slice(0, 12), [], `${wrong.length} numbers of the page are not in the trace`);
}
const view = async (name) => page.getByRole("navigation", { name: "Views" }).getByRole("button", { name, exact: true }).click();
const click = async (name) => page.getByRole("button", { name, exact: true }).first().click();
async function undo() {
  await page.click(".edit-list .link");
  await page.waitForSelector(".edit", { state: "detached" });
}

test("the flow", () => walked());

test("every column of a block, opened", async () => {
  for (let i = 0; i < 12; ++i) {
    const bar = page.locator(".bar[aria-expanded=false]").first();
    if (!(await bar.count())) break;
    await bar.click();
    await settled(page);
  }
  await walked();
});

test("attention, opened in place, of two blocks and heads", async () => {
  await page.click(".open-attention");
  await page.waitForSelector(".steps .grid");
  await walked();
  await page.selectOption(".block-title select", "3");
  await walked();
  await click("Block 1");
  await walked();
});

test("one cell of the trace that is changed is what the walk reports, and nothing else", async () => {
  for (const [name, index] of [["blocks.1.attn.pattern", [0, 3, 2, 1]], ["blocks.1.attn.rot_q", [0, 2, 3, 5]], ["blocks.1.attn.v", [0, 1, 3, 17]]]) {
    const wrong = await walk(page, plain.changed(name, index, (value) => value + 0.25));
    assert.ok(wrong.length >= 1, `${name}[${index}] was changed, and nothing was reported`);
    assert.deepEqual([...new Set(wrong.map((each) => each.from))], [`${name}[${index}]`]);
  }
  const shown = await page.$eval(".now [data-from]", (each) => each.dataset.from);
  const place = shown.match(/\d+/g).map(Number);
  const wrong = await walk(page, plain.changed("probs", place, (value) => value + 0.001));
  assert.deepEqual([...new Set(wrong.map((each) => each.from))], [shown]);
});

test("a number without a mark is reported, and one under a wrong one", async () => {
  await page.evaluate(() => document.querySelector("main").append(Object.assign(document.createElement("p"), { id: "stray", textContent: "0.1234" })));
  assert.deepEqual((await walk(page, plain)).map((each) => each.from), ["unmarked"]);
  await page.evaluate(() => { document.getElementById("stray").dataset.label = "count"; });
  assert.deepEqual((await walk(page, plain)).map((each) => each.from), ["label count"]);
  await page.evaluate(() => { const stray = document.getElementById("stray"); delete stray.dataset.label; stray.dataset.from = "embed[0,0,0]"; });
  assert.deepEqual((await walk(page, plain)).map((each) => each.from), ["embed[0,0,0]"]);
  await page.evaluate(() => document.getElementById("stray").remove());
});

const cells = ["embed[0,2,7]", "blocks.0.ln1.normalized[0,1,4]", "blocks.0.attn.q[0,2,1,5]", "blocks.0.attn.rot_q[0,3,0,2]", "blocks.0.attn.raw_scores[0,3,3,1]", "blocks.0.attn.scaled_scores[0,3,3,1]",
  "blocks.0.attn.scores[0,0,1,3]", "blocks.1.attn.pattern[0,3,2,1]", "blocks.1.attn.z[0,3,3,8]", "blocks.1.attn_out[0,3,100]", "blocks.1.resid_mid[0,2,9]", "blocks.1.mlp.pre[0,1,70]", "blocks.1.mlp.post[0,1,70]",
  "ln_final.normalized[0,3,4]", "logits[0,3,44]", "probs[0,3,44]", "blocks.0.attn.W_Q[3,1,2]"];
for (const cell of cells)
  test(`the arithmetic of ${cell}`, async () => {
    const fields = new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
    fields.set("cell", JSON.stringify(cell));
    await page.evaluate((hash) => { location.hash = hash; }, fields.toString());
    await page.waitForFunction((cell) => document.querySelector("[data-explained]")?.dataset.explained === cell, cell);
    await walked();
    const all = page.getByRole("button", { name: "Show all", exact: true });
    if (await all.count()) { await all.first().click(); await walked(); }
  });

test("heads: all of them, one large, in both scales, with and without the first token", async () => {
  await page.locator(".explain").getByRole("button", { name: "Close", exact: true }).click();
  await view("Heads");
  await page.waitForSelector('.head-card .kind:not(:empty)');
  await walked();
  for (const button of ["logarithmic", "left out"]) { await click(button); await walked(); }
  await page.click('[data-head="blocks.1.attn 3"]');
  await walked();
  await click("linear");
  await click("shown");
  await settled(page);
});

test("why: lens, attribution and the sources of a score", async () => {
  await view("Why");
  await page.waitForSelector(".source-parts");
  await walked();
  await click("Show all");
  await page.locator(".source-parts .grid").hover({ position: { x: 30, y: 50 } });
  await walked();
  await page.locator("label.choice", { hasText: /^Query/ }).locator("select").selectOption("2");
  await walked();
});

test("the map, from the whole to single cells", async () => {
  await view("Map");
  await page.waitForSelector(".map-surface");
  await page.locator(".map-surface").hover({ position: { x: 100, y: 300 } });
  await walked();
  await click("Zoom in");
  await page.waitForTimeout(100);
  await walked();
  await click("Whole map");
});

test("what if: a head off, an edge cut, before and after", async () => {
  await view("Flow");
  await page.waitForSelector(".steps .grid");
  const edits = ["blocks.1.attn.z[H=3]=zero"];
  await page.click(".switch");
  await page.waitForSelector(".bars.compared");
  const edited = new Truth([sentence], { edits, unedited: plain, address: server.asked });
  await walked(edited);
  const grid = page.locator('.grid[data-name="blocks.1.attn.pattern"]');
  await grid.focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
  await page.getByRole("button", { name: "Cut this edge" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".edit").length === 2);
  const both = new Truth([sentence], { edits: [...edits, "blocks.1.attn.pattern[H=3]=cut:2>1"], unedited: plain, address: server.asked });
  await walked(both);
  const wrong = await walk(page, edited);
  assert.ok(wrong.length > 0, "a run with other edits is told apart");
  await page.locator(".explain").getByRole("button", { name: "Close", exact: true }).click();
  await undo();
});

test("a token swapped, and what was expected in its place", async () => {
  await page.locator(".token").nth(2).click();
  await page.waitForSelector(".swap-choice");
  await walked();
  const ids = await page.$$eval(".token-id", (all) => all.map((each) => Number(each.textContent)));
  await page.locator(".swap-choice:not([disabled])").first().click();
  await page.waitForSelector(".bars.compared");
  await settled(page);
  const now = await page.$$eval(".token-id", (all) => all.map((each) => Number(each.textContent)));
  assert.notDeepEqual(now, ids);
  await walked(new Truth(["--tokens", now.join(",")], { unedited: plain, address: server.asked }));
  await undo();
});

test("a temperature, top-k and top-p", async () => {
  await page.evaluate(() => { document.querySelector(".settings").open = true; });
  const slide = (name, value) => page.getByRole("slider", { name }).fill(String(value));
  await slide("Temperature", 0.7);
  await walked(new Truth([sentence], { settings: { temperature: 0.7 }, address: server.asked }));
  await slide("Top-k", 7);
  await slide("Top-p", 0.8);
  await walked(new Truth([sentence], { settings: { temperature: 0.7, topK: 7, topP: 0.8 }, address: server.asked }));
  for (const [name, value] of [["Temperature", 1], ["Top-k", 0], ["Top-p", 1]]) await slide(name, value);
});

test("the text as it grows", async () => {
  for (let i = 0; i < 2; ++i) {
    const count = await page.locator(".tokens li").count();
    await page.click(".write .main");
    await page.waitForFunction((count) => document.querySelectorAll(".tokens li").length === count + 1, count);
    const ids = await page.$$eval(".token-id", (all) => all.map((each) => Number(each.textContent)));
    await walked(new Truth(["--tokens", ids.join(",")], { address: server.asked }));
  }
});

test("the tour has seen the page", () => {
  console.log(`numbers walked: ${JSON.stringify(counts)}`);
  assert.ok(counts.numbers > 1000 && counts.cells > 30000 && counts.pixels > 2000 && counts.lines > 20 && counts.bars > 400, JSON.stringify(counts));
  assert.deepEqual(problems, []);
});
