// The arithmetic behind one number, as the engine explains it: its equation with the values that this cell
// reads. Every number here stands in the answer; nothing is added up on the page.
import { faceAt } from "./face";
import { AnswerArray, integers, reals } from "./engine";
import { h } from "./dom";
import { formatConstant, formatLong, formatNumber } from "./format";
import { CellRef, lights } from "./grid";
import { cellName, label, told } from "./told";
import { Session } from "./session";
import { said, words } from "./words";

interface Node {
  kind: "constant" | "cell" | "sum" | "product" | "quotient" | "function";
  fn: string;
  value: number;
  input: number;
  index: number[];
  from: string;  // `explain:0.2`: where it stands in the tree
  parts: Node[];
}

const kinds: Node["kind"][] = ["constant", "cell", "sum", "product", "quotient", "function"];
const functions = ["exp", "log", "sqrt", "tanh", "erf", "cos", "sin", "max"];
const inlineParts = 4, firstTerms = 8;

interface Explained {
  json: any;
  tree?: Node;
}

export function parseCell(text: string): CellRef | undefined {
  const match = /^([^[\]]+)\[([\d,]+)\]$/.exec(text);
  return match ? { name: match[1], index: match[2].split(",").map(Number) } : undefined;
}

function readTree(arrays: Record<string, AnswerArray>): Node {
  const kind = integers(arrays["0.kind"]), fn = integers(arrays["0.function"]), parts = integers(arrays["0.parts"]);
  const input = integers(arrays["0.input"]), value = reals(arrays["0.value"]), index = integers(arrays["0.index"]);
  const axes = arrays["0.index"].shape[1];
  let at = 0;
  const read = (path: number[]): Node => {
    const i = at++;
    const node: Node = {
      kind: kinds[kind[i]], fn: functions[fn[i]], value: value[i], input: input[i],
      index: index.slice(i * axes, (i + 1) * axes).filter((place) => place >= 0), from: `explain:${path.join(".")}`, parts: [],
    };
    for (let k = 0; k < parts[i]; ++k) node.parts.push(read([...path, k]));
    return node;
  };
  return read([]);
}

function cellsOf(node: Node, to: Node[] = []): Node[] {
  if (node.kind === "cell") to.push(node);
  node.parts.forEach((part) => cellsOf(part, to));
  return to;
}

function isMinusOne(node: Node): boolean {
  return node.kind === "constant" && node.value === -1;
}

/// Panel at the foot of the page.
export class ExplainPanel {
  readonly element = h("section", { class: "explain", "aria-live": "polite" });
  /// What can be done at a cell, besides explaining it: buttons of other parts of the page.
  actions: (cell: CellRef) => HTMLElement[] = () => [];
  onPinned: (cell: CellRef | undefined) => void = () => {};
  private pinned: CellRef | undefined;
  private history: CellRef[] = [];
  private shown = "";
  private all = false;
  private sums: Node[] = [];
  private asked = 0;
  private current: [CellRef, Explained] | undefined;

  constructor(private readonly session: Session) {
    this.element.setAttribute("aria-label", words.explainTitle);
    this.showHint();
  }

  /// A cell that is pointed at, for as long as it is; the pinned one comes back afterwards.
  point(cell: CellRef | undefined): void {
    void this.explain(cell ?? this.pinned);
  }

  pin(cell: CellRef | undefined, past: CellRef[] = []): void {
    this.history = past;
    this.pinned = cell;
    this.all = false;
    this.onPinned(cell);
    void this.explain(cell);
  }

  /// What is open has changed: the same cell, of the new run.
  again(): void {
    this.shown = "";
    this.element.setAttribute("aria-label", words.explainTitle);
    void this.explain(this.pinned);
  }

  private showHint(): void {
    this.shown = "";
    this.element.classList.add("empty");
    this.element.replaceChildren(h("p", { class: "hint" }, words.explainHint));
    lights.show(undefined, []);
  }

  private async explain(cell: CellRef | undefined): Promise<void> {
    const turn = ++this.asked;
    if (!cell) return this.showHint();
    const name = cellName(cell);
    if (name === this.shown) return;
    // A pointer that crosses many cells asks for the one where it stays.
    if (cell !== this.pinned) await new Promise((done) => setTimeout(done, 25));
    if (turn !== this.asked) return;
    try {
      const { json, arrays } = await this.session.ask({ ask: "explain", cell: name });
      if (turn !== this.asked) return;
      const first = json.cells[0];
      this.shown = name;
      this.draw(cell, { json: first, tree: first.computed ? readTree(arrays) : undefined });
    } catch (problem) {
      if (turn !== this.asked || (problem as { kind?: string }).kind === "stale") return;
      if (cell === this.pinned) this.pinned = undefined;
      this.element.classList.remove("empty");
      this.element.replaceChildren(h("p", { class: "hint" }, (problem as Error).message));
    }
  }

