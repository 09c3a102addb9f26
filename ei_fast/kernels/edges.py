"""Exact mutual information of single edges, by cutting the input range into pieces."""

import numpy as np

from ei_fast.kernels.jit import jit


@jit
def table_information(table, outside):
    """I(X; Y) in bits of a joint table (n_x, n_y) of weights, without the column `outside`.

    What is left is made to add up to 1; NaN where nothing is left.
    """
    n_x, n_y = table.shape
    column = np.zeros(n_y, np.float64)
    kept = 0.0
    conditional = 0.0
    for x in range(n_x):
        row = 0.0
        for y in range(n_y):
            if y != outside and table[x, y] > 0.0:
                row += table[x, y]
                column[y] += table[x, y]
        kept += row
        for y in range(n_y):
            if y != outside and 0.0 < table[x, y] < row:
                conditional -= table[x, y] * np.log2(table[x, y] / row)
    if kept <= 0.0:
        return np.nan
    entropy = 0.0
    for y in range(n_y):
        if 0.0 < column[y] < kept:
            entropy -= column[y] * np.log2(column[y] / kept)
    return max(entropy - conditional, 0.0) / kept


@jit
def edge_table(weight, constant, in_edges, breaks, codes, table):
    """Add to `table` (in_bins, n_codes) the joint probabilities of b = f(weight * a + constant) and a uniform a.

    The range of a is cut at its bin edges and at (break - constant) / weight. Inside a piece neither bin
    changes, so that its length is its share of one joint probability. O(in_bins + K).
    """
    n_bins = in_edges.shape[0] - 1
    n_breaks = breaks.shape[0]
    low, high = in_edges[0], in_edges[n_bins]
    # Along a rising (falling) edge breakpoints come in (reverse) order; k is the next one to be met.
    rising = weight > 0
    step = 1 if rising else -1
    k = 0 if rising else n_breaks - 1
    while 0 <= k < n_breaks and (breaks[k] - constant) / weight <= low:
        k += step
    position = low
    for p in range(n_bins):
        end = in_edges[p + 1]
        while position < end:
            cut = end
            code = codes[k] if rising else codes[k + 1]
            if 0 <= k < n_breaks:
                at = (breaks[k] - constant) / weight
                if at < end:
                    cut = at
                    k += step
            if cut > position:
                table[p, code] += (cut - position) / (high - low)
            position = cut


@jit
def _code_at(s, breaks, codes):
    k = 0
    while k < breaks.shape[0] and breaks[k] <= s:
        k += 1
    return codes[k]


@jit
def sensitivity_edges(weight, bias, baseline, in_edges, breaks, codes, n_codes, outside, out):
    """I(A_i; B_j) in bits for every edge of `weight` (n_in, n_out), all other inputs at `baseline`.

    An edge whose output is never kept is NaN.
    """
    n_in, n_out = weight.shape
    table = np.empty((in_edges.shape[0] - 1, n_codes), np.float64)
    total = np.zeros(n_out, np.float64)
    for i in range(n_in):
        for j in range(n_out):
            total[j] += weight[i, j]
    for i in range(n_in):
        for j in range(n_out):
            constant = bias[j] + baseline * (total[j] - weight[i, j])
            if weight[i, j] == 0.0:
                out[i, j] = np.nan if _code_at(constant, breaks, codes) == outside else 0.0
                continue
            table[:] = 0.0
            edge_table(weight[i, j], constant, in_edges, breaks, codes, table)
            out[i, j] = table_information(table, outside)
