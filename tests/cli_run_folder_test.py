#!/usr/bin/env python3
"""The folder of a training run: TensorBoard's events, watched sentences, kinds of heads, the figure of how heads learn.

  tests/cli_run_folder_test.py build/dev/limpid
"""
import glob
import random
import struct
import sys

from cli_helpers import *
import figure_files


# ---- events, read without limpid ----------------------------------------------------------------------

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def fields(data):
    """The fields of a protocol buffer: (number, value)."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                return value, at
    at = 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        elif key & 7 == 2:
            size, at = varint(at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[key & 7]
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def events(folder):
    """[(step, {tag: number})] of the folder's only file of events; every record is whole."""
    [name] = glob.glob(path(f"{folder}/events.out.tfevents.*"))
    data, out, before = open(name, "rb").read(), [], 0
    while data:
        (size,), (sum_of_size,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        assert sum_of_size == masked(data[:8])
        event, (sum_of_event,) = data[12:12 + size], struct.unpack("<I", data[12 + size:16 + size])
        assert len(event) == size and sum_of_event == masked(event)
        data = data[16 + size:]
        held = dict(fields(event))
        (time,) = struct.unpack("<d", held[1])
        assert time >= before > -1 and time > 1.6e9
        before = time
        if not out and 3 in held:
            assert held[3] == b"brain.Event:2"
            out.append(None)
            continue
        values = {}
        for number, value in fields(held[5]):
            assert number == 1
            each = dict(fields(value))
            (values[each[1].decode()],) = struct.unpack("<f", each[2])
        out.append((held.get(2, 0), values))
    assert out[0] is None and None not in out[1:]
    return out[1:]


def log(folder):
    return [json.loads(line) for line in read(f"{folder}/log.jsonl").splitlines()]


def as_float(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


# ---- a network that learns to look back at what followed ----------------------------------------------------

def repeats():
    draw, lines = random.Random(1), []
    for _ in range(4000):
        letters = draw.sample("abcdefghijklmnopqrstuvwxyz", draw.randint(8, 14))
        lines.append("".join(letters * 2))
    return "\n".join(lines) + "\n"


REPEATS = {"data": ["repeats.txt"], "network": {"network": "gpt", "layers": 2, "heads": 2, "width": 32, "context": 32, "positions": "rotary"},
           "steps": 420, "batch": 32, "context": 32, "epoch": 70, "optimizer": "muon", "learning_rate": 1e-2, "warm_up": 20, "validation": 0.05,
           "watch": ["sycidsycid", "hello"]}


class Induction(Case):
    @classmethod
    def setUpClass(cls):
        write("repeats.txt", repeats())
        cls.shown = limpid("train", write("repeats.json", json.dumps(REPEATS)), "-o", path("run"))
        assert cls.shown.returncode == 0, cls.shown.stderr
        cls.reports = log("run")

    def test_an_induction_head_appears_and_is_announced_once(self):
        said = re.findall(r"step (\d+): head (\d+) of layer (\d+) became an induction head \((\d\.\d\d)\)", self.shown.stdout)
        self.assertTrue(said, self.shown.stdout)
        for step, head, layer, score in said:
            of_it = [(r["step"], h) for r in self.reports for h in r["heads"]
                     if (h["head"], h["layer"], h["kind"]) == (int(head), int(layer), "induction")]
            self.assertEqual(of_it[0][0], int(step))
            self.assertEqual(f"{of_it[0][1]['score']:.2f}", score)
        self.assertEqual(len({(head, layer) for _, head, layer, _ in said}), len(said))
        self.assertEqual({h["kind"] for h in self.reports[0]["heads"]}, {"mixed"})

    def test_the_log_has_what_limpid_heads_finds(self):
        best = max(r["step"] for r in self.reports if r["best"])
        seen = json.loads(self.ok("heads", "--model", path("run/model.safetensors"), "--json"))["heads"]
        then = next(r for r in self.reports if r["step"] == best)["heads"]
        self.assertEqual([(h["attention"], h["head"], h["kind"], h["score"]) for h in seen],
                         [(h["attention"], h["head"], h["kind"], h["score"]) for h in then])

    def test_events_are_the_log(self):
        found = events("run")
        self.assertEqual([step for step, _ in found], [r["step"] for r in self.reports])
        for (step, values), report in zip(found, self.reports):
            expected = {"loss/training": report["loss"], "loss/held_out": report["validation"], "accuracy": report["accuracy"],
                        "learning_rate": report["learning_rate"], **report["metrics"]}
            if step > 0:
                expected["tokens_per_second"] = report["tokens_per_second"]
            self.assertEqual(values, {key: as_float(value) for key, value in expected.items()})

    def test_watched_sentences_open(self):
        names = sorted(os.path.basename(name) for name in glob.glob(path("run/watched/*")))
        self.assertEqual(names, sorted(f"{r['step']}-{n}.safetensors" for r in self.reports for n in (0, 1)))
        last = path(f"run/watched/{self.reports[-1]['step']}-0.safetensors")
        arrays = figure_files.Trace(last).arrays
        self.assertEqual(arrays["blocks.1.attn.pattern"][0], [1, 2, 10, 10])
        self.assertNotIn("blocks.0.attn.q", str(list(arrays)))
        self.assertIn("Softmax", self.ok("explain", "blocks.1.attn.pattern[0,0,7,3]", last))
        self.assertIn("candidates", self.ok("trace", last))
        self.ok("draw", "attention", last, "-o", path("attention.svg"))
        self.ok("draw", "heads", last, "-o", path("heads.svg"))

    def test_the_figure_of_how_heads_learned_shows_the_files_numbers(self):
        for layer, watched, columns in ((0, 0, 2), (1, 1, 2)):
            self.ok("draw", "learning", path("run"), "--layer", str(layer), "--watched", str(watched), "-o", path("learning.svg"))
            svg = read("learning.svg").decode()
            held = figure_files.Trace.__new__(figure_files.Trace)
            held.arrays = {}
            for report in self.reports:
                name = path(f"run/watched/{report['step']}-{watched}.safetensors")
                for key, array in figure_files.Trace(name).arrays.items():
                    held.arrays[f"step.{report['step']}/{key}"] = array
            for key in ("loss", "validation"):
                held.arrays[key] = ([len(self.reports)], [r[key] for r in self.reports])
            held.arrays["heads"] = ([len(self.reports), 4], [h["score"] for r in self.reports for h in r["heads"]])
            labels = [(text, re.search(r'data-source="([^"]*)"', tag), re.search(r'data-kind="(\w+)"', tag)[1])
                      for tag, text in re.findall(r"<text([^>]*)>([^<]*)</text>", svg)]
            faults, seen = figure_files.number_faults([(text, source[1] if source else "", kind) for text, source, kind in labels], held)
            self.assertEqual(faults, [])
            self.assertGreaterEqual(seen, 2 * len(self.reports))
            self.assertEqual(len(re.findall(r"step\.\d+/blocks\.%d\.attn\.pattern" % layer, svg)) > 0, True)
            for report in self.reports:
                self.assertIn(f"step {report['step']}<", svg)
        self.assertIn("induction 0.", self.ok("draw", "learning", path("run"), "--layer", "1", "--format", "svg", "-o", "-"))

    def test_the_figure_in_every_format(self):
        for ending in ("png", "pdf", "pptx", "drawio", "tikz", "tex", "txt", "md"):
            self.ok("draw", "learning", path("run"), "--head", "1", "-o", path("learning." + ending))
            self.assertGreater(len(read("learning." + ending)), 300)

    def test_calls_for_the_figure_are_repaired(self):
        out = ["-o", path("none.svg")]
        self.refused(2, "give the folder", "draw", "learning", *out)
        self.refused(1, "is no folder", "draw", "learning", path("nowhere"), *out)
        self.refused(2, "the sentences 0 to 1", "draw", "learning", path("run"), "--watched", "2", *out)
        self.refused(2, "layers 0 to 1", "draw", "learning", path("run"), "--layer", "2", *out)
        self.refused(2, "needs a run", "draw", "learning", path("run"), "--text", "x", *out)
        self.refused(2, "--watched is for the figure learning", "draw", "heads", "--watched", "0", *out)
        self.assertFalse(os.path.exists(path("none.svg")))

    def test_the_curves_are_kept_as_a_figure(self):
        self.ok("draw", "training", path("run/log.jsonl"), "-o", path("again.svg"))
        self.assertEqual(read("run/training.svg"), read("again.svg"))


SMALL = {"data": ["few.txt"], "network": {"network": "gpt", "layers": 1, "heads": 2, "width": 16, "context": 16}, "steps": 40, "batch": 4,
         "context": 12, "epoch": 10, "warm_up": 5, "validation": 0.2, "watch": ["abcabc"]}


class GoingOn(Case):
    def setUp(self):
        write("few.txt", "abcabcbcacba" * 30)
        self.recipe = write("few.json", json.dumps(SMALL))
        for name in ("whole", "parted"):
            subprocess.run(["rm", "-rf", path(name)], check=True)

    def test_a_resumed_run_goes_on_with_its_events(self):
        self.ok("train", self.recipe, "-o", path("whole"))
        self.ok("train", self.recipe, "-o", path("parted"), "--steps", "20")
        [name] = glob.glob(path("parted/events.out.tfevents.*"))
        half = len(open(name, "rb").read())
        with open(name, "ab") as file:  # killed within a record
            file.write(open(name, "rb").read()[40:71])
        self.ok("train", self.recipe, "-o", path("parted"), "--resume", "--steps", "40")
        self.assertGreater(len(open(name, "rb").read()), half)
        self.assertEqual([s for s, _ in events("parted")], [0, 10, 20, 30, 40])
        self.assertEqual(sorted(os.listdir(path("parted/watched"))), sorted(os.listdir(path("whole/watched"))))

    def test_events_of_later_steps_than_the_checkpoint_go(self):
        self.ok("train", self.recipe, "-o", path("parted"), "--steps", "10")
        checkpoint = read("parted/checkpoint.safetensors")
        self.ok("train", self.recipe, "-o", path("parted"), "--resume", "--steps", "30")
        write("parted/checkpoint.safetensors", checkpoint)
        os.remove(path("parted/watched/10-0.safetensors"))
        self.ok("train", self.recipe, "-o", path("parted"), "--resume", "--steps", "20")
        self.assertEqual([s for s, _ in events("parted")], [0, 10, 20])
        self.assertTrue(os.path.exists(path("parted/watched/10-0.safetensors")))

    def test_events_that_are_lost_are_written_anew(self):
        self.ok("train", self.recipe, "-o", path("parted"), "--steps", "20")
        for name in glob.glob(path("parted/events*")):
            os.remove(name)
        self.ok("train", self.recipe, "-o", path("parted"), "--resume", "--steps", "40")
        self.assertEqual([s for s, _ in events("parted")], [0, 10, 20, 30, 40])

    def test_beginning_again_mixes_nothing(self):
        self.ok("train", self.recipe, "-o", path("parted"))
        write("parted/watched/notes.txt", "mine")
        self.ok("train", self.recipe, "-o", path("parted"), "--overwrite", "--steps", "10")
        self.assertEqual([s for s, _ in events("parted")], [0, 10])
        self.assertEqual(sorted(os.listdir(path("parted/watched"))), ["0-0.safetensors", "10-0.safetensors", "notes.txt"])

    def test_sentences_that_cannot_be_watched(self):
        def given(**changes):
            return write("other.json", json.dumps({**SMALL, **changes}))
        self.refused(2, "recipe: watch: ", "train", given(watch=["abc", "xyz"]), "-o", path("parted"))
        self.assertEqual(os.listdir(path("parted")), [])
        self.ok("train", given(watch=["abc"]), "-o", path("kept"), "--steps", "5")
        before = sorted(os.listdir(path("kept"))), sorted(os.listdir(path("kept/watched")))
        self.refused(2, "recipe: watch: ", "train", given(watch=["xyz"]), "-o", path("kept"), "--overwrite")
        self.assertEqual((sorted(os.listdir(path("kept"))), sorted(os.listdir(path("kept/watched")))), before)
        self.refused(2, "watch holds an empty text", "train", given(watch=[""]), "-o", path("parted"))
        self.refused(2, "watch is of tasks that read texts, here it is 'images'", "train",
                     given(task="images", data={"training": "x"}), "-o", path("parted"))
        self.refused(2, "expected a text", "train", given(watch=[1]), "-o", path("parted"))

    def test_every_task_that_reads_texts_is_watched(self):
        write("kinds.csv", "text,kind\n" + "rain and wind,weather\nbread and tea,food\nsnow again,weather\nsoup again,food\n" * 4)
        block = {"attention": {"heads": 2, "width": 8, "out_width": 16}, "feed_forward": {"width": 32}}
        net = {"network": "parts", "inputs": {"width": 16, "positions": "learned", "context": 16}, "stack": {"layers": 1, "blocks": [block]},
               "head": {"kind": "classes", "pool": "mean"}}
        self.ok("train", write("kinds.json", json.dumps({"task": "classes", "data": {"training": "kinds.csv"}, "validation": 0, "tokenizer": "words",
                "steps": 20, "epoch": 10, "network": net, "watch": ["rain and tea"]})), "-o", path("parted"))
        arrays = figure_files.Trace(path("parted/watched/20-0.safetensors")).arrays
        self.assertEqual(arrays["probs"][0], [1, 2])
        self.assertEqual(arrays["blocks.0.attn.pattern"][0], [1, 2, 3, 3])
        self.ok("draw", "learning", path("parted"), "-o", path("kinds.svg"))


    def test_a_translation_is_watched_with_what_is_written(self):
        words, draw = {"ein": "one", "zwei": "two", "drei": "three"}, random.Random(2)
        pairs = [draw.choices(list(words), k=draw.randint(1, 3)) for _ in range(60)]
        write("train.de", "".join(" ".join(p) + "\n" for p in pairs))
        write("train.en", "".join(" ".join(words[w] for w in p) + "\n" for p in pairs))
        block = {"norm": {"kind": "layer"}, "attention": {"heads": 2, "width": 8, "out_width": 16}, "feed_forward": {"width": 32}}
        inputs = {"width": 16, "positions": "learned", "context": 32}
        decoder = {**block, "attention": {**block["attention"], "mask": "causal"}, "cross": block["attention"]}
        net = {"network": "parts", "inputs": inputs, "stack": {"layers": 1, "blocks": [decoder], "final_norm": {"kind": "layer"}},
               "head": {"kind": "next_word", "tied": True}, "encoder": {"inputs": inputs, "stack": {"layers": 1, "blocks": [block]}}}
        self.ok("train", write("pairs.json", json.dumps({"task": "translation", "tokenizer": "bpe", "vocabulary": 270, "network": net, "steps": 20, "epoch": 10,
                "context": 24, "batch": 8, "learning_rate": 1e-2, "warm_up": 2, "data": {"training": ["train.de", "train.en"]}, "watch": ["zwei drei"]})), "-o", path("parted"))
        arrays = figure_files.Trace(path("parted/watched/20-0.safetensors")).arrays
        self.assertEqual({"encoder.blocks.0.attn.pattern", "blocks.0.attn.pattern", "blocks.0.cross_attn.pattern"} - set(arrays), set())
        self.assertEqual({h["attention"] for h in log("parted")[-1]["heads"]}, {"encoder.blocks.0.attn", "blocks.0.attn"})
        for part, words in (("decoder", "What is written beside"), ("cross", "What is written beside"), ("encoder", "In &quot;zwei drei")):
            self.assertIn(words, self.ok("draw", "learning", path("parted"), "--part", part, "--format", "svg", "-o", "-"))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
