#!/usr/bin/env python3
"""limpid train on several ranks: the numbers of one process, one rank alone writes, a lost rank costs no more than the steps since the
last checkpoint, and any number of ranks goes on from it.

  tests/mpi_test.py build/dev/limpid
"""
import random
import shutil
import signal
import sys
import time

import train_runs
from cli_helpers import *

MODULE = os.path.join(os.path.dirname(PROGRAM), "limpid_mpi.so")


def mpirun(ranks, *options):
    """The words before the program, for this machine: more ranks than cores, and perhaps as root."""
    words = ["mpirun", "--oversubscribe", "--bind-to", "none", *options, "-n", str(ranks)]
    if os.getuid() == 0:
        words.insert(1, "--allow-run-as-root")
    return words


ENVIRONMENT = clean_environment(OMP_NUM_THREADS="1", TMPDIR="/tmp")  # its sockets have no room for a longer folder


def on_ranks(ranks, *arguments, timeout=300, **environment):
    return subprocess.run([*mpirun(ranks), PROGRAM, *arguments], capture_output=True, text=True, cwd=WORK.name, timeout=timeout,
                          env=dict(ENVIRONMENT, **environment), stdin=subprocess.DEVNULL)


def children(process):
    """The ranks of an mpirun, by number."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{entry}/environ", "rb") as file:
                rank = re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", file.read())
        except OSError:
            continue
        if parent == process.pid and rank:
            found[int(rank.group(1))] = int(entry)
    return found


def begin(ranks, *arguments):
    return subprocess.Popen([*mpirun(ranks), PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            cwd=WORK.name, env=ENVIRONMENT, stdin=subprocess.DEVNULL)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := condition()):
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not happen in {seconds} s")


def step_of(folder):
    """Of the folder's checkpoint; 0 where there is none."""
    if not os.path.exists(path(f"{folder}/checkpoint.safetensors")):
        return 0
    return json.loads(limpid("info", path(f"{folder}/checkpoint.safetensors"), "--json").stdout)["step"]


