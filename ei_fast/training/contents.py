"""What a trajectory is made of: the arguments of its constructor, and what these may be."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.network import Network
from ei_fast.results.report import Report
from ei_fast.training.columns import MEASURES, column_of, measures_of
from ei_fast.training.ranges import LayerRanges
from ei_fast.validation import without_gradient

_MAX_STEP = 2**63 - 1


class Contents(TypedDict):
    """What a `Trajectory` has, by the names of the arguments of its constructor."""

    steps: NDArray[np.int64]
    layers: tuple[str, ...]
    measures: dict[str, NDArray[np.float64]]
    metrics: dict[str, NDArray[np.float64]]
    provenance: dict[str, Any]
    runs: tuple[str, ...] | None
    flags: tuple[tuple[tuple[str, ...], ...], ...] | None
    layer_ranges: tuple[LayerRanges, ...] | None
    networks: tuple[Network, ...] | None


def no_contents(layers: Sequence[str], provenance: Mapping[str, Any] | None = None) -> Contents:
    """What a trajectory without steps has."""
    return {
        "steps": np.empty(0, np.int64),
        "layers": tuple(layers),
        "measures": {name: np.empty((0, len(layers))) for name in MEASURES},
        "metrics": {},
        "provenance": dict(provenance or {}),
        "runs": None,
        "flags": (),
        "layer_ranges": None,
        "networks": None,
    }


def with_record(
    before: Contents, step: int, report: Report, metrics: Mapping[str, float], network: Network | None
) -> Contents:
    """What there is once a record has been added; a metric that one of them lacks is NaN there."""
    nothing = np.full(len(before["steps"]), np.nan)
    measured = measures_of(report)
    names = dict.fromkeys([*before["metrics"], *metrics])
    ranges = tuple((layer.in_range, layer.out_range) for layer in report)
    known = before["layer_ranges"]
    return {
        "steps": np.append(before["steps"], step),
        "layers": before["layers"],
        "measures": {name: np.vstack([values, measured[name]]) for name, values in before["measures"].items()},
        "metrics": {name: np.append(before["metrics"].get(name, nothing), metrics.get(name, np.nan)) for name in names},
        "provenance": before["provenance"],
        "runs": None,
        "flags": (*(before["flags"] or ()), tuple(layer.flags for layer in report)),
        # An older file does not say what the ranges of its steps are.
        "layer_ranges": None if known is None and len(nothing) else (*(known or ()), ranges),
        "networks": None if network is None else (*(before["networks"] or ()), network),
    }


Entry = TypeVar("Entry")


def at_steps(contents: Contents, at: NDArray[np.int64]) -> Contents:
    """What there is at the steps with these indices."""

    def those(entries: tuple[Entry, ...] | None) -> tuple[Entry, ...] | None:
        return None if entries is None else tuple(entries[t] for t in at)

    return {
        "steps": contents["steps"][at],
        "layers": contents["layers"],
        "measures": {name: values[at] for name, values in contents["measures"].items()},
        "metrics": {name: values[at] for name, values in contents["metrics"].items()},
        "provenance": contents["provenance"],
        "runs": those(contents["runs"]),
        "flags": those(contents["flags"]),
        "layer_ranges": those(contents["layer_ranges"]),
        "networks": those(contents["networks"]),
    }


def rows_of(contents: Contents, convention: str) -> list[dict[str, Any]]:
    """Rows of the table, one for each step and layer; the convention is that of their ranges."""
    runs, flags = contents["runs"], contents["flags"] or ()
    return [
        ({} if runs is None else {"run": runs[t]})
        | {"step": int(step), "layer": layer}
        | {name: float(values[t, k]) for name, values in contents["measures"].items()}
        | {"flags": ", ".join(flags[t][k]), "ranges": convention}
        | {column_of(name): float(values[t]) for name, values in contents["metrics"].items()}
        for t, step in enumerate(contents["steps"])
        for k, layer in enumerate(contents["layers"])
    ]


def whole_steps(steps: ArrayLike) -> NDArray[np.int64]:
    """Training steps as an array; ValueError where they are no integers that fit into it."""
    rule = "The 'steps' parameter of Trajectory must be integers that fit into 64 bits"
    values = np.asarray(without_gradient(steps))
    if not values.size:
        return np.empty(0, np.int64)
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.dtype.kind == "u" and values.max() > _MAX_STEP):
        raise ValueError(f"{rule}, (n_steps,). Got {steps!r}.")
    return values.astype(np.int64)


def of_shape(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """A measure or metric as an array of one shape; ValueError that names it where it has another."""
    array = np.asarray(without_gradient(values), dtype=np.float64)
    if not array.size and 0 in shape:
        return np.empty(shape)
    if array.shape != shape:
        axes = "(n_steps, n_layers)" if len(shape) == 2 else "(n_steps,)"
        hint = " Transpose it." if array.shape == shape[::-1] else ""
        raise ValueError(f"The measure or metric {name!r} must have shape {axes} = {shape}. Got {array.shape}.{hint}")
    return array


def check_contents(contents: Contents) -> None:
    """Raise ValueError where parts do not have one entry for each step and layer, or steps do not increase."""
    n_steps, n_layers = len(contents["steps"]), len(contents["layers"])
    flags, layer_ranges = contents["flags"], contents["layer_ranges"]
    listed: dict[str, Sequence[Any] | None] = {"runs": contents["runs"], "flags": flags}
    listed |= {"networks": contents["networks"], "layer_ranges": layer_ranges}
    for key, entries in listed.items():
        if entries is not None and len(entries) != n_steps:
            raise ValueError(f"The {key!r} parameter must have one for each of {n_steps} steps. Got {len(entries)}.")
    tables: dict[str, Sequence[Sequence[Any]]] = {"flags": flags or (), "layer_ranges": layer_ranges or ()}
    for key, table in tables.items():
        for t, of_step in enumerate(table):
            if len(of_step) != n_layers:
                raise ValueError(
                    f"The {key!r} parameter of Trajectory must have one for each of {n_layers} layers at every "
                    f"step. Got {len(of_step)} at index {t}."
                )
    _check_order(contents["steps"], contents["runs"])


def _check_order(steps: NDArray[np.int64], runs: Sequence[str] | None) -> None:
    """Raise ValueError where steps do not increase; within each run, where there are several, which are together."""
    again = [name for name, n in Counter(name for name, _ in groupby(runs or ())).items() if n > 1]
    if again:
        raise ValueError(
            f"The 'runs' parameter of Trajectory must have the steps of each run together. Got those of {again[0]!r} "
            "in several places. Put them in order, run by run."
        )
    rising = np.diff(steps) > 0
    if runs is not None:
        rising |= np.array([a != b for a, b in pairwise(runs)], dtype=bool)
    if not rising.all():
        at = int(np.flatnonzero(~rising)[0])
        raise ValueError(
            f"The 'steps' parameter of Trajectory must increase{' within each run' if runs is not None else ''}. "
            f"Got {steps[at]} and {steps[at + 1]} at index {at}."
        )
