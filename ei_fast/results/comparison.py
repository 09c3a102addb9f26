"""What two measurements differ in: a `Comparison`, layer by layer and figure by figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ei_fast.measures.quantities import EDGE_MEASURES, NAMES, QUANTITIES
from ei_fast.results.by_name import LayersByName
from ei_fast.results.differences import Difference, Known, difference_of, known_of
from ei_fast.results.flags import Flag
from ei_fast.results.layer_report import ENDS, LayerReport
from ei_fast.results.matching import left_out, matched
from ei_fast.results.notebook import printed_in_html
from ei_fast.results.report import Report
from ei_fast.results.tables import frame_of, lines_of
from ei_fast.shown.colours import colours_of
from ei_fast.shown.drawing import values_beside
from ei_fast.shown.skips import skips_in_lines

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("quantity", "a", "b", "difference", "stderr", "low", "high", "z")
"""Of tables of differences, after those that say of what."""

# What figures are of, beside the weights: names in a table, and attributes of a report's layer.
_SETTINGS = {
    "widths": ("n_in", "n_out", "patch"),
    "activation": ("activation",),
    "bins": ("in_bins", "out_bins"),
    "in_range": ("in_range",),
    "out_range": ("out_range",),
}
_PARAMETERS = {"out_of_range": "clip", "baseline": 0.0}
_HEADER = ("layer", "quantity", "a", "b", "b - a", "95 % interval", "z", "differs as well in")


@dataclass(frozen=True, eq=False)
class LayerComparison:
    """How the figures of one layer differ, in bits.

    Parameters
    ----------
    name, name_b : str
        Name of the layer in the first network, and of what it is compared with in the second.
    ei, sensitivity, degeneracy, ei_parts, phi_ff : Difference
        Of the five measures.
    differs : tuple of str
        In what else the two measurements differ, so that the difference is not one of weights alone: ``"widths"``,
        ``"activation"``, ``"bins"``, ``"in_range"``, ``"out_range"``, ``"out_of_range"``, ``"baseline"``.
    is_same : bool
        Whether both are one and the same measurement: the same object, or the same seed with all figures and matrices
        the same to the last bit. Every difference is then exactly 0, with error 0.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> report = ef.analyze({"w0": np.ones((3, 2))}, random_state=0)
    >>> layer = ef.compare(report, report)["layer0"]
    >>> layer.is_same, layer.ei.difference, layer.ei.stderr
    (True, 0.0, 0.0)
    """

    name: str
    name_b: str
    ei: Difference
    sensitivity: Difference
    degeneracy: Difference
    ei_parts: Difference
    phi_ff: Difference
    differs: tuple[str, ...] = ()
    is_same: bool = False


class Comparison(LayersByName[LayerComparison]):
    """Differences of the figures of two networks: a sequence of `LayerComparison` in the order of the first.

    A layer is found by its place or by its name in the first network. Printing gives a table.

    Parameters
    ----------
    layers : sequence of LayerComparison
        The differences of every layer that both have.
    skipped : sequence of (str, str), default ()
        Name and reason of what was not compared.
    repeats : int or None, default None
        Number of seeds with each of which both networks were measured; None where two reports were compared.

    Attributes
    ----------
    skipped : list of (str, str)
        Name and reason of what was not compared.
    repeats : int or None
        Number of seeds with each of which both networks were measured; None where two reports were compared.

    See Also
    --------
    compare : Makes one.
    plot_comparison : Draws one.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> a, b = (ef.analyze({"w0": weight}, activation="linear", bins=4) for weight in (np.diag([1, 0]), np.eye(2)))
    >>> comparison = ef.compare(a, b)
    >>> comparison["layer0"].sensitivity.difference
    2.0
    """

    def __init__(
        self, layers: Sequence[LayerComparison], skipped: Sequence[tuple[str, str]] = (), repeats: int | None = None
    ):
        self._layers = tuple(layers)
        self.skipped = list(skipped)
        self.repeats = repeats

    def rows(self) -> list[dict[str, Any]]:
        """Return the differences as plain numbers and text.

        Returns
        -------
        list of dict
            One row for each layer and measure, with the same keys in each: the columns of `to_frame`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
        >>> row = ef.compare(report, report).rows()[0]
        >>> row["layer"], row["quantity"], row["a"], row["difference"]
        ('layer0', 'ei', 4.0, 0.0)
        """
        return [
            {"layer": layer.name, "layer_b": layer.name_b, "quantity": name}
            | vars(getattr(layer, name))
            | {"differs": ", ".join(layer.differs)}
            for layer in self._layers
            for name in NAMES
        ]

    def to_frame(self) -> "DataFrame":
        """Return the differences as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each layer and measure, with the columns layer, layer_b, quantity, a, b, difference, stderr,
            low, high, z and differs; in bits but for z.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
        >>> ef.compare(report, report).to_frame()["difference"].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
        """
        return frame_of(self.rows(), ["layer", "layer_b", *COLUMNS, "differs"], "Comparison.to_frame")

    def __repr__(self) -> str:
        return f"Comparison({len(self)} layers: {', '.join(layer.name for layer in self._layers)})"

    def __str__(self) -> str:
        return "\n".join([*lines_of(_HEADER, self._lines(), range(2, 7)), *self._told()])

    def _repr_html_(self) -> str:
        ei = [layer.ei for layer in self._layers]
        drawn = values_beside(
            [layer.name for layer in self._layers],
            [float(found.difference) for found in ei],
            [(float(found.low), float(found.high)) for found in ei],
            title="EI, b - a",
            colours=colours_of(len(self)),
        )
        return printed_in_html(_HEADER, self._lines(), range(2, 7), self._told(), drawn)

    def _lines(self) -> list[tuple[str, ...]]:
        return [_line(layer, k) for layer in self._layers for k in range(len(NAMES))]

    def _told(self) -> list[str]:
        """What is said below the table."""
        told = []
        if self.repeats is not None:
            told.append(f"errors: of differences, measured with {self.repeats} seeds that both have in common")
        elif not all(layer.is_same for layer in self._layers):
            told.append("errors: as if those of both were independent; with one seed for both mostly too large")
        return [*told, *skips_in_lines(self.skipped, "not compared")]


def _line(layer: LayerComparison, k: int) -> tuple[str, ...]:
    """A line of the printed table: a measure of a layer."""
    found: Difference = getattr(layer, NAMES[k])
    name = layer.name if layer.name == layer.name_b else f"{layer.name} / {layer.name_b}"
    exact = found.low == found.high
    return (
        *("" if k else name, QUANTITIES[k].title, f"{found.a:.3f}", f"{found.b:.3f}", f"{found.difference:+.3f}"),
        "exact" if exact else f"{found.low:+.3f} .. {found.high:+.3f}",
        "" if np.isnan(found.z) else f"{found.z:+.1f}",
        "" if k else ", ".join(layer.differs),
    )


def known_of_layer(layer: LayerReport) -> dict[str, Known]:
    """Every quantity of a layer's report with what is known of it."""
    names = (*NAMES, "ei_stderr", *(f"{name}_stderr" for name in EDGE_MEASURES))
    figures = {name: float(getattr(layer, name)) for name in names}
    figures |= {name: layer.end(name) for name in ENDS}
    return known_of(figures, Flag.UNDERSAMPLED in layer.flags)


