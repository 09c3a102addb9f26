"""A network's measures along its training, one row a step."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.files import from_json, known_format, npz_bytes, npz_path, plain, read_npz, to_json, write_whole
from ei_fast.frames import frame_of
from ei_fast.report import Report

if TYPE_CHECKING:
    from pandas import DataFrame

_KIND, _FORMAT = "trajectory", 3

MEASURES = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff", "sensitivity_stderr")
"""What is kept of every layer at every step, in bits."""


class Trajectory:
    """Measures of every layer over training steps, with whatever was recorded beside them.

    Parameters
    ----------
    steps : array-like (n_steps,)
        Training steps, increasing; where there are runs, in each of them.
    layers : sequence of str
        Names of the layers.
    measures : mapping of str to array-like (n_steps, n_layers)
        One entry for each of `MEASURES`, in bits.
    metrics : mapping of str to array-like (n_steps,)
        Losses, accuracies and the like; NaN where a step did not have one.
    provenance : dict, optional
        Version, parameters, seed and ranges behind the figures, as plain values.
    runs : sequence of str (n_steps,), optional
        The training that each step is of, where several are kept together; those of one lie side by side.

    Attributes
    ----------
    steps : ndarray (n_steps,), int64
    runs : tuple of str (n_steps,) or None
    layers : tuple of str
    ei, ei_stderr, sensitivity, degeneracy, ei_parts, phi_ff, sensitivity_stderr : ndarray (n_steps, n_layers)
    metrics : dict of str to ndarray (n_steps,)
    provenance : dict
    """

    ei: NDArray[np.float64]
    ei_stderr: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    degeneracy: NDArray[np.float64]
    ei_parts: NDArray[np.float64]
    phi_ff: NDArray[np.float64]
    sensitivity_stderr: NDArray[np.float64]

    def __init__(
        self,
        steps: ArrayLike,
        layers: Sequence[str],
        measures: Mapping[str, ArrayLike],
        metrics: Mapping[str, ArrayLike],
        provenance: Mapping[str, Any] | None = None,
        runs: Sequence[str] | None = None,
    ):
        self.steps = np.asarray(steps, dtype=np.int64)
        self.layers = tuple(layers)
        for name in MEASURES:
            setattr(self, name, np.asarray(measures[name], dtype=np.float64).reshape(len(self.steps), len(self.layers)))
        self.metrics = {
            name: np.asarray(values, dtype=np.float64).reshape(len(self.steps)) for name, values in metrics.items()
        }
        self.provenance = dict(provenance or {})
        self.runs = None if runs is None else tuple(str(run) for run in runs)
        if self.runs is not None and len(self.runs) != len(self.steps):
            raise ValueError(
                f"The 'runs' parameter must name one for each of {len(self.steps)} steps. Got {len(self.runs)}."
            )

    @classmethod
    def empty(cls, layers: Sequence[str] = (), provenance: Mapping[str, Any] | None = None) -> "Trajectory":
        """A trajectory without steps."""
        return cls([], layers, {name: np.empty((0, len(layers))) for name in MEASURES}, {}, provenance)

    def extended(self, step: int, report: Report, metrics: Mapping[str, float]) -> "Trajectory":
        """The same with one more step; metrics that either did not have are NaN there."""
        names = dict.fromkeys([*self.metrics, *metrics])
        before = np.full(len(self), np.nan)
        return Trajectory(
            np.append(self.steps, step),
            self.layers,
            {name: np.vstack([getattr(self, name), [getattr(layer, name) for layer in report]]) for name in MEASURES},
            {name: np.append(self.metrics.get(name, before), metrics.get(name, np.nan)) for name in names},
            self.provenance,
        )

    def of_run(self, run: str) -> "Trajectory":
        """The steps of one run alone.

        Raises
        ------
        ValueError
            Where there is no such run, naming those that there are.
        """
        kept = np.array([one == run for one in self.runs or ()], dtype=bool)
        if not kept.any():
            raise ValueError(f"The trajectory has no run {run!r}. It has {', '.join(self._names_of_runs) or 'none'}.")
        return Trajectory(
            self.steps[kept],
            self.layers,
            {name: getattr(self, name)[kept] for name in MEASURES},
            {name: values[kept] for name, values in self.metrics.items()},
            self.provenance,
            [run] * int(kept.sum()),
        )

    @property
    def _names_of_runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.runs or ()))

    def check_one_run(self) -> None:
        """Raise ValueError where there are several: a path cannot lead from one to the other."""
        if len(self._names_of_runs) > 1:
            raise ValueError(
                f"The trajectory holds the runs {', '.join(self._names_of_runs)}, and one can be drawn at a time. "
                f"Take one: trajectory.of_run({self._names_of_runs[0]!r}), or --run {self._names_of_runs[0]}."
            )

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        several = f" of {len(self._names_of_runs)} runs" if self.runs is not None else ""
        return f"Trajectory({len(self)} steps{several}, layers {', '.join(self.layers)})"

    def to_frame(self) -> "DataFrame":
        """One row for each step and layer: run if there are any, step, layer, measures in bits, metrics of the step.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        rows = [
            ({} if self.runs is None else {"run": self.runs[t]})
            | {"step": int(step), "layer": layer}
            | {name: float(getattr(self, name)[t, k]) for name in MEASURES}
            | {name: float(values[t]) for name, values in self.metrics.items()}
            for t, step in enumerate(self.steps)
            for k, layer in enumerate(self.layers)
        ]
        first = ["step", "layer"] if self.runs is None else ["run", "step", "layer"]
        return frame_of(rows, [*first, *MEASURES, *self.metrics], "Trajectory.to_frame")

    def to_dict(self) -> dict[str, Any]:
        """The trajectory as plain lists, numbers and text, for other programs' files; `from_dict` reads it."""
        return {
            "steps": plain(self.steps),
            "layers": list(self.layers),
            "measures": {name: plain(getattr(self, name)) for name in MEASURES},
            "metrics": plain(self.metrics),
            "provenance": plain(self.provenance),
            "runs": None if self.runs is None else list(self.runs),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Trajectory":
        """The trajectory that `to_dict` made `values` of, the same to the last bit."""
        return cls(**values)

    def save(self, path: str | os.PathLike) -> None:
        """Write the trajectory as ``.npz``: plain arrays and text, no Python objects.

        The file is there as a whole or as it was before, whenever the process may be killed.

        Raises
        ------
        ValueError
            Where `path` does not end in ``.npz``.
        """
        write_whole(checked_path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """What `save` writes."""
        arrays = {f"measure/{name}": getattr(self, name) for name in MEASURES}
        arrays |= {f"metric/{name}": values for name, values in self.metrics.items()}
        arrays |= {"kind": np.array(_KIND), "format": np.int64(_FORMAT), "steps": self.steps}
        arrays |= {"layers": np.array(self.layers, dtype=str), "provenance": to_json(self.provenance)}
        if self.runs is not None:
            arrays["runs"] = np.array(self.runs, dtype=str)
        return npz_bytes(arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Trajectory":
        """Read a trajectory that `save` wrote: the same to the last bit.

        Raises
        ------
        ValueError
            Where the file is none, is damaged, or was written by a newer version.
        """
        path = checked_path(path)
        arrays = read_npz(path)
        known_format(path, arrays, _KIND, _FORMAT)
        try:
            # Format 1 did not have it.
            arrays.setdefault("measure/sensitivity_stderr", np.full_like(arrays["measure/sensitivity"], np.nan))
            return cls(
                arrays["steps"],
                arrays["layers"].tolist(),
                {name: arrays[f"measure/{name}"] for name in MEASURES},
                {key.removeprefix("metric/"): values for key, values in arrays.items() if key.startswith("metric/")},
                from_json(arrays["provenance"]),
                arrays["runs"].tolist() if "runs" in arrays else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"The file {str(path)!r} is a damaged trajectory: {error!r}. Record it again.") from error


def checked_path(path: str | os.PathLike) -> Path:
    """The path of a trajectory's file."""
    return npz_path(path, f"The path of a trajectory must end in .npz. Got {str(path)!r} instead.")
