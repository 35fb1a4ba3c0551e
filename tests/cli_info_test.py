#!/usr/bin/env python3
"""limpid info, and what every reader says of a file that is something else than it should be.

  tests/cli_info_test.py build/dev/limpid
"""
import gzip
import io
import json
import os
import pickle
import struct
import sys
import zipfile

import array_files
import hostile_torch
from cli_helpers import *


def pytorch_zip(folder="archive", content=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(folder + "/data.pkl", pickle.dumps({"w": 1}) if content is None else content)
        file.writestr(folder + "/data/0", bytes(64))
        file.writestr(folder + "/version", "3\n")
    return out.getvalue()


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 497774208\n"
HTML = "<!doctype html>\n<html lang=\"en\"><head><title>model.safetensors</title></head></html>"
# file, kind, what is said of it, what is advised
OTHERS = [
    ("model.pt", pytorch_zip(), "pytorch", "a PyTorch checkpoint", "safetensors"),
    ("pytorch_model.bin", pytorch_zip("ckpt"), "pytorch", "a PyTorch checkpoint", "safetensors"),
    ("old.pth", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}." + pickle.dumps({"w": 1}) +
     b"\x80\x02].", "pytorch_old", "a PyTorch checkpoint", "safetensors"),
    ("meta.pkl", pickle.dumps({"stoi": {"a": 0}}), "pickle", "a Python pickle", "pickles"),
    ("page.safetensors", HTML, "html", "an HTML page", "/resolve/"),
    ("pointer.safetensors", LFS, "git_lfs_pointer", "a Git LFS pointer", "git lfs pull"),
    ("model.safetensors.gz", gzip.compress(b"x" * 100), "gzip", "a gzip file", "gunzip"),
    ("model.ggml", b"tjgg" + struct.pack("<I", 3) + bytes(40), "ggml", "a GGML model", ".safetensors"),
    ("numbers.json", '{"a": [1, 2]}', "json", "a JSON text", "no arrays"),
    ("poem.txt", "Life is short,\nart is long.\n", "text", "a text", "trace @"),
    ("nothing.safetensors", b"", "empty", "empty (0 bytes)", "did not finish"),
    ("noise.dat", bytes(range(1, 9)) * 40, "binary", "does not know", ".safetensors"),
]


