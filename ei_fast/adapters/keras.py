"""Keras models on the PyTorch backend: what their layers do is written down while they run.

The model itself runs, in inference mode and in its own arithmetic, since not every Keras model can be copied;
its variables are put back. Everything that it does goes through functions of PyTorch, whichever way it was built.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from ei_fast.adapters.chain import no_layer
from ei_fast.adapters.operations import Pointwise, Recording, Unknown
from ei_fast.adapters.pointwise import activation_of, clipped
from ei_fast.adapters.torch_notes import Notes, process_of_its_own
from ei_fast.adapters.watched import Blocks, check_blocks, check_shape, network_from_runs
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, check_range
from ei_fast.network.network import Network


def network_from_keras(
    model: keras.Layer,
    in_range: Range | None = None,
    blocks: Blocks = (),
    check: bool = True,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """The layers of a Keras model, in the order in which it runs them.

    Parameters
    ----------
    model : keras.Model or keras.Layer
        Built, and left as it is.
    in_range : (float, float), optional
        Range of the model's inputs, (0, 1) where not given.
    blocks : sequence of str, or dict of str to (float, float)
        Layers that are measured as one `Function` each, and the ranges of their outputs where these cannot be derived.
    check : bool
        Whether every layer is compared with the model on random inputs, inside `in_range` and beyond it.
    input_shape : sequence of int, optional
        Of one sample; where not given, what the model was built for.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    if keras.backend.backend() != "torch":
        raise TypeError(
            f"A Keras model can be followed on the torch backend. Got one on {keras.backend.backend()!r}. Save it with "
            "model.save('model.keras') and read that file with the environment variable KERAS_BACKEND=torch, or write "
            "it with model.export('model.onnx', format='onnx')."
        )
    layers = _layers(model)
    ranges = check_blocks(blocks, list(layers))
    in_range = (0.0, 1.0) if in_range is None else check_range(in_range, "in_range", "as_network")
    shape = _input_shape(model, input_shape)

    def run(inputs: NDArray) -> Recording:
        x = torch.as_tensor(keras.ops.convert_to_tensor(inputs, model.compute_dtype))
        held = [variable.value for variable in model.variables]
        notes = Notes(x, held, ranges, x.dtype, _as_it_is)
        with torch.no_grad(), process_of_its_own(x, held), _kept(model), _watched(layers, notes):
            output = model(x, training=False) if _takes_training(model) else model(x)
        return notes.recording(output)

    return network_from_runs(run, shape, in_range, check, list(ranges))


def _layers(model: keras.Layer) -> dict[str, keras.Layer]:
    """The layers inside the model by name; one whose name another has as well by its path."""
    found = [
        layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.layers.InputLayer)
    ]
    names = [layer.name for layer in found]
    result: dict[str, keras.Layer] = {}
    for layer, name in zip(found, names, strict=True):
        if names.count(name) > 1:
            name = layer.path or name
        unique, use = name, 1
        while unique in result:
            use += 1
            unique = f"{name}#{use}"
        result[unique] = layer
    # A layer by itself is its own.
    return result or {model.name: model}


