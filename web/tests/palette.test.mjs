// The page's colours are those of the figures: src/draw/scene/palette.cpp has the same.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);
const text = (name) => readFileSync(new URL(name, root), "utf8");
const colours = (source, from, to) => source.slice(source.indexOf(from), source.indexOf(to, source.indexOf(from))).match(/#[0-9a-f]{6}/g);

test("paints and scales are those of the figures", () => {
  const figures = text("src/draw/scene/palette.cpp"), page = text("web/src/palette.ts"), sheet = text("web/public/page.css");
  assert.deepEqual(colours(page, "export const paints", "};"), colours(figures, "k_paints[]", "};"));
  assert.deepEqual(colours(page, "light: {", "dark: {"), colours(figures, "k_light[]", "};"));
  assert.deepEqual(colours(page, "dark: {", "};"), colours(figures, "k_dark[]", "};"));
  const own = new Set(colours(page, "export const paints", "};"));
  for (const name of ["page", "edge", "ink", "soft", "query", "key", "value", "weights"])
    for (const [, colour] of sheet.matchAll(new RegExp(`--${name}: (#[0-9a-f]{6})`, "g"))) assert.ok(own.has(colour), `--${name} ${colour}`);
});
