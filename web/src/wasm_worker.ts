// The engine in a worker of the page's: one call after another, in the order in which they come.
import { unpackLzma } from "./lzma";
import { Call, GivenFile, Numbered, Reply } from "./wasm_calls";
import { Pieces, WasmModule } from "./wasm_module";

let engine: WasmModule | undefined;
let broken = "";

async function unpacked(packed: ArrayBuffer): Promise<ArrayBuffer> {
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// A few megabytes at a time, so that a file is held once, by the engine alone.
async function* slices(file: Blob): AsyncGenerator<Uint8Array> {
  const most = 16 << 20;
  for (let from = 0; from < file.size; from += most) yield new Uint8Array(await file.slice(from, from + most).arrayBuffer());
}

async function piecesOf(given: GivenFile): Promise<Pieces> {
  if (given.file) return { size: given.file.size, pieces: slices(given.file) };
  const bytes = new Uint8Array(await unpacked(given.packed!));
  return { size: bytes.length, pieces: [bytes] };
}

async function start(packed: ArrayBuffer): Promise<void> {
  try {
    engine = await WasmModule.from(await WebAssembly.compile(unpackLzma(new Uint8Array(packed)) as BufferSource));
  } catch (problem) {
    broken = problem instanceof Error ? problem.message : String(problem);
  }
}

async function answered(call: Call): Promise<ArrayBuffer | undefined> {
  if (!engine) throw new Error("the engine has not begun");
  switch (call.call) {
    case "add":
      try {
        for (const file of call.model.files) await engine.giveFile(file.path, await piecesOf(file));
        if (call.model.input) engine.giveInput(call.model.input.name, new Uint8Array(await unpacked(call.model.input.packed)));
      } catch (problem) {
        engine.dropFiles();
        throw problem;
      }
      return engine.addModel(call.model.name, call.model.builtin);
    case "training":
      engine.setTraining(call.title, call.log);
      return undefined;
    case "begin":
      return engine.begin(call.text);
    case "ask":
      return engine.ask(JSON.stringify(call.question));
  }
}

async function reply({ id, call }: Numbered): Promise<void> {
  const out: Reply = { id };
  try {
    if (broken) throw new Error(broken);
    out.answer = await answered(call);
  } catch (problem) {
    out.problem = problem instanceof Error ? problem.message : String(problem);
    // A trap leaves the engine's memory as it stood: nothing that it says from then on can be trusted.
    if (problem instanceof WebAssembly.RuntimeError) broken = out.problem = `the engine stopped (${out.problem}); load the page again`;
  }
  self.postMessage(out, { transfer: out.answer ? [out.answer] : [] });
}

let last = Promise.resolve();
self.onmessage = ({ data }: MessageEvent<Numbered | ArrayBuffer>) => {
  last = last.then(() => (data instanceof ArrayBuffer ? start(data) : reply(data)));
};
