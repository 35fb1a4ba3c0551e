// Questions that the engine makes of this run, one after another, each answer explained by the cells it is about.
import { Answer } from "./engine";
import { h } from "./dom";
import { parseCell } from "./explain";
import { blockLabel } from "./flow_strips";
import { choiceList, explainsAtOnce } from "./lesson";
import { LessonHost } from "./lesson_pictures";
import { AttentionColumn, sectionsOf } from "./layout";
import { markedQuestion, QuizQuestion } from "./quiz_numbers";
import { rich } from "./rich";
import { Session } from "./session";
import { label } from "./told";
import { words } from "./words";

export class QuizView {
  readonly element = h("section", { class: "quiz" });
  private drawn = 0;
  private shown = -1;  // the question on the page; beyond the last: the score

  private taken = false;  // an answer was given just now

  constructor(private readonly session: Session, private readonly host: LessonHost) {}

  private blocks() {
    return sectionsOf(this.session.network).filter((each) => /^(decoder\.)?blocks\.\d+$/.test(each.name) && each.attentions.length);
  }

  // Of the layer and the head that were asked about first, else of those that are open.
  private about(): { layer: number; head: number } {
    const blocks = this.blocks();
    const [layer, head] = this.host.state.asked;
    const open = blocks.findIndex((each) => each.name === this.host.state.block);
    const chosen = Math.min(layer ?? Math.max(open, 0), Math.max(0, blocks.length - 1));
    return { layer: chosen, head: Math.min(head ?? this.host.state.head, this.headsOf(chosen) - 1) };
  }

