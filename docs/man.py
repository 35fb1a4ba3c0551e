#!/usr/bin/env python3
"""limpid.1, the manual page, made of the command's own help: man.py PROGRAM [-o FILE].

The commands are those that the first page of the help names; each has a section with its options.  So the page cannot
know less than --help does, or something else.
"""
import argparse
import os
import re
import subprocess
import sys
import time

NAME = re.compile(r"^  (?P<option>-{1,2}\S.*?|[A-Z][A-Z_]*)(?:\s{2,}(?P<text>\S.*))?$")
MORE = re.compile(r"^ {12,}(?P<text>\S.*)$")


def asked(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "COLUMNS": "80", "TERM": "dumb"})
    return done.stdout


def roff(text):
    """Text in which nothing is a request or an escape, and a hyphen is the one that is typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def options_as_roff(lines):
    """The lines of a group of options: a tagged paragraph each."""
    tag, text = None, []

    def flush():
        if tag is not None:
            yield ".TP"
            yield f"\\fB{roff(tag)}\\fR"
            yield roff(" ".join(text)) if text else "\\&"

    for line in lines:
        if match := NAME.match(line):
            yield from flush()
            tag, text = match["option"].strip(), [match["text"]] if match["text"] else []
        elif (match := MORE.match(line)) and tag is not None:
            text.append(match["text"])
    yield from flush()


def as_written(lines):
    yield ".nf"
    for line in lines:
        yield roff(line) if line.strip() else "\\&"
    yield ".fi"


def paragraphs(text):
    """The help in parts: (heading or "", lines)."""
    heading, lines = "", []
    for line in text.splitlines() + [""]:
        if line.strip():
            lines.append(line)
        elif lines:
            if re.match(r"^\S.*:$", lines[0]):
                heading, lines = lines[0][:-1], lines[1:]
            yield heading, lines
            heading, lines = "", []


def command_as_roff(program, name):
    text = asked(program, name, "--help")
    yield f".SS {roff(name)}"
    for heading, lines in paragraphs(text):
        if not heading and lines[-1].startswith("  limpid "):  # the description and how it is called
            yield roff(" ".join(lines[:-1]))
            yield ".PP"
            yield f"\\fB{roff(lines[-1].strip())}\\fR"
        elif heading and any(re.match(r"^  -", line) for line in lines) or heading == "Positionals":
            yield ".PP"
            yield f"\\fI{roff(heading)}\\fR"
            yield from options_as_roff(lines)
        else:
            yield ".PP"
            if heading:
                yield f"\\fI{roff(heading)}\\fR"
            yield from as_written(lines)


def page(program):
    overview = asked(program, "--help")
    version = asked(program, "--version").split(",")[0].strip()
    names = list(dict.fromkeys(re.findall(r"^  limpid ([a-z]+)", overview, flags=re.M)))
    common = re.search(r"^Options of every command:\n((?:  .*\n)+)", overview, flags=re.M)[1].splitlines()
    rest = overview[overview.index("Options of every command:"):].split("\n\n", 1)[1].strip().splitlines()
    made = os.environ.get("SOURCE_DATE_EPOCH")
    day = time.strftime("%Y-%m-%d", time.gmtime(int(made) if made else None))
    yield f'.TH LIMPID 1 "{day}" "{roff(version)}" "User Commands"'
    yield ".SH NAME"
    yield "limpid \\- attention you can see, at full speed"
    yield ".SH SYNOPSIS"
    yield "\\fBlimpid\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]"
    yield ".SH DESCRIPTION"
    for line in rest:
        yield roff(line)
    yield ".SH OPTIONS"
    yield from options_as_roff(common)
    yield ".SH COMMANDS"
    for name in names:
        yield from command_as_roff(program, name)
    yield ".SH ENVIRONMENT"
    for name, text in (("OMP_NUM_THREADS", "As --threads."), ("NO_COLOR", "If set, no colours."),
                       ("COLUMNS", "How wide the page is."),
                       ("LIMPID_ISA", "The instruction set of the kernels: avx512, avx2, neon, plain.")):
        yield ".TP"
        yield f"\\fB{name}\\fR"
        yield roff(text)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("program")
    parse.add_argument("-o", metavar="FILE", help="standard output without it")
    args = parse.parse_args()
    text = "\n".join(page(args.program)) + "\n"
    if args.o:
        with open(args.o, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