class Ranks(Case):
    @classmethod
    def setUpClass(cls):
        train_runs.data()

    def alone(self, name):
        if not os.path.exists(path(name)):
            self.ok("train", train_runs.recipe(name), "-o", path(name))
        return train_runs.reports(name)

    def shared(self, name, ranks):
        folder = f"{name}_{ranks}"
        done = on_ranks(ranks, "train", train_runs.recipe(name), "-o", path(folder), "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        return train_runs.reports(folder), done

    def same(self, name, ranks):
        """Every step's loss and every report's numbers, of one process and of these ranks."""
        expected, (got, done) = self.alone(name), self.shared(name, ranks)
        self.assertEqual(len(got), 13)
        self.assertGreater(abs(expected[1]["loss"] - expected[-1]["loss"]), 1e-3)  # something was learned
        for one, several in zip(expected, got, strict=True):
            for number in ("loss", "validation"):
                self.assertLess(abs(one[number] - several[number]), 1e-4, (name, ranks, number, one["step"]))
            self.assertEqual(one["metrics"].keys(), several["metrics"].keys())
        self.assertEqual(done.stdout.count("\n    0        0"), 1)  # one rank alone writes
        self.assertIn(f"{ranks} ranks", done.stdout)
        return got

    def test_two_ranks_are_one_process(self):
        for name in train_runs.RUNS:
            with self.subTest(name):
                self.same(name, 2)

    def test_three_ranks_and_more_than_there_are_rows(self):
        for name, ranks in (("next_word", 3), ("classes", 3), ("translation", 3), ("lines", 3)):
            with self.subTest(name):
                self.same(name, ranks)
        train_runs.RUNS["two rows"] = {**train_runs.RUNS["classes"], "batch": 2}
        self.same("two rows", 3)

    def test_dropout_draws_by_the_place_in_the_batch(self):
        """Without dropout the losses are others: what two ranks drop is what one process drops."""
        with_it = self.alone("next_word")
        train_runs.RUNS["undropped"] = {**train_runs.RUNS["next_word"], "network": {**train_runs.GPT, "dropout": 0, "attention_dropout": 0}}
        without = self.alone("undropped")
        self.assertGreater(max(abs(a["loss"] - b["loss"]) for a, b in zip(with_it, without)), 1e-2)

    def test_the_same_ranks_give_the_same_bits(self):
        first = self.shared("classes", 2) and read("classes_2/model.safetensors")
        self.shared("classes", 2)
        self.assertEqual(read("classes_2/model.safetensors"), first)

    def test_one_rank_needs_no_mpi(self):
        alone = self.alone("classes") and read("classes/model.safetensors")
        self.shared("classes", 1)
        self.assertEqual(read("classes_1/model.safetensors"), alone)
        libraries = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
        self.assertNotIn("libmpi", libraries)

    def test_any_number_of_ranks_goes_on(self):
        expected = self.alone("classes")
        recipe = train_runs.recipe("classes")
        for first, then in ((2, 1), (1, 3), (3, 2)):
            folder = f"on_{first}_{then}"
            done = on_ranks(first, "train", recipe, "-o", path(folder), "--steps", "5")
            self.assertEqual(done.returncode, 0, done.stderr)
            done = on_ranks(then, "train", recipe, "-o", path(folder), "--resume", "--steps", "12")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([r["step"] for r in train_runs.reports(folder)], [r["step"] for r in expected])


class Ends(Case):
    @classmethod
    def setUpClass(cls):
        train_runs.data()

    def long_run(self, name, *more, ranks=2):
        """One that would take minutes; it is under way when this returns."""
        recipe = train_runs.recipe("classes", epoch=500, steps=1_000_000)
        running = begin(ranks, "train", recipe, "-o", path(name), *(more or ("--save-every", "0.2")))
        self.addCleanup(running.communicate)
        self.addCleanup(lambda: running.poll() is None and running.kill())
        wait_for(lambda: running.poll() is not None or os.path.exists(path(f"{name}/checkpoint.safetensors")))
        self.assertIsNone(running.poll(), "it ended by itself")
        return running, recipe

    def test_a_rank_is_killed_and_one_process_goes_on(self):
        draw = random.Random(5)
        for victim in (1, 0):
            name = f"killed_{victim}"
            running, recipe = self.long_run(name)
            time.sleep(draw.uniform(0.3, 1.5))
            before = step_of(name)
            os.kill(children(running)[victim], signal.SIGKILL)
            output, errors = running.communicate(timeout=60)
            self.assertNotEqual(running.returncode, 0)
            self.assertIn("killed", errors.lower())  # mpirun's words, or the signal's name
            if victim == 1:
                self.assertIn("if one is lost, the checkpoint of step ", errors)
            saved = step_of(name)
            self.assertGreaterEqual(saved, before)
            self.assertGreater(saved, 0)
            done = limpid("train", recipe, "-o", path(name), "--resume", "--steps", str(saved + 20))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(step_of(name), saved + 20)
            self.assertEqual([f for f in os.listdir(path(name)) if f.endswith(".tmp")], [])

    def test_a_signal_stops_all_ranks_after_the_same_step(self):
        for sent in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            name = f"stopped_{int(sent)}"
            running, recipe = self.long_run(name, "--save-every", "1e9")  # only the start, an epoch's end and the stop are saved
            time.sleep(0.3)
            running.send_signal(sent)
            output, errors = running.communicate(timeout=60)
            self.assertNotEqual(running.returncode, 0)
            step = step_of(name)
            self.assertNotEqual(step % 500, 0)
            if sent == signal.SIGUSR1:  # mpirun hands nothing on any more when it ends itself
                self.assertIn(f"limpid: stopped at step {step} of 1000000; go on with `mpirun -n 2 limpid train ", errors)
                self.assertEqual(errors.count("limpid: stopped"), 1)
            done = on_ranks(2, "train", recipe, "-o", path(name), "--resume", "--steps", str(step + 3))
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_errors_are_said_once(self):
        done = on_ranks(2, "train", "nothing.json")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("limpid: "), 1, done.stderr)
        self.assertIn("nothing.json", done.stderr)
        wild = train_runs.recipe("next_word", learning_rate=1e30, least_rate=1e30, clip=0, warm_up=0)
        done = on_ranks(2, "train", wild, "-o", path("wild"))
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("limpid: "), 1, done.stderr)
        self.assertIn("not finite", done.stderr)
        self.assertIn("are kept in", done.stderr)

    def test_a_rank_that_fails_alone_ends_all(self):
        train_runs.recipe("classes")
        for name in ("first", "second"):
            os.makedirs(path(name), exist_ok=True)
        shutil.copy(path("texts.csv"), path("first/texts.csv"))
        write("second/texts.csv", read("texts.csv").replace(b"rain", b"rein"))
        program = write("apart.sh", f'#!/bin/sh\ncase $OMPI_COMM_WORLD_RANK in 0) d=first;; *) d=$OTHER;; esac\n'
                                    f'exec {PROGRAM} train classes.json --data $d -o apart\n')
        for other, words in (("second", "do not learn from the same recipe and data"), ("third", "limpid: rank 1 of 2: ")):
            done = subprocess.run([*mpirun(2), "sh", program], capture_output=True, text=True, cwd=WORK.name, timeout=60,
                                  env=dict(ENVIRONMENT, OTHER=other))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)

    def test_a_launcher_without_the_module(self):
        shutil.copy(PROGRAM, path("limpid_alone"))
        train_runs.recipe("classes")
        done = subprocess.run([path("limpid_alone"), "train", "classes.json", "-o", "none"], capture_output=True, text=True, cwd=WORK.name,
                              env=dict(ENVIRONMENT, OMPI_COMM_WORLD_SIZE="4"), timeout=60)
        self.assertEqual(done.returncode, 1)
        for words in ("limpid_mpi.so", "scripts/install-deps.sh build mpi", "started by an MPI launcher"):
            self.assertIn(words, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_a_launcher_of_another_mpi(self):
        train_runs.recipe("classes")
        done = subprocess.run([PROGRAM, "train", "classes.json", "-o", "none"], capture_output=True, text=True, cwd=WORK.name,
                              env=dict(ENVIRONMENT, PMI_SIZE="4"), timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the launcher of this process is of another MPI than limpid's module", done.stderr)
        self.assertIn("Open MPI", done.stderr)

    def test_processes_that_do_not_find_each_other(self):
        train_runs.recipe("classes")
        done = subprocess.run([PROGRAM, "train", "classes.json", "-o", "none"], capture_output=True, text=True, cwd=WORK.name,
                              env=dict(ENVIRONMENT, OMPI_COMM_WORLD_SIZE="4"), timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the launcher has started 4 processes, and 1 of them find each other", done.stderr)


if __name__ == "__main__":
    if SANITIZED:
        print("skipped: MPI itself is not built with sanitizers")
        sys.exit(77)
    if not shutil.which("mpirun") or not os.path.exists(MODULE):
        print(f"skipped: no mpirun or no {MODULE} (scripts/install-deps.sh mpi, then build again)")
        sys.exit(77)
    tried = subprocess.run([*mpirun(2), "true"], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    if tried.returncode:
        print(f"skipped: mpirun starts nothing on this machine: {tried.stderr.strip()[:300]}")
        sys.exit(77)
    sys.exit(run_cases(__name__))
