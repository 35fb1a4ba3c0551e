// A served page and a browser for one test file, and how numbers of the page are compared with the command's.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chromium } from "playwright-core";

export const limpid = process.env.LIMPID;

export async function served(...args) {
  const server = spawn(limpid, ["explore", "--no-open", ...args]);
  const address = await new Promise((found, failed) => {
    server.stdout.on("data", (bytes) => { const at = /http:\S+/.exec(String(bytes)); if (at) found(at[0]); });
    server.on("exit", (status) => failed(new Error(`limpid explore ended with ${status}`)));
  });
  return { address, stop: () => server.kill("SIGINT") };
}

export function launched() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/// A page that keeps what went wrong in it.
export async function opened(browser, address, problems, options = {}) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-US", ...options })).newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(address);
  return page;
}

export function json(...args) {
  return JSON.parse(execFileSync(limpid, [...args, "--json"], { maxBuffer: 1 << 28 }));
}

/// The page's own writing of a number, undone.
export const read = (text) => (text.includes("∞") ? (text.includes("−") ? -Infinity : Infinity) : Number(text.replaceAll("−", "-")));

export function assertShown(text, value, what) {
  const digits = text.includes("e") ? Math.abs(value) * 0.06 : 0.5 * 10 ** -(text.split(".")[1] ?? "").length;
  assert.ok(Math.abs(read(text) - value) <= digits * 1.001 + 1e-12, `${what}: the page says ${text}, the command ${value}`);
}

/// The numbers with digits after the point that stand in a sentence.
export const numbersIn = (text) => text.match(/−?\d+\.\d+(e[−+]?\d+)?/g) ?? [];
