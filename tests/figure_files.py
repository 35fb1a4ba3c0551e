"""Figures as files, read back with nothing but Python's own library: their numbers, their structure.

Used by formats_test.py, deck_test.py and tex_test.py, whose first argument is the program.
"""
import base64
import json
import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree as ET
import zipfile
import zlib

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/dev/limpid"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
RELS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
EMU = 9525
# Texts whose digits are no numbers of the run.
DECLARED = {"shape", "count", "index", "tick", "label", "token", "legend", "title", "heading", "note", "name", "equation", "page"}
# Labels that are hard to write down.
HOSTILE = ["<&\">]]>", "\U0001F469\u200D\U0001F4BB", "\u05e9\u05dc\u05d5\u05dd", "e\u0301\u0323o\u0308", "\u4e2d\u6587\u5b57", "a\x01b\x1b[31m", "w" * 300]

results = {"passed": 0, "failed": 0, "skipped": 0}


def check(what, faults):
    if faults:
        results["failed"] += 1
        print(f"formats: {what}: failed")
        for fault in list(faults)[:8]:
            print("   ", fault)
    else:
        results["passed"] += 1


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout


# ---- the trace, read without limpid ----------------------------------------------------------------

class Trace:
    """A safetensors file's arrays: {name: (shape, numbers)}."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        self.arrays = {}
        for name, entry in json.loads(data[8:8 + size]).items():
            letter = {"F32": "f", "F64": "d", "I64": "q"}.get(entry.get("dtype")) if name != "__metadata__" else None
            if letter:
                start, end = (8 + size + offset for offset in entry["data_offsets"])
                count = (end - start) // struct.calcsize(letter)
                self.arrays[name] = (entry["shape"], struct.unpack(f"<{count}{letter}", data[start:end]))

    def shuffled(self):
        other = Trace.__new__(Trace)
        other.arrays = {name: (shape, numbers[1:] + numbers[:1]) for name, (shape, numbers) in self.arrays.items()}
        return other

    def cells(self, stage, windows):
        shape, numbers = self.arrays[stage]
        assert len(shape) == len(windows), f"{stage} has shape {shape}"
        places = [0]
        for size, (first, end) in zip(shape, windows):
            assert 0 <= first < end <= size, f"{stage}: {first}:{end} of {size}"
            places = [place * size + i for place in places for i in range(first, end)]
        return [numbers[place] for place in places]


SOURCE = re.compile(r"(?:(mean|least|largest|evenness|length) )?([^\s\[]+)\[([0-9:,]*)\] (%[+]?\.[0-9]+[feg])")


def written(source, trace):
    """The number that a source names, as the figure writes it."""
    match = SOURCE.fullmatch(source)
    if not match:
        raise ValueError(f"'{source}' is no source")
    of, stage, index, form = match.groups()
    windows = []
    for part in filter(None, index.split(",")):
        first, _, end = part.partition(":")
        windows.append((int(first), int(end) if end else int(first) + 1))
    cells = trace.cells(stage, windows)
    finite = [v for v in cells if math.isfinite(v)]
    if of is None:
        value = cells[0]
    elif of == "mean":
        value = sum(cells) / len(cells)
    elif of == "least":
        value = min(finite)
    elif of == "largest":
        value = max(finite)
    elif of == "length":
        value = math.sqrt(sum(v * v for v in cells))
    else:
        alive = [v for v in cells if v > 0]
        value = -sum(v * math.log(v) for v in alive) / math.log(len(alive)) if len(alive) > 1 else 0.0
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "-inf" if value < 0 else "inf"
    text = form % value
    if float(text) != 0:
        return text
    if value == 0:
        return "0"
    least = re.sub(r"0(e[+-]\d+)?$", r"1\1", text.replace("-", ""))  # the smallest that the form can show
    return "<" + least if value > 0 else ">-" + least


def number_faults(labels, trace):
    """labels: (text, sources, kind).  Each number of a text with sources is exactly those cells'."""
    faults, seen = [], 0
    for text, sources, kind in labels:
        if not sources:
            if re.search(r"[0-9]", text) and kind not in DECLARED:
                faults.append(f"'{text}' has digits and neither a source nor a kind (it is called '{kind}')")
            continue
        rest = text
        for source in sources.split("; "):
            seen += 1
            try:
                number = written(source, trace)
            except (KeyError, AssertionError, ValueError) as error:
                faults.append(f"'{text}': {error!r}")
                continue
            # A figure writes a minus as a hyphen, and may write it as a minus sign.
            at = rest.replace("\u2212", "-").find(number)
            if at < 0:
                faults.append(f"'{text}' should hold {number}, which is {source}")
            else:
                rest = rest[at + len(number):]
    return faults, seen


# ---- .pptx -----------------------------------------------------------------------------------------

