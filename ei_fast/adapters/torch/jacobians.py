"""The Jacobian of a module of PyTorch, by automatic differentiation of a copy of it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

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
        self._name = type(model).__name__

    def __call__(self, x: Array) -> Array:
        """Outputs (s, n_out) at the inputs `x` (s, n_in)."""
        with torch.no_grad():
            return np.asarray(self._outputs(torch.from_numpy(x)).numpy(), np.float64)

    def jacobian(self, x: Array) -> Array:
        """Jacobians (s, n_out, n_in) at the inputs `x` (s, n_in).

        Samples do not see each other, so that the gradient of the sum of an output over all of them is a row of the
        Jacobian of each.
        """
        inputs = torch.from_numpy(x).clone().requires_grad_(True)
        with torch.enable_grad():
            outputs = self._outputs(inputs)
            if not outputs.requires_grad:
                return np.zeros((len(x), outputs.shape[1], x.shape[1]))
            rows = [torch.autograd.grad(y.sum(), inputs, retain_graph=True)[0] for y in outputs.unbind(1)]
        return np.asarray(torch.stack(rows, 1).numpy(), np.float64)

    def _outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs = self._model(inputs.reshape(len(inputs), *self._shape))
        if not isinstance(outputs, torch.Tensor) or not outputs.is_floating_point() or len(outputs) != len(inputs):
            raise TypeError(
                f"{self._name} must return one tensor of real numbers with a row for each sample. Got "
                f"{type(outputs).__name__} instead. Give a module that returns the one that is to be measured."
            )
        return outputs.reshape(len(inputs), -1)
