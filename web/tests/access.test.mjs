// axe-core over every part of the page, light and dark, in both languages, wide and on a phone: nothing serious or
// critical, and nothing scrolls sideways.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { faultsOf } from "./axe.mjs";
import { launch, pageAt } from "./browser.mjs";
import { openPart, parts, worlds } from "./worlds.mjs";

let all, browser;

before(async () => {
  all = worlds();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await all?.end();
});

// The steps of the lesson are alike: of them these.
const looked = parts.filter(({ name }) => !/^lesson, step/.test(name) || /step (1|4|5|9|10)( answered)?$/.test(name));

const sizes = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
// Each pair of size, colours and language is there.
for (const [size, colorScheme, locale] of [["wide", "light", "en-US"], ["wide", "dark", "de-DE"], ["phone", "light", "de-DE"], ["phone", "dark", "en-US"]])
  test(`${size}, ${colorScheme}, ${locale.slice(0, 2)}`, async () => {
    const problems = [], faults = [];
    for (const part of looked) {
      const page = await openPart((address) => pageAt(browser, address, problems, { viewport: sizes[size], colorScheme, locale }), all, part);
      faults.push(...(await faultsOf(page)).map((each) => `${part.name}: ${each}`));
      const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      if (needed > there) faults.push(`${part.name} is ${needed} wide, in ${there}`);
      await page.context().close();
    }
    assert.deepEqual([...new Set(faults)], []);
    assert.deepEqual(problems, []);
  });