class OtherFiles(Case):
    def test_info_says_what_it_is_and_what_to_do(self):
        for name, content, kind, what, advice in OTHERS:
            write(name, content)
            page = self.ok("info", path(name))
            self.assertIn(what, page)
            self.assertIn(advice, " ".join(page.split()))
            said = json.loads(self.ok("info", path(name), "--json"))
            self.assertEqual(said["kind"], kind, name)
            self.assertIn(what, said["what"])
            self.assertEqual(said["bytes"], len(content))
        page = self.ok("info", path("model.pt"))
        self.assertIn("weights_only=True", page)
        self.assertNotIn("limpid info", page)  # the command is here
        self.assertIn("w           1", page)
        self.assertIn("497774208 bytes", " ".join(self.ok("info", path("pointer.safetensors")).split()))

    def test_readers_say_it_too(self):
        for name, content, kind, what, advice in OTHERS:
            write(name, content)
            if kind == "binary":
                continue
            if kind.startswith("pytorch"):  # read, but no model
                what, advice = "a PyTorch checkpoint", "but not a model that limpid reads"
            self.refused(1, [name, what, advice], "trace", "a", "--model", path(name))
            self.refused(1, [name, what], "generate", "a", "--model", path(name))
        for ending in (".npy", ".npz", ".safetensors"):
            write("page" + ending, HTML)
            self.refused(1, ["page" + ending, "an HTML page"], "trace", "--vectors", path("page" + ending))
        for ending in (".npz", ".safetensors"):
            self.refused(1, ["page" + ending, "an HTML page"], "trace", path("page" + ending))
        self.refused(1, ["an HTML page"], "trace", "a", "--edit", "embed=replace:" + path("page.npy"))

    def test_nothing_in_a_pickle_is_run(self):
        class Bomb:
            def __reduce__(self):
                return (os.mkdir, (path("exploded"),))
        self.ok("info", write("bomb.pkl", pickle.dumps(Bomb())))
        self.refused(1, "pickle", "trace", "a", "--model", path("bomb.pkl"))
        write("bomb.pt", pytorch_zip(content=pickle.dumps(Bomb())))
        page = " ".join(self.ok("info", path("bomb.pt")).split())
        for words in ("a PyTorch checkpoint", "asks for posix.mkdir", "runs nothing from a file", "weights_only=True"):
            self.assertIn(words, page)
        self.refused(1, ["asks for posix.mkdir"], "info", path("bomb.pt"), "w")
        self.assertFalse(os.path.exists(path("exploded")))

    def test_json_texts_are_told_apart(self):
        for text, words in (('{"model_type": "gpt2", "n_layer": 12}', "configuration of a model of the hub (gpt2)"),
                            ('{"weight_map": {"a": "b"}}', "index of a model in several .safetensors files"),
                            ('{"weight_map": {"a": "b"}}', "config.json is the model"),
                            ('["a", "b"]', "a JSON text"),
                            ('[UNK]\n[PAD]\nthe\n', "a text"),
                            ('{"network": {"network": "gpt"}}', "a recipe of limpid's"),
                            ('{"kind":"bytes"}', "a tokenizer of limpid's"),
                            ('{"epoch":1,"loss":2.0}\n{"epoch":2,"loss":1.5}\n', "the log of a training run"),
                            ('{"model": {}, "added_tokens": []}', "a tokenizer of the hub")):
            self.assertIn(words, " ".join(self.ok("info", write("some.json", text)).split()))

    def test_a_table_of_numbers(self):
        said = json.loads(self.ok("info", write("t.csv", "word;x;y\nLife;1;2\nis;3;4\n"), "--json"))
        self.assertEqual((said["rows"], said["columns"], said["named_columns"], said["named_rows"]), (2, 2, True, True))
        self.assertIn("line 2, column 2", " ".join(self.ok("info", write("bad.csv", "a,b\n1,x\n")).split()))

    def test_a_file_that_was_cut_short(self):
        whole = array_files.safetensors({"w": [1.0] * 40})
        for name, content in (("short.safetensors", whole[:20]), ("shorter.safetensors", whole[:5]),
                              ("short.npy", array_files.npy([1.0])[:30]), ("short.npz", array_files.npz({"w": [1.0]})[:60])):
            self.refused(1, [name, "cut short"], "info", write(name, content))

    def test_a_checkpoint_that_was_cut_short(self):
        whole = pytorch_zip()
        for size in (2, 3, 4, 40, len(whole) - 30):
            for name in ("short.pt", "pytorch_model.bin"):
                for call in (("info", path(name)), ("info", path(name), "w"), ("trace", "a", "--model", path(name))):
                    write(name, whole[:size])
                    self.refused(1, [name, "PyTorch checkpoint whose zip was cut short"], *call)
        self.assertIn("a zip archive that was cut short", self.ok("info", write("short.zip", whole[:4])))
        self.assertIn("a text", self.ok("info", write("two.txt", "PK")))

    def test_names_that_are_no_model(self):
        for metadata in ({}, {"config": '{"n_head": 2}'}):
            file = write("one.safetensors", array_files.safetensors({"wte.weight": [[1.0, 2.0]]}, metadata=metadata))
            page = self.ok("info", file)
            self.assertIn("a safetensors file", page)
            self.assertIn("wte.weight", page)
            for words in ("state dict", "what to do", "limpid info"):
                self.assertNotIn(words, page)

    def test_figures_of_other_files(self):
        self.refused(1, ["a PyTorch checkpoint", "expected a stored trace"], "draw", "heads", write("w.pt", pytorch_zip()), "-o", path("w.svg"))
        self.refused(1, ["limpid draw heads"], "draw", write("w.npy", array_files.npy([[1.0]])), "-o", path("w.svg"))
        self.refused(1, "a decimal is written with a point", "trace", "--vectors", write("comma.csv", "1;2\n1,5;2\n"))
        self.assertFalse(os.path.exists(path("w.svg")))

    def test_what_is_not_there(self):
        self.refused(1, "nofile", "info", "nofile.safetensors")
        self.refused(1, "nofile", "info", "nofile.pt")


