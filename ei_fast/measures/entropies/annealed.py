"""An entropy from chains between a Gaussian and the uniform inputs: an estimate between two expected bounds.

A Gaussian cross-entropy (`scored`) is too high by the mean of log2 P / q. Expectation propagation (`propagated`) finds
most of that for many of the states, and chains find what is missing for some: from the Gaussian forward to the box,
whose weights have P as their mean, and from the simulated inputs, which are an exact sample of what forward chains
should reach, back again, of whose weights one over has the mean 1 / P (`ei_fast.kernels.chains`). So of each state

    L = log2 of the mean of K forward weights,   U = the same with one of them replaced by the reverse weight

have E[L] <= log2 P <= E[U] (Brekelmans et al. 2022, multi-sample annealed importance sampling), whatever the chains
miss. The estimate is the middle, half of the distance between the bounds its possible bias. How well the Gaussian and
the propagation know P does not matter for what is right, only for how many states it takes: both cancel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.rectangles import Rectangles
from ei_fast.kernels.annealing import anneal
from ei_fast.measures.constants import (
    CHAIN_DRAWS,
    CHAINS,
    LN2,
    MAX_NATS_BELOW,
    MIRRORS,
    NOISE,
    STUDENT_T,
    TASKS_A_THREAD,
)
from ei_fast.measures.entropies.estimate import EntropyEstimate, ExpectedBounds
from ei_fast.measures.entropies.path import tables_of
from ei_fast.measures.entropies.scored import Scores, StatesStage
from ei_fast.measures.stages import Arrays
from ei_fast.runtime.threads import Threads

NAME = "annealed"


def noise_of(rectangles: Rectangles) -> float:
    """Standard deviation of the noise at the Gaussian level, in those of the outputs: 0 where they are independent."""
    return NOISE if rectangles.is_singular else 0.0


@dataclass(frozen=True, eq=False)
class AnnealedStates(StatesStage):
    """ln of the weights (r, K + 1) of K forward chains and of a reverse one for samples number `first`, ..."""

    rectangles: Rectangles
    noise: float
    n_levels: int
    count: int
    first: int = 0
    n_chains: int = CHAINS
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.rectangles.name}-annealed-{self.first}-{self.n_levels}"

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        problem, (tables, guides) = self.rectangles, tables_of(self.n_levels)
        noises = self.noise * (1 - np.arange(self.n_levels + 1) / self.n_levels) ** 2

        def annealed(task: tuple[int, int, int, int]) -> NDArray[np.float64]:
            k, first, n_forward, n_reverse = task
            states, keys = problem.sampled(self.first + k, 1), problem.keys(self.first + k, 1)
            forward, reverse = np.empty((1, n_forward)), np.empty((1, n_reverse))
            anneal(
                problem.covariance,
                problem.weight,
                problem.inverse,
                states.low,
                states.high,
                states.x,
                tables,
                guides,
                noises,
                MIRRORS,
                CHAIN_DRAWS,
                keys,
                first,
                forward,
                reverse,
            )
            return np.concatenate([forward, reverse], axis=1)

        tasks = [(k, *chains) for k in range(begin, end) for chains in self._tasks_a_state(end - begin, threads.n_jobs)]
        found = threads.map(annealed, tasks, title=f"annealing over {self.n_levels} levels")
        return (np.concatenate([np.empty((1, 0)), *found], axis=1).reshape(-1, self.n_chains + 1),)

    def _tasks_a_state(self, n_states: int, n_threads: int) -> list[tuple[int, int, int]]:
        """First forward chain, and numbers of forward and of reverse chains, of each task of a state.

        All chains of a state are led together, unless threads would then have less than a few tasks each.
        """
        n_chains, wanted = self.n_chains, -(-TASKS_A_THREAD * n_threads // max(n_states, 1))
        if n_threads == 1 or wanted == 1:
            return [(0, n_chains, 1)]
        per_task = max(1, n_chains // max(wanted - 1, 1))
        return [(k, min(per_task, n_chains - k), 0) for k in range(0, n_chains, per_task)] + [(0, 0, 1)]


@dataclass(frozen=True, eq=False)
class LogProbabilities:
    """Bounds on log2 P of states, each in expectation, from the weights of their chains.

    Attributes
    ----------
    low, high : ndarray (r,)
        Bits.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, log_weights: NDArray[np.float64], log2_q: NDArray[np.float64]) -> "LogProbabilities":
        """From ln of the weights of forward chains and, in the last column, of a reverse one; and the states' scores.

        A chain may end with a weight of 0, of which there is no log. So forward weights count as q exp(-MAX_NATS_BELOW)
        at least: that adds less than 1e-6 to the log wherever p is above 1e-7 of q.
        """
        least = LN2 * log2_q[:, None] - MAX_NATS_BELOW
        forward, reverse = np.maximum(log_weights[:, :-1], least), log_weights[:, -1:]
        n = forward.shape[1]
        high = np.zeros(len(forward))
        for k in range(n):
            replaced = forward.copy()
            replaced[:, k : k + 1] = reverse
            high += _log_mean(replaced) / n
        return cls(_log_mean(forward) / LN2, high / LN2)

    @property
    def middle(self) -> NDArray[np.float64]:
        """Halfway between the bounds."""
        return 0.5 * (self.low + self.high)


