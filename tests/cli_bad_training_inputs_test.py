#!/usr/bin/env python3
"""Bad inputs to train, eval and predict: each is one line that says what is wrong and where, with its exit status; nothing is
half-written and nothing is lost.

  tests/cli_bad_training_inputs_test.py build/dev/limpid
"""
import gzip
import shutil
import struct
import sys
import zlib

from cli_helpers import *


def network(head, **more):
    block = {"norm": {"kind": "layer"}, "attention": {"heads": 2, "width": 8, "out_width": 16}, "feed_forward": {"width": 32}}
    return {"network": "parts", "family": "small", "inputs": {"width": 16, "positions": "learned", "context": 32},
            "stack": {"layers": 1, "blocks": [block], "final_norm": {"kind": "layer"}}, "head": head, **more}


SETTINGS = {"steps": 4, "batch": 4, "context": 16, "epoch": 2, "warm_up": 1, "validation": 0}
CLASSES = {"task": "classes", "tokenizer": "words", "network": network({"kind": "classes", "pool": "mean"}), "data": {"training": "a.csv"}}
SERIES = {"task": "forecast", "network": {**network({"kind": "forecast", "flat": True}, series={"size": 4, "stride": 4}), "inputs": {"width": 16}},
          "forecast": {"look_back": 8, "horizon": 2}, "data": {"training": "a.csv"}}
SERIES["network"]["stack"] = {k: v for k, v in SERIES["network"]["stack"].items() if k != "final_norm"}
IMAGES = {"task": "images", "network": {**network({"kind": "classes", "bias": True}, patches={"size": 4}), "inputs": {"width": 16}},
          "data": {"training": ["images.idx", "labels.idx"]}}
PAIRS = {"task": "translation", "tokenizer": "bpe", "vocabulary": 270, "data": {"training": ["a.de", "a.en"]},
         "network": network({"kind": "next_word", "tied": True}, encoder={"inputs": {"width": 16}, "stack": {"layers": 1, "blocks": [
             {"attention": {"heads": 2, "width": 8, "out_width": 16}, "feed_forward": {"width": 32}}]}})}
WORDS = {"network": {"network": "gpt", "layers": 1, "heads": 2, "width": 16, "context": 16}, "data": ["a.txt"]}

TEXTS = "text,label\n" + "rain today,weather\nsoup today,food\n" * 8
HOURS = "date,load\n" + "".join(f"hour {i:03},{i % 7}\n" for i in range(60))


def idx(kind, shape, data):
    return b"\0\0\x08" + bytes([len(shape)]) + b"".join(struct.pack(">I", n) for n in shape) + data


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * 8) * 8)) + chunk(b"IEND", b""))


def given(recipe, **changes):
    return json.dumps({**SETTINGS, **recipe, **changes})


TRAIN = ["train", "recipe.json", "-o", "run"]
LABELS = idx(8, [2], b"\0\1")

