#!/usr/bin/env python3
"""limpid draw alignment, attention-on-text, attention-on-image, attention-on-series, confusion: of tiny models that are trained here, held to
the numbers that limpid trace prints of the same run.

  tests/cli_looks_test.py build/dev/limpid
"""
import html
import random
import sys
import zlib

from cli_helpers import *

FORMATS = ("svg", "png", "pdf", "drawio", "pptx", "tex", "tikz", "txt", "md")


def attention(mask=None):
    return {"heads": 2, "width": 8, "out_width": 16, **({"mask": mask} if mask else {})}


def block(**more):
    return {"norm": {"kind": "layer"}, "attention": attention(), "feed_forward": {"width": 32}, **more}


def network(head, layers=2, **more):
    return {"network": "parts", "family": "small", "inputs": {"width": 16, "positions": "learned", "context": 32},
            "stack": {"layers": layers, "blocks": [block()], "final_norm": {"kind": "layer"}}, "head": head, **more}


def trained(task, **settings):
    recipe = write(f"{task}.json", json.dumps({"title": task, "task": task, "steps": 8, "batch": 4, "context": 24, "epoch": 8, "learning_rate": 1e-2,
                                              "warm_up": 2, "seed": 3, **settings}))
    done = limpid("train", recipe, "-o", path(task))
    assert done.returncode == 0, done.stderr
    return recipe, path(f"{task}/model.safetensors")


def png(name, side, pixel):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = b"".join(b"\0" + bytes(pixel(y, x) for x in range(side)) for y in range(side))
    return write(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) +
                 chunk(b"IEND", b""))


class Figures(Case):
    def svg(self, figure, *arguments):
        done = limpid("draw", figure, *arguments, "-o", "-", "--format", "svg")
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout

    def values(self, *arguments):
        return {name: value["data"] for name, value in json.loads(self.ok("trace", *arguments, "--json"))["values"].items()}

    def sources(self, svg, stage):
        """Source -> the number that stands there, of that stage."""
        found = re.findall(r'<text [^>]*data-source="((?:\w+ )?%s\[[^"]*)"[^>]*>([^<]*)<' % re.escape(stage), svg)
        self.assertTrue(found, stage)
        return [(source, html.unescape(text)) for source, text in found]

    def in_every_format(self, figure, *arguments):
        for ending in FORMATS:
            for theme in ("light", "dark") if ending == "svg" else ("dark",):
                self.ok("draw", figure, *arguments, "--theme", theme, "-o", path(f"figure.{ending}"))
                self.assertGreater(len(read(f"figure.{ending}")), 200, ending)

    def mass(self, data, source):
        """What a source says of nested lists: summed along the last axis, averaged over the others."""
        word, _, rest = source.partition(" ") if source.startswith("mass ") else ("", "", source)
        windows = [(int(a), int(b) if b else int(a) + 1) for a, _, b in (part.partition(":") for part in re.search(r"\[(.*?)\]", rest)[1].split(","))]

        def mean(value, at):
            first, end = windows[at]
            cells = value[first:end]
            if at + 1 == len(windows):
                return sum(cells)
            return sum(mean(cell, at + 1) for cell in cells) / len(cells)
        self.assertTrue(word or all(b == a + 1 for a, b in windows), source)
        return mean(data, 0)

    def holds(self, svg, stage, data):
        for source, text in self.sources(svg, stage):
            digits = int(re.search(r"%\.(\d)f", source)[1])
            if "<" not in text:
                self.assertAlmostEqual(float(text.rsplit(" ", 1)[-1]), self.mass(data, source), delta=0.51 * 10**-digits, msg=source)


class Alignments(Figures):
    @classmethod
    def setUpClass(cls):
        words = [("ein", "a"), ("Hund", "dog"), ("Mann", "man"), ("rennt", "runs"), ("schläft", "sleeps")]
        draw = random.Random(2)
        pairs = [[draw.choice(words) for _ in range(draw.randint(2, 5))] for _ in range(30)]
        for side, name in ((0, "de"), (1, "en")):
            write(f"train.{name}", "".join(" ".join(pair[side] for pair in line) + "\n" for line in pairs))
        net = network({"kind": "next_word"}, encoder={"inputs": {"width": 16, "positions": "learned", "context": 32},
                                                      "stack": {"layers": 1, "blocks": [block()]}})
        net["stack"]["blocks"] = [block(attention=attention("causal"), cross=attention())]
        cls.recipe, model = trained("translation", tokenizer="bpe", vocabulary=270, network=net, data={"training": ["train.de", "train.en"]})
        cls.call = ["--text", "ein Hund rennt", "--decoder", "a dog runs", "--model", model]

    def test_numbers_are_the_runs(self):
        values = self.values("ein Hund rennt", *self.call[2:])
        for arguments in ([], ["--layer", "0"], ["--layer", "0", "--head", "1"]):
            svg = self.svg("alignment", *self.call, *arguments)
            stage = f"blocks.{0 if arguments else 1}.cross_attn.pattern"
            self.holds(svg, stage, values[stage])
            for word in ("ein", "Hund", "rennt", "a", "dog", "runs"):
                self.assertIn(f">{word}<", svg)
            self.assertEqual(svg.count('data-name="strongest: '), 3)

    def test_every_format(self):
        self.in_every_format("alignment", *self.call)

    def test_moses(self):
        svg = self.svg("alignment", *self.call, "--moses", path("words.align"))
        source, target = ["ein", "Hund", "rennt"], ["a", "dog", "runs"]
        marked = re.findall(r'data-name="strongest: (\w+) looks at (\w+)"', svg)
        self.assertEqual(read("words.align").decode(), " ".join(f"{source.index(s)}-{target.index(t)}" for t, s in marked) + "\n")

    def test_words_of_a_cross_attention(self):
        svg = self.svg("heads", *self.call, "--part", "cross", "--layer", "1", "--words")
        for word in ("Hund", "dog"):
            self.assertIn(f">{word}<", svg)

    def test_refused(self):
        self.refused(2, "no cross-attention", "draw", "alignment", "-o", path("a.svg"))
        self.refused(2, "layer 2 does not exist", "draw", "alignment", *self.call, "--layer", "2", "-o", path("a.svg"))
        self.refused(2, "--moses is for the figure alignment", "draw", "heads", "--moses", path("a.txt"), "-o", path("a.svg"))


