// A picture that the page is given, as `open` takes it: decoded by the browser, made into the network's numbers by the
// engine alone.
import { h } from "./dom";
import { EngineError } from "./engine";
import { Picture } from "./picture";
import { Change } from "./session";
import { words } from "./words";

const mostPixels = 240_000;  // a request has at most 1 MiB, and a pixel takes four characters

export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += 0x8000) text += String.fromCharCode(...bytes.subarray(from, from + 0x8000));
  return btoa(text);
}

/// A picture of the network's own size, which is neither resized nor cropped.
export function asImage({ width, height, channels, pixels }: Picture, name: string): Change {
  return { name, image: { width, height, channels, pixels: base64(pixels), prepared: true } };
}

export function isPicture(file: File): boolean {
  return file.type.startsWith("image/");
}

/// Throws for a file that the browser cannot show.
export async function decoded(file: File): Promise<Change> {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => { throw new EngineError(words.input.noImage(file.name), "call"); });
  const smaller = Math.min(1, Math.sqrt(mostPixels / (bitmap.width * bitmap.height)));
  const [width, height] = [Math.max(1, Math.floor(bitmap.width * smaller)), Math.max(1, Math.floor(bitmap.height * smaller))];
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; ++i) pixels.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  return { name: file.name, image: { width, height, channels: 3, pixels: base64(pixels) } };
}
