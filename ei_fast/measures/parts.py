"""EI_parts: what each edge carries while all inputs move, exactly."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.parts import edges_parts
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Arrays, Workers, share_of, stacked

_TASK_WORK = 2**12
"""n_in * in_bins * columns for which another thread is asked: about 2 ms."""


def edge_parts(binned: BinnedLayer, workers: Workers) -> NDArray[np.float64]:
    """I(X_i; Y_j) in bits with every input uniform, (n_in, n_out); their sum is EI_parts.

    Exact to about 1e-10: the pre-activation given one input's bin is a sum of uniforms (Mattsson et al. 2020,
    section 2.4, whose estimate has this as its limit). NaN where an output is dropped whatever the input.
    """
    weight, steps = binned.weight, binned.steps
    n_in, n_out = weight.shape
    low, high = binned.span
    centres = binned.bias + 0.5 * (low + high) * weight.sum(axis=0)
    moving = binned.outputs_that_move()
    n_columns = max(1, _TASK_WORK // (n_in * binned.in_bins))

    def share(k: int, n: int) -> Arrays:
        begin, end = share_of(n_out, k, n)
        found = np.empty((end - begin, n_in))

        def columns(first: int) -> None:
            stop = min(first + n_columns, end)
            weights = np.where(moving[first:stop], weight[:, first:stop], 0.0).T.copy()
            orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
            edges_parts(
                weights,
                orders,
                centres[first:stop],
                high - low,
                binned.in_bins,
                steps.breaks,
                steps.sizes,
                steps.codes,
                steps.rows[first:stop],
                steps.outside,
                steps.n_bins + 1,
                found[first - begin : stop - begin],
            )

        workers.map(columns, range(begin, end, n_columns))
        return (found,)

    (found,) = workers.shared(share, stacked)
    parts = np.ascontiguousarray(found.T)
    parts[:, binned.outputs_never_kept()] = np.nan
    return parts
