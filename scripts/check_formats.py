#!/usr/bin/env python3
"""Figures in the programs that open them: LibreOffice, python-pptx, LaTeX, Graphviz, Mermaid's own parser, librsvg's headers.

  scripts/check_formats.py [PROGRAM]          build/dev/limpid when none is given

Slow, and needs the packages of `scripts/install-deps.sh formats`, python-pptx (pip) and mermaid (npm): a gate of .ci/run.
Files stay in build/formats, to be looked at.  What cannot be installed is skipped, and said.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/dev/limpid").resolve())
WORK = ROOT / "build/formats"
results = {"passed": 0, "failed": 0, "skipped": 0}


def check(what, faults):
    results["failed" if faults else "passed"] += 1
    if faults:
        print(f"formats: {what}: failed")
        for fault in faults[:8]:
            print("   ", fault)


def skip(what, why):
    results["skipped"] += 1
    print(f"skipped: {what}: {why}")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def must(*command, **options):
    done = run(*command, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


# ---- the figures -----------------------------------------------------------------------------------

TEXTBOOK = ["--network", "textbook", "--text", "Life is short"]
FIGURES = {
    "textbook": ["network", *TEXTBOOK],
    "textbook_whole": ["network", *TEXTBOOK, "--add-norm", "--heads", "2", "--mask", "causal", "--positions", "sinusoidal"],
    "builtin": ["network"],
    "attention": ["attention", "--text", "Life is short"],
    "token": ["token", "--text", "Life is short"],
    "matrices": ["matrices", *TEXTBOOK],
    "head": ["heads", "--text", "Life is short", "--head", "1"],
    "dark": ["network", *TEXTBOOK, "--theme", "dark"],
    "slides": ["slides", "--text", "Life is short"],
}

NO_GRAPHS = {"matrices", "head", "slides"}  # .dot and .mmd are not for them


def draw_all():
    for name, arguments in FIGURES.items():
        for ending in ("pptx", "pdf", "drawio", "tex", "mmd", "dot"):
            if name in NO_GRAPHS and ending in ("mmd", "dot"):
                continue
            must(PROGRAM, "draw", *arguments, "-o", WORK / f"{name}.{ending}")


# ---- LibreOffice: its pages look like ours ---------------------------------------------------------

SLIDE, MARGIN = (960, 540), 12


def fit_of(width, height):
    """How .pptx places a figure of that size on its slide: scale, and where its corner is."""
    if abs(width - SLIDE[0]) < 1 and abs(height - SLIDE[1]) < 1:
        return 1, 0, 0
    scale = min((SLIDE[0] - 2 * MARGIN) / width, (SLIDE[1] - 2 * MARGIN) / height)
    return scale, (SLIDE[0] - scale * width) / 2, (SLIDE[1] - scale * height) / 2


def words_of(pdf):
    """Each page's words, the middles of their boxes and how high a line of theirs is, in points (0: the word stands upright,
    along the page's height)."""
    html = must("pdftotext", "-bbox", pdf, "-")
    pages = []
    for page in re.findall(r"<page.*?</page>", html, re.S):
        # A figure that is no page of a deck is fitted into a slide of 960 by 540 pt.
        scale, dx, dy = fit_of(*map(float, re.search(r'width="([^"]+)" height="([^"]+)"', page).groups()))
        words = re.findall(r'<word xMin="([^"]+)" yMin="([^"]+)" xMax="([^"]+)" yMax="([^"]+)">(.*?)</word>', page)
        pages.append([])
        for *box, text in words:
            left, top, right, bottom = map(float, box)
            upright = len(text) > 2 and bottom - top > 1.2 * (right - left)
            pages[-1].append((text, dx + scale * (left + right) / 2, dy + scale * (top + bottom) / 2,
                              0 if upright else scale * (bottom - top)))
    return pages


