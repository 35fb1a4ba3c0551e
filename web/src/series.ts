// The series that the network read, what it foretells, and how its patches lie (the answer to `series`).
import { Answer, integers, reals } from "./engine";
import { svg } from "./dom";

export interface Series {
  name: string;
  columns: string[];
  read: number[][];      // by column, then moment
  foretold: number[][];
  moments: number[];     // the first of each patch
  patch: number;         // moments of one
  apart: number;         // how far they lie from one another
  first: number;         // tokens before the first patch
}

export function seriesOf({ json, arrays }: Answer): Series {
  const byColumn = (array?: Answer["arrays"][string]): number[][] => {
    const numbers = array ? reals(array) : [], count = json.columns.length;
    return json.columns.map((_: string, column: number) => numbers.filter((_, i) => i % count === column));
  };
  const { name, columns, patch, apart, first } = json;
  return { name, columns, patch, apart, first, read: byColumn(arrays.read), foretold: byColumn(arrays.foretold), moments: integers(arrays.moments) };
}

/// The moments of a token's patch; nothing: it stands for none.
export function momentsOf({ moments, patch, apart, first }: Series, token: number): number[] | undefined {
  const from = moments[token - first];
  return from === undefined ? undefined : Array.from({ length: patch }, (_, i) => from + i * apart);
}

/// A token's stretch of the curve, at the scale of the whole.
export function stretchFace(series: Series, column: number, token: number, [width, height]: [number, number]): SVGElement | undefined {
  const moments = momentsOf(series, token);
  if (!moments) return undefined;
  const all = series.read[column], low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
  const x = (i: number) => (moments.length === 1 ? width / 2 : 1.5 + (i * (width - 3)) / (moments.length - 1));
  const y = (value: number) => height - 1.5 - ((value - low) / span) * (height - 3);
  const points = moments.map((moment, i) => `${x(i).toFixed(1)},${y(all[moment]).toFixed(1)}`).join(" ");
  return svg("svg", { class: "stretch-face", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": true },
    moments.length === 1 ? svg("circle", { cx: width / 2, cy: y(all[moments[0]]), r: 2 }) : svg("polyline", { points }));
}
