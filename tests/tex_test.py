#!/usr/bin/env python3
"""Figures as TikZ, read back: numbers are the trace's, labels of any letters, names are TikZ's.

  tests/tex_test.py PROGRAM
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import figure_files as files
from figure_files import Trace, check, number_faults, results, run

NODE = re.compile(r"^  \\node\[[^\n]*?\] (?:\([^)]*\) )?at \([^)]*\) \{(.*)\}; % (source|kind) (.*)$", re.M)


def plain(text):
    """A node's text as it reads: enough for numbers."""
    return text.replace("$-$", "-").replace("{}", "").replace("\\symbol{34}", '"')


def labels(text):
    return [(plain(words), rest if kind == "source" else "", "" if kind == "source" else rest)
            for words, kind, rest in NODE.findall(text) if words]


def structure_faults(text):
    """Braces close, names are unique and what edges name is there, colours are defined."""
    faults = []
    unescaped = re.sub(r"\\[{}\\]", "", re.sub(r"%.*", "", text.replace("\\%", "")))
    if unescaped.count("{") != unescaped.count("}"):
        faults.append(f"{unescaped.count('{')} braces open, {unescaped.count('}')} close")
    for picture in re.findall(r"\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}", text, re.S):
        names = re.findall(r"^  \\node\[[^\n]*?\] \(([A-Za-z0-9-]+)\) at", picture, re.M)
        if len(set(names)) != len(names):
            faults.append("two nodes of one name")
        used = set(re.findall(r"(?:\(|\])([A-Za-z0-9-]+)\.(?:north|south|east|west)\)", picture))
        faults += [f"an edge at {name}, which is not there" for name in used - set(names)]
    defined = set(re.findall(r"\\definecolor\{([^}]+)\}\{HTML\}\{[0-9A-F]{6}\}", text))
    faults += [f"colour {name} is not defined" for name in set(re.findall(r"limpid-[a-z0-9-]+", text)) - defined]
    return faults + ([] if "\\begin{tikzpicture}" in text else ["no picture"])


def compiled(path):
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name], cwd=path.parent,
                          capture_output=True, text=True, errors="replace")
    return [] if done.returncode == 0 else re.findall(r"^!.*", done.stdout, re.M) or [done.stdout[-300:]]


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        trace_file = work / "life.safetensors"
        run("trace", "Life is short", "--network", "textbook", "--heads", "2", "--add-norm", "--params", "-o", str(trace_file))
        trace = Trace(trace_file)
        for figure in (["network"], ["attention"], ["token"], ["matrices"], ["heads", "--head", "1"]):
            text = run("draw", figure[0], str(trace_file), *figure[1:], "-o", "-", "--format", "tikz").decode()
            faults, seen = number_faults(labels(text), trace)
            check(f"{figure[0]}.tikz: {seen} numbers are the trace's", faults)
            check(f"{figure[0]}.tikz: structure", structure_faults(text))
            if seen:
                wrong, _ = number_faults(labels(text), trace.shuffled())
                check(f"{figure[0]}.tikz: a trace whose numbers were moved is noticed",
                      [] if len(wrong) > seen / 3 else [f"only {len(wrong)} of {seen} differ"])
        deck = work / "deck.tex"
        run("draw", "slides", "--text", "Life is short", "-o", str(deck))
        check("slides.tex", structure_faults(deck.read_text())
              + ([] if deck.read_text().startswith("% Made by limpid") and "\\documentclass[tikz]{standalone}" in deck.read_text()
                 else ["no document"]))
        hostile = work / "hostile.tex"
        words = files.HOSTILE[:6] + ["\\end{document}", "$#%_^~&{}", "--,,``''"]
        run("draw", "--network", "textbook", "--text", " ".join(words), "-o", str(hostile))
        text = hostile.read_text()
        check("hostile.tex", structure_faults(text) + [w for w in ("\u4e2d", "\u05e9") if w not in text]
              + re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
              + ([] if text.count("\\end{document}") - len(re.findall(r"^%.*\\end\{document\}", text, re.M)) == 1
                 else ["a word ends the document"]))
        if not shutil.which("pdflatex"):
            results["skipped"] += 1
            print("skipped: compiling: no pdflatex; scripts/install-deps.sh tex")
        else:
            alone = work / "alone.tikz"
            run("draw", "matrices", str(trace_file), "-o", str(alone))
            document = work / "document.tex"
            document.write_text("\\documentclass[twocolumn]{article}\\usepackage[T1]{fontenc}\\usepackage{tikz}\\begin{document}"
                                "\\resizebox{\\columnwidth}{!}{\\input{alone.tikz}}\\end{document}")
            for path in (deck, hostile, document):
                check(f"{path.name} compiles", compiled(path))
    print(f"{results['passed']} passed, {results['failed']} failed" + (f", {results['skipped']} skipped" if results["skipped"] else ""))
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