class Ink:
    """Which pixels of a page are neither its ground nor near it: a row is an integer, a pixel a bit.  `rows` holds the
    pixels that must be found again, `found` those that count as found: fainter ones too, because two programs spread a
    thin line over two rows of pixels with different grey levels."""

    MUST, FAINT = 50, 30  # grey levels away from the ground

    def __init__(self, pgm, dx=0, dy=0):
        data = pathlib.Path(pgm).read_bytes()
        magic, width, height, _, pixels = re.match(rb"(P5)\s+(\d+)\s+(\d+)\s+(\d+)\s", data).groups() + (None,)
        assert magic == b"P5"
        self.width, self.height = int(width), int(height)
        pixels = data[len(data) - self.width * self.height:]
        ground = max(set(pixels), key=pixels.count)
        self.rows, self.found = (self.away(pixels, ground, least, dx, dy) for least in (self.MUST, self.FAINT))
        if dx or dy:
            self.width, self.height = SLIDE

    def away(self, pixels, ground, least, dx, dy):
        """The pixels more than `least` grey levels from the ground; on a slide where (dx, dy) is not (0, 0)."""
        marks = bytes(ord("1") if abs(value - ground) > least else ord("0") for value in range(256))
        marked = pixels.translate(marks)
        # A page's last pixel may be half a pixel of paper.
        inside = int("00" + "1" * (self.width - 4) + "00", 2)
        rows = [int(marked[y * self.width:(y + 1) * self.width], 2) & inside if 2 <= y < self.height - 2 else 0
                for y in range(self.height)]
        if dx or dy:
            right = SLIDE[0] - self.width - dx
            rows = [0] * dy + [row << right if right >= 0 else row >> -right for row in rows]
            rows = (rows + [0] * SLIDE[1])[:SLIDE[1]]
        return rows

    def spread(self, reach):
        wide = []
        for row in self.found:
            out = row
            for step in range(1, reach + 1):
                out |= row << step | row >> step
            wide.append(out)
        spread = [0] * self.height
        for y in range(self.height):
            for near in range(max(0, y - reach), min(self.height, y + reach + 1)):
                spread[y] |= wide[near]
        return spread

    def alone(self, other, above, reach=3):
        """The share of this page's ink over the height `above` that has none of the other's near it."""
        near = other.spread(reach)
        rows = self.rows[:min(above, other.height)]
        ink = sum(bin(row).count("1") for row in rows)
        left = sum(bin(row & ~near[y]).count("1") for y, row in enumerate(rows))
        return left / max(1, ink)


def pages_of(pdf, stem):
    size = re.search(r"Page size: +([\d.]+) x ([\d.]+)", must("pdfinfo", pdf)).groups()
    scale, dx, dy = fit_of(*map(float, size))
    for old in WORK.glob(f"{stem}-*.pgm"):
        old.unlink()
    must("pdftoppm", "-gray", "-r", f"{72 * scale:.4f}", pdf, WORK / stem)
    return [Ink(page, round(dx), round(dy)) for page in sorted(WORK.glob(f"{stem}-*.pgm"))]


def libreoffice():
    if not shutil.which("soffice"):
        return skip("LibreOffice", "no soffice; scripts/install-deps.sh formats")
    folder = WORK / "libreoffice"
    must("soffice", f"-env:UserInstallation=file://{WORK}/profile", "--headless", "--convert-to", "pdf", "--outdir", folder,
         *(WORK / f"{name}.pptx" for name in FIGURES), timeout=600)
    for name in FIGURES:
        # Below lie a deck's equations: programs draw a shifted run smaller or larger.
        compared = SLIDE[1] - 90 if name == "slides" else SLIDE[1]
        ours, theirs = words_of(WORK / f"{name}.pdf"), words_of(folder / f"{name}.pdf")
        faults = [] if len(ours) == len(theirs) else [f"{len(theirs)} pages, expected {len(ours)}"]
        for number, (page, other) in enumerate(zip(ours, theirs), 1):
            for text, x, y, height in page:
                if y > compared:
                    continue
                # LibreOffice's lines lie a twentieth of the type's size lower, and its boxes are taller.
                theirs_at = y + height / 12
                if not any(t == text and abs(x - u) < 10 and abs(theirs_at - v) < 4 for t, u, v, _ in other):
                    near = [(round(u - x), round(v - y)) for t, u, v, _ in other if t == text]
                    faults.append(f"page {number}: '{text}' at {x:.0f},{y:.0f} is not there"
                                  + (f", but {near[0]} away" if near else ""))
        check(f"{name}.pptx in LibreOffice: every word where the figure has it", faults)
        faults = []
        for number, (one, other) in enumerate(zip(pages_of(WORK / f"{name}.pdf", f"{name}-ours"),
                                                  pages_of(folder / f"{name}.pdf", f"{name}-theirs")), 1):
            lost, added = one.alone(other, compared), other.alone(one, compared)
            if max(lost, added) > 0.01:
                faults.append(f"page {number}: {lost:.1%} of the figure's ink is missing, {added:.1%} is new")
        check(f"{name}.pptx in LibreOffice looks like the figure", faults)


