#!/usr/bin/env python3
"""The command as its users meet it: statuses, pipes, colours, files, errors; a training run that is killed and goes on.

  tests/cli_test.py build/dev/limpid
"""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import unittest

from cli_helpers import *


class Calls(Case):
    def test_help_is_there_and_short(self):
        overview = self.ok("--help")
        self.assertEqual(overview, self.ok())
        self.assertLessEqual(len(overview.splitlines()), 40)
        for command in ("trace", "explain", "draw", "quiz", "generate", "eval", "train", "info", "bench"):
            self.assertIn(f"limpid {command}", overview)
            page = self.ok(command, "--help")
            self.assertIn(f"limpid {command}", page)
            self.assertIn("Example", page)
            for line in page.splitlines():
                self.assertLessEqual(len(line), 80, line)
        for line in overview.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_every_option_is_a_sentence(self):
        for command in ("trace", "explain", "draw", "quiz", "generate", "eval", "train", "info", "bench"):
            page = self.ok(command, "--help")
            page = re.split(r"\n(?=Observing|Example|A checkpoint|CELL is|Every question)", page)[0]
            options = re.split(r"\n(?=  -)", page)[1:]
            self.assertTrue(options)
            for option in options:
                said = " ".join(re.split(r"\n\n|\n(?=\S)", option)[0].split())
                self.assertRegex(said, r"[A-Z0-9].*[.)]$", f"{command}: {said}")

    def test_version(self):
        self.assertRegex(self.ok("--version"), r"^limpid \d+\.\d+\.\d+, (avx512|avx2|neon|plain), \d+ threads?\n$")
        self.assertIn("1 thread\n", self.ok("--version", "--threads", "1"))
        with open(os.path.join(SOURCE, "CHANGELOG.md")) as changes:
            newest = re.search(r"^## (\d+\.\d+\.\d+)", changes.read(), re.M)[1]
        self.assertIn(f"limpid {newest}, ", self.ok("--version"))

    def test_wrong_calls(self):
        self.refused(2, ["'paint' is not a command", "trace"], "paint")
        self.refused(2, "'--bogus' is not an option of limpid trace", "trace", "a", "--bogus", "x")
        self.refused(2, "goes in quotes", "trace", "Life", "is", "short")
        self.refused(2, "RECIPE is required", "train")
        self.refused(2, "--heads is 'x'", "trace", "a", *WALK, "--heads", "x")
        self.refused(2, "one of none, causal", "trace", "a", *WALK, "--mask", "casual")
        self.refused(2, "threads", "trace", "a", *WALK, "--threads", "0")
        self.refused(2, "--network textbook", "trace", "a", "--heads", "2")
        self.refused(2, "multiple", "trace", "a", *WALK, "--heads", "3")
        self.refused(2, "exclude each other", "trace", "a", *WALK, "--model", path("gpt/model.safetensors"))
        self.refused(2, "--decimals is 99", "trace", "a", *WALK, "--decimals", "99")
        self.refused(2, "-o net.svg", "draw")
        self.refused(2, ".svg", "draw", "-o", "net.bmp")
        self.refused(2, "neither a figure", "draw", "portrait", "-o", "net.svg")

    def test_what_is_not_there(self):
        self.refused(1, "nofile.safetensors", "trace", "a", "--model", "nofile.safetensors")
        self.refused(1, "nofile.txt", "trace", "@nofile.txt")
        self.refused(1, "nofile.json", "train", "nofile.json")
        self.refused(1, "nofile", "info", "nofile.safetensors")
        self.refused(1, "no such file", "trace", "nofile.safetensors")
        self.refused(2, "is a model", "trace", "gpt/model.safetensors")
        self.refused(1, "not a model", "trace", "a", "--model", "gpt/checkpoint.safetensors")
        self.refused(1, "cut.safetensors", "info", write("cut.safetensors", read("gpt/model.safetensors")[:5000]))
        self.refused(1, "cut.safetensors", "trace", "a", "--model", path("cut.safetensors"))

    def test_a_full_disk_is_an_error(self):
        for arguments in (["trace", "a b", *WALK], ["--help"], ["--version"], ["info", path("gpt/model.safetensors")],
                          ["trace", "a b", *WALK, "--json"], ["generate", "Life", "--model", path("gpt/model.safetensors")]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn("No space left on device", done.stderr)

    def test_a_closed_pipe_ends_quietly(self):
        long_text = "one two three four five six seven eight nine ten " * 20
        child = subprocess.Popen([PROGRAM, "trace", long_text, *WALK, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdout.read(100)
        child.stdout.close()
        self.assertEqual(child.wait(60), 0)
        self.assertEqual(child.stderr.read(), b"")
        child.stderr.close()


class Terminals(Case):

    @classmethod
    def setUpClass(cls):
        try:
            for end in pty.openpty():
                os.close(end)
        except OSError as error:
            raise unittest.SkipTest(f"this machine has no terminals to test with: {error}")

    def test_colours_only_where_they_are_seen(self):
        call = ["trace", "Life is short", *WALK]
        piped = self.ok(*call)
        self.assertNotIn("\x1b", piped)
        self.assertRegex(self.ok(*call, "--color", "always"), ANSI)
        numbers = lambda page: sorted(set(re.findall(r"\d\.\d{4}", ANSI.sub("", page))))  # where colour says it, no bar does
        self.assertEqual(numbers(self.ok(*call, "--color", "always")), numbers(piped))
        status, shown = in_terminal(*call)
        self.assertEqual(status, 0)
        self.assertRegex(shown, ANSI)
        self.assertNotIn("\x1b", in_terminal(*call, NO_COLOR="1")[1])
        self.assertNotIn("\x1b", in_terminal(*call, "--color", "never")[1])
        self.assertRegex(in_terminal(*call, "--color", "always", NO_COLOR="1")[1], ANSI)
        self.assertRegex(in_terminal(*call, NO_COLOR="")[1], ANSI)  # no-color.org: when not empty

    def test_no_line_is_wider_than_the_terminal(self):
        for columns in (60, 80, 132):
            for arguments in (["trace", "Life is short, the day 漢字 🙂", "--model", path("gpt/model.safetensors")],
                              ["trace", "Life is short", *WALK, "--decimals", "8"],
                              ["trace", "Life is short", *WALK, "--token", "is"],
                              ["info", "gpt/checkpoint.safetensors"]):
                status, shown = in_terminal(*arguments, columns=columns)
                self.assertEqual(status, 0, shown)
                for line in ANSI.sub("", shown).splitlines():
                    self.assertLessEqual(width(line), columns, line)

    def test_a_training_run_shows_a_bar_in_a_terminal_only(self):
        small = recipe("terminal.json", steps=40)
        status, shown = in_terminal("train", small, "-o", path("terminal"), columns=100)
        self.assertEqual(status, 0, shown)
        self.assertIn("\r\x1b[K", shown)
        self.assertIn(" left", shown)
        piped = self.ok("train", small, "-o", path("terminal"))
        self.assertNotIn("\r", piped)
        self.assertEqual(len(re.findall(r"^ +\d+ +\d+ +\d\.\d{4}  [▏▎▍▌▋▊▉█]", piped, re.M)), 3)  # epoch 0, too


class Texts(Case):
    def test_a_text_comes_from_anywhere(self):
        page = self.ok("trace", "Life is short", *WALK)
        self.assertEqual(self.ok("trace", *WALK, stdin="Life is short\n"), page)
        self.assertEqual(self.ok("trace", "-", *WALK, stdin="Life is short"), page)
        self.assertEqual(self.ok("trace", "@" + write("life.txt", "Life is short\r\n"), *WALK), page)

    def test_strange_texts(self):
        model = ["--model", path("gpt/model.safetensors")]
        for way in (WALK, model):
            self.refused(2, "empty", "trace", "", *way)
            self.refused(2, "empty", "trace", *way, stdin="")
        for text in (b"caf\xc3\xa9 \xff\xfe\x80 x", b"nul \0 byte", b"\xf0\x9f\x99\x82", "עברית 漢字".encode(), b"tab\there\nline"):
            for way in (WALK, model):
                stored = path("strange.safetensors")
                page = self.ok("trace", *way, "-o", stored, stdin=text)
                page.encode("utf-8")  # fails where a byte is no UTF-8
                self.assertNotRegex(page, r"[\x00-\x09\x0b-\x1f]")
                self.assertEqual(self.ok("trace", stored), page)
                trace = json.loads(self.ok("trace", *way, "--json", stdin=text))
                seen = trace["text"]
                self.assertEqual(bytes(seen) if isinstance(seen, list) else seen.encode(), text)
        self.assertTrue(self.ok("generate", *model, "--tokens", "3", stdin=b"\xff\0 x").endswith("\n"))

    def test_what_is_wrong_with_an_option_is_said(self):
        for option in ("--layer", "--head"):
            self.refused(2, "whole number", "trace", "Life", option, "x")
            self.refused(2, "whole number", "trace", "Life", option, "-1")
        self.refused(2, "needs a file", "trace", "Life", "--edit", "embed=replace:")
        self.refused(2, "nothing after it", "trace", "Life", "--edit", "embed=zero:2")
        self.refused(2, "expected NAME=ACTION", "trace", "Life", "--edit", "embed[T=0]x=zero")
        missing = self.refused(1, "no such file", "draw", "missing.safetensors", "-o", path("x.svg"))
        self.assertNotIn("@FILE", missing.stderr)
        recipe = write("typo.json", '{"network":{"network":"textbook","widht":16}}')
        self.refused(2, ["typo.json", "widht"], "train", recipe)
        broken = self.refused(2, ["broken.json", "line 1"], "train", write("broken.json", "{"))
        self.assertNotIn("json.exception", broken.stderr)

    def test_a_word_nobody_knows_is_named(self):
        self.refused(2, ['"unheard"', "vocabulary"], "trace", "Life is unheard", "--model", path("words/model.safetensors"))

    def test_a_long_text(self):
        page = self.ok("trace", "--model", path("gpt/model.safetensors"), stdin=TEXT[:1000] * 3)
        self.assertIn("the model was trained on 16 at a time", " ".join(page.split()))


class Traces(Case):
    model = ["--model", path("gpt/model.safetensors")]
    text = "Life knows much"

    def values(self, *arguments):
        return json.loads(self.ok("trace", *arguments, "--json"))["values"]

    def test_a_stored_trace_gives_the_same_page(self):
        for way in (WALK, self.model):
            for name in ("kept.safetensors", "kept.npz"):
                page = self.ok("trace", self.text, *way, "-o", path(name))
                self.assertEqual(self.ok("trace", path(name)), page)
                self.assertEqual(self.ok("trace", path(name), "--token", "knows"),
                                 self.ok("trace", self.text, *way, "--token", "knows"))
                self.assertEqual(self.ok("trace", path(name), "--json"),
                                 self.ok("trace", self.text, *way, "--json"))
        self.refused(2, "--edit needs a run", "trace", path("kept.npz"), "--edit", "embed=zero")
        self.refused(2, "--plain needs a run", "trace", path("kept.npz"), "--plain")

    def test_the_page_names_its_last_token_as_one_types_it(self):
        for text in ("Life is short", "is is", "short, short", "Life is short!", "Unbelievable", "naïve café", "one 2", "a\nb", "x\tyz"):
            for way in (WALK, self.model):
                hint = re.search(r"term by term: --token (\S+)", self.ok("trace", text, *way))[1]
                self.assertRegex(hint, r"^[^\W_]+$")
                self.assertEqual(self.ok("trace", text, *way, "--token", hint), self.ok("trace", text, *way, "--token", "-1"))
        self.assertIn("--token short", self.ok("trace", "Life is short", *WALK))

    def test_input_vectors_are_not_called_words(self):
        vectors = write("three.csv", "1,0,2\n0,1,1\n2,2,0\n")
        for more in ([], ["--add-norm", "--positions", "sinusoidal"], ["--output", "class", "--outputs", "3"], ["--output", "regression"]):
            page = self.ok("trace", "--vectors", vectors, *more)
            self.assertNotRegex(page, r"(?i)\bwords?\b")
            self.assertRegex(page, "each vector is looking for")

    def test_classes_and_numbers_have_no_words_for_names(self):
        for output in ("class", "regression"):  # as many as the sentence has words
            page = self.ok("trace", "Life is short", *WALK, "--output", output, "--outputs", "3")
            after_pooling = page[page.index("pooled"):page.index("Key insight")]
            self.assertRegex(after_pooling, "#2")
            self.assertNotRegex(after_pooling, "Life|short")

    def test_json_holds_every_stage(self):
        trace = json.loads(self.ok("trace", self.text, *self.model, "--json"))
        for name in ("embed", "blocks.0.attn.pattern", "blocks.1.mlp_out", "logits", "probs"):
            self.assertIn(name, trace["values"])
        pattern = trace["values"]["blocks.1.attn.pattern"]
        self.assertEqual(pattern["axes"], "BHTS")
        for row in pattern["data"][0][1]:
            self.assertAlmostEqual(sum(row), 1, places=5)
        self.assertNotIn("parameters", trace)
        self.assertIn("embed.W_E", json.loads(self.ok("trace", self.text, *self.model, "--json", "--params"))["parameters"])
        self.assertRegex(trace["model_hash"], r"^[0-9a-f]{16}$")

    def test_the_same_bits_at_any_number_of_threads(self):
        one = self.ok("trace", self.text, *self.model, "--json", "--threads", "1")
        self.assertEqual(self.ok("trace", self.text, *self.model, "--json", "--threads", "2"), one)

    def test_observing_changes_nothing(self):
        all_values = self.values(self.text, *self.model)
        observed = json.loads(self.ok("trace", self.text, *self.model, "--json", "--observe", "probs",
                                      "--observe", "blocks.*.attn.pattern", "--observe", "embed:summary"))
        self.assertEqual(sorted(observed["values"]), ["blocks.0.attn.pattern", "blocks.1.attn.pattern", "probs"])
        for name, value in observed["values"].items():
            self.assertEqual(value, all_values[name])
        self.assertIn("embed", observed["summaries"])
        self.refused(2, "depth", "trace", self.text, *self.model, "--observe", "embed:deep")
        self.refused(2, "nosuch", "trace", self.text, *self.model, "--observe", "nosuch")

    def test_edits(self):
        before = self.values(self.text, *self.model)
        same = self.values(self.text, *self.model, "--edit", "blocks.0.attn.z=scale:1")
        self.assertEqual(same["logits"], before["logits"])
        after = self.values(self.text, *self.model, "--edit", "blocks.0.attn.z[H=1]=zero", "--edit", "blocks.1.mlp_out=scale:0.5")
        for row in after["blocks.0.attn.z"]["data"][0]:
            self.assertEqual(set(row[1]), {0.0})
            self.assertNotEqual(set(row[0]), {0.0})
        self.assertNotEqual(after["logits"], before["logits"])
        cut = self.values(self.text, *self.model, "--edit", "blocks.1.attn.pattern=cut:2>0,2>1")
        for head in cut["blocks.1.attn.pattern"]["data"][0]:
            self.assertEqual(head[2][:2], [0.0, 0.0])
            self.assertGreater(min(head[1][:2]), 0)
        for wrong, words in (("embed", "NAME=ACTION"), ("embed=melt", "is not an action"), ("nosuch=zero", "nosuch"),
                             ("embed[H=0]=zero", "axis H"), ("embed=replace:nofile.npy", "nofile.npy")):
            done = limpid("trace", self.text, *self.model, "--edit", wrong)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(words, done.stderr)

    def test_gradients(self):
        trace = json.loads(self.ok("trace", self.text, *self.model, "--json", "--gradients"))
        self.assertGreater(trace["metrics"]["loss"], 0)
        self.assertIn("blocks.0.attn.q.grad", trace["values"])
        self.assertEqual(trace["values"]["logits"], self.values(self.text, *self.model)["logits"])
        self.refused(2, "gradients", "trace", "a b", *WALK, "--output", "class", "--gradients")

    def test_replace_takes_the_value_of_another_trace(self):
        self.ok("trace", "Art takes all", *self.model, "-o", path("other.safetensors"))
        self.ok("trace", self.text, *self.model, "-o", path("mine.safetensors"))
        length = {len(self.values(text, *self.model)["tokens"]["data"][0]) for text in ("Art takes all", self.text)}
        replace = ["--edit", f"embed=replace:{path('mine.safetensors')}"]
        if len(length) == 1:
            self.assertEqual(self.values("Art takes all", *self.model, *replace)["logits"], self.values(self.text, *self.model)["logits"])
        same = ["--edit", f"blocks.0.attn.z=replace:{path('mine.safetensors')}"]
        self.assertEqual(self.values(self.text, *self.model, *same)["logits"], self.values(self.text, *self.model)["logits"])

    def test_plain_and_double_agree(self):
        fast, plain, double = (self.values(self.text, *self.model, *way)["probs"]["data"][0][-1]
                               for way in ([], ["--plain"], ["--double"]))
        for a, b, c in zip(fast, plain, double):
            self.assertAlmostEqual(a, b, places=5)
            self.assertAlmostEqual(b, c, places=5)

    def test_one_token(self):
        text = "Life is Life, is it"
        first, second = (self.ok("trace", text, *WALK, "--token", word) for word in ("is#1", "is#2"))
        self.assertNotEqual(first, second)
        self.assertEqual(self.ok("trace", text, *WALK, "--token", "3"), second)
        self.assertEqual(self.ok("trace", text, *WALK, "--token", "-2"), second)
        split = self.ok("trace", "Unbelievable life", *self.model, "--token", "Unbelievable", "--layer", "1", "--head", "1")
        self.assertIn("layer 1, head 1", split)
        self.assertIn("Unbelievable", split)
        self.assertRegex(split, r"\d+ tokens")
        self.refused(2, ['"was"', '"Life"'], "trace", text, *WALK, "--token", "was")
        self.refused(2, "0 to 4", "trace", text, *WALK, "--token", "9")
        self.refused(2, "is", "trace", text, *WALK, "--token", "is#5")
        self.refused(2, "head 7", "trace", text, *WALK, "--token", "is", "--head", "7")
        self.refused(2, "layer 7", "trace", text, *WALK, "--token", "is", "--layer", "7")

    def test_token_ids(self):
        ids = ",".join(str(i) for i in self.values(self.text, *self.model)["tokens"]["data"][0])
        self.assertEqual(self.values("--tokens", ids, *self.model)["logits"], self.values(self.text, *self.model)["logits"])
        self.refused(2, ["300", "0 to 299"], "trace", "--tokens", "0,300", *self.model)
        self.refused(2, "'x'", "trace", "--tokens", "1,x", *self.model)

    def test_nothing_is_half_written(self):
        kept = write("precious.safetensors", "precious")
        self.refused(2, "nosuch", "trace", self.text, *self.model, "--observe", "nosuch", "-o", kept)
        self.assertEqual(read("precious.safetensors"), b"precious")
        self.refused(2, ".npz", "trace", self.text, *WALK, "-o", path("trace.txt"))
        self.refused(1, "nofolder", "trace", self.text, *WALK, "-o", path("nofolder/trace.safetensors"))
        before = set(os.listdir(WORK.name))
        limit = ["sh", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "sh"]  # a full disk: no file over 4 kB
        done = subprocess.run([*limit, PROGRAM, "trace", self.text, *self.model, "-o", path("big.safetensors")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("big.safetensors", done.stderr)
        self.assertEqual(set(os.listdir(WORK.name)), before)


class Figures(Case):
    def test_draw(self):
        model = ["--model", path("gpt/model.safetensors")]
        self.assertEqual(self.ok("draw", *model, "-o", path("net.svg")), "")
        self.assertIn(b"<svg", read("net.svg")[:200])
        self.assertEqual(self.ok("draw", "network", *model, "-o", "-", "--format", "svg"), read("net.svg").decode())
        self.ok("trace", "Life knows", *model, "-o", path("drawn.safetensors"))
        stored = self.ok("draw", path("drawn.safetensors"), "-o", "-", "--format", "svg")
        self.assertEqual(self.ok("draw", "network", path("drawn.safetensors"), "-o", "-", "--format", "svg"), stored)
        self.assertIn("knows", stored)
        self.assertNotEqual(self.ok("draw", path("drawn.safetensors"), "--theme", "dark", "-o", "-", "--format", "svg"), stored)
        self.assertIn("<svg", self.ok("draw", *WALK, "--heads", "2", "--add-norm", "-o", "-", "--format", "svg"))
        self.refused(2, "needs a run", "draw", path("drawn.safetensors"), "--text", "x", "-o", path("x.svg"))

    def test_every_figure(self):
        model = ["--model", path("gpt/model.safetensors")]
        svg = ["-o", "-", "--format", "svg"]
        self.ok("trace", "Life knows", *model, "--params", "-o", path("drawn.safetensors"))
        for figure in ("network", "attention", "token", "matrices", "heads"):
            for way in (["--text", "Life knows", *model], ["--text", "Life knows", *WALK]):
                drawn = self.ok("draw", figure, *way, *svg)
                self.assertIn("<svg", drawn)
                self.assertEqual(self.ok("draw", figure, *way, *svg), drawn)
            self.assertEqual(self.ok("draw", figure, path("drawn.safetensors"), *svg),
                             self.ok("draw", figure, "--text", "Life knows", *model, *svg))
        self.assertIn("Question", self.ok("draw", "slides", *WALK, "--page", "25", *svg))
        self.assertIn("best", self.ok("draw", "training", path("gpt/log.jsonl"), *svg))
        self.assertIn("parameters", self.ok("draw", *model, "--params", "--open", "blocks.1", *svg))
        self.assertIn("Layer 1, head 1", self.ok("draw", "heads", *model, "--text", "Life knows", "--layer", "1", "--head", "1", *svg))
        # Whole patterns of so many tokens would be too many numbers: they are pooled while they stream by.
        self.assertIn("Maps are pooled", self.ok("draw", "heads", *model, "--text", "Life knows " * 800, *svg))

    def test_figures_that_cannot_be(self):
        model = ["--model", path("gpt/model.safetensors")]
        svg = ["-o", "-", "--format", "svg"]
        self.refused(2, "--page", "draw", "slides", *WALK, *svg)
        self.refused(2, "pages 1 to", "draw", "slides", *WALK, "--page", "99", *svg)
        self.refused(2, "layer 9 does not exist", "draw", "token", *model, "--text", "Life", "--layer", "9", *svg)
        self.refused(2, "--token is for", "draw", "matrices", *model, "--text", "Life", "--token", "0", *svg)
        self.refused(2, "blocks.0 to blocks.1", "draw", *model, "--open", "blocks.7", *svg)
        self.refused(2, "--compress is for", "draw", *WALK, "--compress", *svg)
        self.refused(2, "log.jsonl", "draw", "training", *svg)
        self.refused(1, "line 1", "draw", "training", path("gpt/model.safetensors"), *svg)


class Generation(Case):
    model = ["--model", path("gpt/model.safetensors")]

    def test_generate(self):
        greedy = self.ok("generate", "Life knows", *self.model, "--tokens", "12")
        self.assertTrue(greedy.startswith("Life knows"))
        self.assertTrue(greedy.endswith("\n"))
        self.assertGreater(len(greedy), len("Life knows\n"))
        self.assertEqual(self.ok("generate", *self.model, "--tokens", "12", stdin="Life knows\n"), greedy)
        self.assertEqual(self.ok("generate", "Life knows", *self.model, "--tokens", "0"), "Life knows\n")
        drawn = [self.ok("generate", "Life knows", *self.model, "--tokens", "10", "--temperature", "1.5", "--seed", str(seed))
                 for seed in (1, 1, 2)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
        words = self.ok("generate", "Life is", "--model", path("words/model.safetensors"), "--tokens", "4")
        self.assertEqual(len(words.split()), 6)
        self.refused(2, "temperature", "generate", "Life", *self.model, "--temperature", "-1")
        self.refused(2, "tokens", "generate", "Life", *self.model, "--tokens", "-1")


class Files(Case):
    def test_info(self):
        for name, words in (("gpt/model.safetensors", ["a model of the tests", "gpt", "bpe", "embed.W_E", "f32"]),
                            ("gpt/checkpoint.safetensors", ["checkpoint", "step", "240"])):
            page = self.ok("info", path(name))
            for word in words:
                self.assertIn(word, page)
            json.loads(self.ok("info", path(name), "--json"))
        self.ok("trace", "Life knows", *WALK, "-o", path("info.safetensors"))
        self.ok("trace", "Life knows", *WALK, "-o", path("info.npz"))
        for name in ("info.safetensors", "info.npz"):
            page = self.ok("info", path(name))
            self.assertIn("a trace", page)
            self.assertIn("blocks.0.attn.pattern", page)
            held = json.loads(self.ok("info", path(name), "--json"))
            self.assertEqual(held["text"], "Life knows")
        model = json.loads(self.ok("info", path("gpt/model.safetensors"), "--json"))
        self.assertEqual(model["kind"], "model")
        self.assertEqual(model["numbers"], sum(t["count"] for t in model["tensors"]))
        header = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }".ljust(117) + b"\n"
        self.assertIn("[2,3]", self.ok("info", write("array.npy", header + bytes(48))))


class Training(Case):
    """One run that nobody disturbs, and others that end with the same bytes."""

    def lines(self, folder):
        return [json.loads(line) for line in read(f"{folder}/log.jsonl").splitlines()]

    def start(self, folder):
        return subprocess.Popen([PROGRAM, "train", path("gpt.json"), "-o", path(folder)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, cwd=WORK.name, env=clean_environment())

    def wait_for_lines(self, folder, count):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if os.path.exists(path(f"{folder}/log.jsonl")) and len(read(f"{folder}/log.jsonl").splitlines()) >= count:
                return
            time.sleep(0.002)
        self.fail("the run did not get there")

    def check_same_as_unbroken(self, folder):
        self.assertEqual(read(f"{folder}/model.safetensors"), read("gpt/model.safetensors"))
        measured = {"tokens_per_second", "seconds"}
        strip = lambda lines: [{k: v for k, v in line.items() if k not in measured} for line in lines]
        self.assertEqual(strip(self.lines(folder)), strip(self.lines("gpt")))

    def test_killed_and_resumed(self):
        for kill_at in (1, 4):
            folder = f"killed{kill_at}"
            child = self.start(folder)
            self.wait_for_lines(folder, kill_at)
            child.kill()
            self.assertEqual(child.wait(), -signal.SIGKILL, "it finished before it was killed")
            child.stderr.close()
            self.assertFalse(os.path.exists(path(f"{folder}/model.safetensors")))
            self.refused(2, ["stopped at step", "--resume"], "train", path("gpt.json"), "-o", path(folder))
            shown = self.ok("train", path("gpt.json"), "-o", path(folder), "--resume")
            self.assertIn("going on after step", shown)
            self.check_same_as_unbroken(folder)

    def test_a_polite_stop_keeps_a_checkpoint(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            folder = f"stopped{int(number)}"
            child = self.start(folder)
            self.wait_for_lines(folder, 2)
            child.send_signal(number)
            said = child.communicate(timeout=60)[1]
            self.assertEqual(child.returncode, 1, said)
            step = int(re.search(r"stopped at step (\d+) of 240", said).group(1))
            held = json.loads(self.ok("info", path(f"{folder}/checkpoint.safetensors"), "--json"))
            self.assertEqual(held["step"], step)
            self.ok("train", path("gpt.json"), "-o", path(folder), "--resume")
            self.check_same_as_unbroken(folder)

    def test_what_resume_refuses(self):
        self.refused(2, "no ", "train", path("gpt.json"), "-o", path("nothing"), "--resume")
        self.refused(2, ["'steps'", "240", "100"], "train", path("gpt.json"), "-o", path("gpt"), "--resume", "--steps", "100")
        other = write("other.txt", TEXT[::-1])
        self.refused(2, "another text", "train", path("gpt.json"), "-o", path("gpt"), "--resume", "--data", other)

    def test_recipes_are_repaired(self):
        self.refused(2, ["bad.json", "'stepz'"], "train", recipe("bad.json", stepz=3))
        self.refused(2, ["bad.json", "not JSON"], "train", write("bad.json", "{"))
        self.refused(2, "--steps is 0", "train", path("gpt.json"), "--steps", "0")
        self.refused(1, ["missing.txt", "--data"], "train", recipe("lost.json", data=["missing.txt"]))
        self.refused(2, "too short", "train", path("gpt.json"), "--data", write("short.txt", "a"), "-o", path("short"))

    def test_seed_data_and_dtype(self):
        quick = recipe("quick.json", steps=4, epoch=4)
        self.ok("train", quick, "-o", path("quick1"))
        self.ok("train", quick, "-o", path("quick2"), "--seed", "5")
        self.assertNotEqual(read("quick1/model.safetensors"), read("quick2/model.safetensors"))
        self.ok("train", quick, "-o", path("quick3"), "--data", path("text.txt"))
        self.ok("train", quick, "-o", path("quick4"), "--data", WORK.name, "--threads", "1")
        self.assertEqual(read("quick3/model.safetensors"), read("quick1/model.safetensors"))
        self.assertEqual(read("quick4/model.safetensors"), read("quick1/model.safetensors"))
        self.ok("train", quick, "-o", path("quick5"), "--dtype", "bf16")
        self.assertLess(len(read("quick5/model.safetensors")), len(read("quick1/model.safetensors")))
        self.ok("trace", "Life", "--model", path("quick5/model.safetensors"))
        self.ok("train", quick)  # into ./quick
        self.assertTrue(os.path.exists(path("quick/model.safetensors")))


class Builtin(Case):
    def setUp(self):
        if os.path.getsize(os.path.join(SOURCE, "src/model/builtin.safetensors")) == 0:
            self.skipTest("the built-in model is not trained yet")

    def test_every_command_works_without_a_model(self):
        self.assertIn("Key insight", self.ok("trace", "Life is short"))
        self.assertIn("Key insight", self.ok("trace", "Zxqv blorf 漢字"))  # words it never saw
        self.assertTrue(self.ok("generate", "Life is short").startswith("Life is short"))
        self.assertIn("<svg", self.ok("draw", "-o", "-", "--format", "svg"))


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


class Documents(Case):
    """What docs/ says is so."""

    def test_the_page_in_the_readme_is_the_page(self):
        with open(os.path.join(SOURCE, "README.md")) as file:
            blocks = re.findall(r"^```\n(.*?)^```$", file.read(), re.M | re.S)
        for begin, call in (('"Life is short"  ', ["trace", "Life is short"]),
                            ('"Life is short", word 2', ["trace", "Life is short", *WALK, "--token", "short"])):
            shown = next(block for block in blocks if block.startswith(begin)).splitlines()
            page = self.ok(*call).splitlines()
            at = 0
            for line in shown:
                if line != "  ⋮":  # left out
                    self.assertIn(line, page[at:])
                    at = page.index(line, at) + 1

    def doc(self, name):
        with open(os.path.join(SOURCE, "docs", name)) as file:
            return file.read()

    def test_the_examples_run(self):
        if os.path.getsize(os.path.join(SOURCE, "src/model/builtin.safetensors")) == 0:
            self.skipTest("the built-in model is not trained yet")
        commands = re.findall(r"^\$ (.*)$", self.doc("command.md"), re.M)
        self.assertGreater(len(commands), 20)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(PROGRAM, os.path.join(folder, "limpid"))
            environment = clean_environment(PATH=folder + ":" + os.environ["PATH"])
            for command in commands:
                done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, errors="replace")
                self.assertEqual((done.returncode, done.stderr), (0, ""), command)

    def test_every_setting_of_a_recipe_is_listed_with_its_default(self):
        parts = re.split(r"^## ", self.doc("recipes.md"), flags=re.M)[:3]
        listed = [dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", part, re.M)) for part in parts]
        for network, place in (("gpt", 1), ("textbook", 2)):
            name = f"defaults_{network}"
            folder = path(name)
            child = subprocess.Popen([PROGRAM, "train", write(name + ".json", json.dumps({"network": {"network": network}})), "-o", folder,
                                      "--steps", "1", "--data", write("defaults.txt", TEXT)], stdout=subprocess.DEVNULL)
            self.assertEqual(child.wait(120), 0)
            held = json.loads(self.ok("info", os.path.join(folder, "checkpoint.safetensors"), "--json"))["recipe"]
            self.assertEqual(held.pop("steps"), 1)
            settings = held.pop("network")
            for unlisted in ("network", "vocabulary"):
                settings.pop(unlisted)
            self.assertEqual(set(held) | {"steps"}, set(listed[0]))
            self.assertEqual(set(settings), set(listed[place]))
            for values, said in ((held, listed[0]), (settings, listed[place])):
                for key, value in values.items():
                    self.assertEqual(json.loads(said[key]), value, key)


def prepare():
    """The models that the cases use."""
    write("text.txt", TEXT)
    recipe("gpt.json")
    textbook = os.path.join(SOURCE, "recipes/textbook.json")
    for arguments in (["train", path("gpt.json"), "-o", path("gpt")], ["train", textbook, "-o", path("words"), "--steps", "120"]):
        done = limpid(*arguments)
        if done.returncode != 0:
            sys.exit(f"cli_test: the models of the tests cannot be trained: {done.stderr}")


def main():
    prepare()
    return run_cases(__name__)


if __name__ == "__main__":
    sys.exit(main())
