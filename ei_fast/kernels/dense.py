"""The fused kernel of a dense layer: uniforms -> pre-activations -> output codes -> joint keys.

Pre-activations are computed relative to the centre of the input cell that a sample is drawn from, so
that float32 resolves the spread inside the cell however large the bias or the weights. The whole
input range is just the one cell of a layer whose inputs have a single bin.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.keys import pack_codes
from ei_fast.kernels.uniforms import fill_uniforms, fill_uniforms_of_cells

BLOCK = 512
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
def preactivations(weight, chosen, uniforms, m, s):
    """s[k, t] = sum over i of weight[i, chosen[k]] * uniforms[i, t], t < m, added in the order of i, in float32.

    `chosen` are up to four outputs: what is loaded of the uniforms then serves four sums. The rows of s lie in one
    piece, a constant apart, which is how the compiler knows that they do not overlap.
    """
    n_in = weight.shape[0]
    flat = s.reshape(-1)
    flat[:] = np.float32(0.0)
    if chosen.shape[0] == 1:
        _one_preactivation(weight, chosen[0], uniforms, flat[:m])
        return
    # Where there are fewer than four the last one is computed again.
    last = chosen.shape[0] - 1
    j0, j1, j2, j3 = chosen[0], chosen[min(1, last)], chosen[min(2, last)], chosen[min(3, last)]
    i = 0
    while i + 2 <= n_in:
        a0, a1, a2, a3 = weight[i, j0], weight[i, j1], weight[i, j2], weight[i, j3]
        b0, b1, b2, b3 = weight[i + 1, j0], weight[i + 1, j1], weight[i + 1, j2], weight[i + 1, j3]
        u, v = uniforms[i], uniforms[i + 1]
        for t in range(m):
            flat[t] = (flat[t] + a0 * u[t]) + b0 * v[t]
            flat[BLOCK + t] = (flat[BLOCK + t] + a1 * u[t]) + b1 * v[t]
            flat[2 * BLOCK + t] = (flat[2 * BLOCK + t] + a2 * u[t]) + b2 * v[t]
            flat[3 * BLOCK + t] = (flat[3 * BLOCK + t] + a3 * u[t]) + b3 * v[t]
        i += 2
    if i < n_in:
        a0, a1, a2, a3 = weight[i, j0], weight[i, j1], weight[i, j2], weight[i, j3]
        u = uniforms[i]
        for t in range(m):
            flat[t] = flat[t] + a0 * u[t]
            flat[BLOCK + t] = flat[BLOCK + t] + a1 * u[t]
            flat[2 * BLOCK + t] = flat[2 * BLOCK + t] + a2 * u[t]
            flat[3 * BLOCK + t] = flat[3 * BLOCK + t] + a3 * u[t]


@jit
def _one_preactivation(weight, j, uniforms, s):
    n_in = weight.shape[0]
    m = s.shape[0]
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
def cell_centres(weight, bias, middles, cells, centre):
    """Pre-activation (r, n_out) at the middle of each input cell (r, n_in), in float64.

    The last of `middles` is that of the whole range, where an input is not held in a bin.
    """
    n_in, n_out = weight.shape
    for r in range(cells.shape[0]):
        centre[r] = bias
        for i in range(n_in):
            x = middles[cells[r, i]]
            for j in range(n_out):
                centre[r, j] += x * weight[i, j]


@jit
def block_codes(
    uniforms,
    scaled,
    scale,
    centre,
    reach,
    breaks,
    sizes,
    codes,
    rows,
    m,
    origin,
    size,
    s,
    index,
    thresholds,
    out,
):
    """Output codes out[:, :size] of the samples origin ... origin + size - 1, m of them to a cell.

    Most outputs do not leave their bin inside a cell: `reach` tells, and their pre-activations are
    then not computed.
    """
    first_cell, last_cell = origin // m, (origin + size - 1) // m
    moving = np.empty(out.shape[0], np.int64)
    n_moving = 0
    for j in range(out.shape[0]):
        own, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        for cell in range(first_cell, last_cell + 1):
            here = centre[cell, j]
            passed = count_at_most(own, here - reach[j])
            start, stop = max(0, cell * m - origin), min(size, (cell + 1) * m - origin)
            if passed < own.shape[0] and own[passed] < here + reach[j]:
                moving[n_moving] = j
                n_moving += 1
                break
            out[j, start:stop] = own_codes[passed]
    group = 0
    while group < n_moving:
        # One or two that are left over are computed faster one by one.
        chosen = moving[group : min(group + 4, n_moving) if n_moving - group > 2 else group + 1]
        group += chosen.shape[0]
        preactivations(scaled, chosen, uniforms, size, s)
        for k in range(chosen.shape[0]):
            j = chosen[k]
            own, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            for cell in range(first_cell, last_cell + 1):
                start, stop = max(0, cell * m - origin), min(size, (cell + 1) * m - origin)
                here = centre[cell, j]
                passed = count_at_most(own, here - reach[j])
                n_steps = 0
                while passed + n_steps < own.shape[0] and own[passed + n_steps] < here + reach[j]:
                    thresholds[n_steps] = np.float32((own[passed + n_steps] - here) * scale[j])
                    n_steps += 1
                if n_steps == 0:
                    out[j, start:stop] = own_codes[passed]
                else:
                    step_codes(
                        s[k, start:stop],
                        thresholds[:n_steps],
                        np.int32(passed),
                        own_codes,
                        index[start:stop],
                        out[j, start:stop],
                    )


@jit
def dense_keys(
    stream_keys,
    firsts,
    scaled,
    scale,
    weight,
    bias,
    middles,
    cells,
    reach,
    breaks,
    sizes,
    codes,
    rows,
    bits,
    outside,
    keys,
):
    """Joint output keys of samples drawn inside input cells.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Stream keys of the uniforms.
    firsts : (r,) int64
        Index in the stream of each cell's first sample; sample t of cell r is number firsts[r] + t.
    scaled : (n_in, n_out) float32
        Weights times the width in which an input moves, times `scale`.
    scale : (n_out,) float64
        A power of two for each output that keeps its pre-activations well inside the range of float32.
    weight, bias : (n_in, n_out), (n_out,) float64
    middles : (in_bins + 1,) float64
        Middle of each input bin, and of the whole range.
    cells : (r, n_in) int32
        Bin index of every input; in_bins where it moves over the whole range.
    reach : (n_out,) float64
        How far from a cell's centre a pre-activation gets; steps beyond it are not looked at.
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        The binned activation as step functions: see `StepTable`.
    bits, outside : int
        See `pack_codes`.
    keys : (r, m) uint64, output
    """
    n_in, n_out = weight.shape
    n_cells, m = keys.shape
    centre = np.empty((n_cells, n_out), np.float64)
    cell_centres(weight, bias, middles, cells, centre)
    flat = keys.reshape(-1)
    uniforms = np.empty((n_in, BLOCK), np.float32)
    s = np.empty((4, BLOCK), np.float32)
    index = np.empty(BLOCK, np.int32)
    thresholds = np.empty(breaks.shape[1], np.float32)
    out = np.empty((n_out, BLOCK), np.uint16)
    for origin in range(0, flat.shape[0], BLOCK):
        size = min(BLOCK, flat.shape[0] - origin)
        fill_uniforms_of_cells(stream_keys, firsts, m, origin, size, uniforms)
        block_codes(
            uniforms,
            scaled,
            scale,
            centre,
            reach,
            breaks,
            sizes,
            codes,
            rows,
            m,
            origin,
            size,
            s,
            index,
            thresholds,
            out,
        )
        pack_codes(out, bits, outside, flat[origin : origin + size])


@jit
def _centre(weight, bias, middles, cell, j):
    """Pre-activation of one output at the middle of one cell (n_in,)."""
    centre = bias[j]
    for i in range(weight.shape[0]):
        centre += middles[cell[i]] * weight[i, j]
    return centre


@jit
def moving_cells(weight, bias, middles, cells, reach, breaks, sizes, rows, moving):
    """Whether any output can leave its bin inside each cell (r, n_in), by interval arithmetic; moving (r,) bool."""
    for r in range(cells.shape[0]):
        moving[r] = False
        # Mostly one of the first outputs moves, and the centres of the others need not be known.
        for j in range(weight.shape[1]):
            centre = _centre(weight, bias, middles, cells[r], j)
            own = breaks[rows[j], : sizes[rows[j]]]
            passed = count_at_most(own, centre - reach[j])
            if passed < own.shape[0] and own[passed] < centre + reach[j]:
                moving[r] = True
                break


@jit
def open_cells(weight, bias, middles, cells, reach, breaks, sizes, codes, rows, outside, kept):
    """Whether every output can stay inside its range in each cell (r, n_in), by interval arithmetic; kept (r,) bool."""
    for r in range(cells.shape[0]):
        kept[r] = True
        for j in range(weight.shape[1]):
            centre = _centre(weight, bias, middles, cells[r], j)
            own = breaks[rows[j], : sizes[rows[j]]]
            last = count_at_most(own, centre + reach[j])
            k = count_at_most(own, centre - reach[j])
            while k < last and codes[rows[j], k] == outside:
                k += 1
            if codes[rows[j], k] == outside:
                kept[r] = False
                break


@jit
def input_codes(uniforms, bins, m, out):
    """Input bins out[:, :m] of uniforms on (-1/2, 1/2), in whole numbers and so without rounding."""
    for i in range(uniforms.shape[0]):
        u, row = uniforms[i], out[i]
        for t in range(m):
            k = np.int64(u[t] * np.float32(2.0**24) + np.float32(2.0**23 - 0.5))
            row[t] = np.uint16((k * bins) >> 24)


@jit
def dense_codes(
    stream_keys,
    first,
    scaled,
    scale,
    bias_at_middle,
    reach,
    breaks,
    sizes,
    codes,
    rows,
    in_bins,
    x_codes,
    y_codes,
):
    """Bins of inputs (n_in, m) and outputs (n_out, m) of samples over the whole input range."""
    n_in, m = x_codes.shape
    uniforms = np.empty((n_in, BLOCK), np.float32)
    s = np.empty((4, BLOCK), np.float32)
    index = np.empty(BLOCK, np.int32)
    thresholds = np.empty(breaks.shape[1], np.float32)
    # Whole blocks of their own: slices of the results would not be contiguous, nor their loops vectorised.
    x_block, y_block = np.empty((n_in, BLOCK), np.uint16), np.empty((y_codes.shape[0], BLOCK), np.uint16)
    for origin in range(0, m, BLOCK):
        size = min(BLOCK, m - origin)
        fill_uniforms(stream_keys, first + origin, size, uniforms)
        input_codes(uniforms, in_bins, size, x_block)
        block_codes(
            uniforms,
            scaled,
            scale,
            bias_at_middle,
            reach,
            breaks,
            sizes,
            codes,
            rows,
            m,
            origin,
            size,
            s,
            index,
            thresholds,
            y_block,
        )
        x_codes[:, origin : origin + size] = x_block[:, :size]
        y_codes[:, origin : origin + size] = y_block[:, :size]
