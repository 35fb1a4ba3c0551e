// Curves of a training run over its steps. Every number that is written is one of the run's own: the first and
// the last step, the largest and the smallest value, the last of each curve.
import { h, svg } from "./dom";
import { formatNumber } from "./format";
import { Role } from "./palette";

export interface Curve {
  name: string;
  role: Role;
  values: number[];  // one a report; NaN where it has none
  dashed?: boolean;
}

export interface ChartSpec {
  title: string;
  said: string;           // for a screen reader
  places: number[];       // steps, rising
  curves: Curve[];
  width: number;
  height: number;
  mark?: number;          // the step that is chosen
  placeWord(place: number): string;
  choose(report: number): void;
}

const room = { left: 58, right: 14, top: 12, bottom: 24 };

export function chart(spec: ChartSpec): HTMLElement {
  const { places, curves, width, height } = spec;
  const finite = curves.flatMap((curve) => curve.values).filter((value) => Number.isFinite(value));
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const [first, last] = [places[0], places.at(-1)!];
  const x = (place: number) => room.left + (last > first ? (place - first) / (last - first) : 0.5) * (width - room.left - room.right);
  const y = (value: number) => height - room.bottom - (high > low ? (value - low) / (high - low) : 0.5) * (height - room.top - room.bottom);
  const out = svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.said,
    onclick: (event: MouseEvent) => spec.choose(nearest(places, x, event, width)) });
  if (!finite.length) return h("figure", { class: "chart-figure" }, h("figcaption", {}, spec.title));
  const line = (y0: number) => svg("line", { class: "chart-axis", x1: room.left, x2: width - room.right, y1: y0, y2: y0 });
  out.append(line(y(low)), line(y(high)));
  const text = (at: [number, number], anchor: string, words: string) => svg("text", { x: at[0], y: at[1], "text-anchor": anchor }, words);
  out.append(text([room.left - 7, y(high) + 4], "end", formatNumber(high)), ...(high > low ? [text([room.left - 7, y(low) + 4], "end", formatNumber(low))] : []));
  out.append(text([room.left, height - 6], "start", spec.placeWord(first)));
  if (last > first) out.append(text([width - room.right, height - 6], "end", spec.placeWord(last)));
  if (spec.mark !== undefined) out.append(svg("line", { class: "chart-mark", x1: x(spec.mark), x2: x(spec.mark), y1: room.top - 6, y2: height - room.bottom }));
  for (const curve of curves) out.append(...drawn(curve, places, x, y));
  const legend = h("ul", { class: "chart-legend" }, ...curves.map((curve) => h("li", { class: `role-${curve.role}` },
    h("i", { class: curve.dashed ? "dashed" : "" }), curve.name, " ", h("b", {}, lastOf(curve.values)))));
  return h("figure", { class: "chart-figure" }, h("figcaption", {}, spec.title), legend, out as unknown as HTMLElement);
}

function lastOf(values: number[]): string {
  const value = values.findLast((each) => Number.isFinite(each));
  return value === undefined ? "" : formatNumber(value);
}

function drawn(curve: Curve, places: number[], x: (place: number) => number, y: (value: number) => number): SVGElement[] {
  let path = "", gap = true;
  const dots: SVGElement[] = [];
  curve.values.forEach((value, i) => {
    if (!Number.isFinite(value)) return void (gap = true);
    path += `${gap ? "M" : "L"}${x(places[i]).toFixed(1)},${y(value).toFixed(1)}`;
    gap = false;
    if (places.length <= 40) dots.push(svg("circle", { class: `chart-dot role-${curve.role}`, cx: x(places[i]), cy: y(value), r: 2.5 }));
  });
  return [svg("path", { class: `chart-line role-${curve.role} ${curve.dashed ? "dashed" : ""}`, d: path }), ...dots];
}

function nearest(places: number[], x: (place: number) => number, event: MouseEvent, width: number): number {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  const at = ((event.clientX - box.left) / box.width) * width;
  return places.reduce((best, place, i) => (Math.abs(x(place) - at) < Math.abs(x(places[best]) - at) ? i : best), 0);
}
