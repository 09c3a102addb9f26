"""What a layer lacks without each input, output or edge: an `Ablation`; and without more and more: a curve."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ei_fast.results.notebook import printed_in_html, squares
from ei_fast.results.tables import frame_of, lines_of
from ei_fast.shown.drawing import map_of
from ei_fast.validation import check_one_of, refusal

if TYPE_CHECKING:
    from pandas import DataFrame

Values = NDArray[np.float64]
Measure = Literal["ei", "sensitivity", "ei_parts"]

MEASURES = ("ei", "sensitivity", "ei_parts")
ONE_OF = {"inputs": "input", "outputs": "output", "edges": "edge"}
"""What one of them is called, by the parameter `what`."""

_TITLES = {"ei": "EI", "sensitivity": "sensitivity", "ei_parts": "EI_parts"}
_SHOWN = 10
_CURVE = ("order", "draw", "share", "n_removed", *("ei", "ei_stderr", "ei_low", "ei_high"), "sensitivity", "ei_parts")


@dataclass(frozen=True, eq=False)
class Ablation:
    """By how much the measures of a layer change without each of its inputs, outputs or edges, in bits.

    Arrays are (n_in,) for inputs, (n_out,) for outputs and (n_in, n_out) for edges. A change is the figure of what is
    left less that of the whole layer: below 0 where something carries information, and above where it is in the way.

    Parameters
    ----------
    name : str
        Name of the layer.
    what : str
        ``"inputs"``, ``"outputs"`` or ``"edges"``.
    held_at : float
        What stands in place of an input, or of what an edge passes on; at 0.0 its weights are 0.
    ei, ei_stderr : float
        EI of the whole layer, and its standard error.
    sensitivity, ei_parts : float
        Of the whole layer; NaN where per-edge measures were not taken.
    ei_change, ei_change_stderr : ndarray
        By how much EI changes, and the standard error of that; 0.0 where it is exact, as of an edge whose weight is 0.
        NaN where the states of the layer are too many for its samples; the error alone where EI is bracketed.
    ei_change_low, ei_change_high : ndarray
        95 % interval of the change, which allows for the bias that may be left; or what brackets leave.
    sensitivity_change, ei_parts_change : ndarray
        By how much these change, exactly.
    methods : ndarray of str
        How each change of EI was found: ``"exact"``; by ``"shared samples"``, which all layers have in common;
        ``"gaussian"``, or another method that was asked for, each layer by itself; or ``"none"``.

    See Also
    --------
    ablation : Makes one.
    plot_ablation : Draws one.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> found = ef.ablation(np.eye(3), "inputs", activation="linear")
    >>> found.ei, found.ei_change, found.ei_change_stderr
    (9.0, array([-3., -3., -3.]), array([0., 0., 0.]))
    """

    name: str
    what: str
    held_at: float
    ei: float
    ei_stderr: float
    sensitivity: float
    ei_parts: float
    ei_change: Values = field(repr=False)
    ei_change_stderr: Values = field(repr=False)
    ei_change_low: Values = field(repr=False)
    ei_change_high: Values = field(repr=False)
    sensitivity_change: Values = field(repr=False)
    ei_parts_change: Values = field(repr=False)
    methods: NDArray[np.str_] = field(repr=False)

    def least(self, k: int, by: Measure = "ei") -> NDArray[np.bool_]:
        """Return which k of them a measure loses least by.

        Each was left out alone: without several of them the measure may change by more than the sum. Edges of weight 0
        carry nothing, and are among the first.

        Parameters
        ----------
        k : int
            How many, from 0 to all.
        by : "ei", "sensitivity" or "ei_parts", default "ei"
            The measure.

        Returns
        -------
        ndarray of bool
            True for the k of which the change is the largest, least below 0; of equals the first. In the shape of
            `ei_change`.

        Raises
        ------
        TypeError, ValueError
            For another number or measure, and where changes of the measure are not known.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> found = ef.ablation(np.diag([1.0, 1.0, 0.1]), "inputs", activation="linear")
        >>> found.least(1)
        array([False, False,  True])
        """
        n = self.ei_change.size
        if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)):
            raise TypeError(refusal("Ablation.least", "k", f"an integer from 0 to {n}", k))
        if not 0 <= k <= n:
            raise ValueError(refusal("Ablation.least", "k", f"an integer from 0 to {n}", k))
        mask = np.zeros(n, dtype=bool)
        mask[self.ranked(by)[:k]] = True
        return mask.reshape(self.ei_change.shape)

    def ranked(self, by: Measure = "ei") -> NDArray[np.intp]:
        """Return all of them, those first by which a measure loses least.

        Parameters
        ----------
        by : "ei", "sensitivity" or "ei_parts", default "ei"
            The measure.

        Returns
        -------
        ndarray of int
            Places in the raveled arrays.

        Raises
        ------
        ValueError
            For another measure, and where changes of the measure are not known.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.ablation(np.diag([1.0, 0.5, 0.1]), "inputs", activation="linear").ranked().tolist()
        [2, 1, 0]
        """
        check_one_of("Ablation.least", "by", by, MEASURES)
        changes: Values = getattr(self, f"{by}_change").ravel()
        if np.isnan(changes).any():
            raise ValueError(
                f"Changes of {_TITLES[by]} are not known of all {self.what} of {self.name!r}. "
                "Give another measure as 'by', or measure again with pairwise='auto' and joint='annealed'."
            )
        return np.argsort(-changes, kind="stable")

    def rows(self) -> list[dict[str, Any]]:
        """Return the changes as plain numbers and text.

        Returns
        -------
        list of dict
            One row for each input, output or edge: the columns of `to_frame`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.ablation(np.eye(2), "edges", activation="linear").rows()[1]["input"]
        0
        """
        places = np.unravel_index(np.arange(self.ei_change.size), self.ei_change.shape)
        names = ("input", "output") if self.what == "edges" else (ONE_OF[self.what],)
        columns = {column: getattr(self, attribute).ravel() for column, attribute in _COLUMNS.items()}
        return [
            {name: int(place[k]) for name, place in zip(names, places, strict=True)}
            | {column: float(values[k]) for column, values in columns.items()}
            | {"method": str(self.methods.ravel()[k])}
            for k in range(self.ei_change.size)
        ]

    def to_frame(self) -> "DataFrame":
        """Return the changes as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each, with the columns input, output or both, ei_change, ei_change_stderr, ei_change_low,
            ei_change_high, sensitivity_change, ei_parts_change and method.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.ablation(np.eye(2), "inputs", activation="linear").to_frame()["ei_change"].tolist()
        [-3.0, -3.0]
        """
        rows = self.rows()
        return frame_of(rows, list(rows[0]), "Ablation.to_frame")

    def __str__(self) -> str:
        """A table of those that the measure loses most by, and how many others there are."""
        title, *told = self._told()
        return "\n".join([title, *lines_of(self._header, self._lines(), range(1, 5)), *told])

    def _repr_html_(self) -> str:
        squares_of = squares(-np.atleast_2d(self.ei_change))
        across, down = ("outputs", "inputs") if self.what == "edges" else (self.what, "")
        drawn = map_of(squares_of, f"EI lost without one of {self.what}", across, down)
        return printed_in_html(self._header, self._lines(), range(1, 5), self._told(), drawn)

    @property
    def _header(self) -> tuple[str, ...]:
        return ONE_OF[self.what], "EI", "95 % interval", "sensitivity", "EI_parts"

    def _lines(self) -> list[tuple[str, ...]]:
        order = np.argsort(np.where(np.isnan(self.ei_change), 0.0, self.ei_change).ravel(), kind="stable")
        rows = self.rows()
        return [_line(rows[k]) for k in order[:_SHOWN]]

    def _told(self) -> list[str]:
        """What the table is of, and what is said below it."""
        n = self.ei_change.size
        title = f"{self.name}: change without one of {n} {self.what}; EI {self.ei:.3f}, "
        title += f"sensitivity {self.sensitivity:.3f}, EI_parts {self.ei_parts:.3f}"
        return [title, *([f"and {n - _SHOWN} more"] if n > _SHOWN else [])]


_COLUMNS = {
    name: name
    for name in (
        *("ei_change", "ei_change_stderr", "ei_change_low", "ei_change_high"),
        *("sensitivity_change", "ei_parts_change"),
    )
}


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    named = " -> ".join(str(row[name]) for name in ("input", "output") if name in row)
    low, high = row["ei_change_low"], row["ei_change_high"]
    return (
        named,
        f"{row['ei_change']:+.3f}",
        "exact" if low == high else f"{low:+.3f} .. {high:+.3f}",
        *(f"{row[f'{name}_change']:+.3f}" for name in MEASURES[1:]),
    )


class AblationCurve:
    """Measures of a layer, and the loss of its model, against the share of its neurons or edges that is left out.

    Parameters
    ----------
    what : str
        ``"inputs"``, ``"outputs"`` or ``"edges"``.
    points : sequence of dict
        Rows of the table.

    Attributes
    ----------
    what : str
        ``"inputs"``, ``"outputs"`` or ``"edges"``.
    orders : tuple of str
        By what they were left out: a measure, ``"magnitude"`` or ``"random"``.

    See Also
    --------
    ablation_curve : Makes one.
    plot_ablation_curve : Draws one.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> curve = ef.ablation_curve(np.eye(4), "inputs", shares=(0, 0.5), orders=["ei"], activation="linear")
    >>> curve.of("ei", "ei").tolist()
    [[12.0, 6.0]]
    """

    def __init__(self, what: str, points: Sequence[dict[str, Any]]):
        self.what = what
        self._points = list(points)
        self.orders = tuple(dict.fromkeys(point["order"] for point in points))

    def __len__(self) -> int:
        return len(self._points)

    def of(self, order: str, column: str) -> Values:
        """Return a column of the table for one order.

        Parameters
        ----------
        order : str
            One of `orders`.
        column : str
            A column of `to_frame` with numbers.

        Returns
        -------
        ndarray (n_draws, n_shares)
            A row for each draw; one but for ``"random"``.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> curve = ef.ablation_curve(np.eye(4), "inputs", shares=(0, 0.5), orders=["ei"], activation="linear")
        >>> curve.of("ei", "share").tolist()
        [[0.0, 0.5]]
        """
        draws = dict.fromkeys(point["draw"] for point in self._points if point["order"] == order)
        return np.array(
            [[p[column] for p in self._points if (p["order"], p["draw"]) == (order, draw)] for draw in draws]
        )

    def to_frame(self) -> "DataFrame":
        """Return the curves as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each order, draw and share, with the columns order, draw, share, n_removed, ei, ei_stderr,
            ei_low, ei_high, sensitivity, ei_parts and loss.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> curve = ef.ablation_curve(np.eye(4), "inputs", shares=(0, 0.5), orders=["ei"], activation="linear")
        >>> curve.to_frame()["n_removed"].tolist()
        [0, 2]
        """
        return frame_of(self._points, [*_CURVE, "loss"], "AblationCurve.to_frame")

    def __repr__(self) -> str:
        return f"AblationCurve({self.what} by {', '.join(self.orders)}, {len(self)} points)"
