#!/usr/bin/env python3
"""Models of other programs (minGPT, nanoGPT, GPT-2), held to a plain Python forward pass; and what is said of a model
whose parameters are not finite.

  tests/cli_models_test.py build/dev/limpid
"""
import json
import math
import random
import sys

import array_files
from cli_helpers import *

LAYERS, HEADS, WIDTH, VOCABULARY, CONTEXT = 2, 2, 4, 7, 6
TOKENS = [3, 1, 6, 2, 1]


def matrix(rows, columns, draw):
    return [[draw.uniform(-0.8, 0.8) for _ in range(columns)] for _ in range(rows)]


def state_dict(bias=True, tied=False, seed=1):
    """As torch has it: linear weights [out,in]."""
    draw = random.Random(seed)
    vector = lambda n, middle=0.0: [middle + draw.uniform(-0.3, 0.3) for _ in range(n)]
    state = {"wte.weight": matrix(VOCABULARY, WIDTH, draw), "wpe.weight": matrix(CONTEXT, WIDTH, draw)}
    for layer in range(LAYERS):
        h = f"h.{layer}."
        state.update({h + "ln_1.weight": vector(WIDTH, 1), h + "ln_2.weight": vector(WIDTH, 1),
                      h + "attn.c_attn.weight": matrix(3 * WIDTH, WIDTH, draw),
                      h + "attn.c_proj.weight": matrix(WIDTH, WIDTH, draw),
                      h + "mlp.c_fc.weight": matrix(4 * WIDTH, WIDTH, draw),
                      h + "mlp.c_proj.weight": matrix(WIDTH, 4 * WIDTH, draw)})
        if bias:
            state.update({h + "ln_1.bias": vector(WIDTH), h + "ln_2.bias": vector(WIDTH),
                          h + "attn.c_attn.bias": vector(3 * WIDTH), h + "attn.c_proj.bias": vector(WIDTH),
                          h + "mlp.c_fc.bias": vector(4 * WIDTH), h + "mlp.c_proj.bias": vector(WIDTH)})
    state["ln_f.weight"] = vector(WIDTH, 1)
    if bias:
        state["ln_f.bias"] = vector(WIDTH)
    state["head"] = state["wte.weight"] if tied else matrix(VOCABULARY, WIDTH, draw)
    return state


def named(state, prefix="transformer.", head="lm_head.weight"):
    """Under a program's names; head None leaves the output table out."""
    out = {prefix + name: values for name, values in state.items() if name != "head"}
    if head:
        out[head] = state["head"]
    return out


def single(value):
    """As a file of f32 holds it."""
    import struct
    return struct.unpack("<f", struct.pack("<f", value))[0]


def rounded(values):
    return [rounded(v) for v in values] if isinstance(values, list) else single(values)


def linear(x, weight, bias):
    return [sum(a * b for a, b in zip(row, x)) + (bias[i] if bias else 0) for i, row in enumerate(weight)]


def norm(x, weight, bias):
    mean = sum(x) / len(x)
    scale = math.sqrt(sum((a - mean) ** 2 for a in x) / len(x) + 1e-5)
    return [(a - mean) / scale * w + (bias[i] if bias else 0) for i, (a, w) in enumerate(zip(x, weight))]


