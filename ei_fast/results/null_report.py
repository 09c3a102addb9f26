"""A network's figures beside those of networks drawn by chance: a `NullReport`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.constants import Z95
from ei_fast.measures.quantities import BY_NAME, NAMES, QUANTITIES
from ei_fast.results.by_name import LayersByName
from ei_fast.results.differences import in_stderrs
from ei_fast.results.flags import Flag
from ei_fast.results.layer_report import LayerReport
from ei_fast.results.notebook import printed_in_html
from ei_fast.results.report import Report
from ei_fast.results.tables import frame_of, lines_of
from ei_fast.shown.colours import colours_of
from ei_fast.shown.drawing import values_beside
from ei_fast.shown.skips import skips_in_lines

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("value", "stderr", "mean", "sd", "z", "percentile", "n_bracketed")
_HEADER = ("layer", "quantity", "measured", "mean", "sd", "z", "percentile", "note")
_KINDS = {"reinitialised": "weights drawn anew", "shuffled": "weights in another order"}


@dataclass(frozen=True, eq=False)
class NullFigure:
    """A figure of a layer beside the same figure of layers drawn by chance.

    Parameters
    ----------
    value, stderr : float
        What was measured, and its standard error, in bits.
    mean, sd : float
        Mean and standard deviation of the figures of the layers drawn by chance, in bits.
    z : float
        (value - mean) / sd. Where the sd is 0 it is 0.0 for a value that is the mean up to rounding, and infinite
        otherwise. NaN where the value is undefined, or any of the figures is bracketed.
    percentile : float
        Percent of the figures drawn by chance that are below the value, those that equal it counted by half. NaN
        where `z` is.
    draws : ndarray (n,)
        These figures, in bits; those that are bracketed by the middle of their bracket.
    n_bracketed : int
        How many of them, the value included, are known to lie between bounds and no better.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> null = ef.null_report({"w0": 3 * np.eye(4)}, n=20, pairwise="none", random_state=0)
    >>> figure = null["layer0"].ei
    >>> figure.percentile, figure.z > 3, figure.draws.shape
    (100.0, True, (20,))
    """

    value: float
    stderr: float
    mean: float
    sd: float
    z: float
    percentile: float
    draws: NDArray[np.float64]
    n_bracketed: int = 0


@dataclass(frozen=True, eq=False)
class LayerNull:
    """The figures of one layer beside those of layers drawn by chance.

    Parameters
    ----------
    name : str
        Name of the layer.
    ei, sensitivity, degeneracy, ei_parts, phi_ff : NullFigure
        The five measures.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> layer = ef.null_report({"w0": np.eye(3)}, kind="shuffled", n=5, random_state=0)["layer0"]
    >>> layer.name, layer.ei.value > layer.ei.mean
    ('layer0', True)
    """

    name: str
    ei: NullFigure
    sensitivity: NullFigure
    degeneracy: NullFigure
    ei_parts: NullFigure
    phi_ff: NullFigure


class NullReport(LayersByName[LayerNull]):
    """Figures of a network beside those of networks drawn by chance: a sequence of `LayerNull` in its order.

    A layer is found by its place or by its name. Printing gives a table.

    Parameters
    ----------
    layers : sequence of LayerNull
        The figures of every layer.
    report : Report
        What was measured of the network itself.
    kind : str
        How weights were drawn: ``"reinitialised"`` or ``"shuffled"``.
    init : str
        The rule that they were drawn by; "" where they were shuffled.
    skipped : sequence of (str, str), default ()
        Name and reason of what has no figures by chance.

    Attributes
    ----------
    report : Report
        What was measured of the network itself.
    kind : str
        How weights were drawn: ``"reinitialised"`` or ``"shuffled"``.
    init : str
        The rule that they were drawn by; "" where they were shuffled.
    skipped : list of (str, str)
        Name and reason of what has no figures by chance.

    See Also
    --------
    null_report : Makes one.
    plot_null : Draws one.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> null = ef.null_report([np.eye(3)], "shuffled", n=5, activation="linear", bins=4)
    >>> null
    NullReport(1 layers beside 5 with weights in another order)
    """

    def __init__(
        self,
        layers: Sequence[LayerNull],
        report: Report,
        kind: str,
        init: str = "",
        skipped: Sequence[tuple[str, str]] = (),
    ):
        self._layers = tuple(layers)
        self.report = report
        self.kind = kind
        self.init = init
        self.skipped = list(skipped)

    @property
    def n(self) -> int:
        """Number of networks drawn by chance."""
        return len(self._layers[0].ei.draws)

    def rows(self) -> list[dict[str, Any]]:
        """Return the figures as plain numbers and text.

        Returns
        -------
        list of dict
            One row for each layer and measure, with the same keys in each: the columns of `to_frame`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> row = ef.null_report([np.eye(3)], "shuffled", n=5, activation="linear", bins=4).rows()[0]
        >>> row["layer"], row["quantity"], row["value"]
        ('layer0', 'ei', 6.0)
        """
        return [
            {"layer": layer.name, "quantity": name}
            | {column: getattr(getattr(layer, name), column) for column in COLUMNS}
            for layer in self._layers
            for name in NAMES
        ]

    def to_frame(self) -> "DataFrame":
        """Return the figures as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each layer and measure, with the columns layer, quantity, value, stderr, mean, sd, z,
            percentile and n_bracketed.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> frame = ef.null_report([np.eye(3)], "shuffled", n=5, activation="linear", bins=4).to_frame()
        >>> frame["quantity"].tolist()
        ['ei', 'sensitivity', 'degeneracy', 'ei_parts', 'phi_ff']
        """
        return frame_of(self.rows(), ["layer", "quantity", *COLUMNS], "NullReport.to_frame")

    def __repr__(self) -> str:
        return f"NullReport({len(self)} layers beside {self.n} with {_KINDS[self.kind]})"

    def __str__(self) -> str:
        return "\n".join([*lines_of(_HEADER, self._lines(), range(2, 7)), *self._told()])

    def _repr_html_(self) -> str:
        ei = [layer.ei for layer in self._layers]
        drawn = values_beside(
            [layer.name for layer in self._layers],
            [figure.value for figure in ei],
            [(figure.mean - Z95 * figure.sd, figure.mean + Z95 * figure.sd) for figure in ei],
            title="EI, and where chance has it (bars)",
            colours=colours_of(len(self)),
        )
        return printed_in_html(_HEADER, self._lines(), range(2, 7), self._told(), drawn)

    def _lines(self) -> list[tuple[str, ...]]:
        return [_line(layer, k) for layer in self._layers for k in range(len(NAMES))]

    def _told(self) -> list[str]:
        """What is said below the table."""
        by = f", by the rule {self.init}" if self.init else ""
        told = f"by chance: {self.n} networks with {_KINDS[self.kind]}{by}, each over ranges of its own"
        return [told, *skips_in_lines(self.skipped, "without a null")]


def _line(layer: LayerNull, k: int) -> tuple[str, ...]:
    figure: NullFigure = getattr(layer, NAMES[k])
    told = not np.isnan(figure.z)
    return (
        *("" if k else layer.name, QUANTITIES[k].title, f"{figure.value:.3f}", f"{figure.mean:.3f}"),
        *(f"{figure.sd:.3f}", f"{figure.z:+.1f}" if told else "", f"{figure.percentile:.0f}" if told else ""),
        f"{figure.n_bracketed} known by bounds alone" if figure.n_bracketed else "",
    )


def layer_null(measured: LayerReport, draws: Sequence[LayerReport]) -> LayerNull:
    """A layer beside layers drawn by chance."""
    return LayerNull(measured.name, **{name: _figure(name, measured, draws) for name in NAMES})


def _figure(name: str, measured: LayerReport, draws: Sequence[LayerReport]) -> NullFigure:
    quantity, value = BY_NAME[name], float(getattr(measured, name))
    by_chance = np.array([getattr(layer, name) for layer in draws], dtype=np.float64)
    brackets = sum(Flag.UNDERSAMPLED in layer.flags for layer in (measured, *draws)) if quantity.ei_sign else 0
    mean, sd = float(by_chance.mean()), float(by_chance.std(ddof=1))
    if np.ptp(by_chance) == 0.0:
        # Of figures that are the same rounding would leave a deviation.
        sd = 0.0
    z = percentile = float("nan")
    if not brackets and not np.isnan(value + mean):
        z = float(in_stderrs(value - mean, sd, max(abs(value), abs(mean))))
        below = (by_chance < value).sum() + 0.5 * (by_chance == value).sum()
        percentile = float(100.0 * below / len(by_chance))
    stderr = float(getattr(measured, quantity.stderr))
    return NullFigure(value, stderr, mean, sd, z, percentile, by_chance, brackets)
