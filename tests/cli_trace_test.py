#!/usr/bin/env python3
"""limpid trace: stored and shown again, as JSON, observed, edited, by one token.

  tests/cli_trace_test.py build/dev/limpid
"""
import json
import os
import re
import subprocess
import sys

from cli_helpers import *


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
        page = self.ok("trace", "Life is short", "--gradients")
        self.assertIn("Life 3069   ·is 312   ·short 2042\n", page)
        self.assertIn("·is 312   ·short 2042   none\n", page)  # the targets

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


def prepare():
    """The model that the cases use."""
    write("text.txt", TEXT)
    recipe("gpt.json")
    done = limpid("train", path("gpt.json"), "-o", path("gpt"))
    if done.returncode != 0:
        sys.exit(f"cli_trace_test: the model of the tests cannot be trained: {done.stderr}")


def main():
    prepare()
    return run_cases(__name__)


if __name__ == "__main__":
    sys.exit(main())
