// Why this token: what each layer would say, what each part adds to the logit, and one score taken apart.
import { reals, integers } from "./engine";
import { h } from "./dom";
import { FlowHost } from "./flow";
import { blockLabel } from "./flow_strips";
import { formatConstant, formatNumber } from "./format";
import { Grid } from "./grid";
import { AttentionColumn, sectionsOf } from "./layout";
import { Session } from "./session";
import { label, told, wide } from "./told";
import { words } from "./words";

const mostParts = 14;

export class WhyView {
  readonly element = h("div", { class: "why" });
  private drawn = 0;
  private all = false;

  constructor(private readonly session: Session, private readonly host: FlowHost) {}

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const parts = await Promise.all([this.lens(), this.attribution(), this.sources()].map((part) =>
      part.catch((problem: Error & { kind?: string }) => {
        if (problem.kind === "stale") throw problem;
        return h("p", { class: "hint", ...label("text") }, problem.message);
      })));
    if (turn === this.drawn) this.element.replaceChildren(...parts);
  }

  private async lens(): Promise<HTMLElement> {
    const { json, arrays } = await this.session.ask({ ask: "lens" });
    const likeliest = reals(arrays.likeliest_probabilities), logits = reals(arrays.logits), probabilities = reals(arrays.probabilities), ranks = integers(arrays.ranks);
    const body = h("tbody", {}, ...json.layers.map((name: string, i: number) => h("tr", {},
      h("th", { scope: "row", ...label("text") }, layerWords(name)),
      h("td", {}, h("span", { class: "next-word", ...label("word") }, json.likeliest_labels[i])),
      h("td", { class: "bar-cell" }, h("span", { class: "bar-lane" }, h("i", { ...wide(`lens:${i} likeliest_probability`), style: { width: `${likeliest[i] * 100}%` } }))),
      h("td", { class: "number", ...told(`lens:${i} likeliest_probability`) }, formatNumber(likeliest[i])),
      h("td", { class: "number wide-only", ...told(`lens:${i} logit`) }, formatNumber(logits[i])),
      h("td", { class: "number", ...told(`lens:${i} probability`) }, formatNumber(probabilities[i])),
      h("td", { class: "number", ...told(`lens:${i} rank`, "constant") }, formatConstant(ranks[i])))));
    return card(words.lensTitle, words.lensIntro, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": words.lensTitle }, h("table", { class: "facts" },
      h("thead", {}, h("tr", {}, h("td", {}), h("th", { colspan: 2 }, words.likeliest), h("td", { class: "bar-cell" }), h("th", { colspan: 3, class: "number" }, h("span", { class: "next-word", ...label("word") }, json.target_label))),
        h("tr", {}, h("td", {}), h("td", {}), h("td", { class: "bar-cell" }), h("th", { class: "number" }, words.probability), h("th", { class: "number wide-only" }, words.logit), h("th", { class: "number" }, words.probability), h("th", { class: "number" }, words.rank))),
      body)));
  }

  private async attribution(): Promise<HTMLElement> {
    const { json, arrays } = await this.session.ask({ ask: "attribution" });
    const logits = reals(arrays.logits);
    const largest = Math.max(...logits.map(Math.abs), 1e-9);
    const count = this.all ? logits.length : Math.min(mostParts, logits.length);
    const rows = (json.parts as string[]).slice(0, count).map((name, i) => barRow(partWords(name), logits[i], largest, `part:${name}`));
    const more = logits.length > mostParts && h("button", { class: "link", onclick: () => { this.all = !this.all; void this.draw(); } }, this.all ? words.fewTerms : words.allTerms);
    return card(words.attributionTitle, words.attributionIntro(json.target_label), h("table", { class: "facts signed" }, h("tbody", {}, ...rows),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, words.sum), h("td", {}), h("td", { class: "number" }, h("b", told("lens:sum"), formatNumber(json.sum)))),
        h("tr", {}, h("th", { scope: "row" }, words.logit), h("td", {}), h("td", { class: "number", ...told("lens:logit") }, formatNumber(json.logit))))), more);
  }

  // ---- a score ---------------------------------------------------------------------------------------------

  private async sources(): Promise<HTMLElement> {
    const { state } = this.host;
    const sections = sectionsOf(this.session.network).filter((each) => each.attentions.length);
    const layer = Math.max(0, sections.findIndex((each) => each.name === state.block));
    const attention = sections[layer]?.columns.find((each): each is AttentionColumn => each.kind === "attention");
    if (!attention) return card(words.sourcesTitle, words.noHeads);
    const head = Math.min(state.head, attention.heads - 1);
    const length = this.session.opened.ids.length;
    const query = Math.min(state.pair[0] ?? length - 1, length - 1), key = Math.min(state.pair[1] ?? Math.max(0, query - 1), query);
    const { json, arrays } = await this.session.ask({ ask: "score_sources", layer, head, query, key });
    const names = (json.sources as string[]).map(partWords), pairs = reals(arrays.pairs), count = names.length;
    const choose = (title: string, words: string[], now: number, take: (at: number) => void) => h("label", { class: "choice", ...label("word") }, title,
      h("select", { onchange: (event: Event) => take(Number((event.target as HTMLSelectElement).value)) }, ...words.map((word, i) => h("option", { value: i, selected: i === now }, word))));
    const tokens = this.session.opened.labels.map((label, i) => `${i} ${label}`);
    const { change } = this.host;
    const cell = Math.max(7, Math.min(22, Math.floor(Math.min(this.element.clientWidth || 400, 460) / count) - 1));
    const largest = Math.max(...pairs.map(Math.abs), 1e-9);
    const shown = h("p", { class: "pair-shown", "aria-live": "polite" }, "\u00a0");
    const own = (what: string) => `sources:${layer} ${head} ${query} ${key} ${what}`;
    const tell = (index: number[] | undefined) => {
      if (!index) return void (shown.textContent = "\u00a0");
      const [row, column] = index;
      shown.replaceChildren(h("span", label("text"), `${names[row]} × ${names[column]}: `), h("span", told(own(`pairs[${index}]`)), formatNumber(pairs[row * count + column])));
    };
    const grid = new Grid({
      name: own("pairs"), title: words.sourcesTitle, role: "weights", rows: count, columns: count, cell: [cell, cell], negative: "key", shade: (value) => Math.abs(value) / largest,
      at: (row, column) => pairs[row * count + column], index: (row, column) => [row, column], locate: ([row, column]) => [row, column],
      place: (row, column) => `${names[row]} × ${names[column]}`,
    }, { point: (at) => tell(at?.index), choose: (at) => tell(at.index) });
    const queryParts = reals(arrays.query_parts), keyParts = reals(arrays.key_parts);
    const most = Math.max(...queryParts.map(Math.abs), ...keyParts.map(Math.abs), 1e-9);
    const fact = (name: string, value: number | string, from: string) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}), h("td", { class: "number", ...told(own(from)) }, formatNumber(value)));
    const side = (title: string, numbers: number[], from: string) => {
      const order = numbers.map((value, i) => ({ value, i })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 8);
      return h("div", {}, h("h3", {}, title), h("table", { class: "facts signed" }, h("tbody", {}, ...order.map(({ value, i }) => barRow(names[i], value, most, own(`${from}[${i}]`))))));
    };
    return card(words.sourcesTitle, words.sourcesIntro,
      h("div", { class: "choices" },
        choose(words.layer, sections.map((each) => blockLabel(each.name)), layer, (at) => change({ block: sections[at].name })),
        choose(words.head, Array.from({ length: attention.heads }, (_, i) => words.headNumber(i)), head, (at) => change({ head: at })),
        choose(words.query, tokens, query, (at) => change({ pair: [at, Math.min(key, at)] })),
        choose(words.key, tokens.slice(0, query + 1), key, (at) => change({ pair: [query, at] }))),
      h("div", { class: "source-parts" },
        h("div", {}, grid.element, shown),
        h("table", { class: "facts" }, h("tbody", {}, fact(words.sum, json.sum, "sum"), fact(words.rest, json.rest, "rest"), fact(words.scaled, json.scaled, "scaled"), fact(words.afterScale, json.after, "after"), fact(words.score, json.score, "score"))),
        side(words.query, queryParts, "query_parts"), side(words.key, keyParts, "key_parts")));
  }
}

