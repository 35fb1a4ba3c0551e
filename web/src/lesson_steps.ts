// What each step of the lesson shows and asks. All numbers are the run's own: cells of its stages, and what
// the engine answers about them.
import { Answer, integers, reals } from "./engine";
import { h } from "./dom";
import { blockLabel, FlowHost } from "./flow";
import { formatCount, formatNumber } from "./format";
import { CellRef, Grid } from "./grid";
import { AttentionColumn, isSquare, Section, sectionsOf, TripleColumn, VectorColumn } from "./layout";
import { headGrid, labelled, Span, squareGrid, vectorGrid } from "./matrix";
import { Session, Value } from "./session";
import { State } from "./state";
import { currentLanguage, said, words } from "./words";

export interface LessonHost extends FlowHost {
  explain(name: string, index: number[]): void;
  explainNothing(): void;
}

/// What is asked before it is shown.
export interface Guess {
  question: string;
  choices: string[];
  right: number;
  told: string;       // the truth, with the run's numbers
}

export interface StepContent {
  text: string[];
  picture: HTMLElement;
  guess?: Guess;
  /// Once the answer is known: the cell whose arithmetic is told.
  cell?: CellRef;
  /// The part of the flow that the step speaks of.
  flow?: Partial<State>;
}

export const stepNames = ["words", "embedding", "qkv", "scores", "softmax", "sum", "heads", "norm", "prediction", "training"] as const;
export type StepName = (typeof stepNames)[number];

/// Where the lesson looks: one head of the block that is open, and the last token.
export interface Places {
  sections: Section[];
  section: Section;
  attention: AttentionColumn;
  triple?: TripleColumn;
  head: number;
  heads: number;
  query: number;
  span: Span;
  row: number[];      // the weights of the query, over all keys
  order: number[];    // keys that it may look at, the largest weight first
  narrow: boolean;
  width: number;      // of the picture
}

const wideTokens = 10, narrowTokens = 7;

export class LessonSteps {
  constructor(private readonly session: Session, private readonly host: LessonHost) {}

  /// Undefined: the network has no attention over a text.
  async places(width: number): Promise<Places | undefined> {
    const { labels } = this.session.opened;
    const sections = sectionsOf(this.session.network);
    // Of an encoder-decoder the decoder, whose tokens axis T counts.
    const open = sections.filter((each) => each.name && !each.name.startsWith("encoder.") && each.columns.some(isAttention));
    const section = open.find((each) => each.name === this.host.state.block) ?? open[0];
    const attention = section?.columns.find(isAttention);
    this.own = !attention?.id.includes("cross");
    if (!section || !attention || !labels.length) return undefined;
    const head = Math.min(this.host.state.head, attention.heads - 1);
    const narrow = window.innerWidth < 860;
    const [, , queries, keys] = this.session.sizes(attention.pattern.name);
    const query = queries - 1;
    const row = Array.from((await this.session.window(attention.pattern.name, [0, head, query, 0], [1, 1, 1, keys])).data);
    const count = Math.min(queries, narrow ? narrowTokens : wideTokens);
    const order = row.map((_, key) => key).filter((key) => row[key] > 0).sort((a, b) => row[b] - row[a] || a - b);
    return {
      sections, section, attention, head, heads: attention.heads, query, row, narrow, width,
      triple: section.columns.find((each): each is TripleColumn => each.kind === "triple" && each.group === attention.group),
      span: { from: queries - count, count },
      order: order.length ? order : [query],
    };
  }

  async of(name: StepName, at: Places, open: boolean): Promise<StepContent> {
    return this[name](at, open);
  }

  // ---- words in, vectors -----------------------------------------------------------------------------------

  private async words(at: Places): Promise<StepContent> {
    const { labels, model } = this.session.opened;
    return {
      text: [...words.lesson.words(count(labels.length), count(model.vocabulary)), ...(labels.length < 2 ? [words.lesson.wordsAlone] : [])],
      picture: this.tokens(at), flow: { view: "flow", attention: "" },
    };
  }

  private tokens(at: Places): HTMLElement {
    const { labels, ids } = this.session.opened;
    return h("ol", { class: "lesson-tokens" }, ...range(at.span).map((t) => h("li", {},
      h("span", { class: "token-word" }, labels[t]), h("span", { class: "token-id" }, String(ids[t])))));
  }

