"""Attention: what reads queries, keys and values, and mixes positions by weights that it computes from them."""

from dataclasses import dataclass

from ei_fast.adapters.graph.opaque import Unknown

_MIXES = (
    "attention mixes positions by weights that it computes from them, softmax(Q K^T) V, and is no dense layer; the "
    "dense layers before and behind it are measured by themselves"
)


USE_HEADS = "; where its heads can be told, use heads=True to measure them one by one, with what each does as a whole"


def is_attention(reason: str) -> bool:
    """Whether it is the reason of an attention."""
    return reason.startswith(_MIXES)


def why_attention(has_heads: bool) -> str:
    """Why attention is skipped, and what to do where heads can be told apart."""
    return _MIXES + (USE_HEADS if has_heads else "")


@dataclass(frozen=True)
class Attention(Unknown):
    """Attention in one call, of values that were projected before."""

    reason: str = _MIXES

    @property
    def is_product(self) -> bool:
        return True

    def why_alone(self, name: str, n_reads: int, has_blocks: bool) -> str:
        # Where parts have names, heads are told as well.
        return why_attention(has_blocks)
