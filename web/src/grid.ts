// A matrix of real cells on a canvas.  It can be pointed at, tapped, and walked with the arrow keys; any cell
// of it can be lit from elsewhere, because it reads or is read by another.
import { h } from "./dom";
import { formatCell, formatNumber } from "./format";
import { heatLevel, heatTable, paint, Role, Theme } from "./palette";
import { cellName, keepPainted, PaintedCell } from "./told";

export interface CellRef {
  name: string;
  index: number[];
}

export interface GridSpec {
  name: string;            // of the value, as in a trace
  title: string;           // for a screen reader
  role: Role;
  rows: number;
  columns: number;
  cell: [width: number, height: number];
  rowsTogether?: number;   // after so many rows there is a gap
  gap?: number;
  at(row: number, column: number): number | undefined;  // undefined: there is no cell
  index(row: number, column: number): number[];
  locate(index: number[]): [row: number, column: number] | undefined;
  scale?: [low: number, high: number];
  numbers?: boolean;
  negative?: Role;         // the colour of numbers below 0, where they stand on a scale of their own
  hidesZero?: boolean;
  shade?(value: number, row: number, column: number): number | undefined;  // in place of the scale; undefined: a hole
  place?(row: number, column: number): string;           // its words, for a screen reader
}

export interface GridEvents {
  point(cell: CellRef | undefined, grid: Grid): void;    // hovered, or left
  choose(cell: CellRef, grid: Grid): void;               // clicked, or walked to
}

/// All grids on the page, by what they show.
class Lights {
  private grids = new Set<Grid>();
  private lit = new Map<string, number[][]>();
  private result: CellRef | undefined;

  add(grid: Grid): void { this.grids.add(grid); grid.light(this.of(grid), this.resultOf(grid)); }
  /// Shows the cells that a number is computed from, and the number itself.
  show(result: CellRef | undefined, operands: CellRef[]): void {
    this.lit.clear();
    for (const { name, index } of operands) {
      const cells = this.lit.get(name);
      if (cells) cells.push(index);
      else this.lit.set(name, [index]);
    }
    this.result = result;
    this.again();
  }
  again(): void {
    for (const grid of this.grids) {
      if (!grid.element.isConnected && grid.wasShown) this.grids.delete(grid);
      else grid.light(this.of(grid), this.resultOf(grid));
    }
  }
  repaint(): void { for (const grid of this.grids) grid.paint(), grid.light(this.of(grid), this.resultOf(grid)); }
  private of(grid: Grid): number[][] { return this.lit.get(grid.spec.name) ?? []; }
  private resultOf(grid: Grid): number[] | undefined {
    return this.result?.name === grid.spec.name ? this.result.index : undefined;
  }
}

export const lights = new Lights();
export const look: { theme: Theme } = { theme: "light" };

type Run = [row: number, column: number, count: number];

// Cells that stand side by side, as one.
function runsOf(places: [number, number][]): Run[] {
  const out: Run[] = [];
  for (const [row, column] of [...places].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = out.at(-1);
    if (last && last[0] === row && last[1] + last[2] >= column) last[2] = Math.max(last[2], column - last[1] + 1);
    else out.push([row, column, 1]);
  }
  return out;
}

const numberRoom: [number, number] = [34, 17];

export class Grid {
  readonly element: HTMLElement;
  wasShown = false;
  private cells = h("canvas");
  private over = h("canvas", { class: "over" });
  private at: [number, number] = [0, 0];
  private readonly width: number;
  private readonly height: number;
  private low = 0;
  private high = 1;

