"""Layers that are measured as one map each."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.keras.numbers import as_numbers


@dataclass
class RunBlock:
    """A layer as the function of a `Function`."""

    layer: keras.Layer
    shape: tuple[int, ...]
    more: tuple[Any, ...]
    also: dict[str, Any]
    dtype: str
    as_it_is: Callable[[], AbstractContextManager[None]]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = keras.ops.convert_to_tensor(x.reshape(len(x), *self.shape), self.dtype)
        with self.as_it_is():
            y = keras.tree.flatten(self.layer(rows, *self.more, **self.also))[0]
        return as_numbers(y).reshape(len(x), -1).astype(np.float64, copy=False)
