// What the browser tests share: the served page in Chromium.
//
//   LIMPID=build/dev/limpid CHROMIUM=/usr/bin/chromium node --test web/tests/
//
// PAGE=web/dist takes the page from that folder, so that a page is tried without building the program again.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const limpid = process.env.LIMPID;

/// `limpid explore` with these arguments: its address, and how it ends.
export async function serve(...args) {
  const server = spawn(limpid, ["explore", "--no-open", ...args]);
  let said = "";
  server.stderr.on("data", (bytes) => { said += bytes; });
  const address = await new Promise((found, failed) => {
    server.stdout.on("data", (bytes) => { const at = /http:\S+/.exec(String(bytes)); if (at) found(at[0]); });
    server.on("exit", (status) => failed(new Error(`limpid explore ended with ${status}: ${said}`)));
  });
  const front = process.env.PAGE && (await inFront(address, process.env.PAGE));
  return { address: front?.address ?? address, asked: address, pid: server.pid, end: () => { front?.end(); server.kill("SIGINT"); } };
}

// The files of a folder in place of the program's own; all else is asked of the program.
async function inFront(behind, folder) {
  const { pathname } = new URL(behind);
  const front = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = await fetch(new URL(request.url, behind), { method: request.method, headers: { "Content-Type": request.headers["content-type"] ?? "text/plain" },
      body: request.method === "POST" ? Buffer.concat(chunks) : undefined });
    const file = join(folder, request.url === pathname ? "index.html" : request.url.slice(pathname.length));
    const own = request.method === "GET" && existsSync(file);
    const kept = ["content-type", "content-security-policy"].map((name) => [name, answer.headers.get(name)]).filter(([, value]) => value);
    response.writeHead(answer.status, Object.fromEntries(kept));
    response.end(own ? readFileSync(file) : Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise((done) => front.listen(0, "127.0.0.1", done));
  return { address: `http://127.0.0.1:${front.address().port}${pathname}`, end: () => front.close() };
}

export function launch(...more) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more],
  });
}

/// A page of its own window, open at the address; what goes wrong in it is told to `problems`; `prepare` runs in it first.
export async function pageAt(browser, address, problems, { prepare, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-US", ...options });
  if (prepare) await context.addInitScript(prepare);
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  const asking = (page.asking = { open: 0, last: Date.now() });
  page.on("request", () => { asking.open++; asking.last = Date.now(); });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, () => { asking.open--; asking.last = Date.now(); });
  await page.goto(address);
  return page;
}

/// Waits until nothing has been asked for a while, and what was asked is drawn.
export async function settled(page, quiet = 200) {
  const { asking } = page;
  const end = Date.now() + 60000;
  while (asking.open > 0 || Date.now() - asking.last < quiet) {
    if (Date.now() > end) throw new Error("the page asks without end");
    await new Promise((done) => setTimeout(done, 20));
  }
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
}

/// A question of docs/explore-protocol.md: the answer's JSON, and its arrays as lists of numbers.
export async function ask(address, question) {
  const response = await fetch(new URL("ask", address), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) });
  return answerOf(await response.arrayBuffer());
}

/// For pageAt's `prepare`: the page's workers are kept where askInPage finds them.
export function keepWorkers() {
  const Own = globalThis.Worker;
  globalThis.ownWorkers = [];
  globalThis.Worker = class extends Own {
    constructor(...given) {
      super(...given);
      globalThis.ownWorkers.push(this);
    }
  };
}

/// The same question to the engine that runs in the page, beside the page's own questions (web/src/wasm_calls.ts).
export async function askInPage(page, question) {
  const bytes = await page.evaluate((question) => new Promise((found, failed) => {
    const worker = globalThis.ownWorkers.at(-1), id = `asked ${Math.random()}`;
    if (!worker) return failed(new Error("no engine runs in the page"));
    worker.addEventListener("message", ({ data }) => {
      if (data.id !== id) return;
      if (data.problem !== undefined) return failed(new Error(data.problem));
      const reader = new FileReader();  // as text, 64 MB in one piece
      reader.onload = () => found(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.readAsDataURL(new Blob([data.answer]));
    });
    worker.postMessage({ id, call: { call: "ask", question } });
  }), question);
  const buffer = Buffer.from(bytes, "base64");
  return answerOf(buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength));
}

/// Drags files and folders onto the middle of the page as the mouse does, and lets go (unless told not to) once the page says what it takes.
export async function dragOnto(page, paths, { lets = true } = {}) {
  const client = await page.context().newCDPSession(page);
  const { width, height } = page.viewportSize();
  const drag = (type) => client.send("Input.dispatchDragEvent", { type, x: width / 2, y: height / 2, data: { items: [], files: paths, dragOperationsMask: 1 } });
  await drag("dragEnter");
  for (const end = Date.now() + 20000; !(await page.locator(".give-cover:visible").count());) {
    if (Date.now() > end) throw new Error("the page does not say that files can be dropped on it");
    await drag("dragOver");  // a mouse says so again and again
  }
  if (lets) await drag("drop");
  await client.detach();
}

function answerOf(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  if (json.error) throw new Error(json.error.message);
  const types = { f64: Float64Array, f32: Float32Array, i64: BigInt64Array, i32: Int32Array, u8: Uint8Array };
  const arrays = {};
  for (const [name, { dtype, shape, offset }] of Object.entries(json.arrays ?? {}))
    arrays[name] = Array.from(new types[dtype](buffer, 8 + length + offset, shape.reduce((all, each) => all * each, 1)), Number);
  return { json, arrays };
}

/// One of the page's own modules that needs no browser, for the tests.
export async function ownModule(name) {
  const { transform } = await import("esbuild");
  const { code } = await transform(readFileSync(new URL(`../src/${name}.ts`, import.meta.url), "utf8"), { loader: "ts", format: "esm" });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}

/// The file goes into the page as a drop does: by an event that carries it.
export async function drop(page, path) {
  await page.evaluate(() => { const input = document.createElement("input"); input.type = "file"; input.id = "dropped"; input.hidden = true; document.body.append(input); });
  await page.setInputFiles("#dropped", path);
  await page.evaluate(() => {
    const given = new DataTransfer(), input = document.getElementById("dropped");
    given.items.add(input.files[0]);
    input.remove();
    dispatchEvent(new DragEvent("drop", { dataTransfer: given, cancelable: true }));
  });
}
