// The blocks of the flow that are closed: strips with a small map of each of their heads, or their numbers.
import { h } from "./dom";
import { Answer } from "./engine";
import { Column, Section, VectorColumn } from "./layout";
import { Built, spread } from "./ribbons";
import { Session } from "./session";
import { mapCanvas, mapOf } from "./small_map";
import { State } from "./state";
import { label } from "./told";
import { said, words } from "./words";

interface StripRoom {
  narrow: boolean;
  body: number;   // the height of the columns beside it
  pitch: number;  // of a token's row
  tile: number;
}

interface StripHost {
  readonly state: State;
  change(change: Partial<State>): void;
}

export class Strips {
  /// `count`: how many rows of tokens stand beside it.
  constructor(private readonly session: Session, private readonly host: StripHost, private readonly count: () => number) {}

  one(section: Section, maps: Answer | undefined, room: StripRoom): Built {
    const small = h("span", { class: "strip-maps", "aria-hidden": true });
    for (const name of section.attentions) {
      const array = maps?.arrays[name];
      if (!array) continue;
      const [heads] = array.shape;
      const size = room.narrow ? 26 : 24;
      const fits = room.narrow ? heads : Math.max(1, Math.floor((room.body - 30) / (size + 4)));
      for (let head = 0; head < Math.min(heads, fits); ++head)
        small.append(mapCanvas(mapOf(maps!, name, head, this.session.lengths(this.session.network.values.get(`${name}.pattern`)!))!, size));
    }
    const title = blockLabel(section.name);
    const button = h("button", { class: "strip", title: words.openBlock(title), "aria-label": words.openBlock(title), onclick: () => this.host.change({ block: section.name, attention: this.host.state.attention ? section.attentions[0] ?? "" : "" }) },
      h("span", { class: "strip-label", ...label("place") }, title), small);
    const element = h("div", { class: "column closed block-strip" }, h("h3", {}), h("div", { class: "column-body" }, button));
    return { element, ports: () => [spread(button, this.count(), room.pitch, room.tile, "plain")] };
  }

  // While attention is open in place: the stages of its block that follow, in one bar.
  rest(section: Section, columns: Column[], room: StripRoom): Built {
    const names = columns.map((each) => (each.kind === "vector" ? said(each.label) : words.attention));
    const bar = h("button", { class: "bar", ...label("text"), title: `${words.closeAttention}: ${names.join(", ")}`, onclick: () => this.host.change({ attention: "" }) }, h("span", {}, columns.filter((each) => each.kind === "vector" && !each.minor).map((each) => said((each as VectorColumn).label)).join(" · ") || names[0]));
    const element = h("div", { class: "column closed role-plain", "data-block": section.name }, h("h3", {}), h("div", { class: "column-body" }, bar));
    return { element, ports: () => [spread(bar, this.count(), room.pitch, room.tile, "plain")] };
  }

  // Of a deep network: the numbers of its blocks.
  many(sections: Section[], room: StripRoom): Built {
    const list = h("nav", { class: "strip many", ...label("place"), "aria-label": blockLabel(sections[0].name) + " - " + blockLabel(sections.at(-1)!.name) },
      ...sections.map((section) => h("button", {
        class: "icon small", title: words.openBlock(blockLabel(section.name)), "aria-label": blockLabel(section.name),
        onclick: () => this.host.change({ block: section.name, attention: this.host.state.attention ? section.attentions[0] ?? "" : "" }),
      }, section.name.split(".").at(-1)!)));
    const element = h("div", { class: "column closed block-strip" }, h("h3", {}), h("div", { class: "column-body" }, list));
    return { element, ports: () => [spread(list, this.count(), room.pitch, room.tile, "plain")] };
  }
}

export function blockLabel(name: string): string {
  const number = name.split(".").at(-1)!;
  const part = name.startsWith("encoder.") ? "Encoder " : name.startsWith("decoder.") ? "Decoder " : "";
  return part + words.block(number);
}
