// All heads of the network beside each other, and one of them large: its heat map and its lines between tokens.
import { Answer, reals } from "./engine";
import { h, svg } from "./dom";
import { facesOf } from "./face";
import { FlowHost } from "./flow";
import { blockLabel } from "./flow_strips";
import { formatNumber } from "./format";
import { eachHead } from "./heat";
import { AttentionColumn, Section, sectionsOf } from "./layout";
import { labelled, Span, squareGrid } from "./matrix";
import { smallPicture, tintsOf } from "./picture_canvas";
import { Session } from "./session";
import { isHeld, isReadOnly } from "./stored";
import { mapCanvas, mapOf } from "./small_map";
import { cellName, label, shown, told } from "./told";
import { words } from "./words";

const mostCells = 32;
const smallestShown = 1e-4;  // the palest colour of the logarithmic scale

type HeadRows = Map<string, { weights: number[]; from(place: number): string }[]>;

interface HeadFacts {
  attention: string;
  head: number;
  entropy: number;
  firstToken: number;
  kind?: { kind: string; explanation: string; score: number | string };
}

export class HeadsView {
  readonly element = h("div", { class: "heads" });
  private drawn = 0;

  constructor(private readonly session: Session, private readonly host: FlowHost) {}

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const sections = sectionsOf(this.session.network).filter((each) => each.attentions.length);
    if (!sections.length) return this.element.replaceChildren(h("p", { class: "hint" }, words.noHeads));
    const over = this.session.picture && this.host.state.over ? await this.rows(sections) : undefined;
    const [maps, facts] = await Promise.all([this.session.ask({ ask: "maps", size: 48 }), this.session.ask({ ask: "heads", measured: false })]);
    if (turn !== this.drawn) return;
    await this.show(sections, maps, this.factsOf(facts), turn, over);
    // Measuring reads other texts, and takes longer: it comes after what is known of this run.
    const measured = await this.session.ask({ ask: "heads" }).catch(() => undefined);
    if (turn !== this.drawn || !measured) return;
    await this.show(sections, maps, this.factsOf(measured), turn, over);
  }

  // Of an image: what each head looks at.
  private async rows(sections: Section[]): Promise<HeadRows> {
    const all = sections.flatMap(attentionsOf);
    return new Map(await Promise.all(all.map(async (each) => [each.id, await eachHead(this.session, each)] as const)));
  }

  private factsOf({ json, arrays }: Answer): HeadFacts[] {
    const entropy = reals(arrays.entropy), firstToken = reals(arrays.first_token);
    const kinds = new Map<string, HeadFacts["kind"]>();
    for (const each of json.kinds ?? []) kinds.set(`${each.attention} ${each.head}`, each);
    const out: HeadFacts[] = [];
    for (const { name, heads } of json.attentions as { name: string; heads: number }[])
      for (let head = 0; head < heads; ++head)
        out.push({ attention: name, head, entropy: entropy[out.length], firstToken: firstToken[out.length], kind: kinds.get(`${name} ${head}`) });
    return out;
  }

  private async show(sections: Section[], maps: Answer, facts: HeadFacts[], turn: number, over?: HeadRows): Promise<void> {
    const chosen = this.chosen(sections);
    const detail = chosen && isHeld(chosen.pattern) && (await this.detail(chosen, facts));
    if (turn !== this.drawn) return;
    const focused = this.element.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.head : undefined;
    const { state } = this.host;
    this.element.replaceChildren(
      h("header", {}, h("h2", {}, words.headsTitle),
        this.session.picture && this.choice(words.input.shownAs, [[words.input.overImage, true], [words.input.asMaps, false]], state.over, (over) => this.host.change({ over })),
        !over && this.choice(words.sink, [[words.sinkShown, true], [words.sinkHidden, false]], state.sink, (sink) => this.host.change({ sink })),
        !over && this.choice(words.shades, [[words.linear, false], [words.log, true]], state.log, (log) => this.host.change({ log })),
        h("p", { class: "hint", ...label("text") }, over ? words.input.overIntro : words.headsIntro)),
      this.table(sections, maps, facts, chosen, over), detail || "");
    if (focused) this.element.querySelector<HTMLElement>(`[data-head="${focused}"]`)?.focus();
  }

  private choice<T>(title: string, choices: [string, T][], now: T, take: (value: T) => void): HTMLElement {
    return h("div", { class: "choice", role: "group", "aria-label": title }, title, h("span", {},
      ...choices.map(([word, value]) => h("button", { "aria-pressed": String(value === now), onclick: () => take(value) }, word))));
  }

  // The palest and the deepest colour of a weight; without the first token, of those that remain.
  private shadeOf(most: number): (value: number, column: number) => number | undefined {
    const { sink, log } = this.host.state;
    return (value, column) => {
      if (!sink && column === 0) return undefined;
      if (log) return 1 - Math.log(Math.max(value, smallestShown) / most) / Math.log(smallestShown / most);
      return value / most;
    };
  }

  private mostOf(at: (row: number, column: number) => number, rows: number, columns: number): number {
    if (this.host.state.sink) return 1;
    let most = smallestShown * 2;
    for (let row = 1; row < rows; ++row)
      for (let column = 1; column < columns; ++column) most = Math.max(most, at(row, column));
    return most;
  }

  private table(sections: Section[], maps: Answer, facts: HeadFacts[], chosen: AttentionColumn | undefined, over?: HeadRows): HTMLElement {
    const table = h("div", { class: "head-table" });
    const size = 108;
    for (const section of sections)
      for (const attention of attentionsOf(section)) {
        if (!maps.arrays[attention.id]) continue;
        const row = h("div", { class: "head-row", style: { "grid-template-columns": `repeat(${attention.heads}, minmax(${size}px, 132px))` } });
        table.append(h("h3", label("place"), blockLabel(section.name), section.attentions.length > 1 ? ` ${attention.id.split(".").at(-1)}` : ""), row);
        for (let head = 0; head < attention.heads; ++head) {
          const fact = facts.find((each) => each.attention === attention.id && each.head === head);
          const map = mapOf(maps, attention.id, head, this.session.lengths(attention.pattern))!;
          const seen = over?.get(attention.id)?.[head];
          const canvas = seen ? smallPicture(this.session.picture!, size, tintsOf(seen.weights, this.session.picture!.first, seen.from))
            : mapCanvas(map, size, this.shadeOf(this.mostOf(map.at, map.rows, map.columns)));
          row.append(this.card(attention, head, canvas, fact, chosen === attention && this.host.state.head === head));
        }
      }
    return table;
  }

  private card(attention: AttentionColumn, head: number, map: HTMLElement, fact: HeadFacts | undefined, chosen: boolean): HTMLElement {
    const kind = fact?.kind;
    const from = (what: string) => told(`heads:${attention.id} ${head} ${what}`);
    const line = (name: string, value: number | string, what: string) => h("span", { class: "fact" }, h("span", label("text"), name), h("span", from(what), formatNumber(value)));
    return h("button", {
      class: `head-card ${this.host.isOff(attention.id, head) ? "off" : ""}`, "aria-pressed": String(chosen), "data-head": `${attention.id} ${head}`,
      onclick: () => this.host.change({ block: attention.id.replace(/\.[^.]*$/, ""), attention: this.host.state.attention ? attention.id : "", head, heat: "head" }),
    }, h("span", { class: "visually-hidden", ...label("place") }, `${blockLabel(attention.id.replace(/\.[^.]*$/, ""))}, ${words.headNumber(head)} `), map,
      h("span", { class: `fact kind ${kind?.kind === "mixed" ? "mixed" : ""}`, title: kind ? `${words.kinds[kind.kind] ?? kind.kind} (${words.measured})` : "" }, h("span", {}, kind ? words.kinds[kind.kind] ?? kind.kind : "\u00a0"), kind && h("span", from("score"), formatNumber(kind.score))),
      fact && line(words.entropy, fact.entropy, "entropy"), fact && !Number.isNaN(fact.firstToken) && line(words.firstToken, fact.firstToken, "first_token"));
  }

  private chosen(sections: Section[]): AttentionColumn | undefined {
    const section = sections.find((each) => each.name === this.host.state.block) ?? sections[0];
    const all = attentionsOf(section);
    return all.find((each) => each.id === this.host.state.attention) ?? all[0];
  }

  // ---- one head --------------------------------------------------------------------------------------------

  private async detail(attention: AttentionColumn, facts: HeadFacts[]): Promise<HTMLElement> {
    const head = Math.min(this.host.state.head, attention.heads - 1);
    const [, , queries, keys] = this.session.sizes(attention.pattern.name);
    const { from } = this.host.state;
    const rows: Span = { from: Math.min(from, Math.max(0, queries - 1)), count: 0 };
    rows.count = Math.min(mostCells, queries - rows.from);
    const columns: Span = queries === keys ? rows : { from: 0, count: Math.min(mostCells, keys) };
    const window = await this.session.window(attention.pattern.name, [shown.batch, head, rows.from, columns.from], [1, 1, rows.count, columns.count]);
    const room = this.room();
    const gutter = 70;
    const cell = Math.max(8, Math.min(46, Math.floor((room - gutter) / columns.count)));
    const most = columns.from === 0 ? this.mostOf((row, column) => window.data[row * columns.count + column], rows.count, columns.count) : 1;
    const shade = this.shadeOf(most);
    const grid = await squareGrid(this.session, attention.pattern, head, rows, columns, {
      cell: [cell, Math.min(cell, 30)], numbers: cell >= 34, label: words.attention, scale: [0, 1], hidesZero: true,
      shade: (value, _row, column) => shade(value, columns.from + column),
    }, this.host);
    const rowWords = range(rows).map((t) => this.session.word("T", t, attention.pattern.name) ?? String(t));
    const keyWords = range(columns).map((s) => this.session.word("S", s, attention.pattern.name) ?? String(s));
    const off = this.host.isOff(attention.id, head);
    const fact = facts.find((each) => each.attention === attention.id && each.head === head);
    return h("section", { class: "head-detail" },
      h("header", {}, h("h3", label("place"), `${blockLabel(attention.id.replace(/\.[^.]*$/, ""))}, ${words.headNumber(head)}`),
        !isReadOnly(this.session) && h("button", { class: `switch ${off ? "off" : ""}`, role: "switch", "aria-checked": String(!off), title: off ? words.switchOn : words.switchOff, "aria-label": off ? words.switchOn : words.switchOff, onclick: () => this.host.toggleHead(attention.id, head) }),
        h("button", { class: "link", onclick: () => this.host.change({ view: "flow", block: attention.id.replace(/\.[^.]*$/, ""), attention: attention.id }) }, words.openAttention)),
      fact?.kind && h("p", { class: "hint" }, `${words.kinds[fact.kind.kind] ?? fact.kind.kind}: `, h("span", told(`heads:${attention.id} ${head} score`), formatNumber(fact.kind.score))),
      h("h4", {}, words.heatmap), labelled(grid, rowWords, keyWords, { left: gutter, top: cell >= 30 ? 20 : this.session.opened.reads === "text" ? 60 : 40 }, facesOf(this.session, rows.from, columns.from)),
      h("h4", {}, words.tokenLines), this.lines(attention.pattern.name, head, rows.from, window.data, rowWords, keyWords, columns.from, most));
  }

  private room(): number {
    const width = this.element.clientWidth || window.innerWidth - 40;
    return width < 800 ? Math.min(width - 36, 420) : Math.min(330, width * 0.34);
  }

  // A line from each query to each key, as dark as its weight.
  private lines(name: string, head: number, firstRow: number, data: ArrayLike<number>, rows: string[], columns: string[], first: number, most: number): SVGElement {
    const pitch = 21, width = Math.max(260, this.room()), left = 92, right = width - 92;
    const height = Math.max(rows.length, columns.length) * pitch + 4;
    const out = svg("svg", { class: "token-lines", ...label("word"), width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": true });
    const shade = this.shadeOf(most);
    const paths: SVGElement[][] = rows.map(() => []);
    rows.forEach((_, row) => columns.forEach((_, column) => {
      const value = data[row * columns.length + column];
      const dark = value > 0 ? shade(value, first + column) : undefined;
      if (dark === undefined || dark < 0.02) return;
      const y0 = row * pitch + 12, y1 = column * pitch + 12, middle = (left + right) / 2;
      const path = svg("path", { d: `M${left},${y0} C${middle},${y0} ${middle},${y1} ${right},${y1}`, "stroke-width": 0.5 + 3 * dark, "data-drawn": cellName({ name, index: [shown.batch, head, firstRow + row, first + column] }), "data-value": value });
      path.setAttribute("opacity", String(Math.min(1, 0.08 + 0.9 * dark)));
      paths[row].push(path);
      out.append(path);
    }));
    const fade = (kept: number | undefined) => paths.forEach((each, row) => each.forEach((path) => path.classList.toggle("faded", kept !== undefined && kept !== row)));
    rows.forEach((word, row) => out.append(svg("text", { x: left - 8, y: row * pitch + 16, "text-anchor": "end", onpointerenter: () => fade(row), onpointerleave: () => fade(undefined) }, short(word))));
    columns.forEach((word, column) => out.append(svg("text", { x: right + 8, y: column * pitch + 16 }, short(word))));
    return out;
  }
}

function short(word: string): string {
  return word.length > 11 ? word.slice(0, 10) + "…" : word;
}

function range(span: Span): number[] {
  return Array.from({ length: span.count }, (_, i) => span.from + i);
}

function attentionsOf(section: Section): AttentionColumn[] {
  return section.columns.filter((each): each is AttentionColumn => each.kind === "attention");
}
