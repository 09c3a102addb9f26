"""Entropy from counts of states, by one of several estimators."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from ei_fast.kernels.counting import regression_cubes, regression_sums, run_lengths, tabulated
from ei_fast.measures.estimate import NONE_SEEN, SKEW
from ei_fast.measures.unseen import NOTHING_UNSEEN, Unseen

_LN2 = float(np.log(2.0))
_TABLE = 4096

_SPARSEST, _SPARSE, _SMALL_TABLE = 16, 4, 2**22
"""Possible states to a sample up to which a table of them is faster than sorting: more where the table is small."""

_SECOND_ORDER = 0.5 / _LN2**2
"""Variance in bits**2 that each state adds to an entropy of n samples, times n**2: a chi-square's."""


@dataclass(frozen=True)
class Estimator:
    """How an entropy is made from counts.

    Attributes
    ----------
    name : str
        ``"plugin"``: -sum p log2 p of the observed shares. ``"miller-madow"``: plus (states - 1) / (2 n ln 2).
        ``"grassberger"``: log2 n - sum(c G(c)) / (n ln 2) (Grassberger 2003, arXiv:physics/0307138, eq. 35).
        ``"chao-shen"``: Horvitz-Thompson over the seen states, probabilities shrunk by the coverage
        (Chao & Shen 2003, eq. 6 and 8). ``"zhang+unseen"``: digamma in log's place (Zhang 2012), and what that is
        known to miss; see `Unseen`.
    """

    name: str

    @property
    def sees_unseen(self) -> bool:
        """Whether the entropy of states not met is added."""
        return self.name == "zhang+unseen"

    def heads(self, size: int) -> NDArray[np.float64]:
        """The table of n = 0 ... size - 1 samples, in bits."""
        return digamma_table(size) if self.sees_unseen else log_table(size)

    def weights(self, size: int) -> NDArray[np.float64]:
        """The table of counts c = 0 ... size - 1, in bits."""
        if self.name == "grassberger":
            return _grassberger_table(size)
        return digamma_table(size) if self.sees_unseen else log_table(size)

    @property
    def addend(self) -> float:
        """What every state beyond the first adds, times n."""
        return 0.5 / _LN2 if self.name == "miller-madow" else 0.0

    @property
    def chao_shen(self) -> bool:
        return self.name == "chao-shen"

    def of_counts(self, counts: NDArray[np.integer], alike: NDArray[np.integer] | None = None) -> float:
        """Entropy in bits of counts of states, `alike` of them with each; those not seen apart."""
        alike = np.ones(len(counts), np.int64) if alike is None else alike
        counts, alike = counts[counts > 0], alike[counts > 0]
        n, states = int(counts @ alike), int(alike.sum())
        if states < 2:
            return 0.0
        if self.chao_shen:
            singles = int(alike[counts == 1].sum())
            p = (1.0 - min(singles, n - 1) / n) * counts / n
            return float(-alike @ (p * np.log2(p) / -np.expm1(n * np.log1p(-p))))
        head = digamma_bits(n) if self.sees_unseen else np.log2(n)
        return float(head - (alike * counts) @ self._weights_of(counts) / n + self.addend * (states - 1) / n)

    def _weights_of(self, counts: NDArray[np.integer]) -> NDArray[np.float64]:
        if self.sees_unseen:
            return _digammas_of(counts)
        if self.name == "grassberger":
            # Beyond the table G(c) is log c to 1/c**2, of the even number below c.
            large = counts >= _TABLE
            weights = _grassberger_table(_TABLE)[np.where(large, 0, counts)]
            weights[large] = np.log2(counts[large] - counts[large] % 2)
            return weights
        return np.log2(counts)


def estimator_named(name: str) -> Estimator:
    """The estimator that the `entropy` parameter stands for; "auto" is Zhang's and the unseen."""
    return Estimator("zhang+unseen" if name == "auto" else name)


