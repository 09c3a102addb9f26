"""From whatever holds the weights to a `Network`: one file a kind of source."""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import isroutine
from pathlib import Path
from typing import Any

from ei_fast.adapters.arrays import check_activation, layers_from_arrays
from ei_fast.adapters.dicts.options import DictOptions, Layout, Place
from ei_fast.adapters.dicts.reading import layers_from_mapping
from ei_fast.adapters.names import check_names, renamed
from ei_fast.errors import missing_extra
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
    prefix: str | None = None,
    layout: Layout | None = None,
    norm_place: Place | Mapping[str, Place] | None = None,
    norm_eps: float | None = None,
    blocks: Sequence[str] | Mapping[str, Range | None] = (),
    verify: bool = True,
    input_shape: Sequence[int] | None = None,
    example_inputs: Any = None,
    names: Sequence[str] | None = None,
) -> Network:
    """Read the network behind a model.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of scikit-learn, PyTorch, Keras, ONNX or JAX
        - a 2-D array is one dense layer, (n_in, n_out);
        - a list holds layers in order: `Layer`, `Function`, 2-D arrays, or tuples (weight, bias) and
          (weight, bias, activation), bias being None where there is none;
        - a dict holds ``w0, w1, ...`` of shape (n_in, n_out) with optional ``b0, b1, ...`` and optional
          ``activation``; or ``"<layer>.weight"`` as PyTorch's ``state_dict`` has them, (n_out, n_in), with
          ``"<layer>.bias"``; or ``"<layer>/kernel"`` as Keras has them, (n_in, n_out), with ``"<layer>/bias"``; or
          such dicts inside each other, as Flax and JAX have them;
        - a path names a file of such a dict: ``.npz``, ``.safetensors`` (or the index of several), ``.pt``, ``.pth``,
          ``.ckpt`` with a state dict, or ``.h5``, ``.weights.h5`` of Keras; or of a whole model: ``.keras`` or
          ``.onnx``. No file's content is ever executed;
        - a fitted `MLPClassifier` or `MLPRegressor`, or a pipeline that ends in one;
        - a PyTorch module, of which a copy runs, a built Keras model on any backend, or an `onnx.ModelProto`, run by
          onnxruntime: every layer is compared with that run. A convolution is the map from one patch to its channels,
          with the pool behind it as one `Function`;
        - a Flax module, which is traced and evaluated in the same way: of NNX, or of Linen, bound or as the pair
          (module, variables); or of JAX without Flax the pair (function, parameters) of a function of parameters, in
          any tree of arrays, and inputs.
    activation : str, Activation, or one a layer, default "sigmoid"
        Activation of the layers that do not say.
    in_range : (float, float), optional
        Range of the first layer's inputs: the network's own, what a scaler before it implies, or (0, 1).
    order : sequence of str, optional
        Names of the dense layers of a dict or file, in the order in which they feed each other; what it leaves out is
        skipped.
    prefix : str, optional
        What the names of the network's entries begin with, where a dict or file holds several networks; it is no part
        of the layers' names then.
    layout : "out_in" or "in_out", optional
        How a dict or file stores weights: (n_out, n_in), or (n_in, n_out). Where not given, names and biases tell.
    norm_place : "before" or "after", or dict of str to them, optional
        Whether the batch norms in `order` stand before the activation of the layer they are named after, or after it:
        then the next layer takes them in. Where not given, the numbers of a ``Sequential`` may tell.
    norm_eps : float, optional
        What batch norms of a dict or file add to the variance; 1e-5, as PyTorch does, where not given.
    blocks : sequence of str, or dict of str to (float, float), optional
        Modules of a PyTorch model, or layers of a Keras model, that are measured as one `Function` each, and the ranges
        of their outputs where these cannot be derived.
    verify : bool, default True
        Whether the layers of a model that runs are compared with the model itself on random inputs, inside
        `in_range` and ten times as far.
    input_shape : sequence of int, optional
        Of one sample that such a model takes; where not given, what it says of itself, or in PyTorch what its
        first dense layer takes. A PyTorch or Flax model that begins with a convolution does not tell.
    example_inputs : array (rows, ...), optional
        Of a model of Flax or JAX, instead of `input_shape`: a batch of which the shape of a sample and the type are
        used.
    names : sequence of str, optional
        What the layers are called, one name a layer in the order of the network, instead of the names that the model
        has for them.

    Returns
    -------
    Network
        What was left out stands in its `skipped`, with the reason.

    Raises
    ------
    TypeError, ValueError
        The message names the layer or key, the rule and the remedy. What a model itself raises is passed on.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> ef.as_network([(np.eye(3), None, "relu"), np.ones((3, 2))])
    Network(3 -> 3 -> 2, in_range=(0.0, 1.0))
    >>> state_dict = {"fc1.weight": np.ones((4, 2)), "fc2.weight": np.ones((1, 4))}
    >>> ef.as_network(state_dict, activation="tanh", order=["fc1", "fc2"])
    Network(2 -> 4 -> 1, in_range=(0.0, 1.0))
    >>> [layer.name for layer in ef.as_network([np.eye(3), np.ones((3, 2))], names=["hidden", "out"])]
    ['hidden', 'out']
    """
    kind = _kind(model)
    called = None if names is None else check_names(names)
    for option, given, kinds, whose in (
        *(
            (name, given is not None, ("dict", "weights"), "dicts and files of weights")
            for name, given in (
                ("order", order),
                ("prefix", prefix),
                ("layout", layout),
                ("norm_place", norm_place),
                ("norm_eps", norm_eps),
            )
        ),
        ("blocks", bool(blocks), ("torch", "keras"), "models of PyTorch and Keras"),
        (
            "input_shape",
            input_shape is not None,
            ("torch", "keras", "onnx", "flax"),
            "models of a framework that can be run",
        ),
        ("example_inputs", example_inputs is not None, ("flax",), "models of Flax and JAX; others take 'input_shape'"),
    ):
        if given and kind not in kinds:
            what = str(model) if isinstance(model, (str, os.PathLike)) else type(model).__name__
            raise ValueError(f"The {option!r} parameter of as_network is for {whose}. Got it for {what}. Leave it out.")
    check_activation(activation)
    network = _read(
        model,
        kind,
        activation,
        in_range,
        of_dicts=DictOptions.checked(order, prefix, layout, norm_place, norm_eps),
        blocks=blocks,
        verify=verify,
        input_shape=input_shape,
        example_inputs=example_inputs,
    )
    return network if called is None else renamed(network, called)


