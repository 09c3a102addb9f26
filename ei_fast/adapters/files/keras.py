"""Keras models from ``.keras`` files of strangers: what would run code or fill memory is refused before it is read."""

import importlib.util
import io
import json
import os
import random
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from ei_fast.adapters.files.hdf5 import check_hdf5
from ei_fast.adapters.files.torch import stored_members
from ei_fast.adapters.files.weights import MAX_JSON
from ei_fast.adapters.given import Given
from ei_fast.errors import missing_extra
from ei_fast.network.network import Network
from ei_fast.runtime.kinds import other_kind

_BACKENDS = ("tensorflow", "torch", "jax")
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_MODULES = (
    *("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.activations"),
    *("keras.dtype_policies", "keras.optimizers", "keras.losses", "keras.metrics"),
    *("keras.quantizers", "keras.src.quantizers", "keras.random", "keras.src.random"),
    *("keras.src.layers", "keras.src.ops", "keras.src.models"),
)
_MODELS = {"Sequential", "Functional", "Model", "DTypePolicy", "DTypePolicyMap", "Variable"}
# Layers whose configuration holds, or names, a program.
_PROGRAMS = {"Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"}
# Layers that read other files.
_READERS = {"StringLookup", "IntegerLookup", "TextVectorization"}
_VALUES = {"__keras_tensor__", "__tuple__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__", "__bytes__"}
_MAX_VALUES = 2**26


def read(model: str | os.PathLike[str], given: Given) -> Network:
    """The network in a ``.keras`` file; see `model_from_keras_file`."""
    built = model_from_keras_file(Path(model))
    # Only now is there a backend for Keras.
    from ei_fast.adapters.keras.model import read as read_keras

    return read_keras(built, given)


def model_from_keras_file(path: Path) -> Any:
    """The model in a ``.keras`` file.

    Raises
    ------
    ImportError
        Where Keras, or the backend that it is to use, is missing.
    ValueError
        Where the file is damaged, of another kind, would run code or claims more memory than it holds.
    """
    with path.open("rb") as file:
        members = stored_members(path, file, "a model.save of Keras 3")
        strange = sorted({member.filename for member in members} - _MEMBERS)
        if strange or len(members) != len(_MEMBERS):
            hint = other_kind(path, "keras")
            if hint:
                raise ValueError(f"The file {str(path)!r} cannot be read as .keras. {hint}")
            raise ValueError(
                f"The file {str(path)!r} must hold {', '.join(sorted(_MEMBERS))} and nothing else. "
                f"Got {strange[0] if strange else len(members)!r} instead. Save the model again."
            )
        archive = ZipFile(file)
        sizes = {member.filename: member.file_size for member in members}
        if sizes["config.json"] > MAX_JSON:
            raise ValueError(f"The file {str(path)!r} must describe its model in less than {MAX_JSON} bytes.")
        keras = _keras(path)
        config = _config(path, _content(path, archive, "config.json"))
        _check_classes(path, config, keras)
        weights = _content(path, archive, "model.weights.h5")
        check_hdf5(path, io.BytesIO(weights), len(weights))
    # It imports Keras, whose backend is settled now.
    from ei_fast.adapters.keras.model import keras_as_found

    # Initial weights are drawn from it.
    python = random.getstate()
    try:
        with keras_as_found():
            outline = _outline(config, keras)
            claimed = 4 * sum(prod(variable.shape) for variable in outline.variables)
            if claimed <= 4 * sizes["model.weights.h5"] + 2**24:
                _check_values(path, outline, keras)
                return keras.saving.load_model(path, compile=False, safe_mode=True)
    except _TooLarge:
        raise
    except Exception as error:
        raise ValueError(
            f"The file {str(path)!r} cannot be read as a Keras model ({type(error).__name__}: {error}). It is damaged, "
            "or needs code of your own: build the model, call its load_weights with the file, and pass the model."
        ) from error
    finally:
        random.setstate(python)
    raise ValueError(
        f"The file {str(path)!r} claims {claimed} bytes of weights, far more than it holds. It is damaged or made to "
        "exhaust memory. Save the model again."
    )


def _outline(config: dict[str, Any], keras: Any) -> Any:
    """The model that a description is of, without memory for its numbers: how many there are is the file's claim."""
    from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

    waiting = get_global_attribute("uninitialized_variables")
    set_global_attribute("uninitialized_variables", [])
    try:
        # Variables that are made in here have no values until all that wait for them are given some.
        with keras.StatelessScope(initialize_variables=False):
            return keras.saving.deserialize_keras_object(config | {"compile_config": None}, safe_mode=True)
    finally:
        set_global_attribute("uninitialized_variables", waiting)


class _TooLarge(MemoryError):
    """A model that would compute more numbers than memory holds."""


