// Images and series in the page: what is shown of them is what the network read, what is looked at is the trace's, and a
// drawing is predicted as the command predicts a file of the same pixels.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { faultsOf } from "./axe.mjs";
import { launch, limpid, pageAt, serve, settled } from "./browser.mjs";
import { image, imageModel, place, png, seriesModel } from "./made_models.mjs";
import { Truth } from "./truth.mjs";
import { walk } from "./walk.mjs";

const problems = [];
const pixels = image(16, 16, 1, (y, x) => (x < 8 ? 200 - 5 * y : (y * 16 + x) % 90));
let browser, model, file, servers = [];

before(async () => {
  browser = await launch();
  model = imageModel();
  file = png("given.png", pixels);
});
after(async () => {
  await browser?.close();
  servers.forEach((server) => server.end());
  rmSync(place, { recursive: true });
});

async function opened(args, hash = "", options = {}) {
  const server = await serve(...args);
  servers.push(server);
  const page = await pageAt(browser, `${server.address}${hash}`, problems, options);
  await page.waitForSelector(".open-block, .heads .head-card");
  await settled(page);
  return { page, server };
}
async function walked(page, truth) {
  await settled(page);
  const wrong = await walk(page, truth);
  assert.deepEqual(wrong.slice(0, 8), [], `${wrong.length} numbers of the page are not in the trace`);
}
const shown = (page) => page.$eval(".picture-stage .picture", (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: canvas.height }, (_, y) => Array.from({ length: canvas.width }, (_, x) => [...data.slice(4 * (y * canvas.width + x), 4 * (y * canvas.width + x) + 3)]));
});
const classes = (page) => page.$$eval(".next .bars tbody tr", (all) => all.map((row) => [row.querySelector(".next-word").textContent, row.querySelector(".now.number").textContent.replace("\u2212", "-")]));
function predicted(path, of = model) {
  const { classes } = JSON.parse(execFileSync(limpid, ["predict", path, "--model", of, "--json"]));
  return new Map(classes.map((each) => [each.class, each.probability]));
}
async function assertPredicts(page, path) {
  const truth = predicted(path);
  const rows = await classes(page);
  assert.equal(rows.length, truth.size);
  for (const [name, text] of rows) assert.ok(Math.abs(Number(text) - truth.get(name)) <= 6e-5 || Math.abs(Number(text) / truth.get(name) - 1) < 0.06, `${name}: ${text}, ${truth.get(name)}`);
}
const grey = (lines) => lines.map((line) => line.map(([red]) => [red]));

test("the image is drawn as the network read it, and each token shows its patch", async () => {
  const { page } = await opened([file, "--model", model], '#heat="off"');
  assert.deepEqual(grey(await shown(page)), pixels);
  const faces = await page.$$eval(".tokens .patch-face", (all) => all.map((canvas) => [...canvas.getContext("2d").getImageData(0, 0, 4, 4).data].filter((_, i) => i % 4 === 0)));
  assert.equal(faces.length, 16);
  faces.forEach((face, i) => assert.deepEqual(face, Array.from({ length: 16 }, (_, k) => pixels[4 * Math.floor(i / 4) + (k >> 2)][4 * (i % 4) + (k & 3)][0])));
  await assertPredicts(page, file);
  assert.equal(await page.locator(".sentence").isVisible(), false);
  await page.context().close();
});

