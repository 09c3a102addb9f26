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
from ei_fast.adapters.files.folders import FORMATS as SAID
from ei_fast.adapters.files.folders import weights_in
from ei_fast.adapters.files.shards import MAX_JSON, entries_of_index
from ei_fast.adapters.files.torch import entries_from_torch, tensors_of_shard
from ei_fast.adapters.given import DEFAULT_RANGE, Given
from ei_fast.errors import missing_extra
from ei_fast.network.bins import Range
from ei_fast.network.network import Network
from ei_fast.runtime.files import read_npz
from ei_fast.runtime.kinds import is_torch, other_kind

# Others are mapped, or read when NumPy asks for an array.
_READ_WHOLE = (".npz", ".h5", ".hdf5")

Entries = dict[str, Any]
Skipped = list[tuple[str, str]]


def read(model: str | os.PathLike[str], given: Given) -> Network:
    """The network in a file of weights; see `layers_from_file`."""
    return network_of(layers_from_file(model, given.activation, given.of_dicts, given.range_of_inputs), given)


def layers_from_file(
    path: str | os.PathLike[str],
    activation: Any,
    options: DictOptions | None = None,
    in_range: Range = DEFAULT_RANGE,
) -> ReadLayers:
    """Layers of a file of weights; its suffix says how it is read.

    Parameters
    ----------
    path : path
        ``.npz``; ``.safetensors``, or ``.safetensors.index.json`` with its shards beside it; ``.pt``, ``.pth``,
        ``.ckpt`` or ``.bin`` with a state dict, bare or as ``"state_dict"``, ``"model_state_dict"`` or ``"model"``, or
        ``.bin.index.json``; ``.weights.h5`` or ``.h5`` of a Keras model, of which the weights and names are read and
        nothing else; or a folder in which `save_pretrained` left one of these.
    activation : str, Activation, or one a layer
    options : DictOptions, optional
        What a user says about it; see `layers_from_mapping`.
    in_range : (float, float)
        Of the inputs of layers that are measured each by itself.

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
        path = weights_in(path, FORMATS)
    read = _reader(path)
    if read is entries_from_torch:
        entries, beside = entries_from_torch(path, (options and options.prefix) or "")
    else:
        entries, beside = read(path)
    try:
        # A safetensors file holds its tensors by size and name, one of Keras 3's weights its layers by kind.
        ordered = "safetensors" not in path.name and not path.name.endswith(".weights.h5")
        is_stored = not path.name.endswith(_READ_WHOLE)
        found = layers_from_mapping(entries, activation, options, ordered, in_range=in_range, is_stored=is_stored)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The file {str(path)!r}: {error}") from None
    return found._replace(skipped=[*beside, *found.skipped])


def _reader(path: Path) -> Callable[[Path], tuple[Entries, Skipped]]:
    for suffix, read in FORMATS.items():
        # Anything may be called .bin.
        if path.name.endswith(suffix) and (suffix != ".bin" or is_torch(path)):
            return read
    if path.suffix in {".pkl", ".pickle", ".joblib"}:
        why = (
            "Pickles run code when they are read: if you trust it, load it yourself and pass the model or its weights."
        )
    else:
        why = (other_kind(path) if path.is_file() else "") or "Save the weights in one of these formats."
    raise ValueError(f"{SAID}. Got {str(path)!r} instead. {why}")


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
    written: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Rows of it, of the type that NumPy has for their numbers."""
        if self.dtype not in _DTYPES:
            raise ValueError(
                f"The values of type {self.dtype} in {str(self.path)!r} cannot be read. "
                f"Save them as one of {', '.join(_DTYPES)}."
            )
        if self.path.stat().st_mtime_ns != self.written:
            raise ValueError(
                f"The file {str(self.path)!r} has been written since it was opened: what lies where in it is not known "
                "any more. Read it again."
            )
        raw, decode = _DTYPES[self.dtype]
        n_rows, *inner = self.shape or (1,)
        begin, end, _ = rows.indices(n_rows)
        skipped, n_values = begin * prod(inner), (end - begin) * prod(inner)
        values = np.fromfile(self.path, raw, n_values, offset=self.offset + skipped * np.dtype(raw).itemsize)
        return decode(values).reshape((end - begin, *inner) if self.shape else ())


def _from_safetensors(path: Path) -> tuple[Entries, Skipped]:
    return dict(_stored(path)), []


def _from_shards(path: Path) -> tuple[Entries, Skipped]:
    return entries_of_index(path, ".safetensors", _stored, "safetensors")


def _from_torch_shards(path: Path) -> tuple[Entries, Skipped]:
    return entries_of_index(path, ".bin", tensors_of_shard, "PyTorch's .bin")


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
        written = os.fstat(file.fileno()).st_mtime_ns
    metadata = header.pop("__metadata__", None) or {}
    stored = {
        key: _Stored(path, entry["dtype"], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0], written)
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
    ".bin": entries_from_torch,
    ".bin.index.json": _from_torch_shards,
    ".h5": _from_hdf5,
    ".hdf5": _from_hdf5,
}
