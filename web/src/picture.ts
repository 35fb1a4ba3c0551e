// The image that the network read: its pixels, as bytes, and how its patches lie (the answer to `picture`).
import { Answer } from "./engine";
import { h } from "./dom";
import { keepPainted, PaintedCell } from "./told";

export type Rgb = [red: number, green: number, blue: number];

export interface Picture {
  name: string;
  width: number;
  height: number;
  channels: number;
  patch: number;    // a side of a patch, in pixels
  lines: number;    // of patches
  columns: number;
  first: number;    // tokens before the first patch
  pixels: Uint8Array;
}

export function pictureOf({ json, arrays }: Answer): Picture {
  const [height, width, channels] = arrays.pixels.shape;
  const { name, patch, lines, columns, first } = json;
  return { name, width, height, channels, patch, lines, columns, first, pixels: arrays.pixels.data as Uint8Array };
}

/// Where the patch of a token begins; nothing: the token stands for none.
export function cornerOf({ first, lines, columns, patch }: Picture, token: number): [x: number, y: number] | undefined {
  const at = token - first;
  if (at < 0 || at >= lines * columns) return undefined;
  return [(at % columns) * patch, Math.floor(at / columns) * patch];
}

/// The token of the patch that a pixel lies in; nothing: in none (a border that fills no patch).
export function tokenAt({ first, lines, columns, patch }: Picture, x: number, y: number): number | undefined {
  const column = Math.floor(x / patch), line = Math.floor(y / patch);
  return column >= 0 && line >= 0 && column < columns && line < lines ? first + line * columns + column : undefined;
}

export function colourAt({ pixels, width, channels }: Picture, x: number, y: number): Rgb {
  const at = (y * width + x) * channels;
  return channels === 1 ? [pixels[at], pixels[at], pixels[at]] : [pixels[at], pixels[at + 1], pixels[at + 2]];
}

/// The numbers of one pixel, as a canvas tells them.
export function cellsOf(picture: Picture, x: number, y: number, at: [number, number], colour?: Rgb): PaintedCell[] {
  const { pixels, width, channels } = picture;
  return Array.from({ length: channels }, (_, channel) => ({
    from: `picture[${y},${x},${channel}]`, value: pixels[(y * width + x) * channels + channel], level: undefined, text: undefined, at, colour,
  }));
}

/// The patch of a token, so many pixels of the page wide.
export function patchFace(picture: Picture, token: number, size: number): HTMLCanvasElement | undefined {
  const corner = cornerOf(picture, token);
  if (!corner) return undefined;
  const [left, top] = corner, { patch } = picture;
  const canvas = h("canvas", { class: "patch-face", width: patch, height: patch, "aria-hidden": true, style: { width: `${size}px`, height: `${size}px` } });
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(patch, patch);
  const colour = (i: number) => colourAt(picture, left + (i % patch), top + Math.floor(i / patch));
  for (let i = 0; i < patch * patch; ++i) image.data.set([...colour(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
  keepPainted(canvas, { cells: () => Array.from({ length: patch * patch }, (_, i) => {
    const x = i % patch, y = Math.floor(i / patch);
    return cellsOf(picture, left + x, top + y, [x, y], colour(i));
  }).flat() });
  return canvas;
}
