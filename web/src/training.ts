// A training run, while it goes on and when it is done: loss and accuracy of its reports, what it said, the heads
// that became of a kind, and the attention of a watched sentence as it was at each report.
import { Answer, AnswerArray, reals } from "./engine";
import { chart, Curve } from "./chart";
import { h } from "./dom";
import { FlowHost } from "./flow";
import { blockLabel } from "./flow_strips";
import { formatCount, formatNumber } from "./format";
import { Grid, GridEvents } from "./grid";
import { labelled } from "./matrix";
import { cited, rich } from "./rich";
import { Session } from "./session";
import { mapCanvas, SmallMap } from "./small_map";
import { cellName, label, told } from "./told";
import { currentLanguage, words } from "./words";

export interface TrainingHost extends FlowHost {
  open(change: { model: string }): void;
}

interface HeadAt { attention: string; layer: number; head: number; kind: string; score: number | string }

interface Report {
  at: number;  // its line of the log
  step: number;
  epoch: number;
  loss: number;
  validation: number;
  accuracy: number;
  observation: string;
  heads: HeadAt[];
}

const pollMilliseconds = 1500, playMilliseconds = 700, mostCells = 24;

export class TrainingView {
  readonly element = h("section", { class: "training" });
  private drawn = 0;
  private timer = 0;
  private player = 0;
  private answer: Answer | undefined;
  private news = "";
  private traces = new Map<string, Promise<Answer>>();
  private sentences = new Map<number, string>();

  constructor(private readonly session: Session, private readonly host: TrainingHost) {}

  draw(): Promise<void> {
    return this.read(true);
  }

  // What the run says now; without `always` it is shown where there is something new.
  private async read(always: boolean): Promise<void> {
    clearTimeout(this.timer);
    const turn = ++this.drawn;
    const answer = await this.session.engine.ask({ ask: "training" });
    if (turn !== this.drawn) return;
    const { json } = answer;
    const news = `${json.title} ${json.observations.length} ${json.watched.length} ${json.finished} ${json.stopped?.step}`;
    const chooses = document.activeElement instanceof HTMLSelectElement && this.element.contains(document.activeElement);  // a list that may be open
    if (always || (news !== this.news && !chooses)) {
      [this.answer, this.news] = [answer, news];
      await this.show(turn);
    }
    if (turn === this.drawn && !(json.finished && this.news === news)) this.poll(pollMilliseconds);
  }

  // Only while somebody looks.
  private poll(wait: number): void {
    this.timer = window.setTimeout(() => {
      if (!this.element.isConnected) return;
      if (document.hidden) return this.poll(wait);
      this.read(false).catch(() => this.poll(2 * pollMilliseconds));  // a file that is being exchanged
    }, wait);
  }

  private reports(): Report[] {
    const { json, arrays } = this.answer!;
    const column = (name: string) => (arrays[name] ? reals(arrays[name]) : undefined);
    const [steps, epochs, loss, validation, accuracy] = ["step", "epoch", "loss", "validation", "accuracy"].map(column);
    return (loss ?? []).map((value, i) => ({
      at: i, step: steps?.[i] ?? epochs?.[i] ?? i, epoch: epochs?.[i] ?? i, loss: value, validation: validation?.[i] ?? NaN, accuracy: accuracy?.[i] ?? NaN,
      observation: json.observations[i] ?? "", heads: json.heads[i] ?? [],
    }));
  }

  private steps(text: number): number[] {
    return (this.answer!.json.watched as { step: number; text: number }[]).filter((each) => each.text === text).map((each) => each.step).sort((a, b) => a - b);
  }

  private async show(turn: number): Promise<void> {
    const reports = this.reports();
    const texts = [...new Set((this.answer!.json.watched as { text: number }[]).map((each) => each.text))].sort((a, b) => a - b);
    const text = texts.includes(this.host.state.watched) ? this.host.state.watched : texts[0];
    const steps = text === undefined ? [] : this.steps(text);
    const step = this.host.state.report < 0 ? steps.at(-1) : steps.reduce((best, each) => (Math.abs(each - this.host.state.report) < Math.abs(best - this.host.state.report) ? each : best), steps[0]);
    const watched = text === undefined || step === undefined ? undefined : await this.watched(text, step);
    for (const each of texts) if (!this.sentences.has(each)) this.sentences.set(each, (await this.trace(each, this.steps(each)[0])).json.text);
    if (turn !== this.drawn) return;
    const focused = this.element.contains(document.activeElement) ? document.activeElement!.getAttribute("aria-label") : null;
    const numbersOpen = this.element.querySelector("details")?.open ?? false;
    const width = this.element.clientWidth || window.innerWidth - 40;
    this.element.replaceChildren(
      this.header(reports), this.charts(reports, step, width), this.observations(reports), this.heads(reports),
      watched ? this.watchedPart(texts, text!, steps, step!, watched, reports, width) : h("section", { class: "card" }, h("h2", {}, words.training.watchedTitle), h("p", { class: "hint" }, words.training.notWatched)),
      this.table(reports, numbersOpen));
    if (focused) [...this.element.querySelectorAll<HTMLElement>("[aria-label]")].find((each) => each.getAttribute("aria-label") === focused)?.focus({ preventScroll: true });
  }

