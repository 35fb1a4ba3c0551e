#!/usr/bin/env python3
"""OpenVINO as a peer: its ScaledDotProductAttention, in f32.

  build/peers-venv/bin/python bench/peers/open_vino.py
"""
import numpy as np
import openvino as ov
from openvino import opset13 as ops

from protocol import serve

core = ov.Core()
random = np.random.default_rng(1)


def attention(case):
    shapes = [(case.B, count, rows, case.D) for count, rows in ((case.H, case.T), (case.G, case.S), (case.G, case.S))]
    if case.layout == "rows":
        shapes = [(b, t, h, d) for b, h, t, d in shapes]
    inputs = [ops.parameter(shape, np.float32) for shape in shapes]
    q, k, v = inputs
    if case.layout == "rows":
        q, k, v = (ops.transpose(x, [0, 2, 1, 3]) for x in inputs)
    z = ops.scaled_dot_product_attention(q, k, v, causal=case.mask == "causal")
    if case.layout == "rows":
        z = ops.transpose(z, [0, 2, 1, 3])
    compiled = core.compile_model(ov.Model([z], inputs), "CPU", {
        "INFERENCE_NUM_THREADS": case.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    for i, shape in enumerate(shapes):
        request.set_input_tensor(i, ov.Tensor(random.uniform(-1, 1, shape).astype(np.float32)))
    return request.infer


def prepare(case):
    if case.what not in ("attention_forward", "attention_decode") or case.type != "f32" or case.H != case.G:
        return None
    return attention(case)


if __name__ == "__main__":
    serve("OpenVINO", ov.__version__.split("-")[0], prepare)
