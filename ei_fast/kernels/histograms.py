"""Joint histograms of every edge, and the information in them."""

import numpy as np

from ei_fast.kernels.dense import count_at_most
from ei_fast.kernels.jit import jit


@jit
def add_to_histograms(x_codes, y_codes, outside, histograms):
    """Count samples into histograms (n_x, n_y, in_bins * out_bins) of bins x_codes (n_x, m) and y_codes (n_y, m).

    Samples whose output is `outside` are left out of that output's histograms.
    """
    n_x, m = x_codes.shape
    n_y = y_codes.shape[0]
    out_bins = histograms.shape[3]
    for j in range(n_y):
        y = y_codes[j]
        for i in range(n_x):
            x = x_codes[i]
            histogram = histograms[i, j].reshape(-1)
            if outside < 0:
                for t in range(m):
                    histogram[np.int64(x[t]) * out_bins + y[t]] += 1
            else:
                for t in range(m):
                    if y[t] != outside:
                        histogram[np.int64(x[t]) * out_bins + y[t]] += 1


@jit
def single_input_codes(weight, constants, low, width, uniforms, breaks, sizes, codes, rows, y_codes):
    """Output bins (n_out, m) of f(weight[j] * x + constants[j]) as one input moves alone."""
    for j in range(weight.shape[0]):
        row = y_codes[j]
        own, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        for t in range(uniforms.shape[0]):
            x = low + width * (np.float64(uniforms[t]) + 0.5)
            row[t] = own_codes[count_at_most(own, weight[j] * x + constants[j])]


@jit
def _entropy(counts, weights, parity, addend, chao_shen):
    """Entropy in bits of counts, and how many states there are; see `counting`.

    Beyond the table a count weighs log2 of itself, or of the even number below it where `parity` is 1.
    """
    n, states, singles = 0, 0, 0
    weighted = 0.0
    for c in counts:
        if c > 0:
            n += c
            states += 1
            singles += c == 1
            weighted += c * (weights[c] if c < weights.shape[0] else np.log2(c - parity * (c % 2)))
    if states < 2:
        return 0.0, states
    if not chao_shen:
        return np.log2(n) - weighted / n + addend * (states - 1) / n, states
    coverage = 1.0 - min(singles, n - 1) / n
    entropy = 0.0
    for c in counts:
        if c > 0:
            p = coverage * c / n
            entropy -= p * np.log2(p) / (1.0 - (1.0 - p) ** n)
    return entropy, states


@jit
def histogram_information(histogram, weights, parity, addend, chao_shen):
    """I(X; Y) in bits of one histogram (in_bins, out_bins): estimate, degrees of freedom, samples kept.

    The estimate is H(X) + H(Y) - H(X, Y), each by the same estimator; NaN where nothing is kept.
    """
    n_x, n_y = histogram.shape
    x, y = np.zeros(n_x, np.int64), np.zeros(n_y, np.int64)
    kept = 0
    for a in range(n_x):
        for b in range(n_y):
            x[a] += histogram[a, b]
            y[b] += histogram[a, b]
            kept += histogram[a, b]
    if kept == 0:
        return np.nan, 0, 0
    h_x, k_x = _entropy(x, weights, parity, addend, chao_shen)
    h_y, k_y = _entropy(y, weights, parity, addend, chao_shen)
    if k_x < 2 or k_y < 2:
        return 0.0, 0, kept
    h_xy, _ = _entropy(histogram.reshape(-1), weights, parity, addend, chao_shen)
    return h_x + h_y - h_xy, (k_x - 1) * (k_y - 1), kept


@jit
def histograms_information(histograms, weights, parity, addend, chao_shen, bits, freedom, kept):
    """`histogram_information` of every edge (n_in, n_out)."""
    n_in, n_out = bits.shape
    for i in range(n_in):
        for j in range(n_out):
            bits[i, j], freedom[i, j], kept[i, j] = histogram_information(
                histograms[i, j], weights, parity, addend, chao_shen
            )


@jit
def add_influence(x_codes, y_codes, outside, histograms, n_samples, influence):
    """Add to influence (m,) what each sample tells over all edges, beyond what it tells on average.

    An edge's kept sample tells (log2 p(x, y) / p(x) p(y) - its mean) / share kept, a dropped one nothing: the
    standard deviation over sqrt(n) is the standard error of the edges' sum.
    """
    n_x, m = x_codes.shape
    n_y = y_codes.shape[0]
    in_bins, out_bins = histograms.shape[2], histograms.shape[3]
    gain = np.empty((in_bins, out_bins), np.float64)
    x, y = np.empty(in_bins, np.float64), np.empty(out_bins, np.float64)
    for i in range(n_x):
        for j in range(n_y):
            histogram = histograms[i, j]
            x[:] = 0.0
            y[:] = 0.0
            kept = 0.0
            for a in range(in_bins):
                for b in range(out_bins):
                    x[a] += histogram[a, b]
                    y[b] += histogram[a, b]
                    kept += histogram[a, b]
            mean = 0.0
            for a in range(in_bins):
                for b in range(out_bins):
                    gain[a, b] = 0.0
                    if histogram[a, b] > 0:
                        gain[a, b] = np.log2(histogram[a, b] * kept / (x[a] * y[b]))
                        mean += histogram[a, b] / kept * gain[a, b]
            share = kept / n_samples
            for t in range(m):
                if y_codes[j, t] != outside:
                    influence[t] += (gain[x_codes[i, t], y_codes[j, t]] - mean) / share