  private draw(cell: CellRef, why: Explained): void {
    const { json, tree } = why;
    this.current = [cell, why];
    this.sums = [];
    const operands = tree ? cellsOf(tree) : [];
    lights.show(cell, operands.map((node) => ({ name: json.reads[node.input].name, index: node.index })));
    const pinned = this.pinned && cellName(this.pinned) === cellName(cell);
    const formula = tree
      ? h("div", { class: "formula" }, h("span", { class: "equals" }, "="), this.inline(tree, json, true), h("span", { class: "equals" }, "="),
          h("strong", { class: "result", ...told("explain:") }, formatNumber(json.combined)))
      : h("p", { class: "hint" }, words.given[this.session.network.values.get(json.name)?.kind ?? ""] ?? words.notComputed);
    const lists = this.sums.map((sum, i) => this.termList(sum, json, i));
    this.element.classList.remove("empty");
    this.element.replaceChildren(
      h("header", {},
        h("div", { class: "explain-name" },
          this.history.length > 0 && h("button", { class: "icon", "aria-label": words.back, title: words.back, onclick: () => this.goBack() }, "←"),
          h("h2", label("text"), said(json.label ?? json.name)),
          pinned && h("button", { class: "icon", "aria-label": words.close, title: words.close, onclick: () => this.pin(undefined) }, "×")),
        h("p", { class: "cell-name" }, h("code", label("text"), cellName(cell)), h("span", { class: "cell-value" }, "\u00a0= ", h("b", { "data-explained": cellName(cell), ...told(cellName(cell), "long") }, formatLong(json.value)))),
        this.placesOf(json),
        json.caption && h("p", { class: "caption", ...label("text") }, said(json.caption)),
        ...this.notes(json),
        ...(pinned ? this.actions(cell) : [])),
      h("div", { class: "arithmetic" },
        json.equation && h("p", { class: "equation", ...label("text") }, json.equation),
        formula,
        ...lists));
  }

  private notes(json: any): (HTMLElement | false)[] {
    return [
      !!json.edited && h("p", { class: "edited-note", ...label("text") }, words.editedCell(json.edited)),
      json.edited_reads?.length > 0 && h("p", { class: "edited-note" }, words.readsEdited),
    ];
  }

  private placesOf(json: any): HTMLElement {
    const list = h("ul", { class: "places" });
    for (const [axis, place] of Object.entries<number>(json.places)) {
      if (axis === "B") continue;
      const word = json.words[axis];
      const face = faceAt(this.session, axis, place, 16);
      const shown = word && (axis === "T" || axis === "S" || axis === "V") ? h("span", { class: "word", ...label("word") }, word) : h("span", label("place"), String(place));
      list.append(h("li", {}, h("span", {}, words.position(axis === "T" && !("S" in json.places) ? "V" : axis)), " ", face as HTMLElement, shown));
    }
    return list;
  }

  private goBack(): void {
    const cell = this.history.pop();
    this.pin(cell, this.history);
  }

  private follow(cell: CellRef): void {
    this.pin(cell, this.pinned ? [...this.history, this.pinned] : []);
  }

  // ---- the equation with its values ---------------------------------------------------------------------

  private inline(node: Node, json: any, outer = false): HTMLElement {
    switch (node.kind) {
      case "constant": return h("span", { class: "constant", ...told(node.from, "constant") }, formatConstant(node.value));
      case "cell": return this.chip(node, json);
      case "sum": return this.sum(node, json, outer);
      case "product": {
        const [first, ...others] = node.parts;
        if (isMinusOne(first) && others.length === 1)
          return h("span", { class: "row" }, "\u2212", this.grouped(others[0], json));
        return joined(node.parts.map((part) => this.grouped(part, json)), "×");
      }
      case "quotient":
        return h("span", { class: "fraction" }, h("span", { class: "over-line" }, this.inline(node.parts[0], json, true)),
          h("span", { class: "under-line" }, this.inline(node.parts[1], json, true)));
      case "function": {
        const call = node.parts.map((part) => this.inline(part, json, true));
        return h("span", { class: "row" }, h("span", { class: "function" }, node.fn), "(", joined(call, ","), ")");
      }
    }
  }

  // In parentheses where the sign before it would not reach all of it.
  private grouped(node: Node, json: any): HTMLElement {
    const long = node.kind === "sum" && node.parts.length <= inlineParts && node.parts.length > 1;
    return long ? h("span", { class: "row" }, "(", this.inline(node, json), ")") : this.inline(node, json);
  }