# name, files, command, exit status, what the line says.  {m}: a model of classes, {s} of series, {i} of images, {w} of words.
BAD = [
    # texts and their classes
    ("a table that is not there", {"recipe.json": given(CLASSES)}, TRAIN, 1, ["a.csv"]),
    ("an empty table", {"recipe.json": given(CLASSES), "a.csv": ""}, TRAIN, 1, ["a.csv", "empty"]),
    ("a table of names alone", {"recipe.json": given(CLASSES), "a.csv": "text,label\n"}, TRAIN, 1, ["a.csv"]),
    ("a column that is missing", {"recipe.json": given(CLASSES, data={"training": "a.csv", "text": "message"}), "a.csv": TEXTS}, TRAIN, 2, ['"message"', '"text"']),
    ("a column that cannot be guessed", {"recipe.json": given(CLASSES), "a.csv": "a,b,c\nx,y,z\n"}, TRAIN, 2, ["a.csv", "which column"]),
    ("one class alone", {"recipe.json": given(CLASSES), "a.csv": "text,label\nrain,weather\nsun,weather\n"}, TRAIN, 2, ['"weather"', "two classes"]),
    ("test labels never seen", {"recipe.json": given(CLASSES, data={"training": "a.csv", "test": "b.csv"}), "a.csv": TEXTS, "b.csv": "text,label\nrain,sport\n"}, TRAIN, 1,
     ["b.csv", "sport"]),
    ("rows that are all broken", {"recipe.json": given(CLASSES), "a.csv": "text,label\nx\ny\nz\n"}, TRAIN, 1, ["a.csv", "line 2"]),
    ("a quote that is never closed", {"recipe.json": given(CLASSES), "a.csv": 'text,label\n"rain,weather\nsoup,food\n'}, TRAIN, 1, ["a.csv", "quote"]),
    ("bytes that are no text", {"recipe.json": given(CLASSES), "a.csv": b"text,label\n" + bytes(range(256)) * 4}, TRAIN, 1, ["a.csv"]),
    ("a picture for a table", {"recipe.json": given(CLASSES), "a.csv": png()}, TRAIN, 1, ["a.csv", "PNG"]),
    ("gzip cut short", {"recipe.json": given(CLASSES, data={"training": "a.csv.gz"}), "a.csv.gz": gzip.compress(TEXTS.encode() * 50)[:60]}, TRAIN, 1, ["a.csv.gz"]),
    ("gzip with a wrong sum", {"recipe.json": given(CLASSES, data={"training": "a.csv.gz"}), "a.csv.gz": gzip.compress(TEXTS.encode())[:-8] + b"\0" * 8}, TRAIN, 1, ["a.csv.gz"]),
    ("JSON lines that are none", {"recipe.json": given(CLASSES, data={"training": "a.jsonl"}), "a.jsonl": '{"text": "x", "label"\n'}, TRAIN, 1, ["a.jsonl"]),
    # series
    ("a series too short", {"recipe.json": given(SERIES), "a.csv": "date,load\n" + "x,1\ny,2\n" * 3}, TRAIN, 2, ["rows"]),
    ("a series without numbers", {"recipe.json": given(SERIES), "a.csv": "date,load\n" + "x,a\n" * 30}, TRAIN, 1, ["a.csv", "numbers"]),
    ("a series of gaps", {"recipe.json": given(SERIES, forecast={"look_back": 8, "horizon": 2, "columns": ["load"]}), "a.csv": "date,load,heat\n" + "x,NaN,1\n" * 30}, TRAIN, 1,
     ['"load"', "no number"]),
    ("a series backwards", {"recipe.json": given(SERIES), "a.csv": "date,load\n" + "".join(f"2020-01-{i:02},{i}\n" for i in range(31, 0, -1))}, TRAIN, 1, ["a.csv", "backwards"]),
    ("a series without that column", {"recipe.json": given(SERIES, forecast={"look_back": 8, "horizon": 2, "columns": ["heat"]}), "a.csv": HOURS}, TRAIN, 2, ['"heat"']),
    ("more rows than there are", {"recipe.json": given(SERIES, forecast={"look_back": 8, "horizon": 2, "training": 50, "test": 50}), "a.csv": HOURS}, TRAIN, 2, ["60"]),
    # images
    ("IDX of a wrong size", {"recipe.json": given(IMAGES), "images.idx": idx(8, [2, 8, 8], b"\1" * 100), "labels.idx": LABELS}, TRAIN, 1, ["images.idx"]),
    ("IDX of unlike counts", {"recipe.json": given(IMAGES), "images.idx": idx(8, [3, 8, 8], b"\1" * 192), "labels.idx": LABELS}, TRAIN, 1, ["3", "2"]),
    ("IDX that is none", {"recipe.json": given(IMAGES), "images.idx": "text\n", "labels.idx": LABELS}, TRAIN, 1, ["images.idx"]),
    ("labels that are images", {"recipe.json": given(IMAGES), "images.idx": idx(8, [2, 8, 8], b"\1" * 128), "labels.idx": idx(8, [2, 8, 8], b"\1" * 128)}, TRAIN, 1, ["labels.idx"]),
    ("a folder without pictures", {"recipe.json": given(IMAGES, data={"training": "photos"}), "photos/a/note.txt": "x"}, TRAIN, 1, ["photos"]),
    ("pictures that are none", {"recipe.json": given(IMAGES, data={"training": "photos"}), "photos/a/1.png": "text", "photos/b/1.png": png()[:40]}, TRAIN, 1, ["1.png"]),
    # pairs and texts
    ("parallel files of unlike length", {"recipe.json": given(PAIRS), "a.de": "eins\nzwei\n", "a.en": "one\n"}, TRAIN, 1, ["2", "1", "a.en"]),
    ("parallel files without a pair", {"recipe.json": given(PAIRS), "a.de": "\n\n", "a.en": "one\ntwo\n"}, TRAIN, 1, ["a.de"]),
    ("a text too short", {"recipe.json": given(WORDS), "a.txt": "ab"}, TRAIN, 2, ["text"]),
    ("an empty text", {"recipe.json": given(WORDS), "a.txt": ""}, TRAIN, 2, ["text"]),
    # recipes
    ("a recipe that is none", {"recipe.json": "{\"steps\": "}, TRAIN, 2, ["recipe.json"]),
    ("a setting that is none", {"recipe.json": given(WORDS, step=3), "a.txt": "ab" * 99}, TRAIN, 2, ["'step'"]),
    ("a setting out of range", {"recipe.json": given(WORDS, batch=0), "a.txt": "ab" * 99}, TRAIN, 2, ["batch"]),
    # a folder that cannot be written
    ("a file where the folder should be", {"recipe.json": given(WORDS), "a.txt": "ab" * 99, "run": "mine"}, TRAIN, 1, ["run"]),
    ("nothing to go on from", {"recipe.json": given(WORDS), "a.txt": "ab" * 99}, [*TRAIN, "--resume"], 2, ["checkpoint"]),
    ("a checkpoint cut short", {"recipe.json": given(WORDS), "a.txt": "ab" * 99, "run/checkpoint.safetensors": b"\x80\0\0\0\0\0\0\0{"}, [*TRAIN, "--resume"], 1, ["checkpoint"]),
    # eval
    ("images of one class alone", {"recipe.json": given(IMAGES, data={"training": "photos"}), "photos/a/1.png": png(), "photos/a/2.png": png()}, TRAIN, 2, ['"a"', "two classes"]),
    ("eval: data of other classes", {"recipe.json": given(CLASSES, data={"training": "a.csv", "test": "a.csv"}), "a.csv": "text,label\nrain,a\nsoup,b\n"}, ["eval", "--recipe", "recipe.json", "--model", "{m}"], 2, ['"a"', '("food", "weather")']),
    ("eval: data of other columns", {"recipe.json": given(SERIES), "a.csv": HOURS.replace("load", "heat")}, ["eval", "--recipe", "recipe.json", "--model", "{s}"], 2, ['"heat"', '"load"']),
    ("eval: a model of something else", {"recipe.json": given(SERIES), "a.csv": HOURS}, ["eval", "--recipe", "recipe.json", "--model", "{m}"], 2, ["series"]),
    ("eval: a model that is none", {"recipe.json": given(CLASSES), "a.csv": TEXTS}, ["eval", "--recipe", "recipe.json", "--model", "a.csv"], 1, ["a.csv"]),
    # predict
    ("predict: a table without texts", {"a.csv": "a,b,c\nx,y,z\n"}, ["predict", "a.csv", "--model", "{m}", "-o", "out.csv"], 2, ["which column"]),
    ("predict: an empty table", {"a.csv": ""}, ["predict", "a.csv", "--model", "{m}", "-o", "out.csv"], 1, ["a.csv", "empty"]),
    ("predict: a word never seen", {"a.csv": "text\nrain today\nhail today\n"}, ["predict", "a.csv", "--model", "{m}", "-o", "out.csv"], 2, ["hail", "text 2"]),
    ("predict: a picture for texts", {"a.png": png()}, ["predict", "a.png", "--model", "{m}", "-o", "out.csv"], 2, ["a.png", "texts"]),
    ("predict: a picture that is none", {"a.png": "text"}, ["predict", "a.png", "--model", "{i}", "-o", "out.csv"], 1, ["a.png"]),
    ("predict: a picture cut short", {"a.png": png()[:50]}, ["predict", "a.png", "--model", "{i}", "-o", "out.csv"], 1, ["a.png"]),
    ("predict: a folder of nothing", {"photos/note.md": "x"}, ["predict", "photos", "--model", "{i}", "-o", "out.csv"], 1, ["photos"]),
    ("predict: a text for a model of images", {}, ["predict", "rain", "--model", "{i}"], 2, ["image", '"rain"']),
    ("predict: a series too short", {"a.csv": "date,load\nx,1\n"}, ["predict", "a.csv", "--model", "{s}", "-o", "out.csv"], 2, ["1 rows", "8"]),
    ("predict: a series of another column", {"a.csv": HOURS.replace("load", "heat")}, ["predict", "a.csv", "--model", "{s}", "-o", "out.csv"], 2, ['"load"']),
    ("predict: a folder for the table", {"a.csv": "text\nrain today\n", "out.csv/x": ""}, ["predict", "a.csv", "--model", "{m}", "-o", "out.csv"], 1, ["out.csv"]),
    ("predict: a full disk", {"a.csv": "text\nrain today\n"}, ["predict", "a.csv", "--model", "{m}", "-o", "/dev/full"], 1, ["/dev/full"]),
]


