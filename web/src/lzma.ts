// LZMA, unpacked: the engine's module takes a third less by it than by gzip, which is what browsers have.
//
// The file is the one of `lzma` and of Python's lzma.FORMAT_ALONE: a byte of properties, the dictionary's size, the size of what
// is packed, the stream. After lzma-specification.txt (Igor Pavlov, LZMA SDK, public domain).

const states = 12, half = 1024;  // probabilities have 11 bits
const firstRange = 2 ** 24;

class Decoder {
  private at = 18;  // behind the header and the range coder's first five bytes
  private range = 0xffffffff;
  private code = 0;

  constructor(private readonly packed: Uint8Array) {
    for (let i = 14; i < 18; i++) this.code = ((this.code << 8) | packed[i]) >>> 0;
  }

  private more(): void {
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) | this.packed[this.at++]) >>> 0;
  }

  bit(probabilities: Uint16Array, i: number): number {
    const probability = probabilities[i], bound = (this.range >>> 11) * probability;
    let bit = 0;
    if (this.code < bound) {
      this.range = bound;
      probabilities[i] = probability + ((2048 - probability) >> 5);
    } else {
      this.range -= bound;
      this.code -= bound;
      probabilities[i] = probability - (probability >> 5);
      bit = 1;
    }
    if (this.range < firstRange) this.more();
    return bit;
  }

  direct(count: number): number {
    let out = 0;
    for (; count > 0; count--) {
      this.range = this.range >>> 1;
      const bit = this.code >= this.range ? 1 : 0;
      if (bit) this.code -= this.range;
      if (this.range < firstRange) this.more();
      out = out * 2 + bit;
    }
    return out;
  }

  tree(probabilities: Uint16Array, from: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.bit(probabilities, from + node);
    return node - (1 << bits);
  }

  reversed(probabilities: Uint16Array, from: number, bits: number): number {
    let node = 1, out = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(probabilities, from + node);
      node = (node << 1) | bit;
      out |= bit << i;
    }
    return out;
  }

  get ended(): boolean {
    return this.at > this.packed.length;
  }
}

const fresh = (size: number) => new Uint16Array(size).fill(half);

class Lengths {
  private readonly choice = fresh(2);
  private readonly low = fresh(16 << 3);
  private readonly middle = fresh(16 << 3);
  private readonly high = fresh(256);
  read(decoder: Decoder, position: number): number {
    if (!decoder.bit(this.choice, 0)) return decoder.tree(this.low, position << 3, 3);
    if (!decoder.bit(this.choice, 1)) return 8 + decoder.tree(this.middle, position << 3, 3);
    return 16 + decoder.tree(this.high, 0, 8);
  }
}

/// Throws for bytes that are no such file, or whose size is not said.
export function unpackLzma(packed: Uint8Array): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length), properties = packed[0];
  const size = Number(view.getBigUint64(5, true));
  if (packed.length < 18 || properties >= 225 || packed[13] !== 0 || size > 2 ** 31) throw new Error("this is no file of LZMA");
  const contexts = properties % 9, low = Math.floor(properties / 9) % 5, places = Math.floor(properties / 45);
  const out = new Uint8Array(size), decoder = new Decoder(packed);
  const literals = fresh(0x300 << (contexts + low)), isMatch = fresh(states << 4), isRepeat = fresh(states), isFirst = fresh(states),
    isSecond = fresh(states), isThird = fresh(states), isLong = fresh(states << 4), slots = fresh(4 << 6), near = fresh(128), aligned = fresh(16);
  const matchLengths = new Lengths(), repeatLengths = new Lengths();
  const lowMask = (1 << low) - 1, placeMask = (1 << places) - 1;
  let state = 0, first = 0, second = 0, third = 0, fourth = 0, at = 0;

  const literal = () => {
    const before = at ? out[at - 1] : 0, from = 0x300 * (((at & lowMask) << contexts) + (before >> (8 - contexts)));
    let symbol = 1;
    if (state >= 7)
      for (let match = out[at - first - 1]; symbol < 256; ) {
        const expected = (match >> 7) & 1, bit = decoder.bit(literals, from + ((1 + expected) << 8) + symbol);
        match <<= 1;
        symbol = (symbol << 1) | bit;
        if (bit !== expected) break;
      }
    while (symbol < 256) symbol = (symbol << 1) | decoder.bit(literals, from + symbol);
    out[at++] = symbol;
    state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  };
  const distance = (length: number): number => {
    const slot = decoder.tree(slots, Math.min(length, 3) << 6, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1, base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + decoder.reversed(near, base - slot, bits);
    return base + decoder.direct(bits - 4) * 16 + decoder.reversed(aligned, 0, 4);
  };

  while (at < size) {
    if (decoder.ended) throw new Error("the file of LZMA is cut off");
    const place = at & placeMask;
    if (!decoder.bit(isMatch, (state << 4) + place)) {
      literal();
      continue;
    }
    let length: number;
    if (!decoder.bit(isRepeat, state)) {
      [fourth, third, second] = [third, second, first];
      length = matchLengths.read(decoder, place);
      first = distance(length);
      state = state < 7 ? 7 : 10;
    } else {
      if (!decoder.bit(isFirst, state)) {
        if (!decoder.bit(isLong, (state << 4) + place)) {
          out[at] = out[at - first - 1];
          at++;
          state = state < 7 ? 9 : 11;
          continue;
        }
      } else if (!decoder.bit(isSecond, state)) {
        [first, second] = [second, first];
      } else if (!decoder.bit(isThird, state)) {
        [first, second, third] = [third, first, second];
      } else {
        [first, second, third, fourth] = [fourth, first, second, third];
      }
      length = repeatLengths.read(decoder, place);
      state = state < 7 ? 8 : 11;
    }
    length += 2;
    if (first >= at || at + length > size) throw new Error("the file of LZMA is damaged");
    for (const end = at + length; at < end; at++) out[at] = out[at - first - 1];
  }
  return out;
}
