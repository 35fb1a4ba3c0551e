#!/usr/bin/env python3
"""Doxygen's INPUT_FILTER: the headers' plain comments as Doxygen wants them, line for line.

The headers are written for readers of headers.  The block at the top of a file becomes the description of its page,
and a comment behind a declaration that declaration's.  Nothing else changes.
"""
import re
import sys

TRAILING = re.compile(r"^(?P<code>\s*[^\s/].*?[;,{})\w]\s*)  ?//(?!/) (?P<text>(?!NOLINT|clang-format|namespace).*)$")
CONTINUED = re.compile(r"^(?P<indent>\s{8,})// (?P<text>.*)$")


def escaped(text):
    """What Doxygen would take for a command, a tag or a link."""
    return re.sub(r"([@\\<>#])", r"\\\1", text)


def top_block(lines):
    """The first comment, as a block about the file; an example stays a block of code."""
    end = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    out = []
    for i, line in enumerate(lines[:end]):
        text = line[3:]
        if not text.startswith("  "):
            text = escaped(text)
        else:
            text = "  " + text  # an indentation of four is code
        out.append(f"/// {text}".rstrip())
    if out:
        out[0] = f"/// @file\n/// {escaped(lines[0][3:])}"
        end += lines[end:end + 1] == ["#pragma once"]  # one line more, one less: a warning names the right one
    return out, lines[end:]


def filtered(source):
    out, rest = top_block(source.splitlines())
    behind = False  # whether the line before ended in a comment that went to Doxygen
    for line in rest:
        if line.lstrip().startswith("///"):
            at = line.index("///") + 3
            line, behind = line[:at] + escaped(line[at:]), False
        elif match := TRAILING.match(line):
            line, behind = f"{match['code']} ///< {escaped(match['text'])}", True
        elif behind and (match := CONTINUED.match(line)):
            line = f"{match['indent']}///< {escaped(match['text'])}"
        else:
            behind = False
        out.append(line)
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(filtered(file.read()), end="")
