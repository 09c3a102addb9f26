"""What is known of a joint EI: H(Y) - H(Y | X), composed of two entropies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ei_fast.measures.constants import Z95
from ei_fast.measures.entropies.estimate import EntropyEstimate, ExpectedBounds, interval

EXACT = "exact"
"""The name of the method, and of the estimator, of what is known to rounding."""


@dataclass(frozen=True)
class JointEI:
    """Joint EI of a layer, of a group of its neurons or of an independent component, in bits.

    Attributes
    ----------
    value, stderr, bias : float
        Estimate, its standard error, and the size of the bias it may still carry, of unknown sign.
    low, high : float
        95 % interval, bias included; or bounds on EI where it could not be estimated.
    output_entropy, conditional_entropy : float
        H(Y) and H(Y | X), of binned outputs and inputs.
    n_samples : int
        Points of the last round, and of bounds, pilots not included; 0 where exact.
    method : str
        Name of the method that found it, one of those in `ei_fast.measures.joint.auto`.
    estimator : str
        Of both entropies: a name of `EntropyEstimator`, ``"exact"``, ``"bounds"``, or ``"none"`` where undefined.
    undersampled : bool
        Whether the samples do not resolve an entropy: `low` and `high` are bounds, and `value` is their midpoint
        (the counted figure where the method is "plugin").
    shift : float
        The best estimate minus `value`; not 0 only where another estimator was asked for.
    bounds : (float, float)
        Bounds on EI that rest on no model of the layer, each with 97.5 % confidence; `value` twice where exact.
    is_unverified : bool
        Whether the estimate rests on a model whose error is not known, and which the interval leaves out.

    Notes
    -----
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
    bounds: tuple[float, float] = (-np.inf, np.inf)
    is_unverified: bool = False

    @classmethod
    def exact(cls, value: float, output_entropy: float) -> "JointEI":
        """An EI known to rounding."""
        return cls(
            value=value,
            stderr=0.0,
            bias=0.0,
            low=value,
            high=value,
            output_entropy=output_entropy,
            conditional_entropy=output_entropy - value,
            n_samples=0,
            method=EXACT,
            estimator=EXACT,
            bounds=(value, value),
        )

    @classmethod
    def undefined(cls, n_samples: int, method: str) -> "JointEI":
        """No sample is kept: nothing is defined."""
        nan = float("nan")
        return cls(
            value=nan,
            stderr=nan,
            bias=nan,
            low=nan,
            high=nan,
            output_entropy=nan,
            conditional_entropy=nan,
            n_samples=n_samples,
            method=method,
            estimator="none",
            bounds=(nan, nan),
        )

    @property
    def is_undefined(self) -> bool:
        """Whether no sample was kept."""
        return bool(np.isnan(self.value))

    @property
    def error(self) -> float:
        """sqrt(stderr**2 + (bias + abs(shift))**2): what `tol` is held against."""
        return float(np.hypot(self.stderr, self.bias + abs(self.shift)))

    @staticmethod
    def sum(components: Sequence["JointEI"], ceiling: float) -> "JointEI":
        """EI of independent components together; nothing is below 0 or above `ceiling`.

        Where a component is bracketed the whole is: its ends are the sums of the ends.
        """

        def total(name: str) -> float:
            return float(sum(getattr(component, name) for component in components))

        # Named after the one that is known worst.
        sampled = max((c for c in components if c.method != EXACT), key=lambda c: c.high - c.low, default=None)
        method, estimator = (EXACT, EXACT) if sampled is None else (sampled.method, sampled.estimator)
        undersampled = any(component.undersampled for component in components)
        value, bias, shift = total("value"), total("bias"), total("shift")
        stderr = float(np.sqrt(sum(component.stderr**2 for component in components)))
        if np.isnan(value):
            return JointEI.undefined(int(total("n_samples")), method)
        low, high = (total("low"), total("high")) if undersampled else interval(value, shift, stderr, bias)
        low, high = _between(low, high, ceiling)
        # Where each component's bounds are its interval those of the sum are its interval, too.
        bounds = low, high
        if undersampled or any(component.bounds != (component.low, component.high) for component in components):
            low_end, high_end = (float(sum(component.bounds[end] for component in components)) for end in (0, 1))
            bounds = _between(low_end, high_end, ceiling)
        if undersampled:
            value, stderr = 0.5 * (low + high), 0.5 * (high - low) / Z95
        return JointEI(
            value=min(max(value, 0.0), ceiling),
            stderr=stderr,
            bias=bias,
            low=low,
            high=high,
            output_entropy=total("output_entropy"),
            conditional_entropy=total("conditional_entropy"),
            n_samples=sum(component.n_samples for component in components),
            method=method,
            estimator="bounds" if undersampled else estimator,
            undersampled=undersampled,
            shift=shift,
            bounds=bounds,
            is_unverified=any(component.is_unverified for component in components),
        )


