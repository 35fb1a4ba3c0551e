#!/usr/bin/env python3
"""The deck as a hall sees it, read out of the .pptx file: sizes of type, what stands where, highlights, notes.

  tests/deck_test.py PROGRAM
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile
import xml.etree.ElementTree as ET

import figure_files as files
from figure_files import A, EMU, P, check, results, run

SLIDE = (12192000, 6858000)  # 13.333 by 7.5 inches
LEAST, LEAST_IN_CELL = 1800, 1200  # hundredths of a point
WORDS_26 = ("the quick brown fox jumps over the lazy dog while seven wizards quietly mix potions and "
            "an old owl watches them from its high oak branch tonight")
SENTENCES = {
    "three words": ["--text", "Life is short"],
    "German": ["--text", "Das Leben ist schön, aber kurz."],
    "26 words": ["--text", WORDS_26],
    "60 tokens": ["--tokens", ",".join(str(i * 7 % 50 + 100) for i in range(60))],
    "the textbook": ["--network", "textbook", "--text", "Life is short"],
    "the textbook, whole": ["--network", "textbook", "--heads", "2", "--add-norm", "--mask", "causal", "--text", WORDS_26],
}


class Deck:
    def __init__(self, path):
        package = zipfile.ZipFile(path)
        names = sorted((n for n in package.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", n)),
                       key=lambda n: int(re.search(r"\d+", n)[0]))
        self.slides = [ET.fromstring(package.read(n)) for n in names]
        self.notes = [[("".join(t.text or "" for t in p.iter(A + "t"))) for p in
                       ET.fromstring(package.read(n.replace("slides/slide", "notesSlides/notesSlide"))).iter(A + "p")]
                      for n in names]
        size = ET.fromstring(package.read("ppt/presentation.xml")).find(P + "sldSz")
        self.size = int(size.get("cx")), int(size.get("cy"))
        master = package.read("ppt/slideMasters/slideMaster1.xml").decode()
        self.master_sizes = [int(s) for s in re.findall(r'<a:defRPr sz="(\d+)"', master)]


def text_of(shape):
    return " ".join("".join(t.text or "" for t in p.iter(A + "t")) for p in shape.iter(A + "p")).strip()


def title_of(slide):
    return next(text_of(s) for s in slide.iter(P + "sp") if s.find(f".//{P}ph[@type='title']") is not None)


def cells_of(slide):
    """The shapes that are cells of grids."""
    return {id(s) for group in slide.iter(P + "grpSp") for s in group.iter(P + "sp")}


def rect_of(shape):
    xfrm = shape.find(P + "spPr/" + A + "xfrm")
    off, ext = xfrm.find(A + "off"), xfrm.find(A + "ext")
    x, y, w, h = (int(v) for v in (off.get("x"), off.get("y"), ext.get("cx"), ext.get("cy")))
    if xfrm.get("rot") in ("16200000", "5400000"):
        x, y, w, h = x + (w - h) // 2, y + (h - w) // 2, h, w
    return x, y, x + w, y + h


def size_faults(deck):
    faults = []
    for number, slide in enumerate(deck.slides, 1):
        cells = cells_of(slide)
        # The numbers of a grid that became a picture stand over it, each called by its cell.
        pictured = [rect_of(p) for p in slide.iter(P + "pic")]
        for shape in slide.iter(P + "sp"):
            x, y, right, bottom = rect_of(shape)
            in_cell = id(shape) in cells or any(a <= x and b <= y and right <= c and bottom <= d for a, b, c, d in pictured)
            for run_ in shape.iter(A + "rPr"):
                least = LEAST_IN_CELL if in_cell else LEAST
                if int(run_.get("sz")) < least:
                    faults.append(f"page {number}: '{text_of(shape)[:40]}' is {int(run_.get('sz')) / 100} pt")
    faults += [f"a style of the master has {size / 100} pt" for size in deck.master_sizes if size < LEAST]
    return faults


def geometry_faults(deck, headings=True):
    faults = [] if deck.size == SLIDE else [f"the slides are {deck.size}"]
    for number, slide in enumerate(deck.slides, 1):
        texts = []
        for shape in slide.iter(P + "sp"):
            x, y, right, bottom = rect_of(shape)
            words = text_of(shape)
            if not headings and bottom <= 0:
                continue  # the title of a figure without a heading waits above the slide
            if x < -EMU or y < -EMU or right > SLIDE[0] + EMU or bottom > SLIDE[1] + EMU:
                faults.append(f"page {number}: '{words[:40]}' leaves the slide")
            if words and shape.find(P + "nvSpPr/" + P + "cNvSpPr").get("txBox"):
                texts.append((words, (x, y, right, bottom)))
        for i, (words, (x, y, right, bottom)) in enumerate(texts):
            for other, (a, b, c, d) in texts[:i]:
                # A line's box holds its font's whole ascent and descent, so boxes of lines may touch.
                if min(right, c) - max(x, a) > EMU and min(bottom, d) - max(y, b) > 5 * EMU:
                    faults.append(f"page {number}: '{words[:40]}' meets '{other[:40]}'")
    return faults


def number_faults(deck):
    faults = []
    for number, slide in enumerate(deck.slides, 1):
        fields = [text_of(s) for s in slide.iter(P + "sp") if s.find(f".//{A}fld[@type='slidenum']") is not None]
        if fields != [str(number)]:
            faults.append(f"page {number} says {fields}")
    return faults


def step_faults(deck, drawio):
    """Each page of the network has its step highlighted, in both formats, and says its sentence once."""
    faults, steps = [], 0
    models = files.drawio_models(drawio)
    for slide, notes, model in zip(deck.slides, deck.notes, models):
        title = title_of(slide)
        repeated = {line for line in notes if line and notes.count(line) > 1}
        if repeated:
            faults.append(f"'{title}': the notes repeat {repeated}")
        if not title.startswith(("The network:", "Inside of attention:")):
            continue
        steps += 1
        told = [line for line in notes if line.startswith("Step ")]
        if len(told) != 1 or len([line for line in notes if line]) != 1:
            faults.append(f"'{title}': the notes are {notes}")
        wide = [s for s in slide.iter(P + "sp") if (ln := s.find(P + "spPr/" + A + "ln")) is not None
                and ln.get("w") == str(round(2.6 * EMU))]
        if not 1 <= len(wide) <= 2:  # itself, and its place on the map
            faults.append(f"'{title}': {len(wide)} highlighted shapes in .pptx")
        lit = [c for c in model.iter("mxCell") if "strokeWidth=2.6;" in c.get("style", "") and c.get("vertex")]
        if len(lit) != len(wide):
            faults.append(f"'{title}': {len(lit)} highlighted shapes in .drawio, {len(wide)} in .pptx")
    return faults + ([] if steps >= 5 else [f"{steps} pages of steps"])


def equation_faults(deck):
    """Equations have subscripts, and none is left in the letters that operations are stated in."""
    scripts = sum(1 for slide in deck.slides for r in slide.iter(A + "rPr") if int(r.get("baseline", "0")) < 0)
    italics = sum(1 for slide in deck.slides for r in slide.iter(A + "rPr") if r.get("i") == "1")
    raw = [t.text for slide in deck.slides for t in slide.iter(A + "t")
           if t.text and re.search(r"\bsqrt\(|\bsum_|\b[A-Za-z]\[[a-z]", t.text)]
    return raw + ([] if scripts > 4 and italics > 10 else [f"{scripts} lowered and {italics} italic runs"])


def single_pages(work):
    """Every figure written alone is a 16:9 page, in its middle, with nothing outside."""
    log = work / "log.jsonl"
    log.write_text("".join(f'{{"epoch": {i}, "loss": {2.0 / (i + 1)}, "accuracy": {0.3 + 0.1 * i}}}\n' for i in range(5)))
    for figure in (["network"], ["network", "--text", "Life is short"], ["attention", "--text", "Life is short"],
                   ["token", "--text", "Life is short"], ["matrices", "--text", "Life is short"],
                   ["heads", "--text", "Life is short"], ["heads", "--text", WORDS_26, "--head", "1"], ["training", str(log)]):
        path, drawing = work / "single.pptx", work / "single.drawio"
        for each in (path, drawing):
            run("draw", *figure, "-o", str(each))
        deck = Deck(path)
        faults = [f for f in geometry_faults(deck, headings=False) if "meets" not in f]
        faults += files.pptx_faults(path) + [f for m in files.drawio_models(drawing) for f in files.drawio_faults(m)]
        for slide in deck.slides:
            rects = [rect_of(s) for s in slide.iter(P + "sp") if s.find(P + "nvSpPr/" + P + "cNvPr").get("name") not in ("Figure", "Title")]
            width, height = max(r[2] for r in rects) - min(r[0] for r in rects), max(r[3] for r in rects) - min(r[1] for r in rects)
            if width < 0.6 * SLIDE[0] and height < 0.6 * SLIDE[1]:
                faults.append(f"the figure takes {width / SLIDE[0]:.0%} by {height / SLIDE[1]:.0%} of its page")
        check(f"{figure[:3]} alone as .pptx", faults)


def graphs_only(work):
    """Formats of nodes and edges refuse what is no graph, and say which serve."""
    for ending in ("dot", "mmd"):
        for figure in ("matrices", "heads"):
            path = work / f"refused.{ending}"
            done = subprocess.run([files.PROGRAM, "draw", figure, "--head", "1", "--text", "Life is short", "-o", str(path)],
                                  capture_output=True, text=True)
            faults = [] if done.returncode == 2 else [f"exit status {done.returncode}"]
            faults += [f"no {word}: {done.stderr}" for word in (".svg", ".pptx", "no graph") if word not in done.stderr]
            check(f"{figure} as .{ending} is refused", faults + (["a file is left"] if path.exists() else []))


def follows_the_call(work):
    """Quiz, insight and numbers are about the token and the head that were asked for."""
    path = work / "asked.pptx"
    run("draw", "slides", "--text", "Life is short", "--layer", "1", "--head", "2", "--token", "is", "-o", str(path))
    deck = Deck(path)
    pages = {title_of(slide): " ".join(text_of(s) for s in slide.iter(P + "sp")) for slide in deck.slides}
    everything = " ".join(pages.values())
    faults = [f"no {what}" for what in ("In layer 1, head 2: which", 'What comes after "\u00b7is"') if what not in everything]
    insight = pages.get("Key insight", "")
    faults += [] if "head 2" in insight and "layer 1" in insight and '"\u00b7is" looks at' in insight else [insight]
    check("quiz and insight follow --layer, --head and --token", faults)
    run("draw", "slides", "--text", "Life is short", "-o", str(path))
    pages = {title_of(slide): " ".join(text_of(s) for s in slide.iter(P + "sp")) for slide in Deck(path).slides}
    praised = re.search(r"head (\d+) of layer (\d+)", pages["Key insight"])
    marked = re.search(r"Framed: layer (\d+), head (\d+)", pages["Every head: who looks at whom"])
    check("the framed head is the one that the insight praises",
          [] if praised and marked and praised.groups() == marked.groups()[::-1] else [str((praised, marked))])


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for name, arguments in SENTENCES.items():
            path, drawing = work / "deck.pptx", work / "deck.drawio"
            for each in (path, drawing):
                run("draw", "slides", *arguments, "-o", str(each))
            deck = Deck(path)
            check(f"{name}: sizes of type", size_faults(deck))
            check(f"{name}: nothing outside, no two texts meet", geometry_faults(deck))
            check(f"{name}: page numbers", number_faults(deck))
            check(f"{name}: steps", step_faults(deck, drawing))
            check(f"{name}: equations", equation_faults(deck))
            check(f"{name}: the package", files.pptx_faults(path))
            check(f"{name}: .drawio", [f for m in files.drawio_models(drawing) for f in files.drawio_faults(m)])
        single_pages(work)
        graphs_only(work)
        follows_the_call(work)
    print(f"{results['passed']} passed, {results['failed']} failed")
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