# The order of children that the schema asks for (ECMA-376 Part 1, annex A).
ORDER = {
    P + "sp": [P + "nvSpPr", P + "spPr", P + "style", P + "txBody", P + "extLst"],
    P + "cxnSp": [P + "nvCxnSpPr", P + "spPr", P + "style", P + "extLst"],
    P + "pic": [P + "nvPicPr", P + "blipFill", P + "spPr", P + "style", P + "extLst"],
    P + "nvSpPr": [P + "cNvPr", P + "cNvSpPr", P + "nvPr"],
    P + "nvCxnSpPr": [P + "cNvPr", P + "cNvCxnSpPr", P + "nvPr"],
    P + "spPr": [A + "xfrm", A + "custGeom", A + "prstGeom", A + "noFill", A + "solidFill", A + "ln", A + "effectLst"],
    P + "txBody": [A + "bodyPr", A + "lstStyle", A + "p"],
    P + "cSld": [P + "bg", P + "spTree", P + "custDataLst", P + "controls", P + "extLst"],
    P + "sld": [P + "cSld", P + "clrMapOvr", P + "transition", P + "timing"],
    P + "notes": [P + "cSld", P + "clrMapOvr"],
    P + "sldMaster": [P + "cSld", P + "clrMap", P + "sldLayoutIdLst", P + "transition", P + "timing", P + "hf", P + "txStyles"],
    P + "notesMaster": [P + "cSld", P + "clrMap", P + "hf", P + "notesStyle"],
    P + "presentation": [P + "sldMasterIdLst", P + "notesMasterIdLst", P + "handoutMasterIdLst", P + "sldIdLst", P + "sldSz",
                         P + "notesSz", P + "embeddedFontLst", P + "defaultTextStyle"],
    A + "ln": [A + "noFill", A + "solidFill", A + "prstDash", A + "round", A + "bevel", A + "miter", A + "headEnd", A + "tailEnd"],
    A + "pPr": [A + "lnSpc", A + "spcBef", A + "spcAft", A + "buNone", A + "defRPr"],
    A + "rPr": [A + "ln", A + "noFill", A + "solidFill", A + "latin", A + "ea", A + "cs"],
    A + "custGeom": [A + "avLst", A + "gdLst", A + "ahLst", A + "cxnLst", A + "rect", A + "pathLst"],
    A + "xfrm": [A + "off", A + "ext", A + "chOff", A + "chExt"],
    A + "theme": [A + "themeElements", A + "objectDefaults", A + "extraClrSchemeLst"],
    A + "themeElements": [A + "clrScheme", A + "fontScheme", A + "fmtScheme"],
}


def order_faults(root, name):
    faults = []
    for element in root.iter():
        order = ORDER.get(element.tag)
        if not order:
            continue
        last = -1
        for child in element:
            if child.tag not in order:
                faults.append(f"{name}: {child.tag} may not stand in {element.tag}")
            elif order.index(child.tag) < last:
                faults.append(f"{name}: {child.tag} stands too late in {element.tag}")
            else:
                last = order.index(child.tag)
    return faults


def package_faults(package):
    """Open Packaging Conventions: every part has a type, every relationship an end, every reference a relationship."""
    faults, names = [], package.namelist()
    if names[0] != "[Content_Types].xml":
        faults.append("the package does not begin with [Content_Types].xml")
    if len(set(names)) != len(names):
        faults.append("two parts of one name")
    types = ET.fromstring(package.read("[Content_Types].xml"))
    defaults = {t.get("Extension") for t in types.iter(TYPES + "Default")}
    overrides = [t.get("PartName").lstrip("/") for t in types.iter(TYPES + "Override")]
    faults += [f"{part} is typed and not there" for part in overrides if part not in names]
    for name in names:
        if name != "[Content_Types].xml" and name not in overrides and name.rsplit(".", 1)[-1] not in defaults:
            faults.append(f"{name} has no type")
        if name.endswith(".xml") and name not in overrides and not name.startswith("["):
            faults.append(f"{name} has only the type of any XML")
        if not name.endswith(".rels"):
            continue
        folder, file = name.rsplit("_rels/", 1)
        relations = ET.fromstring(package.read(name)).findall(RELS + "Relationship")
        ids = [r.get("Id") for r in relations]
        if len(set(ids)) != len(ids):
            faults.append(f"{name}: two relationships of one id")
        for r in relations:
            parts = (folder + r.get("Target")).split("/")
            while ".." in parts:
                at = parts.index("..")
                del parts[at - 1:at + 1]
            if "/".join(parts) not in names:
                faults.append(f"{name}: {r.get('Target')} is not there")
        if file != ".rels":
            text = package.read(folder + file[:-len(".rels")]).decode()
            used = set(re.findall(r'r:(?:id|embed|link)="([^"]*)"', text))
            faults += [f"{name}: no relationship {one}" for one in used - set(ids)]
    return faults


