#!/usr/bin/env python3
"""Files that PyTorch writes, beside what limpid reads of them: every number, every plain value.

  tests/pytorch_files.py PROGRAM [FILE...]      stored_tensors of this build; checkpoints to be read besides

Needs PyTorch (bench/peers/install.sh); exit status 77, skipped, where there is none.  Files are written by torch.save in
both its forms and every pickle protocol, and by what rewrites a zip; FILEs are compared with torch.load's.
"""
import argparse
import collections
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/dev/stored_tensors"
TYPES = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "I64": torch.int64,
         "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "U16": torch.uint16,
         "U32": torch.uint32, "BOOL": torch.bool}
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)
FORMS = [("zip", {}), ("old", {"_use_new_zipfile_serialization": False})]
FAILED, PASSED = [], 0


def check(title, right, said=""):
    global PASSED
    PASSED += bool(right)
    if not right:
        FAILED.append(title)
        print(f"FAIL {title}: {said}")


def raw(tensor):
    tensor = tensor.detach().cpu()
    if tensor.dtype in FLOAT8:
        tensor = tensor.to(torch.bfloat16)
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()) if tensor.numel() else b""


def same(content, expected, dtype):
    if dtype not in FLOAT8 or not content:
        return content == expected
    a, b = (torch.frombuffer(bytearray(part), dtype=torch.bfloat16) for part in (content, expected))
    return bool(((a.view(torch.int16) == b.view(torch.int16)) | (a.isnan() & b.isnan())).all())  # PyTorch drops NaN's sign


# ---- safetensors ---------------------------------------------------------------------------------------

