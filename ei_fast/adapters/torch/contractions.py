"""Products over indices in PyTorch, as `einsum` and `tensordot` have them, whose vectors have several axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ei_fast.adapters.graph import Dense, Same
from ei_fast.adapters.graph.contractions import Contraction, dense_of, letters_of, letters_of_tensordot
from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in


@dataclass(frozen=True, eq=False)
class Contracted:
    """A product of a value with a constant, in three steps.

    Attributes
    ----------
    constant : tensor
    steps : list of (operation, tensor)
        What takes the vectors of the value together, the dense map of these, and what gives them their axes again; each
        with what it gives.
    """

    constant: torch.Tensor
    steps: list[tuple[Same | Dense, torch.Tensor]]


def over_last_axis(call: Call, x: torch.Tensor, made: torch.Tensor) -> Dense | None:
    """The dense map over the last axis that a sum of products is of the one value that it reads, if it is one."""
    if not x.is_floating_point():
        return None

    def replaced(values: Any, by: torch.Tensor) -> Any:
        if values is x:
            return by
        return type(values)(replaced(one, by) for one in values) if type(values) in (list, tuple) else values

    def run(values: NDArray[np.floating]) -> NDArray[np.floating]:
        of = torch.from_numpy(values).to(x.dtype)
        kwargs = {key: replaced(one, of) for key, one in call.kwargs.items()}
        return numbers_of(call.function(*replaced(call.args, of), **kwargs), copy=False)

    return dense_of(run, numbers_of(x), numbers_of(made))


def contracted(call: Call, x: torch.Tensor, made: torch.Tensor) -> Contracted | None:
    """The dense map that a product is of the one value that it reads; None where it is none."""
    operands = _operands(call)
    if operands is None or not x.is_floating_point():
        return None
    at = next((k for k, one in enumerate(operands) if one is x), None)
    if at is None or operands[1 - at] is x:
        return None
    constant = operands[1 - at]
    letters = _letters(call, operands)
    found = None if letters is None else Contraction.of(letters[at], letters[1 - at], letters[2])
    if found is None or not x.numel() or not made.numel() or x.shape[0] != made.shape[0]:
        return None
    given, gave, weights = numbers_of(x, copy=False), numbers_of(made, copy=False), numbers_of(constant, copy=False)
    dense = found.dense(weights)
    before, after = found.vectors(given, found.before), found.vectors(gave, found.after)
    if before.shape[-1] != dense.n_in or after.shape[-1] != dense.weight.shape[1]:
        # An axis of length 1 has been spread.
        return None
    size = np.abs(before).max() * np.abs(dense.weight).sum(axis=0).max()
    if not np.all(np.abs(before @ dense.weight - after) <= 1e-5 * size):
        return None
    to_vectors = Same(Contraction.order(x.shape[1:], found.before).reshape(before.shape[1:]))
    from_vectors = Same(Contraction.order(made.shape[1:], found.after, back=True))
    between = [torch.from_numpy(one.copy()).to(x.dtype) for one in (before, after)]
    return Contracted(constant, [(to_vectors, between[0]), (dense, between[1]), (from_vectors, made)])


def _operands(call: Call) -> Sequence[torch.Tensor] | None:
    """The two tensors that are multiplied."""
    found = tensors_in((call.args, call.kwargs))
    return found if call.name in ("einsum", "tensordot") and len(found) == 2 else None


def _letters(call: Call, operands: Sequence[torch.Tensor]) -> tuple[str, str, str] | None:
    """The indices of both, and of what they make."""
    n_axes = operands[0].dim(), operands[1].dim()
    if call.name == "einsum":
        equation = call.given(0, "equation")
        return letters_of(equation, n_axes) if isinstance(equation, str) else None
    axes = call.given(2, "dims", 2)
    if isinstance(axes, int):
        axes = list(range(n_axes[0] - axes, n_axes[0])), list(range(axes))
    elif len(axes) != 2 or not all(isinstance(one, (list, tuple)) for one in axes):
        return None
    positive = [[k % n for k in one] for one, n in zip(axes, n_axes, strict=True)]
    return letters_of_tensordot(n_axes, (positive[0], positive[1]))
