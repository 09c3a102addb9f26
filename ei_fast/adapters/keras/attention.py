"""Attention of Keras: its layers, what their parts are called, and which outputs of these are each head's."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from ei_fast.adapters.graph import Operation, Unknown
from ei_fast.adapters.graph.attention import Attention
from ei_fast.adapters.heads import Head, Heads
from ei_fast.network.network import Network

ATTENDING = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
"""Layers that hold those which make queries, keys and values, and the one behind attention."""


def unknown(kind: str, n_reads: int) -> Operation:
    """An operation that is no layer: attention in one call, or anything else."""
    return Attention() if kind == "dotproductattention" else Unknown.function(kind, n_reads)


def parts_of(layers: Sequence[keras.Layer]) -> dict[int, keras.Layer]:
    """The attention that holds a layer, by the identity of what it holds."""
    attending = [layer for layer in layers if isinstance(layer, ATTENDING)]
    return {id(part): layer for layer in attending for part in layer._flatten_layers(include_self=False)}


def heads_in(network: Network, layers: Mapping[str, keras.Layer]) -> list[Heads]:
    """Which outputs of which layers are each head's, for every attention whose computation is that of Keras itself."""
    names = {id(layer): name for name, layer in layers.items()}
    measured = [str(layer.name).partition("#")[0] for layer in network]
    found: list[Heads] = []
    for name, layer in layers.items():
        if isinstance(layer, ATTENDING) and _is_as_written(layer):
            inner = [getattr(layer, f"_{part}_dense") for part in ("query", "key", "value", "output")]
            parts = [names[id(part)] for part in inner]
            # One that is called several times has as many layers of each.
            found += [_heads(name, layer, parts, use) for use in range(max(map(measured.count, parts)))]
    return found


def _is_as_written(layer: keras.Layer) -> bool:
    """Whether a layer, of a class of its own maybe, attends as Keras does."""
    return any(
        isinstance(layer, kind)
        and type(layer).call is kind.call
        and type(layer)._compute_attention is kind._compute_attention
        for kind in ATTENDING
    )


def _heads(name: str, layer: keras.Layer, parts: Sequence[str], use: int) -> Heads:
    """An attention, the uses of whose layers are numbered."""
    if isinstance(layer, keras.layers.MultiHeadAttention):
        n_heads, n_shared, width, of_values = layer.num_heads, layer.num_heads, layer.key_dim, layer.value_dim
    else:
        n_heads, n_shared, width, of_values = (
            layer.num_query_heads,
            layer.num_key_value_heads,
            layer.head_dim,
            layer.head_dim,
        )
    heads = []
    for head in range(n_heads):
        shared = head * n_shared // n_heads
        q, k = np.arange(head * width, (head + 1) * width), np.arange(shared * width, (shared + 1) * width)
        v, out = (np.arange(n * of_values, (n + 1) * of_values) for n in (shared, head))
        heads.append(Head(q, k, v, out))
    gated = getattr(layer, "_use_gate", getattr(layer, "use_gate", False))
    ov = "what its heads give is gated before it is projected" if gated else ""
    q_use, k_use, v_use, out_use = ((part, use) for part in parts)
    return Heads(name, heads, q_use, k_use, v_use, out_use, ov=ov)
