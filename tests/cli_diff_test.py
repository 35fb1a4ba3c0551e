#!/usr/bin/env python3
"""limpid diff and limpid lens, as the command shows them.

  tests/cli_diff_test.py build/dev/limpid
"""
import struct
import sys

from cli_helpers import *

KEPT = ["--observe", "*", "--params"]


def arrays(name):
    """The arrays of a .safetensors file: name -> (dtype, shape, bytes)."""
    data = read(name)
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]]) for k, v in header.items()}


def write_arrays(name, held):
    header, body = {}, b""
    for key, (dtype, shape, data) in held.items():
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return write(name, struct.pack("<Q", len(text)) + text + body)


class Diff(Case):
    def parts(self, *arguments):
        """A diff that finds something: its JSON."""
        done = limpid("diff", *arguments, "--json")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        return json.loads(done.stdout)

    @classmethod
    def setUpClass(cls):
        for name, more in {"a": [], "double": ["--double"], "edited": ["--edit", "blocks.1.attn.z[H=2]=scale:2"]}.items():
            done = limpid("trace", "Life is short", *KEPT, *more, "-o", path(f"{name}.safetensors"))
            assert done.returncode == 0, done.stderr
        cls.held = arrays("a.safetensors")

    def test_a_run_agrees_with_itself_and_in_double(self):
        self.assertIn("are the same, number by number", self.ok("diff", path("a.safetensors"), path("a.safetensors")))
        self.assertIn("agree; the largest difference is", self.ok("diff", path("a.safetensors"), path("double.safetensors")))
        self.assertFalse(json.loads(self.ok("diff", path("a.safetensors"), path("double.safetensors"), "--json"))["parts"])

    def test_an_edited_stage_is_named(self):
        found = self.parts(path("a.safetensors"), path("edited.safetensors"))
        self.assertEqual(found["first"], "blocks.1.attn.z")
        self.assertIn("The inputs of blocks.1.attn.z agree, its output does not", found["verdict"])
        self.assertEqual(found["explanation"][0]["name"], "blocks.1.attn.z")
        done = limpid("diff", path("a.safetensors"), path("edited.safetensors"))
        self.assertEqual(done.returncode, 1)
        for words in ("> blocks.1.attn.z", "parts", "here,", "there"):
            self.assertIn(words, done.stdout)

    def test_other_names_and_a_missing_scale(self):
        held = {k: v for k, v in self.held.items() if k in ("blocks.0.attn.q", "blocks.0.attn.raw_scores", "embed")}
        other = {"blocks.0.attn.hook_q": held["blocks.0.attn.q"], "hook_embed": held["embed"],
                 "blocks.0.attn.hook_scaled_scores": self.held["blocks.0.attn.raw_scores"]}
        found = self.parts(path("a.safetensors"), write_arrays("other.safetensors", other))
        self.assertEqual(found["first"], "blocks.0.attn.scaled_scores")
        self.assertTrue(found["hypotheses"][0]["reproduces"])
        self.assertIn("left out", found["hypotheses"][0]["what"])

    def test_hidden_states_alone(self):
        other = {"hidden_states.0": self.held[next(k for k in ("blocks.0.resid_pre", "embed") if k in self.held)],
                 "logits": self.held["logits"]}
        self.ok("diff", path("a.safetensors"), write_arrays("hub.safetensors", other))

    def test_other_tokens(self):
        self.ok("trace", "Life is long", *KEPT, "-o", path("long.safetensors"))
        self.assertIn("do not read the same", self.parts(path("a.safetensors"), path("long.safetensors"))["verdict"])

    def test_nan_in_one_of_them(self):
        dtype, shape, data = self.held["blocks.0.mlp_out"]
        bad = dict(self.held, **{"blocks.0.mlp_out": (dtype, shape, struct.pack("<f", float("nan")) + data[4:])})
        found = self.parts(path("a.safetensors"), write_arrays("nan.safetensors", bad))
        self.assertEqual(found["first"], "blocks.0.mlp_out")
        stage = next(s for s in found["stages"] if s["name"] == "blocks.0.mlp_out")
        self.assertEqual((stage["there"], stage["largest"], stage["cell"]), ("nan", "inf", [0, 0, 0]))

    def test_what_is_refused(self):
        a = path("a.safetensors")
        self.refused(1, "is not there", "diff", a, path("nowhere"))
        self.refused(1, "no limpid trace", "diff", write_arrays("plain.safetensors", {"x": ("F32", [1], b"\0\0\0\0")}), a)
        self.refused(2, "is no trace", "diff", write("a.txt", "text"), a)
        self.refused(1, "is no file of activations", "diff", a, write("b.txt", "text"))
        self.refused(1, "", "diff", a, write("broken.safetensors", b"\xff" * 40))
        os.makedirs(path("empty"), exist_ok=True)
        self.refused(1, "holds no array", "diff", a, path("empty"))
        self.refused(2, "no array of", "diff", a, path("plain.safetensors"))
        self.refused(2, "tolerance is -1", "diff", a, a, "--tolerance", "-1")
        self.refused(2, "B", "diff", a)


class Lens(Case):
    def test_the_page_and_the_json(self):
        page = self.ok("lens", "Life is short")
        for words in ("residual stream", "blocks.0.resid_pre", "the rest, ", "logit"):
            self.assertIn(words, page)
        seen = json.loads(self.ok("lens", "Life is short", "--json"))
        self.assertAlmostEqual(sum(part["logit"] for part in seen["parts"]), seen["logit"], delta=1e-3)
        self.assertEqual(seen["layers"][-1]["likeliest"], seen["target"])
        trace = json.loads(self.ok("trace", "Life is short", "--json", "--observe", "logits"))
        self.assertAlmostEqual(trace["values"]["logits"]["data"][0][-1][seen["target"]], seen["logit"], delta=1e-3)

    def test_position_and_target(self):
        seen = json.loads(self.ok("lens", "Life is short", "--token", "1", "--target", "5", "--json"))
        self.assertEqual((seen["position"], seen["target"]), (1, 5))
        self.refused(2, "position 99", "lens", "Life is short", "--token", "99")
        self.refused(2, "target 99999", "lens", "Life is short", "--target", "99999")
        self.refused(2, "textbook", "lens", "Life is short", *WALK)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
