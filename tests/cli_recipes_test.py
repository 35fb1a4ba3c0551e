#!/usr/bin/env python3
"""Every task of a recipe through the command: train, the model at its task, eval, going on, beginning from a model, bad data.

  tests/cli_recipes_test.py build/dev/limpid
"""
import gzip
import math
import random
import sys

from cli_helpers import *


def block(**more):
    return {"norm": {"kind": "layer"}, "attention": {"heads": 2, "width": 8, "out_width": 16, **more},
            "feed_forward": {"width": 32}}


def network(head, **more):
    return {"network": "parts", "family": "small", "inputs": {"width": 16, "positions": "learned", "context": 32},
            "stack": {"layers": 1, "blocks": [block()], "final_norm": {"kind": "layer"}}, "head": head, **more}


CLASSES = network({"kind": "classes", "pool": "mean", "bias": True})
SETTINGS = {"steps": 120, "batch": 8, "context": 24, "epoch": 40, "learning_rate": 1e-2, "warm_up": 10, "seed": 3}


def of_task(name, task, **settings):
    return write(name, json.dumps({"title": task, "task": task, **SETTINGS, **settings}))


def texts(count, draw):
    things = {"weather": ["rain", "sun", "wind", "snow"], "food": ["bread", "soup", "rice", "tea"]}
    for i in range(count):
        label = ("weather", "food")[i % 2]
        yield label, "today there is " + " ".join(draw.choices(things[label], k=draw.randint(1, 3)))


class Classes(Case):
    @classmethod
    def setUpClass(cls):
        draw = random.Random(1)
        rows = "".join(f'"{text}, they say",{label}\r\n' for label, text in texts(80, draw))
        write("texts.csv", "text,category\r\n" + rows + "one field\r\n")
        write("test.csv", "text,category\r\n" + "".join(f"{text},{label}\r\n" for label, text in texts(20, draw)) + "odd,unseen\r\n")
        cls.recipe = of_task("classes.json", "classes", tokenizer="words", network=CLASSES, word_dropout=0.1, validation=0.2,
                             data={"training": "texts.csv", "test": ["test.csv"]})
        cls.done = limpid("train", cls.recipe, "-o", path("classes"))
        assert cls.done.returncode == 0, cls.done.stderr

    def test_it_learns_and_says_how_well(self):
        self.assertRegex(self.done.stdout, r"note: 1 row was left out: .*texts\.csv.*line 82")
        self.assertRegex(self.done.stdout, r"note: 1 row was left out: .*test\.csv.*unseen")
        self.assertIn("64 texts to learn from, 16 held out, 20 to test on (2 classes)", self.done.stdout)
        right = float(re.search(r"^test +([0-9.]+)% right of 20, F1 ([0-9.]+)", self.done.stdout, re.M).group(1))
        self.assertGreater(right, 90)

    def test_what_it_recommends_works(self):
        command = re.search(r"^limpid (classify .*)$", self.done.stdout, re.M).group(1)
        self.assertEqual(subprocess.run(f"{PROGRAM} {command}", shell=True, cwd=WORK.name, capture_output=True).returncode, 0)

    def test_the_model_tells_classes(self):
        seen = json.loads(self.ok("classify", "today there is soup", "today there is snow", "--model", path("classes/model.safetensors"),
                                  "--json"))
        self.assertEqual([t["classes"][0]["class"] for t in seen["texts"]], ["food", "weather"])

    def test_eval_counts_what_is_mistaken(self):
        seen = json.loads(self.ok("eval", "--recipe", self.recipe, "--model", path("classes/model.safetensors"), "--json"))
        self.assertEqual((seen["part"], seen["examples"], seen["classes"]), ("test", 20, ["food", "weather"]))
        confusion = seen["confusion"]
        self.assertEqual(sum(map(sum, confusion)), 20)
        self.assertEqual([sum(row) for row in confusion], [10, 10])
        self.assertAlmostEqual(seen["accuracy"], (confusion[0][0] + confusion[1][1]) / 20)
        self.assertIn("test", self.ok("eval", "--recipe", self.recipe, "--model", path("classes/model.safetensors")))

    def test_a_run_that_is_done_is_kept_and_goes_on(self):
        before = read("classes/model.safetensors")
        self.refused(2, ["holds a run that is done", "--resume --steps N"], "train", self.recipe, "-o", path("classes"))
        self.assertEqual(read("classes/model.safetensors"), before)
        self.refused(2, "'steps' 120, now it is 130",
                     "train", write("longer.json", read("classes.json").replace(b'"steps": 120', b'"steps": 130')), "-o",
                     path("classes"), "--resume")
        self.ok("train", self.recipe, "-o", path("on"), "--steps", "40")
        self.ok("train", self.recipe, "-o", path("on"), "--resume", "--steps", "60")
        self.assertEqual(json.loads(read("on/log.jsonl").splitlines()[-1])["step"], 60)
        self.ok("train", self.recipe, "-o", path("on"), "--overwrite", "--steps", "5")
        self.assertEqual(json.loads(read("on/log.jsonl").splitlines()[-1])["step"], 5)


