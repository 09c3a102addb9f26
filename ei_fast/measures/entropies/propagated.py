"""The probability of sampled output states by expectation propagation: a control of what chains find.

It has no error of its own to state, and needs none: the mean of what chains find beyond it is added. Its spread from
state to state is what the number of annealed states depends on, and that is several times less than beyond the
Gaussian's score.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.rectangles import Rectangles
from ei_fast.kernels.propagation import propagated
from ei_fast.measures.constants import LN2, PROPAGATION_ROUNDS
from ei_fast.measures.entropies.scored import StatesStage
from ei_fast.measures.stages import Arrays
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True, eq=False)
class PropagatedStates(StatesStage):
    """log2 of the probability (r,) of samples number `first`, ... by expectation propagation; NaN where that fails."""

    rectangles: Rectangles
    count: int
    first: int = 0
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.rectangles.name}-propagated-{self.first}"

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        def probabilities(first: int, count: int) -> NDArray[np.float64]:
            states, out = self.rectangles.sampled(first, count), np.empty(count)
            propagated(self.rectangles.weight, states.low, states.high, PROPAGATION_ROUNDS, out)
            return out / LN2

        return self.by_tasks(probabilities, (begin, end), threads, nothing=np.empty(0), title="propagating")
