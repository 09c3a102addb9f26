"""What all pictures share: colours that everybody can tell apart, and quiet axes."""

import matplotlib
from matplotlib.axes import Axes

# Okabe & Ito's palette without black and yellow, which vanish against text and paper.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def layer_colours(n_layers: int) -> list[str]:
    """One colour a layer, the same in every picture; beyond six from the viridis scale, first to last."""
    if n_layers <= len(_PALETTE):
        return list(_PALETTE[:n_layers])
    scale = matplotlib.colormaps["viridis"]
    return [matplotlib.colors.to_hex(scale(0.95 * k / (n_layers - 1))) for k in range(n_layers)]


def quiet(ax: Axes) -> None:
    """Take away the box and lay a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
