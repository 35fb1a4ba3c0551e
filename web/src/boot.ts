// The beginning of a page that is one file: its style and its own script stand in it packed.
import { takePayload } from "./payload_bytes";

async function unpacked(id: string): Promise<string> {
  const packed = new Blob([takePayload(id) as BlobPart]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function add(name: "script" | "style", text: string): void {
  const element = document.createElement(name);
  element.textContent = text;
  (name === "style" ? document.head : document.body).append(element);  // the page replaces its body
}

async function begin(): Promise<void> {
  add("style", await unpacked("limpid-packed-style"));
  add("script", await unpacked("limpid-packed-page"));
}

begin().catch((problem: Error) => document.body.append(problem.message));
