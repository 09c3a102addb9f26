"""How many states are scored and annealed, over how many levels: from a pilot's figures to sizes, without sampling."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.rectangles import Rectangles
from ei_fast.measures.constants import (
    ANNEALING_WORK,
    ANNEALING_WORK_OF_EDGE,
    BRACKET_EXPONENT,
    CHAIN_DRAWS,
    CHAINS,
    CONTROLS_A_SCORE,
    FEWEST_CHAINS,
    LN2,
    MAX_ANNEALED,
    MAX_LEVELS,
    MAX_SCORED,
    MIN_ANNEALED,
    MIN_ANNEALING_WORK,
    MIN_LEVELS,
    MIN_SCORED,
    MIRRORS,
    NOISE_OF_GAP,
    PILOT_FIRST,
    PROBES,
    PROPAGATION_ROUNDS,
    SCORE_DRAWS,
    WORK_OF_EDGE,
    WORK_OF_INTERVAL,
    WORK_OF_MIRROR,
    WORK_OF_NOISE,
    WORK_OF_REDRAW,
    WORK_OF_SITE,
)
from ei_fast.measures.entropies.scored import Scores


@dataclass(frozen=True)
class Costs:
    """Multiply-adds that one state takes.

    Attributes
    ----------
    n_in : int
    n_out : int
        Outputs of the layer.
    n_bounded : float
        Outputs, on average, with an edge that matters: those that a Gaussian and chains deal with.
    """

    n_in: int
    n_out: int
    n_bounded: float

    @classmethod
    def of(cls, rectangles: Rectangles) -> "Costs":
        """By the outputs that are bounded in the first states of a pilot."""
        return cls(rectangles.n_in, rectangles.n_out, rectangles.bounded_outputs(PILOT_FIRST, PROBES))

    @property
    def control(self) -> float:
        """A sample with its control."""
        return 6.0 * self.n_in * self.n_out + self.n_out**2 + WORK_OF_INTERVAL * self.n_bounded

    @property
    def score(self) -> float:
        """A sample with its score."""
        return self.control + self._factor + self._draws(SCORE_DRAWS)

    @property
    def _factor(self) -> float:
        """Ordering and factoring the covariance: what takes time is a constant, the ordering, and last the factor."""
        m = self.n_bounded
        return min(1.5 * m**3, 0.25 * m**3 + 125.0 * m**2) + 60.0 * m**2 + 20_000.0

    def _draws(self, count: int) -> float:
        return count * (0.5 * self.n_bounded**2 + WORK_OF_INTERVAL * self.n_bounded)

    @property
    def propagated(self) -> float:
        """A sample with its probability by expectation propagation."""
        m = self.n_bounded
        a_round = self.n_in * m**2 + 0.5 * m**3 + WORK_OF_SITE * (self.n_in + m)
        return self.control + WORK_OF_SITE * (self.n_in + m) + PROPAGATION_ROUNDS * a_round

    def annealed(self, n_levels: int, n_chains: int) -> float:
        """A sample with so many forward chains and a reverse one."""
        an_input = WORK_OF_REDRAW + MIRRORS * WORK_OF_MIRROR + (1 + MIRRORS) * WORK_OF_EDGE * self.n_bounded
        # More outputs than inputs depend on each other: each has a noise that is led from level to level.
        noise = WORK_OF_NOISE * self.n_bounded if self.n_bounded > self.n_in else 0.0
        a_level = self.n_in * an_input + noise
        chain = n_levels * a_level + self._draws(CHAIN_DRAWS) + 8.0 * self.n_in * self.n_bounded
        return self.control + self._factor + (1 + n_chains) * chain


def work_ceiling(n_in: int, n_out: int, effort: float) -> float:
    """Multiply-adds that a layer of so many inputs and outputs may take."""
    return effort * float(np.clip(ANNEALING_WORK_OF_EDGE * n_in * n_out, MIN_ANNEALING_WORK, ANNEALING_WORK))


@dataclass(frozen=True)
class EntropyPilot:
    """What a pilot knows of one entropy that is to be annealed.

    Attributes
    ----------
    costs : Costs
    bits : float
        The cross-entropy.
    residual, explained : float
        Standard deviations, bits, of a state's residual, and of what the control explains where its mean is unknown.
    correction : float
        Standard deviation, bits, of log2 p / q among states, p by expectation propagation and q the score.
    divergence : float
        Variance, bits**2, of log2 P / p among states, what chains add to it apart.
    gap, n_levels : float, int
        Nats between a reverse and a forward chain over so many levels; about inversely proportional to them.
    """

    costs: Costs
    bits: float
    residual: float
    explained: float
    correction: float = 0.0
    divergence: float = 0.0
    gap: float = 0.0
    n_levels: int = MIN_LEVELS

    @classmethod
    def of_scores(cls, costs: Costs, scores: Scores) -> "EntropyPilot":
        """What scored states alone tell."""
        residuals = scores.residuals
        return cls(costs, float(residuals.mean()), float(residuals.std(ddof=1)), scores.explained)

    def gap_over(self, n_levels: int) -> float:
        """Nats between a reverse and a forward chain over another number of levels."""
        return max(self.gap, 0.02) * self.n_levels / n_levels

    def bracket_over(self, n_levels: int, n_chains: int) -> float:
        """Bits between the expected bounds."""
        return float(n_chains**BRACKET_EXPONENT) * self.gap_over(n_levels) / LN2

    def variance_over(self, n_levels: int, n_chains: int) -> float:
        """Variance, bits**2, among states of the middle between the bounds."""
        return self.divergence + NOISE_OF_GAP * self.gap_over(n_levels) / n_chains / LN2**2

    def levels(self, most: int) -> list[int]:
        """Numbers of levels that may be chosen."""
        return [self.n_levels * 2**k for k in range(12) if k == 0 or self.n_levels * 2**k <= most]


@dataclass(frozen=True)
class AnnealingSizes:
    """How large the simulation of one entropy is: levels and forward chains of a state, and states of each kind."""

    n_levels: int
    n_chains: int
    n_controls: int
    n_scored: int
    n_propagated: int
    n_annealed: int

    def given(self, n_samples: int, is_both: bool) -> "AnnealingSizes":
        """The same with so many samples in all, which both entropies may share."""
        n_samples //= 1 + is_both
        n_scored = max(n_samples // 4, MIN_ANNEALED) if self.n_controls else n_samples
        controls = n_samples if self.n_controls else 0
        n_propagated, n_annealed = (min(n, n_scored) for n in (self.n_propagated, self.n_annealed))
        return replace(self, n_controls=controls, n_scored=n_scored, n_propagated=n_propagated, n_annealed=n_annealed)


@dataclass(frozen=True)
class Aim:
    """What sizes are to reach, and the work that there is.

    Attributes
    ----------
    tol : float
        Bits: the root of variance and a third of the squared half bracket to aim for.
    variance : float
        Bits**2, of what else the difference of both entropies depends on.
    ceiling : float
        Multiply-adds at the most.
    effort : float
        Multiplies the most states of each kind.
    gaussian_error : float or None
        Bits by which the cross-entropies alone may be off; None where they are not to be taken.
    """

    tol: float
    variance: float
    ceiling: float
    effort: float
    gaussian_error: float | None = None


def best_annealing_sizes(pilots: Sequence[EntropyPilot], aim: Aim) -> tuple[list[AnnealingSizes], bool]:
    """Sizes for which the error is within `tol` at least work; where work runs short, those with the least error.

    Parameters
    ----------
    pilots : sequence of EntropyPilot
        Of one entropy, or of both.
    aim : Aim

    Returns
    -------
    list of AnnealingSizes
        None at all where the least of everything takes more work than there is.
    bool
        Whether the cross-entropies alone have the smaller error; annealed states then only give bounds.

    Notes
    -----
    For given levels the variance is a sum of spread**2 / n over kinds of samples, each with a cost. By Lagrange's
    multiplier each n is in proportion to spread / sqrt(cost). The levels are found by trying them all.
    """
    chosen = _best_with(CHAINS, pilots, aim)
    return chosen if chosen[0] else _best_with(FEWEST_CHAINS, pilots, aim)


def _best_with(n_chains: int, pilots: Sequence[EntropyPilot], aim: Aim) -> tuple[list[AnnealingSizes], bool]:
    """What `best_annealing_sizes` returns, with so many forward chains."""
    best: tuple[float, float] = (np.inf, np.inf)
    chosen: tuple[list[AnnealingSizes], bool] = ([], False)
    for levels in product(*(pilot.levels(int(MAX_LEVELS * max(aim.effort, 1.0))) for pilot in pilots)):
        bracket = sum(pilot.bracket_over(n, n_chains) for pilot, n in zip(pilots, levels, strict=True))
        for is_gaussian in (False, True) if aim.gaussian_error is not None else (False,):
            bias = (aim.gaussian_error or 0.0) if is_gaussian else 0.5 * bracket
            for wanted in (aim.tol**2 - bias**2 / 3 - aim.variance, 0.0):
                sizes, work, variance = _sizes(pilots, n_chains, levels, is_gaussian, wanted, aim)
                error = float(np.sqrt(variance + aim.variance + bias**2 / 3))
                # Among equally good ones those with the least work; where only bounds depend on it, the narrowest.
                rank = (max(error, aim.tol), bracket if is_gaussian else work)
                if work <= 1.05 * aim.ceiling and rank < best:
                    best, chosen = rank, (sizes, is_gaussian)
    return chosen


def best_scoring_sizes(
    pilots: Sequence[EntropyPilot], tol: float, ceiling: float, effort: float, fewest: int
) -> list[tuple[int, int]]:
    """Numbers of controls and of scored states for each of some cross-entropies, within `tol` or the ceiling.

    So many states are scored at the least.
    """
    spreads = np.array([(pilot.explained, pilot.residual) for pilot in pilots])
    costs = np.array([(pilot.costs.control, pilot.costs.score) for pilot in pilots])
    numbers = _numbers(spreads, costs, tol**2, ceiling)
    return [
        _clipped(pilot, controls, scored, fewest, effort)
        for pilot, (controls, scored) in zip(pilots, numbers.tolist(), strict=True)
    ]


def _numbers(
    spreads: NDArray[np.float64], costs: NDArray[np.float64], wanted: float, ceiling: float
) -> NDArray[np.float64]:
    """Numbers n that reach a wanted variance, the sum of spread**2 / n, with the least work; or take all there is."""
    weighted = float(np.sum(spreads * np.sqrt(costs)))
    # With n = scale * spread / sqrt(cost) the variance is weighted / scale and the work scale * weighted.
    scale = weighted / wanted if wanted > 0 else np.inf
    scale = min(scale, ceiling / max(weighted, 1e-300))
    return np.asarray(scale * spreads / np.sqrt(costs))


def _clipped(pilot: EntropyPilot, n_controls: float, n_scored: float, fewest: int, effort: float) -> tuple[int, int]:
    scored = _between(n_scored, fewest, MAX_SCORED * effort)
    controls = _between(n_controls, scored, CONTROLS_A_SCORE * scored) if pilot.explained else 0
    return controls, scored


def _between(number: float, low: float, high: float) -> int:
    """The number as a whole one within its ends, of which `high` goes first."""
    return int(min(max(number, low), high))


def _sizes(
    pilots: Sequence[EntropyPilot],
    n_chains: int,
    levels: Sequence[int],
    is_gaussian: bool,
    wanted: float,
    aim: Aim,
) -> tuple[list[AnnealingSizes], float, float]:
    """Sizes over given levels that reach a wanted variance, or take all the work there is; their work; the variance."""
    spreads, costs = np.zeros((len(pilots), 4)), np.zeros((len(pilots), 4))
    for k, (pilot, n_levels) in enumerate(zip(pilots, levels, strict=True)):
        of_annealed = float(np.sqrt(pilot.variance_over(n_levels, n_chains)))
        spreads[k] = pilot.explained, pilot.residual, pilot.correction, of_annealed
        of = pilot.costs
        costs[k] = of.control, of.score, of.propagated, of.annealed(n_levels, n_chains)
    if is_gaussian:
        spreads[:, 2:] = 0.0
    sizes = []
    for pilot, n_levels, numbers in zip(
        pilots, levels, _numbers_of_kinds(spreads, costs, wanted, aim.ceiling).tolist(), strict=True
    ):
        n_annealed = _between(numbers[3], MIN_ANNEALED, MAX_ANNEALED * aim.effort)
        controls, scored = _clipped(pilot, numbers[0], numbers[1], max(n_annealed, MIN_SCORED), aim.effort)
        propagated = _between(numbers[2], n_annealed, scored)
        sizes.append(AnnealingSizes(n_levels, n_chains, controls, scored, propagated, n_annealed))
    flat = np.array([(size.n_controls, size.n_scored, size.n_propagated, size.n_annealed) for size in sizes], float)
    variance = float(np.sum(spreads**2 / np.maximum(flat, 1)))
    return sizes, float(np.sum(flat * costs)), variance


def _numbers_of_kinds(
    spreads: NDArray[np.float64], costs: NDArray[np.float64], wanted: float, ceiling: float
) -> NDArray[np.float64]:
    """Numbers (entropies, 4) as of `_numbers`; where fewer than MIN_ANNEALED were annealed, the others' for so many."""
    numbers = _numbers(spreads, costs, wanted, ceiling)
    fewest = numbers[:, 3] < MIN_ANNEALED
    if fewest.any():
        wanted -= float(np.sum(spreads[fewest, 3] ** 2)) / MIN_ANNEALED
        ceiling -= MIN_ANNEALED * float(np.sum(costs[fewest, 3]))
        others = spreads.copy()
        others[fewest, 3] = 0.0
        numbers = _numbers(others, costs, wanted, max(ceiling, 0.0))
    return numbers
