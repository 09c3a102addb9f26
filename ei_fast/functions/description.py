"""What would be measured of a model, in words."""

from itertools import groupby
from typing import Any, Unpack

from ei_fast.adapters import as_network
from ei_fast.network.bins import Ranges, hull_of, is_each
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network
from ei_fast.parameters import ReadingOptions, check_adapter_options, shows_keywords
from ei_fast.results.shares import share_in_lines
from ei_fast.results.skips import skips_in_lines
from ei_fast.results.tables import lines_in_blocks, lines_of, widths_text

_DESCRIPTION_HEADER = ("layer", "kind", "neurons", "activation", "inputs", "outputs")
# Ranges of neurons that are shown one after the other, as those of an input, a hidden state and a gate.
_MOST_RANGES = 3


@shows_keywords(as_network)
def describe(model: Any, verbose: bool = False, **options: Unpack[ReadingOptions]) -> None:
    """Print what would be measured, layer by layer, and what is skipped and why.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts.
    verbose : bool, default False
        Whether each layer stands there by its whole name, and each thing that is skipped on a line of its own, however
        many they are.
    activation, in_range : optional
        How the model is read: see `as_network`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Raises
    ------
    TypeError, ValueError
        As `as_network`.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> ef.describe({"w0": np.eye(2), "w1": np.ones((2, 1))}, activation="tanh")
    layer   kind   neurons  activation  inputs   outputs
    ----------------------------------------------------
    layer0  dense  2 -> 2   tanh        (0, 1)   (-1, 1)
    layer1  dense  2 -> 1   tanh        (-1, 1)  (-1, 1)
    """
    check_adapter_options(options, "describe", ("model", "verbose", "activation", "in_range"))
    print(description(as_network(model, **options), verbose))


def description(network: Network, verbose: bool = False) -> str:
    """The text of `describe`: a line for each layer, with the ranges over which it is binned."""
    rows = []
    for index, (layer, (in_range, out_range)) in enumerate(zip(network, network.ranges(), strict=True)):
        kind, activation = ("dense", str(layer.activation)) if isinstance(layer, Layer) else ("function", "")
        inputs = f"{_range_text(in_range)} *" if index in network.restarts else _range_text(in_range)
        rows.append((str(layer.name), kind, widths_text(layer), activation, inputs, _range_text(out_range)))
    lines = (lines_of if verbose else lines_in_blocks)(_DESCRIPTION_HEADER, rows)
    if network.restarts:
        lines.append(
            "* not the outputs of the layer before, one for one: the model's own input, another arrangement of those "
            "outputs, the range seen for random inputs, or the one given to layers that are measured each by itself"
        )
    lines += skips_in_lines(network.notes, "note on", verbose)
    lines += skips_in_lines(network.skipped, verbose=verbose)
    return "\n".join([*lines, *share_in_lines(network.parameters, len(network))])


def _range_text(ranges: Ranges) -> str:
    """A range; or several of neurons one after the other, with how many have each, where these are few."""
    pairs: list[Any] = list(ranges) if is_each(ranges) else [ranges]
    runs = [(limits, len(list(same))) for limits, same in groupby(pairs)]
    if len(runs) > _MOST_RANGES:
        runs = [(hull_of(ranges), 1)]
    texts = [f"({limits[0]:.4g}, {limits[1]:.4g})" for limits, _ in runs]
    if len(runs) == 1:
        return texts[0]
    return " ".join(f"{n} x {text}" for text, (_, n) in zip(texts, runs, strict=True))
