#!/usr/bin/env python3
"""Figures as files: what each format promises, read back with nothing but Python's own library.

  tests/formats_test.py PROGRAM

Every number that a .pptx, .drawio or .svg shows names the cell of the trace that it is; here each is read from the
trace again and written again.  With a trace whose numbers were moved about that must fail.
"""
import pathlib
import re
import struct
import sys
import tempfile
import xml.etree.ElementTree as ET

from figure_files import (A, HOSTILE, Trace, check, drawio_faults, drawio_labels, drawio_models, number_faults, pptx_faults,
                          pptx_labels, results, run, svg_labels)


def numbers_are_the_traces(work, trace_file, figures):
    trace = Trace(trace_file)
    moved, total = trace.shuffled(), 0
    for figure in figures:
        for ending, labels in (("svg", svg_labels), ("drawio", drawio_labels), ("pptx", pptx_labels)):
            if figure == "slides" and ending == "svg":
                continue  # one page a file
            path = work / f"{figure}.{ending}"
            run("draw", figure, str(trace_file), "-o", str(path))
            found = labels(path)
            faults, seen = number_faults(found, trace)
            total += seen
            check(f"{figure}.{ending}: {seen} numbers are the trace's", faults)
            if seen:
                wrong, _ = number_faults(found, moved)
                check(f"{figure}.{ending}: a trace whose numbers were moved is noticed",
                      [] if len(wrong) > seen / 3 else [f"only {len(wrong)} of {seen} differ"])
    check("some figure shows numbers", [] if total > 100 else [f"{total} numbers in all"])


def structures_hold(work, names):
    for name in names:
        check(f"{name}.pptx keeps the package's rules", pptx_faults(work / f"{name}.pptx"))
        models = drawio_models(work / f"{name}.drawio")
        check(f"{name}.drawio: every edge has its ends", [f for model in models for f in drawio_faults(model)])