test("every number and colour is the trace's: rolled out, of one head, of a query, in each view", async () => {
  const { page, server } = await opened([file, "--model", model]);
  const truth = new Truth([file, "--model", model], { address: server.asked, picture: pixels });
  await walked(page, truth);
  await page.click('[data-heat="head"]');
  await walked(page, truth);
  await page.selectOption(".block-title select", "1");
  await walked(page, truth);
  // A patch that is chosen in the image asks what it looks at.
  const box = await page.locator(".picture-stage").boundingBox();
  await page.mouse.click(box.x + box.width * 0.4, box.y + box.height * 0.6);
  await page.waitForSelector('.token[aria-pressed="true"]');
  assert.equal(await page.textContent('.token[aria-pressed="true"] .token-word'), "2,1");
  await walked(page, truth);
  const at = await page.$eval(".picture-stage .picture", (canvas) => canvas.painted.cells().filter(({ over }) => over).map(({ from, value }) => [from, value]));
  assert.equal(at.length, 16);
  for (const [from, value] of at) { assert.match(from, /^blocks\.0\.attn\.pattern\[0,1,10,\d+\]$/); assert.equal(value, (await truth.find(from)).value); }
  await page.click(".open-attention");
  await page.waitForSelector(".steps .grid");
  await walked(page, truth);
  const wrong = await walk(page, truth.changed("blocks.0.attn.pattern", [0, 1, 10, 5], (weight) => weight + 0.25));
  assert.ok(wrong.some(({ where }) => /canvas/.test(where)), "a weight that is changed is reported");
  await page.getByRole("navigation", { name: "Views" }).getByRole("button", { name: "Heads", exact: true }).click();
  await page.waitForSelector(".head-card .map.picture");
  await walked(page, truth);
  await page.getByRole("button", { name: "maps", exact: true }).click();
  await walked(page, truth);
  await page.context().close();
});

test("a pixel that is another than the network's is reported", async () => {
  const { page, server } = await opened([file, "--model", model], '#heat="off"');
  const other = structuredClone(pixels);
  other[5][9][0] ^= 1;
  const wrong = await walk(page, new Truth([file, "--model", model], { address: server.asked, picture: other }));
  assert.deepEqual([...new Set(wrong.map(({ from }) => from))], ["picture[5,9,0]"]);
  await page.context().close();
});

test("a cell that is pointed at rings its patches, and a patch its token", async () => {
  const { page } = await opened([file, "--model", model]);
  const over = () => page.$eval(".picture-stage .over", (canvas) => canvas.toDataURL());
  const plain = await over();
  await page.locator('.grid[data-name="blocks.0.attn.pattern"]').hover({ position: { x: 40, y: 30 } });
  assert.notEqual(await over(), plain);
  await page.locator(".picture-stage").hover({ position: { x: 10, y: 10 } });
  assert.equal(await page.textContent(".token.lit .token-word"), "0,0");
  await page.locator(".picture-stage").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.textContent(".token.lit .token-word"), "0,1");
  assert.match(await page.getAttribute(".picture-stage", "aria-description"), /patch 0,1 [\d.e−]+/);
  await page.keyboard.press("Enter");
  await page.waitForSelector('.token[aria-pressed="true"]');
  await page.context().close();
});

test("a drawing is predicted as the command predicts a file of its pixels, while it is drawn", async () => {
  const { page, server } = await opened(["--model", model]);  // a blank one
  assert.equal(await page.textContent(".input-name"), "a blank image");
  assert.ok((await page.$eval(".picture-stage .picture", (canvas) => canvas.painted.cells().filter(({ from }) => from.startsWith("picture")).map(({ value }) => value))).every((byte) => byte === 0));
  assert.equal(await page.getAttribute('[data-tool="draw"]', "aria-pressed"), "true");
  const before = await classes(page);
  const box = await page.locator(".picture-stage").boundingBox();
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.8, { steps: 5 });
  await page.waitForFunction((before) => JSON.stringify([...document.querySelectorAll(".next .bars tbody tr")].map((row) => [row.querySelector(".next-word").textContent, row.querySelector(".now.number").textContent])) !== before, JSON.stringify(before));
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.5, { steps: 5 });
  await page.mouse.up();
  await settled(page, 500);
  await page.click('[data-heat="off"]');
  await settled(page);
  const drawn = grey(await shown(page));
  assert.ok(drawn.flat(2).some((byte) => byte === 255) && drawn.flat(2).some((byte) => byte > 0 && byte < 255));
  const own = png("drawn.png", drawn);
  await assertPredicts(page, own);
  const truth = new Truth([own, "--model", model], { address: server.asked, picture: drawn });
  await walked(page, truth);
  await page.click('[data-heat="all"]');
  await walked(page, truth);
  // By keys, erased, turned round, taken back.
  await page.locator(".picture-stage").focus();
  for (const key of ["ArrowDown", "ArrowDown", "Space"]) await page.keyboard.press(key);
  await page.click('[data-act="invert"]');
  await settled(page, 400);
  await page.click('[data-heat="off"]');
  await settled(page);
  const turned = grey(await shown(page));
  assert.notDeepEqual(turned, drawn);
  await assertPredicts(page, png("turned.png", turned));
  for (let i = 0; i < 2; ++i) await page.click('[data-act="undo"]');
  await settled(page, 400);
  assert.deepEqual(grey(await shown(page)), drawn);
  await page.click('[data-act="clear"]');
  await settled(page, 400);
  assert.ok(grey(await shown(page)).flat(2).every((byte) => byte === 0));
  await page.context().close();
});

