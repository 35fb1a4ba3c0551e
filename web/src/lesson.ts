// The lesson: the textbook's order on the sentence that is open, step by step; at some steps the reader says
// first what comes, and then sees what this run says.
import { h } from "./dom";
import { LessonHost } from "./lesson_pictures";
import { Guess, LessonSteps, StepContent, stepNames } from "./lesson_steps";
import { Session } from "./session";
import { rich } from "./rich";
import { label } from "./told";
import { words } from "./words";

/// In State.guesses: nothing predicted yet, and the answer shown without a prediction.
export const noGuess = -1, shownGuess = -2;

const textWidth = 380;

export class LessonView {
  readonly element = h("section", { class: "lesson" });
  private readonly steps: LessonSteps;
  private drawn = 0;
  private shown = -1;
  private taken = false;  // an answer was given just now
  /// What was asked so far, and what would have been right: for the score at the end.
  private rights = new Map<number, number>();

  constructor(private readonly session: Session, private readonly host: LessonHost) {
    this.steps = new LessonSteps(session, host);
    document.addEventListener("keydown", (event) => this.key(event));
  }

  private step(): number {
    return Math.min(Math.max(0, this.host.state.step), stepNames.length - 1);
  }

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    this.element.setAttribute("aria-busy", "true");
    try {
      await this.show(turn);
    } finally {
      if (turn === this.drawn) this.element.removeAttribute("aria-busy");
    }
  }

  private async show(turn: number): Promise<void> {
    const places = await this.steps.places(this.pictureWidth());
    if (!places) return this.element.replaceChildren(h("p", { class: "hint" }, words.lesson.needsText));
    const step = this.step();
    const guess = this.guessAt(step);
    const content = await this.steps.of(stepNames[step], places, guess !== noGuess);
    if (content.guess) this.rights.set(step, content.guess.right);
    if (step === stepNames.length - 1) await this.findRights();
    if (turn !== this.drawn) return;
    const turned = step !== this.shown;
    const inside = this.element.contains(document.activeElement);
    this.shown = step;
    const { labels } = this.session.opened;
    if (places.span.count < labels.length) content.text.push(words.lesson.lastTokens(places.span.count, String(labels.length)));
    this.element.replaceChildren(this.contents(step), this.page(step, content, guess));
    const told = this.taken && this.element.querySelector<HTMLElement>(".verdict");
    if (told) told.focus({ preventScroll: true }), told.scrollIntoView({ block: "nearest" });
    else if (turned && inside) this.element.querySelector<HTMLElement>(".lesson-page h2")?.focus({ preventScroll: true });
    this.taken = false;
    if (!turned) return;
    const known = !content.guess || guess !== noGuess;
    if (known && content.cell && explainsAtOnce()) this.host.explain(content.cell.name, content.cell.index);
    else this.host.explainNothing();
  }

  // What the text leaves beside it.
  private pictureWidth(): number {
    const width = Math.min(1240, this.element.clientWidth || window.innerWidth - 48);
    return window.innerWidth < 860 ? width : width - textWidth - 40;
  }

  // Steps whose prediction was made by an earlier visit (a link), and that have not been drawn since.
  private async findRights(): Promise<void> {
    const { guesses } = this.host.state;
    const places = await this.steps.places(this.pictureWidth());
    for (let i = 0; places && i < stepNames.length; ++i)
      if ((guesses[i] ?? noGuess) >= 0 && !this.rights.has(i)) {
        const { guess } = await this.steps.of(stepNames[i], places, false);
        if (guess) this.rights.set(i, guess.right);
      }
  }

  private guessAt(step: number): number {
    return this.host.state.guesses[step] ?? noGuess;
  }

  private contents(step: number): HTMLElement {
    return h("ol", { class: "lesson-steps", "aria-label": words.lesson.title }, ...stepNames.map((name, i) => h("li", {},
      h("button", { class: "lesson-step", "aria-current": i === step ? "step" : undefined, onclick: () => this.go(i) },
        h("span", { class: "lesson-number", ...label("place") }, String(i + 1)), " ", h("span", { class: "lesson-name" }, words.lesson.steps[name])))));
  }

  private page(step: number, content: StepContent, guess: number): HTMLElement {
    const last = step === stepNames.length - 1;
    const { flow } = content;
    const known = !content.guess || guess !== noGuess;
    return h("article", { class: "lesson-page", "data-step": stepNames[step] },
      h("header", {},
        h("div", {}, h("p", { class: "lesson-place", ...label("place") }, words.lesson.stepOf(step + 1, stepNames.length)),
          h("h2", { tabindex: -1 }, words.lesson.steps[stepNames[step]])),
        this.turns(step, last)),
      h("div", { class: "lesson-text" },
        ...content.text.map((each) => h("p", label("count"), ...rich(each))),
        content.guess && this.question(step, content.guess, guess),
        h("div", { class: "lesson-links" },
          known && content.cell && h("button", { class: "link why-cell", onclick: () => this.host.explain(content.cell!.name, content.cell!.index) }, words.lesson.why),
          flow && h("button", { class: "link", onclick: () => this.host.change(flow) }, words.lesson.inView(words.views[flow.view ?? "flow"])),
          last && !!this.session.opened.training && h("button", { class: "link", onclick: () => this.host.change({ view: "training" }) }, words.lesson.toTraining))),
      h("div", { class: "lesson-shown" }, known && content.guess && this.verdict(content.guess, guess), h("div", { class: "lesson-picture" }, content.picture)));
  }

  private turns(step: number, last: boolean): HTMLElement {
    return h("nav", { class: "lesson-turn", "aria-label": words.lesson.title },
      h("span", { class: "hint wide-only" }, words.lesson.keys), this.score(),
      h("button", { class: "button", disabled: step === 0, onclick: () => this.go(step - 1) }, `← ${words.lesson.back}`),
      last ? h("button", { class: "button main", onclick: () => this.host.change({ view: "quiz" }) }, words.lesson.toQuiz)
        : h("button", { class: "button main", onclick: () => this.go(step + 1) }, `${words.lesson.next} →`));
  }

  private question(step: number, guess: Guess, taken: number): HTMLElement {
    const open = taken !== noGuess;
    const take = (choice: number) => {
      const guesses = Array.from({ length: stepNames.length }, (_, i) => this.guessAt(i));
      guesses[step] = choice;
      this.shown = -1;  // the arithmetic of the answer comes with it
      this.taken = true;
      this.host.change({ guesses });
    };
    return h("div", { class: "question", role: "group", "aria-label": words.lesson.guessTitle },
      h("h3", {}, words.lesson.guessTitle), h("p", { class: "question-text", ...label("word") }, guess.question),
      choiceList(guess.choices, open ? guess.right : undefined, taken, take),
      !open && h("button", { class: "link", onclick: () => take(shownGuess) }, words.lesson.show));
  }

  private verdict(guess: Guess, taken: number): HTMLElement {
    const answer = guess.choices[guess.right];
    const verdict = taken === guess.right ? words.lesson.right : taken === shownGuess ? words.lesson.shown(answer) : words.lesson.wrong(answer);
    return h("p", { class: "verdict", role: "status", tabindex: -1, ...label("word") }, h("b", {}, verdict), " ", ...rich(guess.told));
  }

  private score(): HTMLElement | false {
    const made = [...this.rights].filter(([step]) => this.guessAt(step) >= 0);
    if (!made.length) return false;
    const right = made.filter(([step, truth]) => this.guessAt(step) === truth).length;
    return h("span", { class: "lesson-score", ...label("count") }, words.lesson.score(right, made.length));
  }

  private go(step: number): void {
    if (step < 0 || step >= stepNames.length) return;
    this.host.change({ step });
    window.scrollTo({ top: 0 });
  }

  /// Predictions are of one run.
  forget(): void {
    this.rights.clear();
    this.shown = -1;
  }

  private key(event: KeyboardEvent): void {
    if (!this.element.isConnected || this.host.state.view !== "lesson" || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target instanceof Element && event.target.closest('input, select, textarea, dialog, [role="application"]')) return;
    if (event.key === "ArrowRight") this.go(this.step() + 1);
    else if (event.key === "ArrowLeft") this.go(this.step() - 1);
    else return;
    event.preventDefault();
  }
}

/// Choices to take; once the right one is known, which it was and which was taken.
export function choiceList(choices: string[], right: number | undefined, taken: number, take: (choice: number) => void): HTMLElement {
  return h("ol", { class: "choice-list" }, ...choices.map((choice, i) => {
    const mark = right === undefined ? "" : i === right ? "✓" : i === taken ? "✗" : "";
    const note = right === undefined ? "" : i === taken ? words.lesson.yours : i === right ? words.lesson.theRight : "";
    return h("li", {}, h("button", {
      class: `choice-button ${right !== undefined && i === right ? "right" : ""} ${right !== undefined && i === taken && i !== right ? "wrong" : ""}`,
      disabled: right !== undefined, "aria-pressed": right === undefined ? undefined : String(i === taken), onclick: () => take(i),
    }, h("span", { class: "choice-mark", "aria-hidden": true }, mark || String.fromCharCode(65 + i)), h("span", { class: "choice-word", ...label("word") }, ...rich(choice)), note && h("span", { class: "choice-note" }, note)));
  }));
}

/// Whether the arithmetic has room beside what it is about, and may come unasked.
export function explainsAtOnce(): boolean {
  return window.innerWidth >= 860 && window.innerHeight >= 700;
}
