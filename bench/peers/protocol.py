"""How a peer of `limpid bench` answers: lines of JSON, as bench/measure/peer.h says."""
import json
import os
import resource
import sys
import time


def instruction_set():
    """The best set of this processor, in limpid's words: what a library that chooses for itself runs on."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = set(next((line for line in file if line.startswith(("flags", "Features"))), "").split())
    except OSError:
        return ""
    return "avx512" if "avx512bw" in flags else "avx2" if "avx2" in flags else "neon" if "asimd" in flags else "plain"


class Case:
    """A question: what, shape, type, mask, layout, threads; the sizes by letter (B, T, S, H, G, D, ...)."""

    def __init__(self, question):
        for key in ("what", "shape", "type", "mask", "layout", "threads", "isa"):
            setattr(self, key, question[key])
        for letter, size in question["sizes"].items():
            setattr(self, letter, size)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def serve(name, version, prepare, isa=None):
    """Answers until the input ends.  prepare(case) gives a function that makes one call, or None where there is nothing
    of the kind here."""
    answers = os.fdopen(os.dup(1), "w")  # a library that prints must not answer
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    say({"peer": name, "version": version, "isa": isa or instruction_set()})
    prepared = {}
    for line in sys.stdin:
        try:
            question = json.loads(line)
            if "prepare" in question:
                run = prepare(Case(question))
                prepared[question["prepare"]] = run
                say({"ready": run is not None})
            elif "run" in question:
                run = prepared[question["run"]]
                calls = range(question["calls"])
                start = time.perf_counter()
                for _ in calls:
                    run()
                say({"seconds": time.perf_counter() - start})
            else:
                say({"peak_bytes": peak_bytes()})
        except Exception as error:  # the other side must hear of it, whatever it is
            say({"error": f"{type(error).__name__}: {error}"})
