// What a page that is one file carries (limpid explore --html): bytes in script elements that no browser runs.
import { readAnswer } from "./engine";
import { takePayload } from "./payload_bytes";
import { GivenFile, GivenModel, StartedWorker, startWorker } from "./wasm_calls";

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

/// What the page has yet to take: it stays in the document.
export function unreadPayloads(): Element[] {
  return [...document.querySelectorAll("body > script[id^='limpid-']")];
}

const element = (id: string) => document.getElementById(id);
const bytes = (id: string) => takePayload(id).slice().buffer;

/// Nothing: the page is served.
export function carriedRun(): CarriedRun | undefined {
  const run = element("limpid-run");
  return run ? JSON.parse(run.textContent!) : undefined;
}
/// The engine that it carries, begun in its worker.
export function carriedEngine(): StartedWorker {
  const address = URL.createObjectURL(new Blob([element("limpid-worker")!.textContent!], { type: "text/javascript" }));
  return startWorker(address, bytes("limpid-wasm"));
}
/// What the page's first view asks, answered when the file was written: by the questions, as the page writes them. The page
/// shows it before its own engine begins.
export async function carriedAnswers(): Promise<Map<string, ArrayBuffer>> {
  if (!element("limpid-first-view")) return new Map();
  const packed = new Blob([bytes("limpid-first-view")]).stream().pipeThrough(new DecompressionStream("gzip"));
  const { json, arrays } = readAnswer(await new Response(packed).arrayBuffer());
  return new Map(json.questions.map((question: string, i: number) => [question, (arrays[i].data as Uint8Array).slice().buffer]));
}
/// The page begins while the browser still reads the models behind it.
export async function carriedModel(model: CarriedModel): Promise<GivenModel> {
  if (document.readyState === "loading") await new Promise((read) => document.addEventListener("DOMContentLoaded", read));
  const files = model.files.map(({ path, element }): GivenFile => ({ path, packed: bytes(element) }));
  const input = model.input && { name: model.input.name, packed: bytes(model.input.element) };
  return { name: model.name, builtin: model.builtin, files, input };
}
