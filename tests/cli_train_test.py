#!/usr/bin/env python3
"""limpid train: learning is seen, a run that goes wrong stops, and what is recommended works as it is printed.

  tests/cli_train_test.py build/dev/limpid
"""
import math
import shlex
import sys

from cli_helpers import *

TEXTBOOK = os.path.join(SOURCE, "recipes/textbook.json")


def log(folder):
    return [json.loads(line) for line in read(f"{folder}/log.jsonl").splitlines()]


class Reports(Case):
    @classmethod
    def setUpClass(cls):
        cls.shown = limpid("train", TEXTBOOK, "-o", path("textbook"))
        assert cls.shown.returncode == 0, cls.shown.stderr
        cls.reports = log("textbook")

    def test_the_state_before_the_first_step_is_a_report(self):
        first = self.reports[0]
        self.assertEqual((first["epoch"], first["step"]), (0, 0))
        vocabulary = int(re.search(r"(\d+) words;", self.shown.stdout).group(1))
        self.assertAlmostEqual(first["loss"], math.log(vocabulary), delta=0.5)  # nothing is known yet
        self.assertLess(first["accuracy"], 0.3)
        self.assertTrue(first["observation"].startswith("before learning: a loss of "), first)
        self.assertEqual([r["epoch"] for r in self.reports], list(range(len(self.reports))))

    def test_the_shipped_recipe_climbs_over_several_reports(self):
        accuracy = [r["accuracy"] for r in self.reports]
        climbs = [b - a for a, b in zip(accuracy, accuracy[1:]) if b > a]
        self.assertGreaterEqual(len(climbs), 4, accuracy)
        self.assertGreater(accuracy[-1], accuracy[0] + 0.5, accuracy)
        self.assertLess(accuracy[1], 0.6, accuracy)  # not all at once
        self.assertLess(accuracy[2], 0.8, accuracy)

    def test_observations_are_computed_and_differ(self):
        said = [r["observation"] for r in self.reports]
        self.assertEqual(len(set(said)), len(said), said)
        kinds = {re.sub(r"[^a-z]*[0-9.]+[^a-z]*", " ", text) for text in said}
        self.assertGreaterEqual(len(kinds), 4, kinds)
        for before, now in zip(self.reports, self.reports[1:]):
            found = re.match(r"[a-z, ]+: the loss fell by ([0-9.]+) \(([0-9.]+) every 100 steps", now["observation"])
            if found:
                fell = before["loss"] - now["loss"]
                self.assertAlmostEqual(float(found.group(1)), fell, delta=6e-4)
                self.assertAlmostEqual(float(found.group(2)), 100 * fell / (now["step"] - before["step"]), delta=6e-4)

    def test_a_model_of_eight_bits_is_what_was_reported(self):
        recipe = write("small.json", json.dumps({
            "network": {"network": "gpt", "layers": 1, "heads": 2, "width": 64, "context": 16}, "tokenizer": "bpe", "vocabulary": 300,
            "whole_words": ["Life is short"], "data": ["small.txt"], "steps": 20, "batch": 4, "context": 16}))
        write("small.txt", "the cat sat on the mat and the rat sat on the hat. " * 40)
        shown = {kind: json.loads(self.ok("train", recipe, "-o", path(kind), "--json", "--dtype", kind).splitlines()[-1])
                 for kind in ("f32", "q8_0")}
        for kind, last in shown.items():
            again = json.loads(self.ok("eval", "--recipe", recipe, "--model", last["model"], "--json"))
            self.assertAlmostEqual(again["loss"], last["loss"], delta=1e-6, msg=kind)
        self.assertNotEqual(shown["f32"]["loss"], shown["q8_0"]["loss"])
        self.assertAlmostEqual(shown["f32"]["loss"], shown["q8_0"]["loss"], delta=0.02)
        self.assertLess(os.path.getsize(shown["q8_0"]["model"]), 0.35 * os.path.getsize(shown["f32"]["model"]))
        told = [json.loads(self.ok("info", last["model"], "--json"))["numbers"] for last in shown.values()]
        self.assertEqual(*told)
        pieces = json.loads(self.ok("tokens", "Life is short", "--tokenizer", shown["q8_0"]["model"], "--json"))
        self.assertEqual(len(pieces["tokens"]), 3)

    def test_every_recommended_command_works_as_printed(self):
        commands = [line for line in self.shown.stdout.splitlines() if line.startswith("limpid ")]
        self.assertEqual([c.split()[1] for c in commands], ["trace", "generate"])
        for command in commands:
            done = limpid(*shlex.split(command)[1:])
            self.assertEqual(done.returncode, 0, done.stderr)
        # More tokens than the network has learned positions for: its window slides, and it says so once.
        self.assertEqual(done.stderr.count("went on from the latest"), 1, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertGreater(len(done.stdout.split()), 60)
        short = limpid(*shlex.split(commands[-1])[1:], "--tokens", "5")
        self.assertEqual(short.stderr, "")


class Failures(Case):
    def test_a_loss_that_is_no_number_stops_the_run(self):
        write("text.txt", TEXT)
        wild = recipe("wild.json", learning_rate=1e30, least_rate=1e30, clip=0, warm_up=0, epoch=1, steps=50)
        done = self.refused(1, ["at step ", "not finite", "are kept in"], "train", wild, "-o", path("wild"))
        self.assertTrue("the first stage that is not finite is " in done.stderr or "numbers of the parameter " in done.stderr,
                        done.stderr)
        reports = log("wild")
        self.assertTrue(all(math.isfinite(r["loss"]) for r in reports))
        self.assertTrue(json.loads(self.ok("info", path("wild/checkpoint.safetensors"), "--json"))["step"] == reports[-1]["step"])
        trace = json.loads(self.ok("trace", "Life knows", "--model", path("wild/model.safetensors"), "--json"))
        self.assertTrue(all(isinstance(p, float) for p in trace["values"]["probs"]["data"][0][0][:5]))
        kept = int(re.search(r"the parameters of epoch (\d+)", done.stderr).group(1))
        self.assertEqual(kept, max(r["epoch"] for r in reports if r["best"]))

    def test_what_a_stopped_run_recommends_goes_on(self):
        write("text.txt", TEXT)
        slow = recipe("slow.json", steps=100000, epoch=5)
        child = subprocess.Popen([PROGRAM, "train", slow, "-o", path("slow run"), "--dtype", "f16", "--seed", "3"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=WORK.name, env=clean_environment())
        for line in child.stdout:
            if line.split()[:1] == ["2"]:
                break
        child.send_signal(15)
        said = child.communicate(timeout=120)[1]
        self.assertEqual(child.returncode, 1, said)
        command = re.search(r"`(limpid train [^`]*)`", said).group(1)
        self.assertIn("--dtype f16", command)
        child = subprocess.Popen([PROGRAM, *shlex.split(command)[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 cwd=WORK.name, env=clean_environment())
        self.assertIn("", child.stdout.readline())
        shown = ""
        for line in child.stdout:
            shown += line
            if "going on after step" in line:
                break
        self.assertIn("going on after step", shown)
        child.send_signal(15)
        self.assertIn("go on with", child.communicate(timeout=120)[1])


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
