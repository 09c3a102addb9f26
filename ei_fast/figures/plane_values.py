"""What a causal plane is given: numbers of every point and layer, checked, and divided by the layers' edges."""

import numpy as np
from numpy.typing import ArrayLike

from ei_fast.figures.strokes import Points
from ei_fast.validation import without_gradient

OWNER = "CausalPlaneDisplay"


def numbers(values: ArrayLike, name: str) -> Points:
    """The values of a parameter as an array; TypeError where they are no real numbers."""
    try:
        return np.asarray(without_gradient(values), dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{_rule(name)}. Got {type(values).__name__} instead: {error}.") from None


def figures_of_layers(values: ArrayLike, name: str, n_layers: int) -> Points:
    """Figures (n_steps, n_layers) of every layer; ValueError where they are of other layers."""
    found = numbers(values, name)
    if found.ndim > 2 or found.shape[-1:] != (n_layers,):
        raise ValueError(
            f"{_rule(name)}, (n_steps, {n_layers}) for {n_layers} layers. Got shape {found.shape} instead."
        )
    return np.atleast_2d(found)


def pairs(ends: ArrayLike | None, name: str, shape: tuple[int, ...]) -> Points:
    """Two ends for every point of figures of a `shape`, NaN where they are not given; ValueError for other shapes."""
    shape = (*shape, 2)
    if ends is None:
        return np.full(shape, np.nan)
    found = numbers(ends, name)
    if found.shape != shape and not (shape[0] == 1 and found.shape == shape[1:]):
        raise ValueError(f"The {name!r} parameter of {OWNER} must have shape {shape}. Got {found.shape} instead.")
    return found.reshape(shape)


def stderrs(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Points:
    """A standard error of every point, 0 where it is not known; ValueError where there is no such number of them."""
    found = numbers(values, name)
    try:
        found = np.broadcast_to(found, shape)
    except ValueError:
        raise ValueError(
            f"The {name!r} parameter of {OWNER} must have shape {shape}, or be one number. "
            f"Got shape {found.shape} instead."
        ) from None
    return np.where(np.isfinite(found), found, 0.0)


def divisors(edges: ArrayLike | None, per: str, n_layers: int) -> Points:
    """What the figures of each layer are divided by, (n_layers,): 1, or its number of edges; ValueError without."""
    if per == "layer":
        return np.ones(n_layers)
    found = np.zeros(0) if edges is None else numbers(edges, "edges")
    if found.shape != (n_layers,) or not (found > 0).all():
        raise ValueError(
            f"The 'edges' parameter of {OWNER} must be the number of edges, above 0, of each of {n_layers} layers "
            f"where per='edge'. Got {edges!r} instead. Give n_in · n_out of every layer, or per='layer'."
        )
    return found


def _rule(name: str) -> str:
    return f"The {name!r} parameter of {OWNER} must be an array of real numbers"
