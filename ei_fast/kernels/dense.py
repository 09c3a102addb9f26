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

from ei_fast.kernels.block_codes import block_codes
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.keys import pack_codes
from ei_fast.kernels.products import BLOCK, ROW, TOGETHER
from ei_fast.kernels.uniforms import fill_uniforms, fill_uniforms_of_cells

_HALF_RANGE = np.float32(2.0**23 - 0.5)
_WHOLE_RANGE = np.float32(2.0**24)
"""What turns a uniform back into the integer of 24 bits that it was made of; see `fill_uniforms`."""


@jit
def dense_keys(
    stream_keys,
    firsts,
    scaled,
    scale,
    centre,
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
    scaled : (n_out, n_in) float32
        Transposed weights times the width over which the input moves inside a cell, times `scale`.
    scale : (n_out,) float64
        For each output a power of two that keeps its pre-activations well inside the range of float32.
    centre : (r, n_out) float64
        Pre-activations in the middle of each cell, as of `cell_centres`.
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
    n_out, n_in = scaled.shape
    m = keys.shape[1]
    flat_keys = keys.reshape(-1)
    uniforms = np.zeros((n_in, ROW), np.float32)
    sums = np.empty((min(n_out, TOGETHER), ROW), np.float32)
    thresholds, rises = np.empty(breaks.shape[1], np.float32), np.empty(breaks.shape[1], np.int32)
    y_codes = np.empty((n_out, ROW), np.uint16)
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
            thresholds,
            rises,
            y_codes,
        )
        pack_codes(y_codes, code_width, outside, flat_keys[origin : origin + size])


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
    n_out = y_codes.shape[0]
    uniforms = np.zeros((n_in, ROW), np.float32)
    sums = np.empty((min(n_out, TOGETHER), ROW), np.float32)
    thresholds, rises = np.empty(breaks.shape[1], np.float32), np.empty(breaks.shape[1], np.int32)
    # Whole blocks of their own: slices of the results would not be contiguous, and their loops not vectorised.
    x_block, y_block = np.empty((n_in, ROW), np.uint16), np.empty((n_out, ROW), np.uint16)
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
            thresholds,
            rises,
            y_block,
        )
        # Number by number: to compile what NumPy says of slices that do not fit takes seconds.
        for i in range(n_in):
            _copy(x_block[i, :size], x_codes[i, origin : origin + size])
        for j in range(y_codes.shape[0]):
            _copy(y_block[j, :size], y_codes[j, origin : origin + size])


@inner
def _copy(codes, out):
    for t in range(codes.shape[0]):
        out[t] = codes[t]