def _between(low: float, high: float, ceiling: float) -> tuple[float, float]:
    return min(max(low, 0.0), ceiling), min(max(high, 0.0), ceiling)


def compose(
    output: EntropyEstimate,
    conditional: EntropyEstimate,
    *,
    method: str,
    n_samples: int,
    stderr: float | None = None,
    least: float = 0.0,
) -> JointEI:
    """EI = H(Y) - H(Y | X) of two entropies, whichever way each was found; a bracket where either is one.

    Parameters
    ----------
    output, conditional : EntropyEstimate
        H(Y) and H(Y | X).
    method : str
        Name of the method that found them.
    n_samples : int
        Points simulated for both together.
    stderr : float, optional
        Standard error of the difference, where both come from the same points; otherwise they are independent.
    least : float
        Lower bound on EI from elsewhere, bits; of use where an entropy is bracketed.
    """
    if output.is_bracket or conditional.is_bracket:
        return _bracket(output, conditional, least, method=method, n_samples=n_samples)
    value, shift, bias = (
        output.value - conditional.value,
        output.shift - conditional.shift,
        output.bias + conditional.bias,
    )
    stderr = float(np.hypot(output.stderr, conditional.stderr)) if stderr is None else stderr
    low, high = interval(value, shift, stderr, bias)
    bounds = low, high
    if output.expected is not None or conditional.expected is not None:
        bounds = _certain(output.certain, conditional.certain)
    return JointEI(
        value=value,
        stderr=stderr,
        bias=bias,
        low=low,
        high=high,
        output_entropy=output.value,
        conditional_entropy=conditional.value,
        n_samples=n_samples,
        method=method,
        estimator=output.method if conditional.method == EXACT or output.expected is not None else conditional.method,
        shift=shift,
        bounds=bounds,
    )


def _certain(output: ExpectedBounds, conditional: ExpectedBounds) -> tuple[float, float]:
    """Bounds on EI with 97.5 % confidence each, from expected bounds on both entropies."""
    low = output.low - conditional.high - Z95 * float(np.hypot(output.low_stderr, conditional.high_stderr))
    high = output.high - conditional.low + Z95 * float(np.hypot(output.high_stderr, conditional.low_stderr))
    return max(low, 0.0), max(high, 0.0)


def _bracket(
    output: EntropyEstimate, conditional: EntropyEstimate, least: float, *, method: str, n_samples: int
) -> JointEI:
    """EI known only to lie between what the ends of both entropies leave, and not to be below `least`."""
    low = max(output.low - conditional.high, least, 0.0)
    high = max(output.high - conditional.low, low)
    return JointEI(
        value=0.5 * (low + high),
        stderr=0.5 * (high - low) / Z95,
        bias=0.0,
        low=low,
        high=high,
        output_entropy=output.value,
        conditional_entropy=conditional.value,
        n_samples=n_samples,
        method=method,
        estimator="bounds",
        undersampled=True,
        bounds=(low, high),
    )
