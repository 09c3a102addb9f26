"""Networks as plain arrays and text, and back: what a trajectory keeps of each record to be measured anew."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ei_fast.network.activations import Activation
from ei_fast.network.bins import ranges_from
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network
from ei_fast.runtime.files import plain


def check_can_be_kept(network: Network) -> None:
    """Raise ValueError where a layer is more than arrays and a named activation."""
    for index, layer in enumerate(network):
        if not isinstance(layer, Layer) or not layer.activation.is_named:
            what = "has an activation of your own" if isinstance(layer, Layer) else "is a Function"
            raise ValueError(
                f"keep_weights=True keeps weights and activations known by name. Layer {index} ({layer.name!r}) "
                f"{what}, which a file cannot hold. Record without keep_weights."
            )


def described(network: Network) -> dict[str, Any]:
    """All of a network but its weights, as plain values."""
    layers = [
        {
            "name": layer.name,
            "activation": layer.activation.name,
            "params": layer.activation.params,
            "out_range": layer.out_range,
            "in_range": layer.in_range,
            "patch": layer.patch,
            "per_position": layer.per_position,
        }
        for layer in network
        if isinstance(layer, Layer)
    ]
    description: dict[str, Any] = plain(
        {
            "layers": layers,
            "in_range": network.in_range,
            "restarts": sorted(network.restarts),
            "skipped": network.skipped,
        }
        | ({"seen": network.seen} if network.seen else {})
    )
    return description


def arrays_of(network: Network) -> dict[str, np.ndarray]:
    """Weights and biases by the number of the layer: ``w0``, ``b0``, ``w1``, ..."""
    arrays: dict[str, np.ndarray] = {}
    for k, layer in enumerate(network):
        assert isinstance(layer, Layer)
        arrays |= {f"w{k}": layer.weight, f"b{k}": layer.bias}
    return arrays


def restored(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Network:
    """The network that `described` and `arrays_of` were made of."""
    layers = [
        Layer(
            arrays[f"w{k}"],
            arrays[f"b{k}"],
            Activation(one["activation"], **one["params"]),
            one["name"],
            None if one["out_range"] is None else ranges_from(one["out_range"]),
            None if one["in_range"] is None else ranges_from(one["in_range"]),
            one["patch"],
            # Older files know no positions.
            one.get("per_position", False),
        )
        for k, one in enumerate(description["layers"])
    ]
    skipped = [(str(name), str(reason)) for name, reason in description["skipped"]]
    # What older versions have kept knows nothing of it.
    seen = [None if one is None else ranges_from(one) for one in description.get("seen", ())]
    in_range = ranges_from(description["in_range"])
    return Network(layers, in_range, description["restarts"], skipped=skipped, seen=seen)
