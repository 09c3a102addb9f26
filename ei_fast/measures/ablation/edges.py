"""By how much sensitivity and EI_parts change without each input, output or edge of a layer, exactly."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.ablation.variants import Variants, What
from ei_fast.measures.edges.ei_parts import exact_ei_parts
from ei_fast.measures.edges.sensitivity import exact_sensitivity
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import is_each
from ei_fast.network.layer import Layer
from ei_fast.runtime.threads import Threads

Values = NDArray[np.float64]

_METHODS = {"sensitivity": exact_sensitivity, "ei_parts": exact_ei_parts}
# Weights of layers side by side that are measured in one go.
_AT_ONCE = 2**20


def edge_changes(binned: BinnedLayer, what: What, value: float, measure: str, threads: Threads) -> tuple[float, Values]:
    """The sum of a per-edge measure over the layer, and by how much it changes in each layer, in bits.

    Parameters
    ----------
    binned : BinnedLayer
        A dense layer that is clipped.
    what : "inputs", "outputs" or "edges"
    value : float
        What stands in place of an input, or of what an edge passes on.
    measure : str
        ``"sensitivity"`` or ``"ei_parts"``.
    threads : Threads

    Notes
    -----
    An output's measures depend on its own weights alone. So columns of all layers that differ from the whole one stand
    side by side, as outputs of one layer, which is measured.
    """
    layer = binned.layer
    assert isinstance(layer, Layer)
    weight, n_out = layer.weight, layer.n_out
    of_outputs = _sums(binned, weight, layer.bias, np.arange(n_out), measure, threads)
    variants = Variants.all_of(what, *weight.shape)
    if what == "outputs":
        return float(of_outputs.sum()), -of_outputs
    changes = np.zeros(len(variants))
    # One column after the other: the layer that it is of, the input that it lacks, and the output that it is.
    if what == "edges":
        which = np.flatnonzero(weight.ravel() != 0.0)
        lacks, columns = variants.inputs[which], variants.outputs[which]
    else:
        lacks, columns = np.nonzero(weight != 0.0)
        which = lacks
    at_once = max(1, _AT_ONCE // len(weight))
    for first in range(0, len(which), at_once):
        some = slice(first, first + at_once)
        i, j = lacks[some], columns[some]
        side_by_side = weight[:, j].copy()
        each = np.arange(len(j))
        bias = layer.bias[j] + value * side_by_side[i, each]
        side_by_side[i, each] = 0.0
        found = _sums(binned, side_by_side, bias, j, measure, threads)
        np.add.at(changes, which[some], found - of_outputs[j])
    return float(of_outputs.sum()), changes


def _sums(
    binned: BinnedLayer, weight: Values, bias: Values, outputs: NDArray[np.intp], measure: str, threads: Threads
) -> Values:
    """Sums over inputs of the measures of columns, each with the range of an output of the layer."""
    layer = binned.layer
    assert isinstance(layer, Layer)
    out_range = tuple(binned.out_range[j] for j in outputs) if is_each(binned.out_range) else binned.out_range
    columns = replace(binned, layer=Layer(weight, bias, layer.activation, layer.name), out_range=out_range)  # type: ignore[arg-type]
    matrix = run_here(_METHODS[measure](columns, MeasureOptions()), threads).matrix
    sums: Values = matrix.sum(axis=0, dtype=np.float64)
    return sums


def edge_sum(binned: BinnedLayer, measure: str, threads: Threads) -> float:
    """The sum of a per-edge measure over a layer, in bits."""
    layer = binned.layer
    assert isinstance(layer, Layer)
    return float(_sums(binned, layer.weight, layer.bias, np.arange(layer.n_out), measure, threads).sum())