def write_safetensors(path, tensors, metadata=None, float8=()):
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    names = {dtype: name for name, dtype in TYPES.items()} | dict(zip(FLOAT8, ("F8_E4M3", "F8_E5M2")))
    for name, tensor in tensors.items():
        content = bytes(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    return {name: (TYPES[about["dtype"]], about["shape"], data[8 + size + about["data_offsets"][0]:8 + size + about["data_offsets"][1]])
            for name, about in header.items()}, metadata


def ours(mode, path, folder):
    target = folder / "out.safetensors"
    done = subprocess.run([PROGRAM, mode, str(path), str(target)], capture_output=True, text=True)
    if done.returncode not in (0, 1) or (done.returncode == 1 and len(done.stderr.strip().splitlines()) != 1):
        FAILED.append(str(path))
        print(f"FAIL {path}: status {done.returncode}: {done.stderr[-2000:]}")
    return (None, done.stderr.strip()) if done.returncode else read_safetensors(target)


# ---- what torch_file.h promises of a value ---------------------------------------------------------------

def unlike_json(value):
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not isinstance(value, bool) and not -2**63 <= value < 2**63:
        return hex(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value)
    return value


def listed(value, path=""):
    """The tensors by name, and the value without them (None and False: nothing is left)."""
    if torch.is_tensor(value):
        return {path: value}, None, False
    below = lambda key: f"{path}/{key}" if path else str(key)
    if isinstance(value, dict):
        tensors, left = {}, {}
        for key, item in value.items():
            inner, rest, some = listed(item, below(key))
            tensors |= inner
            if some:
                left[str(key)] = rest
        return tensors, left, bool(left) or not value
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [listed(item, below(i)) for i, item in enumerate(value)]
        tensors = {name: tensor for part in parts for name, tensor in part[0].items()}
        return tensors, [part[1] if part[2] else None for part in parts], any(part[2] for part in parts) or not parts
    return {}, unlike_json(value), True


def compare(title, value, path, folder):
    got, metadata = ours("torch", path, folder)
    if got is None:
        return check(title, False, metadata)
    tensors, left, some = listed(value)
    readable = {n: t for n, t in tensors.items() if t.dtype in TYPES.values() or t.dtype in FLOAT8}
    check(title + ": names", sorted(got) == sorted(readable), (sorted(got), sorted(readable)))
    for name, tensor in readable.items():
        if name in got:
            dtype, shape, content = got[name]
            expected = torch.bfloat16 if tensor.dtype in FLOAT8 else tensor.dtype
            check(f"{title}: {name}", (dtype, shape) == (expected, list(tensor.shape)) and same(content, raw(tensor), tensor.dtype),
                  f"{dtype} {shape}, expected {expected} {list(tensor.shape)}")
    check(title + ": unreadable", sorted(n[11:] for n in metadata if n.startswith("unreadable ")) ==
          sorted(set(tensors) - set(readable)), metadata)
    check(title + ": values", json.loads(metadata["values"]) == (left if some else {}), metadata["values"][:1000])


# ---- cases ---------------------------------------------------------------------------------------------

def values():
    torch.manual_seed(7)
    base = torch.randn(6, 8)
    yield "every type", {str(d): torch.arange(1, 7).reshape(2, 3).to(d) for d in TYPES.values() if d != torch.bool} | {
        "bool": torch.tensor([True, False, True])}
    yield "8-bit floats", {str(d): torch.arange(256, dtype=torch.uint8).view(d) for d in FLOAT8} | {
        "odd strides": torch.arange(64, dtype=torch.uint8).reshape(8, 8).view(FLOAT8[0]).t()}
    yield "types that are not ours", {"c": torch.zeros(3, dtype=torch.complex64), "u": torch.zeros(2, dtype=torch.uint64),
                                      "w": base, "i": torch.randn(3, dtype=torch.complex64).conj()}
    yield "views", {"t": base.t(), "row": base[2], "column": base[:, 3], "block": base[1:5:2, 2:7:3], "flipped": base.flip(0),
                    "expanded": torch.randn(3, 1).expand(3, 5), "one": torch.randn(1).expand(40), "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
                    "window": torch.arange(10).unfold(0, 4, 1), "tail": base.view(-1)[40:], "bytes": (base > 0).t()}
    yield "scalars and none", {"scalar": torch.tensor(2.5), "int": torch.tensor(-3), "empty": torch.empty(0), "empty matrix": torch.empty(0, 5),
                               "empty too": torch.empty(3, 0, 2, dtype=torch.int32), "empty view": base[6:], "eight axes": torch.randn(1, 2, 1, 2, 1, 2, 1, 2)}
    table = torch.nn.Parameter(torch.randn(5, 4))
    yield "tied and parameters", {"wte.weight": table, "lm_head.weight": table, "frozen": torch.nn.Parameter(base, requires_grad=False),
                                  "part": table.detach()[1:3]}
    tagged = torch.nn.Parameter(torch.randn(2, 2))
    tagged.note = "kept"
    named = torch.randn(3)
    named.note = 5
    yield "tensors with attributes", {"parameter": tagged, "tensor": named}
    model = torch.nn.Sequential(collections.OrderedDict(embed=torch.nn.Embedding(7, 4), body=torch.nn.TransformerEncoderLayer(4, 2, 8),
                                                        head=torch.nn.Linear(4, 7), norm=torch.nn.BatchNorm1d(7)))
    yield "a module's state dict", model.state_dict()
    optimizer = torch.optim.AdamW(model.head.parameters(), lr=3e-4)
    model.head(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    yield "a training run's checkpoint", {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "iter_num": 2000,
                                          "best_val_loss": torch.tensor(1.4697), "config": {"device": torch.device("cuda:1"), "dtype": torch.bfloat16},
                                          "model_args": {"n_layer": 6, "bias": False, "dropout": 0.2, "name": "nano \u00e9\u4e2d\U0001f600"}}
    yield "plain values", {"none": None, "yes": True, "no": False, "ints": [0, 1, -1, 255, 256, 65535, 65536, -2**31, 2**31, 2**63 - 1, -2**63, 2**63, -2**63 - 1, 2**100, -2**100],
                           "floats": [0.0, 0.1, -1e-300, 1e300, float("inf"), float("-inf"), float("nan")], "empty": [{}, [], (), ""],
                           "bytes": [b"", b"\0\xff abc", bytearray(b"xy")], "texts": ["a" * 300, "\\u0041\n\t", "\u00ff"], "set": {7}, "frozen": frozenset({"x"}),
                           "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], 5: "five", 2.5: "a float", True: "yes", None: "none", (1, "a"): torch.ones(2),
                           "size": torch.Size([1, 2]), "types": [torch.float32, torch.int8]}
    yield "a list", [torch.ones(2), {"a": torch.zeros(1), "n": 1}, (torch.ones(1),), 3]
    yield "a tensor", base
    yield "a number", 17
    shared = {"w": torch.ones(2)}
    yield "one dict twice", {"a": shared, "b": shared, "n": [[1, 2]] * 3}


def deflated(path, target):
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))


