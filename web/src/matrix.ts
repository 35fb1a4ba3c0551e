// Grids of the run's values: a vector for each token, a head's part of a vector, a matrix of queries and keys.
import { h } from "./dom";
import { Faces } from "./face";
import { Grid, GridEvents } from "./grid";
import { foldOf } from "./layout";
import { Role } from "./palette";
import { Session, Value } from "./session";
import { label, shown as run } from "./told";

export interface Span {
  from: number;
  count: number;
}

function product(numbers: number[]): number {
  return numbers.reduce((all, each) => all * each, 1);
}

/// One tile of cells for each token.
export async function vectorGrid(session: Session, value: Value, span: Span, room: { width: number; height: number; gap: number; role: Role; label: string },
                                 events: GridEvents): Promise<Grid> {
  const sizes = session.sizes(value.name);
  const rest = sizes.slice(2);
  const count = product(rest);
  const fold = foldOf(count, room.width, room.height);
  const length = Math.min(span.count, sizes[1] - span.from);
  const window = await session.window(value.name, [run.batch, span.from, ...rest.map(() => 0)], [1, length, ...rest]);
  const indexOf = (i: number) => {
    const out: number[] = [];
    for (let axis = rest.length - 1; axis >= 0; --axis) {
      out.unshift(i % rest[axis]);
      i = Math.floor(i / rest[axis]);
    }
    return out;
  };
  const placeOf = (row: number, column: number) => (row % fold.rows) * fold.columns + column;
  const tokenOf = (row: number) => Math.floor(row / fold.rows);
  return new Grid({
    name: value.name, title: `${room.label}: ${value.name}`, role: room.role,
    rows: length * fold.rows, columns: fold.columns, cell: fold.cell, rowsTogether: fold.rows, gap: room.gap + room.height - fold.rows * fold.cell[1],
    at: (row, column) => (placeOf(row, column) < count ? window.data[tokenOf(row) * count + placeOf(row, column)] : undefined),
    index: (row, column) => [run.batch, span.from + tokenOf(row), ...indexOf(placeOf(row, column))],
    locate: ([batch, token, ...places]) => {
      if (batch !== run.batch) return undefined;
      const i = places.reduce((all, place, axis) => all * rest[axis] + place, 0);
      const t = token - span.from;
      if (t < 0 || t >= length || i >= fold.shown) return undefined;
      return [t * fold.rows + Math.floor(i / fold.columns), i % fold.columns];
    },
    place: (row) => session.word(value.axes[1], span.from + tokenOf(row), value.name) ?? "",
  }, events);
}

/// The numbers of one head: a row for each token.
export async function headGrid(session: Session, value: Value, head: number, span: Span, room: { width: number; row: number; role: Role; label: string },
                               events: GridEvents): Promise<Grid> {
  const sizes = session.sizes(value.name);  // B, T or S, H or G, D
  const width = sizes[3];
  const length = Math.min(span.count, sizes[1] - span.from);
  const window = await session.window(value.name, [run.batch, span.from, head, 0], [1, length, 1, width]);
  const cell = Math.max(1, Math.floor(room.width / width));
  const shown = Math.min(width, Math.floor(room.width / cell));
  return new Grid({
    name: value.name, title: `${room.label}: ${value.name}`, role: room.role, rows: length, columns: shown, cell: [cell, room.row],
    at: (row, column) => window.data[row * width + column],
    index: (row, column) => [run.batch, span.from + row, head, column],
    locate: ([batch, token, at, place]) => {
      const t = token - span.from;
      return batch === run.batch && at === head && t >= 0 && t < length && place < shown ? [t, place] : undefined;
    },
    place: (row) => session.word(value.axes[1], span.from + row, value.name) ?? "",
  }, events);
}

export interface SquareRoom {
  cell: [number, number];
  numbers: boolean;
  label: string;
  scale?: [number, number];
  shade?: (value: number, row: number, column: number) => number | undefined;
  hidesZero?: boolean;  // a weight of exactly 0 is a place that a mask or an edit leaves out
}

/// Queries down, keys across, of one head.
export async function squareGrid(session: Session, value: Value, head: number, queries: Span, keys: Span, room: SquareRoom, events: GridEvents): Promise<Grid> {
  const window = await session.window(value.name, [run.batch, head, queries.from, keys.from], [1, 1, queries.count, keys.count]);
  return new Grid({
    name: value.name, title: `${room.label}: ${value.name}`, role: "weights", rows: queries.count, columns: keys.count,
    cell: room.cell, numbers: room.numbers, scale: room.scale, hidesZero: room.hidesZero, shade: room.shade,
    at: (row, column) => window.data[row * keys.count + column],
    index: (row, column) => [run.batch, head, queries.from + row, keys.from + column],
    locate: ([batch, at, query, key]) => {
      const row = query - queries.from, column = key - keys.from;
      return batch === run.batch && at === head && row >= 0 && row < queries.count && column >= 0 && column < keys.count ? [row, column] : undefined;
    },
    place: (row, column) => `${session.word("T", queries.from + row, value.name) ?? ""} → ${session.word("S", keys.from + column, value.name) ?? ""}`,
  }, events);
}

const mostFace = 22, leastWord = 13;

const lineHeight = 12, turnedBy = Math.sin((55 * Math.PI) / 180);  // of a word; .labels-top.turned

/// A matrix with its tokens at the left and above.
export function labelled(grid: Grid, rows: string[], columns: string[], room: { left: number; top: number }, faces?: Faces): HTMLElement {
  const [width, height] = grid.spec.cell;
  const upright = width >= 30;
  const left = h("div", { class: "labels-left", ...label("word"), style: { width: `${room.left}px` } });
  // Words that stand too close for one line each: every second one, or third.
  const [everyRow, everyColumn] = [Math.ceil(lineHeight / height), upright ? 1 : Math.ceil(lineHeight / (width * turnedBy))];
  rows.forEach((word, i) => {
    const face = faces?.row(i, Math.min(height - 1, mostFace));
    const hidden = face ? height < leastWord : i % everyRow;
    left.append(h("span", { class: faces && "with-face", style: { height: `${height}px`, "line-height": `${height}px` }, title: word }, hidden ? "" : word, face as HTMLElement));
  });
  if (!room.left) left.hidden = true;
  const top = h("div", { class: `labels-top ${upright ? "upright" : "turned"}`, ...label("word"), style: { height: `${room.top}px` } });
  columns.forEach((word, i) => {
    const face = faces?.column(i, Math.min(width - 1, mostFace));
    top.append(h("span", { class: face && "face-above", style: { width: `${width}px` }, title: word }, face as HTMLElement ?? h("span", {}, i % everyColumn ? "" : word)));
  });
  return h("div", { class: "labelled", "aria-hidden": false, style: { "grid-template-columns": room.left ? `${room.left}px auto` : "auto" } },
    room.left ? h("div", {}) : "", columns.length ? top : h("div", { style: { height: `${room.top}px` } }), left, grid.element);
}