test("an image that is given to the page is predicted as the command predicts the file; its colours are kept", async () => {
  const colour = imageModel(3, "mean");
  const { page, server } = await opened(["--model", colour]);
  const given = image(16, 16, 3, (y, x, k) => (x < 8 ? 220 - 9 * k : 20 + 3 * y + 40 * k));
  const path = png("colours.png", given);
  await page.setInputFiles('.open-picture input[type="file"]', path);
  await page.waitForFunction(() => document.querySelector(".input-name").textContent === "colours.png");
  await settled(page, 400);
  const truth = new Truth([path, "--model", colour], { address: server.asked, picture: given });
  await walked(page, truth);
  await page.click('[data-heat="off"]');
  await settled(page);
  assert.deepEqual(await shown(page), given);
  // One of another size is made smaller by the engine, as the command does it.
  const large = png("large.png", image(70, 40, 3, (y, x, k) => (y * 3 + x * 5 + k * 60) % 256));
  await page.setInputFiles('.open-picture input[type="file"]', large);
  await page.waitForFunction(() => document.querySelector(".input-name").textContent === "large.png");
  await settled(page, 400);
  const own = predicted(large, colour), rows = await classes(page);
  assert.equal(rows.length, 2);
  for (const [name, text] of rows) assert.ok(Math.abs(Number(text) - own.get(name)) <= 6e-5, `${name}: ${text}, ${own.get(name)}`);
  // What is none is said, and what was open stays; the built-in model beside it reads a text again.
  await page.setInputFiles('.open-picture input[type="file"]', { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no image") });
  await page.waitForFunction(() => /broken\.png is no image/.test(document.querySelector(".error").textContent));
  assert.equal(await page.textContent(".input-name"), "large.png");
  await page.selectOption(".model select", "built-in");
  await page.waitForSelector(".sentence:not([hidden])");
  await settled(page);
  assert.equal(await page.inputValue(".sentence"), "Life is short");
  assert.equal(await page.locator(".picture-panel").isVisible(), false);
  await page.context().close();
});

test("edits stay with a drawing, before and after", async () => {
  const { page, server } = await opened([file, "--model", model, "--edit", "blocks.0.attn.z[H=1]=zero"]);
  const unedited = new Truth([file, "--model", model], { address: server.asked, picture: pixels });
  await page.waitForSelector(".bars.compared");
  await walked(page, new Truth([file, "--model", model], { edits: ["blocks.0.attn.z[H=1]=zero"], unedited, address: server.asked, picture: pixels }));
  await page.click('[data-act="invert"]');
  await settled(page, 400);
  assert.equal(await page.locator(".edit").count(), 1);
  await page.context().close();
});

test("one file carries the image, and is drawn on without a server", async () => {
  const out = join(place, "digits.html");
  execFileSync(limpid, ["explore", file, "--model", model, "--html", out]);
  const page = await pageAt(browser, `file://${out}#heat="off"`, problems);
  await page.waitForSelector(".next .bars tbody tr", { timeout: 60000 });
  await page.waitForTimeout(1500);
  assert.deepEqual(grey(await shown(page)), pixels);
  await assertPredicts(page, file);
  await page.click('[data-tool="draw"]');
  const box = await page.locator(".picture-stage").boundingBox();
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.1);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + box.height * 0.9, { steps: 6 });
  await page.mouse.up();
  await page.waitForTimeout(2500);
  await assertPredicts(page, png("offline.png", grey(await shown(page))));
  await page.context().close();
});