def written_by_torch(folder):
    for title, value in values():
        for form, options in FORMS:
            for protocol in (2, 3, 4, 5):
                path = folder / "file.pt"
                torch.save(value, path, pickle_protocol=protocol, **options)
                try:
                    expected = torch.load(path, weights_only=False)
                except AttributeError:  # PyTorch 2.15 reads no storages of bytes in the old form, which it writes itself
                    expected = value
                compare(f"{title}, {form}, protocol {protocol}", expected, path, folder)
                if form == "zip" and protocol == 2:
                    deflated(path, folder / "packed.pt")
                    compare(f"{title}, deflated", expected, folder / "packed.pt", folder)


class Harm:
    def __reduce__(self):
        return os.system, ("touch /tmp/limpid-was-here",)


def refused(folder):
    for title, value, words in (("os.system", {"w": torch.ones(1), "x": Harm()}, "asks for posix.system"),
                                ("a whole module", torch.nn.Linear(2, 2), "asks for torch.nn.modules.linear.Linear"),
                                ("a namespace", {"args": argparse.Namespace(lr=1)}, "asks for argparse.Namespace"),
                                ("a sparse tensor", torch.eye(3).to_sparse(), "asks for torch._utils._rebuild_sparse_tensor"),
                                ("a path", {"p": pathlib.PurePosixPath("a")}, "asks for pathlib"),
                                ("a counter", {"p": collections.Counter("aab")}, "asks for collections.Counter")):
        for form, options in FORMS:
            torch.save(value, folder / "file.pt", **options)
            got, said = ours("torch", folder / "file.pt", folder)
            check(f"{title}, {form}", got is None and words in said and "runs nothing from a file" in said, said)
    script = torch.jit.script(torch.nn.Linear(2, 2))
    script.save(str(folder / "file.pt"))
    got, said = ours("torch", folder / "file.pt", folder)
    check("TorchScript", got is None and "TorchScript" in said, said)
    ring = [1]
    ring.append(ring)
    torch.save(ring, folder / "file.pt")
    got, said = ours("torch", folder / "file.pt", folder)
    check("a list in itself", got is None and "holds itself" in said, said)


def sources(folder):
    parts = [{"a.weight": torch.randn(3, 2), "e": torch.ones(2).to(FLOAT8[0])}, {"b.weight": torch.randn(4).to(torch.bfloat16)}]
    everything = parts[0] | parts[1]
    for kind, write in (("model.safetensors", write_safetensors), ("pytorch_model.bin", lambda path, tensors: torch.save(tensors, path))):
        hub = folder / kind.replace(".", "-")
        hub.mkdir()
        stem, ending = kind.split(".")
        index = {"metadata": {"total_size": 1}, "weight_map": {}}
        for i, part in enumerate(parts):
            name = f"{stem}-0000{i + 1}-of-00002.{ending}"
            write(hub / name, part)
            index["weight_map"] |= {tensor: name for tensor in part}
        (hub / f"{kind}.index.json").write_text(json.dumps(index))
        for path in (hub, hub / f"{kind}.index.json"):
            got, said = ours("source", path, folder)
            check(f"{path.name}: an index", got is not None and {n: g[2] for n, g in got.items()} == {n: raw(t) for n, t in everything.items()}, said)
        write(hub / kind, {"whole": torch.ones(1)})  # one file is taken before an index
        check(f"{kind}: one file first", list(ours("source", hub, folder)[0] or ()) == ["whole"])
    torch.save({"model": {"w": torch.ones(2)}, "optimizer": {"state": {0: torch.zeros(1)}}, "model_args": {"n_layer": 2}, "note": "x"}, folder / "run.pt")
    got, said = ours("source", folder / "run.pt", folder)
    check("a checkpoint's model", got is not None and list(got) == ["w"] and said == {"model_args": '{"n_layer":2}', "note": "x"}, said)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        written_by_torch(folder)
        refused(folder)
        sources(folder)
        for path in sys.argv[2:]:
            compare(path, torch.load(path, map_location="cpu", weights_only=True), path, folder)
    print(f"{PASSED} passed, {len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