def turned(xfrm, x, y):
    """A point of a shape's own box, as its xfrm flips and turns it."""
    off, ext = xfrm.find(A + "off"), xfrm.find(A + "ext")
    w, h = int(ext.get("cx")), int(ext.get("cy"))
    u, v = x - w / 2, y - h / 2
    u = -u if xfrm.get("flipH") == "1" else u
    v = -v if xfrm.get("flipV") == "1" else v
    angle = math.radians(int(xfrm.get("rot", "0")) / 60000)
    return (int(off.get("x")) + w / 2 + u * math.cos(angle) - v * math.sin(angle),
            int(off.get("y")) + h / 2 + u * math.sin(angle) + v * math.cos(angle))


def sites_of(shape):
    xfrm = shape.find(P + "spPr/" + A + "xfrm")
    ext = xfrm.find(A + "ext")
    w, h = int(ext.get("cx")), int(ext.get("cy"))
    own = shape.find(P + "spPr/" + A + "custGeom/" + A + "cxnLst")
    if own is None:
        places = [(w / 2, 0), (0, h / 2), (w / 2, h), (w, h / 2)]
    else:
        places = [(int(p.get("x")), int(p.get("y"))) for p in own.iter(A + "pos")]
    return [turned(xfrm, x, y) for x, y in places]


def slide_faults(root, name):
    faults = []
    ids = [e.get("id") for e in root.iter(P + "cNvPr")]
    if len(set(ids)) != len(ids):
        faults.append(f"{name}: two shapes of one id")
    shapes = {s.find(P + "nvSpPr/" + P + "cNvPr").get("id"): s for s in root.iter(P + "sp")}
    shapes |= {s.find(P + "nvPicPr/" + P + "cNvPr").get("id"): s for s in root.iter(P + "pic")}
    count = sum(1 for tag in ("sp", "cxnSp", "pic", "grpSp") for _ in root.iter(P + tag))
    if count > 2000:
        faults.append(f"{name}: {count} shapes")
    if not any(s.get("descr") and s.get("name") == "Figure" for s in root.iter(P + "cNvPr")):
        faults.append(f"{name}: nothing tells the figure to who listens")
    if not any(ph.get("type") == "title" for ph in root.iter(P + "ph")):
        faults.append(f"{name}: no title")
    for c in root.iter(P + "cxnSp"):
        start, end = c.find(".//" + A + "stCxn"), c.find(".//" + A + "endCxn")
        xfrm = c.find(P + "spPr/" + A + "xfrm")
        ext = xfrm.find(A + "ext")
        ends = [turned(xfrm, 0, 0), turned(xfrm, int(ext.get("cx")), int(ext.get("cy")))]
        for glue, at in ((start, ends[0]), (end, ends[1])):
            what = c.find(".//" + P + "cNvPr").get("descr") or c.find(".//" + P + "cNvPr").get("name")
            if glue is None or glue.get("id") not in shapes:
                faults.append(f"{name}: {what} is glued to nothing")
                continue
            sites = sites_of(shapes[glue.get("id")])
            if int(glue.get("idx")) >= len(sites):
                faults.append(f"{name}: {what}: no site {glue.get('idx')}")
            elif math.dist(sites[int(glue.get("idx"))], at) > EMU:
                faults.append(f"{name}: {what} ends {math.dist(sites[int(glue.get('idx'))], at) / EMU:.1f} from its site")
    return faults


