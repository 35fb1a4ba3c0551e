"""The networks of `limpid bench`'s training steps on images and on pairs of sentences, written plainly in PyTorch: pre-norm
blocks, PyTorch's fused attention, dropout and label smoothing where the recipes have them."""
import math

import torch
from torch import nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def rows(self, x):  # [B,T,C] -> [B,H,T,D]
        b, t, c = x.shape
        return x.view(b, t, self.heads, c // self.heads).transpose(1, 2)

    def forward(self, x, memory, causal=False):
        k, v = self.kv(memory).chunk(2, 2)
        z = F.scaled_dot_product_attention(self.rows(self.q(x)), self.rows(k), self.rows(v), is_causal=causal)
        return self.out(z.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads, feed_forward, activation, dropout=0.0, cross=False):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.cross = Attention(width, heads) if cross else None
        self.ln_cross = nn.LayerNorm(width) if cross else None
        self.up, self.down = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.activation, self.dropout = activation, dropout

    def dropped(self, x):
        return F.dropout(x, self.dropout, self.training) if self.dropout else x

    def forward(self, x, memory=None):
        a = self.ln1(x)
        x = x + self.dropped(self.attention(a, a, causal=self.cross is not None))
        if self.cross is not None:
            x = x + self.dropped(self.cross(self.ln_cross(x), memory))
        return x + self.dropped(self.down(self.activation(self.up(self.ln2(x)))))


class Digits(nn.Module):
    """A small vision transformer (Dosovitskiy 2020): squares of an image, a class token before them."""

    def __init__(self, case):
        super().__init__()
        self.size, patches = case.P, (case.Y // case.P) ** 2
        self.embed = nn.Linear(case.P * case.P, case.C)
        self.first = nn.Parameter(0.02 * torch.randn(1, 1, case.C))
        self.positions = nn.Parameter(0.02 * torch.randn(patches + 1, case.C))
        self.blocks = nn.ModuleList(Block(case.C, case.H, case.F, F.gelu) for _ in range(case.L))
        self.ln_final, self.head = nn.LayerNorm(case.C), nn.Linear(case.C, case.V)

    def forward(self, images, labels):
        x = self.embed(F.unfold(images, self.size, stride=self.size).transpose(1, 2))
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.head(self.ln_final(x)[:, 0]), labels, label_smoothing=0.1)


class Translator(nn.Module):
    """An encoder-decoder (Vaswani 2017), one table of tokens for both and for the logits."""

    def __init__(self, case, dropout=0.3, longest=128):
        super().__init__()
        self.embed = nn.Embedding(case.V, case.C)
        self.dropout, self.scale = dropout, math.sqrt(case.C)
        angles = torch.arange(longest)[:, None] / 10000 ** (torch.arange(0, case.C, 2) / case.C)
        self.register_buffer("waves", torch.stack([angles.sin(), angles.cos()], 2).flatten(1))
        block = lambda cross: Block(case.C, case.H, case.F, F.relu, dropout, cross)
        self.reads, self.writes = (nn.ModuleList(block(cross) for _ in range(case.L)) for cross in (False, True))
        self.ln_read, self.ln_final = nn.LayerNorm(case.C), nn.LayerNorm(case.C)

    def placed(self, tokens):
        return F.dropout(self.embed(tokens) * self.scale + self.waves[:tokens.shape[1]], self.dropout, self.training)

    def forward(self, source, tokens, targets):
        memory = self.placed(source)
        for block in self.reads:
            memory = block(memory)
        memory = self.ln_read(memory)
        x = self.placed(tokens)
        for block in self.writes:
            x = block(x, memory)
        logits = self.ln_final(x) @ self.embed.weight.t()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=0.1)


def digits(case):
    draw = lambda: (torch.rand(case.B, 1, case.Y, case.Y), torch.randint(case.V, (case.B,)))
    return Digits(case), draw


def translation(case):
    """All sentences of a batch have the mean length, so that PyTorch computes no padding."""
    def draw():
        tokens = torch.randint(case.V, (case.B, case.T + 1))
        return torch.randint(case.V, (case.B, case.S)), tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    return Translator(case), draw
