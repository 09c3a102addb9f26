"""A small trainer: layers without bias, summed squared error, plain SGD, NumPy."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.layer import Layer

Array = NDArray[np.float64]

_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sigmoid": (lambda s: 1.0 / (1.0 + np.exp(-s)), lambda y: y * (1.0 - y)),
    "tanh": (np.tanh, lambda y: 1.0 - y * y),
    "relu": (lambda s: np.maximum(s, 0.0), lambda y: (y > 0.0).astype(np.float64)),
}
"""Each activation with its slope as a function of its own value."""


class DenseNetwork:
    """Dense layers without bias, weights uniform in ±1/sqrt(n_in), outputs by a sigmoid.

    Parameters
    ----------
    widths : sequence of int
        Numbers of neurons from the inputs to the outputs.
    seed : int
        Of the weights, and of the order in which rows come.
    hidden : str, default "sigmoid"
        Activation of the hidden layers: "sigmoid", "tanh" or "relu".

    Attributes
    ----------
    weights : list of ndarray (n_in, n_out)
    activations : list of str
        Of every layer.
    """

    def __init__(self, widths: Sequence[int], seed: int, hidden: str = "sigmoid"):
        self._rng = np.random.default_rng(seed)
        self.weights = [self._rng.uniform(-1.0, 1.0, (n_in, n_out)) / np.sqrt(n_in) for n_in, n_out in pairwise(widths)]
        self.activations = [hidden] * (len(self.weights) - 1) + ["sigmoid"]

    @property
    def layers(self) -> list[Layer]:
        """What is measured."""
        return [Layer(weight, None, name) for weight, name in zip(self.weights, self.activations, strict=True)]

    def outputs(self, inputs: Array) -> list[Array]:
        """`inputs` and the outputs of every layer, (rows, width) each."""
        values = [inputs]
        for weight, activation in zip(self.weights, self.activations, strict=True):
            values.append(_ACTIVATIONS[activation][0](values[-1] @ weight))
        return values

    def train_epoch(self, inputs: Array, targets: Array, batch: int, rate: float) -> None:
        """One pass over the rows in random order, a step of `rate` down the summed squared error a batch."""
        order = self._rng.permutation(len(inputs))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            values = self.outputs(inputs[rows])
            error = 2.0 * (values[-1] - targets[rows])
            for k in range(len(self.weights) - 1, -1, -1):
                error *= _ACTIVATIONS[self.activations[k]][1](values[k + 1])
                gradient = values[k].T @ error
                if k:
                    error = error @ self.weights[k].T
                self.weights[k] -= rate * gradient

    def loss(self, inputs: Array, targets: Array) -> float:
        """Squared error of a row, summed over the outputs and averaged over the rows."""
        return float(((self.outputs(inputs)[-1] - targets) ** 2).sum(axis=1).mean())

    def accuracy(self, inputs: Array, targets: Array) -> float:
        """Share of rows whose largest output is the target's."""
        return float((self.outputs(inputs)[-1].argmax(axis=1) == targets.argmax(axis=1)).mean())
