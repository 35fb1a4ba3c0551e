#!/usr/bin/env python3
"""limpid explain and trace --explain: the arithmetic behind a number, as the command shows it.

  tests/cli_explain_test.py build/dev/limpid
"""
import math
import sys

from cli_helpers import *

FUNCTIONS = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt, "tanh": math.tanh, "erf": math.erf, "cos": math.cos,
             "sin": math.sin}


def number(value):
    return float(value)  # "-inf" too


def at(data, index):
    for i in index:
        data = data[i]
    return number(data)


def combined(node, cells):
    """Evaluates the tree again, from the cells of the trace itself."""
    if "cell" in node:
        value = cells(node["cell"], node["index"])
        assert value == number(node["value"]), (node, value)
        return value
    if node["op"] == "constant":
        return number(node["value"])
    parts = [combined(part, cells) for part in node.get("of", [])]
    if node["op"] == "sum":
        return math.fsum(parts)
    if node["op"] == "product":
        return math.prod(parts)
    if node["op"] == "quotient":
        return parts[0] / parts[1]
    return max(parts) if node["op"] == "max" else FUNCTIONS[node["op"]](*parts)


class Explain(Case):
    def test_every_value_of_the_walk_is_explained_by_its_own_trace(self):
        walk = ["a b a", *WALK, "--heads", "2", "--add-norm", "--mask", "causal"]
        for more in ([], ["--gradients"]):
            trace = json.loads(self.ok("trace", *walk, *more, "--params", "--json"))
            known = {**trace["values"], **trace["parameters"]}
            cells = lambda name, index: at(known[name]["data"], index)
            explained = 0
            for name, value in trace["values"].items():
                if (".grad" in name) != bool(more):  # a process each: the others were explained already
                    continue
                index = [size // 2 for size in value["shape"]]
                places = f"[{','.join(map(str, index))}]" if index else ""
                why = json.loads(self.ok("explain", name + places, *walk, "--json"))[0]
                self.assertEqual((why["name"], why["index"]), (name, index))
                self.assertEqual(number(why["value"]), at(value["data"], index))
                if not why["computed"]:
                    continue
                result = combined(why["arithmetic"], cells)
                expected = number(why["value"])
                self.assertTrue(result == expected or abs(result - expected) < 1e-12 * max(1, abs(expected)), name)
                self.assertEqual([r["name"] for r in why["reads"] if r["name"] not in known], [])
                explained += 1
            self.assertGreater(explained, 10)

    def test_the_page(self):
        page = self.ok("explain", "blocks.0.attn.raw_scores[0,1,2]", "--text", "Life is short", *WALK)
        trace = json.loads(self.ok("trace", "Life is short", *WALK, "--json"))["values"]
        score = trace["blocks.0.attn.raw_scores"]["data"][0][0][1][2]
        for words in (f"blocks.0.attn.raw_scores[T=1,S=2] = {score}", 'T=1 is "is", S=2 is "short"', "Z[t,s] = q[t] . k[s]",
                      "reads q = blocks.0.attn.q [B=1,T=3,H=1,D=4]", "q[T=1,D=3] x k[S=2,D=3]", f"{score:.4f}"):
            self.assertIn(words, page)
        for columns in (40, 80, 200):
            for line in self.ok("explain", "blocks.0.attn.raw_scores[0,1,2]", *WALK, COLUMNS=str(columns)).splitlines():
                self.assertLessEqual(width(line), columns)

    def test_a_stored_trace_and_trace_explain(self):
        self.ok("trace", "Life is short", *WALK, "--params", "-o", path("walk.safetensors"))
        for cell in ("blocks.0.attn.pattern[0,0,2,1]", "probs[T=2,V=1]", "logits[2,-1]", "blocks.0.attn.hook_q[1,0,2]"):
            ran = self.ok("explain", cell, "Life is short", *WALK)
            self.assertEqual(self.ok("explain", cell, path("walk.safetensors")), ran)
            self.assertEqual(self.ok("trace", "Life is short", *WALK, "--explain", cell), ran)
            self.assertEqual(self.ok("trace", path("walk.safetensors"), "--explain", cell), ran)
        self.refused(2, "is a stored trace", "explain", "probs[2,1]", path("walk.safetensors"), "--seed", "3")

    def test_a_label_is_a_place(self):
        walk = ["a b a c", *WALK]
        one = json.loads(self.ok("explain", "probs[T=3,V=1]", *walk, "--json"))
        for cell in ("probs[T=c,V=b]", "probs[c,b]", "probs[0, c, b]", 'probs[T="c",V="b"]', "probs[V=b,T=-1]"):
            self.assertEqual(json.loads(self.ok("explain", cell, *walk, "--json")), one)
        second = json.loads(self.ok("explain", "blocks.0.attn.pattern[T=c,S=a#2]", *walk, "--json"))
        self.assertEqual(second[0]["index"], [0, 0, 3, 2])
        self.refused(2, ["'a' is there 2 times on T, at 0, 2", "a#1"], "explain", "probs[T=a,V=b]", *walk)
        self.refused(2, "it is there 2 times on T", "explain", "probs[T=a#3,V=b]", *walk)
        self.refused(2, ["no place of V is called 'x'", "'a' (0), 'b' (1)", "'c' (3)"], "explain", "probs[T=c,V=x]", *walk)
        self.refused(2, "the places of H have no words", "explain", "blocks.0.attn.pattern[H=a,T=c,S=b]", *walk)

    def test_a_label_is_what_pages_show(self):
        trace = json.loads(self.ok("trace", "Life is short, 3", "--json", "--observe", "embed:summary"))
        labels, words = [t["label"] for t in trace["tokens"]], trace["vocabulary"]
        for label in labels:
            written = f'"{label}"'  # a comma, a digit
            for cell in (f"probs[T={written},V={written}]", f"probs[{labels.index(label)},{words.index(label)}]"):
                why = json.loads(self.ok("explain", cell, "Life is short, 3", "--json"))[0]
                self.assertEqual(why["index"], [0, labels.index(label), words.index(label)])
        self.refused(2, ["no place of V is called 'nosuchword'", "of 3072"], "explain", "logits[T=-1,V=nosuchword]")

    def test_trace_explain_has_a_sentence_in_a_terminal(self):
        cell = "blocks.0.attn.pattern[0,2,2,1]"
        status, shown = in_terminal("trace", "--explain", cell, "--color", "never")
        self.assertEqual(status, 0, shown)
        self.assertEqual(shown.split("\r\x1b[K")[-1], self.ok("explain", cell, "Life is short"))
        self.assertEqual(self.ok("trace", "--explain", cell, stdin="Art is long now"), self.ok("explain", cell, "Art is long now"))

    def test_a_model_of_ones_own_and_its_gradients(self):
        model = ["--model", path("gpt/model.safetensors")]
        why = json.loads(self.ok("explain", "blocks.1.attn.W_Q.grad[3,1,2]", "Life knows", *model, "--json"))[0]
        self.assertAlmostEqual(number(why["combined"]), number(why["value"]), delta=1e-5 * max(1e-3, abs(why["value"])))
        self.assertGreater(number(self.value("loss", "Life knows", *model)), 0)
        self.assertIn("A parameter", self.ok("explain", "embed.W_E[3,2]", "Life knows", *model))
        self.assertIn("An input", self.ok("explain", "tokens[0,1]", "Life knows", *model))
        chain = json.loads(self.ok("explain", "blocks.0.attn.z[0,1,0,2]", "Life knows", *model, "--depth", "4", "--json"))
        self.assertEqual(len(chain), 4)
        for before, after in zip(chain, chain[1:]):
            self.assertIn(after["name"], [r["name"] for r in before["reads"]])

    def value(self, cell, *arguments):
        return json.loads(self.ok("explain", cell, *arguments, "--json"))[0]["value"]

    def test_an_edited_number_says_so(self):
        page = self.ok("explain", "blocks.0.attn.q[0,2,0,1]", *WALK, "--edit", "blocks.0.attn.q=scale:2")
        self.assertIn("Edited: blocks.0.attn.q=scale:2. The arithmetic gives", page)
        self.assertIn("before the edit = ", page)
        read = self.ok("explain", "blocks.0.attn.raw_scores[0,0,2,1]", *WALK, "--edit", "blocks.0.attn.q=scale:2")
        self.assertIn("Edited among what is read: blocks.0.attn.q=scale:2", read)

    def test_long_texts_rebuild_one_row(self):
        text = "x " * 1100
        model = ["--model", path("gpt/model.safetensors")]
        page = self.ok("explain", "blocks.1.attn.pattern[0,1,1050,1049]", text, *model, "--terms", "3")
        self.assertIn("rebuilt from q, k", page)
        self.assertIn("3 largest by magnitude", page)
        self.assertEqual(page, self.ok("explain", "blocks.1.attn.pattern[H=1,T=1050,S=1049]", text, *model, "--terms", "3"))

    def test_what_is_refused(self):
        self.refused(2, ["T=3 is outside, expected 0 to 2", "[B=1,T=3,H=1,D=4]"], "explain", "blocks.0.attn.q[0,3,0,1]", *WALK)
        self.refused(2, "near it are", "explain", "blocks.0.attn.qq[0,1,0,1]", *WALK)
        self.refused(2, "no axis F", "explain", "blocks.0.attn.q[F=1]", *WALK)
        self.refused(2, "given twice", "explain", "probs[0,1]", "a b", "--text", "c d", *WALK)
        self.refused(2, "--depth is 0", "explain", "probs[0,1]", *WALK, "--depth", "0")
        self.refused(2, "--terms is 0", "explain", "probs[0,1]", *WALK, "--terms", "0")
        self.refused(2, "leave one out", "trace", "a b", *WALK, "--explain", "probs[0,1]", "--token", "a")
        self.refused(2, "CELL", "explain")


def prepare():
    write("text.txt", TEXT)
    done = limpid("train", recipe("gpt.json", steps=20), "-o", path("gpt"))
    if done.returncode != 0:
        sys.exit(f"cli_explain_test: the model of the tests cannot be trained: {done.stderr}")


if __name__ == "__main__":
    prepare()
    sys.exit(run_cases(__name__))
