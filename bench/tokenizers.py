#!/usr/bin/env python3
"""Encoding speed against Hugging Face's tokenizers on the same text: best of interleaved rounds, one thread.

  bench/tokenizers.py build/release/limpid TOKENIZER_FOLDER [--text FILE] [--megabytes 8] [--rounds 5]

Prints one line a tokenizer: MB/s of both, and whether the tokens are equal.  Without the `tokenizers` package
(pip install tokenizers) it says so and exits with 77.  limpid's time is that of `limpid tokens --ids`, less that of the
same call with an empty text (starting, reading the tokenizer); the peer's is that of encode() alone.
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
        print("bench/tokenizers.py: the package `tokenizers` is not installed: skipped")
        return 77
    text = pathlib.Path(call.text).read_text() if call.text else sample(int(call.megabytes * 1e6))
    size = len(text.encode()) / 1e6
    for folder in call.folders:
        peer = tokenizers.Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
        peer.no_truncation()
        peer.no_padding()
        command = [call.program, "tokens", "--ids", "--tokenizer", folder]
        ours, theirs = [], []
        for _ in range(call.rounds):
            nothing, _ = seconds(command, "\n")
            whole, out = seconds(command, text)
            ours.append(whole - nothing)
            start = time.perf_counter()
            wanted = peer.encode(text, add_special_tokens=False).ids
            theirs.append(time.perf_counter() - start)
        same = [int(x) for x in out.split()] == wanted
        print(f"{pathlib.Path(folder).name:20} limpid {size / min(ours):7.2f} MB/s   tokenizers {tokenizers.__version__} "
              f"{size / min(theirs):7.2f} MB/s   {'same tokens' if same else 'OTHER TOKENS'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
