// Values from another text: what the page says before and after is what `limpid trace --edit NAME=replace` says.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, pageAt, serve, settled } from "./browser.mjs";
import { Truth } from "./truth.mjs";
import { walk } from "./walk.mjs";

const sentence = "Time is money", other = "Death is long";
const name = "blocks.1.resid_post";
let server, browser, page, plain, patched;
const problems = [];

// A row of numbers as NumPy writes it.
function arrayFile(numbers, shape) {
  const file = join(mkdtempSync(join(tmpdir(), "limpid-patch-")), "row.npy");
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const padded = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + "\n";
  const size = Buffer.alloc(2);
  size.writeUInt16LE(padded.length);
  writeFileSync(file, Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), size, Buffer.from(padded, "latin1"), Buffer.from(Float32Array.from(numbers).buffer)]));
  return file;
}

before(async () => {
  server = await serve(sentence);
  browser = await launch();
  page = await pageAt(browser, `${server.address}#cell=${encodeURIComponent(JSON.stringify(`${name}[0,2,0]`))}`, problems);
  plain = new Truth([sentence], { address: server.asked });
  const width = plain.values.get(name).shape[2];
  const from = new Truth([other]);
  const file = arrayFile(Array.from({ length: width }, (_, i) => from.cell(name, [0, 1, i])), [1, 1, width]);
  patched = new Truth([sentence], { edits: [`${name}[T=2]=replace:${file}`], unedited: plain, address: server.asked });
});

after(async () => {
  await browser?.close();
  server?.end();
});

test("a form at a cell puts in the numbers of another text", async () => {
  await page.getByRole("button", { name: "Put in from another text" }).click();
  const dialog = page.getByRole("dialog");
  assert.equal(await dialog.getByLabel("Stage", { exact: true }).inputValue(), name);
  assert.equal(await dialog.getByLabel("At the token", { exact: true }).inputValue(), "2");
  await dialog.getByLabel("The other text", { exact: true }).fill(other);
  await dialog.getByLabel("From its token number", { exact: true }).fill("1");
  await dialog.getByRole("button", { name: "Put in", exact: true }).click();
  await page.waitForSelector(".bars.compared");
  await settled(page);
  assert.match(await page.textContent(".edit"), /blocks\.1\.resid_post of ·is: as at token 1 of “Death is long”/);
  await page.locator(".explain").getByRole("button", { name: "Close", exact: true }).click();
  assert.deepEqual((await walk(page, patched)).slice(0, 5), []);
  assert.notDeepEqual(await walk(page, plain), []);
});

test("it is shown where it acts, and the link restores it", async () => {
  await page.evaluate(() => { location.hash = location.hash.includes("block=") ? location.hash : `${location.hash}&block=%22blocks.1%22`; });
  await page.waitForSelector(`.column.edited .grid[data-name="${name}"]`);
  const hash = await page.evaluate(() => location.hash);
  await page.getByRole("button", { name: "Undo all" }).click();
  await page.waitForSelector(".edit", { state: "detached" });
  await settled(page);
  assert.deepEqual((await walk(page, plain)).slice(0, 5), []);
  await page.goto("about:blank");
  await page.goto(server.address + hash);
  await page.waitForSelector(".bars.compared");
  await settled(page);
  assert.deepEqual((await walk(page, patched)).slice(0, 5), []);
});

test("a place that is not there is refused, and what was open stays", async () => {
  const fields = new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
  fields.set("edits", JSON.stringify([{ patch: name, where: { T: 2 }, text: other, at: { T: 77 } }]));
  await page.evaluate((hash) => { location.hash = hash; }, fields.toString());
  await page.waitForSelector(".error:not([hidden])");
  assert.match(await page.textContent(".error"), /T=77 is outside/);
  assert.equal(await page.locator(".edit").count(), 1);
  const second = await pageAt(browser, page.url().replace(/#.*/, `#${fields}`), problems);  // a page that begins with it says so too
  await second.waitForSelector(".bars");
  await settled(second);
  assert.match(await second.textContent(".error:not([hidden])"), /T=77 is outside/);
  assert.deepEqual(problems, []);
});
