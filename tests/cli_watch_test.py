#!/usr/bin/env python3
"""limpid generate --watch and -o: what the heads look at while a text is written is what a trace of the text holds.

  tests/cli_watch_test.py build/dev/limpid
"""
import json
import math
import struct
import sys

from cli_helpers import *

MODEL = []


def setUpModule():
    write("text.txt", TEXT)
    done = limpid("train", recipe("gpt.json", steps=40, network=dict(GPT["network"], context=64, positions="learned", kv_heads=1), context=64), "-o", path("gpt"))
    assert done.returncode == 0, done.stderr
    MODEL[:] = ["--model", path("gpt/model.safetensors")]


class Watch(Case):
    def steps(self, *arguments):
        lines = [json.loads(line) for line in self.ok("generate", *arguments, *MODEL, "--watch", "--json").splitlines()]
        return lines[:-1]

    def test_the_largest_weights_are_those_of_the_trace(self):
        steps = self.steps("Life knows", "--tokens", "9", "-o", path("w.safetensors"))
        trace = json.loads(self.ok("trace", path("w.safetensors"), "--json"))
        given = len(trace["tokens"]) - len(steps)
        self.assertEqual([t["id"] for t in trace["tokens"]][given:], [s["token"] for s in steps])
        self.assertTrue(trace["text"].startswith("Life knows"))
        for n, step in enumerate(steps):
            self.assertEqual(len(step["heads"]), 4)
            for look in step["heads"]:
                row = trace["values"][look["attention"] + ".pattern"]["data"][0][look["head"]][given + n - 1]
                row = row[:given + n]
                order = sorted(range(len(row)), key=lambda s: (-row[s], s))[:3]
                same_bits = lambda numbers: struct.pack(f"<{len(numbers)}f", *numbers)
                self.assertEqual(look["keys"], order)
                self.assertEqual(same_bits(look["weights"]), same_bits([row[s] for s in order]))
                self.assertAlmostEqual(look["entropy"], -sum(w * math.log(w) for w in row if w > 0), places=4)
            probs = trace["values"]["probs"]["data"][0][given + n - 1]
            self.assertAlmostEqual(step["probability"], probs[step["token"]], places=6)

    def test_it_changes_nothing(self):
        for more in ([], ["--temperature", "0.9", "--seed", "5"]):
            call = ["Life knows", "--tokens", "8", *more]
            watched = self.steps(*call)
            self.assertEqual(watched, self.steps(*call, "--no-cache"))
            plain = [json.loads(line) for line in self.ok("generate", *call, *MODEL, "--json").splitlines()][:-1]
            self.assertEqual([{k: v for k, v in step.items() if k != "heads"} for step in watched], plain)

    def test_a_line_a_token_and_the_text(self):
        page = self.ok("generate", "Life knows", "--tokens", "6", *MODEL, "--watch")
        text = self.ok("generate", "Life knows", "--tokens", "6", *MODEL)
        self.assertTrue(page.endswith("\n" + text), page)
        lines = page[:-len(text)].splitlines()
        self.assertEqual(len(lines), 1 + 6 + 1)
        for line in lines:
            self.assertLessEqual(width(line), 80)
        self.assertRegex(lines[4], r"^\S.* +0\.\d\d  \d\.\d\d-\d\.\d\d +\d\.\d \".*\" \d\.\d\d")
        self.assertEqual(self.ok("generate", "Life", "--tokens", "0", *MODEL, "--watch"), "Life\n")

    def test_a_long_text_keeps_what_grows_with_its_length(self):
        done = limpid("generate", "Life knows", "--tokens", "300", *MODEL, "-o", path("long.npz"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("outgrew the 64 tokens", done.stderr)
        trace = json.loads(self.ok("trace", path("long.npz"), "--json"))
        self.assertEqual(len(trace["tokens"]), 64)
        wide = ["--model", path("wide/model.safetensors")]
        done = limpid("train", recipe("wide.json", steps=2, network=dict(GPT["network"], context=400)), "-o", path("wide"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.ok("generate", "Life knows", "--tokens", "290", "--no-stop", *wide, "-o", path("wide.safetensors"))
        values = json.loads(self.ok("trace", path("wide.safetensors"), "--json"))["values"]
        self.assertEqual({name.split("@")[1].split(".")[0] for name in values}, {"top8", "entropy", "map"})

    def test_keys_are_places_of_the_text_where_it_outgrew_the_context(self):
        steps = self.steps("Life knows", "--tokens", "90")
        tokens = len(json.loads(self.ok("trace", "Life knows", *MODEL, "--json"))["tokens"])
        for n, step in enumerate(steps):
            for look in step["heads"]:
                self.assertTrue(all(max(0, tokens + n - 64) <= key < tokens + n for key in look["keys"]), (n, look))

    def test_what_it_refuses(self):
        self.refused(2, ".safetensors or .npz", "generate", "Life", *MODEL, "-o", "written.txt")


class Samples(Case):
    def test_samples_are_texts_of_the_next_seeds(self):
        drawn = ["generate", "Life is", "--tokens", "12", "--temperature", "1"]
        single = [self.ok(*drawn, "--seed", str(seed)) for seed in (5, 6, 7)]
        self.assertEqual(self.ok(*drawn, "--seed", "5", "--samples", "3"), "\n".join(single))
        self.assertEqual(len(set(single)), 3)
        wholes = [json.loads(line) for line in self.ok(*drawn, "--seed", "5", "--samples", "3", "--json").splitlines() if '"prompt"' in line]
        self.assertEqual([(w["seed"], "Life is" + w["text"] + "\n") for w in wholes], list(zip((5, 6, 7), single)))
        self.refused(2, "add --temperature", "generate", "Life", "--samples", "2")
        self.refused(2, "--watch is of one text", *drawn, "--samples", "2", "--watch")
        self.refused(2, "--samples", *drawn, "--samples", "0")


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
