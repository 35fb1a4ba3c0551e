#!/usr/bin/env python3
"""What a user gives the command: white space, tables of vectors, files of sentences, edits; and what it gives programs.

  tests/cli_input_test.py build/dev/limpid
"""
import json
import math
import sys

import array_files
from cli_helpers import *

MODEL = []


def setUpModule():
    write("text.txt", TEXT)
    done = limpid("train", recipe("gpt.json", steps=40), "-o", path("gpt"))
    assert done.returncode == 0, done.stderr
    MODEL[:] = ["--model", path("gpt/model.safetensors")]


class WhiteSpace(Case):
    def test_it_is_text(self):
        for text in (" ", "\n", "\t\n ", "\r\n", "a\n\n"):
            for way in ([], MODEL):
                trace = json.loads(self.ok("trace", text, *way, "--json"))
                self.assertEqual(trace["text"], text)
                self.assertEqual(self.ok("generate", text, "--tokens", "2", *way)[:len(text)], text)
                self.ok("trace", text, *way)
        self.refused(2, ["only white space", "at least one"], "trace", " \n", *WALK)
        self.refused(2, "empty", "generate", "")

    def test_standard_input_is_kept_but_for_one_line_end(self):
        for given, text in ((b"a \n", "a "), (b"a\n\n", "a\n"), (b"a\r\n", "a"), (b"\n", "\n"), (b"\r\n", "\r\n"), (b" \n", " "),
                            (b"\n\n", "\n"), (b"\na", "\na"), (b"a\r", "a\r")):
            self.assertEqual(json.loads(self.ok("trace", "--json", *MODEL, stdin=given))["text"], text, given)
            self.assertEqual(json.loads(self.ok("trace", "@" + write("given.txt", given), "--json", *MODEL))["text"], text)
        self.refused(2, "empty", "trace", *MODEL, stdin=b"")


class Tables(Case):
    def vectors(self, content, *options, name="table.csv"):
        trace = json.loads(self.ok("trace", "--vectors", write(name, content), *options, "--json"))
        return trace["values"]["vectors"]["data"][0] if "vectors" in trace["values"] else None, [t["label"] for t in trace["tokens"]]

    def test_separators(self):
        seen = [self.vectors(text) for text in ("1,2\n3,4\n", "1;2\n3;4\n", "1\t2\n3\t4\n", "1 2\n3 4\n", "  1   2\n\n3\t4  \n", "x;y\n1;2\n3;4\n")]
        for each in seen:
            self.assertEqual(each, seen[0])
        self.assertEqual(seen[0][1], ["X1", "X2"])
        self.assertEqual(self.vectors("1 2\n3 4\n", name="table.txt"), seen[0])
        self.assertEqual(self.vectors("1 \t2\n3\t4\n", "--separator", "tab"), seen[0])
        self.refused(1, ["table.csv", "line 2, column 1", "'3;4'"], "trace", "--vectors", write("table.csv", "1;2\n3;4\n"), "--separator", "comma")
        self.refused(1, ["line 2 has 3 fields", "expected 2"], "trace", "--vectors", write("table.csv", "1 2\n3 4 5\n"))
        self.refused(1, ["line 2, column 2 ('y')", "'?'"], "trace", "--vectors", write("table.csv", "x y\n1 ?\n"))
        self.refused(2, ["--separator is 'dot'", "comma, semicolon, tab, blanks"], "trace", "--vectors", path("table.csv"), "--separator", "dot")
        self.refused(2, "--separator is for --vectors", "trace", "a", *WALK, "--separator", "tab")

    def test_names_of_rows_are_shown(self):
        for text in ("word,x,y\nLife,1,2\nis,3,4\n", "Life 1 2\nis 3 4\n", ",0,1\nLife,1,2\nis,3,4\n", "x\ty\nLife\t1\t2\nis\t3\t4\n"):
            self.assertEqual(self.vectors(text)[1], ["Life", "is"], text)
        self.assertIn("Life", self.ok("trace", "--vectors", path("table.csv")))
        self.refused(1, ["line 3, column 1 ('x')", "'Life'"], "trace", "--vectors", write("table.csv", "x,y\n1,2\nLife,4\n"))


