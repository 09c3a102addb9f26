"""Models that attend, as people write them, and attention in NumPy."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, n_heads, mask=None):
    """What attention of projected queries, keys and values (rows, time, width) gives, head beside head."""
    made = []
    each_k = k.shape[-1] * n_heads // q.shape[-1]
    width = q.shape[-1] // n_heads
    for head in range(n_heads):
        of_k = head * each_k // n_heads
        of_q, of_k = (slice(n * width, (n + 1) * width) for n in (head, of_k))
        scores = q[..., of_q] @ k[..., of_k].swapaxes(1, 2) / math.sqrt(width)
        if mask is not None:
            scores = scores + mask
        made.append(softmax(scores) @ v[..., of_k])
    return np.concatenate(made, -1)


class _Heads(nn.Module):
    def __init__(self, width=8, n_heads=2):
        super().__init__()
        self.width, self.n = width, n_heads

    def apart(self, x, n=None):
        return x.view(x.shape[0], x.shape[1], n or self.n, -1).transpose(1, 2)

    def together(self, y):
        return y.transpose(1, 2).contiguous().view(y.shape[0], y.shape[2], -1)


class NanoGPT(_Heads):
    """One map for queries, keys and values, split; a mask, and attention in steps."""

    def __init__(self, width=8, n_heads=2):
        super().__init__(width, n_heads)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = map(self.apart, self.c_attn(x).split(self.width, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        before = torch.tril(torch.ones(x.size(1), x.size(1))).view(1, 1, x.size(1), x.size(1))
        weights = F.softmax(scores.masked_fill(before == 0, float("-inf")), dim=-1)
        return self.c_proj(self.together(weights @ v))


class Timm(_Heads):
    """One map whose outputs are reshaped and permuted, and attention in one call."""

    def __init__(self, width=8, n_heads=2):
        super().__init__(width, n_heads)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        rows, time, width = x.shape
        q, k, v = self.qkv(x).reshape(rows, time, 3, self.n, width // self.n).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(rows, time, width))


class Separate(_Heads):
    """Three maps; what attends is given."""

    def __init__(self, attends, width=8, n_heads=2, n_kv=None, bias=True):
        super().__init__(width, n_heads)
        n_kv = n_kv or n_heads
        each = width // n_heads
        self.q, self.out = nn.Linear(width, width, bias=bias), nn.Linear(width, width, bias=bias)
        self.k, self.v = (nn.Linear(width, n_kv * each, bias=bias) for _ in range(2))
        self.n_kv, self.attends = n_kv, attends

    def forward(self, x):
        return self.out(self.attends(self, self.q(x), self.k(x), self.v(x)))


def by_einsum(self, q, k, v):
    q, k, v = (one.view(one.shape[0], one.shape[1], self.n, -1) for one in (q, k, v))
    weights = torch.softmax(torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(q.shape[-1]), dim=-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)


def by_bmm(self, q, k, v):
    """Heads and rows on one axis, as fairseq has them."""
    rows, time = q.shape[:2]
    q, k, v = (self.apart(one).reshape(rows * self.n, time, -1) for one in (q, k, v))
    weights = torch.bmm(q * q.shape[-1] ** -0.5, k.transpose(1, 2)).softmax(dim=-1)
    return self.together(torch.bmm(weights, v).view(rows, self.n, time, -1))


def by_chunks(self, q, k, v):
    """A loop over heads of which each is a chunk of the last axis, stacked."""
    q, k, v = (torch.stack(one.chunk(self.n, -1), 1) for one in (q, k, v))
    weights = ((q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])).softmax(-1)
    return torch.cat((weights @ v).unbind(1), -1)


def by_groups(self, q, k, v):
    """Keys and values that several heads share, repeated as Hugging Face does."""
    q, k, v = self.apart(q), self.apart(k, self.n_kv), self.apart(v, self.n_kv)
    k, v = (
        one[:, :, None].expand(-1, -1, self.n // self.n_kv, -1, -1).reshape(len(q), self.n, q.shape[2], -1)
        for one in (k, v)
    )
    return self.together(F.scaled_dot_product_attention(q, k, v))


def by_gqa(self, q, k, v):
    q, k, v = self.apart(q), self.apart(k, self.n_kv), self.apart(v, self.n_kv)
    return self.together(F.scaled_dot_product_attention(q, k, v, enable_gqa=True))


def _turned(x, cos, sin):
    half = torch.cat((-x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), -1)
    return x * cos + half * sin


def by_rotary(self, q, k, v):
    q, k, v = map(self.apart, (q, k, v))
    n = q.shape[-1] // 2
    angles = torch.arange(q.shape[2], dtype=q.dtype)[:, None] * 0.5 ** torch.arange(n, dtype=q.dtype)
    angles = torch.cat((angles, angles), -1)
    q, k = (_turned(one, angles.cos(), angles.sin()) for one in (q, k))
    return self.together(F.scaled_dot_product_attention(q, k, v))


def by_complex(self, q, k, v):
    """Rotary positions as complex numbers, as in the first Llama."""
    q, k, v = map(self.apart, (q, k, v))
    n = q.shape[-1] // 2
    angles = torch.arange(q.shape[2], dtype=q.dtype)[:, None] * 0.5 ** torch.arange(n, dtype=q.dtype)
    turn = torch.polar(torch.ones_like(angles), angles)
    pairs = (torch.view_as_complex(one.reshape(*one.shape[:-1], -1, 2)) for one in (q, k))
    q, k = (torch.view_as_real(one * turn).flatten(3) for one in pairs)
    return self.together(F.scaled_dot_product_attention(q, k, v))


def by_normed(self, q, k, v):
    """Queries and keys are normed, head by head."""
    q, k, v = map(self.apart, (q, k, v))
    q, k = (F.normalize(one, dim=-1) for one in (q, k))
    return self.together((4 * q @ k.mT).softmax(-1) @ v)


def by_baddbmm(self, q, k, v):
    """Scores begin with a slope along positions, as Bloom has them."""
    rows, time = q.shape[:2]
    q, k, v = (self.apart(one).reshape(rows * self.n, time, -1) for one in (q, k, v))
    slopes = torch.arange(time, dtype=q.dtype).expand(rows * self.n, time, time)
    scores = slopes.baddbmm(batch1=q, batch2=k.mT, beta=0.1, alpha=q.shape[-1] ** -0.5)
    return self.together(torch.bmm(scores.softmax(-1), v).view(rows, self.n, time, -1))


def by_position(self, q, k, v):
    """Scores have a second part, of queries and positions, as DeBERTa has them."""
    q, k, v = map(self.apart, (q, k, v))
    positions = torch.linspace(-1, 1, 4 * q.shape[2], dtype=q.dtype).view(4, -1)[: q.shape[-1]]
    scores = q @ k.mT + q @ positions
    return self.together(scores.softmax(-1) @ v)


KINDS = {
    "einsum": by_einsum, "bmm": by_bmm, "chunks": by_chunks, "groups": by_groups, "gqa": by_gqa, "rotary": by_rotary,
    "complex": by_complex, "normed": by_normed, "slopes": by_baddbmm, "position": by_position,
}  # fmt: skip


def of_kind(kind):
    """A model that attends in that way; its heads share keys and values where it can."""
    shared = kind in ("groups", "gqa")
    return Separate(KINDS[kind], width=8, n_heads=4 if shared else 2, n_kv=2)
