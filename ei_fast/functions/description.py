"""What would be measured of a model, in words."""

from typing import Any, Unpack

from ei_fast.adapters import as_network
from ei_fast.network.network import Network
from ei_fast.network.rows import HEADER, RESTARTED, rows_of
from ei_fast.network.shares import share_in_lines
from ei_fast.parameters import ReadingOptions, check_adapter_options, shows_keywords
from ei_fast.results.tables import lines_in_blocks, lines_of
from ei_fast.shown.skips import skips_in_lines


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
    lines = (lines_of if verbose else lines_in_blocks)(HEADER, rows_of(network))
    if network.restarts:
        lines.append(RESTARTED)
    lines += skips_in_lines(network.notes, "note on", verbose)
    lines += skips_in_lines(network.skipped, verbose=verbose)
    return "\n".join([*lines, *share_in_lines(network.parameters, len(network))])
