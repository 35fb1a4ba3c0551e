// The engine of the page under Node: limpid.wasm with the page's own loader (src/wasm_module.ts).
//
// LIMPID_WASM names another module than web/dist's: a .wasm file, or one packed by LZMA.
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);

async function loader() {
  const { outputFiles } = await build({
    entryPoints: [new URL("../src/wasm_module.ts", here).pathname, new URL("../src/engine.ts", here).pathname, new URL("../src/lzma.ts", here).pathname],
    bundle: true, format: "esm", write: false, outdir: "/unused", target: "es2022",
  });
  const all = {};
  for (const { text } of outputFiles) Object.assign(all, await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`));
  return all;
}

export const { WasmModule, readAnswer, unpackLzma } = await loader();

function unpacked(path) {
  const bytes = readFileSync(path);
  return bytes[0] === 0 ? bytes : unpackLzma(new Uint8Array(bytes));
}

let compiled;
export async function newModule() {
  compiled ??= await WebAssembly.compile(unpacked(process.env.LIMPID_WASM || new URL("../dist/limpid.wasm.lzma", here).pathname));
  return WasmModule.from(compiled);
}

export const builtinFile = new URL("../../src/model/builtin.safetensors", here).pathname;

/// A file as the page hands it over.
export function fileOf(path) {
  const bytes = readFileSync(path);
  return { size: bytes.length, pieces: [bytes] };
}

/// The built-in model with a text, as the single page begins.
export async function builtinEngine(text) {
  const engine = await newModule();
  await engine.giveFile("", fileOf(builtinFile));
  readAnswer(engine.addModel("built-in", true));
  readAnswer(engine.begin(text));
  return engine;
}
