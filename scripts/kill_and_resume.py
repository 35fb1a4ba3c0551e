#!/usr/bin/env python3
"""Holds `limpid train --resume` to its word: a recipe is run to its end, then run again and killed (SIGKILL) at drawn moments,
while a checkpoint is being written too, and resumed, until it has been killed --times times and is done.  The two model files
must be the same to the last bit.

  scripts/kill_and_resume.py recipes/*.json --data ../shared/data --steps 60 --times 20

Where the recipe's data lies elsewhere than --data: RECIPE=FOLDER.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

Whole = namedtuple("Whole", "seconds")
Killed = namedtuple("Killed", "kills in_writing runs")


class Failed(Exception):
    pass


def run_whole(call, folder):
    """The run that nobody interrupts."""
    start = time.monotonic()
    done = subprocess.run([*call, "-o", folder], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"{' '.join(call)}: {done.stderr}")
    return Whole(time.monotonic() - start)


def temporary_in(folder):
    """Whether a file is being written there."""
    try:
        return any(name.endswith(".tmp") for name in os.listdir(folder))
    except FileNotFoundError:
        return False


def kill_at(process, folder, seconds, in_writing):
    """Kills the process after so many seconds, or then as soon as it writes a file; whether it was writing, None: it had ended."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    while in_writing and process.poll() is None and not temporary_in(folder):
        pass
    if process.poll() is not None:
        return None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return temporary_in(folder)


def same_bytes(a, b):
    with open(a, "rb") as first, open(b, "rb") as second:
        return first.read() == second.read()


def kill_and_resume(call, folder, times, whole, seconds, draw):
    """Until the run was killed so many times, begun again wherever it is done before; `whole` is the folder of the one that nobody
    killed, `seconds` what it took.  Throws Failed where a run that is done has other bits."""
    kills = in_writing = runs = 0
    shutil.rmtree(folder, ignore_errors=True)
    while True:
        more = ["--resume"] if os.path.exists(os.path.join(folder, "checkpoint.safetensors")) else []
        # Checkpoints at drawn moments: every step, or now and then.
        more += ["--save-every", str(draw.choice([0, 0, seconds / 50, seconds / 10]))]
        process = subprocess.Popen([*call, "-o", folder, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL)
        runs += 1
        if kills < times:
            writing = kill_at(process, folder, draw.uniform(0, 0.5 * seconds), draw.random() < 0.5)
            if writing is not None:
                kills += 1
                in_writing += writing
                process.communicate()
                continue
        errors = process.communicate()[1]
        if process.returncode:
            raise Failed(f"{' '.join(call)}, after {kills} kills: {errors}")
        if not same_bytes(os.path.join(whole, "model.safetensors"), os.path.join(folder, "model.safetensors")):
            raise Failed(f"{' '.join(call)}, after {kills} kills: OTHER BITS than a run that never stopped")
        if kills >= times:
            return Killed(kills, in_writing, runs)
        shutil.rmtree(folder)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("recipes", nargs="+", metavar="RECIPE")
    parse.add_argument("--program", default="build/release/limpid")
    parse.add_argument("--data", help="the folder of the recipes' data")
    parse.add_argument("--steps", type=int, help="in place of the recipes' steps")
    parse.add_argument("--times", type=int, default=20, help="how often a run is killed")
    parse.add_argument("--seed", type=int, default=1)
    args = parse.parse_args()
    passed = failed = 0
    for each in args.recipes:
        recipe, _, folder = each.partition("=")
        call = [os.path.abspath(args.program), "train", recipe]
        if folder or args.data:
            call += ["--data", folder or args.data]
        if args.steps:
            call += ["--steps", str(args.steps)]
        with tempfile.TemporaryDirectory(prefix="limpid_killed_") as work:
            whole, killed = os.path.join(work, "whole"), os.path.join(work, "killed")
            try:
                seconds = run_whole(call, whole).seconds
                result = kill_and_resume(call, killed, args.times, whole, seconds, random.Random(f"{args.seed} {recipe}"))
                said = (f"{result.kills} kills, {result.in_writing} of them while a file was written, {result.runs} runs: "
                        f"the same bits ({seconds:.0f} s unbroken)")
                same = True
            except Failed as error:
                same, said = False, str(error)
        print(f"{'ok  ' if same else 'FAIL'}  {recipe}: {said}", flush=True)
        passed, failed = passed + same, failed + (not same)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