  private headsOf(layer: number): number {
    const column = this.blocks()[layer]?.columns.find((each): each is AttentionColumn => each.kind === "attention");
    return column?.heads ?? 1;
  }

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const { layer, head } = this.about();
    let answer: Answer | undefined;
    try {
      answer = await this.session.ask({ ask: "quiz", layer, head });
    } catch (problem) {
      if ((problem as { kind?: string }).kind === "stale") throw problem;
    }
    if (turn !== this.drawn) return;
    const questions = ((answer?.json.questions ?? []) as QuizQuestion[]).map(markedQuestion);
    if (!questions.length) return this.element.replaceChildren(h("h2", {}, words.lesson.quiz), h("p", { class: "hint" }, words.lesson.nothing));
    const { answers } = this.host.state;
    if (this.shown < 0 || this.shown > answers.length) this.shown = Math.min(answers.length, questions.length);
    this.element.replaceChildren(
      h("header", {}, h("h2", {}, words.lesson.quiz), h("p", { class: "hint" }, words.lesson.quizIntro), this.chooser(layer, head)),
      this.shown < questions.length ? this.page(questions, this.shown) : this.total(questions));
    if (!this.taken) return;
    this.taken = false;
    this.element.querySelector<HTMLElement>(".next-question")?.focus({ preventScroll: true });
    this.element.querySelector(".verdict")?.scrollIntoView({ block: "nearest" });
  }

  private chooser(layer: number, head: number): HTMLElement {
    const choose = (name: string, choices: string[], now: number, take: (at: number) => void) =>
      h("select", { "aria-label": name, ...label("place"), onchange: (event: Event) => take(Number((event.target as HTMLSelectElement).value)) },
        ...choices.map((choice, i) => h("option", { value: i, selected: i === now }, choice)));
    const about = (asked: number[]) => { this.shown = -1; this.host.change({ asked, answers: [] }); };
    return h("div", { class: "choices" }, h("span", { class: "hint" }, words.lesson.about),
      choose(words.layer, this.blocks().map((each) => blockLabel(each.name)), layer, (at) => about([at, Math.min(head, this.headsOf(at) - 1)])),
      choose(words.head, Array.from({ length: this.headsOf(layer) }, (_, i) => words.headNumber(i)), head, (at) => about([layer, at])));
  }

  private said(question: QuizQuestion): { text: string; explanation: string; choices: string[] } {
    const own = words.lesson.questions?.[question.kind]?.(question.facts);
    const choices = question.choices.map((choice, i) => {
      const kind = question.choice_kinds[i];
      const head = /^head_(\d+)$/.exec(kind ?? "");
      if (head) return words.headNumber(Number(head[1]));
      return (kind && words.lesson.choices?.[kind]?.(question.facts)) || choice;
    });
    return { text: own?.text ?? question.text, explanation: own?.explanation ?? question.explanation, choices };
  }

  private page(questions: QuizQuestion[], at: number): HTMLElement {
    const question = questions[at];
    const { text, explanation, choices } = this.said(question);
    const taken = this.host.state.answers[at];
    const open = taken !== undefined;
    const { layer, head } = this.about();
    const take = (choice: number) => {
      this.taken = true;
      this.host.change({ asked: [layer, head], answers: [...this.host.state.answers.slice(0, at), choice] });
      const cell = question.cells[0] && parseCell(question.cells[0]);
      if (cell && explainsAtOnce()) this.host.explain(cell.name, cell.index);
    };
    // Above the arithmetic that comes unasked, else where the explanation ends.
    const next = open && h("button", { class: "button main next-question", onclick: () => this.go(at + 1) }, at + 1 < questions.length ? words.lesson.nextQuestion : words.lesson.toScore);
    const above = explainsAtOnce();
    return h("article", { class: "question", "data-kind": question.kind },
      this.progress(questions, at, above && next),
      h("p", { class: "question-text", ...label("word") }, ...rich(text)),
      choiceList(choices, open ? question.right : undefined, taken ?? -1, take),
      open && h("p", { class: "verdict", role: "status", ...label("word") },
        h("b", {}, ...rich(taken === question.right ? words.lesson.right : words.lesson.wrong(choices[question.right]))), " ", ...rich(explanation)),
      open && question.cells.length > 0 && h("p", { class: "quiz-cells" }, words.lesson.cells, " ", ...question.cells.map((cell) => this.cell(cell))),
      !above && next);
  }

  private cell(name: string): HTMLElement {
    const cell = parseCell(name);
    return h("button", { class: "link", title: words.lesson.why, onclick: () => cell && this.host.explain(cell.name, cell.index) }, h("code", label("text"), name));
  }

  private go(at: number): void {
    this.shown = at;
    this.host.explainNothing();
    void this.draw().then(() => this.element.querySelector<HTMLElement>(".choice-button, .quiz-total")?.focus());
  }

  private progress(questions: QuizQuestion[], at: number, next: HTMLElement | false): HTMLElement {
    const { answers } = this.host.state;
    const right = answers.filter((answer, i) => answer === questions[i]?.right).length;
    return h("div", { class: "quiz-progress" }, h("span", label("count"), words.lesson.questionOf(at + 1, questions.length)),
      h("span", { class: "quiz-marks", "aria-hidden": true }, ...questions.map((question, i) => h("i", { class: answers[i] === undefined ? (i === at ? "now" : "") : answers[i] === question.right ? "right" : "wrong" }))),
      answers.length > 0 && h("span", { class: "quiz-score", ...label("count") }, words.lesson.quizScore(right, answers.length)), next);
  }

  private total(questions: QuizQuestion[]): HTMLElement {
    const { answers } = this.host.state;
    const right = questions.filter((question, i) => answers[i] === question.right).length;
    return h("article", { class: "question" },
      h("p", { class: "quiz-total", ...label("count"), tabindex: -1, role: "status" }, words.lesson.quizScore(right, questions.length)),
      h("ol", { class: "quiz-list" }, ...questions.map((question, i) => h("li", { class: answers[i] === question.right ? "right" : "wrong" },
        h("span", { class: "choice-mark", "aria-hidden": true }, answers[i] === question.right ? "✓" : "✗"),
        h("button", { class: "link", ...label("word"), onclick: () => this.go(i) }, ...rich(this.said(question).text))))),
      h("button", { class: "button main", onclick: () => { this.shown = 0; this.host.change({ answers: [], asked: [] }); } }, words.lesson.again));
  }

  /// Answers are of one run.
  forget(): void {
    this.shown = -1;
  }
}
