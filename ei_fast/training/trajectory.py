"""The measures of a network along its training, one row for each step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.network import Network
from ei_fast.parameters import Parameters, Unchanged, shows_keywords
from ei_fast.results.report import Report
from ei_fast.results.tables import frame_of
from ei_fast.training.columns import COLUMNS, MEASURES, MEASURES_OF_FORMAT_1, column_of
from ei_fast.training.comparison import Comparable
from ei_fast.training.contents import (
    Contents,
    at_steps,
    check_contents,
    no_contents,
    of_shape,
    rows_of,
    whole_steps,
    with_record,
)
from ei_fast.training.notebook import ShownInNotebooks
from ei_fast.training.ranges import SAID, LayerRanges
from ei_fast.training.stored import Stored

if TYPE_CHECKING:
    from pandas import DataFrame


class Trajectory(Comparable, Stored, ShownInNotebooks):
    """Measures of every layer over training steps, with the metrics that were recorded beside them.

    Parameters
    ----------
    steps : array-like (n_steps,)
        Training steps, integers that increase; where there are several runs, within each of them.
    layers : sequence of str
        Names of the layers.
    measures : mapping of str to array-like (n_steps, n_layers)
        ``"ei"``, ``"ei_stderr"``, ``"sensitivity"``, ``"degeneracy"``, ``"ei_parts"`` and ``"phi_ff"``, in bits; and
        ``"ei_low"``, ``"ei_high"``, ``"ei_bounds_low"``, ``"ei_bounds_high"``, ``"sensitivity_stderr"`` and
        ``"ei_parts_stderr"``, NaN where missing.
    metrics : mapping of str to array-like (n_steps,)
        Losses, accuracies and the like; NaN at steps without one.
    provenance : dict, optional
        Version, parameters, seed and ranges behind the figures, as plain values.
    runs : sequence of str (n_steps,), optional
        Name of the training that each step belongs to, where there are several. The steps of a run are contiguous.
    flags : sequence of sequence of sequence of str, optional
        Flags of every layer at every step: see `LayerReport`.
    layer_ranges : sequence of ranges, optional
        Input and output range of every layer, at every step.
    networks : sequence of Network, optional
        The networks that were measured, with their weights, one for each step.

    Attributes
    ----------
    steps : ndarray (n_steps,), int64
        Training steps.
    runs : tuple of str (n_steps,) or None
        The run of every step; None where there is a single unnamed run.
    layers : tuple of str
        Names of the layers.
    ei, ei_stderr, sensitivity, degeneracy, ei_parts, phi_ff : ndarray (n_steps, n_layers)
        The five measures in bits, and the standard error of EI.
    ei_low, ei_high : ndarray (n_steps, n_layers)
        95 % interval of EI in bits, or lower and upper bound where the flag is "undersampled"; NaN in files of older
        versions.
    ei_bounds_low, ei_bounds_high : ndarray (n_steps, n_layers)
        Bounds on EI in bits that rest on no model of the layer, each with 97.5 % confidence; the value twice where
        exact. NaN in files of older versions.
    sensitivity_stderr, ei_parts_stderr : ndarray (n_steps, n_layers)
        Standard errors in bits; NaN in files of older versions.
    flags : tuple (n_steps,) of tuple (n_layers,) of tuple of str
        What to know before trusting the figures.
    layer_ranges : tuple (n_steps,) of ranges of layers, or None
        ((in_range, out_range), ...) at every step.
    networks : tuple of Network, or None
        The networks that were measured, where a `Recorder` was asked to keep them.
    metrics : dict of str to ndarray (n_steps,)
        Losses, accuracies and the like.
    provenance : dict
        Version, parameters, seed and ranges behind the figures.

    Raises
    ------
    TypeError, ValueError
        For steps that are not increasing integers, runs whose steps are not together, or measures of another shape.

    See Also
    --------
    Recorder : Fills a trajectory during a training.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2) * (1 + step)], loss=1.0 / (1 + step))
    >>> trajectory = recorder.trajectory_
    >>> trajectory.steps, trajectory.ei[:, 0]
    (array([0, 1, 2]), array([4., 4., 4.]))
    """

    ei: NDArray[np.float64]
    ei_stderr: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    degeneracy: NDArray[np.float64]
    ei_parts: NDArray[np.float64]
    phi_ff: NDArray[np.float64]
    ei_low: NDArray[np.float64]
    ei_high: NDArray[np.float64]
    sensitivity_stderr: NDArray[np.float64]
    ei_parts_stderr: NDArray[np.float64]
    ei_bounds_low: NDArray[np.float64]
    ei_bounds_high: NDArray[np.float64]

    def __init__(
        self,
        steps: ArrayLike,
        layers: Sequence[str],
        measures: Mapping[str, ArrayLike],
        metrics: Mapping[str, ArrayLike],
        provenance: Mapping[str, Any] | None = None,
        runs: Sequence[str] | None = None,
        flags: Sequence[Sequence[Sequence[str]]] | None = None,
        layer_ranges: Sequence[LayerRanges] | None = None,
        networks: Sequence[Network] | None = None,
    ):
        self.steps = whole_steps(steps)
        self.layers = tuple(layers)
        shape = len(self.steps), len(self.layers)
        nothing = np.full(shape, np.nan)
        for name in MEASURES:
            values = measures[name] if name in MEASURES_OF_FORMAT_1 else measures.get(name, nothing)
            setattr(self, name, of_shape(values, shape, name))
        self.metrics = {name: of_shape(values, shape[:1], name) for name, values in metrics.items()}
        self.provenance = dict(provenance or {})
        self.runs = None if runs is None else tuple(str(run) for run in runs)
        self.flags = tuple(
            tuple(tuple(map(str, of_layer)) for of_layer in of_step)
            for of_step in (flags if flags is not None else [[()] * shape[1]] * shape[0])
        )
        self.layer_ranges = None if layer_ranges is None else tuple(layer_ranges)
        self.networks = None if networks is None else tuple(networks)
        check_contents(self.contents)

    @property
    def contents(self) -> Contents:
        """The parameters that make the same trajectory again."""
        return {
            "steps": self.steps,
            "layers": self.layers,
            "measures": {name: getattr(self, name) for name in MEASURES},
            "metrics": self.metrics,
            "provenance": self.provenance,
            "runs": self.runs,
            "flags": self.flags,
            "layer_ranges": self.layer_ranges,
            "networks": self.networks,
        }

    @classmethod
    def empty(cls, layers: Sequence[str] = (), provenance: Mapping[str, Any] | None = None) -> "Trajectory":
        """Make a trajectory without steps.

        Parameters
        ----------
        layers : sequence of str, default ()
            Names of the layers.
        provenance : dict, optional
            Version, parameters, seed and ranges, as plain values.

        Returns
        -------
        Trajectory
            Of these layers, and of length 0.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Trajectory.empty(["fc1", "fc2"])
        Trajectory(0 steps, layers fc1, fc2)
        """
        return cls(**no_contents(layers, provenance))

    def extended(
        self, step: int, report: Report, metrics: Mapping[str, float], network: Network | None = None
    ) -> "Trajectory":
        """Return a trajectory with one more step.

        Parameters
        ----------
        step : int
            The training step, above the last one.
        report : Report
            The measures of all layers at that step.
        metrics : mapping of str to float
            Losses and the like. A metric that is missing here, or was missing before, is NaN there.
        network : Network, optional
            The network that was measured, where it is to be kept.

        Returns
        -------
        Trajectory
            A new trajectory; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> report = ef.analyze({"w0": np.eye(2)}, activation="linear", bins=4)
        >>> ef.Trajectory.empty(["layer0"]).extended(10, report, {"loss": 0.5}).ei
        array([[4.]])
        """
        return Trajectory(**with_record(self.contents, step, report, metrics, network))

    @property
    def widths(self) -> tuple[tuple[int, int], ...] | None:
        """Numbers of inputs and of outputs of every layer; None where the provenance does not say them."""
        layers = self.provenance.get("layers", ())
        if len(layers) != len(self.layers):
            return None
        return tuple((int(n_in), int(n_out)) for _, n_in, n_out, *_ in layers)

    @property
    def ranges(self) -> str:
        """Convention of the ranges over which records are binned: ``"each"``, ``"first"`` or ``"all"`` of `remeasure`.

        ``"given"`` where the estimator's `out_range` is that of every layer, and "" where it is not known.
        """
        if not isinstance(self.provenance.get("parameters", {}).get("out_range", "auto"), str):
            return "given"
        return str(self.provenance.get("convention", "first" if "ranges" in self.provenance else ""))

    @shows_keywords(Unchanged("as recorded"))
    def remeasure(
        self, ranges: Literal["each", "first", "all"] | None = None, **params: Unpack[Parameters]
    ) -> "Trajectory":
        """Measure the training anew from the weights that were kept, without training again.

        Parameters
        ----------
        ranges : "each", "first" or "all", optional
            Over which ranges outputs of unbounded activations are binned: those that each record reaches, those that
            the first record reaches, or the hull of what all records reach. As recorded where not given.
        bins, activation, in_range, out_range, out_of_range, baseline : optional
            What is measured, see `EffectiveInformation`; as recorded where not given.
        joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose : optional
            How it is measured, see `EffectiveInformation`; as recorded where not given.
        pairwise_edges, matrices : optional
            How it is measured, see `EffectiveInformation`; as recorded where not given.

        Returns
        -------
        Trajectory
            The same steps and metrics with new measures, in bits; with the recorded parameters and ranges, the
            recorded figures to the last bit.

        Raises
        ------
        ValueError
            Where no weights were kept.
        TypeError, ValueError
            For parameters that are not allowed: the message names the parameter, the rule and the value.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4), keep_weights=True)
        >>> _ = recorder.record([np.eye(2)], step=10)
        >>> recorder.trajectory_.remeasure(bins=16).ei
        array([[8.]])
        """
        # Whoever draws a trajectory does not wait for all that measures.
        from ei_fast.training.remeasure import remeasured

        return Trajectory(**remeasured(self.contents, ranges, params))

    def of_run(self, run: str) -> "Trajectory":
        """Return the steps of one run.

        Parameters
        ----------
        run : str
            Name of the run.

        Returns
        -------
        Trajectory
            The steps of that run alone.

        Raises
        ------
        ValueError
            Where there is no such run; the message names those that there are.

        Examples
        --------
        >>> import ei_fast as ef
        >>> names = ["ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff"]
        >>> measures = {name: [[1.0], [2.0], [3.0]] for name in names}
        >>> both = ef.Trajectory([0, 10, 0], ["fc1"], measures, {}, runs=["a", "a", "b"])
        >>> both.of_run("a").steps
        array([ 0, 10])
        """
        kept = np.array([name == run for name in self.runs or ()], dtype=bool)
        if not kept.any():
            known = ", ".join(self._names_of_runs)
            remedy = "Name one of these" if known else "Use it as it is, without a run"
            raise ValueError(f"The trajectory has no run {run!r}. It has {known or 'none'}. {remedy}.")
        return self.take(np.flatnonzero(kept))

    def take(self, indices: Sequence[int] | NDArray[np.integer]) -> "Trajectory":
        """Return the steps with these indices.

        Parameters
        ----------
        indices : sequence of int
            Increasing.

        Returns
        -------
        Trajectory
            These steps alone, with all that belongs to them.

        Examples
        --------
        >>> import ei_fast as ef
        >>> names = ["ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff"]
        >>> measures = {name: [[1.0], [2.0], [3.0]] for name in names}
        >>> ef.Trajectory([0, 10, 20], ["fc1"], measures, {}).take([0, 2]).steps
        array([ 0, 20])
        """
        return Trajectory(**at_steps(self.contents, np.asarray(indices, dtype=np.int64)))

    @property
    def _names_of_runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.runs or ()))

    def check_one_run(self) -> None:
        """Raise ValueError where there are several runs, of which a figure can draw only one.

        Raises
        ------
        ValueError
            With the names of the runs, and how to take one.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Trajectory.empty(["fc1"]).check_one_run()
        """
        if len(self._names_of_runs) > 1:
            raise ValueError(
                f"The trajectory holds the runs {', '.join(self._names_of_runs)}, and one can be drawn at a time. "
                f"Take one: trajectory.of_run({self._names_of_runs[0]!r}), or --run {self._names_of_runs[0]}."
            )

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        several = f" of {len(self._names_of_runs)} runs" if self.runs is not None else ""
        ranges = f", ranges: {SAID[self.ranges]}" if self.ranges in SAID else ""
        return f"Trajectory({len(self)} steps{several}, layers {', '.join(self.layers)}{ranges})"

    def to_frame(self) -> "DataFrame":
        """Return the trajectory as a pandas frame.

        A metric of an older file that has the name of a column is called ``metric.<name>``.

        Returns
        -------
        pandas.DataFrame
            One row for each step and layer, with the columns run (where there are runs), step, layer, the measures in
            bits, flags, ranges, the bounds on EI in bits, and the metrics of the step.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
        >>> _ = recorder.record([np.eye(2)], step=10, loss=0.5)
        >>> recorder.trajectory_.to_frame()[["step", "layer", "ei", "loss"]].values.tolist()
        [[10, 'layer0', 4.0, 0.5]]
        """
        columns = [*COLUMNS[self.runs is None :], *map(column_of, self.metrics)]
        return frame_of(rows_of(self.contents, self.ranges), columns, "Trajectory.to_frame")
