"""Keras models on any backend: what their operations are is asked of Keras itself.

The model is called on a symbolic tensor, in inference mode and in its own arithmetic, and everything that it does to it
is written down, with the numbers that come of it. Its variables, and what Keras counts and draws, are put back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.blocks import AUTO, check_blocks
from ei_fast.adapters.given import Given
from ei_fast.adapters.graph import Recording, Recurrences
from ei_fast.adapters.heads import by_head
from ei_fast.adapters.keras.attention import heads_in
from ei_fast.adapters.keras.examples import examples_of, is_floating
from ei_fast.adapters.keras.layers import named
from ei_fast.adapters.keras.numbers import as_numbers
from ei_fast.adapters.keras.uses import Uses
from ei_fast.adapters.keras.watching import Watcher
from ei_fast.adapters.runs import check_shape, check_unrolled, draws_left_to_the_caller, network_from_runs
from ei_fast.adapters.sources import OfShape, Source
from ei_fast.network.network import Network


def read(model: keras.Layer, given: Given) -> Network:
    """The layers of a Keras model, in the order in which it runs them.

    Parameters
    ----------
    model : keras.Model or keras.Layer
        Built, on any backend, and left as it is.
    given : Given
        Where no input shape is, samples have the one that the model was built for.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    layers = named(
        [one for one in model._flatten_layers(include_self=False) if not isinstance(one, keras.layers.InputLayer)],
        model,
    )
    ranges = check_blocks(given.blocks, list(layers))
    in_range = given.range_of_inputs
    source, said = _source(model, given)
    names = {id(layer): name for name, layer in layers.items()}
    if model is not layers.get(model.name):
        # What the model does itself is named after what it does.
        names[id(model)] = ""
    both_ways = frozenset(names[id(one)] for one in layers.values() if isinstance(one, keras.layers.Bidirectional))
    unroll = given.checked_unroll
    options = {"training": False} if _takes_training(model) else {}

    def run(inputs: Any) -> Recording:
        x = keras.tree.map_structure(partial(_as_tensor, dtype=model.compute_dtype), inputs)
        watcher = Watcher(
            uses=Uses(model, names),
            cells=Recurrences(unroll),
            names=names,
            ranges=ranges,
            as_it_is=_as_it_is,
            both_ways=both_ways,
        )
        with _left_as_it_is(model, x):
            with watcher.taken(), _watched_activations(layers, watcher):
                output = model(watcher.input(x), **options)
            recording = watcher.recording(output)
            if given.verify:
                _check_same(model, watcher, output, model(x, **options))
        return recording

    probed = run(source.drawn(in_range, 2))
    check_unrolled(probed, unroll)
    blocks = AUTO if given.blocks == AUTO else list(ranges)
    network = network_from_runs(run, source, in_range, given.verify, blocks, probed)
    network = by_head(network, heads_in(network, layers)) if given.heads else network
    return network.noted([("example_inputs", one) for one in said]) if said else network


def _source(model: keras.Layer, given: Given) -> tuple[Source, list[str]]:
    """What the model is run on, and what is to be said of it."""
    _check_built(model)
    if given.example_inputs is None:
        return OfShape(_input_shape(model, given.input_shape)), []
    return examples_of(given.example_inputs, model)


def _as_tensor(array: Any, dtype: str) -> Any:
    """Floating numbers in the model's own type, others in theirs; what is no array as it is."""
    if not isinstance(array, np.ndarray):
        return array
    return keras.ops.convert_to_tensor(array.astype(np.float32), dtype) if is_floating(array) else _of_integers(array)


def _of_integers(array: NDArray[Any]) -> Any:
    return keras.ops.convert_to_tensor(array, "bool" if array.dtype == bool else "int32")


def _check_built(model: keras.Layer) -> None:
    if not model.built:
        raise ValueError(
            f"The Keras model {model.name!r} is not built, so that it has no weights yet. Call it on data, or train it."
        )