class Texts(Figures):
    @classmethod
    def setUpClass(cls):
        draw = random.Random(1)
        rows = "".join("%s there is %s today\t%s\n" % (draw.choice("yes no well".split()), *draw.choice([("rain", "weather"), ("soup", "food")]))
                       for _ in range(60))
        write("texts.tsv", "text\tcategory\n" + rows)
        cls.recipe, model = trained("classes", tokenizer="words", network=network({"kind": "classes", "pool": "mean"}),
                                    data={"training": "texts.tsv", "test_share": 0.3})
        cls.model = ["--model", model]
        cls.call = ["--text", "well there is rain today", *cls.model]

    def test_numbers_are_the_runs(self):
        values = self.values("well there is rain today", *self.model)
        svg = self.svg("attention-on-text", *self.call, "--layer", "1")
        self.holds(svg, "blocks.1.attn.pattern", values["blocks.1.attn.pattern"])
        for source, text in self.sources(svg, "probs"):
            self.assertAlmostEqual(float(text), values["probs"][0][int(re.search(r"\[0,(\d)\]", source)[1])], delta=6e-4)
        self.assertIn(">weather<", svg)
        rolled = self.rollout(values)
        svg = self.svg("attention-on-text", *self.call)
        self.assertIn("rolled out over all 2 layers", svg)
        self.holds(svg, "rollout", [rolled])

    def rollout(self, values):
        out = None
        for layer in range(2):
            heads = values[f"blocks.{layer}.attn.pattern"][0]
            n = len(heads[0])
            mixed = [[0.5 * sum(h[t][s] for h in heads) / len(heads) + 0.5 * (s == t) for s in range(n)] for t in range(n)]
            out = mixed if out is None else [[sum(mixed[t][k] * out[k][s] for k in range(n)) for s in range(n)] for t in range(n)]
        return out

    def test_every_format(self):
        self.in_every_format("attention-on-text", *self.call)
        self.in_every_format("attention-on-text", "--text", "Life is short")  # the built-in model: what comes next

    def test_the_token_that_is_asked(self):
        svg = self.svg("attention-on-text", "--text", "Life is short", "--token", "is", "--layer", "1")
        self.assertRegex(svg, r"blocks\.1\.attn\.pattern\[0,0:\d+,1,")

    def test_of_a_stored_trace_that_was_edited(self):
        self.ok("trace", "Life is short", "--edit", "blocks.0.attn.z[H=2]=zero", "-o", path("edited.safetensors"))
        self.assertIn("Edited run", self.svg("attention-on-text", path("edited.safetensors")))

    def test_confusions_of_an_evaluation(self):
        write("eval.json", self.ok("eval", "--recipe", self.recipe, *self.model, "--json"))
        counts = json.loads(read("eval.json"))["confusion"]
        svg = self.svg("confusion", path("eval.json"))
        for source, text in self.sources(svg, "confusion"):
            r, c = map(int, re.search(r"\[(\d+),(\d+)\]", source).groups())
            self.assertEqual(int(text.split()[0]), counts[r][c])
        self.assertIn(f"{counts[0][0] + counts[1][1]} of {sum(map(sum, counts))} right", svg)
        self.in_every_format("confusion", path("eval.json"))

    def test_refused(self):
        self.refused(2, "which layer", "draw", "attention-on-text", *self.call, "--head", "1", "-o", path("a.svg"))
        self.refused(2, "give what limpid eval --json printed", "draw", "confusion", "-o", path("a.svg"))
        self.refused(1, "expected an object", "draw", "confusion", write("no.json", "[1]"), "-o", path("a.svg"))


