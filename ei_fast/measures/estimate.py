"""What is known of a joint EI once it has been computed, estimated or bounded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054
"""Half width of a 95 % interval in standard errors."""

SKEW = 3.65
"""Of a mean that rests on few draws: bits of bias for each bit that one of them adds to it, sum(d**3) / sum(d**2) / n.

The interval of a normal distribution then covers the mean of a Poisson variable 95 times in 100 from one event on: with
k events seen it reaches to k + 1.96 sqrt(k + 3.65**2 / 3), where the exact upper limit of 97.5 % is 5.6, 11.7 and
18.4 for one, five and ten.
"""

NONE_SEEN = 3.69
"""Events that may be expected where none was seen, with a probability of 2.5 %: -ln 0.025."""

UNDERSAMPLED = "undersampled"


def half_width(stderr: float, bias: float) -> float:
    """Half width of a 95 % interval: the bias is anywhere within plus and minus its size, uniformly."""
    return Z95 * float(np.hypot(stderr, bias / np.sqrt(3.0)))


@dataclass(frozen=True)
class JointEI:
    """Joint EI of a layer or of an independent part of it, in bits.

    Attributes
    ----------
    value, stderr, bias : float
        Estimate, its standard error, and the size of the bias it may still carry, of unknown sign.
    low, high : float
        95 % interval: bias included, or bounds on EI where it could not be estimated.
    output_entropy, conditional_entropy : float
        H(Y) and H(Y | X), of binned outputs and inputs.
    n_samples : int
        Simulated points; 0 where exact.
    method : str
        ``"exact"`` or ``"conditional"``.
    estimator : str
        Of both entropies: a name of `Estimator`, ``"exact"`` or ``"bounds"``.
    undersampled : bool
        The states outnumber the samples: `low` and `high` are bounds and `value` is their midpoint.
    shift : float
        What the best estimate has more than `value`, which is by an estimator that was asked for.

    Where every sample is dropped all figures are NaN.
    """

    value: float
    stderr: float
    bias: float
    low: float
    high: float
    output_entropy: float
    conditional_entropy: float
    n_samples: int
    method: str
    estimator: str
    undersampled: bool = False
    shift: float = 0.0

    @classmethod
    def exact(cls, value: float, output_entropy: float) -> "JointEI":
        """An EI known to rounding."""
        return cls(value, 0.0, 0.0, value, value, output_entropy, output_entropy - value, 0, "exact", "exact")

    @classmethod
    def undefined(cls, n_samples: int) -> "JointEI":
        """No sample is kept: there is nothing to tell."""
        nan = float("nan")
        method = "conditional" if n_samples else "exact"
        return cls(nan, nan, nan, nan, nan, nan, nan, n_samples, method, "none")

    @property
    def is_undefined(self) -> bool:
        """Whether no sample was kept."""
        return bool(np.isnan(self.value))

    @classmethod
    def sampled(
        cls,
        output_entropy: float,
        conditional_entropy: float,
        stderr: float,
        bias: float,
        n_samples: int,
        estimator: str,
        shift: float = 0.0,
    ) -> "JointEI":
        """An EI estimated as H(Y) - H(Y | X); the interval lies around the best estimate, `shift` above it."""
        value = output_entropy - conditional_entropy
        return cls(
            value,
            stderr,
            bias,
            *_interval(value, shift, stderr, bias),
            output_entropy,
            conditional_entropy,
            n_samples,
            "conditional",
            estimator,
            shift=shift,
        )

    @classmethod
    def bracketed(
        cls,
        output_entropy: tuple[float, float],
        conditional_entropy: tuple[float, float],
        least: float,
        n_samples: int,
    ) -> "JointEI":
        """An EI known only to lie between what bounds on both entropies leave, and not to be below `least`."""
        low = max(output_entropy[0] - conditional_entropy[1], least, 0.0)
        high = max(output_entropy[1] - conditional_entropy[0], low)
        return cls(
            0.5 * (low + high),
            0.5 * (high - low) / Z95,
            0.0,
            low,
            high,
            0.5 * sum(output_entropy),
            0.5 * sum(conditional_entropy),
            n_samples,
            "conditional",
            "bounds",
            undersampled=True,
        )

    @property
    def error(self) -> float:
        """Root of standard error squared plus bias squared: what `tol` is held against."""
        return float(np.hypot(self.stderr, self.bias + abs(self.shift)))

    @staticmethod
    def sum(parts: Sequence["JointEI"], ceiling: float) -> "JointEI":
        """EI of independent parts together; nothing is below 0 or above `ceiling`.

        Where a part is bracketed the whole is: its ends are the sums of the ends.
        """

        def total(name: str) -> float:
            return float(sum(getattr(part, name) for part in parts))

        undersampled = any(part.undersampled for part in parts)
        value, bias, shift = total("value"), total("bias"), total("shift")
        stderr = float(np.sqrt(sum(part.stderr**2 for part in parts)))
        if undersampled:
            low, high = total("low"), total("high")
        else:
            low, high = _interval(value, shift, stderr, bias)
        if np.isnan(value):
            return JointEI.undefined(int(total("n_samples")))
        low, high = (min(max(end, 0.0), ceiling) for end in (low, high))
        if undersampled:
            value, stderr = 0.5 * (low + high), 0.5 * (high - low) / Z95
        return JointEI(
            min(max(value, 0.0), ceiling),
            stderr,
            bias,
            low,
            high,
            total("output_entropy"),
            total("conditional_entropy"),
            sum(part.n_samples for part in parts),
            "conditional" if any(part.method != "exact" for part in parts) else "exact",
            "bounds" if undersampled else next((part.estimator for part in parts if part.method != "exact"), "exact"),
            undersampled,
            shift,
        )


def _interval(value: float, shift: float, stderr: float, bias: float) -> tuple[float, float]:
    """95 % interval around value + shift, stretched to hold the value."""
    half = half_width(stderr, bias)
    return min(value, value + shift - half), max(value, value + shift + half)