def plain_difference(found: Difference) -> Difference:
    """The same with plain numbers."""
    return found.at()


def what_differs(a: LayerReport, b: LayerReport, parameters: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """In what two measurements differ beside weights; of the parameters of both what reports of layers do not say."""
    found = [
        said
        for said, names in _SETTINGS.items()
        if any(not identical(getattr(a, name), getattr(b, name)) for name in names)
    ]
    first, second = parameters
    return (*found, *(name for name, usual in _PARAMETERS.items() if first.get(name, usual) != second.get(name, usual)))


def compared(a: Report, b: Report, match: Any, owner: str) -> Comparison:
    """The comparison of two reports whose errors are taken to be independent."""
    first, second = ([layer.name for layer in report] for report in (a, b))
    pairs = matched(first, second, match, owner)
    parameters = [report.provenance.get("parameters", {}) for report in (a, b)]
    seeds = [report.provenance.get("seed") for report in (a, b)]
    layers = []
    for name, name_b in pairs:
        one, other = a[name], b[name_b]
        same = one is other or (seeds[0] is not None and seeds[0] == seeds[1] and is_same(one, other))
        known, known_b = known_of_layer(one), known_of_layer(other)
        found = {key: plain_difference(difference_of(known[key], known_b[key], same)) for key in NAMES}
        differs = what_differs(one, other, parameters)
        layers.append(LayerComparison(name, name_b, **found, differs=differs, is_same=same))
    return Comparison(layers, left_out(first, second, pairs))


def is_same(a: LayerReport, b: LayerReport) -> bool:
    """Whether all figures but the name, and all entries of the matrices, are the same to the last bit."""
    one, other = a.figures(), b.figures()
    if not all(identical(one[name], other[name]) for name in one if name != "name"):
        return False
    names = [f"{name}_matrix" for name in EDGE_MEASURES]
    return all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in names)


def identical(one: Any, other: Any) -> bool:
    """Whether two plain values are the same; NaN is NaN here."""
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(identical, one, other))
    return bool(one == other or (one != one and other != other))
