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

F_i comes, for all p and all breakpoints at once, by the first of these routes that is open:

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

from ei_fast.kernels.closed_form import closed_cdf
from ei_fast.kernels.edges import table_information
from ei_fast.kernels.jit import jit
from ei_fast.kernels.series import MAX_TERMS, dominated_cdf, series_cdf, trigonometry
from ei_fast.kernels.uniform_sums import CLOSED_FORM_INPUTS, half_widths_of, leave_one_out, terms_needed


@jit
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
def _information_by_series(
    first, half_widths, spacings, in_bins, positions, peeled, terms, codes, outside, cdf, table, bits
):
    """Write the information of the edges of all inputs from number `first` on into bits[first:].

    Parameters
    ----------
    first : int
        0, or 1 where the widest input is integrated out.
    half_widths, spacings : (n,) float64
        Of all inputs, half widths in falling order.
    in_bins : int
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    peeled : float
        0, or the half width of the widest input.
    terms : int
        Of the series.
    codes, outside
        As of `information_of_cdf`.
    cdf, table : (in_bins, K), (in_bins, n_codes) float64, scratch
    bits : (n,) float64, output
    """
    summed = half_widths[first:]
    n = summed.shape[0]
    support = summed.sum()
    period = 2 * support
    phi = np.empty((n, terms), np.float64)
    leave_one_out(summed, in_bins, period, phi)
    sines, cosines = trigonometry(positions, peeled, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    for k in range(n):
        own_support = support - summed[k] * (1 - 1 / in_bins)
        series_cdf(
            phi[k], period, own_support, peeled, positions, spacings[first + k], in_bins, sines, cosines, sums, cdf
        )
        bits[first + k] = information_of_cdf(cdf, codes, outside, table)


@jit
def column_parts(weight, order, centre, range_width, in_bins, breaks, codes, outside, n_codes, out):
    """Write I(X_i; Y) of every edge into one output into `out`, in bits.

    Parameters
    ----------
    weight : (n_in,) float64
        Weights from all inputs; an edge of weight 0 has exactly 0 bits.
    order : (n_in,) int64
        Inputs by falling size of their weights.
    centre : float
        Pre-activation with every input in the middle of its range.
    range_width : float
        Width of the input range.
    in_bins : int
        Bins of an input.
    breaks, codes : (K,) float64, (K + 1,) uint16
        Breakpoints of the binned activation, and the output bins between them.
    outside : int
        Code of samples that are dropped.
    n_codes : int
        Number of codes, `outside` included.
    out : (n_in,) float64, output
    """
    half_widths = half_widths_of(weight, order, range_width)
    n = half_widths.shape[0]
    out[:] = 0.0
    if n == 0:
        return
    spacings = np.empty(n, np.float64)
    for k in range(n):
        spacings[k] = weight[order[k]] * range_width / in_bins
    positions = breaks - centre
    cdf = np.empty((in_bins, breaks.shape[0]), np.float64)
    table = np.empty((in_bins, n_codes), np.float64)
    bits = np.empty(n, np.float64)
    terms, peeled_terms = MAX_TERMS + 1, MAX_TERMS + 1
    if n > CLOSED_FORM_INPUTS:
        # The edge of the widest input takes most terms: without its full width phi falls last.
        own = half_widths[0] / in_bins
        terms = terms_needed(half_widths, 0, own, 2 * half_widths.sum(), MAX_TERMS)
        if terms > MAX_TERMS:
            others = half_widths[1:]
            peeled_terms = terms_needed(others, 0, others[0] / in_bins, 2 * (others.sum() + own), MAX_TERMS)
    if terms <= MAX_TERMS:
        # A literal 0 would be another type, for which all that it is passed to would be compiled again.
        _information_by_series(
            np.int64(0), half_widths, spacings, in_bins, positions, 0.0, terms, codes, outside, cdf, table, bits
        )
    elif peeled_terms <= MAX_TERMS:
        dominated_cdf(half_widths, spacings[0], in_bins, positions, peeled_terms, cdf)
        bits[0] = information_of_cdf(cdf, codes, outside, table)
        _information_by_series(
            np.int64(1),
            half_widths,
            spacings,
            in_bins,
            positions,
            half_widths[0],
            peeled_terms,
            codes,
            outside,
            cdf,
            table,
            bits,
        )
    else:
        for k in range(n):
            closed_cdf(k, half_widths, positions, in_bins, spacings[k], cdf)
            bits[k] = information_of_cdf(cdf, codes, outside, table)
    for k in range(n):
        out[order[k]] = bits[k]


@jit
def edges_parts(weights, orders, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, out):
    """Write I(X_i; Y_j) of every edge into several outputs into `out`, in bits.

    Parameters
    ----------
    weights, orders, centres : (n_out, n_in) float64, (n_out, n_in) int64, (n_out,) float64
        For each output what `column_parts` takes.
    range_width, in_bins, outside, n_codes
        As of `column_parts`.
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        Binned activations: output j has the first sizes[rows[j]] breakpoints of row rows[j], and the codes between.
    out : (n_out, n_in) float64, output
    """
    for j in range(weights.shape[0]):
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        column_parts(
            weights[j], orders[j], centres[j], range_width, in_bins, own_breaks, own_codes, outside, n_codes, out[j]
        )