def hostile_labels(work):
    """Words that a format could take for its own."""
    shown = ["<&\">]]>", "\U0001F469\u200D\U0001F4BB", "\u05e9\u05dc\u05d5\u05dd", "e\u0301\u0323o\u0308", "\u4e2d\u6587\u5b57"]
    base = work / "hostile"
    texts = {}
    for ending in ("svg", "drawio", "pptx", "mmd", "dot", "txt", "md"):
        path = base.with_suffix("." + ending)
        run("draw", "--network", "textbook", "--text", " ".join(HOSTILE[:6]), "-o", str(path))
        texts[ending] = path.read_bytes()
    labels = {"svg": svg_labels(base.with_suffix(".svg")), "drawio": drawio_labels(base.with_suffix(".drawio")),
              "pptx": pptx_labels(base.with_suffix(".pptx"))}
    for ending, found in labels.items():
        words = "\n".join(text for text, _, _ in found)
        check(f"hostile.{ending}", [f"{word!r} is not there" for word in shown if word not in words])
    mermaid, dot = texts["mmd"].decode(), texts["dot"].decode()
    check("hostile.mmd", [line for line in mermaid.splitlines() if line.count('"') % 2 and "accDescr" not in line]
          + ([] if "#lt;#amp;#quot;#gt;#93;#93;#gt;" in mermaid else ["<&\"> is not there"]))
    check("hostile.dot", [] if '<&amp;\\">]]>' in dot else ["<&\"> is not there"])
    check("hostile.txt", [w for w in shown if w not in texts["txt"].decode()])
    for ending, content in texts.items():
        if ending != "pptx":
            check(f"hostile.{ending}: no control characters",
                  re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", content.decode()))
    path = work / "long.pptx"
    run("draw", "--network", "textbook", "--text", "a " + HOSTILE[6], "-o", str(path))
    check("a word of 300 letters", pptx_faults(path) + [t for t, _, _ in pptx_labels(path) if len(t) > 100])


def same_bytes(work):
    for ending in ("svg", "png", "pdf", "drawio", "pptx", "mmd", "dot", "txt", "md", "tex", "tikz"):
        try:
            first, second = (run("draw", "--network", "textbook", "--text", "Life is short", "--format", ending, "-o", "-")
                             for _ in range(2))
        except RuntimeError as error:
            if "librsvg" not in str(error):
                raise
            results["skipped"] += 1
            print(f"skipped: .{ending}: no librsvg here")
            continue
        check(f"the same call gives the same .{ending}", [] if first == second else ["they differ"])
        if ending == "png":
            width, height = struct.unpack(">II", first[16:24])
            check(".png is two pixels a unit", [] if first[:8] == b"\x89PNG\r\n\x1a\n" and width > 1500 and width % 2 == 0
                  else [f"{first[:8]} {width}x{height}"])
        if ending == "pdf":
            dates = re.findall(rb"/(?:Creation|Mod)Date \(([^)]*)\)", first)
            check(".pdf has a fixed date", [] if dates and all(d.removeprefix(b"D:").startswith(b"19800101") for d in dates) else [dates])


def drawio_compressed(work):
    """The form of older programs holds the same models."""
    for figure in (["network", "--network", "textbook"], ["slides", "--network", "textbook"]):
        plain, packed = work / "plain.drawio", work / "packed.drawio"
        run("draw", *figure, "-o", str(plain))
        run("draw", *figure, "--compress", "-o", str(packed))
        one, other = ([ET.tostring(model) for model in drawio_models(path)] for path in (plain, packed))
        check(f"{figure[0]}.drawio compressed holds the same", [] if one == other and one else ["they differ"])
        check(f"{figure[0]}.drawio compressed is smaller", [] if packed.stat().st_size < plain.stat().st_size / 2
              and b"mxGraphModel" not in packed.read_bytes() else [f"{packed.stat().st_size} of {plain.stat().st_size} bytes"])
        check(f"{figure[0]}.drawio compressed: every edge has its ends",
              [f for model in drawio_models(packed) for f in drawio_faults(model)])


def other_endings(work):
    dot, gv = work / "net.dot", work / "net.gv"
    for path in (dot, gv):
        run("draw", "--network", "textbook", "-o", str(path))
    check(".gv is .dot", [] if dot.read_bytes() == gv.read_bytes()
          == run("draw", "--network", "textbook", "-o", "-", "--format", "gv") else ["they differ"])


def arrows_between_numbers(work):
    """A token's way as structure: from its query to each key, from each value to the output, with the weights."""
    way = ["draw", "token", "--network", "textbook", "--text", "Life is short", "-o", "-", "--format"]
    dot, mermaid = (run(*way, ending).decode() for ending in ("dot", "mmd"))
    weights = re.findall(r'-> n\d+ \[.*label="(\d\.\d\d)", tooltip="[^"]*pattern\[', dot)
    check("token.dot: three keys and three values", [] if len(weights) == 6 and weights[::2] == weights[1::2] else [weights])
    check("token.mmd has the same arrows", [] if len(re.findall(r"^  n\d+ -->", mermaid, re.M)) == 6 else [mermaid])


def prose_is_wrapped(work):
    """Lines of about a hundred columns, and none of them begins as Markdown's own would."""
    for figure in ("network", "slides"):
        lines = run("draw", figure, "--network", "textbook", "--add-norm", "--heads", "2", "-o", "-", "--format", "md").decode().splitlines()
        check(f"{figure}.md in lines", [line for line in lines if len(line) > 100])
        goes_on = [line for line in lines if line.startswith("  ")]
        check(f"{figure}.md goes on under its step", [line for line in goes_on if re.match(r" +([-+=]|\d+[.)] )", line)]
              + ([] if goes_on else ["no line goes on"]))
    text = "Life " + "- 1. + = " * 30
    page = run("draw", "--network", "textbook", "--text", text, "-o", "-", "--format", "md").decode()
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", page, re.M)]
    check("hostile.md in lines", re.findall(r"^ *[-+=] .*", page, re.M)
          + ([] if steps == list(range(1, len(steps) + 1)) and len(steps) > 5 else [str(steps)]))


def letters_are_readable(work):
    numbers = run("draw", "matrices", "--network", "textbook", "--text", "Life is short", "-o", "-", "--format", "txt").decode()
    products = [line for line in numbers.splitlines() if " × " in line and " = " in line][:3]  # of queries, keys and values
    check("matrices as letters have no gaps", [line for line in products if re.search(r"\d  ", line) and "<" not in line]  # a column with <0.01 is wider
          + ([] if len(products) == 3 else [f"{len(products)} products"]))
    way = run("draw", "token", "--network", "textbook", "--text", "Life is short", "-o", "-", "--format", "txt").decode()
    check("a token's way as letters: each key in one line",
          [f"{word}: no line of it" for word in ("Life", "is", "short")
           if not re.search(rf"{word} +\d\.\d\d \d\.\d\d \d\.\d\d \d\.\d\d +\d\.\d\d +\d\.\d\d +\d\.\d\d ", way)])
    for network, options in (("textbook", []), ("textbook", ["--add-norm", "--heads", "2"])):
        page = run("draw", "--network", network, "--text", "Life is short", *options, "--format", "txt", "-o", "-").decode()
        check(f"{network} {options} as letters", [line for line in page.splitlines() if len(line) > 80]
              + [f"no {word}" for word in ("Transform (Q)", "Softmax", "Weighted", "\u2502", "\u25bc") if word not in page])


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        trace_file = work / "life.safetensors"
        run("trace", "Life is short", "--network", "textbook", "--heads", "2", "--add-norm", "--params", "-o", str(trace_file))
        numbers_are_the_traces(work, trace_file, ["network", "attention", "token", "matrices"])
        structures_hold(work, ["network", "attention", "token", "matrices"])
        deck = work / "deck.safetensors"
        run("trace", "Life is short", "--params", "-o", str(deck))
        numbers_are_the_traces(work, deck, ["slides"])
        structures_hold(work, ["slides"])
        hostile_labels(work)
        same_bytes(work)
        drawio_compressed(work)
        other_endings(work)
        arrows_between_numbers(work)
        prose_is_wrapped(work)
        letters_are_readable(work)
    print(f"{results['passed']} passed, {results['failed']} failed" + (f", {results['skipped']} skipped" if results["skipped"] else ""))
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