def _input_shape(model: keras.Layer, given: Sequence[int] | None) -> tuple[int, ...]:
    """Shape of a sample that the model takes."""
    if not model.built:
        raise ValueError(
            f"The Keras model {model.name!r} is not built, so that it has no weights yet. Call it on data, or train it."
        )
    if len(getattr(model, "inputs", None) or [None]) > 1:
        raise ValueError(
            f"The Keras model {model.name!r} must have one input. Got {len(model.inputs)} instead. Measure a part of "
            "it, keras.Model(tensor, output), that has one."
        )
    if given is not None:
        return check_shape(given)
    # A model that is called has no shapes of inputs, but may know what it was built for.
    shape = getattr(model, "input_shape", None) or (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not shape[1:] or any(not isinstance(n, int) for n in shape[1:]):
        raise ValueError(
            f"The Keras model {model.name!r} does not tell the shape of its inputs (it has {shape}). Give "
            "'input_shape', the shape of one sample, to as_network: (height, width, channels) for images."
        )
    return tuple(shape[1:])


def _takes_training(model: keras.Layer) -> bool:
    return isinstance(model, keras.Model) or model._call_has_training_arg


@contextmanager
def _kept(model: keras.Layer) -> Iterator[None]:
    """After this, what the model holds is what it was."""
    before = [(variable, variable.value.detach().clone()) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in before:
            if not torch.equal(variable.value, value):
                variable.assign(value)


def _as_it_is(layer: keras.Layer) -> Callable[[], AbstractContextManager[None]]:
    """What makes a layer, wherever training has taken it, what it is now."""
    values = [(variable, variable.value.detach().clone()) for variable in layer.variables]

    @contextmanager
    def put() -> Iterator[None]:
        with _kept(layer):
            for variable, value in values:
                variable.assign(value)
            yield

    return put


@contextmanager
def _watched(layers: dict[str, keras.Layer], notes: Notes) -> Iterator[None]:
    """Within this, what the layers do is written down."""
    with ExitStack() as stack:
        for name, layer in layers.items():
            activation = layer.__dict__.get("activation")
            if activation is not None and not _is_plain(activation):
                stack.enter_context(_replaced(layer, "activation", _pointwise(name, activation, notes)))
            call = layer.call
            if isinstance(layer, keras.layers.ReLU):
                call = _relu(name, layer, notes)
            elif isinstance(layer, _REPEATING) and name not in notes.ranges:
                call = _as_one(name, layer, notes)
            stack.enter_context(_replaced(layer, "call", _watching(name, layer, call, notes)))
        with notes:
            yield


@contextmanager
def _replaced(layer: keras.Layer, attribute: str, value: Callable) -> Iterator[None]:
    """Within this, an object has an attribute of its own, where Python looks before its class."""
    before = layer.__dict__.get(attribute)
    layer.__dict__[attribute] = value
    try:
        yield
    finally:
        del layer.__dict__[attribute]
        if before is not None:
            layer.__dict__[attribute] = before


def _watching(name: str, layer: keras.Layer, call: Callable, notes: Notes) -> Callable:
    def watched(*args: Any, **kwargs: Any) -> Any:
        notes.enter(name)
        result = None
        try:
            result = call(*args, **kwargs)
        finally:
            # Keras says itself whether it trains, and what is masked.
            given = {key: value for key, value in kwargs.items() if key != "training" and value is not None}
            notes.leave(name, layer, args, given, result)
        return result

    return watched


# What calls a layer again and again, at every step of a sequence.
_REPEATING = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)


def _as_one(name: str, layer: keras.Layer, notes: Notes) -> Callable:
    """What a layer does, written down as one operation that is no layer."""
    call = layer.call

    def noted(x: Any, *args: Any, **kwargs: Any) -> Any:
        with notes.paused():
            result = call(x, *args, **kwargs)
        reason = no_layer(type(layer).__name__, 1)
        notes.write(name, Unknown(reason), keras.tree.flatten(x), keras.tree.flatten(result))
        return result

    return noted


def _is_plain(activation: Callable) -> bool:
    """Whether an activation is one function of PyTorch that is known, or a layer."""
    is_keras = getattr(activation, "__module__", "").split(".")[0] == "keras"
    return isinstance(activation, keras.Layer) or (is_keras and getattr(activation, "__name__", "") in _PLAIN)


_PLAIN = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "softplus", "softsign", "tanh"),
    *("sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "softmax", "log_softmax"),
}


def _relu(name: str, layer: keras.layers.ReLU, notes: Notes) -> Callable:
    """What a ReLU layer does, which with some of its parameters takes several steps."""
    low, high, threshold = layer.negative_slope, layer.max_value, layer.threshold
    if threshold == 0 and high is None:
        return layer.call
    known = clipped(0.0, float(high)) if threshold == 0 == low and high else None
    return _pointwise(name, layer.call, notes, "ReLU", known)


def _pointwise(
    name: str, function: Callable, notes: Notes, told: str | None = None, activation: Activation | None = None
) -> Callable:
    """A function of several steps, written down as one if it maps each value by itself."""
    told = told or str(getattr(function, "__name__", "custom"))

    def noted(x: torch.Tensor) -> torch.Tensor:
        with notes.paused():
            y = function(x)
            one_by_one = y.shape == x.shape and torch.equal(function(x.reshape(-1, 1)).reshape(x.shape), y)
        if one_by_one:
            does: Pointwise | Unknown = Pointwise(activation or activation_of(_Elementwise(function, told)))
        else:
            does = Unknown("its activation does not map each value by itself; name it in 'blocks' to measure it")
        notes.write(name, does, [x], [y])
        return y

    return noted


@dataclass(frozen=True, eq=False)
class _Elementwise:
    """A function of tensors as one of arrays, under the name that it is told by.

    Equal to itself alone: what the function does may have changed since it was last met.
    """

    function: Callable
    __name__: str

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            return self.function(torch.from_numpy(np.array(s))).numpy()
