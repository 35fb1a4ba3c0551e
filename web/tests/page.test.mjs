// The served page, as a person uses it, beside what the command prints: every number that the page explains is
// the number of `limpid explain`, and a run with a head off is that of `limpid trace --edit`.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { launch, limpid, pageAt, serve } from "./browser.mjs";

const sentence = "Time is money";
let server, browser, page, address;
const problems = [];

before(async () => {
  server = await serve("Life is short");
  address = server.address;
  browser = await launch();
  page = await pageAt(browser, address, problems);
  await page.waitForSelector(".open-attention");
});

after(async () => {
  await browser?.close();
  server?.end();
});

function explained(cell, ...more) {
  return JSON.parse(execFileSync(limpid, ["explain", cell, "--text", sentence, "--json", ...more], { maxBuffer: 1 << 28 }))[0];
}

// The page's own writing of a number, undone.
const read = (text) => (text.includes("∞") ? (text.includes("−") ? -Infinity : Infinity) : Number(text.replaceAll("−", "-")));
const given = (value) => (value === "-inf" ? -Infinity : value === "inf" ? Infinity : value);

function assertShown(text, value, what) {
  if (!Number.isFinite(given(value))) return assert.equal(read(text), given(value), what);
  const digits = text.includes("e") ? Math.abs(value) * 0.06 : 0.5 * 10 ** -(text.split(".")[1] ?? "").length;
  assert.ok(Math.abs(read(text) - value) <= digits * 1.001 + 1e-12, `${what}: the page says ${text}, the command ${value}`);
}

async function nextTokens() {
  return page.$$eval(".bars tbody tr", (rows) => rows.map((row) => ({ id: Number(row.dataset.id), now: row.querySelector(".now.number").textContent, before: row.querySelector(".before.number")?.textContent })));
}

test("a sentence that is typed has its next tokens", async () => {
  await page.fill(".sentence", "Time is");
  await page.fill(".sentence", sentence);
  await page.waitForFunction(() => document.querySelector(".next-after")?.textContent.includes("·money") || document.querySelector(".next-after")?.textContent.includes("ney"));
  const rows = await nextTokens();
  assert.equal(rows.length, 10);
  for (const { id, now } of rows.slice(0, 4)) assertShown(now, explained(`probs[T=-1,V=${id}]`).value, `probability of ${id}`);
});

test("attention opens in place", async () => {
  await page.click(".open-attention");
  await page.waitForSelector(".steps .grid");
  const steps = await page.$$eval(".step figcaption b", (titles) => titles.map((title) => title.textContent));
  assert.deepEqual(steps, ["Dot Product", "Scale", "Mask", "Softmax", "Weighted Sum"]);
});

const opened = ["attn.raw_scores", "attn.scaled_scores", "attn.scores", "attn.pattern", "attn.z", "attn.rot_q", "attn.rot_k", "attn.v"];
const others = ["embed", "blocks.0.attn.joined", "blocks.0.resid_mid", "blocks.0.mlp.post", "blocks.0.resid_post"];

async function hoverAndCompare(name) {
  const grid = page.locator(`.grid[data-name="${name}"]`);
  const box = await grid.boundingBox();
  await page.mouse.move(5, 5);
  await grid.scrollIntoViewIfNeeded();
  await grid.hover({ position: { x: box.width * 0.3, y: Math.min(box.height * 0.45, box.height - 4) } });
  await page.waitForFunction((name) => document.querySelector("[data-explained]")?.dataset.explained.startsWith(name + "["), name);
  const shown = await page.evaluate(() => ({
    cell: document.querySelector("[data-explained]").dataset.explained,
    value: document.querySelector("[data-explained]").textContent,
    result: document.querySelector(".formula .result")?.textContent,
    equation: document.querySelector(".equation")?.textContent,
    operands: [...document.querySelectorAll(".formula .operand-value")].map((each) => each.textContent),
    terms: [...document.querySelectorAll(".term-value")].map((each) => each.textContent),
  }));
  const why = explained(shown.cell);
  assertShown(shown.value, why.value, shown.cell);
  assertShown(shown.result, why.combined, `${shown.cell}, combined`);
  assert.equal(shown.equation, why.equation);
  const values = [];
  (function collect(tree) { values.push(given(tree.value)); (tree.of ?? []).forEach(collect); })(why.arithmetic);
  for (const text of [...shown.operands, ...shown.terms]) {
    const near = values.reduce((best, value) => (Math.abs(value - read(text)) < Math.abs(best - read(text)) || value === read(text) ? value : best));
    assertShown(text, near, `${shown.cell}, a term`);
  }
  assert.ok(shown.operands.length + shown.terms.length > 0, `${shown.cell} shows what it reads`);
}

for (const name of opened)
  test(`a cell of ${name} explains itself as limpid explain does`, () => hoverAndCompare(`blocks.0.${name}`));

test("other columns explain themselves too", async () => {
  await page.click('[aria-label="Close attention"]');
  for (const name of others) {
    await page.waitForSelector(`.grid[data-name="${name}"]`);
    await hoverAndCompare(name);
  }
});

test("with the keyboard a matrix is walked cell by cell", async () => {
  await page.mouse.move(5, 5);
  const grid = page.locator('.grid[data-name="blocks.0.attn.pattern"]');
  await grid.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector("[data-explained]")?.dataset.explained === "blocks.0.attn.pattern[0,0,2,1]");
  assert.match(decodeURIComponent(await page.evaluate(() => location.hash)), /pattern\[0,0,2,1\]/);
});

