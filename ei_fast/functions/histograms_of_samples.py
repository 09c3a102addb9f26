"""Histograms of observed activations, for inputs that are set to have them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.bins import check_bins, check_ranges
from ei_fast.network.observed import as_samples, codes_of_samples, probabilities_of_codes
from ei_fast.validation import as_numpy_ships

_OWNER = "input_histograms"


@as_numpy_ships
def input_histograms(
    samples: ArrayLike, bins: int | tuple[int, int] = 8, in_range: Any = (0.0, 1.0)
) -> NDArray[np.float64]:
    """Histograms of the activations that were observed at the inputs of a layer.

    Parameters
    ----------
    samples : array-like (n_samples, n_in)
        Activations, a row for each sample.
    bins : int or (int, int), default 8
        Number of equal bins of each input, or (in_bins, out_bins) as a measurement has them, of which the first counts.
    in_range : (float, float), or a sequence of n_in such pairs, default (0.0, 1.0)
        Range over which inputs are binned: that over which the layer is measured. It must hold all samples.

    Returns
    -------
    ndarray (n_in, bins)
        The share of the samples in each bin of every input, for the parameter `in_distribution`.

    Raises
    ------
    TypeError, ValueError
        The message names the parameter, the rule, the value and the remedy.

    See Also
    --------
    effective_information, ei_parts_matrix, sensitivity_matrix : Measure a layer whose inputs have these.
    observed_information : Takes samples as they are, with what their inputs have to do with each other.

    Examples
    --------
    >>> import ei_fast as ef
    >>> shares = ef.input_histograms([[0.1, 0.9], [0.2, 0.8], [0.7, 0.9], [0.3, 0.9]], bins=2)
    >>> shares
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    >>> layer = ef.Layer([[1.0], [1.0]], activation="linear", out_range=(0.0, 2.0))
    >>> f"{float(ef.effective_information(layer, bins=2, in_distribution=shares, random_state=0)):.1f}"
    '0.2'
    """
    values = as_samples(samples, _OWNER)
    in_bins, _ = check_bins(bins, _OWNER)
    ranges = check_ranges(in_range, values.shape[1], "in_range", _OWNER)
    return probabilities_of_codes(codes_of_samples(values, ranges, in_bins, _OWNER), in_bins)
