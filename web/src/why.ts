// Why this token: what each layer would say, what each part adds to the logit, and one score taken apart.
import { reals, integers } from "./engine";
import { h } from "./dom";
import { blockLabel, FlowHost } from "./flow";
import { formatNumber } from "./format";
import { Grid } from "./grid";
import { AttentionColumn, sectionsOf } from "./layout";
import { Session } from "./session";
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
        return h("p", { class: "hint" }, problem.message);
      })));
    if (turn === this.drawn) this.element.replaceChildren(...parts);
  }

  private async lens(): Promise<HTMLElement> {
    const { json, arrays } = await this.session.ask({ ask: "lens" });
    const likeliest = reals(arrays.likeliest_probabilities), logits = reals(arrays.logits), probabilities = reals(arrays.probabilities), ranks = integers(arrays.ranks);
    const body = h("tbody", {}, ...json.layers.map((name: string, i: number) => h("tr", {},
      h("th", { scope: "row" }, layerWords(name)),
      h("td", {}, h("span", { class: "next-word" }, json.likeliest_labels[i])),
      h("td", { class: "bar-cell" }, h("span", { class: "bar-lane" }, h("i", { style: { width: `${likeliest[i] * 100}%` } }))),
      h("td", { class: "number" }, formatNumber(likeliest[i])),
      h("td", { class: "number wide-only" }, formatNumber(logits[i])), h("td", { class: "number" }, formatNumber(probabilities[i])), h("td", { class: "number" }, String(ranks[i])))));
    return card(words.lensTitle, words.lensIntro, h("div", { class: "scroll" }, h("table", { class: "facts" },
      h("thead", {}, h("tr", {}, h("td", {}), h("th", { colspan: 2 }, words.likeliest), h("td", { class: "bar-cell" }), h("th", { colspan: 3, class: "number" }, h("span", { class: "next-word" }, json.target_label))),
        h("tr", {}, h("td", {}), h("td", {}), h("td", { class: "bar-cell" }), h("th", { class: "number" }, words.probability), h("th", { class: "number wide-only" }, words.logit), h("th", { class: "number" }, words.probability), h("th", { class: "number" }, words.rank))),
      body)));
  }

  private async attribution(): Promise<HTMLElement> {
    const { json, arrays } = await this.session.ask({ ask: "attribution" });
    const logits = reals(arrays.logits);
    const largest = Math.max(...logits.map(Math.abs), 1e-9);
    const count = this.all ? logits.length : Math.min(mostParts, logits.length);
    const rows = (json.parts as string[]).slice(0, count).map((name, i) => barRow(partWords(name), logits[i], largest));
    const more = logits.length > mostParts && h("button", { class: "link", onclick: () => { this.all = !this.all; void this.draw(); } }, this.all ? words.fewTerms : words.allTerms);
    return card(words.attributionTitle, words.attributionIntro(json.target_label), h("table", { class: "facts signed" }, h("tbody", {}, ...rows),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, words.sum), h("td", {}), h("td", { class: "number" }, h("b", {}, formatNumber(json.sum)))),
        h("tr", {}, h("th", { scope: "row" }, words.logit), h("td", {}), h("td", { class: "number" }, formatNumber(json.logit))))), more);
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
    const choose = (label: string, words: string[], now: number, take: (at: number) => void) => h("label", { class: "choice" }, label,
      h("select", { onchange: (event: Event) => take(Number((event.target as HTMLSelectElement).value)) }, ...words.map((word, i) => h("option", { value: i, selected: i === now }, word))));
    const tokens = this.session.opened.labels.map((label, i) => `${i} ${label}`);
    const { change } = this.host;
    const cell = Math.max(7, Math.min(22, Math.floor(Math.min(this.element.clientWidth || 400, 460) / count) - 1));
    const largest = Math.max(...pairs.map(Math.abs), 1e-9);
    const shown = h("p", { class: "pair-shown", "aria-live": "polite" }, "\u00a0");
    const tell = (index: number[] | undefined) => { shown.textContent = index ? `${names[index[0]]} × ${names[index[1]]}: ${formatNumber(pairs[index[0] * count + index[1]])}` : "\u00a0"; };
    const grid = new Grid({
      name: `pairs of ${json.attention}`, title: words.sourcesTitle, role: "weights", rows: count, columns: count, cell: [cell, cell], negative: "key", shade: (value) => Math.abs(value) / largest,
      at: (row, column) => pairs[row * count + column], index: (row, column) => [row, column], locate: ([row, column]) => [row, column],
      place: (row, column) => `${names[row]} × ${names[column]}`,
    }, { point: (at) => tell(at?.index), choose: (at) => tell(at.index) });
    const queryParts = reals(arrays.query_parts), keyParts = reals(arrays.key_parts);
    const most = Math.max(...queryParts.map(Math.abs), ...keyParts.map(Math.abs), 1e-9);
    const fact = (name: string, value: number | string) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}), h("td", { class: "number" }, formatNumber(value)));
    const side = (title: string, numbers: number[]) => {
      const order = numbers.map((value, i) => ({ value, i })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 8);
      return h("div", {}, h("h3", {}, title), h("table", { class: "facts signed" }, h("tbody", {}, ...order.map(({ value, i }) => barRow(names[i], value, most)))));
    };
    return card(words.sourcesTitle, words.sourcesIntro,
      h("div", { class: "choices" },
        choose(words.layer, sections.map((each) => blockLabel(each.name)), layer, (at) => change({ block: sections[at].name })),
        choose(words.head, Array.from({ length: attention.heads }, (_, i) => words.headNumber(i)), head, (at) => change({ head: at })),
        choose(words.query, tokens, query, (at) => change({ pair: [at, Math.min(key, at)] })),
        choose(words.key, tokens.slice(0, query + 1), key, (at) => change({ pair: [query, at] }))),
      h("div", { class: "source-parts" },
        h("div", {}, grid.element, shown),
        h("table", { class: "facts" }, h("tbody", {}, fact(words.sum, json.sum), fact(words.rest, json.rest), fact(words.scaled, json.scaled), fact(words.afterScale, json.after), fact(words.score, json.score))),
        side(words.query, queryParts), side(words.key, keyParts)));
  }
}

function barRow(name: string, value: number, largest: number): HTMLElement {
  const share = Math.min(1, Math.abs(value) / largest) * 50;
  return h("tr", {}, h("th", { scope: "row" }, name),
    h("td", { class: "bar-cell" }, h("span", { class: `term-bar ${value < 0 ? "negative" : ""}` }, h("i", { style: { width: `${share}%`, [value < 0 ? "right" : "left"]: "50%" } }))),
    h("td", { class: "number" }, formatNumber(value)));
}

function card(title: string, intro: string, ...body: (HTMLElement | false)[]): HTMLElement {
  return h("section", { class: "card" }, h("h2", {}, title), h("p", { class: "hint" }, intro), ...body);
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