  private async embedding(at: Places): Promise<StepContent> {
    const before = at.sections.slice(0, at.sections.indexOf(at.section)).filter((each) => !each.name).flatMap((each) => each.columns)
      .filter((each): each is VectorColumn => each.kind === "vector" && !each.id.startsWith("encoder."));
    const [column] = before;
    const positions = before.some((each) => each.adds.length > 0) ? "added"
      : this.stage(at, /^rot_q$/) ? "turned" : "none";
    if (!column) return { text: [words.lesson.places.none], picture: h("div", {}) };
    const width = this.session.sizes(column.value.name).at(-1)!;
    const grid = await this.vectors(column.value, at.span, at, said(column.label));
    return {
      text: [...words.lesson.embedding(count(width)), words.lesson.places[positions]],
      picture: figure(said(column.label), this.withWords(grid, at.span, at)),
      cell: { name: column.value.name, index: [0, at.query, 0] }, flow: { view: "flow", attention: "" },
    };
  }

  // ---- one head --------------------------------------------------------------------------------------------

  private async qkv(at: Places): Promise<StepContent> {
    const parts = ["query", "key", "value"].map((role) => at.triple?.parts.find((each) => each.role === role)).filter((each) => !!each);
    const grids = await Promise.all(parts.map((part) => this.headRows(part, at.span, at, at.narrow ? 1 : 3)));
    const width = parts.length ? this.session.sizes(parts[0].value.name).at(-1)! : 0;
    const where = `${blockLabel(at.section.name)}, ${words.headNumber(at.head)}`;
    return {
      text: words.lesson.qkv(count(width), where),
      picture: h("div", { class: "lesson-row" }, ...grids.map((grid, i) => figure(partName(parts[i].role), this.withWords(grid, this.spanOf(parts[i].value, at), at), parts[i].role))),
      cell: parts.length ? { name: parts[0].value.name, index: [0, at.query, this.headIn(parts[0].value, at), 0] } : undefined,
      flow: { view: "flow", attention: "", block: at.section.name },
    };
  }

  private async scores(at: Places, open: boolean): Promise<StepContent> {
    const value = this.stage(at, /^scores$/) ?? this.stage(at, /^scaled_scores$/);
    const raw = this.stage(at, /^raw_scores$/), scaled = this.stage(at, /^scaled_scores$/);
    const [high, low] = [at.order[0], at.order.findLast((key) => this.key(key) !== this.key(at.order[0]))];
    const query = this.word(at.query);
    const width = at.triple ? this.session.sizes(at.triple.parts[0].value.name).at(-1)! : 0;
    const told = scaled ?? raw;
    let guess: Guess | undefined;
    if (low !== undefined && told) {
      const shown = [high, low].sort((a, b) => a - b);
      const row = async (of: Value) => (await this.session.window(of.name, [0, at.head, at.query, 0], [1, 1, 1, at.row.length])).data;
      const scores = await row(told), sums = await row(raw ?? told);
      const right = scores[high] >= scores[low] ? high : low;
      const say = (key: number) => words.lesson.scoresTold(query, this.key(key), formatNumber(sums[key]), formatNumber(scores[key]));
      guess = {
        question: words.lesson.scoresAsk(query), choices: shown.map((key) => words.lesson.keyOf(this.key(key))), right: shown.indexOf(right),
        told: `${say(right)} ${say(right === high ? low : high)}`,
      };
    }
    const picture = open || !guess ? await this.squares(value ?? told, at, words.lesson.steps.scores) : await this.pairOfKeys(at, [high, low!].sort((a, b) => a - b));
    return {
      text: [...words.lesson.scores(query, count(width)), ...(this.masks(at) ? [words.lesson.masked] : [])], picture, guess,
      cell: told && { name: (raw ?? told).name, index: [0, at.head, at.query, high] }, flow: this.opened(at),
    };
  }

  private async softmax(at: Places, open: boolean): Promise<StepContent> {
    const value = this.stage(at, /^scores$/) ?? this.stage(at, /^scaled_scores$/);
    const high = at.order[0], weight = at.row[high];
    const share = weight < 0.25 ? 0 : weight < 0.5 ? 1 : weight < 0.75 ? 2 : 3;
    const guess: Guess | undefined = at.order.length > 1 ? {
      question: words.lesson.softmaxAsk(this.word(at.query), this.key(high)), choices: words.lesson.shares, right: share,
      told: words.lesson.softmaxTold(this.word(at.query), this.key(high), formatNumber(weight)),
    } : undefined;
    const scores = value && (await this.squares(value, at, words.lesson.steps.scores));
    const picture = h("div", { class: "lesson-row" }, scores ?? "", open || !guess ? await this.squares(at.attention.pattern, at, words.attention, [0, 1]) : "");
    return { text: words.lesson.softmax, picture, guess, cell: { name: at.attention.pattern.name, index: [0, at.head, at.query, high] }, flow: this.opened(at) };
  }

