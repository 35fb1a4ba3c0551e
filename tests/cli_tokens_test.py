#!/usr/bin/env python3
"""limpid tokens: what it shows of limpid's own tokenizers and of a model's from elsewhere.

  tests/cli_tokens_test.py build/dev/limpid
"""
import json
import os
import sys

from cli_helpers import *

BERT = {"added_tokens": [{"id": 0, "content": "[CLS]", "special": True}, {"id": 1, "content": "[SEP]", "special": True}],
        "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1]},
        "decoder": {"type": "WordPiece"},
        "model": {"type": "WordPiece", "vocab": {"[CLS]": 0, "[SEP]": 1, "[UNK]": 2, "play": 3, "##ing": 4, "caf": 5, "##e": 6}}}


class Tokens(Case):
    def folder(self):
        os.makedirs(path("bert"), exist_ok=True)
        write("bert/tokenizer.json", json.dumps(BERT))
        return path("bert")

    def test_the_built_in_models_tokens(self):
        page = self.ok("tokens", "Life is short")
        self.assertIn("tokenizer bpe", page)
        self.assertIn("\u00b7is", page)
        said = json.loads(self.ok("tokens", "Life is short", "--json"))
        self.assertEqual((said["tokens"][0]["begin"], said["tokens"][-1]["end"]), (0, 13))
        ids = [int(i) for i in self.ok("tokens", "Life is short", "--ids").split()]
        self.assertEqual(ids, [t["id"] for t in said["tokens"]])
        self.assertEqual(self.ok("tokens", "Life is short", "--special", "--ids").split(), [str(i) for i in ids])

    def test_a_tokenizer_json(self):
        for call in (["--tokenizer", self.folder()], ["--tokenizer", path("bert/tokenizer.json")], ["--model", self.folder()]):
            said = json.loads(self.ok("tokens", "Playing caf\u00e9", "--special", "--json", *call))
            self.assertEqual([t["id"] for t in said["tokens"]], [0, 3, 4, 5, 6, 1])
            self.assertEqual([(t["begin"], t["end"]) for t in said["tokens"]], [(0, 0), (0, 4), (4, 7), (8, 11), (11, 13), (0, 0)])
            self.assertEqual([t["special"] for t in said["tokens"]], [True] + [False] * 4 + [True])
        self.assertEqual(said["kind"], "wordpiece")
        self.assertEqual(self.ok("tokens", "play", "--pair", "playing", "--special", "--ids", *call), "0 3 1 3 4 1\n")
        self.assertEqual(self.ok("tokens", "play [SEP]", "--ids", *call), "3 2 2 2\n")  # no text forges one
        self.assertIn("added", self.ok("tokens", "play", "--special", *call))

    def test_names_of_special_tokens_in_a_text(self):
        call = ["--tokenizer", self.folder()]
        self.assertIn("[SEP] in the text is the name of a special token, read here as any other text; --special reads it as one", self.ok("tokens", "play [SEP]", *call))
        self.assertIn("[CLS], [SEP] in the text are names", self.ok("tokens", "play [CLS]", "--pair", "[SEP] [SEP]", *call))
        for text, more in (("play [SEP]", ["--special"]), ("play SEP [MASK]", []), ("play [SEP]", ["--ids"])):
            self.assertNotIn("--special", self.ok("tokens", text, *more, *call))

    def test_llama2c(self):
        file = os.path.join(os.environ.get("LIMPID_DATA", os.path.join(SOURCE, "../shared/data")), "models/stories260K/tok512.bin")
        if not os.path.exists(file):
            self.skipTest("no " + file)
        text = "One day, a clever fox found a shiny key under the old oak tree."
        self.assertEqual(len(self.ok("tokens", text, "--special", "--ids", "--tokenizer", file).split()), 35)

    def test_wrong_calls(self):
        self.refused(1, ["looked for tokenizer.json", "vocab.txt"], "tokens", "a", "--tokenizer", WORK.name)
        self.refused(1, "nofile.json", "tokens", "a", "--tokenizer", "nofile.json")
        bad = dict(BERT, normalizer={"type": "Upper"})
        self.refused(1, ["normalizer.type", "Upper", "expected"], "tokens", "a", "--tokenizer", write("bad.json", json.dumps(bad)))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
