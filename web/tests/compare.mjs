// How numbers of the page are compared with the command's.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { limpid } from "./browser.mjs";

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
