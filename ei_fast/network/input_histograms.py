"""Inputs that are not uniform: a histogram for each, over the bins of the layer's inputs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.drawn_bins import thresholds_of
from ei_fast.kernels.histogram_sums import Contributions, edge_cdfs
from ei_fast.network.bins import Range
from ei_fast.network.entropies import entropies_of
from ei_fast.network.steps import StepTable
from ei_fast.validation import as_numbers


@dataclass(frozen=True, eq=False)
class InputHistograms:
    """Independent inputs, each in a bin with the probability that its histogram says, and anywhere in it alike.

    Attributes
    ----------
    probabilities : ndarray (n_in, bins)
        Of the bins of every input, each row with the sum 1.
    """

    probabilities: NDArray[np.float64]

    def of(self, inputs: NDArray[np.intp]) -> "InputHistograms":
        """Those of some inputs."""
        return InputHistograms(np.ascontiguousarray(self.probabilities[inputs]))

    @cached_property
    def entropies(self) -> NDArray[np.float64]:
        """H(X_i) in bits of every input, (n_in,)."""
        return entropies_of(self.probabilities)

    @cached_property
    def thresholds(self) -> NDArray[np.uint64]:
        """What random words are compared with to draw bins, (n_in, bins - 1)."""
        return thresholds_of(self.probabilities)

    def contributions(self, weight: NDArray[np.float64], bin_width: float) -> tuple[Contributions, NDArray[np.intp]]:
        """What the inputs add to a pre-activation with weights (n_in,), none where it is 0; and whose they are."""
        order = np.argsort(-np.abs(weight), kind="stable")
        order = order[: np.count_nonzero(weight)]
        return Contributions(weight[order], self.probabilities[order], bin_width), order

    def output_probabilities(
        self, weight: NDArray[np.float64], bias: NDArray[np.float64], in_range: Range, steps: StepTable
    ) -> NDArray[np.float64]:
        """Exact probability of the bins of every output, (n_out, n_bins + 1); last: of being dropped.

        Parameters
        ----------
        weight, bias : ndarray (n_in, n_out), ndarray (n_out,)
        in_range : (float, float)
            Range of all inputs.
        steps : StepTable
            Binned activation of every output.
        """
        low, high = in_range
        centres = bias + 0.5 * (low + high) * weight.sum(axis=0)
        cdfs = np.ones((weight.shape[1], steps.breaks.shape[1]))
        for j in range(weight.shape[1]):
            breaks = steps.breaks_of(j)
            given, order = self.contributions(weight[:, j], (high - low) / self.probabilities.shape[1])
            if not len(order):
                cdfs[j, : len(breaks)] = centres[j] < breaks
            elif len(breaks):
                of_bins = edge_cdfs(given, breaks - centres[j], 1)[0]
                cdfs[j, : len(breaks)] = (self.probabilities[order[0], :, None] * of_bins).sum(axis=0)
        return steps.probabilities(np.clip(cdfs, 0.0, 1.0))


def check_histograms(values: Any, n_in: int, bins: int, owner: str) -> InputHistograms | None:
    """The histograms that a parameter `in_distribution` stands for; None where all of them are uniform.

    Raises
    ------
    TypeError, ValueError
        Where they are not an array of non-negative numbers of shape (bins,) or (n_in, bins), some above 0 in each row.
    """
    if values is None:
        return None
    rule = (
        f"The 'in_distribution' parameter of {owner} must be None, or histograms over the {bins} bins of each input: "
        f"an array of shape ({bins},) for all inputs, or ({n_in}, {bins}), of non-negative weights"
    )
    weights = as_numbers(values, rule).astype(np.float64)
    if weights.shape not in ((bins,), (n_in, bins)):
        raise ValueError(f"{rule}. Got shape {weights.shape} instead{_remedy_of_shape(weights.shape, n_in, bins)}")
    weights = np.broadcast_to(weights, (n_in, bins))
    if not np.isfinite(weights).all() or (weights < 0).any():
        i, k = np.argwhere(~(np.isfinite(weights) & (weights >= 0)))[0]
        raise ValueError(
            f"{rule}. Got {weights[i, k]} in bin {k} of input {i} instead. Give counts or probabilities; "
            "input_histograms(samples) makes them of samples."
        )
    largest = weights.max(axis=1, keepdims=True)
    if (largest == 0).any():
        i = int(np.flatnonzero(largest == 0)[0])
        raise ValueError(
            f"{rule}, some of them above 0. Got zeros only for input {i} instead. Give equal weights where nothing is "
            "known of an input."
        )
    if (weights == largest).all():
        return None
    # The largest is 1 first, so that no sum overflows.
    scaled = weights / largest
    return InputHistograms(scaled / scaled.sum(axis=1, keepdims=True))


def _remedy_of_shape(shape: tuple[int, ...], n_in: int, bins: int) -> str:
    if len(shape) == 2 and shape == (bins, n_in):
        return ". Transpose it: an input has a row."
    if len(shape) == 2 and shape[1] == n_in:
        return (
            ", as of samples. input_histograms(samples) makes histograms of them, whose inputs are still set "
            "independently of each other; observed_information(layer, samples) measures what is observed as it is."
        )
    if len(shape) in (1, 2) and (len(shape) == 1 or shape[0] in (1, n_in)):
        return f". Give bins={shape[-1]}, or ({shape[-1]}, out_bins), where histograms have so many bins."
    return ". Give one row for each input."
