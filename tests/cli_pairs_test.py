#!/usr/bin/env python3
"""limpid classify --labels, embed, trace and draw with a tiny CLIP of drawn weights made here.  tests/transformers_families.py
holds the numbers to transformers.

  tests/cli_pairs_test.py build/dev/limpid
"""
import json
import math
import os
import random
import struct
import sys

import array_files
from cli_helpers import *

IMAGES = os.path.join(SOURCE, "tests/fuzz/seeds/image")
WORDS = ["cat", "dog", "red", "a", "photo", "of"]
WIDTH, SIDE, PATCH, SHARED, CONTEXT = 8, 16, 8, 6, 12
TOWER = {"hidden_size": WIDTH, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIG = {"model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": SHARED,
          "text_config": dict(TOWER, vocab_size=len(WORDS) + 2, max_position_embeddings=CONTEXT),
          "vision_config": dict(TOWER, image_size=SIDE, patch_size=PATCH)}


def image(name):
    return os.path.join(IMAGES, name)


def layers(tower):
    for layer in range(2):
        here = f"{tower}.encoder.layers.{layer}."
        for name, out, into in [(f"self_attn.{p}_proj", WIDTH, WIDTH) for p in "qkv"] + [("self_attn.out_proj", WIDTH, WIDTH), ("mlp.fc1", 12, WIDTH), ("mlp.fc2", WIDTH, 12)]:
            yield here + name + ".weight", [out, into]
            yield here + name + ".bias", [out]
        for name in ("layer_norm1", "layer_norm2"):
            yield from norm(here + name)


def norm(name):
    yield name + ".weight", [WIDTH]
    yield name + ".bias", [WIDTH]


def sizes():
    yield "logit_scale", []
    yield "text_model.embeddings.token_embedding.weight", [len(WORDS) + 2, WIDTH]
    yield "text_model.embeddings.position_embedding.weight", [CONTEXT, WIDTH]
    yield from layers("text_model")
    yield from norm("text_model.final_layer_norm")
    yield "text_projection.weight", [SHARED, WIDTH]
    yield "vision_model.embeddings.class_embedding", [WIDTH]
    yield "vision_model.embeddings.patch_embedding.weight", [WIDTH, 3, PATCH, PATCH]
    yield "vision_model.embeddings.position_embedding.weight", [1 + (SIDE // PATCH)**2, WIDTH]
    yield from norm("vision_model.pre_layrnorm")
    yield from layers("vision_model")
    yield from norm("vision_model.post_layernorm")
    yield "visual_projection.weight", [SHARED, WIDTH]


def folder(name, without=None, config=CONFIG):
    os.makedirs(path(name), exist_ok=True)
    draw = random.Random(5)
    raw = []
    for tensor, shape in sizes():
        count = math.prod(shape)
        numbers = struct.pack(f"<{count}f", *(draw.uniform(-0.5, 0.5) for _ in range(count)))
        if tensor != without:
            raw.append((tensor, "F32", shape, numbers))
    write(f"{name}/model.safetensors", array_files.safetensors({}, raw=raw))
    write(f"{name}/config.json", json.dumps(config))
    write(f"{name}/preprocessor_config.json", json.dumps({"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}}))
    write(f"{name}/tokenizer.json", json.dumps({
        "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(["?", *WORDS])}, "unk_token": "?"}}))
    return path(name)


class Pairs(Case):
    @classmethod
    def setUpClass(cls):
        cls.model = folder("clip")

    def classes(self, *arguments):
        return json.loads(self.ok("classify", *arguments, "--model", self.model, "--json"))

    def embedded(self, *arguments):
        return json.loads(self.ok("embed", *arguments, "--model", self.model, "--normalize", "--json"))["embeddings"]

    def test_labels_are_chosen_by_the_vectors(self):
        said = self.classes(image("rgb.png"), image("grey8.png"), "--labels", "cat,dog,red dog")
        self.assertFalse(said["independent"])
        texts, pictures = self.embedded("cat", "dog", "red dog"), self.embedded(image("rgb.png"), image("grey8.png"))
        factor = math.exp(array_files.tensors(os.path.join(self.model, "model.safetensors"))["logit_scale"][1][0])
        for each, picture in zip(said["images"], pictures):
            self.assertAlmostEqual(sum(c["probability"] for c in each["classes"]), 1, places=9)
            self.assertEqual([c["logit"] for c in each["classes"]], sorted((c["logit"] for c in each["classes"]), reverse=True))
            for label, text in zip(("cat", "dog", "red dog"), texts):
                logit = next(c["logit"] for c in each["classes"] if c["class"] == label)
                self.assertAlmostEqual(logit, factor * sum(a * b for a, b in zip(picture, text)), places=5)

    def test_labels_become_texts(self):
        named = self.classes(image("rgb.png"), "--labels", "cat,dog", "--label-text", "a photo of a {}")["images"][0]["classes"]
        spelt = self.classes(image("rgb.png"), "--labels", "a photo of a cat,a photo of a dog")["images"][0]["classes"]
        self.assertEqual({c["class"]: c["logit"] for c in named}, {c["class"][-3:]: c["logit"] for c in spelt})
        page = self.ok("classify", image("rgb.png"), "--model", self.model, "--labels", "cat,dog")
        self.assertEqual(page.count("\n"), 3)

    def test_each_tower_is_a_model(self):
        self.assertIn("1 image x 5 patches", self.ok("trace", image("rgb.png"), "--model", self.model))
        self.assertIn("2 tokens", self.ok("trace", "red dog", "--model", self.model))
        self.assertIn("3 tokens", self.ok("trace", "--tokens", "1,2,3", "--model", self.model))
        self.assertIn("embedding.W", self.ok("explain", "embedding[0,0]", "--text", image("rgb.png"), "--model", self.model))
        for text in ("red dog", image("rgb.png")):
            for figure in ([], ["heads"], ["matrices"]):
                self.ok("draw", *figure, "--text", text, "--model", self.model, "-o", path("figure.svg"))
                self.assertIn("<svg", read("figure.svg").decode())
        self.ok("classify", image("rgb.png"), "--model", self.model, "--labels", "cat,dog", "--trace", path("kept.safetensors"))
        self.assertIn("5 patches", self.ok("trace", path("kept.safetensors")))
        self.ok("draw", "network", "--model", self.model, "-o", path("both.svg"))
        both = read("both.svg").decode()
        for words in ("Text block", "Image block", "text vector", "Pair"):
            self.assertIn(words, both)

    def test_errors_repair_the_call(self):
        self.refused(2, "give some: --labels cat,dog", "classify", image("rgb.png"), "--model", self.model)
        self.refused(2, "has no {}", "classify", image("rgb.png"), "--model", self.model, "--labels", "cat", "--label-text", "a photo")
        self.refused(2, "give a PNG or JPEG file", "classify", "a cat", "--model", self.model, "--labels", "cat")
        self.refused(2, "--labels is for a model of texts and images", "classify", "a cat", "--labels", "cat")
        self.refused(2, "text 2", "classify", image("rgb.png"), "--model", self.model, "--labels", "cat, ")
        self.refused(2, "does not predict the next token", "generate", "a cat", "--model", self.model)
        self.refused(2, "predicts no hidden words", "fill", "a [MASK]", "--model", self.model)
        self.refused(2, "decoder", "lens", "a cat", "--model", self.model)
        self.refused(2, "next token", "eval", "a cat", "--model", self.model)
        self.refused(1, "'visual_projection.weight' is missing", "embed", image("rgb.png"), "--model", folder("half", "visual_projection.weight"))
        narrow = dict(CONFIG, projection_dim=SHARED + 1)
        self.refused(1, "projection.weight' is [6,8], expected [7,8]", "embed", "a cat", "--model", folder("narrow", config=narrow))
        self.refused(1, 'it has no "vision_config"', "embed", "a cat", "--model",
                     folder("blind", config={key: value for key, value in CONFIG.items() if key != "vision_config"}))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