test("a series is its curve, its patches and what is foretold, each number the command's", async () => {
  const { model: forecaster, table, read } = seriesModel();
  const { page, server } = await opened([table, "--model", forecaster]);
  const truth = new Truth([table, "--model", forecaster], { address: server.asked, series: read });
  await walked(page, truth);
  assert.equal(await page.locator(".series-dot").count(), 20);
  assert.equal(await page.locator(".series-dot.foretold").count(), 4);
  // Higher numbers stand higher, in proportion.
  const dots = await page.$$eval(".series-dot", (all) => all.map((dot) => [Number(dot.dataset.value), Number(dot.getAttribute("cy"))]));
  const [low, high] = [Math.min(...dots.map(([value]) => value)), Math.max(...dots.map(([value]) => value))];
  const [bottom, top] = [Math.max(...dots.map(([, y]) => y)), Math.min(...dots.map(([, y]) => y))];
  for (const [value, y] of dots) assert.ok(Math.abs(bottom - y - (value - low) / (high - low) * (bottom - top)) < 0.01);
  await page.selectOption(".series-panel select", "1");
  await walked(page, truth);
  await page.click('[data-heat="head"]');
  await walked(page, truth);
  await page.locator(".patch-token").nth(2).click();
  await walked(page, truth);
  for (const [token, opacity, from] of await page.$$eval(".series-patch", (all) => all.map((bar) => [bar.dataset.token, Number(bar.getAttribute("fill-opacity")), bar.dataset.drawn]))) {
    assert.match(from, new RegExp(`^blocks\\.0\\.attn\\.pattern\\[1,0,2,${token}\\]$`));
    assert.ok(opacity >= 0 && opacity <= 0.75);
  }
  await page.context().close();
});

for (const [name, options] of [["on a phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark" }], ["in German", { locale: "de-DE" }]])
  test(`nothing is wider than the page ${name}, and it is drawn on`, async () => {
    const { page } = await opened([file, "--model", model], "", options);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.click('[data-heat="off"]');
    await page.click('[data-tool="draw"]');
    await page.locator(".picture-stage").scrollIntoViewIfNeeded();
    await settled(page);
    const box = await page.locator(".picture-stage").boundingBox();
    if (options.hasTouch) await page.touchscreen.tap(box.x + box.width * 0.8, box.y + box.height * 0.3);
    else await page.mouse.click(box.x + box.width * 0.8, box.y + box.height * 0.3);
    await page.waitForFunction(() => ["a drawing", "eine Zeichnung"].includes(document.querySelector(".input-name").textContent));
    await settled(page, 400);
    const drawn = grey(await shown(page));
    assert.ok(drawn[4][12][0] > pixels[4][12][0]);
    await assertPredicts(page, png("dotted.png", drawn));
    await page.context().close();
  });

for (const [name, options] of [["wide, light", {}], ["on a phone, dark, in German", { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "de-DE" }]])
  test(`axe-core finds nothing serious ${name}, in each view`, async () => {
    const faults = [], { model: forecaster, table } = seriesModel();
    for (const [what, args] of [["image", [file, "--model", model]], ["series", [table, "--model", forecaster]]]) {
      const server = await serve(...args);
      servers.push(server);
      for (const hash of ["", 'heat="head"&query=2&attention="blocks.0.attn"&cell="blocks.0.attn.pattern[0,1,2,1]"', 'view="heads"', 'view="map"', 'view="lesson"&step=3', 'view="quiz"', 'view="why"']) {
        const page = await pageAt(browser, `${server.address}#${encodeURI(hash)}`, problems, options);
        await page.waitForSelector(".views button");
        await page.waitForSelector(".lesson[aria-busy]", { state: "detached" });  // it is paler meanwhile
        await settled(page);
        await page.waitForTimeout(500);  // until it has its colours again
        faults.push(...(await faultsOf(page)).map((each) => `${what} ${hash}: ${each}`));
        const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        if (needed > there) faults.push(`${what} ${hash} is ${needed} wide, in ${there}`);
        await page.context().close();
      }
    }
    assert.deepEqual([...new Set(faults)], []);
  });

test("nothing went wrong that nobody saw", () => assert.deepEqual(problems, []));
