"""The measures of a network along its training, one row for each step."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.measures.quantities import BY_NAME, EDGE_MEASURES
from ei_fast.network.bins import ranges_from
from ei_fast.network.network import Network
from ei_fast.parameters import Parameters, Unchanged, shows_keywords
from ei_fast.results.report import ENDS, Report
from ei_fast.results.tables import frame_of
from ei_fast.runtime.files import from_json, known_format, npz_bytes, npz_path, plain, read_npz, to_json, write_whole
from ei_fast.training.ranges import SAID, LayerRanges
from ei_fast.training.weights import arrays_of, described, restored
from ei_fast.validation import without_gradient

if TYPE_CHECKING:
    from pandas import DataFrame

_KIND, _FORMAT = "trajectory", 5

# What the first files held, whatever figures have been added since.
_OF_OLD = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
_INTERVAL = ("ei_low", "ei_high")
_FURTHER = tuple(BY_NAME[name].stderr for name in EDGE_MEASURES)
_BOUNDS = ("ei_bounds_low", "ei_bounds_high")
MEASURES = (*_OF_OLD, *_INTERVAL, *_FURTHER, *_BOUNDS)
"""What is kept of every layer at every step, in bits; files of older formats lack some after the first six."""

COLUMNS = ("run", "step", "layer", *_OF_OLD, *_INTERVAL, "flags", *_FURTHER, "ranges", *_BOUNDS)
"""Columns of a trajectory's table, before those of the metrics; no metric may have one of these names."""

_MAX_STEP = 2**63 - 1


