"""Dicts of weights that several tests use."""

from itertools import pairwise
from zlib import crc32

import numpy as np


def linears(*widths, prefix=""):
    """A state dict of dense layers fc1, fc2, ... with biases, for the same names and widths the same."""
    rng = np.random.default_rng(crc32(f"{prefix} {widths}".encode()))
    return {
        f"{prefix}fc{k}.{part}": rng.normal(size=shape)
        for k, (n_in, n_out) in enumerate(pairwise(widths), 1)
        for part, shape in (("weight", (n_out, n_in)), ("bias", (n_out,)))
    }


def is_made_of(net, *expected):
    assert len(net) == len(expected)
    for layer, (weight, bias, activation) in zip(net, expected, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)
        np.testing.assert_array_equal(layer.bias, bias)
        assert layer.activation.name == activation
