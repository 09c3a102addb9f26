"""The causal plane: where the layers of a network stand between sensitivity and degeneracy."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from ei_fast.figures.axes import axes_or_new, check_axes, figure_of
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.plane_shapes import bars_between, error_outlines, known_limits, reach_of_interval, turned
from ei_fast.figures.plane_sources import given_by_report, given_by_trajectory
from ei_fast.figures.plane_values import OWNER, divisors, figures_of_layers, pairs, stderrs
from ei_fast.figures.runs import LAYER, MARKERS, add_run, draw_key_of_runs, frame_plane, n_runs, next_marker
from ei_fast.figures.scale import checked_per
from ei_fast.figures.strokes import Points, Stroke, draw_bounds, draw_brackets, draw_errors, draw_path, name_guides
from ei_fast.figures.style import ranges_said
from ei_fast.results.report import Report
from ei_fast.training.trajectory import Trajectory
from ei_fast.validation import without_gradient


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
    TypeError
        For arrays that hold no real numbers.
    ValueError
        For arrays of other shapes, and where `per` is another word, or ``"edge"`` and the numbers of edges are not
        known.

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
        self.layers, self.per = tuple(layers), checked_per(per, OWNER)
        n_layers = len(self.layers)
        self._edges = divisors(edges, self.per, n_layers)
        sensitivity = figures_of_layers(sensitivity, "sensitivity", n_layers) / self._edges
        degeneracy = figures_of_layers(degeneracy, "degeneracy", n_layers) / self._edges
        shape = sensitivity.shape
        if shape != degeneracy.shape:
            raise ValueError(
                f"The 'sensitivity' and 'degeneracy' parameters of {OWNER} must have one shape, (n_steps, n_layers). "
                f"Got {shape} and {degeneracy.shape} instead."
            )
        self.horizontal, self.vertical = turned(sensitivity, degeneracy)
        self.steps = None if steps is None else np.asarray(without_gradient(steps))
        self._ei_stderr = stderrs(ei_stderr, "ei_stderr", shape) / self._edges
        self._sensitivity_stderr = stderrs(sensitivity_stderr, "sensitivity_stderr", shape) / self._edges
        self._brackets = pairs(brackets, "brackets", shape) / self._edges[:, None]
        self.bracketed: NDArray[np.bool_] = np.isfinite(self._brackets.sum(axis=2))
        self._ranges = ranges
        interval = pairs(ei_interval, "ei_interval", shape) / self._edges[:, None]
        bounds = pairs(ei_bounds, "ei_bounds", shape) / self._edges[:, None]
        self._interval, self._interval_seen, self._bounds_seen = known_limits(
            sensitivity - degeneracy, self._ei_stderr, self._brackets, interval, bounds
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
        return cls(**given_by_trajectory(trajectory, per), per=per)

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
        return cls(**given_by_report(report, per), per=per)

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
        points = self.horizontal[:, layer], self.vertical[:, layer]
        return error_outlines(*points, self._reach(layer), self._sensitivity_stderr[:, layer])

    def _reach(self, layer: int) -> tuple[Points, Points]:
        """How far the interval of EI of a layer reaches below and above EI, (n_steps,)."""
        return reach_of_interval(self.horizontal[:, layer], self._interval[:, layer])

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
        return bars_between(ends[:, layer], self.horizontal[:, layer], self.vertical[:, layer])

    def plot(self, ax: Axes | None = None, run: str | None = None) -> Self:
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
        TypeError
            Where `ax` is something else than one matplotlib Axes.
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
        check_axes(ax, "CausalPlaneDisplay.plot")
        ax = axes_or_new(ax, (4.8, 4.4))
        is_first, marker = not n_runs(ax), next_marker(ax)
        for k, (name, colour) in enumerate(zip(self.layers, layer_colours(len(self.layers)), strict=True)):
            self._draw_layer(ax, k, Stroke(colour, marker, len(self.layers))).set(label=name, gid=LAYER)
        add_run(ax, run, marker)
        # Limits were set for the run before.
        ax.autoscale(True)
        ax.autoscale_view()
        if is_first:
            frame_plane(ax, self.per)
        name_guides(ax)
        draw_key_of_runs(ax, self.steps, ranges_said(self._ranges), is_first)
        self.ax_ = ax
        self.figure_ = figure_of(ax)
        return self

    def plot_layer(self, layer: int, ax: Axes, among: int = 16) -> None:
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
        TypeError
            Where `ax` is something else than one matplotlib Axes.
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
        check_axes(ax, "CausalPlaneDisplay.plot_layer", optional=False)
        colour = layer_colours(len(self.layers))[layer]
        self._draw_layer(ax, layer, Stroke(colour, MARKERS[0], among))

    def _check_steps(self) -> None:
        if not len(self.horizontal):
            raise ValueError("There is no step to draw: the trajectory is empty. Record at least one.")

    def _draw_layer(self, ax: Axes, layer: int, stroke: Stroke) -> Line2D:
        """Draw what is known of a layer; the mark of its last step is returned."""
        known = ~self.bracketed[:, layer]
        draw_bounds(ax, self.bounds_bars(layer), stroke)
        x, y = (np.where(known, values[:, layer], np.nan) for values in (self.horizontal, self.vertical))
        below, above = self._reach(layer)
        is_wide = (below + above > 0) | (self._sensitivity_stderr[:, layer] > 0)
        draw_errors(ax, self.error_ellipses(layer), is_wide & np.isfinite(x + y), stroke)
        if not known.all():
            draw_brackets(ax, self.bracket_bars(layer), stroke)
        return draw_path(ax, x, y, stroke)
