"""Exact EI_parts: the mutual information I(X_i; Y_j) of every edge while all inputs are uniform.

X_i is the bin of input i, Y_j the bin of output j (Mattsson, Michaud & Hoel, Entropy 22:1429, 2020, section 2.4).

Notes
-----
One output. Its pre-activation is centre + sum over inputs k of U_k, where U_k is uniform with half width
a_k = |weight_k| D / 2, D being the width of the input range (`uniform_sums`). Let B be the number of input bins.

1. Given that x_i lies in bin p, U_i is uniform over the p-th of B equal pieces. That is a uniform of half width
   a_i / B, shifted by s_p = spacing_i (p - (B - 1) / 2) with spacing_i = weight_i D / B.
2. So the CDF of the pre-activation at a breakpoint b of the binned activation, given p, is F_i(b - centre - s_p), F_i
   being the CDF of the sum in which a_i is divided by B.
3. Differences of the CDF at neighbouring breakpoints are the probabilities of the output's bins given p, and the table
   of them for all p gives the information in bits (`information_of_cdf`).

F_i comes, for all p and all breakpoints at once, by the first of these routes that is open. Each is a kernel of its
own, so that only those are compiled that are taken:

* up to `CLOSED_FORM_INPUTS` inputs: closed form (`closed_cdf`);
* the Fourier series of F_i (`series_cdf`), with one period for all edges of an output, so that its sines and cosines
  are computed once (`trigonometry`);
* where the widest input dominates the others by so much that phi falls too slowly for `MAX_TERMS` terms: the widest
  is integrated out, and the series is that of the others' CDF, integrated once (`series_cdf` with `peeled` > 0, for the
  widest input's own edge `dominated_cdf`);
* where even then the others are dominated by the widest of them: closed form of the widest six and of one uniform
  with the variance of all further ones.
"""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.closed_form import closed_cdf
from ei_fast.kernels.edges import table_information
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.series import MAX_TERMS, dominated_cdf, series_cdf, trigonometry
from ei_fast.kernels.uniform_sums import CLOSED_FORM_INPUTS, half_widths_of, leave_one_out, support_of, terms_needed


@inner
def information_of_cdf(cdf, codes, outside, table):
    """Return the information in bits of an edge, from CDFs of the pre-activation given the input's bin.

    Parameters
    ----------
    cdf : (in_bins, K) float64
        P(pre-activation < breakpoint k | input bin p).
    codes : (K + 1,) uint16
        Output bins between the breakpoints.
    outside : int
        Code of samples that are dropped.
    table : (in_bins, n_codes) float64, scratch
        Probability of every code given the input's bin. Differences of the CDF below 0, which are rounding, count as 0.
    """
    in_bins, n_breaks = cdf.shape
    table[:] = 0.0
    for p in range(in_bins):
        below = 0.0
        for k in range(n_breaks):
            table[p, codes[k]] += max(cdf[p, k] - below, 0.0)
            below = max(cdf[p, k], below)
        table[p, codes[n_breaks]] += max(1.0 - below, 0.0)
    return table_information(table, outside)


@jit
def _series_terms(weights, orders, range_width, in_bins, terms, peeled_terms):
    """Write how many terms the series of each output takes into `terms`, 0 where it takes too many or none is tried.

    Parameters
    ----------
    weights, orders, range_width, in_bins
        As of `edges_parts`.
    terms, peeled_terms : (n_out,) int64, output
        Of the series of all inputs and, where that is 0, of those but the widest.
    """
    for j in range(weights.shape[0]):
        terms[j], peeled_terms[j] = 0, 0
        half_widths = half_widths_of(weights[j], orders[j], range_width)
        if half_widths.shape[0] <= CLOSED_FORM_INPUTS:
            continue
        # The edge of the widest input takes most terms: without its full width phi falls last.
        own = half_widths[0] / in_bins
        needed = terms_needed(half_widths, np.int64(0), own, 2 * support_of(half_widths), MAX_TERMS)
        if needed <= MAX_TERMS:
            terms[j] = needed
            continue
        others = half_widths[1:]
        needed = terms_needed(others, np.int64(0), others[0] / in_bins, 2 * (support_of(others) + own), MAX_TERMS)
        if needed <= MAX_TERMS:
            peeled_terms[j] = needed


