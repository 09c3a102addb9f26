"""Which layers may feed each other: by their widths, and by whether they map one place of a sample or all of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.bins import Range, Ranges, hull_of, is_each
from ei_fast.network.function import Function
from ei_fast.network.layer import Layer
from ei_fast.network.names import unique_name

AnyLayer = Layer | Function


def with_names(layers: Sequence[AnyLayer]) -> tuple[AnyLayer, ...]:
    """Each layer under a name that no other has: ``layer0`` where it has none, ``fc1#2`` where ``fc1`` comes twice."""
    result: list[AnyLayer] = []
    taken: set[str] = set()
    for index, layer in enumerate(layers):
        unique = unique_name(layer.name or f"layer{index}", taken)
        taken.add(unique)
        result.append(layer if layer.name == unique else layer.named(unique))
    return tuple(result)


def inputs_from(ranges: Ranges, before: AnyLayer, layer: AnyLayer) -> Ranges:
    """The ranges of a layer's inputs, given the ranges of the outputs of the layer `before`."""
    if not is_each(ranges):
        return ranges
    if layer.patch is not None and layer.patch[0] == before.n_out:
        # All places of a channel in a patch have that channel's range.
        return tuple(of_channel for of_channel in ranges for _ in range(prod(layer.patch[1:])))  # type: ignore[misc]
    if layer.patch is None and before.patch is None and layer.per_position == before.per_position:
        return ranges
    # The channel that a flattened input comes from is not known: the order differs between frameworks.
    return hull_of(ranges)


def check_one_place(blocks: Sequence[AnyLayer], start: int, stop: int) -> None:
    """Raise ValueError where what one of several layers makes of one place is not all that the next one takes."""
    if len(blocks) > 1 and any(block.patch for block in blocks):
        raise ValueError(
            f"Layers {start} to {stop} do not feed each other patch by patch: a patch of one is made of many of "
            "the one before. Name what holds them in 'blocks' of as_network."
        )
    if len({block.per_position for block in blocks}) > 1:
        raise ValueError(
            f"Layers {start} to {stop} do not feed each other place by place: some are the map of one position of a "
            "sample, and others that of all. Name what holds them in 'blocks' of as_network."
        )


@dataclass(frozen=True)
class Through:
    """The map through layers that feed each other.

    Attributes
    ----------
    blocks : tuple of Layer or Function
    """

    blocks: tuple[AnyLayer, ...]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs (m, n_out) of the last at the inputs `x` (m, n_in) of the first."""
        for block in self.blocks:
            x = block(x)
        return x


def joined(blocks: Sequence[AnyLayer], in_range: Ranges, out_range: Range) -> Function:
    """Layers that feed each other, as one map."""
    name = " -> ".join(str(block.name) for block in blocks)
    first = blocks[0]
    of_place = (first.patch, first.per_position)
    return Function(Through(tuple(blocks)), first.n_in, blocks[-1].n_out, out_range, in_range, name, *of_place)


def feeds(before: AnyLayer, layer: AnyLayer) -> bool:
    """Whether the outputs of the layer `before` can be the inputs of `layer`.

    Of convolutions, and of layers per position, those in the whole model.
    """
    if layer.patch is not None:
        channels = layer.patch[0]
        return before.n_out == channels if before.patch is not None else before.n_out % channels == 0
    if before.patch is not None or (before.per_position and not layer.per_position):
        return layer.n_in % before.n_out == 0
    return before.n_out % layer.n_in == 0 if _spreads(before, layer) else layer.n_in == before.n_out


def _spreads(before: AnyLayer, layer: AnyLayer) -> bool:
    """Whether the outputs of a layer on whole samples are those of several positions of the next."""
    return layer.per_position and not before.per_position


def check_chain(layers: Sequence[AnyLayer], restarts: Collection[int]) -> None:
    """Raise ValueError where a layer does not feed the next."""
    for index in range(1, len(layers)):
        before, layer = layers[index - 1], layers[index]
        if index in restarts or feeds(before, layer):
            continue
        if layer.patch is not None or before.patch is not None:
            takes = f"{layer.patch[0]} channels" if layer.patch else f"{layer.n_in} inputs"
            raise ValueError(
                f"Layer {index} ({layer.name!r}) of Network takes {takes}, which the {before.n_out} outputs of layer "
                f"{index - 1} ({before.name!r}) cannot be. Give it the patch and weights that the model has."
            )
        if layer.per_position != before.per_position:
            one, other = ("one position", "all") if layer.per_position else ("all positions", "one")
            raise ValueError(
                f"Layer {index} ({layer.name!r}) of Network takes {layer.n_in} inputs of {one}, which the "
                f"{before.n_out} outputs of layer {index - 1} ({before.name!r}), of {other}, cannot be. Give it the "
                "'per_position' and weights that the model has."
            )
        message = (
            f"Layer {index} ({layer.name!r}) must take as many inputs as layer {index - 1} ({before.name!r}) "
            f"has outputs, {before.n_out}. Got {layer.n_in} instead."
        )
        if _chains_transposed(layers):
            message += (
                " Transposed the widths chain: weights are (n_in, n_out), PyTorch's are (n_out, n_in); pass weight.T."
            )
        raise ValueError(message)


def _chains_transposed(layers: Sequence[Any]) -> bool:
    return all(a.n_in == b.n_out for a, b in pairwise(layers))
