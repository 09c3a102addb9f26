"""Output codes of one block of samples, whatever cells they lie in: constant ones, and those that follow from sums.

The notes of `dense` say what a sample goes through.
"""

import numpy as np

from ei_fast.kernels.jit import inner
from ei_fast.kernels.lanes import LANES, codes_of_lanes
from ei_fast.kernels.products import TOGETHER, weighted_sums
from ei_fast.kernels.search import count_at_most

_COUNTED_THRESHOLDS = 128
"""Thresholds up to which all are compared with every sample, sixteen samples at once. More are searched by bisection,
sample by sample."""


@inner
def step_codes(sums, k, start, stop, thresholds, rises, count, n_passed, codes, out, j):
    """Write the output bins of some samples into `out`: those after n_passed + number of thresholds <= sums[k, t].

    Parameters
    ----------
    sums : (any, ROW) float32
        Pre-activations relative to their centre, those of row k.
    start, stop : int
        Samples `start` ... `stop` - 1 of the row.
    thresholds : (>= count,) float32
        Breakpoints within reach, relative to the centre and in rising order.
    rises : (>= count,) int32
        What each adds to the code.
    count : int
        Number of thresholds, at least one.
    n_passed : int
        Breakpoints that all samples have passed.
    codes : (> n_passed + count,) uint16
        Output bins between all breakpoints.
    out : (any, ROW) uint16, output
        Row j; up to `LANES` - 1 entries after those of the samples are overwritten too.
    """
    if count <= _COUNTED_THRESHOLDS:
        for t in range(start, stop, LANES):
            codes_of_lanes(sums, k, t, thresholds, rises, count, np.int32(codes[n_passed]), out, j)
    else:
        for t in range(start, stop):
            out[j, t] = codes[n_passed + count_at_most(thresholds[:count], sums[k, t])]


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
    thresholds,
    rises,
    out,
):
    """Write the output bins of one block of samples into `out`; see the module's notes.

    Parameters
    ----------
    uniforms : (n_in, ROW) float32
        Of the block's samples; what follows them must be numbers too.
    scaled, scale, reach, breaks, sizes, codes, rows
        As of `dense_keys`.
    centre : (r, n_out) float64
        Pre-activations in the middle of each cell.
    m, origin, size : int
        Sample t of cell c is number c * m + t; the block has numbers origin ... origin + size - 1.
    sums, thresholds, rises : (min(n_out, TOGETHER), ROW) float32, (K,) float32, (K,) int32, scratch
    out : (n_out, ROW) uint16, output
        What follows the block's samples in a row may be overwritten too.
    """
    moving = np.empty(out.shape[0], np.int64)
    n_moving = _fill_constant_codes(centre, reach, breaks, sizes, codes, rows, m, origin, size, moving, out)
    for first in range(0, n_moving, TOGETHER):
        count = min(TOGETHER, n_moving - first)
        weighted_sums(scaled, moving, first, count, uniforms, size, sums)
        for k in range(count):
            j = moving[first + k]
            # Written out here: as a function of its own this loop made whole layers up to a third slower.
            own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            # In rising order: what is written after the samples of a cell belongs to the next ones.
            for cell in range(origin // m, (origin + size - 1) // m + 1):
                start, stop = _samples_of_cell(cell, m, origin, size)
                in_middle = centre[cell, j]
                n_passed = count_at_most(own_breaks, in_middle - reach[j])
                n_within = 0
                while (
                    n_passed + n_within < own_breaks.shape[0] and own_breaks[n_passed + n_within] < in_middle + reach[j]
                ):
                    at = n_passed + n_within
                    thresholds[n_within] = np.float32((own_breaks[at] - in_middle) * scale[j])
                    rises[n_within] = np.int32(own_codes[at + 1]) - np.int32(own_codes[at])
                    n_within += 1
                if n_within == 0:
                    out[j, start:stop] = own_codes[n_passed]
                else:
                    step_codes(sums, k, start, stop, thresholds, rises, n_within, n_passed, own_codes, out, j)
