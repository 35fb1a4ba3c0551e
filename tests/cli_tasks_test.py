#!/usr/bin/env python3
"""limpid embed, fill and classify, on a tiny BERT (LIMPID_DATA: conformance/families/bert) with a tokenizer made here, held to
what transformers computed for its weights and to plain Python.

  tests/cli_tasks_test.py build/dev/limpid
"""
import json
import math
import os
import random
import struct
import sys

import array_files
from cli_helpers import *

BERT = os.path.join(os.environ.get("LIMPID_DATA", os.path.join(SOURCE, "../shared/data")), "conformance/families/bert")
MASK = 4
WIDTH, VOCABULARY = 32, 97
# Token i is the word "wi"; nothing is added round a text.
TOKENIZER = {"added_tokens": [{"id": MASK, "content": "<hidden>", "special": True, "normalized": False}],
             "pre_tokenizer": {"type": "WhitespaceSplit"},
             "model": {"type": "WordLevel", "unk_token": "w1", "vocab": {f"w{i}": i for i in range(VOCABULARY) if i != MASK}}}
# The same with a token behind every text.
WITH_END = dict(TOKENIZER, post_processor={
    "type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "w2", "type_id": 0}}], "pair": [],
    "special_tokens": {"w2": {"id": "w2", "ids": [2], "tokens": ["w2"]}}})


def softmax(logits):
    powers = [math.exp(x - max(logits)) for x in logits]
    return [p / sum(powers) for p in powers]


