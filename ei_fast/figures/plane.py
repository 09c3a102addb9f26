"""The causal plane: where the layers of a network stand between sensitivity and degeneracy."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from ei_fast.figures.key import draw_key
from ei_fast.figures.known import bracketed, ei_bounds, ei_limits, reach_beyond
from ei_fast.figures.scale import axis_titles, checked_per, edges_of
from ei_fast.figures.strokes import (
    Points,
    Stroke,
    draw_bounds,
    draw_brackets,
    draw_errors,
    draw_guides,
    draw_path,
    name_guides,
)
from ei_fast.figures.style import (
    BOUND,
    BOUNDS,
    BRACKET,
    BRACKETS,
    SMALL,
    axes_or_new,
    check_axes,
    ink,
    layer_colours,
    quiet,
    ranges_said,
)
from ei_fast.measures.constants import Z95
from ei_fast.results.flags import Flag
from ei_fast.results.report import Report
from ei_fast.training.trajectory import Trajectory
from ei_fast.validation import without_gradient

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_OWNER = "CausalPlaneDisplay"
_RUN, _LAYER = "ei_fast run", "ei_fast layer"
_UNNAMED = "_nolegend_"
_RUN_MARKERS = ("o", "s", "^", "D", "v", "P")
# Of an outline: its ends and its outermost points are among them.
_CORNERS = 25


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
    edges : array-like (n_layers,), optional
        Numbers of edges, n_in · n_out, of the layers; needed for ``per="edge"``.
    per : "layer" or "edge", default "layer"
        Whether figures are those of whole layers, or divided by the layer's number of edges, with all errors,
        intervals and brackets: so wide layers do not flatten narrow ones.

    Attributes
    ----------
    horizontal, vertical : ndarray (n_steps, n_layers)
        Coordinates, bits, or bits per edge; of the midpoint, where EI is bracketed.
    per : str
        ``"layer"`` or ``"edge"``.
    bracketed : ndarray of bool (n_steps, n_layers)
        Where EI is known by bounds alone.
    ax_, figure_ : matplotlib Axes and Figure
        Once plotted.

    Raises
    ------
    ValueError
        Where `per` is another word, or ``"edge"`` and the numbers of edges are not known.

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
        *,
        edges: ArrayLike | None = None,
        per: Literal["layer", "edge"] = "layer",
    ):
        self.layers, self.per = tuple(layers), checked_per(per, _OWNER)
        self._edges = self._divisors(edges)
        sensitivity, degeneracy = (
            np.atleast_2d(self._numbers(values, name)) / self._edges
            for values, name in ((sensitivity, "sensitivity"), (degeneracy, "degeneracy"))
        )
        if sensitivity.shape != degeneracy.shape:
            raise ValueError(
                f"The 'sensitivity' and 'degeneracy' parameters of {_OWNER} must have one shape, (n_steps, n_layers). "
                f"Got {sensitivity.shape} and {degeneracy.shape} instead."
            )
        self.horizontal: Points = (sensitivity - degeneracy) / np.sqrt(2)
        self.vertical: Points = (sensitivity + degeneracy) / np.sqrt(2)
        self.steps = None if steps is None else np.asarray(without_gradient(steps))
        self._ei_stderr = self._known(ei_stderr, "ei_stderr")
        self._sensitivity_stderr = self._known(sensitivity_stderr, "sensitivity_stderr")
        self._brackets = self._pairs(brackets, "brackets")
        self.bracketed: NDArray[np.bool_] = np.isfinite(self._brackets.sum(axis=2))
        self._ranges = ranges
        self._set_limits(
            sensitivity - degeneracy, self._pairs(ei_interval, "ei_interval"), self._pairs(ei_bounds, "ei_bounds")
        )

    @classmethod
    def from_trajectory(cls, trajectory: Trajectory, per: Literal["layer", "edge"] = "layer") -> Self:
        """Make a display with one path for each layer, in the order of the steps.

        Parameters
        ----------
        trajectory : Trajectory
            A training; of several runs one, taken by `Trajectory.of_run`.
        per : "layer" or "edge", default "layer"
            Whether figures are those of whole layers, in bits, or divided by the layer's number of edges.

        Returns
        -------
        CausalPlaneDisplay
            Not plotted yet.

        Raises
        ------
        ValueError
            Where the trajectory holds several runs, `per` is another word, or ``"edge"`` and the trajectory does not
            say the widths of its layers.

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
            edges=edges_of(trajectory, f"{_OWNER}.from_trajectory") if per == "edge" else None,
            per=per,
        )

    @classmethod
    def from_report(cls, report: Report, per: Literal["layer", "edge"] = "layer") -> Self:
        """Make a display with one point for each layer.

        Parameters
        ----------
        report : Report
            The measures of a network.
        per : "layer" or "edge", default "layer"
            Whether figures are those of whole layers, in bits, or divided by the layer's number of edges.

        Returns
        -------
        CausalPlaneDisplay
            Not plotted yet.

        Raises
        ------
        ValueError
            Where `per` is another word.

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
            edges=edges_of(report, f"{_OWNER}.from_report") if per == "edge" else None,
            per=per,
        )

    def _divisors(self, edges: ArrayLike | None) -> Points:
        """What the figures of each layer are divided by, (n_layers,): 1, or its number of edges."""
        n_layers = len(self.layers)
        if self.per == "layer":
            return np.ones(n_layers)
        found = np.zeros(0) if edges is None else self._numbers(edges, "edges")
        if found.shape != (n_layers,) or not (found > 0).all():
            raise ValueError(
                f"The 'edges' parameter of {_OWNER} must be the number of edges, above 0, of each of {n_layers} layers "
                f"where per='edge'. Got {edges!r} instead. Give n_in · n_out of every layer, or per='layer'."
            )
        return found

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

    def _numbers(self, values: ArrayLike, name: str) -> Points:
        """The values of a parameter, of which the last axis are layers unless they are pairs or one for all."""
        rule = f"The {name!r} parameter of {_OWNER} must be an array of real numbers"
        try:
            found = np.asarray(without_gradient(values), dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"{rule}. Got {type(values).__name__} instead: {error}.") from None
        n_layers = len(self.layers)
        if name in ("sensitivity", "degeneracy") and (found.ndim > 2 or found.shape[-1:] != (n_layers,)):
            raise ValueError(f"{rule}, (n_steps, {n_layers}) for {n_layers} layers. Got shape {found.shape} instead.")
        return found

    def _pairs(self, ends: ArrayLike | None, name: str) -> Points:
        """Two ends for every point, NaN where they are not given."""
        shape = (*self.horizontal.shape, 2)
        if ends is None:
            return np.full(shape, np.nan)
        found = self._numbers(ends, name)
        if found.size != prod(shape):
            raise ValueError(f"The {name!r} parameter of {_OWNER} must have shape {shape}. Got {found.shape} instead.")
        return found.reshape(shape) / self._edges[:, None]

    def _known(self, stderr: ArrayLike, name: str) -> Points:
        """A standard error of every point, 0 where it is not known."""
        found = self._numbers(stderr, name)
        try:
            found = np.broadcast_to(found, self.horizontal.shape)
        except ValueError:
            raise ValueError(
                f"The {name!r} parameter of {_OWNER} must have shape {self.horizontal.shape}, or be one number. "
                f"Got shape {found.shape} instead."
            ) from None
        return np.where(np.isfinite(found), found, 0.0) / self._edges

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
        self._check_steps()
        ax = axes_or_new(ax, (4.8, 4.4), "CausalPlaneDisplay.plot")
        before = [line for line in ax.lines if line.get_gid() == _RUN]
        marker = _RUN_MARKERS[len(before) % len(_RUN_MARKERS)]
        for k, (name, colour) in enumerate(zip(self.layers, layer_colours(len(self.layers)), strict=True)):
            self._draw_layer(ax, k, Stroke(colour, marker, len(self.layers))).set(label=name, gid=_LAYER)
        # An empty line stands for the run: it counts the runs, and is the run's entry in the legend.
        ax.add_line(Line2D([], [], color=ink(0.7), marker=marker, linestyle="", label=run or _UNNAMED, gid=_RUN))
        # RangeOrAuto were set for the run before.
        ax.autoscale(True)
        ax.autoscale_view()
        if not before:
            draw_guides(ax)
            quiet(ax)
            horizontal, vertical = axis_titles(self.per)
            ax.set_xlabel(horizontal, fontsize=SMALL)
            ax.set_ylabel(vertical, fontsize=SMALL)
        name_guides(ax)
        self._draw_key(ax, first=not before)
        self.ax_ = ax
        self.figure_: Figure = ax.get_figure(root=True)  # type: ignore[assignment]
        return self

    def plot_layer(self, layer: int, ax: "Axes", among: int = 16) -> None:
        """Draw one layer alone, without guides and names: what small multiples are made of.

        Parameters
        ----------
        layer : int
            Number of the layer, which has the colour that it has among all.
        ax : matplotlib Axes
            Several layers may be drawn into one.
        among : int, default 16
            Marks are as small as in a picture of so many layers.

        Raises
        ------
        ValueError
            Where there is no step to draw.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> import ei_fast as ef
        >>> ax = Figure().subplots()
        >>> ef.CausalPlaneDisplay([[3.0], [4.0]], [[1.0], [0.0]], ["fc1"]).plot_layer(0, ax)
        >>> len(ax.collections)  # its path
        1
        """
        self._check_steps()
        check_axes(ax, "CausalPlaneDisplay.plot_layer")
        colour = layer_colours(len(self.layers))[layer]
        self._draw_layer(ax, layer, Stroke(colour, _RUN_MARKERS[0], among))

    def _check_steps(self) -> None:
        if not len(self.horizontal):
            raise ValueError("There is no step to draw: the trajectory is empty. Record at least one.")

    def _draw_layer(self, ax: "Axes", layer: int, stroke: Stroke) -> Line2D:
        """Draw what is known of a layer; the mark of its last step is returned."""
        known = ~self.bracketed[:, layer]
        draw_bounds(ax, self.bounds_bars(layer), stroke)
        x, y = (np.where(known, values[:, layer], np.nan) for values in (self.horizontal, self.vertical))
        below, above = (half[:, layer] for half in self._halves)
        is_wide = (below + above > 0) | (self._sensitivity_stderr[:, layer] > 0)
        draw_errors(ax, self.error_ellipses(layer), is_wide & np.isfinite(x + y), stroke)
        if not known.all():
            draw_brackets(ax, self.bracket_bars(layer), stroke)
        return draw_path(ax, x, y, stroke)

    def _draw_key(self, ax: "Axes", first: bool) -> None:
        layers: dict[str, Line2D] = {}
        runs: dict[str, Line2D] = {}
        for line in ax.lines:
            found = {_LAYER: layers, _RUN: runs}.get(str(line.get_gid()))
            if found is not None and line.get_label() != _UNNAMED:
                found.setdefault(str(line.get_label()), line)
        notes = []
        if self.steps is not None and len(self.steps) > 1:
            ends = f"steps {self.steps[0]} (open) to {self.steps[-1]} (filled)"
            notes.append(ends if first else "first step open, last filled")
        notes.append(ranges_said(self._ranges))
        drawn = {bars.get_gid() for bars in ax.collections}
        notes += [said for gid, said in ((BRACKET, BRACKETS), (BOUND, BOUNDS)) if gid in drawn]
        draw_key(ax, list(layers.values()), list(layers), notes, further=runs)
