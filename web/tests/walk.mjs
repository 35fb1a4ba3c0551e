// Law 1: every number that the page shows, in its elements and on its canvases, is a number of this run.
import { ownModule } from "./browser.mjs";

const format = await ownModule("format");
const palette = await ownModule("palette");
const writings = { number: format.formatNumber, cell: format.formatCell, long: format.formatLong, constant: format.formatConstant };

/// All that the page shows which looks like a number, and all cells of its canvases.
function collect() {
  const shown = (element) => element.checkVisibility ? element.checkVisibility() : element.getClientRects().length > 0;
  const explained = document.querySelector("[data-explained]")?.dataset.explained;
  const markOf = (element) => {
    const mark = element.closest("[data-from],[data-label]");
    return mark && { from: mark.dataset.from, writing: mark.dataset.write ?? "number", label: mark.dataset.label, text: mark.textContent, value: mark.parentElement.querySelector("input")?.value };
  };
  const texts = [], attributes = [], canvases = [], drawn = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data, element = walker.currentNode.parentElement;
    if (["SCRIPT", "STYLE"].includes(element.tagName) || !shown(element)) continue;
    if (/[0-9\u221e]|\bnan\b/.test(text)) texts.push({ text, where: element.outerHTML.slice(0, 160), mark: markOf(element) });
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (!shown(element)) continue;
    for (const name of ["aria-label", "aria-description", "title", "placeholder"]) {
      const text = element.getAttribute(name);
      if (!text || !/\d/.test(text)) continue;
      const inside = [...element.querySelectorAll("[data-from]"), element].map((each) => each.dataset.from).filter(Boolean);
      attributes.push({ name, text, inside: [...inside, ...(element.dataset.described?.split("|") ?? [])] });
    }
    if (element.dataset.drawn) drawn.push({ from: element.dataset.drawn, value: Number(element.dataset.value) });
    if (element.dataset.wide) drawn.push({ from: element.dataset.wide, value: parseFloat(element.style.width) / 100, bar: true });
    if (element.tagName !== "CANVAS" || element.classList.contains("over")) continue;
    const { painted } = element;
    if (!painted) { canvases.push({ where: element.outerHTML.slice(0, 160) }); continue; }
    const context = element.getContext("2d");
    const cells = painted.cells();
    const every = Math.max(1, Math.floor(cells.length / 24));
    canvases.push({
      name: element.parentElement.dataset.name ?? "", scale: painted.scale, role: /role-(\w+)/.exec(element.parentElement.className)?.[1] ?? "weights",
      cells: cells.map((cell, i) => {
        const [x, y] = [Math.floor(cell.at[0]), Math.floor(cell.at[1])];
        const seen = i % every === 0 && x >= 0 && y >= 0 && x < element.width && y < element.height;
        return { ...cell, pixel: seen ? [...context.getImageData(x, y, 1, 1).data].slice(0, 3) : undefined };
      }),
    });
  }
  return { texts, attributes, canvases, drawn, explained, language: document.documentElement.lang, theme: document.documentElement.dataset.theme };
}

const numbersIn = (text) => text.match(/\d+(\.\d+)?/g) ?? [];
const close = (a, b) => a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= 2e-6 * Math.max(Math.abs(a), Math.abs(b)) + 2e-7;

// The digits that stand for a number: of one that is added up again, those of its neighbours too.
function writingsOf({ value, exact }, writing, text) {
  // As the engine writes it: rounded to the digits that stand there, at least two after the point.
  const digits = /^-?\d+\.(\d{2,})$/.exec(text ?? "")?.[1].length ?? 4;
  const write = writing === "engine" ? (each) => each.toFixed(digits).replace(/^-(?=0\.0*$)/, "") : writings[writing];
  if (exact || !Number.isFinite(value)) return [write(value)];
  const room = 2e-6 * Math.abs(value) + 2e-7;
  return [write(value), write(value - room), write(value + room)];
}

