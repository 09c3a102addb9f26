"""What was measured of a network: a `Report`, as a sequence, a table, a frame, a page and a file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ei_fast.measures.quantities import EDGE_MEASURES, NAMES, QUANTITIES
from ei_fast.network.bins import hull_of
from ei_fast.network.parameter_count import ParameterCount
from ei_fast.network.shares import share_in_lines
from ei_fast.results.by_name import LayersByName
from ei_fast.results.flags import Flag

# Most imports take all three from here, and pickles of older versions look for a layer's report here.
from ei_fast.results.layer_report import ENDS as ENDS
from ei_fast.results.layer_report import LayerReport as LayerReport
from ei_fast.results.notebook import report_in_html
from ei_fast.results.tables import frame_of, lines_in_blocks, lines_of, shape_of, widths_text
from ei_fast.runtime.files import from_json, known_format, npz_path, read_npz, to_json, write_npz
from ei_fast.shown.skips import skips_in_lines

if TYPE_CHECKING:
    from pandas import DataFrame

_KIND, _FORMAT = "report", 2

_RANGES = {"each": "this record", "first": "the first record", "all": "all records together"}


class Report(LayersByName[LayerReport]):
    """Measures of all layers of a network: a sequence of `LayerReport` in the network's order.

    A layer is found by its place or by its name: ``report[0]``, ``report["fc1"]``. Printing a report gives a table, in
    which the layers of large networks stand in their blocks: see `text`.

    Parameters
    ----------
    layers : sequence of LayerReport
        The measures of every layer.
    skipped : sequence of (str, str)
        Name and reason of what was not measured.
    provenance : dict
        Version, parameters, seed, library versions and seconds, as plain values.

    Attributes
    ----------
    skipped : list of (str, str)
        Name and reason of what was not measured.
    provenance : dict
        Version, parameters, seed, convention of the ranges in a training, library versions and seconds, as plain
        values; and ``"model_parameters"``, the numbers of a `ParameterCount`, where an adapter has counted those of
        the model.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> report = ef.analyze({"w0": np.eye(2), "w1": np.eye(2)}, activation="linear", bins=4)
    >>> report["layer1"].ei
    4.0
    >>> [layer.name for layer in report]
    ['layer0', 'layer1']
    """

    def __init__(self, layers: Sequence[LayerReport], skipped: Sequence[tuple[str, str]], provenance: dict[str, Any]):
        self._layers = tuple(layers)
        self.skipped = list(skipped)
        self.provenance = provenance

    def rows(self) -> list[dict[str, Any]]:
        """Return the figures of every layer as plain numbers and text, all but the matrices.

        Returns
        -------
        list of dict
            One row for each layer, with the same keys in each: the columns of `to_frame`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> (row,) = ef.analyze([np.eye(2)], activation="linear", bins=4).rows()
        >>> row["name"], row["ei"], row["ei_interval_low"], row["flags"]
        ('layer0', 4.0, 4.0, '')
        """
        rows = []
        for layer in self._layers:
            row: dict[str, Any] = {}
            for name, value in layer.figures().items():
                if name == "flags":
                    row[name] = ", ".join(value)
                elif name == "patch":
                    row[name] = "" if value is None else shape_of(value)
                elif name in ("in_range", "out_range"):
                    low, high = hull_of(value)
                    row |= {f"{name}_low": low, f"{name}_high": high}
                elif isinstance(value, tuple):
                    row |= {f"{name}_low": value[0], f"{name}_high": value[1]}
                else:
                    row[name] = value
            rows.append(row)
        return rows

    def to_frame(self) -> "DataFrame":
        """Return the figures of every layer as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each layer and one column for each figure but the matrices. Intervals, bounds and ranges have a
            column for either end; where every neuron has a range of its own, for the ends of their hull.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> frame = ef.analyze([np.eye(2)], activation="linear", bins=4).to_frame()
        >>> frame[["name", "ei", "degeneracy"]].values.tolist()
        [['layer0', 4.0, 0.0]]
        """
        rows = self.rows()
        return frame_of(rows, list(rows[0]), "Report.to_frame")

    def scalars(self, prefix: str = "ei_fast") -> dict[str, float]:
        """Return the measures of every layer under names that TensorBoard and Weights & Biases group by.

        Parameters
        ----------
        prefix : str
            What every name begins with.

        Returns
        -------
        dict of str to float
            ``"ei_fast/fc1/ei"`` and so on, bits: EI, sensitivity, degeneracy, EI_parts and phi_ff of each layer. What
            was not measured is left out.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
        >>> report.scalars()["ei_fast/layer0/ei"]
        4.0

        With Weights & Biases, and with TensorBoard::

            wandb.log(report.scalars(), step=step)
            for name, value in report.scalars().items():
                writer.add_scalar(name, value, step)
        """
        figures = {
            f"{prefix}/{layer.name}/{measure}": float(getattr(layer, measure))
            for layer in self._layers
            for measure in NAMES
        }
        return {name: value for name, value in figures.items() if value == value}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as ``.npz``: plain arrays and text, no Python objects.

        Parameters
        ----------
        path : str or path
            The file, which ends in ``.npz``; it is written whole or not at all.

        Raises
        ------
        ValueError
            Where `path` does not end in ``.npz``.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "report.npz")
        ...     ef.analyze([np.eye(2)], activation="linear", bins=4).save(path)
        ...     ef.Report.load(path)[0].ei
        4.0
        """
        arrays: dict[str, Any] = {
            "kind": _KIND,
            "format": _FORMAT,
            "layers": to_json([layer.figures() for layer in self._layers]),
            "skipped": to_json(self.skipped),
            "provenance": to_json(self.provenance),
        }
        for k, layer in enumerate(self._layers):
            arrays |= {f"{name}/{k}": getattr(layer, f"{name}_matrix") for name in EDGE_MEASURES}
        write_npz(npz_path(path, f"The path of a report must end in .npz. Got {str(path)!r} instead."), arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Report":
        """Read a report that `save` wrote.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        Report
            The saved report, the same to the last bit.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        ValueError
            Where the file is no report, is damaged, or was written by a newer version.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "report.npz")
        ...     ef.analyze([np.eye(2)], activation="linear", bins=4).save(path)
        ...     print(ef.Report.load(path))
        layer   widths  activation     EI  95 % interval  sensitivity  degeneracy  EI_parts  phi_ff  flags
        --------------------------------------------------------------------------------------------------
        layer0  2 -> 2  linear      4.000          exact        4.000       0.000     4.000   0.000
        """
        arrays = read_npz(path, "a report")
        path = Path(path)
        known_format(path, arrays, _KIND, _FORMAT)
        try:
            layers = []
            for k, figures in enumerate(from_json(arrays["layers"])):
                pairs = {name: _as_tuples(value) for name, value in figures.items() if isinstance(value, list)}
                matrices = {f"{name}_matrix": arrays[f"{name}/{k}"] for name in EDGE_MEASURES}
                layers.append(LayerReport(**(figures | pairs | matrices)))
            skipped = [(str(name), str(reason)) for name, reason in from_json(arrays["skipped"])]
            return cls(layers, skipped, _provenance_in(arrays))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"The file {str(path)!r} is a damaged report: {error!r}. Save it again.") from error

    def __repr__(self) -> str:
        return f"Report({len(self)} layers: {', '.join(layer.name for layer in self._layers)})"

    def __str__(self) -> str:
        return self.text()

    def text(self, verbose: bool = False) -> str:
        """Return the table that is printed: a line for each layer, in bits, and what was not measured.

        Parameters
        ----------
        verbose : bool, default False
            Whether each layer stands there by its whole name, and each thing that was skipped on a line of its own,
            however many they are. Otherwise the layers of a large network stand below the names of their blocks, and
            what was skipped for one reason on one line.

        Returns
        -------
        str
            Lines of text.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
        >>> report.text(verbose=True) == str(report)
        True
        """
        table = lines_of if verbose else lines_in_blocks
        lines = table(_HEADER, [_row(layer) for layer in self._layers], right=range(3, len(_HEADER) - 1))
        if self.provenance.get("convention"):
            lines.append(f"ranges of unbounded outputs: those of {_RANGES[self.provenance['convention']]}")
        lines += self._bounds()
        lines += skips_in_lines(self.skipped, verbose=verbose)
        return "\n".join([*lines, *self._share()])

    def _bounds(self) -> list[str]:
        """The line that says of which layers bounds are all that is known, where there are such."""
        n = sum(Flag.UNDERSAMPLED in layer.flags and layer.joint_method != "plugin" for layer in self._layers)
        if not n:
            return []
        layers = "1 layer" if n == 1 else f"{n} layers"
        return [
            f"undersampled ({layers}): EI lies between the two ends of its interval, and no estimate of where can be "
            "trusted: the EI shown is their middle, as is what is computed of it. A larger 'effort' may narrow them."
        ]

    def _share(self) -> list[str]:
        """The line that says how many of the model's parameters were measured, where that can be asked."""
        counted = self.provenance.get("model_parameters")
        return [] if counted is None else share_in_lines(ParameterCount.from_dict(counted), len(self))

    def _repr_html_(self) -> str:
        """The same table for a notebook, with a picture; what a flag means comes with it."""
        told = [*self._bounds(), *skips_in_lines(self.skipped), *self._share()]
        return report_in_html(_HEADER, [_row(layer) for layer in self._layers], self._layers, told)


def _provenance_in(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of a file; those of older versions have the convention under another name."""
    provenance: dict[str, Any] = from_json(arrays["provenance"])
    if "ranges" in provenance:
        provenance["convention"] = provenance.pop("ranges")
    return provenance


def _as_tuples(value: Any) -> Any:
    """Lists of a file as the tuples that they were."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


_HEADER = (
    *("layer", "widths", "activation", QUANTITIES[0].title, "95 % interval"),
    *(quantity.title for quantity in QUANTITIES[1:]),
    "flags",
)


def _row(layer: LayerReport) -> tuple[str, ...]:
    low, high = layer.ei_interval
    return (
        layer.name,
        widths_text(layer),
        layer.activation,
        f"{layer.ei:.3f}",
        "exact" if layer.joint_method == "exact" else f"{low:.3f} .. {high:.3f}",
        *(f"{getattr(layer, name):.3f}" for name in NAMES[1:]),
        ", ".join(layer.flags),
    )