# Numbers of GGUF's types: of values u32 4, i32 5, f32 6, bool 7, string 8, array 9; of tensors F32 0, Q8_0 8, IQ2_XXS 16.
GGUF = array_files.gguf(
    [("token_embd.weight", 8, [3, 32], (struct.pack("<e", 0.5) + bytes(range(32))) * 3),
     ("norm.weight", 0, [2], struct.pack("<2f", 1.5, array_files.NAN)), ("iq", 16, [256], bytes(66))],
    [("general.architecture", 8, array_files.gguf_text("llama")), ("general.name", 8, array_files.gguf_text("A small\nmodel")),
     ("llama.block_count", 4, struct.pack("<I", 30)), ("llama.rms", 6, struct.pack("<f", 1e-5)), ("flag", 7, b"\1"),
     ("not a number", 6, struct.pack("<f", array_files.NAN)),
     ("tokenizer.ggml.tokens", 9, array_files.gguf_array(8, [array_files.gguf_text(f"token {i}") for i in range(1000)])),
     ("sections", 9, array_files.gguf_array(5, [struct.pack("<i", i) for i in (16, -24)])),
     ("languages", 9, array_files.gguf_array(8, [array_files.gguf_text("en"), array_files.gguf_text("\x1b[2J")]))])


class Gguf(Case):
    def test_what_a_file_holds(self):
        file = write("small.gguf", GGUF)
        page = self.ok("info", file)
        for words in ("a GGUF model (llama.cpp)", "version     3", "architecture llama", "name        A small\\nmodel",
                      "types       Q8_0 1, F32 1, IQ2_XXS 1", "array of 1000 strings", "[16,-24]", "1e-05",
                      "parameters  354 in 3 tensors", "not readable by limpid: limpid does not read blocks of IQ2_XXS"):
            self.assertIn(words, page)
        self.assertRegex(page, r"(?m)^llama\.block_count +30$")
        self.assertRegex(page, r"(?m)^token_embd\.weight +Q8_0 +\[3,32\] +96$")
        self.assertNotIn("\x1b", page)
        said = json.loads(self.ok("info", file, "--json"))
        self.assertEqual([said[key] for key in ("kind", "version", "architecture", "alignment", "parameters", "bytes")],
                         ["gguf", 3, "llama", 32, 354, len(GGUF)])
        self.assertEqual(said["types"], {"Q8_0": 1, "F32": 1, "IQ2_XXS": 1})
        metadata = said["metadata"]
        self.assertEqual(metadata["tokenizer.ggml.tokens"], {"array_of": "string", "count": 1000})
        self.assertEqual([metadata[key] for key in ("sections", "llama.rms", "flag", "not a number", "general.name")],
                         [[16, -24], 1e-5, True, "nan", "A small\nmodel"])
        held = {t["name"]: t for t in said["tensors"]}
        self.assertEqual((held["token_embd.weight"]["dtype"], held["token_embd.weight"]["shape"]), ("Q8_0", [3, 32]))
        self.assertIn("not_readable", held["iq"])

    def test_the_numbers_of_a_tensor(self):
        file = write("small.gguf", GGUF)
        said = json.loads(self.ok("info", file, "token_embd.weight", "--json"))
        self.assertEqual([said[key] for key in ("count", "least", "most", "mean", "nan")], [96, 0, 15.5, 7.75, 0])
        self.assertEqual(json.loads(self.ok("info", file, "norm.weight", "--json"))["nan"], 1)
        self.assertIn("not readable by limpid", self.ok("info", file, "iq"))
        self.assertEqual(len(self.ok("info", file, "*").splitlines()), 4)
        self.refused(2, ["no array \"w\"", "token_embd.weight"], "info", file, "w")

    def test_other_readers_say_what_it_is(self):
        file = write("small.gguf", GGUF)
        for call in (("trace", "a", "--model", file), ("generate", "a", "--model", file)):
            self.refused(1, ["small.gguf", "'llama.embedding_length' is missing"], *call)

    def test_damaged_files(self):
        self.refused(1, ["short.gguf", "cut short"], "info", write("short.gguf", GGUF[:-1]))
        self.refused(1, ["short.gguf", "tokenizer.ggml.tokens", "cut short"], "info", write("short.gguf", GGUF[:1000]))
        self.refused(1, ["short.gguf", "cut short"], "info", path("short.gguf"), "norm.weight")
        self.refused(1, ["odd.gguf", "expected \"GGUF\""], "info", write("odd.gguf", b"\1\2\3\4" + GGUF[4:]))


