"""Exact mutual information of single edges of a dense layer: sensitivity, and information of a table of weights."""

import math

import numpy as np

from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.search import count_at_most

_NEGLIGIBLE = 1e-12
"""Share of what is kept below which a code says nothing of small shifts: its probability is rounding."""


@inner
def table_information(table, outside):
    """Return the mutual information I(X; Y) in bits in a table of joint weights.

    Parameters
    ----------
    table : (n_x, n_y) float64
        Joint probabilities but for a common factor.
    outside : int
        Column that is left out, as samples with this code are dropped; what is left is normalised. An index outside
        the table leaves nothing out.

    Returns
    -------
    float
        At least 0; NaN where nothing is left.
    """
    n_x, n_y = table.shape
    y_weights = np.empty(n_y, np.float64)
    y_weights[:] = 0.0
    kept = 0.0
    # Both entropies are multiplied by `kept` until the end.
    conditional_entropy = 0.0
    for x in range(n_x):
        x_weight = 0.0
        for y in range(n_y):
            if y != outside and table[x, y] > 0.0:
                x_weight += table[x, y]
                y_weights[y] += table[x, y]
        kept += x_weight
        for y in range(n_y):
            if y != outside and 0.0 < table[x, y] < x_weight:
                conditional_entropy -= table[x, y] * np.log2(table[x, y] / x_weight)
    if kept <= 0.0:
        return np.nan
    entropy = 0.0
    for y in range(n_y):
        if 0.0 < y_weights[y] < kept:
            entropy -= y_weights[y] * np.log2(y_weights[y] / kept)
    return max(entropy - conditional_entropy, 0.0) / kept


@inner
def _edge_information(weight, constant, in_edges, breaks, codes, outside, code_lengths, output_lengths, met):  # noqa: C901 - divided it takes about twice as long
    """Return the mutual information, in bits, between the bins of one input and of one output that it alone moves.

    The input a is uniform on its range and the pre-activation is weight * a + constant.

    Parameters
    ----------
    weight : float
        Not 0.
    constant : float
        What the bias and all other inputs give to the pre-activation.
    in_edges : (in_bins + 1,) float64
        Edges of the input's bins in rising order.
    breaks, codes : (K,) float64, (K + 1,) uint16
        Breakpoints of the binned activation, and the output bins between them.
    outside : int
        Code of what is dropped.
    code_lengths, output_lengths : (n_codes,) float64, scratch
        Share of the input's range that has each code: inside the current input bin, and over all of them. All zero
        on entry and on return.
    met : (n_codes,) int64, scratch
        Codes met inside the current input bin.

    Returns
    -------
    float
        NaN where all is dropped, and exactly 0 where only one code is kept.

    Notes
    -----
    The input's range is cut at the edges of its bins and where the output's bin changes, at (breakpoint - constant) /
    weight. On each piece both bins are constant: its length, relative to the range, is its part of one entry of the
    joint table. The pieces are walked from the lower end, in O(in_bins + K) steps.
    """
    n_bins = in_edges.shape[0] - 1
    n_breaks = breaks.shape[0]
    low, high = in_edges[0], in_edges[n_bins]
    # As the input rises, breakpoints are met in rising order where the weight is positive, else in falling order; k is
    # the next one to be met.
    rising = weight > 0
    step = 1 if rising else -1
    k = 0 if rising else n_breaks - 1
    while 0 <= k < n_breaks and (breaks[k] - constant) / weight <= low:
        k += step
    # Both entropies are multiplied by `kept` until the end.
    kept, conditional_entropy = 0.0, 0.0
    position = low
    for p in range(n_bins):
        bin_end = in_edges[p + 1]
        n_met, bin_length = 0, 0.0
        while position < bin_end:
            piece_end = bin_end
            code = codes[k] if rising else codes[k + 1]
            if 0 <= k < n_breaks:
                change = (breaks[k] - constant) / weight
                if change < bin_end:
                    piece_end = change
                    k += step
            length = (piece_end - position) / (high - low)
            position = piece_end
            if length > 0.0 and code != outside:
                if code_lengths[code] == 0.0:
                    met[n_met] = code
                    n_met += 1
                code_lengths[code] += length
                bin_length += length
        kept += bin_length
        for q in range(n_met):
            code = met[q]
            output_lengths[code] += code_lengths[code]
            if n_met > 1:
                conditional_entropy -= code_lengths[code] * np.log2(code_lengths[code] / bin_length)
            code_lengths[code] = 0.0
    entropy = 0.0
    n_codes = 0
    for code in range(output_lengths.shape[0]):
        if output_lengths[code] > 0.0:
            entropy -= output_lengths[code] * np.log2(output_lengths[code] / kept)
            n_codes += 1
            output_lengths[code] = 0.0
    if kept <= 0.0:
        return np.nan
    # With a single code the information is exactly 0, whatever rounding has left.
    return max(entropy - conditional_entropy, 0.0) / kept if n_codes > 1 else 0.0


