#!/usr/bin/env python3
"""Holds scripts/run_tests.py to its promise: nothing that failed, died, hung or said nothing looks passed."""
import importlib.util
import pathlib
import sys

path = pathlib.Path(__file__).parent.parent / "scripts/run_tests.py"
spec = importlib.util.spec_from_file_location("run_tests", path)
run_tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_tests)

GOOD = "[ RUN      ] A.b\n[       OK ] A.b (0 ms)\n"
BAD = "[ RUN      ] A.c\nx.cpp:1: Failure\n[  FAILED  ] A.c (1 ms)\n"
SKIP = "[ RUN      ] A.d\nno data\n[  SKIPPED ] A.d (0 ms)\n"
PARAMETER = "[ RUN      ] All/P.e/0\n[  FAILED  ] All/P.e/0, where GetParam() = 4 (2 ms)\n"
SUMMARY = "[  FAILED  ] 1 test, listed below:\n[  FAILED  ] A.c\n"

CASES = [
    # what is run (a shell command's output and end), is it gtest, passed, failed, skipped
    ("cases of each sort", GOOD + BAD + SKIP + SUMMARY, 1, True, (1, 1, 1)),
    ("a parameterised failure", GOOD + PARAMETER, 1, True, (1, 1, 0)),
    ("all good", GOOD + GOOD, 0, True, (2, 0, 0)),
    ("a crash after one case", GOOD + "[ RUN      ] A.c\n", -11, True, (1, 1, 0)),
    ("a crash after all cases", GOOD, -6, True, (1, 1, 0)),
    ("an exit status without a failing case", GOOD, 1, True, (1, 1, 0)),
    ("silence", "", 0, True, (0, 1, 0)),
    ("a script that passes", "hello\n", 0, False, (1, 0, 0)),
    ("a script that fails", "hello\n", 1, False, (0, 1, 0)),
    ("a script that skips", "no data\n", 77, False, (0, 0, 1)),
    ("a script that counts", "3 passed, 0 failed, 2 skipped\n", 0, False, (3, 0, 2)),
    ("a script that counts and then fails", "3 passed, 0 failed\n", 1, False, (3, 1, 0)),
    ("a script that dies", "3 passed, 0 failed\n", -9, False, (0, 1, 0)),
]


def run(output, end, gtest, timeout=20):
    finish = f"kill -{-end} $$" if end < 0 else f"exit {end}"
    command = ["/bin/bash", "-c", f"printf %s \"$1\"; {finish}", "bash", output]
    properties = {} if gtest else {"LABELS": ["script"]}
    out = run_tests.run_one("t", command, properties, ".", {}, timeout)
    return out.passed, out.failed, out.skipped


def main():
    wrong = 0
    for what, output, end, gtest, expected in CASES:
        got = run(output, end, gtest)
        if got != expected:
            print(f"{what}: counted {got}, expected {expected}")
            wrong += 1
    late = run_tests.run_one("t", ["/bin/sleep", "9"], {}, ".", {}, 0.2)
    missing = run_tests.run_one("t", ["/nonexistent/program"], {}, ".", {}, 5)
    for what, out in (("one that hangs", late), ("one that was not built", missing)):
        if out.failed != 1:
            print(f"{what}: not counted as failed")
            wrong += 1
    print(f"{len(CASES) + 2 - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
