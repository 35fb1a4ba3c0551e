// What comes next, with its probabilities: before and after an edit side by side, and the way on.
import firstView from "./first_view.json";
import { integers, reals } from "./engine";
import { h } from "./dom";
import { formatNumber } from "./format";
import { Session } from "./session";
import { cellName, label, told, wide } from "./told";
import { State } from "./state";
import { words } from "./words";

export interface NextHost {
  state: State;
  change(change: Partial<State>): void;
  generate(question: Record<string, unknown>): void;
  explain(name: string, index: number[]): void;
  edited(): boolean;
}

export class NextPanel {
  readonly element = h("section", { class: "next" });
  private drawn = 0;
  private list = h("div", { class: "next-list" });
  private title = h("h2", {});
  private after = h("span", { class: "next-after", ...label("word") });
  private controls = h("div", { class: "next-controls" });

  constructor(private readonly session: Session, private readonly host: NextHost) {
    this.element.append(h("header", {}, this.title, this.after), this.list, this.controls);
  }

  private settings(): Record<string, number> {
    const { temperature, topK, topP } = this.host.state;
    return { temperature, top_k: topK, top_p: topP };
  }

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const compared = this.host.edited();
    const question = { ask: compared ? "compare" : "next", count: firstView.next, ...this.settings(), ...(compared ? { values: ["probs"] } : {}) };
    let answer;
    try {
      answer = await this.session.ask(question);
    } catch (problem) {
      if (turn !== this.drawn || (problem as { kind?: string }).kind === "stale") return;
      this.list.replaceChildren(h("p", { class: "hint" }, (problem as Error).message));
      return;
    }
    if (turn !== this.drawn) return;
    const { json, arrays } = answer;
    const predicts = json.predicts ?? "next";
    this.title.textContent = words.next[predicts] ?? words.next.next;
    const last = this.session.opened.labels.at(-1);
    this.after.textContent = predicts === "next" && last !== undefined ? words.nextAfter(last) : "";
    if (!arrays.ids) return this.list.replaceChildren();
    const ids = integers(arrays.ids);
    const plain = this.host.state.temperature === 1 && this.host.state.topK === 0 && this.host.state.topP === 1;
    const numbers = (name: string) => reals(arrays[name]);
    const now = compared ? numbers(plain ? "after" : "chosen_after") : numbers(plain ? "probabilities" : "chosen");
    const before = compared ? numbers(plain ? "before" : "chosen_before") : undefined;
    this.rows(json.labels, ids, now, before, predicts, plain);
    this.drawControls(predicts);
  }

  private rows(labels: string[], ids: number[], now: number[], before: number[] | undefined, predicts: string, plain: boolean): void {
    const from = (id: number) => (plain ? this.cellOf(id) : `chosen[${id}]`);
    const table = h("table", { class: `bars ${before ? "compared" : ""}` });
    if (before) table.append(h("thead", {}, h("tr", {}, h("td", {}), h("td", {}), h("th", { class: "number" }, words.before), h("th", { class: "number" }, words.after))));
    const body = h("tbody", {});
    const writes = predicts === "next" && this.session.opened.model.can_write;
    labels.forEach((word, i) => {
      const name = h(writes ? "button" : "span", { class: "next-word", ...label("word"), title: writes ? words.chooseToken(word) : "", ...(writes ? { onclick: () => this.host.generate({ token: ids[i] }) } : {}) }, word);
      const bar = h("span", { class: "bar-lane" },
        before && h("i", { class: "before", ...wide(`unedited:${from(ids[i])}`), style: { width: `${before[i] * 100}%` } }),
        h("i", { class: "now", ...wide(from(ids[i])), style: { width: `${now[i] * 100}%` } }));
      body.append(h("tr", { "data-id": ids[i] }, h("th", { scope: "row" }, name), h("td", { class: "bar-cell" }, bar),
        before ? h("td", { class: "number before" }, h("span", told(`unedited:${from(ids[i])}`), formatNumber(before[i]))) : "",
        h("td", { class: "number now" }, this.probability(ids[i], now[i], from(ids[i])))));
    });
    table.append(body);
    this.list.replaceChildren(table);
  }

  // The number itself is a cell of `probs`, and says how it comes about.
  private probability(id: number, value: number, from: string): HTMLElement {
    const probs = this.session.network.values.get("probs");
    if (!probs || probs.axes !== "BTV") return h("span", told(from), formatNumber(value));
    return h("button", { class: "link number", ...told(from), onclick: () => this.host.explain("probs", [0, this.session.opened.ids.length - 1, id]) }, formatNumber(value));
  }

  private cellOf(id: number): string {
    const axes = this.session.network.values.get("probs")?.axes ?? "BV";
    return cellName({ name: "probs", index: axes === "BTV" ? [0, this.session.opened.ids.length - 1, id] : [0, id] });
  }

  private drawControls(predicts: string): void {
    if (this.controls.contains(document.activeElement) && this.controls.childElementCount) return;
    const { state } = this.host;
    if (predicts !== "next") return this.controls.replaceChildren();
    const slider = (name: string, value: number, low: number, high: number, step: number, shown: (v: number) => string, take: (v: number) => void) => {
      const output = h("output", label("setting"), shown(value));
      return h("label", { class: "slider" }, h("span", {}, name), output,
        h("input", { type: "range", "aria-label": name, min: low, max: high, step, value, oninput: (event: Event) => {
          const given = Number((event.target as HTMLInputElement).value);
          output.textContent = shown(given);
          take(given);
        } }));
    };
    const writes = this.session.opened.model.can_write;
    this.controls.replaceChildren(
      ...(writes ? [h("div", { class: "write" },
        h("button", { class: "button", title: words.stepBack, "aria-label": words.stepBack, disabled: this.session.opened.ids.length < 2, onclick: () => this.host.generate({ back: 1 }) }, "←"),
        h("button", { class: "button main", onclick: () => this.host.generate({}) }, words.step))] : []),
      h("details", { class: "settings", open: state.temperature !== 1 || state.topK !== 0 || state.topP !== 1 }, h("summary", {}, words.settings),
        slider(words.temperature, state.temperature, 0.1, 2, 0.1, (v) => v.toFixed(1), (v) => this.host.change({ temperature: v })),
        slider(words.topK, state.topK, 0, 50, 1, (v) => (v === 0 ? words.topKAll : String(v)), (v) => this.host.change({ topK: v })),
        slider(words.topP, state.topP, 0.05, 1, 0.05, (v) => v.toFixed(2), (v) => this.host.change({ topP: v })),
        h("p", { class: "hint" }, words.drawnProbability)));
  }
}