@inner
def _code_at(preactivation, breaks, codes):
    """Return the output bin of a pre-activation; a breakpoint belongs to the interval above it."""
    k = 0
    while k < breaks.shape[0] and breaks[k] <= preactivation:
        k += 1
    return codes[k]


@jit
def sensitivity_edges(weight, bias, baseline, in_edges, breaks, sizes, codes, rows, n_codes, outside, out):
    """Write I(X_i; Y_j) of every edge with only input i moving into `out`, in bits.

    This is the sensitivity of Mattsson, Michaud & Hoel (Entropy 22:1429, 2020), as of infinitely many samples.

    Parameters
    ----------
    weight, bias : (n_in, n_out), (n_out,) float64
    baseline : (n_in,) float64
        Values at which the other inputs are held.
    in_edges : (in_bins + 1,) float64
        Edges of an input's bins.
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        Binned activations: output j has the first sizes[rows[j]] breakpoints of row rows[j], and the codes between.
    n_codes : int
        Number of codes, `outside` included.
    outside : int
        Code of what is dropped.
    out : (n_in, n_out) float64, output
        NaN where an edge's output is never kept; exactly 0 where the weight is 0 and the output is kept.
    """
    n_in, n_out = weight.shape
    code_lengths, output_lengths = np.empty(n_codes, np.float64), np.empty(n_codes, np.float64)
    code_lengths[:] = 0.0
    output_lengths[:] = 0.0
    met = np.empty(n_codes, np.int64)
    at_baseline = np.empty(n_out, np.float64)
    at_baseline[:] = 0.0
    for i in range(n_in):
        for j in range(n_out):
            at_baseline[j] += baseline[i] * weight[i, j]
    for i in range(n_in):
        for j in range(n_out):
            w = weight[i, j]
            constant = bias[j] + (at_baseline[j] - baseline[i] * w)
            own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            if w != 0.0:
                out[i, j] = _edge_information(
                    w, constant, in_edges, own_breaks, own_codes, outside, code_lengths, output_lengths, met
                )
            else:
                out[i, j] = np.nan if _code_at(constant, own_breaks, own_codes) == outside else 0.0


@jit
def scattered_sensitivity(
    weights, bias, baseline, in_edges, breaks, sizes, codes, rows, n_codes, outside, outputs, inputs, out
):
    """Write I(X_i; Y_j) of some edges, scattered over several outputs, with only input i moving into `out`, in bits.

    Parameters
    ----------
    weights : (n_out, n_in) float64
        Of each output those from all inputs.
    bias, baseline, in_edges, breaks, sizes, codes, rows, n_codes, outside
        As of `sensitivity_edges`.
    outputs, inputs : (q,) int64
        Of every edge; the outputs do not fall, and no weight is 0.
    out : (q,) float64, output
        As `sensitivity_edges` has them, to the last bit.
    """
    code_lengths, output_lengths = np.empty(n_codes, np.float64), np.empty(n_codes, np.float64)
    code_lengths[:] = 0.0
    output_lengths[:] = 0.0
    met = np.empty(n_codes, np.int64)
    last, at_baseline = -1, 0.0
    for q in range(outputs.shape[0]):
        i, j = inputs[q], outputs[q]
        if j != last:
            last, at_baseline = j, 0.0
            for k in range(weights.shape[1]):
                at_baseline += baseline[k] * weights[j, k]
        w = weights[j, i]
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        out[q] = _edge_information(
            w,
            bias[j] + (at_baseline - baseline[i] * w),
            in_edges,
            own_breaks,
            own_codes,
            outside,
            code_lengths,
            output_lengths,
            met,
        )


