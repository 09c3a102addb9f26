"""scikit-learn's multi-layer perceptrons, bare or at the end of a pipeline."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, QuantileTransformer
from sklearn.utils.validation import check_is_fitted

from ei_fast.adapters.assemble.functions import SoftmaxOf
from ei_fast.adapters.given import DEFAULT_RANGE, Given
from ei_fast.adapters.plain import seen_by_layers
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network

# What ei_fast does not know by scikit-learn's name: a Poisson regressor's output.
_OTHERS = {"exp": Activation(np.exp, (0.0, np.inf))}


def read(model: Any, given: Given) -> Network:
    """The network inside a fitted `MLPClassifier` or `MLPRegressor`, or inside a pipeline that ends in one.

    Steps of a pipeline before it are skipped: their outputs are the network's inputs, whose range the last of
    them says where it has one. A softmax output layer is a `Function`: no output is a function of its own sum alone.

    Raises
    ------
    TypeError
        For other estimators.
    sklearn.exceptions.NotFittedError
        For one that has no weights yet.
    """
    skipped: list[tuple[str, str]] = []
    implied: Range | None = None
    examples = given.example_inputs
    while isinstance(model, Pipeline):
        check_is_fitted(model)
        for name, step in model.steps[:-1]:
            if step is None or step == "passthrough":
                continue
            implied = _range_after(step)
            examples = None if examples is None else step.transform(examples)
            skipped.append((name, _why_skipped(step, implied)))
        model = model.steps[-1][1]
    if not isinstance(model, (MLPClassifier, MLPRegressor)):
        raise TypeError(
            "Of scikit-learn's models MLPClassifier, MLPRegressor and pipelines that end in one can be measured. "
            f"Got {type(model).__name__} instead. Pass the weights of others as arrays."
        )
    check_is_fitted(model)
    last = len(model.coefs_) - 1
    layers: list[Layer | Function] = []
    for k, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        activation = model.activation if k < last else model.out_activation_
        if activation == "softmax":
            # Checked as any other layer's, and its own copy.
            layers.append(SoftmaxOf(Layer(weight, bias, "linear", name=f"layer{k}")).function((0.0, 1.0)))
        else:
            layers.append(Layer(weight, bias, _OTHERS.get(activation, activation), name=f"layer{k}"))
    network = Network(layers, given.in_range or implied or DEFAULT_RANGE, skipped=skipped)
    return seen_by_layers(network, examples)


def _range_after(step: Any) -> Range | None:
    """Range of what a fitted transformer puts out, where it has one."""
    if isinstance(step, MinMaxScaler):
        low, high = step.feature_range
        return float(low), float(high)
    if isinstance(step, (MaxAbsScaler, Normalizer)):
        return -1.0, 1.0
    if isinstance(step, QuantileTransformer) and step.output_distribution == "uniform":
        return 0.0, 1.0
    return None


def _why_skipped(step: Any, implied: Range | None) -> str:
    what = f"{type(step).__name__} comes before the network"
    if implied is not None:
        return f"{what}, whose inputs it puts into {implied}"
    return (
        f"{what} and does not bound its inputs: give in_range ((-3, 3) is three standard deviations, if it scales so)"
    )
