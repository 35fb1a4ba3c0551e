#!/usr/bin/env python3
"""Makes tests/fuzz/seeds/image (small PNG and JPEG files of every kind) and prints what Pillow reads in them and makes of them,
for the tables of src/files/image/read_test.cpp and resize_test.cpp.

  build/peers-venv/bin/python tests/image_files.py      needs Pillow and NumPy; the files are the same every time
"""
import io
import pathlib
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).resolve().parent / "fuzz/seeds/image"


def fnv(data):
    digest = 0xCBF29CE484222325
    for byte in bytes(data):
        digest = ((digest ^ byte) * 0x100000001B3) & (2**64 - 1)
    return digest


def drawn(height, width, channels, seed=1):
    """Numbers that a C++ test makes too: a linear congruential generator, its upper 8 bits."""
    state, out = seed, []
    for _ in range(height * width * channels):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state >> 24)
    return np.array(out, np.uint8).reshape(height, width, channels)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(row, depth):
    """One line of samples at this many bits each."""
    if depth == 16:
        return b"".join(struct.pack(">H", v) for v in row)
    bits = "".join(format(v, f"0{depth}b") for v in row)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def png(samples, depth, colour, interlaced=False, extra=b""):
    """samples [height, width, channels]"""
    height, width, _ = samples.shape
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)] if interlaced else [(0, 0, 1, 1)]
    raw = b""
    for y0, x0, dy, dx in passes:
        part = samples[y0::dy, x0::dx]
        if part.size:
            raw += b"".join(b"\0" + packed(line.reshape(-1).tolist(), depth) for line in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def exif(orientation):
    return b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack("<HH", orientation, 0) + b"\0\0\0\0"


def files():
    palette = b"".join(bytes([i * 60, 255 - i * 60, i * 17]) for i in range(4))
    for depth in (1, 2, 4, 8, 16):
        yield f"grey{depth}.png", png(drawn(5, 7, 1).astype(int) * 257 >> (16 - depth), depth, 0)
    yield "grey_alpha.png", png(drawn(5, 7, 2).astype(int), 8, 4)
    yield "grey_alpha16.png", png(drawn(5, 7, 2).astype(int) * 257, 16, 4)
    yield "rgb.png", png(drawn(5, 7, 3).astype(int), 8, 2)
    yield "rgb16.png", png(drawn(5, 7, 3).astype(int) * 251 + 77, 16, 2)
    yield "rgba.png", png(drawn(5, 7, 4).astype(int), 8, 6)
    yield "palette.png", png(drawn(5, 7, 1).astype(int) >> 6, 2, 3, extra=chunk(b"PLTE", palette))
    yield "palette_transparent.png", png(drawn(5, 7, 1).astype(int) >> 6, 2, 3, extra=chunk(b"PLTE", palette) + chunk(b"tRNS", b"\0\x80"))
    yield "rgb_transparent.png", png(drawn(5, 7, 3).astype(int), 8, 2, extra=chunk(b"tRNS", b"\0\x10\0\x20\0\x30"))
    yield "interlaced.png", png(drawn(9, 11, 3).astype(int), 8, 2, interlaced=True)
    yield "interlaced1.png", png(drawn(9, 11, 1).astype(int) >> 7, 1, 0, interlaced=True)
    yield "turned6.png", png(drawn(5, 7, 3).astype(int), 8, 2, extra=chunk(b"eXIf", exif(6)))
    x, y = np.meshgrid(np.arange(21), np.arange(13))
    smooth = np.stack([x * 12, y * 19, 255 - x * 6 - y * 5], -1).astype(np.uint8)
    for name, image, options in [("grey", smooth[..., 0], {}), ("baseline", smooth, dict(subsampling=2)), ("full", smooth, dict(subsampling=0)),
                                 ("wide", smooth, dict(subsampling=1)), ("progressive", smooth, dict(progressive=True)),
                                 ("cmyk", np.concatenate([smooth, smooth[..., :1]], -1), {})]:
        out = io.BytesIO()
        Image.fromarray(image, "CMYK" if name == "cmyk" else None).save(out, "JPEG", quality=80, **options)
        yield f"{name}.jpg", out.getvalue()
    for orientation in range(1, 9):
        out = io.BytesIO()
        Image.fromarray(smooth).save(out, "JPEG", quality=80, subsampling=0, exif=b"Exif\0\0" + exif(orientation))
        yield f"turned{orientation}.jpg", out.getvalue()


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"// Pillow {PIL.__version__}: file, height, width, digest of the bytes of convert(\"RGB\")")
    for name, data in files():
        (FOLDER / name).write_bytes(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        rgb = np.array(image.convert("RGB"))
        print(f'{{"{name}", {rgb.shape[0]}, {rgb.shape[1]}, 0x{fnv(rgb.tobytes()):016x}u}},  // {image.mode}')
    print("// resampled: from height, width, channels, to height, width, filter, digest")
    for filter in range(6):
        for h, w, c, to_h, to_w in [(23, 31, 3, 8, 8), (8, 9, 3, 30, 21), (64, 5, 1, 7, 11), (16, 16, 3, 16, 5), (16, 16, 3, 5, 16), (1, 1, 3, 4, 4), (224, 300, 3, 28, 28), (60, 48, 3, 45, 44), (60, 48, 3, 45, 38)]:
            array = drawn(h, w, c, seed=7)
            image = Image.fromarray(array[..., 0] if c == 1 else array)
            print(f"{{{h}, {w}, {c}, {to_h}, {to_w}, {filter}, 0x{fnv(np.array(image.resize((to_w, to_h), filter)).tobytes()):016x}u}},")
    print("// as grey:", hex(fnv(np.array(Image.fromarray(drawn(9, 11, 3)).convert("L")).tobytes())))


if __name__ == "__main__":
    main()
