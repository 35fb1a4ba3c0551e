#!/usr/bin/env python3
"""limpid trace --edit, and limpid draw: edited runs, one layer's heads, a column's width, weights of one's own.

  tests/cli_figures_test.py build/dev/limpid
"""
import re
import sys

from cli_helpers import *

EDIT = ["--edit", "blocks.0.attn.z[H=2]=zero"]


def npy(name, shape, values):
    """A .npy file of float64, version 1.0."""
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }" % ", ".join(map(str, shape))
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    return write(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                 struct.pack("<%dd" % len(values), *values))


def causal(heads, length):
    return [1 / (t + 1) if s <= t else 0 for _ in range(heads) for t in range(length) for s in range(length)]


class Edits(unittest.TestCase):
    def test_before_and_after_on_the_page(self):
        done = limpid("trace", "Life is short", *EDIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        page, _, after = done.stdout.partition("What the edit changed")
        self.assertIn("head 2: set to 0", page)
        self.assertIn("✎ edited: head 2: set to 0", page)
        self.assertRegex(after, r"before +after +change")
        self.assertRegex(after, r"blocks\.0\.attn\.z +✎ head 2: set to 0")
        self.assertRegex(" ".join(after.split()), r"moved most at .*head 2.*: -?\d\.\d+ → 0 \(")
        self.assertIn("probs", after)

    def test_what_did_not_move_is_said(self):
        after = limpid("trace", "Life is short", "--edit", "blocks.0.attn.z=scale:1").stdout.partition("What the edit changed")[2]
        self.assertIn("did not move", after)

    def test_an_unedited_run_has_no_comparison(self):
        self.assertNotIn("What the edit changed", limpid("trace", "Life is short").stdout)

    def test_json(self):
        trace = json.loads(limpid("trace", "Life is short", "--json", *EDIT).stdout)
        both = trace["before_after"]
        self.assertEqual(both["values"][0]["name"], "blocks.0.attn.z")
        self.assertEqual(both["values"][0]["after"], 0)
        self.assertEqual(both["values"][0]["cell"][2], 2)
        plain = json.loads(limpid("trace", "Life is short", "--json").stdout)
        for run, key in ((plain, "before"), (trace, "after")):
            last = run["values"]["probs"]["data"][0][-1]
            for each in both["next"]:
                self.assertAlmostEqual(last[each["place"]], each[key], places=6)
        self.assertNotIn("before_after", plain)

    def test_no_page_is_wider_than_the_terminal(self):
        for columns in (30, 60, 80):
            done = limpid("trace", "Life is short", *EDIT, COLUMNS=str(columns))
            self.assertTrue(all(wide(line) <= columns for line in done.stdout.splitlines()))

    def test_the_token_page_draws_no_false_equation(self):
        page = limpid("trace", "Life is short", "--token", "short", "--head", "2", *EDIT).stdout
        self.assertIn("z, edited", page)
        self.assertNotIn("sum z", page)
        page = limpid("trace", "Life is short", "--token", "short", "--edit", "blocks.0.attn.pattern=cut:2>0").stdout
        self.assertIn("× cut: an edit took this edge away", page)


class SmallNumbers(unittest.TestCase):
    def test_a_number_that_is_too_small_to_show_is_no_zero(self):
        page = limpid("trace", "Life is short and art is long, and time flies away from us").stdout
        self.assertNotRegex(page, r"(^|\s)-?0\.0+(\s|$)")
        self.assertRegex(page, r"[<>]-?0\.0+1\b")


def wide(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in line)


class Figures(unittest.TestCase):
    def svg(self, *arguments):
        done = limpid("draw", *arguments, "-o", "-", "--format", "svg")
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout

    def test_heads_of_one_layer(self):
        svg = self.svg("heads", "--layer", "1")
        self.assertEqual(set(re.findall(r'data-name="(layer \d+, head \d+)"', svg)),
                         {f"layer 1, head {h}" for h in range(8)})
        self.assertIn("in layer 1", svg)

    def test_a_column_wide(self):
        for figure, width, units in (("matrices", "240pt", 320), ("heads", "110mm", 415.7), ("token", "240pt", 320),
                                     ("network", "18cm", 680.3), ("attention", "7in", 672)):
            svg = self.svg(figure, "--text", "Life is short", "--width", width)
            self.assertAlmostEqual(float(re.search(r' width="([\d.]+)"', svg)[1]), units, delta=0.1, msg=figure)
            sizes = [float(s) for s in re.findall(r'font-size="([\d.]+)"', svg)]
            self.assertGreaterEqual(min(sizes), 8 - 0.01, figure)  # 6 pt

    def test_a_training_run_in_a_column(self):
        log = write("log.jsonl", "".join(json.dumps({"epoch": i, "step": 10 * i, "loss": 3 / i, "accuracy": 1 - 0.9 / i, "validation": 3.2 / i,
                    "observation": "improving: the validation loss fell by 0.123 (0.246 every 100 steps)"}) + "\n" for i in range(1, 9)))
        svg = self.svg("training", log, "--width", "240pt")
        self.assertAlmostEqual(float(re.search(r' width="([\d.]+)"', svg)[1]), 320, delta=0.1)
        self.assertGreaterEqual(min(float(s) for s in re.findall(r'font-size="([\d.]+)"', svg)), 8 - 0.01)
        self.assertRegex(svg, r"steps\)<")  # the end of what the run said
        self.assertNotIn("\u2026", svg)

    def test_a_deck_of_whole_words(self):
        done = limpid("draw", "slides", "--text", "Das Leben ist sch\u00f6n", "--words", "-o", path("words.md"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("averaged where it looks", read("words.md").decode())
        done = limpid("draw", "token", "--words", "-o", path("token.svg"))
        self.assertIn("--words is for the figure heads, slides", done.stderr)

    def test_too_narrow_a_column_is_an_error_that_says_the_least(self):
        done = limpid("draw", "network", "--width", "20pt", "-o", path("n.svg"))
        self.assertEqual(done.returncode, 2)
        least = re.search(r"the least width that does is (\d+) pt", done.stderr)
        self.assertTrue(least, done.stderr)
        self.assertFalse(os.path.exists(path("n.svg")))
        for width in ("240", "-3pt", "3ells", "pt"):
            done = limpid("draw", "network", "--width", width, "-o", path("n.svg"))
            self.assertEqual(done.returncode, 2)
            self.assertIn("such as 240pt", done.stderr)

    def test_weights_of_ones_own(self):
        for shape in ((2, 3, 4, 4), (3, 4, 4), (4, 4)):
            count = 1
            for size in shape[:-2]:
                count *= size
            file = npy("own.npy", shape, causal(count, 4))
            svg = self.svg("heads", file, "--tokens", "Life is rather short")
            self.assertEqual(svg.count('data-name="layer '), count)
            self.assertIn(">rather<", svg)
            self.assertIn(">0.33<", svg)
        self.assertIn(">rather<", self.svg("heads", file, "--tokens", write("names.txt", "Life\nis\nrather\nshort\n"), "--head", "0"))
        for ending in ("pptx", "drawio", "pdf", "png", "md", "txt"):
            done = limpid("draw", "heads", file, "-o", path("own." + ending))
            self.assertEqual((done.returncode, done.stderr), (0, ""), ending)

    def test_queries_and_keys_with_names_of_their_own(self):
        file = npy("cross.npy", (2, 3), [0.25, 0.25, 0.5, 1, 0, 0])
        svg = self.svg("heads", file, "--rows", "der Hund", "--columns", "a big dog")
        for word in ("Hund", "big"):
            self.assertIn(f">{word}<", svg)
        done = limpid("draw", "heads", file, "--tokens", "a b c", "-o", path("x.svg"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("--rows and --columns", done.stderr)

    def test_what_is_no_weights_is_an_error(self):
        nan = npy("nan.npy", (2, 2), [1, 0, float("nan"), 1])
        vector = npy("vector.npy", (4,), [1, 2, 3, 4])
        good = npy("good.npy", (2, 2), [1, 0, 0.5, 0.5])
        for arguments, words in (([nan], "NaN"), ([vector], "expected"), ([good, "--tokens", "a b c"], "3 labels for 2"),
                                 ([good, "--layer", "1"], "layer 1 does not exist"), ([good, "--seed", "1"], "--seed")):
            done = limpid("draw", "heads", *arguments, "-o", path("x.svg"))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertFalse(os.path.exists(path("x.svg")))

    def test_rows_that_do_not_add_up_are_noted(self):
        file = npy("sums.npy", (2, 2), [1, 0, 0.5, 0.1])
        done = limpid("draw", "heads", file, "-o", path("sums.svg"))
        self.assertEqual(done.returncode, 0)
        self.assertIn("add up to 0.6 to 1", done.stderr)
        self.assertIn("do not add up to 1", read("sums.svg").decode())

    def test_tokens_that_are_no_ids_are_still_refused_for_a_run(self):
        done = limpid("trace", "--tokens", "a b")
        self.assertEqual(done.returncode, 2)
        self.assertIn("is not a token id", done.stderr)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
