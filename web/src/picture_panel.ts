// The image that the network read, what is looked at in it, and what can be done to it: another one, or one that is
// drawn with a mouse, a finger or a pen.
import { h } from "./dom";
import { Heat, heatOf } from "./heat";
import { heatChoice, HeatHost, heatScale, heatTitle } from "./heat_controls";
import { look } from "./grid";
import { asImage, decoded, isPicture } from "./given_picture";
import { paint } from "./palette";
import { Picture, tokenAt } from "./picture";
import { paintOver, paintPicture, Ring } from "./picture_canvas";
import { Change, Session } from "./session";
import { blank, inverted, isLight, Sketch } from "./sketch";
import { formatNumber } from "./format";
import { label, told } from "./told";
import { words } from "./words";

type Tool = "look" | "draw" | "erase";
const mostUndone = 30;

export interface InputHost extends HeatHost {
  open(change: Change): void;
  /// Whether more has been given than is open.
  waiting(): boolean;
  /// A token is pointed at in the image or the series.
  light(token: number | undefined): void;
  attempt(work: () => Promise<void>): Promise<void>;
}

export class PicturePanel {
  readonly element = h("section", { class: "input-panel picture-panel", hidden: true });
  private readonly canvas = h("canvas", { class: "picture" });
  private readonly over = h("canvas", { class: "over" });
  private readonly stage = h("div", { class: "picture-stage", tabindex: 0, role: "application" }, this.canvas, this.over);
  private readonly above = h("header", {});
  private readonly below = h("div", { class: "heat-below" });
  private readonly tools = h("div", { class: "picture-tools" });
  private tool: Tool = "look";
  private toolOf = "";
  private heat: Heat | undefined;
  private sketch: Sketch | undefined;  // what is drawn and not open yet
  private drawing = false;
  private past: Picture[] = [];
  private pointed: number | undefined;
  private marked: Ring[] = [];
  private brush: [number, number] | undefined;
  private drawn = 0;

