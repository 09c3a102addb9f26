"""From whatever holds the weights to a `Network`: a folder or a file for each kind of source, see `table.py`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ei_fast.adapters.arrays import checked_activation
from ei_fast.adapters.dicts.options import DictOptions, Layout, Place
from ei_fast.adapters.given import WHOSE, Given
from ei_fast.adapters.names import check_names, renamed
from ei_fast.adapters.table import Adapter, adapter_of
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
    chain: bool = True,
    layers: str | Sequence[str] | None = None,
    blocks: Sequence[str] | Mapping[str, Range | None] = (),
    heads: bool = False,
    verify: bool = True,
    input_shape: Sequence[int] | None = None,
    example_inputs: Any = None,
    unroll: int | None = None,
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
          such dicts inside each other, as Flax, Haiku and JAX have them;
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
        Activation of the layers that do not say. Weights in dicts and files never do: projections of a transformer
        are "linear", all but the first layer of each MLP, which has the model's own.
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
    chain : bool, default True
        False measures every 2-D weight of a dict or file by itself, as a layer that feeds none and is fed by none: its
        inputs move over `in_range`. Gates of recurrent layers are layers on (input, hidden state); embeddings, norms
        and convolutions are skipped, with the reason. Layers of a file that are large together are read when they are
        measured, one at a time.
    layers : str or sequence of str, optional
        Patterns over the names of layers in a dict or file, as ``"*.mlp.*"``, in which ``*`` stands for anything: only
        layers that one of them fits are read. A whole name measures an embedding too, where `chain` is False.
    blocks : sequence of str, dict of str to (float, float), or "auto", optional
        Modules of a PyTorch model, or layers of a Keras model, that are measured as one `Function` each, and the ranges
        of their outputs where these cannot be derived. One that maps each position of a sample by itself and alike is
        the map of one position. With "auto" residual blocks, x + f(x), and gated units, a(x) * b(x), are found: the
        smallest module, or else the operations, that hold the whole sum or product, with one input and one output;
        what their outputs are binned over stands in `notes`.
    heads : bool, default False
        Whether attention of a PyTorch or Keras model is measured head by head: of each head its columns of the layers
        that make queries, keys and values, as ``"attn.q.head0"``, its rows of the layer behind it, without the bias,
        which is no head's, and what these do together, as linear layers from width to width. OV, ``"attn.ov.head0"``,
        is x W_V W_O + b_V W_O: what the head writes that attends to one position. QK, ``"attn.qk.head0"``, is
        x W_Q W_K^T + b_Q W_K^T: what it seeks for a position x, whose product with another position is the score; b_K
        adds the same to all scores of a query, which softmax takes away [1]_. Heads that share keys and values have
        these once.
    verify : bool, default True
        Whether the layers of a model that runs are compared with the model itself on random inputs, inside
        `in_range` and ten times as far.
    input_shape : sequence of int, optional
        Of one sample that such a model takes; where not given, what it says of itself, or in PyTorch what its
        first dense layer takes. A PyTorch or Flax model that begins with a convolution does not tell.
    example_inputs : tensor, array, tuple, dict or batch, optional
        What the model is called with, instead of `input_shape`.

        - PyTorch: a tensor or array; a tuple of the arguments in order; a dict, or what a tokenizer returns, of
          arguments by name; a batch of a data loader, whose labels are left out where the model does not take them; or
          a graph of torch_geometric, which goes to the model as a whole where its forward pass does not name its parts.
          Floating numbers are drawn over `in_range`, in the shape of the examples. Integers, and arguments that are
          called a mask or an adjacency, are taken as they are: layers behind a table that integers are looked up in
          are binned over the range that its vectors were seen to have. What has as many rows as the first floating
          input, or as the first of all, is given as many as a run has, unless it is a graph or the model does not take
          them. The ranges that layers saw on the examples themselves stand in the network's `seen`.
        - Keras: an array, or several in a list or dict as the model takes them; of a batch with labels behind it these
          are left out. Floating numbers are drawn, integers taken as they are, as above.
        - Flax, JAX and ONNX: a batch of which the shape of a sample and, of Flax and JAX, the type are used.
        - Layers that are given as such, dicts, files of weights and scikit-learn: a batch (rows, n_in), for the ranges
          alone that the layers see; scalers of a pipeline before the network transform it.
    unroll : int, optional
        Of recurrent layers of PyTorch, Keras and ONNX, how many steps of a cell are one `Function`: from the inputs of
        so many steps, one after the other, the hidden state before them and, of an LSTM, the cell state, to the hidden
        state behind them. Where not given, every gate is a layer of its own.
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

    References
    ----------
    .. [1] N. Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.

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
        **{"chain": None if chain is True else chain, "layers": layers, "blocks": blocks or None},
        **{"heads": heads or None, "input_shape": input_shape, "example_inputs": example_inputs, "unroll": unroll},
    }
    _check_options(model, adapter, options)
    activation = checked_activation(activation)
    if not isinstance(heads, bool):
        raise TypeError(f"The 'heads' parameter of as_network must be True or False. Got {heads!r} instead.")
    of_dicts = DictOptions.checked(order, prefix, layout, norm_place, norm_eps, chain=chain, layers=layers)
    given = Given(activation, in_range, of_dicts, blocks, verify, input_shape, example_inputs, heads, unroll)
    network = adapter.read(model, given)
    return network if called is None else renamed(network, called)


def _check_options(model: Any, adapter: Adapter, options: Mapping[str, Any]) -> None:
    """Raise ValueError for options that are not for a model, or that say the same."""
    for option, value in options.items():
        if value is not None and option not in adapter.takes:
            what = str(model) if isinstance(model, (str, os.PathLike)) else type(model).__name__
            raise ValueError(
                f"The {option!r} parameter of as_network is for {WHOSE[option]}. Got it for {what}. Leave it out."
            )
    if options["input_shape"] is not None and options["example_inputs"] is not None:
        raise ValueError(
            "The parameters 'input_shape' and 'example_inputs' of as_network say the same. Got both. Give one."
        )
