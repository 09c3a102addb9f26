"""The entropy of a sample's counted states, with its error."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import regression_cubes, regression_sums
from ei_fast.measures.constants import LN2, MIN_COVERAGE, NONE_SEEN, SECOND_ORDER_VARIANCE, SKEWNESS
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN, EntropyEstimator, digammas_of
from ei_fast.measures.counting.unseen import NOTHING_UNSEEN, UnseenStates


@dataclass(frozen=True)
class SampledEntropy:
    """An entropy estimated from the states of a sample.

    Attributes
    ----------
    value : float
        Bits, corrected for bias by the estimator that was asked for.
    stderr : float
        Standard error in bits, that of the best estimate whichever was asked for.
    bias : float
        Size of the bias that may be left, bits, of unknown sign.
    plugin : float
        The uncorrected entropy: in expectation not above the true one.
    coverage : float
        Good-Turing estimate of the probability of the states seen, 1 - singletons / n.
    resolved : bool
        Whether `value` can be relied on: the states seen hold most of the probability, and there is an end to new ones.
    collisions : int
        Pairs of samples in one state.
    n_kept, n_samples : int
        Samples counted, and simulated.
    unseen : UnseenStates
        What is in the best estimate for states not met.
    shift : float
        The best estimate minus `value`, bits; not 0 only where another estimator was asked for.
    departures : int
        Samples kept that are not in the state seen most often.
    """

    value: float
    stderr: float
    bias: float
    plugin: float
    coverage: float
    resolved: bool
    collisions: int
    n_kept: int
    n_samples: int
    unseen: UnseenStates = NOTHING_UNSEEN
    shift: float = 0.0
    departures: int = 0

    @classmethod
    def known(cls, value: float) -> "SampledEntropy":
        """An entropy that is known without any sample."""
        return cls(
            value=value,
            stderr=0.0,
            bias=0.0,
            plugin=value,
            coverage=1.0,
            resolved=True,
            collisions=0,
            n_kept=1,
            n_samples=0,
        )

    @classmethod
    def of_one_state(cls, n_kept: int, n_samples: int) -> "SampledEntropy":
        """Of a sample that met one state only: any other has a probability of at most NONE_SEEN / n."""
        missed = min(NONE_SEEN / max(n_kept, 1), 0.5)
        bias = -missed * np.log2(missed) - (1 - missed) * np.log2(1 - missed)
        return cls(
            value=0.0,
            stderr=0.0,
            bias=float(bias),
            plugin=0.0,
            coverage=1.0,
            resolved=True,
            collisions=n_kept * (n_kept - 1) // 2,
            n_kept=n_kept,
            n_samples=n_samples,
        )


class StateControl(Protocol):
    """A figure of every state whose mean over states is known: a control variate of -log2 p."""

    mean: float

    def __call__(self, counts: Counts) -> NDArray[np.float64]:
        """The figure of each state, (K,)."""

    def missed(self, counts: Counts) -> tuple[float, float]:
        """What `mean`, and the figure's mean square, owe to events that no sample met, bits and bits**2."""


def jackknife_influence(multiplicity: NDArray[np.integer], unseen: UnseenStates) -> NDArray[np.float64]:
    """Jackknife influence, in bits, of one sample whose state occurred `multiplicity` times, less `digamma_bits`(n).

    It is what leaving the sample out changes in n times the entropy. To first order that is -log2 p of the state; its
    variance over samples holds the noise of rare states and of what is `unseen` as well.
    """
    at_least_once = np.maximum(multiplicity, 1)
    is_repeated: NDArray[np.float64] = (at_least_once > 1) / LN2
    return unseen.jackknife_influence(multiplicity) - digammas_of(at_least_once) - is_repeated


def variance_of_mean(jackknife: float, n_states: float, n: float) -> float:
    """Variance of an entropy of n samples, bits**2, given that of its jackknife.

    The jackknife counts twice what is of second order in 1/n, which is all there is where states are equally likely.
    """
    second_order = SECOND_ORDER_VARIANCE * n_states / n**2
    return max(jackknife - second_order, second_order)


