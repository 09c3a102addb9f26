"""Whether a function is done number by number: not told by its name, but tried."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Numbers on which a function is tried before it is on all.
_FEW = 192


def maps_each(
    function: Callable[..., Array],
    operands: Sequence[NDArray[Any]],
    kinds: str,
    result: NDArray[Any],
    result_kind: str,
    eps: float,
) -> bool:
    """Whether a function makes every number of a result of those in the same place of the operands, and of no others.

    It is called on them one below the other, backwards and in two parts: what depends on a place, on another number or
    on how many there are, and what draws at random, gives something else. So it is on numbers that are drawn, since
    those of a run may hide what it does: a sum over channels, all but one of which are 0.

    Parameters
    ----------
    function : callable
        Takes arrays of one shape, and returns one.
    operands : sequence of ndarray (rows, ...)
    kinds : str
        Of the operands, a letter each as NumPy has them: numbers ("f"), integers ("i" or "u"), or 0 and 1 ("b").
    result_kind : str
        Of the result.
    eps : float
        To which share of itself the result was rounded.
    """
    rounds = result_kind in "iu" and "f" in kinds
    if rounds or not result.ndim or not result.size or any(operand.shape != result.shape for operand in operands):
        return False
    rows = max(8, ceil(64 * len(result) / result.size))
    drawn = [_drawn(kind, (rows, *result.shape[1:]), seed) for seed, kind in enumerate(kinds)]
    try:
        expected = np.asarray(function(*drawn))
        # What is the same everywhere is made of nothing.
        if expected.shape != drawn[0].shape or (expected == expected.flat[0]).all():
            return False
        # Of a few first: what relates every number to every other, as attention does, takes the square of their number.
        few = [values.reshape(-1, 1)[:_FEW] for values in (*drawn, expected)]
        return (
            _in_columns(function, few[:-1], few[-1], eps)
            and _in_columns(function, drawn, expected, eps)
            and _in_columns(function, operands, result, eps)
        )
    except Exception:
        # Whatever it raises, it does not take numbers one by one.
        return False


def _drawn(kind: str, shape: tuple[int, ...], seed: int) -> Array:
    """Numbers large and small, in the arithmetic of a kind."""
    rng = np.random.default_rng(seed)
    if kind == "b":
        return rng.integers(0, 2, shape).astype(np.float64)
    numbers: Array = rng.normal(size=shape) * np.power(10.0, rng.uniform(-1, 2, shape))
    return numbers if kind == "f" else np.abs(numbers).round()


def _in_columns(
    function: Callable[..., Array], operands: Sequence[NDArray[Any]], result: NDArray[Any], eps: float
) -> bool:
    """Whether a function does the same to numbers one below the other, backwards and in two parts."""
    columns = [np.asarray(values, dtype=np.float64).reshape(-1, 1)[::-1] for values in (*operands, result)]
    few = len(columns[0]) // 3
    parts = [np.asarray(function(*(column[part] for column in columns[:-1]))) for part in (np.s_[:few], np.s_[few:])]
    sizes = [np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in columns]
    found, rounded = np.concatenate(parts), 64 * eps
    with np.errstate(invalid="ignore"):
        return found.shape == columns[-1].shape and np.allclose(
            found, columns[-1], rtol=rounded, atol=rounded * max(sizes), equal_nan=True
        )


def does_alone(function: Callable[[Array], NDArray[np.floating]]) -> bool:
    """Whether a function, of a column of numbers, makes of each what it makes of it where there is no other.

    What decides by the largest of them, or by their mean, or divides by it, does not.
    """
    far = np.geomspace(1e-2, 1e3, 6)
    column = np.concatenate([-far, [0.0], far])[:, None]
    together = function(column)
    alone = np.concatenate([function(number) for number in column[:, None]])
    return np.allclose(alone, together, rtol=1e-5, atol=1e-6, equal_nan=True)