def gelu(x, exact):
    if exact:
        return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def forward(state, exact):
    """The last token's logits."""
    w = {name: rounded(values) for name, values in state.items()}
    get = lambda name: w.get(name)
    rows = [[a + b for a, b in zip(w["wte.weight"][t], w["wpe.weight"][i])] for i, t in enumerate(TOKENS)]
    size = WIDTH // HEADS
    for layer in range(LAYERS):
        h = f"h.{layer}."
        joined = [linear(norm(x, w[h + "ln_1.weight"], get(h + "ln_1.bias")), w[h + "attn.c_attn.weight"], get(h + "attn.c_attn.bias")) for x in rows]
        for t in reversed(range(len(rows))):
            z = []
            for head in range(HEADS):
                part = lambda i, which: joined[i][which * WIDTH + head * size:which * WIDTH + (head + 1) * size]
                scores = [sum(a * b for a, b in zip(part(t, 0), part(s, 1))) / math.sqrt(size) for s in range(t + 1)]
                most = max(scores)
                weights = [math.exp(s - most) for s in scores]
                total = sum(weights)
                z += [sum(weights[s] / total * part(s, 2)[d] for s in range(t + 1)) for d in range(size)]
            rows[t] = [a + b for a, b in zip(rows[t], linear(z, w[h + "attn.c_proj.weight"], get(h + "attn.c_proj.bias")))]
        for t, x in enumerate(rows):
            wide = linear(norm(x, w[h + "ln_2.weight"], get(h + "ln_2.bias")), w[h + "mlp.c_fc.weight"], get(h + "mlp.c_fc.bias"))
            rows[t] = [a + b for a, b in zip(x, linear([gelu(v, exact) for v in wide], w[h + "mlp.c_proj.weight"], get(h + "mlp.c_proj.bias")))]
    return linear(norm(rows[-1], w["ln_f.weight"], get("ln_f.bias")), w["head"], None)


IDS = ",".join(map(str, TOKENS))
MINGPT = {"config": json.dumps({"model_type": "gpt-nano", "n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH,
                                "vocab_size": VOCABULARY, "block_size": CONTEXT, "resid_pdrop": 0.1, "attn_pdrop": 0.1})}
NANOGPT = {"config": json.dumps({"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "vocab_size": VOCABULARY,
                                 "block_size": CONTEXT, "bias": False, "dropout": 0.0})}


