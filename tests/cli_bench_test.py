#!/usr/bin/env python3
"""limpid bench: what it says and refuses, not how fast it is.

  tests/cli_bench_test.py build/dev/limpid
"""
import json
import os
import subprocess
import sys

from cli_helpers import *


class Bench(Case):
    """Not how fast it is: what it says, and what it refuses."""
    row = ["bench", "--only", "attention_forward a causal heads", "--rounds", "1"]
    keys = ["what", "shape", "type", "mask", "layout", "threads", "isa", "ms_best", "ms_median", "share_of_limit"]

    def peer(self, name, seconds):
        """A program that answers as a peer does, and claims to need so long for a call.  It knows no backward pass."""
        os.chmod(write(name, f'''#!{sys.executable}
import json, sys
print(json.dumps({{"peer": "pretender", "version": "7"}}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    if "prepare" in question:
        print(json.dumps({{"ready": question["what"] != "attention_backward" and question["sizes"]["T"] == 128}}), flush=True)
    elif "run" in question:
        print(json.dumps({{"seconds": {seconds} * question["calls"]}}), flush=True)
    else:
        print(json.dumps({{"peak_bytes": 12345}}), flush=True)
'''), 0o755)
        return path(name)

    def rows(self, *arguments):
        return json.loads(self.ok(*arguments, "--json"))

    def test_a_row(self):
        rows = self.rows(*self.row, "--quick", "--threads", "1,2")
        self.assertEqual([row["threads"] for row in rows], [1, 2])
        for row in rows:
            self.assertEqual(list(row), self.keys)
            self.assertEqual([row[key] for key in self.keys[:5]], ["attention_forward", "a (12,128,64)", "f32", "causal", "heads"])
            self.assertIn(row["isa"], self.ok("--version"))
            self.assertGreater(row["ms_best"], 0)
            self.assertGreaterEqual(row["ms_median"], row["ms_best"])
            self.assertGreater(row["share_of_limit"], 0)
        one = [*self.row[:3], "--rounds", "5", "--threads", "1"]  # where others work too, a limit may be missed: not every time
        self.assertTrue(any(self.rows(*one)[0]["share_of_limit"] <= 1.05 for _ in range(20)))

    def test_what_is_chosen(self):
        rows = self.rows("bench", "--only", "attention a heads", "--only", "norm rms (1024,768)", "--rounds", "1", "--threads", "1")
        self.assertEqual([(row["what"], row["mask"]) for row in rows],
                         [("attention_forward", "none"), ("attention_forward", "causal"), ("attention_backward", "none"),
                          ("attention_backward", "causal"), ("norm", "none")])
        plain = self.rows(*self.row, "--isa", "plain", "--threads", "1")
        self.assertEqual([row["isa"] for row in plain], ["plain"])

    def test_the_table_and_the_file(self):
        page = self.ok(*self.row, "--threads", "1", "-o", path("bench.json"))
        for word in ("multiply-adds, f32", "a (12,128,64)", "causal", "GFLOP/s", "1 thread", "%"):
            self.assertIn(word, page)
        for line in page.splitlines():
            self.assertLessEqual(len(line), 110, line)
        kept = json.loads(read("bench.json"))
        self.assertEqual(list(kept["rows"][0]), self.keys)
        self.assertEqual(kept["limits"][0]["name"], "multiply-adds")
        self.assertIn("--only", kept["command"])
        self.assertGreater(kept["peak_memory_bytes"]["limpid"], 1 << 20)
        limits = self.ok("bench", "--limits", "--threads", "1", "--rounds", "1")
        for word in ("read", "convert, multiply, int8", "convert, multiply by 4, bf16", "G elements/s"):
            self.assertIn(word, limits)

    def test_a_peer_in_the_same_rounds(self):
        ours, theirs = self.rows(*self.row, "--threads", "1", "--peer", self.peer("peer", 0.001), "--only", "attention_backward a causal heads")[:2]
        self.assertNotIn("peer", ours)
        self.assertEqual(list(theirs), self.keys + ["peer", "version"])
        self.assertEqual((theirs["peer"], theirs["version"]), ("pretender", "7"))
        self.assertAlmostEqual(theirs["ms_best"], 1, places=6)
        self.assertAlmostEqual(theirs["share_of_limit"] * theirs["ms_best"], ours["share_of_limit"] * ours["ms_best"], places=6)
        itself = self.rows(*self.row, "--threads", "1", "--peer", f"{PROGRAM} bench --serve")
        self.assertEqual([row.get("peer") for row in itself], [None, "limpid"])
        self.refused(1, ["nosuchpeer", "has ended"], *self.row, "--peer", "nosuchpeer 2>/dev/null")
        self.refused(1, "expected", *self.row, "--peer", "echo hello")

    def test_wrong_calls(self):
        self.refused(2, ['"attention z"', "attention_forward", "causal"], "bench", "--only", "attention z")
        self.refused(2, "--rounds is 0", *self.row[:3], "--rounds", "0")
        self.refused(2, "--threads is 0", *self.row, "--threads", "0")
        self.refused(2, ["avx1024", "expected one of"], *self.row, "--isa", "avx1024")
        self.refused(2, "--serve", "bench", "--serve", "--json")

    def test_regress(self):
        def regress(*arguments):
            return subprocess.run([sys.executable, os.path.join(SOURCE, "bench/regress"), *arguments], env=clean_environment(),
                                  capture_output=True, text=True)
        chosen = ["--only", "attention_forward a causal heads", "--threads", "1", "--rounds", "1", "--reruns", "1"]
        better = regress(self.peer("slow", 1000.0), PROGRAM, *chosen)
        self.assertEqual(better.returncode, 0, better.stderr)
        self.assertIn("1 rows: 0 slower than 1.10x", better.stdout)
        worse = regress(self.peer("fast", 1e-9), PROGRAM, *chosen)
        self.assertEqual(worse.returncode, 1, worse.stderr)
        self.assertIn("measured again (1 of 1)", worse.stderr)
        self.assertIn("SLOWER", worse.stdout)
        self.assertEqual(regress(path("nofile"), PROGRAM).returncode, 2)
        self.assertEqual(regress(path("slow"), PROGRAM, "--only", "nosuch").returncode, 2)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
