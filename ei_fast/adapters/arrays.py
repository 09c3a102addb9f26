"""Layers from plain arrays, in lists and in dicts."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ei_fast.network.activations import Activation
from ei_fast.network.layer import Function, Layer

_ACCEPTED = (
    "a Network, a Layer, a Function, a 2-D weight array (n_in, n_out), a list of them or of "
    "(weight, bias, activation) tuples, a dict of arrays, or the path of an .npz file"
)


def layers_from_arrays(model: Any, activation: Any) -> list[Layer | Function]:
    """Layers of a bare array, or of a list of arrays, tuples and layers."""
    if not isinstance(model, (list, tuple)):
        if _ndim(model) != 2:
            shape = getattr(model, "shape", None)
            got = type(model).__name__ if shape is None else f"{type(model).__name__} of shape {tuple(shape)}"
            raise (TypeError if shape is None else ValueError)(f"A model must be {_ACCEPTED}. Got {got} instead.")
        return [Layer(model, activation=one, name="layer0") for one in _one_each(activation, 1)]
    if not model:
        raise ValueError(f"A model must be {_ACCEPTED}. Got an empty {type(model).__name__} instead.")
    if _is_layer_tuple(model) or (_ndim(model) == 2 and not any(_is_layer_like(entry) for entry in model)):
        # One layer written down directly: (weight, bias, ...) or nested lists of numbers.
        model = [model if isinstance(model, tuple) and _is_layer_tuple(model) else np.asarray(model)]
    layers: list[Layer | Function] = []
    for index, (entry, own) in enumerate(zip(model, _one_each(activation, len(model)), strict=True)):
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


def layers_from_mapping(arrays: Mapping[str, Any], activation: Any) -> list[Layer | Function]:
    """Layers of a dict: ``w0, b0, ...``, ``"<layer>.weight"`` or ``"<layer>/kernel"``."""
    entries = dict(arrays)
    if "activation" in entries:
        stated = np.asarray(entries.pop("activation"))
        if stated.dtype.kind != "U" or stated.ndim > 1:
            raise TypeError(f"The entry 'activation' must be one name or one a layer. Got {stated!r} instead.")
        activation = stated.tolist()
    numbered = sorted((int(key[1:]), key) for key in entries if re.fullmatch(r"w\d+", str(key)))
    if numbered:
        if [k for k, _ in numbered] != list(range(len(numbered))):
            raise ValueError(
                f"Weights must be named w0, w1, ... without a gap. Got {[key for _, key in numbered]} instead."
            )
        found = [(f"layer{k}", key, f"b{k}") for k, key in numbered]
        weight_of: Callable[[Any], ArrayLike] = np.asarray
    elif any(str(key).endswith("kernel") for key in entries):
        found = [
            (_stem(key, "kernel"), key, f"{key[: -len('kernel')]}bias")
            for key in entries
            if str(key).endswith("kernel")
        ]
        weight_of = np.asarray
    else:
        found = [
            (_stem(key, "weight"), key, f"{key[: -len('weight')]}bias")
            for key in entries
            if str(key).endswith("weight")
        ]
        weight_of = _transposed
    known = {key for _, *keys in found for key in keys}
    unknown = [key for key in entries if key not in known]
    if not found or unknown:
        what = f"Got {unknown[0]!r} instead, which belongs to none." if unknown else "Got none instead."
        raise ValueError(
            "A dict or .npz file must hold weights w0, w1, ... (n_in, n_out) with optional b0, b1, ..., or "
            "'<layer>.weight' (n_out, n_in) with '<layer>.bias', or '<layer>/kernel' (n_in, n_out) with "
            f"'<layer>/bias', and optionally 'activation'. {what} Leave out what is not a dense layer."
        )
    return [
        _layer(name, weight_of(entries[key]), entries.get(bias_key), None, default=own)
        for (name, key, bias_key), own in zip(found, _one_each(activation, len(found)), strict=True)
    ]


def _layer(name: str, weight: Any, bias: Any, activation: Any, *, default: Any) -> Layer:
    return Layer(weight, bias, default if activation is None else activation, name=name)


def check_activation(activation: Any) -> None:
    """Raise where `activation` is no activation, nor a sequence of them, whether it will be needed or not."""
    for one in activation if isinstance(activation, (list, tuple, np.ndarray)) else [activation]:
        if not isinstance(one, (str, Activation)):
            raise TypeError(
                "The 'activation' parameter must be a name, an Activation or a sequence of them. "
                f"Got {activation!r} instead. A function of your own is Activation(function, codomain)."
            )
        Activation(one)


def _one_each(activation: Any, n_layers: int) -> Sequence[Any]:
    """The `activation` parameter spread over the layers: one for all, or one for each."""
    if isinstance(activation, (str, Activation)):
        return [activation] * n_layers
    if len(activation) != n_layers:
        raise ValueError(
            f"The 'activation' parameter must be one name or one for each of the {n_layers} layers. "
            f"Got {len(activation)} names instead."
        )
    return list(activation)


def _stem(key: str, suffix: str) -> str:
    return key[: -len(suffix)].rstrip("./") or suffix


def _transposed(weight: Any) -> ArrayLike:
    weight = np.asarray(weight)
    return weight.T if weight.ndim == 2 else weight


def _ndim(values: Any) -> int | None:
    """Dimensions of something like an array of numbers; None where it is not."""
    if hasattr(values, "ndim"):
        return int(values.ndim)
    try:
        array = np.asarray(values)
    except ValueError:
        return None
    return array.ndim if array.dtype.kind in "fiubcO" and array.ndim else None


def _is_layer_like(entry: Any) -> bool:
    return isinstance(entry, (Layer, Function)) or (hasattr(entry, "ndim") and entry.ndim == 2)


def _is_layer_tuple(entry: Any) -> bool:
    """Whether `entry` reads as (weight, bias) or (weight, bias, activation)."""
    if not isinstance(entry, tuple) or not 2 <= len(entry) <= 3 or isinstance(entry[0], (Layer, Function)):
        return False
    return _ndim(entry[0]) == 2 and (entry[1] is None or _ndim(entry[1]) == 1)
