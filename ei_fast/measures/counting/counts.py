"""States of a sample, and how often each occurred."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import merged, run_lengths, tabulated
from ei_fast.measures.constants import (
    LARGE_MULTIPLICITY,
    SMALL_TABLE,
    STATES_A_SAMPLE,
    STATES_A_SAMPLE_OF_SMALL_TABLE,
)


@dataclass(frozen=True)
class Counts:
    """States in rising order, (K,), and the number of samples in each, (K,).

    Attributes
    ----------
    states, counts : ndarray (K,)
    tally : tuple of ndarray, optional
        What `multiplicities` returns, where it is known.
    """

    states: NDArray[np.uint64]
    counts: NDArray[np.int64]
    tally: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    @property
    def total(self) -> int:
        """Number of samples counted: those that were kept."""
        return int(self.counts.sum() if self.tally is None else self.tally[0] @ self.tally[1])

    @classmethod
    def of(cls, keys: NDArray[np.uint64], in_place: bool = True) -> "Counts":
        """Count the keys (n,) of a sample, which may be sorted `in_place`; dropped ones are left out."""
        largest = int(keys.max(initial=0))
        most = min(len(keys), largest + 1)
        states, counts = np.empty(most, np.uint64), np.empty(most, np.int64)
        if fits_a_table(largest, len(keys)):
            n_states = tabulated(keys, np.zeros(largest + 1, np.int32), states, counts)
        else:
            if in_place:
                keys.sort()
            n_states = run_lengths(keys if in_place else np.sort(keys), states, counts)
        return cls(states[:n_states], counts[:n_states])

    @classmethod
    def sum(cls, samples: Sequence["Counts"]) -> "Counts":
        """Counts of several samples together."""
        left = list(samples)
        while len(left) > 1:
            # By pairs, so that each state is copied as often as samples can be halved.
            pairs = [_together(left[k], left[k + 1]) for k in range(0, len(left) - 1, 2)]
            left = pairs + left[2 * len(pairs) :]
        return left[0]

    def multiplicities(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How often states occurred, in rising order, and the number of states that occurred so often.

        It is all that an entropy depends on, and much shorter than the counts.
        """
        if self.tally is not None:
            return self.tally
        small = self.counts < LARGE_MULTIPLICITY
        n_states = np.bincount(self.counts[small])
        multiplicity = np.flatnonzero(n_states)
        if small.all():
            return multiplicity, n_states[multiplicity]
        larger, n_states_larger = np.unique(self.counts[~small], return_counts=True)
        return (
            np.concatenate([multiplicity, larger]),
            np.concatenate([n_states[multiplicity], n_states_larger]),
        )


def fits_a_table(largest: int, n: int) -> bool:
    """Whether a table with an entry for every key up to the largest is faster than sorting n keys."""
    return largest < max(STATES_A_SAMPLE * n, min(STATES_A_SAMPLE_OF_SMALL_TABLE * n, SMALL_TABLE))


def _together(first: Counts, second: Counts) -> Counts:
    most = len(first.states) + len(second.states)
    states, counts = np.empty(most, np.uint64), np.empty(most, np.int64)
    n_states = merged(first.states, first.counts, second.states, second.counts, states, counts)
    return Counts(states[:n_states], counts[:n_states])
