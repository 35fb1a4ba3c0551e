#!/usr/bin/env python3
"""limpid predict: of each task a model is trained here, and asked for what it was made for.

  tests/cli_predict_test.py build/dev/limpid
"""
import csv
import gzip
import io
import random
import sys
import zlib

from cli_helpers import *


def block(**more):
    return {"norm": {"kind": "layer"}, "attention": {"heads": 2, "width": 8, "out_width": 16, **more}, "feed_forward": {"width": 32}}


def network(head, **more):
    return {"network": "parts", "family": "small", "inputs": {"width": 16, "positions": "learned", "context": 32},
            "stack": {"layers": 1, "blocks": [block()], "final_norm": {"kind": "layer"}}, "head": head, **more}


def trained(task, **settings):
    recipe = write(f"{task}.json", json.dumps({"title": task, "task": task, "steps": 120, "batch": 8, "context": 24, "epoch": 60, "learning_rate": 1e-2,
                                              "warm_up": 10, "seed": 3, "validation": 0, **settings}))
    done = limpid("train", recipe, "-o", path(task))
    assert done.returncode == 0, done.stderr
    return ["--model", path(f"{task}/model.safetensors")]


def table(text):
    return list(csv.reader(io.StringIO(text)))


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


class Texts(Case):
    """Of the weather, or of food."""

    @classmethod
    def setUpClass(cls):
        draw, things = random.Random(1), {"weather": ["rain", "sun", "wind", "snow"], "food": ["bread", "soup", "rice", "tea"]}
        rows = [("weather", "food")[i % 2] for i in range(80)]
        write("texts.csv", "text,category\n" + "".join(f"today there is {draw.choice(['', 'again ', 'and '])}{' '.join(draw.choices(things[label], k=2))},{label}\n"
                                                     for label in rows))
        cls.model = trained("classes", tokenizer="words", network=network({"kind": "classes", "pool": "mean"}), data={"training": "texts.csv"})

    def test_a_text_has_a_class(self):
        page = self.ok("predict", "today there is soup", *self.model)
        self.assertRegex(page, r"today there is soup\n  food +0\.9\d+\n  weather +0\.0\d+\n")
        [seen] = objects(self.ok("predict", "today there is soup", "--json", *self.model))
        [other] = json.loads(self.ok("classify", "today there is soup", "--json", *self.model))["texts"]
        self.assertEqual(seen["prediction"], "food")
        self.assertEqual([(c["class"], c["probability"]) for c in seen["classes"]], [(c["class"], c["probability"]) for c in other["classes"]])

    def test_a_table_has_a_prediction_beside_each_row(self):
        given = [["id", "message", "mood"], ["1", "rain and wind", 'so "so"'], ["2", "soup bread", "a,\nb"], ["3", "snow", ""]]
        out = io.StringIO()
        csv.writer(out).writerows(given)
        write("mine.csv", out.getvalue())
        self.assertEqual(self.ok("predict", path("mine.csv"), "-o", path("out.csv"), *self.model), path("out.csv") + ": 3 predictions\n")
        made = table(read("out.csv").decode())
        self.assertEqual([row[:3] for row in made], given)
        self.assertEqual([row[3] for row in made], ["prediction", "weather", "food", "weather"])
        seen = objects(self.ok("predict", path("mine.csv"), "--json", *self.model))
        for row, one in zip(made[1:], seen, strict=True):
            self.assertEqual(float(row[4]), one["probability"])
            self.assertEqual(list(one["row"].values()), row[:3])
        lines = self.ok("predict", path("mine.csv"), *self.model).splitlines()
        self.assertRegex(lines[1], r"^food +0\.\d+ +soup bread$")

    def test_tables_of_other_kinds(self):
        rows = ["rain again", "soup again"]
        write("plain.csv", "".join(row + "\n" for row in rows))  # one column, no header
        write("two.tsv", "label\twhat\n?\train again\n?\tsoup again\n")
        write("lines.jsonl", '{"text": "rain again", "n": 1}\n{"text": "soup again"}\n')
        write("packed.csv.gz", gzip.compress(b"text\nrain again\nsoup again\n"))
        for name in ("plain.csv", "two.tsv", "lines.jsonl", "packed.csv.gz"):
            seen = objects(self.ok("predict", path(name), "--json", *self.model))
            self.assertEqual([s["text"] for s in seen], rows, name)
            self.assertEqual([s["prediction"] for s in seen], ["weather", "food"], name)
        self.ok("predict", path("packed.csv.gz"), *self.model, "-o", path("out.csv"))
        self.assertEqual(table(read("out.csv").decode())[0], ["text", "prediction", "probability"])

    def test_a_table_of_any_name(self):
        write("MESSAGES", "ham\train again\nspam\tsoup again\n")
        [seen] = objects(self.ok("predict", write("one.txt", "rain again\n"), "--json", *self.model))
        self.assertEqual((seen["text"], seen["file"]), ("rain again", path("one.txt")))
        seen = objects(self.ok("predict", path("MESSAGES"), "--text-column", "1", "--json", *self.model))
        self.assertEqual([(s["row"]["0"], s["prediction"]) for s in seen], [("ham", "weather"), ("spam", "food")])

    def test_of_many_notes_the_first_are_shown(self):
        write("long.csv", "text\n" + ("rain " * 40).strip() + "\n" + "".join(f"{'soup ' * (40 + i)}\n" for i in range(8)))
        done = limpid("predict", path("long.csv"), "-o", path("out.csv"), *self.model)
        self.assertEqual(done.returncode, 0, done.stderr)
        notes = done.stderr.splitlines()
        self.assertEqual(len(notes), 6, done.stderr)
        self.assertIn("was cut from 40 tokens", notes[0])
        self.assertEqual(notes[5], "limpid: note: and 4 more")

    def test_a_column_that_is_called_like_ours(self):
        write("again.csv", "text,prediction\nrain again,was\n")
        self.ok("predict", path("again.csv"), *self.model, "-o", path("out.csv"))
        self.assertEqual(table(read("out.csv").decode())[0], ["text", "prediction", "prediction_", "probability"])

    def test_rows_without_a_text_are_named(self):
        write("holes.csv", "id,text\n1,rain\n2,\n3,soup\n")
        done = limpid("predict", path("holes.csv"), "--json", *self.model)
        self.assertEqual(done.returncode, 0)
        self.assertEqual([s["row"]["id"] for s in objects(done.stdout)], ["1", "3"])
        self.assertRegex(done.stderr, r"^limpid: note: 1 row was left out: .*line 3: the text is empty\n$")

    def test_lines_files_and_folders(self):
        said = lambda text: [s["prediction"] for s in objects(text)]
        self.assertEqual(said(self.ok("predict", "-", "--json", *self.model, stdin="rain today\n\nsoup today\r\n")), ["weather", "food"])
        self.assertEqual(said(self.ok("predict", "--json", *self.model, stdin="soup\n")), ["food"])
        os.makedirs(path("notes"), exist_ok=True)
        write("notes/a.txt", "soup and bread\n")
        write("notes/b.txt", "rain")
        write("notes/c.png", "none")
        seen = objects(self.ok("predict", path("notes"), "--json", *self.model))
        self.assertEqual([(os.path.basename(s["file"]), s["text"], s["prediction"]) for s in seen],
                         [("a.txt", "soup and bread", "food"), ("b.txt", "rain", "weather")])
        self.ok("predict", path("notes"), path("notes/a.txt"), "tea", *self.model, "-o", path("out.csv"))
        self.assertEqual([row[2] for row in table(read("out.csv").decode())], ["prediction", "food", "weather", "food", "food"])

    def test_calls_are_repaired(self):
        write("wide.csv", "a,b,c\nx,rain,z\n")
        write("empty.csv", "")
        write("only.csv", "text\n")
        os.makedirs(path("bare"), exist_ok=True)
        for status, words, call in ((2, "which column holds the texts? Set --text-column to", [path("wide.csv")]), (2, '"d"', [path("wide.csv"), "--text-column", "d"]),
                                    (1, "empty.csv", [path("empty.csv")]), (1, "only.csv", [path("only.csv")]),
                                    (1, "nothing.csv", [path("nothing.csv")]), (1, "without .txt files", [path("bare")]),
                                    (2, "give it alone", [path("wide.csv"), "x"]), (2, "--tokens is for a model that writes", ["x", "--tokens", "3"]),
                                    (2, "--beams is for translations", ["x", "--beams", "2"]), (2, "empty", [""]),
                                    (1, "out.csv", ["rain", "-o", path("no/such/out.csv")])):
            with self.subTest(call=call):
                self.refused(status, words, "predict", *call, *self.model)
        self.refused(2, "standard input is empty", "predict", *self.model, stdin="\n")
        self.ok("predict", path("wide.csv"), "--text-column", "b", *self.model)


