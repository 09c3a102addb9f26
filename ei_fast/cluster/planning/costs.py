"""What a layer is expected to take, in seconds and bytes: to balance shards, to split a layer, to refuse in time."""

from collections.abc import Sequence
from math import ceil

from ei_fast.measures.constants import JOINT_POINTS, MAX_WORK
from ei_fast.measures.layer import MEASURES
from ei_fast.network.binned import BinnedLayer
from ei_fast.parameters import Settings

PartCounts = dict[tuple[int, str], int]

MAX_PARTS = 1000
"""Each part takes a file, and a pilot of its own."""

# Of one core, as measured; they balance shards and change no figure.
_ADDS_A_SECOND = 5e9
_SECONDS_A_POINT = 6e-8
_SECONDS_AN_EDGE = {"sensitivity": 3e-7, "ei_parts": 1e-5}
_SECONDS_A_DRAWN_EDGE = {"sensitivity": 1e-6, "ei_parts": 4e-5}
_SECONDS_TO_DRAW = 4e-7
_FUNCTION_TIMES = 8
_TYPICAL_POINTS = 2**20
# Peaks as measured: 65 bytes a point where joint states are counted; weights 6 times, whatever type the file has.
_BYTES_A_POINT = 80
_COPIES_OF_WEIGHTS = 8


def seconds_of(layer: BinnedLayer, settings: Settings, measure: str) -> float:
    """Of one measure of a layer."""
    n_in, n_out = layer.layer.n_in, layer.layer.n_out
    work = n_in * n_out + 4 * (n_in + n_out)
    is_function = layer.layer.kind == "function"
    if measure == "joint":
        points = _points_of(layer, settings)
        return points * (work * (_FUNCTION_TIMES if is_function else 1) / _ADDS_A_SECOND + _SECONDS_A_POINT)
    if settings.pairwise == "none":
        return 0.0
    if settings.pairwise == "histogram" or is_function:
        points = settings.n_samples or _TYPICAL_POINTS // 4
        passes = n_in if measure == "sensitivity" else 1
        return points * (passes * work * _FUNCTION_TIMES / _ADDS_A_SECOND + n_in * n_out * 1e-9)
    n_edges, times = n_in * n_out, layer.in_bins / 8
    if settings.pairwise_edges is not None and n_edges > settings.pairwise_edges:
        return n_edges * _SECONDS_TO_DRAW + settings.pairwise_edges * _SECONDS_A_DRAWN_EDGE[measure] * times
    return n_edges * _SECONDS_AN_EDGE[measure] * times


def bytes_of(layer: BinnedLayer, settings: Settings) -> int:
    """Memory that measuring a layer takes beside the package itself."""
    return bytes_of_file(8 * layer.layer.n_in * layer.layer.n_out) + _BYTES_A_POINT * _points_of(layer, settings)


def bytes_of_file(size: int) -> int:
    """Memory that reading and measuring so many bytes of weights takes."""
    return _COPIES_OF_WEIGHTS * size


def part_counts_of(layers: Sequence[BinnedLayer], settings: Settings, longest: float) -> PartCounts:
    """Measures that are expected to take longer than so many seconds, and into how many parts each is split."""
    taking = {(layer.index, measure): seconds_of(layer, settings, measure) for layer in layers for measure in MEASURES}
    return {where: min(ceil(seconds / longest), MAX_PARTS) for where, seconds in taking.items() if seconds > longest}


def _points_of(layer: BinnedLayer, settings: Settings) -> int:
    if settings.n_samples is not None:
        return settings.n_samples
    if settings.joint == "plugin":
        return JOINT_POINTS
    work = layer.layer.n_in * layer.layer.n_out
    return int(min(_TYPICAL_POINTS * max(settings.effort, 1.0), max(2**16, MAX_WORK * settings.effort // work)))