class Forecasts(Case):
    def test_beside_simple_rules(self):
        rows = "".join(f"2020-01-{1 + i // 24:02d} {i % 24:02d}:00,{math.sin(i * math.pi / 4):.4f},{50 + 20 * math.cos(i * math.pi / 4):.3f}\n"
                       for i in range(480))
        write("waves.csv", "date,small,large\n" + rows)
        waves = of_task("waves.json", "forecast", data={"training": "waves.csv"}, forecast={"look_back": 16, "horizon": 4, "period": 8},
                        network=network({"kind": "forecast", "flat": True, "bias": True}, series={"size": 4, "stride": 4}))
        shown = self.ok("train", waves, "-o", path("waves"))
        self.assertIn("480 rows of 2 columns; 4 rows from 16 before", shown)
        seen = json.loads(self.ok("eval", "--recipe", waves, "--model", path("waves/model.safetensors"), "--json"))
        self.assertEqual([rule["name"].split()[1] for rule in seen["rules"]], ["last", "value", "mean", "linear"])
        self.assertLess(seen["rules"][1]["mse"], 1e-3)  # a wave is what it was a period ago
        self.assertLess(seen["mse"], seen["rules"][0]["mse"])
        self.assertEqual(seen["examples"], 93)  # 96 rows, 4 of them foretold at a time
        dropped = json.loads(self.ok("eval", "--recipe", waves, "--model", path("waves/model.safetensors"), "--json", "--drop-last"))
        self.assertEqual(dropped["examples"], 88)  # whole batches of 8


class Translations(Case):
    def test_two_files_and_bleu(self):
        draw, words = random.Random(4), {"eins": "one", "zwei": "two", "drei": "three", "vier": "four"}
        pairs = [draw.choices(list(words), k=2) for _ in range(64)]
        with gzip.open(path("de.gz"), "wt") as file:
            file.write("".join(" ".join(p) + "\n" for p in pairs))
        write("en.txt", "".join(" ".join(words[w] for w in p) + "\n" for p in pairs))
        small = network({"kind": "next_word"}, encoder={"inputs": {"width": 16, "positions": "learned", "context": 32},
                                                        "stack": {"layers": 1, "blocks": [block()], "final_norm": {"kind": "layer"}}})
        small["stack"] = {"layers": 1, "blocks": [{**block(mask="causal"), "cross": block()["attention"]}], "final_norm": {"kind": "layer"}}
        numbers = of_task("numbers.json", "translation", tokenizer="bpe", vocabulary=300, network=small, steps=600, epoch=300,
                          data={"training": ["de.gz", "en.txt"], "held_out": ["de.gz", "en.txt"]})
        self.ok("train", numbers, "-o", path("numbers"))
        self.assertEqual(self.ok("translate", "drei eins", "--model", path("numbers/model.safetensors")).strip(), "three one")
        seen = json.loads(self.ok("eval", "--recipe", numbers, "--model", path("numbers/model.safetensors"), "--json"))
        self.assertGreater(seen["accuracy"], 0.9)
        self.assertIn("bleu", seen)
        self.refused(1, ["64", "63"], "train", numbers, "--data", path("en.txt"), write("less.txt", "x\n" * 63), "-o", path("unlike"))