class Lines(Case):
    def test_each_line_is_traced_by_itself(self):
        texts = ["Life knows much", "@Art", " -", "A word takes little and now it is short."]
        file = write("lines.txt", "\n".join(texts) + "\r\n\n")
        alone = [self.ok("trace", *MODEL, "--json", stdin=text) for text in texts]
        lines = self.ok("trace", "--lines", file, *MODEL, "--json").splitlines()
        self.assertEqual(len(lines), len(texts))
        for line, one in zip(lines, alone):
            self.assertEqual(json.loads(line), json.loads(one))
        pages = self.ok("trace", "--lines", file, *MODEL)
        self.assertEqual(pages, "\n".join(self.ok("trace", *MODEL, stdin=text) for text in texts))
        self.ok("trace", "--lines", file, *MODEL, "-o", path("kept.npz"))
        for n, one in enumerate(alone, 1):
            self.assertEqual(json.loads(self.ok("trace", path(f"kept-{n}.npz"), "--json")), json.loads(one))
        self.ok("trace", "--lines", file, *WALK)
        self.refused(2, "leave the text out", "trace", "Life", "--lines", file)
        self.refused(1, "nofile", "trace", "--lines", "nofile.txt")
        self.refused(1, "no line", "trace", "--lines", write("none.txt", "\n\n"))


class Edits(Case):
    text = "Life knows much"

    def values(self, *arguments):
        trace = json.loads(self.ok("trace", self.text, *MODEL, "--json", *arguments))
        return trace["values"], trace["edited"]

    def test_a_replacement_of_one_row_or_head(self):
        before, _ = self.values()
        heads, width = len(before["blocks.0.attn.z"]["data"][0][0]), len(before["blocks.0.attn.z"]["data"][0][0][0])
        row = [0.5 + i for i in range(width)]
        one = write("row.npy", array_files.npy(row))
        after, said = self.values("--edit", f"blocks.0.attn.z[H=1]=replace:{one}")
        for was, now in zip(before["blocks.0.attn.z"]["data"][0], after["blocks.0.attn.z"]["data"][0]):
            self.assertEqual(now[1], row)
            self.assertEqual(now[0], was[0])
        self.assertEqual(said, [f"blocks.0.attn.z[H=1]=replace:{one}"])
        after, _ = self.values("--edit", f"blocks.0.attn.z[T=1,H=0]=replace:{one}")
        self.assertEqual(after["blocks.0.attn.z"]["data"][0][1][0], row)
        self.assertEqual(after["blocks.0.attn.z"]["data"][0][0], before["blocks.0.attn.z"]["data"][0][0])
        every = write("heads.npy", array_files.npy([row] * heads))
        after, _ = self.values("--edit", f"blocks.0.attn.z=replace:{every}")
        self.assertTrue(all(head == row for place in after["blocks.0.attn.z"]["data"][0] for head in place))
        self.refused(2, ["replacement is [5]", "expected"], "trace", self.text, *MODEL, "--edit",
                     "blocks.0.attn.z[H=1]=replace:" + write("five.npy", array_files.npy([1.0] * 5)))

    def test_means_say_over_what(self):
        before, _ = self.values()
        stage = "blocks.0.mlp_out"
        rows = before[stage]["data"][0]
        over = [sum(row[c] for row in rows) / len(rows) for c in range(len(rows[0]))]
        after, said = self.values("--edit", stage + "=mean:positions")
        for row in after[stage]["data"][0]:
            for a, b in zip(row, over):
                self.assertAlmostEqual(a, b, places=5)
        self.assertEqual(said, [f"{stage}=mean:positions (each feature's mean over {len(rows)} positions of this text, unedited)"])
        everything, said = self.values("--edit", stage + "=mean")
        self.assertEqual(len({x for row in everything[stage]["data"][0] for x in row}), 1)
        self.assertEqual(said, [stage + "=mean"])

        texts = ["Art gives little", "The day takes all and then it is short."]
        file = write("data.txt", "\n".join(texts))
        rows = [row for text in texts for row in json.loads(self.ok("trace", text, *MODEL, "--json"))["values"][stage]["data"][0]]
        over = [sum(row[c] for row in rows) / len(rows) for c in range(len(rows[0]))]
        after, said = self.values("--edit", f"{stage}=mean:{file}")
        for row in after[stage]["data"][0]:
            for a, b in zip(row, over):
                self.assertAlmostEqual(a, b, places=5)
        self.assertEqual(said, [f"{stage}=mean:{file} (each feature's mean over {len(rows)} positions of 2 lines)"])
        _, said = self.values("--edit", f"blocks.*.attn.z[H=1]=mean:{file}")
        self.assertEqual([s.split("=mean:")[0] for s in said], ["blocks.0.attn.z[H=1]", "blocks.1.attn.z[H=1]"])
        self.refused(2, "one row a position", "trace", self.text, *MODEL, "--edit", f"blocks.0.attn.pattern=mean:{file}")
        self.refused(2, "expected positions, or a file", "trace", self.text, *MODEL, "--edit", "embed=mean:")


