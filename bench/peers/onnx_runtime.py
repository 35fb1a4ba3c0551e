#!/usr/bin/env python3
"""ONNX Runtime as a peer: its two attention operators, and decoding.

  build/peers-venv/bin/python bench/peers/onnx_runtime.py [Attention | MultiHeadAttention]

Attention (ONNX, opset 23) takes each head's rows together; MultiHeadAttention (com.microsoft) takes [B, T, H D] and copies.
"""
import sys

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from protocol import serve

OPERATOR = sys.argv[1] if len(sys.argv) > 1 else "Attention"
random = np.random.default_rng(1)


def session(case, node, inputs, output):
    """The model of one node, bound to memory of its own: one call computes, and allocates nothing here."""
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "peer", [value(n, s) for n, s in inputs.items()], [value("z", output)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 10
    options = ort.SessionOptions()
    options.intra_op_num_threads = case.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    made = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = made.io_binding()
    for name, shape in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(random.uniform(-1, 1, shape).astype(np.float32)))
    binding.bind_ortvalue_output("z", ort.OrtValue.ortvalue_from_numpy(np.zeros(output, np.float32)))
    return lambda: made.run_with_iobinding(binding)


def attention(case):
    if case.layout == "heads":
        inputs = {"q": (case.B, case.H, case.T, case.D), "k": (case.B, case.G, case.S, case.D), "v": (case.B, case.G, case.S, case.D)}
        counts = {}
    else:
        inputs = {"q": (case.B, case.T, case.H * case.D), "k": (case.B, case.S, case.G * case.D), "v": (case.B, case.S, case.G * case.D)}
        counts = {"q_num_heads": case.H, "kv_num_heads": case.G}
    node = helper.make_node("Attention", ["q", "k", "v"], ["z"], is_causal=int(case.mask == "causal"), **counts)
    return session(case, node, inputs, inputs["q"])


def multi_head_attention(case):
    if case.layout != "rows" or case.H != case.G:
        return None
    inputs = {name: (case.B, rows, case.H * case.D) for name, rows in (("q", case.T), ("k", case.S), ("v", case.S))}
    node = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["z"], domain="com.microsoft", num_heads=case.H,
                            unidirectional=int(case.mask == "causal"))
    return session(case, node, inputs, inputs["q"])


def prepare(case):
    if case.type != "f32" or case.what not in ("attention_forward", "attention_decode"):
        return None
    return attention(case) if OPERATOR == "Attention" else multi_head_attention(case)


if __name__ == "__main__":
    if OPERATOR not in ("Attention", "MultiHeadAttention"):
        sys.exit(f"onnx_runtime.py: operator {OPERATOR!r}, expected Attention or MultiHeadAttention")
    serve(f"ONNX Runtime {OPERATOR}", ort.__version__, prepare)
