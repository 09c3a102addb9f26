"""How a layer is to be measured."""

from dataclasses import dataclass, replace

import numpy as np

from ei_fast.measures.constants import MIN_POINTS, RELATIVE_TOL
from ei_fast.measures.counting.estimators import EntropyEstimator, estimator_named


@dataclass(frozen=True)
class MeasureOptions:
    """What to aim for and by which methods.

    Attributes
    ----------
    joint, pairwise, entropy : str
        As the parameters of `EffectiveInformation`.
    tol : float
        Bits: sqrt(stderr**2 + (bias + abs(shift))**2) to aim for.
    n_samples : int or None
        All simulated points of the joint EI, bounds apart, and those in every edge's histogram, in place of what `tol`
        asks for.
    effort : float
        Multiplies the ceilings of work.
    pairwise_edges : int or None
        How many edges of a dense layer are measured exactly, for an estimate of their sum; None for all.
    matrices : str or None
        Folder for files of the matrices.
    """

    joint: str = "auto"
    pairwise: str = "auto"
    entropy: str = "auto"
    tol: float = 0.01
    n_samples: int | None = None
    effort: float = 1.0
    pairwise_edges: int | None = None
    matrices: str | None = None

    @property
    def estimator(self) -> EntropyEstimator:
        """Of sampled entropies."""
        return estimator_named(self.entropy)

    def tol_of(self, bits: float) -> float:
        """The error to aim for where EI is about so many bits: `tol`, or a tenth of it relative to EI if it is more."""
        return self.tol * max(1.0, RELATIVE_TOL * bits)

    def shared_by(self, n_components: int) -> "MeasureOptions":
        """The options for each of so many components; all together keep to these, but for MIN_POINTS at least each."""
        n_components = max(n_components, 1)
        n_samples = None if self.n_samples is None else max(MIN_POINTS, self.n_samples // n_components)
        return replace(self, tol=self.tol / np.sqrt(n_components), n_samples=n_samples)