def png(name, side, pixel):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = b"".join(b"\0" + bytes(pixel(y, x) for x in range(side)) for y in range(side))
    return write(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) +
                 chunk(b"IEND", b""))


class Images(Case):
    @classmethod
    def setUpClass(cls):
        for label in ("left", "right"):
            os.makedirs(path(f"photos/{label}"), exist_ok=True)
            for i in range(8):
                png(f"photos/{label}/{i}.png", 12, lambda y, x: 200 + i if (x < 6) == (label == "left") else 10)
        net = network({"kind": "classes", "pool": "first"}, each="patch", patches={"height": 12, "width": 12, "size": 4, "tokens": ["cls_token"]})
        net["inputs"] = {"width": 16}
        cls.model = trained("images", network=net, data={"training": "photos"})

    def test_a_file_a_folder_and_lines(self):
        left = path("photos/left/0.png")
        [seen] = objects(self.ok("predict", left, "--json", *self.model))
        self.assertEqual((seen["image"], seen["prediction"]), (left, "left"))
        self.assertAlmostEqual(sum(c["probability"] for c in seen["classes"]), 1, places=6)
        self.ok("predict", path("photos/right"), "-o", path("out.csv"), *self.model)
        rows = table(read("out.csv").decode())
        self.assertEqual(rows[0], ["image", "prediction", "probability"])
        self.assertEqual([row[1] for row in rows[1:]], ["right"] * 8)
        self.assertRegex(self.ok("predict", "-", *self.model, stdin=left + "\n"), r"0\.png\n  left +0\.\d+\n  right")

    def test_calls_are_repaired(self):
        write("text.png", "this is text")
        for status, words, call in ((2, "there is none that is called", ["nowhere.png"]), (1, "text.png", [path("text.png")]),
                                    (2, "--text-column is for", [path("photos/left"), "--text-column", "x"])):
            self.refused(status, words, "predict", *call, *self.model)