test("a head that is switched off gives what limpid trace --edit gives, and what was before", async () => {
  const edit = "blocks.0.attn.z[H=0]=zero";
  const unedited = await nextTokens();
  await page.click(".switch");
  await page.waitForSelector(".edit");
  await page.waitForSelector(".bars.compared");
  const rows = await nextTokens();
  const trace = JSON.parse(execFileSync(limpid, ["trace", sentence, "--edit", edit, "--json"], { maxBuffer: 1 << 28 }));
  const compared = rows.map((row) => ({ ...row, told: trace.before_after.next.find((each) => each.place === row.id) })).filter((row) => row.told);
  assert.ok(compared.length >= 3);
  for (const { id, now, before, told } of compared) {
    assertShown(now, told.after, `after, token ${id}`);
    assertShown(before, told.before, `before, token ${id}`);
  }
  assert.equal(rows.find((row) => row.id === unedited[0].id).before, unedited[0].now);
  await page.click(".edit-list .link");
  await page.waitForSelector(".edit", { state: "detached" });
});

test("an edge that is cut gives what limpid trace --edit gives", async () => {
  const edit = "blocks.0.attn.pattern[H=0]=cut:2>1";
  await page.waitForSelector(".bars:not(.compared)");
  await page.getByRole("button", { name: "Cut this edge" }).click();
  await page.waitForSelector(".bars.compared");
  const trace = JSON.parse(execFileSync(limpid, ["trace", sentence, "--edit", edit, "--json"], { maxBuffer: 1 << 28 }));
  const told = (await nextTokens()).map((row) => ({ ...row, told: trace.before_after.next.find((each) => each.place === row.id) })).filter((row) => row.told);
  assert.ok(told.length >= 3);
  for (const row of told) assertShown(row.now, row.told.after, `after, token ${row.id}`);
  await page.click(".edit-list .link");
  await page.waitForSelector(".edit", { state: "detached" });
});

test("a map is zoomed to single cells, which are exact", async () => {
  await page.getByRole("button", { name: "Map", exact: true }).click();
  const surface = page.locator(".map-surface");
  await surface.focus();
  for (let i = 0; i < 2; ++i) await page.keyboard.press("-");
  await page.waitForTimeout(800);
  const box = await surface.boundingBox();
  const count = await page.evaluate(() => Number(/\u2013(\d+)/.exec(document.querySelector(".map-facts").textContent)[1]) + 1);
  const middle = (place) => ((place + 0.5) / count) * box.width;
  await surface.hover({ position: { x: middle(1), y: middle(2) } });
  await page.waitForFunction(() => /^Query 2 /.test(document.querySelector(".map-view .pair-shown").textContent));
  const shown = await page.textContent(".map-view .pair-shown");
  assert.match(shown, /^Query 2 .*, Key 1 .*: /);
  assertShown(shown.split(": ").at(-1), explained("blocks.0.attn.pattern[0,0,2,1]").value, "the cell of the map");
});

test("a view is saved as its figure", async () => {
  for (const [view, format, begins] of [["Flow", "svg", "<svg"], ["Heads", "png", "\x89PNG"], ["Map", "pptx", "PK"]]) {
    await page.getByRole("button", { name: view, exact: true }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: format, exact: true }).click()]);
    assert.match(download.suggestedFilename(), new RegExp(`\\.${format}$`));
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("latin1");
    assert.ok(text.slice(0, 400).includes(begins), `${format} begins with ${begins}`);
  }
  await page.getByRole("button", { name: "Flow", exact: true }).click();
  await page.waitForSelector(".tokens li");
});

test("why: the lens ends with the run's own probability, and a score's parts are told", async () => {
  await page.getByRole("button", { name: "Why", exact: true }).click();
  await page.waitForSelector(".source-parts");
  const lens = JSON.parse(execFileSync(limpid, ["lens", sentence, "--json"], { maxBuffer: 1 << 26 }));
  const rows = await page.$$eval(".why .card:first-child tbody tr", (all) => all.map((row) => [...row.querySelectorAll("td.number")].map((each) => each.textContent)));
  assert.equal(rows.length, lens.layers.length);
  lens.layers.forEach((layer, i) => assertShown(rows[i][2], layer.probability, `lens, ${layer.name}`));
  await page.getByRole("button", { name: "Flow", exact: true }).click();
  await page.waitForSelector(".tokens li");
});

test("the next token is written, and taken back", async () => {
  await page.waitForSelector(".bars:not(.compared)");
  const first = (await nextTokens())[0].id;
  const given = await page.locator(".tokens li").count();
  await page.click(".write .main");
  await page.waitForFunction((count) => document.querySelectorAll(".tokens li").length === count + 1, given);
  const ids = await page.$$eval(".token-id", (all) => all.map((each) => Number(each.textContent)));
  assert.equal(ids.at(-1), first);
  const count = ids.length;
  await page.click('[aria-label="Take the last token away"]');
  await page.waitForFunction((count) => document.querySelectorAll(".tokens li").length === count - 1, count);
});

test("a link restores the view, on a narrow page too, in German and dark", async () => {
  const hash = await page.evaluate(() => location.hash);
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "de-DE", colorScheme: "dark" });
  const phone = await context.newPage();
  phone.setDefaultTimeout(20000);
  await phone.goto(address + hash);
  await phone.waitForSelector("[data-explained]");
  assert.equal(await phone.inputValue(".sentence"), sentence);
  assert.equal(await phone.getAttribute("html", "data-theme"), "dark");
  assert.equal(await phone.getAttribute("html", "lang"), "de");
  for (const view of ["Ablauf", "Köpfe"]) {
    await phone.getByRole("button", { name: view, exact: true }).click();
    await phone.waitForTimeout(1500);
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${view} does not scroll sideways`);
  }
  await context.close();
});

test("nothing went wrong that nobody saw", () => assert.deepEqual(problems, []));
