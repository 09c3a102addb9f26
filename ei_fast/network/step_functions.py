"""What an activation becomes once its output is binned: a step function of the pre-activation s.

That is a sorted table of breakpoints and one bin for each interval between them. Kernels read only such tables.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.bins import Range, bin_edges
from ei_fast.network.formulas import Formula, Map

# The sign bit of a 64-bit number.
_SIGN = np.int64(-(2**63))


class TooFast(ValueError):
    """An activation goes up and down too often for its steps to be found."""


@dataclass(frozen=True)
class StepFunction:
    """A binned activation: the bin is ``codes[k]`` where ``breaks[k - 1] <= s < breaks[k]``.

    Parameters
    ----------
    breaks : ndarray (K,), float64
        Finite, strictly increasing pre-activations at which the bin changes.
    codes : ndarray (K + 1,), uint16
        Output bin of each interval; `outside` where the output leaves the range and is to be dropped.
    n_bins : int
        Number of output bins.
    """

    breaks: NDArray[np.float64]
    codes: NDArray[np.uint16]
    n_bins: int

    @property
    def outside(self) -> int:
        """The code of outputs that are dropped; no interval has it where outputs are clipped."""
        return self.n_bins

    def __call__(self, s: ArrayLike) -> NDArray[np.uint16]:
        """Output bin at each pre-activation of `s`, in the same shape."""
        return self.codes[np.searchsorted(self.breaks, s, side="right")]

    def differs(self, s: NDArray[np.float64], values: NDArray[np.float64], out_range: Range, drop: bool) -> float:
        """Share of some pre-activations for which it has another bin than the activation's `values` there."""
        passed = np.searchsorted(_counted_edges(out_range, self.n_bins, drop), values, side="right")
        return float(np.mean(self(s) != _codes(passed, self.n_bins, drop)))


def _codes(passed: NDArray[np.intp], out_bins: int, drop: bool) -> NDArray[np.intp]:
    """Bins from the numbers of edges that outputs have passed."""
    if drop:
        return np.where((passed == 0) | (passed == out_bins + 1), out_bins, passed - 1)
    return passed


def _counted_edges(out_range: Range, out_bins: int, drop: bool) -> NDArray[np.float64]:
    """The edges of which the number below a value gives its bin: the inner edges, and both ends under dropping."""
    edges = bin_edges(out_range, out_bins)
    if drop:
        # The upper end itself belongs to the last bin.
        return np.concatenate([edges[:-1], [np.nextafter(edges[-1], np.inf)]])
    return edges[1:-1]


def _step_function(breaks: list[float], counts: list[int], out_bins: int, drop: bool) -> StepFunction:
    """Steps from breakpoints, and from how many edges lie below the output on each interval between them.

    Breakpoints that are infinite, coincide or change nothing are left out.
    """
    at: list[float] = []
    passed = [counts[0]]
    for position, count in zip(breaks, counts[1:], strict=True):
        if position == -np.inf or (at and position == at[-1]):
            passed[-1] = count
        elif position < np.inf and count != passed[-1]:
            at.append(position)
            passed.append(count)
    # Two steps at the same place may cancel each other.
    keep = [k for k in range(len(at)) if passed[k + 1] != passed[k]]
    passed, at = [passed[0], *(passed[k + 1] for k in keep)], [at[k] for k in keep]
    codes = _codes(np.array(passed), out_bins, drop)
    step = StepFunction(np.array(at, dtype=np.float64), codes.astype(np.uint16), out_bins)
    step.breaks.flags.writeable = step.codes.flags.writeable = False
    return step


def steps_by_pieces(activation: Map, formula: Formula, out_range: Range, out_bins: int, drop: bool) -> StepFunction:
    """Steps of a formula: a monotone piece crosses the edges between its end values in order."""
    edges = _counted_edges(out_range, out_bins, drop)
    ends = [-np.inf, *formula.knots, np.inf]
    values = [formula.limits[0], *activation(np.array(formula.knots)).tolist(), formula.limits[1]]
    breaks: list[float] = []
    counts: list[int] = []
    for left, right, start, stop in zip(ends[:-1], ends[1:], values[:-1], values[1:], strict=True):
        low, high = min(start, stop), max(start, stop)
        # A falling piece is below its first value from the start; all others are at or above it.
        first = int(np.searchsorted(edges, start, side="left" if stop < start else "right"))
        met = edges[(low < edges) & (edges < high)]
        if counts:
            breaks.append(left)
        counts.append(first)
        if formula.inverse is not None:
            at = formula.inverse(met)
        else:
            at = _first_float(activation, met, left, right, rising=stop > start)
        order = 1 if stop > start else -1
        breaks.extend(at[::order].tolist())
        counts.extend(first + order * (k + 1) for k in range(len(met)))
    return _step_function(breaks, counts, out_bins, drop)


def _first_float(
    activation: Map, edges: NDArray[np.float64], left: float, right: float, rising: bool
) -> NDArray[np.float64]:
    """First float in (left, right] at which a rising activation has reached, or a falling one is below, each edge.

    Found by bisection over the floats themselves, so that no tolerance is needed.
    """
    largest = np.finfo(float).max
    low = np.full(edges.shape, _ordered(max(left, -largest)))
    high = np.full(edges.shape, _ordered(min(right, largest)))
    for _ in range(64):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        passed = (activation(_from_ordered(middle)) >= edges) == rising
        high = np.where(passed, middle, high)
        low = np.where(passed, low, middle)
    return _from_ordered(high)


def _ordered(value: float) -> np.int64:
    """The integer that stands for a float in an order-preserving numbering of all floats."""
    bits = np.float64(value).view(np.int64)
    return bits if bits >= 0 else _SIGN - bits


def _from_ordered(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """The floats that `_ordered` numbers `keys`."""
    return np.where(keys >= 0, keys, _SIGN - keys).view(np.float64)


def steps_on_grid(
    activation: Map,
    grid: NDArray[np.float64],
    values: NDArray[np.float64],
    out_range: Range,
    out_bins: int,
    drop: bool,
) -> StepFunction:
    """Steps of any function: changes of its `values` between neighbours on a grid, each then refined to rounding."""
    edges = _counted_edges(out_range, out_bins, drop)
    count = np.searchsorted(edges, values, side="right")
    at = np.flatnonzero(count[1:] != count[:-1])
    low, high, before = grid[at], grid[at + 1], count[at]
    for _ in range(60):
        middle = 0.5 * (low + high)
        same = np.searchsorted(edges, activation(middle), side="right") == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return _step_function(high.tolist(), [int(count[0]), *count[at + 1].tolist()], out_bins, drop)