  private async sum(at: Places): Promise<StepContent> {
    const value = at.triple?.parts.find((each) => each.role === "value");
    const stage = at.attention.stages.find((each) => each.operation === "weighted_sum");
    const z = stage && this.session.network.values.get(stage.outputs[0]);
    const query = this.word(at.query);
    const largest = at.order.slice(0, 3).map((key) => words.lesson.share(formatNumber(at.row[key]), this.key(key)));
    const keys = this.keys(at);
    const room = { width: Math.min(420, at.width - 90), row: 26 };
    const weights = await squareGrid(this.session, at.attention.pattern, at.head, { from: at.query, count: 1 }, keys,
      { cell: [cellOf(at, keys.count), 28], numbers: cellOf(at, keys.count) >= 34, label: words.lesson.weightsOf(query), scale: [0, 1], hidesZero: true }, this.host);
    const values = value && (await headGrid(this.session, value.value, this.headIn(value.value, at), keys, { ...room, role: "value", label: words.lesson.valuesOf }, this.host));
    const gathered = z && (await headGrid(this.session, z, at.head, { from: at.query, count: 1 }, { ...room, role: "value", label: words.lesson.gathered(query) }, this.host));
    return {
      text: words.lesson.sum(query, largest.join(", ")),
      picture: h("div", { class: "lesson-row" },
        figure(words.lesson.weightsOf(query), labelled(weights, [], this.keyWords(keys), { left: 0, top: labelRoom(at, keys.count) }), "weights"),
        h("div", { class: "lesson-column" },
          values && figure(words.lesson.valuesOf, this.withWords(values, keys, at, (key) => this.key(key)), "value"),
          gathered && figure(words.lesson.gathered(query), this.withWords(gathered, { from: at.query, count: 1 }, at), "value"))),
      cell: z && { name: z.name, index: [0, at.query, at.head, 0] }, flow: this.opened(at),
    };
  }

  private async heads(at: Places, open: boolean): Promise<StepContent> {
    const other = (at.head + 1) % at.heads;
    const query = this.word(at.query);
    let guess: Guess | undefined, cell: CellRef | undefined;
    if (at.heads > 1 && at.order.length > 1) {
      const row = (await this.session.window(at.attention.pattern.name, [0, other, at.query, 0], [1, 1, 1, at.row.length])).data;
      const order = at.order.slice().sort((a, b) => row[b] - row[a] || a - b);
      const shown = distinct(order, (key) => this.key(key)).slice(0, 4).sort((a, b) => a - b);
      if (shown.length > 1) {
        guess = {
          question: words.lesson.headsAsk(query, other), choices: shown.map((key) => this.key(key)), right: shown.indexOf(order[0]),
          told: words.lesson.headsTold(query, this.key(order[0]), other, formatNumber(row[order[0]])),
        };
        cell = { name: at.attention.pattern.name, index: [0, other, at.query, order[0]] };
      }
    }
    const shown = Math.min(at.heads, 16);
    const keys = this.keys(at);
    const side = at.narrow ? Math.floor((at.width - 24) / 2) : 150;
    const cellSide = Math.max(3, Math.floor(side / Math.max(keys.count, at.span.count)));
    const list = h("div", { class: "lesson-heads" });
    for (let head = 0; head < shown; ++head) {
      const hidden = !!guess && !open && head !== at.head;
      const grid = hidden ? undefined : await squareGrid(this.session, at.attention.pattern, head, at.span, keys,
        { cell: [cellSide, cellSide], numbers: false, label: words.headNumber(head), scale: [0, 1], hidesZero: true }, this.host);
      list.append(figure(words.headNumber(head), grid?.element ?? h("div", { class: "lesson-hidden", style: { width: `${cellSide * keys.count}px`, height: `${cellSide * at.span.count}px` } }, words.lesson.hidden), "weights"));
    }
    return { text: at.heads > 1 ? words.lesson.heads(count(at.heads)) : [words.lesson.oneHead], picture: list, guess, cell, flow: { view: "heads", block: at.section.name } };
  }

