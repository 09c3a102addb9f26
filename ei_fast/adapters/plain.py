"""Networks that are all of their model: what their layers see of examples is found by running them in a row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.bins import Range
from ei_fast.network.network import Network

_RULE = "The 'example_inputs' parameter of as_network must be numbers (rows, n_in)"


def seen_by_layers(network: Network, examples: Any) -> Network:
    """The network with the ranges that its layers see on examples, where there are some.

    Raises
    ------
    TypeError, ValueError
        Where the network cannot be run on them.
    """
    if examples is None:
        return network
    if network.restarts or any(layer.patch for layer in network):
        raise ValueError(
            "The 'example_inputs' parameter of as_network takes layers that feed each other one for one. Got a network "
            "whose layers are parts of a model, or patches of an image. Pass the model that it was read from, which "
            "runs on them."
        )
    x = _rows(examples, network[0].n_in)
    ends: list[tuple[Range, Range] | None] = []
    for layer in network:
        with np.errstate(over="ignore", invalid="ignore"):
            y = layer(x) if np.isfinite(x).all() else np.full((len(x), layer.n_out), np.nan)
        finite = np.isfinite(x).all() and np.isfinite(y).all()
        ends.append((_hull(x), _hull(y)) if finite else None)
        x = y
    return network.with_seen(ends)


def _hull(values: NDArray[np.float64]) -> Range:
    return float(values.min()), float(values.max())


def _rows(examples: Any, n_in: int) -> NDArray[np.float64]:
    detached = examples.detach().cpu() if hasattr(examples, "detach") else examples
    array = np.asarray(detached)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{_RULE}. Got {type(examples).__name__} instead. Convert it to an array of numbers.")
    if array.ndim != 2 or array.shape[1] != n_in or not len(array):
        raise ValueError(
            f"{_RULE}, at least one row of the {n_in} inputs of the first layer. Got the shape {array.shape} instead. "
            "Give it as many columns."
        )
    return array.astype(np.float64)
