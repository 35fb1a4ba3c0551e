// The numbers of a run as the command has them: `limpid trace -o`, `explain`, `heads`, `lens`.  Finds by its
// data-from the number that an element of the page claims to show (web/src/told.ts).
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, limpid } from "./browser.mjs";

const run = (...args) => execFileSync(limpid, args, { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] });
const json = (...args) => JSON.parse(run(...args, "--json"));
const number = (value) => (value === "-inf" ? -Infinity : value === "inf" ? Infinity : value === "nan" ? NaN : value);

function readTrace(file) {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const head = JSON.parse(bytes.subarray(8, 8 + length));
  const values = new Map();
  for (const [name, entry] of Object.entries(head)) {
    if (name === "__metadata__") continue;
    const part = new Uint8Array(bytes.subarray(8 + length + entry.data_offsets[0], 8 + length + entry.data_offsets[1]));
    const types = { F32: Float32Array, F64: Float64Array, I64: BigInt64Array };
    values.set(name, { shape: entry.shape, data: new types[entry.dtype](part.buffer) });
  }
  return { values, about: JSON.parse(head.__metadata__.limpid) };
}

const scores = new Map();  // of `limpid heads`: of a model, whatever the text

export class Truth {
  /// `input`: arguments that name the text ("Time is money", or --tokens 1,2); `edits`: as --edit takes them.
  constructor(input, { edits = [], unedited, address, settings = {}, picture, series } = {}) {
    const folder = mkdtempSync(join(tmpdir(), "limpid-truth-"));
    const file = join(folder, "run.safetensors");
    this.call = [...input, ...edits.flatMap((edit) => ["--edit", edit])];
    this.input = input;
    this.address = address;  // of the protocol, for what no command prints
    this.picture = picture;  // an image's bytes, by line, column, channel
    this.series = series;    // a table's last rows
    this.settings = { temperature: 1, topK: 0, topP: 1, ...settings };
    run("trace", ...this.call, "--params", "-o", file);
    ({ values: this.values, about: this.about } = readTrace(file));
    rmSync(folder, { recursive: true });
    this.unedited = unedited ?? this;
    this.asked = new Map();
  }

  once(key, make) {
    if (!this.asked.has(key)) this.asked.set(key, make());
    return this.asked.get(key);
  }

  place(name, index) {
    const value = this.values.get(name);
    if (!value) throw new Error(`the trace has no ${name}`);
    if (index.length !== value.shape.length || index.some((place, i) => place < 0 || place >= value.shape[i])) throw new Error(`${name} is [${value.shape}], not [${index}]`);
    return [value, index.reduce((at, place, i) => at * value.shape[i] + place, 0)];
  }
  cell(name, index) {
    const [{ data }, at] = this.place(name, index);
    return Number(data[at]);
  }
  /// The same truth, but for one cell of its trace.
  changed(name, index, change) {
    const [{ shape, data }, at] = this.place(name, index);
    const other = Object.create(this);
    const copy = data.slice();
    copy[at] = change(Number(copy[at]));
    other.values = new Map(this.values).set(name, { shape, data: copy });
    other.asked = new Map();
    if (this.unedited === this) other.unedited = other;
    return other;
  }

  /// {value, exact}: exact where the trace holds these very bits, else the last digits of rounding are open.
  async find(from, explained) {
    if (from.startsWith("unedited:")) return this.unedited.find(from.slice(9), explained);
    if (from.startsWith("-explain:")) return { value: -this.node(explained, from.slice(9)), exact: true };
    if (from.startsWith("explain:")) return { value: this.node(explained, from.slice(8)), exact: false };
    const [, kind, rest] = /^(mean|heads|lens|part|sources|chosen)\b:?(.*)$/.exec(from) ?? [];
    if (kind === "mean") return { value: this.mean(rest), exact: false };
    if (kind === "heads") return { value: this.head(rest), exact: false };
    if (kind === "lens") return { value: this.lens(rest), exact: true };
    if (kind === "part") return { value: this.lensAnswer().parts.find(({ name }) => name === rest).logit, exact: true };
    if (kind === "chosen") return { value: this.chosen(Number(rest.slice(1, -1))), exact: false };
    if (kind === "sources") return { value: await this.source(rest), exact: false };
    if (from.startsWith("choice:")) return { value: this.choice(from.slice(7)), exact: false };
    if (from.startsWith("loss:")) return { value: this.loss(from.slice(5)), exact: false };
    if (from.startsWith("attended:")) return { value: this.attended(from.slice(9)), exact: false };
    const [, what, place] = /^(picture|series\.read|series\.foretold)\[([\d,]+)\]$/.exec(from) ?? [];
    if (what === "picture") return { value: place.split(",").map(Number).reduce((part, at) => part[at], this.picture), exact: true };
    if (what) return { value: this.moment(what, place.split(",").map(Number)), exact: false };
    const named = /^([^[\]]+)\[([\d,]+)\]$/.exec(from);
    if (!named) throw new Error(`${from} names no cell`);
    return { value: this.cell(named[1], named[2].split(",").map(Number)), exact: true };
  }

