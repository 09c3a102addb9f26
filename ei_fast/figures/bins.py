"""Are my bins small enough? EI and sensitivity against the number of bins."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ei_fast.figures.axes import axes_or_new, check_axes, figure_of
from ei_fast.figures.colours import ink, layer_colours
from ei_fast.figures.key import draw_key
from ei_fast.figures.known import reach_beyond
from ei_fast.figures.style import BOUND, BOUNDS, BRACKET, BRACKETS, draw_limits, quiet
from ei_fast.figures.ticks import tick_text
from ei_fast.measures.constants import Z95
from ei_fast.results.flags import Flag

if TYPE_CHECKING:
    from pandas import DataFrame

# Powers of ten beyond it, and as they are below: sensitivity may be 0.
_LINEAR_UP_TO = 1.0
_FAR = 5.0


def plot_bins(sweep: "DataFrame", ax: Axes | None = None) -> Figure:
    """Draw EI and sensitivity of every layer against its numbers of bins.

    Around EI a band is its 95 % interval, and a fainter one, where visibly wider, the bounds that rest on no model of
    the layer. Where EI is only known to lie between bounds, a light bar stands for it, which no line joins.

    Crosses mark where EI is above sensitivity: there the bins are too coarse to resolve the effect of a single input,
    and degeneracy says nothing. Measure again with more bins.

    Parameters
    ----------
    sweep : pandas.DataFrame
        From `bin_sweep`.
    ax : matplotlib Axes, optional
        A new figure's, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> sweep = ef.bin_sweep([np.eye(2)], bins=(2, 4, 8), activation="linear")
    >>> figure = ef.plot_bins(sweep, Figure().subplots())
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [2.0, 4.0, 6.0]
    """
    check_axes(ax, "plot_bins")
    ax = axes_or_new(ax, (4.8, 3.6))
    pairs = list(dict.fromkeys(zip(sweep["in_bins"], sweep["out_bins"], strict=True)))
    square = all(one == other for one, other in pairs)
    names = list(dict.fromkeys(sweep["layer"]))
    entries: dict[str, Line2D] = {}
    for name, colour in zip(names, layer_colours(len(names)), strict=True):
        rows = sweep[sweep["layer"] == name]
        places = np.array([pairs.index(pair) for pair in zip(rows["in_bins"], rows["out_bins"], strict=True)])
        x = np.log2([pairs[place][0] for place in places]) if square else places
        bracketed, broken = (_has(rows, flag) for flag in (Flag.UNDERSAMPLED, Flag.SENSITIVITY_BELOW_EI))
        interval, bounds = _ends(rows, "ei"), _ends(rows, "ei_bounds")
        beyond = reach_beyond((interval[:, 0], interval[:, 1]), (bounds[:, 0], bounds[:, 1]), 0.0)
        draw_limits(ax, x, interval, bounds, known=~bracketed, beyond=beyond, colour=colour)
        # Of a bracket nothing is known but its ends, the lower one of which is above sensitivity.
        ei = np.where(bracketed, np.nan, rows["ei"])
        crossed = np.where(bracketed, interval[:, 0], ei)
        (entries[name],) = ax.plot(x, ei, color=colour, linewidth=1.6, label=name)
        ax.plot(x, rows["sensitivity"], color=colour, linewidth=1.4, linestyle="--")
        ax.plot(x[~broken], ei[~broken], "o", color=colour, markersize=5)
        ax.plot(
            x[broken],
            crossed[broken],
            "X",
            color=colour,
            markeredgecolor=ink(0.9),
            markeredgewidth=0.6,
            markersize=8,
            gid="broken",
            zorder=4,
        )
    notes = ["EI solid, sensitivity dashed"]
    if any(Flag.SENSITIVITY_BELOW_EI in flags for flags in sweep["flags"]):
        notes.append("crosses: EI > sensitivity, bins too coarse")
    drawn = [artist.get_gid() for artist in ax.collections]
    notes += [said for gid, said in ((BRACKET, BRACKETS), (BOUND, BOUNDS)) if gid in drawn]
    quiet(ax)
    if np.nanmax(sweep["sensitivity"]) > _FAR * np.nanmax(sweep["ei"]):
        ax.set_yscale("symlog", linthresh=_LINEAR_UP_TO)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    ticks = np.log2([one for one, _ in pairs]) if square else np.arange(len(pairs))
    ax.set_xticks(ticks, [f"{one}" if square else f"{one}, {other}" for one, other in pairs])
    ax.set_xlabel("bins of each neuron" if square else "bins of inputs, of outputs", fontsize="small")
    ax.set_ylabel("bits", fontsize="small")
    draw_key(ax, list(entries.values()), list(entries), notes)
    return figure_of(ax)


def _has(rows: "DataFrame", flag: Flag) -> NDArray[np.bool_]:
    return np.array([flag in flags for flags in rows["flags"]], dtype=bool)


def _ends(rows: "DataFrame", name: str) -> NDArray[np.float64]:
    """Ends of the interval or bracket of EI, ``"ei"``, or of its ``"ei_bounds"``, (n_rows, 2); frames may lack them."""
    ei, half = rows["ei"].to_numpy(), Z95 * rows["ei_stderr"].to_numpy()
    known = np.stack([ei - half, ei + half], axis=1)
    for names in (("ei_low", "ei_high"), ("ei_bounds_low", "ei_bounds_high"))[: 1 if name == "ei" else 2]:
        if set(names) <= set(rows):
            found = rows[list(names)].to_numpy(dtype=np.float64)
            known = np.where(np.isfinite(found), found, known)
    return known
