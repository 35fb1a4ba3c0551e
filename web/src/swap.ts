// Another token at a place of the text: the ones that the model expected there, or any by its id.
import { integers, reals } from "./engine";
import { h } from "./dom";
import { formatNumber } from "./format";
import { Session } from "./session";
import { cellName, label, told } from "./told";
import { words } from "./words";

export async function openSwap(session: Session, place: number, take: (id: number) => void): Promise<void> {
  const { sourceLabels, labels } = session.opened;
  const swapped = (sourceLabels ?? labels)[place];
  const dialog = h("dialog", { class: "swap", "aria-label": words.swapTitle(swapped), onclose: () => dialog.remove(),
    onclick: (event: MouseEvent) => event.target === dialog && dialog.close() });
  const chosen = (id: number) => { dialog.close(); take(id); };
  const list = h("ol", { class: "swap-list" });
  const hint = h("p", { class: "hint", ...label("text") }, sourceLabels ? words.swapSource : place > 0 ? words.swapHint : words.swapFirst);
  if (place > 0 && !sourceLabels) {
    try {
      const { json, arrays } = await session.ask({ ask: "next", position: place - 1, count: 8 });
      const ids = integers(arrays.ids), probabilities = reals(arrays.probabilities);
      json.labels.forEach((word: string, i: number) => list.append(h("li", {},
        h("button", { class: "swap-choice", disabled: ids[i] === session.opened.ids[place], onclick: () => chosen(ids[i]) },
          h("span", { class: "next-word", ...label("word") }, word), h("span", { class: "number", ...told(cellName({ name: "probs", index: [0, place - 1, ids[i]] })) }, formatNumber(probabilities[i]))))));
    } catch {
      hint.textContent = words.swapFirst;
    }
  }
  const input = h("input", { type: "number", min: 0, max: session.opened.model.vocabulary - 1, required: true, "aria-label": words.swapId, placeholder: words.swapId });
  const form = h("form", { onsubmit: (event: Event) => { event.preventDefault(); chosen(Number(input.value)); } }, input, h("button", { class: "button" }, words.swapDo));
  dialog.append(h("header", {}, h("h2", label("word"), words.swapTitle(swapped)), h("button", { class: "icon", "aria-label": words.close, onclick: () => dialog.close() }, "×")), hint, list, form);
  document.body.append(dialog);
  dialog.showModal();
}
