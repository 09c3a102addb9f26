"""Output codes of one block of samples, whatever cells they lie in: constant ones, and those that follow from sums.

The notes of `dense` say what a sample goes through.
"""

import numpy as np

from ei_fast.kernels.jit import inner
from ei_fast.kernels.preactivations import TOGETHER, preactivations
from ei_fast.kernels.search import count_at_most

_COUNTED_THRESHOLDS = 48
"""Thresholds up to which all are compared with every sample, which vectorises over samples. More are searched by
bisection, sample by sample."""


@inner
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


@inner
def _samples_of_cell(cell, m, origin, size):
    """Return where in the block of samples origin ... origin + size - 1 those of a cell, m to a cell, begin and end."""
    return max(0, cell * m - origin), min(size, (cell + 1) * m - origin)


@inner
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


@inner
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
        chosen = moving[group : min(group + TOGETHER, n_moving) if n_left > 2 else group + 1]
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
