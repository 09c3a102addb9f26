"""Sums of products over indices in Keras that are dense maps, as those of EinsumDense."""

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import Same
from ei_fast.adapters.graph.contractions import dense_of, flat_shapes
from ei_fast.adapters.keras.call import Call, Steps
from ei_fast.adapters.keras.numbers import as_numbers


def contraction(call: Call) -> Steps | None:
    """The dense map that a sum of products is of the one argument that depends on the model's input, if it is one.

    Several axes of what goes in, or of what comes out, may stand for the neurons of the map.
    """
    x, y, [at] = call.x, call.output, call.at
    dtype = keras.backend.standardize_dtype(x.dtype)
    before, after = as_numbers(x), as_numbers(y)

    def run(values: NDArray[np.floating]) -> NDArray[np.floating]:
        given = keras.ops.convert_to_tensor(values.reshape(-1, *before.shape[1:]), dtype)
        made = as_numbers(call.op.call(*(given if k == at else arg for k, arg in enumerate(call.args)), **call.kwargs))
        return made.reshape(len(made), *shapes[1][1:])

    shapes: tuple[tuple[int, ...], tuple[int, ...]] = before.shape, after.shape
    dense = dense_of(run, before, after)
    if dense is not None:
        return [(dense, y)]
    flat = flat_shapes(before.shape, after.shape)
    if flat is None:
        return None
    shapes = flat
    dense = dense_of(run, before.reshape(flat[0]), after.reshape(flat[1]))
    if dense is None:
        return None
    return [(Same(), keras.ops.reshape(x, flat[0])), (dense, keras.ops.reshape(y, flat[1])), (Same(), y)]