# ---- python-pptx -----------------------------------------------------------------------------------

PYTHON_PPTX = """
import sys
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
for path in sys.argv[1:]:
    deck = Presentation(path)
    for slide in deck.slides:
        assert slide.has_notes_slide and slide.notes_slide.notes_text_frame.text.strip(), "no notes"
        assert slide.shapes.title is not None and slide.shapes.title.text_frame.text.strip(), "no title"
        ids = {s.shape_id for s in slide.shapes}
        glued = 0
        for shape in slide.shapes:
            assert shape.width >= 0 and shape.height >= 0
            if shape.shape_type == MSO_SHAPE_TYPE.LINE or shape.element.tag.endswith("cxnSp"):
                shape.begin_x, shape.end_y
                glued += shape.element.find(".//{*}stCxn") is not None
        print(path, len(slide.shapes), "shapes,", glued, "glued")
    deck.save(path + ".again.pptx")
"""


def python_pptx():
    packages = WORK / "python"
    if not (packages / "pptx").exists():
        done = run(sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, "python-pptx==1.0.2")
        if done.returncode != 0:
            return skip("python-pptx", (done.stderr.strip().splitlines() or ["pip failed"])[-1])
    done = run(sys.executable, "-c", PYTHON_PPTX, *(WORK / f"{name}.pptx" for name in FIGURES),
               env={"PYTHONPATH": str(packages), "PATH": "/usr/bin:/bin"})
    check("python-pptx opens every deck and writes it again", done.stderr.splitlines()[-3:] if done.returncode else [])


# ---- LaTeX -----------------------------------------------------------------------------------------

def latex():
    """Every .tex compiles, a page a picture, without a complaint about a letter or a name."""
    if not shutil.which("pdflatex"):
        return skip("LaTeX", "no pdflatex; scripts/install-deps.sh tex")
    folder = WORK / "latex"
    folder.mkdir(exist_ok=True)
    for name in FIGURES:
        done = run("pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={folder}", WORK / f"{name}.tex",
                   env={**os.environ, "max_print_line": "1000"})  # else it breaks its messages, and long paths with them
        faults = re.findall(r"^!.*", done.stdout, re.M) or ([done.stdout[-300:]] if done.returncode else [])
        pages = len(re.findall(r"\\begin\{tikzpicture\}", (WORK / f"{name}.tex").read_text()))
        if not faults and f"({pages} page" not in done.stdout:
            faults = [f"{pages} pictures, and " + (re.findall(r"\(\d+ pages?", done.stdout) or ["none"])[-1]]
        check(f"{name}.tex in LaTeX", faults)


# ---- Graphviz --------------------------------------------------------------------------------------

def graphviz():
    if not shutil.which("dot"):
        return skip("Graphviz", "no dot; scripts/install-deps.sh formats")
    for name in FIGURES:
        path = WORK / f"{name}.dot"
        if not path.exists():
            continue
        text = path.read_text()
        done = run("dot", "-Tjson", path)
        faults = [done.stderr.strip()] if done.returncode or done.stderr.strip() else []
        if not faults:
            graph = json.loads(done.stdout)
            nodes = sum(1 for o in graph.get("objects", []) if not o["name"].startswith("cluster"))
            edges = len(graph.get("edges", []))
            said = len(re.findall(r"^ *n\d+ \[", text, re.M)), len(re.findall(r"^ *n\d+ -> n\d+ \[", text, re.M))
            if (nodes, edges) != said:
                faults.append(f"Graphviz sees {nodes} nodes and {edges} edges, the file has {said}")
        check(f"{name}.dot in Graphviz", faults)


