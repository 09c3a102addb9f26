"""Modules that are measured as one map each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in
from ei_fast.adapters.torch.operations import BOUNDED, meaning_of
from ei_fast.adapters.torch.recurrent import is_projected
from ei_fast.network.bins import Range


@dataclass
class RunBlock:
    """A module as the function of a `Function`."""

    module: nn.Module
    shape: tuple[int, ...]
    more: tuple[Any, ...]
    dtype: torch.dtype

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        # Copies: the module may write to what goes in, and use again what came out.
        rows = torch.from_numpy(np.array(x)).to(self.dtype).reshape(len(x), *self.shape)
        with torch.no_grad():
            y = tensors_in(self.module(rows, *self.more))[0]
        return numbers_of(y.reshape(len(x), -1)).astype(np.float64, copy=False)


def ends_of_block(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: Sequence[torch.Tensor], result: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """What goes into a block and what comes out of it.

    Parameters
    ----------
    args, kwargs
        What it was called with.
    inputs : sequence of tensor
        Those among them that depend on the model's input.
    result
        What it returned.

    Raises
    ------
    ValueError
        Where it is no map from rows to rows.
    """
    if len(inputs) != 1 or kwargs or not args or inputs[0] is not args[0]:
        raise ValueError(
            f"The block {name!r} must be called with one value that depends on the model's input, as its first "
            f"argument and without keywords. Got {len(inputs)} such values, {len(args)} arguments and "
            f"{len(kwargs)} keywords instead. Name the module around it."
        )
    outputs = tensors_in(result)
    if not outputs or outputs[0].shape[:1] != inputs[0].shape[:1]:
        got = tuple(outputs[0].shape) if outputs else type(result).__name__
        raise ValueError(
            f"The block {name!r} must map rows to rows. Got {got} for {tuple(inputs[0].shape)} instead. "
            "Name the module around it."
        )
    return inputs[0], outputs[0]


def bounded_by(y: torch.Tensor, steps: Sequence[tuple[Call, torch.Tensor]]) -> Range | None:
    """The range that the last step of a block has whatever goes in, if it has one."""
    last = next((call for call, tensor in reversed(steps) if tensor is y), None)
    if last is None:
        return None
    if last.name in BOUNDED:
        # Of a cell's outputs the first; its state has no such range.
        first = next(tensor for call, tensor in steps if call is last)
        return BOUNDED[last.name] if first is y and not is_projected(last) else None
    does = meaning_of(last, y)
    low, high = getattr(getattr(does, "activation", None), "codomain", (-np.inf, np.inf))
    return (low, high) if np.isfinite(low) and np.isfinite(high) else None
