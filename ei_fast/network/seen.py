"""Ranges that were seen at the ends of layers while a model ran on example inputs."""

from collections.abc import Sequence
from typing import Any

from ei_fast.network.bins import Range, widened

Seen = Sequence[tuple[Range, Range] | None]

_ENDS = {"in_range": 0, "out_range": 1}


def check_seen(seen: Any, n_layers: int) -> tuple[tuple[Range, Range] | None, ...]:
    """The ranges seen as a tuple, one entry a layer or none at all; ValueError where they are not so."""
    given = tuple(seen)
    if given and len(given) != n_layers:
        raise ValueError(
            f"The 'seen' parameter of Network must hold one entry a layer, {n_layers}. Got {len(given)} instead. Give "
            "None for layers of which nothing is known."
        )
    return tuple(None if one is None else (_pair(one[0]), _pair(one[1])) for one in given)


def _pair(limits: Any) -> Range:
    low, high = (float(end) for end in limits)
    # Not "high < low", which no NaN is.
    if not -float("inf") < low <= high < float("inf"):
        raise ValueError(
            "The 'seen' parameter of Network must hold finite numbers, the smallest before the largest. Got "
            f"{limits!r} instead. Give None for a layer of which nothing is known."
        )
    return low, high


def seen_at(seen: Seen, index: int, layer: Any, end: str) -> Range:
    """The range seen at the inputs or outputs of a layer; widened by 1/2 to both sides where it is a single point.

    Raises
    ------
    ValueError
        Where none was seen.
    """
    if not seen:
        raise ValueError(
            f"The {end!r} parameter is 'seen', and the model has not been run on examples. Give example_inputs=, a "
            "batch of what it takes."
        )
    of_layer = seen[index]
    if of_layer is None:
        raise ValueError(
            f"The {end!r} parameter is 'seen', and no finite range was seen of layer {index} ({layer.name!r}) while "
            f"the model ran on the example inputs. Give {end}='auto', or example inputs for which it is finite."
        )
    return widened(*of_layer[_ENDS[end]])
