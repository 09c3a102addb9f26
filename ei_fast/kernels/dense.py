"""The fused kernel of a dense layer: uniforms -> pre-activations -> output codes -> joint keys.

Pre-activations are computed relative to the centre of the input cell that a sample is drawn from, so
that float32 resolves the spread inside the cell however large the bias or the weights. The whole
input range is just the one cell of a layer whose inputs have a single bin.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.keys import pack_codes
from ei_fast.kernels.uniforms import fill_uniforms

BLOCK = 1024
"""Samples that go through the layer together: what they need stays in the cache."""

_SEARCH_ABOVE = 48


@jit
def count_at_most(breaks, value):
    """Number of `breaks` (sorted) that are <= `value`."""
    low, high = 0, breaks.shape[0]
    while low < high:
        middle = (low + high) // 2
        if breaks[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def preactivation(weight, j, uniforms, s):
    """s[t] = sum over i of weight[i, j] * uniforms[i, t], added in the order of i, in float32."""
    n_in = weight.shape[0]
    m = s.shape[0]
    s[:] = np.float32(0.0)
    i = 0
    # Four inputs at a time save three of four loads and stores of s; the order of additions stays.
    while i + 4 <= n_in:
        w0, w1, w2, w3 = weight[i, j], weight[i + 1, j], weight[i + 2, j], weight[i + 3, j]
        u0, u1, u2, u3 = uniforms[i], uniforms[i + 1], uniforms[i + 2], uniforms[i + 3]
        for t in range(m):
            s[t] = (((s[t] + w0 * u0[t]) + w1 * u1[t]) + w2 * u2[t]) + w3 * u3[t]
        i += 4
    while i < n_in:
        w0, u0 = weight[i, j], uniforms[i]
        for t in range(m):
            s[t] = s[t] + w0 * u0[t]
        i += 1


@jit
def step_codes(s, thresholds, passed, codes, index, out):
    """out[t] = codes[passed + number of thresholds <= s[t]]: few are counted, many are searched."""
    m = s.shape[0]
    if thresholds.shape[0] <= _SEARCH_ABOVE:
        index[:] = passed
        for k in range(thresholds.shape[0]):
            threshold = thresholds[k]
            for t in range(m):
                index[t] += np.int32(s[t] >= threshold)
    else:
        for t in range(m):
            index[t] = passed + np.int32(count_at_most(thresholds, s[t]))
    for t in range(m):
        out[t] = codes[np.uint32(index[t])]


@jit
def dense_keys(pair_keys, first, scaled, weight, bias, middles, cells, reach, breaks, codes, bits, keys):
    """Joint output keys of samples drawn inside input cells.

    Parameters
    ----------
    pair_keys : (ceil(n_in / 2),) uint64
        Stream keys of the uniforms.
    first : int
        Index of the first sample in the stream; sample t of cell r is number first + r * m + t.
    scaled : (n_in, n_out) float32
        Weights times the width of an input bin.
    weight, bias : (n_in, n_out), (n_out,) float64
    middles : (in_bins,) float64
        Middle of each input bin.
    cells : (r, n_in) int32
        Bin index of every input.
    reach : (n_out,) float64
        How far from a cell's centre a pre-activation gets; steps beyond it are not looked at.
    breaks, codes : (K,) float64, (K + 1,) uint16
        The binned activation as a step function.
    bits : int
        Bits of one code in a key.
    keys : (r, m) uint64, output
    """
    n_in, n_out = weight.shape
    n_cells, m = keys.shape
    centre = np.empty((n_cells, n_out), np.float64)
    for r in range(n_cells):
        centre[r] = bias
        for i in range(n_in):
            x = middles[cells[r, i]]
            for j in range(n_out):
                centre[r, j] += x * weight[i, j]

    flat = keys.reshape(-1)
    uniforms = np.empty((n_in, BLOCK), np.float32)
    s = np.empty(BLOCK, np.float32)
    index = np.empty(BLOCK, np.int32)
    block_codes = np.empty((n_out, BLOCK), np.uint16)
    thresholds = np.empty(breaks.shape[0], np.float32)
    for origin in range(0, flat.shape[0], BLOCK):
        size = min(BLOCK, flat.shape[0] - origin)
        drawn = False
        for j in range(n_out):
            added = False
            cell = origin // m
            start = 0
            while start < size:
                stop = min(size, (cell + 1) * m - origin)
                here = centre[cell, j]
                passed = count_at_most(breaks, here - reach[j])
                n_steps = 0
                while passed + n_steps < breaks.shape[0] and breaks[passed + n_steps] < here + reach[j]:
                    thresholds[n_steps] = np.float32(breaks[passed + n_steps] - here)
                    n_steps += 1
                if n_steps == 0:
                    block_codes[j, start:stop] = codes[passed]
                else:
                    if not drawn:
                        fill_uniforms(pair_keys, first + origin, uniforms[:, :size])
                        drawn = True
                    if not added:
                        preactivation(scaled, j, uniforms, s[:size])
                        added = True
                    step_codes(
                        s[start:stop],
                        thresholds[:n_steps],
                        np.int32(passed),
                        codes,
                        index[start:stop],
                        block_codes[j, start:stop],
                    )
                start = stop
                cell += 1
        pack_codes(block_codes[:, :size], bits, flat[origin : origin + size])
