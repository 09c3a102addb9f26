"""Colours of layers in notebooks, light or dark: those of pictures, and of many layers such as stand out on both."""

from itertools import pairwise

FEW = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Okabe & Ito's palette without black and yellow, which vanish against text and paper."""

# Viridis from 0.3 to 0.86: darker and lighter ones vanish.
_SCALE = ((53, 95, 141), (42, 118, 142), (33, 145, 140), (53, 183, 121), (109, 205, 89), (176, 221, 47))


def colours_of(n_layers: int) -> list[str]:
    """One colour a layer, from the first to the last."""
    if n_layers <= len(FEW):
        return list(FEW[:n_layers])
    return [_between(k / (n_layers - 1)) for k in range(n_layers)]


def _between(share: float) -> str:
    """A colour of the scale, 0 its first and 1 its last."""
    pairs = list(pairwise(_SCALE))
    k = min(int(share * len(pairs)), len(pairs) - 1)
    rest = share * len(pairs) - k
    mixed = (round(a + rest * (b - a)) for a, b in zip(*pairs[k], strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)
