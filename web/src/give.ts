// A model given to the page: dropped anywhere on it, or chosen by the button.
import { h } from "./dom";
import { filesOf, modelOf } from "./given_files";
import { GivenModel } from "./wasm_calls";
import { currentLanguage } from "./words";

const table = {
  en: {
    open: "Open a model …", drop: "Drop a model: a .gguf or .safetensors file, or a folder with its config.json; or a stored trace",
    stays: "It is read in this page; nothing is sent anywhere.", loading: (name: string) => `Reading ${name} …`,
  },
  de: {
    open: "Modell öffnen …", drop: "Modell hier ablegen: eine .gguf- oder .safetensors-Datei oder einen Ordner mit config.json; oder einen gespeicherten Lauf",
    stays: "Es wird in dieser Seite gelesen; nichts wird gesendet.", loading: (name: string) => `${name} wird gelesen …`,
  },
};
const words = () => table[currentLanguage()];

/// The button, and a page on which files can be dropped from now on; `open` shows its own errors.
export class GiveModel {
  private readonly cover = h("div", { class: "give-cover", hidden: true, role: "status" });

  /// `picture` takes a file that is none of a model's, and says whether it did.
  constructor(private readonly open: (given: () => GivenModel | Promise<GivenModel>) => Promise<void>, picture: (file: File) => boolean) {
    const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      this.show(words().drop, words().stays);
    });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) this.cover.hidden = true; });
    addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      const { files: [first], items } = event.dataTransfer!;
      if (first && items.length === 1 && picture(first)) return void (this.cover.hidden = true);
      const found = filesOf(event.dataTransfer!);  // before the event ends: nothing can be read of it later
      void this.take(async () => modelOf(await found));
    });
  }

  button(): HTMLElement {
    const input = h("input", { type: "file", multiple: true, hidden: true, onchange: () => {
      const found = [...input.files!].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
      input.value = "";
      if (found.length) void this.take(() => modelOf(found));
    } });
    return h("span", { class: "give" }, input, h("button", { class: "link", title: words().stays, onclick: () => input.click() }, words().open));
  }

  private async take(given: () => GivenModel | Promise<GivenModel>): Promise<void> {
    this.cover.hidden = true;
    await this.open(async () => {
      const model = await given();
      this.show(words().loading(model.name), words().stays);
      return model;
    });
    this.cover.hidden = true;
  }

  private show(...lines: string[]): void {
    if (!this.cover.isConnected) document.body.append(this.cover);
    this.cover.replaceChildren(...lines.map((line) => h("p", {}, line)));
    this.cover.hidden = false;
  }
}
