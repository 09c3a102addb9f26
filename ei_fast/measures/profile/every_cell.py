"""Both figures of every input where every input cell is visited: from the points that EI was counted from.

All cells hold as many points, so that the points of the cells with one bin of input i are a sample of Y given that bin,
and those of the cells that differ in input i alone a sample of Y given all others. EI, and what each input tells, then
come from the same points, and what they have in common is taken into account where one is divided by another.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Intervention, Keys
from ei_fast.measures.constants import SECOND_ORDER_VARIANCE
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.entropies.every_cell import VisitedCells
from ei_fast.measures.profile.component import ComponentProfile, InputFigures
from ei_fast.measures.profile.constants import LINES_POINTS
from ei_fast.measures.profile.figure import Figure, total
from ei_fast.measures.profile.freed import entropies_of
from ei_fast.measures.profile.pairs import PairCounts, PooledStates
from ei_fast.measures.profile.strata import Strata
from ei_fast.measures.stages import InThreads, Method
from ei_fast.runtime.threads import Threads

Values = NDArray[np.float64]


def of_every_cell(do: Intervention, cells: Cells, m: int) -> Method[ComponentProfile]:
    """Both figures of every input, from m points in each of all cells: those that EI was counted from."""
    keys, _ = yield VisitedCells(do, cells, m, ZHANG_UNSEEN, -1)
    found: ComponentProfile = yield InThreads(lambda threads: _profile(keys, do.n_in, do.in_bins, threads))
    return found


def _profile(keys: Keys, n_in: int, bins: int, threads: Threads) -> ComponentProfile:
    n_cells, m = keys.shape
    n_points = n_cells * m
    states = PooledStates.of(keys.reshape(-1))
    strata, covariance = Strata.of(states, n_cells), _covariance(states, n_cells, n_in, bins)
    index = np.unravel_index(np.arange(n_cells), (bins,) * n_in)
    # Each bin of an input has as many points: its entropy is known.
    excess = strata.excess(np.zeros(n_cells, np.int64), n_points)
    known = float(np.log2(bins)) + states.output.entropy - excess

    def of_input(i: int) -> tuple[Figure, Figure]:
        counts = PairCounts.of(states.numbers, np.repeat(index[i].astype(np.uint16), m), states.n_states, bins)
        pairs, _ = counts.tallies()
        freedom = min(max(pairs.n_states - states.n_states - bins + 1, 0), strata.freedom)
        stderr = _stderr(covariance, 1 + i, freedom, n_points)
        alone = known - pairs.entropy + strata.excess(index[i], n_points)
        error = states.output.unseen.model_error + pairs.unseen.model_error
        lines = _lines(keys, i, bins)
        given, left, freedom = _given(lines, strata, np.arange(n_cells) - index[i] * bins ** (n_in - 1 - i))
        of_given = _stderr(covariance, 1 + n_in + i, min(freedom, strata.freedom), n_points)
        return Figure.estimated(alone, stderr, error), Figure.estimated(given, of_given, left)

    alone, given = zip(*threads.map(of_input, range(n_in)), strict=True)
    of_alone = _together(alone, covariance, slice(1, 1 + n_in))
    of_given = _together(given, covariance, slice(1 + n_in, None))
    return ComponentProfile(of_alone, of_given, ei_excess=abs(excess))


def _stderr(covariance: Values, k: int, freedom: int, n: int) -> float:
    """Of a figure, from its variance; and the second order, which is all there is of what tells nothing."""
    return float(np.sqrt(covariance[k, k] + SECOND_ORDER_VARIANCE * freedom / n**2))


def _together(figures: Sequence[Figure], covariance: Values, rows: slice) -> InputFigures:
    """Figures of all inputs, and their sum with what they have in common."""
    second_order = sum(f.variance for f in figures) - float(np.trace(covariance[rows, rows]))
    variance = float(covariance[rows, rows].sum()) + second_order
    together = total(figures, float(np.sqrt(max(variance, 0.0))))
    return InputFigures(figures, together, float(covariance[0, rows].sum()))


def _lines(keys: Keys, i: int, bins: int) -> Keys:
    """Keys (lines, bins, m): a line holds the cells that differ in input i alone."""
    n_cells, m = keys.shape
    after = bins ** (round(np.log(n_cells) / np.log(bins)) - i - 1)
    lines = keys.reshape(-1, bins, after, m).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(lines).reshape(-1, bins, m)


def _given(lines: Keys, strata: Strata, line_of_cell: NDArray[np.int64]) -> tuple[float, float, int]:
    """I(X_i; Y | X_others) in bits, what of unseen states may be wrong, and the freedom of its second order."""
    n_lines, bins, m = lines.shape
    of_lines, of_cells = entropies_of(lines.reshape(n_lines, -1)), entropies_of(lines.reshape(-1, m))
    excess = strata.excess(line_of_cell, bins * m) / n_lines
    value = float(of_lines.corrected.mean() - of_cells.corrected.mean()) - excess
    freedom = int((bins - 1) * np.sum(states_in_rows(lines.reshape(n_lines, -1)) - 1))
    return value, of_lines.unseen.model_error + of_cells.unseen.model_error, freedom


def states_in_rows(keys: Keys) -> NDArray[np.int64]:
    """Number of different keys in each row."""
    in_order = np.sort(keys, axis=1)
    n_states: NDArray[np.int64] = 1 + np.count_nonzero(in_order[:, 1:] != in_order[:, :-1], axis=1)
    return n_states


def _covariance(pooled: PooledStates, n_cells: int, n_in: int, bins: int) -> Values:
    """Covariances, bits**2, of EI, of what each input tells, and of what it adds to others: (1 + 2 n_in, 1 + 2 n_in).

    They are those inside cells, of the influences of some points: what differs from cell to cell is no error.
    """
    states = pooled.numbers.reshape(n_cells, -1)[:, : max(2, LINES_POINTS // n_cells)]
    m = states.shape[1]
    cell = np.repeat(np.arange(n_cells), m)
    state, n_states = states.reshape(-1).astype(np.int64), int(states.max(initial=0)) + 1
    output, inside = _surprise(state), _surprise(cell * n_states + state)
    index = np.unravel_index(cell, (bins,) * n_in)
    influences = [output - inside]
    influences += [output - _surprise(index[i] * n_states + state) for i in range(n_in)]
    for i in range(n_in):
        line = cell - index[i] * bins ** (n_in - 1 - i)
        influences.append(_surprise(line * n_states + state) - inside)
    table = np.array(influences).reshape(len(influences), n_cells, m)
    table -= table.mean(axis=2, keepdims=True)
    flat = table.reshape(len(influences), -1)
    covariance: Values = np.einsum("ak,bk->ab", flat, flat) / (n_cells * (m - 1)) / len(pooled)
    return covariance


def _surprise(groups: NDArray[np.int64]) -> Values:
    """-log2 of how many points are in the group of each."""
    _, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    surprise: Values = -np.log2(counts)[numbers]
    return surprise