  constructor(private readonly session: Session, private readonly host: InputHost) {
    this.element.append(this.above, this.stage, this.below, this.tools);
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => this.lift());
    stage.addEventListener("pointerleave", () => { if (!this.drawing) this.point(undefined); });
    stage.addEventListener("click", (event) => { if (this.tool === "look") this.choose(this.tokenOf(event)); });
    stage.addEventListener("keydown", (event) => this.key(event));
    stage.addEventListener("blur", () => { this.brush = undefined; this.point(undefined); });
    new ResizeObserver(() => this.paintOver()).observe(stage);
  }

  async draw(): Promise<void> {
    const turn = ++this.drawn;
    const { picture } = this.session;
    this.element.hidden = !picture;
    if (!picture) return;
    const model = this.session.opened.model.name;
    if (model !== this.toolOf) {  // a blank one is there to be drawn on
      [this.toolOf, this.past] = [model, []];
      this.tool = picture.name === "a blank image" ? "draw" : "look";
    }
    const heat = await heatOf(this.session, this.host.state).catch((problem: { kind?: string }) => (problem.kind === "stale" ? this.heat : undefined));
    if (turn !== this.drawn) return;
    this.heat = heat;
    if (!this.drawing && !this.host.waiting()) this.sketch = undefined;
    const name = words.input.names[picture.name] ?? picture.name.replace(/^.*[/\\]/, "");
    this.above.replaceChildren(h("h2", {}, words.input.image), h("span", { class: "input-name", title: picture.name, ...label("text") }, name), this.opener());
    this.stage.setAttribute("aria-label", this.tool === "look" ? words.input.stage(name) : words.input.sheet(name));
    this.stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
    this.stage.classList.toggle("sheet", this.tool !== "look");
    this.below.replaceChildren(...(heat ? [heatTitle(this.session, this.host, heat), heatScale(this.session, heat, picture.first)] : []), heatChoice(this.host));
    if (!this.tools.contains(document.activeElement)) this.drawTools();
    this.say(this.pointed);
    this.paint();
    this.paintOver();
  }

  /// Patches that are pointed at elsewhere: of a query, and of a key.
  mark(query: number | undefined, key: number | undefined): void {
    this.marked = [];
    if (query !== undefined) this.marked.push({ token: query, colour: paint("query", look.theme) });
    if (key !== undefined) this.marked.push({ token: key, colour: paint("key", look.theme), dashed: key === query });
    this.paintOver();
  }

  /// Whether a stroke is being drawn: more comes at once.
  busy(): boolean {
    return this.drawing;
  }

  /// A file that was dropped on the page; false: it is none that this takes.
  take(file: File): boolean {
    if (!this.session.picture || !isPicture(file)) return false;
    void this.host.attempt(async () => {
      const change = await decoded(file);
      this.keep();
      this.tool = "look";
      this.host.open(change);
    });
    return true;
  }

  // ---- painting ------------------------------------------------------------------------------------------

  private get shown(): Picture {
    return this.sketch?.picture ?? this.session.picture!;
  }

  private paint(): void {
    paintPicture(this.canvas, this.shown, this.heat);
  }

  private paintOver(): void {
    const width = this.stage.clientWidth;
    if (!this.session.picture || !width) return;
    const { query } = this.host.state, rings = [...this.marked];
    if (query >= 0) rings.unshift({ token: query, colour: paint("query", look.theme) });
    if (this.pointed !== undefined) rings.push({ token: this.pointed, colour: paint("weights", look.theme) });
    paintOver(this.over, this.shown, width, rings);
    this.over.style.width = "100%";
    this.over.style.height = "100%";
    if (this.brush) this.paintBrush(width / this.shown.width);
  }

  private paintBrush(scale: number): void {
    const context = this.over.getContext("2d")!;
    const [x, y] = this.brush!;
    context.strokeStyle = paint("query", look.theme);
    context.setLineDash([]);
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x * scale, y * scale, Math.max(5, scale * 1.6), 0, 2 * Math.PI);
    context.stroke();
  }

  // ---- tools ---------------------------------------------------------------------------------------------

  private drawTools(): void {
    const tool = (name: Tool) => h("button", { "aria-pressed": String(this.tool === name), "data-tool": name, onclick: () => this.choosing(name) }, words.input[name]);
    const act = (sign: string, name: "undo" | "clear" | "invert", work: () => void, disabled = false) => h("button", { class: "icon small", "data-act": name, title: words.input[name], "aria-label": words.input[name], disabled, onclick: () => { work(); this.drawTools(); } }, sign);
    this.tools.replaceChildren(
      h("div", { class: "choice", role: "group", "aria-label": words.input.tools }, h("span", {}, tool("look"), tool("draw"), tool("erase"))),
      h("div", { class: "picture-acts" },
        act("\u21b6", "undo", () => this.undo(), !this.past.length),
        act("\u25a1", "clear", () => this.put(blank(this.shown, isLight(this.shown) ? 255 : 0))),
        act("\u25e9", "invert", () => this.put(inverted(this.shown)))));
  }

  private opener(): HTMLElement {
    const input = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => { if (input.files?.[0]) this.take(input.files[0]); input.value = ""; } });
    return h("span", { class: "open-picture" }, input, h("button", { class: "link", title: `${words.input.openTitle} ${words.input.stays}`, onclick: () => input.click() }, words.input.open));
  }

  private choosing(tool: Tool): void {
    this.tool = tool;
    this.brush = undefined;
    this.drawTools();
    void this.draw();
    this.tools.querySelector<HTMLElement>(`[data-tool="${tool}"]`)?.focus();
  }

  // What is there is kept for "Undo".
  private keep(): void {
    this.past.push(this.shown);
    if (this.past.length > mostUndone) this.past.shift();
  }
  private put(picture: Picture): void {
    this.keep();
    this.show(picture);
  }
  private undo(): void {
    const picture = this.past.pop();
    if (picture) this.show(picture);
  }
  private show(picture: Picture): void {
    this.sketch = new Sketch(picture, 255);
    this.sent();
  }
  private sent(): void {
    this.paint();
    this.host.open(asImage(this.shown, words.input.drawingName));
  }

  private begin(): void {
    this.keep();
    const light = isLight(this.shown);
    this.sketch = new Sketch(this.shown, (this.tool === "draw") === light ? 0 : 255);
  }

  // ---- pointing and drawing ------------------------------------------------------------------------------

  private pixelOf(event: MouseEvent): [number, number] {
    const box = this.stage.getBoundingClientRect(), { width, height } = this.session.picture!;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }
  private tokenOf(event: MouseEvent): number | undefined {
    return tokenAt(this.session.picture!, ...this.pixelOf(event));
  }

  private down(event: PointerEvent): void {
    if (this.tool === "look" || event.button !== 0) return;
    event.preventDefault();
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    this.drawing = true;
    this.brush = undefined;
    this.point(undefined);
    this.begin();
    this.sketch!.to(...this.pixelOf(event));
    this.sent();
  }

  private move(event: PointerEvent): void {
    if (!this.drawing) { if (event.pointerType !== "touch" || this.tool === "look") this.point(this.tokenOf(event)); return; }
    for (const each of event.getCoalescedEvents?.() ?? [event]) this.sketch!.to(...this.pixelOf(each));
    this.sent();
  }

  private lift(): void {
    if (!this.drawing) return;
    this.drawing = false;
    this.sketch!.lift();
    this.sent();
    this.drawTools();
  }

  private point(token: number | undefined): void {
    if (token === this.pointed) return;
    this.pointed = token;
    this.host.light(token);
    this.paintOver();
    this.say(token);
  }

  // The patch's own number, in the place of the scale's title.
  private say(token: number | undefined): void {
    this.below.querySelector(".heat-pointed")?.remove();
    delete this.stage.dataset.described;
    this.stage.removeAttribute("aria-description");
    if (token === undefined || !this.heat) return;
    const word = words.input.patchOf(this.session.opened.labels[token]);
    this.below.querySelector(".heat-title")?.append(h("span", { class: "heat-pointed" }, h("span", label("word"), word), " ", h("b", told(this.heat.from(token)), formatNumber(this.heat.weights[token]))));
    this.stage.dataset.described = this.heat.from(token);
    this.stage.setAttribute("aria-description", `${word} ${formatNumber(this.heat.weights[token])}`);
  }

  private choose(token: number | undefined): void {
    if (token !== undefined) this.host.change({ query: token === this.host.state.query ? -1 : token });
  }

  private key(event: KeyboardEvent): void {
    const step: Record<string, [number, number]> = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const by = step[event.key], press = event.key === "Enter" || event.key === " ";
    if (!by && !press) return;
    event.preventDefault();
    if (this.tool === "look") return this.walk(by);
    const { width, height } = this.shown;
    const [x, y] = this.brush ?? [width / 2, height / 2];
    if (by) this.brush = [Math.min(width - 0.5, Math.max(0.5, x + (by[0] * width) / 28)), Math.min(height - 0.5, Math.max(0.5, y + (by[1] * height) / 28))];
    else {
      this.brush = [x, y];
      this.begin();
      this.sketch!.to(x, y);
      this.sketch!.lift();
      this.sent();
    }
    this.paintOver();
  }

  private walk(by: [number, number] | undefined): void {
    const { first, lines, columns } = this.session.picture!;
    if (!by) return this.choose(this.pointed);
    const at = (this.pointed ?? first) - first;
    const column = Math.min(columns - 1, Math.max(0, (at % columns) + (this.pointed === undefined ? 0 : by[0])));
    const line = Math.min(lines - 1, Math.max(0, Math.floor(at / columns) + (this.pointed === undefined ? 0 : by[1])));
    this.point(first + line * columns + column);
  }
}
