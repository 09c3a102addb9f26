"""Every layer of a network with its bins, measured: small ones side by side, functions of others in turn."""

from collections.abc import Sequence
from contextlib import nullcontext

from tqdm import tqdm

from ei_fast.estimator.reports import report_of
from ei_fast.measures.constants import JOINT_POINTS
from ei_fast.measures.edges.auto import pairwise_method
from ei_fast.measures.edges.matrices import check_files
from ei_fast.measures.joint.plugin import check_memory
from ei_fast.measures.layer import measure_layer
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Runner
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import Ranges, can_be_divided, hull_of
from ei_fast.network.network import Network
from ei_fast.network.stored import StoredLayer
from ei_fast.parameters import Settings
from ei_fast.results.report import LayerReport

SIDE_BY_SIDE = 4
"""Layers measured at a time at the most: each keeps points of its own."""


def binned_layers(network: Network, settings: Settings, ranges: Sequence[tuple[Ranges, Ranges]]) -> list[BinnedLayer]:
    """Every layer with its bins over the given ranges; ValueError or MemoryError where it could not be measured so."""
    binned = [
        BinnedLayer(
            layer,
            index,
            *ranges[index],
            settings.in_bins,
            settings.out_bins,
            settings.drop,
            settings.baseline,
        )
        for index, layer in enumerate(network)
    ]
    for one in binned:
        pairwise_method(one, settings.options)
        _check_bins(one)
    if settings.pairwise != "none":
        check_files(binned, settings.matrices)
    check_memory(settings.n_samples or JOINT_POINTS, settings.joint)
    return binned


def _check_bins(binned: BinnedLayer) -> None:
    """Raise ValueError where bins are too narrow to be told apart."""
    for name, ranges, bins in (("in", binned.in_range, binned.in_bins), ("out", binned.out_range, binned.out_bins)):
        if not can_be_divided(ranges, bins):
            raise ValueError(
                f"Layer {binned.index} ({binned.layer.name!r}): its {name}puts' range {hull_of(ranges)} cannot be "
                f"divided into {bins} bins that rounding tells apart. Give fewer bins, or a wider {name}_range."
            )


def _has_its_turn(layer: BinnedLayer) -> bool:
    return isinstance(layer.layer, StoredLayer) or not layer.layer.is_thread_safe


def measure_layers(
    binned: Sequence[BinnedLayer], options: MeasureOptions, seed: int, runner: Runner, verbose: bool
) -> list[LayerReport]:
    """Reports of all layers. Dense ones are measured side by side: threads gain little inside a small one."""
    # A user's function, or activation, need not be safe to run in several threads: these have their turns first. Of
    # layers that are stored, one at a time is in memory.
    in_turn = [layer for layer in binned if _has_its_turn(layer)]
    side_by_side = [layer for layer in binned if not _has_its_turn(layer)]
    for layer in side_by_side:
        _ = layer.steps
    # Even a disabled bar starts a thread.
    with tqdm(total=len(binned), desc="measuring", unit="layer") if verbose else nullcontext() as bar:

        def measured(layer: BinnedLayer) -> LayerReport:
            layer = layer.in_memory()
            measures = runner.named(f"layer{layer.index}").run(measure_layer(layer, options, seed))
            report = report_of(layer, measures, options)
            if bar is not None:
                with bar.get_lock():
                    bar.update()
            return report

        reports = [
            *map(measured, in_turn),
            *runner.threads.map(measured, side_by_side, at_once=SIDE_BY_SIDE),
        ]
    found = dict(zip([*in_turn, *side_by_side], reports, strict=True))
    return [found[layer] for layer in binned]
