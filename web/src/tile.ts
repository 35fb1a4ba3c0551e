// A tile of a head's map: means of blocks of cells, or the single cells, and how it is painted.
import { h } from "./dom";
import { Answer, integers, reals } from "./engine";
import { formatNumber } from "./format";
import { look } from "./grid";
import { heatLevel, heatTable, Theme } from "./palette";
import { meanName, PaintedCell } from "./told";

export type Box = [firstQuery: number, endQuery: number, firstKey: number, endKey: number];

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

const numberRoom = 44, separated = 8;  // pixels of a cell with digits; of blocks with a line between them

export class Tile {
  readonly cells: number[];
  readonly queries: number[];  // edges of the blocks
  readonly keys: number[];
  readonly streamed: boolean;  // cut from the map that the fused kernel wrote as it ran
  readonly single: boolean;    // each block is one cell
  private readonly most: number;
  private image: HTMLCanvasElement | undefined;
  private imageOf: Theme | undefined;

  constructor(private readonly pattern: string, private readonly head: number, { json, arrays }: Answer) {
    this.cells = reals(arrays.cells);
    this.queries = integers(arrays.query_edges);
    this.keys = integers(arrays.key_edges);
    this.streamed = json.from === "map";
    this.single = this.block[0] === 1 && this.block[1] === 1;
    this.most = this.cells.reduce((most, each) => (Number.isFinite(each) ? Math.max(most, each) : most), 1e-9);
  }

  /// Queries and keys of a block.
  get block(): [number, number] {
    return [this.queries[1] - this.queries[0], this.keys[1] - this.keys[0]];
  }
  get box(): Box {
    return [this.queries[0], this.queries.at(-1)!, this.keys[0], this.keys.at(-1)!];
  }
  covers([q0, q1, k0, k1]: Box): boolean {
    const [t0, t1, s0, s1] = this.box;
    return t0 <= q0 && q1 <= t1 && s0 <= k0 && k1 <= s1;
  }

  /// The block at a place of the map.
  at(query: number, key: number): { row: number; column: number; value: number } | undefined {
    const row = placeIn(this.queries, query), column = placeIn(this.keys, key);
    return row < 0 || column < 0 ? undefined : { row, column, value: this.cells[row * (this.keys.length - 1) + column] };
  }

  nameOf(row: number, column: number): string {
    return meanName(this.pattern, this.head, [this.queries[row], this.queries[row + 1]], [this.keys[column], this.keys[column + 1]]);
  }

  /// Where it lies in the box that `side` pixels show.  Small blocks are painted as one image: at 60 frames a second
  /// there is no time for each of them.
  paint(context: CanvasRenderingContext2D, box: Box, side: number): void {
    const [q0, q1, k0, k1] = box;
    const [tall, wide] = [(this.block[0] / (q1 - q0)) * side, (this.block[1] / (k1 - k0)) * side];
    if (Math.min(tall, wide) >= separated) return this.paintBlocks(context, box, side);
    const [t0, t1, s0, s1] = this.box;
    const y = (query: number) => ((query - q0) / (q1 - q0)) * side, x = (key: number) => ((key - k0) / (k1 - k0)) * side;
    context.save();
    context.beginPath();
    context.rect(x(s0), y(t0), x(s1) - x(s0), y(t1) - y(t0));
    context.clip();  // the last block may be a part of one
    context.imageSmoothingEnabled = false;
    context.drawImage(this.painting(), x(s0), y(t0), wide * (this.keys.length - 1), tall * (this.queries.length - 1));
    context.restore();
  }

  private paintBlocks(context: CanvasRenderingContext2D, box: Box, side: number): void {
    const table = heatTable("weights", look.theme);
    for (const { level, text, x, y, width, height } of this.blocks(box, side)) {
      if (level === undefined) continue;
      context.fillStyle = table[level].ground;
      context.fillRect(x, y, width - 1, height - 1);
      if (text === undefined) continue;
      context.fillStyle = table[level].ink;
      context.font = "12px ui-sans-serif, system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(text, x + width / 2, y + height / 2);
    }
  }

  // A pixel for each block.
  private painting(): HTMLCanvasElement {
    if (this.image && this.imageOf === look.theme) return this.image;
    const [rows, columns] = [this.queries.length - 1, this.keys.length - 1];
    const image = h("canvas", { width: columns, height: rows });
    const context = image.getContext("2d")!, pixels = context.createImageData(columns, rows);
    const table = heatTable("weights", look.theme).map(({ ground }) => ground.match(/\d+/g)!.map(Number));
    this.cells.forEach((value, i) => {
      const level = this.level(value);
      if (level !== undefined) pixels.data.set([...table[level], 255], 4 * i);
    });
    context.putImageData(pixels, 0, 0);
    [this.image, this.imageOf] = [image, look.theme];
    return image;
  }

  private level(value: number): number | undefined {
    return value === 0 || !Number.isFinite(value) ? undefined : heatLevel(value / (this.single ? 1 : this.most));
  }

  // What of it lies in the box, and where.
  private *blocks([q0, q1, k0, k1]: Box, side: number): Generator<Block> {
    const y = (query: number) => ((query - q0) / (q1 - q0)) * side, x = (key: number) => ((key - k0) / (k1 - k0)) * side;
    const columns = this.keys.length - 1;
    const large = this.single && side / (k1 - k0) >= numberRoom;
    for (let row = 0; row + 1 < this.queries.length; ++row) {
      const [y0, y1] = [y(this.queries[row]), y(this.queries[row + 1])];
      if (y1 < 0 || y0 > side) continue;
      for (let column = 0; column < columns; ++column) {
        const [x0, x1] = [x(this.keys[column]), x(this.keys[column + 1])];
        if (x1 < 0 || x0 > side) continue;
        const value = this.cells[row * columns + column], level = this.level(value);
        yield { row, column, value, level, text: large && level !== undefined ? formatNumber(value) : undefined, x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
      }
    }
  }

  /// What a canvas of `scale` pixels a pixel shows of it, but for what lies under `above`.
  painted(box: Box, side: number, scale: number, above: Tile | undefined): PaintedCell[] {
    const hidden = above?.box;
    const out: PaintedCell[] = [];
    for (const { row, column, value, level, text, x, y, width, height } of this.blocks(box, side)) {
      const [t0, t1, s0, s1] = [this.queries[row], this.queries[row + 1], this.keys[column], this.keys[column + 1]];
      if (hidden && t1 > hidden[0] && t0 < hidden[1] && s1 > hidden[2] && s0 < hidden[3]) continue;
      out.push({ from: this.nameOf(row, column), value, level, text, at: [(x + Math.min(2, width / 2)) * scale, (y + Math.min(2, height / 2)) * scale] });
    }
    return out;
  }
}

function placeIn(edges: number[], place: number): number {
  if (place < edges[0] || place >= edges.at(-1)!) return -1;
  return Math.min(edges.length - 2, Math.floor((place - edges[0]) / (edges[1] - edges[0])));
}
