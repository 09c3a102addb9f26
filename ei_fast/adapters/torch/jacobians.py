"""The Jacobian of a module of PyTorch, by automatic differentiation of a copy of it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import jacfwd, jacrev, vmap

from ei_fast.adapters.torch.model import copied

Array = NDArray[np.float64]


class TorchMap:
    """The map of one flattened sample through a copy of a module, in double precision and evaluation mode.

    Parameters
    ----------
    model : torch.nn.Module
    shape : sequence of int
        Of one sample.
    """

    def __init__(self, model: nn.Module, shape: Sequence[int]):
        self._model = copied(model).double().requires_grad_(False)
        self._shape = tuple(shape)

    def _of_sample(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self._model(x.reshape(1, *self._shape))
        return y.reshape(-1)

    def __call__(self, x: Array) -> Array:
        """Outputs (s, n_out) at the inputs `x` (s, n_in)."""
        with torch.no_grad():
            y = self._model(torch.from_numpy(x).reshape(len(x), *self._shape))
            return np.asarray(y.reshape(len(x), -1).numpy(), np.float64)

    def jacobian(self, x: Array) -> Array:
        """Jacobians (s, n_out, n_in) at the inputs `x` (s, n_in)."""
        n_out = self(x[:1]).shape[1]
        # Reverse for few outputs, forward for few inputs.
        jacobian = jacrev if n_out <= x.shape[1] else jacfwd
        found = vmap(jacobian(self._of_sample))(torch.from_numpy(x))
        return np.asarray(found.detach().numpy(), np.float64)