  mean(text) {
    const [, name, batch, head, q0, q1, k0, k1] = /^(.+)\[(\d+),(\d+),(\d+):(\d+),(\d+):(\d+)\]$/.exec(text);
    let sum = 0;
    for (let q = Number(q0); q < q1; ++q) for (let k = Number(k0); k < k1; ++k) sum += this.cell(name, [Number(batch), Number(head), q, k]);
    return sum / ((q1 - q0) * (k1 - k0));
  }

  // Weights of one head, or rolled out over all layers, as a mean of rows.
  attended(text) {
    const [, of, head, first, end, batch, key] = /^(\S+) (\S+) (\d+):(\d+) (\d+)\[(\d+)\]$/.exec(text);
    const weight = of === "all" ? (query) => this.once(`rollout ${batch}`, () => this.rollout(Number(batch)))[query][key] : (query) => this.cell(of, [Number(batch), Number(head), query, Number(key)]);
    let sum = 0;
    for (let query = Number(first); query < Number(end); ++query) sum += weight(query);
    return sum / (end - first);
  }
  // Abnar and Zuidema 2020: half the heads' mean, half the row itself, from layer to layer.
  rollout(batch) {
    let out;
    for (let layer = 0; this.values.has(`blocks.${layer}.attn.pattern`); ++layer) {
      const name = `blocks.${layer}.attn.pattern`, { shape: [, heads, length] } = this.values.get(name);
      const places = Array.from({ length }, (_, i) => i);
      const mixed = places.map((t) => {
        const row = places.map((s) => { let sum = 0; for (let head = 0; head < heads; ++head) sum += this.cell(name, [batch, head, t, s]); return sum; });
        const all = row.reduce((sum, each) => sum + each, 0);
        return row.map((each, s) => 0.5 * each / all + (s === t ? 0.5 : 0));
      });
      const before = out;
      out = before ? places.map((t) => places.map((s) => places.reduce((sum, k) => sum + mixed[t][k] * before[k][s], 0))) : mixed;
    }
    return out;
  }
  moment(what, [row, column]) {
    if (what === "series.read") return this.series[row][column];
    return this.once("forecast", () => json("predict", ...this.input))["forecast"][row][column];
  }

  // `explain` says how a number comes about; the numbers that it starts from are taken from the trace.
  node(cell, path) {
    const tree = this.once(`explain ${cell}`, () => json("explain", cell, ...this.call)[0].arithmetic);
    let node = tree;
    for (const at of path ? path.split(".") : []) node = node.of[Number(at)];
    return this.worth(node);
  }
  worth(node) {
    if (node.cell) return this.values.has(node.cell) ? this.cell(node.cell, node.index) : number(node.value);
    if (node.op === "constant") return number(node.value);
    const parts = node.of.map((part) => this.worth(part));
    switch (node.op) {
      case "sum": return parts.reduce((all, each) => all + each, 0);
      case "product": return parts.reduce((all, each) => all * each, 1);
      case "quotient": return parts[0] / parts[1];
      case "maximum": case "max": return Math.max(...parts);
      case "erf": return number(node.value);  // Math has none
      default: return Math[node.op](...parts);
    }
  }

  head(text) {
    const [attention, head, what] = text.split(" ");
    if (what === "score") {
      const at = this.input.indexOf("--model"), model = at < 0 ? [] : this.input.slice(at, at + 2);
      if (!scores.has(model.join())) scores.set(model.join(), json("heads", ...model).heads);
      return scores.get(model.join()).find((each) => each.attention === attention && each.head === Number(head)).score;
    }
    const { shape: [, , queries, keys] } = this.values.get(`${attention}.pattern`);
    let sum = 0;
    for (let q = 0; q < queries; ++q) {
      if (what === "first_token") sum += this.cell(`${attention}.pattern`, [0, Number(head), q, 0]);
      else for (let k = 0; k < keys; ++k) {
        const weight = this.cell(`${attention}.pattern`, [0, Number(head), q, k]);
        if (weight > 0) sum -= weight * Math.log(weight);
      }
    }
    return sum / queries;
  }

  lensAnswer() {
    return this.once("lens", () => json("lens", ...this.input, "--all"));
  }
  lens(text) {
    const [place, what] = text.split(" ");
    return what ? this.lensAnswer().layers[Number(place)][what] : this.lensAnswer()[place];
  }

