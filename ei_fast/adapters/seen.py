"""What the ends of layers were seen to be while the model ran on the examples that its user gave."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ei_fast.adapters.assemble.network import Piece
from ei_fast.adapters.graph import Recording
from ei_fast.adapters.graph.recording import Outline
from ei_fast.adapters.sources import Source
from ei_fast.network.bins import Range
from ei_fast.network.network import Network

_OTHERWISE = (
    "the model does something else on the example inputs as they are than on numbers drawn over in_range, so that no "
    "ranges are kept as seen"
)


Ends = list[list[Range | None]]


def with_seen(
    network: Network,
    pieces: Sequence[Piece],
    run: Callable[[Any], Recording],
    source: Source,
    outline: Outline,
    ends: Ends | None = None,
) -> Network:
    """The network with the ranges seen at the ends of its layers, where there are examples.

    Parameters
    ----------
    pieces : sequence of Piece
        The layers, and where they are in the model.
    outline : Outline
        Of the run in which these were found.
    ends : list, optional
        What was seen in that run, where it was one on the examples as they are.
    """
    if ends is None:
        for inputs in source.as_given(outline.rows):
            recording = run(inputs)
            if recording.path != outline.path:
                return network.noted([("example_inputs", _OTHERWISE)])
            ends = ends_in(recording, pieces, ends)
            # Before there is another.
            recording.forget()
    if ends is None:
        return network
    return network.with_seen([(a, b) if a and b and np.isfinite((a, b)).all() else None for a, b in ends])


def ends_in(recording: Recording, pieces: Sequence[Piece], before: Ends | None = None) -> Ends:
    """The hulls of what stood at both ends of each layer in a run, and of what was seen before."""
    ends = before or [[None, None] for _ in pieces]
    for of_layer, piece in zip(ends, pieces, strict=True):
        for end, (value, places) in enumerate(((piece.start, piece.reads), (piece.end, piece.writes))):
            of_layer[end] = _hull(of_layer[end], recording, value, places)
    return ends


def _hull(before: Range | None, recording: Recording, value: int, places: Any) -> Range | None:
    """The hull of what was seen before and of the numbers of a value, NaN where these are not finite."""
    values = recording.values[value]
    if places is not None:
        values = values.reshape(len(values), -1)[:, places]
    low, high = (float(values.min()), float(values.max())) if values.size else (np.nan, np.nan)
    return (low, high) if before is None else (float(np.minimum(low, before[0])), float(np.maximum(high, before[1])))