  constructor(readonly spec: GridSpec, private readonly events: GridEvents) {
    const { rows, columns, cell } = spec;
    this.width = columns * cell[0];
    this.height = rows * cell[1] + this.gapsBefore(rows - 1);
    this.element = h("div", {
      class: `grid role-${spec.role}`, tabindex: 0, role: "application", "aria-label": spec.title,
      "data-name": spec.name,
      style: { width: `${this.width}px`, height: `${this.height}px` },
      onpointermove: (event: PointerEvent) => event.pointerType !== "touch" && this.pointed(event, false),
      onpointerleave: () => this.events.point(undefined, this),
      onclick: (event: PointerEvent) => this.pointed(event, true),
      onkeydown: (event: KeyboardEvent) => this.key(event),
      onfocus: () => this.element.matches(":focus-visible") && this.walk(0, 0),
    }, this.cells, this.over);
    this.findScale();
    this.paint();
    lights.add(this);
  }

  /// Where a cell lies, from the grid's corner.
  rect(row: number, column: number): { x: number; y: number; width: number; height: number } {
    const [width, height] = this.spec.cell;
    return { x: column * width, y: row * height + this.gapsBefore(row), width, height };
  }

  paint(): void {
    const { spec } = this;
    const context = this.context(this.cells);
    const table = heatTable(spec.role, look.theme);
    const [width, height] = spec.cell;
    const line = Math.min(width, height) >= 8 ? 1 : 0;
    const hole = paint("hole", look.theme);
    for (let row = 0; row < spec.rows; ++row) {
      const y = row * height + this.gapsBefore(row);
      for (let column = 0; column < spec.columns; ++column) {
        const value = spec.at(row, column);
        if (value === undefined) continue;
        const colours = spec.negative && value < 0 ? heatTable(spec.negative, look.theme) : table;
        const level = this.level(value, row, column);
        const heat = level === undefined ? undefined : colours[level];
        context.fillStyle = heat ? heat.ground : hole;
        context.fillRect(column * width, y, width - line, height - line);
        const text = this.digits(value, level);
        if (text === undefined) continue;
        context.fillStyle = heat ? heat.ink : paint("soft", look.theme);
        context.font = `${width >= 44 ? 12 : 11}px ui-sans-serif, system-ui, sans-serif`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(text, (column + 0.5) * width - line / 2, y + height / 2 + 0.5);
      }
    }
    keepPainted(this.cells, { scale: spec.shade ? undefined : [this.low, this.high], cells: () => this.painted() });
  }

  private level(value: number, row: number, column: number): number | undefined {
    const { spec } = this;
    if (!Number.isFinite(value) || (spec.hidesZero && value === 0)) return undefined;
    const shade = spec.shade ? spec.shade(value, row, column) : this.shade(value);
    return shade === undefined ? undefined : heatLevel(shade);
  }

  // The digits in a cell that has room for them.
  private digits(value: number, level: number | undefined): string | undefined {
    const [width, height] = this.spec.cell;
    const room = this.spec.numbers && width >= numberRoom[0] && height >= numberRoom[1];
    return room && (level !== undefined || value !== 0) ? formatCell(value) : undefined;
  }

  private painted(): PaintedCell[] {
    const { spec } = this;
    const density = window.devicePixelRatio || 1, inside = Math.min(...spec.cell) >= 4 ? 1 : 0;
    const out: PaintedCell[] = [];
    for (let row = 0; row < spec.rows; ++row)
      for (let column = 0; column < spec.columns; ++column) {
        const value = spec.at(row, column);
        if (value === undefined) continue;
        const level = this.level(value, row, column), { x, y } = this.rect(row, column);
        out.push({ from: cellName({ name: spec.name, index: spec.index(row, column) }), value, level, text: this.digits(value, level), at: [x * density + inside, y * density + inside] });
      }
    return out;
  }

  light(indices: number[][], result: number[] | undefined): void {
    if (this.element.isConnected) this.wasShown = true;
    const context = this.context(this.over);
    const places = indices.map((index) => this.spec.locate(index)).filter((place) => !!place);
    if (places.length) {
      context.globalAlpha = 0.62;
      context.fillStyle = paint("page", look.theme);
      context.fillRect(0, 0, this.width, this.height);
      context.globalAlpha = 1;
      for (const [row, column] of places) {
        const { x, y, width, height } = this.rect(row, column);
        context.clearRect(x, y, width, height);
      }
      for (const run of runsOf(places)) this.ring(context, run, paint(this.spec.role, look.theme), 1.5);
    }
    const own = result && this.spec.locate(result);
    if (own) this.ring(context, [...own, 1], paint("ink", look.theme), 2);
  }

