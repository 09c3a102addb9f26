"""What is known of an entropy: an estimate with its error, or bounds."""

from dataclasses import dataclass

import numpy as np

from ei_fast.measures.constants import Z95


def half_width(stderr: float, bias: float) -> float:
    """Half width of a 95 % interval, bits: the bias is taken to be uniform between plus and minus its size."""
    return Z95 * float(np.hypot(stderr, bias / np.sqrt(3.0)))


def interval(value: float, shift: float, stderr: float, bias: float) -> tuple[float, float]:
    """95 % interval around the best estimate, value + shift, stretched so that it holds the value."""
    half = half_width(stderr, bias)
    return min(value, value + shift - half), max(value, value + shift + half)


@dataclass(frozen=True)
class ExpectedBounds:
    """Estimates, in bits, of a lower and an upper bound on an entropy, each with a standard error.

    They rest on no model of the layer: their expectations are bounds.
    """

    low: float
    low_stderr: float
    high: float
    high_stderr: float


@dataclass(frozen=True)
class EntropyEstimate:
    """An entropy, H(Y) or H(Y | X), in bits, whichever way it was found.

    Attributes
    ----------
    value : float
        The estimate, or the midpoint of the bounds.
    stderr : float
        Its standard error.
    bias : float
        Size of the bias that it may still carry, of unknown sign.
    low, high : float
        95 % interval, or bounds each of which holds with 97.5 % confidence.
    method : str
        Name of the estimator, ``"exact"`` or ``"bounds"``.
    n_samples : int
        Points simulated for it.
    shift : float
        The best estimate minus `value`; not 0 only where another estimator was asked for.
    expected : ExpectedBounds or None
        Bounds that hold whatever `value` may be off by; None where the interval is all that is known.
    """

    value: float
    stderr: float
    bias: float
    low: float
    high: float
    method: str
    n_samples: int
    shift: float = 0.0
    expected: ExpectedBounds | None = None

    @classmethod
    def estimated(
        cls,
        value: float,
        stderr: float,
        bias: float,
        *,
        method: str,
        n_samples: int,
        shift: float = 0.0,
        expected: ExpectedBounds | None = None,
    ) -> "EntropyEstimate":
        """An entropy with an error."""
        low, high = interval(value, shift, stderr, bias)
        return cls(value, stderr, bias, low, high, method, n_samples, shift, expected)

    @classmethod
    def exact(cls, value: float) -> "EntropyEstimate":
        """An entropy known to rounding."""
        return cls.estimated(value, 0.0, 0.0, method="exact", n_samples=0)

    @classmethod
    def bounded(cls, low: float, high: float, *, n_samples: int) -> "EntropyEstimate":
        """An entropy known only to lie between two bounds."""
        return cls(
            value=0.5 * (low + high),
            stderr=0.5 * (high - low) / Z95,
            bias=0.0,
            low=low,
            high=high,
            method="bounds",
            n_samples=n_samples,
        )

    @property
    def certain(self) -> ExpectedBounds:
        """`expected`; of a counted entropy what its bias leaves."""
        if self.expected is not None:
            return self.expected
        best, bias = self.value + self.shift, self.bias
        return ExpectedBounds(best - bias, self.stderr, best + bias, self.stderr)

    @property
    def is_bracket(self) -> bool:
        """Whether there are bounds only."""
        return self.method == "bounds"
