"""Remedies of what is said of attention and its heads, followed."""

import torch
from attending import Separate, Timm
from models import Does
from torch import nn

import ei_fast as ef
from followed import follows

QUICK = {"random_state": 0, "tol": 1.0}


def _names(network):
    return [layer.name for layer in network]


@follows("; where its heads can be told, use heads=True to measure them one by one, with what each does as a whole")
def _(said):
    said.messages += [reason for _, reason in ef.as_network(Timm(4), input_shape=(3, 4)).skipped]
    network = ef.as_network(Timm(4), input_shape=(3, 4), heads=True)
    assert {"qkv.q.head0", "proj.head1", "attention.qk.head0", "attention.ov.head1"}.issubset(_names(network))
    ef.analyze(network, **QUICK)


@follows("Got none that could be seen. Leave 'heads' out.")
def _(said):
    model = nn.Sequential(nn.Linear(3, 2))
    said.refused(ef.as_network, model, heads=True)
    assert _names(ef.as_network(model)) == ["0"]


@follows(
    "whose queries, keys or values were not followed from such layers head by head{}. Leave 'heads' out to measure"
)
def _(said):
    def mixed(self, q, k, v):
        q, k, v = map(self.apart, (q, k, v))
        scores = torch.einsum("bhij,hk->bkij", q @ k.mT, torch.ones(2, 2, dtype=q.dtype))
        return self.together(scores.softmax(-1) @ v)

    said.refused(ef.as_network, Separate(mixed), input_shape=(5, 8), heads=True)
    assert _names(ef.as_network(Separate(mixed), input_shape=(5, 8))) == ["q", "k", "v", "out"]


@follows("which is none. Leave 'heads' out to measure the others whole.")
def _(said):
    def forward(self, x):
        return self.a(torch.ones(len(x), 2, 8, dtype=x.dtype), x, x)[0]

    model = Does(forward, a=nn.MultiheadAttention(8, 2, batch_first=True))
    said.refused(ef.as_network, model, input_shape=(5, 8), heads=True)
    assert _names(ef.as_network(model, input_shape=(5, 8))) == ["a.k", "a.v", "a.out_proj"]


@follows("{} and was seen to attend with {}. Leave 'heads' out to measure its projections whole.")
def _(said):
    lying = Timm()
    lying.num_heads = 4
    model = Does(lambda self, x: self.a(x), a=lying)
    said.refused(ef.as_network, model, input_shape=(5, 8), heads=True)
    assert _names(ef.as_network(model, input_shape=(5, 8))) == ["a.qkv", "a.proj"]