  private sum(node: Node, json: any, outer: boolean): HTMLElement {
    if (node.parts.length > inlineParts || (outer && node.parts.length > 3 && node.parts[0].kind !== "cell")) {
      let at = this.sums.indexOf(node);
      if (at < 0) at = this.sums.push(node) - 1;
      return h("span", { class: "sum-name" }, "Σ", h("sub", label("place"), String(at + 1)), h("span", { class: "sum-value", ...told(node.from) }, formatNumber(node.value)));
    }
    const out = h("span", { class: "row" });
    node.parts.forEach((part, i) => {
      const minus = part.kind === "product" && part.parts.length === 2 && isMinusOne(part.parts[0]);
      const negative = minus || (part.kind === "constant" && part.value < 0);
      if (i > 0 || negative) out.append(h("span", { class: "sign" }, negative ? "\u2212" : "+"));
      if (minus) out.append(this.grouped(part.parts[1], json));
      else if (negative) out.append(h("span", { class: "constant", ...told(`-${part.from}`, "constant") }, formatConstant(-part.value)));
      else out.append(this.inline(part, json));
    });
    return out;
  }

  private chip(node: Node, json: any): HTMLElement {
    const read = json.reads[node.input];
    const cell = { name: read.name, index: node.index };
    const role = this.roleOf(read.name);
    return h("button", {
      class: `operand role-${role}`, title: cellName(cell),
      onclick: () => this.follow(cell),
    }, h("span", { class: "operand-value", ...told(cellName(cell)) }, formatNumber(node.value)), h("span", { class: "operand-name", ...label("text") }, shortName(read.name)));
  }

  private roleOf(name: string): string {
    const value = this.session.network.values.get(name);
    const stage = value?.stage && this.session.network.stages.find((each) => each.name === value.stage);
    return stage ? stage.role : "plain";
  }

  private termList(sum: Node, json: any, number: number): HTMLElement {
    const order = sum.parts.map((part, place) => ({ part, place })).sort((a, b) => Math.abs(b.part.value) - Math.abs(a.part.value));
    const count = this.all ? Math.min(order.length, 2000) : Math.min(firstTerms, order.length);
    const largest = Math.abs(order[0].part.value) || 1;
    const varies = varyingAxis(sum.parts, json);
    const body = h("ol", { class: "terms" });
    for (const { part, place } of order.slice(0, count)) {
      const share = Math.min(1, Math.abs(part.value) / largest) * 50;
      body.append(h("li", {},
        h("span", { class: "term-place", ...label("word") }, varies && faceAt(this.session, varies.axis, varies.place(part) ?? place, 14) as HTMLElement, varies ? this.placeWord(varies.axis, varies.place(part) ?? place, varies.name) : String(place)),
        h("span", { class: "term-formula" }, this.inline(part, json)),
        h("span", { class: "term-value", ...told(part.from) }, formatNumber(part.value)),
        h("span", { class: `term-bar ${part.value < 0 ? "negative" : ""}` },
          h("i", { style: { width: `${share}%`, [part.value < 0 ? "right" : "left"]: "50%" } }))));
    }
    const more = order.length > firstTerms && h("button", {
      class: "link", onclick: () => { this.all = !this.all; if (this.current) this.draw(...this.current); },
    }, this.all ? words.fewTerms : words.allTerms);
    return h("div", { class: "term-list" },
      h("p", { class: "term-head", ...label("count") }, h("b", {}, "Σ", h("sub", {}, String(number + 1))), ` ${words.terms(String(order.length))}`,
        count < order.length && `, ${words.largest(count)}`, " ", more),
      body);
  }

  private placeWord(axis: string, place: number, name: string): string {
    const word = this.session.word(axis, place, name);
    return word ?? `${axis}=${place}`;
  }
}

function joined(parts: HTMLElement[], sign: string): HTMLElement {
  const out = h("span", { class: "row" });
  parts.forEach((part, i) => {
    if (i > 0) out.append(h("span", { class: "sign" }, sign));
    out.append(part);
  });
  return out;
}

// The axis along which the terms of a sum lie.
function varyingAxis(parts: Node[], json: any): { axis: string; name: string; place(part: Node): number | undefined } | undefined {
  const first = cellsOf(parts[0])[0], second = parts[1] && cellsOf(parts[1])[0];
  if (!first || !second || first.input !== second.input) return undefined;
  const at = first.index.findIndex((place, i) => place !== second.index[i]);
  if (at < 0) return undefined;
  return { axis: json.reads[first.input].axes[at], name: json.reads[first.input].name, place: (part) => cellsOf(part)[0]?.index[at] };
}

/// "blocks.0.attn.rot_q" is called rot_q where its block is clear.
export function shortName(name: string): string {
  return name.replace(/^.*blocks\.\d+\./, "").replace(/^attn\./, "");
}
