// Where the lesson looks in a run, and the parts of its pictures.
import { h } from "./dom";
import { FlowHost } from "./flow";
import { formatNumber } from "./format";
import { CellRef, Grid } from "./grid";
import { AttentionColumn, isSquare, Section, sectionsOf, TripleColumn } from "./layout";
import { headGrid, labelled, Span, squareGrid, vectorGrid } from "./matrix";
import { Session, Value } from "./session";
import { State } from "./state";
import { cellName, label, shown, told } from "./told";
import { words } from "./words";

export interface LessonHost extends FlowHost {
  explain(name: string, index: number[]): void;
  explainNothing(): void;
}

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

export class LessonPictures {
  constructor(protected readonly session: Session, protected readonly host: LessonHost) {}

  /// Undefined: the network has no attention over a text.
  async places(width: number): Promise<Places | undefined> {
    const { labels } = this.session.opened;
    const sections = sectionsOf(this.session.network);
    // Of an encoder-decoder the decoder, whose tokens axis T counts.
    const open = sections.filter((each) => each.name && !each.name.startsWith("encoder.") && each.columns.some(isAttention));
    const section = open.find((each) => each.name === this.host.state.block) ?? open[0];
    const attention = section?.columns.find(isAttention);
    this.pattern = attention?.pattern.name ?? "";
    if (!section || !attention || !labels.length) return undefined;
    const head = Math.min(this.host.state.head, attention.heads - 1);
    const narrow = window.innerWidth < 860;
    const [, , queries, keys] = this.session.sizes(attention.pattern.name);
    const query = queries - 1;
    const row = Array.from((await this.session.window(attention.pattern.name, [shown.batch, head, query, 0], [1, 1, 1, keys])).data);
    const count = Math.min(queries, narrow ? narrowTokens : wideTokens);
    const order = row.map((_, key) => key).filter((key) => row[key] > 0).sort((a, b) => row[b] - row[a] || a - b);
    return {
      sections, section, attention, head, heads: attention.heads, query, row, narrow, width,
      triple: section.columns.find((each): each is TripleColumn => each.kind === "triple" && each.group === attention.group),
      span: { from: queries - count, count },
      order: order.length ? order : [query],
    };
  }

  protected tokens(at: Places): HTMLElement {
    const { labels, ids } = this.session.opened;
    return h("ol", { class: "lesson-tokens" }, ...range(at.span).map((t) => h("li", {},
      h("span", { class: "token-word", ...label("word") }, labels[t]), h("span", { class: "token-id", ...label("word") }, String(ids[t])))));
  }

  // What the logits are computed from.
  protected async lastVector(at: Places): Promise<HTMLElement> {
    const { network } = this.session;
    const stage = network.stages.find((each) => each.outputs.includes("logits"));
    const value = stage && network.values.get(stage.inputs[0]);
    if (!value || !value.axes.startsWith("BT")) return h("div", {});
    const grid = await this.vectors(value, { from: at.query, count: 1 }, { ...at, width: Math.min(at.width, 420) }, words.lesson.lastVector(this.word(at.query)), 84);
    return figure(words.lesson.lastVector(this.word(at.query)), grid.element, "plain", value.name);
  }

  protected number(value: number, cell: CellRef): HTMLElement {
    return h("button", { class: "link", title: words.lesson.why, ...told(cellName(cell)), onclick: () => this.host.explain(cell.name, cell.index) }, formatNumber(value));
  }

  protected opened(at: Places): Partial<State> {
    return { view: "flow", block: at.section.name, attention: at.attention.id };
  }

  /// A stage of this attention, or what it reads: "scores", "rot_q".
  protected stage(at: Places, name: RegExp): Value | undefined {
    const values = [...at.attention.stages.flatMap((each) => each.outputs), ...at.attention.group.inputs].map((each) => this.session.network.values.get(each)!);
    return values.find((each) => each && name.test(each.name.split(".").at(-1)!) && (isSquare(each) || !/scores/.test(each.name)));
  }

  protected masks(at: Places): boolean {
    return at.attention.stages.some((stage) => stage.operation === "mask" || stage.operation.includes("mask"));
  }

  protected word(t: number): string { return this.session.word("T", t, this.pattern) ?? String(t); }
  protected key(s: number): string { return this.session.word("S", s, this.pattern) ?? String(s); }
  // The weights that the lesson is about: of an attention to an encoder the keys are the source's tokens.
  protected pattern = "";

  protected keys(at: Places): Span {
    const [, , queries, keys] = this.session.sizes(at.attention.pattern.name);
    return queries === keys ? at.span : { from: 0, count: Math.min(keys, at.span.count) };
  }

