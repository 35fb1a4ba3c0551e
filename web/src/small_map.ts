// The map of one head, small: a pixel for each block of cells, as the fused kernel's streamed map has them.
import { h } from "./dom";
import { Answer } from "./engine";
import { look } from "./grid";
import { heatLevel, heatTable, paint } from "./palette";
import { keepPainted, PaintedCell, streamedName } from "./told";

export interface SmallMap {
  pattern: string;
  head: number;
  rows: number;
  columns: number;
  queries: number;  // of a block
  keys: number;
  lengths: [queries: number, keys: number];
  at(row: number, column: number): number;
  from?(row: number, column: number): string;  // where that comes from, if not from the streamed map (told.ts)
}

/// One head of an answer to `maps`.
export function mapOf({ json, arrays }: Answer, attention: string, head: number, lengths: [number, number]): SmallMap | undefined {
  const array = arrays[attention];
  if (!array) return undefined;
  const [, rows, columns] = array.shape;
  const { queries, keys } = json.attentions.find((each: { name: string }) => each.name === attention);
  const data = array.data as ArrayLike<number>, first = head * rows * columns;
  return { pattern: `${attention}.pattern`, head, rows, columns, queries, keys, lengths, at: (row, column) => data[first + row * columns + column] };
}

export function mapCanvas(map: SmallMap, size: number, shade = (value: number, _column: number): number | undefined => value): HTMLCanvasElement {
  const { rows, columns } = map;
  const canvas = h("canvas", { class: "map", width: columns, height: rows, style: { width: `${size}px`, height: `${size}px` } });
  const context = canvas.getContext("2d")!;
  const table = heatTable("weights", look.theme);
  const level = (value: number, column: number) => {
    const shown = Number.isFinite(value) && value !== 0 ? shade(value, column) : undefined;
    return shown === undefined ? undefined : heatLevel(shown);
  };
  for (let row = 0; row < rows; ++row)
    for (let column = 0; column < columns; ++column) {
      const deep = level(map.at(row, column), column);
      context.fillStyle = deep === undefined ? paint("hole", look.theme) : table[deep].ground;
      context.fillRect(column, row, 1, 1);
    }
  keepPainted(canvas, { cells: () => {
    const out: PaintedCell[] = [];
    const block = (at: number, each: number, length: number): [number, number] => [at * each, Math.min((at + 1) * each, length)];
    for (let row = 0; row < rows; ++row)
      for (let column = 0; column < columns; ++column) {
        const value = map.at(row, column);
        out.push({ from: map.from?.(row, column) ?? streamedName(map.pattern, map.head, block(row, map.queries, map.lengths[0]), block(column, map.keys, map.lengths[1])),
          value, level: level(value, column), text: undefined, at: [column, row] });
      }
    return out;
  } });
  return canvas;
}
