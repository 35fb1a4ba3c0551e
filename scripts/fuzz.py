#!/usr/bin/env python3
"""Runs the fuzz targets of build/fuzz, two at a time, each for some seconds from its seeds; then `N passed, N failed`.

  scripts/build.sh fuzz && scripts/fuzz.py                 a minute each
  scripts/fuzz.py --seconds 600 trace csv                  these two, longer

What a target finds is left in build/fuzz/findings/TARGET-..., to be run again: build/fuzz/fuzz_TARGET FILE.  What it
learns (inputs that reach new code) is kept in build/fuzz/corpus/TARGET.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD, SOURCE = ROOT / "build/fuzz", ROOT / "tests/fuzz"
JSON = {"json", "tokenizer", "graph", "trace", "model", "recipe", "safetensors"}  # whose words are json.dict


def run(target, seconds):
    name = target.name.removeprefix("fuzz_")
    learnt, findings = BUILD / "corpus" / name, BUILD / "findings"
    for folder in (learnt, findings):
        folder.mkdir(parents=True, exist_ok=True)
    words = SOURCE / ("json.dict" if name in JSON else f"{name}.dict")
    seeds = SOURCE / "seeds" / name
    command = [target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2560", "-max_len=65536",
               "-print_final_stats=1", f"-artifact_prefix={findings}/{name}-", learnt]
    command += [f"-dict={words}"] if words.exists() else []
    command += [seeds] if seeds.exists() else []
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    runs = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    found = done.returncode != 0
    print(f"{'FAIL' if found else 'ok':5} {name:12} {int(runs.group(1)) if runs else 0:9} runs"
          f"{time.monotonic() - start:6.0f} s", flush=True)
    if found:
        print(done.stderr[-6000:], flush=True)
    return not found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", help="safetensors, trace, ...; all of them when none is given")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=2)
    call = parser.parse_args()
    names = call.targets or sorted(p.name.removesuffix("_fuzz.cpp") for p in SOURCE.glob("*_fuzz.cpp"))
    targets = [BUILD / f"fuzz_{name}" for name in names]
    missing = [t.name for t in targets if not t.exists()]
    if missing:
        sys.exit(f"fuzz: not built: {', '.join(missing)}; scripts/build.sh fuzz builds all that there are")
    with concurrent.futures.ThreadPoolExecutor(call.at_once) as pool:
        results = list(pool.map(lambda target: run(target, call.seconds), targets))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
