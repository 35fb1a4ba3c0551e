// The map of one head as a surface: from the whole of a long text to single cells. The matrix is never asked for;
// each view is one tile of means, and where a block is one cell, the exact cell.
import { h } from "./dom";
import { FlowHost } from "./flow";
import { blockLabel } from "./flow_strips";
import { formatNumber } from "./format";
import { look } from "./grid";
import { AttentionColumn, sectionsOf } from "./layout";
import { paint } from "./palette";
import { Session } from "./session";
import { Box, Tile } from "./tile";
import { keepPainted, label, shown, told } from "./told";
import { words } from "./words";

const tileSize = 192;
const margin = 0.25;  // of the box, on each side: what is dragged into sight is there

export class MapView {
  readonly element = h("div", { class: "map-view" });
  private drawn = 0;
  private tile: Tile | undefined;
  private whole: Tile | undefined;  // seen where the finer tile has not come yet
  private wholeOf = "";
  private loading = false;
  private frame = 0;
  private again = false;
  private box: Box = [0, 1, 0, 1];
  private attention: AttentionColumn | undefined;
  private head = 0;
  private side = 600;
  private canvas = h("canvas");
  private facts = h("p", { class: "map-facts", ...label("count") });
  private shown = h("p", { class: "pair-shown", "aria-live": "polite" }, "\u00a0");
  private pointers = new Map<number, { x: number; y: number }>();

