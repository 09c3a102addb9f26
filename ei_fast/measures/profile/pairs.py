"""I(X_i; Y) from points whose output states are known, grouped by the bin of an input.

I(X_i; Y) = H(Y) + H(X_i) - H(X_i, Y), each entropy by Zhang's estimator with what is unseen: most of the bias of H(X_i,
Y), whose states are many times those of Y, is taken off, and what is left is small beside what the model of unseen
states allows to be wrong, since H(Y) and H(X_i, Y) miss nearly the same.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Codes, Keys
from ei_fast.kernels.pairs import count_pairs, pair_sums
from ei_fast.measures.constants import TABLE_OF_COUNTS
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import digamma_bits, digamma_table
from ei_fast.measures.counting.sampled import jackknife_influence
from ei_fast.measures.counting.unseen import NOTHING_UNSEEN, UnseenStates
from ei_fast.measures.profile.constants import MAX_PAIRS_IN_TABLE, MAX_RANKED_KEY

Numbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Tally:
    """The entropy of counted states.

    Attributes
    ----------
    n_points, n_states, once : int
        Points, states, and states that one point met.
    zhang : float
        Entropy in bits by Zhang's estimator.
    unseen : UnseenStates
        What is to be added.
    """

    n_points: int
    n_states: int
    once: int
    zhang: float
    unseen: UnseenStates

    @classmethod
    def of(cls, counts: NDArray[np.int32], bins: int = 1) -> tuple["Tally", "Tally"]:
        """Of multiplicities (K * bins,), where 0 is no state; and of the bins, each of which is every other entry."""
        of_bins, sums = np.empty(bins, np.int64), np.empty(6)
        pair_sums(counts, bins, digamma_table(TABLE_OF_COUNTS), of_bins, sums)
        met = of_bins[of_bins > 0].astype(np.float64)
        of_all = [met.sum(), len(met), *(np.count_nonzero(met == c) for c in (1, 2, 3)), met @ digamma_bits(met)]
        return cls._of_sums(*sums.tolist()), cls._of_sums(*map(float, of_all))

    @classmethod
    def _of_sums(cls, n: float, n_states: float, once: float, twice: float, thrice: float, digammas: float) -> "Tally":
        if n_states < 2:
            return cls(int(n), int(n_states), 0, 0.0, NOTHING_UNSEEN)
        unseen = UnseenStates.after(n, once, twice, thrice)
        return cls(int(n), int(n_states), int(once), float(digamma_bits(n)) - digammas / n, unseen)

    @property
    def entropy(self) -> float:
        """Bits."""
        return self.zhang + self.unseen.bits

    @property
    def coverage(self) -> float:
        """Good-Turing estimate of the probability of the states met."""
        return 1.0 - self.once / max(self.n_points, 1)


@dataclass(frozen=True, eq=False)
class PairCounts:
    """How often each state of the outputs was met together with each bin of an input.

    Attributes
    ----------
    counts : ndarray (P,)
        Of every pair; where they are in no table, of those that were met.
    bins : int
        Of the input.
    pairs : ndarray (P,) or None
        Numbers of the pairs in rising order; None where each is its own number.
    """

    counts: NDArray[np.int32]
    bins: int
    pairs: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, states: Numbers, codes: Codes, n_states: int, bins: int) -> "PairCounts":
        """Of points (n,) in these states and bins."""
        if n_states * bins <= MAX_PAIRS_IN_TABLE:
            counts = np.zeros(n_states * bins, np.int32)
            count_pairs(states, codes, bins, counts)
            return cls(counts, bins)
        pairs, found = np.unique(states.astype(np.int64) * bins + codes, return_counts=True)
        return cls(found.astype(np.int32), bins, pairs)

    def tallies(self) -> tuple[Tally, Tally]:
        """Of the pairs, and of the input."""
        if self.pairs is None:
            return Tally.of(self.counts, self.bins)
        of_bins = np.bincount(self.pairs % self.bins, self.counts, self.bins).astype(np.int32)
        return Tally.of(self.counts)[0], Tally.of(of_bins)[0]

    def multiplicities(self, states: Numbers, codes: Codes) -> NDArray[np.int32]:
        """How often the pair of each of some points was met."""
        pairs = states.astype(np.int64) * self.bins + codes
        return self.counts[pairs if self.pairs is None else np.searchsorted(self.pairs, pairs)]


class Information(NamedTuple):
    """I(X_i; Y) in bits from one pool.

    `model_error` is what of the unseen states may be wrong; `coverage` that of the pairs; `without_end` whether there
    is no end to new pairs; and `freedom` the degrees of freedom of the chi-square that the estimate is where the input
    tells nothing.
    """

    value: float
    model_error: float
    coverage: float
    without_end: bool
    freedom: int


@dataclass(frozen=True, eq=False)
class PooledStates:
    """States of the outputs in n points, numbered from 0 on.

    Attributes
    ----------
    numbers : ndarray (n,)
        Of the state of each point.
    counts : ndarray (K,)
        How often each state was met.
    """

    numbers: Numbers
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Keys) -> "PooledStates":
        """Of the output keys (n,) of points."""
        largest = int(keys.max(initial=0))
        if largest < MAX_RANKED_KEY:
            counted = Counts.of(keys, in_place=False)
            ranks = np.zeros(largest + 1, np.int32)
            ranks[counted.states] = np.arange(len(counted.states))
            return cls(ranks[keys], counted.counts)
        _, numbers, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return cls(numbers.astype(np.int32), counts)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.counts)

    @cached_property
    def output(self) -> Tally:
        """H(Y)."""
        return Tally.of(self.counts.astype(np.int32))[0]

    def information(self, codes: Codes, bins: int, count: int) -> tuple[Information, NDArray[np.float64]]:
        """I(X_i; Y) of the input that has these bins (n,); and influence (count,) of the first points, to a constant.

        The influence is the jackknife's, in bits.
        """
        counts = PairCounts.of(self.numbers, codes, self.n_states, bins)
        pairs, of_input = counts.tallies()
        value = self.output.entropy + of_input.zhang - pairs.entropy
        found = Information(
            value,
            pairs.unseen.model_error + self.output.unseen.model_error,
            pairs.coverage,
            pairs.unseen.without_end,
            max(pairs.n_states - self.n_states - of_input.n_states + 1, 0),
        )
        some = slice(0, count)
        of_pairs = jackknife_influence(counts.multiplicities(self.numbers[some], codes[some]), pairs.unseen)
        # That of the input alone hardly differs from point to point: its bins are equally likely.
        return found, self.influence_of_outputs[self.numbers[some]] - of_pairs

    @cached_property
    def influence_of_outputs(self) -> NDArray[np.float64]:
        """Of a point in each state (K,) on H(Y), in bits, up to a constant."""
        return jackknife_influence(self.counts, self.output.unseen)
