"""Which adapter reads which model. To add a source of networks is to add a line here, and a file that reads it.

A kind of model is told without importing its library, which is loaded only where such a model has come.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from inspect import isroutine
from pathlib import Path
from typing import Any

from ei_fast.adapters.given import Given
from ei_fast.adapters.wrappers import holds_model, model_held
from ei_fast.errors import missing_extra
from ei_fast.network.network import Network

_OF_DICTS = ("order", "prefix", "layout", "norm_place", "norm_eps", "chain", "layers", "example_inputs")


@dataclass(frozen=True)
class Adapter:
    """How one kind of model is read.

    Attributes
    ----------
    is_for : callable
        Whether a model is of that kind.
    module : str
        In this folder; its function ``read`` takes the model and a `Given`, and returns a `Network`.
    takes : tuple of str
        Options of `as_network` that are not for every model, and are for these.
    needs : (str, str, str), optional
        What is read, the libraries that this needs, and the extra that brings them.
    """

    is_for: Callable[[Any], bool]
    module: str
    takes: tuple[str, ...] = ()
    needs: tuple[str, str, str] | None = None

    def read(self, model: Any, given: Given) -> Network:
        """The network behind a model of that kind.

        Raises
        ------
        MissingExtra
            Where a library is missing that reads it.
        """
        try:
            module = import_module(f"ei_fast.adapters.{self.module}")
        except ImportError as error:
            if self.needs is None:
                raise
            raise missing_extra(*self.needs) from error
        network: Network = module.read(model, given)
        return network


def adapter_of(model: Any) -> Adapter:
    """The first of the adapters that is for a model; the last is for all, and says what a model may be.

    An estimator that holds a model of a framework takes the options that this model takes.
    """
    adapter = next(adapter for adapter in ADAPTERS if adapter.is_for(model))
    held = model_held(model)
    return adapter if held is None else replace(adapter, takes=adapter_of(held).takes)


def _is_path(model: Any) -> bool:
    return isinstance(model, (str, os.PathLike))


def _is_file(suffix: str) -> Callable[[Any], bool]:
    return lambda model: _is_path(model) and Path(model).suffix == suffix


def _is_array(model: Any) -> bool:
    # A tensor of any framework is one.
    return hasattr(model, "__array__")


def _is_of(library: str) -> Callable[[Any], bool]:
    return lambda model: library in _libraries(model)


def _libraries(model: Any) -> set[str]:
    return {base.__module__.split(".")[0] for base in type(model).__mro__}


def _is_dict(model: Any) -> bool:
    # Flax's trees of parameters are dicts like any other; some sparse matrices call themselves so.
    return isinstance(model, Mapping) and not hasattr(model, "toarray")


def _is_jax(model: Any) -> bool:
    if isinstance(model, tuple) and len(model) == 2:
        libraries = _libraries(model[0])
        # What `jax.jit` makes is of a class of jaxlib.
        return isroutine(model[0]) or isinstance(model[0], partial) or not libraries.isdisjoint(("jaxlib", "flax"))
    return "flax" in _libraries(model)


_KERAS = ("A Keras model", "Keras 3", "keras")
_ONNX = ("An ONNX model", "onnx and onnxruntime", "onnx")
_FLAX = ("A Flax model", "JAX and Flax", "flax")
_RUN = ("blocks", "heads", "input_shape", "unroll")
_EXAMPLES = ("example_inputs",)

ADAPTERS = (
    Adapter(_is_file(".keras"), "files.keras", takes=(*_RUN, *_EXAMPLES), needs=_KERAS),
    Adapter(_is_file(".onnx"), "onnx.model", takes=("input_shape", "unroll", *_EXAMPLES), needs=_ONNX),
    Adapter(_is_path, "files.weights", takes=_OF_DICTS),
    Adapter(_is_array, "arrays", takes=_EXAMPLES),
    # Nets of skorch and Keras that are estimators of scikit-learn.
    Adapter(holds_model, "sklearn", takes=_EXAMPLES),
    # On the PyTorch backend a Keras layer is a module as well.
    Adapter(_is_of("keras"), "keras.model", takes=(*_RUN, *_EXAMPLES), needs=_KERAS),
    Adapter(_is_of("torch"), "torch.model", takes=(*_RUN, *_EXAMPLES)),
    Adapter(_is_of("onnx"), "onnx.model", takes=("input_shape", "unroll", *_EXAMPLES), needs=_ONNX),
    Adapter(_is_of("sklearn"), "sklearn", takes=_EXAMPLES),
    Adapter(_is_dict, "dicts.reading", takes=_OF_DICTS),
    Adapter(_is_jax, "jax.model", takes=("input_shape", "example_inputs"), needs=_FLAX),
    Adapter(lambda model: True, "arrays", takes=_EXAMPLES),
)