class Series(Case):
    @classmethod
    def setUpClass(cls):
        cls.rows = [(10 + i % 7, 100 + 5 * (i % 4)) for i in range(90)]
        write("hours.csv", "date,load,heat\n" + "".join(f"hour {i:03},{a},{b}\n" for i, (a, b) in enumerate(cls.rows)))
        net = network({"kind": "forecast", "flat": True}, each="patch", series={"size": 4, "stride": 2})
        net["inputs"] = {"width": 16}
        net["stack"].pop("final_norm")
        cls.model = trained("forecast", network=net, data={"training": "hours.csv"}, forecast={"look_back": 16, "horizon": 4}, steps=400)

    def test_the_moments_ahead_in_the_files_units(self):
        [seen] = objects(self.ok("predict", path("hours.csv"), "--json", *self.model))
        self.assertEqual((seen["columns"], seen["after"]), (["load", "heat"], "hour 089"))
        truth = [(10 + i % 7, 100 + 5 * (i % 4)) for i in range(90, 94)]
        for row, (load, heat) in zip(seen["forecast"], truth, strict=True):
            self.assertAlmostEqual(row[0], load, delta=1.5)
            self.assertAlmostEqual(row[1], heat, delta=2.5)
        self.ok("predict", path("hours.csv"), "-o", path("out.csv"), *self.model)
        rows = table(read("out.csv").decode())
        self.assertEqual(rows[0], ["step", "load", "heat"])
        self.assertEqual([[float(x) for x in row[1:]] for row in rows[1:]], seen["forecast"])
        self.assertRegex(self.ok("predict", path("hours.csv"), *self.model), r"after hour 089\nstep +load +heat\n1 +\d")

    def test_the_forecast_is_that_of_the_run(self):
        trace = json.loads(self.ok("trace", path("hours.csv"), "--json", *self.model))["values"]
        [seen] = objects(self.ok("predict", path("hours.csv"), "--json", *self.model))
        load = [a for a, _ in self.rows[:int(0.7 * 90)]]
        mean = sum(load) / len(load)
        deviation = (sum((x - mean) ** 2 for x in load) / len(load)) ** 0.5
        for row, ahead in zip(seen["forecast"], trace["prediction"]["data"][0], strict=True):
            self.assertAlmostEqual(row[0], ahead[0] * deviation + mean, places=4)

    def test_gaps_and_columns_in_another_order(self):
        write("gaps.csv", "heat,date,load\n" + "".join(f"{b},hour {i:03},{'' if i == 80 else a}\n" for i, (a, b) in enumerate(self.rows)))
        done = limpid("predict", path("gaps.csv"), "--json", *self.model)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("note: " + path("gaps.csv") + ": 1 gap", done.stderr)
        self.assertEqual(objects(done.stdout)[0]["columns"], ["load", "heat"])

    def test_calls_are_repaired(self):
        write("short.csv", "date,load,heat\nx,1,2\ny,3,4\n")
        write("other.csv", "date,load,cold\n" + "h,1,2\n" * 30)
        for status, words, call in ((2, "2 rows, the model reads 16", [path("short.csv")]), (2, '"heat"', [path("other.csv")]),
                                    (2, "there is no file", ["nowhere.csv"]), (2, "give one file", [path("short.csv"), path("other.csv")]),
                                    (2, "there is no file", ["-"])):
            self.refused(status, words, "predict", *call, *self.model)


