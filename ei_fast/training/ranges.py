"""Over which ranges the records of a training are measured: one and the same layer tells a different story under each.

``"each"``: every record over what its own weights reach, the layer on its own scale. ``"first"``: all over what the
first one reached, a ruler that a growing layer leaves. ``"all"``: all over the hull of what they reach together, a
ruler that nothing leaves, known only once the training is over. Where ranges are given, or activations bounded, the
three are the same.
"""

from collections.abc import Iterable, Sequence

from ei_fast.network.bins import Ranges, union, widened
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network
from ei_fast.network.reach import is_spread
from ei_fast.parameters import Settings

LayerRanges = tuple[tuple[Ranges, Ranges], ...]
"""Input and output range of every layer."""

SAID = {
    "each": "those of each record",
    "first": "those of the first record",
    "all": "those of all records together",
}
"""What each convention is called in tables and pictures."""


def ranges_of_record(
    convention: str, network: Network, settings: Settings, known: LayerRanges
) -> tuple[LayerRanges, LayerRanges]:
    """The ranges of one record, and those that all later ones are to have.

    A layer whose outputs are all one point has no range that could be kept: it and the layers after it wait for a
    record in which it has.

    Parameters
    ----------
    known : ranges of layers
        Of the first layers, from records before; of all layers where ``convention="all"``.
    """
    if convention == "each":
        return tuple(network.ranges(settings.in_range, settings.out_range)), ()
    ranges = tuple(network.ranges(settings.in_range, settings.out_range, known))
    for index in range(len(known), len(network)):
        if not has_range(network, index, ranges, settings):
            return ranges, ranges[:index]
    return ranges, ranges


def has_range(network: Network, index: int, ranges: LayerRanges, settings: Settings) -> bool:
    """Whether the range of a layer's outputs is more than a point that was widened."""
    layer = network.layers[index]
    if settings.out_range == "seen":
        seen = network.seen[index]
        return seen is not None and widened(*seen[1]) == seen[1]
    if not isinstance(layer, Layer) or layer.out_range is not None or not isinstance(settings.out_range, str):
        return True
    return is_spread(layer, ranges[index][0])


def hull_of_records(records: Iterable[Sequence[tuple[Ranges, Ranges]]]) -> LayerRanges:
    """The hull of the ranges of several records, layer by layer."""
    hull: LayerRanges | None = None
    for ranges in records:
        if hull is None:
            hull = tuple(ranges)
        else:
            hull = tuple((union(a, c), union(b, d)) for (a, b), (c, d) in zip(hull, ranges, strict=True))
    return hull or ()
