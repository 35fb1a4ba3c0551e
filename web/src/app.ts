// Puts the parts together: the sentence, the views, what comes next, the arithmetic; and keeps the address.
import { debounced, h } from "./dom";
import { cutEdit, headOffEdit, wordsOf } from "./edits";
import { EngineError } from "./engine";
import { ExplainPanel, parseCell } from "./explain";
import { Flow } from "./flow";
import { formatCount } from "./format";
import { GiveModel } from "./give";
import { HeadsView } from "./heads";
import { InputPanels } from "./input_panels";
import { LessonView } from "./lesson";
import { MapView } from "./map";
import { saveFigure } from "./save";
import { WhyView } from "./why";
import { CellRef, lights, look } from "./grid";
import { NextPanel } from "./next";
import { PageEngine } from "./page_engine";
import { unreadPayloads } from "./payload";
import { canPatch, openPatch } from "./patch";
import { QuizView } from "./quiz";
import { Change, Session } from "./session";
import { isReadOnly, showsView, storedNote } from "./stored";
import { anotherRun, initial, Link, readLink, State, View, writeLink } from "./state";
import { openSwap } from "./swap";
import { cellName, label } from "./told";
import { TrainingView } from "./training";
import { currentLanguage, Language, setLanguage, words } from "./words";

export class App {
  private readonly session: Session;
  private state: State = { ...initial };
  private edits: unknown[] = [];
  private explain!: ExplainPanel;
  private next!: NextPanel;
  private inputs!: InputPanels;
  private lesson!: LessonView;
  private quiz!: QuizView;
  private views!: Partial<Record<View, { element: HTMLElement; draw(): Promise<void> }>>;
  private readonly main = h("main", { tabindex: -1 });
  private readonly error = h("p", { class: "error", role: "alert", hidden: true, ...label("text") });
  private readonly status = h("p", { class: "visually-hidden", role: "status", ...label("word") });
  private input = h("input");
  private begun = false;
  private waiting: Change | undefined;
  private opening = false;
  private failures = 0;

  private readonly give = new GiveModel((given) => this.attempt(async () => {
    const model = await given();
    await this.engine.open(model, this.session.opened?.reads === "text" ? this.session.opened.text : this.input.value || "Life is short");
    this.state = { ...initial, view: this.state.view };
    await this.session.reopen();
    this.edits = [];
    this.input.value = this.session.opened.text;
    this.explain.pin(undefined);
    await this.draw();
  }), (file) => this.inputs.picture.take(file));

  constructor(private readonly engine: PageEngine) {
    this.session = new Session(engine);
  }

