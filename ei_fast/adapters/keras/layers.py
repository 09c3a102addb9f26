"""Layers of Keras that are not looked into, and what they do."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ei_fast.adapters.graph import (
    Affine,
    Operation,
    Unknown,
    no_layer,
)
from ei_fast.adapters.keras.attention import parts_of
from ei_fast.adapters.keras.numbers import as_numbers

_REPEATING = (keras.layers.RNN, keras.layers.TimeDistributed)
"""What calls a layer again and again, at every step of a sequence: no one operation of its own is a layer."""

_RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)


def meaning_of_layer(layer: keras.Layer) -> Operation | None:
    """What a layer does that is not looked into; None of any other.

    Those that prepare data call their backend and no operations; others have a reason to be no layer.
    """
    if isinstance(layer, _REPEATING):
        return Unknown(no_layer(type(layer).__name__, 1))
    if is_quantized(layer):
        return Unknown("its weights are quantized, and its inputs may be; name it in 'blocks' to measure it as one map")
    if isinstance(layer, keras.layers.Rescaling):
        scale, offset = (np.asarray(part, dtype=np.float64) for part in (layer.scale, layer.offset))
        of_channels = max(scale.ndim, offset.ndim) > 0
        channels_last = keras.config.image_data_format() == "channels_last"
        return None if of_channels and not channels_last else Affine(scale, offset)
    if isinstance(layer, keras.layers.Normalization):
        # Each with an axis for the rows.
        mean, variance = (as_numbers(part)[0].astype(np.float64) for part in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        return Affine(deviation, mean) if layer.invert else Affine(1 / deviation, -mean / deviation)
    return None


def is_quantized(layer: keras.Layer) -> bool:
    """Whether a layer holds codes in the place of weights."""
    return getattr(layer, "quantization_mode", None) is not None


def is_bounded(layer: keras.Layer) -> bool:
    """Whether a recurrent layer's outputs lie within (-1, 1): its activation's do, and its gates' within (0, 1)."""
    known = keras.activations
    gates = getattr(layer, "recurrent_activation", known.sigmoid)
    return (
        isinstance(layer, _RECURRENT)
        and layer.activation in (known.tanh, known.sigmoid)
        and gates in (known.sigmoid, known.hard_sigmoid)
    )


def call_of(layer: keras.Layer) -> Callable[..., Any]:
    """What Keras calls for a layer."""
    call: Callable[..., Any] = layer.quantized_call if is_quantized(layer) else layer.call
    return call


def named(layers: Sequence[keras.Layer], own: keras.Layer) -> dict[str, keras.Layer]:
    """Layers by name; one whose name another has as well by its path."""
    names = [layer.name for layer in layers]
    inside = parts_of(layers)

    def called(layer: keras.Layer) -> str:
        return (layer.path if names.count(layer.name) > 1 else "") or str(layer.name)

    result: dict[str, keras.Layer] = {}
    for layer in layers:
        outer = inside.get(id(layer))
        name = called(layer) if outer is None else f"{called(outer)}/{layer.name}"
        unique, use = name, 1
        while unique in result:
            use += 1
            unique = f"{name}#{use}"
        result[unique] = layer
    # A layer by itself is its own.
    return result or {own.name: own}