function barRow(name: string, value: number, largest: number, from: string): HTMLElement {
  const share = Math.min(1, Math.abs(value) / largest) * 50;
  return h("tr", {}, h("th", { scope: "row", ...label("text") }, name),
    h("td", { class: "bar-cell" }, h("span", { class: `term-bar ${value < 0 ? "negative" : ""}` }, h("i", { style: { width: `${share}%`, [value < 0 ? "right" : "left"]: "50%" } }))),
    h("td", { class: "number", ...told(from) }, formatNumber(value)));
}

function card(title: string, intro: string, ...body: (HTMLElement | false)[]): HTMLElement {
  return h("section", { class: "card" }, h("h2", {}, title), h("p", { class: "hint", ...label("text") }, intro), ...body);
}

/// A source in words: its block and head.
function partWords(name: string): string {
  const head = /^(.*blocks\.\d+)\.attn\.z\[H=(\d+)\]$/.exec(name);
  if (head) return `${blockLabel(head[1])}, ${words.headNumber(Number(head[2]))}`;
  const block = /^(.*blocks\.\d+)\.(.+)$/.exec(name);
  return block ? `${blockLabel(block[1])}, ${block[2]}` : name;
}

function layerWords(name: string): string {
  const block = /^(.*blocks\.\d+)\.(.+)$/.exec(name);
  return block ? `${blockLabel(block[1])}, ${block[2]}` : name;
}