  // ---- out of the block ------------------------------------------------------------------------------------

  private async norm(at: Places): Promise<StepContent> {
    const sum = at.section.columns.find((each): each is VectorColumn => each.kind === "vector" && each.adds.length === 2);
    const text = [...words.lesson.norm(this.word(at.query)), words.lesson.feedForward(count(this.session.opened.model.layers))];
    if (!sum) return { text, picture: h("div", {}) };
    const { network } = this.session;
    const after = network.stages.find((stage) => stage.operation.includes("norm") && stage.inputs[0] === sum.value.name);
    const normalized = after?.outputs.map((name) => network.values.get(name)!).find((each) => each.axes === sum.value.axes);
    const rows: [string, Value | undefined][] = [
      [words.lesson.before, network.values.get(sum.adds[0])], [words.lesson.added, network.values.get(sum.adds[1])],
      [words.lesson.after, sum.value], [words.lesson.normalized, normalized]];
    const one = { from: at.query, count: 1 };
    const list = h("div", { class: "lesson-sum" });
    for (const [name, value] of rows) {
      if (!value || !value.axes.startsWith("BT")) continue;
      const grid = await this.vectors(value, one, { ...at, width: at.narrow ? at.width : Math.min(at.width / 2 - 20, 420) }, name, 84);
      list.append(figure(name, grid.element, "plain", value.name));
    }
    return { text, picture: list, cell: { name: sum.value.name, index: [0, at.query, 0] }, flow: { view: "flow", attention: "", block: at.section.name } };
  }

  private async prediction(at: Places, open: boolean): Promise<StepContent> {
    const text = words.lesson.prediction(count(this.session.opened.model.vocabulary));
    let answer: Answer;
    try {
      answer = await this.session.ask({ ask: "next", count: 10 });
    } catch (problem) {
      if ((problem as { kind?: string }).kind === "stale") throw problem;
      return { text: [words.lesson.noPrediction], picture: h("div", {}) };
    }
    const { json, arrays } = answer;
    const ids = integers(arrays.ids), probabilities = reals(arrays.probabilities);
    const four = distinct(ids.map((_, i) => i), (i) => json.labels[i]).slice(0, 4).sort((a, b) => json.labels[a].localeCompare(json.labels[b], "en"));
    const guess: Guess | undefined = four.length > 1 ? {
      question: words.lesson.predictionAsk[json.predicts]?.(tail((!this.session.opened.sourceLabels && this.session.opened.text) || this.word(at.query))) ?? "",
      choices: four.map((i) => json.labels[i]), right: four.indexOf(0),
      told: words.lesson.predictionTold(json.labels[0], formatNumber(probabilities[0])),
    } : undefined;
    const axes = this.session.network.values.get("probs")?.axes ?? "";
    const index = (id: number) => (axes.includes("T") ? [0, at.query, id] : [0, id]);
    const table = h("table", { class: "bars lesson-bars" }, h("tbody", {}, ...ids.map((id, i) => h("tr", { "data-id": id },
      h("th", { scope: "row" }, h("span", { class: "next-word" }, json.labels[i])),
      h("td", { class: "bar-cell" }, h("span", { class: "bar-lane" }, h("i", { class: "now", style: { width: `${probabilities[i] * 100}%` } }))),
      h("td", { class: "number" }, this.number(probabilities[i], { name: "probs", index: index(id) }))))));
    return { text, picture: open || !guess ? table : await this.lastVector(at), guess, cell: { name: "probs", index: index(ids[0]) }, flow: { view: "why" } };
  }

  // What the logits are computed from.
  private async lastVector(at: Places): Promise<HTMLElement> {
    const { network } = this.session;
    const stage = network.stages.find((each) => each.outputs.includes("logits"));
    const value = stage && network.values.get(stage.inputs[0]);
    if (!value || !value.axes.startsWith("BT")) return h("div", {});
    const grid = await this.vectors(value, { from: at.query, count: 1 }, { ...at, width: Math.min(at.width, 420) }, words.lesson.lastVector(this.word(at.query)), 84);
    return figure(words.lesson.lastVector(this.word(at.query)), grid.element, "plain", value.name);
  }