class Images(Figures):
    @classmethod
    def setUpClass(cls):
        for label in ("left", "right"):
            os.makedirs(path(f"photos/{label}"), exist_ok=True)
            for i in range(8):
                png(f"photos/{label}/{i}.png", 12, lambda y, x: 200 + i if (x < 6) == (label == "left") else 10)
        net = network({"kind": "classes", "pool": "first"}, each="patch", patches={"height": 12, "width": 12, "size": 4, "tokens": ["cls_token"]})
        net["inputs"] = {"width": 16}
        _, model = trained("images", network=net, data={"training": "photos"})
        cls.model = ["--model", model]
        cls.call = ["--text", path("photos/left/0.png"), *cls.model]

    def test_numbers_are_the_runs(self):
        values = self.values(path("photos/left/0.png"), *self.model)
        svg = self.svg("attention-on-image", *self.call)
        self.holds(svg, "blocks.1.attn.pattern", values["blocks.1.attn.pattern"])
        self.assertIn(">left<", svg)
        self.assertEqual(len(re.findall(r'data-name="head \d', svg)), 2)
        self.assertEqual(len(re.findall(r'data-name="head \d', self.svg("attention-on-image", *self.call, "--layer", "0", "--head", "1"))), 1)

    def test_every_format(self):
        self.in_every_format("attention-on-image", *self.call)

    def test_refused(self):
        self.refused(2, "attention-on-image", "draw", "attention-on-image", "--text", "Life is short", "-o", path("a.svg"))
        self.refused(2, "not of a text", "draw", "attention-on-text", *self.call, "-o", path("a.svg"))


class Series(Figures):
    @classmethod
    def setUpClass(cls):
        write("hours.csv", "date,load,heat\n" + "".join(f"hour {i:03},{10 + i % 7},{100 + 5 * (i % 4)}\n" for i in range(90)))
        net = network({"kind": "forecast", "flat": True}, each="patch", series={"size": 4, "stride": 2})
        net["inputs"] = {"width": 16}
        net["stack"].pop("final_norm")
        _, model = trained("forecast", network=net, data={"training": "hours.csv"}, forecast={"look_back": 16, "horizon": 4})
        cls.model = ["--model", model]
        cls.call = ["--text", path("hours.csv"), *cls.model]

    def test_numbers_are_the_runs(self):
        values = self.values(path("hours.csv"), *self.model)
        stage = "blocks.1.attn.pattern"
        self.assertEqual(len(values[stage]), 2)  # a column is a row of the batch
        svg = self.svg("attention-on-series", *self.call, "--layer", "1", "--column", "load")
        self.holds(svg, stage, values[stage])
        self.assertIn(stage + "[0,", svg)
        self.assertIn(stage + "[1,", self.svg("attention-on-series", *self.call, "--layer", "1"))  # the last

    def test_the_last_rows_are_read_at_the_size_of_training(self):
        values = self.values(path("hours.csv"), *self.model)["values"][0]
        load = [10 + i % 7 for i in range(int(0.7 * 90))]  # of training
        mean = sum(load) / len(load)
        deviation = (sum((v - mean)**2 for v in load) / len(load))**0.5
        for i, row in enumerate(values):
            self.assertAlmostEqual(row[0], (10 + (74 + i) % 7 - mean) / deviation, places=4)

    def test_the_truth_is_what_was_held_back(self):
        svg = self.svg("attention-on-series", *self.call, "--truth")
        self.assertIn('data-name="what came"', svg)
        self.assertIn(">hour 070<", svg)  # the first moment read: 90 - 4 - 16
        self.assertNotIn('data-name="what came"', self.svg("attention-on-series", *self.call))

    def test_every_format(self):
        self.in_every_format("attention-on-series", *self.call, "--truth")

    def test_of_a_stored_trace(self):
        self.ok("trace", path("hours.csv"), *self.model, "-o", path("hours.safetensors"))
        stored, run = self.svg("attention-on-series", path("hours.safetensors")), self.svg("attention-on-series", *self.call)
        numbers = lambda svg: [(source, text.rsplit(" ", 1)[-1]) for source, text in self.sources(svg, "rollout")]
        self.assertEqual(numbers(stored), numbers(run))
        self.assertIn("the first of 2 columns", self.ok("trace", path("hours.safetensors")))
        self.assertIn("Numbers are as the network read them", stored)

    def test_explain_and_heads(self):
        self.assertIn("pattern", self.ok("explain", "blocks.0.attn.pattern[0,0,1,1]", "--text", path("hours.csv"), *self.model))
        self.svg("heads", *self.call, "--layer", "1")

    def test_refused(self):
        self.refused(2, "there is none that is called", "draw", "attention-on-series", "--text", "nothing.csv", *self.model, "-o", path("a.svg"))
        self.refused(2, "rows, the model reads 16", "trace", write("few.csv", "date,load,heat\nx,1,2\ny,3,4\n"), *self.model)
        self.refused(2, 'no column "heat"', "trace", write("one.csv", "date,load\n" + "x,1\n" * 30), *self.model)
        self.refused(2, "expected load, heat", "draw", "attention-on-series", *self.call, "--column", "cold", "-o", path("a.svg"))
        self.refused(2, "no token ids", "trace", "--tokens", "1,2", *self.model)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
