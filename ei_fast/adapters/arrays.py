"""Layers from plain arrays, one or in a list."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ei_fast.adapters.given import Given
from ei_fast.adapters.plain import seen_by_layers
from ei_fast.network.activations import Activation
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network
from ei_fast.network.torch_modules import named_by_module

_ACCEPTED = (
    "a Network, a Layer, a Function, a 2-D weight array (n_in, n_out), a list of them or of "
    "(weight, bias, activation) tuples, a dict of arrays, or the path of a file of weights"
)


def read(model: Any, given: Given) -> Network:
    """The network that is given as one, or as layers or arrays."""
    if isinstance(model, Network):
        is_its_own = given.in_range is None or given.range_of_inputs == model.in_range
        return seen_by_layers(model if is_its_own else model.over(given.range_of_inputs), given.example_inputs)
    layers = [model] if isinstance(model, (Layer, Function)) else layers_from_arrays(model, given.activation)
    return seen_by_layers(Network(layers, given.range_of_inputs), given.example_inputs)


def layers_from_arrays(model: Any, activation: Any) -> list[Layer | Function]:
    """Layers of a bare array, or of a list of arrays, tuples and layers."""
    if not isinstance(model, (list, tuple)):
        if _ndim(model) != 2:
            shape = getattr(model, "shape", None)
            got = type(model).__name__ if shape is None else f"{type(model).__name__} of shape {tuple(shape)}"
            raise (TypeError if shape is None else ValueError)(f"A model must be {_ACCEPTED}. Got {got} instead.")
        return [Layer(model, activation=one, name="layer0") for one in one_each(activation, 1)]
    if not model:
        raise ValueError(f"A model must be {_ACCEPTED}. Got an empty {type(model).__name__} instead.")
    if _is_layer_tuple(model) or (_ndim(model) == 2 and not any(_is_layer_like(entry) for entry in model)):
        # One layer written down directly: (weight, bias, ...) or nested lists of numbers.
        model = [model if isinstance(model, tuple) and _is_layer_tuple(model) else list(model)]
    layers: list[Layer | Function] = []
    for index, (entry, own) in enumerate(zip(model, one_each(activation, len(model)), strict=True)):
        if isinstance(entry, (Layer, Function)):
            layers.append(entry)
        elif isinstance(entry, tuple) and _is_layer_tuple(entry):
            layers.append(_layer(f"layer{index}", entry[0], *(*entry[1:], None, None)[:2], default=own))
        elif isinstance(entry, tuple):
            raise TypeError(
                f"Entry {index} of the model must be (weight, bias) or (weight, bias, activation), "
                f"weight 2-D and bias 1-D or None. Got a tuple of {len(entry)} instead."
            )
        else:
            layers.append(_layer(f"layer{index}", entry, None, None, default=own))
    return layers


def _layer(name: str, weight: Any, bias: Any, activation: Any, *, default: Any) -> Layer:
    return Layer(weight, bias, default if activation is None else activation, name=name)


def checked_activation(activation: Any) -> Any:
    """The `activation` parameter, modules of PyTorch in it as the activations that they are.

    Raises
    ------
    TypeError, ValueError
        Where it is no activation, nor a sequence of them, whether it will be needed or not.
    """
    is_sequence = isinstance(activation, (list, tuple, np.ndarray))
    found = [
        one if named_by_module(one) is None else Activation(one)
        for one in (activation if is_sequence else [activation])
    ]
    for one in found:
        if not isinstance(one, (str, Activation)):
            raise TypeError(
                "The 'activation' parameter must be a name, an Activation or a sequence of them. "
                f"Got {activation!r} instead. A function of your own is Activation(function, codomain)."
            )
        Activation(one)
    return found if is_sequence else found[0]


def one_each(activation: Any, n_layers: int) -> Sequence[Any]:
    """The `activation` parameter spread over the layers: one for all, or one for each."""
    if isinstance(activation, (str, Activation)):
        return [activation] * n_layers
    if len(activation) != n_layers:
        raise ValueError(
            f"The 'activation' parameter must be one name or one for each of the {n_layers} layers. "
            f"Got {len(activation)} names instead."
        )
    return list(activation)


def _ndim(values: Any) -> int | None:
    """Dimensions of something like an array of numbers; None where it is not."""
    if hasattr(values, "ndim"):
        return int(values.ndim)
    try:
        array = np.asarray(values)
    except (RuntimeError, TypeError, ValueError):
        # Ragged, or tensors that NumPy does not take as they are.
        return None
    return array.ndim if array.dtype.kind in "fiubcO" and array.ndim else None


def _is_layer_like(entry: Any) -> bool:
    return isinstance(entry, (Layer, Function)) or (hasattr(entry, "ndim") and entry.ndim == 2)


def _is_layer_tuple(entry: Any) -> bool:
    """Whether `entry` reads as (weight, bias) or (weight, bias, activation)."""
    if not isinstance(entry, tuple) or not 2 <= len(entry) <= 3 or isinstance(entry[0], (Layer, Function)):
        return False
    return _ndim(entry[0]) == 2 and (entry[1] is None or _ndim(entry[1]) == 1)
