"""A network's measures along its training, one row a step."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.adapters.npz import read_npz

_FORMAT = 1

MEASURES = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
"""What is kept of every layer at every step, in bits."""


class Trajectory:
    """Measures of every layer over training steps, with whatever was recorded beside them.

    Parameters
    ----------
    steps : array-like (n_steps,)
        Training steps, increasing.
    layers : sequence of str
        Names of the layers.
    measures : mapping of str to array-like (n_steps, n_layers)
        One entry for each of `MEASURES`, in bits.
    metrics : mapping of str to array-like (n_steps,)
        Losses, accuracies and the like; NaN where a step did not have one.

    Attributes
    ----------
    steps : ndarray (n_steps,), int64
    layers : tuple of str
    ei, ei_stderr, sensitivity, degeneracy, ei_parts, phi_ff : ndarray (n_steps, n_layers)
    metrics : dict of str to ndarray (n_steps,)
    """

    ei: NDArray[np.float64]
    ei_stderr: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    degeneracy: NDArray[np.float64]
    ei_parts: NDArray[np.float64]
    phi_ff: NDArray[np.float64]

    def __init__(
        self,
        steps: ArrayLike,
        layers: Sequence[str],
        measures: Mapping[str, ArrayLike],
        metrics: Mapping[str, ArrayLike],
    ):
        self.steps = np.asarray(steps, dtype=np.int64)
        self.layers = tuple(layers)
        for name in MEASURES:
            setattr(self, name, np.asarray(measures[name], dtype=np.float64).reshape(len(self.steps), len(self.layers)))
        self.metrics = {name: np.asarray(values, dtype=np.float64) for name, values in metrics.items()}

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"Trajectory({len(self)} steps, layers {', '.join(self.layers)})"

    def save(self, path: str | os.PathLike) -> None:
        """Write the trajectory as ``.npz``: plain arrays, no Python objects.

        Raises
        ------
        ValueError
            Where `path` does not end in ``.npz``.
        """
        path = _npz_path(path)
        arrays = {f"measure/{name}": getattr(self, name) for name in MEASURES}
        arrays |= {f"metric/{name}": values for name, values in self.metrics.items()}
        # A file object, since savez would take names of metrics for parameters of its own otherwise.
        with path.open("wb") as file:
            np.savez_compressed(
                file, format=np.int64(_FORMAT), steps=self.steps, layers=np.array(self.layers, dtype=str), **arrays
            )

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Trajectory":
        """Read a trajectory that `save` wrote.

        Raises
        ------
        ValueError
            Where the file is none, or was written by a newer version.
        """
        path = _npz_path(path)
        arrays = read_npz(path)
        needed = {"format", "steps", "layers", *(f"measure/{name}" for name in MEASURES)}
        if "format" in arrays and int(arrays["format"]) > _FORMAT:
            raise ValueError(
                f"The file {str(path)!r} was written by a newer version of ei_fast "
                f"(format {int(arrays['format'])}, known is {_FORMAT}). Upgrade ei_fast to read it."
            )
        if needed - arrays.keys():
            raise ValueError(f"The file {str(path)!r} is not a trajectory. Give one that Trajectory.save wrote.")
        return cls(
            arrays["steps"],
            arrays["layers"].tolist(),
            {name: arrays[f"measure/{name}"] for name in MEASURES},
            {key.removeprefix("metric/"): values for key, values in arrays.items() if key.startswith("metric/")},
        )


def _npz_path(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"The path of a trajectory must end in .npz. Got {str(path)!r} instead.")
    return path
