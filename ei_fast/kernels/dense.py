"""The fused kernel of a dense layer: uniforms -> pre-activations -> output codes -> joint keys.

Notes
-----
A sample is drawn inside an input cell: every input lies anywhere in one of its bins, or, where it is not held in a bin,
anywhere in its range. The cell in which no input is held is the whole input range.

1. The pre-activation is computed relative to its *centre*, that in the middle of the cell, which is known in float64.
   The difference is a sum of weight * width * uniform over inputs, in float32, which resolves the spread inside the
   cell however large the bias or the weights.
2. From its centre an output's pre-activation gets at most as far as its *reach*, which is known from interval
   arithmetic. Where no breakpoint of the binned activation lies within reach, the output's code is constant in the
   cell. Most outputs of most cells are, and then no pre-activation is computed.
3. Elsewhere the code follows from how many breakpoints are passed, relative to the centre and rounded to float32 too.

Samples of all cells follow each other and go through these steps in blocks of `BLOCK`, neuron by neuron.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.keys import pack_codes
from ei_fast.kernels.uniforms import fill_uniforms, fill_uniforms_of_cells

BLOCK = 512
"""Samples that go through a layer together. A row of a block, 2 KiB of float32, stays in the first-level cache while it
is summed, and the rows of a few hundred inputs in the second-level one; smaller blocks repeat the work that is done
once for every block and output."""

_COUNTED_THRESHOLDS = 48
"""Thresholds up to which all are compared with every sample, which vectorises over samples. More are searched by
bisection, sample by sample."""

_TOGETHER = 4
"""Outputs whose pre-activations are summed together: each uniform that is loaded then serves four sums."""

_HALF_RANGE = np.float32(2.0**23 - 0.5)
_WHOLE_RANGE = np.float32(2.0**24)
"""What turns a uniform back into the integer of 24 bits that it was made of; see `fill_uniforms`."""


@jit
def count_at_most(breaks, value):
    """Return how many entries of `breaks` (K,), in rising order, are <= `value`, by bisection."""
    low, high = 0, breaks.shape[0]
    while low < high:
        middle = (low + high) // 2
        if breaks[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def preactivations(weight, chosen, uniforms, m, sums):
    """Write weighted sums of uniforms of up to four outputs into `sums`, added in the order of the inputs.

    Parameters
    ----------
    weight : (n_in, n_out) float32
    chosen : (1 ... 4,) int64
        The outputs.
    uniforms : (n_in, BLOCK) float32
    m : int
        Samples in the block.
    sums : (4, BLOCK) float32, output
        sums[k, t] = sum over i of weight[i, chosen[k]] * uniforms[i, t] for t < m; all else is overwritten too.
    """
    n_in = weight.shape[0]
    # Rows a constant apart in one array: this is how the compiler knows that they do not overlap.
    flat = sums.reshape(-1)
    flat[:] = np.float32(0.0)
    if chosen.shape[0] == 1:
        _single_preactivation(weight, chosen[0], uniforms, flat[:m])
        return
    # Where there are fewer than four outputs the last one is computed again.
    last = chosen.shape[0] - 1
    j0, j1, j2, j3 = chosen[0], chosen[min(1, last)], chosen[min(2, last)], chosen[min(3, last)]
    i = 0
    # Two inputs at a time save every other load and store of the sums.
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
def _single_preactivation(weight, j, uniforms, sums):
    """Add sum over i of weight[i, j] * uniforms[i, t] to sums[t], (m,) float32, in the order of the inputs."""
    n_in = weight.shape[0]
    m = sums.shape[0]
    i = 0
    # Four inputs at a time save three of four loads and stores of the sums; the order of additions stays.
    while i + 4 <= n_in:
        w0, w1, w2, w3 = weight[i, j], weight[i + 1, j], weight[i + 2, j], weight[i + 3, j]
        u0, u1, u2, u3 = uniforms[i], uniforms[i + 1], uniforms[i + 2], uniforms[i + 3]
        for t in range(m):
            sums[t] = (((sums[t] + w0 * u0[t]) + w1 * u1[t]) + w2 * u2[t]) + w3 * u3[t]
        i += 4
    while i < n_in:
        w0, u0 = weight[i, j], uniforms[i]
        for t in range(m):
            sums[t] = sums[t] + w0 * u0[t]
        i += 1


@jit
def step_codes(sums, thresholds, n_passed, codes, index, out):
    """Write the output bins of samples into `out`: out[t] = codes[n_passed + number of thresholds <= sums[t]].

    Parameters
    ----------
    sums : (m,) float32
        Pre-activations relative to their centre.
    thresholds : (n,) float32
        Breakpoints within reach, relative to the centre and in rising order.
    n_passed : int32
        Breakpoints that all samples have passed.
    codes : (> n_passed + n,) uint16
        Output bins between all breakpoints.
    index : (m,) int32, scratch
    out : (m,) uint16, output
    """
    m = sums.shape[0]
    if thresholds.shape[0] <= _COUNTED_THRESHOLDS:
        index[:] = n_passed
        for k in range(thresholds.shape[0]):
            threshold = thresholds[k]
            for t in range(m):
                index[t] += np.int32(sums[t] >= threshold)
    else:
        for t in range(m):
            index[t] = n_passed + np.int32(count_at_most(thresholds, sums[t]))
    for t in range(m):
        out[t] = codes[np.uint32(index[t])]


@jit
def cell_centres(weight, bias, middles, cells, centre):
    """Write the pre-activations in the middle of each cell into `centre`.

    Parameters
    ----------
    weight, bias : (n_in, n_out), (n_out,) float64
    middles : (in_bins + 1,) float64
        Middle of each input bin, and last that of the whole range.
    cells : (r, n_in) int32
        Bin of every input; in_bins where the input is not held in a bin.
    centre : (r, n_out) float64, output
    """
    n_in, n_out = weight.shape
    for r in range(cells.shape[0]):
        centre[r] = bias
        for i in range(n_in):
            x = middles[cells[r, i]]
            for j in range(n_out):
                centre[r, j] += x * weight[i, j]


@jit
def _samples_of_cell(cell, m, origin, size):
    """Return where in the block of samples origin ... origin + size - 1 those of a cell, m to a cell, begin and end."""
    return max(0, cell * m - origin), min(size, (cell + 1) * m - origin)


@jit
def _fill_constant_codes(centre, reach, breaks, sizes, codes, rows, m, origin, size, moving, out):
    """Write the codes of outputs that are constant in every cell of a block into `out`; return how many are not.

    Parameters
    ----------
    centre, reach, breaks, sizes, codes, rows, m, origin, size
        As of `block_codes`.
    moving : (n_out,) int64, output
        First come the outputs, as many as are returned, that move in some cell of the block: their codes remain to be
        written.
    out : (n_out, >= size) uint16, output
    """
    first_cell, last_cell = origin // m, (origin + size - 1) // m
    n_moving = 0
    for j in range(out.shape[0]):
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        for cell in range(first_cell, last_cell + 1):
            n_passed = count_at_most(own_breaks, centre[cell, j] - reach[j])
            if n_passed < own_breaks.shape[0] and own_breaks[n_passed] < centre[cell, j] + reach[j]:
                moving[n_moving] = j
                n_moving += 1
                break
            start, stop = _samples_of_cell(cell, m, origin, size)
            out[j, start:stop] = own_codes[n_passed]
    return n_moving


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
    sums,
    index,
    thresholds,
    out,
):
    """Write the output bins of one block of samples into `out`; see the module's notes.

    Parameters
    ----------
    uniforms : (n_in, BLOCK) float32
        Of the block's samples.
    scaled, scale, reach, breaks, sizes, codes, rows
        As of `dense_keys`.
    centre : (r, n_out) float64
        Pre-activations in the middle of each cell.
    m, origin, size : int
        Sample t of cell c is number c * m + t; the block has numbers origin ... origin + size - 1.
    sums, index, thresholds : (4, BLOCK) float32, (BLOCK,) int32, (K,) float32, scratch
    out : (n_out, >= size) uint16, output
    """
    moving = np.empty(out.shape[0], np.int64)
    n_moving = _fill_constant_codes(centre, reach, breaks, sizes, codes, rows, m, origin, size, moving, out)
    group = 0
    while group < n_moving:
        # Four outputs together; one or two that are left over are faster one by one.
        n_left = n_moving - group
        chosen = moving[group : min(group + _TOGETHER, n_moving) if n_left > 2 else group + 1]
        group += chosen.shape[0]
        preactivations(scaled, chosen, uniforms, size, sums)
        for k in range(chosen.shape[0]):
            j = chosen[k]
            # Written out here: as a function of its own this loop made whole layers up to a third slower.
            own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            for cell in range(origin // m, (origin + size - 1) // m + 1):
                start, stop = _samples_of_cell(cell, m, origin, size)
                in_middle = centre[cell, j]
                n_passed = count_at_most(own_breaks, in_middle - reach[j])
                n_within = 0
                while (
                    n_passed + n_within < own_breaks.shape[0] and own_breaks[n_passed + n_within] < in_middle + reach[j]
                ):
                    thresholds[n_within] = np.float32((own_breaks[n_passed + n_within] - in_middle) * scale[j])
                    n_within += 1
                if n_within == 0:
                    out[j, start:stop] = own_codes[n_passed]
                else:
                    step_codes(
                        sums[k, start:stop],
                        thresholds[:n_within],
                        np.int32(n_passed),
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
    code_width,
    outside,
    keys,
):
    """Write the keys of the joint output states of samples drawn inside input cells into `keys`.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream of uniforms.
    firsts : (r,) int64
        Number in the streams of each cell's first sample: sample t of cell c is number firsts[c] + t.
    scaled : (n_in, n_out) float32
        Weights times the width over which the input moves inside a cell, times `scale`.
    scale : (n_out,) float64
        For each output a power of two that keeps its pre-activations well inside the range of float32.
    weight, bias : (n_in, n_out), (n_out,) float64
    middles : (in_bins + 1,) float64
        Middle of each input bin, and last that of the whole range.
    cells : (r, n_in) int32
        Bin of every input; in_bins where the input moves over the whole range.
    reach : (n_out,) float64
        How far from its centre a pre-activation gets inside a cell; breakpoints beyond are not met.
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        Binned activations as step functions of the pre-activation: output j has the first sizes[rows[j]] breakpoints of
        row rows[j] in rising order, and the codes between them; a breakpoint belongs to the interval above it.
    code_width, outside : int
        As of `pack_codes`.
    keys : (r, m) uint64, output
        Of m samples inside each cell.
    """
    n_in, n_out = weight.shape
    n_cells, m = keys.shape
    centre = np.empty((n_cells, n_out), np.float64)
    cell_centres(weight, bias, middles, cells, centre)
    flat_keys = keys.reshape(-1)
    uniforms = np.empty((n_in, BLOCK), np.float32)
    sums = np.empty((_TOGETHER, BLOCK), np.float32)
    index = np.empty(BLOCK, np.int32)
    thresholds = np.empty(breaks.shape[1], np.float32)
    y_codes = np.empty((n_out, BLOCK), np.uint16)
    for origin in range(0, flat_keys.shape[0], BLOCK):
        size = min(BLOCK, flat_keys.shape[0] - origin)
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
            sums,
            index,
            thresholds,
            y_codes,
        )
        pack_codes(y_codes, code_width, outside, flat_keys[origin : origin + size])


@jit
def _centre_of_cell(weight, bias, middles, cell, j):
    """Return the pre-activation of output j in the middle of one cell (n_in,)."""
    centre = bias[j]
    for i in range(weight.shape[0]):
        centre += middles[cell[i]] * weight[i, j]
    return centre


@jit
def moving_cells(weight, bias, middles, cells, reach, breaks, sizes, rows, moving):
    """Write whether any output's code may change inside each cell, by interval arithmetic, into `moving`.

    Parameters
    ----------
    weight, bias, middles, cells, reach, breaks, sizes, rows
        As of `dense_keys`.
    moving : (r,) bool, output
        False only where all outputs are constant.
    """
    for r in range(cells.shape[0]):
        moving[r] = False
        # Mostly one of the first outputs moves, so that the centres of the others need not be computed.
        for j in range(weight.shape[1]):
            centre = _centre_of_cell(weight, bias, middles, cells[r], j)
            own_breaks = breaks[rows[j], : sizes[rows[j]]]
            n_passed = count_at_most(own_breaks, centre - reach[j])
            if n_passed < own_breaks.shape[0] and own_breaks[n_passed] < centre + reach[j]:
                moving[r] = True
                break


@jit
def open_cells(weight, bias, middles, cells, reach, breaks, sizes, codes, rows, outside, kept):
    """Write whether all outputs can be inside their range in each cell, by interval arithmetic, into `kept`.

    Parameters
    ----------
    weight, bias, middles, cells, reach, breaks, sizes, codes, rows
        As of `dense_keys`.
    outside : int
        Code of an output outside its range.
    kept : (r,) bool, output
        False only where all samples of the cell are dropped. Outputs are looked at one by one, so that even a cell with
        True may keep nothing.
    """
    for r in range(cells.shape[0]):
        kept[r] = True
        for j in range(weight.shape[1]):
            centre = _centre_of_cell(weight, bias, middles, cells[r], j)
            own_breaks = breaks[rows[j], : sizes[rows[j]]]
            last = count_at_most(own_breaks, centre + reach[j])
            k = count_at_most(own_breaks, centre - reach[j])
            while k < last and codes[rows[j], k] == outside:
                k += 1
            if codes[rows[j], k] == outside:
                kept[r] = False
                break


@jit
def input_codes(uniforms, bins, m, out):
    """Write the input bins of uniforms on (-1/2, 1/2) over the whole range into out[:, :m].

    Parameters
    ----------
    uniforms : (n_in, >= m) float32
        As from `fill_uniforms`: (k - 2**23 + 1/2) * 2**-24 for an integer k of 24 bits. The bin is
        floor(k * bins / 2**24), in whole numbers and so without rounding.
    bins : int
        Bins of an input.
    m : int
        Samples.
    out : (n_in, >= m) uint16, output
    """
    for i in range(uniforms.shape[0]):
        u, input_bins = uniforms[i], out[i]
        for t in range(m):
            k = np.int64(u[t] * _WHOLE_RANGE + _HALF_RANGE)
            input_bins[t] = np.uint16((k * bins) >> 24)


@jit
def dense_codes(
    stream_keys,
    first,
    scaled,
    scale,
    centre,
    reach,
    breaks,
    sizes,
    codes,
    rows,
    in_bins,
    x_codes,
    y_codes,
):
    """Write the bins of inputs and outputs of samples over the whole input range into `x_codes` and `y_codes`.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream of uniforms.
    first : int
        Number of the first sample in the streams.
    scaled, scale, reach, breaks, sizes, codes, rows
        As of `dense_keys`, with inputs that move over the whole range.
    centre : (1, n_out) float64
        Pre-activations in the middle of the range.
    in_bins : int
        Bins of an input.
    x_codes, y_codes : (n_in, m), (n_out, m) uint16, output
    """
    n_in, m = x_codes.shape
    uniforms = np.empty((n_in, BLOCK), np.float32)
    sums = np.empty((_TOGETHER, BLOCK), np.float32)
    index = np.empty(BLOCK, np.int32)
    thresholds = np.empty(breaks.shape[1], np.float32)
    # Whole blocks of their own: slices of the results would not be contiguous, and their loops not vectorised.
    x_block, y_block = np.empty((n_in, BLOCK), np.uint16), np.empty((y_codes.shape[0], BLOCK), np.uint16)
    for origin in range(0, m, BLOCK):
        size = min(BLOCK, m - origin)
        fill_uniforms(stream_keys, first + origin, size, uniforms)
        input_codes(uniforms, in_bins, size, x_block)
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
            sums,
            index,
            thresholds,
            y_block,
        )
        x_codes[:, origin : origin + size] = x_block[:, :size]
        y_codes[:, origin : origin + size] = y_block[:, :size]
