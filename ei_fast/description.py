"""What would be measured, and what is left out, before any work is done."""

from typing import Any

from ei_fast.adapters import as_network
from ei_fast.frames import lines_of, widths_of
from ei_fast.network.bins import Ranges, hull_of
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network

_HEADER = ("layer", "kind", "neurons", "activation", "inputs", "outputs")


def describe(model: Any, **options: Any) -> None:
    """Print what would be measured, layer by layer, and what is skipped and why.

    Parameters
    ----------
    model
        Whatever `as_network` accepts.
    **options
        Of `as_network`.

    Raises
    ------
    TypeError, ValueError
        As `as_network`.
    """
    print(description(as_network(model, **options)))


def description(network: Network) -> str:
    """The text of `describe`: a line for each layer, with the ranges over which it is binned."""
    rows = []
    for index, (layer, (in_range, out_range)) in enumerate(zip(network, network.ranges(), strict=True)):
        kind, activation = ("dense", str(layer.activation)) if isinstance(layer, Layer) else ("function", "")
        inputs = f"{_said(in_range)} *" if index in network.restarts else _said(in_range)
        rows.append((str(layer.name), kind, widths_of(layer), activation, inputs, _said(out_range)))
    lines = lines_of(_HEADER, rows)
    if network.restarts:
        lines.append(
            "* not the outputs of the layer before, one for one: the model's own input, another arrangement of those "
            "outputs, or the range seen for random inputs"
        )
    lines += [f"skipped {name}: {reason}" for name, reason in network.skipped]
    return "\n".join(lines)


def _said(ranges: Ranges) -> str:
    limits = hull_of(ranges)
    return f"({limits[0]:.4g}, {limits[1]:.4g})"
