"""scikit-learn's multi-layer perceptrons, bare or inside what scikit-learn puts around them; and nets of skorch and
Keras inside the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import Binarizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, QuantileTransformer
from sklearn.utils.validation import check_is_fitted

from ei_fast.adapters.assemble.functions import SoftmaxOf
from ei_fast.adapters.given import DEFAULT_RANGE, Given
from ei_fast.adapters.plain import seen_by_layers
from ei_fast.adapters.table import adapter_of
from ei_fast.adapters.wrappers import unwrapped
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network
from ei_fast.network.parameter_count import ParameterCount

# What ei_fast does not know by scikit-learn's name: a Poisson regressor's output.
_OTHERS = {"exp": Activation(np.exp, (0.0, np.inf))}


def read(model: Any, given: Given) -> Network:
    """The network of a fitted `MLPClassifier` or `MLPRegressor`, bare, at the end of a pipeline, or inside a search.

    Steps of a pipeline before it are skipped: their outputs are the network's inputs, whose range the last of
    them says where it has one. A softmax output layer is a `Function`: no output is a function of its own sum alone.
    What holds a model of another framework, as skorch's nets do, is read as that model.

    Raises
    ------
    TypeError
        For other estimators.
    ValueError
        For an ensemble of several networks, and a search that has kept none.
    sklearn.exceptions.NotFittedError
        For one that has no weights yet.
    """
    found = unwrapped(model)
    skipped, implied, examples = _before(found.before, given)
    in_range = given.in_range or implied
    if isinstance(found.model, (MLPClassifier, MLPRegressor)):
        network = seen_by_layers(_of_perceptron(found.model, in_range or DEFAULT_RANGE), examples)
    elif (adapter := adapter_of(found.model)).module != "sklearn":
        network = adapter.read(found.model, replace(given, in_range=in_range, example_inputs=examples))
    else:
        raise TypeError(
            "Of scikit-learn's models MLPClassifier, MLPRegressor and pipelines that end in one can be measured. "
            f"Got {type(found.model).__name__} instead. Pass the weights of others as arrays."
        )
    # In the order of the data.
    return network.replaced(skipped=[*skipped, *network.skipped, *found.after])


def _of_perceptron(model: Any, in_range: Range) -> Network:
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
    n = sum(held.size for held in (*model.coefs_, *model.intercepts_))
    return Network(layers, in_range, parameters=ParameterCount(n, n))


def _before(steps: Sequence[tuple[str, Any]], given: Given) -> tuple[list[tuple[str, str]], Range | None, Any]:
    """Names of the steps before a network and why they are skipped, the range into which they put its inputs, and what
    they make of the examples."""
    skipped: list[tuple[str, str]] = []
    implied: Range | None = None
    examples = given.example_inputs
    for name, step in steps:
        implied = _range_after(step, implied)
        examples = None if examples is None else step.transform(examples)
        skipped.append((name, _why_skipped(step, implied, given.in_range)))
    return skipped, implied, examples


def _range_after(step: Any, before: Range | None) -> Range | None:
    """Range of what a fitted transformer puts out, where it has one; `before` is that of what it takes in."""
    if isinstance(step, MinMaxScaler):
        low, high = step.feature_range
        return float(low), float(high)
    if isinstance(step, (MaxAbsScaler, Normalizer)):
        return -1.0, 1.0
    if isinstance(step, (Binarizer, OneHotEncoder)):
        return 0.0, 1.0
    if isinstance(step, QuantileTransformer) and step.output_distribution == "uniform":
        return 0.0, 1.0
    # What chooses some of its inputs leaves them as they are.
    return before if hasattr(step, "get_support") else _range_of_parts(step, before)


def _range_of_parts(step: Any, before: Range | None) -> Range | None:
    """Range of what transformers side by side put out, each of some columns, where all of them have one."""
    kinds = {base.__name__ for base in type(step).__mro__ if base.__module__.startswith("sklearn.")}
    if "Pipeline" in kinds:
        for _, part in step.steps:
            if part not in (None, "passthrough"):
                before = _range_after(part, before)
        return before
    if "ColumnTransformer" in kinds:
        parts = [part for _, part, columns in step.transformers_ if part != "drop" and np.size(columns)]
    elif "FeatureUnion" in kinds:
        parts = [part for _, part in step.transformer_list if part != "drop"]
    else:
        return None
    ranges = [before if part == "passthrough" else _range_after(part, before) for part in parts]
    known = [one for one in ranges if one is not None]
    if not known or len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _why_skipped(step: Any, implied: Range | None, given: Range | None) -> str:
    what = f"{type(step).__name__} comes before the network"
    if implied is not None:
        return f"{what}, whose inputs it puts into {implied}"
    if given is not None:
        return f"{what}; its outputs are taken to lie in in_range, {tuple(given)}"
    return (
        f"{what} and does not bound its inputs: give in_range ((-3, 3) is three standard deviations, if it scales so)"
    )
