// A training run in the browser, while it learns and when it is done: its curves are its log, its heads are those
// of the log, and a watched sentence has at each report the weights that `limpid trace` prints of the stored one.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { faultsOf } from "./axe.mjs";
import { launch, limpid, pageAt, serve } from "./browser.mjs";
import { assertShown, json } from "./compare.mjs";

const problems = [];
const folder = mkdtempSync(join(tmpdir(), "limpid-training-"));
const at = (name) => join(folder, name);
const recipe = (more) => JSON.stringify({
  network: { network: "gpt", layers: 2, heads: 2, width: 16, context: 16 }, data: ["text.txt"], validation: 0.2, context: 8, steps: 60, epoch: 10, ...more });
let browser;

before(async () => {
  writeFileSync(at("text.txt"), "Life is short and art is long. Time is money and money is time.\n".repeat(40));
  writeFileSync(at("done.json"), recipe({ watch: ["art is long", "time is money"] }));
  writeFileSync(at("plain.json"), recipe({ steps: 10 }));
  writeFileSync(at("long.json"), recipe({ steps: 100000, epoch: 200, watch: ["art is long"] }));
  for (const name of ["done", "plain"]) execFileSync(limpid, ["train", at(`${name}.json`), "-o", at(name)]);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

const reportsOf = (name) => readFileSync(at(`${name}/log.jsonl`), "utf8").trim().split("\n").map((line) => JSON.parse(line));

test("a run that is done: its curves, its heads, its sentences, its model", async () => {
  const server = await serve(at("done"));
  const page = await pageAt(browser, server.address, problems);
  const reports = reportsOf("done");
  await page.waitForSelector(".views .view");
  assert.equal(await page.inputValue(".sentence"), "art is long");
  await page.getByRole("button", { name: "Training", exact: true }).click();
  await page.waitForSelector(".chart");
  assert.deepEqual(await faultsOf(page), []);
  assert.equal(await page.textContent(".run-state"), "finished");
  assert.equal(await page.textContent(".run-step"), "step 60 of 60");
  const legend = await page.$$eval(".chart-legend b", (all) => all.map((each) => each.textContent));
  const last = reports.at(-1);
  [last.loss, last.validation, last.accuracy].forEach((value, i) => assertShown(legend[i], value, `curve ${i}`));

  await page.click(".numbers summary");
  const rows = await page.$$eval(".reports-table tbody tr", (all) => all.map((row) => [...row.querySelectorAll("td")].map((each) => each.textContent)));
  assert.equal(rows.length, reports.length);
  reports.forEach((report, i) => ["epoch", "step", "loss", "validation", "accuracy"].forEach((name, k) => assertShown(rows[i][k], report[name], `${name} of report ${i}`)));
  assert.ok((await page.textContent(".observations")).includes(last.observation));

  const first = [];
  for (const report of reports)
    for (const head of report.heads ?? [])
      if (head.kind !== "mixed" && !first.some((each) => each.layer === head.layer && each.head === head.head && each.kind === head.kind)) first.push({ ...head, step: report.step });
  const named = await page.$$eval(".named-heads li", (all) => all.map((each) => [each.dataset.kind, Number(each.dataset.step)]));
  assert.deepEqual(named, first.map((each) => [each.kind, each.step]));

  const slider = page.locator('.watched input[type="range"]');
  assert.equal(await slider.getAttribute("max"), String(reports.length - 1));
  for (const place of [reports.length - 1, 0, 3]) {
    await slider.fill(String(place));
    await page.waitForFunction((step) => document.querySelector(".report-step").textContent === `step ${step}`, reports[place].step);
    await compareCell(page, reports[place].step, 0, "blocks.0.attn", 0);
  }
  await page.locator(".watched-maps .head-card").nth(3).click();
  await page.selectOption(".watched select", "1");
  await page.waitForFunction(() => document.querySelector(".watched select").value === "1" && /Head 1/.test(document.querySelector(".watched-one h3").textContent));
  await compareCell(page, reports[3].step, 1, "blocks.1.attn", 1);

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "svg", exact: true }).click()]);
  assert.match(readFileSync(await download.path(), "utf8"), /Training of done/);

  const other = await pageAt(browser, page.url(), problems);
  await other.waitForSelector(".watched-one");
  assert.equal(await other.textContent(".report-step"), `step ${reports[3].step}`);
  assert.equal(await other.textContent(".watched-one h3"), await page.textContent(".watched-one h3"));
  await other.context().close();

  // What the other views open is the run's model.
  await page.getByRole("button", { name: "Flow", exact: true }).click();
  await page.waitForSelector(".bars tbody tr");
  const probabilities = json("trace", "art is long", "--model", at("done/model.safetensors")).values.probs.data[0].at(-1);
  for (const [id, shown] of await page.$$eval(".bars tbody tr", (all) => all.slice(0, 4).map((row) => [Number(row.dataset.id), row.querySelector(".now.number").textContent])))
    assertShown(shown, probabilities[id], `probability of ${id}`);
  await page.context().close();
  server.end();
});

