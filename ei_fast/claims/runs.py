"""What the tests read of a trajectory: measures at whole records, time from 0 to 1, and where overfitting begins."""

from dataclasses import dataclass, replace
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
        Indices of the records at which sensitivity and EI of every layer are finite.
    training_loss : ndarray (n_records,) or None
        Loss of the training rows, NaN where it is not known; None where it is known at too few records.
    turn : int or None
        Index of the record at which overfitting begins; None where it does not.
    """

    trajectory: Trajectory
    kept: NDArray[np.int64]
    training_loss: Values | None
    turn: int | None

    @classmethod
    def of(cls, trajectory: Trajectory) -> "Run":
        """The run of a trajectory."""
        trajectory.check_one_run()
        kept = np.flatnonzero(np.isfinite(trajectory.sensitivity + trajectory.ei).all(axis=1))
        training = _at_enough(training_loss(trajectory), kept)
        return cls(trajectory, kept, training, _turn(_at_enough(validation_loss(trajectory), kept)))

    def with_losses_of(self, other: "Run") -> "Run":
        """This run as if its losses had been those of another one at the same shares of the training."""
        training, turn = other.training_loss, other.turn
        if training is not None:
            known = np.isfinite(training)
            training = np.interp(self.time, other.time[known], training[known])
        if turn is not None:
            nearest = int(np.argmin(np.abs(self.time - other.time[turn])))
            turn = nearest if _has_both_sides(nearest, self.n_records) else None
        return replace(self, training_loss=training, turn=turn)

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
    def validation_loss(self) -> Values | None:
        """Loss of the validation rows, (n_records,), NaN where it is not known; None where at too few records."""
        return _at_enough(validation_loss(self.trajectory), self.kept)

    @property
    def rise(self) -> float:
        """Rise of the validation loss from its least value to its end, both smoothed, as a share; NaN without one."""
        return float("nan") if self.validation_loss is None else _rise(self.validation_loss)

    @property
    def lacks_turn(self) -> str:
        """Why it is not known where overfitting begins; "" where it is."""
        if self.turn is not None:
            return ""
        if self.validation_loss is None:
            return f"no validation loss at {LEAST_RECORDS} records or more"
        return "no minimum of the validation loss from which it rises by more than its noise, and 2 %"

    @cached_property
    def defect(self) -> str:
        """Why nothing can be told of this run; "" where it can."""
        if self.n_records < LEAST_RECORDS:
            return f"fewer than {LEAST_RECORDS} records at which sensitivity and EI are known"
        if self.trajectory.provenance.get("parameters", {}).get("joint") == "plugin":
            return ""
        flags = [[Flag.UNDERSAMPLED in of_layer for of_layer in self.trajectory.flags[t]] for t in self.kept]
        if np.mean(np.any(flags, axis=1)) > _BRACKETS:
            return "EI of a layer known by bounds alone"
        return ""


def _at_enough(losses: Values | None, kept: NDArray[np.int64]) -> Values | None:
    """The losses of the records that are kept; None where they are known at fewer of these than tests need."""
    if losses is None or np.isfinite(losses[kept]).sum() < LEAST_RECORDS:
        return None
    return losses[kept]


def _turn(losses: Values | None) -> int | None:
    """Index of the least smoothed validation loss, where overfitting begins; None where it does not.

    The loss must turn by more than its noise (`turning_point`), and rise by 2 % at least.
    """
    turn = None if losses is None else turning_point(losses)
    if losses is None or turn is None or not _rise(losses) >= _LEAST_RISE or not _has_both_sides(turn, len(losses)):
        return None
    return turn


def _rise(losses: Values) -> float:
    known = losses[np.isfinite(losses)]
    least = smoothed(known).min()
    end = known[-(2 * smoothing_reach(len(known)) + 1) :].mean()
    return float(end / least - 1.0) if least > 0.0 else float("nan")


def _has_both_sides(record: int, n_records: int) -> bool:
    return _LEAST_BESIDE <= record < n_records - _LEAST_BESIDE
