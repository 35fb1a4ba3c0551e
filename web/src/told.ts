// Every number on the page says where it comes from, so that a reader, or a test, finds it again:
//
//   data-from="probs[0,3,17]"   a number of this run, by its cell or its place in an answer (below)
//   data-from="log:3.loss"      of a training run: of a report of its log, of a sentence that it watched (watched:60-0 NAME[...])
//   data-label="place"          no number of the run: a place, a count, a token's word, a setting, an equation
//
// and every canvas keeps what it was painted from.  web/tests/numbers.test.mjs walks them all.
import { CellRef } from "./grid";

export type LabelKind = "place" | "count" | "word" | "setting" | "text";
/// How a number is written (format.ts); "engine": as the engine wrote it, rounded to the digits that it has; "sentence":
/// a sentence of the engine's, with its numbers in its order.
export type Writing = "number" | "cell" | "long" | "constant" | "engine" | "sentence";

/// Which row of the batch is shown: of a series its column.
export const shown = { batch: 0 };

/// The name of a cell, as `limpid explain` takes it.
export function cellName({ name, index }: CellRef): string {
  return `${name}[${index.join(",")}]`;
}

/// A block of the map that the kernel wrote as it ran: `mean:blocks.0.attn.pattern[0,2,8:16,0:8]`.
export function streamedName(name: string, head: number, [q0, q1]: [number, number], [k0, k1]: [number, number]): string {
  return `mean:${name}[${shown.batch},${head},${q0}:${q1},${k0}:${k1}]`;
}

/// A block of a tile: the mean of its cells, or the one cell.
export function meanName(name: string, head: number, queries: [number, number], keys: [number, number]): string {
  const single = queries[1] - queries[0] === 1 && keys[1] - keys[0] === 1;
  return single ? cellName({ name, index: [shown.batch, head, queries[0], keys[0]] }) : streamedName(name, head, queries, keys);
}

/// Attributes of an element whose text is a number of the run.
export function told(from: string, writing: Writing = "number"): Record<string, string | undefined> {
  return { "data-from": from, "data-write": writing === "number" ? undefined : writing };
}

/// Attributes of a bar whose width, of its lane, is a probability of the run.
export function wide(from: string): Record<string, string> {
  return { "data-wide": from };
}

/// Attributes of an element whose digits are no numbers of the run.
export function label(kind: LabelKind): Record<string, string> {
  return { "data-label": kind };
}

// ---- what canvases show ------------------------------------------------------------------------------------

/// One cell of a canvas: the number, how deep its colour is (undefined: a hole), and its digits where it has any.
export interface PaintedCell {
  from: string;
  value: number;
  level: number | undefined;
  text: string | undefined;
  at: [x: number, y: number];  // in pixels of the canvas: inside the cell, beside its digits
  colour?: [red: number, green: number, blue: number];  // of a picture's pixel
  over?: [red: number, green: number, blue: number];    // of the picture, which the level's colour lies over
}

export interface Painted {
  scale?: [low: number, high: number];  // of colours, where they are in proportion to the numbers
  cells(): PaintedCell[];
}

/// Keeps with a canvas what it was painted from.
export function keepPainted(canvas: HTMLCanvasElement, painted: Painted): void {
  (canvas as HTMLCanvasElement & { painted?: Painted }).painted = painted;
}
