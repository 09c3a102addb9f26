"""Sensitivity: what each edge alone can carry, exactly."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.edges import sensitivity_edges
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Arrays, Workers, share_of

_TASK_EDGES = 4096


def edge_sensitivity(binned: BinnedLayer, workers: Workers) -> NDArray[np.float64]:
    """I(X_i; Y_j) in bits with only x_i uniform and all other inputs at the baseline, (n_in, n_out).

    The layer's sensitivity is the sum (Mattsson et al. 2020, section 2.3). Exact to rounding. NaN where an
    output is dropped whatever the input.
    """
    weight, bias, steps = binned.weight, binned.bias, binned.steps
    n_in, n_out = weight.shape
    edges, n_codes = binned.in_edges, steps.n_bins + 1
    n_columns = max(1, _TASK_EDGES // n_in)

    def share(k: int, n: int) -> Arrays:
        begin, end = share_of(n_out, k, n)
        found = np.empty((n_in, end - begin))

        def columns(first: int) -> None:
            stop = min(first + n_columns, end)
            # Copies: kernels are compiled for writable arrays, and once.
            columns_weight, columns_bias = weight[:, first:stop].copy(), bias[first:stop].copy()
            out = np.empty(columns_weight.shape)
            sensitivity_edges(
                columns_weight,
                columns_bias,
                binned.baselines,
                edges,
                steps.breaks,
                steps.sizes,
                steps.codes,
                steps.rows[first:stop],
                n_codes,
                steps.outside,
                out,
            )
            found[:, first - begin : stop - begin] = out

        workers.map(columns, range(begin, end, n_columns))
        return (found,)

    (edges_found,) = workers.shared(share, lambda shares: (np.concatenate([one for (one,) in shares], axis=1),))
    return edges_found
