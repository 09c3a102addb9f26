"""Colours of all pictures, which everybody can tell apart, on light and dark paper."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgba

from ei_fast.shown.colours import FEW

# Share of the viridis scale that stands out against light paper, and against dark.
_ON_LIGHT, _ON_DARK = (0.0, 0.86), (0.3, 1.0)

MATRICES = "cividis"
"""Colour map of edge matrices: from dark to light for every kind of colour vision, and in print."""


def paper() -> str:
    """The colour behind the data, as the style in use has it."""
    for name in ("axes.facecolor", "figure.facecolor"):
        colour = to_rgba(matplotlib.rcParams[name])
        if colour[3] > 0.0:
            return to_hex(colour)
    return "#ffffff"


def ink(share: float) -> str:
    """A grey between the paper, 0, and the colour of text, 1, as the style in use has them."""
    ends = np.array([to_rgba(paper())[:3], to_rgba(matplotlib.rcParams["text.color"])[:3]])
    return to_hex(ends[0] + share * (ends[1] - ends[0]))


def is_dark() -> bool:
    """Whether the style in use has dark paper."""
    return float(np.dot(to_rgba(paper())[:3], (0.299, 0.587, 0.114))) < 0.5


def layer_colours(n_layers: int) -> list[str]:
    """One colour a layer, the same in every picture; beyond six from the viridis scale, first to last."""
    if n_layers <= len(FEW):
        return list(FEW[:n_layers])
    scale = matplotlib.colormaps["viridis"]
    return [to_hex(scale(share)) for share in np.linspace(*(_ON_DARK if is_dark() else _ON_LIGHT), n_layers)]


def metric_styles(n_metrics: int) -> list[dict[str, Any]]:
    """How losses and the like are drawn, which belong to no layer: in greys, by the dashes of their lines."""
    dashes, greys = ("-", "--", ":", "-."), (ink(0.9), ink(0.6))
    # After four the dashes come again, in the other grey.
    return [{"color": greys[(k + k // 4) % 2], "linestyle": dashes[k % 4], "linewidth": 1.5} for k in range(n_metrics)]