  protected keyWords(keys: Span): string[] { return range(keys).map((s) => this.key(s)); }

  protected headIn(value: Value, at: Places): number {
    return Math.floor(at.head / (at.heads / this.session.sizes(value.name)[2]));
  }

  protected spanOf(value: Value, at: Places): Span {
    return value.axes[1] === "S" ? this.keys(at) : at.span;
  }

  protected async headRows(part: TripleColumn["parts"][number], span: Span, at: Places, across: number): Promise<Grid> {
    const width = at.narrow ? at.width - 90 : Math.floor((at.width - 30 * (across - 1)) / across) - 74;
    return headGrid(this.session, part.value, this.headIn(part.value, at), span, { width: Math.min(width, 300), row: at.narrow ? 22 : 26, role: part.role, label: partName(part.role) }, this.host);
  }

  protected async vectors(value: Value, span: Span, at: Places, label: string, height = 30): Promise<Grid> {
    const width = Math.min(at.width - (span.count > 1 ? 80 : 6), 640);
    return vectorGrid(this.session, value, span, { width, height, gap: 8, role: "plain", label }, this.host);
  }

  // Rows with their words at the left, each as tall as its row.
  protected withWords(grid: Grid, span: Span, at: Places, word = (t: number) => this.word(t)): HTMLElement {
    const { rows, cell, rowsTogether = 1, gap = 0 } = grid.spec;
    const tall = cell[1] * rowsTogether + (rowsTogether > 1 || gap ? gap : 0);
    const list = h("div", { class: "lesson-words", "aria-hidden": true, ...label("word") });
    for (let i = 0; i < rows / rowsTogether; ++i) list.append(h("span", { style: { height: `${tall}px` } }, word(span.from + i)));
    return h("div", { class: "with-words" }, list, grid.element);
  }

  protected async squares(value: Value | undefined, at: Places, label: string, scale?: [number, number]): Promise<HTMLElement> {
    if (!value) return h("div", {});
    const keys = this.keys(at);
    const cell = cellOf(at, keys.count);
    const grid = await squareGrid(this.session, value, at.head, at.span, keys, { cell: [cell, Math.min(cell, 28)], numbers: cell >= 34, label, scale, hidesZero: !!scale }, this.host);
    return figure(label, labelled(grid, range(at.span).map((t) => this.word(t)), this.keyWords(keys), { left: 62, top: labelRoom(at, keys.count) }), "weights");
  }

  // The query of the last token, and the two keys that it is compared with.
  protected async pairOfKeys(at: Places, keys: number[]): Promise<HTMLElement> {
    const part = (role: string) => at.triple?.parts.find((each) => each.role === role);
    const list = h("div", { class: "lesson-column" });
    const rows: [TripleColumn["parts"][number] | undefined, number, string][] = [[part("query"), at.query, words.lesson.queryOf(this.word(at.query))],
      ...keys.map((key): [TripleColumn["parts"][number] | undefined, number, string] => [part("key"), key, capital(words.lesson.keyOf(this.key(key)))])];
    for (const [given, place, name] of rows)
      if (given) list.append(figure(name, (await headGrid(this.session, given.value, this.headIn(given.value, at), { from: place, count: 1 }, { width: at.narrow ? at.width - 8 : Math.min(at.width, 560), row: 24, role: given.role, label: name }, this.host)).element, given.role));
    return list;
  }
}

export function isAttention(column: { kind: string }): column is AttentionColumn { return column.kind === "attention"; }

export function range(span: Span): number[] { return Array.from({ length: span.count }, (_, i) => span.from + i); }

export function capital(text: string): string { return text[0].toUpperCase() + text.slice(1); }

export function partName(role: string): string { return capital(role); }

// The first of those that are called alike.
export function distinct(places: number[], name: (place: number) => string): number[] {
  const seen = new Set<string>();
  return places.filter((place) => !seen.has(name(place)) && seen.add(name(place)));
}

export function tail(text: string): string { return text.length > 60 ? "…" + text.slice(-59) : text; }

// Of a matrix, two of which stand side by side.
export function cellOf(at: Places, columns: number): number {
  const room = at.narrow ? at.width - 70 : Math.floor((at.width - 30) / 2) - 68;
  return Math.max(12, Math.min(54, Math.floor(room / columns)));
}

export function labelRoom(at: Places, columns: number): number { return cellOf(at, columns) >= 30 ? 20 : 58; }

export function figure(title: string, body: HTMLElement, role = "plain", note = ""): HTMLElement {
  return h("figure", { class: `lesson-figure role-${role}` }, title && h("figcaption", label("word"), title, note && h("code", {}, note)), body);
}