  private number(value: number): string { return formatCount(value, currentLanguage()); }

  private header(reports: Report[]): HTMLElement {
    const { json } = this.answer!;
    const step = reports.at(-1)?.step ?? 0;
    const { models, model } = this.session.opened;
    const { stopped } = json;  // no process works on it
    const reopens = models.includes(json.title) && model.name === json.title && !json.finished;
    return h("header", {},
      h("h2", label("text"), `${words.training.title} ${json.title}`),
      h("span", { class: `run-state ${json.finished ? "" : stopped ? "stopped" : "running"}`, role: "status" }, json.finished ? words.training.finished : stopped ? words.training.stopped : words.training.running),
      h("span", { class: "hint run-step", ...label("place") }, json.steps > 0 ? words.training.stepsOf(this.number(step), this.number(json.steps)) : words.training.step(this.number(step))),
      stopped && h("p", { class: "hint go-on", ...label("place") }, words.training.stoppedAt(this.number(stopped.step)), " ", h("code", label("text"), stopped.command || "limpid train RECIPE -o FOLDER --resume")),
      reopens && h("button", { class: "link", onclick: () => this.host.open({ model: json.title }) }, words.training.reopen));
  }

  // ---- curves ----------------------------------------------------------------------------------------------

  private charts(reports: Report[], mark: number | undefined, width: number): HTMLElement {
    const side = width >= 800 ? Math.floor((width - 16 - 2 * 37) / 2) : width - 26;
    const places = reports.map((each) => each.step);
    const from = (name: keyof Report) => (report: number) => logged(reports[report], name);
    const one = (title: string, curves: Curve[]) => {
      const shown = curves.filter((curve) => curve.values.some((value) => Number.isFinite(value)));
      if (!shown.length) return h("section", { class: "card" }, h("h2", {}, title), h("p", { class: "hint" }, words.training.noAccuracy));
      const finite = (curve: Curve) => curve.values.filter((value) => Number.isFinite(value));
      const said = shown.map((curve) => words.training.chartSaid(`${title}, ${curve.name}`, formatNumber(finite(curve)[0]), formatNumber(finite(curve).at(-1)!))).join("; ");
      return h("section", { class: "card" }, chart({
        title, said, places, curves: shown, width: side, height: 210, mark, placeWord: (place) => words.training.step(this.number(place)),
        choose: (report) => this.host.change({ report: reports[report].step }),
      }));
    };
    return h("div", { class: "charts" },
      one(words.training.loss, [
        { name: words.training.ofTraining, role: "query", values: reports.map((each) => each.loss), from: from("loss") },
        { name: words.training.heldOut, role: "key", values: reports.map((each) => each.validation), from: from("validation"), dashed: true }]),
      one(words.training.accuracy, [{ name: words.training.right, role: "value", values: reports.map((each) => each.accuracy), from: from("accuracy") }]));
  }

  private observations(reports: Report[]): HTMLElement {
    const last = reports.filter((each) => each.observation).slice(-4).reverse();
    return h("section", { class: "card observations" }, h("h2", {}, words.training.said),
      h("ol", {}, ...last.map((each) => {
        const text = words.training.observation(each.observation);
        return h("li", {}, h("span", { class: "fact-place", ...label("place") }, words.training.step(this.number(each.step))), " ", h("span", { ...told(logged(each, "observation"), "sentence"), lang: text === each.observation ? "en" : undefined }, text));
      })));
  }

  // ---- heads -----------------------------------------------------------------------------------------------

  private heads(reports: Report[]): HTMLElement {
    const seen = new Set<string>();
    const lines: HTMLElement[] = [];
    for (const report of reports)
      for (const [i, head] of report.heads.entries()) {
        const key = `${head.attention} ${head.head} ${head.kind}`;
        if (head.kind === "mixed" || seen.has(key)) continue;
        seen.add(key);
        lines.push(h("li", { "data-kind": head.kind, "data-step": report.step, ...label("place") },
          ...rich(words.training.headBecame(this.number(report.step), head.layer, head.head, words.training.became[head.kind] ?? head.kind, cited(head.score, logged(report, "heads", i))))));
      }
    return h("section", { class: "card named-heads" }, h("h2", {}, words.training.headsTitle), h("p", { class: "hint" }, words.training.headsIntro),
      lines.length ? h("ol", {}, ...lines) : h("p", {}, words.training.noHeads));
  }

