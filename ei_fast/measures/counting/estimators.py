"""Estimators of an entropy from counts: one object each, with the tables that the kernels read.

All but Chao and Shen's have the form

    total_term(n) - sum over states of c count_term(c) / n + state_term (K - 1) / n

for n samples in K states, of which one occurred c times, all in bits; the kernels have the same names.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from ei_fast.measures.constants import LN2, TABLE_OF_COUNTS


def digamma_bits(counts: Any) -> Any:
    """digamma / ln 2: in bits what stands in Zhang's estimator where the plug-in has log2."""
    return digamma(counts) / LN2


@lru_cache(maxsize=8)
def log2_table(size: int) -> NDArray[np.float64]:
    """log2 c for c = 0 ... size - 1, 0 for c = 0."""
    return np.log2(np.maximum(np.arange(size), 1))


@lru_cache(maxsize=8)
def digamma_table(size: int) -> NDArray[np.float64]:
    """`digamma_bits` of c = 0 ... size - 1, 0 for c = 0."""
    return np.append(0.0, digamma_bits(np.arange(1, size)))


@lru_cache(maxsize=8)
def grassberger_table(size: int) -> NDArray[np.float64]:
    """G(c) / ln 2 in bits for c = 0 ... size - 1, 0 for c = 0, by the recursion of Grassberger's eq. 32."""
    g = np.zeros(max(size, 3))
    g[1] = -np.euler_gamma - LN2
    g[2] = g[1] + 2.0
    g[4::2] = g[2] + np.cumsum(2.0 / np.arange(3, len(g) - 1, 2))
    g[3::2] = g[2:-1:2]
    return g[:size] / LN2


