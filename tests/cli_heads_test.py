#!/usr/bin/env python3
"""limpid heads, as the command shows it; and heads that become of a kind while a network learns.

  tests/cli_heads_test.py build/dev/limpid
"""
from cli_helpers import *


class Heads(Case):
    def test_the_table_names_each_head_and_explains_the_kinds(self):
        page = self.ok("heads")
        self.assertIn("head 5", page)
        self.assertIn("blocks.3.attn", page)
        self.assertLessEqual(max(map(len, page.splitlines())), 80)
        shown = {word for word in re.findall(r"(\w+) \d\.\d\d", page)}
        for kind in shown:
            self.assertRegex(page, rf"(?m)^{kind}  +\w")

    def test_json_has_every_score_and_the_table_shows_them(self):
        seen = json.loads(self.ok("heads", "--json"))
        self.assertEqual((seen["read"], seen["rows"], seen["threshold"]), ("tokens", 8, 0.4))
        self.assertEqual(len(seen["heads"]), 5 * 8)
        lines = [line for line in self.ok("heads", "--all").splitlines() if " head " in line]
        keys = ("previous", "first", "self", "duplicate", "induction", "positional", "entropy")
        for head, line in zip(seen["heads"], lines, strict=True):
            self.assertEqual(line.split()[:3], [head["attention"], "head", str(head["head"])])
            self.assertEqual(line.split()[3:10], [f"{head[key]:.2f}" for key in keys])
            for key in keys:
                self.assertTrue(0 <= head[key] <= 1, (key, head))
            named = {key: head[key] for key in keys[:5]}
            best = max(named, key=named.get)
            kind = best if named[best] >= 0.4 else "positional" if head["positional"] >= 0.4 else "mixed"
            self.assertEqual(head["kind"], kind)

    def test_calls_are_repaired(self):
        self.refused(2, "rows is 0", "heads", "--rows", "0")
        self.refused(2, "block is 1", "heads", "--block", "1")
        self.refused(2, "one of texts, images", "heads", "--tower", "words")
        self.refused(1, "nowhere", "heads", "--model", path("nowhere.safetensors"))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
