"""Entropy in bits from counts of states, by one of several estimators."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import merge_states
from ei_fast.kernels.keys import DROPPED

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
    extrapolate : bool
        Whether the difference between the whole sample and the mean of its halves is added once more:
        bias that falls as 1/n is then gone.
    left_over : float
        Share of that difference which may be left as bias. A third after extrapolation: on sigmoid
        layers 6->6 to 100->10, 64 to 512 points a cell, it was a fifth to a third.
    """

    name: str
    extrapolate: bool
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

    def extrapolated(self, whole: NDArray[np.float64], halves: NDArray[np.float64]) -> NDArray[np.float64]:
        """The entropy to report, from that of the whole sample and the mean of its halves."""
        return 2.0 * whole - halves if self.extrapolate else whole

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
        return Estimator("grassberger", True, 1 / 3)
    return Estimator(name, False, 1.0)


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
    collisions: int
    n_kept: int
    n_samples: int


def entropy_of_counts(counts: NDArray[np.int64], estimator: Estimator, n_samples: int) -> Entropy:
    """Entropy of a sample counted as two halves: `counts` (n_states, 2), of `n_samples` simulated ones."""
    both = counts.sum(axis=1)
    n = int(both.sum())
    if len(both) < 2:
        return Entropy(0.0, 0.0, 0.0, 0.0, 1.0, n * (n - 1) // 2, n, n_samples)
    log_p = np.log2(both / n)
    plugin = -float(both @ log_p) / n
    variance = max(both @ log_p**2 / n - plugin**2, 0.0) / n + SECOND_ORDER * len(both) / n**2
    whole = estimator.of_counts(both)
    halves = 0.5 * (estimator.of_counts(counts[:, 0]) + estimator.of_counts(counts[:, 1]))
    return Entropy(
        value=max(float(estimator.extrapolated(np.float64(whole), np.float64(halves))), 0.0),
        stderr=float(np.sqrt(variance)),
        bias=estimator.left_over * abs(whole - halves),
        plugin=plugin,
        coverage=1.0 - float(np.count_nonzero(both == 1)) / n,
        collisions=int(both @ (both - 1)) // 2,
        n_kept=n,
        n_samples=n_samples,
    )


def entropy_of_keys(keys: NDArray[np.uint64], estimator: Estimator) -> Entropy:
    """Entropy of a sample whose states are given as keys (n,); dropped ones are not counted."""
    half = len(keys) // 2
    return entropy_of_counts(count_keys(keys[:half], keys[half:])[1], estimator, len(keys))


def count_keys(
    first: NDArray[np.uint64], second: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct keys in order, (n_states,), and how often each is in either half, (n_states, 2)."""
    size = len(first) + len(second)
    states, counts = np.empty(size, np.uint64), np.empty((size, 2), np.int64)
    n = merge_states(np.sort(first), np.sort(second), states, counts)
    # Dropped samples have the largest key.
    n -= bool(n and states[n - 1] == DROPPED)
    return states[:n], counts[:n]