def _read(
    model: Any,
    kind: str,
    activation: str | Activation | Sequence[str | Activation],
    in_range: Range | None,
    *,
    of_dicts: DictOptions,
    blocks: Sequence[str] | Mapping[str, Range | None],
    verify: bool,
    input_shape: Sequence[int] | None,
    example_inputs: Any,
) -> Network:
    """The network behind a model of a kind that takes the options that are given."""
    if isinstance(model, Network):
        if in_range is None or check_range(in_range, "in_range", "as_network") == model.in_range:
            return model
        return model.over(in_range)
    if kind == "keras":
        if isinstance(model, (str, os.PathLike)):
            from ei_fast.adapters.keras_files import model_from_keras_file

            model = model_from_keras_file(Path(model))
        network_from_keras = _adapter("keras", "A Keras model", "Keras 3")
        return network_from_keras(model, in_range, blocks, verify, input_shape)
    if kind == "torch":
        from ei_fast.adapters.torch import network_from_torch

        return network_from_torch(model, in_range, blocks, verify, input_shape)
    if kind == "onnx":
        network_from_onnx = _adapter("onnx", "An ONNX model", "onnx and onnxruntime")
        return network_from_onnx(model, in_range, verify, input_shape)
    if kind == "flax":
        network_from_flax = _adapter("flax", "A Flax model", "JAX and Flax")
        return network_from_flax(model, in_range, verify, input_shape, example_inputs)
    if kind == "sklearn":
        from ei_fast.adapters.sklearn import network_from_sklearn

        return network_from_sklearn(model, in_range)
    layers: list[Layer | Function]
    skipped: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    if isinstance(model, (Layer, Function)):
        layers = [model]
    elif kind == "weights":
        from ei_fast.adapters.weight_files import layers_from_file

        layers, skipped, notes = layers_from_file(model, activation, of_dicts)
    elif kind == "dict":
        layers, skipped, notes = layers_from_mapping(model, activation, of_dicts)
    else:
        layers = layers_from_arrays(model, activation)
    network = Network(layers, (0.0, 1.0) if in_range is None else in_range)
    network.skipped, network.notes = skipped, notes
    return network


def _kind(model: Any) -> str:
    """Which adapter reads the model; told without importing its library, and a tensor is an array like any other."""
    if isinstance(model, (str, os.PathLike)):
        return {".keras": "keras", ".onnx": "onnx"}.get(Path(model).suffix, "weights")
    if hasattr(model, "__array__"):
        return "array"
    libraries = _libraries(model)
    # On the PyTorch backend a Keras layer is a module as well.
    for library in ("keras", "torch", "onnx", "sklearn"):
        if library in libraries:
            return library
    # Flax's trees of parameters are dicts like any other.
    if isinstance(model, Mapping) and not hasattr(model, "toarray"):
        return "dict"
    if isinstance(model, tuple) and len(model) == 2:
        libraries = _libraries(model[0])
        # What `jax.jit` makes is of a class of jaxlib.
        if isroutine(model[0]) or "jaxlib" in libraries:
            return "flax"
    return "flax" if "flax" in libraries else "array"


def _libraries(model: Any) -> set[str]:
    return {base.__module__.split(".")[0] for base in type(model).__mro__}


def _adapter(library: str, what: str, needs: str) -> Callable[..., Network]:
    """The function that reads models of a library."""
    try:
        module = import_module(f"ei_fast.adapters.{library}")
    except ImportError as error:
        raise missing_extra(what, needs, library) from error
    return getattr(module, f"network_from_{library}")
