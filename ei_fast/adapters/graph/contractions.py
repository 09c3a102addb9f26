"""Products that are written as sums over indices, as `einsum` has them: a dense map is found by what it does.

What index stands for what is not read; the product is tried on vectors of which one number is 1.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph.starts import Dense

Numbers = NDArray[np.floating]

CONTRACTIONS = {"einsum", "tensordot", "inner", "addmm"}
"""Names of functions that may be a dense map over the last axis of one of the values that they are given."""

_MAX_TRIED = 2**24


def dense_of(function: Callable[[Numbers], Numbers], x: Numbers, y: Numbers) -> Dense | None:
    """The dense map over the last axis that a function makes of values, if it is one.

    Parameters
    ----------
    function : callable
        Takes values of the shape of x, with any number of rows.
    x, y : ndarray (rows, ..., n_in), (rows, ..., n_out)
        What it was given, and what it made of that.
    """
    if x.ndim < 2 or x.ndim != y.ndim or x.shape[:-1] != y.shape[:-1] or not x.size or not y.size:
        return None
    n_in, shape = x.shape[-1], x.shape[1:]
    if (n_in + 1) * max(prod(shape), prod(y.shape[1:])) > _MAX_TRIED:
        return None
    # The last row is 0.
    ones = np.broadcast_to(np.eye(n_in + 1, n_in).reshape(n_in + 1, *(1 for _ in shape[:-1]), n_in), (n_in + 1, *shape))
    drawn = np.random.default_rng(0).normal(size=(7, *shape))
    try:
        made, of_drawn = function(np.array(ones)), function(drawn)
    except Exception:
        # Whatever it raises: it takes so many rows and no others.
        return None
    if made.shape != (n_in + 1, *y.shape[1:]) or of_drawn.shape != (7, *y.shape[1:]):
        return None
    in_first_place = made.reshape(n_in + 1, -1, y.shape[-1])[:, 0]
    bias = in_first_place[-1]
    weight = in_first_place[:-1] - bias
    known = all(_is(weight, bias, *given) for given in ((ones, made), (drawn, of_drawn), (x, y)))
    return Dense(weight.astype(np.float64), bias.astype(np.float64)) if known else None


def flat_shapes(x: Sequence[int], y: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Shapes of values whose last axes are made one, where one axis becomes several, or several one: as of heads.

    None where there is nothing to make one, or it cannot be told which axes those are.
    """
    lead = 0
    while lead < min(len(x), len(y)) - 1 and x[lead] == y[lead]:
        lead += 1
    n_axes = len(x) - lead, len(y) - lead
    if lead == 0 or 1 not in n_axes or n_axes == (1, 1):
        return None
    return (*x[:lead], prod(x[lead:])), (*y[:lead], prod(y[lead:]))


def _is(weight: Numbers, bias: Numbers, x: Numbers, y: Numbers) -> bool:
    """Whether this is what makes y of x, but for rounding."""
    size = np.abs(x).max() * np.abs(weight).sum(axis=0).max() + np.abs(bias).max()
    return bool(np.all(np.abs(x @ weight + bias - y) <= 1e-5 * size))
