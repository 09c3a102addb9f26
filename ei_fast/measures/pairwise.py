"""The per-edge measures of a layer, exact or by simulation."""

import numpy as np

from ei_fast.intervention.do import DenseIntervention, FunctionIntervention, Intervention
from ei_fast.measures.entropy import Estimator
from ei_fast.measures.histogram import MAX_CELLS, Edges, histogram_parts, histogram_sensitivity
from ei_fast.measures.parts import edge_parts
from ei_fast.measures.sensitivity import edge_sensitivity
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Function, Layer
from ei_fast.runtime.threads import Workers

MAX_EXACT_CELLS = 2**24
"""in_bins * out_bins beyond which one edge's exact table is refused: 128 MiB."""


def pairwise_method(binned: BinnedLayer, asked: str) -> str:
    """What "auto" means for the layer, and whether the method is open to it.

    Raises
    ------
    ValueError
        Where an exact measure is asked of a `Function`.
    MemoryError
        Where tables would take more than they may.
    """
    layer = binned.layer
    name = f"layer {binned.index} ({layer.name!r})"
    method = asked
    if asked == "auto":
        method = "histogram" if isinstance(layer, Function) else "exact"
    if method == "exact" and isinstance(layer, Function):
        raise ValueError(
            f"pairwise='exact' must be asked of dense layers. Got {name}, which is a Function. "
            "Use 'auto' or 'histogram'."
        )
    cells = binned.in_bins * binned.out_bins
    if method == "exact" and cells > MAX_EXACT_CELLS:
        raise MemoryError(
            f"pairwise='exact' takes a table of in_bins * out_bins = {cells:,} cells for an edge of {name}, more "
            f"than the {MAX_EXACT_CELLS:,} it may take. Use fewer bins, or pairwise='none'."
        )
    if method == "histogram" and layer.n_in * layer.n_out * cells > MAX_CELLS:
        raise MemoryError(
            f"pairwise='histogram' takes n_in * n_out * in_bins * out_bins = {layer.n_in * layer.n_out * cells:,} "
            f"counts for {name}, more than the {MAX_CELLS:,} it may take. Use fewer bins, "
            f"{'' if isinstance(layer, Function) else 'pairwise=exact '}or pairwise='none'."
        )
    return method


def measure_edges(
    binned: BinnedLayer,
    measure: str,
    method: str,
    seed: int,
    tol: float,
    n_samples: int | None,
    estimator: Estimator,
    workers: Workers,
) -> Edges:
    """One measure of every edge, "sensitivity" or "parts" (EI_parts), by `method`: "exact", "histogram" or "none"."""
    layer = binned.layer
    if method == "none":
        return Edges(np.full((layer.n_in, layer.n_out), np.nan), np.nan, 0.0, 0)
    if method == "exact":
        exact = edge_sensitivity if measure == "sensitivity" else edge_parts
        return Edges(exact(binned, workers), 0.0, 0.0, 0)
    place = (binned.index, 0)
    if isinstance(layer, Layer):
        do: Intervention = DenseIntervention(
            binned.weight, binned.bias, binned.steps, binned.span, binned.in_bins, seed, place, binned.drop
        )
    else:
        do = FunctionIntervention(
            layer, binned.in_range, binned.in_bins, binned.out_range, binned.out_bins, seed, place, binned.drop
        )
        # Somebody else's code need not be safe to run in several threads, nor cheap to run again.
        workers = workers.alone()
    if measure == "sensitivity":
        baseline = binned.baselines if isinstance(layer, Layer) else np.full(layer.n_in, binned.baseline)
        return histogram_sensitivity(do, baseline, tol, n_samples, workers)
    return histogram_parts(do, tol, n_samples, estimator, workers, n_groups=2 if isinstance(layer, Layer) else 1)
