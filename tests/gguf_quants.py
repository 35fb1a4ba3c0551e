#!/usr/bin/env python3
"""GGUF beside the Python package of llama.cpp's authors (`gguf`): blocks of every type, files that it writes, files given.

  tests/gguf_quants.py PROGRAM [FILE.gguf ...]      gguf_numbers of this build

Needs gguf and NumPy (bench/peers/install.sh); exit status 77, skipped, where there are none.  Random blocks, NaN and
infinite scales among them, must give the same numbers to the bit (a NaN any NaN); so must every tensor of the files.
Numbers are quantised to Q8_0, Q4_0 and Q4_1 as the package does it, to the bit.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy as np
    from gguf import GGMLQuantizationType as Type, quants
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/dev/gguf_numbers"
QUANTISED = [Type[name] for name in "Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K MXFP4".split()]
PLAIN = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
NUMBERS = 1 << 20  # of each type
results = []


def run(*arguments, given=None):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=given, capture_output=True, check=True).stdout


def check(right, what):
    results.append(bool(right))
    print(f"{'ok' if right else 'FAIL':5} {what}", flush=True)


def different(got, expected):
    """How many numbers differ in a bit; any NaN is as good as another."""
    got, expected = (np.asarray(x, "<f4").reshape(-1) for x in (got, expected))
    if got.shape != expected.shape:
        return max(got.size, expected.size)
    return int(np.sum((got.view("u4") != expected.view("u4")) & ~(np.isnan(got) & np.isnan(expected))))


def numbers_of(file, name):
    return np.frombuffer(run(file, name), "<f4")


def expected_of(tensor):
    """What the package makes of a tensor that it has read."""
    if tensor.tensor_type in quants._type_traits:  # quantised, and BF16
        return quants.dequantize(tensor.data.view(np.uint8), tensor.tensor_type)
    return tensor.data.astype(np.float32)


def write_drawn(path, random):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("words", ["Life", "is", "", "short ähm"])
    writer.add_array("scores", [0.5, -1.25, 3.0])
    writer.add_custom_alignment(64)
    for kind in QUANTISED:
        numbers, size = gguf.GGML_QUANT_SIZES[kind]
        rows = NUMBERS // numbers // 8
        writer.add_tensor(kind.name, random.integers(0, 256, (rows, 8 * size), np.uint8), raw_dtype=kind)
    for name, dtype in PLAIN.items():
        drawn = random.standard_normal((3, 5, 7)) * 100
        writer.add_tensor(name, drawn.astype(dtype))
    writer.add_tensor("BF16", random.integers(0, 256, (6, 10), np.uint8), raw_dtype=Type.BF16)
    for kind, (numbers, size) in gguf.GGML_QUANT_SIZES.items():  # their size is known, if not their numbers
        # Q8_1, which no file holds, has been 36 bytes in ggml since 2023, and is 40 here still
        if kind not in QUANTISED and kind.name not in PLAIN and kind not in (Type.BF16, Type.Q8_1):
            writer.add_tensor(kind.name, random.integers(0, 256, (3, 2 * size), np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_file(path):
    reader = gguf.GGUFReader(path)
    lines = [line.split(" ", 4) for line in run(path).decode().splitlines()]
    listed = [(t.tensor_type.name, str(int(t.n_bytes)), str(int(t.data_offset)),
               "[" + ",".join(str(int(n)) for n in reversed(t.shape)) + "]", t.name) for t in reader.tensors]
    wrong = [pair for pair in zip(map(tuple, lines), listed) if pair[0] != pair[1]]
    check(len(lines) == len(listed) and not wrong,
          f"{path.name}: {len(listed)} tensors listed: types, bytes, offsets, shapes{'; ' + str(wrong[0]) if wrong else ''}")
    arrays = wrong = 0
    for key, field in reader.fields.items():
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            got = run(path, key, "keys").split(b"\0")[:-1]
            if field.types[-1] == gguf.GGUFValueType.STRING:
                wrong += got != [bytes(field.parts[at]) for at in field.data]
            else:
                wrong += [float(x) for x in got] != [float(f"{float(x):g}") for x in field.contents()]
            arrays += 1
    check(wrong == 0, f"{path.name}: {arrays} arrays of metadata")
    per_type = {}
    for tensor in reader.tensors:
        if tensor.tensor_type.name in PLAIN or tensor.tensor_type in QUANTISED or tensor.tensor_type is Type.BF16:
            with np.errstate(all="ignore"):
                expected = expected_of(tensor)
            got = numbers_of(path, tensor.name)
            count = per_type.setdefault(tensor.tensor_type.name, [0, 0, 0, 0.0])
            count[0] += 1
            count[1] += expected.size
            count[2] += different(got, expected)
            count[3] += float(np.sum(got[np.isfinite(got)], dtype=np.float64))
    for name, (tensors, count, bad, total) in per_type.items():
        check(bad == 0, f"{path.name}: {name}: {tensors} tensors, {count} numbers, {bad} differ; sum {total:.9g}")


def check_writing(random):
    for kind in (Type.Q8_0, Type.Q4_0, Type.Q4_1):
        drawn = random.standard_normal((NUMBERS // 32, 32)) * 2.0 ** random.integers(-20, 12, (NUMBERS // 32, 1))
        drawn[::50] = np.round(drawn[::50])  # ties, and zeros: not -0, of which ggml makes another scale than its package
        drawn += 0.0
        drawn = drawn.astype("<f4")
        with np.errstate(all="ignore"):
            expected = quants.quantize(drawn, kind)
        got = np.frombuffer(run("quantize", kind.name, given=drawn.tobytes()), np.uint8).reshape(expected.shape)
        bad = int(np.sum(np.any(got != expected, axis=-1)))
        check(bad == 0, f"quantize {kind.name}: {len(expected)} blocks, {bad} differ")


def main():
    random = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "drawn.gguf"
        write_drawn(path, random)
        check_file(path)
    check_writing(random)
    for name in sys.argv[2:]:
        check_file(pathlib.Path(name))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