class Evaluations(Case):
    def test_the_numbers_are_those_of_the_trace(self):
        text = "Life knows much\nschön 🙂"
        trace = json.loads(self.ok("trace", text, *MODEL, "--json", "--double"))
        probs, ids = trace["values"]["probs"]["data"][0], [t["id"] for t in trace["tokens"]]
        nats = -sum(math.log(probs[i][ids[i + 1]]) for i in range(min(len(ids) - 1, 15)))
        e = json.loads(self.ok("eval", text, *MODEL, "--json", "--window", "15", "--stride", "14"))
        self.assertEqual(e["tokens"], len(ids) - 1)
        whole = json.loads(self.ok("eval", text, *MODEL, "--json", "--window", "1000"))
        nats = -sum(math.log(probs[i][ids[i + 1]]) for i in range(len(ids) - 1))
        self.assertAlmostEqual(whole["nats"], nats, places=4)
        self.assertEqual(whole["windows"], 1)
        first = trace["tokens"][0]["end"]
        after = text.encode()[first:]
        self.assertEqual(whole["bytes"], len(after))
        self.assertEqual(whole["characters"], len(after.decode()))
        self.assertAlmostEqual(whole["nats_per_token"], nats / (len(ids) - 1), places=5)
        self.assertAlmostEqual(whole["perplexity"], math.exp(nats / (len(ids) - 1)), delta=1e-3)
        self.assertAlmostEqual(whole["bits_per_byte"], nats / math.log(2) / len(after), places=5)

    def test_windows_are_said_and_every_token_counts_once(self):
        file = write("long.txt", TEXT[:600] + "\n")
        tokens = json.loads(self.ok("eval", "--file", file, *MODEL, "--json"))["tokens"]
        self.assertEqual(tokens, len(json.loads(self.ok("trace", *MODEL, "--json", "--observe", "embed:summary", stdin=TEXT[:600] + "\n\n"))["tokens"]) - 1)
        for window, stride in ((16, 8), (16, 1), (5, 4), (64, 32)):
            e = json.loads(self.ok("eval", "--file", file, *MODEL, "--json", "--window", str(window), "--stride", str(stride)))
            self.assertEqual((e["tokens"], e["window"], e["stride"]), (tokens, window, stride))
            self.assertEqual(e["windows"], 1 + math.ceil((tokens + 1 - window) / stride))
        page = self.ok("eval", "--file", file, *MODEL)
        for words in ("windows of 16 tokens, each 8 further on", "nats a token", "nats a character", "bits a byte", "perplexity"):
            self.assertIn(words, page)
        for wrong in (["--stride", "16"], ["--window", "1"], ["--stride", "-1"]):
            self.refused(2, "expected", "eval", "--file", file, *MODEL, *wrong)
        self.refused(2, "at least two", "eval", "L", *MODEL)
        self.refused(1, "nofile", "eval", "--file", "nofile.txt")
        self.ok("eval", "Life is short")

    def test_a_long_text_shows_a_bar_in_a_terminal_only(self):
        file = write("book.txt", TEXT * 2)
        # It must run for half a second: a window a token, or, where a sanitizer makes each slow, one every 90.
        call = ["eval", "--file", file, "--stride", "90" if SANITIZED else "1", "--window", "100"]
        status, shown = in_terminal(*call, columns=100)
        self.assertEqual(status, 0, shown)
        self.assertRegex(shown, r"\r\x1b\[K[█▏▎▍▌▋▊▉ ]+ +\d+%  window \d+ of \d+")
        windows = re.search(r"window \d+ of (\d+)", shown)[1]
        self.assertIn(f"{windows} windows of 100 tokens", shown)
        result = shown[shown.index("model "):]
        self.assertNotIn("\r", result)  # the bar is gone before the result
        self.assertNotIn("%  window", self.ok(*call))


