#!/usr/bin/env python3
"""Digests of the sources that limpid.wasm is built from, a line a folder: tests/web_dist_test.py holds web/dist to it, and
names the folder that has changed since.

  scripts/web_digest.py > web/dist/module.sha256
"""
import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENDINGS = {".cpp", ".h", ".in", ".txt", ".cmake", ".sh"}


def folders():
    presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    web = next(preset for preset in presets if preset["name"] == "web")
    names = web["cacheVariables"]["LIMPID_ONLY"].split(";")
    return ["include/limpid", *(f"src/{name}" for name in names), "apps/web"]


def is_test(path):
    return path.name.endswith("_test.cpp") or path.name.startswith("test_")


def content(path):
    data = path.read_bytes()
    if path.name == "CMakeLists.txt":  # which tests there are says nothing of the module
        data = re.sub(rb"TESTS[^)]*", b"", data)
    return data


def digest_of(paths):
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda each: each.relative_to(ROOT).as_posix()):
        data = content(path)
        digest.update(f"{path.relative_to(ROOT).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def digests():
    lines = {}
    for folder in folders():
        files = [path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS and not is_test(path)]
        lines[folder] = digest_of(files)
    build = ["cmake/web.cmake", "cmake/folder.cmake", "cmake/flags.cmake", "src/CMakeLists.txt", "scripts/web_sources.sh", "scripts/web_module.sh", "scripts/web_pack.py"]
    lines["the build"] = digest_of([ROOT / name for name in build])
    return lines


if __name__ == "__main__":
    for folder, digest in digests().items():
        print(digest, folder)