@lru_cache(maxsize=8)
def _grassberger_table(size: int) -> NDArray[np.float64]:
    """G(c)/ln 2 in bits for c = 0 ... size - 1 (0 for c = 0), from the recursion of Grassberger's eq. 32."""
    g = np.zeros(max(size, 3))
    g[1] = -np.euler_gamma - _LN2
    g[2] = g[1] + 2.0
    g[4::2] = g[2] + np.cumsum(2.0 / np.arange(3, len(g) - 1, 2))
    g[3::2] = g[2:-1:2]
    return g[:size] / _LN2


@lru_cache(maxsize=8)
def log_table(size: int) -> NDArray[np.float64]:
    """log2 c for c = 0 ... size - 1, 0 for c = 0."""
    return np.log2(np.maximum(np.arange(size), 1))


@lru_cache(maxsize=8)
def digamma_table(size: int) -> NDArray[np.float64]:
    """`digamma_bits` of c = 0 ... size - 1, 0 for c = 0."""
    return np.append(0.0, digamma_bits(np.arange(1, size)))


def digamma_bits(counts: Any) -> Any:
    """digamma / ln 2: in bits what stands in Zhang's estimator where plug-in has log2."""
    return digamma(counts) / _LN2


def _digammas_of(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """`digamma_bits` of many counts, most of them small: by table as far as it goes."""
    table = digamma_table(_TABLE)
    bits = table[np.minimum(counts, _TABLE - 1)]
    large = counts >= _TABLE
    bits[large] = digamma_bits(counts[large])
    return bits


def surprise(counts: NDArray[np.integer], unseen: Unseen) -> NDArray[np.float64]:
    """What a sample of a state seen so often tells, in bits, less `digamma_bits` of the sample's size.

    It is -log2 p as the jackknife sees it: the difference that leaving the sample out makes to n times the
    entropy. Its variance over samples holds the noise of rare states and of what is `unseen`, as -log2 p's does not.
    """
    at = np.maximum(counts, 1)
    return unseen.left_out(counts) - _digammas_of(at) - (at > 1) / _LN2


def variance_of_mean(jackknife: float, n_states: float, n: float) -> float:
    """Variance of an entropy of n samples, given that of its jackknife.

    That counts twice what is of second order in 1/n, and is all there is where states are equally likely.
    """
    second_order = _SECOND_ORDER * n_states / n**2
    return max(jackknife - second_order, second_order)


@dataclass(frozen=True)
class Entropy:
    """An entropy estimated from a sample.

    Attributes
    ----------
    value : float
        Bits, corrected for bias.
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
    unseen : Unseen
        What is in the best estimate for states not met.
    shift : float
        What the best estimate has more than `value`, which is by the estimator asked for, bits.
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
    unseen: Unseen = NOTHING_UNSEEN
    shift: float = 0.0
    departures: int = 0

    @classmethod
    def exact(cls, value: float) -> "Entropy":
        """An entropy that is known without any sample."""
        return cls(value, 0.0, 0.0, value, 1.0, True, 0, 1, 0)


@dataclass(frozen=True)
class Counts:
    """States in order, (K,), and how often each was seen, (K,)."""

    states: NDArray[np.uint64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """All samples kept."""
        return int(self.counts.sum())

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> "Counts":
        """Of the keys (n,) of a sample, which may be sorted where they are; dropped ones are not counted."""
        largest = int(keys.max(initial=0))
        most = min(len(keys), largest + 1)
        states, counts = np.empty(most, np.uint64), np.empty(most, np.int64)
        if largest < max(_SPARSE * len(keys), min(_SPARSEST * len(keys), _SMALL_TABLE)):
            n = tabulated(keys, np.zeros(largest + 1, np.int32), states, counts)
        else:
            keys.sort()
            n = run_lengths(keys, states, counts)
        return cls(states[:n], counts[:n])

    @classmethod
    def sum(cls, several: Sequence["Counts"]) -> "Counts":
        """Of samples together."""
        if len(several) == 1:
            return several[0]
        states, place = np.unique(np.concatenate([one.states for one in several]), return_inverse=True)
        counts = np.zeros(len(states), np.int64)
        np.add.at(counts, place, np.concatenate([one.counts for one in several]))
        return cls(states, counts)


MIN_COVERAGE = 0.9
"""Good-Turing coverage below which no entropy is reported as if it were known."""


class StateControl(Protocol):
    """A figure of every state whose mean is known: a control variate of -log2 p."""

    mean: float

    def __call__(self, counts: Counts) -> NDArray[np.float64]:
        """The figure of each state, (K,)."""

    def missed(self, counts: Counts) -> tuple[float, float]:
        """What `mean`, and the figure's mean square, owe to events that no sample met, bits and bits**2."""


def entropy_of_counts(
    counted: Counts, n_samples: int, estimator: Estimator, control: StateControl | None = None
) -> Entropy:
    """Entropy of a sample of `n_samples`, dropped ones included.

    What the sample's mean of the `control` has in excess of the known one is taken off, by regression.
    """
    counts = counted.counts
    times, alike = _numbers_of_times(counts)
    n = int(alike @ times)
    if len(counts) < 2 and (control is None or n < 2):
        missed = min(NONE_SEEN / max(n, 1), 0.5)
        bias = -missed * np.log2(missed) - (1 - missed) * np.log2(1 - missed)
        return Entropy(0.0, 0.0, float(bias), 0.0, 1.0, True, n * (n - 1) // 2, n, n_samples)
    plugin = float(np.log2(n) - (alike * times) @ np.log2(times) / n)
    once, twice, thrice = (int(alike[times == c].sum()) for c in (1, 2, 3))
    unseen = Unseen.after(n, once, twice, thrice)
    tells = surprise(times, unseen)
    tells = tells - float((alike * times) @ tells) / n
    squares, cubes, excess, missed = float((alike * times) @ tells**2), float((alike * times) @ tells**3), 0.0, 0.0
    if control is not None:
        figure = control(counted)
        mean, spread, together = regression_sums(counts, figure, times, tells)
        missed, missed_square = control.missed(counted)
        # Of independent outputs the slope is 1, of dependent ones less. What is not met counts with 1 among what is:
        # where all that is met is alike, rounding alone would choose the slope.
        slope = (together + n * missed_square) / max(spread + n * missed_square, 1e-300)
        slope = min(max(slope, 0.0), 1.0)
        excess = slope * (mean - control.mean)
        squares = max(squares - 2 * slope * together + slope**2 * spread, 0.0)
        cubes = regression_cubes(counts, figure, times, tells, mean, slope)
    variance = variance_of_mean(squares / n**2, len(counts), n)
    best = estimator_named("auto").of_counts(times, alike) + unseen.bits
    value = best if estimator.sees_unseen else estimator.of_counts(times, alike)
    coverage = 1.0 - once / n
    return Entropy(
        value=max(value - excess, 0.0),
        stderr=float(np.sqrt(variance)),
        bias=unseen.bias + missed + SKEW * abs(cubes) / max(squares, 1e-300) / n,
        plugin=plugin,
        coverage=coverage,
        resolved=coverage >= MIN_COVERAGE and not unseen.endless,
        collisions=int(alike @ (times * (times - 1))) // 2,
        n_kept=n,
        n_samples=n_samples,
        unseen=unseen,
        shift=best - value,
        departures=n - int(times[-1]),
    )


def _numbers_of_times(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often states were seen, and how many states as often: all that an entropy depends on, and short."""
    small = counts < 2**16
    alike = np.bincount(counts[small])
    times = np.flatnonzero(alike)
    if small.all():
        return times, alike[times]
    more, alike_more = np.unique(counts[~small], return_counts=True)
    return np.concatenate([times, more]), np.concatenate([alike[times], alike_more])


def entropy_of_keys(keys: NDArray[np.uint64], estimator: Estimator, control: StateControl | None = None) -> Entropy:
    """Entropy of a sample whose states are given as keys (n,); dropped ones are not counted."""
    return entropy_of_counts(Counts.of(keys.copy()), len(keys), estimator, control)
