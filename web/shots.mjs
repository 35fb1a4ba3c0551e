// Pictures of every part of the page, and whether it is laid out whole: nothing scrolls sideways, no text is cut off,
// no two texts lie on each other, and no error is said.
//
//   LIMPID=build/dev/limpid CHROMIUM=/usr/bin/chromium node web/shots.mjs FOLDER [PART]
//
// FOLDER gets a PNG for each part at 1440 x 900 and 390 x 844, light and dark, in English and German, and contact sheets of
// them (sheet-*.png); with PART only the parts whose names hold it.  The exit status is 1 where something was found.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dragOnto, launch, pageAt, settled } from "./tests/browser.mjs";
import { layoutFaults } from "./tests/laid_out.mjs";
import { openPart, parts, worlds } from "./tests/worlds.mjs";

const [folder, only = ""] = process.argv.slice(2);
const kinds = [
  { name: "wide-light-en", viewport: { width: 1440, height: 900 }, colorScheme: "light", locale: "en-US" },
  { name: "wide-dark-de", viewport: { width: 1440, height: 900 }, colorScheme: "dark", locale: "de-DE" },
  { name: "phone-light-de", viewport: { width: 390, height: 844 }, colorScheme: "light", locale: "de-DE" },
  { name: "phone-dark-en", viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "en-US" },
];
const tallest = 2400;  // of a picture: what comes below is the like

async function main() {
  mkdirSync(folder, { recursive: true });
  const all = worlds(), browser = await launch();
  let found = 0;
  for (const { name: kind, ...options } of kinds) {
    const taken = [];
    for (const part of [...parts, dropped].filter(({ name }) => name.includes(only))) {
      const problems = [];
      const page = await openPart((address) => pageAt(browser, address, problems, options), all, part);
      const faults = [...(await layoutFaults(page)), ...problems];
      for (const fault of faults) console.log(`${kind}, ${part.name}: ${fault}`);
      found += faults.length;
      const file = join(folder, `${kind} ${part.name}.png`);
      const { width, height } = options.viewport;
      const whole = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height: Math.min(tallest, Math.max(height, whole)) });
      await settled(page);
      await page.screenshot({ path: file });
      taken.push({ name: part.name, file });
      await page.context().close();
    }
    await sheets(browser, kind, taken, options.viewport.width);
  }
  await browser.close();
  await all.end();
  console.log(`${found} faults`);
  process.exitCode = found ? 1 : 0;
}

// Something is being dragged over the page, before it is let go.
const dropped = { name: "a model dragged over the page", fields: {}, then: (page) => dragOnto(page, [new URL("index.html", import.meta.url).pathname], { lets: false }), drawnThen: ".give-cover:visible" };

async function sheets(browser, kind, taken, width) {
  const [columns, rows] = width > 1000 ? [3, 2] : [6, 1], each = width > 1000 ? 640 : 320;
  for (let first = 0; first < taken.length; first += columns * rows) {
    const page = await browser.newPage({ viewport: { width: columns * (each + 8), height: 900 } });
    await page.setContent(`<style>body{margin:0;display:grid;grid-template-columns:repeat(${columns},${each}px);gap:8px;background:#888;font:14px sans-serif}figure{margin:0}img{width:100%;display:block}</style>` +
      taken.slice(first, first + columns * rows).map(({ name, file }) => `<figure><figcaption>${name}</figcaption><img src="data:image/png;base64,${readFileSync(file).toString("base64")}"></figure>`).join(""));
    await page.screenshot({ path: join(folder, `sheet-${kind}-${String(first / (columns * rows) + 1).padStart(2, "0")}.png`), fullPage: true });
    await page.close();
  }
}

await main();