class Folders(Case):
    def test_a_folder_of_the_hub(self):
        os.makedirs(path("hub/onnx"), exist_ok=True)
        write("hub/config.json", '{"model_type": "gpt2"}')
        write("hub/model.safetensors", array_files.safetensors({"w": [[1.0, 2.0]]}))
        write("hub/pytorch_model.bin", pytorch_zip())
        write("hub/README.md", "# A model\n")
        page = self.ok("info", path("hub"))
        for words in ("a model's folder", "config.json", "(gpt2)", "a safetensors file, 1 tensor", "a PyTorch checkpoint",
                      "onnx", "--model " + path("hub")):
            self.assertIn(words, page.replace("\n            ", " "))
        files = {f["name"]: f["what"] for f in json.loads(self.ok("info", path("hub"), "--json"))["files"]}
        self.assertEqual(sorted(files), ["README.md", "config.json", "model.safetensors", "onnx", "pytorch_model.bin"])
        self.refused(1, ["hub/config.json", "'n_embd' is missing"], "trace", "a", "--model", path("hub"))
        write("hub/vocab.txt", "[PAD]\n[UNK]\nthe\n")
        for page in (self.ok("info", path("hub")), self.ok("info", path("hub/vocab.txt"))):
            self.assertIn("a vocabulary of a tokenizer, a token a line", page)
        self.assertIn("--tokenizer " + path("hub/vocab.txt"), " ".join(page.split()))
        self.assertIn("not_run", json.loads(self.ok("info", path("hub"), "--json")))
        self.assertIn("not_run 'n_embd' is missing", " ".join(self.ok("info", path("hub")).replace(path("hub/config.json: "), "").split()))
        for name, command in (("GPT2LMHeadModel", "generate"), ("BertForMaskedLM", "fill"), ("BertForTokenClassification", "classify"),
                              ("ViTForImageClassification", "classify IMAGE.jpg"), ("MarianMTModel", "translate")):
            write("hub/config.json", json.dumps({"model_type": "gpt2", "architectures": [name]}))
            self.assertIn("limpid " + command, " ".join(self.ok("info", path("hub")).split()))
        self.refused(1, ["model.safetensors", "give the folder it lies in"], "trace", "a", "--model", path("hub/model.safetensors"))
        self.refused(1, ["config.json is a JSON text", "give the folder it lies in"], "trace", "a", "--model", path("hub/config.json"))
        os.remove(path("hub/config.json"))
        self.refused(1, ["without a config.json"], "trace", "a", "--model", path("hub"))
        os.makedirs(path("empty"), exist_ok=True)
        self.assertIn("an empty folder", self.ok("info", path("empty")))
        self.assertNotIn("what to do", self.ok("info", path("empty")))
        self.refused(1, ["is a folder", "limpid info"], "trace", "a", "--model", path("empty"))

    def test_the_sizes_of_a_network(self):
        os.makedirs(path("sizes"), exist_ok=True)
        for config, said in (
                ({"model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 2,
                  "vocab_size": 100, "max_position_embeddings": 512, "architectures": ["LlamaForCausalLM"]},
                 {"family": "llama", "layers": 3, "heads": 8, "key_value_heads": 2, "width": 64, "feed_forward": 96, "vocabulary": 100, "context": 512}),
                ({"model_type": "marian", "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 2,
                  "encoder_ffn_dim": 37, "decoder_ffn_dim": 41, "vocab_size": 97, "max_position_embeddings": 64, "architectures": ["MarianMTModel"]},
                 {"family": "marian", "layers": 3, "encoder_layers": 2, "heads": 2, "width": 32, "feed_forward": 41, "vocabulary": 97, "context": 64})):
            write("sizes/config.json", json.dumps(config))  # without tensors: the description alone says it
            self.assertEqual(json.loads(self.ok("info", path("sizes"), "--json"))["network"], said)
            page = " ".join(self.ok("info", path("sizes")).split())
            self.assertIn("network " + ", ".join(f"{name} {value}" for name, value in said.items()), page)

    def test_the_folder_of_a_run(self):
        write("text.txt", TEXT)
        self.ok("train", recipe("run.json", steps=20), "-o", path("run"))
        page = self.ok("info", path("run")).replace("\n            ", " ")
        for words in ("the folder of a training run", "a model of limpid's", "a checkpoint", "the log of a training run",
                      "--model " + path("run/model.safetensors")):
            self.assertIn(words, page)