  private ring(context: CanvasRenderingContext2D, [row, column, count]: Run, colour: string, line: number): void {
    const { x, y, width: one, height } = this.rect(row, column);
    const width = one * count;
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x - 0.5, y - 0.5, width + (one < 8 ? 1 : 0), height + (height < 8 ? 1 : 0));
  }

  private gapsBefore(row: number): number {
    const { rowsTogether, gap } = this.spec;
    return rowsTogether && gap ? Math.floor(row / rowsTogether) * gap : 0;
  }

  // The palest and the deepest colour: of a long vector the middle 98 of 100 cells, so that one large number
  // does not take the colour of all others.
  private findScale(): void {
    const { spec } = this;
    if (spec.scale) return void ([this.low, this.high] = spec.scale);
    const values: number[] = [];
    for (let row = 0; row < spec.rows; ++row)
      for (let column = 0; column < spec.columns; ++column) {
        const value = spec.at(row, column);
        if (value !== undefined && Number.isFinite(value)) values.push(value);
      }
    values.sort((a, b) => a - b);
    if (!values.length) return;
    const out = values.length > 200 ? Math.floor(values.length / 100) : 0;
    [this.low, this.high] = [values[out], values[values.length - 1 - out]];
  }

  private shade(value: number): number {
    return this.high > this.low ? (value - this.low) / (this.high - this.low) : 0.5;
  }

  private context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const pad = canvas === this.over ? 2 : 0;  // rings stand over the edge
    const density = window.devicePixelRatio || 1;
    const [width, height] = [this.width + 2 * pad, this.height + 2 * pad];
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d")!;
    context.setTransform(density, 0, 0, density, pad * density, pad * density);
    return context;
  }

  private cellAt(event: PointerEvent | MouseEvent): [number, number] | undefined {
    const box = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { rows, columns, cell, rowsTogether, gap } = this.spec;
    const column = Math.min(Math.max(Math.floor(x / cell[0]), 0), columns - 1);
    let row = Math.floor(y / cell[1]);
    if (rowsTogether && gap) {
      const group = Math.floor(y / (rowsTogether * cell[1] + gap));
      row = group * rowsTogether + Math.min(rowsTogether - 1, Math.floor((y - group * (rowsTogether * cell[1] + gap)) / cell[1]));
    }
    row = Math.min(Math.max(row, 0), rows - 1);
    return this.spec.at(row, column) === undefined ? undefined : [row, column];
  }

  private pointed(event: PointerEvent, chosen: boolean): void {
    const place = this.cellAt(event);
    if (!place) return;
    this.at = place;
    const cell = { name: this.spec.name, index: this.spec.index(...place) };
    if (chosen) this.events.choose(cell, this);
    else this.events.point(cell, this);
  }

  private key(event: KeyboardEvent): void {
    const step: Record<string, [number, number]> = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, -Infinity], End: [0, Infinity], PageUp: [-Infinity, 0], PageDown: [Infinity, 0],
    };
    const by = step[event.key];
    if (!by) return;
    event.preventDefault();
    this.walk(...by);
  }

  private walk(down: number, right: number): void {
    const { rows, columns } = this.spec;
    const row = Math.min(Math.max(this.at[0] + down, 0), rows - 1);
    const column = Math.min(Math.max(this.at[1] + right, 0), columns - 1);
    const value = this.spec.at(row, column);
    if (value === undefined) return;
    this.at = [row, column];
    this.element.dataset.described = cellName({ name: this.spec.name, index: this.spec.index(row, column) });
    this.element.setAttribute("aria-description", `${this.spec.place?.(row, column) ?? ""} ${formatNumber(value)}`);
    this.events.choose({ name: this.spec.name, index: this.spec.index(row, column) }, this);
  }
}
