// How much a query, or what the prediction is read from, looks at each place of an image or a series.
import { reals } from "./engine";
import { AttentionColumn, sectionsOf } from "./layout";
import { heatLevel } from "./palette";
import { Session } from "./session";
import { State } from "./state";
import { cellName } from "./told";

export interface Heat {
  weights: number[];           // of every place
  low: number;                 // the least and the largest on a patch, and where they stand
  high: number;
  least: number;
  most: number;
  rows: [number, number];      // the queries whose mean it is
  attention?: AttentionColumn; // of one head; else rolled out over all layers
  head: number;
  from(place: number): string; // what the number is of (told.ts)
}

/// The attention that is open.
export function openAttention(session: Session, state: State): AttentionColumn | undefined {
  const sections = sectionsOf(session.network).filter((each) => each.attentions.length);
  const section = sections.find((each) => each.name === state.block) ?? sections[0];
  const all = section?.columns.filter((each): each is AttentionColumn => each.kind === "attention") ?? [];
  return all.find((each) => each.id === state.attention) ?? all[0];
}

/// Nothing: none is asked for, or the network has none that can be told.
export async function heatOf(session: Session, state: State): Promise<Heat | undefined> {
  const { picture, series } = session;
  const first = (picture ?? series)?.first;
  const attention = state.heat === "head" ? openAttention(session, state) : undefined;
  if (first === undefined || state.heat === "off" || (state.heat === "head" && !attention)) return undefined;
  const head = attention ? Math.min(state.head, attention.heads - 1) : 0;
  const query = state.query >= 0 && state.query < session.opened.ids.length ? state.query : -1;
  const batch = series ? session.column : 0;
  const question = { ask: "attended", ...(attention ? { attention: attention.id, head } : {}), ...(query >= 0 ? { query } : {}) };
  const { json, arrays } = await session.ask(question);
  const weights = reals(arrays.weights);
  return { ...extremes(weights, first), weights, rows: json.rows, attention, head, from: weightName(attention, head, json.rows, batch) };
}

/// What every head of an attention looks at: a row of weights each, and their names.
export async function eachHead(session: Session, attention: AttentionColumn): Promise<{ weights: number[]; from(place: number): string }[]> {
  const { json, arrays } = await session.ask({ ask: "attended", attention: attention.id, each: true });
  const [heads, places] = arrays.heads.shape, all = reals(arrays.heads);
  return Array.from({ length: heads }, (_, head) => ({ weights: all.slice(head * places, (head + 1) * places), from: weightName(attention, head, json.rows, 0) }));
}

// A row of one head is a row of cells; all else is a mean.
function weightName(attention: AttentionColumn | undefined, head: number, [row, end]: [number, number], batch: number): (place: number) => string {
  if (attention && end - row === 1) return (place) => cellName({ name: attention.pattern.name, index: [batch, head, row, place] });
  const of = attention ? `${attention.pattern.name} ${head}` : "all mean";
  return (place) => `attended:${of} ${row}:${end} ${batch}[${place}]`;
}

export function extremes(weights: ArrayLike<number>, first: number): Pick<Heat, "low" | "high" | "least" | "most"> {
  let least = first, most = first;
  for (let place = first; place < weights.length; ++place) {
    if (weights[place] < weights[least]) least = place;
    if (weights[place] > weights[most]) most = place;
  }
  return { low: weights[least], high: weights[most], least, most };
}

export function levelOf(value: number, low: number, high: number): number {
  return heatLevel(high > low ? (value - low) / (high - low) : 0.5);
}
