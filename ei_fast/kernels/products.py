"""Pre-activations of a block of samples: weighted sums of their uniforms."""

from ei_fast.kernels.jit import inner
from ei_fast.kernels.lanes import LANES, products_of_four, products_of_one, products_of_six, products_of_two

BLOCK = 512
"""Samples that go through a layer together. A row of a block, 2 KiB of float32, stays in the first-level cache while it
is made, and the rows of a few hundred inputs in the second-level one; smaller blocks repeat the work that is done once
for every block and output."""

ROW = BLOCK + LANES
"""Length of a row of a block's samples in memory: whole vectors may begin at any sample, and rows that are not a power
of two apart do not displace each other from the cache."""

TOGETHER = 48
"""Outputs whose sums are made together: as many sixes as leave their sums in the second-level cache."""

_INPUTS = 96
"""Inputs that are added up in one go, of `_SAMPLES` samples: 24 KiB, which stay in the first-level cache."""
_SAMPLES = 4 * LANES


@inner
def weighted_sums(weights, chosen, first, count, uniforms, m, sums):
    """Write weighted sums of uniforms of several outputs into `sums`, each added in the order of the inputs.

    Parameters
    ----------
    weights : (n_out, n_in) float32
    chosen : (any,) int64
        Of which number `first` ... first + count - 1 are the outputs.
    first, count : int
    uniforms : (n_in, ROW) float32
    m : int
        Samples in the block.
    sums : (>= count, ROW) float32, output
        sums[k, t] = sum over i of weights[chosen[first + k], i] * uniforms[i, t] for t < m; what follows in a row may
        be overwritten too.
    """
    n_in = weights.shape[1]
    for begin in range(0, n_in, _INPUTS):
        end = min(begin + _INPUTS, n_in)
        for start in range(0, m, _SAMPLES):
            stop = min(start + _SAMPLES, m)
            k = 0
            while k + 6 <= count:
                for t in range(start, stop, LANES):
                    products_of_six(weights, chosen, uniforms, sums, first + k, k, t, begin, end)
                k += 6
            if k + 4 <= count:
                for t in range(start, stop, LANES):
                    products_of_four(weights, chosen, uniforms, sums, first + k, k, t, begin, end)
                k += 4
            if k + 2 <= count:
                for t in range(start, stop, 2 * LANES):
                    products_of_two(weights, chosen, uniforms, sums, first + k, k, t, begin, end)
                k += 2
            if k < count:
                products_of_one(weights, chosen, uniforms, sums, first + k, k, start, begin, end)
