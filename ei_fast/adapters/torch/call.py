"""Functions of PyTorch as they are called, and the tensors that they are given."""

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Call:
    """A function that a model calls.

    Attributes
    ----------
    function : callable
        Of PyTorch: a function, a method or an operator.
    args : tuple
    kwargs : dict
    at : int
        Which of the arguments is the first value that depends on the model's input; -1 where that is none of `args`.
    """

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: int = 0

    @property
    def name(self) -> str:
        """Of the function, see `plain_name`."""
        return plain_name(self.function)

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All that it was given."""
        return tensors_in((self.args, self.kwargs))

    def given(self, position: int, key: str, default: Any = None) -> Any:
        """An argument, by its position or its name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(key, default)

    @property
    def x(self) -> Any:
        """The argument that depends on the model's input."""
        return self.given(self.at, "input")

    def in_order(self) -> "Call":
        """With its arguments in the order that `torch.nn.functional` has: ATen's batch norm takes the weights first."""
        is_atens = self.name == "batch_norm" and getattr(self.function, "__module__", None) != "torch.nn.functional"
        if not is_atens or len(self.args) <= 4:
            return self
        return replace(self, args=(self.args[0], *self.args[3:5], *self.args[1:3], *self.args[5:]))


_SAME_AS = {
    **{"truediv": "div", "true_divide": "div", "divide": "div"},
    **{"subtract": "sub", "multiply": "mul", "negative": "neg"},
}
"""Functions that have two names."""


def plain_name(function: Any) -> str:
    """The name of a function without what tells methods, operators and in-place versions apart."""
    name = str(getattr(function, "__name__", function))
    if isinstance(function, torch._ops.OpOverload):
        # As "relu.default": what follows tells of which types its arguments are.
        name = name.partition(".")[0]
    name = name.strip("_")
    # An in-place operator: iadd; a reflected one: radd, of which only rsub and rtruediv are not the same.
    if name in ("iadd", "isub", "imul", "itruediv", "imatmul", "radd", "rmul"):
        name = name[1:]
    return _SAME_AS.get(name, name)


def tensors_in(values: Any) -> list[torch.Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(values, torch.Tensor):
        return [values]
    if is_dataclass(values) or isinstance(values, SimpleNamespace):
        values = vars(values) if hasattr(values, "__dict__") else {}
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in tensors_in(value)]
    return []


def numbers_of(tensor: torch.Tensor, copy: bool = True) -> NDArray[np.floating]:
    """The values as NumPy has them; of complex numbers the real part, since no layer reads them."""
    dense = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    dtype = torch.float32 if dense.dtype == torch.float32 else torch.float64
    return (dense.real if dense.is_complex() else dense).cpu().to(dtype, copy=copy).numpy()