class Writing(Case):
    @classmethod
    def setUpClass(cls):
        words = {"ein": "one", "zwei": "two", "drei": "three", "vier": "four"}
        draw, pairs = random.Random(2), []
        for _ in range(120):
            chosen = draw.choices(list(words), k=draw.randint(1, 3))
            pairs.append((" ".join(chosen), " ".join(words[w] for w in chosen)))
        write("train.de", "".join(a + "\n" for a, _ in pairs))
        write("train.en", "".join(b + "\n" for _, b in pairs))
        side = {"inputs": {"width": 16, "positions": "learned", "context": 32}, "stack": {"layers": 1, "blocks": [block()], "final_norm": {"kind": "layer"}}}
        net = network({"kind": "next_word", "tied": True}, encoder=side)
        net["stack"] = {"layers": 1, "blocks": [{**block(mask="causal"), "cross": {"heads": 2, "width": 8, "out_width": 16}}], "final_norm": {"kind": "layer"}}
        cls.translation = trained("translation", tokenizer="bpe", vocabulary=280, network=net, data={"training": ["train.de", "train.en"]}, steps=200)
        cls.algorithm = trained("algorithm", algorithm={"kind": "copy", "length": 3, "symbols": 5},
                                network={"network": "gpt", "layers": 2, "heads": 2, "width": 32, "context": 8}, context=8, steps=600, epoch=600)

    def test_a_translation(self):
        [seen] = objects(self.ok("predict", "zwei drei", "--json", *self.translation))
        [other] = json.loads(self.ok("translate", "zwei drei", "--json", *self.translation))["texts"]
        self.assertEqual((seen["prediction"], seen["ended"]), (other["translation"], other["ended"]))
        write("de.csv", "id,text\n7,ein\n8,vier\n")
        self.ok("predict", path("de.csv"), "-o", path("out.csv"), "--beams", "1", *self.translation)
        rows = table(read("out.csv").decode())
        self.assertEqual(rows[0], ["id", "text", "prediction"])
        self.assertEqual([row[0] for row in rows[1:]], ["7", "8"])

    def test_an_answer_of_an_algorithm(self):
        [seen] = objects(self.ok("predict", "3 1 4 =", "--tokens", "3", "--json", *self.algorithm))
        self.assertEqual(seen["prediction"].split(), ["3", "1", "4"])

    def test_how_a_text_goes_on(self):
        [seen] = objects(self.ok("predict", "Life is short", "--json"))
        done = self.ok("generate", "Life is short", "--tokens", "20")
        self.assertEqual("Life is short" + seen["prediction"], done.rstrip("\n"))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
