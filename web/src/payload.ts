// What a page that is one file carries (limpid explore --html): bytes in script elements that no browser runs.
import { takePayload } from "./payload_bytes";
import { GivenFile, GivenModel } from "./wasm_calls";

interface CarriedModel {
  name: string;
  builtin: boolean;
  files: { path: string; element: string }[];
  input?: { name: string; element: string };
}

/// What is open when the page begins.
export interface CarriedRun {
  models: CarriedModel[];
  text: string;
  edits: string[];
  training?: { title: string; log: string };
}

const element = (id: string) => document.getElementById(id);
const bytes = (id: string) => takePayload(id).slice().buffer;

/// Nothing: the page is served.
export function carriedRun(): CarriedRun | undefined {
  const run = element("limpid-run");
  return run ? JSON.parse(run.textContent!) : undefined;
}
export function carriedEngine(): { worker: string; engine: ArrayBuffer } {
  const worker = URL.createObjectURL(new Blob([element("limpid-worker")!.textContent!], { type: "text/javascript" }));
  return { worker, engine: bytes("limpid-wasm") };
}
export function carriedModel(model: CarriedModel): GivenModel {
  const files = model.files.map(({ path, element }): GivenFile => ({ path, packed: bytes(element) }));
  const input = model.input && { name: model.input.name, packed: bytes(model.input.element) };
  return { name: model.name, builtin: model.builtin, files, input };
}
