"""The causal plane: where the layers of a network stand between sensitivity and degeneracy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from ei_fast.figures.known import alone, bracketed, ei_bounds, ei_limits, reach_beyond
from ei_fast.figures.style import (
    BOUND,
    BOUNDS,
    BRACKET,
    BRACKETS,
    FEW_BARS,
    SMALL,
    axes_or_new,
    layer_colours,
    legend_above,
    quiet,
    ranges_said,
)
from ei_fast.measures.constants import Z95
from ei_fast.results.flags import Flag
from ei_fast.results.report import Report
from ei_fast.training.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HORIZONTAL = "EI / √2  [bits]"
VERTICAL = "(sensitivity + degeneracy) / √2  [bits]"

Points = NDArray[np.float64]

_RUN, _GUIDE = "ei_fast run", "ei_fast guide"
_RUN_MARKERS = ("o", "s", "^", "D", "v", "P")
_ARROWS_AT = (0.35, 0.7)
# Of an outline: its ends and its outermost points are among them.
_CORNERS = 25
_MANY_STEPS = 300


class CausalPlaneDisplay:
    """Paths of layers in the causal plane (Mattsson et al. 2020, section 3).

    The pair (sensitivity, degeneracy) is turned by 45 degrees: horizontal is
    (sensitivity - degeneracy) / sqrt(2) = EI / sqrt(2), vertical (sensitivity + degeneracy) / sqrt(2).
    A vertical move leaves EI unchanged; at horizontal 0 lies the EI nullcline.

    Parameters
    ----------
    sensitivity, degeneracy : array-like (n_steps, n_layers)
        Bits.
    layers : sequence of str
        Names of the layers.
    steps : array-like (n_steps,), optional
        Training steps, for the legend.
    ei_stderr, sensitivity_stderr : array-like (n_steps, n_layers), optional
        Standard errors, bits; none are drawn where they are not given, or NaN.
    brackets : array-like (n_steps, n_layers, 2), optional
        Ends of EI, bits, where it is known to lie between bounds and no better; NaN elsewhere. There a light bar is
        drawn and no point, and no path leads through it.
    ranges : str, optional
        The convention by which the ranges of a training were chosen, for the legend; see `Trajectory.ranges`.
    ei_interval : array-like (n_steps, n_layers, 2), optional
        95 % interval of EI, bits; that of `ei_stderr` where it is not given, or NaN.
    ei_bounds : array-like (n_steps, n_layers, 2), optional
        Bounds on EI that rest on no model of the layer, bits. Where they are visibly wider than the interval a faint
        bar is drawn.

    Attributes
    ----------
    horizontal, vertical : ndarray (n_steps, n_layers)
        Coordinates, bits; of the midpoint, where EI is bracketed.
    bracketed : ndarray of bool (n_steps, n_layers)
        Where EI is known by bounds alone.
    ax_, figure_ : matplotlib Axes and Figure
        Once plotted.

    Examples
    --------
    >>> import ei_fast as ef
    >>> plane = ef.CausalPlaneDisplay([[3.0], [4.0]], [[1.0], [0.0]], ["fc1"])
    >>> plane.horizontal[:, 0] * 2**0.5  # EI
    array([2., 4.])
    """

    def __init__(
        self,
        sensitivity: ArrayLike,
        degeneracy: ArrayLike,
        layers: Sequence[str],
        steps: ArrayLike | None = None,
        ei_stderr: ArrayLike = 0.0,
        sensitivity_stderr: ArrayLike = 0.0,
        brackets: ArrayLike | None = None,
        ranges: str = "",
        ei_interval: ArrayLike | None = None,
        ei_bounds: ArrayLike | None = None,
    ):
        sensitivity, degeneracy = np.atleast_2d(sensitivity), np.atleast_2d(degeneracy)
        self.horizontal: Points = (sensitivity - degeneracy) / np.sqrt(2)
        self.vertical: Points = (sensitivity + degeneracy) / np.sqrt(2)
        self.layers = tuple(layers)
        self.steps = None if steps is None else np.asarray(steps)
        self._ei_stderr = self._known(ei_stderr)
        self._sensitivity_stderr = self._known(sensitivity_stderr)
        self._brackets = self._pairs(brackets)
        self.bracketed: NDArray[np.bool_] = np.isfinite(self._brackets.sum(axis=2))
        self._ranges = ranges
        self._set_limits(sensitivity - degeneracy, self._pairs(ei_interval), self._pairs(ei_bounds))

    @classmethod
    def from_trajectory(cls, trajectory: Trajectory) -> Self:
        """Make a display with one path for each layer, in the order of the steps.

        Parameters
        ----------
        trajectory : Trajectory
            A training; of several runs one, taken by `Trajectory.of_run`.

        Returns
        -------
        CausalPlaneDisplay
            Not plotted yet.

        Raises
        ------
        ValueError
            Where the trajectory holds several runs.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
        >>> for step in range(3):
        ...     _ = recorder.record([np.eye(2)])
        >>> ef.CausalPlaneDisplay.from_trajectory(recorder.trajectory_).horizontal.shape
        (3, 1)
        """
        trajectory.check_one_run()
        return cls(
            trajectory.sensitivity,
            trajectory.degeneracy,
            trajectory.layers,
            trajectory.steps,
            trajectory.ei_stderr,
            trajectory.sensitivity_stderr,
            np.where(bracketed(trajectory)[..., None], np.stack(ei_limits(trajectory), axis=2), np.nan),
            trajectory.ranges,
            np.stack(ei_limits(trajectory), axis=2),
            np.stack(ei_bounds(trajectory), axis=2),
        )

    @classmethod
    def from_report(cls, report: Report) -> Self:
        """Make a display with one point for each layer.

        Parameters
        ----------
        report : Report
            The measures of a network.

        Returns
        -------
        CausalPlaneDisplay
            Not plotted yet.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
        >>> ef.CausalPlaneDisplay.from_report(report).horizontal.shape
        (1, 1)
        """
        return cls(
            [[layer.sensitivity for layer in report]],
            [[layer.degeneracy for layer in report]],
            [layer.name for layer in report],
            None,
            [[layer.ei_stderr for layer in report]],
            [[layer.sensitivity_stderr for layer in report]],
            [[layer.ei_interval if Flag.UNDERSAMPLED in layer.flags else (np.nan, np.nan) for layer in report]],
            "",
            [[layer.ei_interval for layer in report]],
            [[layer.ei_bounds for layer in report]],
        )

    def _set_limits(self, ei: Points, interval: Points, bounds: Points) -> None:
        """Keep intervals and bounds, (n_steps, n_layers, 2), and of both what a picture shows."""
        by_stderr = ei[..., None] + Z95 * self._ei_stderr[..., None] * [-1.0, 1.0]
        self._interval = np.where(np.isfinite(interval), interval, by_stderr)
        known = np.where(self.bracketed[..., None], self._brackets, self._interval)
        bounds = np.where(np.isfinite(bounds), bounds, known)
        # The nullcline, EI = 0, is always in the picture.
        shown = (bounds, 0.0)
        ends, widest = (known[..., 0], known[..., 1]), (bounds[..., 0], bounds[..., 1])
        self._bounds_seen = np.where(reach_beyond(ends, widest, *shown)[..., None], bounds, np.nan)
        is_seen = reach_beyond((ei, ei), ends, *shown) & ~self.bracketed
        self._interval_seen = np.where(is_seen[..., None], self._interval, np.nan)

    def _pairs(self, ends: ArrayLike | None) -> Points:
        """Two ends for every point, NaN where they are not given."""
        shape = (*self.horizontal.shape, 2)
        return np.full(shape, np.nan) if ends is None else np.asarray(ends, dtype=np.float64).reshape(shape)

    def _known(self, stderr: ArrayLike) -> Points:
        """A standard error of every point, 0 where it is not known."""
        stderr = np.broadcast_to(np.asarray(stderr, dtype=np.float64), self.horizontal.shape)
        return np.where(np.isfinite(stderr), stderr, 0.0)

    def error_ellipses(self, layer: int) -> NDArray[np.float64]:
        """Compute the outlines of the error of every point of a layer.

        The projection of an ellipse on either axis is the 95 % interval there. Where sensitivity is exact the ellipse
        is a line: an error of EI moves a point along the diagonal on which sensitivity is constant. Where the interval
        of EI reaches further to one side, so does the ellipse.

        Parameters
        ----------
        layer : int
            Number of the layer.

        Returns
        -------
        ndarray (n_steps, n_corners, 2)
            Corners of a polygon for each point, in bits.

        Examples
        --------
        >>> import ei_fast as ef
        >>> plane = ef.CausalPlaneDisplay([[3.0], [4.0]], [[1.0], [0.0]], ["fc1"], ei_stderr=[[0.1], [0.1]])
        >>> plane.error_ellipses(0).shape
        (2, 25, 2)
        """
        angle = np.linspace(0.0, 2.0 * np.pi, _CORNERS)
        below, above = (half[:, layer, None] for half in self._halves)
        by_ei = np.where(np.cos(angle) > 0.0, above, below) * np.cos(angle) / np.sqrt(2)
        by_sensitivity = np.sqrt(2) * Z95 * self._sensitivity_stderr[:, layer, None] * np.sin(angle)
        return np.stack(
            [
                self.horizontal[:, layer, None] + by_ei,
                self.vertical[:, layer, None] + by_sensitivity - by_ei,
            ],
            axis=-1,
        )

    @property
    def _halves(self) -> tuple[Points, Points]:
        """How far the interval of EI reaches below and above EI, (n_steps, n_layers)."""
        ei = np.sqrt(2) * self.horizontal
        return np.maximum(ei - self._interval[..., 0], 0.0), np.maximum(self._interval[..., 1] - ei, 0.0)

    def bracket_bars(self, layer: int) -> NDArray[np.float64]:
        """Compute the ends of the bars that stand for the bounds of EI of a layer.

        Along a bar sensitivity is constant.

        Parameters
        ----------
        layer : int
            Number of the layer.

        Returns
        -------
        ndarray (n_steps, 2, 2)
            Both ends of a bar for each step, in bits; NaN where EI is not merely bounded.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.CausalPlaneDisplay([[3.0]], [[1.0]], ["fc1"], brackets=[[[1.0, 3.0]]]).bracket_bars(0).shape
        (1, 2, 2)
        """
        return self._bars(self._brackets, layer)

    def interval_bars(self, layer: int) -> NDArray[np.float64]:
        """Compute the ends of the bars that stand for the 95 % intervals of EI of a layer, where these can be seen.

        Along a bar sensitivity is constant.

        Parameters
        ----------
        layer : int
            Number of the layer.

        Returns
        -------
        ndarray (n_steps, 2, 2)
            Both ends of a bar for each step, in bits; NaN where EI is merely bounded, and where the interval is too
            narrow to be seen.

        Examples
        --------
        >>> import ei_fast as ef
        >>> plane = ef.CausalPlaneDisplay([[3.0]], [[1.0]], ["fc1"], ei_interval=[[[1.0, 3.0]]])
        >>> plane.interval_bars(0)[0, :, 0] * 2**0.5  # EI
        array([1., 3.])
        """
        return self._bars(self._interval_seen, layer)

    def bounds_bars(self, layer: int) -> NDArray[np.float64]:
        """Compute the ends of the bars that stand for bounds on EI of a layer that rest on no model.

        Along a bar sensitivity is constant.

        Parameters
        ----------
        layer : int
            Number of the layer.

        Returns
        -------
        ndarray (n_steps, 2, 2)
            Both ends of a bar for each step, in bits; NaN where the bounds are not visibly wider than the interval of
            EI, or its bracket.

        Examples
        --------
        >>> import ei_fast as ef
        >>> plane = ef.CausalPlaneDisplay([[3.0]], [[1.0]], ["fc1"], ei_bounds=[[[1.0, 3.0]]])
        >>> plane.bounds_bars(0)[0, :, 0] * 2**0.5  # EI
        array([1., 3.])
        """
        return self._bars(self._bounds_seen, layer)

    def _bars(self, ends: Points, layer: int) -> Points:
        """Bars (n_steps, 2, 2) in the plane, from one end of EI to the other, (n_steps, n_layers, 2)."""
        horizontal = ends[:, layer] / np.sqrt(2)
        sensitivity = (self.horizontal[:, layer, None] + self.vertical[:, layer, None]) / np.sqrt(2)
        return np.stack([horizontal, np.sqrt(2) * sensitivity - horizontal], axis=-1)

    def plot(self, ax: "Axes | None" = None, run: str | None = None) -> Self:
        """Draw the plane.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure's, where not given. Several runs may be drawn into one.
        run : str, optional
            Name of this run in the legend; each gets a marker of its own.

        Returns
        -------
        CausalPlaneDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            Where there is no step to draw.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> import ei_fast as ef
        >>> plane = ef.CausalPlaneDisplay([[3.0], [4.0]], [[1.0], [0.0]], ["fc1"]).plot(Figure().subplots())
        >>> plane.ax_.get_xlabel()
        'EI / √2  [bits]'
        """
        if not len(self.horizontal):
            raise ValueError("There is no step to draw: the trajectory is empty. Record at least one.")
        ax = axes_or_new(ax, (4.8, 4.4))
        before = [line for line in ax.lines if line.get_gid() == _RUN]
        marker = _RUN_MARKERS[len(before) % len(_RUN_MARKERS)]
        for k, (name, colour) in enumerate(zip(self.layers, layer_colours(len(self.layers)), strict=True)):
            known = ~self.bracketed[:, k]
            _draw_bounds(ax, self.bounds_bars(k), colour)
            self._draw_errors(ax, k, colour)
            if not known.all():
                _draw_brackets(ax, self.bracket_bars(k), colour, marker)
            x, y = (np.where(known, values[:, k], np.nan) for values in (self.horizontal, self.vertical))
            _draw_path(ax, x, y, colour, name, marker)
        # An empty line stands for the run: it counts the runs, and is the run's entry in the legend.
        ax.add_line(Line2D([], [], color="0.3", marker=marker, linestyle="", label=run or "", gid=_RUN))
        # RangeOrAuto were set for the run before.
        ax.autoscale(True)
        ax.autoscale_view()
        if not before:
            draw_guides(ax)
            quiet(ax)
            ax.set_xlabel(HORIZONTAL, fontsize=SMALL)
            ax.set_ylabel(VERTICAL, fontsize=SMALL)
        name_guides(ax)
        self._draw_legend(ax, first=not before)
        self.ax_ = ax
        self.figure_: Figure = ax.get_figure(root=True)  # type: ignore[assignment]
        return self

    def _draw_errors(self, ax: "Axes", layer: int, colour: str) -> None:
        below, above = (half[:, layer] for half in self._halves)
        seen = (below + above > 0) | (self._sensitivity_stderr[:, layer] > 0)
        seen &= np.isfinite(self.horizontal[:, layer] + self.vertical[:, layer]) & ~self.bracketed[:, layer]
        if seen.any():
            outlines = list(self.error_ellipses(layer)[seen])
            # The first and the last step have marks, out of which an interval is to be seen.
            firm = np.isin(np.flatnonzero(seen), (0, len(seen) - 1))
            light = 0.3 if len(seen) <= FEW_BARS else 0.12
            edges = [to_rgba(colour, 0.6 if one else light) for one in firm]
            widths = np.where(firm, 1.6, 0.8)
            # A stroke has no area: its edge is what is seen of it.
            ax.add_collection(
                PolyCollection(
                    outlines, facecolors=to_rgba(colour, 0.15), edgecolors=edges, linewidths=widths, zorder=1.5
                )
            )

    def _draw_legend(self, ax: "Axes", first: bool) -> None:
        entries: dict[str, Line2D] = {}
        for line in ax.lines:
            label = str(line.get_label())
            if label and not label.startswith("_"):
                entries.setdefault(label, line)
        notes = [ranges_said(self._ranges)]
        if self.steps is not None and len(self.steps) > 1:
            notes.insert(
                0,
                f"steps {self.steps[0]} (open) to {self.steps[-1]} (filled)"
                if first
                else "first step open, last filled",
            )
        if any(bars.get_gid() == BRACKET for bars in ax.collections):
            notes.append(BRACKETS)
        if any(bars.get_gid() == BOUND for bars in ax.collections):
            notes.append(BOUNDS)
        legend_above(ax, list(entries.values()), list(entries), "\n".join(filter(None, notes)) or None)


def draw_guides(ax: "Axes") -> None:
    """The EI nullcline, and the line on which degeneracy is 0."""
    ax.axvline(0.0, color="0.35", linewidth=1.2, linestyle="--", zorder=1)
    ax.axline((0.0, 0.0), slope=1.0, color="0.6", linewidth=1.0, linestyle=":", zorder=1)


def name_guides(ax: "Axes") -> None:
    """Make room for the nullcline, and say at both lines what they are; where limits have changed, anew."""
    for text in [text for text in ax.texts if text.get_gid() == _GUIDE]:
        text.remove()
    low, high = ax.get_xlim()
    low, high = min(low, -0.06 * (high - low)), max(high, 0.06 * (high - low))
    ax.set_xlim(low, high)
    style: dict[str, Any] = {"color": "0.4", "fontsize": SMALL - 1, "gid": _GUIDE, "zorder": 1, "clip_on": True}
    ax.text(0.0, 0.99, "EI = 0", rotation=90, transform=ax.get_xaxis_transform(), va="top", ha="right", **style)
    ax.text(
        *(high, high),
        "degeneracy = 0 ",
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        ha="right",
        va="bottom",
        **style,
    )


def _draw_brackets(ax: "Axes", bars: Points, colour: str, marker: str) -> None:
    """Where brackets lie, as a faint area from each to the next with the bars in it.

    A bar that is the path's first or last step has marks at both ends, open or filled: a bracket has no middle.

    Parameters
    ----------
    ax : matplotlib Axes
    bars : ndarray (n_steps, 2, 2)
        NaN where a step is no bracket.
    colour, marker : str
    """
    there = np.isfinite(bars.sum(axis=(1, 2)))
    _draw_swept_area(ax, bars, to_rgba(colour, 0.1), zorder=1.1, gid=BRACKET)
    lines = LineCollection(list(bars[there]), colors=[to_rgba(colour, 0.2)], linewidths=0.5, zorder=1.2, gid=BRACKET)
    ax.add_collection(lines)
    for k, face in ((0, "white"), (len(bars) - 1, colour)) if len(bars) > 1 else ((0, colour),):
        if there[k]:
            ax.plot(*bars[k].T, color=colour, linewidth=1.0, alpha=0.8, zorder=2.5, gid=BRACKET)
            ax.plot(
                *bars[k].T,
                marker=marker,
                linestyle="",
                color=colour,
                markerfacecolor=face,
                markersize=4.0,
                zorder=2.6,
                gid=BRACKET,
            )


def _draw_bounds(ax: "Axes", bars: Points, colour: str) -> None:
    """Where bounds around estimates lie, as an area from each to the next, fainter than that of brackets.

    The path's first and last step have a thin bar, and a fainter one those from which no area leads to the next.

    Parameters
    ----------
    ax : matplotlib Axes
    bars : ndarray (n_steps, 2, 2)
        NaN where a step has none.
    colour : str
    """
    there = np.isfinite(bars.sum(axis=(1, 2)))
    _draw_swept_area(ax, bars, to_rgba(colour, 0.06), zorder=1.0, gid=BOUND)
    ends = [k for k in (0, len(bars) - 1)[: len(bars)] if there[k]]
    single = [k for k in alone(there) if k not in ends]
    if ends or single:
        alphas, widths = [0.35] * len(ends) + [0.2] * len(single), [0.8] * len(ends) + [0.5] * len(single)
        colours = [to_rgba(colour, alpha) for alpha in alphas]
        lines = LineCollection(
            list(bars[ends + single]), colors=colours, linewidths=widths, capstyle="butt", zorder=1.05, gid=BOUND
        )
        ax.add_collection(lines)


def _draw_swept_area(
    ax: "Axes", bars: Points, face: tuple[float, float, float, float], zorder: float, gid: str
) -> None:
    """The area that bars (n_steps, 2, 2) sweep from each step to the next, where neither is NaN."""
    there = np.isfinite(bars.sum(axis=(1, 2)))
    swept = [np.concatenate([bars[k], bars[k + 1, ::-1]]) for k in np.flatnonzero(there[:-1] & there[1:])]
    if swept:
        # All one way around, so that what several cover is as faint as what one does.
        around = [corners if _area(corners) > 0 else corners[::-1] for corners in swept]
        area = Path.make_compound_path(*(Path(np.concatenate([one, one[:1]]), closed=True) for one in around))
        ax.add_patch(PathPatch(area, facecolor=face, linewidth=0, zorder=zorder, gid=gid))


def _area(corners: Points) -> float:
    """Signed area of a polygon, (n_corners, 2); positive where its corners go counterclockwise."""
    x, y = corners.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0


def _draw_path(ax: "Axes", x: Points, y: Points, colour: str, name: str, marker: str) -> None:
    """A path that grows firmer with time, from an open to a filled mark, arrowheads along its way.

    NaN breaks it; known steps that stand alone are dots, and an end that is not known has no mark.
    """
    known = np.isfinite(x + y)
    if len(x) > 1:
        points = np.stack([x, y], axis=1)
        segments = np.stack([points[:-1], points[1:]], axis=1)
        fading = np.tile(to_rgba(colour), (len(segments), 1))
        fading[:, 3] = np.linspace(0.25, 1.0, len(segments))
        width = 1.8 if len(x) <= _MANY_STEPS else 0.8
        whole = known[:-1] & known[1:]
        ax.add_collection(
            LineCollection(list(segments[whole]), colors=fading[whole], linewidths=width, capstyle="butt")
        )
        single = [k for k in alone(known) if 0 < k < len(x) - 1]
        if single:
            ax.scatter(x[single], y[single], s=6.0, color=colour, marker=marker, linewidths=0, zorder=2)
        ax.plot(x[0], y[0], marker, color=colour, markerfacecolor="white", markersize=6, zorder=3)
        _draw_arrows(ax, x, y, colour)
    ax.plot(x[-1], y[-1], marker, color=colour, markersize=6.5, label=name, zorder=4)


def _draw_arrows(ax: "Axes", x: Points, y: Points, colour: str) -> None:
    """Arrowheads where shares of the way are gone, along the way of the last twentieth and not of one noisy step."""
    x, y = (values[np.isfinite(x + y)] for values in (x, y))
    if len(x) < 2:
        return
    lengths = np.hypot(np.diff(x) / (np.ptp(x) or 1.0), np.diff(y) / (np.ptp(y) or 1.0))
    gone = np.concatenate([[0.0], np.cumsum(lengths)])
    if gone[-1] == 0.0:
        return
    for share in _ARROWS_AT:
        k = int(np.clip(np.searchsorted(gone, share * gone[-1]), 1, len(x) - 1))
        before = min(int(np.searchsorted(gone, (share - 0.05) * gone[-1], side="right")) - 1, k - 1)
        ax.annotate(
            "",
            xy=(x[k], y[k]),
            xytext=(x[before], y[before]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "linewidth": 0,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 14,
            },
            zorder=3.5,
        )
