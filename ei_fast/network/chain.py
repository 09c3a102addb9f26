"""Whether layers feed each other, in the order in which a network has them."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from ei_fast.network.function import Function
from ei_fast.network.layer import Layer

Block = Layer | Function


def feeds(before: Block, layer: Block) -> bool:
    """Whether the outputs of the layer `before` can be the inputs of `layer`; of convolutions, in the whole model."""
    if layer.patch is not None:
        channels = layer.patch[0]
        return before.n_out == channels if before.patch is not None else before.n_out % channels == 0
    return layer.n_in % before.n_out == 0 if before.patch is not None else layer.n_in == before.n_out


def check_chain(layers: Sequence[Block], restarts: Collection[int]) -> None:
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