  // ---- a watched sentence ----------------------------------------------------------------------------------

  private trace(text: number, step: number): Promise<Answer> {
    const key = `${text} ${step}`;
    let found = this.traces.get(key);
    if (!found) {
      found = this.session.engine.ask({ ask: "training", step, text });
      found.catch(() => this.traces.delete(key));
      this.traces.set(key, found);
    }
    return found;
  }

  private async watched(text: number, step: number): Promise<Answer | undefined> {
    const answer = await this.trace(text, step);
    return answer.json.attentions.length ? answer : undefined;
  }

  private chosen(answer: Answer): [attention: number, head: number] {
    const [attention = 0, head = 0] = this.host.state.learned;
    const all = answer.json.attentions as { heads: number }[];
    const at = Math.min(attention, all.length - 1);
    return [at, Math.min(head, all[at].heads - 1)];
  }

  private watchedPart(texts: number[], text: number, steps: number[], step: number, answer: Answer, reports: Report[], width: number): HTMLElement {
    const at = steps.indexOf(step);
    const report = reports.find((each) => each.step === step);
    const move = (i: number) => { this.stop(); this.host.change({ report: i === steps.length - 1 ? -1 : steps[i] }); };
    const slider = h("input", { type: "range", min: 0, max: steps.length - 1, step: 1, value: at, "aria-label": words.training.checkpoint, "aria-valuetext": words.training.step(this.number(step)),
      oninput: (event: Event) => move(Number((event.target as HTMLInputElement).value)) });
    const sentence = texts.length > 1
      ? h("select", { "aria-label": words.training.sentence, ...label("text"), onchange: (event: Event) => this.host.change({ watched: Number((event.target as HTMLSelectElement).value) }) },
          ...texts.map((each) => h("option", { value: each, selected: each === text }, this.sentences.get(each) ?? String(each))))
      : h("span", { class: "watched-text", ...label("text") }, answer.json.text);
    const facts = report && (["loss", "validation", "accuracy"] as const).filter((name) => Number.isFinite(report[name]))
      .map((name) => h("span", { class: "fact" }, `${words.training.columns[name]} `, h("b", told(logged(report, name)), formatNumber(report[name]))));
    return h("section", { class: "card watched" }, h("h2", {}, words.training.watchedTitle), h("p", { class: "hint" }, words.training.watchedIntro),
      h("div", { class: "choices" }, sentence),
      h("div", { class: "reports" }, h("button", { class: "icon", "aria-label": words.training.play, title: words.training.play, disabled: steps.length < 2, onclick: () => this.play(steps) }, "▶"), slider,
        h("output", { class: "report-step", ...label("place") }, words.training.step(this.number(step))), ...(facts ?? [])),
      h("div", { class: "watched-heads" }, this.small(answer, `${step}-${text}`, report), this.large(answer, `${step}-${text}`, report, width)));
  }

  // All heads, small; one is chosen.
  private small(answer: Answer, file: string, report: Report | undefined): HTMLElement {
    const [chosen, chosenHead] = this.chosen(answer);
    const rows = (answer.json.attentions as { name: string; heads: number }[]).map(({ name, heads }, i) => {
      const array = answer.arrays[name];
      return h("div", { class: "watched-row" }, h("h3", label("place"), blockLabel(name.replace(/\.[^.]*$/, ""))), h("div", { class: "watched-maps" },
        ...Array.from({ length: heads }, (_, head) => {
          const kind = this.kindOf(report, name, head);
          const said = kind && (words.kinds[kind.kind] ?? kind.kind);
          return h("button", { class: "head-card", "aria-pressed": String(i === chosen && head === chosenHead), "aria-label": [blockLabel(name.replace(/\.[^.]*$/, "")), words.headNumber(head), ...(said ? [said] : [])].join(", "), onclick: () => this.host.change({ learned: [i, head] }) },
            mapCanvas(watchedMap(watchedName(file, name), array, head), 64),
            h("span", { class: `fact kind ${!kind || kind.kind === "mixed" ? "mixed" : ""}`, ...label("place") }, said ?? words.headNumber(head)));
        })));
    });
    return h("div", { class: "watched-all" }, ...rows);
  }

  private kindOf(report: Report | undefined, attention: string, head: number): HeadAt | undefined {
    return report?.heads.find((each) => each.attention === attention && each.head === head);
  }

