"""`EffectiveInformation` in one call."""

from typing import Any, Unpack

from ei_fast.adapters import as_network
from ei_fast.estimator.measurement import Measurement
from ei_fast.parameters import MeasuringOptions, measuring_and_reading, shows_keywords
from ei_fast.results.report import Report


@shows_keywords(Measurement, as_network)
def analyze(model: Any, **params: Unpack[MeasuringOptions]) -> Report:
    """Measure every layer of `model`.

    The short form of ``EffectiveInformation(**parameters).fit(model, **options).report_``.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    Report
        One `LayerReport` for each layer, in bits.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    See Also
    --------
    EffectiveInformation : The same as an estimator; its notes define the measures.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
    >>> report[0].ei, report[0].degeneracy
    (4.0, 0.0)
    """
    parameters, reading = measuring_and_reading(params, "analyze")
    return Measurement(**parameters).fit(model, **reading).report_
