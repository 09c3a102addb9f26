"""Seconds and bytes of one core: to balance shards, to split a layer, to refuse in time.

The measures say how many points and edges they take; here it is how long these take, and how much memory.
"""

from collections.abc import Sequence
from math import ceil

from ei_fast.measures.constants import EXPECTED_POINTS
from ei_fast.measures.layer import MEASURES_OF_LAYER, measure_cost
from ei_fast.network.binned import BinnedLayer
from ei_fast.parameters import Settings

PartCounts = dict[tuple[int, str], int]

MAX_PARTS = 1000
"""Each part takes a file, and a pilot of its own."""

# Of one core, as measured; they balance shards and change no figure.
_ADDS_A_SECOND = 5e9
_SECONDS_A_POINT = 6e-8
_SECONDS_A_COUNT = 1e-9
SECONDS_A_CHECKPOINT = 0.005
"""Its file read and hashed, its result written."""
# With 8 input bins.
_SECONDS_AN_EDGE = {"sensitivity": 3e-7, "ei_parts": 1e-5}
_SECONDS_A_DRAWN_EDGE = {"sensitivity": 1e-6, "ei_parts": 4e-5}
_SECONDS_A_CANDIDATE = 4e-7
# Peaks as measured: 65 bytes a point where joint states are counted; weights 6 times, whatever type the file has.
_BYTES_A_POINT = 80
_LEAST_POINTS_KEPT = 2**18
_COPIES_OF_WEIGHTS = 8


def seconds_of(layer: BinnedLayer, settings: Settings, measure: str) -> float:
    """Of one measure of a layer."""
    cost = measure_cost(layer, measure, settings.options)
    seconds = cost.points * _SECONDS_A_POINT + cost.multiply_adds / _ADDS_A_SECOND + cost.counts * _SECONDS_A_COUNT
    if measure == "joint":
        return seconds
    edges = cost.edges * _SECONDS_AN_EDGE[measure] + cost.drawn_edges * _SECONDS_A_DRAWN_EDGE[measure]
    return seconds + edges * layer.in_bins / 8 + cost.candidates * _SECONDS_A_CANDIDATE


def bytes_of(layer: BinnedLayer, settings: Settings) -> int:
    """Memory that measuring a layer takes beside the package itself."""
    # Rounds of points may double more than once; and beyond `most`, points stand for other work, which keeps little.
    most = settings.n_samples or EXPECTED_POINTS * max(settings.effort, 1.0)
    points = min(max(measure_cost(layer, "joint", settings.options).points, _LEAST_POINTS_KEPT), most)
    return bytes_of_file(8 * layer.layer.n_in * layer.layer.n_out) + _BYTES_A_POINT * int(points)


def bytes_of_file(size: int) -> int:
    """Memory that reading and measuring so many bytes of weights takes."""
    return _COPIES_OF_WEIGHTS * size


def part_counts_of(layers: Sequence[BinnedLayer], settings: Settings, longest: float) -> PartCounts:
    """Measures that are expected to take longer than so many seconds, and into how many parts each is split."""
    taking = {
        (layer.index, measure): seconds_of(layer, settings, measure)
        for layer in layers
        for measure in MEASURES_OF_LAYER
    }
    return {where: min(ceil(seconds / longest), MAX_PARTS) for where, seconds in taking.items() if seconds > longest}
