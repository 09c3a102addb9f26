"""How the points of a simulation are shared out: from a pilot's figures and `tol` to sizes, without any sampling."""

from dataclasses import dataclass, replace

import numpy as np

from ei_fast.measures.constants import (
    BIAS_SHARE,
    MAX_NEW,
    MAX_POINTS_A_CELL,
    MIN_EVENTS,
    MIN_PILOT_CELLS,
    MIN_POINTS,
    MIN_SPREAD,
    STDERR_SHARE,
)
from ei_fast.measures.counting.sampled import SampledEntropy
from ei_fast.measures.entropies.cells import CellEntropies
from ei_fast.measures.entropies.sample import Sample


@dataclass(frozen=True)
class Sizes:
    """How large a simulation is.

    Attributes
    ----------
    n_draws : int
        Cells that are drawn; or, where samples are dropped, points whose cells are drawn if they are kept.
    m : int
        Points in each of the cells that can move.
    n : int
        Points over the whole input range.
    stride : int
        Of cells drawn through kept points one in so many draws is entered; the control's mean is over all of them.
    """

    n_draws: int
    m: int
    n: int
    stride: int = 1

    def enlarged(self, sample: Sample, tol: float) -> "Sizes":
        """Twice as many of what a `sample` of these sizes was short of."""
        few_inside = self.m < MAX_POINTS_A_CELL and _has_too_much_bias(sample.inside, tol)
        few_anywhere = _has_too_much_bias(sample.output, tol)
        if few_inside or few_anywhere:
            # Bias: of entropies inside cells by the points in a cell, of the output's by those anywhere.
            return replace(self, m=self.m * 2 if few_inside else self.m, n=self.n * 2 if few_anywhere else self.n)
        return replace(self, n_draws=2 * self.n_draws, n=2 * self.n)


def _has_too_much_bias(entropy: SampledEntropy | CellEntropies, tol: float) -> bool:
    return not entropy.resolved or entropy.bias + abs(entropy.shift) > BIAS_SHARE * tol


def points_a_cell(pilot: CellEntropies, tol: float, whole_cells: bool, ceiling: int) -> int:
    """Points in a cell with which bias should be small enough: it falls about as one over them."""
    m = pilot.points_a_cell
    most = ceiling // (2 * MIN_PILOT_CELLS)
    if whole_cells:
        most = min(most, MAX_POINTS_A_CELL)
    bias = pilot.unseen.model_error + abs(pilot.shift)
    while bias * pilot.points_a_cell / m > BIAS_SHARE * tol and 2 * m <= most:
        m *= 2
    return m


@dataclass(frozen=True)
class Demand:
    """What sizes are chosen for.

    Attributes
    ----------
    tol : float
        Bits.
    ceiling : int
        Points at the most.
    kept : float
        Share of the samples that is kept; 1 where none is dropped.
    cost_of_finding : float
        What it costs, in points, to find a cell and its control; 0 where every draw is a cell.
    """

    tol: float
    ceiling: int
    kept: float = 1.0
    cost_of_finding: float = 0.0

    def draws(self, n_cells: float) -> int:
        """Draws that give so many cells."""
        return int(n_cells / self.kept)


def best_sizes(pilot: CellEntropies, m: int, output: SampledEntropy, demand: Demand) -> Sizes:
    """Sizes that reach `tol` with m points in a cell; where points run short, with as many as leave the least error."""
    bias = pilot.unseen.model_error + abs(pilot.shift)
    best, least_error = None, np.inf
    while True:
        sizes, variance = cheapest_sizes(pilot, m, output, demand)
        error = float(np.hypot(np.sqrt(variance), bias * pilot.points_a_cell / m))
        if best is None or error < least_error:
            best, least_error = sizes, error
        m //= 2
        share_new = (1 - pilot.coverage) * pilot.points_a_cell / m if m else np.inf
        if error <= demand.tol or m < MIN_POINTS or share_new > MAX_NEW:
            return best


def cheapest_sizes(pilot: CellEntropies, m: int, output: SampledEntropy, demand: Demand) -> tuple[Sizes, float]:
    """Sizes with m points in a cell that reach `tol` with the fewest points, up to the ceiling; and their variance.

    Parameters
    ----------
    pilot : CellEntropies
        Spread of the cells, how many of them varied, and what a control explains.
    m : int
    output : SampledEntropy
        Of a pilot; its error and bias.
    demand : Demand

    Notes
    -----
    The variance is a sum of spread**2 / n over three kinds of draws: cells that are entered; cells that are found,
    which give the mean of what the control explains; and points anywhere. Lagrange's multiplier gives the
    numbers n that reach a variance with the least sum of n times cost: each in proportion to spread / sqrt(cost).
    """
    finding, explained = demand.cost_of_finding, pilot.explained
    spread = max(pilot.spread, MIN_SPREAD)
    cost = pilot.cost * m / pilot.points_a_cell + (0.0 if explained else finding)
    of_cells = spread * np.sqrt(cost) + explained * np.sqrt(finding)
    spread_output = output.stderr * np.sqrt(output.n_samples)
    variance = (STDERR_SHARE * demand.tol) ** 2
    n = _points_anywhere(output, spread_output, of_cells, variance, demand.tol)
    left = variance - (spread_output**2 / n if n else 0.0)
    n_cells = spread * of_cells / np.sqrt(cost) / left
    # No fewer than it took to see enough of them vary, and as many more as these fell short.
    enough = MIN_EVENTS * pilot.n_cells / max(pilot.n_varied, 1)
    n_cells = max(n_cells, min(1.5 * enough, pilot.n_cells))
    n_found = max(n_cells, explained * of_cells / np.sqrt(finding) / left if explained else 0.0)
    shrink = min(1.0, demand.ceiling / (n_cells * cost + n + (n_found * finding if explained else 0.0)))
    n_cells, n_found, n = max(MIN_PILOT_CELLS, n_cells * shrink), n_found * shrink, n * shrink
    stride = max(1, int(n_found / n_cells))
    draws = min(demand.draws(n_cells * stride), demand.ceiling)
    of_output = spread_output**2 / n if n else 0.0
    expected = spread**2 / n_cells + explained**2 / (n_cells * stride) + of_output
    return Sizes(draws, m, max(4, int(n)) if n else 0, stride), expected


def _points_anywhere(
    output: SampledEntropy, spread_output: float, of_cells: float, variance: float, tol: float
) -> float:
    """Points over the whole input range; none where H(Y) is known."""
    if not output.n_samples:
        return 0.0
    n = spread_output * (of_cells + spread_output) / variance
    # The output's bias wants so many at least: it falls as one over them, or faster.
    bias = output.bias + abs(output.shift)
    return max(n, output.n_samples, output.n_samples * bias / (BIAS_SHARE * tol))
