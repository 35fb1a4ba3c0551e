// The tokens at the left of the flow: words, or patches of an image or a series.
import { h } from "./dom";
import { faceOf } from "./face";
import { Session } from "./session";
import { label } from "./told";
import { words } from "./words";

export interface TokenHost {
  swap(place: number): void;
  /// Shows what a patch looks at.
  ask(token: number): void;
  /// A token is pointed at, or none.
  mark(token: number | undefined): void;
}

export interface TokenSpec {
  labels: string[];
  ids: number[];
  from: number;
  count: number;
  pitch: number;
  narrow: boolean;
  written: boolean;       // by the model itself: nothing to swap
  swapped: number[];
  asked: number;          // the patch whose attention is shown
}

/// The list, and its items.
export function tokenList(session: Session, spec: TokenSpec, host: TokenHost): { list: HTMLElement; items: HTMLElement[] } {
  const list = h("ol", { class: "tokens", start: spec.from });
  const items: HTMLElement[] = [];
  for (let t = spec.from; t < spec.from + spec.count; ++t) {
    const button = session.opened.reads === "text" ? wordOf(spec, t, host) : patchOf(session, spec, t, host);
    items.push(button);
    list.append(h("li", { style: spec.narrow ? {} : { height: `${spec.pitch}px` } }, button));
  }
  return { list, items };
}

function classOf({ pitch, narrow }: TokenSpec, edited: boolean): string {
  return `token ${edited ? "edited" : ""} ${pitch < 40 && !narrow ? "flat" : ""}`;
}

function wordOf(spec: TokenSpec, t: number, host: TokenHost): HTMLElement {
  const word = spec.labels[t];
  return h("button", { class: classOf(spec, spec.swapped.includes(t)), title: spec.written ? word : words.swapToken(word), disabled: spec.written, onclick: () => host.swap(t) },
    h("span", { class: "token-word", ...label("word") }, word), h("span", { class: "token-id", ...label("place") }, String(spec.ids[t])));
}

function patchOf(session: Session, spec: TokenSpec, t: number, host: TokenHost): HTMLElement {
  const size = spec.narrow ? 26 : Math.max(12, Math.min(30, spec.pitch - 8));
  return h("button", {
    class: `${classOf(spec, false)} patch-token`, "data-token": t, title: words.input.looksAt(spec.labels[t]), "aria-pressed": String(spec.asked === t), onclick: () => host.ask(t),
    onpointerenter: () => host.mark(t), onpointerleave: () => host.mark(undefined), onfocus: () => host.mark(t), onblur: () => host.mark(undefined),
  }, faceOf(session, t, size) as HTMLElement, h("span", { class: "token-word", ...label("word") }, spec.labels[t]));
}