def pptx_faults(path):
    package = zipfile.ZipFile(path)
    faults = package_faults(package)
    for info in package.infolist():
        if info.date_time != (1980, 1, 1, 0, 0, 0):
            faults.append(f"{info.filename} is dated {info.date_time}")
    slides = sorted(n for n in package.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", n))
    for name in package.namelist():
        if name.endswith(".xml") or name.endswith(".rels"):
            faults += order_faults(ET.fromstring(package.read(name)), name)
    presentation = ET.fromstring(package.read("ppt/presentation.xml"))
    numbers = [int(s.get("id")) for s in presentation.iter(P + "sldId")]
    if len(set(numbers)) != len(numbers) or len(numbers) != len(slides) or any(n < 256 for n in numbers):
        faults.append(f"slide ids {numbers} for {len(slides)} slides")
    masters = [int(e.get("id")) for e in presentation.iter(P + "sldMasterId")]
    masters += [int(e.get("id")) for e in ET.fromstring(package.read("ppt/slideMasters/slideMaster1.xml")).iter(P + "sldLayoutId")]
    if len(set(masters)) != len(masters) or any(n < 2 ** 31 for n in masters):
        faults.append(f"ids of master and layout: {masters}")
    for name in slides:
        faults += slide_faults(ET.fromstring(package.read(name)), name)
        notes = ET.fromstring(package.read(name.replace("slides/slide", "notesSlides/notesSlide")))
        if not "".join(t.text or "" for t in notes.iter(A + "t")).strip():
            faults.append(f"{name}: no notes")
    return faults


def pptx_labels(path):
    package = zipfile.ZipFile(path)
    labels = []
    for name in package.namelist():
        if re.fullmatch(r"ppt/slides/slide\d+\.xml", name):
            for shape in ET.fromstring(package.read(name)).iter(P + "sp"):
                text = "\n".join("".join(t.text or "" for t in p.iter(A + "t")) for p in shape.iter(A + "p"))
                called = shape.find(P + "nvSpPr/" + P + "cNvPr").get("name")
                box = shape.find(P + "nvSpPr/" + P + "cNvSpPr").get("txBox") is None
                source = called if SOURCE.match(called) else ""
                if text:
                    labels.append((text, source, "label" if box and not source else called))
    return labels


# ---- .drawio ---------------------------------------------------------------------------------------

def drawio_models(path):
    """The pages' mxGraphModel, of either form."""
    models = []
    for diagram in ET.parse(path).getroot().iter("diagram"):
        model = diagram.find("mxGraphModel")
        if model is None:
            raw = zlib.decompress(base64.b64decode(diagram.text), -15).decode()
            model = ET.fromstring(urllib.parse.unquote(raw))
        models.append(model)
    return models


def style_of(cell):
    return dict(part.partition("=")[::2] for part in cell.get("style", "").split(";") if part)


def drawio_faults(model):
    faults, cells, order = [], {}, []
    for holder in model.find("root"):
        cell = holder if holder.tag == "mxCell" else holder.find("mxCell")
        name = holder.get("id")
        if name in cells:
            faults.append(f"two cells of the id {name}")
        cells[name] = cell
        order.append(name)

    def corner(name):
        """Where a cell's own coordinates begin on the page."""
        x = y = 0.0
        while name not in ("0", "1", None):
            geometry = cells[name].find("mxGeometry")
            x, y = x + float(geometry.get("x", 0)), y + float(geometry.get("y", 0))
            name = cells[name].get("parent")
        return x, y

    for name, cell in cells.items():
        if name != "0" and cell.get("parent") not in cells:
            faults.append(f"{name} stands in {cell.get('parent')}, which is not there")
        elif name != "0" and order.index(cell.get("parent")) > order.index(name):
            faults.append(f"{name} stands before its parent")
        if cell.get("edge") != "1":
            continue
        style, geometry = style_of(cell), cell.find("mxGeometry")
        ends = {p.get("as") for p in geometry.findall("mxPoint")}
        if ends == {"sourcePoint", "targetPoint"}:  # a line between no shapes
            for point in geometry.findall("mxPoint"):
                for other, box in cells.items():
                    size = box.find("mxGeometry") if other.startswith(("box-", "grid-")) and box.get("vertex") else None
                    if size is None or "-" in other.split("-", 1)[1]:
                        continue  # a cell of a grid
                    x, y = corner(other)
                    if (x - 1 < float(point.get("x")) < x + float(size.get("width")) + 1
                            and y - 1 < float(point.get("y")) < y + float(size.get("height")) + 1):
                        faults.append(f"{name} ends at {other} and is not glued to it")
            continue
        way = [(float(p.get("x")), float(p.get("y"))) for p in geometry.iter("mxPoint")]
        dx, dy = corner(cell.get("parent"))
        way = [(x + dx, y + dy) for x, y in way]
        for end, which in (("source", "exit"), ("target", "entry")):
            box = cells.get(cell.get(end))
            if box is None or box.get("vertex") != "1":
                faults.append(f"{name} has no {end}")
                continue
            sx, sy = float(style[which + "X"]), float(style[which + "Y"])
            if not (min(sx, sy) >= 0 and max(sx, sy) <= 1 and (sx in (0, 1) or sy in (0, 1))):
                faults.append(f"{name}: its {end} point {sx},{sy} is not on the border")
            size = box.find("mxGeometry")
            x, y = corner(cell.get(end))
            at = x + sx * float(size.get("width")), y + sy * float(size.get("height"))
            way.insert(0 if end == "source" else len(way), at)
        for (x, y), (u, v) in zip(way, way[1:]):
            if style.get("edgeStyle") != "none" and min(abs(x - u), abs(y - v)) > 0.05:
                faults.append(f"{name} is slanted from {x},{y} to {u},{v}")
    return faults


def drawio_labels(path):
    return [(holder.get("label"), holder.get("source", ""), holder.get("kind", ""))
            for model in drawio_models(path) for holder in model.find("root")
            if holder.tag == "object" and holder.get("label") and holder.get("id") != "0"]


def svg_labels(path):
    return [("".join(text.itertext()), text.get("data-source", ""), text.get("data-kind", ""))
            for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
