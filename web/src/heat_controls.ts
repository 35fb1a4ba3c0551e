// Whose attention lies over an image or a series, and its scale: the same beside both.
import { h } from "./dom";
import { formatNumber } from "./format";
import { blockLabel } from "./flow_strips";
import { Heat } from "./heat";
import { look } from "./grid";
import { paints } from "./palette";
import { Session } from "./session";
import { State } from "./state";
import { label, told } from "./told";
import { words } from "./words";

export interface HeatHost {
  state: State;
  change(change: Partial<State>): void;
}

/// Over all layers, of the head that is open, or off.
export function heatChoice(host: HeatHost): HTMLElement {
  const now = host.state.heat;
  return h("div", { class: "choice heat-choice", role: "group", "aria-label": words.input.heat }, h("span", {},
    ...["all", "head", "off"].map((heat) => h("button", { "aria-pressed": String(heat === now), "data-heat": heat, title: words.input.heatTitles[heat], onclick: () => host.change({ heat }) }, words.input.heats[heat]))));
}

/// "What the prediction looks at", or a query of the reader's, and the way back.
export function heatTitle(session: Session, host: HeatHost, heat: Heat): HTMLElement {
  const { query } = host.state;
  const own = query >= 0 && query < session.opened.labels.length;
  const of = heat.attention ? `${blockLabel(heat.attention.id.replace(/\.[^.]*$/, ""))}, ${words.headNumber(heat.head)}` : "";
  return h("p", { class: "heat-title" },
    h("b", label("word"), own ? words.input.ofQuery(session.opened.labels[query]) : words.input.ofPrediction),
    own && h("button", { class: "icon small", title: words.input.backToPrediction, "aria-label": words.input.backToPrediction, onclick: () => host.change({ query: -1 }) }, "×"),
    of && h("span", { class: "heat-of", ...label("place") }, of));
}

/// The least and the largest weight of a patch, the colours between them, and what lies on no patch.
export function heatScale(session: Session, heat: Heat, first: number): HTMLElement {
  const deep = session.series ? "color-mix(in srgb, var(--weights) 75%, transparent)" : `color-mix(in srgb, ${paints.weights[0]} 75%, ${look.theme === "dark" ? "#000" : "#fff"})`;
  const number = (place: number) => h("span", told(heat.from(place)), formatNumber(heat.weights[place]));
  const before = Array.from({ length: first }, (_, place) => h("span", { class: "heat-before" }, h("span", label("word"), words.input.on(session.opened.labels[place])), " ", number(place)));
  return h("p", { class: "heat-scale" }, number(heat.least), h("i", { style: { background: `linear-gradient(to right, transparent, ${deep})` } }), number(heat.most), ...before);
}