class Trajectory:
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
        For steps that are not increasing integers, measures of another shape, or metrics named like a column.

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
        self.steps = _whole_steps(steps)
        self.layers = tuple(layers)
        shape = len(self.steps), len(self.layers)
        nothing = np.full(shape, np.nan)
        for name in MEASURES:
            values = measures[name] if name in _OF_OLD else measures.get(name, nothing)
            setattr(self, name, _of_shape(values, shape, name))
        self.metrics = {name: _of_shape(values, shape[:1], name) for name, values in metrics.items()}
        self.provenance = dict(provenance or {})
        self.runs = None if runs is None else tuple(str(run) for run in runs)
        self.flags = tuple(
            tuple(tuple(map(str, of_layer)) for of_layer in of_step)
            for of_step in (flags if flags is not None else [[()] * shape[1]] * shape[0])
        )
        self.layer_ranges = None if layer_ranges is None else tuple(layer_ranges)
        self.networks = None if networks is None else tuple(networks)
        listed = {"runs": self.runs, "flags": self.flags, "networks": self.networks}
        for key, those in (listed | {"layer_ranges": self.layer_ranges}).items():
            if those is not None and len(those) != len(self.steps):
                raise ValueError(
                    f"The {key!r} parameter must have one for each of {len(self.steps)} steps. Got {len(those)}."
                )
        for key, table in (("flags", self.flags), ("layer_ranges", self.layer_ranges or ())):
            for t, of_step in enumerate(table):
                if len(of_step) != shape[1]:
                    raise ValueError(
                        f"The {key!r} parameter of Trajectory must have one for each of {shape[1]} layers at every "
                        f"step. Got {len(of_step)} at index {t}."
                    )
        self._check_order()

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
        return cls([], layers, {name: np.empty((0, len(layers))) for name in MEASURES}, {}, provenance)

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
        names = dict.fromkeys([*self.metrics, *metrics])
        before = np.full(len(self), np.nan)
        measured = measures_of(report)
        ranges = tuple((layer.in_range, layer.out_range) for layer in report)
        # An older file does not say what the ranges of its steps are.
        known = self.layer_ranges if self.layer_ranges is not None or len(self) else ()
        return Trajectory(
            np.append(self.steps, step),
            self.layers,
            {name: np.vstack([getattr(self, name), measured[name]]) for name in MEASURES},
            {name: np.append(self.metrics.get(name, before), metrics.get(name, np.nan)) for name in names},
            self.provenance,
            flags=[*self.flags, [layer.flags for layer in report]],
            layer_ranges=None if known is None else [*known, ranges],
            networks=None if network is None else [*(self.networks or ()), network],
        )

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
        from ei_fast.training.remeasure import remeasured

        return remeasured(self, ranges, params)

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
        at = np.asarray(indices, dtype=np.int64)

        def those(values: Sequence[Any] | None) -> list[Any] | None:
            return None if values is None else [values[t] for t in at]

        return Trajectory(
            self.steps[at],
            self.layers,
            {name: getattr(self, name)[at] for name in MEASURES},
            {name: values[at] for name, values in self.metrics.items()},
            self.provenance,
            those(self.runs),
            flags=those(self.flags),
            layer_ranges=those(self.layer_ranges),
            networks=those(self.networks),
        )

    def _check_order(self) -> None:
        """Raise ValueError where steps do not increase, or in no run."""
        rising = np.diff(self.steps) > 0
        if self.runs is not None:
            rising |= np.array([a != b for a, b in zip(self.runs[:-1], self.runs[1:], strict=True)], dtype=bool)
        if not rising.all():
            at = int(np.flatnonzero(~rising)[0])
            raise ValueError(
                "The 'steps' parameter of Trajectory must increase"
                f"{' within each run' if self.runs is not None else ''}. "
                f"Got {self.steps[at]} and {self.steps[at + 1]} at index {at}."
            )

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
        rows = [
            ({} if self.runs is None else {"run": self.runs[t]})
            | {"step": int(step), "layer": layer}
            | {name: float(getattr(self, name)[t, k]) for name in MEASURES}
            | {"flags": ", ".join(self.flags[t][k]), "ranges": self.ranges}
            | {_column_of(name): float(values[t]) for name, values in self.metrics.items()}
            for t, step in enumerate(self.steps)
            for k, layer in enumerate(self.layers)
        ]
        columns = [*COLUMNS[self.runs is None :], *map(_column_of, self.metrics)]
        return frame_of(rows, columns, "Trajectory.to_frame")

    def to_dict(self) -> dict[str, Any]:
        """Return the trajectory as plain lists, numbers and text, for other programs' files; `from_dict` reads it.

        Returns
        -------
        dict
            The parameters of a `Trajectory`, as values that JSON has.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
        >>> _ = recorder.record([np.eye(2)], step=10, loss=0.5)
        >>> recorder.trajectory_.to_dict()["measures"]["ei"]
        [[4.0]]
        """
        return {
            "steps": plain(self.steps),
            "layers": list(self.layers),
            "measures": {name: plain(getattr(self, name)) for name in MEASURES},
            "metrics": plain(self.metrics),
            "provenance": plain(self.provenance),
            "runs": None if self.runs is None else list(self.runs),
            "flags": plain(self.flags),
            "layer_ranges": plain(self.layer_ranges),
            "networks": None
            if self.networks is None
            else [
                {
                    "description": described(network),
                    "arrays": {key: plain(array) for key, array in arrays_of(network).items()},
                }
                for network in self.networks
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Trajectory":
        """Make the trajectory anew that `to_dict` made `values` of.

        Parameters
        ----------
        values : mapping
            What `to_dict` returned, also after it went through JSON.

        Returns
        -------
        Trajectory
            The same trajectory to the last bit.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Trajectory.from_dict(ef.Trajectory.empty(["fc1"]).to_dict())
        Trajectory(0 steps, layers fc1)
        """
        values = dict(values)
        if values.get("layer_ranges") is not None:
            values["layer_ranges"] = ranges_from(values["layer_ranges"])
        if values.get("networks") is not None:
            values["networks"] = [
                restored(kept["description"], {key: np.array(array) for key, array in kept["arrays"].items()})
                for kept in values["networks"]
            ]
        return cls(**values)

    def save(self, path: str | os.PathLike) -> None:
        """Write the trajectory as ``.npz``: plain arrays and text, no Python objects.

        At every moment the file is whole: either the old one or the new one, even if the process is killed.

        Parameters
        ----------
        path : str or path
            The file, which ends in ``.npz``.

        Raises
        ------
        ValueError
            Where `path` does not end in ``.npz``.

        Examples
        --------
        >>> import os, tempfile
        >>> import ei_fast as ef
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ef.Trajectory.empty(["fc1"]).save(os.path.join(folder, "run.npz"))
        ...     ef.Trajectory.load(os.path.join(folder, "run.npz"))
        Trajectory(0 steps, layers fc1)
        """
        write_whole(checked_path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the bytes that `save` writes.

        Returns
        -------
        bytes
            An ``.npz`` archive.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Trajectory.empty(["fc1"]).to_bytes()[:2]
        b'PK'
        """
        arrays = {f"measure/{name}": getattr(self, name) for name in MEASURES}
        arrays |= {f"metric/{name}": values for name, values in self.metrics.items()}
        arrays |= {"kind": np.array(_KIND), "format": np.int64(_FORMAT), "steps": self.steps}
        arrays |= {"layers": np.array(self.layers, dtype=str), "provenance": to_json(self.provenance)}
        arrays |= {"flags": to_json(self.flags), "layer_ranges": to_json(self.layer_ranges)}
        if self.runs is not None:
            arrays["runs"] = np.array(self.runs, dtype=str)
        if self.networks is not None:
            arrays["networks"] = to_json([described(network) for network in self.networks])
            for t, network in enumerate(self.networks):
                arrays |= {f"network{t}/{key}": array for key, array in arrays_of(network).items()}
        return npz_bytes(arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Trajectory":
        """Read a trajectory that `save` wrote.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        Trajectory
            The saved trajectory, the same to the last bit.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        ValueError
            Where the file is not a trajectory, is damaged, or was written by a newer version.

        Examples
        --------
        >>> import os, tempfile
        >>> import ei_fast as ef
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ef.Trajectory.empty(["fc1"]).save(os.path.join(folder, "run.npz"))
        ...     ef.Trajectory.load(os.path.join(folder, "run.npz"))
        Trajectory(0 steps, layers fc1)
        """
        path = checked_path(path)
        arrays = read_npz(path)
        known_format(path, arrays, _KIND, _FORMAT)
        try:
            ranges = from_json(arrays["layer_ranges"]) if "layer_ranges" in arrays else None
            return cls(
                arrays["steps"],
                arrays["layers"].tolist(),
                {name: arrays[f"measure/{name}"] for name in MEASURES if f"measure/{name}" in arrays},
                {key.removeprefix("metric/"): values for key, values in arrays.items() if key.startswith("metric/")},
                from_json(arrays["provenance"]),
                arrays["runs"].tolist() if "runs" in arrays else None,
                flags=from_json(arrays["flags"]) if "flags" in arrays else None,
                layer_ranges=None if ranges is None else ranges_from(ranges),
                networks=_networks_in(arrays),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"The file {str(path)!r} is a damaged trajectory: {error!r}. Record it again.") from error


def measures_of(report: Report) -> dict[str, list[float]]:
    """What a trajectory keeps of a report: a figure a layer for each of `MEASURES`."""
    found = {name: [float(getattr(layer, name)) for layer in report] for name in (*_OF_OLD, *_FURTHER)}
    return found | {name: [layer.end(name) for layer in report] for name in ENDS}


def check_metric_name(name: str, owner: str, columns: Sequence[str] = COLUMNS) -> None:
    """Raise ValueError where a metric would have the name of a column of the table."""
    if name in columns:
        raise ValueError(
            f"The metric {name!r} of {owner} must not have the name of a column of the trajectory's table. The column "
            f"{name!r} is taken: call the metric val_{name}, for example."
        )


def checked_metric(name: str, value: Any, owner: str) -> float:
    """The value of a metric, a number, whose name no column of the table has."""
    check_metric_name(name, owner)
    try:
        return float(value.detach() if hasattr(value, "detach") else value)
    # The last is what PyTorch raises for tensors of several numbers.
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(f"The metric {name!r} of {owner} must be a number. Got {value!r} instead.") from None


def _column_of(metric: str) -> str:
    return f"metric.{metric}" if metric in COLUMNS else metric


def _whole_steps(steps: ArrayLike) -> NDArray[np.int64]:
    rule = "The 'steps' parameter of Trajectory must be integers that fit into 64 bits"
    values = np.asarray(without_gradient(steps))
    if not values.size:
        return np.empty(0, np.int64)
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.dtype.kind == "u" and values.max() > _MAX_STEP):
        raise ValueError(f"{rule}, (n_steps,). Got {steps!r}.")
    return values.astype(np.int64)


def _of_shape(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    array = np.asarray(without_gradient(values), dtype=np.float64)
    if not array.size and 0 in shape:
        return np.empty(shape)
    if array.shape != shape:
        axes = "(n_steps, n_layers)" if len(shape) == 2 else "(n_steps,)"
        hint = " Transpose it." if array.shape == shape[::-1] else ""
        raise ValueError(f"The measure or metric {name!r} must have shape {axes} = {shape}. Got {array.shape}.{hint}")
    return array


def _networks_in(arrays: Mapping[str, Any]) -> list[Network] | None:
    if "networks" not in arrays:
        return None
    found = []
    for t, description in enumerate(from_json(arrays["networks"])):
        start = f"network{t}/"
        own = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
        found.append(restored(description, own))
    return found


def checked_path(path: str | os.PathLike) -> Path:
    """The path of a trajectory's file."""
    return npz_path(path, f"The path of a trajectory must end in .npz. Got {str(path)!r} instead.")
