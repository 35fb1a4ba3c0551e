// Bytes in the text of a page that is one file (limpid explore --html).
//
// The file is windows-1252, in which every byte is a character of its own. Each block of bytes has its key ahead, by which it
// is moved along the 256, so that no byte is one that a parser of HTML would take for something else (apps/limpid/payload.h).

// What windows-1252 makes of the bytes 0x80 to 0x9f.
const high = "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
const replaced = 0xfffd;  // what a parser of HTML makes of NUL, and no byte is in windows-1252

// By the character's code; -1: no byte.
const byteOf = new Int16Array(1 << 16).fill(-1);
for (let byte = 0; byte < 256; byte++) byteOf[byte < 0x80 || byte > 0x9f ? byte : high.charCodeAt(byte - 0x80)] = byte;
byteOf[replaced] = 0;

export function payloadBytes(text: string, block: number): Uint8Array {
  const out = new Uint8Array(text.length);
  let size = 0, key = 0, left = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = byteOf[text.charCodeAt(i)];
    if (byte < 0) throw new Error("this file was served or saved in another encoding than windows-1252: get it again as it was written");
    if (left > 0) {
      out[size++] = byte - key;
      left--;
    } else {
      key = byte;
      left = block;
    }
  }
  return out.subarray(0, size);
}

/// The bytes of an element, which is then empty: they are held once.
export function takePayload(id: string): Uint8Array {
  const element = document.getElementById(id)!, bytes = payloadBytes(element.textContent!, Number(element.dataset.block));
  element.remove();
  return bytes;
}
