// The series that the network read, as wide as the page: its curve, its patches, what is looked at, what is foretold.
import { h } from "./dom";
import { formatNumber } from "./format";
import { Heat, heatOf } from "./heat";
import { heatChoice, heatScale, heatTitle } from "./heat_controls";
import { InputHost } from "./picture_panel";
import { Curve, seriesCurve } from "./series_curve";
import { Session } from "./session";
import { label, told } from "./told";
import { words } from "./words";

export class SeriesPanel {
  readonly element = h("section", { class: "input-panel series-panel", hidden: true });
  private readonly above = h("header", {});
  private readonly stage = h("div", { class: "series-stage", tabindex: 0, role: "application" });
  private curve: Curve | undefined;
  private heat: Heat | undefined;
  private pointed: number | undefined;
  private marked: { token: number; kind: string }[] = [];
  private drawn = 0;

  constructor(private readonly session: Session, private readonly host: InputHost) {
    this.element.append(this.above, this.stage);
    const { stage } = this;
    stage.addEventListener("pointermove", (event) => this.point(this.tokenOf(event)));
    stage.addEventListener("pointerleave", () => this.point(undefined));
    stage.addEventListener("blur", () => this.point(undefined));
    stage.addEventListener("click", (event) => this.choose(this.tokenOf(event)));
    stage.addEventListener("keydown", (event) => this.key(event));
  }

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const { series } = this.session;
    this.element.hidden = !series;
    if (!series) return;
    const heat = await heatOf(this.session, this.host.state).catch((problem: { kind?: string }) => (problem.kind === "stale" ? this.heat : undefined));
    if (turn !== this.drawn) return;
    this.heat = heat;
    const { column } = this.session;
    const name = words.input.names[series.name] ?? series.name.replace(/^.*[/\\]/, "");
    const columns = series.columns.length > 1
      ? h("label", { class: "choice" }, words.input.column, h("select", { "aria-label": words.input.column, onchange: (event: Event) => this.host.change({ column: Number((event.target as HTMLSelectElement).value) }) },
          ...series.columns.map((each, i) => h("option", { value: i, selected: i === column, ...label("text") }, each))))
      : h("span", { class: "input-name", ...label("text") }, series.columns[0]);
    this.above.replaceChildren(h("h2", {}, words.input.series), h("span", { class: "input-name", title: series.name, ...label("text") }, name), columns, heatChoice(this.host),
      ...(heat ? [heatTitle(this.session, this.host, heat), heatScale(this.session, heat, series.first)] : []));
    this.stage.setAttribute("aria-label", words.input.curve(name));
    this.curve = seriesCurve({ series, column, width: Math.max(300, this.stage.clientWidth), heat, query: this.host.state.query, momentWord: words.input.moment,
      words: words.input, place: (token) => words.input.momentsOf(this.session.opened.labels[token]) });
    this.stage.replaceChildren(this.curve.element);
    this.rings();
    this.say(this.pointed);
  }

  /// Patches that are pointed at elsewhere: of a query, and of a key.
  mark(query: number | undefined, key: number | undefined): void {
    this.marked = [];
    if (query !== undefined) this.marked.push({ token: query, kind: "query" });
    if (key !== undefined) this.marked.push({ token: key, kind: "key" });
    this.rings();
  }

  private rings(): void {
    const { query } = this.host.state;
    this.curve?.mark([...(query >= 0 ? [{ token: query, kind: "query" }] : []), ...this.marked, ...(this.pointed !== undefined ? [{ token: this.pointed, kind: "weights" }] : [])]);
  }

  private tokenOf(event: MouseEvent): number | undefined {
    const box = this.stage.getBoundingClientRect();
    return this.curve?.tokenAt(event.clientX - box.left + this.stage.scrollLeft, event.clientY - box.top);
  }

  private point(token: number | undefined): void {
    if (token === this.pointed) return;
    this.pointed = token;
    this.host.light(token);
    this.rings();
    this.say(token);
  }

  private say(token: number | undefined): void {
    delete this.stage.dataset.described;
    this.stage.removeAttribute("aria-description");
    this.above.querySelector(".heat-pointed")?.remove();
    if (token === undefined || !this.heat) return;
    const word = words.input.momentsOf(this.session.opened.labels[token]), value = formatNumber(this.heat.weights[token]);
    this.above.append(h("span", { class: "heat-pointed" }, h("span", label("word"), word), " ", h("b", told(this.heat.from(token)), value)));
    this.stage.dataset.described = this.heat.from(token);
    this.stage.setAttribute("aria-description", `${word} ${value}`);
  }

  private choose(token: number | undefined): void {
    if (token !== undefined) this.host.change({ query: token === this.host.state.query ? -1 : token });
  }

  private key(event: KeyboardEvent): void {
    const { first, moments } = this.session.series!;
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!by && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!by) return this.choose(this.pointed);
    const at = this.pointed === undefined ? 0 : this.pointed - first + by;
    this.point(first + Math.min(moments.length - 1, Math.max(0, at)));
  }
}
