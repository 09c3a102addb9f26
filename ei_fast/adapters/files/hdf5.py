"""Weights in HDF5 files, as Keras writes them: numbers and names, read without Keras and without running anything."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from ei_fast.adapters.dicts.alike import told_variables
from ei_fast.errors import missing_extra
from ei_fast.runtime.kinds import other_kind

_MAX_ENTRIES = 2**16


def entries_from_hdf5(path: Path) -> dict[str, Any]:
    """Arrays by ``"<layer>/kernel"`` and the like, from a ``.weights.h5`` of Keras 3 or an ``.h5`` of any Keras.

    Raises
    ------
    ImportError
        Where h5py is missing.
    ValueError
        Where the file is damaged, is of another kind, leads elsewhere or claims more than it holds.
    """
    try:
        import h5py
    except ImportError as error:
        raise missing_extra(f"The file {str(path)!r}", "h5py", "keras") from error
    with path.open("rb") as file:
        size = path.stat().st_size
        hint = other_kind(path, "hdf5")
        if hint:
            raise ValueError(f"The file {str(path)!r} cannot be read as HDF5. {hint}")
        check_hdf5(path, file, size)
        with h5py.File(file, "r") as content:
            legacy = content.get("model_weights", content)
            if "layer_names" in legacy.attrs:
                found = _of_legacy(legacy)
            elif "layers" in content or "_layer_checkpoint_dependencies" in content:
                found = _of_keras_3(content)
            else:
                raise ValueError(
                    f"The file {str(path)!r} must hold the weights of a Keras model, as model.save_weights or "
                    f"model.save write them. It holds {', '.join(sorted(content)) or 'nothing'}. Save the model as "
                    ".keras, or what is of no Keras model as .npz, with arrays w0, w1, ..."
                )
            result, n_bytes = {}, 0
            try:
                for name, values in found:
                    n_bytes += values.nbytes
                    if n_bytes > size:
                        # One array under many names.
                        raise ValueError("it lists more than it holds")
                    result[name] = _numbers(values)
                return result
            except (AttributeError, OSError, KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"The file {str(path)!r} is damaged ({type(error).__name__}: {error}). Save the weights again."
                ) from None


def _of_legacy(group: Any) -> Iterator[tuple[str, Any]]:
    """Arrays of the layers that a file lists, in that order; each lists its own."""
    for layer in map(_text, group.attrs["layer_names"]):
        for name in map(_text, group[layer].attrs["weight_names"]):
            *where, last = name.split("/")
            # Under the layer's own name are the layers inside it, if it has any.
            inside = where[len(where) - where[::-1].index(layer) :] if layer in where else where
            yield "/".join([layer, *inside, last.partition(":")[0]]), group[layer][name]


def _of_keras_3(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Arrays of all layers; Keras numbers those of each, and keeps the layer's name beside them."""
    if "vars" in group and len(group["vars"]):
        values = [group["vars"][name] for name in sorted(group["vars"], key=int)]
        layer = _text(group["vars"].attrs.get("name", "/".join(path)))
        yield from zip(
            (f"{layer}/{name}" for name in _variable_names(path[-1] if path else "", values)), values, strict=True
        )
    for name in sorted(group, key=_naturally):
        if name not in ("vars", "optimizer"):
            yield from _of_keras_3(group[name], path if name == "layers" else (*path, name))


def _variable_names(kind: str, values: list[Any]) -> list[str]:
    """What the arrays of a layer are called, as far as their shapes tell."""
    return told_variables(kind, [value.shape for value in values]) or [f"variable{k}" for k in range(len(values))]


def _is_bfloat16(entry: Any) -> bool:
    """Whether an array holds bfloat16, which HDF5 does not know: Keras writes two bytes and says so beside them."""
    return entry.dtype.kind == "V" and entry.dtype.itemsize == 2 and _text(entry.attrs.get("dtype")) == "bfloat16"


def _numbers(entry: Any) -> np.ndarray:
    values = np.asarray(entry)
    # They are the upper half of a float32.
    return (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32) if _is_bfloat16(entry) else values


def _naturally(name: str) -> list[tuple[int, str]]:
    """For sorting: dense_2 before dense_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def check_hdf5(path: Path, file: IO[bytes], size: int) -> None:
    """Raise ValueError where an HDF5 file leads elsewhere or claims more than it holds."""
    import h5py

    try:
        with h5py.File(file, "r") as content:
            claimed = sum(entry.nbytes for entry in _checked_entries(content["/"], path))
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise _refused(path, f"cannot be read ({type(error).__name__}: {error})") from None
    if claimed > size:
        raise _refused(path, f"claim {claimed} bytes, more than they hold")


def _checked_entries(root: Any, path: Path) -> Iterator[Any]:
    """All arrays below a group; ValueError at what is none, or lies elsewhere."""
    import h5py

    waiting, met = [root], 0
    while waiting:
        group = waiting.pop()
        for name in group:
            met += 1
            if met > _MAX_ENTRIES:
                raise _refused(path, "have more entries than they can name")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _refused(path, f"lead to another place or file at {name!r}")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                waiting.append(entry)
            elif not isinstance(entry, h5py.Dataset) or entry.external or entry.is_virtual:
                raise _refused(path, f"lead to another file at {name!r}")
            elif entry.dtype.kind not in "fiub" and not _is_bfloat16(entry):
                raise _refused(path, f"hold {entry.dtype} at {name!r}, which is no number")
            else:
                yield entry


def _refused(path: Path, why: str) -> ValueError:
    return ValueError(f"The weights in {str(path)!r} {why}. The file is damaged or made to. Save the model again.")
