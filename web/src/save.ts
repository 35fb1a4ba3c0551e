// A view as a file: the figure that shows the same, drawn by the engine.
import { h } from "./dom";
import { look } from "./grid";
import { Session } from "./session";
import { State } from "./state";

export async function saveFigure(session: Session, state: State, format: string): Promise<void> {
  const layer = Number(/(\d+)$/.exec(state.block)?.[1] ?? 0);
  const figure = state.view === "flow" ? (state.attention ? "matrices" : "network") : state.view === "map" ? "head" : state.view === "heads" ? "heads" : state.view === "training" ? "training" : "attention-on-text";
  const where = figure === "matrices" || figure === "head" ? { layer, head: state.head } : {};
  const { json, arrays } = await session.ask({ ask: "figure", figure, format, theme: look.theme, ...where });
  const address = URL.createObjectURL(new Blob([new Uint8Array(arrays.file.data as Uint8Array)], { type: json.media }));
  h("a", { href: address, download: json.name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
