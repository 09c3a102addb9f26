"""Exact mutual information of single edges, by cutting the input range into pieces."""

import numpy as np

from ei_fast.kernels.jit import jit


@jit
def edge_information(weight, constant, in_edges, breaks, codes, inside, overall, touched):
    """I(A; B) in bits of b = f(weight * a + constant), a uniform over the bins between `in_edges`.

    The range of a is cut at its bin edges and at (break - constant) / weight. Inside a piece neither bin
    changes, so that its length is its share of one joint probability. O(in_bins + K).

    inside, overall : (n_codes,) float64, all zero on entry and exit
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
    conditional = 0.0
    position = low
    for p in range(n_bins):
        end = in_edges[p + 1]
        share = (end - in_edges[p]) / (high - low)
        n_touched = 0
        while position < end:
            cut = end
            code = codes[k] if rising else codes[k + 1]
            if 0 <= k < n_breaks:
                at = (breaks[k] - constant) / weight
                if at < end:
                    cut = at
                    k += step
            length = (cut - position) / (high - low)
            if length > 0:
                if inside[code] == 0.0:
                    touched[n_touched] = code
                    n_touched += 1
                inside[code] += length
            position = cut
        for q in range(n_touched):
            code = touched[q]
            overall[code] += inside[code]
            if n_touched > 1:
                conditional -= inside[code] * np.log2(inside[code] / share)
            inside[code] = 0.0
    entropy = 0.0
    n_codes = 0
    for code in range(overall.shape[0]):
        if overall[code] > 0.0:
            entropy -= overall[code] * np.log2(overall[code])
            n_codes += 1
            overall[code] = 0.0
    if n_codes < 2:
        return 0.0
    return max(entropy - conditional, 0.0)


@jit
def sensitivity_edges(weight, bias, baseline, in_edges, breaks, codes, n_codes, out):
    """I(A_i; B_j) in bits for every edge of `weight` (n_in, n_out), all other inputs at `baseline`."""
    n_in, n_out = weight.shape
    inside = np.zeros(n_codes, np.float64)
    overall = np.zeros(n_codes, np.float64)
    touched = np.empty(n_codes, np.int64)
    total = np.zeros(n_out, np.float64)
    for i in range(n_in):
        for j in range(n_out):
            total[j] += weight[i, j]
    for i in range(n_in):
        for j in range(n_out):
            out[i, j] = 0.0
            if weight[i, j] != 0.0:
                constant = bias[j] + baseline * (total[j] - weight[i, j])
                out[i, j] = edge_information(weight[i, j], constant, in_edges, breaks, codes, inside, overall, touched)
