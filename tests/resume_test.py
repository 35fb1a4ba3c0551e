#!/usr/bin/env python3
"""limpid train killed at drawn moments, resumed until it is done: the same bits of the model as a run that never stopped.

  tests/resume_test.py build/dev/limpid

scripts/kill_and_resume.py does it for the recipes, many times.
"""
import random
import sys

import train_runs
from cli_helpers import *

sys.path.insert(0, os.path.join(SOURCE, "scripts"))
from kill_and_resume import kill_and_resume, run_whole  # noqa: E402

STEPS, KILLS = 150, 4


class Killed(Case):
    @classmethod
    def setUpClass(cls):
        train_runs.data()

    def same_bits(self, name, kills=KILLS, **settings):
        recipe = train_runs.recipe(name, steps=STEPS, epoch=40, **settings)
        call = [PROGRAM, "train", recipe]
        whole = run_whole(call, path(f"{name}_whole"))
        result = kill_and_resume(call, path(f"{name}_killed"), kills, path(f"{name}_whole"), whole.seconds, random.Random(name))
        self.assertEqual(result.kills, kills)
        self.assertEqual(read(f"{name}_killed/model.safetensors"), read(f"{name}_whole/model.safetensors"))
        self.assertEqual([f for f in os.listdir(path(f"{name}_killed")) if f.endswith(".tmp")], [])
        facts = lambda folder: [{k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second")} for r in train_runs.reports(folder)]
        self.assertEqual(facts(f"{name}_killed"), facts(f"{name}_whole"))

    def test_texts(self):
        self.same_bits("next_word")

    def test_gradients_of_several_batches(self):
        self.same_bits("accumulated", kills=2)

    def test_classes_with_a_running_mean_of_the_weights(self):
        self.same_bits("classes")

    def test_muon(self):
        self.same_bits("muon", kills=2)

    def test_images_that_are_augmented(self):
        self.same_bits("images")

    def test_translation(self):
        self.same_bits("translation", kills=2)

    def test_activations_in_bf16(self):
        self.same_bits("bf16", kills=2)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
