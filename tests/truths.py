"""Layers whose EI and sensitivity are known beforehand, with the reason."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import ei_fast as ef


@dataclass(frozen=True)
class Truth:
    """A layer, the parameters it is measured with, and its answers in bits."""

    name: str
    layer: Any
    ei: float
    sensitivity: float | None = None
    params: dict = field(default_factory=dict)

    def __str__(self):
        return self.name


def _permutation(n, seed=0):
    return np.eye(n)[np.random.default_rng(seed).permutation(n)]


def _linear(weight, low=0.0, high=1.0, **params):
    return {
        "layer": ef.Layer(weight, activation="linear"),
        "params": {"in_range": (low, high), "out_range": (low, high), **params},
    }


def _told_apart(n, bins):
    """All that n inputs have."""
    return {"ei": n * np.log2(bins), "sensitivity": n * np.log2(bins)}


def _same_answer_as_one(n_copies):
    """What one sigmoid of one input tells: copies tell nothing more, but each has its edge."""
    one = ef.analyze(ef.Layer([[4.0]], [-2.0]))[0]
    return Truth(
        f"{n_copies} copies",
        ef.Layer(np.full((1, n_copies), 4.0), [-2.0] * n_copies),
        one.ei,
        n_copies * one.sensitivity,
    )


EXACT = [
    # Every input is told apart by its own output, to the bin.
    *(Truth(f"identity {n}, {bins} bins", **_told_apart(n, bins), **_linear(np.eye(n), bins=bins))
      for n, bins in ((1, 2), (2, 8), (3, 10), (5, 7), (40, 8), (2, 256))),
    Truth("identity on (-1, 1)", **_told_apart(3, 8), **_linear(np.eye(3), -1.0, 1.0)),
    Truth("identity on (-3, 11), 10 bins", **_told_apart(2, 10), **_linear(np.eye(2), -3.0, 11.0, bins=10)),
    Truth("permutation", **_told_apart(6, 8), **_linear(_permutation(6))),
    Truth("negated permutation", **_told_apart(6, 8), **_linear(-_permutation(6), -1.0, 1.0)),
    # ReLU of weight 1 is the identity on (0, 1).
    Truth("ReLU identity", ef.Layer(np.eye(4), activation="relu"), **_told_apart(4, 16),
          params={"bins": 16, "out_range": (0.0, 1.0)}),
    Truth("zero weights", ef.Layer(np.zeros((4, 3)), np.ones(3)), 0.0, 0.0),
    # Two outputs of one input, binary: y1 tells x < 1/2, y2 tells x < 1/4, and 4 bins tell which quarter.
    Truth("two thresholds", ef.Layer([[1.0, 1.0]], [0.0, 0.25], "linear"), 1.5,
          1.0 + (2 - 0.75 * np.log2(3)), {"bins": (4, 2), "out_range": (0.0, 1.0)}),
    _same_answer_as_one(40),
]  # fmt: skip

# x1 + x2 on (0, 2), two bins: the cells (0, 0) and (1, 1) are sure, in the other two it is a coin. EI = 1 - 1/2.
_SUM = Truth("sum of two, two bins", ef.Layer(np.ones((2, 1)), activation="linear"), 0.5,
             params={"bins": 2, "out_range": (0.0, 2.0)})  # fmt: skip

# The same told by a threshold beside 29 outputs that hang on the inputs by threads too thin to move them.
_SILENT = np.full((2, 30), 1e-7)
_SILENT[:, 17] = 1.0
_NEEDLE = Truth("1 informative output among 30", ef.Layer(_SILENT, activation="linear"), 0.5,
                params={"bins": 2, "out_range": (0.0, 2.0)})  # fmt: skip

# Copies that differ in the last digits only are not recognised as copies: 120 bits of codes, one output's EI.
_COPIES = Truth("40 copies of the sum", ef.Layer(np.ones((2, 40)) + 1e-12 * np.arange(40), activation="linear"), 0.5,
                params={"bins": 2, "out_range": (0.0, 2.0)})  # fmt: skip

# As many as a word has bits: all of them at once at their last bin must not be taken for a sample left out.
_FULL_WORD = Truth("64 copies of the sum", ef.Layer(np.ones((2, 64)) + 1e-12 * np.arange(64), activation="linear"), 0.5,
                   params={"bins": 2, "out_range": (0.0, 2.0)})  # fmt: skip

SAMPLED = [_SUM, _NEEDLE, _COPIES, _FULL_WORD]

# A range of outputs on which each activation does something.
OUT_RANGES = {
    "linear": (-2.0, 2.0),
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, 2.0),
    "relu6": (0.0, 6.0),
    "leaky_relu": (-0.05, 2.0),
    "elu": (-1.0, 2.0),
    "selu": (-1.8, 2.0),
    "gelu": (-0.2, 2.0),
    "silu": (-0.3, 2.0),
    "mish": (-0.4, 2.0),
    "softplus": (0.0, 3.0),
    "softsign": (-1.0, 1.0),
    "log_sigmoid": (-4.0, 0.0),
    "hard_sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "hard_silu": (-0.4, 2.0),
}
