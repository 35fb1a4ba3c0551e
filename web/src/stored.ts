// A stored run: what it holds is shown, what it does not hold is said, and what asks its network is not offered.
import { h } from "./dom";
import { Column, isSquare } from "./layout";
import { Built, spread } from "./ribbons";
import { Session, Value } from "./session";
import { View } from "./state";
import { label } from "./told";
import { currentLanguage, said, words } from "./words";

const table = {
  en: {
    run: (file: string) => `${file} is a stored run: what you see are its own numbers, and it stays as it is. To change it, give the model that ran: limpid explore ${file} --model MODEL, or open the model here.`,
    none: "not stored", rows: "only some rows stored", streamed: "only a summary of its rows stored", summary: "only a summary stored",
  },
  de: {
    run: (file: string) => `${file} ist ein gespeicherter Lauf: zu sehen sind seine eigenen Zahlen, und er bleibt, wie er ist. Um ihn zu ändern, braucht es sein Modell: limpid explore ${file} --model MODELL, oder hier das Modell öffnen.`,
    none: "nicht gespeichert", rows: "nur einige Zeilen gespeichert", streamed: "nur eine Zusammenfassung der Zeilen gespeichert", summary: "nur eine Zusammenfassung gespeichert",
  },
};

/// How a stored run holds a value (docs/explore-protocol.md); a run that is computed holds all of it.
export function isHeld(value: Value): boolean {
  return value.held === undefined || value.held === "whole";
}

export function isReadOnly(session: Session): boolean {
  return session.opened.stored !== undefined;
}

/// Why the sentence cannot be changed; nothing where it can.
export function storedNote(session: Session): HTMLElement | "" {
  const { stored } = session.opened;
  return stored === undefined ? "" : h("p", { class: "hint stored-note", ...label("text") }, table[currentLanguage()].run(stored));
}

/// What stands in the place of a value that is not there.
export function gap(value: Value): HTMLElement {
  return h("p", { class: "not-held", ...label("text") }, table[currentLanguage()][value.held as "none"]);
}

/// A column of values that the stored run does not hold; nothing where it holds them.
export function gapOf(session: Session, column: Column, bands: number, room: { pitch: number; tile: number }): Built | undefined {
  const values = column.kind === "vector" ? [column.value] : column.kind === "triple" ? column.parts.map(({ value }) => value) : [column.pattern];
  const missing = values.find((value) => !isHeld(value));
  if (!missing) return undefined;
  const stage = session.network.stages.find((each) => each.name === missing.stage);
  const name = column.kind === "attention" ? words.attention : column.kind === "triple" ? words.queries : said(stage?.label ?? missing.name);
  const body = h("div", { class: "bar not-held", title: missing.name }, h("span", label("text"), `${name}: ${table[currentLanguage()][missing.held as "none"]}`));
  const element = h("div", { class: "column closed gap role-plain" }, h("h3", {}), h("div", { class: "column-body" }, body));
  return { element, ports: () => [spread(body, bands, room.pitch, room.tile, "plain")] };
}

/// Of a stored run the views for which it holds what they show.
export function showsView(session: Session, view: View): boolean {
  const { asks, stored } = session.opened;
  const needs: Partial<Record<View, string>> = { why: "lens", quiz: "quiz", heads: "heads", map: "tile" };
  if (needs[view] && !asks.includes(needs[view])) return false;
  if (stored === undefined) return true;
  const values = [...session.network.values.values()].filter(({ kind }) => kind === "stage");
  if (view === "lesson" || view === "quiz") return values.every(isHeld);
  const weights = values.filter((value) => isSquare(value) && value.name.endsWith(".pattern"));
  if (view === "heads" || view === "map") return weights.some((value) => isHeld(value) || value.held === "streamed");
  return true;
}
