"""Pre-activations: weighted sums of the uniforms of a block of samples, and what they are in the middle of cells."""

import numpy as np

from ei_fast.kernels.jit import inner, jit

BLOCK = 512
"""Samples that go through a layer together. A row of a block, 2 KiB of float32, stays in the first-level cache while it
is summed, and the rows of a few hundred inputs in the second-level one; smaller blocks repeat the work that is done
once for every block and output."""

TOGETHER = 4
"""Outputs whose pre-activations are summed together: each uniform that is loaded then serves four sums."""


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


@inner
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
        # Number by number: to compile what NumPy says of slices that do not fit takes seconds.
        for j in range(n_out):
            centre[r, j] = bias[j]
        for i in range(n_in):
            x = middles[cells[r, i]]
            for j in range(n_out):
                centre[r, j] += x * weight[i, j]


@inner
def centre_of_cell(weight, bias, middles, cell, j):
    """Return the pre-activation of output j in the middle of one cell (n_in,)."""
    centre = bias[j]
    for i in range(weight.shape[0]):
        centre += middles[cell[i]] * weight[i, j]
    return centre
