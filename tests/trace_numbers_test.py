#!/usr/bin/env python3
"""What docs/trace-file.md says of the numbers of attention, on stored traces, with nothing but Python's own library.

  tests/trace_numbers_test.py PROGRAM

Rows of the pattern add up to 1, and it is exp((score - lse) - lse_rest), at any magnitude of scores: as the model computes
them, and where an edit makes them many times as large.
"""
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/dev/limpid"
TEXT = "the little dog went home because she was tired"


def arrays(path):
    """{name: (shape, numbers)} of a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    found = {}
    for name, about in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or about["dtype"] != "F32":
            continue
        begin, end = about["data_offsets"]
        found[name] = about["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin:8 + size + end])
    return found


def rows(array):
    shape, numbers = array
    return [numbers[i:i + shape[-1]] for i in range(0, len(numbers), shape[-1])]


class Numbers(unittest.TestCase):
    def trace(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trace.safetensors"
            subprocess.run([PROGRAM, "trace", TEXT, *arguments, "-o", path], check=True, capture_output=True)
            return arrays(path)

    def hold(self, values):
        patterns = [name for name in values if name.endswith(".attn.pattern")]
        self.assertTrue(patterns)
        for pattern in patterns:
            scores = rows(values[pattern[:-len("pattern")] + "scores"])
            lse, rest = values[pattern + ".lse"][1], values[pattern + ".lse_rest"][1]
            for r, row in enumerate(rows(values[pattern])):
                self.assertAlmostEqual(sum(row), 1, delta=1e-5, msg=f"{pattern}, row {r}")
                for score, weight in zip(scores[r], row):
                    self.assertAlmostEqual(math.exp(min(0, score - lse[r] - rest[r])), weight, delta=1e-5,
                                           msg=f"{pattern}, row {r}, score {score}")

    def test_as_computed(self):
        self.hold(self.trace())

    def test_large_scores(self):
        for factor in (8, 64, 1e4):
            for way in ([], ["--plain"]):
                with self.subTest(factor=factor, way=way):
                    self.hold(self.trace("--edit", f"blocks.0.ln1.normalized=scale:{factor}", *way))


if __name__ == "__main__":
    unittest.main()
