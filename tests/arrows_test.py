#!/usr/bin/env python3
"""Holds the tree to the arrows of the design: who may include whom.  Reports every breach as file:line.

  tests/arrows_test.py [ROOT]

It checks itself first: planted breaches, one of each sort, must be found.
"""
import pathlib
import re
import sys
import tempfile

# ---- the table -----------------------------------------------------------------------------------
# folder of src/ -> what it may include: these, and whatever they may include.  Nothing else.
ARROWS = {
    "core": [],
    "tensor": ["core"],
    "files": ["tensor"],
    "text": ["files"],
    "data": ["text"],
    "graph": ["tensor"],
    "ops": ["graph"],
    "kernels": ["tensor"],
    "fused": ["kernels"],  # attention as a call: no graph in it
    "engine": ["ops", "fused"],
    "network": ["ops"],
    "trace": ["engine", "files"],
    "model": ["network", "engine", "text"],
    "train": ["model", "trace", "data"],
    "mpi": ["train"],
    "draw/scene": ["trace"],
    "draw/layout": ["draw/scene"],
    "draw/figures": ["draw/layout"],
    "draw/formats": ["draw/scene"],
    "explore": ["model", "draw/figures", "draw/formats"],
}
# Arrows that the tree has and the design page has not; each is named on every run, and has its decision.
BEYOND_THE_DESIGN = {
    "model": ["trace"],  # docs/decisions/0004-a-model-makes-its-trace.md
}
# include/limpid/NAME.h belongs to the folder NAME, but these:
HEADER_OF = {"attention": "fused", "error": "core", "explain": "trace", "diff": "trace", "lens": "model", "heads": "model", "rollout": "trace", "random": "core", "threads": "core", "version": "core",
             "api": "core", "optimizer": "train", "ranks": "train", "recipe": "train", "run_folder": "train", "tensor_source": "files", "torch_file": "files", "gguf": "files", "image": "files", "architecture": "network",
             "tasks": "model", "chat": "model",
             "stored": "tensor",
             "draw": "draw/scene", "scene": "draw/scene"}

# Libraries that stay where they were meant to (prefix of the header -> folders that may include it).
CONFINED = {
    "hwy/": ["kernels"],  # the reference arithmetic is plain loops
    "immintrin.h": [],
    "arm_neon.h": [],
    "omp.h": [],  # its idle threads spin (docs/decisions/0011)
    "thread": ["core", "mpi", "*_test.cpp"],  # one parallel_for above everything; MPI's own thread beside it
    "mpi.h": ["mpi"],  # the module alone: limpid needs no MPI to run
    "nlohmann/": ["src", "apps"],  # never an installed header: every user would need it
    "gtest/": ["*_test.cpp", "test_*.h"],
    "rapidcheck": ["*_test.cpp", "test_*.h"],
}

# JSON from outside is read by these alone (docs/decisions/0012); what to_json just wrote may be read as it is.
READS_JSON = ["src/core/json.cpp", "src/files/safetensors_json.cpp"]
PARSED = re.compile(r"\b(?:json|Json)::(?:sax_)?parse\((?!.*\bto_json\()")

# No operation is known by name to anything but itself; only the planner may recognise one.
KNOWS_KINDS = ["src/ops/", "src/engine/plan", "src/engine/fast"]
# ---------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# subject == "word", "word" == subject, subject.starts_with("word")
COMPARED = re.compile(r'([\w.>()\[\]-]+)\s*[=!]=\s*"(\w*)"|"(\w*)"\s*[=!]=\s*([\w.>()\[\]-]+)'
                      r'|([\w.>()\[\]-]+)\.(?:starts_with|ends_with|compare|r?find)\("(\w*)')
REGISTERED = re.compile(r'\badd<\w+>\(\s*"(\w+)"|\bGroup \w+\([^;"]*"(\w+)"')


def tells_apart(line, kinds):
    """Whether a line of code compares an operation's kind with a word."""
    for match in COMPARED.finditer(line):
        left, word, word_first, right, object_, prefix = match.groups()
        subject = left or right or object_
        word = next(w for w in (word, word_first, prefix) if w is not None)
        if re.search(r"kind|operation", subject, re.I):
            if word in kinds or object_ or re.search(r"\b(op|operation|stage|group)\b", subject):
                return True
    return False


def reachable(folder):
    """The folder, what it may include, and what that may."""
    seen, todo = set(), [folder]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += ARROWS[here] + BEYOND_THE_DESIGN.get(here, [])
    return seen


def folder_of_header(name):
    """'limpid/files.h' -> 'files', or None where the table does not know it."""
    stem = pathlib.PurePath(name).stem
    folder = HEADER_OF.get(stem, stem)
    return folder if folder in ARROWS else None


