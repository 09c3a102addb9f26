"""What every neuron of a layer tells: alone, and once all others are known."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ei_fast.figures.axes import axes_or_own, check_axes, figure_of, panels_of
from ei_fast.figures.colours import ink, layer_colours
from ei_fast.figures.style import LEGEND, SMALL, quiet
from ei_fast.results.information_profile import InformationProfile

Values = NDArray[np.float64]

_FEW_NEURONS = 40
"""Of more neurons markers are smaller, so that together they hide nothing."""


def plot_profile(profile: InformationProfile, ax: Axes | None = None) -> Figure:
    """Draw what each input tells alone and once all others are known, and what is told about each output.

    A grey line joins both figures of an input: the longer it is, the more of what it tells depends on others. Bars are
    95 % intervals, or bounds where a figure is known by bounds only.

    Parameters
    ----------
    profile : InformationProfile
        From `information_profile`.
    ax : matplotlib Axes, optional
        Divided into two panels; those of a new figure, known to no window system, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `profile` is something else, or `ax` is something else than one matplotlib Axes.
    ValueError
        Where `ax` was placed by hand, and so cannot be divided.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> profile = ef.information_profile(np.eye(2), activation="linear", bins=4)
    >>> figure = ef.plot_profile(profile, ax=Figure().subplots())
    >>> [axes.get_xlabel() for axes in figure.axes[1:]]
    ['input', 'output']
    """
    if not isinstance(profile, InformationProfile):
        raise TypeError(
            "The 'profile' parameter of plot_profile must be an InformationProfile. "
            f"Got {type(profile).__name__}. Give what ei_fast.information_profile returns."
        )
    check_axes(ax, "plot_profile")
    ax = axes_or_own(ax, (7.2, 3.2))
    of_inputs, of_outputs = panels_of(ax, 1, 2)
    alone, given = layer_colours(2)
    _draw_links(of_inputs, profile.input_information, profile.conditional_information)
    _draw(of_inputs, profile, "conditional_information", given, "all others known")
    _draw(of_inputs, profile, "input_information", alone, "alone")
    _draw(of_outputs, profile, "output_information", alone, "alone")
    for panel, side, name in (
        (of_inputs, "input", "conditional_information"),
        (of_outputs, "output", "output_information"),
    ):
        quiet(panel)
        panel.set_xlabel(side, fontsize=SMALL)
        # With room for the legend above.
        most = float(getattr(profile, f"{name}_interval").max()) or 1.0
        panel.set_ylim(-0.03 * most, 1.25 * most)
        panel.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    of_inputs.set_ylabel("information [bits]", fontsize=SMALL)
    of_inputs.set_title(_title_of_inputs(profile), loc="left", fontsize=SMALL, parse_math=False)
    of_outputs.set_title(_title_of_outputs(profile), loc="left", fontsize=SMALL, parse_math=False)
    of_inputs.legend(**LEGEND)
    return figure_of(ax)


def _draw_links(ax: Axes, low: Values, high: Values) -> None:
    """Lines from one figure of each neuron to the other."""
    at = np.arange(len(low))
    ends = np.stack([np.stack([at, low], axis=1), np.stack([at, high], axis=1)], axis=1)
    ax.add_collection(LineCollection(list(ends), colors=ink(0.25), linewidths=1.0, zorder=1.5))


def _draw(ax: Axes, profile: InformationProfile, name: str, colour: str, label: str) -> None:
    """One figure of every neuron, with its interval."""
    values, interval = getattr(profile, name), getattr(profile, f"{name}_interval")
    at = np.arange(len(values))
    ends = np.stack([np.stack([at, interval[:, k]], axis=1) for k in (0, 1)], axis=1)
    ax.add_collection(LineCollection(list(ends), colors=colour, alpha=0.35, linewidths=2.4, zorder=1.8))
    ax.plot(at, values, "o", color=colour, markersize=4.0 if len(at) <= _FEW_NEURONS else 1.8, label=label, zorder=2)


def _title_of_inputs(profile: InformationProfile) -> str:
    return f"{profile.name}: {profile.synergy:.3g} of {profile.ei:.3g} bits synergy"


def _title_of_outputs(profile: InformationProfile) -> str:
    degrees = f"redundancy {profile.redundancy_degree:.2f}, vulnerability {profile.vulnerability_degree:.2f}"
    return f"{degrees}; of outputs {profile.output_redundancy_degree:.2f}"
