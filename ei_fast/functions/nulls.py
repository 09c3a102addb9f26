"""Is it more than chance? The same layers with weights drawn anew, or in another order."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Unpack, get_args

import numpy as np
from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.estimator.layers import binned_layers, measure_layers
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.initial_weights import Drawn, Init, drawn_weights, rule_of, shuffled_weights
from ei_fast.functions.seeds import Purpose, seed_for, sequence_for
from ei_fast.measures.stages import Runner
from ei_fast.network.function import Function
from ei_fast.network.grouped import GroupedLayer
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network
from ei_fast.network.stored import StoredLayer
from ei_fast.parameters import (
    Integer,
    MeasuringOptions,
    OneOf,
    Settings,
    check_no_files,
    measuring_and_reading,
    shows_keywords,
)
from ei_fast.results.layer_report import LayerReport
from ei_fast.results.null_report import NullReport, layer_null
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships

_OWNER = "null_report"
Kind = Literal["reinitialised", "shuffled"]
_KIND = OneOf(get_args(Kind))
_COUNT = Integer(2)


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def null_report(
    model: Any, kind: Kind = "reinitialised", n: int = 100, init: Init = "auto", **params: Unpack[MeasuringOptions]
) -> NullReport:
    """Measure a network beside networks of the same layers with weights drawn by chance.

    Every network drawn by chance is measured as the given one is, by the same rule of ranges: where these depend on
    weights, as those of unbounded activations under ``out_range="auto"``, each network has ranges of its own. A network
    that was drawn in the same way is then one of them, and its z are those of chance. Give `out_range` to hold all
    against one ruler.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts. Layers that are a `Function` have no weights that can be drawn: they stay as
        they are, and are named in `skipped`.
    kind : "reinitialised" or "shuffled", default "reinitialised"
        Whether weights and biases are drawn anew by the rule `init`, or are the layer's own in another order: weights
        within each weight matrix, and biases among themselves.
    n : int, default 100
        Number of networks drawn by chance, 2 at least.
    init : str or callable, default "auto"
        Rule by which weights are drawn, with n_in inputs of each output, and n_out outputs (of a convolution, times the
        places of its kernel):

        - ``"torch"``: weights and biases uniform on (-1, 1) / sqrt(n_in), PyTorch's default of linear layers and
          convolutions;
        - ``"glorot_uniform"``: uniform on (-1, 1) * sqrt(6 / (n_in + n_out)), biases 0, Keras' default;
        - ``"sklearn"``: the same with the biases drawn alike, and 2 in place of 6 where the first layer is a sigmoid;
        - ``"lecun_normal"``: normal with variance 1 / n_in, drawn again beyond two standard deviations, biases 0,
          Flax' default; ``"glorot_normal"`` with variance 2 / (n_in + n_out), and ``"he_normal"`` with 2 / n_in, alike;
        - ``"he_uniform"``: uniform on (-1, 1) * sqrt(6 / n_in), biases 0;
        - a callable, called with a `numpy.random.Generator` and the shape (n_in, n_out) for every layer, that returns
          weights, or a pair of weights and biases (n_out,);
        - ``"auto"``: the default of the framework that the model is of; ``"torch"`` for arrays and files of weights.

        Biases that are all 0 in the given layer stay 0.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`. One seed gives the same networks and figures for every `n_jobs`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    NullReport
        Beside each figure mean and standard deviation of those by chance, the figure's distance from that mean in
        standard deviations, and its percentile.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    See Also
    --------
    compare : Compares two networks.
    plot_null : Draws what is found.

    Notes
    -----
    Batch norms that an adapter has taken into a layer, and scales of the inputs, are part of its weights, and are drawn
    over. With n networks no percentile tells more than one in n + 1.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> null = ef.null_report({"w0": 3 * np.eye(4)}, n=20, random_state=0)
    >>> null["layer0"].ei.percentile, null["layer0"].ei.value > null["layer0"].ei.mean
    (100.0, True)
    """
    _KIND.checked("kind", kind, _OWNER)
    n = _COUNT.checked("n", n, _OWNER)
    rule = rule_of(init, model, _OWNER)
    parameters, reading = measuring_and_reading(params, _OWNER)
    estimator = Measurement(**parameters)
    network, settings, ranges_and_seed = estimator.check(model, **reading)
    check_no_files(settings, _OWNER)
    places = _places_of_weights(network)
    seed, verbose = ranges_and_seed.seed, bool(estimator.verbose)
    # What a rule returns is checked before anything is measured.
    _network_by_chance(network, kind, rule, seed, 0)
    estimator.verbose = 0
    measured = estimator.measure(network, settings, ranges_and_seed)
    draws = [
        _by_chance(network, kind, rule, seed, k, settings)
        for k in (tqdm(range(n), desc="drawing by chance") if verbose else range(n))
    ]
    layers = [layer_null(measured[index], [draw[k] for draw in draws]) for k, index in enumerate(places)]
    skipped = [
        (str(layer.name), "is a function, which has no weights that can be drawn")
        for index, layer in enumerate(network)
        if index not in places
    ]
    said = "" if kind == "shuffled" else rule if isinstance(rule, str) else getattr(rule, "__name__", "given")
    return NullReport(layers, measured, kind, said, skipped)


def _places_of_weights(network: Network) -> list[int]:
    """Places of the layers whose weights can be drawn."""
    places = [index for index, layer in enumerate(network) if isinstance(layer, Layer)]
    if not places:
        raise ValueError(
            f"The 'model' parameter of {_OWNER} must have a dense layer, whose weights can be drawn. Got functions "
            "alone. Measure them with ef.analyze, with weights of your own in them."
        )
    return places


def _by_chance(network: Network, kind: str, rule: Init, seed: int, k: int, settings: Settings) -> Sequence[LayerReport]:
    """Reports of the layers with weights of network number k by chance."""
    drawn = _network_by_chance(network, kind, rule, seed, k)
    ranges = drawn.ranges(settings.in_range, settings.out_range)
    binned = [one for one in binned_layers(drawn, settings, ranges) if isinstance(one.layer, Layer)]
    runner = Runner(Threads(settings.n_jobs))
    with runner.threads:
        return measure_layers(binned, settings.options, seed_for(seed, Purpose.NULLS, k), runner, False)


def _network_by_chance(network: Network, kind: str, rule: Init, seed: int, k: int) -> Network:
    """Network number k by chance: the same but for the weights."""
    activation = next(layer.activation.name for layer in network if isinstance(layer, Layer))

    def drawn(layer: Layer, index: int) -> Drawn:
        rng = np.random.default_rng(sequence_for(seed, Purpose.WEIGHTS, k, index))
        return shuffled_weights(layer, rng) if kind == "shuffled" else drawn_weights(layer, rule, activation, rng)

    layers = [
        layer if isinstance(layer, Function) else _with_weights(layer, partial(drawn, layer, index))
        for index, layer in enumerate(network)
    ]
    return network.replaced(layers=layers)


def _with_weights(layer: Layer, draw: "partial[Drawn]") -> Layer:
    """A layer with other weights: read anew each time it is needed, where the given one is."""
    if isinstance(layer, StoredLayer):
        return StoredLayer(draw, layer.n_in, layer.n_out, layer.activation, layer.name, layer.in_range)
    weight, bias = draw()
    kept = {
        key: getattr(layer, key) for key in ("activation", "name", "out_range", "in_range", "patch", "per_position")
    }
    if isinstance(layer, GroupedLayer):
        return GroupedLayer(weight, layer.groups, bias, **kept)
    return Layer(weight, bias, **kept)