// The cell in the middle of the last row, pointed at.
async function compareCell(page, step, text, attention, head) {
  const trace = json("trace", at(`done/watched/${step}-${text}.safetensors`));
  const weights = trace.values[`${attention}.pattern`].data[0][head];
  const row = weights.length - 1, key = Math.floor(row / 2);
  const grid = page.locator(".watched-one .grid");
  await page.mouse.move(2, 2);
  const box = await grid.boundingBox();
  await grid.hover({ position: { x: ((key + 0.5) * box.width) / weights.length, y: box.height * (1 - 0.5 / weights.length) } });
  const shown = await page.textContent(".pair-shown");
  assert.ok(shown.startsWith(`${trace.tokens[row].label} → ${trace.tokens[key].label}: `), shown);
  assertShown(shown.split(": ").at(-1), weights[row][key], `step ${step}, the weight`);
}

test("a run without watched sentences says so", async () => {
  const server = await serve(at("plain"));
  const page = await pageAt(browser, server.address + "#view=%22training%22", problems);
  await page.waitForSelector(".chart");
  assert.match(await page.textContent(".training"), /This run watches no sentence/);
  await page.context().close();
  server.end();
});

test("a run that goes on is seen to go on, and its model can be opened as it is", async () => {
  const training = spawn(limpid, ["train", at("long.json"), "-o", at("long"), "--json"]);
  const ended = new Promise((done) => training.on("exit", done));
  await new Promise((begun) => { let lines = 0; training.stdout.on("data", (bytes) => { lines += String(bytes).split("\n").length - 1; if (lines >= 2) begun(); }); });
  const server = await serve("time is money", "--run", at("long"));
  const page = await pageAt(browser, server.address + "#view=%22training%22", problems);
  await page.waitForSelector(".chart");
  assert.equal(await page.textContent(".run-state"), "running");
  const step = async () => Number(/step ([\d,]+) of/.exec(await page.textContent(".run-step"))[1].replaceAll(",", ""));
  const before = await step();
  await page.waitForFunction((before) => Number(/step ([\d,]+) of/.exec(document.querySelector(".run-step").textContent)[1].replaceAll(",", "")) > before, before, { timeout: 60000 });
  const title = () => page.evaluate(async () => {
    const bytes = await (await fetch("ask", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"ask":"tokens"}' })).arrayBuffer();
    const length = Number(new DataView(bytes).getBigUint64(0, true));
    return JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length))).model.title;
  });
  const opening = await title();
  assert.match(opening, /after step \d+/);
  await page.getByRole("button", { name: "Open the model as it is now" }).click();
  await page.waitForTimeout(1500);
  assert.notEqual(await title(), opening);
  assert.equal(await page.locator(".error:visible").count(), 0);
  training.kill("SIGINT");
  await ended;
  await page.context().close();
  server.end();
});

test("a sentence without a run has no training view", async () => {
  const server = await serve("Life is short");
  const page = await pageAt(browser, server.address + "#view=%22training%22", problems);
  await page.waitForSelector(".tokens li");
  assert.equal(await page.getByRole("button", { name: "Training", exact: true }).count(), 0);
  await page.context().close();
  server.end();
});

test("on a phone, in German and dark, it does not scroll sideways", async () => {
  const server = await serve(at("done"));
  const phone = await pageAt(browser, server.address + "#view=%22training%22", problems, { viewport: { width: 390, height: 844 }, locale: "de-DE", colorScheme: "dark" });
  await phone.waitForSelector(".watched-one .grid");
  assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  assert.deepEqual(await faultsOf(phone), []);
  assert.equal(await phone.locator('.observations [lang="en"]').count(), 0, "what the run said is said in German");
  assert.match(await phone.textContent(".observations"), /fiel um|stieg um|vor dem Lernen|besser|schlechter|unverändert/);
  await phone.context().close();
  server.end();
});

test("nothing went wrong that nobody saw", () => assert.deepEqual(problems, []));
