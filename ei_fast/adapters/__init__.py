"""From whatever holds the weights to a `Network`: one file a kind of source."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ei_fast.adapters.arrays import check_activation, layers_from_arrays, layers_from_mapping
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, check_range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network


def as_network(
    model: Any,
    activation: str | Activation | Sequence[str | Activation] = "sigmoid",
    in_range: Range | None = None,
    *,
    order: Sequence[str] | None = None,
    blocks: Sequence[str] | Mapping[str, Range | None] = (),
    verify: bool = True,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """The network behind `model`.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, scikit-learn model or torch.nn.Module
        - a 2-D array is one dense layer, (n_in, n_out);
        - a list holds layers in order: `Layer`, `Function`, 2-D arrays, or tuples (weight, bias) and
          (weight, bias, activation), bias being None where there is none;
        - a dict holds ``w0, w1, ...`` of shape (n_in, n_out) with optional ``b0, b1, ...`` and optional
          ``activation``; or ``"<layer>.weight"`` as PyTorch's ``state_dict`` has them, (n_out, n_in), with
          ``"<layer>.bias"``; or ``"<layer>/kernel"`` as Keras has them, (n_in, n_out), with ``"<layer>/bias"``; or
          such dicts inside each other, as Flax and JAX have them;
        - a path names a file of such a dict: ``.npz``, ``.safetensors`` (or the index of several),
          or ``.pt``, ``.pth``, ``.ckpt`` with a state dict. No file's content is ever executed;
        - a fitted `MLPClassifier` or `MLPRegressor`, or a pipeline that ends in one;
        - a PyTorch module: a copy of it runs, and every layer is compared with that run.
    activation : str, Activation, or one a layer, default "sigmoid"
        Activation of the layers that do not say.
    in_range : (float, float), optional
        Range of the first layer's inputs: the network's own, what a scaler before it implies, or (0, 1).
    order : sequence of str, optional
        Names of the dense layers of a dict or file, in the order in which they feed each other; what it leaves out is
        skipped.
    blocks : sequence of str, or dict of str to (float, float), optional
        Modules of a PyTorch model that are measured as one `Function` each, and the ranges of their outputs where these
        cannot be derived.
    verify : bool, default True
        Whether the layers of a PyTorch model are compared with the model itself on random inputs, inside
        `in_range` and ten times as far.
    input_shape : sequence of int, optional
        Of one sample that a PyTorch model takes; where not given, what its first dense layer takes.

    Returns
    -------
    Network
        What was left out stands in its `skipped`, with the reason.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or key, the rule and the remedy. What a model itself raises comes through.
    """
    stored = isinstance(model, (str, os.PathLike)) or (isinstance(model, Mapping) and not hasattr(model, "toarray"))
    runs = next((library for library in ("keras", "torch") if _comes_from(library, model)), None)
    for option, given, applies in (
        ("order", order is not None, stored),
        ("blocks", bool(blocks), runs is not None),
        ("input_shape", input_shape is not None, runs is not None),
    ):
        if given and not applies:
            kind = "dicts and files of weights" if option == "order" else "models of a framework that can be run"
            raise ValueError(
                f"The {option!r} parameter of as_network is for {kind}. Got it for {type(model).__name__}."
            )
    check_activation(activation)
    if isinstance(model, Network):
        if in_range is None or check_range(in_range, "in_range", "as_network") == model.in_range:
            return model
        return model.over(in_range)
    if runs == "keras":
        from ei_fast.adapters.keras import network_from_keras

        return network_from_keras(model, in_range, blocks, verify, input_shape)
    if runs == "torch":
        from ei_fast.adapters.torch import network_from_torch

        return network_from_torch(model, in_range, blocks, verify, input_shape)
    if _comes_from("sklearn", model):
        from ei_fast.adapters.sklearn import network_from_sklearn

        return network_from_sklearn(model, in_range)
    layers: list[Layer | Function]
    skipped: list[tuple[str, str]] = []
    if isinstance(model, (Layer, Function)):
        layers = [model]
    elif isinstance(model, (str, os.PathLike)):
        from ei_fast.adapters.weight_files import layers_from_file

        layers, skipped = layers_from_file(model, activation, order)
    elif stored:
        layers, skipped = layers_from_mapping(model, activation, order)
    else:
        layers = layers_from_arrays(model, activation)
    network = Network(layers, (0.0, 1.0) if in_range is None else in_range)
    network.skipped = skipped
    return network


def _comes_from(library: str, model: Any) -> bool:
    """Whether the model's class, or one that it extends, is the library's: told without importing it.

    A tensor is an array like any other.
    """
    return not hasattr(model, "__array__") and any(
        base.__module__.split(".")[0] == library for base in type(model).__mro__
    )
