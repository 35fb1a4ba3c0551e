// Sentences with numbers of the run in them: each number is an element that says where it comes from (told.ts).
import { h } from "./dom";
import { formatNumber } from "./format";
import { told } from "./told";

const begins = "\u0001", splits = "\u0002", ends = "\u0003";  // no text of a model holds them unescaped

/// A number for a sentence of the words table.
export function cited(value: number, from: string): string {
  return `${begins}${from}${splits}${formatNumber(value)}${ends}`;
}

/// The sentence as what an element holds.
export function rich(text: string): (HTMLElement | string)[] {
  return text.split(begins).flatMap((part, i) => {
    if (i === 0) return [part];
    const [from, rest] = part.split(splits);
    const [number, after] = rest.split(ends);
    return [h("span", told(from), number), after];
  }).filter((part) => part !== "");
}
