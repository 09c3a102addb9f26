"""Flax modules, of NNX and of Linen, and JAX's functions: they are traced, and every step of that evaluated in sight.

The module is left as it is: what is traced is a function of its parameters, as it computes for inference.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from numpy.typing import NDArray

from ei_fast.adapters.given import Given
from ei_fast.adapters.graph import Recording, convolution_first
from ei_fast.adapters.graph.held import Held
from ei_fast.adapters.jax.operations import FLOATS
from ei_fast.adapters.jax.watching import Watcher
from ei_fast.adapters.runs import check_shape, network_from_runs
from ei_fast.adapters.sources import OfShape, random_inputs
from ei_fast.network.network import Network

# Rows of a first run, unlikely as a width; and of images, of which few are enough.
_PROBED, _PROBED_IMAGES = 61, 13
# What arguments of a call are called that tell training from inference, and their values for the latter.
_FOR_INFERENCE = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "use_running_average": True,
}
_ASKS = (
    "Give input_shape=, the shape of one sample, or example_inputs=, a batch (rows, ...): images are (height, width, "
    "channels) in Flax, as input_shape=(32, 32, 3)."
)


def read(model: Any, given: Given) -> Network:
    """The layers of a Flax module, or of a function, in the order in which it runs them.

    Parameters
    ----------
    model : nnx.Module, (nnx.GraphDef, state), bound linen.Module, (linen.Module, variables) or (function, parameters)
    given : Given
        Where neither input shape nor example inputs are, samples have the shape that the kernel of a dense layer takes,
        if it is one only.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    in_range = given.range_of_inputs
    if isinstance(model, tuple) and isinstance(model[0], nnx.GraphDef):
        model = nnx.merge(*model)
    if isinstance(model, nnx.Module):
        subject = _of_nnx(model)
    elif isinstance(model, tuple) and not isinstance(model[0], (nnx.Module, linen.Module)):
        subject = _of_function(*model)
    else:
        subject = _of_linen(model)
    shape = subject.input_shape(given.input_shape, given.example_inputs)
    probed = subject.run(random_inputs(in_range, _PROBED_IMAGES if len(shape) > 2 else _PROBED, shape))
    guessed = given.input_shape is None and given.example_inputs is None
    if guessed and (name := convolution_first(probed)) is not None:
        raise ValueError(
            f"The inputs of the model go to the convolution {name!r}, which takes them at any length: how long they "
            f"are is not told by the layers behind it. {_ASKS}"
        )
    examples = None if given.example_inputs is None else np.asarray(given.example_inputs, dtype=np.float64)
    return network_from_runs(subject.run, OfShape(shape, examples), in_range, given.verify, probed=probed)


_OF_INDICES = (
    "Convert numbers to float32. Indices, as of tokens, are no numbers in a range, so that nothing can be measured "
    "from them on: pass the module behind the table that they are looked up in, with the 'input_shape' of what that "
    "takes."
)