  private large(answer: Answer, file: string, report: Report | undefined, width: number): HTMLElement {
    const [at, head] = this.chosen(answer);
    const { name } = answer.json.attentions[at];
    const array = answer.arrays[name];
    const [, queries, keys] = array.shape;
    const labels = answer.json.labels as string[];
    const [rows, columns] = [Math.min(queries, mostCells), Math.min(keys, mostCells)];
    const room = width >= 800 ? Math.min(440, width * 0.42) : width - 110;
    const cell = Math.max(8, Math.min(52, Math.floor(room / columns)));
    const data = array.data as ArrayLike<number>;
    const said = h("p", { class: "pair-shown", ...label("word") });
    const shows = (index: number[] | undefined) => {
      if (!index) return said.replaceChildren("\u00a0");
      const weight = cited(data[(head * queries + index[2]) * keys + index[3]], cellName({ name: watchedName(file, name), index }));
      said.replaceChildren(...rich(words.training.weight(labels[index[2]] ?? String(index[2]), labels[index[3]] ?? String(index[3]), weight)));
    };
    const events: GridEvents = { point: (given) => shows(given?.index), choose: (given) => shows(given.index) };
    const grid = new Grid({
      name: watchedName(file, name), title: `${words.attention}, ${words.headNumber(head)}`, role: "weights", rows, columns, cell: [cell, Math.min(cell, 30)],
      numbers: cell >= 34, scale: [0, 1], hidesZero: true, at: (row, column) => data[(head * queries + row) * keys + column], index: (row, column) => [0, head, row, column],
      locate: () => undefined, place: (row, column) => `${labels[row] ?? row} → ${labels[column] ?? column}`,
    }, events);
    shows(undefined);
    const kind = this.kindOf(report, name, head);
    const own = Array.from({ length: rows }, (_, i) => labels[i] ?? String(i));
    const score = (each: HeadAt) => cited(each.score, logged(report!, "heads", report!.heads.indexOf(each)));
    return h("div", { class: "watched-one" }, h("h3", label("place"), `${blockLabel(name.replace(/\.[^.]*$/, ""))}, ${words.headNumber(head)}`),
      h("p", { class: "hint" }, ...(kind ? rich(words.training.ofKind(words.kinds[kind.kind] ?? kind.kind, score(kind))) : ["\u00a0"])),
      labelled(grid, own, Array.from({ length: columns }, (_, i) => labels[i] ?? String(i)), { left: 70, top: cell >= 30 ? 20 : 60 }), said);
  }

  private play(steps: number[]): void {
    this.stop();
    let i = 0;
    const turn = () => {
      if (!this.element.isConnected) return;
      this.host.change({ report: i === steps.length - 1 ? -1 : steps[i] });
      if (++i < steps.length) this.player = window.setTimeout(turn, playMilliseconds);
    };
    turn();
  }

  private stop(): void { clearTimeout(this.player); }

  private table(reports: Report[], open: boolean): HTMLElement {
    const columns = (["epoch", "step", "loss", "validation", "accuracy"] as const).filter((name) => reports.some((each) => Number.isFinite(each[name])));
    const whole = (name: string) => name === "epoch" || name === "step";
    return h("details", { class: "card numbers", open }, h("summary", {}, words.training.numbers), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": words.training.numbers }, h("table", { class: "facts reports-table" },
      h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { class: "number" }, words.training.columns[name])))),
      h("tbody", {}, ...reports.map((each) => h("tr", {}, ...columns.map((name) => h("td", { class: "number", ...(whole(name) ? label("place") : told(logged(each, name))) }, Number.isFinite(each[name]) ? (whole(name) ? this.number(each[name]) : formatNumber(each[name])) : "")))))))); 
  }
}

// Where numbers come from (told.ts): a field of a report, of a head in it; the weights of a watched sentence.
function logged(report: Report, name: keyof Report, head?: number): string {
  return `log:${report.at}.${name}${head === undefined ? "" : `.${head}.score`}`;
}
function watchedName(file: string, attention: string): string {
  return `watched:${file} ${attention}.pattern`;
}

// A head of a watched sentence, a pixel a weight.
function watchedMap(name: string, { data, shape }: AnswerArray, head: number): SmallMap {
  const [, rows, columns] = shape;
  const weights = data as ArrayLike<number>;
  return {
    pattern: name, head, rows, columns, queries: 1, keys: 1, lengths: [rows, columns], at: (row, column) => weights[(head * rows + row) * columns + column],
    from: (row, column) => cellName({ name, index: [0, head, row, column] }),
  };
}
