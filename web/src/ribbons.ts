// What flows from one column to the next: ribbons between the rows of tokens, lines from keys and values, and the
// arcs of the residual stream.
import { svg } from "./dom";
import { Grid } from "./grid";
import { Column, Port } from "./layout";

/// A column as it stands on the page.
export interface Built {
  element: HTMLElement;
  ports(): Port[];
  column?: Column;
  cross?: boolean;  // its keys and values come from another text
}

/// Draws what flows from each column to the next, below them.
export function connect(lane: HTMLElement, built: Built[]): void {
  const box = lane.getBoundingClientRect();
  const layer = svg("svg", { class: "ribbons", width: lane.scrollWidth, height: box.height, "aria-hidden": true });
  const moved = (port: Port): Port => ({ ...port, left: port.left - box.left, right: port.right - box.left, bands: port.bands.map(([a, b]) => [a - box.top, b - box.top]) });
  const ports = built.map((each) => each.ports().map(moved));
  const draw = (path: string, role: string, stroke = false) => layer.append(svg("path", { d: path, class: `ribbon role-${role} ${stroke ? "line" : ""}` }));
  built.forEach((each, i) => {
    if (i === 0 || each.element.classList.contains("tokens")) return;  // what an encoder-decoder writes begins anew
    const [from, to] = [ports[i - 1], ports[i]];
    if (each.column?.kind === "triple") to.filter((port) => port.role === "query" || !each.cross).forEach((port) => ribbons(from[0], port, port.role, draw));
    else if (each.column?.kind === "attention") intoAttention(from, to[0], built[i], box.top, draw);
    else if (built[i - 1].column?.kind === "attention") {
      ribbons(from[0], to[0], "weights", draw);
      const value = ports[i - 2]?.find((port) => port.role === "value");
      if (value && built[i - 2].column?.kind === "triple" && !built[i - 1].element.classList.contains("opened")) under(value, from[0], to[0], draw);
    } else ribbons(from[from.length - 1], to[0], "plain", draw);
  });
  if (!built.some((each) => each.element.classList.contains("opened"))) residuals(built, ports, box.height, draw);
  lane.prepend(layer);
}

function intoAttention(from: Port[], to: Port, built: Built, origin: number, draw: Draw): void {
  const query = from.find((port) => port.role === "query"), key = from.find((port) => port.role === "key");
  if (query) ribbons(query, to, "query", draw);
  if (!key || built.element.classList.contains("opened")) return;
  const count = key.bands.length, width = (to.right - to.left) / count;
  const words = built.element.querySelector(".labels-top");
  const top = words ? words.getBoundingClientRect().top - origin + 2 : to.bands[0][0];
  key.bands.forEach(([a, b], i) => {
    const x = to.left + (i + 0.5) * width, y = (a + b) / 2;
    const lift = Math.min(y, top) - 14;
    if (y > top - 8) {  // from beside the matrix over its edge
      draw(`M${key.right},${y} C${key.right + 9},${y} ${key.right + 9},${y} ${key.right + 9},${y - 8} L${key.right + 9},${top - 4} Q${key.right + 9},${top - 12} ${key.right + 18},${top - 12} L${x - 6},${top - 12} Q${x},${top - 12} ${x},${top - 3}`, "key", true);
      return;
    }
    draw(`M${key.right},${y} C${key.right + 30},${y} ${x},${lift - 4} ${x},${top - 3}`, "key", true);
  });
}

// A sum reads what stood before its block part: an arc below the lane.
function residuals(built: Built[], ports: Port[][], height: number, draw: Draw): void {
  const place = new Map<string, number>();
  built.forEach((each, i) => { if (each.column?.kind === "vector") place.set(each.column.id, i); });
  built.forEach((each, i) => {
    if (each.column?.kind !== "vector") return;
    const source = each.column.adds[0];
    if (!source) return;
    // Through strips, the sum of the block before stands where its strip does.
    const from = place.get(source) ?? built.findIndex((one, k) => k < i && !one.column && one.element.classList.contains("block-strip") && isNext(built, k, i));
    if (from < 0 || from >= i - 1) return;
    const a = ports[from].at(-1)!, b = ports[i][0];
    const x0 = a.right - 4, x1 = (b.left + b.right) / 2;
    const y0 = a.bands.at(-1)![1], y1 = b.bands.at(-1)![1], low = height - 12;
    draw(`M${x0},${y0} C${x0},${low} ${x0 + 10},${low} ${x0 + 24},${low} L${x1 - 24},${low} C${x1 - 10},${low} ${x1},${low} ${x1},${y1 + 5}`, "residual", true);
  });
}

type Draw = (path: string, role: string, stroke?: boolean) => void;

function isNext(built: Built[], strip: number, sum: number): boolean {
  const first = built.findIndex((each) => each.element.dataset.block);
  return strip === first - 1 && built.findIndex((each, i) => i >= first && each.column?.kind === "vector" && each.column.adds.length > 0) === sum;
}

function ribbons(from: Port, to: Port, role: string, draw: Draw): void {
  const count = Math.min(from.bands.length, to.bands.length);
  for (let t = 0; t < count; ++t) {
    const [[a0, a1], [b0, b1]] = [from.bands[t], to.bands[t]];
    const [x0, x1] = [from.right + 2, to.left - 2];
    const middle = (x0 + x1) / 2;
    draw(`M${x0},${a0} C${middle},${a0} ${middle},${b0} ${x1},${b0} L${x1},${b1} C${middle},${b1} ${middle},${a1} ${x0},${a1} Z`, role);
  }
}

function under(value: Port, pattern: Port, to: Port, draw: Draw): void {
  const low = pattern.bands.at(-1)![1];
  value.bands.forEach(([a, b], i) => {
    const y = (a + b) / 2, end = to.bands[Math.min(i, to.bands.length - 1)];
    const lane = Math.max(low + 8 + i, y);
    draw(`M${value.right + 2},${y} C${value.right + 24},${y} ${pattern.left},${lane} ${pattern.left + 20},${lane} L${pattern.right},${lane} C${pattern.right + 16},${lane} ${to.left - 18},${(end[0] + end[1]) / 2} ${to.left - 2},${(end[0] + end[1]) / 2}`, "value", true);
  });
}

export function portOf(elements: HTMLElement[], role: Port["role"]): Port {
  const boxes = elements.map((each) => each.getBoundingClientRect());
  return { left: boxes[0].left, right: Math.max(...boxes.map((each) => each.right)), bands: boxes.map((each) => [each.top, each.bottom]), role };
}

export function gridPort(grid: Grid): Port {
  const box = grid.element.getBoundingClientRect();
  const { rows, rowsTogether = 1 } = grid.spec;
  const bands: [number, number][] = [];
  for (let row = 0; row < rows; row += rowsTogether) {
    const first = grid.rect(row, 0), last = grid.rect(row + rowsTogether - 1, 0);
    bands.push([box.top + first.y, box.top + last.y + last.height]);
  }
  return { left: box.left, right: box.right, bands, role: grid.spec.role };
}

export function spread(element: HTMLElement, count: number, pitch: number, tile: number, role: Port["role"]): Port {
  const box = element.getBoundingClientRect();
  return { left: box.left, right: box.right, bands: Array.from({ length: count }, (_, i) => [box.top + i * pitch, box.top + i * pitch + tile]), role };
}

export function boxPort(element: Element, count: number, role: Port["role"]): Port {
  const box = element.getBoundingClientRect();
  const each = box.height / count;
  return { left: box.left, right: box.right, bands: Array.from({ length: count }, (_, i) => [box.top + i * each, box.top + (i + 0.9) * each]), role };
}
