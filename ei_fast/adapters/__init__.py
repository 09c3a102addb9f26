"""From whatever holds the weights to a `Network`: one file a kind of source."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ei_fast.adapters.arrays import check_activation, layers_from_arrays, layers_from_mapping
from ei_fast.files import read_npz
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, check_range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network


def as_network(
    model: Any, activation: str | Activation | Sequence[str | Activation] = "sigmoid", in_range: Range | None = None
) -> Network:
    """The network behind `model`.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path or scikit-learn model
        - a 2-D array is one dense layer, (n_in, n_out);
        - a list holds layers in order: `Layer`, `Function`, 2-D arrays, or tuples (weight, bias) and
          (weight, bias, activation), bias being None where there is none;
        - a dict holds ``w0, w1, ...`` of shape (n_in, n_out) with optional ``b0, b1, ...`` and optional
          ``activation``; or ``"<layer>.weight"`` as PyTorch's ``state_dict`` has them, (n_out, n_in), with
          ``"<layer>.bias"``; or ``"<layer>/kernel"`` as Keras has them, (n_in, n_out), with ``"<layer>/bias"``;
        - a path names an ``.npz`` file with the keys of the first kind of dict;
        - a fitted `MLPClassifier` or `MLPRegressor`, or a pipeline that ends in one.
    activation : str, Activation, or one a layer, default "sigmoid"
        Activation of the layers that do not say.
    in_range : (float, float), optional
        Range of the first layer's inputs: the network's own, what a scaler before it implies, or (0, 1).

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        Naming the layer or key, the rule and the remedy.
    """
    check_activation(activation)
    if isinstance(model, Network):
        if in_range is None or check_range(in_range, "in_range", "as_network") == model.in_range:
            return model
        return Network(model.layers, in_range)
    if _comes_from("sklearn", model):
        from ei_fast.adapters.sklearn import network_from_sklearn

        return network_from_sklearn(model, in_range)
    layers: list[Layer | Function]
    if isinstance(model, (Layer, Function)):
        layers = [model]
    elif isinstance(model, (str, os.PathLike)):
        layers = layers_from_mapping(read_npz(model), activation)
    elif isinstance(model, Mapping) and not hasattr(model, "toarray"):
        layers = layers_from_mapping(model, activation)
    else:
        layers = layers_from_arrays(model, activation)
    return Network(layers, (0.0, 1.0) if in_range is None else in_range)


def _comes_from(library: str, model: Any) -> bool:
    """Whether the model's class, or one that it extends, is the library's: told without importing it."""
    return any(base.__module__.split(".")[0] == library for base in type(model).__mro__)
