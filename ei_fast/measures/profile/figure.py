"""A figure of a profile: an estimate with its error, or bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ei_fast.measures.constants import Z95
from ei_fast.measures.entropies.estimate import interval
from ei_fast.measures.joint.estimate import JointEI


@dataclass(frozen=True)
class Figure:
    """A figure in bits, or a ratio of such.

    Attributes
    ----------
    value, stderr : float
        The estimate and its standard error; of bounds the midpoint, and half their distance over `Z95`.
    bias : float
        Size of the bias that it may still carry, of unknown sign; 0 of bounds.
    low, high : float
        95 % interval, bias included; or bounds.
    is_bracket : bool
        Whether there are bounds only.
    """

    value: float
    stderr: float
    bias: float
    low: float
    high: float
    is_bracket: bool = False

    @classmethod
    def estimated(cls, value: float, stderr: float, bias: float = 0.0) -> "Figure":
        """An estimate with an error."""
        return cls(value, stderr, bias, *interval(value, 0.0, stderr, bias))

    @classmethod
    def exact(cls, value: float) -> "Figure":
        """Known to rounding."""
        return cls.estimated(value, 0.0)

    @classmethod
    def bracketed(cls, low: float, high: float) -> "Figure":
        """Known only to lie between two bounds."""
        high = max(low, high)
        return cls(0.5 * (low + high), 0.5 * (high - low) / Z95, 0.0, low, high, is_bracket=True)

    @classmethod
    def of_ei(cls, ei: JointEI) -> "Figure":
        """An EI: its value, and an interval around the best estimate of it."""
        if ei.undersampled:
            return cls.bracketed(ei.low, ei.high)
        return cls(ei.value, ei.stderr, ei.bias + abs(ei.shift), ei.low, ei.high)

    @property
    def is_exact(self) -> bool:
        """Whether it is known to rounding."""
        return not self.is_bracket and self.stderr == 0.0 and self.bias == 0.0

    @property
    def error(self) -> float:
        """sqrt(stderr**2 + bias**2): what is held against the aim."""
        return float(np.hypot(self.stderr, self.bias))

    @property
    def variance(self) -> float:
        """Of the estimate; 0 of bounds, which have none."""
        return 0.0 if self.is_bracket else self.stderr**2

    def within(self, least: float, most: float) -> "Figure":
        """The same, no value and no end beyond what theory allows."""
        value, low, high = (min(max(end, least), most) for end in (self.value, self.low, self.high))
        if self.is_bracket:
            return Figure.bracketed(low, high)
        return replace(self, value=value, low=low, high=high)


def total(figures: Sequence[Figure], stderr: float | None = None, bias: float | None = None) -> Figure:
    """The sum of figures; bounds where any of them is.

    Parameters
    ----------
    figures : sequence of Figure
    stderr, bias : float, optional
        Of the sum, where errors are not independent; sizes of biases add up where not given.
    """
    if any(figure.is_bracket for figure in figures):
        return Figure.bracketed(sum(figure.low for figure in figures), sum(figure.high for figure in figures))
    if stderr is None:
        stderr = float(np.sqrt(sum(figure.variance for figure in figures)))
    if bias is None:
        bias = sum(figure.bias for figure in figures)
    return Figure.estimated(sum(figure.value for figure in figures), stderr, bias)


def difference(whole: Figure, part: Figure, covariance: float) -> Figure:
    """whole - part, whose errors have a covariance."""
    if whole.is_bracket or part.is_bracket:
        return Figure.bracketed(whole.low - part.high, whole.high - part.low)
    variance = max(whole.variance + part.variance - 2 * covariance, 0.0)
    return Figure.estimated(whole.value - part.value, float(np.sqrt(variance)), whole.bias + part.bias)


def ratio(part: Figure, whole: Figure, covariance: float, limits: tuple[float, float]) -> Figure:
    """part / whole, by the delta method; NaN where the whole is 0, and wide where its interval reaches 0.

    Parameters
    ----------
    part, whole : Figure
    covariance : float
        Of their errors.
    limits : (float, float)
        Between which theory has the ratio.
    """
    nan = float("nan")
    if whole.high <= 0.0 or (whole.value <= 0.0 and not whole.is_bracket):
        ends = (nan, nan) if whole.high <= 0.0 else limits
        return Figure(nan, nan, nan, *ends)
    if part.is_bracket or whole.is_bracket or whole.low <= 0.0:
        low, high = part.low / whole.high, part.high / whole.low if whole.low > 0.0 else np.inf
        return Figure.bracketed(max(low, limits[0]), max(min(high, limits[1]), limits[0]))
    value = part.value / whole.value
    variance = part.variance - 2 * value * covariance + value**2 * whole.variance
    bias = (part.bias + abs(value) * whole.bias) / whole.value
    return Figure.estimated(value, float(np.sqrt(max(variance, 0.0))) / whole.value, bias).within(*limits)
