// A training run in the browser, while it learns and when it is done: its curves are its log, its heads are those
// of the log, and a watched sentence has at each report the weights that `limpid trace` prints of the stored one.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { faultsOf } from "./axe.mjs";
import { launch, limpid, pageAt, serve, settled } from "./browser.mjs";
import { assertShown, json } from "./compare.mjs";
import { RunTruth } from "./truth.mjs";
import { walk } from "./walk.mjs";

const problems = [];
const folder = mkdtempSync(join(tmpdir(), "limpid-training-"));
const at = (name) => join(folder, name);
const recipe = (more) => JSON.stringify({
  network: { network: "gpt", layers: 2, heads: 2, width: 16, context: 16 }, data: ["text.txt"], validation: 0.2, context: 8, steps: 60, epoch: 10, ...more });
const reportsOf = (name) => readFileSync(at(`${name}/log.jsonl`), "utf8").trim().split("\n").map((line) => JSON.parse(line));
let browser;

before(async () => {
  writeFileSync(at("text.txt"), "Life is short and art is long. Time is money and money is time.\n".repeat(40));
  writeFileSync(at("done.json"), recipe({ watch: ["art is long", "time is money"] }));
  writeFileSync(at("plain.json"), recipe({ steps: 10 }));
  writeFileSync(at("long.json"), recipe({ steps: 100000, epoch: 200, watch: ["art is long"] }));
  for (const name of ["done", "plain"]) execFileSync(limpid, ["train", at(`${name}.json`), "-o", at(name)]);
  // So short a run has no head of a kind: of this copy the log names one.
  cpSync(at("done"), at("named"), { recursive: true });
  writeFileSync(at("named/log.jsonl"), reportsOf("done").map((report, i) => { if (i >= 3) report.heads[1].kind = "previous"; return JSON.stringify(report) + "\n"; }).join(""));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

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
  await settled(page);
  await page.mouse.move(2, 2);
  const box = await grid.boundingBox();
  await grid.hover({ position: { x: ((key + 0.5) * box.width) / weights.length, y: box.height * (1 - 0.5 / weights.length) } });
  const shown = await page.textContent(".pair-shown");
  assert.ok(shown.startsWith(`${trace.tokens[row].label} → ${trace.tokens[key].label}: `), shown);
  assertShown(shown.split(": ").at(-1), weights[row][key], `step ${step}, the weight`);
}

async function walked(page, truth, counts) {
  await settled(page);
  assert.deepEqual((await walk(page, truth, counts)).slice(0, 8), []);
}

// Where the points of a curve lie: across as their steps, up as their numbers, the largest at the upper line and the smallest at the lower.
async function assertCurves(page, reports) {
  const charts = await page.$$eval("svg.chart", (all) => all.map((chart) => ({
    lines: [...chart.querySelectorAll(".chart-axis")].map((line) => Number(line.getAttribute("y1"))), left: Number(chart.querySelector(".chart-axis").getAttribute("x1")), right: Number(chart.querySelector(".chart-axis").getAttribute("x2")),
    curves: [...chart.querySelectorAll("path.chart-line")].map((path) => [...path.getAttribute("d").matchAll(/([\d.]+),([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)])),
  })));
  assert.deepEqual(charts.map(({ curves }) => curves.length), [2, 1]);
  for (const [chart, names] of [[charts[0], ["loss", "validation"]], [charts[1], ["accuracy"]]]) {
    const all = names.flatMap((name) => reports.map((each) => each[name])), [low, high] = [Math.min(...all), Math.max(...all)];
    const [top, bottom] = [Math.min(...chart.lines), Math.max(...chart.lines)], steps = reports.map((each) => each.step);
    names.forEach((name, c) => {
      assert.equal(chart.curves[c].length, reports.length);
      chart.curves[c].forEach(([x, y], i) => {
        const wanted = [chart.left + ((steps[i] - steps[0]) / (steps.at(-1) - steps[0])) * (chart.right - chart.left), bottom - ((reports[i][name] - low) / (high - low)) * (bottom - top)];
        assert.ok(Math.abs(x - wanted[0]) < 0.2 && Math.abs(y - wanted[1]) < 0.2, `${name} of report ${i} is drawn at ${x},${y}, expected ${wanted}`);
      });
    });
  }
}

for (const locale of ["en-US", "de-DE"])
  test(`every number of a training run is found in its log and its traces (${locale})`, async () => {
    const server = await serve(at("named"));
    const page = await pageAt(browser, server.address + "#view=%22training%22&learned=%5B0,1%5D", problems, { locale });
    const truth = new RunTruth(at("named")), counts = {}, { reports } = truth;
    await page.waitForSelector(".watched-one .grid");
    await walked(page, truth, counts);
    await assertCurves(page, reports);
    await page.click(".numbers summary");
    await walked(page, truth, counts);
    const slider = page.locator('.watched input[type="range"]');
    for (const [place, text] of [[0, "0"], [reports.length - 2, "1"]]) {
      await page.selectOption(".watched select", text);
      await slider.fill(String(place));
      await page.waitForFunction((step) => document.querySelector(".report-step").textContent.endsWith(` ${step}`), reports[place].step);
      await page.locator(".watched-one .grid").hover({ position: { x: 20, y: 40 } });
      await page.waitForSelector(".pair-shown [data-from]");
      await walked(page, truth, counts);
    }
    const last = reports.length - 1, told = await page.getAttribute(".pair-shown [data-from]", "data-from");
    const sentence = await page.getAttribute(".observations [data-from]", "data-from");
    const heads = await page.$$eval(".named-heads [data-from]", (all) => all.map((each) => each.dataset.from));
    const changes = [[`log:${last}.loss`, (value) => value + 0.001], [`log:1.validation`, (value) => value + 0.001], [`log:2.accuracy`, (value) => value + 0.001], [told, (value) => value + 0.01],
      [sentence, (value) => value.replace(/\d/, (digit) => (Number(digit) + 1) % 10)], [heads[0], (value) => value + 0.001]];
    for (const [from, change] of changes) {
      const wrong = (await walk(page, truth.changed(from, change))).filter(({ where }) => where !== "aria-label");  // of all numbers of a chart
      assert.deepEqual([...new Set(wrong.map((each) => each.from))], [from], `${from} was changed`);
    }
    console.log(`numbers walked: ${JSON.stringify(counts)}`);
    assert.equal(heads.length, 1);
    assert.match(await page.textContent(".watched-one .hint"), /\d\.\d/);
    assert.ok(counts.numbers > 80 && counts.cells > 500 && counts.lines >= 4 * 3 * reports.length, JSON.stringify(counts));
    await page.context().close();
    server.end();
  });

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
  await page.waitForFunction(() => document.querySelector(".run-state").textContent === "stopped");
  const told = await page.textContent(".go-on");
  assert.equal(told.replace(/step [\d,]+\./, "step N."), `It was stopped at step N. It goes on with limpid train ${at("long.json")} -o ${at("long")} --resume`);
  assert.ok(Number(/step ([\d,]+)/.exec(told)[1].replaceAll(",", "")) >= before);
  assert.deepEqual((await walk(page, new RunTruth(at("long")))).slice(0, 4), []);
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
