"""Layers from files of weights. A file's content is data here, never code, and cannot claim more than it holds."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.dicts.options import DictOptions
from ei_fast.adapters.dicts.reading import ReadLayers, layers_from_mapping, network_of
from ei_fast.adapters.files.torch import entries_from_torch
from ei_fast.adapters.given import Given
from ei_fast.errors import missing_extra
from ei_fast.network.network import Network
from ei_fast.runtime.files import read_npz
from ei_fast.runtime.kinds import other_kind

Entries = dict[str, Any]
Skipped = list[tuple[str, str]]

# Objects that a description makes take up to a hundred times its own size.
MAX_JSON = 2**22
_FORMATS = (
    "A file must be .npz, .safetensors, .safetensors.index.json (beside its shards), .pt, .pth or .ckpt with a PyTorch "
    "state dict, .h5 or .hdf5 of a Keras model, .keras or .onnx"
)


def read(model: str | os.PathLike[str], given: Given) -> Network:
    """The network in a file of weights; see `layers_from_file`."""
    return network_of(layers_from_file(model, given.activation, given.of_dicts), given)


def layers_from_file(path: str | os.PathLike[str], activation: Any, options: DictOptions | None = None) -> ReadLayers:
    """Layers of a file of weights; its suffix says how it is read.

    Parameters
    ----------
    path : path
        ``.npz``; ``.safetensors``, or ``.safetensors.index.json`` with its shards beside it; ``.pt``, ``.pth`` or
        ``.ckpt`` with a state dict, bare or as ``"state_dict"``, ``"model_state_dict"`` or ``"model"``; ``.weights.h5``
        or ``.h5`` of a Keras model, of which the weights and names are read and nothing else.
    activation : str, Activation, or one a layer
    options : DictOptions, optional
        What a user says about it; see `layers_from_mapping`.

    Returns
    -------
    ReadLayers

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ImportError
        Where the library that reads the format is missing or too old.
    ValueError
        Where the file is of another kind, is damaged, holds Python objects or no layers.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(_about_folder(path))
    read = _reader(path)
    entries, beside = read(path)
    try:
        # A safetensors file holds its tensors by size and name, one of Keras 3's weights its layers by kind.
        ordered = "safetensors" not in path.name and not path.name.endswith(".weights.h5")
        layers, skipped, notes = layers_from_mapping(entries, activation, options, ordered)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The file {str(path)!r}: {error}") from None
    return ReadLayers(layers, [*beside, *skipped], notes)


def _about_folder(path: Path) -> str:
    """What is said of a folder where a file should be: which of its files can be read."""
    inside = sorted(one.name for one in path.iterdir() if one.name.endswith(tuple(FORMATS)) and one.is_file())
    named = f"Give a file in it, like {str(path / inside[0])!r}, or" if inside else "None of its files is read: load it"
    what = (
        f"measure all of them: ei-fast batch plan {path} --out ei --shards 1"
        if inside
        else "yourself with what wrote it, and pass the model or its weights."
    )
    return f"{_FORMATS}. Got the folder {str(path)!r} instead. {named} {what}"


def _reader(path: Path) -> Callable[[Path], tuple[Entries, Skipped]]:
    for suffix, read in FORMATS.items():
        if path.name.endswith(suffix):
            return read
    if path.suffix in {".pkl", ".pickle", ".joblib"}:
        why = (
            "Pickles run code when they are read: if you trust it, load it yourself and pass the model or its weights."
        )
    else:
        why = (other_kind(path) if path.is_file() else "") or "Save the weights in one of these formats."
    raise ValueError(f"{_FORMATS}. Got {str(path)!r} instead. {why}")


def _from_npz(path: Path) -> tuple[Entries, Skipped]:
    return read_npz(path), []


def _from_hdf5(path: Path) -> tuple[Entries, Skipped]:
    from ei_fast.adapters.files.hdf5 import entries_from_hdf5

    return entries_from_hdf5(path), []


# safetensors


