#!/usr/bin/env python3
"""PyTorch as a peer: scaled_dot_product_attention forward, backward and decoding; the weights, formed in whole; products
of matrices; a step of training.

  build/peers-venv/bin/python bench/peers/pytorch.py [--compile]

--compile: the training step by torch.compile, and nothing else.
"""
import math
import sys

import torch
import torch.nn.functional as F

from gpt import training_step
from protocol import instruction_set, serve

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
COMPILED = "--compile" in sys.argv[1:]
shared = {}  # the same numbers for every case of a shape


def numbers(name, *shape, dtype=torch.float32):
    key = (name, shape, dtype)
    if key not in shared:
        shared[key] = (torch.rand(shape) * 2 - 1).to(dtype)
    return shared[key]


def heads(case, name, count, rows):
    """[B, heads, rows, D], as scaled_dot_product_attention takes it, lying in memory as the case says."""
    dtype = TYPES[case.type]
    if case.layout == "heads":
        return numbers(name, case.B, count, rows, case.D, dtype=dtype)
    return numbers(name, case.B, rows, count, case.D, dtype=dtype).transpose(1, 2)


def with_threads(count, run):
    def call():
        torch.set_num_threads(count)
        run()
    return call


def attention(case):
    q, k, v = heads(case, "q", case.H, case.T), heads(case, "k", case.G, case.S), heads(case, "v", case.G, case.S)
    causal = case.mask == "causal"
    grouped = {"enable_gqa": True} if case.H != case.G else {}

    @torch.no_grad()
    def forward():
        F.scaled_dot_product_attention(q, k, v, is_causal=causal, **grouped)
    return forward


def backward(case):
    q, k, v = (heads(case, name, case.H, case.T).detach().requires_grad_() for name in "qkv")
    z = F.scaled_dot_product_attention(q, k, v, is_causal=case.mask == "causal")
    dz = heads(case, "dz", case.H, case.T)
    return lambda: torch.autograd.grad(z, (q, k, v), dz, retain_graph=True)


def materialised(case):
    """The only way here to see the weights: the whole matrix."""
    q, k, v = (heads(case, name, case.H, case.T) for name in "qkv")
    hidden = torch.ones(case.T, case.S, dtype=torch.bool).triu(1) if case.mask == "causal" else None

    @torch.no_grad()
    def forward():
        scores = q @ k.transpose(-2, -1) / math.sqrt(case.D)
        if hidden is not None:
            scores = scores.masked_fill(hidden, -math.inf)
        weights = scores.softmax(-1)
        return weights, weights @ v
    return forward


def matmul(case):
    a = numbers("a", case.K, case.M).t() if case.layout == "tn" else numbers("a", case.M, case.K)
    b = numbers("b", case.N, case.K).t() if case.layout == "nt" else numbers("b", case.K, case.N)
    c = numbers("c", case.M, case.N)
    return lambda: torch.mm(a, b, out=c)


def norm(case):
    x, w, b = numbers("x", case.M, case.N), numbers("w", case.N), numbers("b", case.N)
    if case.shape.startswith("layer "):
        return torch.no_grad()(lambda: F.layer_norm(x, (case.N,), w, b))
    return torch.no_grad()(lambda: F.rms_norm(x, (case.N,), w)) if case.shape.startswith("rms ") else None


def softmax(case):
    x = numbers("x", case.M, case.N)
    return lambda: torch.softmax(x, -1)


WORKS = {"attention_forward": attention, "attention_backward": backward, "attention_decode": attention,
         "attention_observed": materialised, "matmul": matmul, "norm": norm, "softmax": softmax}


def prepare(case):
    if case.what == "training_step":
        torch.set_num_threads(case.threads)
        return with_threads(case.threads, training_step(case, COMPILED))
    work = None if COMPILED or case.type not in TYPES else WORKS.get(case.what)
    run = work(case) if work else None
    return with_threads(case.threads, run) if run else None


def isa():
    capability = torch.backends.cpu.get_cpu_capability()
    return {"AVX512": "avx512", "AVX2": "avx2", "DEFAULT": "plain"}.get(capability, instruction_set())


if __name__ == "__main__":
    torch.manual_seed(1)
    serve("PyTorch compiled" if COMPILED else "PyTorch", torch.__version__.split("+")[0], prepare, isa())
