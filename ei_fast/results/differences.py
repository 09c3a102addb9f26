"""Differences of figures, with what the errors of both leave of them: of single figures, or of arrays of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.measures.constants import Z95
from ei_fast.measures.quantities import QUANTITIES, Quantity

Values = NDArray[np.float64]

ROUNDING = 1e-9
"""Bits, or share of the larger figure: two exact figures that differ by no more differ by rounding."""


@dataclass(frozen=True, eq=False)
class Difference:
    """How a figure of one measurement differs from that of another, in bits.

    Each attribute is a number; in a `TrajectoryComparison` an array (n_steps, n_layers).

    Parameters
    ----------
    a, b : float
        The figures of the first and of the second measurement.
    difference : float
        That of the second less that of the first, b - a.
    stderr : float
        Its standard error. 0.0 where both figures are exact, and where both are one and the same measurement; NaN
        where a figure is undefined or bracketed, or its error is not known.
    low, high : float
        95 % interval of the difference, which allows for the biases that may be left in the figures. Where a figure is
        bracketed, what the ends of both brackets leave.
    z : float
        The difference in standard errors. Where the error is 0 it is 0.0 for a difference of no more than rounding,
        and otherwise infinite, with the sign of the difference, however small that is. NaN where `stderr` is.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> before, after = (ef.analyze({"w0": weight}, activation="linear") for weight in (np.diag([1, 0]), np.eye(2)))
    >>> found = ef.compare(before, after)["layer0"].sensitivity
    >>> found.a, found.b, found.difference, found.stderr, found.z
    (3.0, 6.0, 3.0, 0.0, inf)
    """

    a: Any
    b: Any
    difference: Any
    stderr: Any
    low: Any
    high: Any
    z: Any

    def at(self, *index: int) -> "Difference":
        """Return the numbers at one place of arrays.

        Parameters
        ----------
        *index : int
            The place: of a `TrajectoryComparison` the number of the step, then that of the layer.

        Returns
        -------
        Difference
            The same of one figure.

        Examples
        --------
        >>> import numpy as np
        >>> from ei_fast.results.differences import Difference
        >>> Difference(*np.arange(7.0)[:, None, None]).at(0, 0).difference
        2.0
        """
        return Difference(**{name: float(values[index]) for name, values in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Known:
    """A figure, or an array of them, and what is known of it.

    Attributes
    ----------
    value, stderr : float or ndarray
    low, high : float or ndarray
        95 % interval, the bias that may be left included; or ends of a bracket.
    bracketed : bool or ndarray
        Where the figure is known to lie between these ends and no better.
    """

    value: Values
    stderr: Values
    low: Values
    high: Values
    bracketed: NDArray[np.bool_]

    @property
    def biases(self) -> tuple[Values, Values]:
        """By how much the interval reaches further down, and up, than the standard error alone makes it."""
        half = Z95 * self.stderr
        below, above = (np.fmax(reach - half, 0.0) for reach in (self.value - self.low, self.high - self.value))
        return below, above


def known_of(figures: Mapping[str, ArrayLike], bracketed: ArrayLike) -> dict[str, Known]:
    """Every quantity with what is known of it, by names.

    Parameters
    ----------
    figures : mapping
        The quantities, ``ei_low`` and ``ei_high``, and standard errors of EI and of both per-edge measures.
    bracketed : bool or ndarray
        Where EI is.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in figures.items()}
    return {quantity.name: _known(quantity, arrays, np.asarray(bracketed, dtype=bool)) for quantity in QUANTITIES}


def _known(quantity: Quantity, figures: Mapping[str, Values], bracketed: NDArray[np.bool_]) -> Known:
    value, sign = figures[quantity.name], quantity.ei_sign
    none = np.zeros(value.shape)
    of_edges = none if quantity.edge_measure is None else figures[f"{quantity.edge_measure}_stderr"]
    if not sign:
        return Known(value, of_edges, value - Z95 * of_edges, value + Z95 * of_edges, none.astype(bool))
    ei = figures["ei"]
    ends = (figures["ei_low"], figures["ei_high"])[::sign]
    # Ends of what EI makes of the quantity, then the error of the rest: with that of EI, beside those of a bracket.
    low, high = (value + sign * (end - ei) for end in ends)
    half = Z95 * of_edges
    wide = np.where(bracketed, low - half, value - np.hypot(value - low, half))
    high = np.where(bracketed, high + half, value + np.hypot(high - value, half))
    return Known(value, np.hypot(figures["ei_stderr"], of_edges), wide, high, bracketed)


def difference_of(a: Known, b: Known, same: ArrayLike = False) -> Difference:
    """The difference of figures whose errors are taken to be independent, but where both are the `same` measurement."""
    same = np.asarray(same, dtype=bool)
    value, stderr = b.value - a.value, np.hypot(a.stderr, b.stderr)
    (a_below, a_above), (b_below, b_above) = a.biases, b.biases
    low, high = value - (Z95 * stderr + b_below + a_above), value + (Z95 * stderr + b_above + a_below)
    return finished(a, b, Difference(a.value, b.value, value, stderr, low, high, _z_of(a, b, value, stderr)), same)


def finished(a: Known, b: Known, found: Difference, same: NDArray[np.bool_] | bool) -> Difference:
    """A difference with what holds however it was found: of brackets, and of one and the same measurement."""
    bracketed = (a.bracketed | b.bracketed) & ~np.asarray(same)
    # What is undefined stays so.
    none = np.where(np.isnan(found.difference), np.nan, 0.0)
    zero_or = {
        name: np.where(same, none, getattr(found, name)) for name in ("difference", "stderr", "low", "high", "z")
    }
    return Difference(
        a=np.asarray(found.a),
        b=np.asarray(found.b),
        difference=zero_or["difference"],
        stderr=np.where(bracketed, np.nan, zero_or["stderr"]),
        low=np.where(bracketed, b.low - a.high, zero_or["low"]),
        high=np.where(bracketed, b.high - a.low, zero_or["high"]),
        z=np.where(bracketed, np.nan, zero_or["z"]),
    )


def _z_of(a: Known, b: Known, value: Values, stderr: Values) -> Values:
    return in_stderrs(value, stderr, np.maximum(np.abs(a.value), np.abs(b.value)))


def in_stderrs(value: ArrayLike, stderr: ArrayLike, size: ArrayLike) -> Values:
    """Differences in standard errors; without an error 0 up to the rounding of figures of a size, or else infinite."""
    value, stderr = np.asarray(value, dtype=np.float64), np.asarray(stderr, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = value / stderr
    rounded = np.abs(value) <= ROUNDING * np.maximum(1.0, np.asarray(size, dtype=np.float64))
    without_error = np.where(rounded, 0.0, np.copysign(np.inf, value))
    return np.where((stderr == 0.0) & ~np.isnan(value), without_error, z)
