// A series as a curve, what is foretold behind it, and its patches below, tinted by their weights.
import { svg } from "./dom";
import { formatNumber } from "./format";
import { Heat, levelOf } from "./heat";
import { heatLevels } from "./palette";
import { momentsOf, Series } from "./series";
import { label, told } from "./told";

const room = { left: 78, right: 12, top: 10, bottom: 6, axis: 22 };
const curveHeight = 128, mostDots = 240, mostCover = 0.75;

export interface CurveSpec {
  series: Series;
  column: number;
  width: number;
  heat: Heat | undefined;
  query: number;         // a token that is chosen; -1: none
  momentWord: string;
  words: { read: string; foretold: string };
  place(token: number): string;           // its words, for a tooltip
}

export interface Curve {
  element: SVGElement;
  /// The token whose patch lies at a place of the drawing, from its corner; where several do, the next after `now`.
  tokenAt(x: number, y: number): number | undefined;
  mark(rings: { token: number; kind: string }[]): void;
}

interface Bar { token: number; from: number; to: number; lane: number }

// Patches that lie over one another stand in lanes of their own.
function barsOf(series: Series): Bar[] {
  const ends: number[] = [];
  return series.moments.map((_, i) => {
    const token = series.first + i, moments = momentsOf(series, token)!;
    const from = moments[0], to = moments.at(-1)! + 1;
    let lane = ends.findIndex((end) => end <= from);
    if (lane < 0) lane = ends.length;
    ends[lane] = to;
    return { token, from, to, lane };
  });
}

export function seriesCurve(spec: CurveSpec): Curve {
  const { series, column, width, heat } = spec;
  const read = series.read[column], foretold = series.foretold[column], count = read.length + foretold.length;
  const all = [...read, ...foretold], finite = all.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const bars = barsOf(series), lanes = Math.max(...bars.map(({ lane }) => lane)) + 1;
  const tall = Math.max(4, Math.min(14, Math.floor(110 / lanes)));
  const base = room.top + curveHeight + room.bottom, height = base + lanes * tall + room.axis;
  const x = (moment: number) => room.left + ((moment + 0.5) / count) * (width - room.left - room.right);
  const edge = (moment: number) => room.left + (moment / count) * (width - room.left - room.right);
  const y = (value: number) => room.top + curveHeight - (high > low ? (value - low) / (high - low) : 0.5) * curveHeight;
  const from = (i: number) => (i < read.length ? `series.read[${i},${column}]` : `series.foretold[${i - read.length},${column}]`);
  const element = svg("svg", { class: "series-curve", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": true });

  const opacity = (token: number) => (heat ? (mostCover * levelOf(heat.weights[token], heat.low, heat.high)) / heatLevels : 0);
  for (const { token, from: begin, to, lane } of bars) {
    const place = { x: edge(begin), width: Math.max(1, edge(to) - edge(begin) - (to - begin > 1 ? 1 : 0)) };
    const weight = heat ? { "data-drawn": heat.from(token), "data-value": heat.weights[token] } : {};
    if (lanes === 1) element.append(svg("rect", { class: "series-band", ...place, y: room.top - 4, height: curveHeight + 8, "fill-opacity": opacity(token) * 0.6 }));
    element.append(svg("rect", { class: "series-patch", "data-token": token, ...place, y: base + lane * tall, height: tall - 1, "fill-opacity": opacity(token), ...weight }, svg("title", {}, spec.place(token))));
  }
  if (foretold.length) element.append(svg("line", { class: "series-now", x1: edge(read.length), x2: edge(read.length), y1: room.top - 6, y2: height - room.axis + 4 }));
  const path = (values: number[], first: number) => values.map((value, i) => `${i ? "L" : "M"}${x(first + i).toFixed(1)},${y(value).toFixed(1)}`).join("");
  element.append(svg("path", { class: "series-line", d: path(read, 0) }));
  if (foretold.length) element.append(svg("path", { class: "series-line foretold", d: path([read.at(-1)!, ...foretold], read.length - 1) }));
  const told3 = new Set([all.indexOf(high), all.indexOf(low), read.length - 1]);
  all.forEach((value, i) => {
    if (count > mostDots && !told3.has(i)) return;
    element.append(svg("circle", { class: `series-dot ${i < read.length ? "" : "foretold"}`, cx: x(i), cy: y(value), r: count > 90 ? 1.4 : 2.2, "data-drawn": from(i), "data-value": value }));
  });
  const text = (at: [number, number], anchor: string, words: string, marks: Record<string, string | undefined>) => svg("text", { x: at[0], y: at[1], "text-anchor": anchor, ...marks }, words);
  element.append(
    text([room.left - 8, y(high) + 4], "end", formatNumber(high), told(from(all.indexOf(high)))),
    text([room.left - 8, y(low) + 4], "end", formatNumber(low), told(from(all.indexOf(low)))),
    text([room.left, height - 5], "start", `${spec.momentWord} 0`, label("place")),
    text([edge(read.length) - 6, height - 5], "end", `${spec.words.read}: ${read.length}`, label("count")));
  if (foretold.length) element.append(text([edge(read.length) + 6, height - 5], "start", `${spec.words.foretold}: ${foretold.length}`, label("count")));
  const rings = svg("g", {});
  element.append(rings);
  const barOf = (token: number) => bars.find((each) => each.token === token);
  return {
    element,
    tokenAt: (px, py) => {
      const moment = Math.floor(((px - room.left) / (width - room.left - room.right)) * count);
      const over = bars.filter((each) => each.from <= moment && moment < each.to);
      return (over.find(({ lane }) => py >= base + lane * tall && py < base + (lane + 1) * tall) ?? over[0])?.token;
    },
    mark: (marked) => rings.replaceChildren(...marked.flatMap(({ token, kind }) => {
      const bar = barOf(token);
      if (!bar) return [];
      return [svg("rect", { class: `series-ring ${kind}`, x: edge(bar.from), y: lanes === 1 ? room.top - 4 : base + bar.lane * tall - 1, width: Math.max(3, edge(bar.to) - edge(bar.from)), height: lanes === 1 ? curveHeight + room.bottom + tall + 6 : tall + 1 }),
        ...(lanes > 1 ? momentsOf(series, token)!.map((moment) => svg("circle", { class: `series-ring ${kind}`, cx: x(moment), cy: y(read[moment]), r: 3.5 })) : [])];
    })),
  };
}