def room_of(name):
    """'draw/layout/rows.h' -> 'draw/layout', 'ops/softmax.cpp' -> 'ops'; None where the table has no such folder."""
    parts = name.split("/")
    return next((room for room in ("/".join(parts[:2]), parts[0]) if len(parts) > room.count("/") + 1 and room in ARROWS), None)


def place_of(path):
    """Which folder's rules hold for a file (path relative to the root); None: unknown."""
    parts = path.parts
    if parts[:2] == ("include", "limpid"):
        return folder_of_header(path.name)
    return room_of("/".join(parts[1:])) if parts[0] == "src" else None


def without_comments(text):
    """The text with comments blanked, line numbers kept; strings stay."""
    pattern = r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/'
    return re.sub(pattern, lambda m: m.group(1) or "\n" * m.group(0).count("\n"), text, flags=re.S)


def sources(root):
    for top in ("include", "src", "apps", "examples"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cpp", ".inc"):
                yield path.relative_to(root)


def include_breach(root, path, bracket, name):
    """What is wrong with one #include, or None."""
    public = path.parts[0] in ("include", "examples")
    place = place_of(path)
    for prefix, allowed in CONFINED.items():
        if name.startswith(prefix):
            ok = any(a in (place, path.parts[0]) or path.match(a) for a in allowed)
            return None if ok else f"includes <{name}>, which only {', '.join(allowed) or 'nothing'} may"
    if name.startswith(".") or "/../" in name:
        return f'includes "{name}": write it from src/, as "folder/file.h"'
    if path.parts[0] == "apps" and (root / "apps" / name).exists():
        return f"includes {name}, which hides a public header" if (root / "include" / name).exists() else None
    if name.startswith("limpid/"):
        target = folder_of_header(name)
        generated = root / "cmake" / (pathlib.PurePath(name).name + ".in")
        if not (root / "include" / name).exists() and not generated.exists():
            return f"includes {name}, which does not exist"
        if target is None:
            return f"includes {name}, which this test's table does not know"
    elif room_of(name):
        target = room_of(name)
        if public:
            return f'includes "{name}": what is installed includes only limpid/ and the standard library'
    elif bracket == "<":
        if path.parts[0] == "include" and "/" in name:
            return f"includes <{name}>: a public header needs limpid and the standard library, nothing else"
        return None
    elif path.parts[0] == "src" and not name.endswith(".inc"):
        return f'includes "{name}": write it from src/, as "folder/file.h"'
    else:
        return None
    if place is not None and target not in reachable(place):
        return f"{place} includes {name} ({target}); it may include {', '.join(sorted(reachable(place)))}"
    return None


def breaches(root):
    """Every breach in a tree, as (file, line, what)."""
    root = pathlib.Path(root)
    kinds = {k for folder in ("ops", "network") for p in (root / "src" / folder).glob("*.cpp")
             for found in REGISTERED.findall(p.read_text()) for k in found if k}
    for path in sources(root):
        if place_of(path) is None and path.parts[0] in ("src", "include"):
            yield path, 1, "stands in no folder that this test's table knows"
            continue
        lines = without_comments((root / path).read_text()).splitlines()
        place = place_of(path)  # one that cannot include graph/ knows no operation: its `kind` is another word
        sees_operations = place is None or "graph" in reachable(place)
        may_tell = str(path).startswith(tuple(KNOWS_KINDS)) or path.name.endswith("_test.cpp")
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            if include:
                wrong = include_breach(root, path, *include.groups())
                if wrong:
                    yield path, number, wrong
            if re.match(r"\s*#\s*pragma\s+omp\b", line):
                yield path, number, "OpenMP: the one parallel_for is core/threads.h's"
            if PARSED.search(line) and str(path) not in READS_JSON and not path.name.endswith("_test.cpp"):
                yield path, number, "parses JSON by itself: core/json.h is the one door"
            if path.parts[0] == "include" and re.match(r"namespace limpid\b", line) and path.name != "version.h" and \
                    not any(re.match(r"namespace LIMPID_API \w+ {", other) for other in lines):
                yield path, number, "a public header exports what it declares: namespace LIMPID_API limpid {"
            if may_tell or not sees_operations:
                continue
            if tells_apart(line, kinds):
                yield path, number, f"tells operations apart ({line.strip()}): ask the Operation instead"


PLANTED = {
    # what is planted: (file, its text, words that the report must hold; None: nothing may be reported)
    "a clean file": ("src/engine/run.cpp", '#include "engine/run.h"\n#include "limpid/tensor.h"\n#include <vector>\n', None),
    "an arrow turned round": ("src/core/a.cpp", '#include <vector>\n#include "limpid/tensor.h"\n', "core includes limpid/tensor.h"),
    "an internal header across": ("src/ops/b.cpp", '#include "engine/run.h"\n', "ops includes engine/run.h"),
    "a step beside the pipeline": ("src/text/c.cpp", '#include "engine/run.h"\n', "text includes"),
    "an arrow through a chain": ("src/draw/figures/d.cpp", '#include "tensor/dispatch.h"\n', None),
    "a room into a room beside it": ("src/draw/formats/q.cpp", '#include "draw/layout/route.h"\n', "draw/formats includes"),
    "a file outside the rooms": ("src/draw/r.cpp", "int x;\n", "stands in no folder"),
    "a public header with an internal one": ("include/limpid/engine.h", '#include "engine/run.h"\n', "what is installed"),
    "a public header that needs json": ("include/limpid/files.h", "#include <nlohmann/json.hpp>\n", "nlohmann"),
    "the command's own header": ("apps/limpid/own.h", '#include "limpid/own.h"\n', None),
    "a header in two places": ("apps/limpid/tensor.h", '#include "limpid/tensor.h"\n', "hides a public header"),
    "a commented include": ("src/core/e.cpp", '// #include "limpid/tensor.h"\n/*\n#include "limpid/tensor.h"\n*/\n', None),
    "a relative path": ("src/ops/f.cpp", '#include "../graph/g.h"\n', "from src/"),
    "a stray folder": ("src/util/g.cpp", "int x;\n", "stands in no folder"),
    "MPI in the trainer": ("src/train/u.cpp", "#include <mpi.h>\n", "only mpi"),
    "SIMD in an operation": ("src/ops/h.cpp", '#include "hwy/highway.h"\n', "only kernels"),
    "JSON beside the door": ("src/trace/s.cpp", "const Json json = Json::parse(text);\n", "the one door"),
    "JSON of one's own": ("src/trace/t.cpp", "const Json json = nlohmann::json::parse(to_json(graph));\n", None),
    "OpenMP in a kernel": ("src/kernels/i.cpp", "#pragma omp parallel for\n", "the one parallel_for"),
    "threads in a kernel": ("src/kernels/t.cpp", "#include <thread>\n", "only core"),
    "a public header that exports nothing": ("include/limpid/text.h", "namespace limpid {\n}\n", "LIMPID_API"),
    "kinds told apart": ("src/draw/layout/j.cpp", 'void f() {\n  if (stage.operation->kind() == "other") g();\n}\n', "j.cpp:2"),
    "kinds told apart by name": ("apps/k.cpp", 'bool b = "softmax" != kind;\n', "tells operations apart"),
    "kinds in the planner": ("src/engine/plan_groups.cpp", 'bool b = group.kind == "softmax";\n', None),
    "kinds by prefix": ("src/trace/l.cpp", 'bool b = op.kind().starts_with("soft");\n', "tells operations apart"),
    "a network's kind": ("src/network/o.cpp", 'if (kind == "textbook") f();\n', None),
    "a word that is also a kind": ("src/engine/p.cpp", 'if (action == "softmax") f();\n', None),
    "kinds of something else": ("src/text/n.cpp", 'if (kind == "words") f();\n', None),
    "another word of that name": ("src/draw/layout/m.cpp", 'if (kind == Kind::sum) f();\nif (word == "other") f();\n', None),
}


def tree(root):
    for name, text in {
        "include/limpid/tensor.h": "#pragma once\n",
        "src/engine/run.h": "#pragma once\n",
        "src/tensor/dispatch.h": '#include "limpid/tensor.h"\n',
        "src/ops/softmax.cpp": 'void register_softmax(Registry& all) { all.add<Softmax>("softmax", {}); }\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    passed = failed = 0
    for what, (name, text, words) in PLANTED.items():
        with tempfile.TemporaryDirectory() as folder:
            tree(pathlib.Path(folder))
            (pathlib.Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (pathlib.Path(folder) / name).write_text(text)
            found = "\n".join(f"{p}:{n}: {w}" for p, n, w in breaches(folder))
        right = found == "" if words is None else words in found and name in found
        if not right:
            print(f"planted {what}: expected {words or 'no report'}, found: {found or 'nothing'}")
        passed, failed = passed + right, failed + (not right)
    looked_at = len(list(sources(root)))
    found = list(breaches(root))
    for path, number, what in found:
        print(f"{path}:{number}: {what}")
    if looked_at < 5:
        print(f"{root}: only {looked_at} source files seen; is this the repository?")
    for folder, targets in BEYOND_THE_DESIGN.items():
        print(f"note: {folder} may include {', '.join(targets)}, beyond the design page's arrows")
    wrong = bool(found) or looked_at < 5
    print(f"{passed + (not wrong)} passed, {failed + wrong} failed")
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
