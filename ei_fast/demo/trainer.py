"""A small trainer: sigmoid layers without bias, summed squared error, plain SGD, NumPy."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SigmoidNetwork:
    """Sigmoid layers without bias, weights uniform in ±1/sqrt(n_in).

    Attributes
    ----------
    weights : list of ndarray (n_in, n_out)
    """

    def __init__(self, widths: Sequence[int], seed: int):
        self._rng = np.random.default_rng(seed)
        self.weights = [self._rng.uniform(-1.0, 1.0, (n_in, n_out)) / np.sqrt(n_in) for n_in, n_out in pairwise(widths)]

    def outputs(self, inputs: Array) -> list[Array]:
        """`inputs` and the outputs of every layer, (rows, width) each."""
        values = [inputs]
        for weight in self.weights:
            values.append(1.0 / (1.0 + np.exp(-(values[-1] @ weight))))
        return values

    def train_epoch(self, inputs: Array, targets: Array, batch: int, rate: float) -> None:
        """One pass over the rows in random order, a step of `rate` down the summed squared error a batch."""
        order = self._rng.permutation(len(inputs))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            values = self.outputs(inputs[rows])
            error = 2.0 * (values[-1] - targets[rows])
            for k in range(len(self.weights) - 1, -1, -1):
                error *= values[k + 1] * (1.0 - values[k + 1])
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
