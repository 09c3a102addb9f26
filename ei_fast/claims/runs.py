"""What the tests read of a trajectory: measures at whole records, time from 0 to 1, and where overfitting begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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


@dataclass(frozen=True, eq=False)
class Run:
    """A training, as the tests read it.

    Attributes
    ----------
    trajectory : Trajectory
    kept : ndarray of int
        Indices of the records at which sensitivity, EI and degeneracy of every layer are finite.
    """

    trajectory: Trajectory
    kept: NDArray[np.int64]

    @classmethod
    def of(cls, trajectory: Trajectory) -> "Run":
        """The run of a trajectory."""
        trajectory.check_one_run()
        measures = trajectory.sensitivity + trajectory.ei + trajectory.degeneracy
        return cls(trajectory, np.flatnonzero(np.isfinite(measures).all(axis=1)))

    def measure(self, name: str) -> Values:
        """A measure in bits, (n_records, n_layers)."""
        return np.asarray(getattr(self.trajectory, BY_NAME[name].name))[self.kept]

    @cached_property
    def time(self) -> Values:
        """Time of every record as a share of the training, (n_records,)."""
        steps = self.trajectory.steps[self.kept]
        # Less the first as integers: as floats steps beyond 2**53 would be one.
        since = (steps - steps[0]).astype(np.float64)
        shares: Values = since / max(since[-1], 1.0)
        return shares

    @cached_property
    def points(self) -> Values:
        """Places in the causal plane, (n_records, n_layers, 2), bits."""
        sensitivity, degeneracy = self.measure("sensitivity"), self.measure("degeneracy")
        points: Values = np.stack([sensitivity - degeneracy, sensitivity + degeneracy], axis=2) / np.sqrt(2.0)
        return points

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
        bins = self._parameters.get("bins")
        if widths is None or bins is None:
            return None
        in_bins, out_bins = (bins, bins) if isinstance(bins, int) else bins
        return np.array([min(n_in * np.log2(in_bins), n_out * np.log2(out_bins)) for n_in, n_out in widths])

    @cached_property
    def training_loss(self) -> Values | None:
        """Loss of the training rows, (n_records,), NaN where it is not known; None where at too few records."""
        return self._at_enough(training_loss(self.trajectory))

    @cached_property
    def validation_loss(self) -> Values | None:
        """Loss of the validation rows, (n_records,), NaN where it is not known; None where at too few records."""
        return self._at_enough(validation_loss(self.trajectory))

    @cached_property
    def rise(self) -> float:
        """Rise of the validation loss from its least value to its end, both smoothed, as a share; NaN without one."""
        if self.validation_loss is None:
            return float("nan")
        known = self.validation_loss[np.isfinite(self.validation_loss)]
        least = smoothed(known).min()
        end = known[-(2 * smoothing_reach(len(known)) + 1) :].mean()
        return float((end - least) / abs(least)) if least != 0.0 else float("nan")

    @cached_property
    def turn(self) -> int | None:
        """Index of the least smoothed validation loss, where overfitting begins; None where it does not.

        The loss must turn by more than its noise (`turning_point`), and rise by 2 % at least.
        """
        return None if self.lacks_turn else self._least

    @cached_property
    def lacks_turn(self) -> str:
        """Why it is not known where overfitting begins; "" where it is."""
        if self.validation_loss is None:
            return f"no validation loss at {LEAST_RECORDS} records or more"
        if self._least is None or not self.rise >= _LEAST_RISE:
            return "no minimum of the validation loss from which it rises by more than its noise, and 2 %"
        if not self._has_both_sides(self._least):
            return f"the least validation loss is within {_LEAST_BESIDE} records of an end"
        return ""

    def turn_of(self, lender: "Run") -> int | None:
        """Index of the record at the share of the training at which another run begins to overfit; or this one."""
        if lender is self or lender.turn is None:
            return lender.turn
        nearest = int(np.argmin(np.abs(self.time - lender.time[lender.turn])))
        return nearest if self._has_both_sides(nearest) else None

    def training_loss_of(self, lender: "Run") -> Values | None:
        """The training loss of another run at the same shares of the training, NaN where either is not known."""
        if lender is self or self.training_loss is None or lender.training_loss is None:
            return lender.training_loss
        known = np.isfinite(lender.training_loss)
        at = np.where(np.isfinite(self.training_loss), self.time, np.nan)
        lent = np.interp(at, lender.time[known], lender.training_loss[known], left=np.nan, right=np.nan)
        return np.asarray(lent)

    @cached_property
    def defect(self) -> str:
        """Why nothing can be told of this run; "" where it can."""
        if self.n_records < LEAST_RECORDS:
            return f"fewer than {LEAST_RECORDS} records at which sensitivity, EI and degeneracy are known"
        if self._parameters.get("joint") == "plugin":
            return ""
        flags = [[Flag.UNDERSAMPLED in of_layer for of_layer in self.trajectory.flags[t]] for t in self.kept]
        if np.mean(np.any(flags, axis=1)) > _BRACKETS:
            return "EI of a layer known by bounds alone"
        return ""

    @property
    def _parameters(self) -> Mapping[str, Any]:
        """Parameters of the estimator, where the trajectory says them."""
        return self.trajectory.provenance.get("parameters") or {}

    @cached_property
    def _least(self) -> int | None:
        return None if self.validation_loss is None else turning_point(self.validation_loss)

    def _has_both_sides(self, record: int) -> bool:
        return _LEAST_BESIDE <= record < self.n_records - _LEAST_BESIDE

    def _at_enough(self, losses: Values | None) -> Values | None:
        """The losses of the records that are kept; None where they are known at fewer of these than tests need."""
        if losses is None or np.isfinite(losses[self.kept]).sum() < LEAST_RECORDS:
            return None
        return losses[self.kept]
