#!/usr/bin/env python3
"""limpid export: folders of the hub, opened again by limpid.  tests/transformers_families.py opens them in transformers.

  tests/cli_export_test.py build/dev/limpid
"""
import json
import os
import shutil
import sys

import array_files
from cli_helpers import *

TEXT = "Life is short, sch\u00f6n und 1605"


class Export(Case):
    def exported(self, name, *arguments):
        shutil.rmtree(path(name), ignore_errors=True)
        return self.ok("export", "-o", path(name), *arguments)

    def tensors_of_trace(self, *arguments):
        self.ok("trace", TEXT, "--observe", "*", "-o", path("trace.safetensors"), *arguments)
        return array_files.tensors(path("trace.safetensors"))

    def test_the_built_in_model(self):
        self.assertIn("written as GPTNeoXForCausalLM", self.exported("hub"))
        self.assertEqual(sorted(os.listdir(path("hub"))), ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
        own, again = self.tensors_of_trace(), self.tensors_of_trace("--model", path("hub"))
        self.assertEqual(own["logits"], again["logits"])
        self.assertEqual(own["blocks.1.attn.pattern"], again["blocks.1.attn.pattern"])
        tokens = lambda *more: json.loads(self.ok("tokens", TEXT, "--json", *more))["tokens"]
        place = lambda each: (each["id"], each["begin"], each["end"])
        self.assertEqual([place(t) for t in tokens()], [place(t) for t in tokens("--tokenizer", path("hub"))])
        generated = self.ok("generate", "Life is", "--tokens", "20")
        self.assertEqual(generated, self.ok("generate", "Life is", "--tokens", "20", "--model", path("hub")))

    def test_smaller_types(self):
        self.exported("whole")
        for word, kind in (("bf16", "bfloat16"), ("f16", "float16")):
            self.exported("small", "--type", word)
            self.assertEqual(json.loads(read("small/config.json"))["dtype"], kind)
            self.assertLess(os.path.getsize(path("small/model.safetensors")), 0.6 * os.path.getsize(path("whole/model.safetensors")))
            self.ok("generate", "Life", "--tokens", "2", "--model", path("small"))

    def test_a_folder_of_a_folder(self):
        self.exported("one")
        self.exported("two", "--model", path("one"))
        for file in os.listdir(path("one")):
            self.assertEqual(read("one/" + file), read("two/" + file), file)

    def test_what_was_trained(self):
        net = {"network": "gpt", "layers": 1, "heads": 2, "width": 16, "context": 8}
        text = write("train.txt", "a b c d e f g h i j " * 40)
        for name, more, tokenizer, written in (("gpt2", {"positions": "learned", "activation": "gelu_tanh", "bias": True}, "characters", "GPT2LMHeadModel"),
                                               ("plain", {"positions": "learned", "activation": "gelu"}, "bytes", "GPT2LMHeadModel"),
                                               ("neighbours", {"positions": "rotary", "pairing": "interleaved", "norm": "rms", "activation": "swiglu"}, "bytes", "LlamaForCausalLM"),
                                               ("llama", {"positions": "rotary", "norm": "rms", "activation": "swiglu", "kv_heads": 1}, "bpe", "LlamaForCausalLM")):
            recipe = {"title": name, "network": dict(net, **more), "tokenizer": tokenizer, "data": ["train.txt"], "steps": 2, "batch": 2, "context": 8, "epoch": 2}
            if tokenizer == "bpe":
                recipe["vocabulary"] = 260
            self.ok("train", write(f"{name}.json", json.dumps(recipe)), "-o", path(name + "-run"))
            model = path(name + "-run/model.safetensors")
            self.assertIn("written as " + written, self.exported(name + "-hub", "--model", model))
            evaluated = lambda of: json.loads(self.ok("eval", "--file", text, "--json", "--model", of))
            self.assertAlmostEqual(evaluated(model)["nats_per_token"], evaluated(path(name + "-hub"))["nats_per_token"], places=6, msg=name)

    def test_errors_repair_the_call(self):
        self.exported("there")
        self.refused(2, "is there already", "export", "-o", path("there"))
        self.refused(1, "cannot make the folder", "export", "-o", path("no/such/place"))
        self.refused(2, "-o is required", "export")
        relative = dict(json.loads(read("there/config.json")), use_parallel_residual=True)
        write("there/config.json", json.dumps(relative))
        self.exported("parallel", "--model", path("there"))
        recipe = {"title": "alibi", "network": {"network": "gpt", "layers": 1, "heads": 2, "width": 16, "context": 8, "positions": "alibi"}, "tokenizer": "bytes",
                  "data": ["train.txt"], "steps": 1, "batch": 2, "context": 8, "epoch": 1}
        write("train.txt", "a b c d e f g h i j " * 40)
        self.ok("train", write("alibi.json", json.dumps(recipe)), "-o", path("alibi-run"))
        self.refused(2, ["of no family that limpid writes", "gpt2: its", "positions", "llama: its"], "export", "--model", path("alibi-run/model.safetensors"), "-o", path("none"))
        self.assertFalse(os.path.exists(path("none")))
        self.assertEqual([name for name in os.listdir(os.path.dirname(path("none"))) if name.endswith(".partial")], [])


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
