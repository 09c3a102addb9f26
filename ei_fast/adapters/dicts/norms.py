"""Batch norms of a dict of weights, taken into the dense layers beside them."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.dicts.contents import Contents
from ei_fast.adapters.dicts.options import DictOptions, Place
from ei_fast.adapters.dicts.values import numbers_of
from ei_fast.adapters.graph.fusion import folded_after, folded_before, of_batch_norm
from ei_fast.network.layer import Layer


class ScaleShift(NamedTuple):
    """What a batch norm does to each of its values: times a scale, plus a shift."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]


def place_of(norm: str, layer: Layer, dense: str, options: DictOptions) -> Place:
    """Whether a batch norm stands before or after the activation of the layer that it is named after.

    Numbers of a Sequential tell that nothing stands between: then it stands before the activation. Anything else, an
    activation or a dropout, leaves a gap, and other names tell nothing.
    """
    if isinstance(options.norm_place, str):
        return options.norm_place
    said = dict(options.norm_place or {})
    given = said.get(norm)
    if given is not None:
        return given
    if str(layer.activation) == "linear" or _is_next(dense, norm):
        return "before"
    raise ValueError(
        f"Whether the batch norm {norm!r} stands before or after the activation of {dense!r} cannot be told from the "
        "weights. Give norm_place='before' or norm_place='after'; or one for each, as "
        f"norm_place={said | {norm: 'after'}}."
    )


def _is_next(dense: str, norm: str) -> bool:
    """Whether two names are those of neighbours in a Sequential."""
    # The number is a part of its own: layer2 may stand anywhere.
    one, other = (re.fullmatch(r"(.*[./]|)(\d+)", name) for name in (dense, norm))
    return one is not None and other is not None and one[1] == other[1] and int(one[2]) + 1 == int(other[2])


def affine_of(contents: Contents, name: str, n: int, feeding: str, epsilon: float) -> ScaleShift:
    """A batch norm of `n` values, by what it learnt and saw.

    Raises
    ------
    ValueError
        For entries of other shapes, or a variance below 0.
    """
    parts = {"weight": np.ones(n), "bias": np.zeros(n)}
    for part in ("weight", "bias", "running_mean", "running_var"):
        key = contents.norms[name].keys.get(part, part)
        if contents.entries.get(key) is not None:
            # Complex numbers and strings are refused.
            parts[part] = numbers_of(contents.entries[key], key).astype(np.float64, casting="same_kind")
        if parts[part].shape != (n,):
            raise ValueError(
                f"The entry {key!r} must have shape ({n},), one entry an output of {feeding!r}, which "
                f"stands before it in order=. Got shape {parts[part].shape} instead."
            )
    variance = parts["running_var"]
    if not (variance >= 0).all():
        raise ValueError(f"The entry {key!r} must hold variances, all >= 0. Got {variance.min()} instead.")
    # What overflows is refused by the layer.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return ScaleShift(*of_batch_norm(parts["running_mean"], variance, parts["weight"], parts["bias"], epsilon))


def after_outputs(layer: Layer, norm: ScaleShift) -> Layer:
    """A dense layer and the batch norm before its activation, as one dense layer."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Layer(*folded_after(layer.weight, layer.bias, *norm), layer.activation, name=layer.name)


def before_inputs(layer: Layer, norm: ScaleShift) -> Layer:
    """A dense layer and the batch norm of its inputs, as one dense layer."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Layer(*folded_before(layer.weight, layer.bias, *norm), layer.activation, name=layer.name)
