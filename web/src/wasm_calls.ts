// What the page and its worker say to each other.

/// A file of a model: what the page was given, or bytes, packed by gzip.
export interface GivenFile {
  path: string;  // in its folder; "": the model is this file
  file?: Blob;
  packed?: ArrayBuffer;
}

export interface GivenModel {
  name: string;
  builtin?: boolean;
  input?: { name: string; packed: ArrayBuffer };  // the image or the series that it begins with, f32
  files: GivenFile[];
}

export type Call =
  | { call: "start"; engine: ArrayBuffer }  // limpid.wasm, packed by LZMA
  | { call: "add"; model: GivenModel }
  | { call: "training"; title: string; log: string }
  | { call: "begin"; text: string }
  | { call: "ask"; question: unknown };

export interface Numbered {
  id: number;
  call: Call;
}

/// The bytes of an answer of docs/explore-protocol.md; or what went wrong before the engine could say one.
export interface Reply {
  id: number;
  answer?: ArrayBuffer;
  problem?: string;
}
