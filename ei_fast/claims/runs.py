"""What the tests read of a trajectory: measures at whole records, time from 0 to 1, and where overfitting begins."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.quantities import BY_NAME
from ei_fast.results.flags import Flag
from ei_fast.training.losses import smoothed, smoothing_reach, training_loss, turning_point, validation_loss
from ei_fast.training.trajectory import Trajectory

Values = NDArray[np.float64]

LEAST_RECORDS = 12
"""Of fewer records no figure is taken."""

_LEAST_BESIDE = 3
"""Records that there must be on either side of the least validation loss."""

_LEAST_RISE = 0.02
"""Share by which a validation loss must rise after its minimum to be called overfitting."""

_BRACKETS = 0.1
"""Share of records with a bracket of EI in place of a figure beyond which a run is not judged."""


@dataclass(frozen=True)
class Run:
    """A training, as the tests read it.

    Attributes
    ----------
    trajectory : Trajectory
    kept : ndarray of int
        Indices of the records at which every measure of every layer is finite.
    """

    trajectory: Trajectory
    kept: NDArray[np.int64]

    @classmethod
    def of(cls, trajectory: Trajectory) -> "Run":
        """The run of a trajectory."""
        trajectory.check_one_run()
        whole = np.isfinite(trajectory.sensitivity + trajectory.ei + trajectory.ei_parts).all(axis=1)
        return cls(trajectory, np.flatnonzero(whole))

    def measure(self, name: str) -> Values:
        """A measure in bits, (n_records, n_layers)."""
        return np.asarray(getattr(self.trajectory, BY_NAME[name].name))[self.kept]

    @cached_property
    def time(self) -> Values:
        """Time of every record as a share of the training, (n_records,)."""
        steps = self.trajectory.steps[self.kept].astype(np.float64)
        return (steps - steps[0]) / max(steps[-1] - steps[0], 1.0)

    @cached_property
    def points(self) -> Values:
        """Places in the causal plane, (n_records, n_layers, 2), bits."""
        sensitivity, degeneracy = self.measure("sensitivity"), self.measure("degeneracy")
        return np.stack([sensitivity - degeneracy, sensitivity + degeneracy], axis=2) / np.sqrt(2.0)

    @property
    def n_records(self) -> int:
        """Number of whole records."""
        return len(self.kept)

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.trajectory.layers)

    @cached_property
    def n_edges(self) -> Values | None:
        """Number of edges of every layer, (n_layers,); None where the trajectory does not say it."""
        widths = self.trajectory.widths
        return None if widths is None else np.array([n_in * n_out for n_in, n_out in widths], dtype=np.float64)

    @cached_property
    def state_bits(self) -> Values | None:
        """Bits that the states of a layer can hold, (n_layers,): EI is no greater; None where that is not known."""
        widths = self.trajectory.widths
        bins = self.trajectory.provenance.get("parameters", {}).get("bins")
        if widths is None or bins is None:
            return None
        in_bins, out_bins = (bins, bins) if isinstance(bins, int) else bins
        return np.array([min(n_in * np.log2(in_bins), n_out * np.log2(out_bins)) for n_in, n_out in widths])

    @cached_property
    def training_loss(self) -> Values | None:
        """Loss of the training rows, (n_records,); None where it is not known at every record."""
        return self._known_at_all(training_loss(self.trajectory))

    @cached_property
    def validation_loss(self) -> Values | None:
        """Loss of the validation rows, (n_records,); None where it is not known at every record."""
        return self._known_at_all(validation_loss(self.trajectory))

    def _known_at_all(self, values: Values | None) -> Values | None:
        return None if values is None or not np.isfinite(values[self.kept]).all() else values[self.kept]

    @cached_property
    def rise(self) -> float:
        """Rise of the validation loss from its least value to its end, both smoothed, as a share; NaN without one."""
        if self.validation_loss is None or not self.n_records:
            return float("nan")
        least = smoothed(self.validation_loss).min()
        end = self.validation_loss[-(2 * smoothing_reach(self.n_records) + 1) :].mean()
        return float(end / least - 1.0) if least > 0.0 else float("nan")

    @cached_property
    def turn(self) -> int | None:
        """Index of the least smoothed validation loss, where overfitting begins; None where it does not.

        The loss must turn by more than its noise (`turning_point`), and rise by 2 % at least.
        """
        turn = None if self.validation_loss is None else turning_point(self.validation_loss)
        if turn is None or not self.rise >= _LEAST_RISE or not _LEAST_BESIDE <= turn < self.n_records - _LEAST_BESIDE:
            return None
        return turn

    @cached_property
    def defect(self) -> str:
        """Why nothing can be told of this run; "" where it can."""
        if self.n_records < LEAST_RECORDS:
            return f"has {self.n_records} records at which all measures are known, and {LEAST_RECORDS} are needed"
        if self.trajectory.provenance.get("parameters", {}).get("joint") == "plugin":
            return ""
        flags = [[Flag.UNDERSAMPLED in of_layer for of_layer in self.trajectory.flags[t]] for t in self.kept]
        if np.mean(np.any(flags, axis=1)) > _BRACKETS:
            return "knows EI of a layer by bounds alone"
        return ""