  constructor(private readonly session: Session, private readonly host: FlowHost) {}

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const sections = sectionsOf(this.session.network).filter((each) => each.attentions.length);
    if (!sections.length) return this.element.replaceChildren(h("p", { class: "hint" }, words.noHeads));
    const section = sections.find((each) => each.name === this.host.state.block) ?? sections[0];
    this.attention = section.columns.find((each): each is AttentionColumn => each.kind === "attention")!;
    this.head = Math.min(this.host.state.head, this.attention.heads - 1);
    const [queries, keys] = this.session.lengths(this.attention.pattern);
    const { zoom } = this.host.state;
    this.box = zoom.length === 4 && zoom[1] <= queries && zoom[3] <= keys ? ([...zoom] as Box) : [0, queries, 0, keys];
    await this.first();
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
      onpointerleave: () => this.host.mark(undefined),
      onpointermove: (event: PointerEvent) => this.pointed(event),
      ondblclick: (event: MouseEvent) => this.zoom(0.5, event.offsetX / this.side, event.offsetY / this.side),
      onwheel: (event: WheelEvent) => { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX / this.side, event.offsetY / this.side); },
      onclick: (event: MouseEvent) => this.chosen(event),
      onkeydown: (event: KeyboardEvent) => this.key(event),
    });
  }

  // ---- tiles -----------------------------------------------------------------------------------------------

  // The whole of the map, and what is seen of it.
  private async first(): Promise<void> {
    const [queries, keys] = this.session.lengths(this.attention!.pattern);
    const key = `${this.session.turn} ${this.attention!.id} ${this.head}`;
    if (key !== this.wholeOf) [this.whole, this.tile] = [undefined, undefined];
    this.wholeOf = key;
    this.whole ??= await this.tileOf([0, queries, 0, keys]);
    if (key === this.wholeOf) await this.load();
  }

  private async tileOf([q0, q1, k0, k1]: Box): Promise<Tile | undefined> {
    const { attention, head } = this;
    try {
      const answer = await this.session.ask({ ask: "tile", attention: attention!.id, head, queries: [q0, q1], keys: [k0, k1], size: tileSize });
      return new Tile(attention!.pattern.name, head, answer);
    } catch (problem) {
      if ((problem as { kind?: string }).kind !== "stale") this.facts.textContent = (problem as Error).message;
      return undefined;
    }
  }

  // One tile at a time; what has moved on meanwhile is asked for when it has come.
  private async load(): Promise<void> {
    if (this.loading) return void (this.again = true);
    this.loading = true;
    do {
      this.again = false;
      const key = this.wholeOf;
      const tile = await this.tileOf(this.around());
      if (tile && key === this.wholeOf) { this.tile = tile; this.paint(); }
    } while (this.again);
    this.loading = false;
  }

  // The box with a margin, where the blocks stay as fine with it; of what holds few cells, single ones.
  private around(): Box {
    const [queries, keys] = this.session.lengths(this.attention!.pattern);
    const [q0, q1, k0, k1] = this.box;
    const [down, right] = [(q1 - q0) * margin, (k1 - k0) * margin];
    return [Math.max(0, Math.floor(q0 - down)), Math.min(queries, Math.ceil(q1 + down)), Math.max(0, Math.floor(k0 - right)), Math.min(keys, Math.ceil(k1 + right))];
  }

  private paint(): void {
    const { tile, whole, box, side } = this;
    const context = this.canvas.getContext("2d")!;
    const scale = this.canvas.width / side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = paint("hole", look.theme);
    context.fillRect(0, 0, side, side);
    if (!tile) return;
    if (whole && !tile.covers(box)) whole.paint(context, box, side);
    context.fillStyle = paint("hole", look.theme);
    this.clear(context, tile);
    tile.paint(context, box, side);
    keepPainted(this.canvas, { cells: () => [...tile.painted(box, side, scale, undefined), ...(whole && !tile.covers(box) ? whole.painted(box, side, scale, tile) : [])] });
    this.tellFacts(tile);
  }

  // Where the tile has holes, those of the whole do not shine through.
  private clear(context: CanvasRenderingContext2D, tile: Tile): void {
    const [q0, q1, k0, k1] = this.box, [t0, t1, s0, s1] = tile.box;
    const [y, x] = [this.side / (q1 - q0), this.side / (k1 - k0)];
    context.fillRect((s0 - k0) * x, (t0 - q0) * y, (s1 - s0) * x, (t1 - t0) * y);
  }

  private tellFacts(tile: Tile): void {
    const [from, to, first, end] = this.box.map(Math.round);
    const what = tile.single ? words.mapCells : words.mapBlocks(...tile.block);
    this.facts.textContent = `${words.query} ${from}\u2013${to - 1}, ${words.key} ${first}\u2013${end - 1}: ${what}${tile.streamed ? `, ${words.mapStreamed}` : ""}`;
  }

  private cellAt(px: number, py: number): { row: number; column: number; value: number } | undefined {
    const [q0, q1, k0, k1] = this.box;
    return this.tile?.at(q0 + (py / this.side) * (q1 - q0), k0 + (px / this.side) * (k1 - k0));
  }

  private pointed(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (before) return this.dragged(event, before);
    const cell = this.cellAt(event.offsetX, event.offsetY);
    if (!cell || !this.tile) return;
    if (this.tile.single) this.host.mark(this.tile.queries[cell.row], this.tile.keys[cell.column]);
    const range = (edges: number[], at: number, axis: string) => {
      const [first, end] = [edges[at], edges[at + 1]];
      return end - first === 1 ? `${first} ${this.session.word(axis, first, this.attention!.pattern.name) ?? ""}` : `${first}\u2013${end - 1}`;
    };
    this.shown.replaceChildren(h("span", label("word"), `${words.query} ${range(this.tile.queries, cell.row, "T")}, ${words.key} ${range(this.tile.keys, cell.column, "S")}: `),
      h("span", told(this.tile.nameOf(cell.row, cell.column)), formatNumber(cell.value)));
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
    const [queries, keys] = this.session.lengths(this.attention!.pattern);
    const [q0, q1, k0, k1] = this.box;
    const down = clamp((py / this.side) * (q1 - q0), -q0, queries - q1), right = clamp((px / this.side) * (k1 - k0), -k0, keys - k1);
    this.box = [q0 + down, q1 + down, k0 + right, k1 + right];
    this.moved();
  }

  private zoom(by: number, atX: number, atY: number): void {
    const [queries, keys] = this.session.lengths(this.attention!.pattern);
    const [q0, q1, k0, k1] = this.box;
    const tall = clamp((q1 - q0) * by, Math.min(4, queries), queries), wide = clamp((k1 - k0) * by, Math.min(4, keys), keys);
    const top = clamp(q0 + (q1 - q0 - tall) * atY, 0, queries - tall), left = clamp(k0 + (k1 - k0 - wide) * atX, 0, keys - wide);
    this.box = [top, top + tall, left, left + wide];
    this.moved();
  }

  private moved(): void {
    this.host.state.zoom = this.box.map(Math.round);
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
    if (!this.tile?.covers(this.box) || this.finer()) void this.load();
  }

  // Whether a tile of this box would have finer blocks than the one that is there.
  private finer(): boolean {
    const [q0, q1, k0, k1] = this.around(), [down, right] = this.tile!.block;
    return Math.ceil((q1 - q0) / tileSize) < down || Math.ceil((k1 - k0) / tileSize) < right;
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
    this.host.choose({ name: this.attention!.pattern.name, index: [shown.batch, this.head, queries[cell.row], keys[cell.column]] }, undefined!);
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