@dataclass(frozen=True)
class _Stored:
    """An array inside a safetensors file, read when NumPy asks for it."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if self.dtype not in _DTYPES:
            raise ValueError(
                f"The values of type {self.dtype} in {str(self.path)!r} cannot be read. "
                f"Save them as one of {', '.join(_DTYPES)}."
            )
        raw, decode = _DTYPES[self.dtype]
        values = np.fromfile(self.path, raw, prod(self.shape), offset=self.offset)
        return np.asarray(decode(values).reshape(self.shape), dtype=dtype)


def _from_safetensors(path: Path) -> tuple[Entries, Skipped]:
    return dict(_stored(path)), []


def _from_shards(path: Path) -> tuple[Entries, Skipped]:
    """Tensors of several files: the index says which holds which."""
    if path.stat().st_size > MAX_JSON:
        raise ValueError(f"The file {str(path)!r} must be smaller than {MAX_JSON} bytes to be read as an index.")
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        names = sorted(set(places.values()))
        if not all(isinstance(name, str) for name in names):
            raise TypeError("names of shards must be strings")
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(
            f"The file {str(path)!r} must be an index of safetensors files: JSON with 'weight_map', the name of a file "
            f"for each tensor. It is damaged or of another kind ({type(error).__name__}: {error}). Save the model "
            "again, index and shards together."
        ) from None
    entries: Entries = {}
    skipped: Skipped = []
    for name in names:
        for key, tensor in _stored(_shard(path, name)).items():
            if places.get(key) == name:
                entries[key] = tensor
            else:
                skipped.append((key, f"in {name} but not in the index"))
    missing = [key for key in places if key not in entries]
    if missing:
        raise ValueError(
            f"The file {str(path)!r} says that {missing[0]!r} is in {places[missing[0]]!r}, which does not hold it. "
            "Save the model again, index and shards."
        )
    return entries, skipped


def _shard(index: Path, name: str) -> Path:
    """The shard beside its index; never a file elsewhere, whatever the index says."""
    if name != Path(name).name or "\\" in name or not name.endswith(".safetensors"):
        raise ValueError(
            f"The file {str(index)!r} must name .safetensors files in its own folder. Got {name!r} instead. "
            "Put the shards beside it and name them so."
        )
    shard = index.with_name(name)
    if not shard.is_file():
        raise ValueError(f"The file {str(index)!r} names {name!r}, which is not beside it. Put it there.")
    return shard


def _stored(path: Path) -> dict[str, _Stored]:
    """What a safetensors file holds, by its header, which the library has checked against the file."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise missing_extra(f"The file {str(path)!r}", "safetensors", "safetensors") from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        # Above its own limit the library would still hold a header of 100 MB several times.
        if length > MAX_JSON:
            _refuse_other_kind(path, "safetensors")
            raise ValueError(
                f"The file {str(path)!r} cannot be read as safetensors: its header claims {length} bytes, above the "
                f"limit of {MAX_JSON}. It is damaged or of another kind, or holds more than some 40,000 tensors. Save "
                "it again, or only the layers that are to be measured."
            )
        try:
            with safe_open(path, framework="numpy"):
                header = json.loads(file.read(length))
        except (SafetensorError, ValueError) as error:
            _refuse_other_kind(path, "safetensors")
            raise ValueError(
                f"The file {str(path)!r} cannot be read as safetensors: it is damaged or of another kind ({error}). "
                "Save it again."
            ) from None
    metadata = header.pop("__metadata__", None) or {}
    stored = {
        key: _Stored(path, entry["dtype"], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])
        for key, entry in header.items()
    }
    # Of tied weights `save_model` keeps one, and says there which one stands for which.
    return stored | {alias: stored[name] for alias, name in metadata.items() if alias not in stored and name in stored}


def _refuse_other_kind(path: Path, expected: str) -> None:
    """Raise ValueError where a file is of a kind that is known, but not as its name says."""
    hint = other_kind(path, expected)
    if hint:
        raise ValueError(f"The file {str(path)!r} cannot be read as {expected}. {hint}") from None


def _same(values: NDArray[Any]) -> NDArray[Any]:
    return values


def _bfloat16(bits: NDArray[Any]) -> NDArray[Any]:
    # The upper half of a float32.
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _float8_e5m2(bits: NDArray[Any]) -> NDArray[Any]:
    # The upper half of a float16.
    return (bits.astype(np.uint16) << 8).view(np.float16)


def _float8_e4m3(bits: NDArray[Any]) -> NDArray[Any]:
    sign, exponent, fraction = bits >> 7, (bits >> 3) & 15, bits & 7
    size = np.ldexp(np.where(exponent > 0, 8.0, 0.0) + fraction, np.maximum(exponent, 1).astype(int) - 10)
    # There is no infinity, and one NaN of each sign.
    return np.where(bits & 127 == 127, np.nan, np.where(sign, -size, size))


# Type of the stored bits, and what makes numbers of them that NumPy has: exactly.
_DTYPES: dict[str, tuple[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    **{f"F{8 * size}": (f"<f{size}", _same) for size in (8, 4, 2)},
    "BF16": ("<u2", _bfloat16),
    "F8_E5M2": ("u1", _float8_e5m2),
    "F8_E4M3": ("u1", _float8_e4m3),
    **{f"{sign.upper()}{8 * size}": (f"<{sign}{size}", _same) for sign in "iu" for size in (8, 4, 2, 1)},
    "BOOL": ("?", _same),
}


FORMATS: dict[str, Callable[[Path], tuple[Entries, Skipped]]] = {
    ".npz": _from_npz,
    ".safetensors": _from_safetensors,
    ".safetensors.index.json": _from_shards,
    ".pt": entries_from_torch,
    ".pth": entries_from_torch,
    ".ckpt": entries_from_torch,
    ".pt2": entries_from_torch,
    ".h5": _from_hdf5,
    ".hdf5": _from_hdf5,
}
