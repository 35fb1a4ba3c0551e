// axe-core over every view, light and dark, in both languages, wide and on a phone: nothing serious or critical,
// and nothing scrolls sideways.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { faultsOf } from "./axe.mjs";
import { launch, pageAt, serve } from "./browser.mjs";

const attention = "blocks.0.attn";
// What each view is opened by: the fields of the page's address.
const views = {
  flow: {},
  "flow, attention open": { attention, head: 1 },
  "flow, a cell explained": { cell: `${attention}.pattern[0,1,2,1]` },
  "flow, edited": { edits: [`${attention}.z[H=1]=zero`, `${attention}.pattern[H=0]=cut:2>1`] },
  "flow, of a long text": { text: "When in the course of human events it becomes necessary for one people to dissolve the political bands which have connected them with another" },
  heads: { view: "heads" },
  why: { view: "why" },
  map: { view: "map" },
  "lesson, asking": { view: "lesson", step: 3 },
  "lesson, answered": { view: "lesson", step: 9, guesses: [-1, -1, -1, 0, 1, -1, 0, -1, 0, 0] },
  "quiz, asking": { view: "quiz" },
  "quiz, done": { view: "quiz", asked: [0, 0], answers: [0, 1, 0, 1, 0, 1, 0, 1, 0] },
};
// What stands in each once it is drawn.
const drawn = { lesson: ".lesson-page", quiz: ".quiz .question" };
let server, browser;

before(async () => {
  server = await serve("Time is money");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.end();
});

for (const [size, viewport] of [["wide", { width: 1440, height: 900 }], ["phone", { width: 390, height: 844 }]])
  for (const colorScheme of ["light", "dark"])
    for (const locale of ["en-US", "de-DE"])
      test(`${size}, ${colorScheme}, ${locale.slice(0, 2)}`, async () => {
        const problems = [], faults = [];
        const opened = (hash) => pageAt(browser, `${server.address}#${hash}`, problems, { viewport, colorScheme, locale });
        for (const [name, fields] of Object.entries(views)) {
          const hash = new URLSearchParams(Object.entries({ text: "Time is money", ...fields }).map(([key, value]) => [key, JSON.stringify(value)]));
          const page = await opened(hash);
          await page.waitForSelector(drawn[fields.view] ?? ".bars");
          faults.push(...(await faultsOf(page)).map((each) => `${name}: ${each}`));
          const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          if (needed > there) faults.push(`${name} is ${needed} wide, in ${there}`);
          await page.context().close();
        }
        const page = await opened(`text=${encodeURIComponent(JSON.stringify("Time is money"))}`);
        await page.locator(".token").nth(1).click();
        await page.waitForSelector(".swap-choice");
        faults.push(...(await faultsOf(page)).map((each) => `swap: ${each}`));
        await page.context().close();
        assert.deepEqual([...new Set(faults)], []);
        assert.deepEqual(problems, []);
      });
