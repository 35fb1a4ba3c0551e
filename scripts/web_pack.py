#!/usr/bin/env python3
"""Packs a file by LZMA as web/src/lzma.ts unpacks it: the size is said in front.

  scripts/web_pack.py FROM TO
"""
import lzma
import sys

FILTER = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0, "dict_size": 1 << 24}

source, target = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
packed = lzma.compress(data, format=lzma.FORMAT_ALONE, filters=[FILTER])
packed = packed[:5] + len(data).to_bytes(8, "little") + packed[13:]  # Python leaves the size open
with open(target, "wb") as file:
    file.write(packed)