class Arrays(Case):
    odd = [[1.0, array_files.NAN, -3.0], [array_files.INF, 0.0, 4.0]]

    def test_one_unsupported_array_does_not_hide_the_others(self):
        file = write("mixed.safetensors", array_files.safetensors({"a": [1.0, 2.0]}, raw=[
            ("f8", "F8_E8M0", [2, 3], bytes(6)), ("u64", "U64", [1], bytes(8))]))
        page = self.ok("info", file)
        for words in ("a ", "F8_E8M0", "[2,3]", "not readable by limpid: limpid has no type F8_E8M0", "U64", "in 3 tensors"):
            self.assertIn(words, page)
        held = {t["name"]: t for t in json.loads(self.ok("info", file, "--json"))["tensors"]}
        self.assertIn("F8_E8M0", held["f8"]["not_readable"])
        self.assertNotIn("not_readable", held["a"])
        self.assertIn("mean        1.5", self.ok("info", file, "a"))
        self.assertIn("not readable by limpid", self.ok("info", file, "f8"))
        self.refused(1, ["'f8'", "F8_E8M0", "not supported"], "trace", "--vectors", file)

        file = write("mixed.npz", array_files.npz({"a": [1.0, 2.0]}, raw=[
            ("c.npy", array_files.npy(descr="<c16", shape=[1], content=bytes(16))), ("notes.txt", "x")]))
        held = {t["name"]: t for t in json.loads(self.ok("info", file, "--json"))["tensors"]}
        self.assertIn("<c16", held["c"]["not_readable"])
        self.assertIn("not an array", held["notes.txt"]["not_readable"])
        self.assertEqual(json.loads(self.ok("info", file, "a", "--json"))["most"], 2)

    def test_floats_of_8_bits(self):
        file = write("f8.safetensors", array_files.safetensors({}, raw=[("w", "F8_E4M3", [3], b"\x38\xb8\x7e"), ("v", "F8_E5M2", [2], b"\x3c\xfc")]))
        held = {t["name"]: t for t in json.loads(self.ok("info", file, "--json"))["tensors"]}
        self.assertEqual((held["w"]["dtype"], held["v"]["dtype"]), ("F8_E4M3", "F8_E5M2"))
        self.assertNotIn("not_readable", held["w"])
        said = json.loads(self.ok("info", file, "w", "--json"))
        self.assertEqual((said["least"], said["most"], said["count"]), (-1, 448, 3))
        self.assertEqual(json.loads(self.ok("info", file, "v", "--json"))["infinite"], 1)

    def test_a_checkpoint_of_pytorch(self):
        of = hostile_torch.storage
        file = write("run.pt", hostile_torch.checkpoint(
            b"}(" + hostile_torch.text("model") + b"}(" + hostile_torch.text("h.0.w") + hostile_torch.tensor(of(6), 0, (3, 2), (1, 3)) + b"u" +
            hostile_torch.text("model_args") + b"}(" + hostile_torch.text("n_layer") + hostile_torch.integer(2) + b"uu"))
        page = self.ok("info", file)
        for words in ("a PyTorch checkpoint", "6 in 1 tensor", "model/h.0.w  f32", "[3,2]", '{"n_layer":2}'):
            self.assertIn(words, page)
        said = json.loads(self.ok("info", file, "model/h.0.w", "--json"))
        self.assertEqual([said[key] for key in ("dtype", "shape", "least", "most", "mean")], ["f32", [3, 2], 0, 5, 2.5])
        self.assertIn("mean        2.5", self.ok("info", file, "*"))
        self.refused(2, ["no array", "model/h.0.w"], "info", file, "nosuch")

    def test_the_numbers_of_one_array(self):
        files = [(write("odd.safetensors", array_files.safetensors({"w": self.odd, "v": [7.0]})), ["w"]),
                 (write("odd.npz", array_files.npz({"w": self.odd, "v": [7.0]})), ["w"]),
                 (write("odd.npy", array_files.npy(self.odd)), ["*"])]
        for file, name in files:
            said = json.loads(self.ok("info", file, *name, "--json"))
            said = said[0] if isinstance(said, list) else said
            self.assertEqual([said[key] for key in ("shape", "least", "most", "mean", "nan", "infinite", "count")],
                             [[2, 3], -3, 4, 0.5, 1, 1, 6])
            page = self.ok("info", file, *name)
            for line in ("dtype       f32", "shape       [2,3]", "least       -3", "most        4", "mean        0.5",
                         "NaN         1", "infinite    1"):
                self.assertIn(line, page)
        table = self.ok("info", path("odd.safetensors"), "*")
        self.assertRegex(table, r"(?m)^v +f32 +\[1\] +7 +7 +7 +0 +0$")
        self.assertRegex(table, r"(?m)^w +f32 +\[2,3\] +-3 +4 +0\.5 +1 +1$")
        self.refused(2, ["no array", "it holds"], "info", path("odd.safetensors"), "nosuch")

    def test_a_number_has_the_digits_of_its_type(self):
        tenths = [("h", "F16", [2], struct.pack("<2e", 0.1, 65504)), ("b", "BF16", [2], struct.pack("<2H", 0x3dcd, 0xbeab)),
                  ("d", "F64", [2], struct.pack("<2d", 0.1, 1 / 3))]
        file = write("tenths.safetensors", array_files.safetensors({"f": [0.1, 0.7, 1e-7]}, raw=tenths))
        most = {t["name"]: (t["least"], t["most"]) for t in json.loads(self.ok("info", file, "*", "--json"))}
        self.assertEqual(most, {"f": (1e-7, 0.7), "h": (0.1, 65500), "b": (-0.334, 0.1), "d": (0.1, 1 / 3)})
        self.assertEqual(struct.unpack("<H", struct.pack("<e", 65500)), struct.unpack("<H", struct.pack("<e", 65504)))
        page = self.ok("info", file, "f")
        for line in ("least       1e-07\n", "most        0.7\n", "mean        0.2666667\n"):
            self.assertIn(line, page)

    def test_a_name_and_a_file_without_arrays(self):
        self.refused(1, "an HTML page", "info", write("page.html", HTML), "w")


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
