"""An entropy as a cross-entropy: sampled output states, each scored by its probability under a Gaussian.

The mean of -log2 q, q the probability that Gaussian pre-activations of the same mean and covariance fall into the
state's rectangle, is the entropy plus the divergence of the true distribution from the Gaussian's: an upper bound. A
control variate, the sum of the single outputs' -log2 P, takes off most of its variance; inside cells, where its mean is
not known, that is estimated from many more samples, which cost little without the score (double sampling).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.rectangles import Rectangles
from ei_fast.kernels.rectangles import log_rectangles
from ei_fast.measures.constants import (
    INPUTS_AN_OUTPUT,
    LN2,
    MIN_TASKS,
    SCORE_DRAWS,
    STATES_A_TASK,
    STUDENT_T,
    TASKS_A_THREAD,
)
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.stages import Arrays, Stage
from ei_fast.runtime.threads import Threads


class StatesStage(Stage):
    """A stage of sampled states, the items, each of which is known by its number in the streams alone.

    Attributes
    ----------
    rectangles : Rectangles
        Where they are sampled.
    count, first : int
        How many there are, and the number of the first.
    """

    rectangles: Rectangles
    count: int
    first: int

    @property
    def n_items(self) -> int:
        return self.count

    def by_tasks(
        self,
        of_samples: Callable[[int, int], NDArray[np.float64]],
        items: tuple[int, int],
        threads: Threads,
        *,
        nothing: NDArray[np.float64],
        title: str = "",
    ) -> Arrays:
        """What a function makes of so many samples from number `first` on, in tasks; `nothing` is that of none."""
        begin, end = items
        n_tasks = max(MIN_TASKS, TASKS_A_THREAD * threads.n_jobs)
        per_task = min(max((end - begin) // n_tasks, 1), STATES_A_TASK)
        tasks = [(self.first + k, min(per_task, end - k)) for k in range(begin, end, per_task)]
        return (np.concatenate([nothing, *threads.map(lambda task: of_samples(*task), tasks, title=title)]),)


@dataclass(frozen=True, eq=False)
class ControlValues(StatesStage):
    """Control variate (r,), in bits, of samples number `first`, ..."""

    rectangles: Rectangles
    count: int
    first: int = 0
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.rectangles.name}-controls-{self.first}"

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        def controls(first: int, count: int) -> NDArray[np.float64]:
            return self.rectangles.sampled(first, count).control

        return self.by_tasks(controls, (begin, end), threads, nothing=np.empty(0))


@dataclass(frozen=True, eq=False)
class ScoredStates(StatesStage):
    """Of samples number `first`, ...: log2 q, what its log is too low by in bits, and the control in bits; (r, 3)."""

    rectangles: Rectangles
    noise: float
    count: int
    first: int = 0
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.rectangles.name}-scores-{self.first}"

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        def scored(first: int, count: int) -> NDArray[np.float64]:
            states, keys = self.rectangles.sampled(first, count), self.rectangles.keys(first, count)
            out = np.empty((count, 3))
            scores = np.empty((count, 2))
            log_rectangles(self.rectangles.covariance, self.noise, states.low, states.high, SCORE_DRAWS, keys, scores)
            out[:, 0], out[:, 1], out[:, 2] = scores[:, 0] / LN2, 0.5 * scores[:, 1] / LN2, states.control
            return out

        return self.by_tasks(scored, (begin, end), threads, nothing=np.empty((0, 3)), title="scoring states")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scored states of one entropy.

    Attributes
    ----------
    table : ndarray (r, 3)
        As of `ScoredStates`.
    controls : ndarray (R,)
        The control of more samples, of which the scored ones are the first; empty where its mean is known.
    control_mean : float or None
        That mean, bits.
    """

    table: NDArray[np.float64]
    controls: NDArray[np.float64]
    control_mean: float | None

    @property
    def surprise(self) -> NDArray[np.float64]:
        """-log2 q of every state, bits."""
        return -self.table[:, 0]

    @cached_property
    def slope(self) -> float:
        """How much of the control is taken off: the regression of the surprise on it."""
        control = self.table[:, 2] - self.table[:, 2].mean()
        return float(np.sum(control * self.surprise)) / max(float(np.sum(control**2)), 1e-300)

    @cached_property
    def residuals(self) -> NDArray[np.float64]:
        """The surprise of every state less what its control has in excess, bits."""
        mean = self._known_controls.mean() if self.control_mean is None else self.control_mean
        return self.surprise - self.slope * (self.table[:, 2] - mean)

    @property
    def explained(self) -> float:
        """Standard deviation, bits, of what the control explains, where its mean is not known."""
        if self.control_mean is not None:
            return 0.0
        return abs(self.slope) * float(self._known_controls.std())

    @property
    def _known_controls(self) -> NDArray[np.float64]:
        """Of as many samples as there are: a pilot has only those that are scored."""
        return self.controls if len(self.controls) else self.table[:, 2]

    @property
    def variance_of_control(self) -> float:
        """Variance, bits**2, of the mean of `residuals` for want of the control's mean."""
        return self.explained**2 / len(self._known_controls)

    def cross_entropy(self) -> EntropyEstimate:
        """The cross-entropy as an estimate of the entropy: without the log's bias, with the Gaussian's."""
        n = len(self.table)
        variance = float(self.residuals.var(ddof=1)) / n + self.variance_of_control
        return EntropyEstimate.estimated(
            float(self.residuals.mean() - self.table[:, 1].mean()),
            float(np.sqrt(variance)) * (1 + STUDENT_T / (n - 1)),
            0.0,
            method="gaussian",
            n_samples=max(n, len(self.controls)),
        )


def surrogate_error(rectangles: Rectangles) -> float | None:
    """Divergence, bits, of the pre-activations from a Gaussian, to leading order; None where that does not suffice.

    Notes
    -----
    (kappa**2 / 48) sum of G_ik**4 nats, kappa = -1.2 the excess kurtosis of a uniform and G = W (W^T W)^-1 W^T the
    projection onto what the outputs see of the inputs: the leading term of the divergence's Edgeworth expansion.
    Binning only lowers it. With fewer than three inputs an output further terms are as large, and singular layers have
    no density.
    """
    weight = rectangles.weight
    n_in, m = weight.shape
    if n_in < INPUTS_AN_OUTPUT * m or rectangles.is_singular:
        return None
    # Of orthonormal axes, of which QR would take longer the busier the machine is.
    axes = np.linalg.solve(np.linalg.cholesky(weight.T @ weight), weight.T).T
    total = 0.0
    for k in range(0, n_in, 256):
        # The fourth power by squares: as a power it takes ten times as long as the product.
        squares = (axes[k : k + 256] @ axes.T) ** 2
        total += float((squares**2).sum())
    # Rounded: the last digits depend on how many threads BLAS has.
    return float(f"{1.44 / 48 * total / LN2:.3g}")
