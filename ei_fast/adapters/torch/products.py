"""Products whose weights come first, W @ x, as some models write a linear layer of values (features, times)."""

import numpy as np
import torch

from ei_fast.adapters.graph import Dense, Same
from ei_fast.adapters.torch.call import Call, numbers_of


def weights_first(call: Call, made: torch.Tensor) -> Dense | None:
    """The dense map over the last axis but one that a product is of its second operand, if it is one."""
    if call.name != "matmul" or len(call.args) != 2 or call.at != 1 or call.kwargs:
        return None
    weight, x = call.args
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2 or x.dim() != 3 or made.shape[:1] != x.shape[:1]:
        return None
    own = numbers_of(weight).astype(np.float64, copy=False)
    return Dense(own.T, np.zeros(len(own)))


def turned(tensor: torch.Tensor) -> tuple[Same, torch.Tensor]:
    """What swaps the two axes of a sample, and the tensor behind it."""
    n, m = tensor.shape[1:]
    return Same(np.arange(n * m).reshape(n, m).T), tensor.transpose(1, 2).contiguous()
