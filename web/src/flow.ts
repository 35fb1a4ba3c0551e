// The run from left to right (on a narrow page from top to bottom): tokens, embedding, blocks, what comes out.
// One block is open; the others are strips with a small map of each of their heads.
import firstView from "./first_view.json";
import { h } from "./dom";
import { facesOf } from "./face";
import { blockLabel, Strips } from "./flow_strips";
import { tokenList } from "./flow_tokens";
import { Grid, GridEvents } from "./grid";
import { AttentionColumn, Column, isSquare, Section, sectionsOf, TripleColumn, VectorColumn } from "./layout";
import { headGrid, labelled, Span, squareGrid, vectorGrid } from "./matrix";
import { editedNames } from "./patch";
import { boxPort, Built, connect, gridPort, portOf, spread } from "./ribbons";
import { Session, Stage, Value } from "./session";
import { State } from "./state";
import { label } from "./told";
import { gap, gapOf, isHeld, isReadOnly } from "./stored";
import { said, words } from "./words";

const narrowTokens = 12;

export interface FlowHost extends GridEvents {
  state: State;
  change(change: Partial<State>): void;
  isOff(attention: string, head: number): boolean;
  toggleHead(attention: string, head: number): void;
  swap(place: number): void;
  mark(token: number | undefined, key?: number): void;
  bottom: HTMLElement;
}

export class Flow {
  readonly element = h("div", { class: "flow" });
  private drawn = 0;
  /// How closely it must be packed to fit beside what comes next: goes up until it does.
  private packed = 0;
  private packedFor = "";

  private readonly strips: Strips;

  constructor(private readonly session: Session, private readonly host: FlowHost) {
    this.strips = new Strips(session, host, () => this.span().count);
  }

  private narrow(): boolean {
    return window.innerWidth < 860;
  }

