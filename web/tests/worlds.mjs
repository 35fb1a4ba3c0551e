// What the page is looked at on: a sentence, a long text, an encoder-decoder, a training run; and its parts, each as a
// reader comes to it.  For access.test.mjs and shots.mjs.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limpid, serve, settled } from "./browser.mjs";

const root = new URL("../../", import.meta.url).pathname;
const marian = join(process.env.LIMPID_DATA ?? join(root, "../shared/data"), "conformance/families/marian");
export const sentence = "Time is money", readSentence = "w3 w4 w5 w6";
/// Why there is no encoder-decoder here; false where there is one.
export const noPair = existsSync(marian) ? false : "LIMPID_DATA has no conformance/families/marian";

/// A tiny Marian with a tokenizer made here: the folder, which the caller removes.
export function pairModel() {
  const model = mkdtempSync(join(tmpdir(), "limpid-marian-"));
  cpSync(marian, model, { recursive: true });
  const named = (id, content) => ({ id, content, special: true, normalized: false });
  writeFileSync(join(model, "tokenizer.json"), JSON.stringify({
    added_tokens: [named(96, "<pad>"), named(0, "</s>")], pre_tokenizer: { type: "WhitespaceSplit" },
    model: { type: "WordLevel", unk_token: "w1", vocab: Object.fromEntries(Array.from({ length: 95 }, (_, i) => [`w${i + 1}`, i + 1])) },
  }));
  return model;
}

function trainedRun(folder) {
  writeFileSync(join(folder, "text.txt"), "Life is short and art is long. Time is money and money is time.\n".repeat(40));
  writeFileSync(join(folder, "run.json"), JSON.stringify({ network: { network: "gpt", layers: 2, heads: 2, width: 16, context: 16 }, data: ["text.txt"],
    validation: 0.2, context: 8, steps: 60, epoch: 10, watch: ["art is long", "time is money"] }));
  execFileSync(limpid, ["train", join(folder, "run.json"), "-o", join(folder, "run")]);
  return join(folder, "run");
}