  // That a token is drawn: the softmax of the trace's logits over the temperature, of the tokens that stay.
  chosen(id) {
    const { temperature, topK, topP } = this.settings;
    const drawn = this.once("chosen", () => {
      const { shape: [, length, vocabulary] } = this.values.get("logits");
      const logits = Array.from({ length: vocabulary }, (_, token) => ({ token, logit: this.cell("logits", [0, length - 1, token]) / temperature }));
      logits.sort((a, b) => b.logit - a.logit);
      let kept = topK ? logits.slice(0, topK) : logits;
      const weigh = (list) => { const most = list[0].logit, all = list.reduce((sum, each) => sum + Math.exp(each.logit - most), 0); return list.map((each) => ({ ...each, p: Math.exp(each.logit - most) / all })); };
      kept = weigh(kept);
      if (topP < 1) { let sum = 0; kept = weigh(kept.filter(({ p }) => { const stays = sum < topP; sum += p; return stays; })); }
      return new Map(kept.map(({ token, p }) => [token, p]));
    });
    return drawn.get(id) ?? 0;
  }

  // A choice of the quiz that is a number, the right one or one of the wrong: by the kind of its question, its place
  // in their order, the width of a head, and the cells that the question is about.
  choice(text) {
    const [kind, at, width, ...cells] = text.split(" ");
    const values = cells.map((cell) => { const [, name, places] = /^(.+)\[([\d,]+)\]$/.exec(cell); return [name, places.split(",").map(Number)]; });
    const [first, second] = values.map(([name, places]) => this.cell(name, places));
    const all = kind === "scaled_score" ? [second / Math.sqrt(width), second, second / width, second * Math.sqrt(width)]
      : kind === "ratio_of_probabilities" ? [values.map(([, places]) => this.cell("probs", places)).reduce((a, b) => a / b), first / second, first - second, Math.exp(first) - Math.exp(second)]
      : undefined;
    if (!all) throw new Error(`${kind} has no numbers to choose from`);
    return all.sort((a, b) => a - b)[Number(at)];
  }

  // Of a token but the first, or the mean of all: -ln of the probability that the trace gives the next one.
  loss(place) {
    const tokens = this.about.tokens;
    const of = (t) => -Math.log(this.cell("probs", [0, t, tokens[t + 1].id]));
    if (place !== "mean") return of(Number(place));
    return tokens.slice(1).reduce((sum, _, t) => sum + of(t), 0) / (tokens.length - 1);
  }

  // No command prints the sources of a score: their sum is held to the trace's score, they to the protocol.
  async source(text) {
    const [layer, head, query, key, what] = text.split(" ");
    const place = [0, Number(head), Number(query), Number(key)], attention = `blocks.${layer}.attn`;
    const scaled = this.cell(`${attention}.scaled_scores`, place), score = this.cell(`${attention}.scores`, place);
    const { json: told, arrays } = await this.once(`sources ${layer} ${head} ${query} ${key}`, () => ask(this.address, { ask: "score_sources", layer: Number(layer), head: Number(head), query: Number(query), key: Number(key) }));
    const sum = arrays.pairs.reduce((all, each) => all + each, 0);
    if (what === "scaled") return scaled;
    if (what === "score") return score;
    if (what === "after") return score - scaled;
    if (what === "sum") return sum;
    if (what === "rest") return told.scaled - told.sum;
    const [, array, index] = /^(\w+)\[([\d,]+)\]$/.exec(what);
    const [row, column] = index.split(",").map(Number);
    return array === "pairs" ? arrays.pairs[row * told.sources.length + column] : arrays[array][row];
  }
}

/// The numbers of a training run as its folder has them: its log, and the traces of the sentences that it watched.
export class RunTruth {
  constructor(folder) {
    this.folder = folder;
    this.reports = readFileSync(join(folder, "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    this.traces = new Map();
    this.changes = new Map();
    this.about = { graph: {} };
  }

  /// The same run, but for one of its numbers.
  changed(from, change) {
    const other = Object.assign(Object.create(RunTruth.prototype), this);
    other.changes = new Map(this.changes).set(from, change);
    return other;
  }

  async find(from) {
    const value = this.read(from), change = this.changes.get(from);
    return { value: change ? change(value) : value, exact: true };
  }

  read(from) {
    const [, kind, rest] = /^(log|watched):(.+)$/.exec(from) ?? [];
    if (kind === "log") {
      const value = rest.split(".").reduce((at, name) => at?.[name], this.reports);
      if (value === undefined) throw new Error(`the log has no ${rest}`);
      return typeof value === "string" && !/\.observation$/.test(rest) ? number(value) : value;
    }
    if (kind !== "watched") throw new Error(`${from} is of no training run`);
    const [, file, name, places] = /^(\S+) ([^[\]]+)\[([\d,]+)\]$/.exec(rest);
    if (!this.traces.has(file)) this.traces.set(file, readTrace(join(this.folder, "watched", `${file}.safetensors`)).values);
    const value = this.traces.get(file).get(name);
    if (!value) throw new Error(`the watched sentence ${file} has no ${name}`);
    return Number(value.data[places.split(",").reduce((at, place, i) => at * value.shape[i] + Number(place), 0)]);
  }
}
