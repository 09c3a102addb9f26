"""The per-edge measures: which method for which layer."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ei_fast.measures.constants import MAX_HISTOGRAM_ENTRIES, MAX_TABLE_ENTRIES
from ei_fast.measures.cost import Cost
from ei_fast.measures.edges.ei_parts import exact_ei_parts
from ei_fast.measures.edges.estimate import EdgeEstimate, matrix_type
from ei_fast.measures.edges.histogram import histogram_cost, histogram_ei_parts, histogram_sensitivity
from ei_fast.measures.edges.matrices import Target
from ei_fast.measures.edges.sensitivity import exact_sensitivity
from ei_fast.measures.edges.subset import is_subset, sampled_edges
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Method
from ei_fast.network.binned import BinnedLayer

EdgeMethod = Callable[[BinnedLayer, MeasureOptions, int], Method[EdgeEstimate]]

METHODS: dict[tuple[str, str], EdgeMethod] = {
    ("sensitivity", "exact"): lambda binned, options, seed: exact_sensitivity(binned, options),
    ("sensitivity", "sampled"): partial(sampled_edges, "sensitivity"),
    ("sensitivity", "histogram"): histogram_sensitivity,
    ("ei_parts", "exact"): lambda binned, options, seed: exact_ei_parts(binned, options),
    ("ei_parts", "sampled"): partial(sampled_edges, "ei_parts"),
    ("ei_parts", "histogram"): histogram_ei_parts,
}
"""By measure and by the name in `LayerReport.pairwise_method`; see docs/development/extending.md."""


def edge_measure(binned: BinnedLayer, measure: str, options: MeasureOptions, seed: int) -> Method[EdgeEstimate]:
    """One measure of every edge of a layer, in bits.

    Parameters
    ----------
    binned : BinnedLayer
    measure : str
        ``"sensitivity"`` or ``"ei_parts"``.
    options : MeasureOptions
    seed : int

    Returns
    -------
    EdgeEstimate

    Notes
    -----
    "auto" is exact for a dense layer, and from simulated joint histograms for a `Function`; "none" leaves NaN. What is
    exact is so of some edges only where there are more than `pairwise_edges`.
    """
    method = pairwise_method(binned, options)
    if method == "none":
        return EdgeEstimate.not_measured(binned.layer.n_in, binned.layer.n_out)
    estimate = yield from METHODS[measure, method](binned, options, seed)
    return in_its_place(estimate, binned, measure, options) if method == "histogram" else estimate


def in_its_place(estimate: EdgeEstimate, binned: BinnedLayer, measure: str, options: MeasureOptions) -> EdgeEstimate:
    """An estimate whose matrix was filled in memory, with the matrix where it is to be, and as precise."""
    total, matrix = estimate.total, estimate.matrix
    with Target.of(binned, measure, options) as target:
        if options.matrices is None and matrix.dtype == matrix_type(*matrix.shape):
            return estimate
        return replace(estimate, matrix=target.kept(target.joined([matrix])), estimated_total=total)


def edge_cost(binned: BinnedLayer, measure: str, options: MeasureOptions) -> Cost:
    """What `edge_measure` is expected to take for a layer."""
    method, n_edges = pairwise_method(binned, options), binned.layer.n_in * binned.layer.n_out
    if method == "none":
        return Cost()
    if method == "exact":
        return Cost(edges=n_edges)
    if method == "sampled":
        assert options.pairwise_edges is not None
        return Cost(drawn_edges=options.pairwise_edges, candidates=n_edges)
    return histogram_cost(binned, measure, options)


def explain_choice(binned: BinnedLayer, options: MeasureOptions) -> str:
    """Which method `edge_measure` would use for a layer and why, without measuring it."""
    method, n_edges = pairwise_method(binned, options), binned.layer.n_in * binned.layer.n_out
    return {
        "exact": "exact: a dense layer's are integrals",
        "sampled": f"sampled: {options.pairwise_edges} of {n_edges} are measured, exactly",
        "histogram": "histogram: simulated, as was asked for or since the layer is a function",
        "none": "none, as was asked for",
    }[method]


def pairwise_method(binned: BinnedLayer, options: MeasureOptions) -> str:
    """What "auto" means for the layer, and whether the method is open to it; "sampled" is exact for some edges.

    Raises
    ------
    ValueError
        Where an exact measure is asked of a `Function`.
    MemoryError
        Where tables would take more than they may.
    """
    layer, open_methods = binned.layer, binned.layer.pairwise_methods
    method = open_methods[0] if options.pairwise == "auto" else options.pairwise
    if method not in open_methods:
        raise ValueError(
            f"pairwise={method!r} must be asked of dense layers. Got {binned.title}, which is a Function. "
            "Use 'auto' or 'histogram'."
        )
    cells = binned.in_bins * binned.out_bins
    if method == "exact" and cells > MAX_TABLE_ENTRIES:
        raise MemoryError(
            f"pairwise='exact' takes a table of in_bins * out_bins = {cells:,} entries for an edge of {binned.title}, "
            f"more than the {MAX_TABLE_ENTRIES:,} it may take. Use fewer bins, or pairwise='none'."
        )
    counts = layer.n_in * layer.n_out * cells
    if method == "histogram" and counts > MAX_HISTOGRAM_ENTRIES:
        other = "pairwise='exact' " if "exact" in open_methods else ""
        raise MemoryError(
            f"pairwise='histogram' takes n_in * n_out * in_bins * out_bins = {counts:,} "
            f"counts for {binned.title}, more than the {MAX_HISTOGRAM_ENTRIES:,} it may take. Use fewer bins, "
            f"{other}or pairwise='none'."
        )
    is_sampled = method == "exact" and is_subset(binned, options)
    if is_sampled and binned.histograms is not None:
        raise ValueError(
            f"pairwise_edges={options.pairwise_edges} takes inputs to be uniform, which in_distribution says they are "
            f"not, in {binned.title}. Use pairwise_edges=None."
        )
    return "sampled" if is_sampled else method
