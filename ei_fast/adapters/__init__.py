"""From whatever holds the weights to a `Network`: a folder or a file for each kind of source, see `table.py`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ei_fast.adapters.arrays import check_activation
from ei_fast.adapters.dicts.options import DictOptions, Layout, Place
from ei_fast.adapters.given import WHOSE, Given
from ei_fast.adapters.names import check_names, renamed
from ei_fast.adapters.table import adapter_of
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range
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
        What batch norms of a dict or file add to the variance; where not given, what PyTorch and Flax add by default,
        1e-5, or Keras, 1e-3, by whose names they have.
    blocks : sequence of str, dict of str to (float, float), or "auto", optional
        Modules of a PyTorch model, or layers of a Keras model, that are measured as one `Function` each, and the ranges
        of their outputs where these cannot be derived. One that maps each position of a sample by itself and alike is
        the map of one position. With "auto" residual blocks, x + f(x), and gated units, a(x) * b(x), are found: the
        smallest module, or else the operations, that hold the whole sum or product, with one input and one output;
        what their outputs are binned over stands in `notes`.
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
    called = None if names is None else check_names(names)
    adapter = adapter_of(model)
    options = {
        **{"order": order, "prefix": prefix, "layout": layout, "norm_place": norm_place, "norm_eps": norm_eps},
        **{"blocks": blocks or None, "input_shape": input_shape, "example_inputs": example_inputs},
    }
    for option, value in options.items():
        if value is not None and option not in adapter.takes:
            what = str(model) if isinstance(model, (str, os.PathLike)) else type(model).__name__
            raise ValueError(
                f"The {option!r} parameter of as_network is for {WHOSE[option]}. Got it for {what}. Leave it out."
            )
    check_activation(activation)
    of_dicts = DictOptions.checked(order, prefix, layout, norm_place, norm_eps)
    network = adapter.read(model, Given(activation, in_range, of_dicts, blocks, verify, input_shape, example_inputs))
    return network if called is None else renamed(network, called)
