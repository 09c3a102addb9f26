"""The range over which outputs are binned where none is given.

Outputs of a bounded activation are binned over its codomain. Outputs of an unbounded one are binned over what the layer
*reaches* under do(L1 = H^max): for each output the quantiles at `REACH` and 1 - `REACH`, from the exact distribution of
its pre-activation, and of these the hull over the layer's neurons. What interval arithmetic allows is far wider: it
grows as n_in, where outputs spread as sqrt(n_in), so that at hundreds of inputs all outputs would share one bin.
"""

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ei_fast.kernels.marginals import lower_quantiles
from ei_fast.network.bins import Ranges, ends_of, hull_of, widened
from ei_fast.network.column_blocks import blocks_of
from ei_fast.network.function import Function
from ei_fast.network.layer import Layer
from ei_fast.network.stored import in_memory

REACH = 1e-4
"""Probability that an output lies below its reach, and that it lies above; docs/ranges.md shows EI against it."""

DRAWS = 10_000
"""Draws of the inputs from whose outputs ``"dynamic"`` takes ranges: the same at every call, for every layer."""

_DRAWS_AT_ONCE = 1_000

RULES = ("auto", "hull", "neuron", "dynamic", "seen")
"""Ways to derive an output range: what the layer reaches, what interval arithmetic allows, what each neuron reaches,
what each gave for some draws of the inputs, and what was seen while the model ran on examples, which `derived_range`
does not know."""


def outputs_over(index: int, layer: Layer | Function, in_range: Ranges, given: Ranges | None, rule: str) -> Ranges:
    """The range of a layer's outputs, derived where none is given; a stored layer is read once, and let go of."""
    held = in_memory(layer)
    check_reach(index, held, in_range)
    if given is None:
        assert isinstance(held, Layer)
        return derived_range(held, in_range, rule)
    return given


def check_reach(index: int, layer: Layer | Function, in_range: Ranges) -> None:
    """Raise ValueError where pre-activations of a layer overflow on its input range."""
    if not isinstance(layer, Layer):
        return
    smallest, largest = layer.preactivation_hull(in_range)
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.max(largest) - np.min(smallest)
    if not np.isfinite(spread):
        raise ValueError(
            f"Layer {index} ({layer.name!r}): its pre-activations overflow on the input range {hull_of(in_range)}. "
            "Scale its weights down, or give a smaller range."
        )


def derived_range(layer: Layer, in_range: Ranges, rule: str) -> Ranges:
    """The range of a layer's outputs by one of the first four of `RULES`.

    ``"auto"`` and ``"hull"`` give the codomain of a bounded activation. For an unbounded one ``"auto"`` gives the hull
    over the neurons of what they reach, and ``"hull"`` the hull of what interval arithmetic allows. ``"neuron"`` gives,
    for any activation, what each neuron reaches, and ``"dynamic"`` the smallest and largest output of each among
    `DRAWS` draws of the inputs. A range of a single point is widened by 1/2 to both sides.

    Raises
    ------
    ValueError
        Where outputs overflow.
    """
    low, high = layer.activation.codomain
    if rule in ("neuron", "dynamic"):
        lows, highs = (reached if rule == "neuron" else drawn)(layer, in_range)
        _check_finite(layer, in_range, lows, highs)
        return tuple(widened(float(a), float(b)) for a, b in zip(lows, highs, strict=True))
    if not (np.isfinite(low) and np.isfinite(high)):
        lows, highs = reached(layer, in_range) if rule == "auto" else layer.output_image(in_range)
        _check_finite(layer, in_range, lows, highs)
        low, high = float(lows.min()), float(highs.max())
    return widened(low, high)


def is_spread(layer: Layer, in_range: Ranges) -> bool:
    """Whether a layer's activation is bounded, or its outputs reach more than a single point."""
    if np.isfinite(layer.activation.codomain).all():
        return True
    lows, highs = reached(layer, in_range)
    low, high = float(lows.min()), float(highs.max())
    return widened(low, high) == (low, high)


def reached(layer: Layer, in_range: Ranges) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest value of each output between two quantiles of its pre-activation, (n_out,) each.

    For a monotone activation these are the output's own quantiles at `REACH` and 1 - `REACH`. Where a single input
    moves an output, the whole interval of its values is returned.
    """
    low, high = ends_of(in_range, layer.n_in)
    width, weight = high - low, layer.columns
    blocks = list(blocks_of(layer.n_out, len(weight)))
    # Relative to the largest, so that intermediate values overflow only where the result does.
    scale = max(float(np.abs(weight[:, some] * layer.of_inputs(width, some)).max()) for some in blocks) or 1.0
    below, alone = np.empty(layer.n_out), np.empty(layer.n_out, bool)
    for some in blocks:
        weights = np.ascontiguousarray((weight[:, some] * layer.of_inputs(width, some) / scale).T)
        orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
        lower_quantiles(weights, orders, 1.0, REACH, below[some])
        alone[some] = np.count_nonzero(weights, axis=1) <= 1
    smallest, largest = layer.preactivation_hull(in_range)
    centre = 0.5 * smallest + 0.5 * largest
    # Rounding must not move the quantiles outside the interval of possible values.
    bottom = np.where(alone, smallest, np.clip(centre + below * scale, smallest, largest))
    top = np.where(alone, largest, np.clip(centre - below * scale, smallest, largest))
    return layer.activation.image(bottom, top)


def drawn(layer: Layer, in_range: Ranges) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest value of each output among `DRAWS` uniform draws of the inputs, (n_out,) each.

    Draws are those of ``numpy.random.default_rng(0).random((DRAWS, n_in))``.
    """
    low, high = ends_of(in_range, layer.n_in)
    rng = np.random.default_rng(0)
    smallest, largest = np.full(layer.n_out, np.inf), np.full(layer.n_out, -np.inf)
    # With one thread: how many there are must not change a bit. What overflows is refused afterwards.
    with threadpool_limits(1, "blas"), np.errstate(over="ignore", invalid="ignore"):
        for _ in range(DRAWS // _DRAWS_AT_ONCE):
            y = layer(low + (high - low) * rng.random((_DRAWS_AT_ONCE, layer.n_in)))
            np.minimum(smallest, y.min(axis=0), out=smallest)
            np.maximum(largest, y.max(axis=0), out=largest)
    return smallest, largest


def _check_finite(layer: Layer, in_range: Ranges, lows: NDArray[np.float64], highs: NDArray[np.float64]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(np.max(highs) - np.min(lows))
    if not finite:
        raise ValueError(
            f"Layer {layer.name!r}: its outputs overflow on the input range {hull_of(in_range)}. "
            "Give it an 'out_range', or a smaller input range."
        )