def _input_shape(model: keras.Layer, given: Sequence[int] | None) -> tuple[int, ...]:
    """Shape of a sample that the model takes."""
    if len(getattr(model, "inputs", None) or [None]) > 1:
        raise ValueError(
            f"The Keras model {model.name!r} has {len(model.inputs)} inputs. Give example_inputs=, a list of arrays, a "
            f"batch of each: {_drawn_as(model)}."
        )
    if given is not None:
        return check_shape(given)
    # A model that is called has no shapes of inputs, but may know what it was built for.
    shape = getattr(model, "input_shape", None) or (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not shape[1:] or any(not isinstance(n, int) for n in shape[1:]):
        raise ValueError(
            f"The Keras model {model.name!r} does not tell the shape of its inputs (it has {shape}). Give "
            "input_shape=, the shape of one sample: (height, width, channels) for images, as input_shape=(32, 32, 3)."
        )
    return tuple(shape[1:])


def _drawn_as(model: keras.Model) -> str:
    """Code that makes a batch for each input of a model; how long an axis is may be open."""

    def drawn(one: Any) -> str:
        shape = (4, *(n or 8 for n in one.shape[1:]))
        return f"numpy.random.rand{shape}" if "float" in str(one.dtype) else f"numpy.random.randint(0, 2, {shape})"

    return f"example_inputs=[{', '.join(map(drawn, model.inputs))}]"


def _takes_training(model: keras.Layer) -> bool:
    return isinstance(model, keras.Model) or model._call_has_training_arg


def _check_same(model: keras.Layer, watcher: Watcher, symbolic: Any, output: Any) -> None:
    """Raise ValueError where a model does not do to symbolic tensors what it does to others."""
    followed = [as_numbers(watcher.actual(one)) for one in keras.tree.flatten(symbolic) if hasattr(one, "shape")]
    done = [as_numbers(one) for one in keras.tree.flatten(output) if hasattr(one, "shape")]
    alike = len(followed) == len(done) and all(
        one.shape == other.shape
        and np.allclose(one, other, rtol=1e-3, atol=1e-3 * np.nanmax(np.abs(other), initial=0.0), equal_nan=True)
        for one, other in zip(followed, done, strict=True)
    )
    if not alike:
        raise ValueError(
            f"The Keras model {model.name!r} does something else to symbolic tensors than to arrays, or draws at "
            "random, so that what was seen of it cannot be relied on. Name the layer that does so in 'blocks' to "
            "measure it whole."
        )


@contextmanager
def _left_as_it_is(model: keras.Layer, x: Any) -> Iterator[None]:
    """Within this a model may be run; after it the model, Keras and the process are as they were."""
    with _own_process(model, x), _kept(model), keras_as_found():
        losses = [(layer, list(layer._losses), set(layer._loss_ids)) for layer in model._flatten_layers()]
        try:
            yield
        finally:
            for layer, before, ids in losses:
                layer._losses[:] = before
                layer._loss_ids.clear()
                layer._loss_ids.update(ids)


@contextmanager
def _own_process(model: keras.Layer, x: Any) -> Iterator[None]:
    """Within this, what is drawn is left to the caller, and no gradients are followed."""
    if keras.backend.backend() == "torch":
        import torch

        from ei_fast.adapters.torch.process import process_of_its_own

        held = [variable.value for variable in model.variables]
        with torch.no_grad(), process_of_its_own([one for one in keras.tree.flatten(x) if hasattr(one, "shape")], held):
            yield
        return
    with draws_left_to_the_caller():
        yield


@contextmanager
def keras_as_found() -> Iterator[None]:
    """After this, Keras numbers what is built next, and draws, as it would have done."""
    from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

    counted = get_global_attribute("object_name_uids")
    counts = None if counted is None else dict(counted)
    seeds = get_global_attribute("global_seed_generator")
    state = None if seeds is None else _copied(seeds.state)
    try:
        yield
    finally:
        if counts is None:
            set_global_attribute("object_name_uids", None)
        else:
            counted.clear()
            counted.update(counts)
        if seeds is None:
            set_global_attribute("global_seed_generator", None)
        elif state is not None and not np.array_equal(_copied(seeds.state), state):
            seeds.state.assign(state)


@contextmanager
def _kept(model: keras.Layer) -> Iterator[None]:
    """After this, what the model holds is what it was."""
    before = [(variable, _copied(variable)) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in before:
            if not np.array_equal(_copied(variable), value):
                variable.assign(value)


def _copied(variable: keras.Variable) -> NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(variable.value))


def _as_it_is(layer: keras.Layer) -> Callable[[], AbstractContextManager[None]]:
    """What makes a layer, wherever training has taken it, what it is now."""
    values = [(variable, _copied(variable)) for variable in layer.variables]

    @contextmanager
    def put() -> Iterator[None]:
        with _without_gradients(), _kept(layer):
            for variable, value in values:
                variable.assign(value)
            yield

    return put


def _without_gradients() -> AbstractContextManager[None]:
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


@contextmanager
def _watched_activations(layers: dict[str, keras.Layer], watcher: Watcher) -> Iterator[None]:
    """Within this, activations of several steps are written down as one."""
    with ExitStack() as stack:
        for name, layer in layers.items():
            activation = layer.__dict__.get("activation")
            if callable(activation) and not isinstance(activation, keras.Layer):
                stack.enter_context(_replaced(layer, "activation", watcher.activation(name, activation)))
        yield


@contextmanager
def _replaced(layer: keras.Layer, attribute: str, value: Callable[..., Any]) -> Iterator[None]:
    """Within this, an object has an attribute of its own, past what Keras tracks."""
    before = layer.__dict__[attribute]
    layer.__dict__[attribute] = value
    try:
        yield
    finally:
        layer.__dict__[attribute] = before
