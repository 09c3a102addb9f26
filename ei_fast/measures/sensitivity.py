"""Sensitivity: what each edge alone can carry, exactly."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.edges import sensitivity_edges
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer
from ei_fast.parallel import Arrays, Workers, share_of

_TASK_EDGES = 4096


def edge_sensitivity(binned: BinnedLayer, workers: Workers) -> NDArray[np.float64]:
    """I(X_i; Y_j) in bits with only x_i uniform and all other inputs at the baseline, (n_in, n_out).

    The layer's sensitivity is the sum (Mattsson et al. 2020, section 2.3). Exact to rounding. NaN where an
    output is dropped whatever the input.
    """
    layer = binned.layer
    assert isinstance(layer, Layer)
    steps = binned.steps
    breaks, codes = steps.breaks.copy(), steps.codes.copy()
    edges, n_codes = binned.in_edges, steps.n_bins + 1
    n_columns = max(1, _TASK_EDGES // layer.n_in)

    def share(k: int, n: int) -> Arrays:
        begin, end = share_of(layer.n_out, k, n)
        found = np.empty((layer.n_in, end - begin))

        def columns(first: int) -> None:
            stop = min(first + n_columns, end)
            # Copies: kernels are compiled for writable arrays, and once.
            weight, bias = layer.weight[:, first:stop].copy(), layer.bias[first:stop].copy()
            out = np.empty(weight.shape)
            sensitivity_edges(weight, bias, binned.baseline, edges, breaks, codes, n_codes, steps.outside, out)
            found[:, first - begin : stop - begin] = out

        workers.map(columns, range(begin, end, n_columns))
        return (found,)

    (edges_found,) = workers.shared(share, lambda shares: (np.concatenate([one for (one,) in shares], axis=1),))
    return edges_found
