// Sentences with numbers of the run in them: each number is an element that says where it comes from (told.ts).
import { h } from "./dom";
import { formatNumber } from "./format";
import { told, Writing } from "./told";

const begins = "\u0001", splits = "\u0002", ends = "\u0003";  // no text of a model holds them unescaped

/// A number for a sentence of the words table.
export function cited(value: number | string, from: string): string {
  return writtenAs(formatNumber(value), from, "number");
}

/// A number that stands written already.
export function writtenAs(text: string, from: string, writing: Writing): string {
  return `${begins}${from}${splits}${writing}${splits}${text}${ends}`;
}

/// The sentence as what an element holds.
export function rich(text: string): (HTMLElement | string)[] {
  return text.split(begins).flatMap((part, i) => {
    if (i === 0) return [part];
    const [from, writing, rest] = part.split(splits);
    const [number, after] = rest.split(ends);
    return [h("span", told(from, writing as Writing), number), after];
  }).filter((part) => part !== "");
}
