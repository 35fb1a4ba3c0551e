// The beginning of a page that is one file: its style and its own script stand in it packed. The engine begins at once, in
// its worker, while the browser reads on.
import { takePayload } from "./payload_bytes";
import { startWorker } from "./wasm_calls";

async function unpacked(id: string): Promise<string> {
  const packed = new Blob([takePayload(id) as BlobPart]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function add(name: "script" | "style", text: string): void {
  const element = document.createElement(name);
  element.textContent = text;
  (name === "style" ? document.head : document.body).append(element);  // the page replaces its body
}

function workerAddress(): string {
  return URL.createObjectURL(new Blob([document.getElementById("limpid-worker")!.textContent!], { type: "text/javascript" }));
}

async function begin(): Promise<void> {
  Object.assign(window, { limpidEngine: startWorker(workerAddress(), takePayload("limpid-wasm").slice().buffer) });
  add("style", await unpacked("limpid-packed-style"));
  add("script", await unpacked("limpid-packed-page"));
}

begin().catch((problem: Error) => document.body.append(problem.message));
