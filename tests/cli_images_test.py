#!/usr/bin/env python3
"""limpid classify, embed, trace and draw with image files, on a tiny ViT of drawn weights made here; with LIMPID_DATA also on the
published vit-mnist networks.  tests/transformers_families.py and tests/image_processors.py hold the numbers to transformers.

  tests/cli_images_test.py build/dev/limpid
"""
import json
import os
import random
import shutil
import struct
import sys
import zlib

import array_files
from cli_helpers import *

DATA = os.environ.get("LIMPID_DATA", os.path.join(SOURCE, "../shared/data"))
IMAGES = os.path.join(SOURCE, "tests/fuzz/seeds/image")
WIDTH, SIDE, PATCH = 8, 16, 8
CONFIG = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": WIDTH, "intermediate_size": 12, "num_hidden_layers": 2,
          "num_attention_heads": 2, "image_size": SIDE, "patch_size": PATCH, "num_labels": 12, "id2label": {str(i): f"kind {i}" for i in range(12)}}
PROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}}


def image(name):
    return os.path.join(IMAGES, name)


def png(height, width, pixel):
    """Grey: pixel(y, x)."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = b"".join(b"\0" + bytes(pixel(y, x) for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) +
            chunk(b"IEND", b""))


def sizes():
    yield "vit.embeddings.cls_token", [1, 1, WIDTH]
    yield "vit.embeddings.position_embeddings", [1, 1 + (SIDE // PATCH)**2, WIDTH]
    yield "vit.embeddings.patch_embeddings.projection.weight", [WIDTH, 3, PATCH, PATCH]
    yield "vit.embeddings.patch_embeddings.projection.bias", [WIDTH]
    for layer in range(2):
        here = f"vit.encoder.layer.{layer}."
        for name, out, into in (("attention.attention.query", WIDTH, WIDTH), ("attention.attention.key", WIDTH, WIDTH), ("attention.attention.value", WIDTH, WIDTH),
                                ("attention.output.dense", WIDTH, WIDTH), ("intermediate.dense", 12, WIDTH), ("output.dense", WIDTH, 12)):
            yield here + name + ".weight", [out, into]
            yield here + name + ".bias", [out]
        for name in ("layernorm_before", "layernorm_after"):
            yield here + name + ".weight", [WIDTH]
            yield here + name + ".bias", [WIDTH]
    for name, shape in (("vit.layernorm.weight", [WIDTH]), ("vit.layernorm.bias", [WIDTH]), ("classifier.weight", [12, WIDTH]), ("classifier.bias", [12])):
        yield name, shape


def folder(name, config={}, processor=PROCESSOR):
    os.makedirs(path(name), exist_ok=True)
    draw = random.Random(5)
    raw = []
    for tensor, shape in sizes():
        count = 1
        for size in shape:
            count *= size
        raw.append((tensor, "F32", shape, struct.pack(f"<{count}f", *(draw.uniform(-0.5, 0.5) for _ in range(count)))))
    write(f"{name}/model.safetensors", array_files.safetensors({}, raw=raw))
    write(f"{name}/config.json", json.dumps(dict(CONFIG, **config)))
    file = path(f"{name}/preprocessor_config.json")
    if os.path.exists(file):
        os.remove(file)
    if processor is not None:
        write(f"{name}/preprocessor_config.json", processor if isinstance(processor, str) else json.dumps(processor))
    return path(name)


class Images(Case):
    @classmethod
    def setUpClass(cls):
        cls.model = folder("vit")

    def classes(self, *arguments):
        return json.loads(self.ok("classify", *arguments, "--model", self.model, "--json"))["images"]

    def test_classes_of_files_and_folders(self):
        names = ["baseline.jpg", "rgba.png", "grey16.png"]
        os.makedirs(path("photos/inner"), exist_ok=True)
        for name in names:
            shutil.copy(image(name), path("photos"))
        shutil.copy(image("rgb.png"), path("photos/UPPER.PNG"))
        write("photos/notes.txt", "no image")
        one_by_one = [self.classes(image(name))[0] for name in names]
        for got, name in zip(self.classes(*map(image, names)), names, strict=True):
            self.assertEqual(got["image"], image(name))
            self.assertEqual(got["classes"], one_by_one[names.index(name)]["classes"])
            self.assertEqual(len(got["classes"]), 12)
            self.assertAlmostEqual(sum(c["probability"] for c in got["classes"]), 1, places=6)
        inside = self.classes(path("photos"))
        self.assertEqual([os.path.basename(i["image"]) for i in inside], ["UPPER.PNG", "baseline.jpg", "grey16.png", "rgba.png"])
        self.assertEqual(inside[1]["classes"], one_by_one[0]["classes"])
        listed = write("list.txt", "\n".join([image(n) for n in names] + ["@" + path("photos")]) + "\n")
        self.assertEqual(len(self.classes("--lines", listed)), 7)
        self.assertEqual(self.classes(*map(image, names), "--batch", "1"), self.classes(*map(image, names)))

    def test_what_is_shown(self):
        out = self.ok("classify", image("rgb.png"), "--model", self.model)
        self.assertTrue(out.startswith(image("rgb.png") + "\n  kind "), out)
        self.assertEqual(out.count("  kind "), 10)
        self.assertIn("and 2 less likely ones (--top N shows more)", out)
        self.assertEqual(self.ok("classify", image("rgb.png"), "--model", self.model, "--top", "12").count("  kind "), 12)
        self.assertEqual(len(self.classes(image("rgb.png"), "--top", "3")[0]["classes"]), 3)

    def test_vectors(self):
        said = json.loads(self.ok("embed", image("rgb.png"), image("turned6.png"), "--model", self.model, "--json"))
        self.assertEqual((said["pooling"], said["width"], len(said["images"]), said["tokens"]), ("cls", WIDTH, 2, [5, 5]))
        trace = self.traced(image("rgb.png"))
        last = trace["ln_final.normalized"][1]
        self.assertEqual([struct.unpack("f", struct.pack("f", x))[0] for x in said["embeddings"][0]], last[:WIDTH])
        mean = json.loads(self.ok("embed", image("rgb.png"), "--model", self.model, "--pooling", "mean", "--json"))["embeddings"][0]
        for c in range(WIDTH):
            self.assertAlmostEqual(mean[c], sum(last[c::WIDTH]) / 5, places=5)
        self.assertIn("2 images, 8 numbers each (cls pooling)", self.ok("embed", image("rgb.png"), image("full.jpg"), "--model", self.model))

    def traced(self, name, *more):
        self.ok("trace", name, "--model", self.model, "--observe", "*", "-o", path("one.safetensors"), *more)
        return array_files.tensors(path("one.safetensors"))

    def test_traces(self):
        # A turned photograph is read upright.
        self.assertNotEqual(self.traced(image("turned1.jpg"))["pixels"], self.traced(image("turned6.jpg"))["pixels"])
        flat = self.traced(write("flat.png", png(20, 30, lambda y, x: 51)))["pixels"]
        self.assertEqual(flat[0], [1, 3, SIDE, SIDE])
        self.assertTrue(all(abs(x + 0.6) < 1e-6 for x in flat[1]), flat[1][:4])
        page = self.ok("trace", image("rgb.png"), "--model", self.model)
        self.assertIn("1 image x 5 patches x 8 features", page)
        self.assertIn("rgb.png  ", page)
        # Of a long path the end is shown.
        deep = path("/".join(["a_folder_of_pictures"] * 5))
        os.makedirs(deep, exist_ok=True)
        shutil.copy(image("rgb.png"), deep)
        self.assertTrue(self.ok("trace", deep + "/rgb.png", "--model", self.model).startswith("…/a_folder_of_pictures/rgb.png  "))
        rows = page[page.index(" patches  "):page.index("patch_embed  ")]
        self.assertIn("0,0", rows)
        self.assertFalse("[CLS]" in rows, rows)
        self.assertIn('"1,1"', self.ok("trace", image("rgb.png"), "--model", self.model, "--token", "1,1"))
        self.ok("classify", image("rgb.png"), "--model", self.model, "--trace", path("kept.safetensors"))
        self.assertIn("5 patches", self.ok("trace", path("kept.safetensors")))
        lines = write("two.txt", image("rgb.png") + "\n" + image("full.jpg") + "\n")
        self.assertEqual(self.ok("trace", "--lines", lines, "--model", self.model).count("1 image x 5 patches"), 2)
        self.ok("trace", image("rgb.png"), "--model", self.model, "--edit", "blocks.0.attn.z[H=1]=zero")
        self.assertIn("patch_embed.W", self.ok("explain", "patch_embed[0,0,0]", "--text", image("rgb.png"), "--model", self.model, "--decimals", "3"))

    def test_figures(self):
        for figure in ([], ["heads"], ["matrices"], ["token", "--token", "0,1"]):
            svg = path("figure.svg")
            self.ok("draw", *figure, "--text", image("rgb.png"), "--model", self.model, "-o", svg)
            self.assertIn("<svg", read("figure.svg").decode())
        self.ok("draw", "--model", self.model, "-o", path("net.svg"))  # without a run

    def test_what_the_folder_says_of_images(self):
        def first(processor, config={}):
            done = limpid("trace", image("rgb.png"), "--model", folder("other", config, processor), "--observe", "pixels", "-o", path("o.safetensors"))
            self.assertEqual(done.returncode, 0, done.stderr)
            return array_files.tensors(path("o.safetensors"))["pixels"][1][0], done.stderr
        plain, said = first(PROCESSOR)
        self.assertEqual(said, "")
        assumed, said = first(None)
        self.assertEqual(assumed, plain)
        self.assertIn("no preprocessor_config.json: images are resized to 16 by 16 (bilinear)", said)
        old, said = first({"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2, "size": 16,
                           "feature_extractor_type": "ViTFeatureExtractor"})
        self.assertEqual((old, said), (plain, ""))
        raw, _ = first(dict(PROCESSOR, do_normalize=False, do_rescale=False))
        self.assertAlmostEqual((raw / 255 - 0.5) / 0.5, plain, places=6)
        own, said = first(None, {"image_mean": 0.25, "image_std": 0.5})
        self.assertAlmostEqual(own, plain + 0.5, places=6)
        self.assertEqual(said, "")
        refused = [(dict(PROCESSOR, size=dict(height=8, width=8)), "becomes one of 8 by 8, as the model's preprocessor_config.json says, but its network reads 16 by 16"),
                   (dict(PROCESSOR, image_processor_type="OwlViTImageProcessor"), "OwlViT"), (dict(PROCESSOR, resample=9), "'resample' is 9"),
                   (dict(PROCESSOR, image_mean=[0.5, 0.5]), "'image_mean' has 2 numbers"), (dict(PROCESSOR, image_std=[0, 1, 1]), "divided"),
                   (dict(PROCESSOR, do_pad=True), "'do_pad' is true"), (dict(PROCESSOR, size={"longest_edge": 3}), "'size' has other sizes"), (dict(PROCESSOR, size=9000), "expected at most 8192"), ("{", "preprocessor_config.json"),
                   (dict(PROCESSOR, size=1e300), "size"), (dict(PROCESSOR, size={"height": 1 << 40, "width": 2}), "height"), (dict(PROCESSOR, size=[1, 2, 3]), "size")]
        for processor, words in refused:
            self.refused(1, words, "classify", image("rgb.png"), "--model", folder("other", {}, processor))
        self.refused(1, ["thin.png", "more than"], "classify", write("thin.png", png(1, 9000, lambda y, x: 0)), "--model",
                     folder("other", {}, {"image_processor_type": "CLIPImageProcessor", "size": 8000, "crop_size": 16}))

    def test_errors_repair_the_call(self):
        for command in ("classify", "embed", "trace"):
            self.refused(2, ["this model reads images; give a PNG or JPEG file", '"Life is short"'], command, "Life is short", "--model", self.model)
            self.refused(2, "this model reads images; give a PNG or JPEG file", command, "--model", self.model)
            self.refused(1, ["notes", "is a text, expected a PNG or JPEG image"], command, write("notes", "Life is short"), "--model", self.model)
            self.refused(1, ["cut.png", "cut short"], command, write("cut.png", png(20, 20, lambda y, x: x)[:60]), "--model", self.model)
        for command in ("embed", "trace"):
            self.refused(2, ["rgb.png is a PNG image, and this model reads texts"], command, image("rgb.png"))
        self.refused(2, "this model reads images", "trace", "--tokens", "1,2", "--model", self.model)
        self.refused(2, "is a folder", "trace", IMAGES, "--model", self.model)
        os.makedirs(path("empty"), exist_ok=True)
        self.refused(1, "without .png, .jpg or .jpeg files", "classify", path("empty"), "--model", self.model)
        self.refused(2, "predicts no hidden words", "fill", "a [MASK]", "--model", self.model)
        self.refused(2, "images", "lens", image("rgb.png"), "--model", self.model)
        for command in (["generate", "a"], ["eval", "a b"], ["tokens", "a"]):
            done = limpid(*command, "--model", self.model)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1) if command[0] != "tokens" else (done.returncode, 1), done.stderr)
        self.refused(2, "words", "trace", image("rgb.png"), "--model", self.model, "--words")
        self.refused(2, "gradients", "trace", image("rgb.png"), "--model", self.model, "--gradients")

    def test_published_digits(self):
        for name in ("vit-mnist-138k", "vit-mnist-371"):
            model = os.path.join(DATA, "models", name)
            if not os.path.isdir(model):
                self.skipTest(f"no {model} (LIMPID_DATA names the data folder)")
            with open(os.path.join(model, "images.safetensors"), "rb") as file:
                data = file.read()
            header = json.loads(data[8:8 + struct.unpack_from("<Q", data)[0]])
            begin = 8 + struct.unpack_from("<Q", data)[0] + header["pixels"]["data_offsets"][0]
            files = [write(f"digit{i:02}.png", png(28, 28, lambda y, x: data[begin + (i * 28 + y) * 28 + x])) for i in range(12)]
            said = json.loads(self.ok("classify", *files, "--model", model, "--json"))["images"]
            golden = array_files.tensors(os.path.join(model, "golden.safetensors"))["out.logits"][1]
            self.assertEqual([i["classes"][0]["class"] for i in said], [str(i // 4) for i in range(12)])
            for i, each in enumerate(said):
                for score in each["classes"]:
                    self.assertAlmostEqual(score["logit"], golden[3 * i + int(score["class"])], places=4)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