@jit
def edges_that_cross(weights, bias, baseline, low, high, breaks, sizes, codes, rows, outside, crosses):
    """Say of every edge whether its input alone moves its output across a breakpoint; return how many are undefined.

    Parameters
    ----------
    weights : (n_out, n_in) float64
        Of each output those from all inputs.
    bias, baseline, breaks, sizes, codes, rows, outside
        As of `sensitivity_edges`.
    low, high : float
        Ends of the inputs' range.
    crosses : (n_out, n_in) bool, output
        Where it is False the sensitivity is 0 but for rounding, or undefined.

    Returns
    -------
    int
        Edges that cross nothing and whose output is dropped wherever its input is: their sensitivity is NaN.
    """
    undefined = 0
    for j in range(weights.shape[0]):
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        at_baseline = 0.0
        for k in range(weights.shape[1]):
            at_baseline += baseline[k] * weights[j, k]
        for i in range(weights.shape[1]):
            w = weights[j, i]
            constant = bias[j] + (at_baseline - baseline[i] * w)
            ends = w * low + constant, w * high + constant
            passed = count_at_most(own_breaks, min(ends))
            crosses[j, i] = passed < own_breaks.shape[0] and own_breaks[passed] < max(ends)
            if not crosses[j, i] and own_codes[passed] == outside:
                undefined += 1
    return undefined


@jit
def sharpness(centres, spreads, breaks, sizes, codes, rows, n_codes, outside, out):
    """Write how well each output's code tells small shifts of a normal pre-activation apart into `out`.

    That is Fisher's information, the sum over codes of p'**2 / p, p being the probability of a code among those that
    are kept, and p' its derivative with respect to the centre.

    Parameters
    ----------
    centres, spreads : (n_out,) float64
        Mean and standard deviation of the pre-activations.
    breaks, sizes, codes, rows, n_codes, outside
        As of `sensitivity_edges`.
    out : (n_out,) float64, output
        0 where an output does not move.
    """
    p, slope = np.empty(n_codes, np.float64), np.empty(n_codes, np.float64)
    for j in range(centres.shape[0]):
        out[j] = 0.0
        if spreads[j] <= 0.0:
            continue
        row, n_breaks = rows[j], sizes[rows[j]]
        p[:] = 0.0
        slope[:] = 0.0
        below, density_below = 0.0, 0.0
        for k in range(n_breaks + 1):
            above, density = 1.0, 0.0
            if k < n_breaks:
                z = (breaks[row, k] - centres[j]) / spreads[j]
                above = 0.5 * math.erfc(-z / math.sqrt(2.0))
                density = math.exp(-0.5 * z * z) / (math.sqrt(2 * np.pi) * spreads[j])
            p[codes[row, k]] += above - below
            slope[codes[row, k]] += density_below - density
            below, density_below = above, density
        kept, rising = 0.0, 0.0
        for code in range(n_codes):
            if code != outside:
                kept += p[code]
                rising += slope[code]
        for code in range(n_codes):
            if code != outside and p[code] > _NEGLIGIBLE * kept:
                out[j] += (slope[code] - p[code] / kept * rising) ** 2 / p[code] / kept


@jit
def shuffle(uniforms, order):
    """Write the numbers 0 ... n - 1 in random order into `order` (n,), int64, by n uniforms on (0, 1)."""
    for i in range(order.shape[0]):
        # What comes before is in random order already: the new one takes the place of any of them, or its own.
        j = min(int(uniforms[i] * (i + 1)), i)
        order[i] = order[j]
        order[j] = i