def contents(folder):
    out = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                out[os.path.relpath(os.path.join(place, name), folder)] = file.read()
    return out


class Bad(Case):
    @classmethod
    def setUpClass(cls):
        os.makedirs(path("good"))
        write("good/a.csv", TEXTS)
        write("good/hours.csv", HOURS)
        write("good/images.idx", idx(8, [2, 8, 8], b"\1" * 64 + b"\xf0" * 64))
        write("good/labels.idx", LABELS)
        cls.models = {}
        for letter, recipe in (("m", CLASSES), ("s", {**SERIES, "data": {"training": "hours.csv"}}), ("i", IMAGES)):
            done = limpid("train", write(f"good/{letter}.json", given(recipe)), "-o", path(f"good/{letter}"))
            assert done.returncode == 0, done.stderr
            cls.models[letter] = path(f"good/{letter}/model.safetensors")

    def call(self, number, files, command, prefix=""):
        """The folder, what it held, and the finished call in it."""
        folder = path(f"bad{number}")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        for name, content in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            write(f"bad{number}/{name}", content)
        before = contents(folder)
        words = [self.models.get(word[1:-1], word) if word.startswith("{") else word for word in command]
        shell = ["bash", "-c", prefix + 'exec "$@"', "-", PROGRAM, *words]
        done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, env=clean_environment())
        return folder, before, done

    def holds(self, done, status, words):
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, r"\Alimpid: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, done.stderr)

    def test_each_is_one_line_and_leaves_everything_as_it_was(self):
        self.assertGreaterEqual(len(BAD), 40)
        self.assertEqual(len({name for name, *_ in BAD}), len(BAD))
        for number, (name, files, command, status, words) in enumerate(BAD):
            with self.subTest(name):
                folder, before, done = self.call(number, files, command)
                self.holds(done, status, words)
                self.assertEqual(done.stdout, "")
                self.assertEqual(contents(folder), before)

    # ---- a disk that is full, a folder that may not be written -----------------------------------------------

    FILES = {"recipe.json": given(WORDS, steps=40, epoch=10), "a.txt": "abcabcbcacba" * 40}

    def test_a_file_that_may_not_grow(self):
        for blocks in (0, 4, 16):  # of 1024 bytes
            with self.subTest(blocks=blocks):
                folder, before, done = self.call("limit", self.FILES, TRAIN, f"ulimit -f {blocks}; ")
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, r"\Alimpid: [^\n]*run/[^\n]+\n\Z")
                left = contents(folder)
                self.assertEqual({k: v for k, v in left.items() if not k.startswith("run/")}, before)
                self.assertNotIn("run/model.safetensors", left)
                self.assertNotIn("run/checkpoint.safetensors", left)  # half of one would be worse than none

    def test_a_disk_that_fills_up_while_the_run_goes_on(self):
        place = path("small disk")
        os.makedirs(place, exist_ok=True)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True).returncode != 0:
            self.skipTest("a disk of its own needs root: mount failed")
        try:
            folder, _, done = self.call("disk", self.FILES, [*TRAIN[:-1], place, "--steps", "10"])
            self.assertEqual(done.returncode, 0, done.stderr)
            def run_files():  # run.lock says which command ran last
                return {name: bytes for name, bytes in contents(place).items() if os.path.basename(name) != "run.lock"}

            kept = run_files()
            filler = os.open(os.path.join(place, "filler"), os.O_WRONLY | os.O_CREAT)
            with self.assertRaises(OSError):
                while True:
                    os.write(filler, b"x" * 4096)
            os.close(filler)
            again = subprocess.run([PROGRAM, *TRAIN[:-1], place, "--steps", "40", "--resume"], cwd=folder, capture_output=True, text=True, timeout=120)
            self.assertEqual(again.returncode, 1, again.stderr)
            self.assertRegex(again.stderr, r"\Alimpid: [^\n]+\n\Z")
            os.remove(os.path.join(place, "filler"))
            self.assertEqual(run_files(), kept)  # the checkpoint that was there, and no part of another
            again = subprocess.run([PROGRAM, *TRAIN[:-1], place, "--steps", "40", "--resume"], cwd=folder, capture_output=True, text=True, timeout=120)
            self.assertEqual(again.returncode, 0, again.stderr)
            os.remove(os.path.join(folder, "a.txt"))
        finally:
            subprocess.run(["umount", place], check=True)

    def test_a_folder_that_may_not_be_written(self):
        if os.geteuid() == 0:
            self.skipTest("root writes everywhere")
        folder, _, _ = self.call("locked", self.FILES, ["info", "a.txt"])
        os.mkdir(os.path.join(folder, "run"), 0o500)
        done = subprocess.run([PROGRAM, *TRAIN], cwd=folder, capture_output=True, text=True, timeout=120)
        self.holds(done, 1, ["run/"])


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
