#!/usr/bin/env python3
"""The program as it was linked: its addresses differ from run to run, what the loader fills in cannot be written later,
nothing on the stack is run, and overruns that the compiler can see end the program.  Read off the file by readelf.

  tests/hardened_test.py build/dev/limpid
"""
import re
import shutil
import subprocess
import sys

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/dev/limpid"


def readelf(*options):
    return subprocess.run(["readelf", "-W", *options, PROGRAM], capture_output=True, text=True, check=True).stdout


def main():
    with open(PROGRAM, "rb") as file:
        content = file.read()
    if not content.startswith(b"\x7fELF") or not shutil.which("readelf"):
        print("skipped: no ELF program, or no readelf to read it with")
        return 77
    if b"__asan_init" in content or b"__tsan_init" in content:
        print("skipped: a build with sanitizers checks more, and is not hardened")
        return 77
    header, segments, dynamic, symbols = readelf("-h"), readelf("-l"), readelf("-d"), readelf("--dyn-syms")
    stack = re.search(r"GNU_STACK.*", segments)
    wanted = {
        "PIE": re.search(r"Type:\s+DYN", header) and "INTERP" in segments and re.search(r"FLAGS_1.*PIE", dynamic),
        "RELRO": "GNU_RELRO" in segments,
        "full RELRO (bound at start)": re.search(r"FLAGS.*BIND_NOW|FLAGS_1.*NOW", dynamic),
        "a stack that is not run": stack and not re.search(r"\bRWE\b", stack.group()),
        "the stack protector": "__stack_chk_fail" in symbols,
        "_FORTIFY_SOURCE": re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols),
    }
    missing = [name for name, there in wanted.items() if not there]
    for name in missing:
        print(f"FAIL  {PROGRAM} has not: {name}")
    print(f"{len(wanted) - len(missing)} passed, {len(missing)} failed")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
