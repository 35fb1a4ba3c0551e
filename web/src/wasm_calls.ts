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

/// A worker whose first message is the engine, limpid.wasm packed by LZMA: it answers nothing before that runs.
export interface StartedWorker {
  worker: Worker;
  problem: string;  // why it does not run
}

/// `address`: of the worker's script.
export function startWorker(address: string, engine: ArrayBuffer): StartedWorker {
  const started = { worker: new Worker(address), problem: "" };
  started.worker.onerror = (event) => { started.problem = event.message || "the engine cannot be begun"; };
  started.worker.postMessage(engine, [engine]);
  return started;
}

export type Call =
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
