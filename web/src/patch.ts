// Numbers of another text in the place of this one's: which value, at which token, from where.
import { h } from "./dom";
import { CellRef } from "./grid";
import { Session, Value } from "./session";
import { label } from "./told";
import { words } from "./words";

/// An edit of docs/explore-protocol.md.
export interface Patch {
  patch: string;
  where: Record<string, number>;
  text: string;
  at: Record<string, number>;
}

export function isPatch(edit: unknown): edit is Patch {
  return typeof edit === "object" && edit !== null && "patch" in edit;
}

/// Whether a value can be patched at a token: a stage computes it, a row for each token.
export function canPatch(session: Session, name: string): boolean {
  const value = session.network.values.get(name);
  return !!value && value.kind === "stage" && value.axes.includes("T") && !value.axes.includes("S") && session.opened.labels.length > 0;
}

/// What a patch does, in words.
export function wordsOfPatch({ patch, where, text, at }: Patch, session: Session): string {
  const head = where.H === undefined ? "" : `, ${words.headNumber(where.H)}`;
  return words.patched(`${patch}${head}`, session.word("T", where.T, patch) ?? String(where.T), text, at.T);
}

/// The values that edits change, by their names.
export function editedNames(session: Session): Set<string> {
  return new Set(session.opened.edited.map((edit) => (isPatch(edit) ? edit.patch : String(edit).replace(/[[=].*$/, ""))));
}

export function openPatch(session: Session, cell: CellRef, take: (edit: Patch) => void): void {
  const value = session.network.values.get(cell.name)!;
  const place = (axis: string) => cell.index[value.axes.indexOf(axis)];
  const names = [...session.network.values.values()].filter((each) => canPatch(session, each.name)).map((each) => each.name);
  const choice = (title: string, items: [string, number | string][], now: number | string) =>
    h("select", { "aria-label": title }, ...items.map(([text, item]) => h("option", { value: item, selected: item === now, ...label("word") }, text)));
  const field = (title: string, input: HTMLElement) => h("label", { class: "patch-field" }, h("span", {}, title), input);

  const text = h("input", { type: "text", required: true, "aria-label": words.patchText, autocomplete: "off", spellcheck: false });
  const stage = choice(words.patchStage, names.map((name) => [name, name]), cell.name);
  const tokens = h("span", {});
  // Of an encoder-decoder: of what it reads, or of what it writes.
  const offerTokens = (of: Value) => {
    const all = session.labelsOf(of.name, "T"), now = Math.min(Number(tokens.querySelector("select")?.value ?? place("T")), all.length - 1);
    tokens.replaceChildren(field(words.patchPlace, choice(words.patchPlace, all.map((word, i) => [`${i} ${word}`, i]), now)));
  };
  const from = h("input", { type: "number", min: 0, required: true, value: place("T"), "aria-label": words.patchFrom });
  const heads = h("span", {});
  const offerHeads = (of: Value) => {
    const at = of.axes.indexOf("H");
    const all: [string, number | string][] = at < 0 ? [] : [[words.patchAllHeads, ""], ...Array.from({ length: of.sizes[at] }, (_, i): [string, number] => [words.headNumber(i), i])];
    heads.replaceChildren(...(all.length ? [field(words.head, choice(words.head, all, of === value ? place("H") : ""))] : []));
  };
  const offer = (of: Value) => { offerTokens(of); offerHeads(of); };
  offer(value);
  stage.onchange = () => offer(session.network.values.get(stage.value)!);

  const dialog = h("dialog", { class: "swap patch", "aria-label": words.patchTitle, onclose: () => dialog.remove(), onclick: (event: MouseEvent) => event.target === dialog && dialog.close() },
    h("header", {}, h("h2", {}, words.patchTitle), h("button", { class: "icon", type: "button", "aria-label": words.close, onclick: () => dialog.close() }, "×")),
    h("p", { class: "hint", ...label("text") }, words.patchHint),
    h("form", { onsubmit: (event: Event) => {
      event.preventDefault();
      const head = heads.querySelector("select")?.value;
      const others: Record<string, number> = head ? { H: Number(head) } : {};
      dialog.close();
      take({ at: { ...others, T: Number(from.value) }, patch: stage.value, text: text.value, where: { ...others, T: Number(tokens.querySelector("select")!.value) } });
    } },
      field(words.patchText, text), field(words.patchStage, stage), heads, tokens, field(words.patchFrom, from),
      h("button", { class: "button main" }, words.patchDo)));
  document.body.append(dialog);
  dialog.showModal();
  text.focus();
}
