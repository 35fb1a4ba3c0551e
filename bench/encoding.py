#!/usr/bin/env python3
"""Encoding speed against Hugging Face's tokenizers on the same text: best of interleaved rounds, one thread.

  bench/encoding.py build/release/limpid TOKENIZER_FOLDER [--text FILE] [--megabytes 8] [--rounds 5]

Prints one line a tokenizer: MB/s of both, and whether the tokens are equal.  Without the `tokenizers` package
(pip install tokenizers) it says so and exits with 77.  limpid's time is that of `limpid tokens --ids`, which writes the ids
too, less that of the same call with an empty text (starting, reading the tokenizer); the peer's is that of encode() alone,
of the whole text and of parts of 64 kB, which suit it better.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

WORDS = ("the of and to in is that it was for on are as with his they at be this from have or by one had not but what all "
         "were when we there can an your which their said if do will each about how up out them then she many some so "
         "these would other into has more her two like him see time could no make than first been its who now people my "
         "made over did down only way find use may water long little very after words called just where most know "
         "naïve café 日本語 Москва 12345 3.14 don't we'll").split()


def sample(size):
    drawn, parts, length = random.Random(7), [], 0
    while length < size:
        sentence = " ".join(drawn.choice(WORDS) for _ in range(drawn.randrange(4, 24))).capitalize() + drawn.choice(".?!,;") + drawn.choice(" \n")
        parts.append(sentence)
        length += len(sentence.encode())
    return "".join(parts).rstrip()


def parts_of(text, size=1 << 16):
    """The text's lines, together as long as that."""
    parts, lines, length = [], [], 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        length += len(line)
        if length >= size:
            parts.append("".join(lines))
            lines, length = [], 0
    return parts + ["".join(lines)]


def seconds(command, text):
    start = time.perf_counter()
    out = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return time.perf_counter() - start, out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--text")
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    call = parser.parse_args()
    try:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        import tokenizers
    except ImportError:
        print("bench/encoding.py: the package `tokenizers` is not installed: skipped")
        return 77
    text = pathlib.Path(call.text).read_text().rstrip() if call.text else sample(int(call.megabytes * 1e6))
    size = len(text.encode()) / 1e6
    for folder in call.folders:
        peer = tokenizers.Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
        peer.no_truncation()
        peer.no_padding()
        command = [call.program, "tokens", "--ids", "--tokenizer", folder]
        ours, theirs, by_parts = [], [], []
        for _ in range(call.rounds):
            nothing, _ = seconds(command, "\n")
            whole, out = seconds(command, text)
            ours.append(whole - nothing)
            start = time.perf_counter()
            wanted = peer.encode(text, add_special_tokens=False).ids
            theirs.append(time.perf_counter() - start)
            start = time.perf_counter()
            for part in parts_of(text):
                peer.encode(part, add_special_tokens=False).ids
            by_parts.append(time.perf_counter() - start)
        same = [int(x) for x in out.split()] == wanted
        print(f"{pathlib.Path(folder).name:20} limpid {size / min(ours):7.2f} MB/s   tokenizers {tokenizers.__version__} "
              f"{size / min(theirs):6.2f} MB/s, in parts {size / min(by_parts):6.2f}   {'same tokens' if same else 'OTHER TOKENS'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
