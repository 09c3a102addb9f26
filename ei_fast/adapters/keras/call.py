"""Operations of Keras as they are called."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import (
    Operation,
)
from ei_fast.adapters.keras.numbers import as_numbers

Steps = list[tuple[Operation, Any]]
"""What an operation does, one after the other, and what each of them gives."""


@dataclass(frozen=True, eq=False)
class Call:
    """An operation on tensors, of which some depend on what goes into the model.

    Attributes
    ----------
    op : keras.Operation
    args, kwargs
        What it was called with.
    at : tuple of int
        Which of the arguments depend on the model's input.
    output : tensor
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: tuple[int, ...]
    output: Any

    @property
    def kind(self) -> str:
        """The operation's name."""
        return type(self.op).__name__

    @property
    def x(self) -> Any:
        """The first tensor that depends on the model's input."""
        return self.args[self.at[0]]

    @property
    def n_axes(self) -> int:
        return len(self.x.shape)

    def constant(self, position: int, name: str) -> NDArray[np.float64] | None:
        """An argument that does not depend on the model's input; None where there is none."""
        value = self.args[position] if len(self.args) > position else self.kwargs.get(name)
        if value is None or position in self.at:
            return None
        return np.asarray(as_numbers(value) if hasattr(value, "shape") else value, dtype=np.float64)


def done(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation gives.

    Called alone, a transposed convolution takes its padding for another parameter.
    """
    if type(op).__name__ != "ConvTranspose":
        return op.call(*args, **kwargs)
    return keras.ops.conv_transpose(
        *args, **kwargs, strides=op.strides, padding=op.padding, output_padding=op.output_padding,
        data_format=op.data_format, dilation_rate=op.dilation_rate
    )  # fmt: skip
