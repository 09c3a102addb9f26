"""Who carries it? Measures of a layer without each of its inputs, outputs or edges, and without more and more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.seeds import Purpose, sequence_for
from ei_fast.functions.single_layer import only_layer
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.ablation.edges import edge_changes, edge_sum
from ei_fast.measures.ablation.ei import AblationProblem, ei_changes
from ei_fast.measures.ablation.variants import Variants, What, lacking
from ei_fast.measures.joint.auto import joint_ei
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer
from ei_fast.parameters import (
    CONSTRAINTS,
    OWNER,
    Integer,
    MeasuringOptions,
    OneOf,
    Settings,
    measuring_and_reading,
    shows_keywords,
)
from ei_fast.results.ablation import MEASURES, Ablation, AblationCurve
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_float, as_numpy_ships, refusal

_WHAT = OneOf(get_args(What))
_COUNT = Integer(1)
Order = Literal["ei", "sensitivity", "ei_parts", "magnitude", "random"]
_ORDERS = get_args(Order)
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

Mask = NDArray[np.bool_]

# What is open of parameters that are not free here.
_OPEN = {
    "out_of_range": ("clip",),
    "joint": ("auto", "conditional", "gaussian", "annealed"),
    "pairwise": ("auto", "exact", "none"),
    "pairwise_edges": (None,),
    "matrices": (None,),
}


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def ablation(layer: Any, what: What = "inputs", held_at: float = 0.0, **params: Unpack[MeasuringOptions]) -> Ablation:
    """Measure by how much EI, sensitivity and EI_parts change without each input, output or edge of a layer.

    Every one of them is left out alone, and the layer measured over the same ranges as the whole: an input or an edge
    by weights of 0, an output by not being watched. All layers have their samples in common, so that the errors of
    changes are far below those of EI itself.

    Parameters
    ----------
    layer : Layer, 2-D array (n_in, n_out), or a network of one layer
        Dense.
    what : "inputs", "outputs" or "edges", default "inputs"
        What is left out.
    held_at : float, default 0.0
        What stands in place of an input, or of what an edge passes on: at 0.0 its weights are 0, at another value it
        is held there, as at the middle of its range.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`; outputs outside the range are clipped.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`. Here `tol` is the error of a change of EI that is aimed for,
        and `effort` multiplies what may be spent on all of them together, about a second of one core. Per-edge
        measures are exact, or not taken with ``pairwise="none"``.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    Ablation
        The changes, with errors and intervals, and masks of those that carry least.

    Raises
    ------
    TypeError, ValueError
        Before any work: for what is no dense layer, and for parameters that are not open here.

    See Also
    --------
    ablation_curve : What is left when more and more is left out.
    plot_ablation : Draws what is found.

    Notes
    -----
    EI changes within the connected component of what is left out alone. Where one input determines it all changes are
    exact. Otherwise H(Y) and H(Y | X) of all layers are counted in common samples; the error is that of the difference,
    point by point and cell by cell, of which a control takes off what outputs would do alone. Where samples do not
    resolve the states, and there are three inputs an output at least, each layer is measured by its Gaussian
    cross-entropy with one seed, and errors are those of two independent figures; elsewhere the change of EI is NaN:
    ``joint="annealed"`` measures each layer by chains, which takes as long as so many measurements.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> weight = np.random.default_rng(0).normal(size=(5, 3)) * [[3.0], [1.0], [1.0], [1.0], [0.1]]
    >>> found = ef.ablation(weight, "inputs", random_state=0)
    >>> found.least(1)
    array([False, False, False, False,  True])
    >>> bool(found.ei_change[0] < found.ei_change[4]), bool(found.ei_change_stderr.max() < 0.02)
    (True, True)
    """
    _WHAT.checked("what", what, "ablation")
    value = CONSTRAINTS["baseline"].checked("held_at", held_at, "ablation")
    binned, settings, seed, verbose = _checked(layer, params, "ablation")
    shape = {"inputs": (binned.layer.n_in,), "outputs": (binned.layer.n_out,)}.get(
        what, (binned.layer.n_in, binned.layer.n_out)
    )
    with Threads(settings.n_jobs, verbose) as threads:
        whole = run_here(joint_ei(binned, settings.options, seed), threads)
        found, methods = ei_changes(AblationProblem(binned, value, settings.options, seed, threads), what)
        edges = {name: (float("nan"), np.full(len(methods), np.nan)) for name in MEASURES[1:]}
        if settings.pairwise != "none":
            edges = {name: edge_changes(binned, what, value, name, threads) for name in edges}
    return Ablation(
        name=str(binned.layer.name),
        what=what,
        held_at=value,
        ei=whole.value,
        ei_stderr=whole.stderr,
        sensitivity=edges["sensitivity"][0],
        ei_parts=edges["ei_parts"][0],
        ei_change=found.change.reshape(shape),
        ei_change_stderr=found.stderr.reshape(shape),
        ei_change_low=found.low.reshape(shape),
        ei_change_high=found.high.reshape(shape),
        sensitivity_change=edges["sensitivity"][1].reshape(shape),
        ei_parts_change=edges["ei_parts"][1].reshape(shape),
        methods=methods.reshape(shape),
    )


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def ablation_curve(
    layer: Any,
    what: What = "edges",
    shares: Sequence[float] = _SHARES,
    orders: Sequence[Order] = ("ei", "magnitude", "random"),
    loss: Callable[[Mask], float] | None = None,
    *,
    n_random: int = 3,
    held_at: float = 0.0,
    **params: Unpack[MeasuringOptions],
) -> AblationCurve:
    """Measure a layer while more and more of its inputs, outputs or edges are left out, in several orders.

    Parameters
    ----------
    layer : Layer, 2-D array (n_in, n_out), or a network of one layer
        Dense.
    what : "inputs", "outputs" or "edges", default "edges"
        What is left out.
    shares : sequence of float, default (0, 0.1, ..., 0.9)
        Shares from 0 to 1 that are left out, of all there are.
    orders : sequence of str, default ("ei", "magnitude", "random")
        In which orders: ``"ei"``, ``"sensitivity"`` or ``"ei_parts"`` leave out first by what this measure, of the
        whole layer without one, loses least; ``"magnitude"`` those of the smallest weights, by absolute value of an
        edge, and by the root of the sum of squares of a neuron; ``"random"`` draws.
    loss : callable, optional
        Called with a mask, True where something is left out, of shape (n_in,), (n_out,) or (n_in, n_out): the loss of
        your model without these, a number.
    n_random : int, default 3
        Number of random orders.
    held_at : float, default 0.0
        What stands in place of an input, or of what an edge passes on, as of `ablation`.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`; outputs outside the range are clipped.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    AblationCurve
        EI with its error and interval, sensitivity, EI_parts and the loss at every share, in every order.

    Raises
    ------
    TypeError, ValueError
        Before any work: for shares, orders and parameters that are not allowed.

    See Also
    --------
    ablation : Which of them carry how much.
    plot_ablation_curve : Draws what is found.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> weight = np.random.default_rng(0).normal(size=(5, 3))
    >>> curve = ef.ablation_curve(weight, shares=(0, 0.5), orders=["ei"], loss=lambda mask: mask.mean(), random_state=0)
    >>> curve.of("ei", "loss").round(2).tolist()
    [[0.0, 0.53]]
    """
    owner = "ablation_curve"
    _WHAT.checked("what", what, owner)
    value = CONSTRAINTS["baseline"].checked("held_at", held_at, owner)
    n_random = _COUNT.checked("n_random", n_random, owner)
    shares, orders = _checked_shares(shares), _checked_orders(orders)
    if loss is not None and not callable(loss):
        raise TypeError(refusal(owner, "loss", "None, or a callable that takes a mask", loss))
    binned, settings, seed, verbose = _checked(layer, params, owner)
    problem = _Problem(binned, what, value, settings, seed)
    ranked = _ranked(problem, orders, n_random)
    steps = [(order, draw, places, share) for order, draw, places in ranked for share in shares]
    points = [
        _point(problem, order, draw, places, share, loss)
        for order, draw, places, share in (tqdm(steps, desc="leaving out") if verbose else steps)
    ]
    return AblationCurve(what, points)


def _checked(layer: Any, params: MeasuringOptions, owner: str) -> tuple[BinnedLayer, Settings, int, bool]:
    """A dense layer with its bins, the settings, the seed, and whether progress is shown."""
    parameters, reading = measuring_and_reading(params, owner)
    estimator = Measurement(**parameters)
    settings = Settings.checked(estimator.parameters)
    for name, allowed in _OPEN.items():
        given = getattr(estimator, name)
        if given not in allowed:
            raise ValueError(
                f"The {name!r} parameter of {OWNER} must be {' or '.join(map(repr, allowed))} in {owner}. Got "
                f"{given!r} instead. Leave it out."
            )
    binned = only_layer(layer, estimator, settings, reading).in_memory()
    if not isinstance(binned.layer, Layer):
        raise ValueError(
            f"The 'layer' parameter of {owner} must be a dense layer. Got {binned.layer!r}, of which no weights are "
            "known. Give the weights of its layers, one at a time."
        )
    return binned, settings, resolve_seed(estimator.random_state, OWNER), bool(estimator.verbose)


def _checked_shares(shares: Any) -> list[float]:
    rule = "a sequence of numbers from 0 to 1, at least one"
    values = [as_float(share) for share in shares] if isinstance(shares, (Sequence, np.ndarray)) else []
    if not values or not all(0.0 <= share <= 1.0 for share in values):
        raise ValueError(refusal("ablation_curve", "shares", rule, shares))
    return values


def _checked_orders(orders: Any) -> list[Order]:
    listed: list[Any] = [orders] if isinstance(orders, str) else list(orders)
    if not listed or any(order not in _ORDERS for order in listed):
        rule = f"one or several of {', '.join(map(repr, _ORDERS))}"
        raise ValueError(refusal("ablation_curve", "orders", rule, orders))
    return list(dict.fromkeys(listed))


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is left out of which layer, and how it is measured: see `ei_changes`."""

    binned: BinnedLayer
    what: What
    value: float
    settings: Settings
    seed: int


def _ranked(problem: _Problem, orders: Sequence[Order], n_random: int) -> list[tuple[Order, int, NDArray[np.intp]]]:
    """For each order, and each draw of it, all that can be left out, that first which goes first."""
    ranked: list[tuple[Order, int, NDArray[np.intp]]] = []
    binned, what, value, settings, seed = vars(problem).values()
    weight = binned.layer.weight
    with Threads(settings.n_jobs) as threads:
        for order in orders:
            if order == "random":
                n = len(Variants.all_of(what, *weight.shape))
                for draw in range(n_random):
                    rng = np.random.default_rng(sequence_for(seed, Purpose.ORDERS, draw))
                    ranked.append((order, draw, rng.permutation(n)))
                continue
            if order == "magnitude":
                axis = {"inputs": 1, "outputs": 0}.get(what)
                carried = np.abs(weight).ravel() if axis is None else np.sqrt((weight**2).sum(axis=axis))
            elif order == "ei":
                # Of what is not known the order is that of the weights.
                changes = ei_changes(AblationProblem(binned, value, settings.options, seed, threads), what)[0].change
                _check_known(changes, what)
                carried = -changes
            else:
                carried = -edge_changes(binned, what, value, order, threads)[1]
            ranked.append((order, 0, np.argsort(carried, kind="stable")))
    return ranked


def _check_known(changes: NDArray[np.float64], what: str) -> None:
    if np.isnan(changes).any():
        raise ValueError(
            f"The changes of EI are not known of all {what}: the layer has more states than samples resolve. Leave "
            "'ei' out of 'orders', or give joint='annealed'."
        )


def _point(
    problem: _Problem,
    order: Order,
    draw: int,
    places: NDArray[np.intp],
    share: float,
    loss: Callable[[Mask], float] | None,
) -> dict[str, Any]:
    """A row of the table: the layer without a share of what there is, in an order."""
    binned, what, value, settings, seed = vars(problem).values()
    n_in, n_out = binned.layer.n_in, binned.layer.n_out
    n_removed = round(share * len(places))
    variants = Variants.all_of(what, n_in, n_out).at(places[:n_removed])
    left = lacking(binned, variants.inputs, variants.outputs, value)
    with Threads(settings.n_jobs) as threads:
        joint = run_here(joint_ei(left, settings.options, seed), threads)
        sums = {name: float("nan") for name in MEASURES[1:]}
        if settings.pairwise != "none":
            sums = {name: edge_sum(left, name, threads) for name in sums}
    mask = np.zeros(len(places), dtype=bool)
    mask[places[:n_removed]] = True
    shape = {"inputs": (n_in,), "outputs": (n_out,)}.get(what, (n_in, n_out))
    return {
        **{"order": order, "draw": draw, "share": share, "n_removed": n_removed},
        **{"ei": joint.value, "ei_stderr": joint.stderr, "ei_low": joint.low, "ei_high": joint.high},
        **sums,
        "loss": float("nan") if loss is None else float(loss(mask.reshape(shape))),
    }
