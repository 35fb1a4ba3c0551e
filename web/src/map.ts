// The map of one head as a surface: from the whole of a long text to single cells. The matrix is never asked for;
// each view is one tile of means, and where a block is one cell, the exact cell.
import { debounced, h } from "./dom";
import { integers, reals } from "./engine";
import { blockLabel, FlowHost } from "./flow";
import { formatNumber } from "./format";
import { look } from "./grid";
import { AttentionColumn, sectionsOf } from "./layout";
import { heatLevel, heatTable, paint } from "./palette";
import { Session } from "./session";
import { keepPainted, label, meanName, PaintedCell, told } from "./told";
import { words } from "./words";

const tileSize = 128;

interface Tile {
  cells: number[];
  queries: number[];  // edges of the blocks
  keys: number[];
  from: string;
  most: number;       // the largest of the cells
}

interface Block {
  row: number;
  column: number;
  value: number;
  level: number | undefined;
  text: string | undefined;
  x: number;
  y: number;
  width: number;
  height: number;
}

// Whether each block is one cell.
function isSingle({ queries, keys }: Tile): boolean {
  return queries[1] - queries[0] === 1 && keys[1] - keys[0] === 1;
}

type Box = [firstQuery: number, endQuery: number, firstKey: number, endKey: number];

export class MapView {
  readonly element = h("div", { class: "map-view" });
  private drawn = 0;
  private tile: Tile | undefined;
  private box: Box = [0, 1, 0, 1];
  private attention: AttentionColumn | undefined;
  private head = 0;
  private side = 600;
  private canvas = h("canvas");
  private facts = h("p", { class: "map-facts", ...label("count") });
  private shown = h("p", { class: "pair-shown", "aria-live": "polite" }, "\u00a0");
  private pointers = new Map<number, { x: number; y: number }>();
  private readonly ask = debounced(60, () => void this.load());