  private async training(at: Places, open: boolean): Promise<StepContent> {
    let answer: Answer | undefined;
    try {
      if (!this.session.opened.sourceLabels) answer = await this.session.ask({ ask: "losses" });
    } catch (problem) {
      if ((problem as { kind?: string }).kind === "stale") throw problem;
    }
    if (!answer) return { text: [...words.lesson.training, this.session.opened.ids.length < 2 && !this.session.opened.sourceLabels ? words.lesson.wordsAlone : words.lesson.noLoss], picture: h("div", {}) };
    const { json, arrays } = answer;
    const ids = integers(arrays.ids), losses = reals(arrays.losses), probabilities = reals(arrays.probabilities), likeliest = reals(arrays.likeliest_probabilities);
    const order = losses.map((_, i) => i).sort((a, b) => losses[b] - losses[a] || a - b);
    const said = (i: number) => words.lesson.afterWord(json.labels[i], this.word(i));
    const shown = distinct(order, said).slice(0, 4).sort((a, b) => a - b);
    const told = words.lesson.trainingTold(json.labels[order[0]], this.word(order[0]), formatNumber(probabilities[order[0]]), formatNumber(losses[order[0]]));
    const guess = shown.length > 1 ? { question: words.lesson.trainingAsk, choices: shown.map(said), right: shown.indexOf(order[0]), told: `${told} ${words.lesson.trainingMean(formatNumber(json.mean))}` } : undefined;
    const most = 14, { columns } = words.lesson;
    const first = Math.max(0, losses.length - most);
    const head = h("tr", {}, h("th", {}, columns.before), h("th", {}, columns.token), h("th", { class: "number" }, columns.probability), h("th", { class: "number" }, columns.loss), h("th", {}, columns.likeliest));
    const table = h("table", { class: "facts losses" }, h("thead", {}, head), h("tbody", {}, ...losses.slice(first).map((loss, k) => {
      const i = first + k;
      return h("tr", { "data-place": i }, h("td", {}, h("span", { class: "next-word" }, this.word(i))), h("th", { scope: "row" }, h("span", { class: "next-word" }, json.labels[i])),
        h("td", { class: "number" }, this.number(probabilities[i], { name: "probs", index: [0, i, ids[i]] })), h("td", { class: "number loss" }, formatNumber(loss)),
        h("td", {}, json.likeliest_labels[i] === json.labels[i] ? "" : h("span", { class: "next-word" }, json.likeliest_labels[i]), json.likeliest_labels[i] === json.labels[i] ? "" : h("span", { class: "other-number" }, ` ${formatNumber(likeliest[i])}`)));
    })));
    const picture = open || !guess ? h("div", { class: "scroll" }, table, h("p", { class: "loss-mean" }, words.lesson.trainingMean(formatNumber(json.mean)))) : this.tokens(at);
    return { text: words.lesson.training, picture, guess, cell: { name: "probs", index: [0, order[0], ids[order[0]]] } };
  }

  // ---- parts of pictures -----------------------------------------------------------------------------------

  private number(value: number, cell: CellRef): HTMLElement {
    return h("button", { class: "link", title: words.lesson.why, onclick: () => this.host.explain(cell.name, cell.index) }, formatNumber(value));
  }

  private opened(at: Places): Partial<State> {
    return { view: "flow", block: at.section.name, attention: at.attention.id };
  }

  /// A stage of this attention, or what it reads: "scores", "rot_q".
  private stage(at: Places, name: RegExp): Value | undefined {
    const values = [...at.attention.stages.flatMap((each) => each.outputs), ...at.attention.group.inputs].map((each) => this.session.network.values.get(each)!);
    return values.find((each) => each && name.test(each.name.split(".").at(-1)!) && (isSquare(each) || !/scores/.test(each.name)));
  }

  private masks(at: Places): boolean {
    return at.attention.stages.some((stage) => stage.operation === "mask" || stage.operation.includes("mask"));
  }

  private word(t: number): string { return this.session.word("T", t) ?? String(t); }
  private key(s: number): string { return this.session.word(this.own ? "T" : "S", s) ?? String(s); }
  // Whether keys are the tokens themselves: those of an attention to an encoder are the source's.
  private own = true;

  private keys(at: Places): Span {
    const [, , queries, keys] = this.session.sizes(at.attention.pattern.name);
    return queries === keys ? at.span : { from: 0, count: Math.min(keys, at.span.count) };
  }

  private keyWords(keys: Span): string[] { return range(keys).map((s) => this.key(s)); }

  private headIn(value: Value, at: Places): number {
    return Math.floor(at.head / (at.heads / this.session.sizes(value.name)[2]));
  }

