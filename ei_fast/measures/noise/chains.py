"""A layer, a network or a function as a chain of blocks that can be differentiated."""

from collections.abc import Callable, Sequence

import numpy as np

from ei_fast.measures.noise.maps import Block, DenseBlock, DifferencedBlock, GivenBlock, MapChain
from ei_fast.measures.noise.unit_cube import Array, UnitCubeLayer
from ei_fast.network.bins import Ranges, ends_of
from ei_fast.network.chain import AnyLayer, Through
from ei_fast.network.function import Function
from ei_fast.network.layer import Layer
from ei_fast.network.slopes import STEP
from ei_fast.network.stored import in_memory


def links_of(layers: Sequence[AnyLayer]) -> list[AnyLayer]:
    """The layers, those that were joined to one `Function` one by one."""
    links: list[AnyLayer] = []
    for layer in layers:
        is_joined = isinstance(layer, Function) and isinstance(layer.fn, Through)
        links += links_of(layer.fn.blocks) if is_joined else [layer]  # type: ignore[union-attr]
    return links


def is_differenced(layers: Sequence[AnyLayer]) -> bool:
    """Whether some slopes are found by differences."""
    return any(isinstance(layer, Function) or not layer.activation.is_named for layer in layers)


def chain_of(layers: Sequence[AnyLayer], in_range: Ranges, step: float = STEP) -> MapChain:
    """Layers that feed each other, over these ranges of the first one's inputs."""
    first = layers[0]
    low, high = ends_of(in_range, first.n_in)
    blocks: list[Block] = []
    for layer in map(in_memory, layers):
        if isinstance(layer, Layer):
            # Ranges are in the chain, whose first block may be a function as well.
            of_layer = UnitCubeLayer.of(layer, (0.0, 1.0), step)
            blocks.append(DenseBlock(of_layer, layer.activation, layer.activation.is_named))
        else:
            far = np.full(layer.n_in, np.inf)
            ends = (-far, far) if blocks else (low, high)
            blocks.append(DifferencedBlock(layer.n_in, layer.n_out, layer, ends[0], ends[1], step))
    return MapChain(blocks, low, high - low, "differences" if is_differenced(layers) else "formula")


def chain_of_jacobian(
    n_in: int, n_out: int, in_range: Ranges, jacobian: Callable[[Array], Array], derivative: str
) -> MapChain:
    """One map whose Jacobian is given by a function."""
    low, high = ends_of(in_range, n_in)
    return MapChain([GivenBlock(n_in, n_out, None, jacobian)], low, high - low, derivative)
