"""Products of groups of rows, each with a matrix of its own, as mixtures of experts have them."""

from collections.abc import Iterator

import numpy as np
import torch

from ei_fast.adapters.graph import Dense
from ei_fast.adapters.torch.call import Call, numbers_of

_GROUPED = {"grouped_mm", "grouped_mm_fallback"}

Expert = tuple[Dense, torch.Tensor, torch.Tensor]
"""The map of an expert, rows that it reads, and what the product makes of these."""


def weights_of_experts(call: Call) -> torch.Tensor | None:
    """The matrices (experts, n_in, n_out) of a product of groups of rows; None where it is no such product."""
    if call.name not in _GROUPED:
        return None
    x, weights, ends = call.given(0, "input"), _weights(call), _ends(call)
    tensors = all(isinstance(one, torch.Tensor) for one in (x, weights, ends))
    if not tensors or (x.dim(), weights.dim(), ends.dim()) != (2, 3, 1) or len(ends) != len(weights) or not len(x):
        return None
    return weights if call.given(3, "bias") is None else None


def experts(call: Call, made: torch.Tensor) -> Iterator[Expert]:
    """Every expert, with the rows that were sent to it.

    One to which none was sent is run on all rows: what it is depends not on what is sent to it.
    """
    x, weights, start = call.given(0, "input"), _weights(call), 0
    for k, end in enumerate(_ends(call).tolist()):
        rows, of_rows = x[start:end], made[start:end]
        if not len(rows):
            rows, of_rows = x, _all_to(k, call)
        matrix = numbers_of(weights[k]).astype(np.float64)
        yield Dense(matrix, np.zeros(matrix.shape[1])), rows, of_rows
        start = end


def _weights(call: Call) -> torch.Tensor:
    weights: torch.Tensor = call.given(1, "mat2", call.kwargs.get("weight"))
    return weights


def _ends(call: Call) -> torch.Tensor:
    ends: torch.Tensor = call.given(2, "offs")
    return ends


def _all_to(k: int, call: Call) -> torch.Tensor:
    """What the product makes where all rows are sent to one expert."""
    x, ends = call.given(0, "input"), torch.zeros_like(_ends(call))
    ends[k:] = len(x)
    made: torch.Tensor = call.function(x, _weights(call), offs=ends)
    return made
