// The beginning of a page that is one file: its own script and the worker's stand in it packed.
import { takePayload } from "./payload_bytes";

async function script(id: string): Promise<string> {
  const packed = new Blob([takePayload(id) as BlobPart]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function add(text: string, attributes: Record<string, string>): void {
  const element = document.createElement("script");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  document.body.append(element);
}

async function begin(): Promise<void> {
  add(await script("limpid-packed-worker"), { type: "text/plain", id: "limpid-worker" });
  add(await script("limpid-packed-page"), {});
}

begin().catch((problem: Error) => document.body.append(problem.message));
