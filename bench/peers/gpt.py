"""The network of `limpid bench`'s training_step, written plainly in PyTorch: pre-norm blocks, learned positions, GELU, the
logits by the embedding table, and AdamW.  The attention is PyTorch's fused one."""
import torch
from torch import nn
import torch.nn.functional as F

import networks


class Block(nn.Module):
    def __init__(self, width, heads, feed_forward, bias):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width, bias=bias), nn.LayerNorm(width, bias=bias)
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)
        self.up = nn.Linear(width, feed_forward, bias=bias)
        self.down = nn.Linear(feed_forward, width, bias=bias)

    def forward(self, x):  # [B,T,C]
        b, t, c = x.shape
        q, k, v = (a.view(b, t, self.heads, c // self.heads).transpose(1, 2) for a in self.qkv(self.ln1(x)).split(c, 2))
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(z.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary, context, layers, heads, width, feed_forward, bias):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, feed_forward, bias) for _ in range(layers))
        self.ln_final = nn.LayerNorm(width, bias=bias)

    def forward(self, tokens, targets):
        x = self.embed(tokens) + self.positions.weight[:tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = self.ln_final(x) @ self.embed.weight.t()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def next_word(case):
    def draw():
        tokens = torch.randint(case.V, (case.B, case.T + 1))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    return GPT(case.V, case.context, case.L, case.H, case.C, case.F, bool(case.bias)), draw


def training_step(case, compiled):
    """One call is one step: forward, gradient, the gradient's norm clipped, AdamW, on examples drawn anew."""
    of = {"digits": networks.digits, "translation": networks.translation}
    network, draw = of.get(case.shape.split()[0], next_word)(case)
    matrices = [p for p in network.parameters() if p.dim() > 1]
    vectors = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    run = torch.compile(network) if compiled else network

    def step():
        loss = run(*draw())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return step