def _keras(path: Path) -> Any:
    """Keras, on the backend that was chosen or else on one that is there."""
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("h5py") is None:
        raise missing_extra(f"The file {str(path)!r}", "Keras 3", "keras")
    if "keras" in sys.modules:
        return sys.modules["keras"]
    there = [name for name in _BACKENDS if importlib.util.find_spec(name) is not None]
    chosen = os.environ.get("KERAS_BACKEND") or None
    if not there and chosen in (None, *_BACKENDS):
        raise ImportError(
            f"The file {str(path)!r} cannot be read without a backend of Keras, and neither {' nor '.join(_BACKENDS)} "
            "is installed. Install the one that you use: pip install jax, for example."
        )
    if chosen in _BACKENDS and chosen not in there:
        raise ImportError(
            f"The file {str(path)!r} cannot be read with the backend {chosen!r} of Keras, which the environment "
            f"variable KERAS_BACKEND names and which is not installed. Set it to one that is there: {', '.join(there)}."
        )
    left_to_keras = chosen is not None or _configured() in there
    if not left_to_keras:
        # Keras takes TensorFlow, whether it is there or not.
        os.environ["KERAS_BACKEND"] = there[0]
    try:
        import keras
    finally:
        if not left_to_keras:
            del os.environ["KERAS_BACKEND"]
    return keras


def _configured() -> str | None:
    """The backend that Keras' settings name: the user's choice, or TensorFlow, which Keras itself writes there."""
    base = os.path.expanduser("~")
    home = os.environ.get("KERAS_HOME", os.path.join(base if os.access(base, os.W_OK) else "/tmp", ".keras"))
    try:
        settings = json.loads(Path(home, "keras.json").read_text())
    except (OSError, ValueError):
        # Keras, too, goes on without it.
        return None
    return settings.get("backend") if isinstance(settings, dict) else None


def _content(path: Path, archive: ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise ValueError(f"The file {str(path)!r} is damaged at {name!r} ({error}). Save the model again.") from None


def _config(path: Path, text: bytes) -> dict[str, Any]:
    try:
        config = json.loads(text)
        if not isinstance(config, dict) or "class_name" not in config:
            raise ValueError("no class_name")
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"The file {str(path)!r} must describe a Keras model in its config.json. It is damaged or of another kind "
            f"({type(error).__name__}: {error}). Save the model again."
        ) from None
    return config


def _check_classes(path: Path, config: dict[str, Any], keras: Any) -> None:
    """Raise ValueError where a description names something that is not a part of Keras, or is a program."""
    whole = {key: value for key, value in config.items() if key != "compile_config"}
    for entry in _described(whole):
        module, name = entry.get("module"), entry["class_name"]
        # Under which of the two Keras looks for it.
        own = entry.get("config" if name == "function" else "registered_name")
        if isinstance(own, str) and keras.saving.get_registered_object(own) is not None:
            # The user's own, known to this process before the file was.
            continue
        modules = isinstance(module, str) and any(module == m or module.startswith(f"{m}.") for m in _MODULES)
        models = module in ("keras", "keras.models") and isinstance(name, str) and name in _MODELS
        if isinstance(name, str) and name in _VALUES:
            continue
        if not isinstance(name, str) or name in _PROGRAMS | _READERS or not (modules or models):
            what = f"{name!r} of module {module!r}"
            raise ValueError(
                f"The file {str(path)!r} uses {what}, which could run code and is not read. If you trust it, load it "
                "yourself with keras.saving.load_model(path, safe_mode=False) and pass the model; classes of your own "
                "are read once they are registered with keras.saving.register_keras_serializable."
            )


def _described(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a description, wherever they are."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_values(path: Path, model: Any, keras: Any) -> None:
    """Raise MemoryError where a sample would make the model compute more numbers than can be kept."""
    total = _n_values(model, keras)
    if total > _MAX_VALUES:
        raise _TooLarge(
            f"The model in {str(path)!r} computes {total} numbers a sample, more than the {_MAX_VALUES} that can be "
            "kept to verify it. Load it yourself and measure a part of it, keras.Model(inputs, outputs)."
        )


def _n_values(model: Any, keras: Any) -> int:
    """Numbers that a model computes of a sample: of every operation, and of what is padded for it."""
    total = 0
    # A Sequential has its graph inside.
    graph = getattr(model, "_functional", None) or model
    for operation in getattr(graph, "_operations", ()):
        if isinstance(operation, keras.Model):
            total += _n_values(operation, keras)
        if operation._inbound_nodes:
            total += sum(prod(n or 1 for n in tensor.shape) for tensor in keras.tree.flatten(operation.output))
            config = operation.__dict__
            size, gaps = config.get("kernel_size") or config.get("pool_size"), config.get("dilation_rate")
            if size is not None and len(keras.tree.flatten(operation.input)) == 1:
                gaps = gaps if isinstance(gaps, (tuple, list)) else (gaps or 1,) * len(size)
                extent = [n or 1 for n in operation.input.shape[1:]]
                reach = [n * gap for n, gap in zip(size, gaps, strict=True)]
                # Which axis the channels are is of no matter: each is taken as if it were padded.
                total += prod(n + max(reach, default=0) for n in extent[: len(reach)]) * extent[-1]
    return total
