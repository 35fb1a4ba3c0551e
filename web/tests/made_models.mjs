// Tiny models of images and of series, trained here in a second, and the files that they read.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { limpid } from "./browser.mjs";

export const place = mkdtempSync(join(tmpdir(), "limpid-made-"));

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]), out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(sumOf(body), body.length + 4);
  return out;
}
function sumOf(bytes) {
  if (crc32) return crc32(bytes);
  let sum = ~0;
  for (const byte of bytes) { sum ^= byte; for (let i = 0; i < 8; ++i) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0); }
  return ~sum >>> 0;
}

/// A PNG of pixels by line, column and channel (one or three); its path.
export function png(name, pixels) {
  const [height, width, channels] = [pixels.length, pixels[0].length, pixels[0][0].length];
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, channels === 3 ? 2 : 0, 0, 0, 0], 8);
  const lines = Buffer.concat(pixels.map((line) => Buffer.from([0, ...line.flat()])));
  const file = join(place, name);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk("IHDR", head), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]));
  return file;
}

/// Pixels of an image, from what each channel holds at a line and a column.
export function image(height, width, channels, of) {
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => Array.from({ length: channels }, (_, k) => of(y, x, k))));
}

function trained(task, settings) {
  const recipe = join(place, `${task}.json`);
  const blocks = [{ norm: { kind: "layer" }, attention: { heads: 2, width: 8, out_width: 16 }, feed_forward: { width: 32 } }];
  const { network, ...others } = settings;
  writeFileSync(recipe, JSON.stringify({
    title: task, task, steps: 48, batch: 4, context: 24, epoch: 8, learning_rate: 5e-3, warm_up: 2, seed: 3, ...others,
    network: { network: "parts", family: "small", each: "patch", inputs: { width: 16 }, stack: { layers: 2, blocks }, ...network },
  }));
  const folder = mkdtempSync(join(place, task));
  execFileSync(limpid, ["train", recipe, "-o", folder], { stdio: ["ignore", "ignore", "inherit"], cwd: place });
  return join(folder, "model.safetensors");
}

/// Reads 16 by 16 pixels in squares of 4 and tells a bright left half from a bright right one.
export function imageModel(channels = 1, pool = "first") {
  for (const label of ["left", "right"])
    for (let i = 0; i < 8; ++i) png(`photos${channels}/${label}/${i}.png`, image(16, 16, channels, (y, x, k) => ((x < 8) === (label === "left") ? 190 + i * 7 + k : 12 + (y * x) % 30)));
  return trained("images", { steps: pool === "first" ? 160 : 40, data: { training: `photos${channels}` }, network: {
    patches: { height: 16, width: 16, size: 4, channels, tokens: pool === "first" ? ["cls_token"] : [] }, head: { kind: "classes", pool, label_smoothing: 0.3 } } });
}

/// Reads 16 hours of two columns and foretells four; beside it the table.
export function seriesModel() {
  const rows = Array.from({ length: 90 }, (_, i) => [10 + (i % 7), 100 + 5 * (i % 4)]);
  const table = join(place, "hours.csv");
  writeFileSync(table, "date,load,heat\n" + rows.map((row, i) => `hour ${String(i).padStart(3, "0")},${row.join()}\n`).join(""));
  const model = trained("forecast", { data: { training: "hours.csv" }, forecast: { look_back: 16, horizon: 4 }, network: { series: { size: 4, stride: 2 }, head: { kind: "forecast", flat: true } } });
  return { model, table, read: rows.slice(-16) };
}