  // The places that are shown of an axis of a value: of an encoder-decoder, of what it reads or of what it writes.
  private span(name = "", axis = "T"): Span {
    const length = this.session.labelsOf(name, axis).length || this.session.opened.ids.length || 1;
    const most = this.narrow() ? narrowTokens : firstView.tokens;
    const from = Math.min(Math.max(0, this.host.state.from), Math.max(0, length - 1));
    return { from, count: Math.min(most, length - from) };
  }

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const sections = sectionsOf(this.session.network);
    const blocks = sections.filter((each) => each.name);
    const open = blocks.find((each) => each.name === this.host.state.block) ?? blocks[0];
    const sources = this.session.opened.sourceLabels !== undefined;
    const [read, written] = [this.span("encoder."), this.span()];
    const span = sources && read.count > written.count ? read : written;
    const narrow = this.narrow();
    const maps = blocks.length > 1 && this.session.opened.ids.length ? await this.session.ask({ ask: "maps", size: firstView.map }).catch(() => undefined) : undefined;
    const shape = `${this.session.opened.model.hash} ${window.innerWidth} ${this.host.state.open} ${this.host.state.attention !== ""}`;
    if (shape !== this.packedFor) [this.packed, this.packedFor] = [0, shape];
    const attentionOpen = !!open && open.attentions.includes(this.host.state.attention);
    const parts: Promise<Built>[] = [];
    const room = this.room(span, narrow, attentionOpen);
    let tokens = this.session.opened.labels.length > 0;
    if (sources) parts.push(Promise.resolve(this.tokens(read, room, true)));
    for (const section of sections) {
      if (tokens && !(sources && isEncoder(section))) {
        parts.push(Promise.resolve(this.tokens(written, room)));
        tokens = false;
      }
      if (section.name && section !== open) {
        const side = blocks.filter((each) => each !== open && isEncoder(each) === isEncoder(section) && blocks.indexOf(each) < blocks.indexOf(open!) === blocks.indexOf(section) < blocks.indexOf(open!));
        if (blocks.length <= 6 && ((!attentionOpen && this.packed < 1) || narrow)) parts.push(Promise.resolve(this.strips.one(section, maps, room)));
        else if (side[0] === section) parts.push(Promise.resolve(this.strips.many(side, room)));
        continue;
      }
      const at = attentionOpen && section === open && !narrow ? section.columns.findIndex((each) => each.id === this.host.state.attention && each.kind === "attention") : -1;
      section.columns.forEach((column, i) => {
        if (at < 0 || i <= at + 1) parts.push(this.column(column, section, room, attentionOpen));
        else if (i === at + 2) parts.push(Promise.resolve(this.strips.rest(section, section.columns.slice(i), room)));
      });
    }
    const built = await Promise.all(parts);
    if (turn !== this.drawn) return;
    const lane = h("div", { class: `lane ${narrow ? "narrow" : "wide"} ${this.packed > 1 ? "packed" : ""}`, style: { "--body": `${room.body}px` } });
    let frame: HTMLElement | undefined;
    built.forEach((each) => {
      if (each.element.dataset.block) {
        if (!frame) lane.append((frame = h("section", { class: "open-block", "aria-label": blockLabel(open!.name) }, this.blockTitle(open!, blocks))));
        frame.append(each.element);
      } else {
        lane.append(each.element);
      }
    });
    const children: HTMLElement[] = [];
    if (this.pages(span)) children.push(this.pages(span)!);
    children.push(lane);
    this.element.replaceChildren(...children);
    if (narrow) return;
    if (lane.scrollWidth > this.element.clientWidth && this.packed < 3) {
      this.packed++;
      return this.draw();
    }
    connect(lane, built);
  }

  // ---- sizes ---------------------------------------------------------------------------------------------

  private room(span: Span, narrow: boolean, attentionOpen: boolean) {
    const width = (this.element.clientWidth || window.innerWidth - 40);
    if (narrow) {
      const pitch = 34, vector = Math.min(width - 110, 330);
      return { narrow, width, pitch, tile: 28, body: pitch * span.count, vector, head: vector, side: Math.min(width - 110, 300), attentionOpen };
    }
    const target = Math.min(Math.max(window.innerHeight - 476, 300), 520);
    const pitch = Math.min(96, Math.max(22, Math.floor(target / span.count)));
    const [vector, head, side] = this.packed === 2 ? [56, 72, 150] : this.packed > 2 ? [40, 56, 120] : width > 1240 ? [88, 128, 232] : width > 1060 ? [64, 96, 180] : [56, 64, 150];
    return { narrow, width, pitch, tile: pitch - Math.max(3, Math.min(12, Math.round(pitch / 6))), body: pitch * span.count, vector, head, side, attentionOpen };
  }

  // ---- columns -------------------------------------------------------------------------------------------

  private tokens(span: Span, room: ReturnType<Flow["room"]>, read = false): Built {
    const { opened } = this.session;
    const [labels, ids] = read ? [opened.sourceLabels!, opened.sourceIds!] : [opened.labels, opened.ids];
    const written = (!read && opened.sourceLabels !== undefined) || isReadOnly(this.session);  // nothing to swap
    const swaps = written ? [] : opened.swaps;
    const { state } = this.host;
    const { list, items } = tokenList(this.session, {
      labels, ids, ...span, pitch: room.pitch, narrow: room.narrow, written, swapped: swaps.map(([place]) => place), asked: state.query,
    }, { swap: this.host.swap, ask: (token) => this.host.change({ query: token === state.query ? -1 : token }), mark: (token) => this.host.mark(token) });
    const element = this.frame("tokens", read ? words.tokensRead : opened.sourceLabels ? words.tokensWritten : words.tokens, [list], "plain");
    return { element, ports: () => [portOf(items, "plain")] };
  }

  private frame(kind: string, title: string, body: (HTMLElement | false)[], role: string, button?: HTMLElement): HTMLElement {
    return h("div", { class: `column ${kind} role-${role}` },
      h("h3", label("text"), h("span", {}, title), button ?? ""),
      h("div", { class: "column-body" }, ...body));
  }

  private async column(column: Column, section: Section, room: ReturnType<Flow["room"]>, attentionOpen: boolean): Promise<Built> {
    const span = column.kind === "vector" ? this.span(column.value.name, column.value.axes[1]) : this.span(column.group.name);
    const built = gapOf(this.session, column, span.count, room) ?? (column.kind === "vector" ? await this.vector(column, span, room, attentionOpen)
      : column.kind === "triple" ? await this.triple(column, section, span, room)
      : attentionOpen && column.id === this.host.state.attention ? await this.opened(column, span, room, section.attentions.length > 1)
      : await this.attention(column, span, room, section.attentions.length > 1));
    built.column = column;
    built.cross = column.kind !== "vector" && this.isCross(column.group.name);
    if (namesOf(column).some((name) => editedNames(this.session).has(name))) built.element.classList.add("edited");
    if (section.name) built.element.dataset.block = section.name;
    return built;
  }

  private async vector(column: VectorColumn, span: Span, room: ReturnType<Flow["room"]>, attentionOpen: boolean): Promise<Built> {
    const { state } = this.host;
    const toggled = state.open.includes(shortOf(column.id));
    const name = said(column.label);
    const minor = column.minor || (attentionOpen && !room.narrow);
    if (minor !== toggled) {
      if (minor) {
        const bar = h("button", {
          class: "bar", title: words.openColumn(name), "aria-label": words.openColumn(name), "aria-expanded": "false",
          onclick: () => this.toggle(column.id),
        }, h("span", label("text"), column.adds.length ? "+" : "", " ", name));
        const element = h("div", { class: `column closed role-${column.role}` }, h("h3", {}), h("div", { class: "column-body" }, bar));
        const bands = Array.from({ length: span.count }, (_, i) => i);
        return { element, ports: () => [spread(bar, bands.length, room.pitch, room.tile, column.role)] };
      }
    }
    const grid = await vectorGrid(this.session, column.value, span, { width: room.vector, height: room.tile, gap: room.pitch - room.tile, role: column.role, label: name }, this.host);
    const closes = column.minor || toggled || (attentionOpen && !room.narrow);
    const button = closes && !room.narrow && h("button", { class: "icon small", title: words.closeColumn(name), "aria-label": words.closeColumn(name), onclick: () => this.toggle(column.id) }, "×");
    const note = this.partNote(column.value.name, grid);
    const element = this.frame("vector", name, [this.withTokens(grid, span, room), note], column.role, button || undefined);
    return { element, ports: () => [gridPort(grid)] };
  }

  private partNote(name: string, grid: Grid): HTMLElement | false {
    const count = this.session.sizes(name).slice(2).reduce((all, each) => all * each, 1);
    const shown = (grid.spec.rowsTogether ?? 1) * grid.spec.columns;
    return shown < count && h("p", { class: "part", ...label("count") }, `${shown} / ${count}`);
  }

  // On a narrow page each row says its token.
  private withTokens(grid: Grid, span: Span, room: ReturnType<Flow["room"]>): HTMLElement {
    if (!room.narrow) return grid.element;
    const rows = h("div", { class: "row-words", "aria-hidden": true, ...label("word") });
    for (let t = span.from; t < span.from + span.count; ++t)
      rows.append(h("span", { style: { height: `${room.pitch}px` } }, this.session.word("T", t, grid.spec.name) ?? String(t)));
    return h("div", { class: "with-tokens" }, rows, grid.element);
  }

  private async triple(column: TripleColumn, section: Section, span: Span, room: ReturnType<Flow["room"]>): Promise<Built> {
    const head = this.headOf(section.columns.find((each): each is AttentionColumn => each.kind === "attention" && each.group === column.group)!);
    const gap = 26;
    const most = Math.max(...column.parts.map(({ value }) => this.span(value.name, value.axes[1]).count), span.count);
    const row = Math.max(4, Math.min(20, Math.floor((room.body - 3 * gap) / (3 * most))));
    const grids = await Promise.all(column.parts.map(({ role, value }) => {
      const heads = this.session.sizes(value.name)[2];
      const all = section.columns.find((each): each is AttentionColumn => each.kind === "attention" && each.group === column.group)!.heads;
      const own = Math.floor(head / (all / heads));
      return headGrid(this.session, value, own, this.span(value.name, value.axes[1]), { width: room.head, row: room.narrow ? 14 : row, role, label: role }, this.host);
    }));
    const body = grids.map((grid, i) => h("figure", { class: `triple-part role-${column.parts[i].role}` },
      h("figcaption", {}, h("b", {}, words.qkvShort[column.parts[i].role]), " ", words.position({ query: "T", key: "S", value: "V" }[column.parts[i].role]) === words.position("V") ? "Value" : column.parts[i].role === "query" ? "Query" : "Key"),
      room.narrow ? this.smallWords(grid, column.parts[i].value, 14) : grid.element));
    const element = this.frame("triple", words.headNumber(head), body, "plain");
    return { element, ports: () => grids.map((grid) => gridPort(grid)) };
  }

  private smallWords(grid: Grid, value: Value, row: number): HTMLElement {
    const span = this.span(value.name, value.axes[1]);
    const rows = h("div", { class: "row-words", "aria-hidden": true, ...label("word") });
    for (let t = span.from; t < span.from + span.count; ++t) rows.append(h("span", { style: { height: `${row}px`, "font-size": "11px" } }, this.session.word(value.axes[1], t, value.name) ?? String(t)));
    return h("div", { class: "with-tokens" }, rows, grid.element);
  }

  headOf(attention: AttentionColumn): number {
    return Math.min(this.host.state.head, attention.heads - 1);
  }

  private headChooser(attention: AttentionColumn): HTMLElement {
    const head = this.headOf(attention);
    const off = this.host.isOff(attention.id, head);
    const select = h("select", { "aria-label": words.head, onchange: (event: Event) => this.host.change({ head: Number((event.target as HTMLSelectElement).value) }) });
    for (let i = 0; i < attention.heads; ++i) select.append(h("option", { value: i, selected: i === head, ...label("place") }, `${words.headNumber(i)}${this.host.isOff(attention.id, i) ? ` (${words.off})` : ""}`));
    return h("div", { class: "head-chooser" }, select,
      !isReadOnly(this.session) && h("button", { class: `switch ${off ? "off" : ""}`, role: "switch", "aria-checked": String(!off), title: off ? words.switchOn : words.switchOff, "aria-label": off ? words.switchOn : words.switchOff, onclick: () => this.host.toggleHead(attention.id, head) }));
  }

  private async attention(column: AttentionColumn, span: Span, room: ReturnType<Flow["room"]>, several: boolean): Promise<Built> {
    const head = this.headOf(column);
    const keys = this.keys(column, span);
    const cell = Math.max(3, Math.floor(room.side / Math.max(span.count, keys.count)));
    const grid = await squareGrid(this.session, column.pattern, head, span, keys, { cell: [cell, cell], numbers: cell >= 34, label: words.attention, scale: [0, 1], hidesZero: true }, this.host);
    const open = h("button", { class: "open-attention", onclick: () => this.host.change({ attention: column.id, head }) }, words.openAttention);
    const plain = !room.narrow && cell < 30 && !this.isCross(column.id);  // the lines from the keys say which column is whose
    const wrap = plain ? grid.element : labelled(grid, this.rowWords(column, span), this.keyWords(column, keys), { left: room.narrow ? 62 : 0, top: cell >= 30 ? 20 : this.session.opened.reads === "text" ? 52 : 36 }, facesOf(this.session, span.from, keys.from));
    const off = this.host.isOff(column.id, head);
    const element = this.frame(`attention ${off ? "edited" : ""}`, this.titleOf(column), [several && this.headChooser(column), wrap, open], "weights");
    return { element, ports: () => [gridPort(grid)] };
  }

  private keys(column: AttentionColumn, span: Span): Span {
    const [queries, keys] = this.session.lengths(column.pattern);
    if (this.isCross(column.id)) return this.span(column.pattern.name, "S");
    return queries === keys ? span : { from: 0, count: Math.min(keys, this.narrow() ? narrowTokens : firstView.tokens) };
  }
  private rowWords({ pattern }: AttentionColumn, span: Span): string[] {
    return Array.from({ length: span.count }, (_, i) => this.session.word("T", span.from + i, pattern.name) ?? String(span.from + i));
  }
  private keyWords({ pattern }: AttentionColumn, keys: Span): string[] {
    return Array.from({ length: keys.count }, (_, i) => this.session.word("S", keys.from + i, pattern.name) ?? String(keys.from + i));
  }

  // Of what an encoder read.
  private isCross(attention: string): boolean {
    return this.session.opened.sourceLabels !== undefined && !attention.startsWith("encoder.") && this.session.ofSource(attention, "S");
  }
  private titleOf(column: AttentionColumn): string {
    return this.isCross(column.id) ? words.attentionOfRead : words.attention;
  }

  // ---- attention, opened in place --------------------------------------------------------------------------

  private async opened(column: AttentionColumn, span: Span, room: ReturnType<Flow["room"]>, several: boolean): Promise<Built> {
    const head = this.headOf(column);
    const keys = this.keys(column, span);
    const squares = column.stages.filter((stage) => isSquare(this.session.network.values.get(stage.outputs[0])!));
    const gutter = room.narrow ? 62 : 56;
    const [cell, tall, across] = this.stepCells(Math.max(span.count, keys.count), squares.length, room, gutter);
    const numbers = cell >= 34;
    const top = cell >= 30 ? 20 : this.session.opened.reads === "text" ? 58 : 36;
    const cards: HTMLElement[] = [];
    const grids: Grid[] = [];
    for (const stage of squares) {
      const value = this.session.network.values.get(stage.outputs[0])!, last = value === column.pattern;
      if (!isHeld(value)) { cards.push(this.step(stage, gap(value))); continue; }
      const grid = await squareGrid(this.session, value, head, span, keys, { cell: [cell, tall], numbers, label: said(stage.label), scale: last ? [0, 1] : undefined, hidesZero: last }, this.host);
      grids.push(grid);
      cards.push(this.step(stage, labelled(grid, this.rowWords(column, span), this.keyWords(column, keys), { left: gutter, top }, facesOf(this.session, span.from, keys.from))));
    }
    const sum = column.stages.find((stage) => stage.operation === "weighted_sum");
    if (sum && isHeld(this.session.network.values.get(sum.outputs[0])!)) {
      const value = this.session.network.values.get(sum.outputs[0])!;
      const grid = await headGrid(this.session, value, head, span, { width: Math.max(room.head, Math.min(cell * keys.count, 192)), row: tall, role: "value", label: said(sum.label) }, this.host);
      grids.push(grid);
      cards.push(this.step(sum, labelled(grid, this.rowWords(column, span), [], { left: gutter, top }, facesOf(this.session, span.from, 0))));
    }
    const close = h("button", { class: "icon small", title: words.closeAttention, "aria-label": words.closeAttention, onclick: () => this.host.change({ attention: "" }) }, "×");
    const steps = h("div", { class: "steps", style: { "grid-template-columns": `repeat(${across}, max-content)` } }, ...cards);
    const off = this.host.isOff(column.id, head);
    const element = this.frame(`attention opened ${off ? "edited" : ""}`, this.titleOf(column), [several && this.headChooser(column), steps], "weights", close);
    return { element, ports: () => [boxPort(element.querySelector(".column-body")!, span.count, "weights")] };
  }

  // As many across as leave room for numbers, else two.
  private stepCells(side: number, count: number, room: ReturnType<Flow["room"]>, gutter: number): [number, number, number] {
    if (room.narrow) {
      const cell = Math.max(8, Math.min(48, Math.floor((room.width - gutter - 34) / side)));
      return [cell, Math.max(Math.min(cell, 26), 10), 1];
    }
    const free = room.width - 462 - 40 * this.packed;
    for (const across of [count + 1, 3, 2]) {
      const cell = Math.floor((free / across - gutter - 18) / side);
      if (cell >= 34 || across === 2) return [Math.max(9, Math.min(52, cell)), Math.max(9, Math.min(28, cell)), across];
    }
    return [20, 20, 2];
  }

  private step(stage: Stage, body: HTMLElement): HTMLElement {
    return h("figure", { class: `step role-${stage.role}` },
      h("figcaption", label("text"), h("b", {}, said(stage.label)), h("code", { title: stage.equation }, stage.equation)), body);
  }

  // ---- around the open block ----------------------------------------------------------------------------

  private blockTitle(open: Section, blocks: Section[]): HTMLElement {
    const at = blocks.indexOf(open);
    const attentions = open.columns.filter((each): each is AttentionColumn => each.kind === "attention");
    const go = (to: number) => {
      const section = blocks[to];
      this.host.change({ block: section.name, attention: this.host.state.attention ? section.attentions[0] ?? "" : "" });
    };
    return h("div", { class: "block-title" },
      at > 0 && h("button", { class: "icon small", "aria-label": blockLabel(blocks[at - 1].name), title: blockLabel(blocks[at - 1].name), onclick: () => go(at - 1) }, "‹"),
      h("h2", label("place"), blockLabel(open.name)),
      at + 1 < blocks.length && h("button", { class: "icon small", "aria-label": blockLabel(blocks[at + 1].name), title: blockLabel(blocks[at + 1].name), onclick: () => go(at + 1) }, "›"),
      attentions.length === 1 && this.headChooser(attentions[0]));
  }

  private pages(span: Span): HTMLElement | undefined {
    const length = Math.max(this.session.opened.ids.length, this.session.opened.sourceLabels?.length ?? 0);
    const most = this.narrow() ? narrowTokens : firstView.tokens;
    if (length <= most) return undefined;
    return h("nav", { class: "pages", "aria-label": words.tokens },
      h("button", { class: "icon", disabled: span.from === 0, "aria-label": words.earlier, onclick: () => this.host.change({ from: Math.max(0, span.from - most) }) }, "‹"),
      h("span", label("count"), words.shown(span.from, span.from + span.count - 1, String(length))),
      h("button", { class: "icon", disabled: span.from + span.count >= length, "aria-label": words.later, onclick: () => this.host.change({ from: span.from + most }) }, "›"));
  }

  private toggle(id: string): void {
    const short = shortOf(id);
    const { open } = this.host.state;
    this.host.change({ open: open.includes(short) ? open.filter((each) => each !== short) : [...open, short] });
  }
}

// Whether a section is of an encoder.
function isEncoder({ columns }: Section): boolean {
  return columns.every((column) => (column.kind === "vector" ? column.value.name : column.group.name).startsWith("encoder."));
}

// The values that a column shows.
function namesOf(column: Column): string[] {
  return column.kind === "vector" ? [column.value.name] : column.kind === "triple" ? column.parts.map(({ value }) => value.name) : column.stages.flatMap((stage) => stage.outputs);
}

/// A column is opened in every block alike.
function shortOf(id: string): string {
  return id.replace(/blocks\.\d+\./, "");
}
