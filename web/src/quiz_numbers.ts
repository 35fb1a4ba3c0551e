// Which cells of the run the numbers of a question are: what the engine says of them, and which of its formulas
// makes the choices that are numbers (src/trace/quiz_stages.cpp).
import { writtenAs } from "./rich";

export interface QuizQuestion {
  kind: string;
  facts: Record<string, string>;
  text: string;
  choices: string[];
  choice_kinds: string[];
  right: number;
  explanation: string;
  cells: string[];
}

// Of each kind, the facts that are cells: which of the question's.
const factCells: Record<string, Record<string, number>> = {
  largest_weight: { weight: 0 },
  comes_next: { probability: 0 }, likeliest_here: { probability: 0 }, likeliest_class: { probability: 0 },
  rows_of_score: { score: 0 },
  largest_score: { score: 0, second_score: 1 },
  scaled_score: { raw: 1, answer: 0 },
  what_is_gathered: { weight: 0, first: 1 },
  which_head: { weight: 0, second_weight: 1 },
  ratio_of_probabilities: { first_logit: 0, second_logit: 1 },
};
const counted = ["scaled_score", "ratio_of_probabilities"];  // whose choices are numbers

/// The question, with every number of its facts, its sentences and its choices marked by where it comes from.
export function markedQuestion(question: QuizQuestion): QuizQuestion {
  const { kind, facts, cells } = question;
  const from = (at: number) => `choice:${kind} ${at} ${facts.width ?? 0} ${cells.join(" ")}`;
  const numbers: [fact: string, from: string][] = Object.entries(factCells[kind] ?? {}).map(([fact, cell]) => [fact, cells[cell]]);
  if (kind === "ratio_of_probabilities") numbers.push(["answer", from(question.right)]);
  const known = numbers.filter(([fact, from]) => facts[fact] !== undefined && from !== undefined);
  const mark = (text: string) => known.reduce((parts, [fact, from]) => parts.flatMap((part) => split(part, facts[fact], from)), [text]).join("");
  return {
    ...question, facts: { ...facts, ...Object.fromEntries(known.map(([fact, from]) => [fact, writtenAs(facts[fact], from, "engine")])) },
    text: mark(question.text), explanation: mark(question.explanation),
    choices: counted.includes(kind) ? question.choices.map((choice, at) => writtenAs(choice, from(at), "engine")) : question.choices,
  };
}

// Where the number stands by itself, and not in a longer one or in what is marked already.
function split(part: string, number: string, from: string): string[] {
  if (part.startsWith("\u0001")) return [part];
  const whole = new RegExp(`(?<![\\d.−-])${number.replace(/[.]/g, "\\.")}(?![\\d]|\\.\\d)`, "g");
  return part.split(whole).flatMap((between, i) => (i === 0 ? [between] : [writtenAs(number, from, "engine"), between]));
}