# ---- Mermaid ---------------------------------------------------------------------------------------

MERMAID = """
import { JSDOM } from 'jsdom';
import { readFileSync } from 'node:fs';
const dom = new JSDOM('<!doctype html><body></body>');
globalThis.window = dom.window;
globalThis.document = dom.window.document;
// Whatever else of a page's names a library of Mermaid's may ask for.
for (const name of Object.getOwnPropertyNames(dom.window)) {
  try {
    if (!(name in globalThis)) globalThis[name] = dom.window[name];
  } catch { /* what this page may not have, such as its storage */ }
}
const mermaid = (await import('mermaid')).default;
for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, 'utf8');
  try {
    await mermaid.parse(text);  // throws where it is wrong
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    console.log(JSON.stringify({ path, nodes: db.getVertices().size, edges: db.getEdges().length,
                                 frames: db.getSubGraphs().length, title: db.getAccTitle() }));
  } catch (error) {
    console.log(JSON.stringify({ path, error: String(error.message ?? error).slice(0, 500) }));
  }
}
"""


def mermaid():
    if not shutil.which("npm"):
        return skip("Mermaid", "no npm; scripts/install-deps.sh formats")
    folder = WORK / "mermaid"
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    if not (folder / "node_modules/mermaid").exists():
        done = run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "mermaid@11.4.1", "jsdom@24.1.3",
                   cwd=folder, timeout=900)
        if done.returncode != 0:
            return skip("Mermaid", (done.stderr.strip().splitlines() or ["npm failed"])[-1])
    (folder / "parse.mjs").write_text(MERMAID)
    paths = [WORK / f"{name}.mmd" for name in FIGURES if (WORK / f"{name}.mmd").exists()]
    hostile = WORK / "hostile.mmd"
    must(PROGRAM, "draw", "--network", "textbook", "--text", "<&\">]]> 1. end `x` #35; %%{ | - graph", "-o", hostile)
    for line in must("node", "parse.mjs", *paths, hostile, cwd=folder).splitlines():
        seen = json.loads(line)
        path = pathlib.Path(seen["path"])
        faults = [seen["error"]] if "error" in seen else []
        if not faults:
            text = path.read_text()
            said = {"nodes": len(re.findall(r'^ *n\d+[\[(]', text, re.M)),
                    "edges": len(re.findall(r"^ *n\d+ (?:-->|-\.->)", text, re.M)),
                    "frames": len(re.findall(r"^ *subgraph ", text, re.M))}
            faults = [f"Mermaid sees {seen[key]} {key}, the file has {count}" for key, count in said.items() if seen[key] != count]
        check(f"{path.name} in Mermaid's parser", faults)


# ---- librsvg's headers -----------------------------------------------------------------------------

def rsvg_headers():
    flags = run("pkg-config", "--cflags", "librsvg-2.0", "cairo-pdf")
    if flags.returncode != 0:
        return skip("librsvg's headers", "not installed; scripts/install-deps.sh formats")
    done = run("g++", "-std=c++20", "-fsyntax-only", f"-I{ROOT}/src", f"-I{ROOT}/include", *flags.stdout.split(),
               ROOT / "tests/rsvg_headers.cpp")
    check("rsvg.h declares what librsvg's and cairo's headers do", done.stderr.splitlines() if done.returncode else [])


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    draw_all()
    for name in FIGURES:
        ET.parse(WORK / f"{name}.drawio")
    for each in (libreoffice, python_pptx, latex, graphviz, mermaid, rsvg_headers):
        try:
            each()
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            check(each.__name__, str(error).splitlines())
    print(f"{results['passed']} passed, {results['failed']} failed"
          + (f", {results['skipped']} skipped" if results["skipped"] else ""))
    return 1 if results["failed"] else 0


sys.exit(main())
