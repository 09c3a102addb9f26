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
def _edge_information(weight, constant, in_edges, breaks, codes, outside, inside, column, touched):
    """I(A; B) in bits of b = f(weight * a + constant), a uniform over the bins between `in_edges`.

    The range of a is cut at its bin edges and at (break - constant) / weight. Inside a piece neither bin
    changes, so that its length is its share of one joint probability. O(in_bins + K).

    inside, column : (n_codes,) float64, all zero on entry and exit
        Scratch: lengths by output code, inside the current input bin and over all of them.
    touched : (n_codes,) int64
        Scratch: codes met inside the current input bin.
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
    kept, conditional = 0.0, 0.0
    position = low
    for p in range(n_bins):
        end = in_edges[p + 1]
        n_touched, row = 0, 0.0
        while position < end:
            cut = end
            code = codes[k] if rising else codes[k + 1]
            if 0 <= k < n_breaks:
                at = (breaks[k] - constant) / weight
                if at < end:
                    cut = at
                    k += step
            length = (cut - position) / (high - low)
            position = cut
            if length > 0.0 and code != outside:
                if inside[code] == 0.0:
                    touched[n_touched] = code
                    n_touched += 1
                inside[code] += length
                row += length
        kept += row
        for q in range(n_touched):
            code = touched[q]
            column[code] += inside[code]
            if n_touched > 1:
                conditional -= inside[code] * np.log2(inside[code] / row)
            inside[code] = 0.0
    entropy = 0.0
    n_codes = 0
    for code in range(column.shape[0]):
        if column[code] > 0.0:
            entropy -= column[code] * np.log2(column[code] / kept)
            n_codes += 1
            column[code] = 0.0
    if kept <= 0.0:
        return np.nan
    # One code overall: exactly nothing, whatever rounding says.
    return max(entropy - conditional, 0.0) / kept if n_codes > 1 else 0.0


@jit
def _code_at(s, breaks, codes):
    k = 0
    while k < breaks.shape[0] and breaks[k] <= s:
        k += 1
    return codes[k]


@jit
def sensitivity_edges(weight, bias, baseline, in_edges, breaks, sizes, codes, rows, n_codes, outside, out):
    """I(A_i; B_j) in bits for every edge of `weight` (n_in, n_out), all other inputs at their `baseline` (n_in,).

    An edge whose output is never kept is NaN.
    """
    n_in, n_out = weight.shape
    inside = np.zeros(n_codes, np.float64)
    column = np.zeros(n_codes, np.float64)
    touched = np.empty(n_codes, np.int64)
    total = np.zeros(n_out, np.float64)
    for i in range(n_in):
        for j in range(n_out):
            total[j] += baseline[i] * weight[i, j]
    for i in range(n_in):
        for j in range(n_out):
            w = weight[i, j]
            constant = bias[j] + (total[j] - baseline[i] * w)
            own, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            if w != 0.0:
                out[i, j] = _edge_information(w, constant, in_edges, own, own_codes, outside, inside, column, touched)
            else:
                out[i, j] = np.nan if _code_at(constant, own, own_codes) == outside else 0.0
