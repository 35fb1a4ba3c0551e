#!/usr/bin/env python3
"""web/dist is what web/ builds: the digest of the sources that the build wrote into it, computed here without Node;
and it is what the server's Content-Security-Policy lets run.

  tests/web_dist_test.py
"""
import hashlib
import re
import unittest
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
DIST = WEB / "dist"


class WebDist(unittest.TestCase):
    def test_it_was_built_from_these_sources(self):
        names = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"]
        names += [f"{folder}/{path.name}" for folder in ("src", "public") for path in (WEB / folder).iterdir()]
        digest = hashlib.sha256()
        for name in sorted(names):
            data = (WEB / name).read_bytes()
            digest.update(f"{name} {len(data)}\n".encode() + data)
        self.assertEqual((DIST / "sources.sha256").read_text().strip(), digest.hexdigest(),
                         "web/dist is not what web/ builds: make web")

    def test_nothing_of_it_is_inline_or_from_elsewhere(self):
        page = (DIST / "index.html").read_text()
        self.assertNotRegex(page, r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=")
        for name in re.findall(r'(?:src|href)="([^"]*)"', page):
            self.assertRegex(name, r"^\w+\.\w+$")
        text = page + (DIST / "page.css").read_text() + (DIST / "page.js").read_text()
        self.assertEqual(set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}, set())

    def test_it_is_small(self):
        self.assertEqual({path.name for path in DIST.iterdir()}, {"index.html", "icon.svg", "page.css", "page.js", "sources.sha256"})
        self.assertLess(sum(path.stat().st_size for path in DIST.iterdir()), 300_000)


if __name__ == "__main__":
    unittest.main()