  async begin(): Promise<void> {
    const stored = (key: string) => { try { return localStorage.getItem(key); } catch { return null; } };
    this.setTheme((stored("limpid.theme") as "light" | "dark" | null) ?? undefined);
    const language = stored("limpid.language") ?? navigator.language.slice(0, 2);
    setLanguage(language === "de" ? "de" : "en");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.setTheme((stored("limpid.theme") as "light" | "dark" | null) ?? undefined));
    const link = readLink(location.hash);
    this.takeLink(link);
    this.frame();
    addEventListener("hashchange", () => { if (location.hash !== this.written) { const given = readLink(location.hash); this.takeLink(given); void this.restore(given); } });
    let width = innerWidth;
    addEventListener("resize", debounced(120, () => { if (innerWidth !== width) { width = innerWidth; void this.draw(); } }));
    // What goes wrong is said; what has been said before, of the address, stays.
    const say = (problem: unknown) => void this.attempt(async () => { throw problem; });
    this.engine.begun = () => void this.session.reopen().then(() => this.draw()).catch(say);
    await this.attempt(async () => {
      await this.session.begin();
      this.begun = true;
      await this.restore(link);
    });
    requestAnimationFrame(() => setTimeout(() => void this.engine.start().catch(say)));
  }

  private written = "";

  private takeLink(link: Link): void {
    this.state = { ...initial };
    for (const key of Object.keys(initial) as (keyof State)[])
      if (link[key] !== undefined) (this.state as unknown as Record<string, unknown>)[key] = link[key];
  }

  // What a link says is open becomes open.
  private async restore(link: Link): Promise<void> {
    await this.attempt(async () => {
      const { text, model } = link;
      const change: Change = {};
      const { opened } = this.session;
      if (model && model !== opened.model.name && opened.models.includes(model)) change.model = model;
      if (text !== undefined && text !== opened.text && opened.reads === "text") change.text = text;
      if (JSON.stringify(link.edits ?? []) !== JSON.stringify(opened.edited)) change.edits = link.edits ?? [];
      if (JSON.stringify(link.swaps ?? []) !== JSON.stringify(opened.swaps) || (change.text !== undefined && link.swaps)) change.swaps = link.swaps ?? [];
      // An address that says nothing leaves open what the engine began with.
      if (Object.keys(link).length && Object.keys(change).length) await this.session.open(change);
    });
    this.edits = [...this.session.opened.edited];
    this.input.value = this.session.opened.text;
    this.explain.pin(parseCell(this.state.cell));
    await this.draw();
  }

  // ---- what is open ---------------------------------------------------------------------------------------

  /// Opens what was asked for last; what comes while the engine works waits, and only the last of it is asked.
  private async open(change: Change): Promise<void> {
    this.waiting = { ...this.waiting, ...change };
    if (this.opening) return;
    this.opening = true;
    while (this.waiting) {
      const now: Change = this.waiting;
      this.waiting = undefined;
      await this.attempt(async () => {
        await this.session.open(now);
        this.forgetAnswers();
        this.edits = [...this.session.opened.edited];
        // What is drawn by hand comes faster than the views can be.
        if (this.waiting || this.inputs.picture.busy()) await Promise.all([this.next.draw(), this.inputs.draw()]);
        else void this.attempt(() => this.draw());
      });
    }
    this.opening = false;
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      const { failures } = this;
      await work();
      if (failures === this.failures) this.error.hidden = true;  // what a part of the work said stays
    } catch (problem) {
      if (problem instanceof EngineError && problem.kind === "stale") return;
      this.failures++;
      this.error.hidden = false;
      const unreachable = problem instanceof EngineError && problem.kind === "reach";
      this.error.textContent = unreachable ? words.unreachable : (problem as Error).message;
      if (!(problem instanceof EngineError)) throw problem;
    }
  }

  private change(change: Partial<State>): void {
    Object.assign(this.state, change);
    const drawing = ["temperature", "topK", "topP"].some((key) => key in change);
    if (drawing) { this.keepAddress(); void this.next.draw(); return; }
    void this.attempt(() => this.draw());
  }

  private forgetAnswers(): void {
    Object.assign(this.state, anotherRun);
    this.lesson.forget();
    this.quiz.forget();
  }

  private isOff(attention: string, head: number): boolean {
    return this.edits.includes(headOffEdit(attention, head));
  }

  private toggle(edit: unknown): void {
    const text = JSON.stringify(edit);
    const kept = this.edits.filter((each) => JSON.stringify(each) !== text);
    this.edits = kept.length < this.edits.length ? kept : [...this.edits, edit];
    void this.open({ edits: this.edits });
  }

  private generate(question: Record<string, unknown>): void {
    const { temperature, topK, topP } = this.state;
    const drawn = temperature !== 1 || topK !== 0 || topP !== 1;
    const settings = drawn && !("back" in question) && !("token" in question) ? { temperature, top_k: topK, top_p: topP, seed: Date.now() % 2 ** 31 } : {};
    void this.attempt(async () => {
      const { json } = await this.session.generate({ ...question, ...settings });
      this.forgetAnswers();
      this.input.value = this.session.opened.text;
      this.edits = [...this.session.opened.edited];
      this.status.textContent = json.ended ? words.ended : json.pieces.join("");
      await this.draw();
    });
  }

  // ---- the page -------------------------------------------------------------------------------------------

  private frame(): void {
    document.documentElement.lang = currentLanguage();
    document.title = words.title;
    this.explain = new ExplainPanel(this.session);
    this.explain.onPinned = (cell) => { this.state.cell = cell ? cellName(cell) : ""; this.inputs.point(cell); this.keepAddress(); };
    this.explain.actions = (cell) => this.actionsAt(cell);
    const host = {
      state: this.state,
      bottom: this.explain.element,
      change: (change: Partial<State>) => this.change(change),
      point: (cell: CellRef | undefined) => { this.explain.point(cell); this.inputs.point(cell ?? parseCell(this.state.cell)); },
      mark: (token: number | undefined, key?: number) => this.inputs.mark(token, key),
      choose: (cell: CellRef) => this.explain.pin(cell),
      isOff: (attention: string, head: number) => this.isOff(attention, head),
      toggleHead: (attention: string, head: number) => this.toggle(headOffEdit(attention, head)),
      swap: (place: number) => void openSwap(this.session, place, (id) => void this.open({ swaps: [...this.session.opened.swaps.filter(([at]) => at !== place), [place, id]] })),
      generate: (question: Record<string, unknown>) => this.generate(question),
      explain: (name: string, index: number[]) => this.explain.pin({ name, index }),
      explainNothing: () => this.explain.pin(undefined),
      open: (change: Change) => void this.open(change),
      edited: () => this.session.opened.edited.length > 0 || this.session.opened.swaps.length > 0,
    };
    const app = this;
    Object.defineProperty(host, "state", { get: () => app.state });
    this.lesson = new LessonView(this.session, host);
    this.quiz = new QuizView(this.session, host);
    this.views = { flow: new Flow(this.session, host), heads: new HeadsView(this.session, host), why: new WhyView(this.session, host), map: new MapView(this.session, host), lesson: this.lesson, quiz: this.quiz, training: new TrainingView(this.session, host) };
    this.next = new NextPanel(this.session, host);
    this.inputs = new InputPanels(this.session, { ...host, get state() { return app.state; }, waiting: () => this.waiting !== undefined, light: (token) => this.lightToken(token), attempt: (work) => this.attempt(work) });
    this.input = h("input", {
      class: "sentence", type: "text", "aria-label": words.sentence, placeholder: words.sentenceHint, autocomplete: "off", spellcheck: false,
      autocapitalize: "off", value: this.input.value,
      oninput: debounced(10, () => { if (this.input.value) { this.state.from = 0; void this.open({ text: this.input.value }); } }),
    });
    this.editList = h("div", { class: "edit-list" });
    this.tabs = h("nav", { class: "views", "aria-label": words.viewsLabel });
    this.modelLine = h("div", { class: "model" });
    document.body.replaceChildren(
      h("header", { class: "top" },
        h("h1", {}, "limpid"),
        this.modelLine,
        h("div", { class: "tools" },
          this.give.button(),
          h("button", { class: "icon", title: words.theme, "aria-label": words.theme, onclick: () => this.setTheme(look.theme === "dark" ? "light" : "dark", true) }, "◐"),
          h("button", { class: "link", "aria-label": words.languageLabel, onclick: () => this.switchLanguage() }, words.language))),
      h("div", { class: "ask" }, this.input, this.inputs.series.element, this.storedNote, this.error, this.editList, this.status),
      this.tabs,
      h("div", { class: "work" }, this.main, this.inputs.picture.element, this.next.element),
      this.explain.element,
      ...unreadPayloads());
  }

  private editList = h("div");
  private readonly storedNote = h("div", { class: "stored" });
  private tabs = h("nav");
  private modelLine = h("div");

  private async draw(): Promise<void> {
    if (!this.begun) return;
    this.keepAddress();
    this.drawModel();
    this.drawEdits();
    this.drawTabs();
    this.session.column = Math.min(this.state.column, (this.session.series?.columns.length ?? 1) - 1);
    const next = Promise.all([this.next.draw(), this.inputs.draw()]);
    const view = this.views[this.shownView()]!;
    // What comes next is what the lesson asks for.
    this.next.element.hidden = ["lesson", "quiz", "training"].includes(this.shownView()) || this.session.opened.reads === "series";
    this.main.parentElement!.classList.toggle("alone", this.next.element.hidden);
    this.main.parentElement!.dataset.view = this.shownView();
    if (!view.element.isConnected) this.main.replaceChildren(view.element);
    await Promise.all([next, view.draw()]);
    lights.again();
    this.explain.again();
  }

  private drawModel(): void {
    const { model, models } = this.session.opened;
    const facts = [words.parameters(formatCount(model.parameters, currentLanguage())), words.layersHeads(model.layers, model.heads)];
    const name: HTMLElement = models.length > 1
      ? h("select", { "aria-label": words.model, onchange: (event: Event) => void this.open({ model: (event.target as HTMLSelectElement).value }) },
          ...models.map((each) => h("option", { selected: each === model.name, ...label("text") }, each)))
      : h("span", { class: "model-name", ...label("text") }, model.title);
    // An image or a series has a panel of its own; a stored run stays as it is.
    if (this.input.hidden && this.session.opened.reads === "text") this.input.value = this.session.opened.text;
    this.input.hidden = this.session.opened.reads !== "text";
    this.input.readOnly = !this.session.opened.changes.includes("text");
    this.storedNote.replaceChildren(storedNote(this.session));
    this.modelLine.replaceChildren(name, ...facts.map((fact) => h("span", { class: "fact", ...label("count") }, fact)));
  }

  private drawEdits(): void {
    const { swaps, labels, sourceLabels } = this.session.opened;
    const fixed = isReadOnly(this.session);
    const chip = (what: string, undo: () => void) => h("span", { class: "edit", ...label("text") }, what, !fixed && h("button", { class: "icon small", "aria-label": words.removeEdit(what), title: words.removeEdit(what), onclick: undo }, "×"));
    const chips = [
      ...this.edits.map((edit) => chip(wordsOf(edit, this.session), () => this.toggle(edit))),
      ...swaps.map(([place, id]) => chip(words.swapped(place, (sourceLabels ?? labels)[place]), () => void this.open({ swaps: swaps.filter(([at, swap]) => at !== place || swap !== id) }))),
    ];
    this.editList.hidden = !chips.length;
    if (!chips.length) return this.editList.replaceChildren();
    this.editList.replaceChildren(h("b", {}, words.edited), ...chips,
      fixed ? "" : h("button", { class: "link", onclick: () => void this.open({ edits: [], swaps: [] }) }, words.clearEdits));
  }

  private hasView(view: View): boolean {
    return view in this.views && (view !== "training" || this.session.opened.training !== undefined) && showsView(this.session, view);
  }

  private shownView(): View {
    return this.hasView(this.state.view) ? this.state.view : "flow";
  }

  private drawTabs(): void {
    const views = (Object.keys(this.views) as View[]).filter((view) => this.hasView(view));
    this.tabs.replaceChildren(...views.map((view) => h("button", {
      class: "view", "aria-current": this.shownView() === view ? "page" : undefined, onclick: () => this.change({ view }),
    }, words.views[view])), ["lesson", "quiz"].includes(this.shownView()) ? "" : this.saver());
    if (this.tabs.scrollWidth > this.tabs.clientWidth) this.tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // The view as the figure that it corresponds to, by the engine's own painters.
  private saver(): HTMLElement {
    const save = (format: string) => void this.attempt(() => saveFigure(this.session, this.state, format));
    return h("span", { class: "saver", role: "group", "aria-label": words.figureOf }, words.download,
      ...["svg", "png", "pptx", "drawio"].map((format) => h("button", { class: "link", onclick: () => save(format) }, format)));
  }

  // What can be done at the cell that is explained.
  private actionsAt(cell: CellRef): HTMLElement[] {
    if (isReadOnly(this.session)) return [];
    const patch = canPatch(this.session, cell.name) ? [h("button", { class: "button", onclick: () => openPatch(this.session, cell, (edit) => void this.open({ edits: [...this.edits, edit] })) }, words.patchHere)] : [];
    const square = /^(.+)\.(raw_scores|scaled_scores|capped_scores|scores|pattern)$/.exec(cell.name);
    if (!square || cell.index.length !== 4) return patch;
    const [, head, query, key] = cell.index;
    const edit = cutEdit(square[1], head, query, key);
    return [h("button", { class: "button", onclick: () => this.toggle(edit) }, this.edits.includes(edit) ? words.mendEdge : words.cutEdge)];
  }

  // The tokens of a patch that is pointed at in the image or the series.
  private lightToken(token: number | undefined): void {
    this.main.querySelectorAll(".tokens .token").forEach((each) => each.classList.toggle("lit", Number((each as HTMLElement).dataset.token) === token));
  }

  private keepAddress(): void {
    if (!this.session.opened) return;
    const { text, reads, model, models, swaps } = this.session.opened;
    this.written = writeLink({ ...this.state, text: reads === "text" && text.length < 2000 ? text : undefined, model: models.length > 1 ? model.name : undefined, edits: this.edits, swaps });
    history.replaceState(null, "", this.written);
  }

  private setTheme(chosen: "light" | "dark" | undefined, keep = false): void {
    if (keep && chosen) try { localStorage.setItem("limpid.theme", chosen); } catch { /* a page that may keep nothing */ }
    look.theme = chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    document.documentElement.dataset.theme = look.theme;
    lights.repaint();
    if (this.begun) void this.draw();
  }

  private switchLanguage(): void {
    const other: Language = currentLanguage() === "en" ? "de" : "en";
    setLanguage(other);
    try { localStorage.setItem("limpid.language", other); } catch { /* a page that may keep nothing */ }
    this.frame();
    this.input.value = this.session.opened.text;
    this.explain.pin(parseCell(this.state.cell));
    void this.draw();
  }
}