class _Subject:
    """A function of parameters and inputs, which can be evaluated in sight.

    Parameters
    ----------
    call : callable
        Takes a tree of parameters and inputs (rows, ...).
    parameters : tree of arrays
        Copies of which on the CPU are used.
    owner_of : callable
        The name of the layer to which a parameter with this path belongs.
    root : str
        What the model is called where a layer has no name of its own.
    is_learned : callable
        Whether an array with this path is a parameter, and no statistic that is kept.
    kinds : dict of str to str, optional
        Kinds of layers by their names, where these do not tell.
    """

    def __init__(
        self,
        call: Callable[[Any, Any], Any],
        parameters: Any,
        owner_of: Callable[[str], str],
        root: str,
        is_learned: Callable[[str], bool] = lambda path: True,
        kinds: Mapping[str, str] | None = None,
    ):
        self._call, self._root = call, root
        self._cpu = jax.local_devices(backend="cpu")[0]
        leaves, self._tree = jax.tree_util.tree_flatten_with_path(parameters)
        paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
        for path, (_, leaf) in zip(paths, leaves, strict=True):
            _check_parameter(path.removesuffix("/value"), leaf)
        self._parameters = [jax.device_put(_gathered(leaf), self._cpu) for _, leaf in leaves]
        # The state of random numbers is no layer's.
        self._owners = [
            (owner_of(path) or root) if jax.dtypes.issubdtype(leaf.dtype, np.inexact) else ""
            for path, leaf in zip(paths, self._parameters, strict=True)
        ]
        self._paths = paths
        self._held = _held(paths, self._parameters, self._owners, is_learned, kinds or {})
        self._dtype = jax.dtypes.canonicalize_dtype(np.float64)
        self._traced: dict[tuple[int, ...], Any] = {}

    def input_shape(self, given: Sequence[int] | None, example: Any) -> tuple[int, ...]:
        """Shape of a sample that the model takes."""
        if example is not None:
            return self._shape_of(example)
        if given is not None:
            return check_shape(given)
        fitting = list(self._fitting())
        if len(fitting) != 1:
            shapes = f" It takes samples of shape {' and '.join(map(str, fitting))}." if fitting else ""
            raise ValueError(f"What the model's inputs are cannot be told from its parameters.{shapes} {_ASKS}")
        return fitting[0]

    def _shape_of(self, example: Any) -> tuple[int, ...]:
        array = example if hasattr(example, "dtype") else np.asarray(example)
        rule = "The 'example_inputs' parameter of as_network must be a batch (rows, ...) of floating-point numbers"
        if array.dtype.kind in "iu":
            raise TypeError(f"{rule}. Got numbers of type {array.dtype.name} instead. {_OF_INDICES}")
        if array.dtype.name not in FLOATS:
            raise TypeError(f"{rule}. Got numbers of type {array.dtype.name} instead. Convert them to float32.")
        if array.ndim < 2 or not array.size:
            raise ValueError(f"{rule}. Got the shape {tuple(array.shape)} instead. Give it an axis of rows.")
        self._dtype = jax.dtypes.canonicalize_dtype(array.dtype)
        return tuple(array.shape[1:])

    def _fitting(self) -> Iterator[tuple[int, ...]]:
        """Shapes of samples that the model takes, of those which the kernel of a dense layer takes."""
        for width in dict.fromkeys(width for leaf in self._parameters if leaf.ndim == 2 for width in leaf.shape):
            try:
                self._trace((_PROBED, width))
            except Exception:
                # Whatever it raises, it does not take inputs of this shape.
                continue
            yield (width,)

    def run(self, inputs: NDArray[np.float64]) -> Recording:
        """Evaluate the model on inputs (rows, ...) and write down what it does."""
        try:
            jaxpr, constants = self._trace(inputs.shape)
        except Exception as error:
            if "integer" in str(error):
                error.add_note(_OF_INDICES)
            error.add_note(
                f"Raised by the model for samples of shape {inputs.shape[1:]} of {self._dtype} numbers. {_ASKS}"
            )
            raise
        with jax.default_device(self._cpu):
            x = jnp.asarray(inputs, dtype=self._dtype)
            watcher = Watcher(self._root)
            found = watcher.recording(jaxpr, constants, self._parameters, self._owners, x, self._paths)
        return replace(found, held=self._held)

    def _trace(self, shape: tuple[int, ...]) -> Any:
        """The jaxpr for inputs of this shape, and its constants."""
        if shape not in self._traced:
            x = jax.ShapeDtypeStruct(shape, self._dtype)

            def called(leaves: Sequence[Any], x: Any) -> Any:
                return self._call(jax.tree_util.tree_unflatten(self._tree, leaves), x)

            with jax.default_device(self._cpu):
                traced = jax.make_jaxpr(called)(self._parameters, x)
            # Arrays that are no parameters may be elsewhere.
            self._traced[shape] = traced.jaxpr, [jax.device_put(constant, self._cpu) for constant in traced.consts]
        return self._traced[shape]


def _of_nnx(model: nnx.Module) -> _Subject:
    graph, state = nnx.split(model)
    known = _for_inference(model)

    def call(parameters: Any, x: Any) -> Any:
        # A module of its own, which is changed and forgotten.
        module: Any = nnx.merge(graph, parameters)
        module.eval()
        return module(x, **known)

    # A path ends in the parameter, and "value" where it is a variable.
    def owner_of(path: str) -> str:
        return path.removesuffix("/value").rpartition("/")[0].replace("/", ".")

    leaves, _ = jax.tree_util.tree_flatten_with_path(nnx.state(model, nnx.Param))
    learned = {jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves}
    kinds = {".".join(map(str, path)): type(part).__name__ for path, part in nnx.iter_modules(model)}
    return _Subject(call, state, owner_of, type(model).__name__, learned.__contains__, kinds)


