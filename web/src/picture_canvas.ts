// The image on a canvas, a pixel for a pixel, each patch tinted by its weight as in limpid's figures; over it the grid
// of patches, and rings.
import { h } from "./dom";
import { look } from "./grid";
import { extremes, levelOf } from "./heat";
import { heatLevels, paint, paints } from "./palette";
import { cellsOf, colourAt, cornerOf, Picture, Rgb, tokenAt } from "./picture";
import { keepPainted, PaintedCell } from "./told";

const mostCover = 0.75;  // of the deepest tint: the picture stays visible below it (src/draw/scene/palette.cpp)

export interface Tints {
  weights: ArrayLike<number>;
  low: number;
  high: number;
  from(place: number): string;
}

/// Tints of another row of weights than a Heat's.
export function tintsOf(weights: ArrayLike<number>, first: number, from: (place: number) => string): Tints {
  return { weights, ...extremes(weights, first), from };
}

/// The colour of a role's level over another.
export function tinted([red, green, blue]: Rgb, level: number): Rgb {
  const over = [1, 3, 5].map((at) => parseInt(paints.weights[0].slice(at, at + 2), 16));
  const share = (mostCover * level) / heatLevels;
  return [red, green, blue].map((under, i) => Math.round(under + (over[i] - under) * share)) as Rgb;
}

export function paintPicture(canvas: HTMLCanvasElement, picture: Picture, tints?: Tints): void {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const level = (token: number | undefined) => (tints && token !== undefined ? levelOf(tints.weights[token], tints.low, tints.high) : undefined);
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x) {
      const under = colourAt(picture, x, y), deep = level(tokenAt(picture, x, y));
      image.data.set([...(deep === undefined ? under : tinted(under, deep)), 255], 4 * (y * width + x));
    }
  context.putImageData(image, 0, 0);
  keepPainted(canvas, { scale: tints && [tints.low, tints.high], cells: () => {
    const out: PaintedCell[] = [];
    for (let y = 0; y < height; ++y)
      for (let x = 0; x < width; ++x) {
        const over = tints && tokenAt(picture, x, y) !== undefined;
        out.push(...cellsOf(picture, x, y, over ? [-1, -1] : [x, y], over ? undefined : colourAt(picture, x, y)));
      }
    if (!tints) return out;
    for (let token = picture.first; token < picture.first + picture.lines * picture.columns; ++token) {
      const [left, top] = cornerOf(picture, token)!;
      const at: [number, number] = [left + Math.floor(picture.patch / 2), top + Math.floor(picture.patch / 2)];
      out.push({ from: tints.from(token), value: tints.weights[token], level: level(token), text: undefined, at, over: colourAt(picture, ...at) });
    }
    return out;
  } });
}

/// A picture with tints, so many pixels of the page wide.
export function smallPicture(picture: Picture, size: number, tints?: Tints): HTMLCanvasElement {
  const canvas = h("canvas", { class: "map picture", style: { width: `${size}px`, height: `${Math.round((size * picture.height) / picture.width)}px` } });
  paintPicture(canvas, picture, tints);
  return canvas;
}

export interface Ring {
  token: number;
  colour: string;
  dashed?: boolean;
}

/// The grid of patches and rings, on a canvas that lies over the picture's.
export function paintOver(canvas: HTMLCanvasElement, picture: Picture, width: number, rings: Ring[]): void {
  const density = window.devicePixelRatio || 1, scale = width / picture.width;
  const height = picture.height * scale;
  [canvas.width, canvas.height] = [Math.round(width * density), Math.round(height * density)];
  const context = canvas.getContext("2d")!;
  context.setTransform(density, 0, 0, density, 0, 0);
  const step = picture.patch * scale;
  context.lineWidth = 1;
  context.strokeStyle = "rgba(128, 134, 148, .55)";
  context.beginPath();
  for (let column = 1; column < picture.columns; ++column) { const x = Math.round(column * step) + 0.5; context.moveTo(x, 0); context.lineTo(x, picture.lines * step); }
  for (let line = 1; line < picture.lines; ++line) { const y = Math.round(line * step) + 0.5; context.moveTo(0, y); context.lineTo(picture.columns * step, y); }
  if (step >= 5) context.stroke();
  for (const { token, colour, dashed } of rings) {
    const corner = cornerOf(picture, token);
    if (!corner) continue;
    const [x, y] = corner.map((each) => each * scale);
    context.setLineDash([]);
    context.lineWidth = 4;
    context.strokeStyle = paint("page", look.theme);
    context.strokeRect(x + 1.5, y + 1.5, step - 3, step - 3);
    context.setLineDash(dashed ? [4, 3] : []);
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.strokeRect(x + 1.5, y + 1.5, step - 3, step - 3);
  }
}
