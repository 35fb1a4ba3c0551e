// What the page shows, kept in its address: a link restores it.

export type View = "flow" | "heads" | "why" | "map" | "lesson" | "quiz" | "training";

export interface State {
  view: View;
  block: string;            // the one that is open
  open: string[];           // columns that are opened in place
  attention: string;        // the attention that is opened in place; empty: none
  head: number;
  cell: string;             // the number that is explained
  from: number;             // the first token that is shown
  sink: boolean;            // first token shown
  log: boolean;
  temperature: number;
  topK: number;
  topP: number;
  pair: number[];           // the query and the key whose score is taken apart
  heat: string;             // over an image or a series: "all" layers, the "head" that is open, "off"
  query: number;            // whose attention that is; -1: of what the prediction is read from
  column: number;           // of a series of several
  over: boolean;            // heads are shown over the image, not as maps
  zoom: number[];           // of the map: first query, end, first key, end
  step: number;             // of the lesson
  guesses: number[];        // what was predicted at each of its steps (lesson.ts)
  asked: number[];          // layer and head of the quiz; empty: those that are open
  answers: number[];        // which choice was taken of each of its questions
  report: number;           // of a training run: whose attention is shown; -1: the last
  watched: number;          // the sentence
  learned: number[];        // which attention of it, and which head
}

export const initial: State = {
  view: "flow", block: "", open: [], attention: "", head: 0, cell: "", from: 0, sink: true, log: false,
  temperature: 1, topK: 0, topP: 1, pair: [], zoom: [], heat: "all", query: -1, column: 0, over: true,
  step: 0, guesses: [], asked: [], answers: [], report: -1, watched: 0, learned: [],
};

/// What was predicted and answered of a run is of no other.
export const anotherRun: Partial<State> = { guesses: [], asked: [], answers: [] };

export interface Link extends Partial<State> {
  text?: string;
  model?: string;
  edits?: unknown[];
  swaps?: [number, number][];
}

/// Of the address; what it does not say, or says wrongly, is left out.
export function readLink(hash: string): Link {
  const out: Record<string, unknown> = {};
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  for (const [key, value] of fields) {
    try {
      const given: unknown = JSON.parse(value);
      const expected = key in initial ? initial[key as keyof State] : key === "text" || key === "model" ? "" : [];
      if (typeof given === typeof expected && Array.isArray(given) === Array.isArray(expected)) out[key] = given;
    } catch {
      // an address that somebody has cut short
    }
  }
  return out;
}

export function writeLink(link: Link): string {
  const fields = new URLSearchParams();
  for (const [key, value] of Object.entries(link)) {
    const text = JSON.stringify(value);
    if (value === undefined || (key in initial && text === JSON.stringify(initial[key as keyof State]))) continue;
    if (Array.isArray(value) && !value.length) continue;
    fields.set(key, text);
  }
  return "#" + fields.toString();
}
