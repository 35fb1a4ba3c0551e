// What a page that is one file carries (limpid explore --html): bytes in script elements that no browser runs.
//
// The file is windows-1252, in which every byte but a few is a character of its own: 256 bytes take 260. "=" stands before
// a byte that a parser of HTML would change or look at (NUL, CR, "<", "=" itself), which is then 64 more.
import { GivenFile, GivenModel } from "./wasm_calls";

// What windows-1252 makes of the bytes 0x80 to 0x9f.
const high = "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
const byteOf = new Map([...high].map((character, i) => [character.charCodeAt(0), 0x80 + i]));

export function payloadBytes(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  let size = 0, shift = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i), byte = code < 256 && (code < 0x80 || code > 0x9f) ? code : byteOf.get(code) ?? -1;
    if (byte < 0) throw new Error("this file was served or saved in another encoding than windows-1252: get it again as it was written");
    if (byte === 0x3d && !shift) {
      shift = 64;
      continue;
    }
    out[size++] = (byte - shift) & 255;
    shift = 0;
  }
  return out.subarray(0, size);
}

interface CarriedModel {
  name: string;
  builtin: boolean;
  files: { path: string; element: string }[];
}

/// What is open when the page begins.
export interface CarriedRun {
  models: CarriedModel[];
  text: string;
  edits: string[];
  training?: { title: string; log: string };
}

const element = (id: string) => document.getElementById(id);
const bytes = (id: string): ArrayBuffer => {
  const text = element(id)!.textContent!;
  element(id)!.remove();  // it is held once
  return payloadBytes(text).slice().buffer;
};

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
  return { name: model.name, builtin: model.builtin, files };
}
