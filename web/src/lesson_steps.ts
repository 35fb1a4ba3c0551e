// What each step of the lesson shows and asks. All numbers are the run's own: cells of its stages, and what
// the engine answers about them.
import { Answer, integers, reals } from "./engine";
import { h } from "./dom";
import { blockLabel } from "./flow_strips";
import { formatCount, formatNumber } from "./format";
import { CellRef } from "./grid";
import { VectorColumn } from "./layout";
import { cellOf, distinct, figure, labelRoom, LessonPictures, partName, Places, tail } from "./lesson_pictures";
import { headGrid, labelled, squareGrid } from "./matrix";
import { cited, rich } from "./rich";
import { Value } from "./session";
import { State } from "./state";
import { cellName, label, shown as run, told, wide } from "./told";
import { currentLanguage, said, words } from "./words";

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


export class LessonSteps extends LessonPictures {
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
      cell: { name: column.value.name, index: [run.batch, at.query, 0] }, flow: { view: "flow", attention: "" },
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
      cell: parts.length ? { name: parts[0].value.name, index: [run.batch, at.query, this.headIn(parts[0].value, at), 0] } : undefined,
      flow: { view: "flow", attention: "", block: at.section.name },
    };
  }

  private async scores(at: Places, open: boolean): Promise<StepContent> {
    const value = this.stage(at, /^scores$/) ?? this.stage(at, /^scaled_scores$/);
    const raw = this.stage(at, /^raw_scores$/), scaled = this.stage(at, /^scaled_scores$/);
    const [high, low] = [at.order[0], at.order.findLast((key) => this.key(key) !== this.key(at.order[0]))];
    const query = this.word(at.query);
    const width = at.triple ? this.session.sizes(at.triple.parts[0].value.name).at(-1)! : 0;
    const shownScores = scaled ?? raw;
    let guess: Guess | undefined;
    if (low !== undefined && shownScores) {
      const shown = [high, low].sort((a, b) => a - b);
      const row = async (of: Value) => (await this.session.window(of.name, [run.batch, at.head, at.query, 0], [1, 1, 1, at.row.length])).data;
      const scores = await row(shownScores), sums = await row(raw ?? shownScores);
      const right = scores[high] >= scores[low] ? high : low;
      const say = (key: number) => words.lesson.scoresTold(query, this.key(key), cited(sums[key], cellAt(raw ?? shownScores, at, key)), count(width), cited(scores[key], cellAt(shownScores, at, key)));
      guess = {
        question: words.lesson.scoresAsk(query), choices: shown.map((key) => words.lesson.keyOf(this.key(key))), right: shown.indexOf(right),
        told: `${say(right)} ${say(right === high ? low : high)}`,
      };
    }
    const picture = open || !guess ? await this.squares(value ?? shownScores, at, words.lesson.steps.scores) : await this.pairOfKeys(at, [high, low!].sort((a, b) => a - b));
    return {
      text: [...words.lesson.scores(query, count(width)), ...(this.masks(at) ? [words.lesson.masked] : [])], picture, guess,
      cell: shownScores && { name: (raw ?? shownScores).name, index: [run.batch, at.head, at.query, high] }, flow: this.opened(at),
    };
  }

  private async softmax(at: Places, open: boolean): Promise<StepContent> {
    const value = this.stage(at, /^scores$/) ?? this.stage(at, /^scaled_scores$/);
    const high = at.order[0], weight = at.row[high];
    const share = weight < 0.25 ? 0 : weight < 0.5 ? 1 : weight < 0.75 ? 2 : 3;
    const guess: Guess | undefined = at.order.length > 1 ? {
      question: words.lesson.softmaxAsk(this.word(at.query), this.key(high)), choices: words.lesson.shares, right: share,
      told: words.lesson.softmaxTold(this.word(at.query), this.key(high), cited(weight, cellAt(at.attention.pattern, at, high))),
    } : undefined;
    const scores = value && (await this.squares(value, at, words.lesson.steps.scores));
    const picture = h("div", { class: "lesson-row" }, scores ?? "", open || !guess ? await this.squares(at.attention.pattern, at, words.attention, [0, 1]) : "");
    return { text: [...words.lesson.softmax], picture, guess, cell: { name: at.attention.pattern.name, index: [run.batch, at.head, at.query, high] }, flow: this.opened(at) };
  }

  private async sum(at: Places): Promise<StepContent> {
    const value = at.triple?.parts.find((each) => each.role === "value");
    const stage = at.attention.stages.find((each) => each.operation === "weighted_sum");
    const z = stage && this.session.network.values.get(stage.outputs[0]);
    const query = this.word(at.query);
    const largest = at.order.slice(0, 3).map((key) => words.lesson.share(cited(at.row[key], cellAt(at.attention.pattern, at, key)), this.key(key)));
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
      cell: z && { name: z.name, index: [run.batch, at.query, at.head, 0] }, flow: this.opened(at),
    };
  }

  private async heads(at: Places, open: boolean): Promise<StepContent> {
    const other = (at.head + 1) % at.heads;
    const query = this.word(at.query);
    let guess: Guess | undefined, cell: CellRef | undefined;
    if (at.heads > 1 && at.order.length > 1) {
      const row = (await this.session.window(at.attention.pattern.name, [run.batch, other, at.query, 0], [1, 1, 1, at.row.length])).data;
      const order = at.order.slice().sort((a, b) => row[b] - row[a] || a - b);
      const shown = distinct(order, (key) => this.key(key)).slice(0, 4).sort((a, b) => a - b);
      if (shown.length > 1) {
        guess = {
          question: words.lesson.headsAsk(query, other), choices: shown.map((key) => this.key(key)), right: shown.indexOf(order[0]),
          told: words.lesson.headsTold(query, this.key(order[0]), other, cited(row[order[0]], cellName({ name: at.attention.pattern.name, index: [run.batch, other, at.query, order[0]] }))),
        };
        cell = { name: at.attention.pattern.name, index: [run.batch, other, at.query, order[0]] };
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
    return { text, picture: list, cell: { name: sum.value.name, index: [run.batch, at.query, 0] }, flow: { view: "flow", attention: "", block: at.section.name } };
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
    const axes = this.session.network.values.get("probs")?.axes ?? "";
    const index = (id: number) => (axes.includes("T") ? [0, at.query, id] : [0, id]);
    const four = distinct(ids.map((_, i) => i), (i) => json.labels[i]).slice(0, 4).sort((a, b) => json.labels[a].localeCompare(json.labels[b], "en"));
    const guess: Guess | undefined = four.length > 1 ? {
      question: words.lesson.predictionAsk[json.predicts]?.(tail((!this.session.opened.sourceLabels && this.session.opened.text) || this.word(at.query))) ?? "",
      choices: four.map((i) => json.labels[i]), right: four.indexOf(0),
      told: words.lesson.predictionTold(json.labels[0], cited(probabilities[0], cellName({ name: "probs", index: index(ids[0]) }))),
    } : undefined;
    const table = h("table", { class: "bars lesson-bars" }, h("tbody", {}, ...ids.map((id, i) => h("tr", { "data-id": id },
      h("th", { scope: "row" }, h("span", { class: "next-word", ...label("word") }, json.labels[i])),
      h("td", { class: "bar-cell" }, h("span", { class: "bar-lane" }, h("i", { class: "now", ...wide(cellName({ name: "probs", index: index(id) })), style: { width: `${probabilities[i] * 100}%` } }))),
      h("td", { class: "number" }, this.number(probabilities[i], { name: "probs", index: index(id) }))))));
    return { text, picture: open || !guess ? table : await this.lastVector(at), guess, cell: { name: "probs", index: index(ids[0]) }, flow: { view: "why" } };
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
    const ids = integers(arrays.ids), losses = reals(arrays.losses), probabilities = reals(arrays.probabilities), likeliest = reals(arrays.likeliest_probabilities), best = integers(arrays.likeliest);
    const order = losses.map((_, i) => i).sort((a, b) => losses[b] - losses[a] || a - b);
    const said = (i: number) => words.lesson.afterWord(json.labels[i], this.word(i));
    const shown = distinct(order, said).slice(0, 4).sort((a, b) => a - b);
    const from = (i: number) => cellName({ name: "probs", index: [0, i, ids[i]] });
    const most = words.lesson.trainingTold(json.labels[order[0]], this.word(order[0]), cited(probabilities[order[0]], from(order[0])), cited(losses[order[0]], `loss:${order[0]}`));
    const mean = losses.length === this.session.opened.ids.length - 1 ? words.lesson.trainingMean(cited(json.mean, "loss:mean")) : "";  // of a long text only a part is asked
    const guess = shown.length > 1 ? { question: words.lesson.trainingAsk, choices: shown.map(said), right: shown.indexOf(order[0]), told: `${most} ${mean}` } : undefined;
    const rowsShown = 14, { columns } = words.lesson;
    const first = Math.max(0, losses.length - rowsShown);
    const head = h("tr", {}, h("th", {}, columns.before), h("th", {}, columns.token), h("th", { class: "number" }, columns.probability), h("th", { class: "number" }, columns.loss), h("th", {}, columns.likeliest));
    const table = h("table", { class: "facts losses" }, h("thead", {}, head), h("tbody", {}, ...losses.slice(first).map((loss, k) => {
      const i = first + k;
      return h("tr", { "data-place": i }, h("td", {}, h("span", { class: "next-word", ...label("word") }, this.word(i))), h("th", { scope: "row" }, h("span", { class: "next-word", ...label("word") }, json.labels[i])),
        h("td", { class: "number" }, this.number(probabilities[i], { name: "probs", index: [0, i, ids[i]] })), h("td", { class: "number loss", ...told(`loss:${i}`) }, formatNumber(loss)),
        h("td", {}, json.likeliest_labels[i] === json.labels[i] ? "" : h("span", { class: "next-word", ...label("word") }, json.likeliest_labels[i]), json.likeliest_labels[i] === json.labels[i] ? "" : h("span", { class: "other-number" }, " ", h("span", told(`probs[0,${i},${best[i]}]`), formatNumber(likeliest[i])))));
    })));
    const picture = open || !guess ? h("div", { class: "scroll" }, table, !!mean && h("p", { class: "loss-mean" }, ...rich(mean))) : this.tokens(at);
    return { text: [...words.lesson.training], picture, guess, cell: { name: "probs", index: [0, order[0], ids[order[0]]] } };
  }
}

function count(value: number): string { return formatCount(value, currentLanguage()); }

function cellAt(value: Value, at: Places, key: number): string {
  return cellName({ name: value.name, index: [run.batch, at.head, at.query, key] });
}