def digammas_of(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """`digamma_bits` of many counts, most of them small: by table as far as it goes."""
    table = digamma_table(TABLE_OF_COUNTS)
    bits: NDArray[np.float64] = table[np.minimum(counts, TABLE_OF_COUNTS - 1)]
    large = counts >= TABLE_OF_COUNTS
    bits[large] = digamma_bits(counts[large])
    return bits


class CellTables(NamedTuple):
    """What the kernel `cell_entropies` reads of an estimator, for up to so many points in a cell."""

    log2_table: NDArray[np.float64]
    digamma_table: NDArray[np.float64]
    total_table: NDArray[np.float64]
    count_table: NDArray[np.float64]
    state_term: float
    is_chao_shen: bool


class HistogramTables(NamedTuple):
    """What the kernels of joint histograms read of an estimator; beyond the table log2 stands in."""

    count_table: NDArray[np.float64]
    parity: int
    state_term: float
    is_chao_shen: bool


@dataclass(frozen=True)
class EntropyEstimator:
    """The plug-in, -sum p log2 p of the observed shares; and what the other estimators are made of.

    Attributes
    ----------
    name : str
        As in the `entropy` parameter; "auto" there stands for "zhang+unseen".
    title : str
        In a sentence about an entropy: "each by ...".
    adds_unseen : bool
        Whether the entropy of states not met is to be added; see `UnseenStates`.
    state_term : float
        What every state beyond the first adds, in bits, times n.
    """

    name: str
    title: str
    adds_unseen: bool = False
    state_term: float = 0.0

    def total_table(self, size: int) -> NDArray[np.float64]:
        """total_term(n) in bits for n = 0 ... size - 1."""
        return log2_table(size)

    def count_table(self, size: int) -> NDArray[np.float64]:
        """count_term(c) in bits for c = 0 ... size - 1."""
        return log2_table(size)

    def total_term(self, n: int) -> float:
        """total_term(n) in bits."""
        bits: float = np.log2(n)
        return bits

    def count_terms(self, multiplicity: NDArray[np.integer]) -> NDArray[np.float64]:
        """count_term(c) in bits of each multiplicity c."""
        bits: NDArray[np.float64] = np.log2(multiplicity)
        return bits

    def entropy(self, multiplicity: NDArray[np.integer], n_states: NDArray[np.integer] | None = None) -> float:
        """Entropy in bits, what is unseen not included.

        Parameters
        ----------
        multiplicity : ndarray of int
            How often states occurred.
        n_states : ndarray of int, optional
            The number of states that occurred so often; 1 of each where not given.
        """
        n_states = np.ones(len(multiplicity), np.int64) if n_states is None else n_states
        multiplicity, n_states = multiplicity[multiplicity > 0], n_states[multiplicity > 0]
        if int(n_states.sum()) < 2:
            return 0.0
        return self._of_several_states(multiplicity, n_states)

    def _of_several_states(self, multiplicity: NDArray[np.integer], n_states: NDArray[np.integer]) -> float:
        n, states = int(multiplicity @ n_states), int(n_states.sum())
        weighted = (n_states * multiplicity) @ self.count_terms(multiplicity)
        return float(self.total_term(n) - weighted / n + self.state_term * (states - 1) / n)

    def cell_tables(self, n_points: int) -> CellTables:
        """Tables for cells with at most so many points in each."""
        size = n_points + 1
        return CellTables(
            log2_table(size),
            digamma_table(size),
            self.total_table(size),
            self.count_table(size),
            self.state_term,
            self.name == "chao-shen",
        )

    def histogram_tables(self, size: int) -> HistogramTables:
        """Tables of counts below `size`, for joint histograms."""
        return HistogramTables(
            self.count_table(size), int(self.name == "grassberger"), self.state_term, self.name == "chao-shen"
        )


class Grassberger(EntropyEstimator):
    """log2 n - sum(c G(c)) / (n ln 2) (Grassberger 2003, arXiv:physics/0307138, eq. 35)."""

    def count_table(self, size: int) -> NDArray[np.float64]:
        return grassberger_table(size)

    def count_terms(self, multiplicity: NDArray[np.integer]) -> NDArray[np.float64]:
        # For large c, G(c) is the log of the largest even number not above c, with an error of 1/c**2.
        large = multiplicity >= TABLE_OF_COUNTS
        weights = grassberger_table(TABLE_OF_COUNTS)[np.where(large, 0, multiplicity)]
        weights[large] = np.log2(multiplicity[large] - multiplicity[large] % 2)
        return weights


class ChaoShen(EntropyEstimator):
    """Horvitz and Thompson's sum over the states seen, probabilities shrunk by the coverage (2003, eq. 6 and 8)."""

    def _of_several_states(self, multiplicity: NDArray[np.integer], n_states: NDArray[np.integer]) -> float:
        n = int(multiplicity @ n_states)
        singletons = int(n_states[multiplicity == 1].sum())
        p = (1.0 - min(singletons, n - 1) / n) * multiplicity / n
        return float(-n_states @ (p * np.log2(p) / -np.expm1(n * np.log1p(-p))))


class Zhang(EntropyEstimator):
    """Digamma in place of the logarithm (Zhang 2012, Neural Computation 24:1368)."""

    def total_table(self, size: int) -> NDArray[np.float64]:
        return digamma_table(size)

    def count_table(self, size: int) -> NDArray[np.float64]:
        return digamma_table(size)

    def total_term(self, n: int) -> float:
        bits: float = digamma_bits(n)
        return bits

    def count_terms(self, multiplicity: NDArray[np.integer]) -> NDArray[np.float64]:
        return digammas_of(multiplicity)


PLUGIN = EntropyEstimator("plugin", "plug-in, uncorrected")
MILLER_MADOW = EntropyEstimator("miller-madow", "Miller and Madow's estimator", state_term=0.5 / LN2)
"""The plug-in plus (states - 1) / (2 n ln 2)."""
GRASSBERGER = Grassberger("grassberger", "Grassberger's estimator")
CHAO_SHEN = ChaoShen("chao-shen", "Chao and Shen's estimator")
ZHANG_UNSEEN = Zhang("zhang+unseen", "Zhang's estimator, states not met taken into account", adds_unseen=True)
"""What is known to be missing is added; see `UnseenStates`."""

ESTIMATORS = {estimator.name: estimator for estimator in (PLUGIN, MILLER_MADOW, GRASSBERGER, CHAO_SHEN, ZHANG_UNSEEN)}


def estimator_named(name: str) -> EntropyEstimator:
    """The estimator that the `entropy` parameter stands for; "auto" is Zhang's with what is unseen."""
    return ZHANG_UNSEEN if name == "auto" else ESTIMATORS[name]