/// What the page shows that is not so in `truth`: [] where all is.  `counts` says how much was looked at.
export async function walk(page, truth, counts = {}) {
  const seen = await page.evaluate(collect);
  const wrong = [];
  const known = new Map();
  const find = async (from) => {
    const key = `${from} of ${from.includes("explain:") ? seen.explained : ""}`;
    if (!known.has(key)) known.set(key, await truth.find(from, seen.explained).catch((problem) => ({ problem: problem.message })));
    return known.get(key);
  };
  const graph = JSON.stringify(truth.about.graph);
  for (const { text, where, mark } of seen.texts) {
    if (!mark) { wrong.push({ from: "unmarked", text, where }); continue; }
    if (mark.from) {
      counts.numbers = (counts.numbers ?? 0) + 1;
      const found = await find(mark.from);
      if (found.problem) wrong.push({ from: mark.from, text, where: found.problem });
      else if (mark.writing === "sentence") { if (`${numbersIn(text)}` !== `${numbersIn(found.value)}`) wrong.push({ from: mark.from, text, expected: found.value }); }
      else if (!writingsOf(found, mark.writing, mark.text).includes(mark.text)) wrong.push({ from: mark.from, text: mark.text, expected: writingsOf(found, mark.writing, mark.text)[0] });
      continue;
    }
    counts.labels = (counts.labels ?? 0) + 1;
    const grouped = seen.language === "de" && ["count", "place"].includes(mark.label) ? /\b\d{1,3}(\.\d{3})+\b/g : /(?!)/g;  // 7.168 tokens
    const decimals = /\d\.\d/.test(text.replace(grouped, ""));
    if (mark.label === "setting" ? Number(text) !== Number(mark.value) && decimals : decimals && !(mark.label === "text" && graph.includes(JSON.stringify(text).slice(1, -1))))
      wrong.push({ from: `label ${mark.label}`, text, where });
  }
  for (const { name, text, inside } of seen.attributes) {
    const expected = new Set();
    for (const from of inside) {
      const found = await find(from);
      if (!found.problem) for (const each of ["number", "cell", "long"].flatMap((writing) => writingsOf(found, writing))) expected.add(each);
    }
    for (const digits of text.replace(/[\w.]+\[[\d,]+\]/g, "").match(/\u2212?\d+\.\d+(e\S+)?/g) ?? []) {
      counts.attributes = (counts.attributes ?? 0) + 1;
      if (!expected.has(digits)) wrong.push({ from: inside[0] ?? "unmarked", text, where: name });
    }
  }
  for (const { from, value, bar } of seen.drawn) {
    const kind = bar ? "bars" : "lines";
    counts[kind] = (counts[kind] ?? 0) + 1;
    const found = await find(from);
    if (found.problem || !(found.exact && !bar ? found.value === value : close(found.value, value))) wrong.push({ from, text: value, where: "drawn" });
  }
  for (const canvas of seen.canvases) {
    if (!canvas.cells) { wrong.push({ from: "unmarked", text: "canvas", where: canvas.where }); continue; }
    counts.canvases = (counts.canvases ?? 0) + 1;
    for (const cell of canvas.cells) {
      counts.cells = (counts.cells ?? 0) + 1;
      const found = await find(cell.from);
      const why = found.problem ?? (!(found.exact ? Object.is(found.value, cell.value) || found.value === cell.value : close(found.value, cell.value)) ? "value"
        : cell.text !== undefined && !["number", "cell"].some((writing) => writingsOf(found, writing).includes(cell.text)) ? "digits"
        : wrongColour(cell, canvas, seen.theme));
      if (cell.pixel) counts.pixels = (counts.pixels ?? 0) + 1;
      if (why) wrong.push({ from: cell.from, text: cell.text ?? cell.value, expected: found.value, where: `canvas ${canvas.name}: ${why}` });
    }
  }
  return wrong;
}

// The level that the number has on the canvas's scale, and the colour of that level where the pixel was looked at.
function wrongColour({ value, level, pixel, colour, over }, { scale, role }, theme) {
  if (scale && level !== undefined) {
    const [low, high] = scale;
    if (level !== palette.heatLevel(high > low ? (value - low) / (high - low) : 0.5)) return "level";
  }
  if (!pixel) return undefined;
  if (colour || over) {  // a picture's pixel, or one below a tint of three quarters at the most
    const tint = [1, 3, 5].map((at) => parseInt(palette.paints.weights[0].slice(at, at + 2), 16));
    const expected = colour ?? over.map((under, i) => under + (tint[i] - under) * 0.75 * level / palette.heatLevels);
    return expected.every((part, i) => Math.abs(part - pixel[i]) <= 1) ? undefined : `pixel ${pixel}, expected ${expected}`;
  }
  const rgb = (text) => (text.startsWith("#") ? [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)) : text.match(/\d+/g).map(Number));
  const colours = (level === undefined ? [palette.paint("hole", theme)] : Object.keys(palette.scales[theme]).filter((each) => each === role || (role === "weights" && each === "key")).map((each) => palette.heatTable(each, theme)[level].ground)).map(rgb);
  return colours.some((colour) => colour.every((part, i) => Math.abs(part - pixel[i]) <= 1)) ? undefined : `pixel ${pixel}`;
}
