"""Entropy in bits from counts of states, by one of several estimators."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import merge_counts, run_lengths

Bits = TypeVar("Bits", float, NDArray[np.float64])

_TABLE = 4096
_LN2 = float(np.log(2.0))

SECOND_ORDER = (1.6 / _LN2) ** 2
"""Variance that each state adds to a corrected entropy of n samples, times n**2, in bits**2.

To first order an entropy has the variance of -log2 p over n, which vanishes where the states are
equally likely. What is left was measured on 2 to 1024 such states, n = 256 to 2**18: a standard
deviation of 1.5 to 1.9 sqrt(states) / (n ln 2), of which the odd-even steps of G are the larger part."""


@dataclass(frozen=True)
class Estimator:
    """How an entropy is made from counts.

    Attributes
    ----------
    name : str
        ``"plugin"``: -sum p log2 p of the observed shares. ``"miller-madow"``: plus (states - 1) / (2 n ln 2).
        ``"grassberger"``: log2 n - sum(c G(c)) / (n ln 2) (Grassberger 2003, arXiv:physics/0307138, eq. 35).
        ``"chao-shen"``: Horvitz-Thompson over the seen states, probabilities shrunk by the coverage
        (Chao & Shen 2003, eq. 6 and 8).
    extrapolation : float
        How many times the difference between the whole sample and the mean of its halves is added once more.
        Bias that falls as 1/n takes one; inside cells a little more was left: on layers 6->6 to 100->10, sigmoid
        and tanh, 64 to 1024 points a cell, 1.24 to 1.53 times would have been right.
    left_over : float
        Share of that difference which may be left as bias.
    """

    name: str
    extrapolation: float
    left_over: float

    def weights(self, size: int) -> NDArray[np.float64]:
        """Weight in bits of a count c = 0 ... size - 1."""
        return _grassberger_weights(size) if self.name == "grassberger" else _log_weights(size)

    @property
    def addend(self) -> float:
        """What every state beyond the first adds, times n."""
        return 0.5 / _LN2 if self.name == "miller-madow" else 0.0

    @property
    def chao_shen(self) -> bool:
        return self.name == "chao-shen"

    def extrapolated(self, whole: Bits, halves: Bits) -> Bits:
        """The entropy to report, from that of the whole sample and the mean of its halves."""
        return whole + self.extrapolation * (whole - halves)

    def of_counts(self, counts: NDArray[np.int64]) -> float:
        """Entropy in bits of counts of states."""
        counts = counts[counts > 0]
        if len(counts) < 2:
            return 0.0
        n = int(counts.sum())
        if self.chao_shen:
            singles = int(np.count_nonzero(counts == 1))
            p = (1.0 - min(singles, n - 1) / n) * counts / n
            return float(-(p * np.log2(p) / -np.expm1(n * np.log1p(-p))).sum())
        return float(np.log2(n) - counts @ self._weights_at(counts) / n + self.addend * (len(counts) - 1) / n)

    def _weights_at(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weights of counts however large: beyond the table G(c) is log c to 1/c**2, of the even number below c."""
        if self.name != "grassberger":
            return np.log2(counts)
        large = counts >= _TABLE
        weights = _grassberger_weights(_TABLE)[np.where(large, 0, counts)]
        weights[large] = np.log2(counts[large] - counts[large] % 2)
        return weights


def estimator_named(name: str) -> Estimator:
    """The estimator that the `entropy` parameter stands for: "auto" is Grassberger's, extrapolated."""
    if name == "auto":
        return Estimator("grassberger", 1.3, 1 / 4)
    return Estimator(name, 0.0, 1.0)


@lru_cache(maxsize=8)
def _grassberger_weights(size: int) -> NDArray[np.float64]:
    """G(c)/ln 2 in bits for c = 0 ... size - 1 (0 for c = 0), from the recursion of Grassberger's eq. 32."""
    g = np.zeros(max(size, 3))
    g[1] = -np.euler_gamma - _LN2
    g[2] = g[1] + 2.0
    g[4::2] = g[2] + np.cumsum(2.0 / np.arange(3, len(g) - 1, 2))
    g[3::2] = g[2:-1:2]
    return g[:size] / _LN2


@lru_cache(maxsize=8)
def _log_weights(size: int) -> NDArray[np.float64]:
    return np.log2(np.maximum(np.arange(size), 1))


