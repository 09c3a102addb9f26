"""EI_parts: what each edge carries while all inputs move, exactly."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.parts import column_parts
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer
from ei_fast.parallel import Arrays, Workers, share_of, stacked

_SMALL = 2**12
"""n_in * n_out * in_bins below which threads cost more than they save: about 2 ms."""


def edge_parts(binned: BinnedLayer, workers: Workers) -> NDArray[np.float64]:
    """I(X_i; Y_j) in bits with every input uniform, (n_in, n_out); their sum is EI_parts.

    Exact to about 1e-10: the pre-activation given one input's bin is a sum of uniforms (Mattsson et al. 2020,
    section 2.4, whose estimate has this as its limit). NaN where an output is dropped whatever the input.
    """
    layer = binned.layer
    assert isinstance(layer, Layer)
    steps = binned.steps
    breaks, codes = steps.breaks.copy(), steps.codes.copy()
    low, high = binned.in_range
    centre = layer.bias + 0.5 * (low + high) * layer.weight.sum(axis=0)
    moving = binned.outputs_that_move()

    def column(j: int) -> NDArray[np.float64]:
        out = np.zeros(layer.n_in)
        if moving[j]:
            weight = layer.weight[:, j].copy()
            order = np.argsort(-np.abs(weight), kind="stable")
            column_parts(
                weight,
                order,
                centre[j],
                high - low,
                binned.in_bins,
                breaks,
                codes,
                steps.outside,
                steps.n_bins + 1,
                out,
            )
        return out

    small = layer.n_in * layer.n_out * binned.in_bins < _SMALL

    def share(k: int, n: int) -> Arrays:
        columns = workers.map(column, range(*share_of(layer.n_out, k, n)), small)
        return (np.array(columns).reshape(-1, layer.n_in),)

    (columns,) = workers.shared(share, stacked)
    parts = np.ascontiguousarray(columns.T)
    parts[:, binned.outputs_never_kept()] = np.nan
    return parts
