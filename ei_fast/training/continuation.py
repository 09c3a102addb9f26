"""What it takes to go on with a recording in a file: the file for oneself, and the settings it was made with."""

from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import ei_fast
from ei_fast.estimator import EffectiveInformation
from ei_fast.files import plain, remove_unfinished
from ei_fast.intervention.streams import resolve_seed
from ei_fast.network.network import Network
from ei_fast.settings import OWNER, Frozen
from ei_fast.training.trajectory import Trajectory

Widths = list[tuple[str, int, int]]


FREE = ("n_jobs", "verbose", "random_state")
"""Parameters that may change from one run to the next: they change no figure, or the seed is known anyway."""


def widths_of(network: Network) -> Widths:
    """Name and widths of every layer."""
    return [(str(layer.name), layer.n_in, layer.n_out) for layer in network]


def provenance_of(estimator: EffectiveInformation, frozen: Frozen, widths: Widths) -> dict[str, Any]:
    """How a recording is made, as plain values: all that `continued` needs to know."""
    return {
        "ei_fast": ei_fast.__version__,
        "parameters": plain(estimator.get_params(deep=False)),
        "seed": frozen.seed,
        "ranges": plain(frozen.ranges),
        "layers": plain(widths),
    }


def taken(path: Path) -> FileLock:
    """A lock on the file, which the system lets go of when the process ends, however it does.

    Raises
    ------
    ValueError
        Where another recorder has it.
    """
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"The 'path' parameter of Recorder must be a file that no other recorder has open. Got {str(path)!r} "
            "instead. Close the other one, or give this one another file."
        ) from None
    remove_unfinished(path)
    return lock


def continued(trajectory: Trajectory, estimator: EffectiveInformation, named: str) -> tuple[Frozen, Widths]:
    """The ranges, seed and layers that a trajectory was recorded with; `named` says which it is.

    Raises
    ------
    ValueError
        Where it was recorded with other settings, naming the first that differs.
    """
    known = trajectory.provenance
    try:
        ranges = tuple(((a, b), (c, d)) for (a, b), (c, d) in known["ranges"])
        frozen = Frozen(ranges, int(known["seed"]))
        widths = [(str(name), int(n_in), int(n_out)) for name, n_in, n_out in known["layers"]]
        before = dict(known["parameters"]) | {"ei_fast": known["ei_fast"]}
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{named} does not say how it was recorded, and cannot be continued. Begin anew.") from None
    now = plain(estimator.get_params(deep=False)) | {"ei_fast": ei_fast.__version__}
    differing = [name for name in now if name not in FREE and now[name] != before.get(name)]
    if estimator.random_state is not None and resolve_seed(estimator.random_state, OWNER) != frozen.seed:
        differing.append("random_state")
    if differing:
        name = differing[0]
        raise ValueError(
            f"{named} was recorded with {name}={before.get(name)!r}, and cannot be continued with "
            f"{name}={now[name]!r}. Use the same settings, or begin anew."
        )
    return frozen, widths