/// Begins each world when it is asked for: {address(name), end()}.
export function worlds() {
  const begun = new Map(), folders = [];
  const trained = () => { const folder = mkdtempSync(join(tmpdir(), "limpid-run-")); folders.push(folder); return trainedRun(folder); };
  const begin = {
    sentence: () => serve(sentence),
    long: () => serve(readFileSync(join(root, "README.md"), "utf8").slice(0, 20000)),
    pair: () => { const model = pairModel(); folders.push(model); return serve(readSentence, "--model", model); },
    run: () => serve(trained()),
    stopped: () => { const run = trained(); rmSync(join(run, "model.safetensors")); return serve(run); },
  };
  return {
    async address(name) {
      if (!begun.has(name)) begun.set(name, begin[name]());
      return (await begun.get(name)).address;
    },
    async end() {
      for (const server of begun.values()) (await server.catch(() => undefined))?.end();
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/// The address of a part: its fields as the page's own links have them.
export function linkOf(address, fields) {
  return `${address}#${new URLSearchParams(Object.entries(fields).map(([key, value]) => [key, JSON.stringify(value)]))}`;
}

const attention = "blocks.0.attn", cell = `${attention}.pattern[0,1,2,1]`;
const columns = ["embed", "blocks.0.ln1", "blocks.0.attn", "blocks.0.mlp", "blocks.0.resid_mid"];
const press = (selector) => async (page) => { await page.locator(selector).first().click(); await settled(page); };
const guessed = (step) => Array.from({ length: 10 }, (_, i) => (i === step ? 0 : -1));
const everyColumn = async (page) => {
  for (let i = 0; i < 12; ++i) {
    const bar = page.locator(".bar[aria-expanded=false]").first();
    if (!(await bar.count())) break;
    await bar.click();
    await settled(page);
  }
};

/// Each part: the world that it is in, the fields of its address, what stands there once it is drawn, and what is done then.
export const parts = [
  { name: "flow", fields: {} },
  { name: "flow, every column open", fields: { open: columns }, then: everyColumn },
  { name: "flow, attention open", fields: { attention, head: 1 }, drawn: ".steps .grid" },
  { name: "flow, a weight explained", fields: { attention, head: 1, cell }, drawn: "[data-explained]" },
  { name: "flow, a score explained", fields: { attention, head: 1, cell: `${attention}.raw_scores[0,1,2,1]` }, drawn: "[data-explained]" },
  { name: "flow, a sum explained whole", fields: { attention, head: 1, cell: `${attention}.z[0,2,1,5]` }, drawn: "[data-explained]" },
  { name: "flow, a norm explained", fields: { cell: "blocks.0.ln1.normalized[0,1,4]" }, drawn: "[data-explained]" },
  { name: "flow, a probability explained", fields: { cell: "probs[0,2,44]" }, drawn: "[data-explained]" },
  { name: "flow, edited", fields: { edits: [`${attention}.z[H=1]=zero`, `${attention}.pattern[H=0]=cut:2>1`] }, drawn: ".bars.compared" },
  { name: "flow, of a sentence that is longer than the page", fields: { text: "When in the course of human events it becomes necessary for one people to dissolve the political bands which have connected them with another" } },
  { name: "heads", fields: { view: "heads" }, drawn: ".head-card .kind:not(:empty)" },
  { name: "heads, one large", fields: { view: "heads" }, drawn: ".head-card .kind:not(:empty)", then: press(".head-card") },
  { name: "why", fields: { view: "why" }, drawn: ".source-parts" },
  { name: "map", fields: { view: "map" }, drawn: ".map-surface" },
  { name: "map, of a long text", on: "long", fields: { view: "map" }, drawn: ".map-surface" },
  { name: "flow, of a long text", on: "long", fields: {} },
  ...Array.from({ length: 10 }, (_, step) => ({ name: `lesson, step ${step + 1}`, fields: { view: "lesson", step }, drawn: ".lesson-page" })),
  ...[3, 4, 6, 8, 9].map((step) => ({ name: `lesson, step ${step + 1} answered`, fields: { view: "lesson", step, guesses: guessed(step) }, drawn: ".lesson-page .verdict" })),
  { name: "quiz, asking", fields: { view: "quiz" }, drawn: ".quiz .question" },
  { name: "quiz, answered", fields: { view: "quiz" }, drawn: ".quiz .question", then: press(".quiz .choice-button") },
  { name: "quiz, done", fields: { view: "quiz", asked: [0, 0], answers: [0, 1, 0, 1, 0, 1, 0, 1, 0] }, drawn: ".quiz .question" },
  { name: "settings", fields: { temperature: 0.7, topK: 8 }, drawn: ".settings[open]" },
  { name: "a text that was written on", fields: {}, then: async (page) => { for (let i = 0; i < 3; ++i) { await page.click(".write .main"); await settled(page); } } },
  { name: "swap", fields: {}, then: press(".token >> nth=1"), drawnThen: ".swap-choice" },
  { name: "patch", fields: { cell: "blocks.1.resid_post[0,2,0]" }, drawn: ".explain .button", then: press(".explain .button"), drawnThen: "dialog.patch" },
  { name: "an error", fields: { edits: ["blocks.9.attn.z[H=1]=zero"] }, drawnThen: ".error:not([hidden])" },
  { name: "encoder-decoder, what is read", on: "pair", fields: { block: "encoder.blocks.0" }, drawn: ".open-block" },
  { name: "encoder-decoder, what is written", on: "pair", fields: { block: "blocks.0" }, drawn: ".open-block" },
  { name: "encoder-decoder, from one to the other", on: "pair", fields: { block: "blocks.1", attention: "blocks.1.cross_attn", head: 2, cell: "blocks.1.cross_attn.pattern[0,2,1,3]" }, drawn: "[data-explained]" },
  { name: "encoder-decoder, heads", on: "pair", fields: { view: "heads" }, drawn: ".head-card" },
  { name: "training", on: "run", fields: { view: "training" }, drawn: ".watched-one .grid" },
  { name: "training, stopped", on: "stopped", fields: { view: "training" }, drawn: ".watched-one .grid" },
  { name: "training, as numbers", on: "run", fields: { view: "training", report: 30, watched: 1 }, drawn: ".watched-one .grid", then: press(".numbers summary") },
].filter(({ on }) => on !== "pair" || !noPair);

/// The part as it stands: its page, drawn and settled.
export async function openPart(opened, all, { on = "sentence", fields, drawn = ".bars", then, drawnThen }) {
  const page = await opened(linkOf(await all.address(on), on === "sentence" ? { text: sentence, ...fields } : fields));
  await page.waitForSelector(drawn, { timeout: 120000 });  // a long text takes its time on a busy machine
  await settled(page);
  if (then) await then(page);
  if (drawnThen) await page.waitForSelector(drawnThen);
  await settled(page);
  return page;
}