class Tasks(Case):
    @classmethod
    def setUpClass(cls):
        if not os.path.isdir(BERT):
            raise unittest.SkipTest(f"no {BERT} (LIMPID_DATA names the data folder)")
        cls.weights = array_files.tensors(os.path.join(BERT, "model.safetensors"))
        cls.golden = array_files.tensors(os.path.join(BERT, "golden2.safetensors"))
        with open(os.path.join(BERT, "config.json")) as file:
            cls.config = json.load(file)

    def folder(self, name, config={}, tensors={}, files={}, tokenizer=TOKENIZER):
        """A folder of the hub: the tiny BERT with these changes (a tensor None: left out; lists: another)."""
        os.makedirs(path(name), exist_ok=True)
        raw = []
        for tensor, (sizes, numbers) in self.weights.items():
            if tensor not in tensors:
                raw.append((tensor, "F32", sizes, struct.pack(f"<{len(numbers)}f", *numbers)))
        write(f"{name}/model.safetensors", array_files.safetensors({k: v for k, v in tensors.items() if v is not None}, raw=raw))
        write(f"{name}/config.json", json.dumps(dict(self.config, **config)))
        if tokenizer:
            tokenizer = dict(tokenizer, added_tokens=tokenizer["added_tokens"])
            write(f"{name}/tokenizer.json", json.dumps(tokenizer))
            write(f"{name}/tokenizer_config.json", json.dumps({"mask_token": tokenizer["added_tokens"][0]["content"]}))
        for file, content in files.items():
            os.makedirs(os.path.dirname(path(f"{name}/{file}")), exist_ok=True)
            write(f"{name}/{file}", content if isinstance(content, str) else json.dumps(content))
        return path(name)

    def rows(self):
        """The texts of golden2, and what transformers says of each token: the last hidden state."""
        ids, seen = self.golden["in.input_ids"], self.golden["in.attention_mask"][1]
        states = self.golden["out.last_hidden_state"][1]
        length = ids[0][1]
        for b in range(ids[0][0]):
            places = [b * length + t for t in range(length) if seen[b * length + t]]
            words = " ".join(TOKENIZER["added_tokens"][0]["content"] if ids[1][p] == MASK else f"w{ids[1][p]}" for p in places)
            yield words, [states[p * WIDTH:(p + 1) * WIDTH] for p in places]

    def lines(self, name, texts):
        return write(name, "".join(text + "\n" for text in texts))

    def near(self, got, expected, tolerance=2e-5):
        self.assertEqual(len(got), len(expected))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(got, expected)), tolerance)

    # ---- embed

    def embedded(self, folder, *more):
        texts = [words for words, _ in self.rows() if "<hidden>" not in words]
        return json.loads(self.ok("embed", *texts, "--model", folder, "--json", *more))

    def expected(self, pool):
        return [pool(states) for words, states in self.rows() if "<hidden>" not in words]

    def test_vectors_are_the_references_pooled(self):
        folder = self.folder("plain")
        mean = lambda rows: [sum(column) / len(rows) for column in zip(*rows)]
        for name, pool in (("mean", mean), ("cls", lambda rows: rows[0]), ("last", lambda rows: rows[-1]),
                           ("max", lambda rows: [max(column) for column in zip(*rows)])):
            said = self.embedded(folder, "--pooling", name)
            self.assertEqual((said["pooling"], said["normalized"], said["width"]), (name, False, WIDTH))
            expected = self.expected(pool)
            self.assertGreaterEqual(len(expected), 1)
            for got, right in zip(said["embeddings"], expected, strict=True):
                self.near(got, right)
        said = self.embedded(folder, "--normalize")
        for got, right in zip(said["embeddings"], self.expected(mean), strict=True):
            length = math.sqrt(sum(x * x for x in right))
            self.near(got, [x / length for x in right])
        for i, a in enumerate(said["embeddings"]):
            for j, b in enumerate(said["embeddings"]):
                self.near([said["cosines"][i][j]], [sum(x * y for x, y in zip(a, b))], 1e-6)

    def test_the_folder_says_how(self):
        modules = [{"type": "sentence_transformers.models.Transformer", "path": ""},
                   {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                   {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}]
        for key, name in (("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"), ("pooling_mode_lasttoken", "last"),
                          ("pooling_mode_mean_tokens", "mean")):
            folder = self.folder("said", files={"modules.json": modules, "1_Pooling/config.json": {key: True, "pooling_mode_other": False}})
            said = self.embedded(folder)
            self.assertEqual((said["pooling"], said["normalized"]), (name, True))
        self.assertEqual(self.embedded(folder, "--no-normalize", "--pooling", "max")["normalized"], False)
        call = ["embed", "w5", "--model", folder]
        for config, words in (({"pooling_mode_weightedmean_tokens": True}, "weightedmean"), ({}, "0 poolings"),
                              ({"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}, "2 poolings"),
                              ({"pooling_mode_cls_token": 1}, "pooling_mode_cls_token"), ("[", "1_Pooling")):
            self.folder("said", files={"1_Pooling/config.json": config})
            self.refused(2, [words, "choose a pooling"], *call)
            self.ok(*call, "--pooling", "mean")
            self.ok("trace", "w5", "--model", folder)  # the network runs whatever is said of sentences
        for bad, words in ((modules + [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}], "Dense"),
                           ([{"type": "a.Pooling", "path": "../elsewhere"}], "../elsewhere"), ({}, "modules.json"), ("{", "modules.json")):
            self.folder("said", files={"modules.json": bad, "1_Pooling/config.json": {"pooling_mode_cls_token": True}})
            self.refused(2, words, *call)
        self.refused(2, ["--pooling", "mean"], *call, "--pooling", "middle")

    def test_batches_change_no_bit_and_files_hold_the_same(self):
        draw = random.Random(3)
        texts = [" ".join(f"w{draw.randrange(5, VOCABULARY)}" for _ in range(n)) for n in (1, 9, 2, 30, 17, 17, 5, 1, 44)]
        call = ["embed", "--lines", self.lines("nine.txt", texts), "--model", self.folder("plain")]
        for batch in ("1", "2", "4", "32"):
            self.ok(*call, "--batch", batch, "-o", path(f"b{batch}.npy"))
            self.assertEqual(read(f"b{batch}.npy"), read("b1.npy"))
        self.ok(*call, "-o", path("e.safetensors"))
        self.ok(*call, "-o", path("e.npz"))
        sizes, numbers = array_files.tensors(path("e.safetensors"))["embeddings"]
        self.assertEqual(sizes, [9, WIDTH])
        self.assertEqual(struct.pack(f"<{len(numbers)}f", *numbers), read("b1.npy")[-4 * len(numbers):])
        self.assertIn("embeddings", self.ok("info", path("e.npz")))
        page = self.ok(*call)
        self.assertIn("9 texts, 32 numbers each (mean pooling)", page)
        self.assertEqual(sum("1.000" in line for line in page.splitlines()), 9)
        self.refused(2, ["x.txt", ".npy"], *call, "-o", "x.txt")

    def test_long_and_empty_texts(self):
        folder = self.folder("short", files={"sentence_bert_config.json": {"max_seq_length": 5}})
        done = limpid("embed", "w5 w6 w7 w8 w9 w10 w11", "w5 w6 w7 w8 w9", "--model", folder, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("text 1 was cut from 7 tokens to 5", done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(said["embeddings"][0], said["embeddings"][1])
        long = " ".join(["w5"] * 100)  # the table of positions has 64 rows
        done = limpid("embed", long, "--model", self.folder("plain"), "--trace", path("long.npz"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cut from 100 tokens to 64", done.stderr)
        self.assertIn("cut from 100 tokens to 64", self.ok("trace", path("long.npz"), "--json"))
        for texts in ([""], ["w5", ""]):
            for folder in (self.folder("plain"), self.folder("ends", tokenizer=WITH_END)):
                self.refused(2, "empty", "embed", *texts, "--model", folder)
        self.refused(1, "nothing.txt", "embed", "--lines", write("nothing.txt", ""), "--model", self.folder("plain"))
        self.refused(2, "leave those", "embed", "w5", "--lines", path("nothing.txt"), "--model", self.folder("plain"))

    def test_the_built_in_model(self):
        self.assertIn("2 texts, ", self.ok("embed", "Life is short", "Art is long"))
        self.refused(2, ["predicts no hidden words", "generate"], "fill", "Life is [MASK]")
        self.refused(2, "no classes", "classify", "Life is short")

    # ---- fill

    def test_hidden_words(self):
        folder = self.folder("plain")
        text = "w5 [MASK] w7 w8 <hidden> w10"
        said = json.loads(self.ok("fill", text, "--model", folder, "--json", "--top", "97", "--trace", path("f.safetensors")))["texts"][0]
        self.assertEqual(said["text"], "w5 <hidden> w7 w8 <hidden> w10")
        self.assertEqual([(m["token"], m["begin"], m["end"]) for m in said["masks"]], [(1, 3, 11), (4, 18, 26)])
        self.ok("trace", "--tokens", "5,4,7,8,4,10", "--model", folder, "--observe", "logits", "-o", path("logits.safetensors"))
        logits = array_files.tensors(path("logits.safetensors"))["logits"][1]
        for mask in said["masks"]:
            right = softmax(logits[mask["token"] * VOCABULARY:(mask["token"] + 1) * VOCABULARY])
            self.assertEqual(len(mask["guesses"]), 97)
            self.near([g["probability"] for g in mask["guesses"]], sorted(right, reverse=True), 1e-6)
            self.near([g["probability"] for g in mask["guesses"]], [right[g["id"]] for g in mask["guesses"]], 1e-6)
        self.assertEqual(array_files.tensors(path("f.safetensors"))["logits"][1], logits)
        best = [m["guesses"][0]["token"] for m in said["masks"]]
        self.assertEqual(said["filled"].split(), ["w5", best[0], "w7", "w8", best[1], "w10"])
        page = self.ok("fill", text, "--model", folder, "--top", "2")
        for words in ("mask 1, token 1", "mask 2, token 4", best[0]):
            self.assertIn(words, page)

    def test_no_mask_and_other_specials(self):
        folder = self.folder("plain")
        self.refused(2, ["no mask in", "<hidden>", "[MASK]"], "fill", "w5 w6", "--model", folder)
        self.refused(2, "empty", "fill", "", "--model", folder)
        self.refused(2, ["100 tokens", "64 at a time"], "fill", "[MASK]" + " w5" * 99, "--model", folder)
        self.refused(2, "--top", "fill", "[MASK]", "--model", folder, "--top", "0")
        model = dict(TOKENIZER["model"], vocab={word: i for word, i in TOKENIZER["model"]["vocab"].items() if i != 2})
        forged = dict(TOKENIZER, model=model, added_tokens=TOKENIZER["added_tokens"] + [{"id": 2, "content": "[X]", "special": True}])
        folder = self.folder("forged", tokenizer=forged)
        done = limpid("fill", "[X] [MASK]", "--model", folder, "--trace", path("x.npz"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('does not know 1 of its 2 tokens, which the model reads as w1: "[X]"', done.stderr)
        ids = [t["id"] for t in json.loads(self.ok("trace", path("x.npz"), "--json"))["tokens"]]
        self.assertEqual(ids, [1, MASK])
        bare = self.folder("bare", tokenizer=None)
        self.refused(2, "--tokenizer FILE", "fill", "[MASK]", "--model", bare)
        self.refused(2, "--tokenizer FILE", "embed", "w5", "--model", bare)

    def test_words_that_the_tokenizer_does_not_know(self):
        tokenizer = dict(TOKENIZER, added_tokens=TOKENIZER["added_tokens"] + [{"id": 1, "content": "w1", "special": True}])
        folder = self.folder("unknown", tokenizer=tokenizer)
        write("unknown/tokenizer_config.json", json.dumps({"mask_token": "<hidden>", "unk_token": "w1"}))
        for call in (["embed", "w5 odd w6 w7"], ["fill", "w5 odd [MASK] w7"], ["trace", "w5 odd w6 w7"]):
            done = limpid(*call, "--model", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn('does not know 1 of its 4 tokens, which the model reads as w1: "odd"', " ".join((done.stderr + done.stdout).split()))
            done = limpid(*[word.replace("odd", "w8") for word in call], "--model", folder)
            self.assertNotIn("does not know", done.stderr + done.stdout)
        self.assertIn("4 tokens; 1 that the tokenizer does not know", self.ok("tokens", "w5 odd w6 w7", "--tokenizer", folder))

    def test_hidden_words_are_no_next_ones(self):
        self.refused(2, ["bert predicts hidden words", "limpid fill"], "generate", "w5 w6", "--model", self.folder("plain"))
        alone = self.folder("alone", {"architectures": ["BertModel"]},
                            {name: None for name in self.weights if name.startswith("cls.")})
        self.refused(2, "does not predict the next token", "generate", "w5 w6", "--model", alone)

    def test_the_page_says_which_text_a_token_is_of(self):
        page = self.ok("trace", "w5 w6", "--model", self.folder("plain"))
        for words in ("The sentence, and the number of each token in the vocabulary.", "Which of the texts, from 0 on, each token belongs to.",
                      "How many of the places hold a token; what follows is padding."):
            self.assertEqual(page.count(words), 1, words)
        self.assertEqual(page.count("w5 5"), 1)

    def test_an_architecture_of_its_own(self):
        folder = self.folder("own", {"architectures": ["Mine"]}, {"species.weight": [[1.0, 2.0]]})
        done = limpid("fill", "w5 [MASK]", "--model", folder, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ('the architecture "Mine"', "BertForMaskedLM", "species.weight"):
            self.assertIn(words, done.stderr)
        plain = self.ok("fill", "w5 [MASK]", "--model", self.folder("plain"), "--json")
        self.assertEqual(json.loads(done.stdout)["texts"], json.loads(plain)["texts"])
        layer = self.folder("own2", {"architectures": ["Mine"]}, {"bert.encoder.layer.7.output.dense.bias": [1.0]})
        self.refused(1, "bert.encoder.layer.7", "fill", "w5 [MASK]", "--model", layer)
        known = self.folder("own3", {}, {"species.weight": [[1.0, 2.0]]})
        self.refused(1, "species.weight", "fill", "w5 [MASK]", "--model", known)

    def test_numbers_that_are_not_finite(self):
        name = "bert.embeddings.LayerNorm.weight"
        sizes, numbers = self.weights[name]
        folder = self.folder("nan", tensors={name: [array_files.NAN] + numbers[1:]})
        for call in (["embed", "w5"], ["embed", "w5", "--pooling", "max"], ["fill", "w5 [MASK]"]):
            done = limpid(*call, "--model", folder)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("not finite (nan)", done.stderr)
            self.assertEqual(done.stdout, "")

    # ---- classify

    def classifier(self, name, architecture, outputs, **config):
        draw = random.Random(5)
        matrix = lambda rows: [[round(draw.uniform(-0.5, 0.5), 3) for _ in range(WIDTH)] for _ in range(rows)]
        self.dense, self.last = matrix(WIDTH), matrix(outputs)
        heads = {"classifier.weight": self.last, "classifier.bias": [0.25] * outputs}
        if architecture.endswith("SequenceClassification"):
            heads.update({"bert.pooler.dense.weight": self.dense, "bert.pooler.dense.bias": [0.125] * WIDTH})
        labels = {str(i): f"class {i}" for i in range(outputs)}
        return self.folder(name, dict(dict(architectures=[architecture], id2label=labels), **config), heads)

    def logits(self, row):
        return [sum(w * x for w, x in zip(weights, row)) + 0.25 for weights in self.last]

    def sequence_logits(self, states):
        return self.logits([math.tanh(sum(w * x for w, x in zip(row, states[0])) + 0.125) for row in self.dense])

    def test_classes_of_texts(self):
        folder = self.classifier("classes", "BertForSequenceClassification", 3)
        rows = [(w, s) for w, s in self.rows() if "<hidden>" not in w]
        call = ["classify", "--lines", self.lines("rows.txt", [w for w, _ in rows]), "--model", folder]
        said = json.loads(self.ok(*call, "--json", "--trace", path("c.npz")))
        self.assertEqual(said["independent"], False)
        for text, (words, states) in zip(said["texts"], rows, strict=True):
            right = self.sequence_logits(states)
            order = sorted(range(3), key=lambda i: -right[i])
            self.assertEqual([c["class"] for c in text["classes"]], [f"class {i}" for i in order])
            self.near([c["logit"] for c in text["classes"]], [right[i] for i in order], 1e-4)
            self.near([c["probability"] for c in text["classes"]], [softmax(right)[i] for i in order], 1e-4)
        self.assertIn("class 2", self.ok(*call))
        self.assertEqual(json.loads(self.ok("trace", path("c.npz"), "--json"))["vocabulary"], ["class 0", "class 1", "class 2"])
        batched = self.ok(*call, "--json", "--batch", "1")
        self.assertEqual(json.loads(batched), said)

    def test_classes_that_do_not_exclude_each_other(self):
        rows = [(w, s) for w, s in self.rows() if "<hidden>" not in w]
        for config, outputs in (({"problem_type": "multi_label_classification"}, 3), ({}, 1)):
            folder = self.classifier("several", "BertForSequenceClassification", outputs, **config)
            said = json.loads(self.ok("classify", rows[0][0], "--model", folder, "--json"))
            self.assertEqual(said["independent"], True)
            right = sorted((1 / (1 + math.exp(-x)) for x in self.sequence_logits(rows[0][1])), reverse=True)
            self.near([c["probability"] for c in said["texts"][0]["classes"]], right, 1e-4)
        folder = self.classifier("numbers", "BertForSequenceClassification", 1, problem_type="regression")
        self.refused(2, "no classes", "classify", "w5", "--model", folder)

    def test_classes_of_words(self):
        folder = self.classifier("words", "BertForTokenClassification", 4, id2label={"0": "none", "1": "who", "2": "where"}, num_labels=4)
        words, states = next((w, s) for w, s in self.rows() if "<hidden>" not in w)
        said = json.loads(self.ok("classify", words, "--model", folder, "--json"))["texts"][0]
        self.assertEqual([w["text"] for w in said["words"]], words.split())
        names = ["none", "who", "where", "LABEL_3"]
        for token, word, row in zip(said["tokens"], said["words"], states, strict=True):
            right = softmax(self.logits(row))
            best = max(range(4), key=right.__getitem__)
            self.assertEqual((token["class"], word["class"]), (names[best], names[best]))
            self.near([token["probability"], word["probability"]], [right[best]] * 2, 1e-4)
            self.assertEqual(words[word["begin"]:word["end"]], word["text"])
        self.assertIn(words.split()[0], self.ok("classify", words, "--model", folder))

    def test_a_model_of_images(self):
        vit = path("vit")
        os.makedirs(vit, exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            os.symlink(os.path.join(os.path.dirname(BERT), "vit", name), os.path.join(vit, name))
        write("vit/preprocessor_config.json", json.dumps({"image_processor_type": "ViTImageProcessor", "size": 16}))
        for command in ("embed", "classify"):
            self.refused(2, "reads images", command, "w5", "--model", vit)
        self.refused(2, "predicts no hidden words", "fill", "w5 [MASK]", "--model", vit)

    def test_a_model_without_classes(self):
        self.refused(2, ["no classes", "ForSequenceClassification"], "classify", "w5", "--model", self.folder("plain"))
        self.refused(2, "empty", "classify", "", "--model", self.classifier("classes", "BertForSequenceClassification", 3))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
