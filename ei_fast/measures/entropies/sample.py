"""One simulation that gives both entropies, H(Y) and H(Y | X)."""

from dataclasses import dataclass

import numpy as np

from ei_fast.intervention.do import Intervention
from ei_fast.measures.constants import MAX_POINTS, MAX_WORK, MIN_EVENTS
from ei_fast.measures.counting.sampled import SampledEntropy
from ei_fast.measures.entropies.cells import CellEntropies
from ei_fast.measures.entropies.estimate import EntropyEstimate


@dataclass(frozen=True)
class Sample:
    """Both entropies from one simulation.

    Attributes
    ----------
    output : SampledEntropy
        H(Y).
    inside : CellEntropies
        H(Y | X) cell by cell.
    stderr : float
        Standard error of their difference.
    n_samples : int
    """

    output: SampledEntropy
    inside: CellEntropies
    stderr: float
    n_samples: int

    @property
    def bias(self) -> float:
        """Size of the bias that may be left in the difference, of unknown sign."""
        return self.output.bias + self.inside.bias

    @property
    def shift(self) -> float:
        """What the best estimate of the difference has more than that by the estimator asked for."""
        return self.output.shift - self.inside.shift

    @property
    def kept_nothing(self) -> bool:
        """Whether no point was kept, neither anywhere nor to draw a cell through."""
        return self.output.n_kept == 0 and not self.inside.n_cells

    @property
    def resolved(self) -> bool:
        """Whether both entropies can be relied on."""
        kept = self.output.n_kept
        # What few samples have in common may be chance alone.
        too_few = kept < min(MIN_EVENTS, self.output.n_samples)
        return not too_few and self.output.resolved and self.inside.resolved

    def is_good_enough(self, tol: float) -> bool:
        """Whether sqrt(stderr**2 + (bias + abs(shift))**2) is within `tol`."""
        return self.resolved and float(np.hypot(self.stderr, self.bias + abs(self.shift))) <= tol

    def entropies(self, most: float) -> tuple[EntropyEstimate, EntropyEstimate]:
        """H(Y) and H(Y | X), neither above `most` bits."""
        output, inside = self.output, self.inside
        # A control takes off as much as it has in excess, which may be more than there is room for.
        conditional = min(max(inside.mean(inside.entropies), 0.0), most)
        method = inside.estimator.name
        return (
            EntropyEstimate.estimated(
                min(output.value, most),
                output.stderr,
                output.bias,
                method=method,
                n_samples=output.n_samples,
                shift=output.shift,
            ),
            EntropyEstimate.estimated(
                conditional, inside.stderr, inside.bias, method=method, n_samples=inside.n_points, shift=inside.shift
            ),
        )


def points_ceiling(intervention: Intervention, effort: float = 1.0) -> int:
    """Points that a component is given at the most."""
    return int(min(MAX_POINTS * effort, max(intervention.least_points, MAX_WORK * effort // intervention.work)))