def _of_linen(model: Any) -> _Subject:
    if isinstance(model, linen.Module):
        if model.scope is None:
            raise TypeError(
                f"A Linen module does not hold its parameters. Got a {type(model).__name__} that is not bound. Pass "
                "the pair (module, variables), or module.bind(variables)."
            )
        module, variables = model.unbind()
    elif isinstance(model, tuple) and isinstance(model[0], linen.Module):
        module, variables = model
        _check_variables(variables)
    else:
        raise TypeError(
            "A Flax model must be an nnx.Module, a bound linen.Module or the pair (linen.Module, variables). Got "
            f"{_kind_of(model)} instead."
        )
    known: dict[str, Any] = _for_inference(module)

    def call(parameters: Any, x: Any) -> Any:
        return module.apply(parameters, x, **known)

    # A path begins with the collection, as "params", and ends in the parameter.
    def owner_of(path: str) -> str:
        return path.partition("/")[2].rpartition("/")[0]

    return _Subject(call, variables, owner_of, type(module).__name__, lambda path: path.startswith("params/"))


def _of_function(function: Any, parameters: Any) -> _Subject:
    module = getattr(function, "__self__", None)
    if isinstance(module, linen.Module):
        # Its `apply`, as flax.training's states hold it.
        return _of_linen((module, parameters))

    # What is in no layer of its own is called as it is.
    def owner_of(path: str) -> str:
        return path.rpartition("/")[0] or path

    return _Subject(function, parameters, owner_of, getattr(function, "__name__", "function"))


def _held(
    paths: Sequence[str],
    parameters: Sequence[Any],
    owners: Sequence[str],
    is_learned: Callable[[str], bool],
    kinds: Mapping[str, str],
) -> Held:
    """The parameters of a model, by their paths."""
    sizes = {
        path: int(leaf.size)
        for path, leaf, owner in zip(paths, parameters, owners, strict=True)
        if owner and is_learned(path)
    }
    holders = {
        path: (owner, kinds.get(owner) or _kind_of_layer(owner)) for path, owner in zip(paths, owners, strict=True)
    }
    # As the tables of both kinds of modules are called.
    tables = {path for path in sizes if path.removesuffix("/value").rpartition("/")[2] == "embedding"}
    return Held(sizes, holders, tables)


def _kind_of_layer(name: str) -> str:
    """What a layer is called without its number and what holds it: its class in Linen, where it has no other name."""
    last = [part for part in re.split("[./]", name) if not part.isdigit()][-1:]
    return re.sub(r"_?\d+$", "", last[0]) if last else name


def _kind_of(model: Any) -> str:
    of = [type(part).__name__ for part in model] if isinstance(model, tuple) else []
    return f"a pair of {' and '.join(of)}" if of else type(model).__name__


def _check_parameter(path: str, leaf: Any) -> None:
    """Raise TypeError where a parameter has no values that can be computed with."""
    if isinstance(leaf, jax.core.Tracer):
        raise TypeError(
            f"A model is read outside of functions that JAX traces. Got {path!r} inside of one. Call as_network after "
            "what jax.jit or nnx.jit made has returned."
        )
    if isinstance(leaf, (float, int)):
        return
    if not isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
        raise TypeError(
            f"The parameters of a model must be arrays. Got {path!r}, which is a {type(leaf).__name__}, instead. Give "
            "it its values."
        )
    if jax.dtypes.issubdtype(leaf.dtype, np.complexfloating):
        raise TypeError(f"The model must compute with real numbers. Got {path!r}, which is complex.")


def _gathered(leaf: Any) -> Any:
    """A parameter that is spread over several devices, in one place: what is traced would be spread as it is."""
    spread = isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1
    return np.asarray(leaf) if spread and not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended) else leaf


def _check_variables(variables: Any) -> None:
    rule = "The variables of a Linen module must be what its 'init' returns, {'params': ...} with other collections"
    if not isinstance(variables, Mapping):
        raise TypeError(f"{rule}. Got {type(variables).__name__} instead. Pass (module, {{'params': params}}).")
    if "params" not in variables:
        keys = ", ".join(repr(key) for key in list(variables)[:3]) or "none"
        raise ValueError(f"{rule}. Got a dict of {keys} instead. Pass (module, {{'params': params}}).")


def _for_inference(module: Any) -> dict[str, bool]:
    """The arguments of a module's call that say that it is not trained."""
    taken = inspect.signature(type(module).__call__).parameters
    return {name: value for name, value in _FOR_INFERENCE.items() if name in taken}