def _log_mean(log_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = log_weights.max(axis=1)
    log_mean: NDArray[np.float64] = largest + np.log(np.mean(np.exp(log_weights - largest[:, None]), axis=1))
    return log_mean


def annealed_entropy(
    scores: Scores, propagated: NDArray[np.float64], states: LogProbabilities, n_samples: int
) -> EntropyEstimate:
    """The entropy of scored states, of which the first were propagated, and of these the first annealed.

    Parameters
    ----------
    scores : Scores
    propagated : ndarray (M,)
        log2 of the probability of the first M scored states by expectation propagation; NaN where that failed.
    states : LogProbabilities
        Of the first of these.
    n_samples : int
        Points simulated for all.
    """
    log2_q = scores.table[: len(propagated), 0]
    propagated = np.where(np.isfinite(propagated), propagated, log2_q)
    value, stderr = _corrected(scores, propagated - log2_q, states.middle - propagated[: len(states.middle)])
    low, low_stderr = _corrected(scores, propagated - log2_q, states.high - propagated[: len(states.high)])
    high, high_stderr = _corrected(scores, propagated - log2_q, states.low - propagated[: len(states.low)])
    return EntropyEstimate.estimated(
        value,
        stderr,
        0.5 * (high - low),
        method=NAME,
        n_samples=n_samples,
        expected=ExpectedBounds(low, low_stderr, high, high_stderr),
    )


def _corrected(
    scores: Scores, corrections: NDArray[np.float64], divergences: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean of -log2 P, and its standard error.

    Notes
    -----
    -log2 P is the residual of the cross-entropy, less the correction log2 p - log2 q to a probability p that is found
    without chains, less the divergence log2 P - log2 p that they find: the mean of each of the three is over as many
    states as there are, r, M and n. States are among all those of the kinds before. So the covariance of two means is
    that of a state, over the larger number of both.
    """
    residuals, n = scores.residuals, len(divergences)

    def together(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(np.mean((a - a.mean()) * (b - b.mean())))

    of_state = float(residuals.var(ddof=1))
    of_state -= 2 * together(residuals[: len(corrections)], corrections) + 2 * together(residuals[:n], divergences)
    of_corrected = float(corrections.var(ddof=1)) + 2 * together(corrections[:n], divergences)
    variance = (
        of_state / len(residuals)
        + of_corrected / len(corrections)
        + float(divergences.var(ddof=1)) / n
        + scores.variance_of_control
    )
    stderr = float(np.sqrt(max(variance, 0.0))) * (1 + STUDENT_T / (n - 1))
    return float(residuals.mean() - corrections.mean() - divergences.mean()), stderr
