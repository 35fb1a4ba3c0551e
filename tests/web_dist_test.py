#!/usr/bin/env python3
"""web/dist is what web/ builds: the digest of the sources that the build wrote into it, computed here without Node;
and it is what the server's Content-Security-Policy lets run.

  tests/web_dist_test.py
"""
import gzip
import hashlib
import lzma
import re
import sys
import unittest
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
DIST = WEB / "dist"


def number_at(data, at):
    """An unsigned LEB128 number, and where the next byte stands."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7f) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return number, at


def text_at(data, at):
    size, at = number_at(data, at)
    return data[at:at + size].decode(), at + size


def imports_of(module):
    """(module, name) of all imports, which are functions here."""
    at = 8
    while at < len(module):
        section = module[at]
        size, at = number_at(module, at + 1)
        if section == 2:
            count, at = number_at(module, at)
            for _ in range(count):
                source, at = text_at(module, at)
                name, at = text_at(module, at)
                assert module[at] == 0, f"{source}.{name} is no function"
                _, at = number_at(module, at + 1)
                yield source, name
            return
        at += size


class WebDist(unittest.TestCase):
    def test_it_was_built_from_these_sources(self):
        names = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "vite.worker.config.ts"]
        names += [f"{folder}/{path.name}" for folder in ("src", "public") for path in (WEB / folder).iterdir()]
        digest = hashlib.sha256()
        for name in sorted(names):
            data = (WEB / name).read_bytes()
            digest.update(f"{name} {len(data)}\n".encode() + data)
        self.assertEqual((DIST / "sources.sha256").read_text().strip(), digest.hexdigest(),
                         "web/dist is not what web/ builds: make web")

    def test_the_engine_was_built_from_these_sources(self):
        sys.path.insert(0, str(WEB.parent / "scripts"))
        import web_digest
        built = dict(reversed(line.split(" ", 1)) for line in (DIST / "module.sha256").read_text().splitlines())
        for folder, digest in web_digest.digests().items():
            self.assertEqual(built.get(folder), digest, f"{folder} has changed since web/dist/limpid.wasm.lzma was built: make web")

    def test_the_engine_asks_for_wasi_alone(self):
        module = lzma.decompress((DIST / "limpid.wasm.lzma").read_bytes())
        self.assertEqual(module[:8], b"\0asm\1\0\0\0")
        self.assertEqual({name for name, _ in imports_of(module)}, {"wasi_snapshot_preview1"})

    def test_nothing_of_it_is_inline_or_from_elsewhere(self):
        page = (DIST / "index.html").read_text()
        self.assertNotRegex(page, r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=")
        for name in re.findall(r'(?:src|href)="([^"]*)"', page):
            self.assertRegex(name, r"^\w+\.\w+$")
        text = "".join((DIST / name).read_text() for name in ("index.html", "page.css", "page.js", "engine.js", "first_view.json", "boot.js"))
        self.assertEqual(set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}, set())

    def test_it_is_small(self):
        self.assertEqual({path.name for path in DIST.iterdir()},
                         {"index.html", "icon.svg", "page.css", "page.js", "engine.js", "first_view.json", "boot.js", "limpid.wasm.lzma", "module.sha256", "sources.sha256"})
        texts = sum(path.stat().st_size for path in DIST.iterdir() if path.suffix != ".lzma")
        self.assertLess(texts, 300_000)
        packed = sum(len(gzip.compress(path.read_bytes(), 9)) for path in DIST.iterdir())
        self.assertLess(packed, 1_300_000)


if __name__ == "__main__":
    unittest.main()
