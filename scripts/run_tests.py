#!/usr/bin/env python3
"""Runs the tests of a build folder: one line a program, then `N passed, N failed, N skipped`.

The programs are those CMake lists (ctest --show-only).  A gtest program counts case by case; a program
that dies counts as one failure on top of the cases it had finished.  Any other program (a script) is one
test: exit 0 passed, 77 skipped, anything else failed; or, where its last line is itself
`N passed, N failed[, N skipped]`, that many.

  scripts/run_tests.py build/dev
  scripts/run_tests.py build/dev --only kernels,engine --env LIMPID_ISA=avx2
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import subprocess
import sys
import time

TOTALS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
RESULT = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+\.\S+?)(?:, where .*)? \(\d+ ms\)$")
FAILED_BLOCK = re.compile(r"^\[ RUN      \] ", re.M)


class Outcome:
    def __init__(self, name):
        self.name, self.passed, self.failed, self.skipped = name, 0, 0, 0
        self.seconds, self.note, self.output = 0.0, "", ""


def listed_tests(build):
    shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True)
    if shown.returncode != 0:
        sys.exit(f"run_tests: {build} is not a build folder: {shown.stderr.strip()}")
    for test in json.loads(shown.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        yield test["name"], test.get("command"), properties


def run_one(name, command, properties, build, extra_env, timeout):
    out = Outcome(name)
    if not command or not os.path.exists(command[0]):
        out.failed, out.note = 1, "not built"
        return out
    gtest = "script" not in properties.get("LABELS", [])
    env = dict(os.environ, **dict(e.split("=", 1) for e in properties.get("ENVIRONMENT", [])), **extra_env)
    start = time.monotonic()
    try:
        done = subprocess.run(command, cwd=properties.get("WORKING_DIRECTORY", build), env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace", timeout=properties.get("TIMEOUT", timeout))
        code, out.output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code = None
        out.output = (late.stdout or b"").decode(errors="replace")
    out.seconds = time.monotonic() - start
    (count_gtest if gtest else count_script)(out, code)
    if code is None:
        out.note = f"stopped after {out.seconds:.0f} s"
    elif code < 0:
        out.note = f"died of signal {-code}"
    elif out.failed:
        out.note = f"exit status {code}"
    return out


def count_gtest(out, code):
    results = [m.group(1) for m in map(RESULT.match, out.output.splitlines()) if m]
    out.passed, out.skipped = results.count("OK"), results.count("SKIPPED")
    out.failed = results.count("FAILED")
    # A program that died, or that said nothing, must never look like one that passed.
    if code != 0 and not out.failed or code is None or code < 0 or not results:
        out.failed += 1


def count_script(out, code):
    lines = out.output.strip().splitlines()
    totals = TOTALS.match(lines[-1]) if lines else None
    if code is None or code < 0:
        out.failed = 1
    elif totals:
        out.passed, out.failed, out.skipped = (int(n or 0) for n in totals.groups())
        if code != 0 and not out.failed:
            out.failed = 1
    elif code == 77:
        out.skipped = 1
    elif code == 0:
        out.passed = 1
    else:
        out.failed = 1


def failing_part(output):
    """The output of the failing cases alone; the last lines where that cannot be told."""
    parts = []
    for part in FAILED_BLOCK.split(output)[1:]:
        name = part.split("\n", 1)[0]
        if f"\n[  FAILED  ] {name}" in part:
            parts.append(part.split(f"\n[  FAILED  ] {name}")[0] + "\n")
    text = "".join(parts) if parts else output
    lines = text.rstrip().splitlines()
    return ["..."] * (len(lines) > 80) + lines[-80:]


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("build")
    parse.add_argument("--only", default="", help="run only these: NAME,NAME (test_ may be left out, * stands for anything)")
    parse.add_argument("--skip", default="", help="leave these out")
    parse.add_argument("--env", action="append", default=[], help="NAME=VALUE for every program")
    parse.add_argument("--jobs", type=int, default=os.cpu_count())
    parse.add_argument("--timeout", type=float, default=600, help="seconds a program may take")
    args = parse.parse_args()
    only, skip = [[w for w in text.split(",") if w] for text in (args.only, args.skip)]

    def named(test, names):
        return any(fnmatch.fnmatch(test[0], n) or fnmatch.fnmatch(test[0], "test_" + n) for n in names)

    extra_env = dict(e.split("=", 1) for e in args.env)

    tests = [t for t in listed_tests(args.build)
             if (not only or named(t, only)) and not named(t, skip)]
    if not tests:
        sys.exit(f"run_tests: no test in {args.build} matches")
    tests.sort(key=lambda t: -float(t[2].get("COST", 0)))  # the longest first: none is left to run by itself at the end
    alone = [t for t in tests if t[2].get("RUN_SERIAL")]
    logs = os.path.join(args.build, "test-logs")
    os.makedirs(logs, exist_ok=True)
    width = max(len(t[0]) for t in tests)
    outcomes = []

    def report(out):
        outcomes.append(out)
        with open(os.path.join(logs, out.name + ".log"), "w") as log:
            log.write(out.output)
        note = f"   ({out.note})" if out.note else ""
        print(f"{'FAIL' if out.failed else 'ok':4}  {out.name:{width}}  {out.passed:4} passed"
              f" {out.failed:3} failed {out.skipped:3} skipped {out.seconds:7.1f} s{note}", flush=True)
        if out.failed:
            print("\n".join("      | " + line for line in failing_part(out.output)), flush=True)

    def one(test):
        return run_one(*test, args.build, extra_env, args.timeout)

    with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, t) for t in tests if t not in alone]):
            report(done.result())
    for test in alone:
        report(one(test))

    failed = sum(o.failed for o in outcomes)
    print(f"{sum(o.passed for o in outcomes)} passed, {failed} failed, {sum(o.skipped for o in outcomes)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