class Algorithms(Case):
    def test_answers_are_whole(self):
        copies = of_task("copies.json", "algorithm", algorithm={"kind": "copy", "length": 3, "symbols": 5}, steps=400, epoch=200, batch=32,
                         network={"network": "gpt", "layers": 1, "heads": 2, "width": 32, "context": 16})
        shown = self.ok("train", copies, "-o", path("copies"))
        self.assertGreater(float(re.search(r"^test .* ([0-9.]+)% of the answers whole", shown, re.M).group(1)), 90)


class FromAModel(Case):
    @classmethod
    def setUpClass(cls):
        write("text.txt", TEXT)
        done = limpid("train", recipe("base.json"), "-o", path("base"))
        assert done.returncode == 0, done.stderr

    def parameters(self, file):
        return json.loads(self.ok("info", path(file), "*", "--json"))

    def test_a_text_goes_on(self):
        more = write("more.json", json.dumps({"task": "next_word", "data": ["text.txt"], **SETTINGS, "steps": 10, "context": 16}))
        self.refused(2, 'it has no "network"', "train", more, "-o", path("none"))
        self.ok("train", more, "-o", path("more"), "--from", path("base/model.safetensors"))
        first = json.loads(read("more/log.jsonl").splitlines()[0])
        self.assertLess(first["validation"], 2.5)  # it begins where the model was, far from knowing nothing (ln 300 = 5.7)
        # Resumed with the model, never without.
        self.refused(2, "give the same one", "train", more, "-o", path("more"), "--resume")
        self.ok("train", more, "-o", path("more"), "--from", path("base/model.safetensors"), "--resume", "--steps", "12")

    def test_adapters_change_matrices_inside_blocks_alone(self):
        write("stones.txt", "Stone is hard and water is soft. Sand is neither of the two.\n" * 20)
        lora = write("lora.json", json.dumps({"task": "next_word", "data": ["stones.txt"], **SETTINGS, "steps": 40, "context": 16,
                                              "lora": {"rank": 2, "alpha": 4}}))
        self.refused(2, "begins from a model", "train",
                     write("alone.json", json.dumps(dict(GPT, lora={"rank": 2}))), "-o", path("alone"))
        self.ok("train", lora, "-o", path("lora"), "--from", path("base/model.safetensors"))
        before = self.ok("info", path("base/model.safetensors"), "embed.W_E", "--json")
        after = self.ok("info", path("lora/model.safetensors"), "embed.W_E", "--json")
        strip = lambda text: {k: v for k, v in json.loads(text).items() if k not in ("file", "path")}
        self.assertEqual(strip(before), strip(after))
        self.assertNotEqual(strip(self.ok("info", path("base/model.safetensors"), "blocks.0.attn.W_Q", "--json")),
                            strip(self.ok("info", path("lora/model.safetensors"), "blocks.0.attn.W_Q", "--json")))

    def test_classes_from_a_model_of_words(self):
        draw = random.Random(5)
        write("few.csv", "text,label\n" + "".join(f"{text},{label}\n" for label, text in texts(40, draw)))
        tuned = write("tuned.json", json.dumps({"task": "classes", "data": {"training": "few.csv"}, **SETTINGS, "context": 16}))
        self.ok("train", tuned, "-o", path("tuned"), "--from", path("base/model.safetensors"))
        seen = json.loads(self.ok("classify", "today there is soup", "--model", path("tuned/model.safetensors"), "--json"))
        self.assertEqual(seen["texts"][0]["classes"][0]["class"], "food")


