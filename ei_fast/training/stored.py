"""What a trajectory is in files: its own ``.npz``, and the plain values that other programs' files hold."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np
from numpy.typing import ArrayLike

from ei_fast.network.bins import ranges_from
from ei_fast.network.network import Network
from ei_fast.runtime.files import from_json, known_format, npz_bytes, npz_path, plain, read_npz, to_json, write_whole
from ei_fast.training.columns import MEASURES
from ei_fast.training.contents import Contents
from ei_fast.training.weights import arrays_of, described, restored

_KIND, _FORMAT = "trajectory", 5


class Stored(ABC):
    """What is written to files and read from them as the arguments of its constructor."""

    @abstractmethod
    def __init__(self, **contents: Unpack[Contents]): ...

    @property
    @abstractmethod
    def contents(self) -> Contents:
        """The arguments of the constructor that make the same again."""

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
        contents = self.contents
        networks = contents["networks"]
        kept = [{"description": described(one), "arrays": arrays_of(one)} for one in networks or ()]
        values: dict[str, Any] = plain({**contents, "networks": None if networks is None else kept})
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
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

    def save(self, path: str | os.PathLike[str]) -> None:
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
        return npz_bytes(_arrays_of(self.contents))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
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
        with _damaged_otherwise(path):
            return cls(**_contents_of(arrays))


def _arrays_of(contents: Contents) -> dict[str, ArrayLike]:
    """The arrays of an ``.npz`` file, in its order."""
    arrays: dict[str, ArrayLike] = {f"measure/{name}": values for name, values in contents["measures"].items()}
    arrays |= {f"metric/{name}": values for name, values in contents["metrics"].items()}
    arrays |= {"kind": np.array(_KIND), "format": np.int64(_FORMAT), "steps": contents["steps"]}
    arrays |= {"layers": np.array(contents["layers"], dtype=str), "provenance": to_json(contents["provenance"])}
    arrays |= {"flags": to_json(contents["flags"]), "layer_ranges": to_json(contents["layer_ranges"])}
    if contents["runs"] is not None:
        arrays["runs"] = np.array(contents["runs"], dtype=str)
    networks = contents["networks"]
    if networks is not None:
        arrays["networks"] = to_json([described(network) for network in networks])
        for t, network in enumerate(networks):
            arrays |= {f"network{t}/{key}": array for key, array in arrays_of(network).items()}
    return arrays


def _provenance_in(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of a file; those of older versions have the ranges of several runs under another name."""
    provenance: dict[str, Any] = from_json(arrays["provenance"])
    if isinstance(provenance.get("ranges"), Mapping):
        provenance["ranges_of_runs"] = provenance.pop("ranges")
    return provenance


def _contents_of(arrays: Mapping[str, Any]) -> Contents:
    """What `_arrays_of` made arrays of; files of older formats lack some of them."""
    ranges = from_json(arrays["layer_ranges"]) if "layer_ranges" in arrays else None
    return {
        "steps": arrays["steps"],
        "layers": arrays["layers"].tolist(),
        "measures": {name: arrays[f"measure/{name}"] for name in MEASURES if f"measure/{name}" in arrays},
        "metrics": {key.removeprefix("metric/"): array for key, array in arrays.items() if key.startswith("metric/")},
        "provenance": _provenance_in(arrays),
        "runs": arrays["runs"].tolist() if "runs" in arrays else None,
        "flags": from_json(arrays["flags"]) if "flags" in arrays else None,
        "layer_ranges": None if ranges is None else ranges_from(ranges),
        "networks": _networks_in(arrays),
    }


def _networks_in(arrays: Mapping[str, Any]) -> tuple[Network, ...] | None:
    if "networks" not in arrays:
        return None
    found = []
    for t, description in enumerate(from_json(arrays["networks"])):
        start = f"network{t}/"
        own = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
        found.append(restored(description, own))
    return tuple(found)


@contextmanager
def _damaged_otherwise(path: Path) -> Iterator[None]:
    """Raise ValueError that calls the file damaged where what it holds makes no trajectory."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The file {str(path)!r} is a damaged trajectory: {error!r}. Record it again.") from error


def checked_path(path: str | os.PathLike[str]) -> Path:
    """The path of a trajectory's file."""
    return npz_path(path, f"The path of a trajectory must end in .npz. Got {str(path)!r} instead.")
