#!/usr/bin/env python3
"""Attention's errors beside PyTorch's: z, dq, dk and dv of both in f32, against double precision.

  tests/pytorch_gradients.py PROGRAM      attention_gradients of this build

Needs PyTorch and NumPy (bench/peers/install.sh); exit status 77, skipped, where there are none.  Over drawn inputs of
every scale, with scores that share an offset too.  Each case is drawn DRAWS times: the rms is over all of them, and of the
largest errors, each a single number's, the mean of the draws is compared.  Fails where ours is more than 1.25 times PyTorch's
and more than a rounding of the result's largest number.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/dev/tests/attention_gradients"
DRAWS = 8
WORSE = 1.25  # so many times PyTorch's error is still no worse: two orders of one sum differ by as much
FLOOR = 2.0 ** -23  # of the largest number of a result: errors below are nobody's
NAMES = ("z", "dq", "dk", "dv")


def write(path, arrays):
    header, blobs, offset = {}, [], 0
    for name, array in arrays.items():
        blob = array.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return {name: np.frombuffer(data[8 + size + about["data_offsets"][0]:8 + size + about["data_offsets"][1]],
                                "<f4").reshape(about["shape"])
            for name, about in json.loads(data[8:8 + size]).items() if name != "__metadata__"}


def ours(inputs, folder):
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    write(source, inputs)
    subprocess.run([PROGRAM, source, target], check=True)
    return read(target)


def theirs(inputs, dtype):
    q, k, v = (torch.tensor(inputs[name]).to(dtype).requires_grad_() for name in "qkv")
    dz = torch.tensor(inputs["dz"]).to(dtype)
    if dtype == torch.float64:  # the formula itself
        z = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) @ v
    else:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
            z = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    z.backward(dz)
    return {"z": z.detach().numpy(), "dq": q.grad.numpy(), "dk": k.grad.numpy(), "dv": v.grad.numpy()}


def cases():
    """A title, and what draws its inputs."""
    random = np.random.default_rng(5)
    for size in (1e-3, 0.1, 1, 3, 10):
        for queries, keys, width in ((64, 64, 64), (200, 333, 64), (128, 512, 128)):
            yield f"size {size:g}, {queries} x {keys} x {width}", lambda: {
                name: (random.standard_normal((1, 2, rows, width)) * scale).astype("f4")
                for name, rows, scale in (("q", queries, size), ("k", keys, size), ("v", keys, 1), ("dz", queries, 1))}
    for offset in (10, 100, 1000):  # a component that all keys have in common: every score has it
        def drawn():
            inputs = {name: random.standard_normal((1, 2, 256, 64)).astype("f4") for name in ("q", "k", "v", "dz")}
            inputs["q"][..., 0] = 8
            inputs["k"][..., 0] = offset
            return inputs
        yield f"offset {offset}, 256 x 256 x 64", drawn


def errors(inputs, folder):
    """By name, the rms and the largest error: ours, PyTorch's; and a rounding of the result's largest number."""
    right, got, peer = theirs(inputs, torch.float64), ours(inputs, folder), theirs(inputs, torch.float32)
    out = []
    for name in NAMES:
        mine, other = (np.abs(x[name].astype("f8") - right[name]) for x in (got, peer))
        out.append([[np.mean(e ** 2) ** 0.5, e.max()] for e in (mine, other)] + [[FLOOR * np.abs(right[name]).max()] * 2])
    return np.array(out)


def main():
    bad = count = 0
    print(f"{'':30} " + " ".join(f"{name + ' rms, ours / theirs':>30} {'largest':>24}" for name in NAMES))
    with tempfile.TemporaryDirectory() as folder:
        for title, drawn in cases():
            draws = np.array([errors(drawn(), pathlib.Path(folder)) for _ in range(DRAWS)])
            draws[..., 0] **= 2
            mean = draws.mean(axis=0)
            mean[..., 0] **= 0.5
            line = [f"{title:30}"]
            for own, other, floor in mean:
                for what in range(2):  # rms, largest
                    worse = own[what] > WORSE * other[what] + floor[what]
                    bad += worse
                    count += 1
                    line.append(f"{own[what]:14.2e} / {other[what]:.2e}{' WORSE' if worse else ''}")
            print(" ".join(line))
    print(f"{count - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
