"""I(X_i; Y) of every input from one pool of points over the whole input range, grouped by one input after the other."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention, Keys
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import (
    INFLUENCE_POINTS,
    MIN_COVERAGE,
    SECOND_ORDER_VARIANCE,
    TASK_POINTS,
)
from ei_fast.measures.entropies.sample import points_ceiling
from ei_fast.measures.entropies.tasks import points_a_task
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.component import InputFigures
from ei_fast.measures.profile.constants import (
    FEWEST_INFLUENCES,
    FEWEST_POOLED,
    HOPELESS_POOL,
    MAX_INFLUENCES,
    MAX_POOLED,
    MAX_POOLED_PAIRS,
    MIN_COVERAGE_OF_PAIRS,
    MOST_TIMES_LARGER,
    POOL_BIAS_LEFT,
)
from ei_fast.measures.profile.figure import Figure, total
from ei_fast.measures.profile.pairs import Information, PooledStates
from ei_fast.measures.stages import Arrays, Method, SimulationStage
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True)
class PooledKeys(SimulationStage):
    """Output keys (n,) of the points of the pool."""

    intervention: Intervention
    n_points: int

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-pool-{self.n_points}"

    @property
    def n_items(self) -> int:
        return self.n_points

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        keys: Keys = np.empty(end - begin, np.uint64)
        per_task = points_a_task(self.intervention, end - begin, TASK_POINTS)
        threads.map(
            lambda first: self.intervention.fill_anywhere(
                Stream.POOL, first, keys[first - begin : first - begin + per_task]
            ),
            range(begin, end, per_task),
        )
        return (keys,)


@dataclass(frozen=True, eq=False)
class GroupedPool(SimulationStage):
    """Of each input the figures of an `Information`, (n_in, 5), and the influence of some points on it, (n_in, L)."""

    intervention: Intervention
    states: PooledStates

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-grouped-pool-{len(self.states)}"

    @property
    def n_items(self) -> int:
        return self.intervention.n_in

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        do, states = self.intervention, self.states
        # What all inputs read is made before threads ask for it.
        _ = states.influence_of_outputs
        count = min(len(states), INFLUENCE_POINTS, max(FEWEST_INFLUENCES, MAX_INFLUENCES // do.n_in))

        def of_input(i: int) -> tuple[Information, NDArray[np.float64]]:
            codes = do.input_codes_anywhere(i, Stream.POOL, 0, len(states))
            return states.information(codes, do.in_bins, count)

        found = threads.map(of_input, range(begin, end))
        return np.array([information for information, _ in found]), np.array([influence for _, influence in found])


@dataclass(frozen=True, eq=False)
class Pooled:
    """I(X_i; Y) of every input from one pool.

    Attributes
    ----------
    states : PooledStates
    inputs : list of Information
    influence : ndarray (n_in, L)
        Of some points on each.
    """

    states: PooledStates
    inputs: list[Information]
    influence: NDArray[np.float64] = field(repr=False)

    @property
    def resolved(self) -> bool:
        """Whether the points know the states of the outputs, and most of the pairs."""
        output = self.states.output
        if output.coverage < MIN_COVERAGE or output.unseen.without_end:
            return False
        return all(one.coverage >= MIN_COVERAGE_OF_PAIRS and not one.without_end for one in self.inputs)

    @property
    def is_hopeless(self) -> bool:
        """Whether so few points share a state that no number of them will be enough."""
        return self.states.output.coverage < HOPELESS_POOL

    @property
    def figures(self) -> InputFigures:
        """What is known of each input, and of the sum."""
        each = [
            Figure.estimated(one.value, self._stderr(self.influence[i], one.freedom), POOL_BIAS_LEFT * one.model_error)
            for i, one in enumerate(self.inputs)
        ]
        stderr = self._stderr(self.influence.sum(axis=0), sum(one.freedom for one in self.inputs))
        return InputFigures(each, total(each, stderr))

    def _stderr(self, influence: NDArray[np.float64], freedom: float) -> float:
        """Standard error of the sum over some inputs, from the influence of points on it.

        Where inputs tell nothing the first order vanishes; what is left is a chi-square, of which the influences have
        twice the variance.
        """
        n = len(self.states)
        second_order = SECOND_ORDER_VARIANCE * freedom / n**2
        return float(np.sqrt(max(influence.var() / n - second_order, second_order)))


def pooled(do: Intervention, options: MeasureOptions, ei: float) -> Method[Pooled]:
    """Pools of rising size until the sum over inputs is known well enough, or the work is at its ceiling.

    Parameters
    ----------
    do : Intervention
    options : MeasureOptions
    ei : float
        Bits of EI: the sum is to be known to `tol` bits, or to `tol` times EI if that is more.
    """
    ceiling = min(points_ceiling(do, options.effort), int(MAX_POOLED_PAIRS * options.effort / do.n_in), MAX_POOLED)
    aim = options.tol * max(1.0, ei)
    n = options.n_samples or min(FEWEST_POOLED, ceiling)
    while True:
        pool = yield from _pool_of(do, n)
        if options.n_samples is not None or 2 * n > ceiling or pool.is_hopeless:
            return pool
        found = pool.figures.sum
        if pool.resolved and found.error <= aim:
            return pool
        most, n = min(ceiling, MOST_TIMES_LARGER * n), 2 * n
        # The variance falls as one over the points, the bias and what is not covered about so.
        uncovered = max(1 - one.coverage for one in pool.inputs) / (1 - MIN_COVERAGE_OF_PAIRS)
        wanted = max((found.stderr / aim) ** 2, found.bias / aim, uncovered)
        while 2 * n <= most and wanted > 2.0:
            n, wanted = 2 * n, wanted / 2


def _pool_of(do: Intervention, n: int) -> Method[Pooled]:
    (keys,) = yield PooledKeys(do, n)
    states = PooledStates.of(keys)
    figures, influence = yield GroupedPool(do, states)
    inputs = [
        Information(value, error, coverage, bool(end), int(freedom)) for value, error, coverage, end, freedom in figures
    ]
    return Pooled(states, inputs, influence)
