"""Measure a network again and again as it trains."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack, get_args

import numpy as np
from filelock import FileLock
from sklearn.base import clone

from ei_fast.adapters import as_network
from ei_fast.errors import RecordingWarning
from ei_fast.estimator import EffectiveInformation
from ei_fast.intervention.streams import resolve_seed
from ei_fast.network.network import Network
from ei_fast.parameters import (
    OWNER,
    AdapterOptions,
    Integer,
    Number,
    OneOf,
    RangesAndSeed,
    Settings,
    check_adapter_options,
    check_no_files,
    shows_keywords,
)
from ei_fast.results.report import Report
from ei_fast.training.budget import TimeBudget
from ei_fast.training.columns import checked_metric, refuse_options
from ei_fast.training.continuation import Layers, check_same_layers, continued, layers_of, provenance_of, taken
from ei_fast.training.ranges import LayerRanges, ranges_of_record
from ei_fast.training.schedule import Schedule
from ei_fast.training.stored import checked_path
from ei_fast.training.trajectory import Trajectory
from ei_fast.training.weights import check_can_be_kept

_OWN_PARAMETERS = ("estimator", "every", "time_budget", "path", "ranges", "keep_weights")
RangesOfRecords = Literal["each", "first"]
_CONVENTION = OneOf(get_args(RangesOfRecords))
_EVERY = Integer(1)
_BUDGET = Number("None or a number above 0 and below 1", 2.0**-1074, 1.0 - 2.0**-53)  # next to 0 and to 1


class Recorder:
    """Measure a network again and again along its training.

    All records have the same seed, so that the sampling error hardly changes from step to step. A model that runs, like
    a PyTorch module, is compared with its layers at the first record; later records only read its weights.

    Parameters
    ----------
    estimator : EffectiveInformation
        What is measured, and how.
    every : int, default 1
        Steps that are multiples of it are measured; at others `record` does nothing.
    time_budget : float, optional
        Largest share of the time since the first record that measuring may take, above 0 and below 1. Compiling, which
        happens once on a machine, is not counted. Records that would take more are left out; a warning at the end says
        how many.
    path : str or path, optional
        An ``.npz`` file that holds the trajectory after every record. One that exists is continued, with its ranges
        and seed; its steps are not measured again. While the recorder is open, ``<path>.lock`` keeps others out.
    ranges : "each" or "first", default "each"
        Over which ranges outputs of unbounded activations are binned, where no range is given: those that each record
        reaches, every layer on its own scale; or those that the first record reached, which growing weights leave.
        Ranges that all records reach together are known once a training is over: see `Trajectory.remeasure`. A file
        of an older format is continued with the ranges of its first record.
    keep_weights : bool, default False
        Whether the trajectory keeps the weights of every record, so that it can be measured anew. The file, which is
        written whole at every record, grows by them.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Attributes
    ----------
    trajectory_ : Trajectory
        All records so far.
    report_ : Report
        The last record.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed, or for a file that was recorded with other settings, which are named.
    Busy
        For a file that another recorder has open.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> with ef.Recorder(ef.EffectiveInformation(random_state=0)) as recorder:
    ...     for step in range(3):
    ...         _ = recorder.record([np.eye(2) * step], step=step, loss=1.0 / (1 + step))
    >>> recorder.trajectory_
    Trajectory(3 steps, layers layer0, ranges: those of each record)
    """

    @shows_keywords(as_network)
    def __init__(
        self,
        estimator: EffectiveInformation,
        every: int = 1,
        time_budget: float | None = None,
        path: str | os.PathLike[str] | None = None,
        ranges: RangesOfRecords = "each",
        keep_weights: bool = False,
        **adapter_options: Unpack[AdapterOptions],
    ):
        if not isinstance(estimator, EffectiveInformation):
            raise TypeError(
                f"The 'estimator' parameter of Recorder must be an EffectiveInformation. Got {estimator!r} instead."
            )
        # A copy, so that later changes of the caller's estimator do not change a recording half-way.
        self._estimator: EffectiveInformation = clone(estimator)
        self._settings = Settings.checked(self._estimator.parameters)
        check_no_files(self._settings, "Recorder")
        self._schedule = Schedule(_EVERY.checked("every", every, "Recorder"))
        self._budget = TimeBudget(
            None if time_budget is None else _BUDGET.checked("time_budget", time_budget, "Recorder")
        )
        self._convention = _CONVENTION.checked("ranges", ranges, "Recorder")
        if not isinstance(keep_weights, (bool, np.bool_)):
            raise TypeError(f"The 'keep_weights' parameter of Recorder must be True or False. Got {keep_weights!r}.")
        self._keep_weights = bool(keep_weights)
        check_adapter_options(adapter_options, "Recorder", _OWN_PARAMETERS)
        self._adapter_options = adapter_options
        self.trajectory_ = Trajectory.empty()
        self._frozen: RangesAndSeed | None = None
        self._layers: Layers = []
        self._warned_of_points = False
        self._left_out = 0
        self._compared = False
        self._path: Path | None = None
        self._lock: FileLock | None = None
        if path is not None:
            self.open(path)

    def record(self, model: Any, step: int | None = None, **metrics: float) -> Report | None:
        """Measure `model` now, if the step is due.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict, path, or a model of a framework
            Whatever `as_network` accepts; with the same layers every time.
        step : int, optional
            Training step or epoch, above the last one; the last one plus 1 where not given.
        **metrics : float
            Losses and the like, kept beside the measures. How the model is read is said to the recorder itself.

        Returns
        -------
        Report or None
            None where the step is not a multiple of `every`, is in the file that is continued, or does not fit into
            the time budget.

        Raises
        ------
        TypeError, ValueError
            For a step that does not increase, a metric that is not a number, or other layers than before.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4), every=10)
        >>> recorder.record([np.eye(2)], step=10, loss=0.5)[0].ei
        4.0
        >>> recorder.record([np.eye(2)], step=11, loss=0.4) is None
        True
        """
        step = self._schedule.checked(step)
        refuse_options(metrics)
        values = {name: checked_metric(name, value, "Recorder.record") for name, value in metrics.items()}
        if self._path is not None and self._lock is None:
            raise ValueError(f"The recorder is closed: {str(self._path)!r} may be another's. Open a new one to go on.")
        due = self._schedule.is_due(step)
        if due and not self._budget.affords_one_more():
            self._left_out += 1
            due = False
        if not due:
            self._schedule.last = step
            return None
        with self._budget.measuring():
            return self._measured(model, step, values)

    def check(self, model: Any) -> Network:
        """Read `model` as `record` would, and measure nothing.

        A training calls it before it begins, so that a model that cannot be recorded is refused then.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict, path, or a model of a framework
            Whatever `as_network` accepts.

        Returns
        -------
        Network
            What `record` would measure.

        Raises
        ------
        TypeError, ValueError
            As `record` for such a model.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Recorder(ef.EffectiveInformation()).check([np.eye(2)])
        Network(2 -> 2, in_range=(0.0, 1.0))
        """
        network = self._read(model)
        self._estimator.binned_layers(network, self._settings, self._ranges(network)[0])
        return network

    def _read(self, model: Any) -> Network:
        # Training changes the weights, which are read anew, and not the operations: comparing once is enough.
        options = self._adapter_options | ({"verify": False} if self._compared else {})
        network = as_network(
            model, activation=self._estimator.activation, in_range=self._settings.range_of_model, **options
        )
        if self._keep_weights:
            check_can_be_kept(network)
        if self._frozen is not None:
            check_same_layers(
                self._layers,
                layers_of(network),
                "the first record of Recorder",
                "The 'model' parameter of Recorder.record must have the same layers every time: use another Recorder "
                "for another network.",
            )
        self._compared = True
        return network

    def _measured(self, model: Any, step: int, metrics: Mapping[str, float]) -> Report:
        network = self._read(model)
        layers = layers_of(network)
        ranges, known = self._ranges(network)
        if self._frozen is None:
            frozen = RangesAndSeed((), resolve_seed(self._estimator.random_state, OWNER), self._convention)
            before = Trajectory.empty([name for name, *_ in layers])
        else:
            frozen, before = self._frozen, self.trajectory_
        report = self._estimator.measure(network, self._settings, replace(frozen, ranges=ranges))
        frozen = replace(frozen, ranges=known)
        trajectory = before.extended(step, report, metrics, network if self._keep_weights else None)
        trajectory.provenance = provenance_of(self._estimator, frozen, self._layers or layers, before.provenance)
        if self._path is not None:
            trajectory.save(self._path)
        # After saving, so that a record that could not be written is neither in the file nor here.
        self._frozen, self._layers = frozen, self._layers or layers
        self.trajectory_, self.report_, self._schedule.last = trajectory, report, step
        self._warn_of_points(network, known)
        return report

    def _ranges(self, network: Network) -> tuple[LayerRanges, LayerRanges]:
        """The ranges of a record of `network`, and those that all later records are to have."""
        frozen = self._frozen
        convention, kept = (self._convention, ()) if frozen is None else (frozen.convention, frozen.ranges)
        ranges, known = ranges_of_record(convention, network, self._settings, kept)
        network.check_ranges(ranges)
        return ranges, known

    def _warn_of_points(self, network: Network, known: LayerRanges) -> None:
        """Warn, once, where a layer's outputs are a single point, so that the first record gives no range to keep."""
        assert self._frozen is not None
        if self._frozen.convention != "each" and len(known) < len(network) and not self._warned_of_points:
            self._warned_of_points = True
            name = network.layers[len(known)].name
            warnings.warn(
                f"All outputs of the layer {name!r} are one point, which makes no range. It and the layers after it "
                "are recorded over ranges of their own until it has one, which is then kept.",
                RecordingWarning,
                stacklevel=4,
            )

    def open(self, path: str | os.PathLike[str]) -> None:
        """Keep the trajectory in the file at `path` from now on, and continue what it holds.

        Parameters
        ----------
        path : str or path
            An ``.npz`` file. One that exists is continued; where this recorder has recorded something already, the
            file must hold the same steps.

        Raises
        ------
        ValueError
            For a file that was recorded with other settings, which are named.
        Busy
            For a file that another recorder has open.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
        >>> _ = recorder.record([np.eye(2)], step=10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recorder.open(os.path.join(folder, "run.npz"))
        ...     len(ef.Trajectory.load(os.path.join(folder, "run.npz")))
        ...     recorder.close()
        1
        """
        self.close()
        path = checked_path(path)
        self._lock = taken(path)
        try:
            if not path.exists():
                if len(self.trajectory_):
                    self.trajectory_.save(path)
            elif not len(self.trajectory_):
                self.resume(Trajectory.load(path), f"The file {str(path)!r}")
            else:
                self._check_same_records(path)
        except BaseException:
            self.close()
            raise
        self._path = path

    def _check_same_records(self, path: Path) -> None:
        """Raise ValueError where a file holds other records than the recorder, or was recorded with other settings."""
        kept = Trajectory.load(path)
        continued(kept.provenance, self._estimator, self._convention, f"The file {str(path)!r}")
        if not np.array_equal(kept.steps, self.trajectory_.steps):
            raise ValueError(
                f"The file {str(path)!r} holds other steps than the recorder, which has recorded "
                f"{len(self.trajectory_)} already. Give a new file, or go on with a new recorder."
            )

    def resume(self, trajectory: Trajectory, named: str = "The trajectory") -> None:
        """Continue `trajectory` as if this recorder had recorded it: with its ranges and its seed, and no step twice.

        Parameters
        ----------
        trajectory : Trajectory
            A recording that was made with the same settings; one of another version of ei_fast with a warning.
        named : str, default "The trajectory"
            Its name at the beginning of messages.

        Raises
        ------
        ValueError
            Where it was recorded with other settings, which are named.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> estimator = ef.EffectiveInformation(activation="linear", bins=4)
        >>> before, after = ef.Recorder(estimator), ef.Recorder(estimator)
        >>> _ = before.record([np.eye(2)], step=10)
        >>> after.resume(before.trajectory_)
        >>> _ = after.record([np.eye(2)], step=20)
        >>> after.trajectory_.steps
        array([10, 20])
        """
        if self._keep_weights != (trajectory.networks is not None) and len(trajectory):
            has = "no weights" if trajectory.networks is None else "the weights of its records"
            raise ValueError(f"{named} keeps {has}. Got keep_weights={self._keep_weights} instead. Use the same.")
        self._frozen, self._layers = continued(trajectory.provenance, self._estimator, self._convention, named)
        self.trajectory_ = trajectory
        self._schedule.begin_after(int(trajectory.steps[-1]) if len(trajectory) else None)

    def close(self) -> None:
        """Release the file; warn of the number of records that the time budget left out.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Recorder(ef.EffectiveInformation()).close()
        """
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
        if self._left_out:
            warnings.warn(
                f"{self._left_out} records were left out to stay within time_budget={self._budget.share}.",
                RecordingWarning,
                stacklevel=2,
            )
            self._left_out = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
