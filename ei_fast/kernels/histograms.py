"""Joint histograms of every edge, and the mutual information in them."""

import numpy as np

from ei_fast.kernels.counting import chao_shen_entropy
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.search import count_at_most


@jit
def add_to_histograms(x_codes, y_codes, outside, histograms):
    """Count samples into the joint histograms of all edges between some inputs and some outputs.

    Parameters
    ----------
    x_codes, y_codes : (n_x, m), (n_y, m) uint16
        Bins of the inputs and of the outputs of m samples.
    outside : int
        Code of an output outside its range: the sample is left out of that output's histograms. Negative where there is
        no such code.
    histograms : (n_x, n_y, in_bins, out_bins) int32, added to
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
def single_input_codes(weight, constants, low, range_width, uniforms, breaks, sizes, codes, rows, y_codes):
    """Write the output bins of a dense layer, of which a single input moves, into `y_codes`.

    Parameters
    ----------
    weight : (n_out,) float64
        Weights from the input that moves.
    constants : (n_out,) float64
        What the bias and all other inputs give to each pre-activation.
    low, range_width : float
        Lower end and width of the input's range.
    uniforms : (m,) float32
        Where in its range the input is in each sample: low + range_width * (uniform + 1/2).
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        Binned activations: output j has the first sizes[rows[j]] breakpoints of row rows[j], and the codes between.
    y_codes : (n_out, m) uint16, output
    """
    for j in range(weight.shape[0]):
        output_codes = y_codes[j]
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        for t in range(uniforms.shape[0]):
            x = low + range_width * (np.float64(uniforms[t]) + 0.5)
            output_codes[t] = own_codes[count_at_most(own_breaks, weight[j] * x + constants[j])]


@jit
def _entropy(counts, count_table, parity, state_term, is_chao_shen):
    """Return the entropy in bits of counts of any size, and how many states they have.

    Parameters
    ----------
    counts : (K,) integers
        Multiplicities; 0 for states that were not met.
    count_table, state_term : (T,) float64, float
        The estimator, in bits; see `counting`. Its total_table is log2.
    parity : int
        1 for Grassberger's estimator, 0 for others. Beyond the table log2 c stands for count_table[c]. Grassberger's
        G is the same for an odd c as for the even number below it: with parity 1 log2 of that stands for it.
    is_chao_shen : bool
        Whether the estimator is that of Chao and Shen instead.
    """
    n, n_states, n_singletons = np.int64(0), 0, np.int64(0)
    count_sum = 0.0
    for c in counts:
        if c > 0:
            n += c
            n_states += 1
            n_singletons += c == 1
            count_sum += c * (count_table[c] if c < count_table.shape[0] else np.log2(c - parity * (c % 2)))
    if n_states < 2:
        return 0.0, n_states
    if is_chao_shen:
        return chao_shen_entropy(counts, n, n_singletons), n_states
    return np.log2(n) - count_sum / n + state_term * (n_states - 1) / n, n_states


@jit
def histogram_information(histogram, count_table, parity, state_term, is_chao_shen):
    """Return the mutual information I(X; Y) in one joint histogram: H(X) + H(Y) - H(X, Y), all by one estimator.

    Parameters
    ----------
    histogram : (in_bins, out_bins) integers
    count_table, parity, state_term, is_chao_shen
        The estimator, as of `_entropy`.

    Returns
    -------
    bits : float
        NaN of an empty histogram, exactly 0 where X or Y has a single state.
    freedom : int
        Degrees of freedom (K_x - 1) (K_y - 1) of a test for independence, K_x and K_y being the numbers of states.
    kept : int
        Samples in the histogram.
    """
    n_x, n_y = histogram.shape
    x_counts, y_counts = np.empty(n_x, np.int64), np.empty(n_y, np.int64)
    x_counts[:] = 0
    y_counts[:] = 0
    kept = 0
    for x in range(n_x):
        for y in range(n_y):
            x_counts[x] += histogram[x, y]
            y_counts[y] += histogram[x, y]
            kept += histogram[x, y]
    if kept == 0:
        return np.nan, 0, 0
    x_entropy, x_states = _entropy(x_counts, count_table, parity, state_term, is_chao_shen)
    y_entropy, y_states = _entropy(y_counts, count_table, parity, state_term, is_chao_shen)
    if x_states < 2 or y_states < 2:
        return 0.0, 0, kept
    joint_entropy, _ = _entropy(histogram.reshape(-1), count_table, parity, state_term, is_chao_shen)
    return x_entropy + y_entropy - joint_entropy, (x_states - 1) * (y_states - 1), kept


@jit
def histograms_information(histograms, count_table, parity, state_term, is_chao_shen, bits, freedom, kept):
    """Write what `histogram_information` returns of every edge into `bits`, `freedom` and `kept`.

    Parameters
    ----------
    histograms : (n_in, n_out, in_bins, out_bins) int32
    count_table, parity, state_term, is_chao_shen
        The estimator, as of `_entropy`.
    bits, freedom, kept : (n_in, n_out) float64, int64, int64, output
    """
    n_in, n_out = bits.shape
    for i in range(n_in):
        for j in range(n_out):
            bits[i, j], freedom[i, j], kept[i, j] = histogram_information(
                histograms[i, j], count_table, parity, state_term, is_chao_shen
            )


@inner
def _pointwise_information(histogram, x_counts, y_counts, bits):
    """Write log2 of p(x, y) / (p(x) p(y)) of one histogram into `bits`, 0 where no sample is; return mean and samples.

    Parameters
    ----------
    histogram : (in_bins, out_bins) integers
    x_counts, y_counts : (in_bins,), (out_bins,) float64, scratch
    bits : (in_bins, out_bins) float64, output

    Returns
    -------
    mean : float
        Over samples: the plug-in mutual information, in bits.
    kept : float
        Samples in the histogram.
    """
    in_bins, out_bins = histogram.shape
    x_counts[:] = 0.0
    y_counts[:] = 0.0
    kept = 0.0
    for x in range(in_bins):
        for y in range(out_bins):
            x_counts[x] += histogram[x, y]
            y_counts[y] += histogram[x, y]
            kept += histogram[x, y]
    mean = 0.0
    for x in range(in_bins):
        for y in range(out_bins):
            bits[x, y] = 0.0
            if histogram[x, y] > 0:
                bits[x, y] = np.log2(histogram[x, y] * kept / (x_counts[x] * y_counts[y]))
                mean += histogram[x, y] / kept * bits[x, y]
    return mean, kept


@jit
def add_influence(x_codes, y_codes, outside, histograms, n_samples, influence):
    """Add each sample's influence on the sum over edges of the plug-in mutual information to `influence`, in bits.

    On one edge the influence of a sample that is kept is (its pointwise information - the mean of that over samples) /
    share of samples kept; that of a dropped one is 0. The standard deviation of the sum over edges, divided by
    sqrt(n_samples), is the standard error of the edges' sum to first order.

    Parameters
    ----------
    x_codes, y_codes : (n_x, m), (n_y, m) uint16
        Bins of the inputs and of the outputs of m samples.
    outside : int
        Code of a dropped sample's output; negative where there is none.
    histograms : (n_x, n_y, in_bins, out_bins) int32
        Of all samples, which may be more than m.
    n_samples : int
        Number of all samples, dropped ones included.
    influence : (m,) float64, added to
    """
    n_x, m = x_codes.shape
    n_y = y_codes.shape[0]
    in_bins, out_bins = histograms.shape[2], histograms.shape[3]
    bits = np.empty((in_bins, out_bins), np.float64)
    x_counts, y_counts = np.empty(in_bins, np.float64), np.empty(out_bins, np.float64)
    for i in range(n_x):
        for j in range(n_y):
            mean, kept = _pointwise_information(histograms[i, j], x_counts, y_counts, bits)
            kept_share = kept / n_samples
            for t in range(m):
                if y_codes[j, t] != outside:
                    influence[t] += (bits[x_codes[i, t], y_codes[j, t]] - mean) / kept_share