class ForPrograms(Case):
    def test_generate(self):
        plain = self.ok("generate", "Life knows", *MODEL, "--tokens", "6")
        lines = [json.loads(line) for line in self.ok("generate", "Life knows", *MODEL, "--tokens", "6", "--json").splitlines()]
        self.assertEqual(len(lines), 7)
        piece = lambda text: bytes(text) if isinstance(text, list) else text.encode()
        written = b"".join(piece(line["text"]) for line in lines[:-1])
        self.assertEqual(b"Life knows" + written + b"\n", plain.encode(errors="surrogateescape"))
        self.assertEqual(piece(lines[-1]["text"]), written)
        self.assertEqual(lines[-1]["prompt"], "Life knows")
        probs = json.loads(self.ok("trace", "Life knows", *MODEL, "--json"))["values"]["probs"]["data"][0][-1]
        self.assertAlmostEqual(lines[0]["probability"], max(probs), places=5)
        self.assertEqual(lines[0]["token"], probs.index(max(probs)))

    def test_train(self):
        small = recipe("json.json", steps=40)
        lines = [json.loads(line) for line in self.ok("train", small, "-o", path("json"), "--json").splitlines()]
        log = [json.loads(line) for line in read("json/log.jsonl").splitlines()]
        self.assertEqual(lines[:-1], log)
        self.assertEqual(lines[-1]["model"], path("json/model.safetensors"))
        self.assertGreater(lines[-1]["loss"], 0)


class Calls(Case):
    def test_the_parser_speaks_as_the_rest(self):
        self.refused(2, ["--tokens is 'ten'", "expected a number"], "generate", "a", "--tokens", "ten")
        self.refused(2, ["--network is 'textbok', expected textbook"], "trace", "a", "--network", "textbok")
        self.refused(2, ["--mask is 'casual', expected one of none, causal"], "trace", "a", *WALK, "--mask", "casual")
        self.refused(2, ["-o is given 2 times", "once"], "trace", "a", "-o", "a.npz", "-o", "b.npz")
        self.refused(2, ["-o needs a value"], "trace", "a", "-o")

    def test_a_missing_file_is_failed_work_everywhere(self):
        for call in (["trace", "nofile.safetensors"], ["draw", "nofile.safetensors", "-o", "x.svg"], ["trace", "@nofile.txt"],
                     ["trace", "a", "--model", "nofile.safetensors"], ["info", "nofile.npz"], ["train", "nofile.json"],
                     ["trace", "--vectors", "nofile.csv"], ["trace", "--vectors", "nofile.npz"], ["eval", "--file", "nofile.txt"],
                     ["trace", "a", "--edit", "embed=replace:nofile.npy"], ["trace", "--lines", "nofile.txt"]):
            self.refused(1, "nofile", *call)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