class BadData(Case):
    """Each is one line that names the file, and nothing is left behind."""

    def cases(self):
        csv, series = {"network": CLASSES, "tokenizer": "words"}, {"network": network({"kind": "forecast", "flat": True}, series={"size": 4, "stride": 4}),
                                                                     "forecast": {"look_back": 8, "horizon": 2}}
        yield "classes", csv, {"training": "missing.csv"}, {}, 1, "missing.csv"
        yield "classes", csv, {"training": "a.csv"}, {"a.csv": ""}, 1, "a.csv"
        yield "classes", csv, {"training": "a.csv"}, {"a.csv": "text,label\n"}, 1, "a.csv"
        yield "classes", csv, {"training": "a.csv", "label": "kind"}, {"a.csv": "text,label\nx,y\n"}, 2, "kind"
        yield "classes", csv, {"training": "a.csv"}, {"a.csv": "a,b,c\nx,y,z\nx,y,z\n"}, 2, "header"
        yield "classes", csv, {"training": ["a.csv", "b.csv"]}, {"a.csv": "text,label\nx,y\n"}, 2, "2 files"
        yield "classes", csv, {"training": "a.csv", "test": "b.csv"}, {"a.csv": "text,label\nx,y\nz,w\n", "b.csv": "text,label\nq,unseen\n"}, 1, "b.csv"
        yield "classes", csv, {"training": "a.csv"}, {"a.csv": b"\x89PNG\r\n\x1a\n\0\0\0"}, 1, "a.csv"
        yield "classes", csv, {"training": "a.csv"}, {"a.csv": 'text,label\n"never closed,y\nz,w\n'}, 1, "a.csv"
        yield "classes", csv, {"training": "a.csv.gz"}, {"a.csv.gz": gzip.compress(b"text,label\nx,y\n" * 99)[:40]}, 1, "a.csv.gz"
        yield "forecast", series, {"training": "a.csv"}, {"a.csv": "date,v\n" + "".join(f"2020-01-{i:02d},{i}\n" for i in range(1, 9))}, 2, "rows"
        yield "forecast", series, {"training": "a.csv"}, {"a.csv": "date,v\nx,?\n"}, 1, "a.csv"
        yield "forecast", {**series, "forecast": {"look_back": 8, "horizon": 2, "columns": ["w"]}}, {"training": "a.csv"}, {"a.csv": "date,v\n1,2\n2,3\n"}, 2, '"w"'
        yield "images", {"network": network({"kind": "classes", "bias": True}, patches={"size": 4})}, {"training": "folder"}, {"a.csv": ""}, 1, "folder"
        yield "images", {"network": network({"kind": "classes", "bias": True}, patches={"size": 4})}, {"training": ["i", "l"]}, {"i": b"\0\0\x08\x03\0\0\0\x02", "l": b"\0\0\x08\x01\0\0\0\x01\0"}, 1, "i"
        yield "images", {"network": CLASSES}, {"training": ["i", "l"]}, {"i": b"\0\0\x08\x03" + b"\0\0\0\x01\0\0\0\x01\0\0\0\x01\0", "l": b"\0\0\x08\x01\0\0\0\x01\0"}, 2, '"patches"'
        yield "translation", {"network": CLASSES, "tokenizer": "bpe"}, {"training": ["s", "t"]}, {"s": "a\nb\n", "t": "c\nd\n"}, 2, '"encoder"'
        yield "translation", {"network": CLASSES, "tokenizer": "bpe"}, {"training": ["s", "t"]}, {"s": "a\n", "t": "c\nd\n"}, 1, "2"

    def test_each_is_one_line(self):
        for number, (task, settings, data, files, status, words) in enumerate(self.cases()):
            folder = path(f"bad{number}")
            os.mkdir(folder)
            for name, content in files.items():
                write(f"bad{number}/{name}", content)
            with self.subTest(task=task, data=data):
                bad = of_task(f"bad{number}/recipe.json", task, data=data, **settings)
                self.refused(status, words, "train", bad, "-o", os.path.join(folder, "run"))
                self.assertFalse(os.path.exists(os.path.join(folder, "run", "model.safetensors")))

    def test_settings_that_do_not_fit(self):
        for settings, words in (({"task": "sing"}, "next_word, classes, images, forecast, translation or algorithm"),
                                ({"task": "classes", "data": {"trainig": "x"}}, "'trainig'"),
                                ({"augment": {"shift": 3}}, "shift"), ({"schedule": "steep"}, "cosine, linear, constant or stable"),
                                ({"average": 1}, "average"), ({"lora": {"rang": 2}}, "'rang'"), ({"optimizer": "sgd"}, "adamw or muon"),
                                ({"lower": True}, "bpe"), ({"whole_words": ["cat"]}, "bpe"), ({"whole_words": "cat"}, "whole_words"),
                                ({"accumulate": 0}, "accumulate")):
            with self.subTest(settings=settings):
                self.refused(2, words, "train", write("odd.json", json.dumps({"network": {"network": "gpt"}, **settings})), "-o", path("odd"))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
