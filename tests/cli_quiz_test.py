#!/usr/bin/env python3
"""limpid quiz: what is asked was computed by this run, in a pipe, by answers, and in a terminal.

  tests/cli_quiz_test.py build/dev/limpid
"""
import math
import sys

from cli_helpers import *


class Quiz(Case):
    def asked(self, *arguments):
        return json.loads(self.ok("quiz", *arguments, "--json"))

    def test_the_answers_are_those_of_the_run(self):
        walk = ["Life is short", *WALK, "--heads", "2", "--width", "8"]
        values = json.loads(self.ok("trace", *walk, "--json"))["values"]
        for head in (0, 1):
            questions = self.asked(*walk, "--head", str(head))
            by = lambda words: next(q for q in questions if words in q["question"])
            self.assertGreaterEqual(len(questions), 8)
            raw = values["blocks.0.attn.raw_scores"]["data"][0][head]
            pattern = [rows[2] for rows in values["blocks.0.attn.pattern"]["data"][0]]
            words = ["Life", "is", "short"]
            most = max(range(3), key=lambda s: pattern[head][s])
            self.assertEqual(by("look at most?")["answer"], words[most])
            self.assertEqual(by("largest score")["answer"], words[max(range(3), key=lambda s: raw[1][s])])
            self.assertEqual(by("scaled score")["answer"], f"{raw[2][most] / math.sqrt(4):.3f}")
            self.assertEqual(by("Which two rows")["answer"], f'the query of "short" and the key of "{words[most]}"')
            self.assertEqual(by("What is multiplied by this weight")["answer"], f'the value of "{words[most]}"')
            self.assertEqual(by("Which head")["answer"], f"head {max((0, 1), key=lambda h: pattern[h][most])}")
            logits = sorted(values["logits"]["data"][0][2], reverse=True)
            self.assertEqual(by("times as likely")["answer"], f"{math.exp(logits[0] - logits[1]):.3f}")
            for q in questions:
                self.assertEqual(q["choices"][q["right"] - 1], q["answer"])
                self.assertEqual(len(set(q["choices"])), len(q["choices"]), q)
                self.assertGreater(len(q["choices"]), 1)
                for cell in q["cells"]:  # is there, and is what `explain` explains
                    self.ok("explain", cell, *walk)

    def test_in_a_pipe_without_answers_they_are_shown(self):
        questions = self.asked(*WALK)
        page = self.ok("quiz", *WALK)
        self.assertEqual(page, self.ok("quiz", "Life is short", *WALK, "--answers"))
        flat = " ".join(page.split())
        for number, q in enumerate(questions, 1):
            self.assertIn(f"Question {number} of {len(questions)}: {q['question']}", flat)
            self.assertIn(f"Answer: {q['right']} {q['answer']}", flat)
            self.assertIn(q["explanation"], flat)
        for line in page.splitlines():
            self.assertLessEqual(width(line), 80)

    def test_answers_are_judged(self):
        questions = self.asked(*WALK)
        right = "".join(f"{q['right']}\n" for q in questions)
        done = self.ok("quiz", *WALK, stdin=right)
        self.assertIn(f"{len(questions)} of {len(questions)} answers right", done)
        self.assertNotIn("Wrong", done)
        first = questions[0]
        wrong = 1 if first["right"] != 1 else 2
        done = self.ok("quiz", *WALK, stdin=f"{wrong}\n{'ABCD'[questions[1]['right'] - 1].lower()}\nq\n")
        self.assertIn(f"Wrong, the answer is: {first['right']}", done)
        self.assertIn("1 of 2 answers right", done)
        self.refused(2, ["'nine'", "expected 1 to"], "quiz", *WALK, stdin="nine\n")

    def test_in_a_terminal_it_asks(self):
        primary, secondary = pty.openpty()
        child = subprocess.Popen([PROGRAM, "quiz", *WALK], stdin=secondary, stdout=secondary, stderr=secondary,
                                 cwd=WORK.name, env=clean_environment(), close_fds=True)
        os.close(secondary)
        seen = b""
        os.write(primary, b"9\n")  # asked again
        os.write(primary, b"1\n")
        os.write(primary, b"q\n")
        try:
            while chunk := os.read(primary, 65536):
                seen += chunk
        except OSError:
            pass
        os.close(primary)
        self.assertEqual(child.wait(), 0)
        text = seen.decode()
        self.assertIn("Your answer, 1 to", text)
        self.assertTrue("Right:" in text or "Wrong, the answer is:" in text, text)
        self.assertIn("of 1 answer right", text)

    def test_what_it_is_asked_about(self):
        self.ok("trace", "Life is short", *WALK, "-o", path("walk.safetensors"))
        self.assertEqual(self.ok("quiz", path("walk.safetensors"), "--json"), self.ok("quiz", *WALK, "--json"))
        self.assertIn('does "is" look', self.ok("quiz", *WALK, "--token", "is", "--answers"))
        self.refused(2, "layer 3 does not exist", "quiz", *WALK, "--layer", "3")
        self.refused(2, "head 1 does not exist", "quiz", *WALK, "--head", "1")
        # Nothing is asked whose numbers do not fulfil the equation of the answer.
        self.ok("trace", "Life is short", *WALK, "--edit", "blocks.0.attn.scaled_scores=scale:3", "-o", path("edited.safetensors"))
        self.assertNotIn("scaled score", self.ok("quiz", path("edited.safetensors")))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