@inner
def _information_by_series(
    first, peeled, terms, weight, order, half_widths, centre, range_width, in_bins, breaks, codes, outside, n_codes, out
):
    """Write the information of the edges of all inputs but the first so many by falling size into `out`.

    Parameters
    ----------
    first : int
        0, or 1 where the widest input is integrated out.
    peeled : float
        0, or the half width of the widest input.
    terms : int
        Of the series.
    weight, order : (n_in,) float64, (n_in,) int64
        Weights from all inputs, and the inputs by falling size of their weights.
    half_widths : (n,) float64
        Of the inputs whose weights are not 0, in falling order.
    centre : float
        Pre-activation with every input in the middle of its range.
    range_width, in_bins, outside, n_codes
        As of `edges_parts`.
    breaks, codes : (K,) float64, (K + 1,) uint16
        Breakpoints of the binned activation, and the output bins between them.
    out : (n_in,) float64, output
    """
    summed = half_widths[first:]
    support = support_of(summed)
    period = 2 * support
    phi = np.empty((summed.shape[0], terms), np.float64)
    leave_one_out(summed, in_bins, period, phi)
    positions = breaks - centre
    sines, cosines = trigonometry(positions, peeled, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    cdf = np.empty((in_bins, breaks.shape[0]), np.float64)
    table = np.empty((in_bins, n_codes), np.float64)
    for k in range(summed.shape[0]):
        i = order[first + k]
        spacing = weight[i] * range_width / in_bins
        own_support = support - summed[k] * (1 - 1 / in_bins)
        series_cdf(phi[k], period, own_support, peeled, positions, spacing, in_bins, sines, cosines, sums, cdf)
        out[i] = information_of_cdf(cdf, codes, outside, table)


@jit
def _parts_by_series(
    weights, orders, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, terms, out
):
    """Write the edges of the outputs whose `terms`, (n_out,) int64, are not 0 into `out`; see `edges_parts`."""
    for j in range(weights.shape[0]):
        if terms[j] > 0:
            _information_by_series(
                # A literal 0 would be another type, for which all that it is passed to would be compiled again.
                np.int64(0),
                0.0,
                terms[j],
                weights[j],
                orders[j],
                half_widths_of(weights[j], orders[j], range_width),
                centres[j],
                range_width,
                in_bins,
                breaks[rows[j], : sizes[rows[j]]],
                codes[rows[j]],
                outside,
                n_codes,
                out[j],
            )


@jit
def _parts_without_the_widest(
    weights, orders, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, terms, out
):
    """Write the edges of outputs whose widest input is integrated out as `_parts_by_series` does of others."""
    for j in range(weights.shape[0]):
        if terms[j] > 0:
            half_widths = half_widths_of(weights[j], orders[j], range_width)
            own_breaks, own_codes, widest = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]], orders[j, 0]
            cdf = np.empty((in_bins, own_breaks.shape[0]), np.float64)
            table = np.empty((in_bins, n_codes), np.float64)
            spacing = weights[j, widest] * range_width / in_bins
            dominated_cdf(half_widths, spacing, in_bins, own_breaks - centres[j], terms[j], cdf)
            out[j, widest] = information_of_cdf(cdf, own_codes, outside, table)
            _information_by_series(
                np.int64(1),
                half_widths[0],
                terms[j],
                weights[j],
                orders[j],
                half_widths,
                centres[j],
                range_width,
                in_bins,
                own_breaks,
                own_codes,
                outside,
                n_codes,
                out[j],
            )


@jit
def _parts_in_closed_form(
    weights, orders, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, is_closed, out
):
    """Write the edges of the outputs of which `is_closed`, (n_out,) bool, says so into `out`; see `edges_parts`."""
    for j in range(weights.shape[0]):
        if is_closed[j]:
            half_widths = half_widths_of(weights[j], orders[j], range_width)
            positions = breaks[rows[j], : sizes[rows[j]]] - centres[j]
            cdf = np.empty((in_bins, positions.shape[0]), np.float64)
            table = np.empty((in_bins, n_codes), np.float64)
            for k in range(half_widths.shape[0]):
                i = orders[j, k]
                closed_cdf(k, half_widths, positions, in_bins, weights[j, i] * range_width / in_bins, cdf)
                out[j, i] = information_of_cdf(cdf, codes[rows[j]], outside, table)


def edges_parts(
    weights: NDArray[np.float64],
    orders: NDArray[np.int64],
    centres: NDArray[np.float64],
    range_width: float,
    in_bins: int,
    breaks: NDArray[np.float64],
    sizes: NDArray[np.int64],
    codes: NDArray[np.uint16],
    rows: NDArray[np.int64],
    outside: int,
    n_codes: int,
    out: NDArray[np.float64],
) -> None:
    """Write I(X_i; Y_j) of every edge into several outputs into `out`, in bits, each output by its route.

    Parameters
    ----------
    weights : (n_out, n_in) float64
        Weights from all inputs; an edge of weight 0 has exactly 0 bits.
    orders : (n_out, n_in) int64
        For each output the inputs by falling size of their weights.
    centres : (n_out,) float64
        Pre-activation with every input in the middle of its range.
    range_width : float
        Width of the input range.
    in_bins : int
        Bins of an input.
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        Binned activations: output j has the first sizes[rows[j]] breakpoints of row rows[j], and the codes between.
    outside : int
        Code of samples that are dropped.
    n_codes : int
        Number of codes, `outside` included.
    out : (n_out, n_in) float64, output
    """
    layer = (weights, orders, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes)
    out.fill(0.0)
    n_out, n_in = weights.shape
    terms, peeled_terms = np.zeros(n_out, np.int64), np.zeros(n_out, np.int64)
    if n_in > CLOSED_FORM_INPUTS:
        _series_terms(weights, orders, range_width, in_bins, terms, peeled_terms)
    if terms.any():
        _parts_by_series(*layer, terms, out)
    if peeled_terms.any():
        _parts_without_the_widest(*layer, peeled_terms, out)
    is_closed = (terms == 0) & (peeled_terms == 0)
    if is_closed.any():
        _parts_in_closed_form(*layer, is_closed, out)