  private spanOf(value: Value, at: Places): Span {
    return value.axes[1] === "S" ? this.keys(at) : at.span;
  }

  private async headRows(part: TripleColumn["parts"][number], span: Span, at: Places, across: number): Promise<Grid> {
    const width = at.narrow ? at.width - 90 : Math.floor((at.width - 30 * (across - 1)) / across) - 74;
    return headGrid(this.session, part.value, this.headIn(part.value, at), span, { width: Math.min(width, 300), row: at.narrow ? 22 : 26, role: part.role, label: partName(part.role) }, this.host);
  }

  private async vectors(value: Value, span: Span, at: Places, label: string, height = 30): Promise<Grid> {
    const width = Math.min(at.width - (span.count > 1 ? 80 : 6), 640);
    return vectorGrid(this.session, value, span, { width, height, gap: 8, role: "plain", label }, this.host);
  }

  // Rows with their words at the left, each as tall as its row.
  private withWords(grid: Grid, span: Span, at: Places, word = (t: number) => this.word(t)): HTMLElement {
    const { rows, cell, rowsTogether = 1, gap = 0 } = grid.spec;
    const tall = cell[1] * rowsTogether + (rowsTogether > 1 || gap ? gap : 0);
    const list = h("div", { class: "lesson-words", "aria-hidden": true });
    for (let i = 0; i < rows / rowsTogether; ++i) list.append(h("span", { style: { height: `${tall}px` } }, word(span.from + i)));
    return h("div", { class: "with-words" }, list, grid.element);
  }

  private async squares(value: Value | undefined, at: Places, label: string, scale?: [number, number]): Promise<HTMLElement> {
    if (!value) return h("div", {});
    const keys = this.keys(at);
    const cell = cellOf(at, keys.count);
    const grid = await squareGrid(this.session, value, at.head, at.span, keys, { cell: [cell, Math.min(cell, 28)], numbers: cell >= 34, label, scale, hidesZero: !!scale }, this.host);
    return figure(label, labelled(grid, range(at.span).map((t) => this.word(t)), this.keyWords(keys), { left: 62, top: labelRoom(at, keys.count) }), "weights");
  }

  // The query of the last token, and the two keys that it is compared with.
  private async pairOfKeys(at: Places, keys: number[]): Promise<HTMLElement> {
    const part = (role: string) => at.triple?.parts.find((each) => each.role === role);
    const list = h("div", { class: "lesson-column" });
    const rows: [TripleColumn["parts"][number] | undefined, number, string][] = [[part("query"), at.query, words.lesson.queryOf(this.word(at.query))],
      ...keys.map((key): [TripleColumn["parts"][number] | undefined, number, string] => [part("key"), key, capital(words.lesson.keyOf(this.key(key)))])];
    for (const [given, place, name] of rows)
      if (given) list.append(figure(name, (await headGrid(this.session, given.value, this.headIn(given.value, at), { from: place, count: 1 }, { width: at.narrow ? at.width - 8 : Math.min(at.width, 560), row: 24, role: given.role, label: name }, this.host)).element, given.role));
    return list;
  }
}

function isAttention(column: { kind: string }): column is AttentionColumn { return column.kind === "attention"; }

function range(span: Span): number[] { return Array.from({ length: span.count }, (_, i) => span.from + i); }

function count(value: number): string { return formatCount(value, currentLanguage()); }

function capital(text: string): string { return text[0].toUpperCase() + text.slice(1); }

function partName(role: string): string { return capital(role); }

// The first of those that are called alike.
function distinct(places: number[], name: (place: number) => string): number[] {
  const seen = new Set<string>();
  return places.filter((place) => !seen.has(name(place)) && seen.add(name(place)));
}

function tail(text: string): string { return text.length > 60 ? "…" + text.slice(-59) : text; }

// Of a matrix, two of which stand side by side.
function cellOf(at: Places, columns: number): number {
  const room = at.narrow ? at.width - 70 : Math.floor((at.width - 30) / 2) - 68;
  return Math.max(12, Math.min(54, Math.floor(room / columns)));
}

function labelRoom(at: Places, columns: number): number { return cellOf(at, columns) >= 30 ? 20 : 58; }

function figure(title: string, body: HTMLElement, role = "plain", note = ""): HTMLElement {
  return h("figure", { class: `lesson-figure role-${role}` }, title && h("figcaption", {}, title, note && h("code", {}, note)), body);
}
