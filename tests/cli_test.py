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
        for command in ("trace", "explain", "diff", "lens", "heads", "draw", "quiz", "generate", "eval", "train", "predict", "embed", "fill", "classify", "info", "bench"):
            self.assertIn(f"limpid {command}", overview)
            page = self.ok(command, "--help")
            self.assertIn(f"limpid {command}", page)
            self.assertIn("Example", page)
            for line in page.splitlines():
                self.assertLessEqual(len(line), 80, line)
        for line in overview.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_every_option_is_a_sentence(self):
        for command in ("trace", "explain", "diff", "lens", "heads", "draw", "quiz", "generate", "eval", "train", "predict", "embed", "fill", "classify", "info", "bench"):
            page = self.ok(command, "--help")
            page = re.split(r"\n(?=Observing|Example|A checkpoint|CELL is|A is a trace|The scale of every norm|Every question)", page)[0]
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
        piped = self.ok("train", small, "-o", path("terminal"), "--overwrite")
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

    def test_generate_keeps_keys_and_values_in_fewer_bits(self):
        call = ["generate", "Life knows", *self.model, "--tokens", "12"]
        greedy = self.ok(*call)
        self.assertEqual(self.ok(*call, "--cache", "f32"), greedy)
        for kind in ("bf16", "f16", "int8"):
            self.assertTrue(self.ok(*call, "--cache", kind).startswith("Life knows"))
            self.assertEqual(self.ok(*call, "--cache", kind), self.ok(*call, "--cache", kind))
        self.refused(2, "--cache f8: keys and values are kept as f32, bf16, f16 or int8", *call, "--cache", "f8")
        self.refused(2, "--no-cache", *call, "--cache", "bf16", "--no-cache")

    def test_generate_goes_on_with_many_lines(self):
        lines = ["Life knows", "Art", "Life is short and art is long", "Time"]
        file = write("prompts.txt", "\n".join(lines) + "\n\n")
        for more in ([], ["--temperature", "1.2", "--seed", "5"], ["--cache", "int8"], ["--stop", "e"]):
            call = ["generate", "--tokens", "9", *self.model, *more]
            alone = [limpid(*call, line) for line in lines]  # one outgrows the context, and says so
            for batch in ([], ["--batch", "1"], ["--batch", "3"]):
                done = limpid(*call, "--lines", file, *batch)
                self.assertEqual((done.returncode, done.stdout), (0, "\n".join(one.stdout for one in alone)))
                self.assertEqual("outgrew" in done.stderr, any("outgrew" in one.stderr for one in alone))
            objects = [json.loads(line) for line in self.ok(*call, "--lines", file, "--json").splitlines()]
            self.assertEqual([o["prompt"] for o in objects], lines)
            for line, held in zip(lines, objects):
                steps = [json.loads(step) for step in self.ok(*call, line, "--json").splitlines()]
                self.assertEqual(held["text"], steps[-1]["text"])
                written = [step for step in steps[:-1]][:len(held["ids"])]
                self.assertEqual(held["ids"], [step["token"] for step in written])
                self.assertEqual(held["probabilities"], [step["probability"] for step in written])
        self.refused(2, "--lines gives the texts", "generate", "Life", "--lines", file, *self.model)
        for option in (["-o", "x.npz"], ["--watch"], ["--stats"], ["--samples", "2", "--temperature", "1"]):
            self.refused(2, option[0] + " is of one text", "generate", "--lines", file, *self.model, *option)

    def test_generate_chooses_as_it_is_told(self):
        call = ["generate", "Life knows", *self.model, "--tokens", "12"]
        greedy = self.ok(*call)
        self.assertEqual(self.ok(*call, "--no-cache"), greedy)
        self.assertEqual(self.ok(*call, "--temperature", "2", "--top-k", "1", "--seed", "4"), greedy)
        self.assertEqual(self.ok(*call, "--temperature", "2", "--top-p", "1e-9", "--seed", "4"), greedy)
        self.assertEqual(self.ok(*call, "--temperature", "2", "--min-p", "1", "--seed", "4"), greedy)
        self.assertNotEqual(self.ok(*call, "--repetition-penalty", "100"), greedy)
        written = greedy[len("Life knows"):-1]
        for stop in (written[3:6], written[-2:]):
            self.assertEqual(self.ok(*call, "--stop", "never there", "--stop", stop), "Life knows" + written[:written.index(stop)] + "\n")
        self.assertEqual(self.ok("generate", "--stop", written[3:6], *call[1:]), "Life knows" + written[:written.index(written[3:6])] + "\n")
        self.assertEqual(self.ok(*call, "--stop", "[" + written[3:6] + "]"), greedy)  # brackets are letters
        self.assertEqual(self.ok(*call, "--stop", written[-1] + "?"), greedy)  # held back, and text after all
        done = limpid(*call, "--stats")
        self.assertEqual((done.returncode, done.stdout), (0, greedy))
        self.assertRegex(done.stderr, r"^limpid: \d+ tokens read; the first token after [\d.]+ s, then [\d.]+ tokens a second\n$")
        for option, value, named in (("--top-k", "-1", "top_k"), ("--top-p", "0", "top_p"), ("--min-p", "2", "min_p"),
                                     ("--repetition-penalty", "0", "repetition_penalty"), ("--stop", "", "stop string")):
            self.refused(2, named, *call, option, value)


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
        self.refused(2, ["240 steps are done", "100"], "train", path("gpt.json"), "-o", path("gpt"), "--resume", "--steps", "100")
        other = write("other.txt", TEXT[::-1])
        self.refused(2, "other data", "train", path("gpt.json"), "-o", path("gpt"), "--resume", "--data", other)

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
