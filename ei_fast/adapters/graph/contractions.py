"""Products that are written as sums over indices, as `einsum` has them: a dense map is found by what it does.

What index stands for what is not read; the product is tried on vectors of which one number is 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_letters, ascii_lowercase, ascii_uppercase

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


@dataclass(frozen=True)
class Contraction:
    """A product of a value with a constant as a dense map of vectors that several axes may hold.

    Attributes
    ----------
    before, after : tuple of int
        The axes of the value, and of the product, in the order in which those come last that hold the vectors.
    constant : tuple of int
        The axes of the constant: those that are summed over first.
    n_vectors : int
        How many of the value's axes hold no part of a vector.
    n_summed : int
        How many axes are summed over.
    """

    before: tuple[int, ...]
    constant: tuple[int, ...]
    after: tuple[int, ...]
    n_vectors: int
    n_summed: int

    @classmethod
    def of(cls, value: str, constant: str, made: str) -> "Contraction | None":
        """What an equation says, each index a letter; None where it is not one dense map for every row."""
        letters = [set(one) for one in (value, constant, made)]
        if any(len(some) != len(one) for some, one in zip(letters, (value, constant, made), strict=True)):
            return None
        summed = [one for one in value if one not in made]
        vectors = [one for one in value if one in made]
        new = [one for one in made if one not in value]
        is_one_map = letters[1] == {*summed, *new} and not letters[1].intersection(vectors)
        # The rows come first before and after.
        if not is_one_map or not summed or not new or not vectors or value[0] != vectors[0] or made[0] != vectors[0]:
            return None
        before, after = (tuple(one.index(k) for k in [*vectors, *ends]) for one, ends in ((value, summed), (made, new)))
        return cls(before, tuple(constant.index(one) for one in [*summed, *new]), after, len(vectors), len(summed))

    def dense(self, constant: Numbers) -> Dense:
        """The map."""
        turned = constant.transpose(self.constant)
        weight = turned.reshape(prod(turned.shape[: self.n_summed]), -1).astype(np.float64)
        return Dense(weight, np.zeros(weight.shape[1]))

    def vectors(self, values: Numbers, axes: tuple[int, ...]) -> Numbers:
        """Values with these axes, the last of them as one."""
        turned = values.transpose(axes)
        return turned.reshape(*turned.shape[: self.n_vectors], -1)

    @staticmethod
    def order(shape: Sequence[int], axes: tuple[int, ...], back: bool = False) -> NDArray[np.intp]:
        """Which of a sample's numbers is where when its axes have that order, or when they have it no more."""
        axes = tuple(axis - 1 for axis in axes[1:])
        if not back:
            return np.arange(prod(shape)).reshape(shape).transpose(axes)
        turned = np.arange(prod(shape)).reshape([shape[axis] for axis in axes])
        return turned.transpose(np.argsort(axes))


def letters_of(equation: str, n_axes: tuple[int, int]) -> tuple[str, str, str] | None:
    """The indices of two operands with so many axes and of their product; None where they cannot be told."""
    read, arrow, made = equation.replace(" ", "").partition("->")
    operands = read.split(",")
    if len(operands) != 2:
        return None
    free = iter(sorted(set(ascii_letters).difference(equation)))
    n_dots = max(n - len(one.replace("...", "")) for one, n in zip(operands, n_axes, strict=True))
    dots = "".join(next(free) for _ in range(max(n_dots, 0)))
    if not arrow:
        all_read = "".join(operands).replace("...", "")
        made = ("..." if "..." in read else "") + "".join(sorted(k for k in all_read if all_read.count(k) == 1))
    told = []
    for one, n in zip(operands, n_axes, strict=True):
        spread = n - len(one.replace("...", ""))
        told.append(one.replace("...", dots[len(dots) - spread :] if spread > 0 else ""))
    if any(len(one) != n for one, n in zip(told, n_axes, strict=True)) or "." in "".join(told):
        return None
    return told[0], told[1], made.replace("...", dots)


def letters_of_tensordot(n_axes: tuple[int, int], axes: tuple[Sequence[int], Sequence[int]]) -> tuple[str, str, str]:
    """The indices of a product of two operands with so many axes, of which the given ones are summed over."""
    first = ascii_lowercase[: n_axes[0]]
    second = list(ascii_uppercase[: n_axes[1]])
    for one, other in zip(*axes, strict=True):
        second[other] = first[one]
    made = [k for k in first if k not in second] + [k for k in second if k not in first]
    return first, "".join(second), "".join(made)
