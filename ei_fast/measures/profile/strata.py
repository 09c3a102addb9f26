"""What stratified sampling leaves of the bias of counted entropies.

Where every cell has as many points, the number of points in a state varies less than that of points that fall anywhere:
what differs from cell to cell is fixed. Estimators of entropy take off the bias of points that fall anywhere, to first
order the sum over states of var(c) / (2 n c) nats with var(c) = c (1 - c / n); that is too much by what the variance is
less.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.constants import LN2
from ei_fast.measures.profile.constants import MAX_PAIRS_IN_TABLE
from ei_fast.measures.profile.pairs import PooledStates

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Strata:
    """How often each state was met in each of many cells with m points.

    Attributes
    ----------
    cells, states : ndarray (T,)
        Numbers of a cell and of a state that was met in it.
    counts : ndarray (T,)
        How often.
    n_cells, n_states, m : int
    """

    cells: NDArray[np.int64]
    states: NDArray[np.int64]
    counts: Values
    n_cells: int
    n_states: int
    m: int

    @classmethod
    def of(cls, pooled: PooledStates, n_cells: int) -> "Strata":
        """Of points of which the first m are in the first cell, and so on."""
        m = len(pooled) // n_cells
        pairs = np.repeat(np.arange(n_cells) * pooled.n_states, m) + pooled.numbers
        if n_cells * pooled.n_states <= MAX_PAIRS_IN_TABLE:
            table = np.bincount(pairs, minlength=n_cells * pooled.n_states)
            met = np.flatnonzero(table)
            counts = table[met]
        else:
            met, counts = np.unique(pairs, return_counts=True)
        return cls(*np.divmod(met, pooled.n_states), counts.astype(np.float64), n_cells, pooled.n_states, m)

    @property
    def freedom(self) -> int:
        """States in cells beyond the first of each: 0 where nothing varies inside cells."""
        return len(self.counts) - self.n_cells

    def excess(self, groups: NDArray[np.int64], n_points: int) -> float:
        """Bits by which the entropies of states in groups of cells, as they are estimated, are too large, added up.

        Parameters
        ----------
        groups : ndarray (n_cells,)
            Number of the group of each cell.
        n_points : int
            Points of the sample whose entropy is estimated: of one group, or of all.
        """
        pairs = groups[self.cells] * self.n_states + self.states
        _, where = np.unique(pairs, return_inverse=True)
        c = np.bincount(where, self.counts)
        inside = np.bincount(where, self.counts * (self.m - self.counts) / (self.m - 1))
        return float(np.sum((c * (1 - c / n_points) - inside) / (2 * LN2 * n_points * c)))
