// A brush on the pixels of an image: soft at its edge, as wide as digits are written.
import { Picture } from "./picture";

/// The pixels with what has been drawn since.
export class Sketch {
  readonly picture: Picture;
  private last: [number, number] | undefined;

  constructor(from: Picture, readonly ink: number) {
    this.picture = { ...from, pixels: from.pixels.slice() };
  }

  /// Radius of the brush: as a digit of 28 pixels is written.
  get radius(): number {
    return Math.max(0.8, (Math.min(this.picture.width, this.picture.height) / 28) * 1.15);
  }

  /// From where the brush was to here, in pixels of the image.
  to(x: number, y: number): void {
    const [x0, y0] = this.last ?? [x, y];
    this.last = [x, y];
    const { width, height } = this.picture, reach = this.radius + 1;
    for (let row = Math.max(0, Math.floor(Math.min(y0, y) - reach)); row <= Math.min(height - 1, Math.ceil(Math.max(y0, y) + reach)); ++row)
      for (let column = Math.max(0, Math.floor(Math.min(x0, x) - reach)); column <= Math.min(width - 1, Math.ceil(Math.max(x0, x) + reach)); ++column)
        this.cover(column, row, 1 + this.radius - 0.5 - distance(column + 0.5, row + 0.5, x0, y0, x, y));
  }
  lift(): void {
    this.last = undefined;
  }

  // So much of a pixel becomes ink; what is covered already stays.
  private cover(x: number, y: number, share: number): void {
    if (share <= 0) return;
    const { pixels, width, channels } = this.picture, part = Math.min(1, share);
    for (let channel = 0, at = (y * width + x) * channels; channel < channels; ++channel, ++at) {
      const now = Math.round(this.ink > 127 ? Math.max(pixels[at], part * this.ink) : Math.min(pixels[at], 255 - part * (255 - this.ink)));
      pixels[at] = now;
    }
  }
}

/// All of one colour.
export function blank(picture: Picture, byte: number): Picture {
  return { ...picture, pixels: new Uint8Array(picture.pixels.length).fill(byte) };
}

/// Dark what was light.
export function inverted(picture: Picture): Picture {
  return { ...picture, pixels: picture.pixels.map((byte) => 255 - byte) };
}

// Whether most of the picture's edge is light: what is drawn on it is then dark.
export function isLight({ pixels, width, height, channels }: Picture): boolean {
  let sum = 0, count = 0;
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x)
      if (!y || !x || y === height - 1 || x === width - 1) { sum += pixels[(y * width + x) * channels]; count++; }
  return sum / count > 127;
}

function distance(x: number, y: number, x0: number, y0: number, x1: number, y1: number): number {
  const [dx, dy] = [x1 - x0, y1 - y0], length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}