@dataclass(frozen=True)
class _Deviations:
    """Sums of powers of the samples' influences about their mean, after a control variate has been regressed out.

    Attributes
    ----------
    squares, cubes : float
        Over all samples.
    excess : float
        Bits of the estimate that are the control's deviation from its known mean.
    missed : float
        Bits of the control's mean that no sample could show.
    """

    squares: float
    cubes: float
    excess: float = 0.0
    missed: float = 0.0

    @classmethod
    def plain(
        cls, multiplicity: NDArray[np.int64], n_states: NDArray[np.int64], influence: NDArray[np.float64]
    ) -> "_Deviations":
        """Without a control."""
        weights = n_states * multiplicity
        return cls(float(weights @ influence**2), float(weights @ influence**3))

    def controlled(
        self,
        counted: Counts,
        multiplicity: NDArray[np.int64],
        influence: NDArray[np.float64],
        control: StateControl,
    ) -> "_Deviations":
        """With what the `control` explains taken off."""
        n = counted.total
        figure = control(counted)
        mean, spread, together = regression_sums(counted.counts, figure, multiplicity, influence)
        missed, missed_square = control.missed(counted)
        # The slope is 1 for independent outputs and less for dependent ones. What is not met is counted with slope 1:
        # where all that is met has one figure, rounding alone would choose the slope.
        slope = (together + n * missed_square) / max(spread + n * missed_square, 1e-300)
        slope = min(max(slope, 0.0), 1.0)
        return _Deviations(
            squares=max(self.squares - 2 * slope * together + slope**2 * spread, 0.0),
            cubes=regression_cubes(counted.counts, figure, multiplicity, influence, mean, slope),
            excess=slope * (mean - control.mean),
            missed=missed,
        )


def entropy_of_counts(
    counted: Counts, n_samples: int, estimator: EntropyEstimator, control: StateControl | None = None
) -> SampledEntropy:
    """Entropy of the states of a sample.

    Parameters
    ----------
    counted : Counts
    n_samples : int
        Size of the sample, dropped samples included.
    estimator : EntropyEstimator
    control : StateControl, optional
        What the sample's mean of it has in excess of the known mean is taken off, by regression.

    Returns
    -------
    SampledEntropy
    """
    multiplicity, n_states = counted.multiplicities()
    n = int(n_states @ multiplicity)
    if len(counted.counts) < 2 and (control is None or n < 2):
        return SampledEntropy.of_one_state(n, n_samples)
    plugin = float(np.log2(n) - (n_states * multiplicity) @ np.log2(multiplicity) / n)
    once, twice, thrice = (int(n_states[multiplicity == c].sum()) for c in (1, 2, 3))
    unseen = UnseenStates.after(n, once, twice, thrice)
    influence = jackknife_influence(multiplicity, unseen)
    influence = influence - float((n_states * multiplicity) @ influence) / n
    deviations = _Deviations.plain(multiplicity, n_states, influence)
    if control is not None:
        deviations = deviations.controlled(counted, multiplicity, influence, control)
    variance = variance_of_mean(deviations.squares / n**2, len(counted.counts), n)
    best = ZHANG_UNSEEN.entropy(multiplicity, n_states) + unseen.bits
    value = best if estimator.adds_unseen else estimator.entropy(multiplicity, n_states)
    coverage = 1.0 - once / n
    skewness = SKEWNESS * abs(deviations.cubes) / max(deviations.squares, 1e-300) / n
    return SampledEntropy(
        value=max(value - deviations.excess, 0.0),
        stderr=float(np.sqrt(variance)),
        bias=unseen.model_error + deviations.missed + skewness,
        plugin=plugin,
        coverage=coverage,
        resolved=coverage >= MIN_COVERAGE and not unseen.without_end,
        collisions=int(n_states @ (multiplicity * (multiplicity - 1))) // 2,
        n_kept=n,
        n_samples=n_samples,
        unseen=unseen,
        shift=best - value,
        departures=n - int(multiplicity[-1]),
    )


def entropy_of_keys(
    keys: NDArray[np.uint64], estimator: EntropyEstimator, control: StateControl | None = None
) -> SampledEntropy:
    """Entropy of a sample whose states are given as keys (n,); dropped samples are not counted."""
    return entropy_of_counts(Counts.of(keys.copy()), len(keys), estimator, control)