  constructor(private readonly session: Session, private readonly host: FlowHost) {}

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const sections = sectionsOf(this.session.network).filter((each) => each.attentions.length);
    if (!sections.length) return this.element.replaceChildren(h("p", { class: "hint" }, words.noHeads));
    const section = sections.find((each) => each.name === this.host.state.block) ?? sections[0];
    this.attention = section.columns.find((each): each is AttentionColumn => each.kind === "attention")!;
    this.head = Math.min(this.host.state.head, this.attention.heads - 1);
    const [, , queries, keys] = this.session.sizes(this.attention.pattern.name);
    const { zoom } = this.host.state;
    this.box = zoom.length === 4 && zoom[1] <= queries && zoom[3] <= keys ? ([...zoom] as Box) : [0, queries, 0, keys];
    await this.load();
    if (turn !== this.drawn) return;
    const { change } = this.host;
    const select = (title: string, names: string[], now: number, take: (at: number) => void) => h("label", { class: "choice", ...label("place") }, title,
      h("select", { onchange: (event: Event) => take(Number((event.target as HTMLSelectElement).value)) }, ...names.map((name, i) => h("option", { value: i, selected: i === now }, name))));
    this.surface();
    this.element.replaceChildren(h("section", { class: "card" },
      h("h2", {}, words.mapTitle), h("p", { class: "hint" }, words.mapIntro),
      h("div", { class: "choices" },
        select(words.layer, sections.map((each) => blockLabel(each.name)), sections.indexOf(section), (at) => change({ block: sections[at].name, zoom: [] })),
        select(words.head, Array.from({ length: this.attention.heads }, (_, i) => words.headNumber(i)), this.head, (head) => change({ head })),
        h("span", { class: "choice" }, h("span", {},
          h("button", { "aria-label": words.zoomIn, title: words.zoomIn, onclick: () => this.zoom(0.5, 0.5, 0.5) }, "+"),
          h("button", { "aria-label": words.zoomOut, title: words.zoomOut, onclick: () => this.zoom(2, 0.5, 0.5) }, "\u2212"),
          h("button", { onclick: () => { this.box = [0, queries, 0, keys]; this.moved(); } }, words.whole)))),
      this.canvas, this.shown, this.facts));
    this.paint();
  }

  private surface(): void {
    const width = this.element.clientWidth || window.innerWidth - 40;
    this.side = Math.max(220, Math.min(width - 36, window.innerHeight - 330, 720));
    const density = window.devicePixelRatio || 1;
    this.canvas = h("canvas", {
      class: "map-surface", tabindex: 0, role: "application", "aria-label": words.mapTitle, width: Math.round(this.side * density), height: Math.round(this.side * density),
      style: { width: `${this.side}px`, height: `${this.side}px` },
      onpointerdown: (event: PointerEvent) => { this.canvas.setPointerCapture(event.pointerId); this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY }); },
      onpointerup: (event: PointerEvent) => this.pointers.delete(event.pointerId),
      onpointercancel: (event: PointerEvent) => this.pointers.delete(event.pointerId),
      onpointermove: (event: PointerEvent) => this.pointed(event),
      ondblclick: (event: MouseEvent) => this.zoom(0.5, event.offsetX / this.side, event.offsetY / this.side),
      onwheel: (event: WheelEvent) => { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX / this.side, event.offsetY / this.side); },
      onclick: (event: MouseEvent) => this.chosen(event),
      onkeydown: (event: KeyboardEvent) => this.key(event),
    });
  }

  private async load(): Promise<void> {
    const { attention, head } = this;
    if (!attention) return;
    const [q0, q1, k0, k1] = this.box.map(Math.round);
    try {
      const { json, arrays } = await this.session.ask({ ask: "tile", attention: attention.id, head, queries: [q0, q1], keys: [k0, k1], size: tileSize });
      const cells = reals(arrays.cells);
      const most = cells.reduce((so, each) => (Number.isFinite(each) ? Math.max(so, each) : so), 1e-9);
      this.tile = { cells, queries: integers(arrays.query_edges), keys: integers(arrays.key_edges), from: json.from, most };
      this.paint();
    } catch (problem) {
      if ((problem as { kind?: string }).kind !== "stale") this.facts.textContent = (problem as Error).message;
    }
  }

  // The tile where it lies in the box that is seen; a larger tile stays until the finer one has come.
  private paint(): void {
    const { tile } = this;
    const context = this.canvas.getContext("2d")!;
    const scale = this.canvas.width / this.side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = paint("hole", look.theme);
    context.fillRect(0, 0, this.side, this.side);
    if (!tile) return;
    const table = heatTable("weights", look.theme);
    for (const { level, text, x, y, width, height } of this.blocks(tile)) {
      if (level === undefined) continue;
      const line = width >= 8 ? 1 : -0.3;
      context.fillStyle = table[level].ground;
      context.fillRect(x, y, width - line, height - line);
      if (text === undefined) continue;
      context.fillStyle = table[level].ink;
      context.font = "12px ui-sans-serif, system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(text, x + width / 2, y + height / 2);
    }
    keepPainted(this.canvas, { cells: () => this.painted(tile) });
    this.tellFacts(tile);
  }

  // What of the tile lies in the box, and where.
  private *blocks(tile: Tile): Generator<Block> {
    const [q0, q1, k0, k1] = this.box;
    const y = (query: number) => ((query - q0) / (q1 - q0)) * this.side, x = (key: number) => ((key - k0) / (k1 - k0)) * this.side;
    const columns = tile.keys.length - 1;
    const single = isSingle(tile);
    const large = single && this.side / (k1 - k0) >= 44;
    for (let row = 0; row + 1 < tile.queries.length; ++row) {
      const [y0, y1] = [y(tile.queries[row]), y(tile.queries[row + 1])];
      if (y1 < 0 || y0 > this.side) continue;
      for (let column = 0; column < columns; ++column) {
        const [x0, x1] = [x(tile.keys[column]), x(tile.keys[column + 1])];
        if (x1 < 0 || x0 > this.side) continue;
        const value = tile.cells[row * columns + column];
        const level = value === 0 || !Number.isFinite(value) ? undefined : heatLevel(value / (single ? 1 : tile.most));
        yield { row, column, value, level, text: large && level !== undefined ? formatNumber(value) : undefined, x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
      }
    }
  }

  private painted(tile: Tile): PaintedCell[] {
    const scale = this.canvas.width / this.side;
    return [...this.blocks(tile)].map(({ row, column, value, level, text, x, y, width }) => ({
      from: this.nameOf(row, column), value, level, text, at: [(x + Math.min(2, width / 2)) * scale, (y + Math.min(2, width / 2)) * scale],
    }));
  }

  private nameOf(row: number, column: number): string {
    const { queries, keys } = this.tile!;
    return meanName(this.attention!.pattern.name, this.head, [queries[row], queries[row + 1]], [keys[column], keys[column + 1]]);
  }

  private tellFacts(tile: Tile): void {
    const [from, to, first, end] = this.box.map(Math.round);
    const what = isSingle(tile) ? words.mapCells : words.mapBlocks(tile.queries[1] - tile.queries[0], tile.keys[1] - tile.keys[0]);
    this.facts.textContent = `${words.query} ${from}\u2013${to - 1}, ${words.key} ${first}\u2013${end - 1}: ${what}${tile.from === "map" ? `, ${words.mapStreamed}` : ""}`;
  }

  private cellAt(px: number, py: number): { row: number; column: number; value: number } | undefined {
    const { tile } = this;
    if (!tile) return undefined;
    const [q0, q1, k0, k1] = this.box;
    const query = q0 + (py / this.side) * (q1 - q0), key = k0 + (px / this.side) * (k1 - k0);
    const row = tile.queries.findIndex((edge, i) => query >= edge && query < (tile.queries[i + 1] ?? -1));
    const column = tile.keys.findIndex((edge, i) => key >= edge && key < (tile.keys[i + 1] ?? -1));
    if (row < 0 || column < 0) return undefined;
    return { row, column, value: tile.cells[row * (tile.keys.length - 1) + column] };
  }

  private pointed(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (before) return this.dragged(event, before);
    const cell = this.cellAt(event.offsetX, event.offsetY);
    if (!cell || !this.tile) return;
    const range = (edges: number[], at: number, axis: string) => {
      const [first, end] = [edges[at], edges[at + 1]];
      return end - first === 1 ? `${first} ${this.session.word(axis, first) ?? ""}` : `${first}\u2013${end - 1}`;
    };
    this.shown.replaceChildren(h("span", label("word"), `${words.query} ${range(this.tile.queries, cell.row, "T")}, ${words.key} ${range(this.tile.keys, cell.column, "S")}: `),
      h("span", told(this.nameOf(cell.row, cell.column)), formatNumber(cell.value)));
  }

  private dragged(event: PointerEvent, before: { x: number; y: number }): void {
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others.length) {
      const gap = (p: { x: number; y: number }) => Math.hypot(p.x - others[0].x, p.y - others[0].y) || 1;
      const now = { x: event.offsetX, y: event.offsetY };
      this.zoom(gap(before) / gap(now), (now.x + others[0].x) / 2 / this.side, (now.y + others[0].y) / 2 / this.side);
    } else {
      this.shift(before.x - event.offsetX, before.y - event.offsetY);
    }
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  }

  private shift(px: number, py: number): void {
    const [, , queries, keys] = this.session.sizes(this.attention!.pattern.name);
    const [q0, q1, k0, k1] = this.box;
    const down = clamp((py / this.side) * (q1 - q0), -q0, queries - q1), right = clamp((px / this.side) * (k1 - k0), -k0, keys - k1);
    this.box = [q0 + down, q1 + down, k0 + right, k1 + right];
    this.moved();
  }

  private zoom(by: number, atX: number, atY: number): void {
    const [, , queries, keys] = this.session.sizes(this.attention!.pattern.name);
    const [q0, q1, k0, k1] = this.box;
    const tall = clamp((q1 - q0) * by, Math.min(4, queries), queries), wide = clamp((k1 - k0) * by, Math.min(4, keys), keys);
    const top = clamp(q0 + (q1 - q0 - tall) * atY, 0, queries - tall), left = clamp(k0 + (k1 - k0 - wide) * atX, 0, keys - wide);
    this.box = [top, top + tall, left, left + wide];
    this.moved();
  }

  private moved(): void {
    this.host.state.zoom = this.box.map(Math.round);
    this.paint();
    this.ask();
  }

  private key(event: KeyboardEvent): void {
    const step = this.side / 8;
    const moves: Record<string, () => void> = {
      ArrowUp: () => this.shift(0, -step), ArrowDown: () => this.shift(0, step), ArrowLeft: () => this.shift(-step, 0), ArrowRight: () => this.shift(step, 0),
      "+": () => this.zoom(0.5, 0.5, 0.5), "-": () => this.zoom(2, 0.5, 0.5),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }

  private chosen(event: MouseEvent): void {
    const cell = this.cellAt(event.offsetX, event.offsetY);
    if (!cell || !this.tile) return;
    const { queries, keys } = this.tile;
    if (queries[cell.row + 1] - queries[cell.row] !== 1 || keys[cell.column + 1] - keys[cell.column] !== 1) return;
    this.host.choose({ name: this.attention!.pattern.name, index: [0, this.head, queries[cell.row], keys[cell.column]] }, undefined!);
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
