// Curves of a training run over its steps. Every number that is written is one of the run's own: the first and
// the last step, the largest and the smallest value, the last of each curve.
import { h, svg } from "./dom";
import { formatNumber } from "./format";
import { Role } from "./palette";
import { label, told } from "./told";

export interface Curve {
  name: string;
  role: Role;
  values: number[];  // one a report; NaN where it has none
  from(report: number): string;  // where it comes from (told.ts)
  dashed?: boolean;
}

export interface ChartSpec {
  title: string;
  said: string;           // for a screen reader: the first and the last number of each curve
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
  const out = svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.said, "data-described": curves.flatMap((curve) => [curve.from(firstOf(curve.values)), curve.from(lastOf(curve.values))]).join("|"),
    onclick: (event: MouseEvent) => spec.choose(nearest(places, x, event, width)) });
  if (!finite.length) return h("figure", { class: "chart-figure" }, h("figcaption", {}, spec.title));
  const line = (y0: number) => svg("line", { class: "chart-axis", x1: room.left, x2: width - room.right, y1: y0, y2: y0 });
  out.append(line(y(low)), line(y(high)));
  const text = (at: [number, number], anchor: string, words: string, mark: Record<string, string | undefined>) => svg("text", { x: at[0], y: at[1], "text-anchor": anchor, ...mark }, words);
  const side = (value: number) => text([room.left - 7, y(value) + 4], "end", formatNumber(value), told(fromOf(value, curves)));
  out.append(side(high), ...(high > low ? [side(low)] : []));
  out.append(text([room.left, height - 6], "start", spec.placeWord(first), label("place")));
  if (last > first) out.append(text([width - room.right, height - 6], "end", spec.placeWord(last), label("place")));
  if (spec.mark !== undefined) out.append(svg("line", { class: "chart-mark", x1: x(spec.mark), x2: x(spec.mark), y1: room.top - 6, y2: height - room.bottom }));
  for (const curve of curves) out.append(...drawn(curve, places, x, y));
  const legend = h("ul", { class: "chart-legend" }, ...curves.map((curve) => h("li", { class: `role-${curve.role}` },
    h("i", { class: curve.dashed ? "dashed" : "" }), curve.name, " ", ...lastNumber(curve))));
  return h("figure", { class: "chart-figure" }, h("figcaption", {}, spec.title), legend, out as unknown as HTMLElement);
}

const firstOf = (values: number[]) => values.findIndex((each) => Number.isFinite(each));
const lastOf = (values: number[]) => values.findLastIndex((each) => Number.isFinite(each));

function fromOf(value: number, curves: Curve[]): string {
  const curve = curves.find(({ values }) => values.includes(value))!;
  return curve.from(curve.values.indexOf(value));
}

function lastNumber({ values, from }: Curve): HTMLElement[] {
  const at = lastOf(values);
  return at < 0 ? [] : [h("b", told(from(at)), formatNumber(values[at]))];
}

function drawn(curve: Curve, places: number[], x: (place: number) => number, y: (value: number) => number): SVGElement[] {
  let path = "", gap = true;
  const dots: SVGElement[] = [];
  curve.values.forEach((value, i) => {
    if (!Number.isFinite(value)) return void (gap = true);
    path += `${gap ? "M" : "L"}${x(places[i]).toFixed(1)},${y(value).toFixed(1)}`;
    gap = false;
    if (places.length <= 40) dots.push(svg("circle", { class: `chart-dot role-${curve.role}`, cx: x(places[i]), cy: y(value), r: 2.5, "data-drawn": curve.from(i), "data-value": value }));
  });
  return [svg("path", { class: `chart-line role-${curve.role} ${curve.dashed ? "dashed" : ""}`, d: path }), ...dots];
}

function nearest(places: number[], x: (place: number) => number, event: MouseEvent, width: number): number {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  const at = ((event.clientX - box.left) / box.width) * width;
  return places.reduce((best, place, i) => (Math.abs(x(place) - at) < Math.abs(x(places[best]) - at) ? i : best), 0);
}
