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
from ei_fast.measures.constants import LN2, MIN_TASKS, PROPAGATION_ROUNDS, STATES_A_TASK
from ei_fast.measures.stages import Arrays, Stage
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True, eq=False)
class PropagatedStates(Stage):
    """log2 of the probability (r,) of samples number `first`, ... by expectation propagation; NaN where that fails."""

    rectangles: Rectangles
    count: int
    first: int = 0
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.rectangles.name}-propagated-{self.first}"

    @property
    def n_items(self) -> int:
        return self.count

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        def probabilities(task: tuple[int, int]) -> NDArray[np.float64]:
            states = self.rectangles.sampled(self.first + task[0], task[1] - task[0])
            out = np.empty(len(states.x))
            propagated(self.rectangles.weight, states.low, states.high, PROPAGATION_ROUNDS, out)
            return out / LN2

        per_task = int(np.clip((end - begin) // MIN_TASKS, 1, STATES_A_TASK))
        tasks = [(k, min(k + per_task, end)) for k in range(begin, end, per_task)]
        return (np.concatenate([np.empty(0), *threads.map(probabilities, tasks, title="propagating")]),)