@dataclass(frozen=True)
class Entropy:
    """An entropy estimated from a sample.

    Attributes
    ----------
    value : float
        Bits, corrected for bias.
    stderr : float
        Standard error of `value`, bits.
    bias : float
        Size of the bias that may be left in `value`, bits.
    plugin : float
        The uncorrected entropy: in expectation not above the true one.
    coverage : float
        Good-Turing estimate of the probability of the states seen, 1 - singletons / n.
    resolved : bool
        Whether `value` can be relied on: the states seen hold most of the probability, and what each doubling
        of the sample adds falls off as it does for a finite number of states.
    collisions : int
        Pairs of samples in one state.
    n_kept, n_samples : int
        Samples counted, and simulated.
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


@dataclass(frozen=True)
class Counts:
    """States in order, (K,), and how often each was seen, (K,)."""

    states: NDArray[np.uint64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> "Counts":
        """Of the keys (n,) of a sample; dropped ones are not counted."""
        states, counts = np.empty(len(keys), np.uint64), np.empty(len(keys), np.int64)
        n = run_lengths(np.sort(keys), states, counts)
        return cls(states[:n], counts[:n])

    def __add__(self, other: "Counts") -> "Counts":
        size = len(self.states) + len(other.states)
        states, counts = np.empty(size, np.uint64), np.empty(size, np.int64)
        n = merge_counts(self.states, self.counts, other.states, other.counts, states, counts)
        return Counts(states[:n], counts[:n])


MIN_COVERAGE = 0.9
"""Good-Turing coverage below which no entropy is reported as if it were known."""

_MAX_GROWTH = 0.8
"""What a doubling of the sample adds, as a share of what the one before added, above which there is no end in sight.

The bias of a finite number of states halves; states in a tail that goes on add the same every time."""


class StateControl(Protocol):
    """A figure of every state whose mean is known: a control variate of -log2 p."""

    mean: float

    def __call__(self, counts: Counts) -> NDArray[np.float64]:
        """The figure of each state, (K,)."""


def entropy_of_quarters(
    quarters: Sequence[NDArray[np.uint64]], estimator: Estimator, control: StateControl | None = None
) -> tuple[Entropy, Counts]:
    """Entropy of a sample that comes as the keys of four equal parts, and the counts of the whole.

    What the sample's mean of the `control` has in excess of the known one is taken off, by regression.
    """
    parts = [Counts.of(keys) for keys in quarters]
    halves = [parts[0] + parts[1], parts[2] + parts[3]]
    whole = halves[0] + halves[1]
    counts = whole.counts
    n, n_samples = int(counts.sum()), sum(len(keys) for keys in quarters)
    if len(counts) < 2:
        # A second state that three samples out of n would show was missed once in twenty samples at most.
        missed = min(3.0 / max(n, 1), 0.5)
        bias = -missed * np.log2(missed) - (1 - missed) * np.log2(1 - missed)
        return Entropy(0.0, 0.0, float(bias), 0.0, 1.0, True, n * (n - 1) // 2, n, n_samples), whole
    log_p = np.log2(counts / n)
    plugin = -float(counts @ log_p) / n
    noise = SECOND_ORDER * len(counts) / n**2
    surprise, excess = -log_p - plugin, 0.0
    if control is not None:
        figure = control(whole)
        mean = float(counts @ figure) / n
        spread = float(counts @ (figure - mean) ** 2)
        slope = float(counts @ (surprise * (figure - mean))) / spread if spread > 0 else 0.0
        surprise = surprise - slope * (figure - mean)
        excess = slope * (mean - control.mean)
    variance = float(counts @ surprise**2) / n**2 + noise
    of_whole = estimator.of_counts(counts)
    of_halves = float(np.mean([estimator.of_counts(half.counts) for half in halves]))
    of_quarters = float(np.mean([estimator.of_counts(part.counts) for part in parts]))
    added, added_before = of_whole - of_halves, of_halves - of_quarters
    coverage = 1.0 - float(np.count_nonzero(counts == 1)) / n
    left_over, resolved = estimator.left_over, coverage >= MIN_COVERAGE
    share = 1.0 if estimator.extrapolation else 0.0
    if abs(added) > 4 * np.sqrt(noise):
        growth = added / added_before if added_before * added > 0 else 0.0
        resolved = resolved and growth < _MAX_GROWTH
        # Further doublings would add a geometric series, were their growth to stay; it falls, down to 1/2.
        # Half-way between the two ends is nearest, and half of what lies between is what may be missed.
        growth = min(max(growth, 0.0), 0.95)
        series = growth / (1 - growth)
        if estimator.extrapolation:
            share = 0.5 * (1.0 + series)
            left_over = max(0.5 * abs(series - 1.0), 0.5 * left_over)
        else:
            left_over = max(left_over, series)
    entropy = Entropy(
        value=max(of_whole + share * added - excess, 0.0),
        stderr=float(np.sqrt(variance)),
        bias=left_over * abs(added),
        plugin=plugin,
        coverage=coverage,
        resolved=resolved,
        collisions=int(counts @ (counts - 1)) // 2,
        n_kept=n,
        n_samples=n_samples,
    )
    return entropy, whole


def entropy_of_keys(keys: NDArray[np.uint64], estimator: Estimator, control: StateControl | None = None) -> Entropy:
    """Entropy of a sample whose states are given as keys (n,); dropped ones are not counted."""
    return entropy_of_quarters(np.array_split(keys, 4), estimator, control)[0]