class StateDicts(Case):
    def check(self, file, expected, *options, note=None):
        done = limpid("trace", "--tokens", IDS, "--model", file, "--double", "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        if note:
            self.assertIn(note, done.stderr)
        else:
            self.assertEqual(done.stderr, "")
        logits = json.loads(done.stdout)["values"]["logits"]["data"][0][-1]
        self.assertEqual(len(logits), VOCABULARY)
        for ours, theirs in zip(logits, expected):
            self.assertAlmostEqual(ours, theirs, places=9)

    def test_mingpt_with_its_configuration(self):
        state = state_dict()
        arrays = named(state)
        mask = [[[[1.0] * CONTEXT] * CONTEXT]]
        arrays.update({f"transformer.h.{i}.attn.bias": mask for i in range(LAYERS)})
        file = write("mingpt.safetensors", array_files.safetensors(arrays, MINGPT))
        self.check(file, forward(state, exact=False))
        self.assertRegex(self.ok("info", file), r"parameters +576\n(.*\n)*numbers +648 in 31 tensors")  # masks are none

    def test_nanogpt(self):
        """Without biases, tied, compiled; its GELU is exact."""
        state = state_dict(bias=False, tied=True)
        expected = forward(state, exact=True)
        for name, arrays, metadata, options, note in (
                ("plain", named(state), NANOGPT, [], None),
                ("compiled", named(state, "_orig_mod.transformer.", "_orig_mod.lm_head.weight"), None, ["--heads", "2"], "no biases"),
                ("parallel", named(state, "module._orig_mod.transformer.", None), None, ["--heads", "2"], "no biases")):
            self.check(write(f"{name}.safetensors", array_files.safetensors(arrays, metadata)), expected, *options, note=note)
        self.check(write("nano.npz", array_files.npz(named(state))), expected, "--heads", "2", note="exact GELU")
        biased = state_dict(bias=True, tied=True)
        self.check(write("biased.safetensors", array_files.safetensors(named(biased))), forward(biased, exact=True),
                   "--heads", "2", note="tied tables")

    def test_what_is_guessed_can_be_said(self):
        state = state_dict()
        file = write("guessed.safetensors", array_files.safetensors(named(state)))
        self.check(file, forward(state, exact=False), "--heads", "2", note="--activation gelu")
        self.check(file, forward(state, exact=True), "--heads", "2", "--activation", "gelu")

    def test_gpt2_of_transformers(self):
        """Linear weights [in,out], no output table, the tanh form."""
        state = state_dict(tied=True)
        turned = {name: [list(column) for column in zip(*values)] if ".c_" in name and name.endswith("weight") else values
                  for name, values in state.items()}
        self.check(write("gpt2.safetensors", array_files.safetensors(named(turned, "", None))), forward(state, exact=False), "--heads", "2")

    def test_what_is_missing_and_the_option_that_gives_it(self):
        state = state_dict()
        file = write("bare.safetensors", array_files.safetensors(named(state)))
        call = ["trace", "--tokens", IDS, "--model", file]
        self.refused(2, ["bare.safetensors", "heads", "--heads N", "width, 4"], *call)
        page = " ".join(self.ok("info", file).split())  # info names the option too
        for words in ("a state dict with names of minGPT, nanoGPT, GPT-2, llama2.c or TransformerLens", "--heads N"):
            self.assertIn(words, page)
        self.refused(2, ["3 heads do not share a width of 4"], *call, "--heads", "3")
        self.refused(2, ["it has 2 heads", "leave --heads out"], "trace", "--tokens", IDS, "--model",
                     write("said.safetensors", array_files.safetensors(named(state), MINGPT)), "--heads", "4")
        said = ["--model", file, "--heads", "2", "--activation", "gelu"]
        self.refused(2, ["no tokenizer", "--tokenizer", "--tokens"], "trace", "a", *said)
        self.refused(2, "--tokenizer", "generate", "a", *said)
        self.refused(2, "--tokenizer", "eval", "a b", *said)
        part = named(state)
        del part["transformer.h.1.mlp.c_fc.bias"]
        self.refused(1, ["'h.1.mlp.c_fc.bias' is missing"], "trace", "--tokens", IDS, "--heads", "2", "--model",
                     write("part.safetensors", array_files.safetensors(part)))
        extra = dict(named(state), stranger=[1.0])
        self.refused(1, ["'stranger'"], "trace", "--tokens", IDS, "--heads", "2", "--model",
                     write("extra.safetensors", array_files.safetensors(extra)))
        wrong = dict(NANOGPT, config=NANOGPT["config"].replace('"n_layer": 2', '"n_layer": 3'))
        self.refused(1, ["n_layer 3", "make it 2"], "trace", "--tokens", IDS, "--model",
                     write("layers.safetensors", array_files.safetensors(named(state), wrong)))
        self.refused(2, "leave --heads out", "trace", "a", "--model", self.own(), "--heads", "2")
        self.refused(2, "--network textbook", "trace", "a", "--heads", "2")
        self.refused(2, "--model FILE", "trace", "a", "--tokenizer", "bytes")

    def own(self):
        write("text.txt", TEXT)
        if not os.path.exists(path("own/model.safetensors")):
            self.ok("train", recipe("own.json", steps=5), "-o", path("own"))
        return path("own/model.safetensors")

    def test_tokenizers(self):
        state = state_dict(tied=True)
        file = write("letters.safetensors", array_files.safetensors(named(state)))
        call = ["--model", file, "--heads", "2", "--activation", "gelu"]
        letters = write("letters.txt", "abcab\n")  # \n a b c: 4 of 7 tokens, as nanoGPT numbers them
        trace = json.loads(self.ok("trace", "cab", "--json", *call, "--tokenizer", "characters:" + letters))
        self.assertEqual([t["id"] for t in trace["tokens"]], [3, 1, 2])
        self.assertEqual(len(trace["vocabulary"]), VOCABULARY)  # padded
        self.assertIn("unused", trace["vocabulary"][6])
        self.assertTrue(self.ok("generate", "cab", "--tokens", "4", *call, "--tokenizer", "characters:" + letters))
        stored = write("tokenizer.json", '{"kind":"characters","characters":["a","b","c"]}')
        trace = json.loads(self.ok("trace", "cab", "--json", *call, "--tokenizer", stored))
        self.assertEqual([t["id"] for t in trace["tokens"]], [2, 0, 1])
        self.refused(2, ["256 tokens", "the model 7"], "trace", "a", *call, "--tokenizer", "bytes")
        self.refused(1, ["--tokenizer", "[UNK]", "expected a tokenizer"], "trace", "a", *call, "--tokenizer", write("x.txt", "abc"))
        self.refused(1, ["pickle", "characters:TEXT"], "trace", "a", *call, "--tokenizer", write("meta.pkl", b"\x80\x04}."))
        self.refused(1, "nofile", "trace", "a", *call, "--tokenizer", "nofile.json")


class NotFinite(Case):
    def model(self, name, change):
        state = state_dict()
        change(state)
        return write(name, array_files.safetensors(named(state), MINGPT))

    def test_a_nan_among_the_parameters_is_said(self):
        def change(state):
            state["h.1.mlp.c_fc.weight"][5][2] = array_files.NAN
            state["h.1.mlp.c_fc.weight"][6][2] = array_files.INF
        file = self.model("nan.safetensors", change)
        done = limpid("trace", "--tokens", IDS, "--model", file, "--json")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1)
        for words in ("limpid: note: ", "2 numbers that are not finite", "NaN at blocks.1.mlp.W_in[2,5]"):
            self.assertIn(words, done.stderr)
        notes = json.loads(done.stdout)["notes"]
        self.assertIn("NaN at blocks.1.mlp.W_in[2,5]", notes[0])
        self.assertIn("first stage that is not finite is blocks.1.mlp.pre: NaN at blocks.1.mlp.pre[0,0,5]", notes[1])
        first = {"stage": "blocks.1.mlp.pre", "cell": [0, 0, 5], "value": "nan"}
        self.assertEqual(json.loads(done.stdout)["not_finite"], first)
        self.assertEqual(limpid("trace", "--tokens", IDS, "--model", file, "-o", path("nan-trace.safetensors")).returncode, 0)
        self.assertEqual(json.loads(self.ok("trace", path("nan-trace.safetensors"), "--json"))["not_finite"], first)

    def test_a_page_names_the_first_stage_that_was_not_finite(self):
        def overflow(state):  # finite parameters whose product is not
            state["h.0.mlp.c_proj.weight"][1] = [3e38] * (4 * WIDTH)
        file = self.model("overflow.safetensors", overflow)
        for way in ([], ["--plain"]):
            page = self.ok("trace", "--tokens", IDS, "--model", file, *way)
            self.assertRegex(" ".join(page.split()), r"the first stage that is not finite is blocks\.0\.(mlp_out|resid_post): -?inf at blocks\.0\.(mlp_out|resid_post)\[0,\d,1\]")
        seen = json.loads(self.ok("trace", "--tokens", IDS, "--model", file, "--json", "--observe", "logits"))
        self.assertTrue(any("first stage that is not finite is blocks.0." in note for note in seen["notes"]))
        self.ok("trace", "--tokens", IDS, "--model", file, "-o", path("odd.safetensors"))
        self.assertIn("first stage that is not finite", " ".join(self.ok("trace", path("odd.safetensors")).split()))

    def test_masked_scores_are_finite_enough(self):
        file = self.model("fine.safetensors", lambda state: None)
        self.assertNotIn("not finite", self.ok("trace", "--tokens", IDS, "--model", file))
        self.assertNotIn("not_finite", json.loads(self.ok("trace", "--tokens", IDS, "--model", file, "--json")))
        self.assertNotIn("not finite", self.ok("trace", "--tokens", IDS, "--model", file, "--edit", "blocks.0.attn.pattern=cut:2>0"))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
