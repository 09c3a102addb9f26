"""Scales and shifts taken into the weights beside them; a batch norm at fixed statistics is such a pair.

Weights are (n_in, n_out), and scales and shifts have one number for each neuron.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def of_batch_norm(
    mean: Array, variance: Array, weight: Array | float | None, bias: Array | float | None, eps: float
) -> tuple[Array, Array]:
    """Scale and shift of a batch norm by the mean and the variance that it has seen, and what it has learnt, if any."""
    scale = (1.0 if weight is None else weight) / np.sqrt(variance + eps)
    return scale, (0.0 if bias is None else bias) - mean * scale


def folded_after(weight: Array, bias: Array, scale: Array, shift: Array) -> tuple[Array, Array]:
    """Weights and bias of a map whose outputs are then scaled and shifted."""
    return weight * scale, bias * scale + shift


def folded_before(weight: Array, bias: Array, scale: Array, shift: Array) -> tuple[Array, Array]:
    """Weights and bias of a map whose inputs are scaled and shifted first."""
    return scale[:, np.newaxis] * weight, bias + shift @ weight
