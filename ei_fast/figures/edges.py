"""Edge matrices as heat maps: which input tells about which output."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ei_fast.figures.axes import axes_or_own, check_axes, figure_of, panels_of
from ei_fast.figures.colours import MATRICES
from ei_fast.figures.names import shortened
from ei_fast.figures.style import SMALL
from ei_fast.measures.quantities import BY_NAME, EDGE_MEASURES
from ei_fast.results.layer_report import LayerReport
from ei_fast.results.report import Report

_TITLES = {name: BY_NAME[name].symbol for name in EDGE_MEASURES}
# Characters that the name of a layer has at most, where so many matrices stand side by side.
_LONGEST = {1: 40, 2: 22, 3: 16, 4: 12}


def plot_edges(report: Report | LayerReport, measure: str = "sensitivity", ax: Axes | None = None) -> Figure:
    """Draw the edge matrix of every layer, inputs down and outputs across, all on the same scale of bits.

    Parameters
    ----------
    report : Report or LayerReport
        Of a network, or of one layer.
    measure : "sensitivity" or "ei_parts", default "sensitivity"
        The matrix that is drawn, in bits.
    ax : matplotlib Axes, optional
        Divided into panels where there are several layers; those of a new figure, known to no window system, where not
        given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        For another measure, or where edges were not measured; and where there are several layers and `ax` was placed
        by hand, and so cannot be divided.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> report = ef.analyze({"w0": np.eye(2)}, activation="linear", bins=4)
    >>> figure = ef.plot_edges(report, ax=Figure().subplots())
    >>> figure.axes[0].images[0].get_array().tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    if measure not in _TITLES:
        raise ValueError(
            f"The 'measure' parameter of plot_edges must be 'sensitivity' or 'ei_parts'. Got {measure!r} instead."
        )
    check_axes(ax, "plot_edges")
    layers = [report] if isinstance(report, LayerReport) else list(report)
    matrices = [getattr(layer, f"{measure}_matrix") for layer in layers]
    if all(np.isnan(matrix).all() for matrix in matrices):
        raise ValueError(
            "The 'report' parameter of plot_edges must be one with edge matrices. Got one that was made with "
            "pairwise='none'. Measure again with pairwise='auto'."
        )
    columns = min(len(layers), 2 if len(layers) <= 4 else 4)
    rows = -(-len(layers) // columns)
    ax = axes_or_own(ax, (4.8, 0.8 + 2.0 * rows * min(1.0, 2 / columns)))
    panels = [ax] if len(layers) == 1 else panels_of(ax, rows, columns)
    norm = Normalize(0.0, max(np.nanmax(matrix, initial=0.0) for matrix in matrices) or 1.0)
    names = shortened([layer.name for layer in layers], _LONGEST[columns])
    for k, panel in enumerate(panels):
        if k < len(layers):
            _draw_matrix(panel, matrices[k], norm, names[k])
        else:
            panel.set_axis_off()
        if k % columns == 0:
            panel.set_ylabel("input", fontsize=SMALL)
        if k >= len(layers) - columns:
            panel.set_xlabel("output", fontsize=SMALL)
    figure = figure_of(ax)
    bar = figure.colorbar(ScalarMappable(norm, MATRICES), ax=panels, pad=0.02, fraction=0.06)
    bar.set_label(f"{_TITLES[measure]} [bits]", fontsize="small")
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _draw_matrix(ax: Axes, matrix: NDArray[np.float64], norm: Normalize, name: str) -> None:
    """One edge matrix (n_in, n_out), with the name of its layer."""
    ax.imshow(matrix, norm=norm, cmap=MATRICES, aspect="auto", interpolation="nearest")
    ax.set_title(name, loc="left", fontsize=SMALL, parse_math=False)
    ax.tick_params(labelsize=SMALL - 1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(3, integer=True))
